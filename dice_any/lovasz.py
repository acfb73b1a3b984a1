"""The Lovász extension of the Jaccard loss. See `losses.lovasz_loss`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from .arrays.library import Array, ArrayLibrary
from .fields import Fields, read_task, widened, write_out
from .gradients import Wanted
from .kernels import Task
from .kernels.lovasz import INVALID_ELEMENTS, LOSS, TARGET_SIZE, lovasz_gradient, lovasz_sums
from .kernels.vjp import align
from .loss_arguments import LossArguments, LossCall, loss_dtype, read_call, read_settings, refuse_argument
from .reading import read
from .reductions import Settings, all_classes, choose, loss_slopes, reduce_losses
from .summing import summed
from .values import raise_invalid

WHY = "it ranks elements by their errors"


def lovasz_loss(prediction: Array | Wanted, target: Array, arguments: LossArguments) -> Any:
    """Return the loss; a pair with the gradient where that is wanted."""
    hinge = arguments.get("activation") == "hinge"  # type: ignore[comparison-overlap]
    call = read_call(prediction, {**arguments, "activation": None} if hinge else arguments)
    _refuse(call)
    library, task = read_task(call, target, WHY)
    if library.kind(target.dtype) == "floating":
        raise TypeError(
            f"`target` must be boolean or a label map in this loss, which ranks errors of members and others; got "
            f"{task.dtypes[1]}. Threshold it, or use the Jaccard loss in its minimum form."
        )
    with library.precision():
        make = _pooled if call.choices.get("average") == "micro" else _by_class
        ranked = make(call, target, library, task)
        rows = ranked.rows(hinge)
        raise_invalid(library, rows[INVALID_ELEMENTS, ...], task, call.prediction, target, call.arguments.get("weight"))
        settings = ranked.settings or read_settings(library, rows[LOSS, ...], task.by_class, **call.choices)
        by_class = ranked.task.by_class
        chosen = choose(library, [rows[LOSS, ...]], rows[TARGET_SIZE, ...], rows[INVALID_ELEMENTS, ...], settings, by_class)
        value = reduce_losses(library, chosen.rows[0], chosen, settings)
        value = library.xp.astype(value, getattr(library.xp, loss_dtype(call.prediction)))
        if not call.wants_gradient:
            return value
        slope = loss_slopes(library, chosen, settings)
        slope = all_classes(library, slope, chosen, settings, rows.shape[-1])
        return value, library.xp.astype(ranked.gradient(hinge, slope), call.prediction.dtype, copy=False)


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
        run = partial(library.run_whole, partial(lovasz_sums, hinge=hinge), task, lead=(3,), tail=tail)
        if library.traced(*self.arrays) or not library.differentiable(*self.arrays):
            return run(*self.arrays)
        # no method of what holds the arrays: the graph would keep it as long as the loss lives
        backward = partial(_pull_at_rows, library, task, hinge)
        return library.with_gradient(run, backward)(*self.arrays)

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


def _by_class(call: LossCall, target: Array, library: ArrayLibrary, task: Task) -> _Ranked:
    return _Ranked(library, task, (widened(library, call.prediction), target, call.arguments.get("weight")))


def _pooled(call: LossCall, target: Array, library: ArrayLibrary, task: Task) -> _Ranked:
    """Rank the elements of all classes together: the class axis is one more axis of elements, its weights theirs."""
    xp = library.xp
    fields = write_out(call, target, library, task)
    sizes = summed(fields.prediction, fields.target, exact=False, **fields.arguments).overlap.as_float64()[2]
    settings = read_settings(library, sizes, task.by_class, **call.choices)
    apart = replace(settings, average=None, absent="count")
    chosen = choose(library, [], sizes, xp.zeros_like(sizes), apart, True)
    weights = all_classes(library, chosen.weights, chosen, apart, task.classes)  # 0 for classes that take no part
    weight = xp.astype(align(task, library, weights), fields.prediction.dtype)
    if fields.weight is not None:
        weight = weight * xp.astype(fields.weight, weight.dtype)
    arrays = (fields.prediction, fields.target, xp.broadcast_to(weight, fields.target.shape))
    axis = tuple(sorted((*task.axis, task.class_axis or 0)))
    _, pooled = read(arrays[0], arrays[1], axis=axis, weight=arrays[2], exact=False)
    done = replace(settings, average=None, classes=None, class_weight=None, power=None)
    return _Ranked(library, pooled, arrays, fields, done)
