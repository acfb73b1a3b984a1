"""The gradient of the sums: what each element of the prediction contributes to I and X, in closed form.

    dL/dx = w·(dL/dI·dI/dx + dL/dX·dX/dx),   then through the activation

Nothing is kept from the way forward: a block computes its memberships again, which costs less than reading them back.
"""

from __future__ import annotations

from ..arrays.library import Array, ArrayLibrary
from .blocks import activate, read_block
from .masks import keep
from .memberships import widen
from .task import Task


def align(task: Task, library: ArrayLibrary, slope: Array) -> Array:
    """Give slopes with the shape of the counts the axes of the prediction, of length 1 where they were summed."""
    xp = library.xp
    ndim = len(task.shapes[0] or ())
    if task.class_axis is not None:  # the counts have the classes last
        kept_before = sum(a < task.class_axis and a not in task.axis for a in range(ndim))
        order = list(range(slope.ndim - 1))
        order.insert(kept_before, slope.ndim - 1)
        slope = xp.permute_dims(slope, tuple(order))
    for a in task.axis:
        slope = xp.expand_dims(slope, axis=a)
    return slope


def block_gradient(
    task: Task,
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    weight: Array | None,
    slope_i: Array,
    slope_x: Array,
) -> Array:
    """Return the gradient of one block, in the prediction's dtype; slopes are aligned."""
    xp = library.xp
    block = read_block(task, library, prediction, target, weight)
    x, y = block.prediction, block.target
    wide = widen(task, library, x)
    slope_i, slope_x = (xp.astype(slope, wide.dtype, copy=False) for slope in (slope_i, slope_x))
    membership = wide
    if task.activation is not None:
        membership = activate(task, library, x, block.counted)
    if library.kind(y.dtype) == "bool":
        zero = xp.zeros_like(membership)
        gradient = xp.where(y, zero + slope_i, zero)
        if task.form == "minimum":  # min(x, 1) and min(x, 0): at a tie, half
            half = 0.5 * slope_i
            gradient = xp.where(membership == xp.astype(y, wide.dtype), zero + half, gradient)
    else:
        y = widen(task, library, y)
        if task.form == "minimum":
            below = xp.astype(membership < y, wide.dtype) + 0.5 * xp.astype(membership == y, wide.dtype)
            gradient = slope_i * below
        else:
            gradient = slope_i * y
    gradient = gradient + (2.0 * slope_x * membership if task.form == "squared" else slope_x)
    if block.weight is not None and library.kind(block.weight.dtype) != "bool":
        gradient = gradient * widen(task, library, block.weight)
    if block.counted is not None:
        gradient = keep(library, block.counted, gradient)
    if task.activation == "sigmoid":
        gradient = gradient * (membership * (1.0 - membership))
    elif task.activation == "softmax":
        mean = xp.sum(gradient * membership, axis=task.class_axis, keepdims=True)
        gradient = membership * (gradient - mean)
    return xp.astype(gradient, prediction.dtype, copy=False)
