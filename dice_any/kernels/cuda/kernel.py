"""The kernel as the registry sees it: what is accepted, and from arrays to launches and back."""

from __future__ import annotations

from typing import Any

from ...arrays import load_library
from ...arrays.library import Array, elements
from .. import reference
from ..labels import split_pairs
from ..task import Task

#: So many elements are worth what the first call of a process pays: seconds, for the compiler.
ENOUGH = 2**20
#: So many of each sum keep a block of threads busy.
ENOUGH_EACH = 2**10
#: Joint counts of labels, over all axes that are left, beyond which the reference's way through
#: masks takes less memory.
MOST_PAIRS = 2**24
INTEGERS = {"uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"}
KNOWN = INTEGERS | {"bool", "float16", "bfloat16", "float32", "float64"}


class Kernel:
    """One for each library whose arrays lie in the memory of a GPU."""

    name = "cuda"
    protocol = 1

    def __init__(self, module: str) -> None:
        self.module = module
        self._memory: list[Any] = []
        self._problem: list[str | None] = []

    @property
    def memory(self) -> Any:
        """What the launching code needs to know of the arrays' library."""
        if not self._memory:
            from . import memory

            self._memory.append(memory.MEMORIES[self.module]())
        return self._memory[0]

    def problem(self) -> str | None:
        """Say why it cannot be used; None if it can."""
        if not self._problem:
            try:
                from . import run

                self._problem.append(None if run.available() else "Numba finds no CUDA device")
            except (
                Exception
            ) as error:  # Numba refuses versions of NumPy, Python and CUDA that it does not know
                self._problem.append(f"numba-cuda does not load: {error}")
        return self._problem[0]

    def worthwhile(self, task: Task) -> bool | str:
        """Accept what is large enough to pay for the first call of a process."""
        shape = task.shapes[0] or ()
        size, each = elements(shape), elements(tuple(shape[a] for a in task.axis))
        if size < ENOUGH:
            return f"{size} elements are too few to wait for a compiler"
        return (
            True
            if each >= ENOUGH_EACH
            else f"{each} elements a sum are too few for a block of threads"
        )

    def accepts(self, task: Task) -> bool | str:
        """Look at what is covered."""
        if self.module == "torch" and task.device.partition(":")[0] != "cuda":
            return f"it computes on NVIDIA GPUs; the arrays are on {task.device}"
        declined = _declined(task)
        if declined is not None:
            return declined
        problem = self.problem()
        return True if problem is None else problem

    def overlap(self, task: Task, prediction: Array, target: Array, weight: Array | None) -> Array:
        from . import run

        compute = run.label_counts if all(task.labels) else run.sums
        return compute(self.memory, task, prediction, target, weight)

    def overlap_vjp(
        self, task: Task, prediction: Array, target: Array, weight: Array | None, cotangent: Array
    ) -> Array:
        from . import run

        return run.gradient(self.memory, task, prediction, target, weight, cotangent)

    def confusion_matrix(
        self, task: Task, prediction: Array, target: Array, weight: Array | None
    ) -> tuple[Array, Array]:
        from . import run

        cells = elements(tuple(n for a, n in enumerate(task.shapes[0] or ()) if a not in task.axis))
        if cells * (task.classes + 1) ** 2 > MOST_PAIRS:
            return reference.confusion_matrix(task, prediction, target, weight)
        joint = run.label_pairs(self.memory, task, prediction, target, weight)
        matrix, invalid = split_pairs(task, load_library(self.module), joint[None, ...])
        return matrix[0, ...], invalid

    def pairwise(self, task: Task, X: Array, Y: Array) -> Array:  # noqa: N803
        # a product of matrices, at which the array libraries are better than we are
        return reference.pairwise(task, X, Y)


def _declined(task: Task) -> str | None:
    """Say what about a task is not covered."""
    unknown = [dtype for dtype in task.dtypes if dtype is not None and dtype not in KNOWN]
    if unknown:
        return f"it does not know {unknown[0]}"
    if task.labels[0] and not task.labels[1]:
        return "labels against masks or memberships of classes are left to the reference"
    if all(task.labels):
        if task.kind != "hard" or task.dtypes[2] not in (None, "bool"):
            return "label maps with numbers as weights are left to the reference"
        return None
    if task.kind == "exact" and task.activation is not None:
        return (
            "exact sums of logits are left to the reference, which takes their exponential in "
            "integers"
        )
    if task.activation == "softmax" and task.weighs_classes_apart:
        return "a softmax over classes with weights of their own is left to the reference"
    return None
