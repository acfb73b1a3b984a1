"""The last sentence of a message fits the arrays: what it says can be passed, or it says less."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.testing import advice
from dice_any.testing import test_odd_arguments as odd

SOFT = np.full((2, 3, 4), 0.5)
INTEGERS = np.ones((2, 3, 4), dtype=np.int64)
#: labels as floating numbers
LABELS = np.arange(24.0).reshape(2, 3, 4) % 4


def zeros(*shape: int, dtype: str = "float64") -> np.ndarray:
    return np.zeros(shape, dtype=dtype)


#: what was passed -> (arrays, arguments, how the message ends)
ENDS: dict[str, tuple[tuple[Any, Any], dict[str, Any], str]] = {
    "labels that fit no class axis": (
        (SOFT, zeros(5, 5, dtype="int64")),
        {"class_axis": 1},
        "got (5, 5). The prediction has shape (2, 3, 4) and `class_axis=1`.",
    ),
    "labels that fit another class axis": (
        (SOFT, zeros(3, 4, dtype="int64")),
        {"class_axis": 1},
        "It fits `class_axis=0`.",
    ),
    "labels with an axis too many, which is not of length 1": (
        (SOFT, zeros(2, 7, 4, dtype="int64")),
        {"class_axis": 1},
        "The prediction has shape (2, 3, 4) and `class_axis=1`.",
    ),
    "a mask without the three classes": (
        (SOFT, zeros(2, 4, dtype="bool")),
        {"class_axis": 1},
        "Nothing is broadcast: index, reshape or broadcast one of them yourself if that is meant.",
    ),
    "a mask of one of two classes": (
        (SOFT[:, :2], zeros(2, 4, dtype="bool")),
        {"class_axis": 1},
        'A mask of the second of two classes is `target.astype("int64")`.',
    ),
    "memberships with another axis, of length 3": (
        (SOFT[:, 0], SOFT),
        {},
        "Nothing is broadcast: index, reshape or broadcast one of them yourself if that is meant.",
    ),
    "a mask of one of four classes, broadcast": (
        (SOFT, zeros(2, 3, 1, dtype="bool")),
        {},
        "Nothing is broadcast: index, reshape or broadcast one of them yourself if that is meant.",
    ),
    "labels with an axis too many": (
        (SOFT[:, 0], zeros(2, 3, 4, dtype="int64")),
        {},
        "Nor does its shape (2, 3, 4) fit the prediction's, (2, 4): check both.",
    ),
    "labels with a lone axis": (
        (SOFT[:, 0], zeros(2, 1, 4, dtype="int64")),
        {},
        "Write which label is meant, in the prediction's shape: `target[:, 0] == 1`.",
    ),
    "labels of another shape": (
        (SOFT[:, 0], zeros(5, 5, dtype="int64")),
        {},
        "Nor does its shape (5, 5) fit the prediction's, (2, 4): check both.",
    ),
    "one-hot integers beside a mask": (
        (INTEGERS, zeros(2, 4, dtype="bool")),
        {"class_axis": 1},
        'For one-hot or indicator arrays pass `prediction.astype("bool")`.',
    ),
    "a weight that has nothing to do with it": (
        (SOFT, SOFT),
        {"weight": zeros(7, 7)},
        "got (7, 7) for (2, 3, 4). Index, reshape or broadcast it yourself.",
    ),
    "a weight that lacks an axis in the middle": (
        (SOFT, SOFT),
        {"weight": zeros(2, 4)},
        "got (2, 4) for (2, 3, 4). Pass `weight[:, None]`.",
    ),
    "a weight with a lone axis that is none of the target's": (
        (SOFT, SOFT),
        {"weight": zeros(1, 2, 3, 1, 4)[0]},
        "got (2, 3, 1, 4) for (2, 3, 4). Pass `weight[:, :, 0]`.",
    ),
    "text without fields": (
        (SOFT, SOFT.astype("datetime64[s]")),
        {},
        "got datetime64[s]. Convert it to one of these.",
    ),
    "fields": (
        (np.zeros(3, dtype=[("lung", "f4"), ("bone", "f4")]), SOFT),
        {},
        "Pass one of its fields: `prediction['lung']`.",
    ),
    "one channel of labels as floats": (
        (SOFT[:, :1], LABELS[:, :1]),
        {"class_axis": 1},
        "Say which label is meant: `target.round() == 1`.",
    ),
    "large whole memberships by class": (
        (SOFT, LABELS),
        {"class_axis": 1},
        "For percentages pass `target / 100`; for bytes pass `target / 255`; an activation is for "
        "logits of a prediction.",
    ),
    "whole percentages by class": (
        (LABELS * 30, SOFT),
        {"class_axis": 1},
        "For percentages pass `prediction / 100`; for bytes pass `prediction / 255`; for logits "
        "pass `activation='softmax'`, or `activation='sigmoid'` if classes overlap.",
    ),
    "negative numbers in the target": (
        (SOFT, LABELS - 1.5),
        {"class_axis": 1},
        "Scale it to [0, 1]; an activation is for logits of a prediction.",
    ),
    "negative numbers": ((LABELS - 1.5, SOFT), {}, "For logits pass `activation='sigmoid'`."),
    "huge numbers": (
        (LABELS * 1e6 + 0.5, SOFT),
        {},
        "Scale it to [0, 1]; for logits pass `activation='sigmoid'`.",
    ),
    "numbers of 16 bits": (
        (LABELS * 1e4 + 0.5, SOFT),
        {},
        "For numbers of 16 bits pass `prediction / 65535`; for logits pass `activation='sigmoid'`.",
    ),
    "one number": (
        (np.full((2, 4), 255.0), SOFT[:, 0] > 1),
        {},
        "For a mask compare: `prediction > 0`.",
    ),
    "a mask of two label maps": (
        (LABELS[:, 0] > 1, (LABELS[:, 0] > 2) * 4.0),
        {},
        "For a mask compare: `target > 0`.",
    ),
    "a mask beside numbers": (
        (LABELS[:, 0], (LABELS[:, 0] > 2) * 4.0),
        {},
        "For a mask compare: `target > 0`; for label maps pass integers, "
        '`prediction.round().astype("int64")` and `target.round().astype("int64")`, and '
        "`num_classes=`.",
    ),
    "a mask of two signs": (
        (np.where(LABELS[:, 0] > 1, 1.0, -1.0), LABELS[:, 0] > 1),
        {},
        "For a mask compare: `prediction > 0`; for logits pass `activation='sigmoid'`.",
    ),
    "the same, where another number is ignored": (
        (np.where(LABELS[:, 0] > 2, -7.0, np.where(LABELS[:, 0] > 1, 1.0, -1.0)), LABELS[:, 0] > 1),
        {"weight": LABELS[:, 0] < 3},
        "For a mask compare: `prediction > 0`; for logits pass `activation='sigmoid'`.",
    ),
    "a map stored as floats beside a mask": (
        (LABELS[:, 0], zeros(2, 4, dtype="bool")),
        {},
        "Say which label is meant: `prediction.round() == 1`.",
    ),
    "large labels as floats beside a mask": (
        (LABELS[:, 0] * 50, zeros(2, 4, dtype="bool")),
        {},
        "Say which label is meant: `prediction.round() == 1`; for bytes pass `prediction / 255`.",
    ),
    "regions of memberships times 255": (
        (SOFT / 2, LABELS * 60.5),
        {"class_axis": 1, "regions": [(1, 2)]},
        "For bytes pass `target / 255`; an activation is for logits of a prediction.",
    ),
    "regions of memberships that add up to more": (
        (SOFT, SOFT * 1.9),
        {"class_axis": 1, "regions": [(1, 2)]},
        "Divide them by their sum over the classes, or pass a label map.",
    ),
    "a map stored as floats in the target": (
        (zeros(2, 4), LABELS[:, 0]),
        {},
        "and `num_classes=`; if the target alone is one say which label is meant: "
        "`target.round() == 1`.",
    ),
    "one logit": (
        (np.asarray([0.5, 7.3]), zeros(2)),
        {},
        "For logits pass `activation='sigmoid'`; for percentages pass `prediction / 100`; for "
        "bytes pass `prediction / 255`.",
    ),
    "logits by class": (
        (SOFT - 7.3, zeros(2, 4, dtype="int64")),
        {"class_axis": 1},
        "For logits pass `activation='softmax'`, or `activation='sigmoid'` if classes overlap.",
    ),
    "NaN": (
        (np.asarray([np.nan, 1.0]), zeros(2)),
        {},
        "Find where the NaN or infinity comes from.",
    ),
}


@pytest.mark.parametrize("case", ENDS)
def test_the_end_of_a_message(case: str) -> None:
    arrays, arguments, end = ENDS[case]
    with pytest.raises((TypeError, ValueError), match=f"{re.escape(end)}$"):
        dice_any.overlap(*arrays, **arguments)


def follow(code: str, **arrays: np.ndarray) -> np.ndarray:
    return eval(code, {"numpy": np}, arrays)


#: what can be followed as it stands: (arrays, arguments, call with what the message says)
FOLLOWED: dict[str, tuple[tuple[Any, Any], dict[str, Any], Callable[..., Any]]] = {
    "another class axis": (
        (SOFT, zeros(3, 4, dtype="int64")),
        {"class_axis": 1},
        lambda x, y, code: dice_any.overlap(x, y, class_axis=int(code.partition("=")[2])),
    ),
    "a mask of two classes": (
        (SOFT[:, :2], zeros(2, 4, dtype="bool")),
        {"class_axis": 1},
        lambda x, y, code: dice_any.overlap(x, follow(code, target=y), class_axis=1),
    ),
    "a lone axis": (
        (SOFT[:, 0], zeros(2, 1, 4, dtype="int64")),
        {},
        lambda x, y, code: dice_any.overlap(x, follow(code, target=y)),
    ),
    "one channel": (
        (SOFT[:, :1], np.full((2, 1, 4), 3.0)),
        {"class_axis": 1},
        lambda x, y, code: dice_any.overlap(x, follow(code, target=y), class_axis=1),
    ),
}


@pytest.mark.parametrize("case", FOLLOWED)
def test_a_cure_cures(case: str) -> None:
    arrays, arguments, again = FOLLOWED[case]
    with pytest.raises((TypeError, ValueError)) as caught:
        dice_any.overlap(*arrays, **arguments)
    code = re.findall("`([^`]*)`", str(caught.value))[-1]
    assert isinstance(again(*arrays, code), dice_any.Overlap)


def test_what_makes_no_confusion_matrix() -> None:
    with pytest.raises(TypeError, match="must be label maps; got float64 and float64. Pass `pred"):
        dice_any.confusion_matrix(SOFT, SOFT, num_classes=None)
    with pytest.raises(TypeError, match="`num_classes` must be an integer; got NoneType"):
        dice_any.confusion_matrix(INTEGERS, INTEGERS, num_classes=None)
    ways = r"`numpy.argmax\(prediction, axis=0\)` or `.*axis=1\)`, along its classes\.$"
    with pytest.raises(TypeError, match=ways):
        dice_any.confusion_matrix(np.eye(2), np.array([0, 1]), num_classes=2)
    with pytest.raises(TypeError, match=r"Nor do their shapes fit, \(2,\) and \(3,\): check both"):
        dice_any.confusion_matrix(zeros(2), zeros(3), num_classes=2)


# -- invalid values, in every function that looks at them ------------------------------------------

#: memberships of three classes that add up to 1, and which class is the largest
AREA = np.asarray(odd.AREA / odd.AREA.sum(axis=1, keepdims=True), dtype=np.float64)
CHOSEN = np.argmax(AREA[:, :, ::-1], axis=1)[:, None] == np.arange(3)[:, None, None]
FUNCTIONS = {
    name: {"class_axis": 1} | {k: v for k, v in arguments.items() if k != "num_classes"}
    for name, (_, arguments, keywords) in {**odd.SCORES, **odd.LOSSES}.items()
    if "class_axis" in keywords
}
#: losses whose prediction must be floating, for the gradient
FLOATING = ("dice_cross_entropy_loss", "dice_focal_loss", "lovasz_loss", "centerline_dice_loss")
FLOATING += ("wasserstein_dice_loss",)


def same(got: Any, right: Any) -> bool:
    if isinstance(got, dice_any.Overlap):
        return bool(got.tp.tolist() == right.tp.tolist() and got.fp.tolist() == right.fp.tolist())
    return np.array_equal(got, right, equal_nan=True)


@pytest.mark.parametrize("top", [2.0, 100.0, 128.0, 255.0, 65535.0])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_masks_of_other_numbers(name: str, top: float) -> None:
    """What is said of a mask of 0 and another number gives what the Boolean mask gives."""
    function, given = getattr(dice_any, name), FUNCTIONS[name]
    if name != "lovasz_loss":  # it takes no floating target
        got = advice.follow(function, AREA, CHOSEN * top, given=given)
        assert same(got, function(AREA, CHOSEN, **given))
    if name not in FLOATING:
        got = advice.follow(function, CHOSEN * top, CHOSEN[::-1], given=given)
        assert same(got, function(CHOSEN, CHOSEN[::-1], **given))


@pytest.mark.parametrize("top", [100.0, 255.0, 65535.0])
@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - {*FLOATING[:2]}))
def test_memberships_of_other_scales(name: str, top: float) -> None:
    function, given = getattr(dice_any, name), FUNCTIONS[name]
    picks = (f"prediction / {top:.0f}",)
    got = advice.follow(function, AREA * top, CHOSEN, picks=picks, given=given)
    right = function(AREA * top / top, CHOSEN, **given)
    assert same(got, right)
