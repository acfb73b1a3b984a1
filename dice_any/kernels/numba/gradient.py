"""The gradient of memberships and logits: each block is recomputed or read from the kept array, and
written once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from .arithmetic import both_slope, cost_slope, log, log_sigmoid, member, sigmoid, size_slope
from .blocks import FOCAL, NONE, ONE, SIGMOID, SOFTMAX, ZERO, Case, find_cell, read_block, softmax
from .memory import (
    ADDRESS,
    CLASS_STEP,
    CODE,
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


def build_gradient(case: Case, over: bool) -> Any:
    """Return the compiled loop that computes the prediction's gradient from the slopes of I, X and
    E.

    With `over`, the loop reads kept memberships instead of logits and overwrites them with the
    gradient.
    """
    stamp = STAMP
    real, native = computed_in(case.real)
    activation, labels, form, weighted, entropy = case[1:]
    focal = entropy == FOCAL
    own_cost = bool(entropy and labels and activation == SOFTMAX)

    # no contraction to fused multiply-add: which products a compiler fuses depends on the code
    # around them. The gradient must be the same from kept as from recomputed memberships, and
    # without an activation it must have the reference's bits
    @njit(cache=True, nogil=True, error_model="numpy")
    def fill_chunks(
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
        gamma = real(power) if focal else ZERO
        xs = np.empty((classes, block), real)
        ys = np.empty((1 if labels else classes, block), real)
        ws = np.ones((classes if weighted and place[W_ARRAY, CLASS_STEP] != 0 else 1, block), real)
        shrunk = np.empty((classes if activation == SOFTMAX else 1, block), real)
        top, total, share, pull, mean = (
            np.empty(block, real), np.empty(block, real), np.empty(block, real), np.zeros(block,
            real),
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
            at = find_cell(place, cell, lengths, cell_steps)
            g_at = place[OUT_ARRAY, ADDRESS] + offset(cell, lengths, cell_steps[3])
            while first < last:
                n = min(block, last - first)
                x_row, x_step, y_row, y_step, w_row, w_step = read_block(
                    loaders, xs, ys, ws, marks, n, classes, native, place, at, first, summed, steps,
                    ignoring, ignored,
                    labels, weighted,
                )  # fmt: skip
                in_place = place[OUT_ARRAY, CODE] == native and lies_straight(
                    first, n, summed, steps[3], gradient.itemsize
                )
                g_row = g_at + offset(first, summed, steps[3])

                if activation == SOFTMAX:
                    if not over:
                        softmax(
                            shrunk,
                            top,
                            total,
                            pull,
                            marks,
                            n,
                            classes,
                            x_row,
                            x_step,
                            real,
                            own_cost and focal,
                        )
                    for i in range(n):
                        share[i] = ONE if over else ONE / total[i]
                        mean[i] = ZERO
                    if own_cost:
                        for i in range(n):
                            pull[i] = cost_slope(pull[i], gamma) if focal else -ONE
                    for c in range(classes):
                        slope_i, slope_x, slope_e = (
                            real(slopes[cell, c, 0]),
                            real(slopes[cell, c, 1]),
                            real(slopes[cell, c, 2]),
                        )  # fmt: skip
                        z, y, w = (
                            row(x_row + c * x_step, n, real), row(y_row + c * y_step, n, real),
                            row(w_row + c * w_step, n, real),
                        )  # fmt: skip
                        p = z if over else shrunk[c, :n]
                        for i in range(n):
                            t = np.float32(marks[i] == c) if labels else member(y[i])
                            v = p[i]
                            if not over:
                                v *= share[i]
                                p[i] = v
                            g = slope_i * both_slope(v, t, form) + slope_x * size_slope(v, form)
                            g *= v
                            if own_cost:
                                part = slope_e * pull[i]
                                g += part if marks[i] == c else ZERO
                            mean[i] += g * w[i] if weighted else g
                        if entropy and not labels:
                            for i in range(n):
                                slope = (
                                    cost_slope((z[i] - top[i]) - log(total[i]), gamma)
                                    if focal
                                    else -ONE
                                )
                                part = slope_e * slope * member(y[i])
                                mean[i] += part * w[i] if weighted else part
                for c in range(classes):
                    slope_i, slope_x, slope_e = (
                        real(slopes[cell, c, 0]),
                            real(slopes[cell, c, 1]),
                            real(slopes[cell, c, 2]),
                    )  # fmt: skip
                    z, y, w = (
                        row(x_row + c * x_step, n, real), row(y_row + c * y_step, n, real),
                        row(w_row + c * w_step, n, real),
                    )  # fmt: skip
                    out = (
                        row(g_row + c * place[OUT_ARRAY, CLASS_STEP], n, real)
                        if in_place
                        else gradient[:n]
                    )
                    p = shrunk[c, :n] if activation == SOFTMAX and not over else z
                    # one name for both, because two aliasing arrays would not be vectorised
                    if over:
                        out = p
                    for i in range(n):
                        t = np.float32(marks[i] == c) if labels else member(y[i])
                        v = p[i]
                        if activation == SIGMOID and not over:
                            v = sigmoid(v)
                        elif activation == NONE:
                            v = member(v)
                        g = slope_i * both_slope(v, t, form) + slope_x * size_slope(v, form)
                        if weighted:
                            g *= w[i]
                        if activation == SOFTMAX:
                            g = v * (g - mean[i])
                            if own_cost:
                                part = slope_e * pull[i]
                                part = part if marks[i] == c else ZERO
                                g += part * w[i] if weighted else part
                        elif activation == SIGMOID:
                            g *= v * (ONE - v)
                        if weighted:
                            g = g if w[i] != ZERO else ZERO
                        out[i] = g
                    if entropy and not own_cost:
                        for i in range(n):
                            if activation == SOFTMAX:
                                slope = (
                                    cost_slope((z[i] - top[i]) - log(total[i]), gamma)
                                    if focal
                                    else -ONE
                                )
                                part = slope_e * slope * member(y[i])
                            else:
                                v = sigmoid(z[i])
                                if labels:  # of the set or of its complement
                                    hit = marks[i] == c
                                    slope = cost_slope(log_sigmoid(z[i] if hit else -z[i]), gamma)
                                    part = slope_e * slope * ((ONE - v) if hit else -v)
                                else:
                                    t = member(y[i])
                                    up, down = (
                                        cost_slope(log_sigmoid(z[i]), gamma),
                                        cost_slope(log_sigmoid(-z[i]), gamma),
                                    )
                                    part = slope_e * (t * up * (ONE - v) - (ONE - t) * down * v)
                            if weighted:
                                part *= w[i]
                                part = part if w[i] != ZERO else ZERO
                            out[i] += part
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

    return fill_chunks
