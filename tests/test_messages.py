"""Bad input gets an error that names the argument, the fact and the cure."""

from __future__ import annotations

import re

import numpy as np
import pytest

import dice_any
from dice_any import Overlap

MASK = np.array([True, False, True])
SOFT = np.array([0.5, 0.0, 1.0])
LABELS = np.array([0, 1, 2])
BY_CLASS = np.full((3, 4), 0.25)


def says(*parts: str) -> str:
    """Return a pattern in which the parts follow each other."""
    return ".*".join(re.escape(part) for part in parts)


ARRAYS = {
    "list": (
        [True, False],
        TypeError,
        says("`prediction` must be an array", "got list", "numpy.asarray(prediction)"),
    ),
    "tuple": ((True, False), TypeError, says("got tuple", "Make one first")),
    "number": (0.5, TypeError, says("`prediction` must be an array", "got float")),
    "string": ("mask", TypeError, says("got str")),
    "NumPy scalar": (
        np.float64(0.5),
        TypeError,
        says("must be a plain array; got numpy.float64", "asarray"),
    ),
    "nothing": (None, TypeError, says("got NoneType", "Pass both arrays, or one `Overlap`")),
    "masked array": (
        np.ma.masked_array([True, False, True], [False, False, True]),
        TypeError,
        says("got numpy.MaskedArray", "numpy.ma.getdata(prediction)", "masked"),
    ),
    "complex": (
        SOFT + 0j,
        TypeError,
        says("must be boolean, integer or floating; got complex128", "real part"),
    ),
    "text": (
        np.array(["a", "b", "c"]),
        TypeError,
        says("must be boolean, integer or floating; got", "Compare it with a name"),
    ),
    "no element": (
        np.ones((0, 4), dtype=bool),
        ValueError,
        says("at least one element; got shape (0, 4)", "zero"),
    ),
    "zero-size axis": (
        np.ones((3, 0), dtype=bool),
        ValueError,
        says("at least one element; got shape (3, 0)"),
    ),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name: str) -> None:
    value, error, message = ARRAYS[name]
    with pytest.raises(error, match=message):
        dice_any.dice_score(value, MASK)
    with pytest.raises(error, match=message.replace("prediction", "target")):
        dice_any.overlap(MASK, value)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_matrix() -> None:
    with pytest.raises(
        TypeError,
        match=says("must be a plain array; got numpy.matrix", "numpy.asarray(prediction)"),
    ):
        dice_any.dice_score(np.matrix([[1.0, 0.0]]), np.matrix([[1.0, 0.0]]))


class Wrapped:
    """Like an xarray.DataArray: holds an array, is none."""

    data = SOFT


def test_array_inside_something() -> None:
    Wrapped.__module__ = "tests.something"
    with pytest.raises(
        TypeError, match=says("got tests", "Wrapped. Pass the array inside it", ".data")
    ) as caught:
        dice_any.dice_score(Wrapped(), SOFT)
    assert caught.value.__cause__ is None


