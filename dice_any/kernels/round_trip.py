"""The sums and their gradient: a forward and a backward pass that may share work."""

from __future__ import annotations

from typing import Any

from ..arrays.library import Array
from .task import Task


class RoundTrip:
    """One kernel's forward and backward pass; the gradient may overwrite the memberships that the
    forward pass kept.

    A kernel may have ``overlap_keeping(task, prediction, target, weight)``. It returns the sums
    and an array as large as the prediction, or None. ``overlap_vjp_over(task, kept, target,
    weight, cotangent)`` then turns that array into the gradient without activating the prediction
    again. Both passes together need the memory of the gradient only. A second backward pass finds
    nothing kept and recomputes everything.
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
