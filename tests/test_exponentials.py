"""The error of exact softmax, sigmoid, logarithms and powers, by an oracle of 200 bits."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.testing import oracle

#: Relative to the smaller of the membership and 1 minus it; plus a unit for each class.
MOST, UNIT = 2.0**-28, 2.0**-50


def shown(z: np.ndarray, activation: str) -> np.ndarray:
    """Return the memberships of the package, as sums of one element each."""
    ones = np.ones_like(z, dtype=bool)
    found = dice_any.overlap(z, ones, class_axis=0, axis=(), activation=activation)
    return np.moveaxis(found.prediction, -1, 0)


@pytest.mark.parametrize("classes", [2, 3, 40])
def test_softmax_is_close_to_the_truth(classes: int) -> None:
    mpmath = pytest.importorskip("mpmath")
    mpmath.mp.prec = 200
    chance = np.random.default_rng(classes)
    z = chance.normal(size=(classes, 300)) * chance.choice([0.1, 1, 8, 40], size=300)
    got = shown(z, "softmax")
    assert np.array_equal(got, np.floor(oracle.softmax(z) * 2.0**62) / 2.0**62)
    for column, memberships in zip(z.T.tolist(), got.T.tolist(), strict=True):
        parts = [mpmath.exp(mpmath.mpf(value)) for value in column]
        total = mpmath.fsum(parts)
        for part, membership in zip(parts, memberships, strict=True):
            true = part / total
            assert abs(membership - true) <= MOST * min(true, 1 - true) + UNIT * len(column)
    assert (got <= 1).all()
    assert abs(got.sum(axis=0) - 1).max() <= 2.0**-50 * classes


def test_sigmoid_is_close_to_the_truth() -> None:
    mpmath = pytest.importorskip("mpmath")
    mpmath.mp.prec = 200
    ordinary = np.random.default_rng(3).normal(size=300) * 12
    z = np.concatenate([ordinary, [0.0, 1e-40, -1e-40, 700.0, -700.0, -30.0, 30.0]])[None]
    got = shown(z, "sigmoid")
    for value, membership in zip(z[0].tolist(), got[0].tolist(), strict=True):
        true = 1 / (1 + mpmath.exp(-mpmath.mpf(value)))
        assert abs(membership - true) <= MOST * min(true, 1 - true) + UNIT * 2


#: of a cost −ln p, and of (1 − p)^γ
MOST_COST, MOST_FOCUS = 2.0**-28, 2.0**-27


def entropies(
    z: np.ndarray, target: np.ndarray, activation: str, gamma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the entropy of each element by itself, and its gradient."""
    loss = dice_any.dice_cross_entropy_loss
    if gamma:
        loss = partial(dice_any.dice_focal_loss, gamma=gamma)
    found = [
        dice_any.value_and_grad(loss)(
            z[:, i : i + 1],
            target[..., i : i + 1],
            class_axis=0,
            activation=activation,
            exact=True,
            dice_weight=0,
        )
        for i in range(z.shape[1])
    ]
    return np.array([float(value) for value, _ in found]), np.hstack([g for _, g in found])


@pytest.mark.parametrize("gamma", [0, 0.5, 2, 3.5])
@pytest.mark.parametrize("classes", [2, 3, 40])
def test_entropies_of_softmax_are_close_to_the_truth(classes: int, gamma: float) -> None:
    mpmath = pytest.importorskip("mpmath")
    mpmath.mp.prec = 200
    chance = np.random.default_rng(classes)
    z = chance.normal(size=(classes, 60)) * chance.choice([0.1, 1, 8, 40, 1e4], size=60)
    y = np.where(chance.random(60) < 0.3, z.argmax(axis=0), chance.integers(0, classes, 60))
    values, slopes = entropies(z, y, "softmax", gamma)
    for column, label, value, slope in zip(z.T.tolist(), y, values, slopes.T, strict=True):
        parts = [mpmath.exp(mpmath.mpf(logit) - max(column)) for logit in column]
        p = parts[label] / mpmath.fsum(parts)
        cost, focus = -mpmath.log(p), (1 - p) ** gamma if p < 1 else mpmath.mpf(gamma == 0)
        assert abs(value - focus * cost) <= MOST_COST + MOST_FOCUS * abs(value)
        pull = _pull(mpmath, p, gamma)
        for k, part in enumerate(parts):
            true = pull * ((k == label) - part / mpmath.fsum(parts))
            assert abs(slope[k] - true) <= 2.0**-20 * (1 + abs(true))


@pytest.mark.parametrize("gamma", [0, 0.5, 2])
def test_entropies_of_sigmoid_are_close_to_the_truth(gamma: float) -> None:
    mpmath = pytest.importorskip("mpmath")
    mpmath.mp.prec = 200
    ordinary = np.random.default_rng(3).normal(size=80) * 12
    z = np.concatenate([ordinary, [0.0, 1e-40, -1e-40, 700.0, -700.0, -30.0, 30.0]])[None]
    t = np.arange(z.size)[None] % 2 == 0
    values, slopes = entropies(z, t, "sigmoid", gamma)
    for logit, mask, value, slope in zip(z[0].tolist(), t[0], values, slopes[0], strict=True):
        sign = 1 if mask else -1
        p = 1 / (1 + mpmath.exp(-mpmath.mpf(sign * logit)))
        true = (1 - p) ** gamma * -mpmath.log(p)
        assert abs(value - true) <= MOST_COST + MOST_FOCUS * abs(true)
        pull = sign * _pull(mpmath, p, gamma) * (1 - p)
        assert abs(slope - pull) <= 2.0**-20 * (1 + abs(pull))


def _pull(mpmath: Any, p: Any, gamma: float) -> Any:
    """Return the derivative of (1 − p)^γ·(−ln p) in ln p."""
    if p == 1:
        return mpmath.mpf(-(gamma == 0))
    first = gamma * p * (1 - p) ** (gamma - 1) * mpmath.log(p) if gamma else 0
    return first - (1 - p) ** gamma


def test_the_ends_of_softmax() -> None:
    """One class that dominates has membership 1; below 2⁻⁵⁰ of the largest is 0."""
    z = np.array([[0.0, 0.0, -1e4], [-34.0, -36.0, 1e4]])
    got = shown(z, "softmax")
    assert 0 < got[1, 0] < 2.0**-48
    assert got[1, 1] == 0
    assert got[0, 1] == 1
    assert got[:, 2].tolist() == [0, 1]


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_order_and_layout_change_no_bit(activation: str) -> None:
    z = (np.random.default_rng(5).normal(size=(2, 4, 9, 8)) * 6).astype(np.float32)
    y = np.random.default_rng(7).integers(0, 4, (2, 9, 8))
    expected = dice_any.overlap(z, y, class_axis=1, activation=activation)
    for axis, reverse in product((1, 3), (False, True)):
        moved = np.moveaxis(z, 1, axis)
        labels = y[:, ::-1, :] if reverse else y
        if reverse:
            flipped = 1 if axis == 3 else 2
            moved = np.flip(moved, axis=flipped)
        assert expected == dice_any.overlap(moved, labels, class_axis=axis, activation=activation)
