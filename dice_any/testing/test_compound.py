"""Dice plus cross-entropy and its focal form: against sums of Python's own logarithms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import dice_any

from . import recipe
from .adapters import Adapter

pytestmark = pytest.mark.dice_feature("loss", "activation", "averages")

CLASSES = 3


def logits(seed: int) -> np.ndarray:
    return (recipe.memberships(seed, (2, CLASSES, 9)) * 8 - 4).astype(np.float32)


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z.astype(np.float64))
    return e / e.sum(axis=1, keepdims=True)


def cost(p: float, gamma: float) -> float:
    return -((1 - p) ** gamma) * math.log(p)


def entropy_of_labels(
    p: np.ndarray, y: np.ndarray, gamma: float, w: Any, v: Any, ignored: int | None
) -> float:
    """Σ w·v·f(p) / Σ w·v over the counted elements."""
    terms, shares = [], []
    for n, i in np.ndindex(*y.shape):
        if y[n, i] != ignored:
            share = float(w[n, i]) * v[y[n, i]]
            terms.append(share * cost(float(p[n, y[n, i], i]), gamma))
            shares.append(share)
    return math.fsum(terms) / math.fsum(shares)


def dice_of_labels(p: np.ndarray, y: np.ndarray, w: np.ndarray, ignored: int | None) -> np.ndarray:
    """Dice losses (N, C) with a smoothing of 1."""
    counted = w * (y != ignored)
    losses = np.empty(p.shape[:2])
    for n, c in np.ndindex(*losses.shape):
        i, x, t = (math.fsum(v * counted[n]) for v in (p[n, c] * (y[n] == c), p[n, c], y[n] == c))
        losses[n, c] = 1 - (2 * i + 1) / (x + t + 1)
    return losses


def run(backend: Adapter, gamma: float, *arrays: Any, **arguments: Any) -> np.ndarray:
    if gamma == 0:
        return backend.values(backend.call(dice_any.dice_cross_entropy_loss, *arrays, **arguments))
    return backend.values(backend.call(dice_any.dice_focal_loss, *arrays, gamma=gamma, **arguments))


@pytest.mark.parametrize("gamma", [0, 0.5, 2])
@pytest.mark.parametrize("option", ["plain", "ignored", "weighted"])
def test_labels(dice_backend: Adapter, option: str, gamma: float) -> None:
    z, y = logits(1), recipe.labels(3, (2, 9), CLASSES)
    w, v, ignored = np.ones((2, 9)), [1.0, 1.0, 1.0], None
    arguments: dict[str, Any] = {}
    if option == "ignored":
        y[0, :4], ignored = 255, 255
        z[0, 1, 2] = math.nan
        arguments = {"ignore_label": 255}
    if option == "weighted":
        w, v = recipe.memberships(5, (2, 9)).astype(np.float64), [0.5, 2.0, 1.0]
        w[1, 3] = 0
        z[1, :, 3] = math.nan
        arguments = {"weight": w.astype(np.float32), "class_weight": v}
        w = w.astype(np.float32).astype(np.float64)
    p = softmax(np.where(np.isnan(z), 0, z))
    losses = dice_of_labels(p, y, w, ignored)
    dice = (losses * v).sum(axis=1) / sum(v)
    entropy = entropy_of_labels(p, y, gamma, w, v, ignored)
    common = {"class_axis": 1, "activation": "softmax", "axis": "space", **arguments}
    assert float(run(dice_backend, gamma, z, y, **common)) == pytest.approx(
        dice.mean() + entropy, rel=2e-6
    )
    each = run(dice_backend, gamma, z, y, reduction="none", dice_weight=0.5, **common)
    assert each == pytest.approx(0.5 * dice + entropy, rel=2e-6)


@pytest.mark.parametrize("gamma", [0, 1.5])
def test_masks_that_overlap(dice_backend: Adapter, gamma: float) -> None:
    """With sigmoid every class has a complement, and soft targets are the weights of the two."""
    z, t = logits(7), recipe.memberships(9, (2, CLASSES, 9))
    p = 1 / (1 + np.exp(-z.astype(np.float64)))
    terms = [
        float(t[i]) * cost(float(p[i]), gamma) + (1 - float(t[i])) * cost(1 - float(p[i]), gamma)
        for i in np.ndindex(*z.shape)
    ]
    got = run(dice_backend, gamma, z, t, class_axis=1, activation="sigmoid", dice_weight=0)
    assert float(got) == pytest.approx(math.fsum(terms) / len(terms), rel=2e-6)
    dice = dice_backend.values(
        dice_backend.call(dice_any.dice_loss, z, t, class_axis=1, activation="sigmoid")
    )
    got = run(dice_backend, gamma, z, t, class_axis=1, activation="sigmoid")
    assert float(got) == pytest.approx(float(dice) + math.fsum(terms) / len(terms), rel=2e-6)


def test_classes_concern_the_dice_part_only(dice_backend: Adapter) -> None:
    z, y = logits(11), recipe.labels(13, (2, 9), CLASSES)
    common = {"class_axis": 1, "activation": "softmax"}
    whole = [
        float(run(dice_backend, 0, z, y, classes=classes, dice_weight=0, **common))
        for classes in (None, "foreground", [2])
    ]
    assert whole == [whole[0]] * 3
    dice = dice_backend.values(
        dice_backend.call(dice_any.dice_loss, z, y, classes="foreground", **common)
    )
    assert float(run(dice_backend, 0, z, y, classes="foreground", **common)) == pytest.approx(
        float(dice) + whole[0], rel=1e-6
    )


def test_class_weights_from_sizes(dice_backend: Adapter) -> None:
    z, y = logits(15), recipe.labels(17, (2, 9), CLASSES)
    sizes = [int((y == c).sum()) for c in range(CLASSES)]
    v = [min(sizes) / size for size in sizes]
    common = {"class_axis": 1, "activation": "softmax"}
    named, given = (
        float(run(dice_backend, 0, z, y, class_weight=weight, **common)) for weight in ("simple", v)
    )
    assert named == pytest.approx(given, rel=1e-6)
    expected = entropy_of_labels(softmax(z), y, 0, np.ones((2, 9)), v, None)
    got = run(dice_backend, 0, z, y, class_weight="simple", dice_weight=0, **common)
    assert float(got) == pytest.approx(expected, rel=2e-6)


def test_nothing_left_costs_nothing(dice_backend: Adapter) -> None:
    z, y = logits(19), np.full((2, 9), 7)
    common = {"class_axis": 1, "activation": "softmax", "ignore_label": 7}
    assert float(run(dice_backend, 2, z, y, dice_weight=0, **common)) == 0.0
    assert np.isfinite(
        run(
            dice_backend,
            0,
            z * 1e4,
            recipe.labels(3, (2, 9), CLASSES),
            class_axis=1,
            activation="softmax",
        )
    )


def test_a_label_out_of_range_is_never_a_number(dice_backend: Adapter) -> None:
    z, y = logits(21), recipe.labels(23, (2, 9), CLASSES)
    y[1, 2] = CLASSES
    try:
        got = run(dice_backend, 0, z, y, class_axis=1, activation="softmax")
    except ValueError as error:
        assert "`target` must hold labels from 0 to 2" in str(error)  # noqa: PT017
    else:
        assert np.isnan(got)
