"""Centre-line Dice: against skeletons drawn element by element."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest

import dice_any

from . import recipe
from .adapters import Adapter

pytestmark = pytest.mark.dice_feature("loss", "activation", "averages", "ranked")

CLASSES = 3


def erode(x: np.ndarray) -> np.ndarray:
    """Return the smallest of each element and its neighbours along each axis."""
    out = np.empty_like(x)
    for place in np.ndindex(*x.shape):
        near = [place]
        for axis, step in product(range(x.ndim), (-1, 1)):
            other = tuple(p + step * (a == axis) for a, p in enumerate(place))
            if 0 <= other[axis] < x.shape[axis]:
                near.append(other)
        out[place] = min(x[other] for other in near)
    return out


def dilate(x: np.ndarray) -> np.ndarray:
    """Return the largest value in the box around each element."""
    out = np.empty_like(x)
    for place in np.ndindex(*x.shape):
        out[place] = x[tuple(slice(max(p - 1, 0), p + 2) for p in place)].max()
    return out


def skeleton(x: np.ndarray, iterations: int) -> np.ndarray:
    drawn = np.maximum(x - dilate(erode(x)), 0)
    for _ in range(iterations):
        x = erode(x)
        edge = np.maximum(x - dilate(erode(x)), 0)
        drawn = drawn + edge * (1 - drawn)
    return drawn


def parts(x: np.ndarray, y: np.ndarray, w: np.ndarray, iterations: int) -> np.ndarray:
    """Return four sums: the part of each skeleton in the other set, and its size."""
    sx, sy = skeleton(x, iterations), skeleton(y, iterations)
    return np.array([math.fsum((v * w).ravel()) for v in (sx * y, sx, sy * x, sy)])


def loss_of(rows: np.ndarray, smooth: float) -> float:
    inside, size, reached, true_size = rows
    p, s = (inside + smooth) / (size + smooth), (reached + smooth) / (true_size + smooth)
    return 1 - 2 * p * s / (p + s)


def values(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return memberships that are all different."""
    return recipe.integers(seed, shape, 2**24).astype(np.float64) * 2.0**-24


def tubes(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return labels in bands, so that there are skeletons."""
    rows = recipe.labels(seed, (*shape[:2], 1), CLASSES)
    return np.where(recipe.masks(seed + 1, shape), rows, 0)


def run(backend: Adapter, *arrays: Any, **arguments: Any) -> np.ndarray:
    return backend.values(backend.call(dice_any.centerline_dice_loss, *arrays, **arguments))


@pytest.mark.parametrize("option", ["plain", "ignored", "weighted"])
@pytest.mark.parametrize("iterations", [0, 2])
def test_label_maps(dice_backend: Adapter, option: str, iterations: int) -> None:
    x, y = values(1, (2, CLASSES, 6, 7)).astype(np.float32), tubes(3, (2, 6, 7))
    w, arguments = np.ones((2, 6, 7)), {}
    if option == "ignored":
        y[0, 2:4, 1:3], arguments = 255, {"ignore_label": 255}
        x[0, :, 2, 2] = np.nan
        w = (y != 255).astype(np.float64)
    if option == "weighted":
        w = recipe.integers(5, (2, 6, 7), 4).astype(np.float64) * 0.25
        arguments = {"weight": w.astype(np.float32)}
    clean = np.where((w > 0)[:, None], x, 0).astype(np.float64)
    rows = np.array(
        [
            [
                parts(clean[n, c], (y[n] == c) * (w[n] > 0) * 1.0, w[n], iterations)
                for c in range(CLASSES)
            ]
            for n in range(2)
        ]
    )
    expected = np.array([[loss_of(cell, 1) for cell in sample] for sample in rows])
    common = {"class_axis": 1, "iterations": iterations, **arguments}
    assert run(dice_backend, x, y, reduction="none", **common) == pytest.approx(
        expected, rel=2e-6, abs=1e-6
    )
    foreground = run(dice_backend, x, y, classes="foreground", class_weight=[5, 1, 3], **common)
    assert float(foreground) == pytest.approx(
        (expected[:, 1:] * [1, 3]).sum() / 8, rel=2e-6, abs=1e-6
    )
    pooled = [loss_of(sample.sum(axis=0), 0.1) for sample in rows]
    assert float(run(dice_backend, x, y, average="micro", smooth=0.1, **common)) == pytest.approx(
        np.mean(pooled), rel=2e-6
    )
    batch = [loss_of(rows[:, c].sum(axis=0), 1) for c in range(CLASSES)]
    got = run(dice_backend, x, y, axis=None, spatial_axes=(2, 3), **common)
    assert float(got) == pytest.approx(np.mean(batch), rel=2e-6, abs=1e-6)


def test_volumes_without_classes(dice_backend: Adapter) -> None:
    x, y = values(7, (2, 4, 3, 5)).astype(np.float32), recipe.masks(9, (2, 4, 3, 5))
    expected = [
        loss_of(parts(a.astype(np.float64), b * 1.0, np.ones(a.shape), 1), 1)
        for a, b in zip(x, y, strict=True)
    ]
    assert run(dice_backend, x, y, iterations=1, reduction="none") == pytest.approx(
        np.array(expected), rel=2e-6
    )


@pytest.mark.dice_feature("closed form", "exact")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {
            "activation": "softmax",
            "classes": "foreground",
            "class_weight": "simple",
            "absent": "skip",
        },
        {"activation": "sigmoid", "ignore_label": 1, "reduction": "sum", "smooth": 0},
        {
            "activation": "softmax",
            "average": "micro",
            "weight": True,
            "axis": None,
            "spatial_axes": (2, 3),
        },
    ],
    ids=["memberships", "softmax", "sigmoid", "micro"],
)
def test_gradients_against_differences(dice_backend: Adapter, options: dict[str, Any]) -> None:
    options = dict(options)
    x, y = values(11, (2, CLASSES, 5, 6)), tubes(13, (2, 5, 6))
    if options.get("weight"):
        options["weight"] = recipe.integers(15, (2, 5, 6), 4).astype(np.float64) * 0.25
    loss = dice_any.centerline_dice_loss
    value, gradient = dice_backend.call(
        dice_any.value_and_grad(loss), x, y, class_axis=1, iterations=2, **options
    )
    gradient = dice_backend.values(gradient)
    common = {"class_axis": 1, "iterations": 2, **options}
    assert float(dice_backend.values(value)) == pytest.approx(float(loss(x, y, **common)))
    direction = values(17, x.shape) - 0.5
    ahead, behind = (float(loss(x + s * direction, y, **common)) for s in (1e-7, -1e-7))
    assert float((gradient * direction).sum()) == pytest.approx((ahead - behind) / 2e-7, rel=1e-5)


@pytest.mark.dice_feature("closed form")
def test_finite_where_nothing_is(dice_backend: Adapter) -> None:
    nothing = np.zeros((1, 4, 4), dtype=np.float32)
    value, gradient = dice_backend.call(
        dice_any.value_and_grad(dice_any.centerline_dice_loss), nothing, nothing > 1, smooth=0
    )
    assert float(dice_backend.values(value)) == 0.0
    assert (dice_backend.values(gradient) == 0).all()


def test_a_label_out_of_range_is_never_a_number(dice_backend: Adapter) -> None:
    x, y = values(19, (1, CLASSES, 4, 4)).astype(np.float32), np.full((1, 4, 4), CLASSES)
    try:
        got = run(dice_backend, x, y, class_axis=1)
    except ValueError as error:
        assert "`target` must hold labels from 0 to 2" in str(error)  # noqa: PT017
    else:
        assert np.isnan(got)
