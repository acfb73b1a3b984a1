"""The arithmetic of one element, as plain functions of numbers that are compiled for the CPU or a
GPU.

The compiler compiles one function at a time and needs the functions that it calls compiled before,
so `compiled` binds copies of all functions here to each other. They use only numbers of one
precision, comparisons, and conversions that every target has. They have no branches on values and
no library calls, so a loop over elements becomes vector instructions.

    scalars = compiled(numba.njit(forceinline=True, error_model="numpy"))    # or
    cuda.jit(device=True) exp = scalars.exp            # a global of the kernel's module

(A division that may raise, as in Python, is a branch; the error model "numpy" removes it.)

Logits are float32 by default; ``compiled(…, wide=True)`` uses float64, with the logarithms and
exponentials of `math`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import FunctionType, SimpleNamespace
from typing import Any

try:
    import numpy as np
except ImportError:  # pragma: no cover - `nox -s bare`
    # without NumPy nothing here can be compiled, but the constants below can be imported
    np = None  # type: ignore[assignment]

#: Codes of forms and activations: numbers, because compilers fold comparisons of constants.
PRODUCT, SQUARED, MINIMUM = range(3)
FORMS = {"product": PRODUCT, "squared": SQUARED, "minimum": MINIMUM}

SCALE, LOW_BITS = 2.0**62, 2**31 - 1

# -- memberships and weights -----------------------------------------------------------------------


def is_membership(v: Any) -> Any:
    """Tell whether a value is in [0, 1], up to a rounding error of 2⁻²⁰; False for NaN."""
    return (v >= LOWEST) & (v <= HIGHEST)


def member(v: Any) -> Any:
    """Clip a value to [0, 1]; NaN becomes 0."""
    v = v if v > real(0.0) else real(0.0)
    return v if v < real(1.0) else real(1.0)


def is_weight(w: Any) -> Any:
    """Tell whether a weight is valid: in [0, 2³¹)."""
    return (w >= 0.0) & (w < 2147483648.0)


def both(x: Any, y: Any, form: int) -> Any:
    """Return the term of the intersection."""
    if form == MINIMUM:
        return x if x < y else y
    return x * y


def size(x: Any, form: int) -> Any:
    """Return the term of a set's own sum."""
    if form == SQUARED:
        return x * x
    return x


def both_slope(x: Any, y: Any, form: int) -> Any:
    """Return the derivative of `both` in x; ½ at a tie of the minimum form."""
    if form == MINIMUM:
        return real(0.5) * (real(x < y) + real(x <= y))
    return y


def size_slope(x: Any, form: int) -> Any:
    """Return the derivative of `size`."""
    if form == SQUARED:
        return x + x
    return real(1.0)


# -- exact terms -----------------------------------------------------------------------------------


def quantise(v: Any) -> Any:
    """Return q = floor(v·2⁶²) of a float64 term in [0, 1].

    q = h·2³¹ + l with the limbs h = floor(v·2³¹) and l = floor((v·2³¹ − h)·2³¹). Scaling by a power
    of two is exact, and the conversion drops bits below 2⁻⁶². From the sums H = Σh (`high_limb`)
    and Q = Σq modulo 2⁶⁴ follows Σl = Q − H·2³¹ modulo 2⁶⁴ (`low_sum`), which is below 2⁶³ for
    fewer than 2³² terms.
    """
    return np.int64(v * SCALE)


def high_limb(q: Any) -> Any:
    """Return h of `quantise`."""
    return q >> 31


def low_limb(q: Any) -> Any:
    """Return l of `quantise`."""
    return q & LOW_BITS


def low_sum(q: Any, h: Any) -> Any:
    """Return Σl from Σq modulo 2⁶⁴ and Σh."""
    return q - (h << 31)


# -- exp and log -----------------------------------------------------------------------------------
# Polynomials of Cephes (S. Moshier), with errors of about one unit in the last place. Exponents are
# built from bits.


def exp(z: Any) -> Any:
    """Return eᶻ for z ≤ 0; 0 below the smallest normal number, NaN for NaN."""
    scale, part = exp_parts(z)
    value = scale + scale * part
    value = value if z > EXP_LOWEST else real(0.0)
    return value if z == z else z


def expm1(z: Any) -> Any:
    """Return eᶻ − 1 for z ≤ 0, accurate near 0."""
    scale, part = exp_parts(z)
    value = (scale - real(1.0)) + scale * part
    value = value if z > EXP_LOWEST else real(-1.0)
    return value if z == z else z


def exp_parts(z: Any) -> Any:
    """Return s = 2ᵏ and r + r²·P(r), so that eᶻ = s·(1 + r + r²·P(r)) with z = k·ln 2 + r."""
    z = z if z > EXP_LOWEST else EXP_LOWEST  # NaN too: its conversion to an integer is undefined
    k = np.int32(z * LOG2_E - real(0.5))  # towards zero: the nearest integer, as z ≤ 0
    n = real(k)
    r = (z - n * LN2_HIGH) - n * LN2_LOW
    p = E5 + r * E6
    p = E4 + r * p
    p = E3 + r * p
    p = E2 + r * p
    p = E1 + r * p
    scale = np.int32((k + np.int32(127)) * np.int32(8388608)).view(np.float32)
    return scale, r + (r * r) * p


