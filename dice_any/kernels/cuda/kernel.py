"""The kernel as the registry sees it: the tasks that it accepts, and its methods."""

from __future__ import annotations

from typing import Any

from ...arrays.library import Array, elements
from .. import reference
from ..shipped import ShippedKernel, declines_of_all
from ..task import Task

#: From this many elements, the first call of a process pays off: seconds, for the compiler.
ENOUGH = 2**20
#: This many elements per sum keep a thread block busy.
ENOUGH_EACH = 2**10


class Kernel(ShippedKernel):
    """The kernel; there is one for each library with arrays in GPU memory."""

    name, compiler = "cuda", "numba-cuda"

    def __init__(self, module: str) -> None:
        super().__init__(module)
        self._memory: list[Any] = []

    @property
    def memory(self) -> Any:
        """What the launching code needs to know about the arrays' library."""
        if not self._memory:
            from . import memory

            self._memory.append(memory.MEMORIES[self.module]())
        return self._memory[0]

    def find_problem(self) -> str | None:
        from . import run

        return None if run.available() else "Numba finds no CUDA device"

    def worthwhile(self, task: Task) -> bool | str:
        """Accept tasks that are large enough to pay for the first call of a process."""
        shape = task.shapes[0] or ()
        size, each = elements(shape), elements(tuple(shape[a] for a in task.axis))
        if size < ENOUGH:
            return f"{size} elements are too few to wait for a compiler"
        return (
            True
            if each >= ENOUGH_EACH
            else f"{each} elements a sum are too few for a block of threads"
        )

    def declines(self, task: Task) -> str | None:
        if self.module == "torch" and task.device.partition(":")[0] != "cuda":
            return f"it computes on NVIDIA GPUs; the arrays are on {task.device}"
        return _declined(task) or declines_of_all(task)

    def overlap(self, task: Task, prediction: Array, target: Array, weight: Array | None) -> Array:
        from . import run

        compute = run.label_counts if all(task.labels) else run.sums
        return compute(self.memory, task, prediction, target, weight)

    def overlap_vjp(
        self, task: Task, prediction: Array, target: Array, weight: Array | None, cotangent: Array
    ) -> Array:
        from . import run

        if task.kind == "exact":  # in float64, for which most GPUs have few units: no gain
            return reference.overlap_vjp(task, prediction, target, weight, cotangent)
        return run.gradient(self.memory, task, prediction, target, weight, cotangent)

    def label_pairs(
        self, task: Task, prediction: Array, target: Array, weight: Array | None
    ) -> Array:
        from . import run

        return run.label_pairs(self.memory, task, prediction, target, weight)

    def pairwise(self, task: Task, X: Array, Y: Array) -> Array:  # noqa: N803
        # a matrix product, which the array libraries compute faster
        return reference.pairwise(task, X, Y)


def _declined(task: Task) -> str | None:
    """Return what about a task is not supported; None if nothing."""
    if task.labels[0] and not task.labels[1]:
        return "labels against masks or memberships of classes are left to the reference"
    if all(task.labels) and (task.kind != "hard" or task.dtypes[2] not in (None, "bool")):
        return "label maps with numbers as weights are left to the reference"
    if task.kind == "exact" and task.activation is not None:
        return (
            "exact sums of logits are left to the reference, which takes their exponential in "
            "integers"
        )
    return None
