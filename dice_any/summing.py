"""From two arrays to their sums, and from the derivatives in those to a gradient: which kernel, and what it is asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from .arrays import library_of
from .arrays.library import Array, ArrayLibrary
from .kernels import RoundTrip, Task, optional_part, reference, select
from .kernels.task import ENTROPY, INVALID
from .reading import read
from .sums import Overlap
from .values import limit_weight, raise_invalid


class Summed(NamedTuple):
    """What a kernel was asked for, and what it answered."""

    overlap: Overlap
    task: Task | None  # None if nothing was asked, as the overlap was given
    entropy: Array | None  # its sum and its weight, (2, *counts), if the task wants them
    vjp: Callable[[Array], Array] | None = None

    def gradient(self, cotangent: Array) -> Array:
        """Return the prediction's gradient from the derivatives in the sums, where it was asked for."""
        if self.vjp is None:
            raise TypeError("an overlap that was given, or summed without its gradient, has no prediction to pull at")
        return self.vjp(cotangent)


def summed(
    prediction: Array,
    target: Array,
    /,
    *,
    backend: str | None = None,
    weight: Array | None = None,
    with_gradient: bool = False,
    **arguments: Any,
) -> Summed:
    """Return the overlap of two arrays, the task that it was computed by and the entropy that the task wanted.

    `with_gradient` asks for the prediction's gradient in closed form: no automatic differentiation follows the sums then.
    """
    library, task = read(prediction, target, weight=weight, **arguments)
    traced = library.traced(prediction, target, weight)
    if task.kind != "plain" or with_gradient:
        prediction, target = library.detach(prediction), library.detach(target)
    vjp = None
    with library.precision():
        if with_gradient:
            trip = _round_trip(select(task, backend, traced), task, backend)
            sums, vjp = trip.overlap(prediction, target, weight), partial(trip.overlap_vjp, prediction, target, weight)
        elif task.kind == "plain" and not traced and library.differentiable(prediction, target):
            sums = _differentiable_sums(library, task, backend, prediction, target, weight)
        else:
            sums = select(task, backend, traced).overlap(task, prediction, target, weight)
        answer = library_of(sums)  # a library of sparse arrays answers in that of its dense ones
        entropy = None
        if task.entropy is not None:
            sums, entropy = answer.split(sums, (ENTROPY, 2))
        result = Overlap.of_sums(answer, sums, task.kind, task.form, task.by_class)  # type: ignore[arg-type]
        if task.can_be_invalid:
            if weight is not None:
                result = limit_weight(answer, result)
            raise_invalid(answer, result._sums[INVALID, ...], task, prediction, target, weight)
    return Summed(result, task, entropy, vjp)


def _differentiable_sums(
    library: ArrayLibrary, task: Task, backend: str | None, prediction: Array, target: Array, weight: Array | None
) -> Array:
    """Return plain sums whose gradient is the closed form, where an automatic differentiation follows the arrays."""
    if library.differentiable(target):  # the closed form is that of the prediction
        return reference.overlap(task, prediction, target, weight)
    trip = _round_trip(select(task, backend), task, backend)
    operations = partial(reference.overlap, task)
    run = library.with_gradient(trip.overlap, trip.overlap_vjp, operations)
    return run(prediction, target, weight)


def _round_trip(kernel: Any, task: Task, backend: str | None) -> RoundTrip:
    """Return the ways of a kernel that has both, or the reference's; a kernel asked for by name must have both."""
    optional_part(kernel, "overlap_vjp", backend, None)
    return RoundTrip(kernel if hasattr(kernel, "overlap_vjp") else reference, task)
