"""Generalised Wasserstein Dice: against sums of distances, element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import dice_any

from . import recipe
from .adapters import Adapter

pytestmark = pytest.mark.dice_feature("loss", "activation", "averages", "ranked")

CLASSES = 3
#: not symmetric, its largest number not 1
DISTANCES = [[0.0, 2.0, 1.5], [1.0, 0.0, 0.5], [2.0, 0.25, 0.0]]


def memberships(seed: int) -> np.ndarray:
    x = recipe.integers(seed, (2, CLASSES, 8), 2**20).astype(np.float64) + 1
    return x / x.sum(axis=1, keepdims=True)


def loss_of(x: np.ndarray, y: np.ndarray, w: np.ndarray, v: list[float], smooth: float) -> float:
    """Return the loss of one sample: x (C, K), labels y, weights w of elements and v of classes."""
    agreement, distance = [], []
    for i in range(len(y)):
        if w[i]:
            far = math.fsum(DISTANCES[y[i]][c] / 2 * x[c, i] for c in range(CLASSES))
            agreement.append(w[i] * v[y[i]] * (1 - far))
            distance.append(w[i] * far)
    top, below = 2 * math.fsum(agreement), math.fsum(distance)
    return 1 - (top + smooth) / (top + below + smooth)


def run(backend: Adapter, *arrays: Any, **arguments: Any) -> np.ndarray:
    loss = dice_any.wasserstein_dice_loss
    return backend.values(
        backend.call(loss, *arrays, class_axis=1, distances=DISTANCES, **arguments)
    )


@pytest.mark.parametrize("option", ["plain", "ignored", "weighted"])
def test_label_maps(dice_backend: Adapter, option: str) -> None:
    x, y = memberships(1), recipe.labels(3, (2, 8), CLASSES)
    w, v, arguments = np.ones((2, 8)), [0.0, 1.0, 1.0], {}
    if option == "ignored":
        y[0, 2:5], arguments = 255, {"ignore_label": 255}
        w = (y != 255).astype(np.float64)
        x[0, :, 3] = np.nan
    if option == "weighted":
        w = recipe.integers(5, (2, 8), 4).astype(np.float64) * 0.25
        v, arguments = (
            [0.5, 1.0, 2.0],
            {"weight": w.astype(np.float32), "class_weight": [0.5, 1, 2]},
        )
    expected = [loss_of(x[n], y[n], w[n], v, 1) for n in range(2)]
    got = run(dice_backend, x.astype(np.float32), y, axis="space", reduction="none", **arguments)
    assert got == pytest.approx(np.array(expected), rel=2e-6)
    whole = loss_of(np.concatenate([*x], axis=1), y.ravel(), w.ravel(), v, 0.5)
    assert float(
        run(dice_backend, x.astype(np.float32), y, smooth=0.5, **arguments)
    ) == pytest.approx(whole, rel=2e-6)


def test_soft_targets_are_means_of_labels(dice_backend: Adapter) -> None:
    """Two equal elements, one of each label, are like one element with the target (½, ½)."""
    x = memberships(7)[:1, :, :1].astype(np.float32)
    labels = float(run(dice_backend, np.concatenate([x, x], axis=2), np.array([[1, 2]]), smooth=0))
    soft = float(run(dice_backend, x, np.array([[[0], [0.5], [0.5]]], dtype=np.float32), smooth=0))
    assert soft == pytest.approx(labels, rel=1e-6)


def test_all_distances_1_are_a_dice_loss(dice_backend: Adapter) -> None:
    """For hard predictions and the foreground, A counts the true positives and D the errors of
    every class.
    """
    labels, y = recipe.labels(9, (1, 40), CLASSES), recipe.labels(11, (1, 40), CLASSES)
    x = np.stack([labels == c for c in range(CLASSES)], axis=1).astype(np.float32)
    right = int(((labels == y) & (y > 0)).sum())
    wrong = int((labels != y).sum())
    ones = 1 - np.eye(CLASSES)
    got = dice_backend.call(
        dice_any.wasserstein_dice_loss, x, y, class_axis=1, distances=ones.tolist(), smooth=0
    )
    assert float(dice_backend.values(got)) == pytest.approx(
        1 - 2 * right / (2 * right + wrong), rel=1e-6
    )


@pytest.mark.dice_feature("closed form", "exact")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"activation": "softmax", "axis": "space", "class_weight": "simple", "absent": "skip"},
        {
            "activation": "softmax",
            "ignore_label": 1,
            "reduction": "sum",
            "classes": [0, 2],
            "smooth": 0,
        },
        {"activation": "softmax", "weight": True, "axis": "space"},
    ],
    ids=["memberships", "softmax", "ignored", "weighted"],
)
def test_gradients_against_differences(dice_backend: Adapter, options: dict[str, Any]) -> None:
    options = dict(options)
    x, y = memberships(13), recipe.labels(15, (2, 8), CLASSES)
    if options.get("weight"):
        options["weight"] = recipe.integers(17, (2, 8), 4).astype(np.float64) * 0.25
    loss = dice_any.wasserstein_dice_loss
    common = {"class_axis": 1, "distances": DISTANCES, **options}
    arguments = {"class_axis": 1, "distances": DISTANCES, **options}
    value, gradient = dice_backend.call(dice_any.value_and_grad(loss), x, y, **arguments)
    gradient = dice_backend.values(gradient)
    assert float(dice_backend.values(value)) == pytest.approx(float(loss(x, y, **common)))
    direction = memberships(19) - 0.5
    ahead, behind = (float(loss(x + s * direction, y, **common)) for s in (1e-6, -1e-6))
    assert float((gradient * direction).sum()) == pytest.approx((ahead - behind) / 2e-6, rel=1e-6)


@pytest.mark.dice_feature("closed form")
def test_background_alone_pulls_nowhere_it_should_not(dice_backend: Adapter) -> None:
    x = np.zeros((1, CLASSES, 4), dtype=np.float32)
    x[:, 0] = 1
    run = dice_any.value_and_grad(dice_any.wasserstein_dice_loss)
    value, gradient = dice_backend.call(
        run, x, np.zeros((1, 4), dtype=np.int64), class_axis=1, distances=DISTANCES, smooth=0
    )
    assert float(dice_backend.values(value)) == 0.0
    assert np.isfinite(dice_backend.values(gradient)).all()


def test_a_label_out_of_range_is_never_a_number(dice_backend: Adapter) -> None:
    x, y = memberships(21).astype(np.float32), np.full((2, 8), CLASSES)
    try:
        got = run(dice_backend, x, y)
    except ValueError as error:
        assert "`target` must hold labels from 0 to 2" in str(error)  # noqa: PT017
    else:
        assert np.isnan(got)
