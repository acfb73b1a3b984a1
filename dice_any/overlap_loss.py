"""The losses that are functions of an overlap: the way from arrays to a loss and its gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .arrays import library_of
from .arrays.library import Array, ArrayLibrary
from .averages import counted, refuse_squared
from .gradients import Wanted
from .loss_arguments import LossArguments, LossCall, answer, as_loss, read_call, read_settings
from .objectives import Objective, entropy_slope, evaluate, mean_entropy, slopes
from .reading import check_choice
from .reductions import Settings
from .summing import Summed, summed
from .sums import Overlap


def overlap_loss(
    objective: Objective,
    prediction: Array | Overlap | Wanted,
    target: Array | None,
    arguments: LossArguments,
    *,
    squared_form: bool = True,
    pooled: bool = False,
) -> Any:
    """Return the loss of arrays or of an overlap; a pair with the gradient where that is wanted."""
    if pooled:
        _pool(arguments)
    call = read_call(prediction, target, arguments)
    if objective.entropy is not None:
        _check_compound(call)
    sums = _sums(objective, call)
    if not squared_form:
        refuse_squared(sums.overlap)
    if pooled and not sums.overlap.by_class:
        raise ValueError(
            "`class_axis` must be given in this loss, which pools classes; got none to tell apart. "
            "Pass `class_axis=` or `num_classes=`; for one set use `dice_loss`."
        )
    library = library_of(sums.overlap._sums)
    with library.precision():
        like = sums.overlap.as_float64()[0]
        settings = read_settings(library, like, sums.overlap.by_class, **call.choices)
        if objective.entropy is not None and settings.reduction == "none":
            settings = replace(settings, reduction="classes")
        value = as_loss(library, _value(objective, sums, settings), call.prediction)
        gradient = (
            sums.gradient(*_slopes(objective, sums, settings)) if call.wants_gradient else None
        )
    return answer(library, call, value, gradient)


def _sums(objective: Objective, call: LossCall) -> Summed:
    if isinstance(call.prediction, Overlap):
        return Summed(counted(call.prediction, call.target, call.arguments), None, None)
    gamma = None if objective.entropy is None else objective.entropy.gamma
    arguments = {**call.arguments, "exact": call.exact}
    wanted = call.wants_gradient
    return summed(call.prediction, call.target, entropy=gamma, with_gradient=wanted, **arguments)


def _value(objective: Objective, sums: Summed, settings: Settings) -> Array:
    """Return the loss of the overlap, with the cross-entropy that belongs to it."""
    value = evaluate(objective, sums.overlap, settings)
    added = objective.entropy
    if added is None or sums.entropy is None:
        return value
    library = _library(sums)
    return added.overlap_weight * value + added.weight * mean_entropy(
        library, sums.entropy, sums.overlap, settings
    )


def _slopes(objective: Objective, sums: Summed, settings: Settings) -> list[Array]:
    """Return the derivatives of a scalar loss in the sums of intersection, prediction and, if there
    is one, entropy.
    """
    library = _library(sums)
    both = slopes(objective, sums.overlap, settings)
    added = objective.entropy
    if added is None or sums.entropy is None:
        return both
    both = [added.overlap_weight * slope for slope in both]
    return [*both, added.weight * entropy_slope(library, sums.entropy, sums.overlap, settings)]


def _library(sums: Summed) -> ArrayLibrary:
    return library_of(sums.overlap._sums)


def _pool(arguments: LossArguments) -> None:
    """Set what makes a loss one of all classes, which nobody else may set otherwise."""
    check_choice(
        "average", arguments.get("average"), (None, "micro")
    )  # it pools the classes already
    arguments["average"] = "micro"
    arguments.setdefault("class_weight", "square")


def _check_compound(call: LossCall) -> None:
    """Refuse what has no cross-entropy."""
    if isinstance(call.prediction, Overlap):
        raise TypeError(
            "`prediction` must be logits in a compound loss, as an overlap holds no cross-entropy; "
            "got an Overlap. Pass the arrays, or add a cross-entropy of your own to the loss of "
            "the overlap."
        )
    if call.arguments.get("activation") is None:
        raise ValueError(
            "`activation` must be 'sigmoid' or 'softmax' in a compound loss, whose cross-entropy "
            "is that of logits; got None. Pass the logits, not their probabilities."
        )
    if call.arguments.get("exact"):
        raise ValueError(
            "`exact` must be None or False in a compound loss, whose cross-entropy has no exact "
            "sum; got True. For exact bits use the loss of the overlap alone."
        )
