"""The kernel as the registry sees it: the tasks that it accepts, and its methods."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import AbstractContextManager
from dataclasses import replace

from ...arrays import load_library
from ...arrays.library import Array, elements
from .. import reference
from ..pairs import pair_sums
from ..shipped import ShippedKernel, declines_of_all
from ..task import Task

#: From this many elements of memberships, labels or scores, the cost of the first call pays off. In
#: each process that is about a second, to import Numba and load compiled code from the cache; once
#: on a machine it is the compilation.
ENOUGH = 2**20
#: Losses have plain sums. Training makes thousands of steps, so the first call pays off sooner.
ENOUGH_PLAIN = 2**15
#: NumPy and PyTorch themselves count masks almost at the speed of memory.
ENOUGH_MASKS = 2**24
#: Many calls pay for the first call together: when those of one kind, each of at least this size,
#: have had so many elements in a process, the kernel is used for them. Plain sums are not among
#: them, as their last bits depend on the kernel: the same call must always give the same.
ENOUGH_AGAIN, ENOUGH_TOGETHER = 2**16, 2**27


class Kernel(ShippedKernel):
    """The kernel; there is one for each library with arrays in host memory."""

    name, compiler = "numba", "Numba"

    def __init__(self, module: str) -> None:
        super().__init__(module)
        self._elements_met: dict[Hashable, int] = {}

    def find_problem(self) -> str | None:
        from . import run  # noqa: F401

        return None

    def worthwhile(self, task: Task) -> bool | str:
        """Accept tasks that are large enough to pay for the first call of a process."""
        size = elements(task.shapes[0] or ())
        enough = ENOUGH_PLAIN if task.kind == "plain" else ENOUGH
        if task.dtypes[0] == task.dtypes[1] == "bool":
            enough = ENOUGH_MASKS
        elif task.kind != "plain" and self._met_often(task, size):
            enough = ENOUGH_AGAIN
        return True if size >= enough else f"{size} elements are too few to wait for a compiler"

    def _met_often(self, task: Task, size: int) -> bool:
        """Tell whether this task and those like it, with the same compiled code, are worth it."""
        if size < ENOUGH_AGAIN:
            return False
        like = task.kind, task.dtypes, task.labels, task.activation
        met = self._elements_met.get(like, 0) + size
        self._elements_met[like] = met
        return met >= ENOUGH_TOGETHER

    def declines(self, task: Task) -> str | None:
        if task.device != "cpu":
            return f"it computes on the CPU; the arrays are on {task.device}"
        return _declined(task) or declines_of_all(task)

    def overlap(self, task: Task, prediction: Array, target: Array, weight: Array | None) -> Array:
        from . import run

        if not self._in_memory(prediction, target, weight):
            return reference.overlap(task, prediction, target, weight)
        compute = run.counts if task.kind == "hard" else run.sums
        return compute(task, prediction, target, weight)

    def overlap_vjp(
        self, task: Task, prediction: Array, target: Array, weight: Array | None, cotangent: Array
    ) -> Array:
        from . import run

        if not self._in_memory(prediction, target, weight):
            return reference.overlap_vjp(task, prediction, target, weight, cotangent)
        return run.gradient(task, prediction, target, weight, cotangent)

    def overlap_keeping(
        self, task: Task, prediction: Array, target: Array, weight: Array | None
    ) -> tuple[Array, Array | None]:
        from . import run

        if not self._in_memory(prediction, target, weight):
            return reference.overlap_keeping(task, prediction, target, weight)
        kept = run.room_to_keep(task, prediction)
        return run.sums(task, prediction, target, weight, kept), kept

    def overlap_vjp_over(
        self, task: Task, kept: Array, target: Array, weight: Array | None, cotangent: Array
    ) -> Array:
        from . import run

        if not self._in_memory(kept, target, weight):
            return reference.overlap_vjp_over(task, kept, target, weight, cotangent)
        return run.gradient(task, kept, target, weight, cotangent, over=True)

    def alone(self) -> AbstractContextManager[None]:
        """Return a context manager in which calls by this thread use no worker threads."""
        from . import team

        return team.alone()

    def label_pairs(
        self, task: Task, prediction: Array, target: Array, weight: Array | None
    ) -> Array:
        from . import run

        return run.label_pairs(task, prediction, target, weight)

    def pairwise(self, task: Task, X: Array, Y: Array) -> Array:  # noqa: N803
        from . import run

        if task.kind == "hard":
            return run.bit_pairs(task, X, Y)
        if task.kind == "plain":  # one matrix product, which has a gradient
            return reference.pairwise(task, X, Y)
        return pair_sums(self._row_sums, task, X, Y)

    def _in_memory(self, *arrays: Array | None) -> bool:
        """Tell whether the arrays have memory: PyTorch's meta tensors and the wrappers of its
        transformations have none.
        """
        library = load_library(self.module)
        return all(array is None or library.at_hand(array) for array in arrays)

    def _row_sums(self, task: Task, row: Array, Y: Array, weight: None) -> Array:  # noqa: N803
        shapes = tuple(row.shape), tuple(Y.shape), None
        return self.overlap(replace(task, shapes=shapes), row, Y, weight)


def _declined(task: Task) -> str | None:
    """Return what about a task is not supported; None if nothing."""
    if task.kind == "hard":
        if task.dtypes[2] not in (None, "bool"):
            return "integer weights of counts are left to the reference"
        if task.labels[0] != task.labels[1]:
            return (
                "masks of classes against a label map, or labels against masks, are left to the "
                "reference"
            )
        return None
    if task.labels[0] and not task.labels[1]:
        return "labels against memberships are left to the reference"
    if all(task.labels):
        return "label maps with floating weights are left to the reference"
    return None
