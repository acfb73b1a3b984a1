"""Logarithms of integers, in integers: the same bits on every library, compiled or not.

    v = 2ᵐ·(1 + f),   ln v = m·ln 2 + ln(1 + f),   m whole, 0 ≤ f < 1

ln(1 + f) is a polynomial evaluated by Horner's rule, in units of 2⁻³¹, as the exponential is. Its
coefficients change sign; `>>` rounds down for every library.
"""

from __future__ import annotations

import math

from ..arrays.library import Array, ArrayLibrary

FRACTION = 2**32 - 1
#: Coefficients of ln(1 + f)/f in units of 2⁻³¹, the highest power first: a Chebyshev fit, with what
#: the rounding takes on average added to the last two. At most 3 units off; exact at f = 0.
POLYNOMIAL = (
    -2689906, 19167588, -63995325, 136371434, -216505109, 287837053, -353149774, 428713889,
    -536793370, 715823849, -1073741738, 2147483650,
)  # fmt: skip
#: The unit of the sum of both parts: 2⁻⁴⁰, so that m times the error of ln 2 does not matter.
UNIT_BITS = 40
LN_2 = round(math.log(2.0) * 2**UNIT_BITS)


def horner(coefficients: tuple[int, ...], fraction: Array) -> Array:
    """Return a polynomial of a `fraction` in units of 2⁻³², in the unit of its coefficients; each
    product is rounded down. It works in place if arrays are writable.
    """
    first, second, *others = coefficients
    value = fraction * first
    value >>= 32
    value += second
    for coefficient in others:
        value *= fraction
        value >>= 32
        value += coefficient
    return value


def log_ratio(library: ArrayLibrary, value: Array, bits: int, within: tuple[int, int]) -> Array:
    """Return ln(v·2⁻ᵇⁱᵗˢ) in float64, for int64 numbers v with 2^low ≤ v < 2^high, where `within`
    is (low, high); at most 3·2⁻³¹ off.
    """
    xp = library.xp
    low, high = within
    exponent = xp.full_like(value, high - 1 - bits)
    step = 1 << (high - low - 1).bit_length()
    while step := step >> 1:  # move the highest bit to its place
        moved = xp.astype(value < 2 ** (high - step), xp.int64) * step
        value = value << moved
        exponent -= moved
    spare = high - 1 - 32
    fraction = (value >> spare if spare >= 0 else value << -spare) & FRACTION
    log = horner(POLYNOMIAL, fraction)
    log *= fraction
    log >>= 32
    log <<= UNIT_BITS - 31
    exponent *= LN_2
    log += exponent
    return xp.astype(log, xp.float64) * 2.0**-UNIT_BITS
