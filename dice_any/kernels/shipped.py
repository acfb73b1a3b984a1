"""What the built-in kernels share: how they report a missing compiler, and the tasks that all of
them decline.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ..arrays import load_library
from ..arrays.library import Array, elements
from ..plugins import PROTOCOL
from . import reference
from .labels import split_pairs
from .task import Task

#: Beyond this many joint counts of labels, over all kept axes, the reference with its masks needs
#: less memory.
MOST_PAIRS = 2**24
KNOWN = {
    *("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
    *("float16", "bfloat16", "float32", "float64"),
}


class ShippedKernel(ABC):
    """A built-in kernel; there is one for each library whose arrays it can read in place."""

    name: str
    compiler: str
    protocol = PROTOCOL

    def __init__(self, module: str) -> None:
        self.module = module
        self._problem: list[str | None] = []

    def problem(self) -> str | None:
        """Return why it cannot be used; None if it can."""
        if not self._problem:
            try:
                self._problem.append(self.find_problem())
            except ImportError as error:  # Numba rejects unknown versions of NumPy
                self._problem.append(f"{self.compiler} does not load: {error}")
            except Exception as error:  # perhaps from a signal handler: the next call tries again
                return f"{self.compiler} does not load: {error!r}"
        return self._problem[0]

    @abstractmethod
    def find_problem(self) -> str | None:
        """Import the compiler and return what is missing; None if nothing."""

    @abstractmethod
    def declines(self, task: Task) -> str | None:
        """Return what about a task is not supported, or where its arrays must be."""

    @abstractmethod
    def label_pairs(self, task: Task, prediction: Array, target: Array, weight: Any) -> Array:
        """Return the joint counts of two label maps, with one row and column for invalid labels."""

    def accepts(self, task: Task) -> bool | str:
        """Accept the tasks that are supported."""
        declined = self.declines(task)
        if declined is not None:
            return declined
        problem = self.problem()
        return True if problem is None else problem

    def confusion_matrix(
        self, task: Task, prediction: Array, target: Array, weight: Array | None
    ) -> tuple[Array, Array]:
        cells = elements(tuple(n for a, n in enumerate(task.shapes[0] or ()) if a not in task.axis))
        if cells * (task.classes + 1) ** 2 > MOST_PAIRS:
            return reference.confusion_matrix(task, prediction, target, weight)
        joint = self.label_pairs(task, prediction, target, weight)
        matrix, invalid = split_pairs(task, load_library(self.module), joint[None, ...])
        return matrix[0, ...], invalid


def declines_of_all(task: Task) -> str | None:
    """Return what about a task no built-in kernel supports; None if nothing."""
    unknown = [dtype for dtype in task.dtypes if dtype is not None and dtype not in KNOWN]
    if unknown:
        return f"it does not know {unknown[0]}"
    if task.kind != "hard" and task.activation == "softmax" and task.weighs_classes_apart:
        return "a softmax over classes with weights of their own is left to the reference"
    if task.kind == "exact" and task.entropy is not None:
        return (
            "exact sums of entropies are left to the reference, which takes their logarithm in "
            "integers"
        )
    return None
