"""A user's code under ``mypy --strict``: right code passes, and each wrong line must be an error,
because an unused ``type: ignore`` is an error too.

This code is not run; the session `package` checks it against the installed wheel.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Unpack, assert_type

import numpy as np
import numpy.typing as npt

import dice_any
from dice_any import Overlap
from dice_any.reading import LossArguments, OverlapArguments, ScoreArguments

Mask = npt.NDArray[np.bool_]
Soft = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]


# -- what is right --------------------------------------------------------------------------------


def counts(prediction: Labels, target: Labels) -> Overlap:
    found = dice_any.overlap(
        prediction, target, num_classes=3, axis="space", ignore_label=(0, 255), exact=None
    )
    assert_type(found, Overlap)
    assert_type(found[0], Overlap)
    assert_type(found.sum(axis=0), Overlap)
    assert_type(found + found, Overlap)
    assert_type(found.shape, tuple[int, ...])
    return found


def of_batches(batches: Iterable[tuple[Labels, Labels]]) -> Overlap:
    found = [counts(x, y) for x, y in batches]
    assert_type(sum(found, start=Overlap.zero()), Overlap)
    total = sum(found)
    assert_type(total, Overlap | Literal[0])  # 0 of no batches
    return total or Overlap.zero(num_classes=3)


def scores(prediction: Soft, target: Labels, found: Overlap) -> list[Any]:
    return [
        dice_any.dice_score(found, average="macro", classes="foreground", empty=1.0),
        dice_any.jaccard_score(prediction, target, class_axis=1, activation="argmax", axis=(2, 3)),
        dice_any.tversky_score(prediction > 0, target > 0, alpha=0.3, beta=0.7),
        dice_any.accuracy_score(found, empty=0.0),
        dice_any.confusion_matrix(target, target, num_classes=3),
    ]


def losses(logits: Soft, target: Labels) -> list[Any]:
    value, gradient = dice_any.value_and_grad(dice_any.dice_loss)(logits > 0, target > 0)
    return [
        value,
        gradient,
        dice_any.dice_loss(logits, target, class_axis=1, activation="softmax", smooth=(0.0, 1e-5)),
        dice_any.jaccard_loss(logits, target, class_axis=1, class_weight=[1, 2], absent="skip"),
        dice_any.dice_loss(logits, target, class_axis=1, **dice_any.conventions.monai),
    ]


def my_overlap(prediction: Any, target: Any, **arguments: Unpack[OverlapArguments]) -> Overlap:
    return dice_any.overlap(prediction, target, **arguments)


def my_score(prediction: Any, target: Any, **arguments: Unpack[ScoreArguments]) -> float:
    return float(dice_any.dice_score(prediction, target, **arguments))


def my_loss(prediction: Any, target: Any, **arguments: Unpack[LossArguments]) -> Any:
    return 0.5 * dice_any.dice_loss(prediction, target, **arguments)


def through_wrappers(prediction: Soft, target: Labels) -> None:
    my_overlap(prediction, target, class_axis=1, form="minimum")
    my_score(prediction, target, class_axis=1, average="weighted", empty_target=0.0)
    my_loss(prediction, target, class_axis=1, activation="softmax", reduction="sum")


# -- what is wrong --------------------------------------------------------------------------------


def misspelt(x: Mask, y: Mask) -> None:
    dice_any.overlap(x, y, frm="squared")  # type: ignore[call-arg]
    dice_any.dice_score(x, y, averge="macro")  # type: ignore[call-arg]
    dice_any.dice_loss(x, y, smoth=0.0)  # type: ignore[call-arg]
    my_overlap(x, y, axes=0)  # type: ignore[call-arg]
    my_score(x, y, smooth=1.0)  # type: ignore[call-arg]
    my_loss(x, y, empty=1.0)  # type: ignore[call-arg]


def no_such_choice(x: Mask, y: Mask) -> None:
    dice_any.overlap(x, y, form="squard")  # type: ignore[arg-type]
    dice_any.overlap(x, y, axis="time")  # type: ignore[arg-type]
    dice_any.dice_score(x, y, form="squard")  # type: ignore[arg-type]
    dice_any.jaccard_score(x, y, average="mean")  # type: ignore[arg-type]
    dice_any.dice_loss(x, y, reduction="average")  # type: ignore[arg-type]
    my_loss(x, y, absent="ignore")  # type: ignore[arg-type]


def missing(x: Mask, y: Mask) -> None:
    dice_any.tversky_score(x, y, alpha=0.5)  # type: ignore[call-arg]
    dice_any.confusion_matrix(x, y)  # type: ignore[call-arg]
    dice_any.overlap(x)  # type: ignore[call-arg]
    dice_any.overlap(prediction=x, target=y)  # type: ignore[call-arg]


def an_overlap_is_no_number(found: Overlap) -> float:
    return found  # type: ignore[return-value]
