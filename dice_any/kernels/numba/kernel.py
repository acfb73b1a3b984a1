"""The kernel as the registry sees it: what is accepted, and from arrays to loops and back."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace

from ...arrays import load_library
from ...arrays.library import Array, elements
from .. import reference
from ..pairs import pair_sums
from ..shipped import ShippedKernel, declines_of_all
from ..task import Task

#: So many elements of memberships, labels or scores are worth what the first call of a process
#: pays: Numba's import and the compiled code's way from the cache, a second or so; and its
#: compilation once on a machine.
ENOUGH = 2**20
#: Plain sums are those of losses. A step of training comes thousands of times: it is repaid sooner.
ENOUGH_PLAIN = 2**15
#: Masks are counted by what NumPy and PyTorch have, at the speed of memory, almost.
ENOUGH_MASKS = 2**24


class Kernel(ShippedKernel):
    """One for each library whose arrays lie in the memory of the host."""

    name, compiler = "numba", "Numba"

    def find_problem(self) -> str | None:
        from . import run  # noqa: F401

        return None

    def worthwhile(self, task: Task) -> bool | str:
        """Accept what is large enough to pay for the first call of a process."""
        size = elements(task.shapes[0] or ())
        enough = ENOUGH_PLAIN if task.kind == "plain" else ENOUGH
        if task.dtypes[0] == task.dtypes[1] == "bool":
            enough = ENOUGH_MASKS
        return True if size >= enough else f"{size} elements are too few to wait for a compiler"

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
        """Have what this thread calls computed without the help of others."""
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
        if task.kind == "plain":  # one product of matrices, which has a gradient
            return reference.pairwise(task, X, Y)
        return pair_sums(self._row_sums, task, X, Y)

    def _in_memory(self, *arrays: Array | None) -> bool:
        """Tell whether there is memory to look at: PyTorch has tensors of shapes alone, and wraps
        what it transforms.
        """
        library = load_library(self.module)
        return all(array is None or library.at_hand(array) for array in arrays)

    def _row_sums(self, task: Task, row: Array, Y: Array, weight: None) -> Array:  # noqa: N803
        shapes = tuple(row.shape), tuple(Y.shape), None
        return self.overlap(replace(task, shapes=shapes), row, Y, weight)


def _declined(task: Task) -> str | None:
    """Say what about a task is not covered."""
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
