"""Bad input gives an error that names the argument, the fact and the cure."""

from __future__ import annotations

import re

import numpy as np
import pytest

import dice_any

MASK = np.array([True, False, True])
SOFT = np.array([0.5, 0.0, 1.0])
LABELS = np.array([0, 1, 2])
OF_FOUR = np.array([0, 1, 2, 1])
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
    """Like an xarray.DataArray: it holds an array, but is none."""

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
    "no regions": (
        (LABELS, LABELS),
        {"regions": []},
        says("`regions` must hold one region or more", "Drop what is empty"),
    ),
    "a region below 0": (
        (LABELS, LABELS),
        {"regions": [(1, -1)]},
        says("`regions` must hold labels from 0 on", "got -1", "`ignore_label=`"),
    ),
    "a region beyond the labels": (
        (LABELS, LABELS),
        {"regions": [(1, 5)], "num_classes": 3},
        says("`num_classes` must be the number of labels, at least 6", "got 3", "Leave it out"),
    ),
    "a background of regions": (
        (LABELS, LABELS),
        {"regions": [(1, 2), 2], "classes": "foreground"},
        says("`classes` must be None or the numbers of regions", "got 'foreground'"),
    ),
    "regions without channels": (
        (SOFT, LABELS),
        {"regions": [1], "activation": "sigmoid"},
        says("`class_axis` must be given with `regions`", "Name the axis"),
    ),
    "too few channels for regions": (
        (SOFT[None], LABELS),
        {"regions": [1, 2], "class_axis": 0, "activation": "sigmoid"},
        says("`regions` must name a region for each of 1 channels", "got 2"),
    ),
    "regions and another shape": (
        (SOFT[None], LABELS[None]),
        {"regions": [1], "class_axis": 0, "activation": "sigmoid"},
        says("`target` must have the prediction's shape without", "without channels"),
    ),
    "a label beyond regions": (
        (SOFT[None], LABELS),
        {"regions": [1], "class_axis": 0, "activation": "sigmoid"},
        says("`target` must hold labels from 0 to 1", "got 1 outside", "Pass `num_classes=`"),
    ),
    "regions beyond the channels": (
        (BY_CLASS, OF_FOUR),
        {"regions": [(1, 3), (2,)], "class_axis": 0},
        says("`regions` must hold labels of the 3 classes", "got 3", "`activation='sigmoid'`"),
    ),
    "regions and another number of channels": (
        (BY_CLASS, OF_FOUR),
        {"regions": [(1, 2)], "class_axis": 0, "num_classes": 4},
        says("`num_classes` must equal the length of the class axis, 3; got 4"),
    ),
    "classes of a region with weights of their own": (
        (BY_CLASS, BY_CLASS),
        {"regions": [(1, 2)], "class_axis": 0, "weight": np.ones((3, 1))},
        says("`weight` must have length 1 along the class axis", "got 3", "`class_weight`"),
    ),
    "a background of classes that are added up": (
        (BY_CLASS, BY_CLASS),
        {"regions": [(1, 2)], "class_axis": 0, "classes": "foreground"},
        says("`classes` must be None or the numbers of regions", "got 'foreground'"),
    ),
    "channels that are regions without an activation": (
        (BY_CLASS * 3, OF_FOUR),
        {"regions": [(0, 1, 2), (1,)], "class_axis": 0},
        says("add up to at most 1 in each region", "sums of others", "'sigmoid'"),
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
    "ignored labels in a set": (
        (LABELS, LABELS),
        {"num_classes": 3, "ignore_label": {0, 255}},
        says("`ignore_label` must be an integer or a sequence", "got set", "Pass a list"),
    ),
    "one label for regions": (
        (LABELS, LABELS),
        {"regions": 3},
        says("`regions` must be a sequence of groups", "got int", "Pass for example"),
    ),
    "regions of memberships": (
        (SOFT, SOFT),
        {"regions": [(1, 2)]},
        says("`regions` must go with two label maps", "`class_axis`", "got a floating", "argmax"),
    ),
    "regions of masks": (
        (SOFT[None], MASK[None]),
        {"regions": [1], "class_axis": 0, "activation": "sigmoid"},
        says("`regions` must go with a target that is a label map", "Leave `regions` out"),
    ),
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
