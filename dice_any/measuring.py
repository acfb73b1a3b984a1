"""Compute the sums of an overlap from two arrays, and a gradient from the derivatives in the sums.

This module selects the kernel and the methods to call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from .arrays import library_of
from .arrays.library import Array, ArrayLibrary
from .kernels import RoundTrip, Task, chunks, optional_part, reference, select
from .kernels.exact_entropies import entropy_to_float64
from .kernels.labels import sums_of_regions
from .kernels.limbs import carry
from .kernels.task import ENTROPY, INVALID_PREDICTION, INVALID_WEIGHT, ROWS, TOTAL
from .reading import (
    Regions,
    raise_heavy,
    raise_invalid,
    raise_not_a_number,
    read_ignoring,
    read_regions,
    too_heavy,
)
from .sums import Overlap


class Measured(NamedTuple):
    """The task of a kernel and its results."""

    overlap: Overlap
    task: Task | None  # None if the overlap was given
    entropy: Array | None  # its rows, if the task wants them; limbs if exact, which can be added
    vjp: Callable[[Array], Array] | None = None
    lender: ArrayLibrary | None = None

    def entropy_as_float64(self) -> Array | None:
        """Return the sum of an entropy and its divisor, (2, *counts); None if there is none."""
        if self.entropy is None or self.overlap.kind != "exact":
            return self.entropy
        library = library_of(self.entropy)
        invalid = self.overlap.as_float64()[-1]
        return entropy_to_float64(library, self.entropy, invalid)

    def gradient(
        self, intersection: Array, prediction: Array, entropy: Array | None = None
    ) -> Array:
        """Return the prediction's gradient from the derivatives in the sums, if asked for."""
        if self.vjp is None:
            raise TypeError(
                "an overlap that was given, or summed without its gradient, has no prediction to "
                "differentiate"
            )
        xp = library_of(intersection).xp
        zero = xp.zeros_like(intersection)
        rows = [intersection, prediction, *[zero] * (ROWS - 2)]
        return self.vjp(xp.stack(rows if entropy is None else [*rows, entropy, zero]))


def measure(
    prediction: Array,
    target: Array,
    /,
    *,
    backend: str | None = None,
    weight: Array | None = None,
    with_gradient: bool = False,
    activated: bool = False,
    may_lend: bool = False,
    regions: Regions = None,
    **arguments: Any,
) -> Measured:
    """Read two arrays as sets, and return their overlap and its task.

    With `may_lend` the overlap may be of a library that the arrays' own library lends to. Then the
    `lender` converts results back.
    """
    if regions is not None:
        work = read_regions(prediction, target, regions=regions, weight=weight, **arguments)
        return measure_task(*work, backend)
    library, task, prediction, target, weight = read_ignoring(
        prediction, target, weight=weight, **arguments
    )
    followed = task.kind == "plain" and library.differentiable(prediction)
    if may_lend and not followed and library.lends(prediction, target, weight):
        found = measure_lent(library, task, prediction, target, weight, backend)
        return found._replace(lender=library)
    return measure_task(
        library,
        task,
        prediction,
        target,
        weight,
        backend,
        with_gradient=with_gradient,
        activated=activated,
    )


