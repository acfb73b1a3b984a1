"""One overlap from several: stacked, joined, and indexed by an array of integers. NumPy computes
the expected sums.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any import Overlap

from .adapters import Adapter, adapter
from .overlaps import KINDS, Named, counts, of, rows

pytestmark = pytest.mark.dice_feature("values")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, dice_backend: Adapter) -> str:
    if request.param == "exact" and dice_backend.name == "strict-no-float64":
        pytest.skip("the device has no float64")
    return str(request.param)


def same(got: Overlap, like: Overlap, expected: np.ndarray) -> bool:
    """Return whether an overlap is like another, with the expected sums."""
    facts = (got.kind, got.form, got.by_class, got._library is like._library)
    return facts == (like.kind, like.form, like.by_class, True) and np.array_equal(
        rows(got), expected
    )


# -- stack and concat ------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, -2, -3])
def test_stacked(dice_backend: Adapter, kind: str, axis: int) -> None:
    parts = [counts(dice_backend, kind, seed) for seed in range(3)]
    # the sums have one or two axes after those of the counts
    behind = 2 if parts[0].kind == "exact" else 1
    place = axis if axis >= 0 else axis - behind
    expected = np.stack([rows(part) for part in parts], axis=place)
    assert same(Overlap.stack(parts, axis=axis), parts[0], expected)


def test_stacked_again(dice_backend: Adapter, kind: str) -> None:
    whole = counts(dice_backend, kind)
    for stacked in (Overlap.stack(list(whole)), Overlap.stack(part for part in whole)):
        assert same(stacked, whole, rows(whole))
    assert same(Overlap.stack(whole), whole, rows(whole))
    single = Overlap.stack([whole[0, 1], whole[1, 2]])
    assert single.shape == (2,)
    assert not single.by_class


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_joined(dice_backend: Adapter, kind: str, axis: int) -> None:
    whole, other = (counts(dice_backend, kind, seed) for seed in (0, 1))
    other = other[:1] if axis == 0 else other[:, 1:]
    expected = np.concatenate([rows(whole), rows(other)], axis=axis % 2)
    assert same(Overlap.concat([whole, other], axis=axis), whole, expected)


def test_hard_and_exact_become_exact(dice_backend: Adapter) -> None:
    if dice_backend.name == "strict-no-float64":
        pytest.skip("the device has no float64")
    masks, soft = counts(dice_backend, "hard", form="minimum"), counts(dice_backend, "exact")
    for parts in ([masks, soft], [soft, masks]):
        for merged in (Overlap.stack(parts), Overlap.concat(parts)):
            assert merged.kind == "exact"
            assert merged.form == "product"
            assert merged.sum().to_dict() == (masks + soft).sum().to_dict()


def test_a_subclass_stays(dice_backend: Adapter, kind: str) -> None:
    base = counts(dice_backend, kind)
    mine = of(Named, base)
    made = [
        Overlap.stack([mine, mine]),
        Overlap.stack([base, mine]),
        Named.stack([base, base]),
        Overlap.concat([base, mine]),
        mine[[1, 0]],
        mine.compute(),
        mine.persist(),
    ]
    assert {type(overlap) for overlap in made} == {Named}
    assert type(Overlap.stack([base, base])) is Overlap


JOINS: dict[str, tuple[Callable[[Overlap], Any], type[Exception], str]] = {
    "none": (
        lambda o: Overlap.stack([]),
        ValueError,
        r"`overlaps` must be one or more to be stacked; got none.+`Overlap.zero\(...\)`",
    ),
    "none to join": (lambda o: Overlap.concat(()), ValueError, "`overlaps` must be one or more"),
    "a number": (
        lambda o: Overlap.stack([o, 0]),
        TypeError,
        "`overlaps` must be Overlaps to be stacked; got int",
    ),
    "no sequence": (lambda o: Overlap.stack(3), TypeError, "`overlaps` must be Overlaps .+ int"),
    "one without axes": (
        lambda o: Overlap.stack(o[0, 0]),
        TypeError,
        "`overlaps` must be several; got an Overlap without axes. Pass a list",
    ),
    "dictionaries": (
        lambda o: Overlap.concat([o.to_dict()]),
        TypeError,
        "`overlaps` must be Overlaps to be joined; got dict",
    ),
    "shapes": (
        lambda o: Overlap.stack([o, o[:1]]),
        ValueError,
        r"overlaps to be stacked must have equal shapes and classes; got \(2, 3\) and \(1, 3\)",
    ),
    "classes": (
        lambda o: Overlap.concat([o, o[:, :2]]),
        ValueError,
        r"overlaps to be joined must have equal shapes but on axis 0 and classes; got \(2, 3\) and "
        r"\(2, 2\)",
    ),
    "axes": (
        lambda o: Overlap.concat([o, o[0]]),
        ValueError,
        "overlaps to be joined must have equal shapes",
    ),
    "no classes": (
        lambda o: Overlap.stack([o[0], o[[0, 1, 0], 0]]),
        ValueError,
        "overlaps to be stacked must have equal shapes and classes.+by class True and False",
    ),
    "beyond": (
        lambda o: Overlap.stack([o], axis=4),
        ValueError,
        r"`axis` must be in \[-3, 3\) for 3 axes; got 4",
    ),
    "behind the classes": (
        lambda o: Overlap.stack([o], axis=2),
        ValueError,
        "`axis` must leave the classes last; got 2 for 3 axes",
    ),
    "behind the classes, from the end": (
        lambda o: Overlap.stack([o], axis=-1),
        ValueError,
        "`axis` must leave the classes last",
    ),
    "no such axis": (
        lambda o: Overlap.concat([o], axis=2),
        ValueError,
        r"`axis` must be in \[-2, 2\) for 2 axes; got 2",
    ),
    "axis by name": (
        lambda o: Overlap.stack([o], axis="case"),
        TypeError,
        "`axis` must be an integer; got str",
    ),
    "no axis": (
        lambda o: Overlap.concat([o[0, 0]]),
        ValueError,
        "overlaps to be joined must have an axis; got counts without one. Use `Overlap.stack`",
    ),
    "form": (
        lambda o: Overlap.stack([soft(o, "squared"), soft(o, "minimum")]),
        ValueError,
        "overlaps to be stacked must have one form; got 'squared' and 'minimum'",
    ),
    "kind": (
        lambda o: Overlap.stack([o, soft(o, "product")]),
        TypeError,
        "overlaps to be stacked must all be plain or all be hard or exact; got hard and plain",
    ),
}


def soft(like: Overlap, form: str) -> Overlap:
    return Overlap.zero((2,), like=like.rows, num_classes=3, kind="plain", form=form)


@pytest.mark.parametrize("name", JOINS)
def test_what_does_not_go_together(dice_backend: Adapter, name: str) -> None:
    call, error, message = JOINS[name]
    with pytest.raises(error, match=message):
        call(counts(dice_backend, "hard"))


def test_two_libraries_do_not_go_together(dice_backend: Adapter) -> None:
    ours, numpys = counts(dice_backend, "hard"), counts(adapter("numpy"), "hard")
    if ours._library is numpys._library:
        pytest.skip("the same library")
    with pytest.raises(TypeError, match="overlaps to be stacked must come from one array library"):
        Overlap.stack([ours, numpys])


# -- integers that pick ----------------------------------------------------------------------------

PICKS: dict[str, Any] = {
    "list": [1, 0, 1],
    "from the end": [-1, -2],
    "nested": [[0, 1], [1, 1], [0, 0]],
    "none": [],
    "array": np.array([1, 1, 0, 1]),
    "bytes": np.array([0, 1], dtype=np.uint8),
    "matrix": np.array([[0, 1, 1], [1, 0, 0]]),
    "classes": (..., [2, 0, 2, 1]),
    "classes of one": (1, [2, -3]),
    "turned round": (slice(None, None, -1), [0, 2]),
    "with a slice": (np.array([1, 0]), slice(2, 0, -1)),
    "beside an integer": ([0, 1, 1], 2),
    "beside an integer of NumPy": ([0, 1, 1], np.int64(2)),
    "after an integer of NumPy": (np.int32(-1), np.array([2, 0])),
}


def own(backend: Adapter, index: Any) -> Any:
    """Return the index with the backend's arrays in it."""
    if isinstance(index, tuple):
        return tuple(own(backend, item) for item in index)
    return backend(index) if isinstance(index, (list, np.ndarray)) and len(index) else index


