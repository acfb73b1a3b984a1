"""Add the memberships of classes to those of regions, along the class axis; and the slopes back.

A region's membership is the sum of its classes', from the smallest label to the largest, for any
order in the group, so that rounding is the same everywhere. Masks are joined, and integers add
exactly.
"""

from __future__ import annotations

from functools import reduce
from operator import add, or_

from ..arrays.library import Array, ArrayLibrary
from .task import Task


def by_region(task: Task, library: ArrayLibrary, values: Array) -> Array:
    """Return the values of regions, the sums of their classes' values; masks are joined."""
    join = or_ if library.kind(values.dtype) == "bool" else add

    def total(group: tuple[int, ...]) -> Array:
        parts = [_entry(task, values, label) for label in sorted(group)]
        return reduce(join, parts)

    return library.stack([total(group) for group in task.regions or ()], task.class_axis or 0)


def to_classes(task: Task, library: ArrayLibrary, slopes: Array) -> Array:
    """Return the slope of each class, the sum of its regions' slopes; 0 if it is in no region."""
    groups = task.regions or ()
    zero = library.xp.zeros_like(_entry(task, slopes, 0))

    def total(label: int) -> Array:
        parts = [_entry(task, slopes, i) for i, group in enumerate(groups) if label in group]
        return reduce(add, parts, zero)

    return library.stack([total(label) for label in range(task.classes)], task.class_axis or 0)


def drawn_to_1(library: ArrayLibrary, sums: Array) -> Array:
    """Return sums of memberships, with 1 for those above 1 by a rounding error; NaN stays.

    Automatic differentiation treats them as if they were below 1, as the closed form does.
    """
    xp = library.xp
    return sums - library.detach(xp.where(sums > 1, sums - 1.0, xp.zeros_like(sums)))


def _entry(task: Task, values: Array, place: int) -> Array:
    """Return one place of the class axis."""
    return values[(*(slice(None),) * (task.class_axis or 0), place, ...)]
