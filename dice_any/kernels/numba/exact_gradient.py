"""The gradient of exact sums: the same float64 operations in the same order as in the reference, so
the bits are the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ..scalars import MINIMUM
from .arithmetic import both_slope, member, size_slope
from .blocks import NONE, ONE, SIGMOID, SOFTMAX, ZERO, Case, find_cell, read_block
from .exact import (
    exact_sigmoid,
    exact_softmax,
    halving_sum,
    multiply,
    round_to_float32,
    sum_of_rows,
)
from .memory import (
    ADDRESS,
    CLASS_STEP,
    CODE,
    FLOAT64,
    INLINE,
    OUT_ARRAY,
    STAMP,
    W_ARRAY,
    X_ARRAY,
    claim,
    computed_in,
    lies_straight,
    offset,
    row,
    scatter,
)


@njit(**INLINE)
def slope(v: Any, t: Any, hit: Any, slope_i: Any, slope_x: Any, labels: Any, form: Any) -> Any:
    """Return the slope in a membership, from those in I and X."""
    if labels and form != MINIMUM:  # one of two values for all elements: cheaper to choose
        g = slope_i * 1.0 if hit else slope_i * 0.0
    else:
        g = slope_i * both_slope(v, t, form)
    return g + slope_x * size_slope(v, form)


def build_exact_gradient(case: Case, over: bool) -> Any:
    """Return the compiled loop that computes the prediction's gradient from the slopes of I and
    X.

    With `over`, the loop reads kept memberships instead of logits and overwrites them with the
    gradient.
    """
    stamp = STAMP
    real, native = computed_in(case.real)
    activation, labels, form, weighted = case[1:5]

    # the memberships of logits are in float64 until they are kept
    kept_real = real if over or activation == NONE else np.float64

    # no contraction to fused multiply-add: the reference rounds the product and the sum
    @njit(cache=True, nogil=True, error_model="numpy")
    def fill_chunks_exactly(
        loaders: Any,
        ticket: Any,
        sizes: Any,
        power: Any,
        place: Any,
        lengths: Any,
        cell_steps: Any,
        summed: Any,
        steps: Any,
        slopes: Any,
    ) -> None:
        _stamp = stamp
        chunks, parts, length, elements, classes, block, ignoring, ignored = sizes
        xs = np.empty((classes, block), real)
        ys = np.empty((1 if labels else classes, block), real)
        ws = np.ones((classes if weighted and place[W_ARRAY, CLASS_STEP] != 0 else 1, block), real)
        all_rows = classes if activation == SOFTMAX else 1
        members, pulls = np.empty((all_rows, block)), np.empty((all_rows, block))
        wholes = np.empty(((all_rows + 1) // 2, block))
        top, share, total = np.empty(block, real), np.empty(block), np.empty(block, np.uint64)
        marks = np.zeros(block, np.int32)
        gradient = np.empty(block, real)
        while True:
            chunk = claim(ticket)
            if chunk >= chunks:
                return
            cell = chunk // parts
            first = (chunk - cell * parts) * length
            last = min(first + length, elements)
            at = find_cell(place, cell, lengths, cell_steps)
            g_at = place[OUT_ARRAY, ADDRESS] + offset(cell, lengths, cell_steps[3])
            while first < last:
                n = min(block, last - first)
                x_row, x_step, y_row, y_step, w_row, w_step = read_block(
                    loaders, xs, ys, ws, marks, n, classes, native, place, at, first, summed, steps,
                    ignoring, ignored, labels, weighted,
                )  # fmt: skip
                in_place = place[OUT_ARRAY, CODE] == native and lies_straight(
                    first, n, summed, steps[3], gradient.itemsize
                )
                g_row = g_at + offset(first, summed, steps[3])
                p_row, p_step = x_row, x_step
                if activation == SOFTMAX:
                    if not over:
                        exact_softmax(members, top, share, total, n, classes, x_row, x_step, real)
                        multiply(members, share, n)
                        if place[X_ARRAY, CODE] != FLOAT64:
                            round_to_float32(members, n)
                        p_row, p_step = members.ctypes.data, members.shape[1] * members.itemsize
                    sum_of_rows(wholes, p_row, p_step, classes, n, kept_real)
                    for c in range(classes):
                        y, w, p, pull = (
                            row(y_row + c * y_step, n, real), row(w_row + c * w_step, n, real),
                            row(p_row + c * p_step, n, kept_real), pulls[c, :n],
                        )  # fmt: skip
                        slope_i, slope_x = slopes[cell, c, 0], slopes[cell, c, 1]
                        for i in range(n):
                            v, hit = np.float64(p[i]), marks[i] == c
                            t = np.float64(hit) if labels else member(y[i])
                            g = slope(v, t, hit, slope_i, slope_x, labels, form)
                            pull[i] = (g * w[i] if weighted else g) * v
                    halving_sum(pulls, classes, n)
                for c in range(classes):
                    z, y, w = (
                        row(x_row + c * x_step, n, real), row(y_row + c * y_step, n, real),
                        row(w_row + c * w_step, n, real),
                    )  # fmt: skip
                    out = (
                        row(g_row + c * place[OUT_ARRAY, CLASS_STEP], n, real)
                        if in_place
                        else gradient[:n]
                    )
                    p = row(p_row + c * p_step, n, kept_real)
                    if activation == SIGMOID:
                        exact_sigmoid(members[0, :n], z)
                        p = members[0, :n]
                    # one name for both, because two aliasing arrays would not be vectorised
                    if over:
                        out = p
                    slope_i, slope_x = slopes[cell, c, 0], slopes[cell, c, 1]
                    mean, whole = pulls[0, :n], wholes[0, :n]
                    for i in range(n):
                        v, hit = (
                            member(z[i]) if activation == NONE else np.float64(p[i]),
                            marks[i] == c,
                        )
                        t = np.float64(hit) if labels else member(y[i])
                        g = slope(v, t, hit, slope_i, slope_x, labels, form)
                        if weighted:
                            g *= w[i]
                        if activation == SOFTMAX:
                            g = (g * whole[i] - mean[i]) * v
                        elif activation == SIGMOID:
                            g = (g * v) * (ONE - v)
                        if weighted:
                            g = g if w[i] != ZERO else ZERO
                        out[i] = g
                    if not in_place:
                        scatter(
                            out,
                            place[OUT_ARRAY, CODE],
                            g_at + c * place[OUT_ARRAY, CLASS_STEP],
                            first,
                            summed,
                            steps[3],
                        )
                first += n

    return fill_chunks_exactly