@pytest.mark.parametrize("name", PICKS)
def test_picked(dice_backend: Adapter, kind: str, name: str) -> None:
    index = PICKS[name]
    whole = counts(dice_backend, kind)
    flat = rows(whole).reshape(6, *rows(whole).shape[2:])
    places = np.arange(6).reshape(2, 3)[index if name != "none" else slice(0, 0)]
    for got in (whole[index], whole[own(dice_backend, index)]):
        assert got.shape == places.shape
        if name != "none":  # empty nested lists have no inner axes
            assert np.array_equal(rows(got), flat[places])
        assert got.by_class == (not name.startswith("beside"))
        assert got.kind == whole.kind


@pytest.mark.dice_feature("averages")
def test_a_bootstrap_in_one_line(dice_backend: Adapter, kind: str) -> None:
    whole = counts(dice_backend, kind)
    draws = np.random.default_rng(7).integers(2, size=(5, 2))
    scores = dice_backend.values(dice_any.dice_score(whole[draws].sum(axis=1)))
    for draw, score in zip(draws, scores, strict=True):
        one = dice_any.dice_score(whole[int(draw[0])] + whole[int(draw[1])])
        assert np.array_equal(score, dice_backend.values(one), equal_nan=True)


def test_places_out_of_range(dice_backend: Adapter, kind: str) -> None:
    """An error where Python may read values; elsewhere only their scores are NaN."""
    whole = counts(dice_backend, kind)
    index = dice_backend(np.array([0, 2, 1, -3]))
    library = dice_backend.library
    if library.at_hand(index) or dice_backend.name == "sparse":
        with pytest.raises(IndexError, match=r"`index` must be in \[-2, 2\) on axis 0; got 2"):
            whole[index]
        return
    got = whole[index]
    assert dice_backend.values(got.invalid)[:, 0].tolist() == [0, 1, 0, 1]
    scores = dice_backend.values(dice_any.jaccard_score(got))
    right = dice_backend.values(dice_any.jaccard_score(whole))
    assert np.isnan(scores[[1, 3]]).all()
    assert np.array_equal(scores[[0, 2]], right, equal_nan=True)
