"""What every overlap loss shares: reading its arguments, and the way from arrays to a loss and its gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from .arrays import library_of
from .arrays.library import Array, ArrayLibrary
from .averages import Classes, counted, refuse_squared, size_power
from .counts import summed
from .gradients import Wanted
from .kernels import optional_part, reference, select
from .objectives import Objective, entropy_slope, evaluate, mean_entropy, slopes
from .reading import OverlapArguments, as_classes, check_not_negative, read_library
from .reductions import ClassWeight, Settings, Smooth
from .sums import Overlap


class LossArguments(OverlapArguments, total=False):
    """The keyword arguments that every overlap loss takes: those of `overlap`, and how losses become one."""

    smooth: Smooth
    class_weight: ClassWeight
    classes: Classes
    average: Literal["micro"] | None
    absent: Literal["count", "zero", "skip"]
    reduction: Literal["mean", "sum", "none"]


def overlap_loss(
    objective: Objective,
    prediction: Array | Overlap | Wanted,
    target: Array | None,
    arguments: LossArguments,
    *,
    squared_form: bool = True,
) -> Any:
    """Return the loss of arrays or of an overlap; a pair with the gradient where that is wanted."""
    choices = {name: arguments.pop(name) for name in CHOICES if name in arguments}  # type: ignore[misc]
    wanted = isinstance(prediction, Wanted)
    array = prediction.prediction if isinstance(prediction, Wanted) else prediction
    if wanted:
        array = library_of(array).detach(array)
    if objective.entropy is not None:
        _check_compound(array, arguments)
    task = entropy = None
    if isinstance(array, Overlap):
        sums = counted(array, target, arguments)
    else:
        gamma = None if objective.entropy is None else objective.entropy.gamma
        sums, task, entropy = summed(array, target, entropy=gamma, **_plain_unless_asked(arguments))
    if not squared_form:
        refuse_squared(sums)
    library = library_of(sums._sums)
    with library.precision():
        settings = _read_settings(library, sums, **choices)
        if objective.entropy is not None and settings.reduction == "none":
            settings = replace(settings, reduction="classes")
        dtype = getattr(library.xp, _loss_dtype(array))
        value = library.xp.astype(_value(library, objective, sums, entropy, settings), dtype)
        if not wanted:
            return value
        cotangent = library.xp.stack(_slopes(library, objective, sums, entropy, settings))
        weight, backend = arguments.get("weight"), arguments.get("backend")
        kernel = select(task, backend, library.traced(array, target, weight))  # type: ignore[arg-type]
        vjp = optional_part(kernel, "overlap_vjp", backend, reference.overlap_vjp)
        return value, vjp(task, array, target, weight, cotangent)


def _value(library: ArrayLibrary, objective: Objective, sums: Overlap, entropy: Array | None, settings: Settings) -> Array:
    """Return the loss of the overlap, with the cross-entropy that belongs to it."""
    value = evaluate(objective, sums, settings)
    added = objective.entropy
    if added is None or entropy is None:
        return value
    return added.overlap_weight * value + added.weight * mean_entropy(library, entropy, sums, settings)


def _slopes(
    library: ArrayLibrary, objective: Objective, sums: Overlap, entropy: Array | None, settings: Settings
) -> list[Array]:
    """Return the derivatives of a scalar loss in each row of the sums."""
    both = slopes(objective, sums, settings)
    zero = library.xp.zeros_like(both[0])
    added = objective.entropy
    if added is None or entropy is None:
        return [*both, zero, zero, zero]
    both = [added.overlap_weight * slope for slope in both]
    return [*both, zero, zero, zero, added.weight * entropy_slope(library, entropy, sums, settings), zero]


def _check_compound(prediction: Array | Overlap, arguments: LossArguments) -> None:
    """Refuse what has no cross-entropy."""
    if isinstance(prediction, Overlap):
        raise TypeError(
            "`prediction` must be logits in a compound loss, as an overlap holds no cross-entropy; got an Overlap. "
            "Pass the arrays, or add a cross-entropy of your own to the loss of the overlap."
        )
    if arguments.get("activation") is None:
        raise ValueError(
            "`activation` must be 'sigmoid' or 'softmax' in a compound loss, whose cross-entropy is that of logits; got "
            "None. Pass the logits, not their probabilities."
        )
    if arguments.get("exact"):
        raise ValueError(
            "`exact` must be None or False in a compound loss, whose cross-entropy has no exact sum; got True. "
            "For exact bits use the loss of the overlap alone."
        )


CHOICES = ("smooth", "class_weight", "classes", "average", "absent", "reduction")


def _plain_unless_asked(arguments: LossArguments) -> dict[str, Any]:
    """Return the arguments of `overlap` for a loss: plain sums unless exact ones are asked for."""
    if arguments.get("activation") == "argmax":
        raise ValueError(
            "`activation` must be None, 'sigmoid' or 'softmax' in a loss; got 'argmax', which has no gradient. "
            "For hard labels use a score."
        )
    exact = arguments.get("exact")
    return {**arguments, "exact": False if exact is None else exact}


def _loss_dtype(prediction: Array | Overlap) -> str:
    """Return the dtype of a loss: that of a floating prediction, at least float32; float64 for counts and overlaps."""
    if isinstance(prediction, Overlap):
        return "float64"
    library = library_of(prediction)
    if library.kind(prediction.dtype) == "floating" and prediction.dtype != library.xp.float64:
        return "float32"
    return "float64" if library.has_float64(prediction) else "float32"


def _read_settings(
    library: ArrayLibrary,
    sums: Overlap,
    smooth: Smooth = 1.0,
    class_weight: ClassWeight = None,
    classes: Classes = None,
    average: str | None = None,
    absent: str = "count",
    reduction: str = "mean",
) -> Settings:
    for name, value, choices in (
        ("average", average, (None, "micro")),
        ("absent", absent, ("count", "zero", "skip")),
        ("reduction", reduction, ("mean", "sum", "none")),
    ):
        if value not in choices:
            raise ValueError(f"`{name}` must be one of {', '.join(map(repr, choices))}; got {value!r}.")
    if not sums.by_class:
        for name, given in (("class_weight", class_weight), ("classes", classes), ("average", average)):
            if given is not None:
                raise ValueError(
                    f"`{name}` must be None without classes to tell apart; got an argument. "
                    "Pass `class_axis=` or `num_classes=`."
                )
    named = isinstance(class_weight, str)
    return Settings(
        smooth=_read_smooth(smooth),
        power=size_power(class_weight) if isinstance(class_weight, str) else None,
        class_weight=None if named or class_weight is None else _given_weights(library, class_weight, sums),
        classes=None if classes is None else as_classes(classes, sums.shape[-1]),
        average=average,
        absent=absent,
        reduction=reduction,
    )


def _read_smooth(smooth: Smooth) -> tuple[float, float]:
    pair = smooth if isinstance(smooth, (tuple, list)) else (smooth, smooth)
    if len(pair) != 2:
        raise ValueError(f"`smooth` must be a number or a pair (numerator, denominator); got {len(pair)} numbers.")
    check_not_negative(smooth=pair[0])
    check_not_negative(smooth=pair[1])
    return float(pair[0]), float(pair[1])


def _given_weights(library: ArrayLibrary, class_weight: Any, sums: Overlap) -> Array:
    """Return the caller's weight for each count."""
    xp = library.xp
    like = sums.as_float64()[0]
    if isinstance(class_weight, Sequence):
        check_not_negative(**{f"class_weight[{i}]": w for i, w in enumerate(class_weight)})
        weights = library.constant([float(w) for w in class_weight], like.dtype, like)
    else:
        if read_library("class_weight", class_weight) is not library:
            raise TypeError(
                "`class_weight` must come from the library of the arrays; "
                f"got {library_of(class_weight).name} and {library.name}. Pass a list."
            )
        if library.at_hand(class_weight) and not xp.all((class_weight >= 0) & (class_weight < math.inf)):
            raise ValueError("`class_weight` must be finite and not negative; got another value. Check it.")
        weights = xp.astype(class_weight, like.dtype)
    if weights.shape != like.shape[-1:]:
        raise ValueError(
            f"`class_weight` must hold one weight for each of {sums.shape[-1]} classes; got shape "
            f"{tuple(weights.shape)}. List all classes, also those that `classes` leaves out."
        )
    return xp.broadcast_to(weights, like.shape)
