"""What a kernel must offer, and what it may."""

from __future__ import annotations

from typing import Protocol

from ..arrays.library import Array
from .task import Task


class Kernel(Protocol):
    """What a kernel must offer."""

    name: str
    #: `PROTOCOL` of the version that it was written for, as a number of its own
    protocol: int

    def accepts(self, task: Task) -> bool | str:
        """Return True, or a sentence saying why this task is declined; looks at the task only."""

    def overlap(self, task: Task, prediction: Array, target: Array, weight: Array | None) -> Array:
        """Return the raw sums, laid out as `Task` says."""


class Choosy(Protocol):
    """A kernel that is not always worth its first call, or may lack what it needs."""

    def worthwhile(self, task: Task) -> bool | str:
        """Return True, or a sentence saying why not to choose it unasked; comes before
        `accepts`.
        """

    def problem(self) -> str | None:
        """Return None, or a sentence saying why it cannot be used here."""


class Differentiating(Protocol):
    """A kernel with the prediction's gradient in closed form."""

    def overlap_vjp(
        self, task: Task, prediction: Array, target: Array, weight: Array | None, cotangent: Array
    ) -> Array:
        """Return the gradient, in the prediction's dtype, from the derivatives in the sums."""


class Keeping(Differentiating, Protocol):
    """A kernel whose pass leaves memberships in the array that becomes the gradient; see
    `RoundTrip`.
    """

    def overlap_keeping(
        self, task: Task, prediction: Array, target: Array, weight: Array | None
    ) -> tuple[Array, Array | None]:
        """Return the sums, and what it kept; None if it keeps nothing this time."""

    def overlap_vjp_over(
        self, task: Task, kept: Array, target: Array, weight: Array | None, cotangent: Array
    ) -> Array:
        """Return the gradient, written over what was kept."""


class Tabulating(Protocol):
    """A kernel that counts which labels meet."""

    def confusion_matrix(
        self, task: Task, prediction: Array, target: Array, weight: Array | None
    ) -> tuple[Array, Array]:
        """Return the matrices, and how many values of each argument were invalid."""


class Pairing(Protocol):
    """A kernel that sums every row with every row."""

    def pairwise(self, task: Task, X: Array, Y: Array) -> Array:  # noqa: N803
        """Return the raw sums of all pairs."""


class Complete(Kernel, Choosy, Differentiating, Tabulating, Pairing, Protocol):
    """A kernel with all parts; the shipped ones are."""
