"""Exact sums: numbers carried as int64 limbs in units of 1, 2⁻³¹ and 2⁻⁶².

Integer additions have no order, so sums of limbs are the same bits on every library, device, chunking and thread count.
Only operations that every library rounds alike are used: exact ones, and one rounded addition at the very end.
"""

from __future__ import annotations

from typing import Any

from ..arrays.library import Array, ArrayLibrary, Axes

UNIT = 2**31
# The limbs are stacked along this axis of an array of sums: (row, limb, *counts).
LIMB_AXIS = 1


def sum_exactly(
    library: ArrayLibrary, terms: Array, axis: Axes, *, weighted: bool = False
) -> tuple[Array, Array, Array]:
    """Sum float64 terms in [0, 1], or [0, 2³¹) if weighted, over `axis`; the limbs come back uncarried.

    A term v becomes h = floor(v·2³¹) and l = floor((v·2³¹ − h)·2³¹): scaling by a power of two and taking the fractional
    part are exact in float64, so only what lies below 2⁻⁶² is lost. (The shorter (v + C) − C is deleted by XLA.)
    Fewer than 2³² terms keep every integer sum below 2⁶³.
    """
    xp = library.xp
    whole = None
    if weighted:
        whole = xp.floor(terms)
        terms = terms - whole
    scaled = terms * float(UNIT)
    high = xp.floor(scaled)
    low = xp.floor((scaled - high) * float(UNIT))
    high = xp.sum(xp.astype(high, xp.int64), axis=axis, dtype=xp.int64)
    low = xp.sum(xp.astype(low, xp.int64), axis=axis, dtype=xp.int64)
    if whole is None:
        return xp.zeros_like(high), high, low
    return xp.sum(xp.astype(whole, xp.int64), axis=axis, dtype=xp.int64), high, low


def whole_number(library: ArrayLibrary, count: Array) -> tuple[Array, Array, Array]:
    """Return the limbs of an integer."""
    zero = library.xp.zeros_like(count)
    return count, zero, zero


def carry(library: ArrayLibrary, sums: Array) -> Array:
    """Bring the limbs of 2⁻³¹ and 2⁻⁶² into [0, 2³¹); the whole limb takes the sign."""
    xp = library.xp
    whole, mid, low = (sums[:, i, ...] for i in range(3))
    mid = mid + low // UNIT
    return library.stack([whole + mid // UNIT, mid % UNIT, low % UNIT], axis=LIMB_AXIS)


def to_float64(library: ArrayLibrary, limbs: tuple[Array, Array, Array]) -> Array:
    """Round carried limbs to the nearest float64.

    The number is cut into two integers that float64 holds exactly, so that their one addition is the only rounding.
    Below 2³² the cut is at 2⁻²¹ (53 bits above it, 41 below). From 2³² on the mantissa ends above 2⁻²¹: the cut is at
    2¹⁰ and what lies below 2⁻³¹ only matters as "not zero".
    """
    xp = library.xp
    whole, mid, low = limbs
    small = (whole < 2**32) & (whole >= -(2**32))
    # keep the branch not taken from overflowing
    high = xp.where(small, whole, xp.zeros_like(whole)) * UNIT + mid
    rest = high % 1024
    near = _float(xp, high - rest) * 2.0**-31 + _float(xp, rest * UNIT + low) * 2.0**-62
    rest = whole % 1024
    sticky = xp.astype(low > 0, xp.int64) * (1 - mid % 2)
    far = _float(xp, whole - rest) + _float(xp, rest * UNIT + mid + sticky) * 2.0**-31
    return xp.where(small, near, far)


def _float(xp: Any, integers: Array) -> Array:
    return xp.astype(integers, xp.float64)
