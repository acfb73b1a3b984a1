"""The sums and then their gradient: a way forward and a way back that may share their work."""

from __future__ import annotations

from typing import Any

from ..arrays.library import Array
from .task import Task


class RoundTrip:
    """One kernel's way forward and back, in which the memberships of the one may become the
    gradient of the other.

    A kernel that has ``overlap_keeping(task, prediction, target, weight)`` returns from it the sums
    and an array as large as the prediction, or None, which ``overlap_vjp_over(task, kept, target,
    weight, cotangent)`` turns into the gradient without activating the prediction again. Both
    together take the memory of the gradient only. A second way back finds nothing kept and computes
    all anew.
    """

    def __init__(self, kernel: Any, task: Task) -> None:
        self._kernel, self._task = kernel, task
        self._kept: Array | None = None

    def overlap(self, prediction: Array, target: Array, weight: Array | None) -> Array:
        """Return the sums."""
        if not hasattr(self._kernel, "overlap_keeping"):
            return self._kernel.overlap(self._task, prediction, target, weight)
        sums, self._kept = self._kernel.overlap_keeping(self._task, prediction, target, weight)
        return sums

    def overlap_vjp(
        self, prediction: Array, target: Array, weight: Array | None, cotangent: Array
    ) -> Array:
        """Return the prediction's gradient."""
        kept, self._kept = self._kept, None
        if kept is None:
            return self._kernel.overlap_vjp(self._task, prediction, target, weight, cotangent)
        return self._kernel.overlap_vjp_over(self._task, kept, target, weight, cotangent)
