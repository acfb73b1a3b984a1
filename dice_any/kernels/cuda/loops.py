"""What runs on the GPU.

A tile is what one block of threads sums at a time: `each` elements for a thread, neighbours by neighbouring threads, so
that reads are coalesced where the elements of a class lie behind one another. Tiles are cut by shapes alone, a tile's sums
go to a place of their own, and one kernel adds them in one order. So the bits of a result depend neither on the number of
blocks nor on the GPU, and nothing is added to a floating number by two threads.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import cuda, types

from .. import scalars

NONE, SIGMOID, SOFTMAX = range(3)
CROSS, FOCAL = 1, 2
NO_WEIGHT, MASK, NUMBERS = range(3)
UNIT, LOW_BITS = 2.0**31, 2**31 - 1
#: Partial sums of this many threads are added first, then the partial sums of those.
GROUPS = 16
INT32 = types.int32
REALS = {"hard": np.int64, "exact": np.float64}

narrow = scalars.compiled(cuda.jit(device=True))
wide = scalars.compiled(cuda.jit(device=True), wide=True)
both, size, both_slope, size_slope = narrow.both, narrow.size, narrow.both_slope, narrow.size_slope
is_membership, is_weight = narrow.is_membership, narrow.is_weight
quantise, high_limb, low_limb = narrow.quantise, narrow.high_limb, narrow.low_limb


class Case(NamedTuple):
    """What is compiled in."""

    kind: str
    real: str
    dtypes: tuple[str, str, str]
    activation: int
    labels: bool
    form: int
    weighted: int
    #: 0: none; 1: cross-entropy; 2: focal
    entropy: int
    threads: int
    each: int


@cuda.jit(device=True)
def offset(number: Any, shape: Any, steps: Any) -> Any:
    """Return how far the element of this number is from the first."""
    place = 0
    for d in range(len(shape) - 1, 0, -1):
        rest = number // shape[d]
        place += (number - rest * shape[d]) * steps[d]
        number = rest
    return place + number * steps[0]


@cuda.jit(device=True)
def read_label(labels: Any, at: Any, classes: Any, ignored: Any) -> Any:
    """Return a class number, `classes` for what is none, `classes` + 1 for what is ignored."""
    label = np.int64(labels[at])
    if ignored[0] and label == ignored[1]:
        return classes + 1
    return label if (label >= 0) and (label < classes) else np.int64(classes)


def build_reader(dtype: str, real: Any) -> Any:
    """Return what reads a number as a `real`."""
    if dtype == "bfloat16":

        @cuda.jit(device=True)
        def read(array: Any, at: Any) -> Any:
            return real(np.int32(np.int32(array[at]) << 16).view(np.float32))

    elif dtype == "float16":

        @cuda.jit(device=True)
        def read(array: Any, at: Any) -> Any:
            return real(np.float32(array[at]))

    else:

        @cuda.jit(device=True)
        def read(array: Any, at: Any) -> Any:
            return real(array[at])

    return read


def build_writer(dtype: str) -> Any:
    """Return what writes a number."""
    if dtype == "bfloat16":

        @cuda.jit(device=True)
        def write(array: Any, at: Any, value: Any) -> None:
            bits = np.int64(np.float32(value).view(np.int32))
            rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16  # to nearest, ties to even
            array[at] = np.int16(rounded if value == value else 0x7FC0)

    elif dtype == "float16":

        @cuda.jit(device=True)
        def write(array: Any, at: Any, value: Any) -> None:
            array[at] = np.float16(np.float32(value))

    else:

        @cuda.jit(device=True)
        def write(array: Any, at: Any, value: Any) -> None:
            array[at] = value

    return write


# -- the terms of one element ------------------------------------------------------------------------------------------


def rows(case: Case) -> tuple[int, ...]:
    """Return where in the sums, rows and limbs laid end to end, each number of a tile belongs."""
    if case.kind != "exact":
        return (0, 1, 2, 3, 4, 5, 6) if case.entropy else (0, 1, 2, 3, 4)
    if case.weighted == NUMBERS:
        return (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
    return (1, 2, 4, 5, 7, 8, 9, 12)


def build_terms(case: Case) -> Any:
    """Return what makes the terms of one element that counts, in the order of `rows`.

    They follow from the membership x, or the logit z, the target's membership t, the weight w, and whether a label is
    `outside`; by softmax, `log` is the logarithm of the membership.
    """
    form, weighted = case.form, case.weighted == NUMBERS
    if case.kind == "hard":

        @cuda.jit(device=True)
        def terms(x: Any, z: Any, log: Any, t: Any, w: Any, outside: Any, gamma: Any) -> Any:
            good = (w >= 0) and (w < 2147483648)
            w = w if good else np.int64(0)
            return x * t * w, x * w, t * w, w, np.int64(outside) + np.int64(not good)

    elif case.kind == "exact":

        @cuda.jit(device=True)
        def terms(x: Any, z: Any, log: Any, t: Any, w: Any, outside: Any, gamma: Any) -> Any:
            good_x, good_t, good_w = is_membership(x), is_membership(t), is_weight(w)
            bad = np.int64(outside) + np.int64(not good_x) + np.int64(not good_t) + np.int64(not good_w)
            x, t = (x if good_x else 0.0), (t if good_t else 0.0)
            i, x, t = both(x, t, form), size(x, form), size(t, form)
            if not weighted:
                q_i, q_x, q_t = quantise(i), quantise(x), quantise(t)
                return (
                    high_limb(q_i), low_limb(q_i), high_limb(q_x), low_limb(q_x), high_limb(q_t), low_limb(q_t),
                    np.int64(1), bad,
                )  # fmt: skip
            w = w if good_w else 0.0
            i_0, i_1, i_2 = limbs(i * w)
            x_0, x_1, x_2 = limbs(x * w)
            t_0, t_1, t_2 = limbs(t * w)
            n_0, n_1, n_2 = limbs(w)
            return i_0, i_1, i_2, x_0, x_1, x_2, t_0, t_1, t_2, n_0, n_1, n_2, bad

    else:
        terms = _build_plain_terms(case)
    return terms


@cuda.jit(device=True)
def limbs(v: Any) -> Any:
    """Return a number below 2³¹ in units of 1, 2⁻³¹ and 2⁻⁶².

    The only subtraction is of numbers that are exact, so that it is the same whether the compiler fuses it or not.
    """
    high = np.int64(v * UNIT)
    low = np.int64((v * UNIT - np.float64(high)) * UNIT)
    return high >> 31, high & LOW_BITS, low


def _build_plain_terms(case: Case) -> Any:
    form, weighted, labels, sigmoid, entropy = (
        case.form, case.weighted == NUMBERS, case.labels, case.activation == SIGMOID, case.entropy
    )  # fmt: skip
    real, functions = (np.float64, wide) if case.real == "float64" else (np.float32, narrow)
    cost, log_sigmoid = functions.cost, functions.log_sigmoid

    @cuda.jit(device=True)
    def terms(x: Any, z: Any, log: Any, t: Any, w: Any, outside: Any, gamma: Any) -> Any:
        i, x, y, n = both(x, t, form), size(x, form), size(t, form), real(1.0)
        bad = np.float64(outside)
        if weighted:
            i, x, y, n = i * w, x * w, y * w, w
            bad += np.float64(not is_weight(w))
        return np.float64(i), np.float64(x), np.float64(y), np.float64(n), bad

    if not entropy:
        return terms

    @cuda.jit(device=True)
    def terms_and_costs(x: Any, z: Any, log: Any, t: Any, w: Any, outside: Any, gamma: Any) -> Any:
        i, x, y, n, bad = terms(x, z, log, t, w, outside, gamma)
        if sigmoid:
            share = real(1.0)
            if labels:
                e = cost(log_sigmoid(z if t > real(0.0) else -z), gamma)
            else:
                e = t * cost(log_sigmoid(z), gamma) + (real(1.0) - t) * cost(log_sigmoid(-z), gamma)
        else:
            share = t
            e = t * cost(log, gamma) if t != real(0.0) else real(0.0)
        if weighted:
            e, share = e * w, share * w
        return i, x, y, n, bad, np.float64(e), np.float64(share)

    return terms_and_costs


# -- sums --------------------------------------------------------------------------------------------------------------


@cuda.jit(device=True)
def add_threads(shared: Any, groups: Any, count: Any, lane: Any, threads: Any) -> None:
    """Add what each thread has left in each row of `shared`, into the first column of `groups`; in one order."""
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
    activation, labels, weighted, entropy = case.activation, case.labels, case.weighted, case.entropy
    threads, each, count = case.threads, case.each, len(rows(case))
    read_x, read_y, read_w = (build_reader(dtype, real) for dtype in case.dtypes)
    terms, number_type = build_terms(case), np.float64 if case.kind == "plain" else np.int64

    @cuda.jit
    def sum_tiles(
        x: Any, y: Any, w: Any, starts: Any, class_steps: Any, kept: Any, kept_steps: Any, summed: Any, steps: Any,
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
            x_at = starts[0] + offset(cell, kept, kept_steps[0])
            y_at = starts[1] + offset(cell, kept, kept_steps[1])
            w_at = starts[2] + offset(cell, kept, kept_steps[2])
            if activation == SOFTMAX:
                for k in range(each):
                    i = first + k * threads
                    if i < elements:
                        at = x_at + offset(i, summed, steps[0])
                        top = read_x(x, at)
                        for c in range(1, classes):
                            z = read_x(x, at + c * class_steps[0])
                            top = z if z > top else top
                        total = real(0.0)
                        for c in range(classes):
                            total += exp(read_x(x, at + c * class_steps[0]) - top)
                        tops[k] = top
                        totals[k] = total
            for c in range(classes):
                for r in range(count):
                    sums[r] = number_type(0)
                for k in range(each):
                    i = first + k * threads
                    if i < elements:
                        counted, outside, weight = True, False, real(1)
                        if weighted:
                            weight = read_w(w, w_at + offset(i, summed, steps[2]) + c * class_steps[2])
                            counted = weight != real(0)
                        if labels:
                            mark = read_label(y, y_at + offset(i, summed, steps[1]), classes, ignored)
                            counted = counted and mark != classes + 1
                            outside = mark == classes
                            t = real(mark == c)
                        else:
                            t = real(0)
                        if counted:
                            if not labels:
                                t = read_y(y, y_at + offset(i, summed, steps[1]) + c * class_steps[1])
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
    """Return the kernel that adds the tiles of each number, and puts it where it belongs in the sums."""

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


# -- gradient ----------------------------------------------------------------------------------------------------------


def build_gradient(case: Case) -> Any:
    """Return the kernel that computes the prediction's gradient from the slopes of I, X and E; a thread for an element."""
    real, functions = (np.float64, wide) if case.real == "float64" else (np.float32, narrow)
    exp, log_of, sigmoid, log_sigmoid = functions.exp, functions.log, functions.sigmoid, functions.log_sigmoid
    cost_slope, i_slope, x_slope = functions.cost_slope, functions.both_slope, functions.size_slope
    activation, labels, form, weighted, entropy = case.activation, case.labels, case.form, case.weighted, case.entropy
    read_x, read_y, read_w = (build_reader(dtype, real) for dtype in case.dtypes)
    write = build_writer(case.dtypes[0])

    @cuda.jit
    def fill(
        x: Any, y: Any, w: Any, starts: Any, class_steps: Any, kept: Any, kept_steps: Any, summed: Any, steps: Any,
        sizes: Any, ignored: Any, gamma: Any, slopes: Any, out: Any,
    ) -> None:  # fmt: skip
        cells, _, elements, classes = sizes
        power = real(gamma)
        counts = cells * classes
        for number in range(cuda.grid(1), cells * elements, cuda.gridsize(1)):
            cell = number // elements
            i = number - cell * elements
            x_at = starts[0] + offset(cell, kept, kept_steps[0]) + offset(i, summed, steps[0])
            y_at = starts[1] + offset(cell, kept, kept_steps[1]) + offset(i, summed, steps[1])
            w_at = starts[2] + offset(cell, kept, kept_steps[2]) + offset(i, summed, steps[2])
            g_at = starts[3] + offset(cell, kept, kept_steps[3]) + offset(i, summed, steps[3])
            mark = read_label(y, y_at, classes, ignored) if labels else np.int64(-1)
            top, total, mean = real(0), real(1), real(0)
            if activation == SOFTMAX:
                top = read_x(x, x_at)
                for c in range(1, classes):
                    z = read_x(x, x_at + c * class_steps[0])
                    top = z if z > top else top
                total = real(0)
                for c in range(classes):
                    total += exp(read_x(x, x_at + c * class_steps[0]) - top)
            # by softmax the first round finds the mean slope, which the second subtracts
            for turn in range(2 if activation == SOFTMAX else 1):
                for c in range(classes):
                    weight = read_w(w, w_at + c * class_steps[2]) if weighted else real(1)
                    g = real(0)
                    if weight != real(0) and mark != classes + 1:
                        t = real(mark == c) if labels else read_y(y, y_at + c * class_steps[1])
                        at = cell * classes + c
                        slope_i, slope_x = real(slopes[at]), real(slopes[counts + at])
                        z = read_x(x, x_at + c * class_steps[0])
                        v = z
                        if activation == SIGMOID:
                            v = sigmoid(z)
                        elif activation == SOFTMAX:
                            v = exp(z - top) / total
                        g = weight * (slope_i * i_slope(v, t, form) + slope_x * x_slope(v, form))
                        pull = real(0)
                        if entropy:
                            slope_e = weight * real(slopes[5 * counts + at])
                            if activation == SIGMOID:
                                up, down = cost_slope(log_sigmoid(z), power), cost_slope(log_sigmoid(-z), power)
                                pull = slope_e * (t * up * (real(1) - v) - (real(1) - t) * down * v)
                            elif t != real(0):
                                pull = slope_e * t * cost_slope((z - top) - log_of(total), power)
                        if activation == SIGMOID:
                            g = g * (v * (real(1) - v)) + pull
                        elif activation == SOFTMAX:
                            if turn == 0:
                                mean += v * g + pull
                            else:
                                g = v * (g - mean) + pull
                    if activation != SOFTMAX or turn == 1:
                        write(out, g_at + c * class_steps[3], g)

    return fill


