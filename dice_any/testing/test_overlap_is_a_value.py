"""`Overlap` is a value: compared by its bits, kept in its class, stored and indexed without
surprises.
"""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any import Overlap

from .adapters import Adapter, adapter
from .overlaps import KINDS, Named, can_compare, counts, of, stored


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, dice_backend: Adapter) -> str:
    return request.param


# -- equality --------------------------------------------------------------------------------------


@pytest.mark.dice_feature("averages")
def test_equal_sums_are_equal(dice_backend: Adapter, kind: str) -> None:
    a, b, other = (
        counts(dice_backend, kind),
        counts(dice_backend, kind),
        counts(dice_backend, kind, 1),
    )
    if not can_compare(dice_backend):
        with pytest.raises(
            ValueError, match="`overlap` must hold values to be compared; got lazy or traced sums"
        ):
            _ = a == b
        a, b, other = (stored(adapter("numpy"), o.to_dict()) for o in (a, b, other))
    assert a == b
    assert a == a
    assert (a != b) is False
    assert a != other
    assert other + a == a + other
    assert a[0] == b[0]
    assert a[0] != a[1]
    assert a.sum() == b[0] + b[1] or kind == "plain"
    assert [a, other].index(b) == 0
    assert (a == other) == (a.to_dict() == other.to_dict())


@pytest.mark.dice_feature("averages")
def test_what_is_not_equal(dice_backend: Adapter, kind: str) -> None:
    a = counts(dice_backend, kind)
    data = a.to_dict()
    assert a != a[0]
    assert a != a.select_classes([0, 1])
    assert a != stored(dice_backend, data | {"form": "minimum"})
    assert a != stored(dice_backend, data | {"by_class": False})
    others = [counts(dice_backend, other) for other in KINDS if other != kind]
    assert all(a != other for other in others if other.kind != a.kind)
    assert a != data
    assert a != 0
    assert a is not None
    assert a != "overlap"
    assert (a == 1) is False


def test_bits_of_plain_sums(dice_backend: Adapter) -> None:
    """NaN equals NaN, so that a stored overlap equals the read one; −0 and 0 are different."""

    def plain(*numbers: float) -> Overlap:
        sums = [[float.hex(number)] * 3 for number in (*numbers, 4.0, 0.0)]
        return stored(
            dice_backend, {"kind": "plain", "form": "product", "by_class": True, "sums": sums}
        )

    if not can_compare(dice_backend):
        pytest.skip("lazy")
    assert plain(1.0, math.nan, 2.0) == plain(1.0, math.nan, 2.0)
    assert plain(1.0, math.inf, 2.0) == plain(1.0, math.inf, 2.0)
    assert plain(1.0, math.nan, 2.0) != plain(1.0, math.inf, 2.0)
    assert plain(1.0, 0.0, 2.0) != plain(1.0, -0.0, 2.0)
    assert plain(1.0, 1.0, 2.0) != plain(1.0, 1.0 + 2.0**-20, 2.0)


@pytest.mark.dice_feature("exact")
def test_exact_sums_are_compared_after_carrying(dice_backend: Adapter) -> None:
    if not can_compare(dice_backend):
        pytest.skip("lazy")
    carried = counts(dice_backend, "exact")
    leaves, context = carried.tree_flatten()
    with dice_backend.library.precision():
        # as a sum of leaves leaves it: 2³¹ of the middle limb for one whole
        more = dice_backend.library.constant([-1, 2**31 - 1, 2**31], leaves[0].dtype, leaves[0])
        raw = Overlap.tree_unflatten(context, [leaves[0] + more])
    assert raw == carried
    assert carried == raw


def test_other_libraries_are_not_equal(dice_backend: Adapter) -> None:
    ours, numpys = counts(dice_backend, "hard"), counts(adapter("numpy"), "hard")
    if ours._library is not numpys._library:
        assert ours != numpys


@pytest.mark.parametrize("make", [hash, lambda o: {o}, lambda o: {o: 1}])
def test_it_has_no_hash(dice_backend: Adapter, make: Callable[[Overlap], Any]) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        make(counts(dice_backend, "hard"))


@pytest.mark.parametrize(
    "test", [bool, lambda o: not o, lambda o: o or None, lambda o: 1 if o else 0]
)
def test_it_is_neither_true_nor_false(
    dice_backend: Adapter, kind: str, test: Callable[[Overlap], Any]
) -> None:
    whole = counts(dice_backend, kind)
    for overlap in (whole, whole[0], whole[0, 0], Overlap.zero(like=whole)):
        with pytest.raises(
            TypeError,
            match=r"`overlap` must not stand for true or false; got .+`overlap.total > 0`",
        ):
            test(overlap)


