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
from typing import NamedTuple

from ..arrays.library import Array, ArrayLibrary
from .logarithms import FRACTION, horner, log_ratio
from .regions import by_region
from .task import Task

#: e⁻ᵈ is stored in units of 2⁻⁵⁰, or larger ones if the sum over many classes would exceed 63 bits.
UNIT_BITS = 50
#: Numbers below 2⁻⁵⁰ become 0, so a larger d makes no difference.
LARGEST = 42.0
#: log₂e in units of 2⁻³².
SCALE = 2.0**32 / math.log(2.0)
WHOLE = 62
#: Coefficients of 2ᵍ in units of 2⁻³¹, the highest power first: a Chebyshev fit of (2ᵍ − 1)/g, at
#: most 5 units off. It is exact at g = 0, because JAX may flush a number to 0, whose exponential
#: must then be that of 0.
POLYNOMIAL = (
    3875, 30979, 332330, 2862627, 20654963, 119194142, 515882497, 1488522236, 2147483648
)  # fmt: skip


#: A cost −ln p of this much or more counts as infinite, so that sums of costs fit the limbs.
INFINITE = 2.0**20


class ExactActivation(NamedTuple):
    """Memberships p in float64, and what an entropy needs of them, if one is wanted."""

    membership: Array
    regions: Array | None = None
    #: ln p, at least −`INFINITE`
    log: Array | None = None
    #: (1 − p)^γ; None if γ is 0
    focus: Array | None = None
    #: ln(1 − p) and p^γ; with sigmoid only
    log_complement: Array | None = None
    focus_complement: Array | None = None


def exact_softmax(task: Task, library: ArrayLibrary, z: Array) -> ExactActivation:
    """Return memberships with an error of at most 2⁻²⁸; NaN where the largest logit is not finite.

    Those below 2⁻⁵⁰ of the largest are 0. Classes are added up to regions as integers.
    """
    xp = library.xp
    top = xp.max(z, axis=task.class_axis, keepdims=True)  # NaN if any is NaN
    known = (top < math.inf) & (top > -math.inf)
    nan = library.constant(math.nan, xp.float64, z)
    top = xp.where(known, top, nan)  # ∞ − ∞ would warn
    bits = UNIT_BITS - max(task.classes.bit_length() - 12, 0)
    distance = top - z
    log, focus = None, None
    shrunk = shrink(library, distance, bits)
    whole = xp.sum(shrunk, axis=task.class_axis, keepdims=True, dtype=xp.int64)
    total = xp.where(known, xp.astype(whole, xp.float64), nan)
    if task.entropy is not None:
        # ln p = −d − ln Σe⁻ᵈ
        rest = log_ratio(library, whole, bits, (bits, bits + task.classes.bit_length()))
        log = _log(library, distance + rest)
        focus = _focus(task, library, whole - shrunk, rest, bits)
    # multiply by the reciprocal: a compiler may do that to a division by a shared number anyway
    share = 1.0 / total
    regions = None
    if task.regions is not None:
        regions = xp.astype(by_region(task, library, shrunk), xp.float64)
        regions *= share
    memberships = xp.astype(shrunk, xp.float64)
    memberships *= share
    return ExactActivation(memberships, regions, log, focus)


def exact_sigmoid(task: Task, library: ArrayLibrary, z: Array) -> ExactActivation:
    """Return memberships with an error of at most 2⁻²⁸; NaN for NaN and for +∞."""
    xp = library.xp
    known = z < math.inf
    z = xp.where(known, z, xp.zeros_like(z))
    shrunk = shrink(library, xp.abs(z), UNIT_BITS)
    one = xp.full_like(shrunk, 2**UNIT_BITS)
    whole, positive = one + shrunk, z >= 0
    share = 1.0 / xp.astype(whole, xp.float64)
    share = xp.where(known, share, xp.full_like(share, math.nan))
    membership = xp.astype(xp.where(positive, one, shrunk), xp.float64) * share
    if task.entropy is None:
        return ExactActivation(membership)
    rest, zero = log_ratio(library, whole, UNIT_BITS, (UNIT_BITS, UNIT_BITS + 2)), xp.zeros_like(z)
    # ln p = −max(−z, 0) − ln(1 + e^(−|z|)), and ln(1 − p) = −max(z, 0) − ln(1 + e^(−|z|))
    down, up = xp.where(positive, zero, -z), xp.where(positive, z, zero)
    part, other = xp.where(positive, one, shrunk), xp.where(positive, shrunk, one)
    return ExactActivation(
        membership,
        None,
        _log(library, down + rest),
        _focus(task, library, other, rest, UNIT_BITS),
        _log(library, up + rest),
        _focus(task, library, part, rest, UNIT_BITS),
    )


def _log(library: ArrayLibrary, cost: Array) -> Array:
    """Return −cost, at least −`INFINITE`; NaN counts as infinite."""
    largest = library.constant(INFINITE, library.xp.float64, cost)
    return -library.xp.where(cost < INFINITE, cost, largest)


def _focus(task: Task, library: ArrayLibrary, part: Array, rest: Array, bits: int) -> Array | None:
    """Return q^γ, where q is the `part` of the whole whose logarithm is `rest`: e^(γ·ln q)."""
    xp = library.xp
    if not task.entropy:
        return None
    some = part > 0
    log = log_ratio(library, xp.where(some, part, xp.ones_like(part)), bits, (0, 63))
    cost = rest - log  # a rounding error below 0 counts as 0
    cost = xp.where(cost > 0, cost, xp.zeros_like(cost)) * task.entropy
    power = xp.astype(shrink(library, cost, UNIT_BITS), xp.float64) * 2.0**-UNIT_BITS
    return xp.where(some, power, xp.zeros_like(power))


def shrink(library: ArrayLibrary, distance: Array, bits: int) -> Array:
    """Return e⁻ᵈ for float64 numbers d ≥ 0, as integers in units of 2⁻ᵇⁱᵗˢ; NaN counts as ∞.

    The steps work in place if arrays are writable, on a copy.
    """
    xp = library.xp
    largest = library.constant(LARGEST, xp.float64, distance)
    distance = xp.where(distance < LARGEST, distance, largest)
    distance *= SCALE
    power = xp.astype(distance, xp.int64)  # truncated: tiny numbers become 0
    power *= -1
    power += WHOLE << 32  # WHOLE − k + g, in units of 2⁻³²
    fraction = power & FRACTION
    value = horner(POLYNOMIAL, fraction)
    value *= 2 ** (bits - 31)
    power >>= 32
    value >>= WHOLE - power
    return value
