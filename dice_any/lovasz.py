"""The Lovász extension of the Jaccard loss. See `losses.lovasz_loss`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from .arrays.library import Array, ArrayLibrary
from .fields import Fields, read_task, widened, write_out
from .gradients import Wanted
from .kernels import Task
from .kernels.lovasz import LOSS, ROWS, lovasz_gradient, lovasz_sums
from .kernels.vjp import align
from .loss_arguments import (
    LossArguments,
    LossCall,
    answer,
    as_loss,
    read_call,
    read_settings,
    refuse_argument,
)
from .reading import check_name, read
from .reductions import Settings, all_classes, choose, loss_slopes, reduce_losses
from .summing import summed
from .values import raise_invalid

WHY = "it ranks elements by their errors"


def lovasz_loss(prediction: Array | Wanted, target: Array, arguments: LossArguments) -> Any:
    """Return the loss; a pair with the gradient where that is wanted."""
    check_name("activation", arguments.get("activation"))
    hinge = arguments.get("activation") == "hinge"  # type: ignore[comparison-overlap]
    if hinge:
        arguments = {**arguments, "activation": None}
    call = read_call(prediction, target, arguments)
    _refuse(call)
    library, task = read_task(call, WHY)
    target = call.target
    if library.kind(target.dtype) == "floating":
        raise TypeError(
            "`target` must be boolean or a label map in this loss, which ranks errors of members "
            f"and others; got {task.dtypes[1]}. Threshold it, or use the Jaccard loss in its "
            "minimum form."
        )
    with library.precision():
        make = _pooled if call.choices.get("average") == "micro" else _by_class
        ranked = make(call, library, task, hinge)
        rows = ranked.rows(hinge)
        loss, size, total, *numbers = library.unstack(rows)
        invalid, weight = library.stack(numbers), call.arguments.get("weight")
        raise_invalid(
            library, invalid, task, call.prediction, target, weight, by_class=ranked.task.by_class
        )
        invalid = library.xp.sum(invalid, axis=0)
        settings = ranked.settings or read_settings(library, loss, task.by_class, **call.choices)
        by_class = ranked.task.by_class
        chosen = choose(library, [loss], size, total, invalid, settings, by_class)
        value = reduce_losses(library, chosen.rows[0], chosen, settings)
        value = as_loss(library, value, call.prediction)
        gradient = None
        if call.wants_gradient:
            slope = loss_slopes(library, chosen, settings)
            slope = all_classes(library, slope, chosen, settings, rows.shape[-1])
            gradient = library.xp.astype(
                ranked.gradient(hinge, slope), call.prediction.dtype, copy=False
            )
    return answer(library, call, value, gradient)


def _refuse(call: LossCall) -> None:
    refuse_argument(call, "smooth", "this loss divides by a union that is never empty")
    refuse_argument(call, "form", "this loss ranks errors and sums no products")
    if call.arguments.get("exact"):
        refuse_argument(call, "exact", "errors are sorted, not summed in integers")
    if call.arguments.get("backend") not in (None, "reference"):
        refuse_argument(call, "backend", "only the reference sorts")


class _Ranked(NamedTuple):
    """What is to be ranked, and how the gradient goes back from there."""

    library: ArrayLibrary
    task: Task
    arrays: tuple[Array, Array, Array | None]
    fields: Fields | None = None  # that the arrays were made of
    settings: Settings | None = None

    def rows(self, hinge: bool) -> Array:
        """Return the rows of `lovasz_sums`, differentiable in the prediction."""
        library, task = self.library, self.task
        tail = (task.classes,) if task.by_class else ()
        function = partial(lovasz_sums, hinge=hinge)
        run = partial(library.run_whole, function, task, lead=(ROWS,), tail=tail)
        if library.traced(*self.arrays) or not library.differentiable(*self.arrays):
            return run(*self.arrays)
        # not a method of what holds the arrays: a graph, which keeps it, would keep them for as
        # long as the loss is kept
        backward, operations = (
            partial(_pull_at_rows, library, task, hinge),
            partial(function, task, library),
        )
        return library.with_gradient(run, backward, operations)(*self.arrays)

    def gradient(self, hinge: bool, slope: Array) -> Array:
        """Return the gradient in the prediction that the caller gave."""
        gradient = _pull(self.library, self.task, hinge, *self.arrays, slope)
        return gradient if self.fields is None else self.fields.gradient(gradient)


def _pull(library: ArrayLibrary, task: Task, hinge: bool, *arrays: Array) -> Array:
    """Return the gradient in what is ranked from the derivative in each loss, which stands last."""
    *ranked, slope = arrays
    function = partial(lovasz_gradient, hinge=hinge)
    return library.map_whole(function, task, *ranked, align(task, library, slope))


def _pull_at_rows(library: ArrayLibrary, task: Task, hinge: bool, *arrays: Array) -> Array:
    """Do the same from the derivatives in all rows."""
    return _pull(library, task, hinge, *arrays[:-1], arrays[-1][LOSS, ...])


def _by_class(call: LossCall, library: ArrayLibrary, task: Task, hinge: bool) -> _Ranked:
    return _Ranked(
        library,
        task,
        (widened(library, call.prediction), call.target, call.arguments.get("weight")),
    )


def _pooled(call: LossCall, library: ArrayLibrary, task: Task, hinge: bool) -> _Ranked:
    """Rank the elements of all classes together: the class axis is one more axis of elements, its
    weights theirs.
    """
    xp = library.xp
    fields = write_out(call, library, task, of_memberships=not hinge)
    sums = summed(fields.target, fields.target, exact=False, **fields.arguments).overlap
    _, _, sizes, total, invalid = sums.as_float64()
    settings = read_settings(library, sizes, task.by_class, **call.choices)
    apart = replace(settings, average=None, absent="count")
    chosen = choose(library, [], sizes, total, invalid, apart, True)
    weights = all_classes(
        library, chosen.weights, chosen, apart, task.classes
    )  # 0 for classes that take no part
    weight = xp.astype(align(task, library, weights), fields.prediction.dtype)
    if fields.weight is not None:
        weight = weight * xp.astype(fields.weight, weight.dtype)
    arrays = (fields.prediction, fields.target, xp.broadcast_to(weight, fields.target.shape))
    axis = tuple(sorted((*task.axis, task.class_axis or 0)))
    _, pooled = read(arrays[0], arrays[1], axis=axis, weight=arrays[2], exact=False)
    done = replace(settings, average=None, classes=None, class_weight=None, power=None)
    return _Ranked(library, pooled, arrays, fields, done)
