"""Exact cross-entropy and focal terms and their gradients, to the bit: by integer steps in Python,
then the stated sequence of float operations.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import dice_any

from . import oracle, recipe
from .adapters import Adapter
from .capabilities import limit

pytestmark = pytest.mark.dice_feature("loss", "closed form", "exact", "activation", "averages")

CLASSES, SIZE = 3, 20
#: kind of target, whether there are weights
CASES = [("labels", False), ("labels", True), ("memberships", False), ("memberships", True)]


def logits(dtype: str = "float64") -> np.ndarray:
    """Return logits (classes, elements) that are ordinary, large, tiny, equal, and −∞."""
    z = recipe.memberships(71, (CLASSES, SIZE), "float64") * 24 - 12
    z[0, 0], z[1, 1], z[:, 2] = 1e4, -1e4, 1.5
    z[1, 3] = -np.inf
    z[0, 4], z[1, 4] = 1e-40, -1e-40
    return z.astype(dtype)


def targets(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what to pass, and the memberships that it means; nothing has the logit −∞."""
    if kind == "labels":
        y = recipe.labels(73, SIZE, CLASSES)
        y[3] = 2
        return y, (y == np.arange(CLASSES)[:, None]).astype(np.float64)
    t = recipe.memberships(75, (CLASSES, SIZE), "float64")
    t[:, 5] = 0.0, 1.0, 0.0
    t[1, 3] = 0.0
    return t, t


def call(
    backend: Adapter,
    gamma: float,
    kind: str,
    weighted: bool,
    activation: str,
    dtype: str = "float64",
) -> Any:
    """Return the mean entropy alone and its gradient."""
    target, _ = targets(kind)
    z = logits(dtype)
    given: dict[str, Any] = {"class_axis": 0, "activation": activation, "exact": True}
    given |= {"dice_weight": 0}
    if activation == "sigmoid":
        z = np.where(np.isinf(z), -50.0, z)
    if weighted:
        given["weight"] = weights() if kind == "labels" else weights()[None]
    loss: Any = dice_any.dice_cross_entropy_loss if gamma == 0 else dice_any.dice_focal_loss
    if gamma:
        given["gamma"] = gamma
    return backend.call(dice_any.value_and_grad(loss), z, target, **given)


def weights() -> np.ndarray:
    w = recipe.memberships(77, SIZE, "float64") * 3
    w[6] = 0.0
    return w


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gamma", [0, 0.5, 2])
@pytest.mark.parametrize(("kind", "weighted"), CASES)
def test_softmax(
    dice_backend: Adapter, kind: str, weighted: bool, gamma: float, dtype: str
) -> None:
    _, t = targets(kind)
    w = weights() if weighted else np.ones(SIZE)
    z = logits(dtype).astype(np.float64)
    columns = [oracle.costs_of_softmax(column, gamma) for column in z.T.tolist()]
    total, share = [0] * CLASSES, [0] * CLASSES
    for i, column in enumerate(columns):
        for c, (cost, focus) in enumerate(column):
            share[c] += oracle.quantum(t[c, i] * w[i])
            if t[c, i]:
                term = focus * cost if gamma else cost
                total[c] += oracle.quantum(t[c, i] * term * w[i])
    value, gradient = call(dice_backend, gamma, kind, weighted, "softmax", dtype)
    expected = np.asarray(added(total) / added(share)).astype(dtype)
    assert dice_backend.bits(value) == [float(expected).hex()]
    if gamma == 0:
        # memberships as they are kept in the array that becomes the gradient
        p, slope = oracle.softmax(z).astype(dtype).astype(np.float64), 1.0 / added(share)
        pull = [-slope * t[c] * w for c in range(CLASSES)]
        through, whole = ((row[0] + row[2]) + row[1] for row in (pull, p))  # in the halving tree
        expected = np.stack([pull[c] * whole - p[c] * through for c in range(CLASSES)])
        expected = expected.astype(dtype)
        assert dice_backend.bits(gradient) == [float(g).hex() for g in (expected + 0.0).ravel()]


