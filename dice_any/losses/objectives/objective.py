"""The protocol of the part that is specific to a loss, and the call that the pipeline passes it."""

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
    #: see `ArrayLibrary.casts_back`, which must be called while the caller's mode is still active
    casts_back: bool = False
    #: joins the sums with those of other processes
    join: Callable[[Measured], Measured] | None = None
    #: whether another library computes the numbers that follow from the sums
    lent: bool = False


#: From the share of each loss in the final number to the derivatives in the rows.
Slopes = Callable[[Array], Sequence[Array]]


class Objective(Protocol):
    """The part that is specific to a loss: its measurement, its losses, and their slopes."""

    @property
    def entropy(self) -> Entropy | None:
        """The entropy to compute in the same pass, or None."""

    @property
    def of_sums(self) -> bool:
        """Whether the loss depends only on the sums of an overlap, and an entropy."""

    def check(self, prediction: Any, arguments: Mapping[str, Any]) -> None:
        """Refuse arguments that have no meaning for this loss, and say why."""

    def check_counts(self, kind: str, form: str, by_class: bool) -> None:
        """Refuse sums that have no meaning for this loss."""

    def measure(self, call: LossCall) -> Terms:
        """Return the terms of the losses; called inside the library's precision context."""

    def choose(self, terms: Terms) -> Chosen:
        """Return the rows of the selected classes."""

    def losses(
        self, library: ArrayLibrary, rows: Sequence[Array], smooth: tuple[float, float]
    ) -> tuple[Array, Slopes]:
        """Return the loss of each count, and the function for its slopes."""
