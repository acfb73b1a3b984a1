"""Every loss with extreme values, and no reward for a collapsed prediction."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import dice_any

from . import every_loss, recipe
from .adapters import Adapter
from .every_loss import CALLS, COMPOUND, loss, share, takes
from .test_every_loss import CLASSES, ELEMENTS, SHAPE, both, inputs

pytestmark = pytest.mark.dice_feature("loss", "activation", "averages", "closed form", "ranked")

#: tolerance to the slopes of float64, relative to the largest slope
PRECISION = {"float64": 1e-12, "float32": 2e-5, "float16": 3e-3, "bfloat16": 2e-2}


@pytest.mark.parametrize("dtype", PRECISION)
@pytest.mark.parametrize("activation", [None, "softmax", "sigmoid", "hinge"])
@pytest.mark.parametrize("name", CALLS)
def test_closed_form_at_the_ends(
    dice_backend: Adapter, name: str, activation: str | None, dtype: str
) -> None:
    """The gradient is finite, and equals that in float64."""
    if not takes(name, activation) or not dice_backend.has(dtype):
        pytest.skip("not taken")
    if dtype not in share(
        ["float32", "float64", "float16", "bfloat16"], name, dice_backend.name, 3
    ):
        pytest.skip("other losses have it here")
    function = loss(name, activation=activation)
    for case, (x, y) in every_loss.ends(name, activation).items():
        value, gradient = both(dice_backend, function, every_loss.cast(x, dtype), y)
        expected, slopes = dice_any.value_and_grad(function)(x, y, backend="reference")
        assert np.isfinite(slopes).all(), case
        assert math.isfinite(value), case
        precision = max(PRECISION[dtype], 1e-6)
        assert value == pytest.approx(float(expected), rel=precision, abs=precision), case
        assert gradient == pytest.approx(
            slopes, rel=0, abs=PRECISION[dtype] * max(abs(slopes).max(), 1e-2)
        ), case


@pytest.mark.parametrize("kind", ["labels", "masks", "memberships"])
@pytest.mark.parametrize("gamma", [0, 0.1, 0.5, 1, 2])
def test_a_class_that_is_switched_off(dice_backend: Adapter, kind: str, gamma: float) -> None:
    """A logit of −∞ is a membership of 0, and 0·ln 0 is 0, as if the class did not exist."""
    z = np.array([[2, -1, -math.inf], [0, 1.5, -math.inf], [0.5, -math.inf, 1]], dtype=np.float32)
    y: Any = np.array([0, 1, 2])
    if kind != "labels":
        y = np.eye(3, dtype=bool if kind == "masks" else np.float32)
    arguments = {"class_axis": 1, "activation": "softmax", "gamma": gamma, "dice_weight": 0}
    value, gradient = both(dice_backend, dice_any.dice_focal_loss, z, y, **arguments)
    costs, slopes = [], np.zeros((3, 3))
    for i, others in enumerate(([0, 1], [0, 1], [0, 2])):
        e = {c: math.exp(z[i, c]) for c in others}
        p = {c: e[c] / sum(e.values()) for c in others}
        q = 1 - p[i]
        costs.append(-(q**gamma) * math.log(p[i]))
        # df/dz_c = (df/d ln p_i)·(δ_ic − p_c)
        pull = gamma * p[i] * q ** (gamma - 1) * math.log(p[i]) - q**gamma
        for c in others:
            slopes[i, c] = pull * ((c == i) - p[c]) / 3
    assert value == pytest.approx(math.fsum(costs) / 3, rel=2e-6)
    assert gradient == pytest.approx(slopes, rel=1e-5, abs=1e-8)


def test_the_example_of_two_classes_of_three(dice_backend: Adapter) -> None:
    z = np.array([[2, -1, -math.inf], [0, 1.5, -math.inf]], dtype=np.float32)
    y = np.array([0, 1])
    p = [1 / (1 + math.exp(-3)), 1 / (1 + math.exp(-1.5))]
    sizes = (p[0] + 1 - p[1], p[1] + 1 - p[0])
    dice = sum(1 - (2 * p[c] + 1) / (sizes[c] + 1 + 1) for c in (0, 1)) / 3
    for function, gamma in ((dice_any.dice_cross_entropy_loss, 0), (dice_any.dice_focal_loss, 2)):
        value, gradient = both(dice_backend, function, z, y, class_axis=1, activation="softmax")
        entropy = sum(-((1 - q) ** gamma) * math.log(q) for q in p) / 2
        assert value == pytest.approx(dice + entropy, rel=2e-6)
        assert np.isfinite(gradient).all()
        assert (gradient[:, 2] == 0).all()


@pytest.mark.parametrize("gamma", [0, 0.5, 2])
@pytest.mark.parametrize("kind", ["masks", "memberships"])
def test_sigmoid_of_minus_infinity(dice_backend: Adapter, kind: str, gamma: float) -> None:
    z = np.array([-math.inf, 1.0, -2.0], dtype=np.float32)
    y = np.array([False, True, False])
    y = y if kind == "masks" else y.astype(np.float32)
    p = [0.0, *(1 / (1 + math.exp(-float(v))) for v in z[1:])]
    costs = [0.0, -((1 - p[1]) ** gamma) * math.log(p[1]), -(p[2] ** gamma) * math.log(1 - p[2])]
    arguments = {"activation": "sigmoid", "gamma": gamma, "dice_weight": 0}
    value, gradient = both(dice_backend, dice_any.dice_focal_loss, z, y, **arguments)
    assert value == pytest.approx(math.fsum(costs) / 3, rel=2e-6)
    assert gradient[0] == 0
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("gamma", [0, 0.5, 2])
def test_what_is_certainly_wrong_costs_an_infinity(
    dice_backend: Adapter, activation: str, gamma: float
) -> None:
    """A membership of exactly 0 in the target's own class gives ln 0, and has a slope."""
    z = np.array([[-math.inf, 1.0], [0.0, 0.5]], dtype=np.float32)
    y = np.array([[True, False], [False, True]])
    arguments = {"class_axis": 0, "activation": activation, "gamma": gamma, "dice_weight": 0}
    value, gradient = both(dice_backend, dice_any.dice_focal_loss, z, y, **arguments)
    assert value == math.inf
    assert np.isfinite(gradient).all()
    assert gradient[0, 0] < 0
    # a class of weight 0 may have any loss
    value, gradient = both(
        dice_backend, dice_any.dice_focal_loss, z, y, class_weight=[0, 1], **arguments
    )
    assert math.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("value", [math.inf, math.nan, "all -inf"])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("name", CALLS)