@pytest.mark.parametrize("gamma", [0, 0.5, 2])
@pytest.mark.parametrize(("kind", "weighted"), CASES)
def test_sigmoid(dice_backend: Adapter, kind: str, weighted: bool, gamma: float) -> None:
    _, t = targets(kind)
    w = weights() if weighted else np.ones(SIZE)
    z = np.where(np.isinf(logits()), -50.0, logits())
    total, share = [0] * CLASSES, [0] * CLASSES
    for c, i in np.ndindex(*z.shape):
        share[c] += oracle.quantum(w[i])
        for part, (cost, focus) in zip(
            (t[c, i], 1.0 - t[c, i]), oracle.costs_of_sigmoid(float(z[c, i]), gamma), strict=True
        ):
            if part:
                term = focus * cost if gamma else cost
                total[c] += oracle.quantum(part * term * w[i])
    value, gradient = call(dice_backend, gamma, kind, weighted, "sigmoid")
    assert dice_backend.bits(value) == [(added(total) / added(share)).hex()]
    if gamma == 0:
        slope = 1.0 / added(share)
        expected = slope * (oracle.sigmoid(z) - t) * w
        assert dice_backend.bits(gradient) == [float(g).hex() for g in (expected + 0.0).ravel()]


def added(units: list[int]) -> float:
    """Round the sum of each class once, and add them in the halving tree."""
    a, b, c = (float(Fraction(sum_of_class, oracle.UNIT)) for sum_of_class in units)
    return (a + c) + b


def test_a_class_that_its_logit_excludes(dice_backend: Adapter) -> None:
    """Costs infinitely much, as it does in floating point."""
    z, (y, _) = logits(), targets("labels")
    y[3] = 1
    given = {"class_axis": 0, "activation": "softmax", "exact": True}
    got = dice_backend.call(dice_any.dice_cross_entropy_loss, z, y, **given)
    assert dice_backend.values(got) == np.inf
    given["ignore_label"] = 1
    got = dice_backend.call(dice_any.dice_cross_entropy_loss, z, y, **given)
    assert np.isfinite(dice_backend.values(got))


def test_what_is_no_logit(dice_backend: Adapter) -> None:
    z, (y, _) = logits(), targets("labels")
    z[0, 7] = np.nan
    given = {"class_axis": 0, "activation": "softmax", "exact": True}
    if limit(dice_backend.name, "errors") is None:
        with pytest.raises(ValueError, match="`prediction` must hold logits that are numbers"):
            dice_backend.call(dice_any.dice_focal_loss, z, y, **given)
    else:
        got = dice_backend.call(dice_any.dice_focal_loss, z, y, **given)
        assert np.isnan(dice_backend.values(got))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0])
def test_what_is_no_weight(dice_backend: Adapter, bad: float) -> None:
    z, (y, _), w = logits(), targets("labels"), weights()
    w[7] = bad
    given = {"class_axis": 0, "activation": "softmax", "exact": True, "weight": w}
    if limit(dice_backend.name, "errors") is None:
        with pytest.raises(ValueError, match="`weight` must be non-negative and below"):
            dice_backend.call(dice_any.dice_focal_loss, z, y, **given)
    else:
        got = dice_backend.call(dice_any.dice_focal_loss, z, y, **given)
        assert np.isnan(dice_backend.values(got))


@pytest.mark.parametrize("name", ["dice_cross_entropy_loss", "dice_focal_loss"])
def test_with_the_dice_loss(dice_backend: Adapter, name: str) -> None:
    """The two parts are those of the losses alone."""
    z, (y, _) = logits(), targets("labels")
    given: dict[str, Any] = {"class_axis": 0, "activation": "softmax", "exact": True}
    loss = getattr(dice_any, name)
    both, alone, dice = (
        float(dice_backend.values(dice_backend.call(function, z, y, **given, **more)))
        for function, more in (
            (loss, {}),
            (loss, {"dice_weight": 0}),
            (dice_any.dice_loss, {}),
        )
    )
    assert both == dice + alone
