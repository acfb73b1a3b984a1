"""Memberships and logits: their sums and the gradient of those, one pass over the arrays.

A block of elements is loaded, activated and summed class by class before the next one, so that nothing larger than a block
is ever stored. What a task fixes (`Case`) is compiled in: what it does not need leaves no instruction. The rest, layout,
types of labels and weights, lengths, is decided once for each block.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from .arithmetic import (
    both,
    both_slope,
    cost,
    cost_slope,
    exp,
    high_limb,
    is_membership,
    is_weight,
    log,
    log_sigmoid,
    low_sum,
    quantise,
    sigmoid,
    size,
    size_slope,
)
from .memory import INLINE, NO_ARRAY, STAMP, claim, lies_straight, load_labels, load_real, offset, row, scatter

#: Elements that are added in the arrays' own precision before float64 takes over.
RUN = 256
#: Rows of a chunk's sums; behind them, exact ones have the limbs of the first four.
I, X, Y, N, BAD, E, EN = range(7)  # noqa: E741
NONE, SIGMOID, SOFTMAX = range(3)
CROSS, FOCAL = 1, 2
REORDERED = {**INLINE, "fastmath": {"reassoc", "contract"}}
ZERO, HALF, ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)


class Case(NamedTuple):
    """What is compiled in: plain values, from which Numba makes the key of its cache on disk."""

    real: str
    activation: int
    labels: bool
    form: int
    weighted: bool
    #: 0: none; 1: cross-entropy; 2: focal
    entropy: int


# -- loading -----------------------------------------------------------------------------------------------------------


@njit(**INLINE)
def load_rows(
    loaders: Any,
    scratch: Any,
    classes: Any,
    n: Any,
    code: Any,
    own: Any,
    address: Any,
    step: Any,
    first: Any,
    shape: Any,
    strides: Any,
) -> Any:
    """Return where the rows of a block are and how far apart: in place if they can be used there, else in `scratch`."""
    if code == own and lies_straight(first, n, shape, strides, scratch.itemsize):
        return address + offset(first, shape, strides), step
    for c in range(classes):
        load_real(loaders, scratch[c], n, code, address + c * step, first, shape, strides)
    return scratch.ctypes.data, scratch.shape[1] * scratch.itemsize


@njit(**INLINE)
def load_weights(
    loaders: Any,
    scratch: Any,
    marks: Any,
    classes: Any,
    n: Any,
    code: Any,
    address: Any,
    step: Any,
    first: Any,
    shape: Any,
    strides: Any,
) -> Any:
    """Fill `scratch` with weights, 0 for what is ignored; return the step from class to class."""
    rows = classes if step != 0 else 1
    for c in range(rows):
        weights = scratch[c, :n]
        if code == NO_ARRAY:
            weights[:] = ONE
        else:
            load_real(loaders, weights, n, code, address + c * step, first, shape, strides)
        ignored = np.int32(classes + 1)
        for i in range(n):
            weights[i] = ZERO if marks[i] == ignored else weights[i] + ZERO  # without the sum, it would be a branch
        if rows == 1:
            for i in range(n):
                marks[i] = max(marks[i], ignored if weights[i] == ZERO else np.int32(0))
    return scratch.shape[1] * scratch.itemsize if rows > 1 else 0


@njit(**INLINE)
def count_marks(marks: Any, mark: Any) -> Any:
    found = 0
    for i in range(marks.size):
        found += marks[i] == mark
    return found


@njit(**INLINE)
def count_bad_weights(weights: Any) -> Any:
    found = 0
    for i in range(weights.size):
        found += not is_weight(weights[i])
    return found


# -- activation --------------------------------------------------------------------------------------------------------


@njit(**INLINE)
def softmax(
    shrunk: Any, top: Any, total: Any, own: Any, marks: Any, n: Any, classes: Any, address: Any, step: Any,
    real: Any, want_own: Any,
) -> None:  # fmt: skip
    """Fill `shrunk` with exp(z − max z), `top` with max z and `total` with the sum of `shrunk` over the classes.

    If wanted, `own` becomes the logarithm of the membership in each element's own class.
    """
    top, total = top[:n], total[:n]
    z = row(address, n, real)
    for i in range(n):
        top[i] = z[i]
        total[i] = own[i] = ZERO
    for c in range(1, classes):
        z = row(address + c * step, n, real)
        for i in range(n):
            top[i] = z[i] if z[i] > top[i] else top[i]
    for c in range(classes):
        z, out = row(address + c * step, n, real), shrunk[c, :n]
        for i in range(n):
            below = z[i] - top[i]
            out[i] = exp(below)
            if want_own:
                own[i] += below if marks[i] == c else ZERO  # added, as what is kept would be a branch
        for i in range(n):
            total[i] += out[i]
    if want_own:
        for i in range(n):
            own[i] -= log(total[i])


# -- sums --------------------------------------------------------------------------------------------------------------


@njit(**REORDERED)
def add_plain(
    sums: Any, x: Any, share: Any, costs: Any, y: Any, marks: Any, w: Any, c: Any,
    activation: Any, labels: Any, form: Any, weighted: Any, costly: Any,
) -> None:  # fmt: skip
    """Add the terms of one class of one block, and the costs of the elements that have its label."""
    for start in range(0, x.size, RUN):
        n = min(RUN, x.size - start)
        xs, ys, ms, ws, shares, cs = (
            x[start : start + n], y[start : start + n], marks[start : start + n], w[start : start + n],
            share[start : start + n], costs[start : start + n],
        )  # fmt: skip
        sum_i, sum_x, sum_y, sum_n, sum_e = ZERO, ZERO, ZERO, ZERO, ZERO
        for i in range(n):
            v = xs[i]
            if activation == SIGMOID:
                v = sigmoid(v)
            elif activation == SOFTMAX:
                v = v * shares[i]
            t = np.float32(ms[i] == c) if labels else ys[i]
            if weighted:
                weight = ws[i]
                counted = weight != ZERO
                v, t = (v if counted else ZERO), (t if counted else ZERO)
                sum_i += both(v, t, form) * weight
                sum_x += size(v, form) * weight
                sum_y += size(t, form) * weight
                sum_n += weight
                if costly:
                    sum_e += cs[i] * weight if t != ZERO else ZERO
            else:
                sum_i += both(v, t, form)
                sum_x += size(v, form)
                sum_y += size(t, form)
                if costly:
                    sum_e += cs[i] if t != ZERO else ZERO
        sums[I] += sum_i
        sums[X] += sum_x
        sums[Y] += sum_y
        sums[N] += sum_n if weighted else n
        if costly:
            sums[E] += sum_e
            sums[EN] += sum_y


@njit(**REORDERED)
def add_costs(sums: Any, costs: Any, y: Any, w: Any, weighted: Any) -> None:
    """Add costs by softmax, each weighed by the target's membership."""
    for start in range(0, costs.size, RUN):
        n = min(RUN, costs.size - start)
        costs_, ys, ws = costs[start : start + n], y[start : start + n], w[start : start + n]
        sum_e, sum_n = ZERO, ZERO
        for i in range(n):
            t = ys[i]
            if weighted:
                t = t * ws[i] if ws[i] != ZERO else ZERO
            sum_e += costs_[i] * t if t != ZERO else ZERO
            sum_n += t
        sums[E] += sum_e
        sums[EN] += sum_n


