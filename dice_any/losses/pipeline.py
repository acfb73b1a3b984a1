"""The path from arrays to a loss and its gradient, the same for all losses.

    arguments ──► read_call ──► measure ──► choose ──► losses ──► reduce ──► value
                                   │                     │
                    gradient ◄─────┴───── all classes ◄──┘ slopes

An `Objective` is the part that is specific to a loss: its measurement, its losses and their slopes.
Everything else is here: precision, settings, the choice of classes, reductions, dtypes and the
gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

from ..arrays import UnknownLibraryError, library_of
from ..arrays.library import A, Array, ArrayLibrary
from ..kernels.memberships import is_wide
from ..measuring import Measured, refuse_beside_overlap
from ..reading import (
    LossArguments,
    check_name,
    public,
    read_flag,
    read_ignoring,
    read_regions,
    refuse_foreground,
)
from ..sums import Overlap
from .objectives.objective import LossCall, Objective
from .objectives.reductions import all_classes, loss_slopes, reduce_losses
from .objectives.settings import CHOICES, read_settings

F = TypeVar("F", bound=Callable[..., Any])
Pull = Callable[["Array | None"], Array]

#: Arguments that are compared with names: the comparison of an array would be an array.
NAMES = ("activation", "form", "backend", "average", "absent", "reduction")
NOT_EXACT = (
    "`exact` must be None or False where the target or a weight is differentiated, or a gradient "
    "is once more, or where PyTorch compiles or transforms what is differentiated, as integers "
    "have no slope; got True. Pass `exact=False`, or take `value_and_grad` of the loss."
)
ONCE = (
    "`prediction` and `target` must not be differentiated through `value_and_grad`, whose answers "
    "are constants; got arrays that a transformation follows. Differentiate the loss itself, or "
    "detach them first."
)


class Loss(NamedTuple):
    """A call of a loss, not yet computed."""

    objective: Objective
    prediction: Any  # array or Overlap
    target: Any
    arguments: Any
    #: joins the sums with those of other processes
    join: Callable[[Measured], Measured] | None = None
    #: whether only classes are averaged, so that each sample keeps its loss
    by_sample: bool = False


def loss(**options: Any) -> Callable[[F], F]:
    """Return a decorator that makes a function that returns a `Loss` a public loss."""
    return public(LossArguments, answer=evaluate, **options)


def described(
    objective: Objective, prediction: A | Overlap, target: Any, arguments: LossArguments
) -> A:
    """Return the description of a call, which the decorator `loss` evaluates."""
    asked: Any = Loss(objective, prediction, target, arguments)
    return asked  # type: ignore[no-any-return]


def evaluate(asked: Loss) -> Array:
    """Return a loss; automatic differentiation may record it."""
    call = read_call(asked, wants_gradient=False)
    if not call.exact or call.task is None:
        return _evaluate_plainly(asked.objective, call)

    # integers have no derivative: use the closed form of the whole loss
    given = {**asked.arguments, "weight": call.weight}
    if given.get("regions") is not None and call.task.regions is None:
        # a label map of regions, and labels to ignore, were turned into masks and weights
        given |= {"regions": None, "ignore_label": None, "num_classes": None}
    arrays = {"target": call.target} | ({} if call.weight is None else {"weight": call.weight})
    held = {
        "class_weight": call.settings.class_weight,
        "distances": getattr(asked.objective, "distances", None),
    }
    arrays |= {name: each for name, each in held.items() if call.library.is_tracer(each)}

    def again(wants_gradient: bool, prediction: Array, *others: Array) -> tuple[Array, Pull]:
        arguments = given | dict(zip(arrays, others, strict=True))
        target, objective = arguments.pop("target"), asked.objective
        if "distances" in arguments:
            objective = replace(objective, distances=arguments.pop("distances"))  # type: ignore[type-var]
        repeated = asked._replace(
            objective=objective, prediction=prediction, target=target, arguments=arguments
        )
        return _evaluate(objective, read_call(repeated, wants_gradient))

    return call.library.with_closed_form(
        lambda *arrays: again(False, *arrays)[0],
        partial(again, True),
        NOT_EXACT,
        call.prediction,
        *arrays.values(),
    )


def evaluate_with_gradient(asked: Loss) -> tuple[Array, Array]:
    """Return a loss, and its gradient in the prediction in closed form."""
    call = read_call(asked, wants_gradient=True)
    if _is_lent(asked.objective, call):
        call = _lent(call)
    value, pull = _evaluate(asked.objective, call)
    return value, pull(None)


def _evaluate_plainly(objective: Objective, call: LossCall) -> Array:
    """Return a loss that automatic differentiation may record."""
    if not _is_lent(objective, call):
        return _evaluate(objective, call)[0]
    if not call.library.differentiable(call.prediction):
        return _evaluate(objective, _lent(call))[0]
    # keep no arrays in these closures: the graph would hold them as long as the loss lives
    arrays = call.prediction, call.target, call.weight
    call = _with_arrays(call, None, None, None)
    closed_form = _lent(call)._replace(wants_gradient=True)
    return call.library.as_one_operation(
        lambda *arrays: _evaluate(objective, _with_arrays(closed_form, *arrays)),
        lambda *arrays: _evaluate(objective, _with_arrays(call, *arrays))[0],
        *arrays,
    )


def _is_lent(objective: Objective, call: LossCall) -> bool:
    """Return whether another library may do the operations that are not on whole arrays."""
    if not objective.of_sums or call.task is None or call.join is not None:
        return False
    arrays = call.prediction, call.target, call.weight, *call.settings.arrays
    return not call.exact and call.library.lends(*arrays)


def _lent(call: LossCall) -> LossCall:
    return call._replace(lent=True, settings=call.settings.handed_over(call.library))


def _with_arrays(call: LossCall, prediction: Any, target: Any, weight: Any) -> LossCall:
    return call._replace(prediction=prediction, target=target, weight=weight)


def _evaluate(objective: Objective, call: LossCall) -> tuple[Array, Pull]:
    """Return a loss, and a function from its cotangent (None: 1) to the prediction's gradient."""
    with call.library.precision():
        terms = objective.measure(call)
        library, settings = terms.library, terms.settings
        chosen = objective.choose(terms)
        losses, slopes = objective.losses(library, chosen.rows, settings.smooth)
        value = reduce_losses(library, losses, chosen, settings)
        if objective.entropy is not None:
            value = objective.entropy.add_to(value, terms)
        if call.lent:
            value = call.library.take_back(value)
        value = _as_loss(library_of(value), value, call.prediction)

    def pull(cotangent: Array | None) -> Array:
        with call.library.precision():
            if cotangent is not None and call.lent:
                cotangent = call.library.hand_over(cotangent)
            share = loss_slopes(library, chosen, settings, cotangent)
            length = terms.target.shape[-1] if terms.by_class else 1
            rows = [
                all_classes(library, slope, chosen, settings, length) for slope in slopes(share)
            ]
            if objective.entropy is not None:
                rows = objective.entropy.add_slope(rows, terms, cotangent)
            gradient = terms.gradient(*rows)
            if gradient.dtype != dtype:
                gradient = library_of(gradient).xp.astype(gradient, dtype)
        return gradient

    dtype = getattr(call.prediction, "dtype", None)
    return library_of(value).deliver(value), pull


