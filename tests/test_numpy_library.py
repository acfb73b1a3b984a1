"""What NumPy's library does only with arrays larger than a test would make, and its light
namespace over an older NumPy.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dice_any.arrays import load_library
from dice_any.arrays import numpy as of_numpy
from dice_any.arrays.light import LightNumPy


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


class ByTheStandard:
    """NumPy, whose functions take by position only what the standard's take so, as the functions
    with which array-api-compat covers an older NumPy do.
    """

    POSITIONAL = {"zeros": 1, "ones": 1, "full": 2, "broadcast_to": 2}

    def __getattr__(self, name: str) -> Any:
        function = getattr(np, name)
        if not inspect.isroutine(function):
            return function

        def checked(*arguments: Any, **keywords: Any) -> Any:
            assert len(arguments) <= self.POSITIONAL.get(name, 1 + (name == "full_like"))
            return function(*arguments, **keywords)

        return checked


#: function of the light namespace -> a call of it
LIGHT: dict[str, Callable[[Any, np.ndarray], Any]] = {
    "astype": lambda xp, x: xp.astype(x, np.float64, copy=True),
    "expand_dims": lambda xp, x: xp.expand_dims(x, axis=-2),
    "broadcast_to": lambda xp, x: xp.broadcast_to(x, (5, *x.shape)),
    "sum": lambda xp, x: xp.sum(x, axis=0, dtype=np.float64, keepdims=True),
    "any": lambda xp, x: xp.any(x, axis=1),
    "all": lambda xp, x: xp.all(x, axis=(0, 1)),
    "zeros_like": lambda xp, x: xp.zeros_like(x, dtype=np.int64),
    "ones_like": lambda xp, x: xp.ones_like(x),
    "full_like": lambda xp, x: xp.full_like(x, 7),
}


def test_every_light_function_is_called_here() -> None:
    assert set(LIGHT) == {name for name in vars(LightNumPy) if not name.startswith("_")}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", LIGHT)
def test_light_functions_call_an_older_numpy_by_the_standard(name: str, order: Any) -> None:
    x = np.asarray([[0, 1, 3], [0, 5, 7]], dtype=np.float32, order=order)
    found = LIGHT[name](LightNumPy(ByTheStandard()), x)
    # NumPy has `astype` as a function since 2.1 only
    expected = x.astype(np.float64) if name == "astype" else LIGHT[name](np, x)
    assert np.array_equal(found, expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.flags.c_contiguous == expected.flags.c_contiguous