# -- subclasses ------------------------------------------------------------------------------------


@pytest.mark.dice_feature("averages")
def test_a_subclass_stays(dice_backend: Adapter, kind: str) -> None:
    plain_one = counts(dice_backend, kind)
    mine = of(Named, plain_one)
    leaves, context = mine.tree_flatten()
    like = dice_backend(np.zeros(1, dtype=np.float32))
    made = {
        "a + b": mine + mine,
        "a + base": mine + plain_one,
        "base + a": plain_one + mine,
        "hard + a": Overlap.zero((2,), num_classes=3, like=like) + mine
        if mine.kind != "plain"
        else mine,
        "sum()": sum([mine, mine]),
        "sum() of others": sum([plain_one, mine]),
        ".sum": mine.sum(),
        ".sum(axis)": mine.sum(axis=-1),
        "index": mine[0],
        "slice": mine[0:1],
        "iteration": next(iter(mine)),
        "classes": mine.select_classes("foreground"),
        "copy": copy.copy(mine),
        "deep copy": copy.deepcopy(mine),
        "pytree": Named.tree_unflatten(context, leaves),
        "zero": Named.zero((2,), num_classes=3),
        "zero like": Named.zero(like=mine),
        "zero like base": Named.zero(like=plain_one),
        "dictionary": Named.from_dict(plain_one.to_dict(), like=like),
    }
    for name, overlap in made.items():
        assert type(overlap) is Named, name
        assert overlap.best() == "mine"
    assert type(Overlap.zero(like=mine)) is Overlap
    assert type(plain_one + plain_one) is Overlap
    assert (mine + plain_one).to_dict() == (plain_one + plain_one).to_dict()
    assert dice_backend.bits(dice_any.dice_score(mine)) == dice_backend.bits(
        dice_any.dice_score(plain_one)
    )


def test_a_subclass_stays_in_pickles(dice_backend: Adapter, kind: str) -> None:
    if dice_backend.name in ("ndonnx", "cubed"):
        pytest.skip("its arrays have no pickle")
    mine = of(Named, counts(dice_backend, kind))
    again = pickle.loads(pickle.dumps(mine))
    assert type(again) is Named
    assert type(again.target) is type(mine.target)  # of the same library
    assert again.to_dict() == mine.to_dict()


# -- folding and indexing --------------------------------------------------------------------------


AXES = {
    "twice": ((0, 0), ValueError, r"`axis` must name each axis once; got \(0, 0\)"),
    "twice from the end": ((0, -2), ValueError, "`axis` must name each axis once"),
    "beyond": (2, ValueError, r"`axis` must be in \[-2, 2\) for 2 axes; got 2"),
    "far beyond": (2**70, ValueError, "`axis` must be in"),
    "fraction": (0.5, TypeError, "`axis` must be an integer or a tuple of integers; got 0.5"),
    "boolean": (True, TypeError, "`axis` must be an integer or a tuple of integers; got True"),
    "name": ("space", TypeError, "`axis` must be an integer or a tuple of integers; got 'space'"),
    "set": ({0}, TypeError, "`axis` must be an integer or a tuple of integers; got set"),
    "bytes": (b"\x00", TypeError, "`axis` must be an integer or a tuple of integers; got bytes"),
    "array": (np.array([0, 1]), TypeError, "`axis` must be an integer .+; got numpy.ndarray"),
    "fractions": (
        (0, 1.0),
        TypeError,
        r"`axis` must be an integer or a tuple of integers; got \(0, 1.0\)",
    ),
}


@pytest.mark.parametrize("name", AXES)
def test_axes_that_cannot_be_folded(dice_backend: Adapter, name: str) -> None:
    axis, error, message = AXES[name]
    with pytest.raises(error, match=message):
        counts(dice_backend, "hard").sum(axis)


def test_axes_of_all_kinds(dice_backend: Adapter, kind: str) -> None:
    whole = counts(dice_backend, kind)
    for axis in (0, np.int64(0), -2, (0,), [0], range(1), (np.int32(-2),)):
        assert whole.sum(axis).to_dict() == whole.sum().to_dict()
    assert whole.sum(()).to_dict() == whole.to_dict()
    assert whole.sum((1, 0)).shape == whole.sum([-1, -2]).shape == ()


