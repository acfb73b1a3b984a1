"""Exact sums: numbers carried as int64 limbs in units of 1, 2⁻³¹ and 2⁻⁶².

The order of integer additions does not matter, so sums of limbs have the same bits for every
library, device, chunking and thread count. Only operations that every library rounds alike are
used: exact ones, and one rounded addition at the very end.
"""

from __future__ import annotations

from typing import Any

from ..arrays.library import Array, ArrayLibrary, Axes, elements

UNIT = 2**31
#: the unit of a split into three parts
THIRD = 2**21
#: a float64 sum of this many terms, in any order, has an error far below 1
TILE = 2**22
Limbs = tuple[Array, Array, Array]
# The limbs are stacked along this axis of an array of sums: (row, limb, *counts).
LIMB_AXIS = 1


def sum_exactly(
    library: ArrayLibrary,
    terms: list[Array],
    masks: list[Array],
    axis: Axes,
    *,
    weighted: bool = False,
) -> tuple[Array, list[Array]]:
    """Sum several float64 terms in [0, 1], or [0, 2³¹) if weighted, over `axis`.

    Returns uncarried limbs, (terms, limbs, *kept). The masks are counted in the same pass. With
    fewer than 2³² elements every integer sum stays below 2⁶³, or below 2⁵³ if the library needs it.
    """
    if not weighted and elements(terms[0].shape) <= TILE and library.wraps(terms[0]):
        return _sum_turns(library, terms, axis), [library.count(mask, axis) for mask in masks]
    narrow = library.sums_53_bits(terms[0])
    parts = [part for term in terms for part in split(library, term, weighted, narrow)]
    counted = [library.xp.astype(mask, library.xp.int64) for mask in masks]
    sums = library.sum_integers([*parts, *counted], axis)
    each = len(parts) // len(terms)
    rows = [sums[i : i + each] for i in range(0, len(parts), each)]
    if not weighted:
        rows = [[library.xp.zeros_like(row[0]), *row] for row in rows]
    if narrow:
        rows = [_from_thirds(*row) for row in rows]
    return library.stack([library.stack(row) for row in rows]), sums[len(parts) :]


def sum_counts(library: ArrayLibrary, numbers: Array, axis: int | tuple[int, ...]) -> Array:
    """Sum int64 numbers of any size; in two halves if the library adds integers as float64."""
    xp = library.xp
    if not library.sums_53_bits(numbers):
        return xp.sum(numbers, axis=axis, dtype=xp.int64)
    high = numbers // 2**31
    low = numbers - high * 2**31
    high, low = (xp.sum(half, axis=axis, dtype=xp.int64) for half in (high, low))
    return high * 2**31 + low


def split(library: ArrayLibrary, terms: Array, weighted: bool, narrow: bool = False) -> list[Array]:
    """Return the whole part of each term (if weighted) and its two limbs, or three thirds.

    A term v becomes h = floor(v·2³¹) and l = floor((v·2³¹ − h)·2³¹), the high and the low half of
    the integer floor(v·2⁶²). Scaling by a power of two is exact in float64, so only bits below
    2⁻⁶² are lost. (XLA would delete the shorter (v + C) − C.) Sums of thirds, which have 21 bits,
    stay below 2⁵³.
    """
    xp = library.xp
    parts = []
    if weighted:
        whole = xp.floor(terms)
        terms = terms - whole
        parts.append(xp.astype(whole, xp.int64))
    number = xp.astype(terms * float(UNIT) ** 2, xp.int64)
    if narrow:
        return [*parts, number >> 42, (number >> 21) & (THIRD - 1), number & (THIRD - 1)]
    return [*parts, number >> 31, number & (UNIT - 1)]


def _from_thirds(whole: Array, top: Array, mid: Array, low: Array) -> list[Array]:
    """Return carried limbs from sums of thirds, in units of 2⁻²⁰, 2⁻⁴¹ and 2⁻⁶², and whole
    parts.
    """
    mid = mid + low // THIRD
    top = top + mid // THIRD
    mid, low = mid % THIRD, low % THIRD
    # 20 + 11 bits of the first two, then 10 + 21 bits of the last two
    high = top % 2**20 * 2**11 + mid // 2**10
    return [whole + top // 2**20, high, mid % 2**10 * THIRD + low]


def _sum_turns(library: ArrayLibrary, terms: list[Array], axis: Axes) -> Array:
    """Sum a tile in half as many passes.

    Each term is one integer q = floor(v·2⁶²), and Σq wraps modulo 2⁶⁴, as int64 does in host
    libraries. One wrap is worth 2⁶⁴/2⁶² = 4. A float64 sum has a far smaller error, so it tells
    how often Σq has wrapped.
    """
    xp = library.xp
    size = xp.stack([xp.sum(term, axis=axis, dtype=xp.float64) for term in terms])
    rest = xp.stack(
        [xp.sum(xp.astype(term * 2.0**62, xp.int64), axis=axis, dtype=xp.int64) for term in terms]
    )
    turns = xp.astype(xp.round((size - xp.astype(rest, xp.float64) * 2.0**-62) * 0.25), xp.int64)
    return xp.stack([4 * turns + rest // 2**62, rest % 2**62 // UNIT, rest % UNIT], axis=LIMB_AXIS)


def whole_numbers(library: ArrayLibrary, counts: list[Array]) -> Array:
    """Return integers as exact sums: (counts, limbs, *kept)."""
    whole = library.stack(counts)
    zero = library.xp.zeros_like(whole)
    return library.stack([whole, zero, zero], axis=LIMB_AXIS)


def carry(library: ArrayLibrary, sums: Array) -> Array:
    """Bring the limbs of 2⁻³¹ and 2⁻⁶² into [0, 2³¹); the whole limb takes the sign."""
    whole, mid, low = (sums[:, i, ...] for i in range(3))
    mid = mid + low // UNIT
    return library.stack([whole + mid // UNIT, mid % UNIT, low % UNIT], axis=LIMB_AXIS)


def limbs_to_float64(library: ArrayLibrary, sums: Array) -> Array:
    """Carry and round exact sums, (limb, *kept)."""
    limbs = carry(library, sums[None, ...])
    return to_float64(library, (limbs[:, 0, ...], limbs[:, 1, ...], limbs[:, 2, ...]))[0, ...]


def to_float64(library: ArrayLibrary, limbs: Limbs) -> Array:
    """Round carried limbs to the nearest float64.

    The number is split into two integers that float64 holds exactly, so their addition is the only
    rounding. Below 2³² the split is at 2⁻²¹ (53 bits above it, 41 below). From 2³² on the mantissa
    ends above 2⁻²¹: the split is at 2¹⁰, and of the bits below 2⁻³¹ only "not zero" matters.
    """
    xp = library.xp
    whole, mid, low = limbs
    small = (whole < 2**32) & (whole >= -(2**32))
    # so that the branch not taken does not overflow
    high = xp.where(small, whole, xp.zeros_like(whole)) * UNIT + mid
    rest = high % 1024
    near = _float(xp, high - rest) * 2.0**-31 + _float(xp, rest * UNIT + low) * 2.0**-62
    rest = whole % 1024
    sticky = xp.astype(low > 0, xp.int64) * (1 - mid % 2)
    far = _float(xp, whole - rest) + _float(xp, rest * UNIT + mid + sticky) * 2.0**-31
    return xp.where(small, near, far)


def _float(xp: Any, integers: Array) -> Array:
    return xp.astype(integers, xp.float64)
