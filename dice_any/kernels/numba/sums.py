"""The sums of memberships and logits in one pass over the arrays.

A block of elements is loaded, activated and summed class by class before the next one. So nothing
larger than a block is stored, except the memberships that are kept for the gradient, in the array
that becomes the gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from .arithmetic import (
    both,
    cost,
    is_weight,
    log,
    log_sigmoid,
    sigmoid,
    size,
)
from .blocks import FOCAL, NONE, ONE, SIGMOID, SOFTMAX, ZERO, Case, find_cell, read_block, softmax
from .exact import (
    BAD_W,
    BAD_X,
    BAD_Y,
    EN,
    E,
    I,
    N,
    X,
    Y,
    add_exact,
    add_exact_weighed,
    exact_sigmoid,
    exact_softmax,
    multiply,
)
from .members import are_members, beyond_1, bits_of, clean, exceed
from .memory import (
    ADDRESS,
    CLASS_STEP,
    INLINE,
    OUT_ARRAY,
    STAMP,
    W_ARRAY,
    claim,
    computed_in,
    lies_straight,
    offset,
    row,
    scatter,
)

#: Elements that are summed in the arrays' own precision before they are added in float64.
RUN = 256
REORDERED = {**INLINE, "fastmath": {"reassoc", "contract"}}


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


@njit(**REORDERED)
def add_plain(
    sums: Any, x: Any, share: Any, costs: Any, y: Any, marks: Any, w: Any, c: Any, memberships: Any,
    activation: Any, labels: Any, form: Any, weighted: Any, costly: Any, keep: Any, bits: Any,
    one: Any,
) -> Any:  # fmt: skip
    """Add the terms of one class of one block and the costs of the elements with its label; keep
    the memberships.

    As `add_exact` does, return whether all values are in [0, 1], and add nothing if one is not.
    After an activation they are not compared.
    """
    before, beyond = (sums[I], sums[X], sums[Y], sums[N]), bits(0)
    for start in range(0, x.size, RUN):
        n = min(RUN, x.size - start)
        xs, ys, ms, ws, shares, cs, kept = (
            x[start : start + n], y[start : start + n], marks[start : start + n],
            w[start : start + n],
            share[start : start + n], costs[start : start + n], memberships[start : start + n],
        )  # fmt: skip
        x_bits, y_bits = xs.view(bits), ys.view(bits)
        sum_i, sum_x, sum_y, sum_n, sum_e = ZERO, ZERO, ZERO, ZERO, ZERO
        for i in range(n):
            v = xs[i]
            if activation == NONE:
                beyond |= bits(beyond_1(x_bits[i], one))
                if not labels:
                    beyond |= bits(beyond_1(y_bits[i], one))
            if activation == SIGMOID:
                v = sigmoid(v)
            elif activation == SOFTMAX:
                v = v * shares[i]
            if keep:
                kept[i] = v
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
                    term = cs[i] * weight
                    sum_e += term if t != ZERO else ZERO
            else:
                sum_i += both(v, t, form)
                sum_x += size(v, form)
                sum_y += size(t, form)
                if costly:
                    term = cs[i]
                    sum_e += term if t != ZERO else ZERO
        sums[I] += sum_i
        sums[X] += sum_x
        sums[Y] += sum_y
        sums[N] += sum_n if weighted else n
        if costly:
            sums[E] += sum_e
            sums[EN] += sum_y
    if exceed(beyond, one):
        sums[I], sums[X], sums[Y], sums[N] = before
        return False
    return True


@njit(**REORDERED)
def add_costs(sums: Any, costs: Any, y: Any, w: Any, weighted: Any) -> None:
    """Add the costs of a softmax, each weighted by the target's membership."""
    for start in range(0, costs.size, RUN):
        n = min(RUN, costs.size - start)
        costs_, ys, ws = costs[start : start + n], y[start : start + n], w[start : start + n]
        sum_e, sum_n = ZERO, ZERO
        for i in range(n):
            t = ys[i] * ws[i] if weighted else ys[i]
            term = costs_[i] * t
            sum_e += term if t != ZERO else ZERO
            sum_n += t
        sums[E] += sum_e
        sums[EN] += sum_n


@njit(**REORDERED)
def add_sigmoid_costs(
    sums: Any, z: Any, y: Any, marks: Any, w: Any, c: Any, power: Any, labels: Any, weighted: Any
) -> None:
    """Add the costs of a sigmoid, for the set and its complement."""
    for start in range(0, z.size, RUN):
        n = min(RUN, z.size - start)
        zs, ys, ms, ws = (
            z[start : start + n],
            y[start : start + n],
            marks[start : start + n],
            w[start : start + n],
        )
        sum_e, sum_n = ZERO, ZERO
        for i in range(n):
            if labels:
                term = cost(log_sigmoid(zs[i] if ms[i] == c else -zs[i]), power)
            else:
                t = ys[i]
                up, down = (
                    t * cost(log_sigmoid(zs[i]), power),
                    (ONE - t) * cost(log_sigmoid(-zs[i]), power),
                )
                term = (up if t != ZERO else ZERO) + (down if t != ONE else ZERO)
            weight = ws[i] if weighted else ONE
            sum_e += (term * weight if weight != ZERO else ZERO) if weighted else term
            sum_n += weight
        sums[E] += sum_e
        sums[EN] += sum_n


