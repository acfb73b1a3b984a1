"""The advice in messages works: if it is followed exactly, the result is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dice_any

from .adapters import Adapter
from .advice import follow
from .capabilities import limit

P = np.array([[0, 1, 2, 2], [0, 0, 1, 1]], dtype=np.int32)
T = np.array([[0, 2, 2, 1], [0, 0, 1, 2]], dtype=np.int32)
#: by class along axis 1
SOFT = np.array(
    [
        [[0.5, 0.25, 0.0, 0.25], [0.25, 0.5, 0.25, 0.0], [0.25, 0.25, 0.75, 0.75]],
        [[0.75, 1.0, 0.25, 0.0], [0.0, 0.0, 0.5, 0.5], [0.25, 0.0, 0.25, 0.5]],
    ],
    dtype=np.float32,
)


def one_hot(labels: np.ndarray) -> np.ndarray:
    return np.stack([labels == c for c in range(3)], axis=1)


def dice(x: np.ndarray, y: np.ndarray) -> float:
    x, y = x.astype(np.float64), y.astype(np.float64)
    return float(2 * (x * y).sum() / (x.sum() + y.sum()))


def by_class(x: np.ndarray, y: np.ndarray) -> list[float]:
    return [dice(x[:, c], y[:, c]) for c in range(x.shape[1])]


LABELS = by_class(one_hot(P), one_hot(T))
SOFT_LABELS = by_class(SOFT, one_hot(T))
ONE = dice(P == 1, T == 1)
CHANNEL = dice(SOFT[:, 0], T == 1)
OPEN = {"num_classes": 3, "class_axis": 1}
AXIS, CLASSES = {"class_axis": 1}, {"num_classes": 3}
#: labels as in files: floating numbers, some with a rounding error
OFF = np.float32(1e-3)
FLOAT_T = T.astype(np.float32) + OFF * np.array([[0, -1, 1, 0], [0, 0, -1, 1]], dtype=np.float32)
#: the arrays, the arguments, which advice to follow, the result
CASES: dict[str, tuple[np.ndarray, np.ndarray, dict[str, Any], tuple[str, ...], Any]] = {
    "one channel": (SOFT[:, :1], T, AXIS, (), [CHANNEL]),
    "one channel without its axis": (SOFT[:, :1], T, AXIS, ("without `class_axis`",), CHANNEL),
    "one channel, target too": (SOFT[:, :1], T[:, None], AXIS, (), [CHANNEL]),
    "one channel, axis not named": (SOFT[:, :1], T, {}, (), CHANNEL),
    "one channel, mask": (SOFT[:, :1], T == 1, AXIS, (), [CHANNEL]),
    "one channel, mask, axis not named": (SOFT[:, :1], T == 1, {}, (), CHANNEL),
    "one mask, target with a class axis": (P == 1, (T == 1)[:, None], {}, (), ONE),
    "one mask, label map with a class axis": (P == 1, T[:, None], {}, (), ONE),
    "one mask, label map": (P == 1, T, {}, ("target == 1",), ONE),
    "class axis not named": (SOFT, T, {}, (), SOFT_LABELS),
    "wrong class axis": (SOFT, T, {"class_axis": 2}, (), SOFT_LABELS),
    "label map with a class axis": (SOFT, T[:, None], AXIS, (), SOFT_LABELS),
    "label map with a class axis, not named": (SOFT, T[:, None], {}, (), SOFT_LABELS),
    "label map with a last axis": (SOFT, T[..., None], AXIS, (), SOFT_LABELS),
    "floating label map": (SOFT, FLOAT_T, AXIS, (), SOFT_LABELS),
    "floating label map, axis not named": (SOFT, FLOAT_T, {}, (), SOFT_LABELS),
    "floating label map with a class axis": (SOFT, FLOAT_T[:, None], AXIS, (), SOFT_LABELS),
    "the same, not named": (SOFT, FLOAT_T[:, None], {}, (), SOFT_LABELS),
    "floating label map with a last axis": (SOFT, FLOAT_T[..., None], AXIS, (), SOFT_LABELS),
    "one-hot integers": (SOFT, one_hot(T).astype(np.int32), AXIS, (), SOFT_LABELS),
    "one-hot integers, axis not named": (
        SOFT,
        one_hot(T).astype(np.int32),
        {},
        ("one-hot",),
        SOFT_LABELS,
    ),
    "two one-hot arrays": (
        one_hot(P).astype(np.int32),
        one_hot(T).astype(np.uint8),
        AXIS,
        (),
        LABELS,
    ),
    "two one-hot arrays, axis not named": (
        one_hot(P).astype(np.uint8),
        one_hot(T).astype(np.uint8),
        {},
        ("one-hot",),
        LABELS,
    ),
    "one-hot prediction, label map": (one_hot(P).astype(np.int32), T, AXIS, (), LABELS),
    "the same, axis not named": (one_hot(P).astype(np.int32), T, {}, (), LABELS),
    "one-hot prediction, masks": (one_hot(P).astype(np.int32), one_hot(T), AXIS, (), LABELS),
    "label map, one-hot integers": (P, one_hot(T).astype(np.int32), {}, (), LABELS),
    "label map, masks": (P, one_hot(T), {}, (), LABELS),
    "label map, one-hot numbers": (P, one_hot(T).astype(np.float32), {}, (), LABELS),
    "two label maps": (P, T, {}, (), LABELS),
    "two label maps, one label": (P, T, {}, ("prediction == 1",), ONE),
    "two label maps with a class axis": (P, T, {"class_axis": 0}, ("leave it out",), LABELS),
    "label map, floating label map": (P, FLOAT_T, {}, ("both are label maps",), LABELS),
    "label map, label map with an axis": (P, T[:, None], {}, (), LABELS),
    "label map, mask": (P, T == 1, {}, ("prediction == 1",), ONE),
    "0 and 255": ((P == 1) * np.uint8(255), (T == 1) * np.uint8(255), {}, ("masks of",), ONE),
    "0 and 255 beside a mask": (P == 1, (T == 1) * np.uint8(255), {}, ("target > 0",), ONE),
    "mask beside 0 and 255": ((P == 1) * np.uint8(255), T == 1, {}, ("prediction > 0",), ONE),
    "two floating label maps": (P.astype(np.float32), FLOAT_T, CLASSES, ("label maps",), LABELS),
    "two masks of two classes": (
        P == 1,
        T == 1,
        {"num_classes": 2},
        ("label maps",),
        [dice(P != 1, T != 1), ONE],
    ),
    "mask of two classes": (
        np.stack([1 - SOFT[:, 0], SOFT[:, 0]], axis=1),
        T == 1,
        AXIS,
        (),
        [dice(1 - SOFT[:, 0], T != 1), CHANNEL],
    ),
}
WEIGHT = np.array([[1, 2, 0, 1], [3, 1, 1, 2]])
WEIGHTED = [
    2 * (WEIGHT * SOFT[:, c] * (c == T)).sum() / (WEIGHT * SOFT[:, c] + WEIGHT * (c == T)).sum()
    for c in range(3)
]
WEIGHTS: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "weight of a label map, with a class axis": (T, WEIGHT[:, None]),
    "weight of masks, without a class axis": (one_hot(T), WEIGHT),
}
#: cases that depend on values, where Python may read them
VALUES: dict[str, tuple[np.ndarray, np.ndarray, dict[str, Any], tuple[str, ...], Any]] = {
    "two floating label maps": (P.astype(np.float32), FLOAT_T, {}, ("label maps",), LABELS),
    "floating label map beside a mask": (P == 1, FLOAT_T, {}, (), ONE),
    "mask beside a floating label map": (P + OFF, T == 1, {}, (), ONE),
    "floating label map beside memberships": (
        SOFT[:, 0],
        FLOAT_T,
        {},
        ("target alone",),
        CHANNEL,
    ),
    "floating label map beside one channel": (SOFT[:, :1], FLOAT_T[:, None], AXIS, (), [CHANNEL]),
    "0 and 255 as numbers": ((P == 1) * 255.0, (T == 1) * np.float32(255), {}, (), ONE),
    "0 and 255 by class": (SOFT, one_hot(T) * np.float32(255), AXIS, (), SOFT_LABELS),
    **{
        f"0 and {top}, {place}": (*arrays, {}, (), ONE)
        for top in (2, 7.5, 100, 128, 65535)
        for place, arrays in {
            "prediction": ((P == 1) * np.float32(top), T == 1),
            "target": (P == 1, (T == 1) * np.float32(top)),
            "both": ((P == 1) * np.float32(top), (T == 1) * np.float32(2)),
        }.items()
    },
    "0 and 3 with a rounding error": ((P == 1) * np.float32(3) + OFF, T == 1, {}, (), ONE),
    "-1 and 1": ((P == 1) * np.float32(2) - 1, (T == 1) * np.float32(2) - 1, {}, (), ONE),
    **{
        f"memberships of {top}, {place}": (*arrays, {}, picks, CHANNEL)
        for top, way in ((100, "percentages"), (255, "bytes"), (65535, "16 bits"))
        for place, arrays, picks in (
            ("prediction", (SOFT[:, 0] * np.float32(top), T == 1), (f"/ {top}",)),
            ("both", (SOFT[:, 0] * np.float32(top), (T == 1) * np.float32(top)), ("> 0", way)),
        )
    },
    "bytes by class": (SOFT * np.float32(255), T, AXIS, ("/ 255",), SOFT_LABELS),
    "bytes in the target": (SOFT, SOFT * np.float32(255), AXIS, ("/ 255",), by_class(SOFT, SOFT)),
    "labels in one channel": (P[:, None] + OFF, (T == 1)[:, None], AXIS, (), [ONE]),
}
#: what are no label maps of one shape
MAPS: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "one-hot integers": (one_hot(P).astype(np.int32), T),
    "one-hot numbers": (one_hot(P).astype(np.float32), T),
    "masks": (one_hot(P), T),
    "one-hot target": (P, one_hot(T).astype(np.int32)),
    "masks in the target": (P, one_hot(T)),
    "two of numbers": (P.astype(np.float32), FLOAT_T),
    "numbers": (P, FLOAT_T),
    "a lone axis": (P[:, None], T),
    "numbers with a lone axis": (P, FLOAT_T[..., None]),
}


@pytest.mark.dice_feature("hard", "averages")
@pytest.mark.parametrize("name", CASES)
def test_kinds_and_shapes(dice_backend: Adapter, name: str) -> None:
    x, y, arguments, picks, expected = CASES[name]
    with pytest.raises((TypeError, ValueError)):
        dice_any.dice_score(dice_backend(x), dice_backend(y), **arguments)
    score = follow_with(dice_backend, x, y, arguments, picks)
    assert score == pytest.approx(expected, rel=1e-6)


def follow_with(
    backend: Adapter,
    x: np.ndarray,
    y: np.ndarray,
    arguments: dict[str, Any],
    picks: tuple[str, ...],
) -> Any:
    """Return the score that results from the advice."""
    function = dice_any.dice_score
    answer = follow(function, backend(x), backend(y), picks=picks, given=arguments, **OPEN)
    return backend.values(answer).tolist()


@pytest.mark.dice_feature("hard", "averages")
@pytest.mark.parametrize("name", VALUES)
def test_values(dice_backend: Adapter, name: str) -> None:
    if limit(dice_backend.name, "errors") is not None:
        pytest.skip("nobody looks")
    x, y, arguments, picks, expected = VALUES[name]
    x, y = (a.astype(np.float32) if a.dtype == np.float64 else a for a in (x, y))
    with pytest.raises(ValueError, match="must hold memberships"):
        dice_any.dice_score(dice_backend(x), dice_backend(y), **arguments)
    assert follow_with(dice_backend, x, y, arguments, picks) == pytest.approx(expected, rel=1e-6)


@pytest.mark.dice_feature("hard")
@pytest.mark.parametrize("name", MAPS)
def test_label_maps(dice_backend: Adapter, name: str) -> None:
    x, y = map(dice_backend, MAPS[name])
    for wrong in ({"num_classes": 3}, {"num_classes": None}):
        with pytest.raises((TypeError, ValueError)) as caught:
            dice_any.confusion_matrix(x, y, **wrong)
        assert "class_axis" not in str(caught.value)
        assert "Leave it out" not in str(caught.value)
    matrix = follow(dice_any.confusion_matrix, x, y, given={"num_classes": 3})
    pairs = [[int(((t == T) & (p == P)).sum()) for p in range(3)] for t in range(3)]
    assert dice_backend.values(matrix).tolist() == pairs


@pytest.mark.dice_feature("averages")
@pytest.mark.parametrize("name", WEIGHTS)
def test_weights(dice_backend: Adapter, name: str) -> None:
    target, weight = WEIGHTS[name]
    arguments = {"class_axis": 1, "weight": dice_backend(weight)}
    with pytest.raises(ValueError, match="`weight` must have as many axes as the target"):
        dice_any.dice_score(dice_backend(SOFT), dice_backend(target), **arguments)
    score = follow_with(dice_backend, SOFT, target, arguments, ())
    assert score == pytest.approx(WEIGHTED, rel=1e-6)