def measure_task(
    library: ArrayLibrary,
    task: Task,
    prediction: Array,
    target: Array,
    weight: Array | None,
    backend: str | None,
    *,
    with_gradient: bool = False,
    activated: bool = False,
) -> Measured:
    """Return the overlap of two arrays, and the entropy that the task wants.

    `with_gradient` asks for the prediction's gradient in closed form; automatic differentiation
    then does not track the sums. `activated` says that the prediction is the output of an
    activation, where NaN gives NaN instead of an error.
    """
    traced = library.traced(prediction, target, weight)
    if task.kind != "plain" or with_gradient:
        prediction, target = library.detach(prediction), library.detach(target)
    vjp, arrays = None, (prediction, target, weight)
    with library.precision():
        if task.regions is not None and task.class_axis is None:
            sums = _sums_of_maps(task, backend, traced, prediction, target, weight)
        elif with_gradient:
            trip = _round_trip(select(task, backend, traced), task, backend)
            sums, vjp = (
                trip.overlap(prediction, target, weight),
                partial(trip.overlap_vjp, prediction, target, weight),
            )
        elif task.kind == "plain" and not traced and library.differentiable(*arrays):
            sums = _differentiable_sums(library, task, backend, *arrays)
        else:
            kernel = select(task, backend, traced)
            if library.in_chunks and kernel is reference and backend is None:
                kernel = chunks
            sums = kernel.overlap(task, prediction, target, weight)
        answer = library_of(sums)  # the sums of sparse arrays are dense
        entropy = None
        if task.entropy is not None:
            sums, entropy = answer.split(sums, (ENTROPY, task.entropy_rows))
            if task.kind == "exact":
                entropy = carry(answer, entropy)
        raise_bad_values(answer, task, sums, prediction, target, weight, activated=activated)
        rows = rows_of_overlap(answer, task, sums, activated=activated)
        result = Overlap.of_sums(answer, rows, task.kind, task.form, task.by_class)
    return Measured(result, task, entropy, vjp)


def measure_lent(
    library: ArrayLibrary,
    task: Task,
    prediction: Array,
    target: Array,
    weight: Array | None,
    backend: str | None,
    *,
    with_gradient: bool = False,
) -> Measured:
    """Do as `measure_task`, if the `library` lends: the results are arrays of the library that it
    lends to, and the gradient is an array of its own.
    """
    arrays = prediction, target, weight
    named = isinstance(backend, str) and backend == reference.name
    if (backend is None or named) and library.are_few(*arrays):
        x, y, w = (None if array is None else library.hand_over(array) for array in arrays)
        other = library_of(x)
        theirs = replace(task, library=other.name, device=str(other.device(x)))
        try:
            found = measure_task(other, theirs, x, y, w, backend, with_gradient=with_gradient)
        except ValueError:
            pass  # measure again below: the message must name the caller's library
        else:
            if found.vjp is None:
                return found
            return found._replace(vjp=partial(_take_back, library, found.vjp))
    found = measure_task(library, task, *arrays, backend, with_gradient=with_gradient)
    with library.precision():
        rows, vjp = library.hand_over(found.overlap.rows), found.vjp
        overlap = Overlap.of_sums(library_of(rows), rows, task.kind, task.form, task.by_class)
        entropy = None if found.entropy is None else library.hand_over(found.entropy)
        if vjp is not None:
            vjp = partial(_pull_lent, library, vjp)
    return Measured(overlap, task, entropy, vjp)


def _take_back(library: ArrayLibrary, vjp: Callable[[Array], Array], cotangent: Array) -> Array:
    return library.take_back(vjp(cotangent))


def _pull_lent(library: ArrayLibrary, vjp: Callable[[Array], Array], cotangent: Array) -> Array:
    return vjp(library.take_back(cotangent))


def _sums_of_maps(
    task: Task,
    backend: str | None,
    traced: bool,
    prediction: Array,
    target: Array,
    weight: Array | None,
) -> Array:
    """Return the sums of regions of two label maps, from a kernel's confusion matrix."""
    pairs = replace(task, regions=None)
    kernel = select(pairs, backend, traced)
    compute = optional_part(kernel, "confusion_matrix", backend, reference.confusion_matrix)
    matrix, invalid = compute(pairs, prediction, target, weight)
    return sums_of_regions(task, library_of(matrix), matrix, invalid)


def overlap_of(
    prediction: Array | Overlap, target: Array | None, arguments: Mapping[str, Any]
) -> tuple[Overlap, Callable[[Array], Array]]:
    """Return the overlap that a score was given, or that of its arrays; and the function that
    converts the score for the caller.
    """
    if isinstance(prediction, Overlap):
        refuse_beside_overlap(target, arguments)
        return prediction, library_of(prediction.rows).deliver
    found = measure(prediction, target, may_lend=True, **arguments)
    if found.task is not None and found.task.kind == "plain":
        # NaN propagates through plain sums, so that losses are NaN too
        rows = found.overlap.rows
        raise_not_a_number(library_of(rows), rows, found.task)
    if found.lender is not None:
        return found.overlap, found.lender.take_back
    return found.overlap, library_of(found.overlap.rows).deliver


