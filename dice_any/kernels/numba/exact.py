"""Exact sums, and exact memberships from logits: the reference's bits, in vector instructions.

Processors without AVX-512 convert between float64 and int64 one number at a time. There whole
numbers stay in float64 while they are summed. Those to be multiplied are converted by bit
operations: if n is a whole number below 2⁵², the lowest bits of n + 2⁵² are n.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from .. import exponentials
from .arithmetic import both, high_limb, is_weight, low_sum, quantise, size
from .blocks import ONE, SOFTMAX, ZERO
from .members import are_members, beyond_1, exceed
from .memory import INLINE, row

#: Rows of a chunk's sums; exact sums have the limbs of the first four rows after these.
I, X, Y, N, BAD_X, BAD_Y, BAD_W, E, EN = range(9)  # noqa: E741

UNIT = 2.0**31
WHOLE_BIAS, WHOLE_MASK = 2.0**52, np.uint64(2**52 - 1)
EXPONENT = np.uint64(0x433 << 52)
HALF_BITS = np.uint64(32)

LARGEST, SCALE = exponentials.LARGEST, exponentials.SCALE
WHOLE, FRACTION = np.uint64(exponentials.WHOLE), np.uint64(exponentials.FRACTION)
FIRST, *REST = (np.uint64(coefficient) for coefficient in exponentials.POLYNOMIAL)
P1, P2, P3, P4, P5, P6, P7, P8 = REST
ONE_UNIT = np.uint64(2**exponentials.UNIT_BITS)
ONE_LIFT = np.uint64(exponentials.UNIT_BITS - 31)
INFINITY = math.inf


# -- sums ------------------------------------------------------------------------------------------
# A term v has the limbs h = floor(v·2³¹) and l = floor((v·2³¹ − h)·2³¹), integers below 2³¹. A
# float64 sum of the few thousand limbs of one block is exact in any order. A processor that
# converts vectors sums h and q = h·2³¹ + l as integers instead, modulo 2⁶⁴, in fewer instructions.

CONVERTS_VECTORS = "+avx512dq" in cpu_target.target_context.codegen().magic_tuple()[2]
NOTHING: Any = np.uint64(0) if CONVERTS_VECTORS else 0.0


@njit(forceinline=True, error_model="numpy", fastmath={"reassoc"})
def add(a: Any, b: Any) -> Any:
    """Add whole numbers; their order does not matter, so the compiler may vectorise."""
    return a + b


@njit(**INLINE)
def limbs(v: Any) -> Any:
    """Return h of a term in [0, 1], and q if vectors are converted, else l."""
    if CONVERTS_VECTORS:
        number = quantise(v)
        return np.uint64(high_limb(number)), np.uint64(number)
    scaled = v * UNIT
    high = np.floor(scaled)
    return high, np.floor((scaled - high) * UNIT)


@njit(**INLINE)
def put(sums: Any, part: Any, high: Any, low: Any) -> None:
    """Add the sums of what `limbs` returned."""
    sums[part, 1] += np.int64(high)
    sums[part, 2] += np.int64(low_sum(low, high) if CONVERTS_VECTORS else low)


@njit(**INLINE)
def add_exact(
    sums: Any, x: Any, share: Any, y: Any, marks: Any, c: Any, memberships: Any, activation: Any,
    keep: Any, labels: Any, form: Any, bits: Any, one: Any,
) -> Any:  # fmt: skip
    """Add the terms of one class of one block in integers: sums of (row, limb); keep the
    memberships.

    Return whether all values are in [0, 1], and add nothing if one is not. Values are compared
    and kept where they are summed, because a pass of its own would wait for memory without
    computing. After a softmax only those of the target are compared.
    """
    high_i = low_i = high_x = low_x = high_y = low_y = NOTHING
    x_bits, beyond = x.view(bits), bits(0)
    y_bits = x_bits if labels else y.view(bits)  # beside labels `y` is no row of this type
    hits = 0.0
    for i in range(x.size):
        v, t = np.float64(x[i]), np.float64(marks[i] == c) if labels else np.float64(y[i])
        if activation == SOFTMAX:
            v *= share[i]
        else:
            beyond |= beyond_1(x_bits[i], one)
        if keep:
            memberships[i] = v
        high, low = limbs(size(v, form))
        high_x, low_x = add(high_x, high), add(low_x, low)
        high, low = limbs(v * t if labels else both(v, t, form))  # with 0 or 1 the same
        high_i, low_i = add(high_i, high), add(low_i, low)
        if labels:
            hits = add(hits, t)
        else:
            beyond |= beyond_1(y_bits[i], one)
            high, low = limbs(size(t, form))
            high_y, low_y = add(high_y, high), add(low_y, low)
    if exceed(beyond, one):
        return False
    if labels:
        sums[Y, 0] += np.int64(hits)
    else:
        put(sums, Y, high_y, low_y)
    put(sums, I, high_i, low_i)
    put(sums, X, high_x, low_x)
    sums[N, 0] += x.size
    return True


@njit(**INLINE)
def add_exact_weighed(
    sums: Any, x: Any, y: Any, marks: Any, w: Any, c: Any, memberships: Any, keep: Any, labels: Any,
    form: Any, bits: Any, one: Any,
) -> Any:  # fmt: skip
    """Do the same with weights, so that products have a whole part too."""
    if not (are_members(x, bits, one) and (labels or are_members(y, bits, one))):
        return False
    if keep:
        for i in range(x.size):
            memberships[i] = x[i]
    bad = 0
    for i in range(w.size):
        bad += not is_weight(np.float64(w[i]))
    for part in range(4):
        wholes, highs, lows = 0.0, NOTHING, NOTHING
        for i in range(x.size):
            v, t = np.float64(x[i]), np.float64(marks[i] == c) if labels else np.float64(y[i])
            weight = np.float64(w[i])
            weight = weight if is_weight(weight) else 0.0
            term = both(v, t, form) if part == I else size(v if part == X else t, form)
            term = weight if part == N else term * weight
            whole = np.floor(term)
            high, low = limbs(term - whole)
            wholes, highs, lows = add(wholes, whole), add(highs, high), add(lows, low)
        sums[part, 0] += np.int64(wholes)
        put(sums, part, highs, lows)
    sums[BAD_W, 0] += bad
    return True


# -- memberships -----------------------------------------------------------------------------------


@njit(**INLINE)
def whole_of(v: Any) -> Any:
    """Return the integer part of a float64 in [0, 2⁵¹]."""
    return np.float64(np.floor(v) + WHOLE_BIAS).view(np.uint64) & WHOLE_MASK


@njit(**INLINE)
def real_of(number: Any) -> Any:
    """Return the float64 of an integer below 2⁵²."""
    return np.uint64(number | EXPONENT).view(np.float64) - WHOLE_BIAS


@njit(**INLINE)
def rounded(number: Any) -> Any:
    """Return the float64 nearest to an integer below 2⁶³: one addition of two exact numbers."""
    return real_of(number >> HALF_BITS) * 4294967296.0 + real_of(number & FRACTION)


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def opaque(typingctx: Any, number: Any) -> Any:
    """Return the integer unchanged, but hide its range from the compiler.

    The compiler would see that the first values of Horner's rule are short and drop their masks.
    When it chooses instructions it no longer knows that, and multiplies 64 by 64 bits.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(64), [ir.IntType(64)])
        return builder.asm(kind, "", "=r,0", args, False)

    return types.uint64(types.uint64), codegen


