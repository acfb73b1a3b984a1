"""A wrapper for a kernel from a plugin that checks every result before it is used.

A faulty kernel raises an error only for callers who asked for it by name. All others get the
reference's result, and `backends()` reports the fault.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..arrays import library_of
from ..arrays.library import Array
from ..plugins import shown
from . import reference
from .answers import (
    fault_of_gradient,
    fault_of_matrix,
    fault_of_pairs,
    fault_of_sums,
    invalid_rows,
    speaks_of_invalid,
)
from .task import Task

#: The optional parts of a kernel.
OPTIONAL = ("overlap_vjp", "overlap_keeping", "overlap_vjp_over", "confusion_matrix", "pairwise")


class Kept(NamedTuple):
    """What a kernel kept for its backward pass, and the prediction, to recompute it if needed."""

    array: Array
    prediction: Array


class Guarded:
    """A kernel of a plugin.

    Parameters
    ----------
    kernel
        The object that the plugin loads.
    label : str
        Names of the kernel and its distribution.
    asked : bool
        Whether the caller asked for it by name; then a fault raises an error.
    faults : list of str
        Faults found so far.
    """

    def __init__(self, kernel: Any, label: str, asked: bool, faults: list[str]) -> None:
        self.name = kernel.name
        self._kernel, self._label, self._asked, self._faults = kernel, label, asked, faults
        for part in OPTIONAL:
            if hasattr(kernel, part):
                setattr(self, part, getattr(self, f"_{part}"))

    def is_out(self) -> bool:
        """Tell whether a fault has been found; the kernel is then used only if asked for."""
        return bool(self._faults) and not self._asked

    def takes(self, task: Task) -> bool:
        """Tell whether to choose this kernel for a task when none was asked for."""
        if self.is_out():
            return False
        if hasattr(self._kernel, "worthwhile") and self._answer("worthwhile", task) is not True:
            return False
        return self._answer("accepts", task) is True

    def accepts(self, task: Task) -> bool | str:
        """Return True, or the reason why the task is declined."""
        return self._answer("accepts", task)

    def _answer(self, part: str, task: Task) -> bool | str:
        try:
            answer = getattr(self._kernel, part)(task)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin may raise SystemExit or a panic
            return self._blame(f"answer `{part}`; got {shown(error)}")
        if answer is True or isinstance(answer, str):
            return answer
        return self._blame(f"answer `{part}` with True or a sentence; got {shown(answer)}")

    def overlap(self, task: Task, prediction: Array, target: Array, weight: Array | None) -> Array:
        """Return the sums."""
        arguments = task, prediction, target, weight
        if self.is_out():
            return reference.overlap(*arguments)
        return self._checked_sums(
            self._ask("overlap", *arguments),
            fault_of_sums,
            lambda: reference.overlap(*arguments),
            *arguments[:2],
        )

    def _overlap_vjp(
        self, task: Task, prediction: Array, target: Array, weight: Array | None, cotangent: Array
    ) -> Array:
        arguments = task, prediction, target, weight, cotangent
        if not self.is_out():
            gradient = self._ask("overlap_vjp", *arguments)
            fault = fault_of_gradient(prediction, gradient)
            if fault is None:
                return gradient
            self._blame(f"return from `overlap_vjp` {fault}")
        return reference.overlap_vjp(*arguments)

    def _overlap_keeping(
        self, task: Task, prediction: Array, target: Array, weight: Array | None
    ) -> tuple[Array, Kept | None]:
        arguments = task, prediction, target, weight
        if self.is_out():
            return reference.overlap(*arguments), None
        answer = self._ask("overlap_keeping", *arguments)
        if not isinstance(answer, tuple) or len(answer) != 2:
            self._blame(f"return from `overlap_keeping` two values; got {shown(type(answer))}")
            return reference.overlap(*arguments), None
        sums, kept = answer
        sums = self._checked_sums(
            sums, fault_of_sums, lambda: reference.overlap(*arguments), *arguments[:2]
        )
        return sums, None if kept is None or self.is_out() else Kept(kept, prediction)

    def _overlap_vjp_over(
        self, task: Task, kept: Kept, target: Array, weight: Array | None, cotangent: Array
    ) -> Array:
        if not self.is_out():
            gradient = self._ask("overlap_vjp_over", task, kept.array, target, weight, cotangent)
            fault = fault_of_gradient(kept.prediction, gradient)
            if fault is None:
                return gradient
            self._blame(f"return from `overlap_vjp_over` {fault}")
        return reference.overlap_vjp(task, kept.prediction, target, weight, cotangent)

    def _confusion_matrix(
        self, task: Task, prediction: Array, target: Array, weight: Array | None
    ) -> tuple[Array, Array]:
        arguments = task, prediction, target, weight
        if self.is_out():
            return reference.confusion_matrix(*arguments)
        answer = self._ask("confusion_matrix", *arguments)
        fault = fault_of_matrix(task, prediction, answer)
        if fault is not None:
            self._blame(f"return from `confusion_matrix` {fault}")
            return reference.confusion_matrix(*arguments)
        if speaks_of_invalid(answer[1]):
            right = reference.confusion_matrix(*arguments)
            if self._says_more(answer[1], right[1]):
                return right
        return answer  # type: ignore[no-any-return]

    def _pairwise(self, task: Task, X: Array, Y: Array) -> Array:  # noqa: N803
        if self.is_out():
            return reference.pairwise(task, X, Y)
        return self._checked_sums(
            self._ask("pairwise", task, X, Y),
            fault_of_pairs,
            lambda: reference.pairwise(task, X, Y),
            *(task, X, Y),
        )

    def _checked_sums(
        self,
        sums: Any,
        fault_of: Callable[..., str | None],
        right: Callable[[], Array],
        task: Task,
        *arrays: Array,
    ) -> Array:
        """Return the sums, or the reference's if these are malformed or report invalid values that
        do not exist. The caller would be blamed for such values.
        """
        fault = fault_of(task, *arrays, sums)
        if fault is not None:
            self._blame(f"return {fault}")
            return right()
        if task.can_be_invalid and speaks_of_invalid(invalid_rows(task, sums)):
            expected = right()
            if self._says_more(invalid_rows(task, sums), invalid_rows(task, expected)):
                return expected
        return sums

    def _says_more(self, found: Array, right: Array) -> bool:
        """Tell whether the kernel reports invalid values that do not exist; note it as a fault."""
        if not library_of(found).xp.any(found != right):
            return False
        self._blame("count as invalid what the reference finds to be so; got other numbers")
        return True

    def _ask(self, part: str, *arguments: Any) -> Any:
        """Call a part of the kernel; an error that it raises names the kernel."""
        try:
            return getattr(self._kernel, part)(*arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            note = (
                f"The kernel {self._label} raised this in `{part}`. "
                'Pass `backend="reference"` to compute without it.'
            )
            if note not in getattr(error, "__notes__", ()):
                error.add_note(note)
            raise

    def _blame(self, rule: str) -> str:
        """Note a fault of the kernel; raise an error if the kernel was asked for by name."""
        fault = f"The kernel {self._label} must {rule}. Mend or uninstall it."
        if not self._faults:
            self._faults.append(fault)
        if self._asked:
            raise LookupError(f'{fault} Pass `backend="reference"` to compute without it.')
        return fault
