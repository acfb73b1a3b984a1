"""Overlaps of counts and of confusion matrices that were made elsewhere."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any import Overlap

from .adapters import Adapter
from .advice import Modules
from .overlaps import Named, rows
from .test_odd_arguments import odd_values

pytestmark = pytest.mark.dice_feature("values")

#: tp, fp, fn and tn of two cases and three classes
COUNTS = np.array(
    [
        [[3, 0, 7], [1, 2, 0]],
        [[1, 4, 0], [0, 5, 2]],
        [[2, 0, 1], [6, 0, 3]],
        [[4, 6, 2], [3, 3, 5]],
    ]
)
NAMES = ("tp", "fp", "fn", "tn")


def of_counts(backend: Adapter, values: np.ndarray, **options: Any) -> Overlap:
    arrays = {name: backend(part) for name, part in zip(NAMES, values, strict=False)}
    return Overlap.from_counts(**arrays, **options)


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
@pytest.mark.parametrize("by_class", [False, True])
def test_counts_are_what_was_given(dice_backend: Adapter, dtype: str, by_class: bool) -> None:
    got = of_counts(dice_backend, COUNTS.astype(dtype), by_class=by_class)
    assert (got.kind, got.form, got.by_class, got.shape) == ("hard", "product", by_class, (2, 3))
    for name, expected in zip(NAMES, COUNTS, strict=True):
        assert dice_backend.values(getattr(got, name)).tolist() == expected.tolist()
    assert dice_backend.values(got.total).tolist() == COUNTS.sum(axis=0).tolist()
    assert not dice_backend.values(got.invalid).any()


def test_small_integers_do_not_wrap(dice_backend: Adapter) -> None:
    """200 and 100 are more than a byte holds."""
    values = np.array([[200, 0], [100, 255], [100, 1]], dtype=np.uint8)
    got = of_counts(dice_backend, values)
    assert dice_backend.values(got.prediction).tolist() == [300, 255]
    assert dice_backend.values(got.total).tolist() == [400, 256]


def test_without_true_negatives_there_are_none(dice_backend: Adapter) -> None:
    got = of_counts(dice_backend, COUNTS[:3], by_class=True)
    assert dice_backend.values(got.tn).tolist() == np.zeros((2, 3)).tolist()
    assert dice_backend.values(got.total).tolist() == COUNTS[:3].sum(axis=0).tolist()


def test_what_was_counted_here_comes_back(dice_backend: Adapter) -> None:
    x, y = (dice_backend(np.array(v)) for v in ([[0, 1, 2, 2], [1, 1, 0, 0]], [[0, 2, 2, 1]] * 2))
    counted = dice_any.overlap(x, y, num_classes=3, axis=1, **dice_backend.options)
    if dice_backend.name == "sparse":  # its counts are NumPy's arrays
        dice_backend = dice_backend.__class__("numpy", counted._library, np.asarray)
    parts = {name: dice_backend(dice_backend.values(getattr(counted, name))) for name in NAMES}
    again = Overlap.from_counts(**parts, by_class=True)
    assert again.to_dict() == counted.to_dict()
    assert type(Named.from_counts(**parts)) is Named


def test_numbers() -> None:
    got = Overlap.from_counts(tp=3, fp=np.int64(1), fn=2, tn=0)
    assert got.to_dict()["sums"] == [3, 4, 5, 6, 0]
    assert dice_any.recall_score(got) == 0.6
    assert Overlap.from_counts(tp=2**62, fp=0, fn=0).to_dict()["sums"][3] == 2**62


ones = np.ones(2, dtype=np.int64)
NUMBERS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "negative": ({"fp": -1}, ValueError, r"`fp` must be from 0 to 2\*\*62; got -1"),
    "large": ({"tn": 2**63}, ValueError, r"`tn` must be from 0 to 2\*\*62"),
    "too many": (
        {"tp": 2**62, "tn": 1},
        ValueError,
        r"`tp`, `fp`, `fn`, `tn` must not be negative, and add up to at most 2\*\*62; got others",
    ),
    "fraction": ({"fn": 0.5}, TypeError, "`fn` must be an integer; got float"),
    "boolean": ({"fn": True}, TypeError, "`fn` must be an integer; got bool"),
    "list": ({"tp": [1, 2]}, TypeError, "`tp` must be an array of a library"),
    "text": ({"tp": "3"}, TypeError, "`tp` must be an array of a library"),
    "mixed": ({"tp": ones}, TypeError, "`fp` must be an array, as `tp` is one; got int"),
    "mixed fraction": ({"tp": ones, "fn": 0.5, "fp": ones}, TypeError, "`fn` must be an integer"),
    "by class": (
        {"by_class": True},
        ValueError,
        "`by_class` must be False of counts without axes; got True",
    ),
    "by class by name": ({"by_class": "yes"}, TypeError, "`by_class` must be True or False; got s"),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_are_no_counts(name: str) -> None:
    change, error, message = NUMBERS[name]
    with pytest.raises(error, match=message):
        Overlap.from_counts(**({"tp": 1, "fp": 1, "fn": 1} | change))


def test_arrays_that_are_no_counts(dice_backend: Adapter) -> None:
    two, three = (dice_backend(np.ones(n, dtype=np.int64)) for n in (2, 3))
    with pytest.raises(ValueError, match=r"`fn` must have the shape of `tp`, \(2,\); got \(3,\)"):
        Overlap.from_counts(tp=two, fp=two, fn=three)
    soft = dice_backend(np.ones(2, dtype=np.float32))
    with pytest.raises(
        TypeError, match="`fp` must hold integers; got float32. Convert whole numbers: .*round"
    ):
        Overlap.from_counts(tp=two, fp=soft, fn=two)
    mask = dice_backend(np.ones(2, dtype=bool))
    with pytest.raises(TypeError, match=r"`tp` must hold integers; got bool\. Pass `.+`\.$"):
        Overlap.from_counts(tp=mask, fp=two, fn=two)
    if dice_backend.library.name != "numpy":
        with pytest.raises(TypeError, match="`fn` must come from the same array library as `tp`"):
            Overlap.from_counts(tp=two, fp=two, fn=ones)


@pytest.mark.parametrize("place", range(4))
def test_a_number_beside_arrays(dice_backend: Adapter, place: int) -> None:
    """What the message says makes an array of it; so it does of an array without axes."""
    arrays = [dice_backend(part[0]) for part in COUNTS]
    for number in (5, np.int64(5), dice_backend(np.array(5))):
        given: Any = dict(zip(NAMES, arrays, strict=True)) | {NAMES[place]: number}
        with pytest.raises((TypeError, ValueError), match="; got ") as caught:
            Overlap.from_counts(**given)
        name, *_, code = re.findall("`([^`]*)`", str(caught.value))
        assert name == NAMES[place]
        given[name] = eval(code, Modules(given))
        got = dice_backend.values(getattr(Overlap.from_counts(**given), name))
        assert got.tolist() == [5, 5, 5]


def test_by_class_is_a_flag(dice_backend: Adapter) -> None:
    two = dice_backend(np.ones(2, dtype=np.int64))
    stored = of_counts(dice_backend, COUNTS).to_dict()
    flags = {"True": True, "False": False, "numpy.True_": True, "numpy.False_": False}
    for odd, value in odd_values(dice_backend).items():
        for make in (
            partial(Overlap.from_counts, tp=two, fp=two, fn=two, by_class=value),
            partial(Overlap.from_dict, stored | {"by_class": value}),
        ):
            if odd in flags:
                assert make().by_class is flags[odd]
                continue
            with pytest.raises(TypeError, match="`by_class` must be True or False; got"):
                make()


BAD = {
    "negative": [[1, 1], [-1, 0], [1, 0]],
    "negative in all": [[1, 1], [1, 0], [-3, 0]],
    "wraps": [[2**62, 1], [2**62, 0], [2**62, 0]],
    "wraps to a small number": [[2**62, 1], [2**62, 0], [2**62, 0], [2**62, 0]],
}


@pytest.mark.parametrize("name", BAD)
def test_impossible_counts(dice_backend: Adapter, name: str) -> None:
    """An error where Python may read values; elsewhere only their scores are NaN."""
    arrays = {n: dice_backend(np.array(v)) for n, v in zip(NAMES, BAD[name], strict=False)}
    if looks(dice_backend, arrays["tp"]):
        with pytest.raises(ValueError, match=r"must not be negative, and add up to at most 2\*\*6"):
            Overlap.from_counts(**arrays)
        return
    got = Overlap.from_counts(**arrays)
    scores = dice_backend.values(dice_any.dice_score(got))
    assert np.isnan(scores[0])
    assert scores[1] == 1


def looks(backend: Adapter, array: Any) -> bool:
    """Return whether Python may read values: the sums of sparse arrays are NumPy's."""
    return backend.library.at_hand(array) or backend.name == "sparse"


