"""Arrays in the other byte order, as files hold them: the bits are those of the usual order, in
every public function.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any import Overlap
from dice_any.testing import every_loss, recipe
from dice_any.testing.calls import RANKED, Call, calls

KINDS = {"f": ("float16", "float32", "float64"), "i": ("uint8", "int16", "int64"), "b": ("bool",)}
CALLS = [call for call in calls() if call.function.__name__ != "_overlap_operations"]


def of_dtype(values: np.ndarray, width: int) -> np.ndarray:
    """Return numbers of some width; memberships with one that is beyond 1 by a rounding error."""
    kind = "i" if values.dtype.kind in "iu" else values.dtype.kind
    dtype = KINDS[kind][width % len(KINDS[kind])]
    if kind == "f" and values.max() <= 1:
        values = values.astype(np.float64) / 3
        values.flat[-1] = 1 + 2.0**-22
    return values.astype(dtype)


def swapped(values: np.ndarray) -> np.ndarray:
    return values.astype(values.dtype.newbyteorder())


def flat(result: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(result, (list, tuple)):
        for part in result:
            yield from flat(part)
    elif isinstance(result, Overlap):
        yield from flat(result.compute().rows)
    else:
        array = np.asarray(result)
        yield array.dtype.name, array.tolist()


def given_to(call: Call, exact: bool | None) -> dict[str, Any] | None:
    """Return the arguments of a call; None if it has no exact form."""
    if exact is None or not call.takes_backend or call.name == "confusion_matrix":
        return call.arguments
    return None if exact and call.name in RANKED else {**call.arguments, "exact": exact}


@pytest.mark.parametrize("exact", [None, True, False])
@pytest.mark.parametrize("widths", [(0, 2), (1, 2), (2, 1), (2, 2)])
def test_byte_order_changes_no_bit(exact: bool | None, widths: tuple[int, int]) -> None:
    for call in CALLS:
        given = given_to(call, exact)
        if given is not None:
            check(call, given, np.asarray, widths)


@pytest.mark.parametrize("name", ["dice_score", "overlap", "confusion_matrix", "dice_loss"])
def test_byte_order_of_chunks(name: str) -> None:
    da = pytest.importorskip("dask.array")
    for call in (call for call in CALLS if call.name == name):
        check(call, call.arguments, lambda values: da.from_array(values, chunks=-1), (1, 2))


def check(call: Call, given: dict[str, Any], hand: Any, widths: tuple[int, int]) -> None:
    arrays = [of_dtype(a, width) for a, width in zip(call.arrays, widths, strict=False)]
    if call.name == "set_overlap":
        arrays = [array.astype(np.int16) for array in arrays]
    weight = None if call.weight is None else call.weight.astype(KINDS["f"][widths[1]])

    def result(*turns: Any) -> list[Any]:
        with_weight = {} if weight is None else {"weight": hand(turns[1](weight))}
        one = [hand(turn(array)) for turn, array in zip(turns, arrays, strict=False)]
        return list(flat(call.function(*one, **given, **with_weight)))

    expected = result(np.asarray, np.asarray)
    for turns in (np.asarray, swapped), (swapped, np.asarray), (swapped, swapped):
        assert result(*turns) == expected, (call.name, given)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("name", every_loss.CALLS)
def test_gradients_have_the_dtype_they_are_of(name: str, exact: bool) -> None:
    if exact and name == "lovasz_loss":
        pytest.skip("errors are sorted, not summed in integers")
    soft = name != "lovasz_loss"
    for dtypes in [("f8", "f8"), ("f4", "f8"), ("f4", "f4"), ("f2", "f4"), ("f8", "f2")]:
        z = recipe.memberships(3, (2, 3, 4, 5), "float64").astype(dtypes[0])
        y: Any = recipe.labels(5, (2, 4, 5), 3)
        if soft:
            y = (np.stack([y == c for c in range(3)], axis=1) * 0.75 + 0.1).astype(dtypes[1])
        weight = (recipe.memberships(7, (2, 1, 4, 5) if soft else (2, 4, 5)) + 0.1).astype(
            dtypes[1]
        )
        other = [swapped(array) for array in (z, y, weight)]
        run = every_loss.loss(name, activation="softmax", exact=exact or None)
        value, slopes = dice_any.value_and_grad(run)(z, y, weight=weight)
        got, gradient = dice_any.value_and_grad(run)(*other[:2], weight=other[2])
        assert got.item() == run(*other[:2], weight=other[2]).item() == value.item()
        assert got.dtype.itemsize == value.dtype.itemsize
        assert gradient.dtype == other[0].dtype
        assert gradient.tolist() == slopes.tolist()
