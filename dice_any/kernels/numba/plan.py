"""How arrays lie in memory, as the few numbers that compiled loops walk by.

Elements are numbered twice: a cell is one position on the kept axes, and within it an element is one position on the
summed axes, the slowest of the prediction first. Axes that lie behind one another in every array are joined, so that a
contiguous array is one long row whatever its rank. The class axis is a step of its own.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..task import Task


class View(NamedTuple):
    """One array: where it starts, what it holds, and its strides in bytes over the axes of the prediction."""

    address: int
    code: int
    strides: tuple[int, ...]
    class_step: int


class Plan(NamedTuple):
    """The loops over one task."""

    kept: np.ndarray  # lengths
    summed: np.ndarray
    #: of each array, over `kept` and over `summed`
    kept_strides: list[np.ndarray]
    summed_strides: list[np.ndarray]

    @property
    def cells(self) -> int:
        return math.prod(self.kept.tolist())

    @property
    def elements(self) -> int:
        return math.prod(self.summed.tolist())


def plan(task: Task, shape: tuple[int, ...], views: list[View]) -> Plan:
    """Order and join the axes."""
    summed = set(task.element_axis if all(task.labels) and task.class_axis is None else task.axis)
    kept = [a for a in range(len(shape)) if a not in summed and a != task.class_axis]
    # kept axes stay in their order, which is that of the counts
    kept_shape, kept_strides = _join([(shape[a], [v.strides[a] for v in views]) for a in kept])
    inner = sorted(summed, key=lambda a: abs(views[0].strides[a]), reverse=True)
    summed_shape, summed_strides = _join([(shape[a], [v.strides[a] for v in views]) for a in inner])
    return Plan(kept_shape, summed_shape, kept_strides, summed_strides)


def _join(axes: list[tuple[int, list[int]]]) -> tuple[np.ndarray, list[np.ndarray]]:
    joined: list[tuple[int, list[int]]] = []
    arrays = len(axes[0][1]) if axes else 0
    for length, strides in axes:
        if length == 1:
            continue
        if joined and all(o == s * length for o, s in zip(joined[-1][1], strides, strict=True)):
            joined[-1] = (joined[-1][0] * length, strides)
        else:
            joined.append((length, strides))
    joined = joined or [(1, [0] * arrays)]
    lengths = np.array([length for length, _ in joined], dtype=np.int64)
    return lengths, [np.array([strides[i] for _, strides in joined], dtype=np.int64) for i in range(max(arrays, 3))] if (
        arrays
    ) else [np.zeros(1, dtype=np.int64)] * 4


def strides_of(shape: tuple[int, ...], strides: tuple[int, ...], skipped: int | None) -> tuple[tuple[int, ...], int]:
    """Return strides over the prediction's axes, 0 where the array is broadcast, and the step from class to class.

    `skipped` is the class axis of the prediction, if the array has no such axis.
    """
    steps: list[Any] = [0 if n == 1 else s for n, s in zip(shape, strides, strict=True)]
    if skipped is not None:
        steps.insert(skipped, 0)
    return tuple(steps), 0
