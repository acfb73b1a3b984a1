"""How arrays lie in memory, as the few numbers that compiled loops walk by.

Elements are numbered twice: a cell is one position on the axes of the counts, and within it an
element is one position on the summed axes, the slowest of the prediction first. Axes that lie
behind one another in every array are joined, so that a contiguous array is one long row whatever
its rank. The class axis is a step of its own.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .task import Task


class View(NamedTuple):
    """One array: where it starts, what it holds, and its strides in bytes over the axes of the
    prediction.

    A stride is 0 where the array is broadcast or has no such axis.
    """

    address: int
    code: int
    strides: tuple[int, ...]
    class_step: int


class Plan(NamedTuple):
    """The loops over one task: lengths, and strides of (array, axis)."""

    lengths: np.ndarray  # of the axes that are not summed
    cell_strides: np.ndarray
    summed: np.ndarray
    summed_strides: np.ndarray

    @property
    def cells(self) -> int:
        return math.prod(self.lengths.tolist())

    @property
    def elements(self) -> int:
        return math.prod(self.summed.tolist())


def plan(
    task: Task, shape: tuple[int, ...], views: list[View], class_is_counted: bool = False
) -> Plan:
    """Order and join the axes."""
    # axes of the counts stay in their order, which is that of the counts: the classes last
    axes = [a for a in range(len(shape)) if a not in task.axis and a != task.class_axis]
    if class_is_counted and task.class_axis is not None:
        axes.append(task.class_axis)
    summed = sorted(task.axis, key=lambda a: abs(views[0].strides[a]), reverse=True)
    return Plan(*_join(shape, axes, views), *_join(shape, summed, views))


def _join(
    shape: tuple[int, ...], axes: list[int], views: list[View]
) -> tuple[np.ndarray, np.ndarray]:
    joined: list[tuple[int, list[int]]] = []
    for a in axes:
        length, strides = shape[a], [view.strides[a] for view in views]
        if length == 1:
            continue
        if joined and all(
            outer == inner * length for outer, inner in zip(joined[-1][1], strides, strict=True)
        ):
            length *= joined.pop()[0]
        joined.append((length, strides))
    joined = joined or [(1, [0] * len(views))]
    return (
        np.array([length for length, _ in joined], dtype=np.int64),
        np.array([strides for _, strides in joined], dtype=np.int64).T.copy(),
    )


def ignored(task: Task) -> tuple[int, int]:
    """Return whether there is a label to ignore that the target can hold, and which, as int64."""
    if task.ignore_label is None or task.dtypes[1] is None:
        return 0, 0
    limits = np.iinfo(task.dtypes[1])
    if not limits.min <= task.ignore_label <= limits.max:
        return 0, 0
    return 1, (task.ignore_label + 2**63) % 2**64 - 2**63
