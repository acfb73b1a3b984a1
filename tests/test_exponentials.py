"""The error of exact softmax and sigmoid, by an oracle of 200 bits."""

from __future__ import annotations

from itertools import product

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
