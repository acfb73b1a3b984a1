"""Softmax and sigmoid with an integer exponential: the same bits on every library, compiled or
not.

The `exp` of two libraries differs in the last bits. Here only operations are used that every
library rounds alike and no compiler may fuse or reorder: a product and a subtraction of float64,
each by itself, and integer operations.

    e⁻ᵈ = 2⁻ᵏ·2ᵍ,   d·log₂e = k − g,   k whole, 0 ≤ g < 1

2ᵍ is a polynomial evaluated by Horner's rule, in units of 2⁻³¹. All factors are non-negative and
fit 32 bits, so each step needs one multiplication of 32 by 32 bits to 64.
"""

from __future__ import annotations

import math

from ..arrays.library import Array, ArrayLibrary
from .regions import by_region
from .task import Task

#: e⁻ᵈ is stored in units of 2⁻⁵⁰, or larger ones if the sum over many classes would exceed 63 bits.
UNIT_BITS = 50
#: Numbers below 2⁻⁵⁰ become 0, so a larger d makes no difference.
LARGEST = 42.0
#: log₂e in units of 2⁻³².
SCALE = 2.0**32 / math.log(2.0)
FRACTION = 2**32 - 1
WHOLE = 62
#: Coefficients of 2ᵍ in units of 2⁻³¹, the highest power first: a Chebyshev fit of (2ᵍ − 1)/g, at
#: most 5 units off. It is exact at g = 0, because JAX may flush a number to 0, whose exponential
#: must then be that of 0.
POLYNOMIAL = (
    3875, 30979, 332330, 2862627, 20654963, 119194142, 515882497, 1488522236, 2147483648
)  # fmt: skip


def exact_softmax(task: Task, library: ArrayLibrary, z: Array) -> tuple[Array, Array | None]:
    """Return memberships in float64, with an error of at most 2⁻²⁸, and those of regions, if there
    are some; NaN where the largest logit is not finite.

    Those below 2⁻⁵⁰ of the largest are 0. Classes are added up to regions as integers.
    """
    xp = library.xp
    top = xp.max(z, axis=task.class_axis, keepdims=True)  # NaN if any is NaN
    known = (top < math.inf) & (top > -math.inf)
    nan = library.constant(math.nan, xp.float64, z)
    top = xp.where(known, top, nan)  # ∞ − ∞ would warn
    spare = max(task.classes.bit_length() - 12, 0)
    shrunk = shrink(library, top - z, UNIT_BITS - spare)
    total = xp.sum(shrunk, axis=task.class_axis, keepdims=True, dtype=xp.int64)
    total = xp.where(known, xp.astype(total, xp.float64), nan)
    # multiply by the reciprocal: a compiler may do that to a division by a shared number anyway
    share = 1.0 / total
    regions = None
    if task.regions is not None:
        regions = xp.astype(by_region(task, library, shrunk), xp.float64)
        regions *= share
    memberships = xp.astype(shrunk, xp.float64)
    memberships *= share
    return memberships, regions


def exact_sigmoid(library: ArrayLibrary, z: Array) -> Array:
    """Return memberships in float64 with an error of at most 2⁻²⁸; NaN for NaN and for +∞."""
    xp = library.xp
    known = z < math.inf
    z = xp.where(known, z, xp.zeros_like(z))
    shrunk = shrink(library, xp.abs(z), UNIT_BITS)
    one = xp.full_like(shrunk, 2**UNIT_BITS)
    share = 1.0 / xp.astype(one + shrunk, xp.float64)
    share = xp.where(known, share, xp.full_like(share, math.nan))
    return xp.astype(xp.where(z >= 0, one, shrunk), xp.float64) * share


def shrink(library: ArrayLibrary, distance: Array, bits: int) -> Array:
    """Return e⁻ᵈ for float64 numbers d ≥ 0, as integers in units of 2⁻ᵇⁱᵗˢ; NaN counts as ∞.

    The steps work in place if arrays are writable.
    """
    xp = library.xp
    largest = library.constant(LARGEST, xp.float64, distance)
    distance = xp.where(distance < LARGEST, distance, largest)
    distance *= SCALE
    power = xp.astype(distance, xp.int64)  # truncated: tiny numbers become 0
    power *= -1
    power += WHOLE << 32  # WHOLE − k + g, in units of 2⁻³²
    fraction = power & FRACTION
    value = fraction * POLYNOMIAL[0]
    value >>= 32
    value += POLYNOMIAL[1]
    for coefficient in POLYNOMIAL[2:]:
        value *= fraction
        value >>= 32
        value += coefficient
    value *= 2 ** (bits - 31)
    power >>= 32
    value >>= WHOLE - power
    return value
