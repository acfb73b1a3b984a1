"""Weights, labels and other arguments of scikit-learn's convention: what is taken and refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import metrics

import dice_any
from dice_any.interfaces.sklearn import metric, scorer

# -- weights -------------------------------------------------------------------------------------

INDICATORS = np.array([[1, 0], [1, 1]]), np.array([[1, 0], [0, 1]])
AVERAGES = ["binary", None, "macro", "micro", "weighted", "samples"]
NO_WEIGHTS: dict[str, tuple[Any, type[Exception], str]] = {
    "negative": ([3, -1], ValueError, "non-negative and below 2**31; got other values at 1 sampl"),
    "NaN": ([np.nan, 1], ValueError, "non-negative and below 2**31; got other values at 1 sampl"),
    "infinite": ([1, np.inf], ValueError, "non-negative and below 2**31"),
    "huge": ([1, 2.0**31], ValueError, "non-negative and below 2**31"),
    "nothing but 0": ([0, 0], ValueError, "hold a number that is not 0; got none. Leave it out"),
    "too long": ([1, 2, 3], ValueError, "hold one number for each of 2 samples; got shape (3,)"),
    "in columns": ([[1, 2], [3, 4]], ValueError, "each of 2 samples; got shape (2, 2). Pass a"),
    "ragged": ([[1], [1, 2]], TypeError, "hold one number for each of 2 samples; got list"),
    "a number": (3, TypeError, "hold one number for each of 2 samples; got int. Pass a list"),
    "a string": ("ab", TypeError, "hold one number for each of 2 samples; got str"),
    "a set": ({1, 2}, TypeError, "hold one number for each of 2 samples; got set"),
    "strings": (["1", "2"], TypeError, "be boolean, integer or floating; got <U1. Pass numbers"),
    "bytes": ([b"1", b"2"], TypeError, "be boolean, integer or floating; got |S1"),
    "dates": (np.array(["2026", "2027"], "M8[D]"), TypeError, "floating; got datetime64[D]"),
    "times": (np.array([1, 2], "m8[s]"), TypeError, "floating; got timedelta64[s]"),
    "complex": ([1, 2j], TypeError, "floating; got complex128"),
    "fields": (np.zeros(2, [("a", int)]), TypeError, "floating; got [('a', '<i8')]"),
    "objects": ([Fraction(1, 2), 1], TypeError, "Pass `numpy.asarray(sample_weight, dtype=float)`"),
    "masked": (np.ma.array([1, 2], mask=[0, 1]), TypeError, "be a plain array; got numpy.Masked"),
}


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("name", NO_WEIGHTS)
def test_weights_that_are_refused(name: str, average: Any) -> None:
    """With every average in the same words."""
    weight, error, message = NO_WEIGHTS[name]
    arrays = ([0, 1], [1, 1]) if average == "binary" else INDICATORS
    for score in (dice_any.dice_score, dice_any.recall_score):
        with pytest.raises(error) as caught:
            metric(score, average=average)(*arrays, sample_weight=weight)
        assert str(caught.value).startswith("`sample_weight` must ")
        assert message in str(caught.value)


@pytest.mark.parametrize("average", AVERAGES)
def test_weights_of_every_kind(average: Any) -> None:
    pandas = pytest.importorskip("pandas")
    arrays: Any = ([0, 1, 1], [1, 1, 0])
    if average != "binary":
        arrays = np.eye(3, dtype=int), np.array([[1, 0, 0], [0, 0, 1], [1, 0, 1]])
    plain = [3.0, 1.0, 2.0]
    expected = metrics.f1_score(*arrays, average=average, sample_weight=plain, zero_division=0)
    for weight in (
        plain,
        (3, 1, 2),
        np.array(plain, "float16"),
        np.array(plain, "float32"),
        np.array(plain, "longdouble"),
        np.array(plain, "uint8"),
        np.array(plain)[:, None],
        pandas.Series(plain),
        pandas.array([3, 1, 2], dtype="Int64"),
        np.asarray([Fraction(3), 1, 2], dtype=float),
    ):
        got = metric(dice_any.dice_score, average=average)(*arrays, sample_weight=weight)
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_the_mean_over_samples_is_in_float64() -> None:
    """A hundred weights of 1000 add up to more than float16 holds."""
    rng = np.random.default_rng(3)
    true, predicted = rng.integers(0, 2, (2, 100, 3))
    for dtype in ("float16", "uint8", "float32"):
        weight = (200 + np.arange(100) % 50).astype(dtype)
        got = metric(dice_any.dice_score, average="samples")(true, predicted, sample_weight=weight)
        wide = weight.astype(float)
        expected = metrics.f1_score(
            true, predicted, average="samples", sample_weight=wide, zero_division=0
        )
        assert got == pytest.approx(expected, rel=1e-12)


# -- labels ----------------------------------------------------------------------------------------

NO_LABELS: dict[str, tuple[Any, type[Exception], str]] = {
    "a string": ("dog", TypeError, "be a sequence of labels; got str. Pass a list, for one label"),
    "bytes": (b"dog", TypeError, "be a sequence of labels; got bytes"),
    "a number": (1, TypeError, "be a sequence of labels; got int"),
    "an array of none": (np.array(1), TypeError, "be a sequence of labels; got numpy.ndarray"),
    "a set": ({0, 1}, TypeError, "be a sequence of labels; got set"),
    "a mapping": ({0: "no", 1: "yes"}, TypeError, "be a sequence of labels; got dict"),
    "an iterator": (iter([0, 1]), TypeError, "be a sequence of labels; got list_iterator"),
    "none": ([], ValueError, "hold one label or more; got none. Leave it out for all"),
    "a matrix": ([[0, 1]], TypeError, "hold strings, Booleans or whole numbers; got others"),
    "a column": (np.array([[0], [1]]), TypeError, "hold strings, Booleans or whole numbers"),
    "None": ([None], TypeError, "hold strings, Booleans or whole numbers; got others"),
    "NaN": ([np.nan], TypeError, "hold strings, Booleans or whole numbers; got others"),
    "a half": ([0.5], TypeError, "hold strings, Booleans or whole numbers; got others"),
    "complex": ([1j], TypeError, "hold strings, Booleans or whole numbers; got others"),
    "masked": (np.ma.array([0, 1], mask=[0, 1]), TypeError, "be a plain array; got numpy.Masked"),
}


@pytest.mark.parametrize("average", AVERAGES[1:])
@pytest.mark.parametrize("name", NO_LABELS)
def test_labels_that_are_refused_when_it_is_made(name: str, average: Any) -> None:
    labels, error, message = NO_LABELS[name]
    for make in (metric, scorer):
        with pytest.raises(error) as caught:
            make(dice_any.dice_score, average=average, labels=labels)
        assert str(caught.value).startswith("`labels` must ")
        assert message in str(caught.value)


@pytest.mark.parametrize("average", AVERAGES[1:])
@pytest.mark.parametrize(
    "labels", [[-1], [2], [0, 5], [True, False], np.array([True, False]), ["0"], [0, 10**30]]
)
def test_labels_that_are_no_columns(labels: Any, average: Any) -> None:
    """Negative ones are no columns from the end, and Booleans no mask."""
    with pytest.raises(ValueError) as caught:
        metric(dice_any.dice_score, average=average, labels=labels)(*INDICATORS)
    assert "`labels` must be numbers of columns, 0 to 1, for indicator" in str(caught.value)
    assert "Count from 0; for a mask of columns pass `numpy.flatnonzero(mask)`" in str(caught.value)


@pytest.mark.parametrize("average", AVERAGES[1:])
def test_labels_of_every_kind(average: Any) -> None:
    pandas = pytest.importorskip("pandas")
    maps = ([0, 1, 2, 2, 1], [0, 2, 2, 1, 1])
    for arrays in (maps, INDICATORS) if average != "samples" else (INDICATORS,):
        expected = metrics.f1_score(*arrays, average=average, labels=[1, 0], zero_division=0)
        for labels in (
            [1, 0],
            (1, 0),
            range(1, -1, -1),
            [1.0, 0.0],
            np.array([1, 0]),
            np.array([1, 0], "float32"),
            [np.int8(1), np.uint64(0)],
            pandas.Series([1, 0]),
            pandas.Index([1, 0]),
        ):
            got = metric(dice_any.dice_score, average=average, labels=labels)(*arrays)
            np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("labels", "arrays", "message"),
    [
        (["1"], ([1, 2], [1, 2]), "`labels` must be numbers, as the labels of `y_true` and `y_pre"),
        ([1], (["1", "2"], ["1", "2"]), "`labels` must be strings, as the labels of `y_true` and"),
        (["1", 2], ([1, 2], [1, 2]), "got strings. Write them as they are there."),
        (["no"], ([True, False], [True, True]), "`labels` must be numbers"),
    ],
)
def test_labels_that_cannot_occur(labels: Any, arrays: tuple[Any, Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        metric(dice_any.dice_score, average="macro", labels=labels)(*arrays)
    assert message in str(caught.value)


@pytest.mark.parametrize("labels", [[0], ["dog"], None])
def test_there_are_no_samples(labels: Any) -> None:
    with pytest.raises(ValueError, match="must have at least one element|minimum of 1 is required"):
        metric(dice_any.dice_score, average="macro", labels=labels)([], [])


@pytest.mark.parametrize("label", [[1], np.array([0, 1]), np.nan, 0.5, 1j, b"a", ("a",)])
def test_no_label_to_find(label: Any) -> None:
    with pytest.raises(TypeError, match="`pos_label` must be a string, a Boolean or a whole numbe"):
        metric(dice_any.dice_score, pos_label=label)


# -- arguments of other names, and masked arrays ---------------------------------------------------


@pytest.mark.parametrize("average", AVERAGES)
def test_regions_are_refused_and_their_cure_is_right(average: Any) -> None:
    """Their labels would be positions among those that occur."""
    true, predicted = ["wall", "pool", "pool", "rest"], ["wall", "pool", "rest", "rest"]
    with pytest.raises(
        TypeError, match="`regions` must be left out here; got one. Score each"
    ) as e:
        metric(dice_any.dice_score, average=average, regions=[("wall",), ("pool", "rest")])
    codes = [code for code in str(e.value).split("`") if code.startswith("numpy.isin")]
    for group, expected in (
        (["wall"], 1),
        (["pool"], Fraction(2, 3)),
        (["pool", "wall"], Fraction(4, 5)),
    ):
        scope = {"numpy": np, "y_true": true, "y_pred": predicted, "group": group}
        got = metric(dice_any.dice_score)(*(eval(code, scope) for code in codes))
        assert got == pytest.approx(float(expected), rel=1e-15)


@pytest.mark.parametrize(
    ("word", "cure"),
    [
        (
            "ignore_index",
            "Leave it out of `labels=`, or give these samples a `sample_weight` of 0.",
        ),
        ("n_classes", "The labels are read from the data; pass `labels=` to choose some."),
        ("dims", "There is one axis of samples."),
        ("from_logits", "Pass what `predict` returns; for probabilities call the score itself."),
        ("include_background", "Pass `labels=`."),
        ("eps", "Pass `zero_division=`."),
        ("absent", "Pass `zero_division=`."),
        ("sample_weight", "Pass `sample_weight=` to the metric."),
        ("threshold", "Compare first: `y_pred > threshold`."),
        ("clases", "Pass `labels=`."),
        ("lables", "Did you mean `labels`?"),
        ("zero_divison", "Did you mean `zero_division`?"),
    ],
)
def test_a_cure_names_no_argument_that_is_refused(word: str, cure: str) -> None:
    with pytest.raises(TypeError) as caught:
        metric(dice_any.dice_score, **{word: 1})
    assert str(caught.value).startswith(f"`{word}` must be an argument of `dice_score`; got ")
    assert str(caught.value).endswith(cure)


MASKED = np.ma.array([1, 1, 0, 1], mask=[0, 1, 0, 0])


@pytest.mark.parametrize("average", AVERAGES[:-1])
def test_masked_arrays_are_refused_and_their_cure_is_right(average: Any) -> None:
    """scikit-learn drops the mask. Without the second sample the prediction is right."""
    plain = np.array([1, 0, 0, 1])
    score = metric(dice_any.dice_score, average=average)
    for name, arrays in (("y_true", (MASKED, plain)), ("y_pred", (plain, MASKED))):
        with pytest.raises(
            TypeError, match=f"`{name}` must be a plain array; got numpy.Masked"
        ) as e:
            score(*arrays)
        codes = str(e.value).split("`")
        weight = next(code for code in codes if code.startswith("sample_weight="))[14:]
        weight = eval(weight, {"numpy": np, name: MASKED})
        found = score(*map(np.ma.getdata, arrays), sample_weight=weight)
        np.testing.assert_array_equal(found, 1.0)
        with pytest.raises(TypeError, match=f"`{name}` must be a plain array"):
            score(
                *(each if isinstance(each, np.ma.MaskedArray) else each.tolist() for each in arrays)
            )
    weights = np.ma.array([1, 1, 1, 1], mask=[0, 1, 0, 0])
    with pytest.raises(TypeError, match="`sample_weight` must be a plain array") as e:
        score(MASKED.data, plain, sample_weight=weights)
    weight = eval(str(e.value).split("`")[3], {"numpy": np, "sample_weight": weights})
    np.testing.assert_array_equal(score(MASKED.data, plain, sample_weight=weight), 1.0)


@pytest.mark.parametrize("average", AVERAGES)
def test_masked_matrices_are_refused(average: Any) -> None:
    masked = np.ma.array(INDICATORS[0], mask=[[0, 1], [0, 0]])
    for arrays in ((masked, INDICATORS[1]), (INDICATORS[1], masked), (masked[:, :1], [1, 0])):
        with pytest.raises(TypeError, match="Drop the samples with masked elements"):
            metric(dice_any.dice_score, average=average)(*arrays)


def test_masked_chunks_are_refused() -> None:
    da = pytest.importorskip("dask.array")
    with pytest.raises(TypeError, match="`y_true` must be a plain array; got dask.Array"):
        metric(dice_any.dice_score)(da.from_array(MASKED), np.array([1, 0, 0, 1]))
