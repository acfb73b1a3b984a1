"""Inputs from a seeded integer recipe: the same bits on any machine, without stored numbers."""

from __future__ import annotations

import math

import numpy as np

#: bits of the fraction that each floating type holds everywhere in [0, 1]
FRACTION_BITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}


def integers(seed: int, shape: int | tuple[int, ...], bound: int) -> np.ndarray:
    """Return int64 in [0, bound) by splitmix64 of the element's index (`bound` at most 2**53)."""
    shape = (shape,) if isinstance(shape, int) else shape
    with np.errstate(over="ignore"):
        z = (
            np.arange(math.prod(shape), dtype=np.uint64) + np.uint64(seed * 1_000_003)
        ) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(11)) % np.uint64(bound)).astype(np.int64).reshape(shape)


def masks(seed: int, shape: int | tuple[int, ...]) -> np.ndarray:
    """Return booleans, about two fifths of them true."""
    return integers(seed, shape, 5) < 2


def labels(
    seed: int, shape: int | tuple[int, ...], classes: int, dtype: str = "int64"
) -> np.ndarray:
    """Return labels of `classes` classes."""
    return integers(seed, shape, classes).astype(dtype)


def memberships(seed: int, shape: int | tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    """Return memberships in [0, 1], including zeros, ones and very small values."""
    bits = FRACTION_BITS[dtype]
    values = integers(seed, shape, 2**bits).astype(np.float64) * 2.0**-bits
    special = integers(seed + 1, shape, 20)
    values = np.where(special == 0, 0.0, np.where(special == 1, 1.0, values))
    values = np.where(special == 2, values * 1e-4, values)
    if dtype == "bfloat16":
        import ml_dtypes  # type: ignore[import-not-found,unused-ignore]

        return values.astype(ml_dtypes.bfloat16)
    return values.astype(dtype)