INDICES = {
    "beyond": (2, IndexError, r"`index` must be in \[-2, 2\) on axis 0; got 2"),
    "before": (-3, IndexError, r"`index` must be in \[-2, 2\) on axis 0; got -3"),
    "beyond the classes": ((..., 3), IndexError, r"`index` must be in \[-3, 3\) on axis 1; got 3"),
    "far": (2**70, IndexError, "`index` must be in"),
    "too many": ((0, 0, 0), IndexError, "`index` must name at most 2 axes"),
    "no step": (slice(0, 2, 0), ValueError, "`index` must step by a number other than 0; got 0"),
    "two dots": ((..., ...), IndexError, "`index` must name at most 2 axes, with one `...`"),
    "fraction": (0.5, TypeError, "`index` must hold integers, slices, .+; got float. To choose"),
    "boolean": (True, TypeError, "`index` must hold .+; got bool"),
    "new axis": (None, TypeError, "`index` must hold .+; got NoneType"),
    "name": ("tumour", TypeError, "`index` must hold .+; got str"),
    "fractions": ([0, 1.0], TypeError, "`index` must hold .+; got a list with float in it"),
    "a list of booleans": ([True, False], TypeError, "`index` must hold .+; got a list with bool"),
    "names": (["tumour"], TypeError, "`index` must hold .+; got a list with str in it"),
    "ragged": ([[0, 1], [0]], ValueError, "`index` must hold lists of one length on each level"),
    "mixed depth": ([0, [0]], ValueError, "`index` must hold lists of one length on each level"),
    "beyond in a list": ([0, 2], IndexError, r"`index` must be in \[-2, 2\) on axis 0; got 2"),
    "before in an array": (
        (..., np.array([0, -4])),
        IndexError,
        r"`index` must be in \[-3, 3\) on axis 1; got -4",
    ),
    "two arrays": (([0], [0]), TypeError, "`index` must hold .+; got several. Index twice"),
    "mask": (
        np.array([True, False]),
        TypeError,
        r"`index` must hold .+; got one of bool. .+ `numpy.flatnonzero\(index\)`",
    ),
    "array of fractions": (np.array([0.0]), TypeError, "`index` must hold .+; got one of float64"),
    "fraction without axes": (np.array(0.0), TypeError, "`index` must hold .+; got one of float64"),
    "far without axes": (np.array(2), IndexError, r"`index` must be in \[-2, 2\) on axis 0; got 2"),
    "masked": (np.ma.array([0, 1]), TypeError, "`index` must be a plain array; got numpy.Masked"),
    "many axes of classes": (
        (..., [[0, 1], [1, 2]]),
        ValueError,
        "`index` must leave one axis of classes; got an array of 2 axes for it",
    ),
    "slice of names": (slice("a", "b"), TypeError, "`index` must hold .+; got slice"),
    "slice of fractions": (slice(0.0, 1.0), TypeError, "`index` must hold .+; got slice"),
}


@pytest.mark.parametrize("name", INDICES)
def test_what_is_no_index(dice_backend: Adapter, name: str) -> None:
    index, error, message = INDICES[name]
    with pytest.raises(error, match=message):
        counts(dice_backend, "hard")[index]


@pytest.mark.dice_feature("averages")
@pytest.mark.parametrize("own", [True, False])
def test_an_array_without_axes_indexes_as_its_number(
    dice_backend: Adapter, kind: str, own: bool
) -> None:
    """Such as the worst case of many, ``overlap[scores.argmin()]``, also where it is lazy."""
    whole = counts(dice_backend, kind)
    for number in (0, 1, -1):
        place = dice_backend(np.array(number)) if own else np.array(number)
        for index in (
            lambda i: i,
            lambda i: (i, slice(None, None, -1)),
            lambda i: (..., i),
            lambda i: (0, i),
            lambda i: (i, 1),
            lambda i: (slice(None, 1), i),
        ):
            got, right = whole[index(place)], whole[index(number)]
            assert (got.shape, got.by_class) == (right.shape, right.by_class)
            assert got.to_dict() == right.to_dict()


@pytest.mark.dice_feature("averages")
def test_indices_mean_what_they_do_for_arrays(dice_backend: Adapter, kind: str) -> None:
    whole = counts(dice_backend, kind)
    target = dice_backend.values(whole.target)
    indices = [
        0,
        -1,
        np.int64(1),
        slice(None, None, -1),
        slice(1, None, -1),
        (slice(None), slice(2, 0, -1)),
    ]
    indices += [(slice(None, None, 2), 1), (..., slice(None, None, -2)), (1, slice(0, 2)), ...]
    for index in indices:
        got = whole[index]
        assert dice_backend.values(got.target).tolist() == target[index].tolist()
        assert got.shape == target[index].shape
