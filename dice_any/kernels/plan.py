"""The memory layout of arrays, as the lengths and strides that compiled loops need.

There are two levels: a cell is one position on the axes of the counts. Within a cell, an element is
one position on the summed axes, the prediction's slowest axis first. Axes that are contiguous with
each other in every array are merged, so a contiguous array is one long row whatever its rank. The
class axis has a stride of its own.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .task import Task


class View(NamedTuple):
    """One array: its address, its dtype, and its strides in bytes along the prediction's axes.

    A stride is 0 where the array is broadcast or lacks the axis.
    """

    address: int
    code: int
    strides: tuple[int, ...]
    class_step: int


class Plan(NamedTuple):
    """The loops of one task: lengths, and strides by (array, axis)."""

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
    """Order and merge the axes."""
    # the axes of the counts keep their order, the classes last
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
    """Return whether the target can hold the label to ignore, and that label, as int64."""
    if task.ignore_label is None or task.dtypes[1] is None:
        return 0, 0
    limits = np.iinfo(task.dtypes[1])
    if not limits.min <= task.ignore_label <= limits.max:
        return 0, 0
    return 1, (task.ignore_label + 2**63) % 2**64 - 2**63
