"""A block of memberships or logits: its compile-time constants, its rows, and its softmax.

The properties of a task in `Case` are compile-time constants, so code that the task does not need
is not compiled. Everything else (layout, types of labels and weights, lengths) is decided once per
block.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from .arithmetic import exp, log
from .memory import (
    ADDRESS,
    CLASS_STEP,
    CODE,
    INLINE,
    NO_ARRAY,
    W_ARRAY,
    X_ARRAY,
    Y_ARRAY,
    lies_straight,
    load_labels,
    load_real,
    offset,
    row,
)

NONE, SIGMOID, SOFTMAX = range(3)
CROSS, FOCAL = 1, 2
ZERO, ONE = np.float32(0.0), np.float32(1.0)


class Case(NamedTuple):
    """The compile-time constants: plain values, which become part of Numba's cache key on disk."""

    real: str
    activation: int
    labels: bool
    form: int
    weighted: bool
    #: 0: none; 1: cross-entropy; 2: focal
    entropy: int


# -- loading ---------------------------------------------------------------------------------------


@njit(**INLINE)
def load_rows(
    loaders: Any,
    scratch: Any,
    classes: Any,
    n: Any,
    code: Any,
    native: Any,
    address: Any,
    step: Any,
    first: Any,
    shape: Any,
    strides: Any,
) -> Any:
    """Return the address of a block's rows and the distance between them.

    The rows are in place if they can be used there, else copied to `scratch`.
    """
    if code == native and lies_straight(first, n, shape, strides, scratch.itemsize):
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
    """Fill `scratch` with weights, 0 if ignored; return the step from class to class."""
    rows = classes if step != 0 else 1
    for c in range(rows):
        weights = scratch[c, :n]
        if code == NO_ARRAY:
            weights[:] = ONE
        else:
            load_real(loaders, weights, n, code, address + c * step, first, shape, strides)
        ignored = np.int32(classes + 1)
        for i in range(n):
            w = weights[i] + ZERO  # without the sum, the choice would be a branch
            weights[i] = ZERO if marks[i] == ignored else w
        if rows == 1:
            for i in range(n):
                marks[i] = max(marks[i], ignored if weights[i] == ZERO else np.int32(0))
    return scratch.shape[1] * scratch.itemsize if rows > 1 else 0


@njit(**INLINE)
def find_cell(place: Any, cell: Any, lengths: Any, cell_steps: Any) -> Any:
    """Return the addresses of a cell's first element in prediction, target and weight."""
    return (
        place[X_ARRAY, ADDRESS] + offset(cell, lengths, cell_steps[0]),
        place[Y_ARRAY, ADDRESS] + offset(cell, lengths, cell_steps[1]),
        place[W_ARRAY, ADDRESS] + offset(cell, lengths, cell_steps[2]),
    )


@njit(**INLINE)
def read_block(
    loaders: Any, xs: Any, ys: Any, ws: Any, marks: Any, n: Any, classes: Any, native: Any,
    place: Any, at: Any,
    first: Any, summed: Any, steps: Any, ignoring: Any, ignored: Any, labels: Any, weighted: Any,
) -> Any:  # fmt: skip
    """Fill `marks` with a block's labels; return the addresses of the rows of prediction, target
    and weight, and the distances between rows.
    """
    x_row, x_step = load_rows(
        loaders,
        xs,
        classes,
        n,
        place[X_ARRAY, CODE],
        native,
        at[0],
        place[X_ARRAY, CLASS_STEP],
        first,
        summed,
        steps[0],
    )
    y_row, y_step, w_step = ys.ctypes.data, 0, 0
    if labels:
        load_labels(
            loaders,
            marks,
            n,
            place[Y_ARRAY, CODE],
            at[1],
            first,
            summed,
            steps[1],
            classes,
            ignoring,
            ignored,
        )
    else:
        y_row, y_step = load_rows(
            loaders,
            ys,
            classes,
            n,
            place[Y_ARRAY, CODE],
            native,
            at[1],
            place[Y_ARRAY, CLASS_STEP],
            first,
            summed,
            steps[1],
        )
    if weighted:
        if not labels:
            marks[:n] = 0
        w_step = load_weights(
            loaders,
            ws,
            marks,
            classes,
            n,
            place[W_ARRAY, CODE],
            at[2],
            place[W_ARRAY, CLASS_STEP],
            first,
            summed,
            steps[2],
        )
    return x_row, x_step, y_row, y_step, ws.ctypes.data, w_step


# -- activation ------------------------------------------------------------------------------------


@njit(**INLINE)
def softmax(
    shrunk: Any, top: Any, total: Any, own_log: Any, marks: Any, n: Any, classes: Any, address: Any,
    step: Any,
    real: Any, want_own: Any,
) -> None:  # fmt: skip
    """Fill `shrunk` with exp(z − max z), `top` with max z and `total` with the sum of `shrunk` over
    the classes.

    If wanted, fill `own_log` with the logarithm of each element's membership in its own class.
    """
    top, total = top[:n], total[:n]
    z = row(address, n, real)
    for i in range(n):
        top[i] = z[i]
        total[i] = own_log[i] = ZERO
    for c in range(1, classes):
        z = row(address + c * step, n, real)
        for i in range(n):
            v, best = z[i], top[i]
            top[i] = v if v > best else best
    for c in range(classes):
        z, out = row(address + c * step, n, real), shrunk[c, :n]
        for i in range(n):
            below = z[i] - top[i]
            out[i] = exp(below)
            if want_own:
                own_log[i] += (
                    below if marks[i] == c else ZERO
                )  # added, as what is kept would be a branch
        for i in range(n):
            total[i] += out[i]
    if want_own:
        for i in range(n):
            own_log[i] -= log(total[i])