def log(v: Any) -> Any:
    """Return ln v of a positive normal number."""
    bits = np.float32(v).view(np.int32)
    # the exponent k of v = 2ᵏ·m with m between √½ and √2
    k = np.int32(bits - np.int32(0x3F3504F3)) >> 23
    f = np.int32(bits - np.int32(k * 8388608)).view(np.float32) - real(1.0)
    n = real(k)
    p = L1 + f * L0
    p = L2 + f * p
    p = L3 + f * p
    p = L4 + f * p
    p = L5 + f * p
    p = L6 + f * p
    p = L7 + f * p
    p = L8 + f * p
    square = f * f
    value = (f * square) * p + n * LN2_LOW - real(0.5) * square
    value = (f + value) + n * LN2_HIGH
    return value if v == v else v


def log1p(e: Any) -> Any:
    """Return ln(1 + e) for e in [0, 1], accurate near 0."""
    u = real(1.0) + e
    return log(u) + (e - (u - real(1.0))) / u


# -- activations and entropy -----------------------------------------------------------------------


def sigmoid(z: Any) -> Any:
    """Return 1 / (1 + e⁻ᶻ); NaN for +∞."""
    e = exp(-z if z > real(0.0) else z)
    return (real(1.0) + real(0.0) * z if z > real(0.0) else e) / (real(1.0) + e)


def log_sigmoid(z: Any) -> Any:
    """Return ln of the sigmoid; ln of its complement is ``log_sigmoid(-z)``."""
    e = exp(-z if z > real(0.0) else z)
    return (real(0.0) if z > real(0.0) else z) - log1p(e)


def cost(log_p: Any, power: Any) -> Any:
    """Return (1 − p)^γ·(−ln p): cross-entropy, or its focal form."""
    if power == 0.0:
        return -log_p
    return rest_power(log_p, power) * -log_p


def cost_slope(log_p: Any, power: Any) -> Any:
    """Return the derivative of `cost` in ln p: γ·p·(1 − p)^(γ − 1)·ln p − (1 − p)^γ."""
    if power == 0.0:
        return real(-1.0)
    rest = -expm1(log_p)
    # (1 − p)^(γ − 1)·ln p tends to −(1 − p)^γ at p = 1, where dividing by 1 − p is impossible
    quotient = log_p / (rest if rest > real(0.0) else real(1.0))
    quotient = quotient if (rest > real(0.0)) & (log_p > MINUS_INFINITY) else real(-1.0)
    return rest_power(log_p, power) * (power * (exp(log_p) * quotient) - real(1.0))


def rest_power(log_p: Any, power: Any) -> Any:
    """Return (1 − p)^γ for γ > 0, from ln p."""
    rest = -expm1(log_p)
    some = rest > real(0.0)
    value = exp(power * log(rest if some else real(1.0)))
    value = value if some else real(0.0)
    return value if log_p == log_p else log_p


# -- in float64, with `math` -----------------------------------------------------------------------


def wide_exp(z: Any) -> Any:
    return math.exp(z)


def wide_expm1(z: Any) -> Any:
    return math.expm1(z)


def wide_log(v: Any) -> Any:
    return math.log(v)


def wide_log1p(e: Any) -> Any:
    return math.log1p(e)


# -- binding ---------------------------------------------------------------------------------------

#: in an order in which each comes after those that it calls
FUNCTIONS = (
    *(
        is_membership,
        member,
        is_weight,
        both,
        size,
        both_slope,
        size_slope,
        quantise,
        high_limb,
        low_limb,
        low_sum,
    ),
    *(exp_parts, exp, expm1, log, log1p, sigmoid, log_sigmoid, rest_power, cost, cost_slope),
)
WIDE = {"exp": wide_exp, "expm1": wide_expm1, "log": wide_log, "log1p": wide_log1p}


def compiled(compile: Callable[[Any], Any], wide: bool = False) -> SimpleNamespace:
    """Return every function of this module, compiled for logits in float64 if `wide`, else
    float32.
    """
    space = dict(globals())
    if wide:
        space["real"] = np.float64
    made = {}
    for function in FUNCTIONS:
        name = function.__name__
        if wide and name == "exp_parts":
            continue
        code = (WIDE.get(name, function) if wide else function).__code__
        made[name] = space[name] = compile(FunctionType(code, space, name))
    return SimpleNamespace(**made)


if np is not None:
    real: Any = np.float32
    LOWEST, HIGHEST = np.float32(-(2.0**-20)), np.float32(1.0 + 2.0**-20)
    MINUS_INFINITY = np.float32(-np.inf)
    LOG2_E, EXP_LOWEST = np.float32(1.44269504), np.float32(-87.33654)
    # ln 2 in two parts, so that k times the first part is exact
    LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
    E1, E2, E3 = np.float32(0.50000001201), np.float32(0.16666665459), np.float32(4.1665795894e-2)
    E4, E5, E6 = (
        np.float32(8.3334519073e-3),
        np.float32(1.3981999507e-3),
        np.float32(1.9875691500e-4),
    )
    L0, L1, L2 = (
        np.float32(7.0376836292e-2),
        np.float32(-1.1514610310e-1),
        np.float32(1.1676998740e-1),
    )
    L3, L4, L5 = (
        np.float32(-1.2420140846e-1),
        np.float32(1.4249322787e-1),
        np.float32(-1.6668057665e-1),
    )
    L6, L7, L8 = (
        np.float32(2.0000714765e-1),
        np.float32(-2.4999993993e-1),
        np.float32(3.3333331174e-1),
    )
