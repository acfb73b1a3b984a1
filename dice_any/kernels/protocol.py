"""The required and the optional parts of a kernel."""

from __future__ import annotations

from typing import Protocol

from ..arrays.library import Array
from .task import Task


class Kernel(Protocol):
    """The required parts of a kernel."""

    name: str
    #: the value of `PROTOCOL` that it was written for, as a literal number
    protocol: int

    def accepts(self, task: Task) -> bool | str:
        """Return True, or a sentence that says why it declines; depends on the task only."""

    def overlap(self, task: Task, prediction: Array, target: Array, weight: Array | None) -> Array:
        """Return the raw sums, in the layout that `Task` describes."""


class Choosy(Protocol):
    """A kernel whose first call is expensive, or whose requirements may be missing."""

    def worthwhile(self, task: Task) -> bool | str:
        """Return True, or a sentence that says why not to choose it unasked; called before
        `accepts`.
        """

    def problem(self) -> str | None:
        """Return None, or a sentence that says why it cannot be used here."""


class Differentiating(Protocol):
    """A kernel with the prediction's gradient in closed form."""

    def overlap_vjp(
        self, task: Task, prediction: Array, target: Array, weight: Array | None, cotangent: Array
    ) -> Array:
        """Return the gradient in the prediction's dtype, from the derivatives in the sums."""


class Keeping(Differentiating, Protocol):
    """A kernel whose forward pass stores memberships in the array that becomes the gradient; see
    `RoundTrip`.
    """

    def overlap_keeping(
        self, task: Task, prediction: Array, target: Array, weight: Array | None
    ) -> tuple[Array, Array | None]:
        """Return the sums and the kept array; None if nothing was kept."""

    def overlap_vjp_over(
        self, task: Task, kept: Array, target: Array, weight: Array | None, cotangent: Array
    ) -> Array:
        """Return the gradient, written over the kept array."""


class Tabulating(Protocol):
    """A kernel that computes confusion matrices."""

    def confusion_matrix(
        self, task: Task, prediction: Array, target: Array, weight: Array | None
    ) -> tuple[Array, Array]:
        """Return the matrices, and the numbers of invalid values of each argument."""


class Pairing(Protocol):
    """A kernel that sums every row of one matrix with every row of another."""

    def pairwise(self, task: Task, X: Array, Y: Array) -> Array:  # noqa: N803
        """Return the raw sums of all pairs."""


class Complete(Kernel, Choosy, Differentiating, Tabulating, Pairing, Protocol):
    """A kernel with all parts, like the built-in ones."""
