"""The last sentence of a message fits the arrays: what it says can be passed, or it says less."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dice_any

SOFT = np.full((2, 3, 4), 0.5)
INTEGERS = np.ones((2, 3, 4), dtype=np.int64)


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
        (SOFT[:, :1], np.full((2, 1, 4), 3.0)),
        {"class_axis": 1},
        "Say which label is meant: `target.round() == 1`.",
    ),
    "large whole memberships by class": (
        (SOFT, np.full((2, 3, 4), 3.0)),
        {"class_axis": 1},
        "Scale it to [0, 1]; an activation is for logits of a prediction.",
    ),
    "a map stored as floats beside a mask": (
        (np.full((2, 4), 3.0), zeros(2, 4, dtype="bool")),
        {},
        "Say which label is meant: `prediction.round() == 1`.",
    ),
    "a map stored as floats in the target": (
        (zeros(2, 4), np.full((2, 4), 3.0)),
        {},
        "and `num_classes=`; if the target alone is one say which label is meant: "
        "`target.round() == 1`.",
    ),
    "one logit": ((np.asarray([0.5, 7.3]), zeros(2)), {}, "pass `activation='sigmoid'`."),
    "logits by class": (
        (SOFT * 7.3, zeros(2, 4, dtype="int64")),
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
    with pytest.raises(TypeError, match="must be label maps; got float64 and float64. For scores"):
        dice_any.confusion_matrix(SOFT, SOFT, num_classes=None)
