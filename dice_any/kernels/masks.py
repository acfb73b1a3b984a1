"""Hard masks, counted in int64, and helpers that hard and soft sums share."""

from __future__ import annotations

from typing import NamedTuple

from ..arrays.library import Array, ArrayLibrary, elements
from .limbs import UNIT
from .task import Task


class Invalid(NamedTuple):
    """Aligned masks of the invalid values of each argument; None if none can be invalid."""

    prediction: Array | None = None
    target: Array | None = None
    weight: Array | None = None


def mask_sums(
    task: Task,
    library: ArrayLibrary,
    x: Array,
    y: Array,
    counted: Array | None,
    weight: Array | None,
    invalid: Invalid,
) -> Array:
    """Count aligned boolean masks in int64."""
    xp = library.xp
    both = xp.logical_and(x, y)  # not `&`, which combines the raw bytes of CuPy's booleans
    if weight is None or library.kind(weight.dtype) == "bool":
        sums = [library.count(mask, task.axis) for mask in (both, x, y)]
        total = count_elements(task, library, x.shape, counted, sums[0])
    else:
        weights, bad = integer_weights(library, weight, x.shape)
        invalid = invalid._replace(weight=bad)
        zero = xp.zeros_like(weights)
        sums = [
            xp.sum(xp.where(mask, weights, zero), axis=task.axis, dtype=xp.int64)
            for mask in (both, x, y, xp.broadcast_to(counted, x.shape))
        ]
        total = sums.pop()
    masks = counted_invalid(library, x.shape, invalid, counted)
    found = {name: library.count(mask, task.axis) for name, mask in masks.items()}
    invalid_counts = by_argument(found, total * 0)
    return class_last(task, library, library.stack([*sums, total, *invalid_counts]), leading=1)


def integer_weights(
    library: ArrayLibrary, weight: Array, shape: tuple[int, ...]
) -> tuple[Array, Array]:
    """Return integer weights, 0 where out of range, and the mask of those out of range."""
    xp = library.xp
    weights = xp.broadcast_to(
        xp.astype(weight, xp.int64), shape
    )  # uint64 beyond int64 becomes negative
    bad = (weights < 0) | (weights >= UNIT)
    return xp.where(bad, xp.zeros_like(weights), weights), bad


def count_elements(
    task: Task, library: ArrayLibrary, shape: tuple[int, ...], counted: Array | None, like: Array
) -> Array:
    """Count the elements that are not ignored."""
    xp = library.xp
    if counted is None:
        return like * 0 + elements(tuple(shape[a] for a in task.axis))
    return library.count(xp.broadcast_to(counted, shape), task.axis)


def counted_invalid(
    library: ArrayLibrary, shape: tuple[int, ...], invalid: Invalid, counted: Array | None
) -> dict[str, Array]:
    """Return the masks of invalid values by argument, without those of ignored elements."""
    return {
        name: library.xp.broadcast_to(mask if counted is None else mask & counted, shape)
        for name, mask in zip(Invalid._fields, invalid, strict=True)
        if mask is not None
    }


def by_argument(found: dict[str, Array], none: Array) -> list[Array]:
    """Return the numbers of invalid values of prediction, target and weight."""
    return [found.get(name, none) for name in Invalid._fields]


def class_last(task: Task, library: ArrayLibrary, sums: Array, leading: int) -> Array:
    """Move the class axis of the counts from its place in the prediction to the end.

    The counts come after `leading` axes.
    """
    if task.class_axis is None:
        return sums
    place = leading + task.class_axis - sum(a < task.class_axis for a in task.axis)
    if place == sums.ndim - 1:
        return sums
    order = [a for a in range(sums.ndim) if a != place]
    return library.xp.permute_dims(sums, (*order, place))


def counted_only(library: ArrayLibrary, counted: Array, values: Array) -> Array:
    """Set values that are not counted to 0."""
    xp = library.xp
    if library.kind(values.dtype) == "bool":
        return xp.logical_and(values, counted)
    return xp.where(counted, values, xp.zeros_like(values))
