"""The gradient of the sums in closed form: the derivatives of I and X in each element of the
prediction.

    dL/dx = w·(dL/dI·dI/dx + dL/dX·dX/dx),   then through the activation

Each block recomputes its memberships, unless the forward pass has kept them in the array that
becomes the gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..arrays.library import Array, ArrayLibrary
from .activations import (
    Activated,
    activate,
    as_kept,
    keeps_while_summing,
    through_activation,
)
from .blocks import Block, read_block, weighed
from .entropies import entropy_slope
from .memberships import narrow, widen
from .regions import by_region, to_classes
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
    # the slope of a cross-entropy needs no logarithm
    bare = task.kind == "exact" and task.entropy == 0
    activating = replace(task, entropy=None) if bare else task
    activated = activate(activating, library, block.prediction, kept=kept)
    if keeps_while_summing(task) and not kept:
        activated = as_kept(task, library, activated)
    x = activated.membership
    if task.activation is None and task.form != "product":  # whose slope does not depend on x
        x = library.clip(x)
    summed = block
    if task.regions is not None:
        x, summed = _of_regions(task, library, block, activated, x)
    slope_i, slope_x = (xp.astype(slope, wide.dtype, copy=False) for slope in (slope_i, slope_x))
    gradient = _intersection_slope(task, library, x, summed, slope_i)
    gradient += 2.0 * slope_x * x if task.form == "squared" else slope_x
    gradient = weighed(task, library, block, gradient)
    if task.regions is not None:
        gradient = to_classes(task, library, gradient)
    gradient = through_activation(task, library, activated.membership, gradient)
    if slope_e is not None:
        slope_e = xp.astype(slope_e, wide.dtype, copy=False)
        gradient += entropy_slope(task, library, block, activated, slope_e)
    return narrow(task, library, gradient, prediction.dtype)


def region_gradient(
    task: Task,
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    weight: Array | None,
    *slopes: Array,
    kept: bool = False,
) -> Array:
    """Do as `block_gradient` does, from what `slopes_by_region` returns."""
    number = len(task.regions or ())
    of_sums = slopes[:number], slopes[number : 2 * number]
    rows = (library.xp.concat(row, axis=task.class_axis) for row in of_sums)
    of_entropy = slopes[2 * number :]
    return block_gradient(task, library, prediction, target, weight, *rows, *of_entropy, kept=kept)


def slopes_by_region(task: Task, library: ArrayLibrary, slopes: Sequence[Array]) -> list[Array]:
    """Return the aligned slopes of I and X region by region, and that of the entropy, which all
    regions share: what lies beside a prediction in blocks has its classes or a length of 1.
    """
    entropy = [library.xp.sum(row, axis=task.class_axis, keepdims=True) for row in slopes[2:]]
    places = range(len(task.regions or ()))
    before = (slice(None),) * (task.class_axis or 0)
    each = (row[(*before, slice(place, place + 1), ...)] for row in slopes[:2] for place in places)
    return [*each, *entropy]


def _of_regions(
    task: Task, library: ArrayLibrary, block: Block, activated: Activated, x: Array
) -> tuple[Array, Block]:
    """Return memberships of regions from those of classes, and a block with such a target."""
    regions, target = activated.regions, block.target
    if regions is None:
        regions = library.clip(by_region(task, library, x))
    if library.kind(target.dtype) != "bool" and not block.target_is_ours:
        target = library.clip(widen(task, library, target))
    return regions, block._replace(target=by_region(task, library, target))


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
    y, ours = widen(task, library, y), block.target_is_ours
    if not ours:
        y, ours = library.clip(y), library.at_hand(y)
    if task.form == "minimum":
        # in the target's dtype, which may be wider, as that of the other forms' products is
        return slope * (xp.astype(x < y, y.dtype) + 0.5 * xp.astype(x == y, y.dtype))
    if ours and not library.traced(slope):  # see `membership_sums`
        y *= slope
        return y
    return slope * y
