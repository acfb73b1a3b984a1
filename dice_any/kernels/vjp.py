"""The gradient of the sums in closed form: the derivatives of I and X in each element of the
prediction.

    dL/dx = w·(dL/dI·dI/dx + dL/dX·dX/dx),   then through the activation

Each block recomputes its memberships, unless the forward pass has kept them in the array that
becomes the gradient.
"""

from __future__ import annotations

from ..arrays.library import Array, ArrayLibrary
from .activations import activate, through_activation
from .blocks import Block, read_block, weighed
from .entropies import entropy_slope
from .memberships import narrow, widen
from .task import Task


def align(task: Task, library: ArrayLibrary, slope: Array) -> Array:
    """Reshape slopes from the shape of the counts to the axes of the prediction, with length 1
    along summed axes.
    """
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
    slope_e: Array | None = None,
    *,
    kept: bool = False,
) -> Array:
    """Return the gradient of one block, in the prediction's dtype; slopes are aligned.

    If `kept`, the prediction is the result of `keepable`.
    """
    xp = library.xp
    block = read_block(task, library, prediction, target, weight, factors=True)
    wide = widen(task, library, block.prediction)
    activated = activate(task, library, block.prediction, kept=kept)
    x = activated.membership
    if task.activation is None and task.form != "product":  # whose slope does not depend on x
        x = library.clip(x)
    slope_i, slope_x = (xp.astype(slope, wide.dtype, copy=False) for slope in (slope_i, slope_x))
    gradient = _intersection_slope(task, library, x, block, slope_i)
    gradient += 2.0 * slope_x * x if task.form == "squared" else slope_x
    gradient = weighed(task, library, block, gradient)
    gradient = through_activation(task, library, x, gradient)
    if slope_e is not None:
        slope_e = xp.astype(slope_e, wide.dtype, copy=False)
        gradient += entropy_slope(task, library, block, activated, slope_e)
    return narrow(task, library, gradient, prediction.dtype)


def _intersection_slope(
    task: Task, library: ArrayLibrary, x: Array, block: Block, slope: Array
) -> Array:
    xp = library.xp
    y = block.target
    if library.kind(y.dtype) == "bool":
        zero = xp.zeros_like(x)
        gradient = xp.where(y, zero + slope, zero)
        if task.form == "minimum":  # min(x, 1) and min(x, 0): half at a tie
            gradient = xp.where(x == xp.astype(y, x.dtype), zero + 0.5 * slope, gradient)
        return gradient
    y = widen(task, library, y)
    if not block.target_is_ours:
        y = library.clip(y)
    if task.form == "minimum":
        return slope * (xp.astype(x < y, x.dtype) + 0.5 * xp.astype(x == y, x.dtype))
    if block.target_is_ours:
        y *= slope
        return y
    return slope * y