@njit(**INLINE)
def step(value: Any, fraction: Any, coefficient: Any) -> Any:
    """Return the next step of Horner's rule, with factors of 32 bits."""
    return ((value & FRACTION) * fraction >> HALF_BITS) + coefficient


@njit(**INLINE)
def shrink(distance: Any, lift: Any, first: Any) -> Any:
    """Return e⁻ᵈ in units of 2⁻³¹⁻ˡⁱᶠᵗ, as `exponentials.shrink` does; `first` is `FIRST`."""
    distance = distance if distance < LARGEST else LARGEST
    power = (WHOLE << HALF_BITS) - whole_of(distance * SCALE)
    fraction = power & FRACTION
    value = step(first, fraction, P1)
    value = step(value, fraction, P2)
    value = step(value, fraction, P3)
    value = step(value, fraction, P4)
    value = step(value, fraction, P5)
    value = step(value, fraction, P6)
    value = step(value, fraction, P7)
    value = step(value, fraction, P8)
    return (value << lift) >> (WHOLE - (power >> HALF_BITS))


@njit(error_model="numpy")
def exact_softmax(
    out: Any, top: Any, share: Any, total: Any, n: Any, classes: Any, address: Any, apart: Any,
    real: Any,
) -> Any:  # fmt: skip
    """Fill `out` and `share` with the factors of the memberships of a block, as
    `exponentials.exact_softmax` computes them; return whether none is NaN.
    """
    top, share, total = top[:n], share[:n], total[:n]
    first, spare = opaque(FIRST), 0
    while classes >> 12 + spare:  # so that the sum over many classes fits 63 bits
        spare += 1
    lift = ONE_LIFT - np.uint64(spare)
    lowest = real(-INFINITY)
    for i in range(n):
        top[i], total[i] = lowest, np.uint64(0)
    for c in range(classes):
        z = row(address + c * apart, n, real)
        for i in range(n):
            v, best = z[i], top[i]
            top[i] = best if (v <= best) | (best != best) else v  # NaN if any is NaN
    for c in range(classes):
        z, e = row(address + c * apart, n, real), out[c, :n]
        for i in range(n):
            value = shrink(np.float64(top[i]) - np.float64(z[i]), lift, first)
            total[i] += value
            e[i] = real_of(value)
    lost = 0
    for i in range(n):
        known = (top[i] > -INFINITY) & (top[i] < INFINITY)
        lost += not known
        part = ONE / rounded(total[i])
        share[i] = part if known else np.nan
    return lost == 0


