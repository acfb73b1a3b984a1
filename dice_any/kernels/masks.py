"""Hard masks: counted in int64. Also what hard and soft sums share."""

from __future__ import annotations

from ..arrays.library import Array, ArrayLibrary, elements
from .limbs import UNIT
from .task import Task


def mask_sums(
    task: Task,
    library: ArrayLibrary,
    x: Array,
    y: Array,
    counted: Array | None,
    weight: Array | None,
    invalid: list[Array],
) -> Array:
    """Count aligned boolean masks in int64."""
    xp = library.xp
    both = x & y
    if weight is None or library.kind(weight.dtype) == "bool":
        sums = [library.count(mask, task.axis) for mask in (both, x, y)]
        total = count_elements(task, library, x.shape, counted, sums[0])
    else:
        weight = xp.astype(weight, xp.int64)
        invalid = [*invalid, (weight < 0) | (weight >= UNIT)]
        weights = xp.broadcast_to(xp.where(invalid[-1], xp.zeros_like(weight), weight), x.shape)
        zero = xp.zeros_like(weights)
        sums = [
            xp.sum(xp.where(mask, weights, zero), axis=task.axis, dtype=xp.int64)
            for mask in (both, x, y, xp.broadcast_to(counted, x.shape))
        ]
        total = sums.pop()
    invalid_count = count_invalid(task, library, x.shape, invalid, counted, sums[0])
    return class_last(task, library, library.stack([*sums, total, invalid_count]), lead=1)


def count_elements(task: Task, library: ArrayLibrary, shape: tuple[int, ...], counted: Array | None, like: Array) -> Array:
    """Count the elements that take part."""
    xp = library.xp
    if counted is None:
        return like * 0 + elements(tuple(shape[a] for a in task.axis))
    return library.count(xp.broadcast_to(counted, shape), task.axis)


def count_invalid(
    task: Task,
    library: ArrayLibrary,
    shape: tuple[int, ...],
    invalid: list[Array],
    counted: Array | None,
    like: Array,
) -> Array:
    """Count invalid elements; one that several masks name counts several times. Those not counted cannot be invalid."""
    xp = library.xp
    total = like * 0
    for mask in invalid:
        mask = mask if counted is None else mask & counted
        total = total + library.count(xp.broadcast_to(mask, shape), task.axis)
    return total


def class_last(task: Task, library: ArrayLibrary, sums: Array, lead: int) -> Array:
    """Move the class axis of the counts, wherever the prediction had it, behind the others."""
    if task.class_axis is None:
        return sums
    place = lead + task.class_axis - sum(a < task.class_axis for a in task.axis)
    if place == sums.ndim - 1:
        return sums
    order = [a for a in range(sums.ndim) if a != place]
    return library.xp.permute_dims(sums, (*order, place))


def keep(library: ArrayLibrary, counted: Array, values: Array) -> Array:
    """Make what is not counted 0."""
    xp = library.xp
    if library.kind(values.dtype) == "bool":
        return values & counted
    return xp.where(counted, values, xp.zeros_like(values))
