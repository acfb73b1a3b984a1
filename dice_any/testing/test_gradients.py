"""Closed-form gradients: against slopes of losses of exact fractions, and finite where the gradient
is 0.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import dice_any

from . import oracle, recipe
from .adapters import Adapter
from .every_loss import NOT_SQUARED
from .losses import COMPOUND, RATIOS, gradient_of

pytestmark = pytest.mark.dice_feature("loss", "averages", "closed form")

LOSSES = {**RATIOS, **COMPOUND}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "squared": {"form": "squared"},
    "minimum": {"form": "minimum"},
    "softmax": {"activation": "softmax"},
    "sigmoid": {"activation": "sigmoid", "smooth": (0.5, 1e-5)},
    "ignored": {"activation": "softmax", "ignore_label": 1, "absent": "skip"},
    "per sample": {"axis": "space", "class_weight": [1.0, 0.5, 2.0]},
    "foreground": {"classes": [2, 1], "reduction": "sum", "absent": "zero"},
    "weighted": {"weight": True, "activation": "softmax"},
}


def inputs(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = recipe.memberships(seed, (2, 3, 12), "float64") * 0.9 + 0.05
    return (
        x,
        recipe.labels(seed + 2, (2, 12), 3),
        recipe.memberships(seed + 3, (2, 12), "float64") + 0.1,
    )


@pytest.mark.dice_feature("exact")
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("option", OPTIONS)
def test_against_differences(dice_backend: Adapter, name: str, option: str) -> None:
    """The slope along a direction, by central differences of the loss in float64."""
    options = dict(OPTIONS[option])
    if option == "squared" and name in NOT_SQUARED:
        pytest.skip("the form is refused")
    x, y, w = inputs(1)
    if name in COMPOUND:
        options.setdefault("activation", "softmax")
    if options.pop("weight", False):
        options["weight"] = w
    loss = LOSSES[name]
    value, gradient = dice_backend.call(gradient_of(loss), x, y, class_axis=1, **options)
    gradient = dice_backend.values(gradient)
    numpy_options = {**options, "class_axis": 1}
    assert float(dice_backend.values(value)) == pytest.approx(
        float(loss(x, y, **numpy_options)), rel=1e-12
    )
    step = 1e-5
    for seed in (5, 6):
        direction = recipe.memberships(seed, x.shape, "float64") - 0.5
        ahead, behind = (float(loss(x + s * direction, y, **numpy_options)) for s in (step, -step))
        assert float((gradient * direction).sum()) == pytest.approx(
            (ahead - behind) / (2 * step), rel=1e-6, abs=1e-9
        )


@pytest.mark.dice_feature("exact")
@pytest.mark.parametrize("form", ["product", "squared"])
def test_exact_gradients_to_the_bit(dice_backend: Adapter, form: str) -> None:
    x, y = recipe.memberships(7, 40, "float64"), recipe.memberships(9, 40, "float64")
    value, gradient = dice_backend.call(
        dice_any.value_and_grad(dice_any.dice_loss), x, y, exact=True, form=form
    )
    i, a, b, _ = oracle.exact_sums(x, y, form).floats()
    bottom = (a + b) + 1.0
    ratio = (2.0 * i + 1.0) / bottom
    outer = -1.0 / bottom
    slope_i, slope_x = outer * (2.0 - ratio * 0.0), outer * (0.0 - ratio * 1.0)
    expected = [
        slope_i * q + (2.0 * slope_x * p if form == "squared" else slope_x)
        for p, q in zip(x, y, strict=True)
    ]
    assert dice_backend.bits(value) == [(1.0 - ratio).hex()]
    assert dice_backend.bits(gradient) == [float(g).hex() for g in expected]


def test_golden_gradient(dice_backend: Adapter) -> None:
    """Dice without smoothing: dL/dx = −2y/(X + Y) + 2I/(X + Y)²."""
    x, y = np.array([0.5, 1.0, 0.5], dtype=np.float32), np.array([True, True, False])
    _, gradient = dice_backend.call(dice_any.value_and_grad(dice_any.dice_loss), x, y, smooth=0)
    i, size = Fraction(3, 2), Fraction(4)
    expected = [float(-2 * int(q) / size + 2 * i / size**2) for q in y.tolist()]
    assert dice_backend.values(gradient).tolist() == expected


@pytest.mark.parametrize("name", LOSSES)
def test_finite_where_nothing_pulls(dice_backend: Adapter, name: str) -> None:
    nothing = np.zeros((2, 5), dtype=np.float32)
    absent = np.full(5, 9, dtype=np.int64)
    run = gradient_of(LOSSES[name])
    activation = {"activation": "softmax"} if name in COMPOUND else {}
    for target, options in ((nothing > 1, {}), (absent, {"ignore_label": 9})):
        value, gradient = dice_backend.call(
            run, nothing, target, class_axis=0, smooth=0, **options, **activation
        )
        assert np.isfinite(dice_backend.values(value)).all()
        assert np.isfinite(dice_backend.values(gradient)).all()
    logits = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0]], dtype=np.float32)
    _, gradient = dice_backend.call(
        run, logits, np.array([1, 1, 0]), class_axis=0, activation="softmax"
    )
    assert np.isfinite(dice_backend.values(gradient)).all()


def test_half_precision(dice_backend: Adapter) -> None:
    if not dice_backend.has("float16"):
        pytest.skip(f"{dice_backend.name} has no float16")
    x = recipe.memberships(11, (2, 30), "float16")
    y = recipe.labels(13, 30, 2)
    run = dice_any.value_and_grad(dice_any.jaccard_loss)
    value, gradient = dice_backend.call(run, x, y, class_axis=0)
    _, wide = run(x.astype(np.float32), y, class_axis=0)
    assert "float16" in str(gradient.dtype)
    assert "float32" in str(value.dtype)
    assert np.allclose(dice_backend.values(gradient), wide, rtol=1e-3)