# -- label maps --------------------------------------------------------------------------------------------------------


def build_labels(pairs: bool, in_block: bool, dtypes: tuple[str, str, str], scores: bool, masked: bool, each: int) -> Any:
    """Return the kernel that counts two label maps, of which the first may be the best of `scores`.

    The bins of a cell are the classes' I, X and Y, the total and what is invalid; or all pairs of labels, rows = target.
    Where they fit, a block of threads counts a tile in its own memory first.
    """
    read_x = build_reader(dtypes[0], np.float64 if dtypes[0] == "float64" else np.float32)

    @cuda.jit(device=True)
    def best(x: Any, at: Any, step: Any, classes: Any) -> Any:
        """Return the class of the largest score, the first of equals; `classes` where one is NaN."""
        top, mark = read_x(x, at), np.int64(0)
        for c in range(classes):
            v = read_x(x, at + c * step)
            if v != v:
                return np.int64(classes)
            if v > top:
                top, mark = v, np.int64(c)
        return mark

    @cuda.jit(device=True)
    def place(number: Any, cell: Any, cells: Any, classes: Any) -> Any:
        """Return where a bin is in the sums."""
        if pairs:
            return cell * (classes + 1) * (classes + 1) + number
        row, c = number // classes, number % classes
        if number >= 3 * classes:  # these two belong to every class: the first has them till the end
            row, c = number - 3 * classes + 3, 0
        return (row * cells + cell) * classes + c

    @cuda.jit
    def count_tiles(
        x: Any, y: Any, w: Any, starts: Any, class_steps: Any, kept: Any, kept_steps: Any, summed: Any, steps: Any,
        sizes: Any, ignored: Any, out: Any,
    ) -> None:  # fmt: skip
        bins = cuda.shared.array(0, INT32)
        cells, parts, elements, classes = sizes
        lane, threads, side = cuda.threadIdx.x, cuda.blockDim.x, classes + 1
        length = side * side if pairs else 3 * classes + 2
        for tile in range(cuda.blockIdx.x, cells * parts, cuda.gridDim.x):
            cell = tile // parts
            first = (tile - cell * parts) * (threads * each) + lane
            x_at = starts[0] + offset(cell, kept, kept_steps[0])
            y_at = starts[1] + offset(cell, kept, kept_steps[1])
            w_at = starts[2] + offset(cell, kept, kept_steps[2])
            if in_block:
                for number in range(lane, length, threads):
                    bins[number] = 0
                cuda.syncthreads()
            total, invalid = np.int64(0), np.int64(0)
            for k in range(each):
                i = first + k * threads
                counted = i < elements
                b = np.int64(0)
                if counted and masked:
                    counted = bool(w[w_at + offset(i, summed, steps[2])])
                if counted:
                    b = read_label(y, y_at + offset(i, summed, steps[1]), classes, ignored)
                    counted = b != side
                if counted:
                    at = x_at + offset(i, summed, steps[0])
                    a = best(x, at, class_steps[0], classes) if scores else read_label(x, at, classes, (0, 0))
                    total += 1
                    invalid += np.int64(a == classes or b == classes)
                    for part in range(1 if pairs else 3):
                        number = b * side + a
                        there = True
                        if not pairs:
                            number = part * classes + (b if part == 2 else a)
                            there = a < classes if part < 2 else b < classes
                            there = there and (part > 0 or a == b)
                        if there and in_block:
                            cuda.atomic.add(bins, number, np.int32(1))
                        elif there:
                            cuda.atomic.add(out, place(number, cell, cells, classes), np.int64(1))
            if not pairs:
                for part in range(2):
                    number, found = 3 * classes + part, invalid if part == 1 else total
                    if found != 0 and in_block:
                        cuda.atomic.add(bins, number, np.int32(found))
                    elif found != 0:
                        cuda.atomic.add(out, place(number, cell, cells, classes), found)
            if in_block:
                cuda.syncthreads()
                for number in range(lane, length, threads):
                    if bins[number] != 0:
                        cuda.atomic.add(out, place(number, cell, cells, classes), np.int64(bins[number]))
                cuda.syncthreads()

    return count_tiles


@cuda.jit
def spread(sizes: Any, out: Any) -> None:
    """Give every class the total and the number of invalid elements, which the first class has."""
    cells, _, _, classes = sizes
    for number in range(cuda.grid(1), 2 * cells, cuda.gridsize(1)):
        at = (3 * cells + number) * classes
        for c in range(1, classes):
            out[at + c] = out[at]