@njit(**REORDERED)
def add_sigmoid_costs(sums: Any, z: Any, y: Any, marks: Any, w: Any, c: Any, power: Any, labels: Any, weighted: Any) -> None:
    """Add costs by sigmoid, of the set and of its complement."""
    for start in range(0, z.size, RUN):
        n = min(RUN, z.size - start)
        zs, ys, ms, ws = (z[start : start + n], y[start : start + n], marks[start : start + n], w[start : start + n])
        sum_e, sum_n = ZERO, ZERO
        for i in range(n):
            if labels:
                term = cost(log_sigmoid(zs[i] if ms[i] == c else -zs[i]), power)
            else:
                t = ys[i]
                term = t * cost(log_sigmoid(zs[i]), power) + (ONE - t) * cost(log_sigmoid(-zs[i]), power)
            weight = ws[i] if weighted else ONE
            sum_e += (term * weight if weight != ZERO else ZERO) if weighted else term
            sum_n += weight
        sums[E] += sum_e
        sums[EN] += sum_n


@njit(**INLINE)
def add_exact(sums: Any, x: Any, y: Any, marks: Any, c: Any, labels: Any, form: Any) -> None:
    """Add the terms of one class of one block in integers: sums of (row, limb)."""
    qs, hs = (np.uint64(0), np.uint64(0), np.uint64(0)), (np.uint64(0), np.uint64(0), np.uint64(0))
    q_i, q_x, q_y = qs
    h_i, h_x, h_y = hs
    bad = 0
    for i in range(x.size):
        v, t = np.float64(x[i]), np.float64(marks[i] == c) if labels else np.float64(y[i])
        good_v, good_t = is_membership(v), is_membership(t)
        bad += (not good_v) + (not good_t)
        v, t = (v if good_v else 0.0), (t if good_t else 0.0)
        term_i, term_x, term_y = quantise(both(v, t, form)), quantise(size(v, form)), quantise(size(t, form))
        q_i, h_i = q_i + np.uint64(term_i), h_i + np.uint64(high_limb(term_i))
        q_x, h_x = q_x + np.uint64(term_x), h_x + np.uint64(high_limb(term_x))
        q_y, h_y = q_y + np.uint64(term_y), h_y + np.uint64(high_limb(term_y))
    for part, q, h in ((I, q_i, h_i), (X, q_x, h_x), (Y, q_y, h_y)):
        sums[part, 1] += np.int64(h)
        sums[part, 2] += np.int64(low_sum(q, h))
    sums[N, 0] += x.size
    sums[BAD, 0] += bad