def test_what_is_no_logit_is_never_a_number(
    dice_backend: Adapter, name: str, activation: str, value: float | str
) -> None:
    if not takes(name, activation) or (value == "all -inf" and activation == "sigmoid"):
        pytest.skip("not taken")
    x, y = inputs(name, activation, "float32")
    x[1, slice(None) if value == "all -inf" else 2, 2, 3] = (
        -math.inf if value == "all -inf" else value
    )
    try:
        got = dice_backend.values(dice_backend.call(loss(name, activation=activation), x, y))
    except ValueError as error:
        assert "`prediction` must hold logits that are numbers" in str(error)  # noqa: PT017
    else:
        assert np.isnan(got)


# -- no reward for giving up -----------------------------------------------------------------------

SMOOTH = (0, 1e-5, 1.0, 100.0, (0, 1e-5))
TARGETS = {
    "here and there": recipe.labels(61, ELEMENTS, CLASSES),
    "one element": np.where(
        np.arange(40).reshape(ELEMENTS) % 20 == 7, 2, recipe.labels(63, ELEMENTS, 2)
    ),
    "halves": np.broadcast_to(np.where(np.arange(5) < 3, np.arange(4)[:, None] % 2, 2), ELEMENTS),
}


@pytest.mark.parametrize("target", TARGETS)
# a prediction of everything has no centre line that could be outside; the paper adds a Dice loss
@pytest.mark.parametrize(
    "name", [name for name in CALLS if name not in (*COMPOUND, "centerline_dice_loss")]
)
def test_a_constant_costs_more_than_the_target(
    dice_backend: Adapter, name: str, target: str
) -> None:
    """Predict nothing, everything, a half of everything, or one class everywhere."""
    y = TARGETS[target]
    masks = np.stack([y == c for c in range(CLASSES)], axis=1)
    of_classes = np.eye(CLASSES)[:, None, :, None, None]
    joint = [np.full(SHAPE, 1 / 3), *np.broadcast_to(of_classes, (CLASSES, *SHAPE))]
    apart = [np.full(SHAPE, value) for value in (0.0, 1.0, 0.5)]
    constants = joint if name == "wasserstein_dice_loss" else [*joint, *apart]
    for smooth in (None,) if name == "lovasz_loss" else SMOOTH:
        options = {} if smooth is None else {"smooth": smooth}

        def cost(x: np.ndarray, options: dict[str, Any] = options) -> float:
            got = dice_backend.call(loss(name, **options), x.astype(np.float32), masks)
            return float(dice_backend.values(got))

        honest = cost(masks * 1.0)
        assert all(cost(x) > honest + 1e-5 for x in constants), smooth


@pytest.mark.parametrize("smooth", SMOOTH)
def test_matthews_of_a_constant(dice_backend: Adapter, smooth: Any) -> None:
    """The loss is 1 where the target has both values, less towards it, more away from it; and the
    gradient is not 0.
    """
    y = np.array([True, False, False, True, False])
    toward = np.where(y, 1.0, -1.0)
    for constant in (0.0, 0.5, 1.0):
        x = np.full(5, constant, dtype=np.float32)
        value, gradient = both(dice_backend, dice_any.matthews_loss, x, y, smooth=smooth)
        assert value == 1
        assert np.isfinite(gradient).all()
        assert (gradient * toward < 0).all()
        for step in (1e-3, 1e-2):
            nearer = np.clip(constant + step * toward, 0, 1).astype(np.float32)
            farther = np.clip(constant - step * toward, 0, 1).astype(np.float32)
            costs = [
                float(
                    dice_backend.values(
                        dice_backend.call(dice_any.matthews_loss, each, y, smooth=smooth)
                    )
                )
                for each in (nearer, farther)
            ]
            assert costs[0] < 1 < costs[1]
    perfect, _ = both(dice_backend, dice_any.matthews_loss, y.astype(np.float32), y, smooth=smooth)
    assert perfect == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("full", [False, True])
def test_matthews_of_a_constant_target(dice_backend: Adapter, full: bool) -> None:
    """A constant target has no correlation: N·W / (N·W + s), W the size of the error."""
    y, n = np.full(4, full), 4
    for wrong, smooth in ((0, 0), (0, 1.0), (1.5, 1.0), (2, 0), (4, 8.0)):
        x = np.abs(y - np.array([wrong / 4] * 4)).astype(np.float32)
        value, gradient = both(dice_backend, dice_any.matthews_loss, x, y, smooth=smooth)
        expected = n * wrong / (n * wrong + smooth) if wrong else 0.0
        assert value == pytest.approx(expected, rel=1e-6)
        slope = n * smooth / (n * wrong + smooth) ** 2 if smooth else 0.0
        assert gradient == pytest.approx(np.full(4, -slope if full else slope), rel=1e-5)