# -- confusion matrices ----------------------------------------------------------------------------

MATRICES = np.array([[[5, 1, 0], [0, 2, 2], [4, 0, 3]], [[0, 0, 1], [7, 0, 0], [2, 6, 9]]])


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
@pytest.mark.parametrize("single", [False, True])
def test_matrices(dice_backend: Adapter, dtype: str, single: bool) -> None:
    matrix = MATRICES[0] if single else MATRICES
    got = Overlap.from_confusion_matrix(dice_backend(matrix.astype(dtype)))
    assert (got.kind, got.by_class, got.shape) == ("hard", True, matrix.shape[:-1])
    for one, counted in zip(MATRICES, [got] if single else got, strict=False):
        for c in range(3):
            tp, fn = int(one[c, c]), sum(int(one[c, k]) for k in range(3) if k != c)
            fp = sum(int(one[k, c]) for k in range(3) if k != c)
            found = [int(dice_backend.values(getattr(counted, name))[c]) for name in NAMES]
            assert found == [tp, fp, fn, int(one.sum()) - tp - fp - fn]


def test_the_matrix_that_is_counted_here(dice_backend: Adapter) -> None:
    x, y = (dice_backend(np.array(v)) for v in ([0, 1, 2, 2, 1, 1, 0, 0], [0, 2, 2, 1, 1, 0, 0, 2]))
    options = {"num_classes": 3, **dice_backend.options}
    with dice_backend.library.precision():
        matrix = dice_any.confusion_matrix(x, y, **options)
    got = Overlap.from_confusion_matrix(matrix)
    assert got.to_dict() == dice_any.overlap(x, y, **options).to_dict()
    assert np.array_equal(rows(got), rows(dice_any.overlap(x, y, **options)))