PAIRS = {
    "shapes": (
        (SOFT, SOFT[:2]),
        {},
        says("`target` must have the prediction's shape (3,); got (2,)", "broadcast"),
    ),
    "broadcastable shapes": (
        (np.ones((12, 16, 16)), np.ones((1, 16, 16))),
        {},
        says(
            "`target` must have the prediction's shape (12, 16, 16); got (1, 16, 16)",
            "Nothing is broadcast",
        ),
    ),
    "two integer arrays": (
        (LABELS, LABELS),
        {},
        says("`num_classes` must be given", "int64", "`prediction > 0`", "`prediction == 1`"),
    ),
    "integer target": (
        (SOFT, LABELS),
        {},
        says("`target` must be boolean or floating", "`target == 1`", "class_axis"),
    ),
    "label map of another shape": (
        (BY_CLASS, LABELS),
        {"class_axis": 0},
        says(
            "`target` must have the prediction's shape without its class axis, (4,); got (3,)",
            "It fits `class_axis=1`",
        ),
    ),
    "class axis of label maps": (
        (LABELS, LABELS),
        {"class_axis": 0},
        says("`class_axis` must be None for two label maps"),
    ),
    "number of classes of memberships": (
        (SOFT, SOFT),
        {"num_classes": 2},
        says("`num_classes` must go with label maps"),
    ),
    "number of classes beside a class axis": (
        (BY_CLASS, LABELS[[0, 1, 2, 0]]),
        {"class_axis": 0, "num_classes": 5},
        says("`num_classes` must equal the length of the class axis, 3; got 5"),
    ),
    "no class": (
        (LABELS, LABELS),
        {"num_classes": 0},
        says("`num_classes` must be at least 1; got 0"),
    ),
    "axis": ((SOFT, SOFT), {"axis": 1}, says("`axis` must be in [-1, 1) for 1 axes; got 1")),
    "axis twice": (
        (BY_CLASS, BY_CLASS),
        {"axis": (0, -2)},
        says("`axis` must name each axis once; got (0, -2)"),
    ),
    "axis by name": (
        (SOFT, SOFT),
        {"axis": "volume"},
        says("`axis` must be None", "'space'; got 'volume'"),
    ),
    "space of classes": (
        (BY_CLASS, BY_CLASS),
        {"axis": "space", "class_axis": 0},
        says("must find the samples on axis 0"),
    ),
    "class axis summed": (
        (BY_CLASS, BY_CLASS),
        {"axis": 0, "class_axis": 0},
        says("must not hold the class axis 0", "micro"),
    ),
    "class axis": (
        (BY_CLASS, BY_CLASS),
        {"class_axis": 2},
        says("`class_axis` must be in [-2, 2) for 2 axes; got 2"),
    ),
    "form": (
        (SOFT, SOFT),
        {"form": "cubed"},
        says("`form` must be one of 'product', 'squared', 'minimum'; got 'cubed'"),
    ),
    "activation": (
        (SOFT, SOFT),
        {"activation": "relu"},
        says("`activation` must be one of None,", "got 'relu'"),
    ),
    "softmax without classes": (
        (SOFT, SOFT),
        {"activation": "softmax"},
        says("`class_axis` must be given with"),
    ),
    "softmax of one channel": (
        (BY_CLASS[:1], BY_CLASS[:1]),
        {"activation": "softmax", "class_axis": 0},
        says("must have two classes or more", "`activation='sigmoid'`"),
    ),
    "ignored label of a mask": (
        (MASK, MASK),
        {"ignore_label": 0},
        says("`ignore_label` must go with", "`weight=mask`"),
    ),
    "weight's shape": (
        (SOFT, SOFT),
        {"weight": np.ones(2)},
        says("`weight` must have as many axes", "got (2,) for (3,)"),
    ),
    "weight's axes": (
        (SOFT, SOFT),
        {"weight": np.ones((1, 3))},
        says("`weight` must have as many axes"),
    ),
    "average without classes": (
        (MASK, MASK),
        {"average": "macro"},
        says("`average` must be None without classes"),
    ),
    "unknown average": (
        (BY_CLASS, BY_CLASS),
        {"average": "mean", "class_axis": 0},
        says("`average` must be", "'mean'"),
    ),
    "no such class": (
        (BY_CLASS, BY_CLASS),
        {"class_axis": 0, "classes": [3]},
        says("`classes` must name one or more of the classes 0 to 2; got [3]"),
    ),
    "foreground of one class": (
        (BY_CLASS[:1], BY_CLASS[:1]),
        {"class_axis": 0, "classes": "foreground"},
        says("must leave a class; got one class only"),
    ),
    "logits without activation": (
        (SOFT * 9, MASK),
        {},
        says("memberships in [0, 1]; got 2 values", "activation='sigmoid'"),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name: str) -> None:
    arrays, arguments, message = PAIRS[name]
    with pytest.raises(ValueError, match=message):
        dice_any.dice_score(*arrays, **arguments)


KINDS = {
    "integer prediction": (
        (LABELS, SOFT),
        {},
        says("`prediction` must be boolean or floating", "`prediction == 1`"),
    ),
    "activated mask": (
        (MASK, MASK),
        {"activation": "sigmoid"},
        says("`activation` must go with a floating prediction"),
    ),
    "axis that is no number": (
        (SOFT, SOFT),
        {"axis": 0.5},
        says("`axis` must be an integer or a tuple of integers; got 0.5"),
    ),
    "boolean class axis": (
        (BY_CLASS, BY_CLASS),
        {"class_axis": True},
        says("`class_axis` must be an integer; got bool"),
    ),
    "weight as list": (
        (SOFT, SOFT),
        {"weight": [1, 2, 3]},
        says("`weight` must be an array", "got list"),
    ),
    "classes as number": (
        (BY_CLASS, BY_CLASS),
        {"class_axis": 0, "classes": 1},
        says("`classes` must be a sequence"),
    ),
    "exact as text": (
        (SOFT, SOFT),
        {"exact": "yes"},
        says("`exact` must be None, True or False; got str"),
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds(name: str) -> None:
    arrays, arguments, message = KINDS[name]
    with pytest.raises(TypeError, match=message):
        dice_any.dice_score(*arrays, **arguments)


def test_too_many_elements() -> None:
    many = np.broadcast_to(np.array(True), (2**16, 2**16))
    with pytest.raises(
        ValueError, match=says("`prediction` must have fewer than 2**32", "parts and add")
    ):
        dice_any.overlap(many, many)


def test_overlap_beside_arguments() -> None:
    counts = dice_any.overlap(MASK, MASK)
    with pytest.raises(TypeError, match=says("`target` must be left out beside an Overlap")):
        dice_any.dice_score(counts, MASK)
    with pytest.raises(TypeError, match=says("`axis`, `form` must be left out beside an Overlap")):
        dice_any.jaccard_score(counts, form="product", axis=None)


@pytest.mark.parametrize(
    "score",
    [
        dice_any.precision_score,
        dice_any.recall_score,
        dice_any.f_score,
        dice_any.specificity_score,
        dice_any.volume_similarity,
        dice_any.overlap_coefficient,
        dice_any.accuracy_score,
        dice_any.matthews_correlation,
        dice_any.cohen_kappa,
    ],
)
def test_squared_form_where_it_has_no_meaning(score) -> None:
    with pytest.raises(
        ValueError,
        match=says("`form` must be 'product' or 'minimum'", "squared form belongs to Dice"),
    ):
        score(SOFT, SOFT, form="squared")
    assert float(score(MASK, ~MASK, form="squared")) <= 1  # on masks the forms agree


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_tversky_weights(name: str) -> None:
    weights = {"alpha": 0.5, "beta": 0.5}
    with pytest.raises(ValueError, match=says(f"`{name}` must be finite and at least 0; got -1")):
        dice_any.tversky_score(MASK, MASK, **(weights | {name: -1}))
    with pytest.raises(TypeError, match=says(f"`{name}` must be a number; got str")):
        dice_any.tversky_loss(MASK, MASK, **(weights | {name: "1"}))


def test_tversky_has_no_defaults() -> None:
    with pytest.raises(TypeError, match="alpha"):
        dice_any.tversky_score(MASK, MASK)


LOSSES = {
    "argmax": (
        {"activation": "argmax"},
        ValueError,
        says("`activation` must be", "'argmax', which has no gradient"),
    ),
    "smooth": ({"smooth": -1}, ValueError, says("`smooth` must be finite and at least 0; got -1")),
    "three smooths": (
        {"smooth": (1, 2, 3)},
        ValueError,
        says("`smooth` must be a number or a pair", "got 3 numbers"),
    ),
    "reduction": (
        {"reduction": "average"},
        ValueError,
        says("`reduction` must be one of 'mean', 'sum', 'none'; got"),
    ),
    "absent": (
        {"absent": "drop"},
        ValueError,
        says("`absent` must be one of 'count', 'zero', 'skip'; got 'drop'"),
    ),
    "average": (
        {"average": "macro"},
        ValueError,
        says("`average` must be one of None, 'micro'; got 'macro'"),
    ),
    "length": (
        {"class_weight": [1, 2]},
        ValueError,
        says("one weight for each of 3 classes; got shape (2,)"),
    ),
    "sign": (
        {"class_weight": [1, -2, 1]},
        ValueError,
        says("`class_weight[1]` must be finite and at least 0; got -2"),
    ),
    "name": (
        {"class_weight": "cube"},
        ValueError,
        says("`class_weight` must be one of 'square', 'simple', 'uniform'"),
    ),
    "array": (
        {"class_weight": np.array([1.0, np.nan, 1])},
        ValueError,
        says("`class_weight` must be finite and not"),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str) -> None:
    arguments, error, message = LOSSES[name]
    with pytest.raises(error, match=message):
        dice_any.dice_loss(BY_CLASS, BY_CLASS, class_axis=0, **arguments)


@pytest.mark.parametrize(
    "argument", [{"class_weight": [1]}, {"classes": [0]}, {"average": "micro"}]
)
def test_losses_without_classes(argument: dict) -> None:
    (name,) = argument
    with pytest.raises(
        ValueError, match=says(f"`{name}` must be None without classes to tell apart")
    ):
        dice_any.jaccard_loss(SOFT, SOFT, **argument)


def test_gamma() -> None:
    with pytest.raises(ValueError, match=says("`gamma` must be finite and at least 0; got -1")):
        dice_any.dice_focal_loss(BY_CLASS, BY_CLASS, class_axis=0, activation="softmax", gamma=-1)


@pytest.mark.parametrize("name", ["dice_weight", "cross_entropy_weight"])
def test_weights_of_the_two_parts(name: str) -> None:
    with pytest.raises(ValueError, match=says(f"`{name}` must be finite and at least 0; got -1")):
        dice_any.dice_cross_entropy_loss(
            BY_CLASS, BY_CLASS, class_axis=0, activation="softmax", **{name: -1}
        )


COUNTS = dice_any.overlap(BY_CLASS, BY_CLASS, class_axis=0)
DISTANCES = [[0, 1, 1], [1, 0, 0.5], [1, 0.5, 0]]
AREA = np.full((2, 3, 4, 5), 0.25)
#: loss, arrays, arguments, error
MORE_THAN_SUMS = {
    "probabilities": (
        dice_any.dice_cross_entropy_loss,
        (BY_CLASS, BY_CLASS),
        {"class_axis": 0},
        ValueError,
        says(
            "`activation` must be 'sigmoid' or 'softmax' in a compound loss", "got None", "logits"
        ),
    ),
    "exact entropy": (
        dice_any.dice_focal_loss,
        (BY_CLASS, BY_CLASS),
        {"class_axis": 0, "activation": "softmax", "exact": True},
        ValueError,
        says("`exact` must be None or False in a compound loss", "got True"),
    ),
    "overlap": (
        dice_any.dice_cross_entropy_loss,
        (COUNTS, None),
        {"activation": "softmax"},
        TypeError,
        says("`prediction` must be logits in a compound loss", "got an Overlap"),
    ),
    "ranked overlap": (
        dice_any.lovasz_loss,
        (COUNTS, None),
        {},
        TypeError,
        says("`prediction` must be an array here, as it ranks elements", "got an Overlap"),
    ),
    "smoothed ranks": (
        dice_any.lovasz_loss,
        (SOFT, MASK),
        {"smooth": 1},
        ValueError,
        says("`smooth` must be left out here", "got 1", "Drop it"),
    ),
    "form of ranks": (
        dice_any.lovasz_loss,
        (SOFT, MASK),
        {"form": "squared"},
        ValueError,
        says("`form` must be left out here, as this loss ranks errors", "got 'squared'"),
    ),
    "exact ranks": (
        dice_any.lovasz_loss,
        (SOFT, MASK),
        {"exact": True},
        ValueError,
        says("`exact` must be left out here, as errors are sorted"),
    ),
    "kernel of ranks": (
        dice_any.lovasz_loss,
        (SOFT, MASK),
        {"backend": "abacus"},
        ValueError,
        says("`backend` must be left out here, as only the reference sorts; got 'abacus'"),
    ),
    "soft ranks": (
        dice_any.lovasz_loss,
        (SOFT, SOFT),
        {},
        TypeError,
        says("`target` must be boolean or a label map in this loss", "got float64", "minimum form"),
    ),
    "ranked masks": (
        dice_any.lovasz_loss,
        (MASK, MASK),
        {},
        TypeError,
        says("`prediction` must be floating in this loss", "got bool"),
    ),
    "hinge elsewhere": (
        dice_any.dice_loss,
        (SOFT, MASK),
        {"activation": "hinge"},
        ValueError,
        says("`activation` must be one of None, 'sigmoid', 'softmax', 'argmax'; got 'hinge'"),
    ),
    "pooled samples": (
        dice_any.centerline_dice_loss,
        (AREA, AREA),
        {"class_axis": 1, "axis": None},
        ValueError,
        says("`spatial_axes` must be given with `axis=None`", "spatial_axes=(2, 3)"),
    ),
    "one spatial axis": (
        dice_any.centerline_dice_loss,
        (BY_CLASS, BY_CLASS),
        {},
        ValueError,
        says("`spatial_axes` must be two or three", "got 1", "Axis 0 is taken for samples"),
    ),
    "axes not summed": (
        dice_any.centerline_dice_loss,
        (AREA, AREA),
        {"class_axis": 1, "spatial_axes": (0, 2)},
        ValueError,
        says("`spatial_axes` must be among the summed axes (2, 3); got (0, 2)"),
    ),
    "iterations": (
        dice_any.centerline_dice_loss,
        (AREA, AREA),
        {"class_axis": 1, "iterations": -1},
        ValueError,
        says("`iterations` must be at least 0 and at most 10000; got -1"),
    ),
    "form of skeletons": (
        dice_any.centerline_dice_loss,
        (AREA, AREA),
        {"class_axis": 1, "form": "minimum"},
        ValueError,
        says("`form` must be left out here, as clDice is made of products"),
    ),
    "no classes to compare": (
        dice_any.wasserstein_dice_loss,
        (SOFT, SOFT),
        {"distances": DISTANCES},
        ValueError,
        says("`class_axis` must be given, as this loss compares classes"),
    ),
    "one class apart": (
        dice_any.wasserstein_dice_loss,
        (BY_CLASS, BY_CLASS),
        {"distances": DISTANCES, "class_axis": 0, "activation": "sigmoid"},
        ValueError,
        says("`activation` must be 'softmax' or None here", "got 'sigmoid'"),
    ),
    "pooled already": (
        dice_any.wasserstein_dice_loss,
        (BY_CLASS, BY_CLASS),
        {"distances": DISTANCES, "class_axis": 0, "average": "micro"},
        ValueError,
        says("`average` must be left out here, as this loss is one ratio"),
    ),
    "distances of two": (
        dice_any.wasserstein_dice_loss,
        (BY_CLASS, BY_CLASS),
        {"distances": [[0, 1], [1, 0]], "class_axis": 0},
        ValueError,
        says("`distances` must have a row and a column for each of 3 classes; got 2"),
    ),
    "far from itself": (
        dice_any.wasserstein_dice_loss,
        (BY_CLASS, BY_CLASS),
        {"distances": np.ones((3, 3)), "class_axis": 0},
        ValueError,
        says("`distances` must be 0 on the diagonal"),
    ),
    "negative distance": (
        dice_any.wasserstein_dice_loss,
        (BY_CLASS, BY_CLASS),
        {"distances": [[0, -1, 1], [1, 0, 1], [1, 1, 0]], "class_axis": 0},
        ValueError,
        says("`distances` must be finite and not negative"),
    ),
    "no distance": (
        dice_any.wasserstein_dice_loss,
        (BY_CLASS, BY_CLASS),
        {"distances": np.zeros((3, 3)), "class_axis": 0},
        ValueError,
        says("`distances` must tell classes apart"),
    ),
    "no matrix": (
        dice_any.wasserstein_dice_loss,
        (BY_CLASS, BY_CLASS),
        {"distances": "far", "class_axis": 0},
        TypeError,
        says("`distances` must be a matrix of numbers; got str"),
    ),
}


@pytest.mark.parametrize("name", MORE_THAN_SUMS)
def test_losses_that_see_more_than_sums(name: str) -> None:
    loss, arrays, arguments, error, message = MORE_THAN_SUMS[name]
    with pytest.raises(error, match=message):
        loss(*arrays, **arguments)


def test_unknown_backend() -> None:
    with pytest.raises(
        LookupError,
        match=says("`backend` must name a kernel for numpy arrays; got 'abacus'", "reference"),
    ):
        dice_any.dice_score(MASK, MASK, backend="abacus")


def test_confusion_matrix() -> None:
    with pytest.raises(ValueError, match=says("`num_classes` must go with label maps")):
        dice_any.confusion_matrix(MASK, MASK, num_classes=2)
    with pytest.raises(
        ValueError, match=says("`target` must hold labels from 0 to 1; got 1 outside")
    ):
        dice_any.confusion_matrix(np.array([0, 1]), np.array([0, 2]), num_classes=2)


def test_pairwise() -> None:
    with pytest.raises(
        ValueError,
        match=says("`X` and `Y` must be matrices", "got shapes (3,) and (3, 4)", "reshape"),
    ):
        dice_any.pairwise_overlap(SOFT, BY_CLASS)
    with pytest.raises(
        TypeError, match=says("`X` and `Y` must be boolean or floating; got integers")
    ):
        dice_any.pairwise_overlap(LABELS[None], LABELS[None])


def test_sets() -> None:
    with pytest.raises(
        TypeError, match=says("`a` and `b` must be collections of ids; got a string")
    ):
        dice_any.set_overlap("night", {"nacht"})
    with pytest.raises(
        TypeError,
        match=says("`a` and `b` must both be", "got numpy.ndarray and set", "`set(a.tolist())`"),
    ):
        dice_any.set_overlap(LABELS, {1, 2})
    with pytest.raises(
        ValueError, match=says("`a` must be a 1-D array of integer ids; got 1 axes of float64")
    ):
        dice_any.set_overlap(SOFT, SOFT)
    with pytest.raises(
        ValueError, match=says("`total` must be at least the size of the union, 3; got 2")
    ):
        dice_any.set_overlap({1, 2}, {2, 3}, total=2)


def test_zero() -> None:
    with pytest.raises(
        ValueError, match=says("`kind` must be one of 'hard', 'exact', 'plain'; got 'soft'")
    ):
        Overlap.zero(kind="soft")


def test_values_are_never_printed() -> None:
    secret = np.array([0.123456, 7.654321])
    with pytest.raises(ValueError, match="memberships") as caught:
        dice_any.dice_score(secret, secret)
    assert "7.65" not in str(caught.value)
    assert "0.123" not in str(caught.value)


def test_scores_of_plain_sums_check_too() -> None:
    with pytest.raises(
        ValueError, match=says("`prediction` must hold memberships in [0, 1]; got 1 values")
    ):
        dice_any.dice_score(np.array([5.0, 0.5]), np.array([1.0, 0.5]), exact=False)
    assert dice_any.dice_score(SOFT, SOFT > 0.2, exact=False) == pytest.approx(0.8571428571428571)