def build_sums(case: Case, exact: bool, kept: str | None) -> Any:
    """Return the compiled loop that sums; it stores the memberships in a fourth array of the dtype
    `kept`, if there is one.
    """
    stamp = STAMP
    real, native = computed_in(case.real)
    activation, labels, form, weighted, entropy = case[1:]
    keep = kept is not None
    kept_real, kept_code = computed_in(kept or case.real)
    # what logits become in exact sums
    activated = np.float64 if exact and activation != NONE else real
    bits, one = bits_of(activated)
    has_ys = not labels
    exact_weighed = exact and weighted
    watched = exact or activation == NONE  # a plain activation yields memberships or NaN
    own_cost = bool(entropy and labels and activation == SOFTMAX)

    @njit(cache=True, nogil=True, error_model="numpy")
    def sum_chunks(
        loaders: Any,
        ticket: Any,
        sizes: Any,
        power: Any,
        place: Any,
        lengths: Any,
        cell_steps: Any,
        summed: Any,
        steps: Any,
        out: Any,
    ) -> None:
        _stamp = stamp
        chunks, parts, length, elements, classes, block, ignoring, ignored = sizes
        gamma = real(power) if entropy == FOCAL else ZERO
        xs = np.empty((classes, block), real)
        ys = np.empty((classes if has_ys else 1, block), real)
        ws = np.empty((classes if weighted and place[W_ARRAY, CLASS_STEP] != 0 else 1, block), real)
        shrunk = np.empty((classes if activation == SOFTMAX else 1, block), activated)
        wholes = np.empty(block if exact else 1, np.uint64)
        top, total, share, own_log = (
            np.empty(block, real), np.empty(block, real), np.empty(block, activated),
                                      np.zeros(block, real))  # fmt: skip
        marks = np.zeros(block, np.int32)
        spare = np.empty(block if keep else 1, kept_real)
        clean_x, clean_y = np.empty(block, activated), np.empty(block, real)
        k_row, k_in_place, known = 0, False, True
        while True:
            chunk = claim(ticket)
            if chunk >= chunks:
                return
            cell = chunk // parts
            first = (chunk - cell * parts) * length
            last = min(first + length, elements)
            at = find_cell(place, cell, lengths, cell_steps)
            while first < last:
                n = min(block, last - first)
                x_row, x_step, y_row, y_step, w_row, w_step = read_block(
                    loaders, xs, ys, ws, marks, n, classes, native, place, at, first, summed, steps,
                    ignoring, ignored,
                    labels, weighted,
                )  # fmt: skip
                outside = count_marks(marks[:n], classes) if labels else 0
                if keep:
                    k_at = place[OUT_ARRAY, ADDRESS] + offset(cell, lengths, cell_steps[3])
                    k_row = k_at + offset(first, summed, steps[3])
                    k_in_place = lies_straight(first, n, summed, steps[3], spare.itemsize)

                if exact and activation == SOFTMAX:
                    known = exact_softmax(
                        shrunk, top, share, wholes, n, classes, x_row, x_step, real
                    )
                    if weighted or not known:
                        multiply(shrunk, share, n)
                elif activation == SOFTMAX:
                    softmax(
                        shrunk,
                        top,
                        total,
                        own_log,
                        marks,
                        n,
                        classes,
                        x_row,
                        x_step,
                        real,
                        own_cost,
                    )
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
                    bad_x, bad_y = 0, outside
                    if exact and activation == SIGMOID:
                        exact_sigmoid(shrunk[0, :n], z)
                        x = shrunk[0, :n]
                    memberships = (
                        row(k_row + c * place[OUT_ARRAY, CLASS_STEP], n, kept_real)
                        if k_in_place
                        else spare
                    )
                    # without an activation, values are compared where they are summed
                    if not (watched or labels or are_members(y, bits, one)):
                        bad_y = clean(y, w, weighted, clean_y[:n])
                        y = row(clean_y.ctypes.data, n, real)
                    if exact and activation == SOFTMAX and not known:
                        bad_x = clean(x, w, weighted, clean_x[:n])
                        x = row(clean_x.ctypes.data, n, activated)
                    added = False
                    while not added:
                        if exact_weighed:
                            added = add_exact_weighed(
                                out[chunk, c], x, y, marks, w, c, memberships, keep, labels, form,
                                bits, one,
                            )  # fmt: skip
                        elif exact:
                            added = add_exact(
                                out[chunk, c], x, share, y, marks, c, memberships, activation, keep,
                                labels, form, bits, one,
                            )  # fmt: skip
                        else:
                            added = add_plain(
                                out[chunk, c], x, share, own_log, y, marks, w, c, memberships,
                                activation, labels, form, weighted, own_cost, keep, bits, one,
                            )  # fmt: skip
                        if watched and not added:  # clean rows will be
                            if not (exact and activation == SOFTMAX):
                                bad_x = clean(x, w, weighted, clean_x[:n])
                                x = row(clean_x.ctypes.data, n, activated)
                            if not labels:
                                bad_y = clean(y, w, weighted, clean_y[:n])
                                y = row(clean_y.ctypes.data, n, real)
                    if keep and not k_in_place:
                        scatter(
                            spare[:n],
                            kept_code,
                            k_at + c * place[OUT_ARRAY, CLASS_STEP],
                            first,
                            summed,
                            steps[3],
                        )
                    if exact:
                        out[chunk, c, BAD_X, 0] += bad_x
                        out[chunk, c, BAD_Y, 0] += bad_y
                        continue
                    out[chunk, c, BAD_X] += bad_x
                    out[chunk, c, BAD_Y] += bad_y
                    if weighted:
                        out[chunk, c, BAD_W] += count_bad_weights(w)
                    if entropy and activation == SOFTMAX and not labels:
                        for i in range(n):
                            own_log[i] = cost((z[i] - top[i]) - log(total[i]), gamma)
                        add_costs(out[chunk, c], own_log[:n], y, w, weighted)
                    elif entropy and not own_cost:
                        add_sigmoid_costs(out[chunk, c], z, y, marks, w, c, gamma, labels, weighted)
                first += n

    return sum_chunks
