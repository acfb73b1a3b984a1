"""Classes that are added up to regions, along the class axis; and slopes on their way back.

A region's membership is the sum of its classes', from the smallest label to the largest whatever
the group's order, so that it is rounded alike everywhere. Masks are joined, and integers add
exactly.
"""

from __future__ import annotations

from functools import reduce
from operator import add, or_

from ..arrays.library import Array, ArrayLibrary
from .task import Task


def by_region(task: Task, library: ArrayLibrary, values: Array) -> Array:
    """Add values of the classes up to those of regions; masks are joined."""
    join = or_ if library.kind(values.dtype) == "bool" else add

    def total(group: tuple[int, ...]) -> Array:
        parts = [_entry(task, values, label) for label in sorted(group)]
        return reduce(join, parts)

    return library.stack([total(group) for group in task.regions or ()], task.class_axis or 0)


def to_classes(task: Task, library: ArrayLibrary, slopes: Array) -> Array:
    """Give each class the slopes of the regions that it is in, added up; 0 where it is in none."""
    groups = task.regions or ()
    zero = library.xp.zeros_like(_entry(task, slopes, 0))

    def total(label: int) -> Array:
        parts = [_entry(task, slopes, i) for i, group in enumerate(groups) if label in group]
        return reduce(add, parts, zero)

    return library.stack([total(label) for label in range(task.classes)], task.class_axis or 0)


def drawn_to_1(library: ArrayLibrary, sums: Array) -> Array:
    """Return sums of memberships that are above 1 by rounding as 1; NaN stays.

    To an automatic differentiation they look as if they were below, as to the closed form.
    """
    xp = library.xp
    return sums - library.detach(xp.where(sums > 1, sums - 1.0, xp.zeros_like(sums)))


def _entry(task: Task, values: Array, place: int) -> Array:
    """Return one place of the class axis."""
    return values[(*(slice(None),) * (task.class_axis or 0), place, ...)]