def refuse_beside_overlap(target: Array | None, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments about arrays if an overlap is given, because it is already measured."""
    if target is not None:
        raise TypeError(
            "`target` must be left out beside an Overlap, which holds both sets; got a second "
            "argument."
        )
    if arguments:
        names = ", ".join(f"`{name}`" for name in sorted(arguments))
        raise TypeError(
            f"{names} must be left out beside an Overlap, which is already summed. Pass them to "
            "`overlap`."
        )


def raise_bad_values(
    answer: ArrayLibrary,
    task: Task,
    sums: Array,
    prediction: Array,
    target: Array,
    weight: Array | None,
    *,
    pairs: bool = False,
    activated: bool = False,
) -> None:
    """Raise an error about invalid values or too much weight, if a kernel's sums can be read."""
    if not task.can_be_invalid or not answer.at_hand(sums):
        return
    whole = _whole(task, sums)
    invalid = whole[INVALID_PREDICTION : INVALID_WEIGHT + 1, ...]
    if activated:
        own, others = answer.split(invalid, (1, 2))
        invalid = answer.xp.concat([answer.xp.zeros_like(own), others])
    raise_invalid(answer, invalid, task, prediction, target, weight, pairs=pairs)
    if task.limits_weight:
        raise_heavy(answer, whole[TOTAL, ...])


def rows_of_overlap(
    answer: ArrayLibrary, task: Task, sums: Array, *, activated: bool = False
) -> Array:
    """Convert a kernel's rows to those of an overlap, which has one row for all invalid values."""
    if not task.can_be_invalid or (
        answer.at_hand(sums) and not activated
    ):  # nothing is invalid, or there was an error
        return answer.split(sums, (TOTAL + 2, ROWS - TOTAL - 2))[0]
    xp = answer.xp
    four, invalid = answer.split(sums, (TOTAL + 1, ROWS - TOTAL - 1))
    invalid = xp.sum(invalid, axis=0, keepdims=True, dtype=sums.dtype)
    if task.limits_weight:
        heavy = xp.astype(too_heavy(_whole(task, sums)[TOTAL, ...]), xp.int64)
        heavy = (
            answer.stack([heavy, xp.zeros_like(heavy), xp.zeros_like(heavy)])
            if task.kind == "exact"
            else heavy
        )
        invalid = invalid + heavy[None, ...]
    return xp.concat([four, invalid])


def _whole(task: Task, sums: Array) -> Array:
    """Return the whole parts of a kernel's sums."""
    return sums[:, 0, ...] if task.kind == "exact" else sums


def _differentiable_sums(
    library: ArrayLibrary,
    task: Task,
    backend: str | None,
    prediction: Array,
    target: Array,
    weight: Array | None,
) -> Array:
    """Return plain sums whose gradient is the closed form, if automatic differentiation tracks
    the arrays.
    """
    # the closed form covers the prediction only
    if library.differentiable(target, weight) or not library.differentiable(prediction):
        return reference.overlap(task, prediction, target, weight)
    trip = _round_trip(select(task, backend), task, backend)
    operations = partial(reference.overlap, task)
    run = library.with_gradient(trip.overlap, trip.overlap_vjp, operations)
    return run(prediction, target, weight)


def _round_trip(kernel: Any, task: Task, backend: str | None) -> RoundTrip:
    """Return the forward and backward pass of the kernel, or of the reference if it has no
    backward pass; a kernel asked for by name must have both.
    """
    optional_part(kernel, "overlap_vjp", backend, None)
    return RoundTrip(kernel if hasattr(kernel, "overlap_vjp") else reference, task)