def test_many_in_a_matrix(dice_backend: Adapter) -> None:
    most = np.array([[2**61, 0], [2**60, 2**60]])
    got = Overlap.from_confusion_matrix(dice_backend(most))
    assert got.to_dict()["sums"][3] == [2**62] * 2
    odd = Overlap.from_counts(**{n: dice_backend(np.array([2**60 + 1] * 2)) for n in NAMES[:3]})
    assert odd.sum().to_dict()["sums"][0] == 2**61 + 2  # no float64 has all of these digits
    for bad in ([[2**61, 0], [2**60, 2**60 + 1]], [[2**62] * 2] * 2, [[3, -1], [1, 1]]):
        matrix = dice_backend(np.array(bad))
        if looks(dice_backend, matrix):
            with pytest.raises(ValueError, match="`matrix` must not be negative, and add up to at"):
                Overlap.from_confusion_matrix(matrix)
        else:
            scores = dice_any.dice_score(Overlap.from_confusion_matrix(matrix))
            assert np.isnan(dice_backend.values(scores)).all()


SHAPES: dict[str, tuple[Any, type[Exception], str]] = {
    "not square": (
        np.ones((2, 3), dtype=int),
        ValueError,
        r"`matrix` must have a row and a column for each class, .+; got shape \(2, 3\)",
    ),
    "a row": (np.ones(3, dtype=int), ValueError, r"`matrix` must have a row .+ got shape \(3,\)"),
    "fractions": (np.ones((2, 2), dtype=np.float32), TypeError, "`matrix` must hold integers; got"),
    "booleans": (np.ones((2, 2), dtype=bool), TypeError, "`matrix` must hold integers; got bool"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_no_confusion_matrix(dice_backend: Adapter, name: str) -> None:
    values, error, message = SHAPES[name]
    with pytest.raises(error, match=message):
        Overlap.from_confusion_matrix(dice_backend(values))


def test_a_matrix_of_floats(dice_backend: Adapter) -> None:
    """Whole numbers can be converted; of others, integers would be wrong."""
    for values, whole in (
        ([[5, 1], [0, 2]], True),
        ([[0.75, 0.25], [0.5, 0.5]], False),
        ([[2.0**40, 1], [0, 2]], True),
        ([[np.nan, 1], [0, 2]], False),
        ([[np.inf, 1], [0, 2]], False),
    ):
        matrix = dice_backend(np.array(values, dtype=np.float32))
        with pytest.raises(TypeError, match="`matrix` must hold integers; got float32") as caught:
            Overlap.from_confusion_matrix(matrix)
        cure = str(caught.value).partition(". ")[2]
        seen = dice_backend.library.at_hand(matrix)
        assert ("before a division" in cure) == (not whole or not seen)
        assert ("Convert whole numbers" in cure) == (whole or not seen)
        if whole and max(map(max, values)) < 2**31:  # JAX has no more without x64
            code = re.findall("`([^`]*)`", cure)[0]
            got = Overlap.from_confusion_matrix(eval(code, Modules({"matrix": matrix})))
            assert got.to_dict()["sums"][0] == [values[0][0], values[1][1]]


@pytest.mark.dice_feature("weight")
def test_the_matrix_of_floating_weights(dice_backend: Adapter) -> None:
    x, y = (dice_backend(np.array(v)) for v in ([0, 1, 1], [0, 1, 0]))
    weight = dice_backend(np.array([0.5, 0.25, 2.5], dtype=np.float32))
    with dice_backend.library.precision():
        matrix = dice_any.confusion_matrix(x, y, num_classes=2, weight=weight)
    with pytest.raises(TypeError, match="floating weights come from `overlap`|of others pass"):
        Overlap.from_confusion_matrix(matrix)


@pytest.mark.parametrize("matrix", [[[1, 0], [0, 1]], 3, None])
def test_matrices_are_arrays(matrix: Any) -> None:
    with pytest.raises(TypeError, match="`matrix` must be an array of a library"):
        Overlap.from_confusion_matrix(matrix)
    with pytest.raises(ValueError, match=r"`matrix` must have a row .+ got shape \(0, 0\)"):
        Overlap.from_confusion_matrix(np.ones((0, 0), dtype=int))
