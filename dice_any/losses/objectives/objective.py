"""What tells one loss from another, and what passes between a loss and its pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ...arrays.library import Array, ArrayLibrary
from ...kernels import Task
from ...measuring import Measured
from .entropy import Entropy
from .reductions import Chosen, Terms
from .settings import Settings


class LossCall(NamedTuple):
    """One call of a loss, its arguments read and checked."""

    library: ArrayLibrary
    task: Task | None  # None: an overlap was given
    prediction: Any  # array or Overlap
    target: Any
    weight: Array | None
    exact: bool
    backend: str | None
    settings: Settings
    wants_gradient: bool
    #: see `ArrayLibrary.casts_back`, which is to be asked where the caller's mode still holds
    casts_back: bool = False
    #: joins the sums with those of other processes
    join: Callable[[Measured], Measured] | None = None
    #: whether the numbers that follow from the sums are in the hands of another library
    lent: bool = False


#: From the share that each loss has in the final number to the derivatives in the rows.
Slopes = Callable[[Array], Sequence[Array]]


class Objective(Protocol):
    """A loss: what it measures, the losses that follow, and how a slope goes back."""

    @property
    def entropy(self) -> Entropy | None:
        """The entropy that is wanted in the same pass, or None."""

    @property
    def of_sums(self) -> bool:
        """Whether it follows from the sums of an overlap, and an entropy, alone."""

    def check(self, prediction: Any, arguments: Mapping[str, Any]) -> None:
        """Refuse arguments that mean nothing to this loss, and say why."""

    def check_counts(self, kind: str, form: str, by_class: bool) -> None:
        """Refuse sums that mean nothing to this loss."""

    def measure(self, call: LossCall) -> Terms:
        """Return what the losses follow from; inside the library's precision context."""

    def choose(self, terms: Terms) -> Chosen:
        """Return the rows of the classes that take part."""

    def losses(
        self, library: ArrayLibrary, rows: Sequence[Array], smooth: tuple[float, float]
    ) -> tuple[Array, Slopes]:
        """Return the loss of each count, and the way back."""
