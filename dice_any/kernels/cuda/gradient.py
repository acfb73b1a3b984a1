"""The gradient of each element by itself, from the slopes of the sums."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda

from ..task import ENTROPY
from .elements import (
    NONE,
    SIGMOID,
    SOFTMAX,
    Case,
    build_product,
    build_reader,
    build_softmax,
    build_writer,
    narrow,
    offset,
    read_label,
    wide,
)


def build_gradient(case: Case) -> Any:
    """Return the kernel that computes the prediction's gradient from the slopes of I, X and E, with
    one thread per element.
    """
    real, functions = (np.float64, wide) if case.real == "float64" else (np.float32, narrow)
    exp, log_of, sigmoid, log_sigmoid = (
        functions.exp,
        functions.log,
        functions.sigmoid,
        functions.log_sigmoid,
    )
    cost_slope, i_slope, x_slope = functions.cost_slope, functions.both_slope, functions.size_slope
    member, product = functions.member, build_product(real)
    activation, labels, form, weighted, entropy = (
        case.activation,
        case.labels,
        case.form,
        case.weighted,
        case.entropy,
    )
    read_x, read_y, read_w = (build_reader(dtype, real) for dtype in case.dtypes)
    softmax, write = build_softmax(read_x, exp, real), build_writer(case.dtypes[0])

    @cuda.jit
    def fill(
        x: Any, y: Any, w: Any, starts: Any, class_steps: Any, lengths: Any, cell_steps: Any,
        summed: Any, steps: Any,
        sizes: Any, ignored: Any, gamma: Any, slopes: Any, out: Any,
    ) -> None:  # fmt: skip
        cells, _, elements, classes = sizes
        power = real(gamma)
        counts = cells * classes
        for number in range(cuda.grid(1), cells * elements, cuda.gridsize(1)):
            cell = number // elements
            i = number - cell * elements
            x_at = starts[0] + offset(cell, lengths, cell_steps[0]) + offset(i, summed, steps[0])
            y_at = starts[1] + offset(cell, lengths, cell_steps[1]) + offset(i, summed, steps[1])
            w_at = starts[2] + offset(cell, lengths, cell_steps[2]) + offset(i, summed, steps[2])
            g_at = starts[3] + offset(cell, lengths, cell_steps[3]) + offset(i, summed, steps[3])
            mark = read_label(y, y_at, classes, ignored) if labels else np.int64(-1)
            top, total, mean = real(0), real(1), real(0)
            if activation == SOFTMAX:
                top, total = softmax(x, x_at, class_steps[0], classes)
            # with softmax the first round computes the mean slope, and the second subtracts it
            for turn in range(2 if activation == SOFTMAX else 1):
                for c in range(classes):
                    weight = read_w(w, w_at + c * class_steps[2]) if weighted else real(1)
                    g = real(0)
                    if weight != real(0) and mark != classes + 1:
                        t = (
                            real(mark == c)
                            if labels
                            else member(read_y(y, y_at + c * class_steps[1]))
                        )
                        at = cell * classes + c
                        slope_i, slope_x = real(slopes[at]), real(slopes[counts + at])
                        z = read_x(x, x_at + c * class_steps[0])
                        v = member(z) if activation == NONE else z
                        if activation == SIGMOID:
                            v = sigmoid(z)
                        elif activation == SOFTMAX:
                            v = exp(z - top) / total
                        g = product(slope_i, i_slope(v, t, form)) + product(
                            slope_x, x_slope(v, form)
                        )
                        g = weight * g
                        pull = real(0)
                        if entropy:
                            slope_e = weight * real(slopes[ENTROPY * counts + at])
                            if activation == SIGMOID:
                                up, down = (
                                    cost_slope(log_sigmoid(z), power),
                                    cost_slope(log_sigmoid(-z), power),
                                )
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