@njit(error_model="numpy")
def multiply(rows: Any, share: Any, n: Any) -> None:
    """Multiply the factors that `exact_softmax` returns: the first become the memberships, the
    others 1.
    """
    for c in range(rows.shape[0]):
        e = rows[c, :n]
        for i in range(n):
            e[i] *= share[i]
    share[:n] = ONE


@njit(error_model="numpy")
def exact_sigmoid(out: Any, z: Any) -> None:
    """Fill `out` with the memberships of a row: `exponentials.exact_sigmoid`."""
    first = opaque(FIRST)
    for i in range(z.size):
        v = np.float64(z[i])
        value = shrink(np.abs(v), ONE_LIFT, first)
        share = ONE / real_of(ONE_UNIT + value)
        share = share if v < INFINITY else np.nan
        out[i] = real_of(ONE_UNIT if v >= ZERO else value) * share


@njit(error_model="numpy")
def halving_sum(rows: Any, count: Any, n: Any) -> None:
    """Add rows in the halving tree into the first row, as `arrays.halving.halving_sum` does."""
    while count > 1:
        half = count // 2
        for c in range(half):
            front, back = rows[c, :n], rows[count - half + c, :n]
            for i in range(n):
                front[i] += back[i]
        count = half + count % 2  # the middle row is the last of the next round


@njit(error_model="numpy")
def sum_of_rows(sums: Any, address: Any, apart: Any, classes: Any, n: Any, real: Any) -> None:
    """Do the same for rows that stay as they are; `sums` has room for half of them, rounded up."""
    half = classes // 2
    for c in range(classes - half):
        front, out = row(address + c * apart, n, real), sums[c, :n]
        if c == half:  # the middle row
            for i in range(n):
                out[i] = front[i]
            continue
        back = row(address + (classes - half + c) * apart, n, real)
        for i in range(n):
            out[i] = np.float64(front[i]) + np.float64(back[i])
    halving_sum(sums, classes - half, n)


@njit(error_model="numpy")
def round_to_float32(rows: Any, n: Any) -> None:
    """Round memberships to those that a forward pass keeps beside float32 logits."""
    for c in range(rows.shape[0]):
        p = rows[c, :n]
        for i in range(n):
            p[i] = np.float64(np.float32(p[i]))