@njit(**INLINE)
def add_exact_weighed(sums: Any, x: Any, y: Any, marks: Any, w: Any, c: Any, labels: Any, form: Any) -> None:
    """The same with weights, whose products have a whole part too."""
    bad = 0
    for part in range(4):
        whole, q, h = np.uint64(0), np.uint64(0), np.uint64(0)
        for i in range(x.size):
            v, t = np.float64(x[i]), np.float64(marks[i] == c) if labels else np.float64(y[i])
            weight = np.float64(w[i])
            good_v, good_t, good = is_membership(v), is_membership(t), is_weight(weight)
            if part == N:  # once
                counted = weight != 0.0
                bad += (counted & (not good_v)) + (counted & (not good_t)) + (not good)
            v, t, weight = (v if good_v else 0.0), (t if good_t else 0.0), (weight if good else 0.0)
            term = both(v, t, form) if part == I else size(v if part == X else t, form)
            term = weight if part == N else term * weight
            floor = np.int64(term)
            number = quantise(term - np.float64(floor))
            whole, q, h = whole + np.uint64(floor), q + np.uint64(number), h + np.uint64(high_limb(number))
        sums[part, 0] += np.int64(whole)
        sums[part, 1] += np.int64(h)
        sums[part, 2] += np.int64(low_sum(q, h))
    sums[BAD, 0] += bad


def build_sums(case: Case, exact: bool) -> Any:
    """Return the compiled loop that sums."""
    stamp = STAMP
    real, own = (np.float32, 11) if case.real == "float32" else (np.float64, 12)
    activation, labels, form, weighted, entropy = case[1:]
    has_ys = not labels
    own_cost = bool(entropy and labels and activation == SOFTMAX)

    @njit(cache=True, nogil=True, error_model="numpy")
    def sum_chunks(
        loaders: Any,
        ticket: Any,
        sizes: Any,
        power: Any,
        place: Any,
        kept: Any,
        kept_steps: Any,
        summed: Any,
        steps: Any,
        out: Any,
    ) -> None:
        _stamp = stamp
        chunks, parts, length, elements, classes, block, ignoring, ignored = sizes
        gamma = real(power) if entropy == FOCAL else ZERO
        xs = np.empty((classes, block), real)
        ys = np.empty((classes if has_ys else 1, block), real)
        ws = np.empty((classes if weighted and place[2, 2] != 0 else 1, block), real)
        shrunk = np.empty((classes if activation == SOFTMAX else 1, block), real)
        top, total, share, own_log = (np.empty(block, real), np.empty(block, real), np.empty(block, real),
                                      np.zeros(block, real))  # fmt: skip
        marks = np.zeros(block, np.int32)
        while True:
            chunk = claim(ticket)
            if chunk >= chunks:
                return
            cell = chunk // parts
            first = (chunk - cell * parts) * length
            last = min(first + length, elements)
            x_at, y_at, w_at = (
                place[0, 0] + offset(cell, kept, kept_steps[0]),
                place[1, 0] + offset(cell, kept, kept_steps[1]),
                place[2, 0] + offset(cell, kept, kept_steps[2]),
            )
            while first < last:
                n = min(block, last - first)
                x_row, x_step = load_rows(
                    loaders, xs, classes, n, place[0, 1], own, x_at, place[0, 2], first, summed, steps[0]
                )
                y_row, y_step = ys.ctypes.data, 0
                if labels:
                    load_labels(loaders, marks, n, place[1, 1], y_at, first, summed, steps[1], classes, ignoring, ignored)
                else:
                    y_row, y_step = load_rows(
                        loaders, ys, classes, n, place[1, 1], own, y_at, place[1, 2], first, summed, steps[1]
                    )
                w_step = 0
                if weighted:
                    if not labels:
                        marks[:n] = 0
                    w_step = load_weights(
                        loaders, ws, marks, classes, n, place[2, 1], w_at, place[2, 2], first, summed, steps[2]
                    )
                outside = count_marks(marks[:n], classes) if labels else 0
                w_row = ws.ctypes.data

                if activation == SOFTMAX:
                    softmax(shrunk, top, total, own_log, marks, n, classes, x_row, x_step, real, own_cost)
                    for i in range(n):
                        share[i] = ONE / total[i]
                    if own_cost:
                        for i in range(n):
                            own_log[i] = cost(own_log[i], gamma)
                for c in range(classes):
                    z, y, w = (
                        row(x_row + c * x_step, n, real),
                        row(y_row + c * y_step, n, real),
                        row(w_row + c * w_step, n, real),
                    )
                    x = shrunk[c, :n] if activation == SOFTMAX else z
                    if exact:
                        if weighted:
                            add_exact_weighed(out[chunk, c], x, y, marks, w, c, labels, form)
                        else:
                            add_exact(out[chunk, c], x, y, marks, c, labels, form)
                        out[chunk, c, BAD, 0] += outside
                        continue
                    add_plain(out[chunk, c], x, share, own_log, y, marks, w, c, activation, labels, form, weighted, own_cost)
                    out[chunk, c, BAD] += outside
                    if weighted:
                        out[chunk, c, BAD] += count_bad_weights(w)
                    if entropy and activation == SOFTMAX and not labels:
                        for i in range(n):
                            own_log[i] = cost((z[i] - top[i]) - log(total[i]), gamma)
                        add_costs(out[chunk, c], own_log[:n], y, w, weighted)
                    elif entropy and not own_cost:
                        add_sigmoid_costs(out[chunk, c], z, y, marks, w, c, gamma, labels, weighted)
                first += n

    return sum_chunks