def read_call(asked: Loss, wants_gradient: bool) -> LossCall:
    """Read and check the arguments of a loss."""
    objective, prediction, target = asked.objective, asked.prediction, asked.target
    arguments = dict(asked.arguments)
    for name in NAMES:
        check_name(name, arguments.get(name))
    exact = bool(read_flag("exact", arguments.get("exact")))
    if arguments.get("activation") == "argmax":
        raise ValueError(
            "`activation` must be None, 'sigmoid' or 'softmax' in a loss; got 'argmax', which has "
            "no gradient. For hard labels use a score."
        )
    objective.check(prediction, arguments)
    choices = {name: arguments.pop(name) for name in CHOICES if name in arguments}
    choices = {"smooth": 1.0, "average": None} | choices  # for losses without these arguments
    if isinstance(prediction, Overlap):
        refuse_beside_overlap(target, arguments)
        if asked.join is not None:
            raise TypeError(
                "`group` must be None beside an Overlap, which is summed already; got one. Pass "
                "`dice_any.distributed.all_reduce(overlap)` to a module without it."
            )
        objective.check_counts(prediction.kind, prediction.form, prediction.by_class)
        classes = prediction.shape[-1] if prediction.by_class else None
        settings = read_settings(choices, prediction.rows, classes)
        library = library_of(prediction.rows)
        return LossCall(
            library, None, prediction, None, None, exact, None, settings, wants_gradient
        )
    if wants_gradient:  # the closed form treats its arguments as constants
        prediction, target = (
            _without_gradient(array, ONCE, eager=False) for array in (prediction, target)
        )
        prediction = library_of(prediction).detach(prediction)
    elif exact:
        target = _without_gradient(target, NOT_EXACT, eager=True)
        for options, name in ((arguments, "weight"), (choices, "class_weight")):
            options[name] = _without_gradient(options.get(name), NOT_EXACT, eager=True)
    gamma = None if objective.entropy is None else objective.entropy.gamma
    weight, backend = arguments.pop("weight", None), arguments.pop("backend", None)
    arguments |= {"exact": exact, "weight": weight, "entropy": gamma}
    if arguments.get("regions") is None:
        arguments.pop("regions", None)
        library, task, prediction, target, weight = read_ignoring(prediction, target, **arguments)
    else:
        refuse_foreground(choices.get("classes"))
        library, task, prediction, target, weight = read_regions(prediction, target, **arguments)
    objective.check_counts(task.kind, task.form, task.by_class)
    classes = task.trailing_shape[0] if task.by_class else None
    settings = read_settings(choices, prediction, classes)
    if asked.by_sample or (objective.entropy is not None and settings.reduction == "none"):
        settings = replace(settings, reduction="classes")
    return LossCall(
        library,
        task,
        prediction,
        target,
        weight,
        exact,
        backend,
        settings,
        wants_gradient,
        library.casts_back(prediction),
        asked.join,
    )


def _without_gradient(array: Any, message: str, *, eager: bool) -> Any:
    """Return an array for which a derivative is an error; only floating arrays are changed."""
    if not hasattr(array, "dtype"):  # nothing, a name or numbers: PyTorch's compiler cannot ask
        return array  # which library they are of
    try:
        library = library_of(array)
    except UnknownLibraryError:
        return array
    if library.kind(array.dtype) != "floating":
        return array
    return library.forbid_gradient(array, message, eager=eager)


def _as_loss(library: ArrayLibrary, value: Array, prediction: Array | Overlap) -> Array:
    """Return a loss in the dtype of a floating prediction, at least float32; float64 for masks,
    label maps and overlaps.
    """
    dtype = library.widest(value)
    if not isinstance(prediction, Overlap):
        own, given = library_of(prediction), prediction.dtype
        if own.kind(given) == "floating" and own.dtype_name(given) != "float64":
            dtype = given if is_wide(own, given) else library.xp.float32
    return library.xp.astype(value, dtype, copy=False)
