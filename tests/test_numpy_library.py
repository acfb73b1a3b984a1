"""What NumPy's library does only with arrays larger than a test would make."""

from __future__ import annotations

import random

import numpy as np
import pytest

from dice_any.arrays import load_library
from dice_any.arrays import numpy as of_numpy


@pytest.mark.parametrize("length", [1, 7, 8, 30])
def test_weights_are_counted_in_pieces(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """NumPy adds them in float64, which holds so many below 2³¹ exactly."""
    assert of_numpy.WEIGHED * (2**31 - 1) < 2**53
    monkeypatch.setattr(of_numpy, "WEIGHED", 7)
    chance = random.Random(length)
    codes = [chance.randrange(4) for _ in range(length)]
    weights = [chance.randrange(2**31) for _ in range(length)]
    found = load_library("numpy").bincount(np.asarray(codes), 5, np.asarray(weights))
    assert found.dtype == np.int64
    expected = [0] * 5
    for code, weight in zip(codes, weights, strict=True):
        expected[code] += weight
    assert found.tolist() == expected