# -- gradient ----------------------------------------------------------------------------------------------------------


def build_gradient(case: Case) -> Any:
    """Return the compiled loop that computes the prediction's gradient from the slopes of I, X and E."""
    stamp = STAMP
    real, own = (np.float32, 11) if case.real == "float32" else (np.float64, 12)
    activation, labels, form, weighted, entropy = case[1:]

    own_cost = bool(entropy and labels and activation == SOFTMAX)
    # without an activation the slopes are those of the reference to the bit: a product and a sum are two roundings
    fused = {"contract"} if activation != NONE else False

    @njit(cache=True, nogil=True, error_model="numpy", fastmath=fused)
    def fill_chunks(
        loaders: Any,
        ticket: Any,
        sizes: Any,
        power: Any,
        place: Any,
        kept: Any,
        kept_steps: Any,
        summed: Any,
        steps: Any,
        slopes: Any,
    ) -> None:
        _stamp = stamp
        chunks, parts, length, elements, classes, block, ignoring, ignored = sizes
        gamma = real(power) if entropy == FOCAL else ZERO
        xs = np.empty((classes, block), real)
        ys = np.empty((1 if labels else classes, block), real)
        ws = np.ones((classes if weighted and place[2, 2] != 0 else 1, block), real)
        shrunk = np.empty((classes if activation == SOFTMAX else 1, block), real)
        top, total, share, pull, mean = (
            np.empty(block, real), np.empty(block, real), np.empty(block, real), np.zeros(block, real),
            np.empty(block, real),
        )  # fmt: skip
        marks = np.zeros(block, np.int32)
        gradient = np.empty(block, real)
        while True:
            chunk = claim(ticket)
            if chunk >= chunks:
                return
            cell = chunk // parts
            first = (chunk - cell * parts) * length
            last = min(first + length, elements)
            x_at, y_at, w_at, g_at = (
                place[0, 0] + offset(cell, kept, kept_steps[0]),
                place[1, 0] + offset(cell, kept, kept_steps[1]),
                place[2, 0] + offset(cell, kept, kept_steps[2]),
                place[3, 0] + offset(cell, kept, kept_steps[3]),
            )
            while first < last:
                n = min(block, last - first)
                x_row, x_step = load_rows(
                    loaders, xs, classes, n, place[0, 1], own, x_at, place[0, 2], first, summed, steps[0]
                )
                y_row, y_step = ys.ctypes.data, 0
                if labels:
                    load_labels(loaders, marks, n, place[1, 1], y_at, first, summed, steps[1], classes, ignoring, ignored)
                else:
                    y_row, y_step = load_rows(
                        loaders, ys, classes, n, place[1, 1], own, y_at, place[1, 2], first, summed, steps[1]
                    )
                w_step = 0
                if weighted:
                    if not labels:
                        marks[:n] = 0
                    w_step = load_weights(
                        loaders, ws, marks, classes, n, place[2, 1], w_at, place[2, 2], first, summed, steps[2]
                    )
                w_row = ws.ctypes.data
                in_place = place[3, 1] == own and lies_straight(first, n, summed, steps[3], gradient.itemsize)
                g_row = g_at + offset(first, summed, steps[3])

                if activation == SOFTMAX:
                    softmax(shrunk, top, total, pull, marks, n, classes, x_row, x_step, real, own_cost and entropy == FOCAL)
                    for i in range(n):
                        share[i] = ONE / total[i]
                        mean[i] = ZERO
                    if own_cost:
                        for i in range(n):
                            pull[i] = cost_slope(pull[i], gamma) if entropy == FOCAL else -ONE
                    for c in range(classes):
                        slope_i, slope_x, slope_e = (
                            real(slopes[cell, c, 0]), real(slopes[cell, c, 1]), real(slopes[cell, c, 2])
                        )  # fmt: skip
                        z, y, w = (
                            row(x_row + c * x_step, n, real), row(y_row + c * y_step, n, real),
                            row(w_row + c * w_step, n, real),
                        )  # fmt: skip
                        p = shrunk[c, :n]
                        for i in range(n):
                            t = np.float32(marks[i] == c) if labels else y[i]
                            v = p[i] * share[i]
                            p[i] = v
                            g = slope_i * both_slope(v, t, form) + slope_x * size_slope(v, form)
                            g *= v
                            if own_cost:
                                g += slope_e * pull[i] if marks[i] == c else ZERO
                            mean[i] += g * w[i] if weighted else g
                        if entropy and not labels:
                            for i in range(n):
                                part = slope_e * cost_slope((z[i] - top[i]) - log(total[i]), gamma) * y[i]
                                mean[i] += part * w[i] if weighted else part
                for c in range(classes):
                    slope_i, slope_x, slope_e = (
                        real(slopes[cell, c, 0]), real(slopes[cell, c, 1]), real(slopes[cell, c, 2])
                    )  # fmt: skip
                    z, y, w = (
                        row(x_row + c * x_step, n, real), row(y_row + c * y_step, n, real),
                        row(w_row + c * w_step, n, real),
                    )  # fmt: skip
                    out = row(g_row + c * place[3, 2], n, real) if in_place else gradient[:n]
                    p = shrunk[c, :n] if activation == SOFTMAX else z
                    for i in range(n):
                        t = np.float32(marks[i] == c) if labels else y[i]
                        v = p[i]
                        if activation == SIGMOID:
                            v = sigmoid(v)
                        g = slope_i * both_slope(v, t, form) + slope_x * size_slope(v, form)
                        if weighted:
                            g *= w[i]
                        if activation == SOFTMAX:
                            g = v * (g - mean[i])
                            if own_cost:
                                part = slope_e * pull[i] if marks[i] == c else ZERO
                                g += part * w[i] if weighted else part
                        elif activation == SIGMOID:
                            g *= v * (ONE - v)
                        if weighted:
                            g = g if w[i] != ZERO else ZERO
                        out[i] = g
                    if entropy and not own_cost:
                        for i in range(n):
                            if activation == SOFTMAX:
                                part = slope_e * cost_slope((z[i] - top[i]) - log(total[i]), gamma) * y[i]
                            else:
                                v = sigmoid(z[i])
                                if labels:  # of the set or of its complement
                                    hit = marks[i] == c
                                    slope = cost_slope(log_sigmoid(z[i] if hit else -z[i]), gamma)
                                    part = slope_e * slope * ((ONE - v) if hit else -v)
                                else:
                                    t = y[i]
                                    up, down = cost_slope(log_sigmoid(z[i]), gamma), cost_slope(log_sigmoid(-z[i]), gamma)
                                    part = slope_e * (t * up * (ONE - v) - (ONE - t) * down * v)
                            if weighted:
                                part = part * w[i] if w[i] != ZERO else ZERO
                            out[i] += part
                    if not in_place:
                        scatter(out, place[3, 1], g_at + c * place[3, 2], first, summed, steps[3])
                first += n

    return fill_chunks
