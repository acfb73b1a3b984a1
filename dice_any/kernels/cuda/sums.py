"""The sums, tile by tile.

A thread block sums one tile at a time, `each` elements per thread. Neighbouring threads read
neighbouring elements, so reads are coalesced if the elements of a class are contiguous. Tiles
depend on shapes only, each tile's sums have their own place, and one kernel adds them in one order.
So the bits of a result depend neither on the number of blocks nor on the GPU, and no two threads
add to the same floating number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from .elements import (
    NONE,
    NUMBERS,
    SIGMOID,
    SOFTMAX,
    Case,
    build_reader,
    build_softmax,
    narrow,
    offset,
    read_label,
    wide,
)

UNIT, LOW_BITS = 2.0**31, 2**31 - 1
#: Partial sums of this many threads are added first, then the results.
GROUPS = 16
REALS = {"hard": np.int64, "exact": np.float64}

both, size, is_membership, is_weight = (
    narrow.both,
    narrow.size,
    narrow.is_membership,
    narrow.is_weight,
)
member = wide.member
quantise, high_limb, low_limb = narrow.quantise, narrow.high_limb, narrow.low_limb


# -- the terms of one element ----------------------------------------------------------------------


def rows(case: Case) -> tuple[int, ...]:
    """Return the place of each number of a tile in the flattened rows and limbs of the sums."""
    if case.kind != "exact":
        return (0, 1, 2, 3, 4, 5, 6, 7, 8) if case.entropy else (0, 1, 2, 3, 4, 5, 6)
    if case.weighted == NUMBERS:
        return (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 18)
    return (1, 2, 4, 5, 7, 8, 9, 12, 15)


def build_terms(case: Case) -> Any:
    """Return a function that computes the terms of one counted element, in the order of `rows`.

    Its arguments are the membership x or the logit z, the target's membership t, the weight w, and
    whether a label is `outside`; with softmax, `log` is the logarithm of the membership.
    """
    form, weighted = case.form, case.weighted == NUMBERS
    if case.kind == "hard":

        @cuda.jit(device=True)
        def terms(x: Any, z: Any, log: Any, t: Any, w: Any, outside: Any, gamma: Any) -> Any:
            good = (w >= 0) and (w < 2147483648)
            w = w if good else np.int64(0)
            return x * t * w, x * w, t * w, w, np.int64(0), np.int64(outside), np.int64(not good)

    elif case.kind == "exact":

        @cuda.jit(device=True)
        def terms(x: Any, z: Any, log: Any, t: Any, w: Any, outside: Any, gamma: Any) -> Any:
            good_x, good_t, good_w = is_membership(x), is_membership(t), is_weight(w)
            bad_x, bad_t, bad_w = (
                np.int64(not good_x),
                np.int64(outside) + np.int64(not good_t),
                np.int64(not good_w),
            )
            x, t = (member(x) if good_x else 0.0), (member(t) if good_t else 0.0)
            i, x, t = both(x, t, form), size(x, form), size(t, form)
            if not weighted:
                q_i, q_x, q_t = quantise(i), quantise(x), quantise(t)
                return (
                    high_limb(q_i), low_limb(q_i), high_limb(q_x), low_limb(q_x), high_limb(q_t),
                    low_limb(q_t),
                    np.int64(1), bad_x, bad_t,
                )  # fmt: skip
            w = w if good_w else 0.0
            i_0, i_1, i_2 = limbs(i * w)
            x_0, x_1, x_2 = limbs(x * w)
            t_0, t_1, t_2 = limbs(t * w)
            n_0, n_1, n_2 = limbs(w)
            return i_0, i_1, i_2, x_0, x_1, x_2, t_0, t_1, t_2, n_0, n_1, n_2, bad_x, bad_t, bad_w

    else:
        terms = _build_plain_terms(case)
    return terms


@cuda.jit(device=True)
def limbs(v: Any) -> Any:
    """Return a number below 2³¹ in units of 1, 2⁻³¹ and 2⁻⁶².

    The operands of the only subtraction are exact, so the result is the same whether the compiler
    fuses it or not.
    """
    high = np.int64(v * UNIT)
    low = np.int64((v * UNIT - np.float64(high)) * UNIT)
    return high >> 31, high & LOW_BITS, low


def _build_plain_terms(case: Case) -> Any:
    form, weighted, labels, sigmoid, entropy = (
        case.form, case.weighted == NUMBERS, case.labels, case.activation == SIGMOID, case.entropy
    )  # fmt: skip
    activated = case.activation != NONE
    real, functions = (np.float64, wide) if case.real == "float64" else (np.float32, narrow)
    cost, log_sigmoid, member_of = functions.cost, functions.log_sigmoid, functions.member

    @cuda.jit(device=True)
    def terms(x: Any, z: Any, log: Any, t: Any, w: Any, outside: Any, gamma: Any) -> Any:
        bad_x, bad_t, bad_w = 0.0, np.float64(outside), 0.0
        if not activated:
            good_x = is_membership(x)
            bad_x, x = np.float64(not good_x), (member_of(x) if good_x else real(0.0))
        if not labels:
            good_t = is_membership(t)
            bad_t, t = np.float64(not good_t), (member_of(t) if good_t else real(0.0))
        i, x, y, n = both(x, t, form), size(x, form), size(t, form), real(1.0)
        if weighted:
            i, x, y, n = i * w, x * w, y * w, w
            bad_w = np.float64(not is_weight(w))
        return np.float64(i), np.float64(x), np.float64(y), np.float64(n), bad_x, bad_t, bad_w

    if not entropy:
        return terms

    @cuda.jit(device=True)
    def terms_and_costs(x: Any, z: Any, log: Any, t: Any, w: Any, outside: Any, gamma: Any) -> Any:
        i, x, y, n, bad_x, bad_t, bad_w = terms(x, z, log, t, w, outside, gamma)
        if not labels:
            t = member_of(t)
        if sigmoid:
            share = real(1.0)
            if labels:
                e = cost(log_sigmoid(z if t > real(0.0) else -z), gamma)
            else:
                up, down = (
                    t * cost(log_sigmoid(z), gamma),
                    (real(1.0) - t) * cost(log_sigmoid(-z), gamma),
                )
                e = (up if t != real(0.0) else real(0.0)) + (down if t != real(1.0) else real(0.0))
        else:
            share = t
            e = t * cost(log, gamma) if t != real(0.0) else real(0.0)
        if weighted:
            e, share = e * w, share * w
        return i, x, y, n, bad_x, bad_t, bad_w, np.float64(e), np.float64(share)

    return terms_and_costs


# -- tiles -----------------------------------------------------------------------------------------


@cuda.jit(device=True)
def add_threads(shared: Any, groups: Any, count: Any, lane: Any, threads: Any) -> None:
    """Add the numbers of all threads in each row of `shared` into the first column of `groups`, in
    one fixed order.
    """
    cuda.syncthreads()
    for number in range(lane, count * GROUPS, threads):
        row, group = number // GROUPS, number % GROUPS
        total = shared[row, group]
        for k in range(group + GROUPS, threads, GROUPS):
            total += shared[row, k]
        groups[row, group] = total
    cuda.syncthreads()
    for row in range(lane, count, threads):
        total = groups[row, 0]
        for k in range(1, GROUPS):
            total += groups[row, k]
        groups[row, 0] = total


def build_sums(case: Case) -> Any:
    """Return the kernel that sums tiles: (cells, classes, numbers, parts)."""
    real: Any = REALS.get(case.kind, np.float64 if case.real == "float64" else np.float32)
    functions = wide if case.real == "float64" else narrow
    exp, log_of, sigmoid = functions.exp, functions.log, functions.sigmoid
    activation, labels, weighted, entropy = (
        case.activation,
        case.labels,
        case.weighted,
        case.entropy,
    )
    threads, each, count = case.threads, case.each, len(rows(case))
    read_x, read_y, read_w = (build_reader(dtype, real) for dtype in case.dtypes)
    softmax = build_softmax(read_x, exp, real)
    terms, number_type = build_terms(case), np.float64 if case.kind == "plain" else np.int64

    @cuda.jit
    def sum_tiles(
        x: Any, y: Any, w: Any, starts: Any, class_steps: Any, lengths: Any, cell_steps: Any,
        summed: Any, steps: Any,
        sizes: Any, ignored: Any, gamma: Any, partials: Any,
    ) -> None:  # fmt: skip
        shared = cuda.shared.array((count, threads), number_type)
        groups = cuda.shared.array((count, GROUPS), number_type)
        sums = cuda.local.array(count, number_type)
        tops = cuda.local.array(each, real)
        totals = cuda.local.array(each, real)
        cells, parts, elements, classes = sizes
        power = real(gamma)
        lane = cuda.threadIdx.x
        for tile in range(cuda.blockIdx.x, cells * parts, cuda.gridDim.x):
            cell = tile // parts
            part = tile - cell * parts
            first = part * (threads * each) + lane
            x_at = starts[0] + offset(cell, lengths, cell_steps[0])
            y_at = starts[1] + offset(cell, lengths, cell_steps[1])
            w_at = starts[2] + offset(cell, lengths, cell_steps[2])
            if activation == SOFTMAX:
                for k in range(each):
                    i = first + k * threads
                    if i < elements:
                        at = x_at + offset(i, summed, steps[0])
                        tops[k], totals[k] = softmax(x, at, class_steps[0], classes)
            for c in range(classes):
                for r in range(count):
                    sums[r] = number_type(0)
                for k in range(each):
                    i = first + k * threads
                    if i < elements:
                        counted, outside, weight = True, False, real(1)
                        if weighted:
                            weight = read_w(
                                w, w_at + offset(i, summed, steps[2]) + c * class_steps[2]
                            )
                            counted = weight != real(0)
                        if labels:
                            mark = read_label(
                                y, y_at + offset(i, summed, steps[1]), classes, ignored
                            )
                            counted = counted and mark != classes + 1
                            outside = mark == classes
                            t = real(mark == c)
                        else:
                            t = real(0)
                        if counted:
                            if not labels:
                                t = read_y(
                                    y, y_at + offset(i, summed, steps[1]) + c * class_steps[1]
                                )
                            z = read_x(x, x_at + offset(i, summed, steps[0]) + c * class_steps[0])
                            v, log = z, real(0)
                            if activation == SIGMOID:
                                v = sigmoid(z)
                            elif activation == SOFTMAX:
                                v = exp(z - tops[k]) / totals[k]
                                if entropy:
                                    log = (z - tops[k]) - log_of(totals[k])
                            numbers = terms(v, z, log, t, weight, outside, power)
                            for r in range(count):
                                sums[r] += numbers[r]
                for r in range(count):
                    shared[r, lane] = sums[r]
                add_threads(shared, groups, count, lane, threads)
                for r in range(lane, count, threads):
                    partials[((cell * classes + c) * count + r) * parts + part] = groups[r, 0]
                cuda.syncthreads()

    return sum_tiles


def build_fold(number_type: Any, threads: int) -> Any:
    """Return the kernel that adds the tiles of each number and stores the result at its place in
    the sums.
    """

    @cuda.jit
    def fold(partials: Any, sizes: Any, places: Any, out: Any) -> None:
        shared = cuda.shared.array((1, threads), number_type)
        groups = cuda.shared.array((1, GROUPS), number_type)
        cells, parts, _, classes = sizes
        count, lane = len(places), cuda.threadIdx.x
        for number in range(cuda.blockIdx.x, cells * classes * count, cuda.gridDim.x):
            total = number_type(0)
            for part in range(lane, parts, threads):
                total += partials[number * parts + part]
            shared[0, lane] = total
            add_threads(shared, groups, 1, lane, threads)
            if lane == 0:
                at = number // count
                out[places[number - at * count] * (cells * classes) + at] = groups[0, 0]
            cuda.syncthreads()

    return fold
