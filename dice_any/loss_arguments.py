"""Read the arguments that losses share, and say which of them a loss has no use for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

from .arrays import UnknownLibraryError, library_of
from .arrays.library import Array, ArrayLibrary
from .averages import Classes, size_power
from .gradients import Wanted
from .kernels.memberships import is_wide
from .reading import (
    OverlapArguments,
    as_classes,
    check_choice,
    check_name,
    check_not_negative,
    read_flag,
    read_library,
    shown,
)
from .reductions import ClassWeight, Settings, Smooth
from .sums import Overlap

#: compared with names all over: an array would answer element by element
NAMES = ("activation", "form", "backend", "average", "absent", "reduction")
CHOICES = ("smooth", "class_weight", "classes", "average", "absent", "reduction")
NOT_EXACT = (
    "`exact` must be None or False in a loss that is differentiated automatically, as integers "
    "have no slope; got True. Pass `exact=False`, or take `value_and_grad` of the loss."
)
ONCE = (
    "`prediction` and `target` must not be differentiated through `value_and_grad`, whose answers "
    "are constants; got arrays that a transformation follows. Differentiate the loss itself, or "
    "detach them first."
)


class LossArguments(OverlapArguments, total=False):
    """The keyword arguments that every overlap loss takes: those of `overlap`, and how losses
    become one.
    """

    smooth: Smooth
    class_weight: ClassWeight
    classes: Classes
    average: Literal["micro"] | None
    absent: Literal["count", "zero", "skip"]
    reduction: Literal["mean", "sum", "none"]


KNOWN = frozenset(LossArguments.__annotations__) | frozenset(OverlapArguments.__annotations__)


class LossCall(NamedTuple):
    """One call of a loss, its arguments told apart."""

    prediction: Any  # array or Overlap
    target: Any
    #: `value_and_grad` asks: the answer is a pair
    wants_gradient: bool
    #: those of `overlap`
    arguments: dict[str, Any]
    #: how losses become one; see `read_settings`
    choices: dict[str, Any]

    @property
    def exact(self) -> Any:
        """The argument of that name; losses are plain unless asked."""
        exact = self.arguments.get("exact")
        return False if exact is None else exact


def read_call(
    prediction: Array | Overlap | Wanted, target: Array | None, arguments: LossArguments
) -> LossCall:
    """Tell the arguments of a loss apart."""
    if not KNOWN.issuperset(arguments):
        _refuse_unknown(arguments)
    for name in NAMES:
        check_name(name, arguments.get(name))
    choices = {name: arguments.pop(name) for name in CHOICES if name in arguments}  # type: ignore[misc]
    if "exact" in arguments:
        arguments["exact"] = read_flag("exact", arguments["exact"])
    if arguments.get("activation") == "argmax":
        raise ValueError(
            "`activation` must be None, 'sigmoid' or 'softmax' in a loss; got 'argmax', which has "
            "no gradient. For hard labels use a score."
        )
    wanted = isinstance(prediction, Wanted)
    exact = arguments.get("exact")
    if isinstance(prediction, Wanted):
        # what it answers is made of constants, in closed form
        prediction, target = (
            _without_gradient(array, ONCE, eager=False) for array in (prediction.prediction, target)
        )
        prediction = library_of(prediction).detach(prediction)
    elif exact is not None and exact is not False and not isinstance(prediction, Overlap):
        prediction, target = (
            _without_gradient(array, NOT_EXACT, eager=True) for array in (prediction, target)
        )
    return LossCall(prediction, target, wanted, dict(arguments), choices)


def _refuse_unknown(arguments: LossArguments) -> None:
    name = next(name for name in arguments if name not in KNOWN)
    near = get_close_matches(name, KNOWN, 1)
    cure = f"Did you mean `{near[0]}`?" if near else f"Known are {', '.join(sorted(KNOWN))}."
    raise TypeError(f"`{name}` must be an argument of this loss; got an unknown one. {cure}")


def _without_gradient(array: Any, message: str, *, eager: bool) -> Any:
    """Return an array in which a derivative is an error; what is no floating array is not looked
    at.
    """
    try:
        library = library_of(array)
    except UnknownLibraryError:
        return array
    if library.kind(array.dtype) != "floating":
        return array
    return library.forbid_gradient(array, message, eager=eager)


def refuse_argument(call: LossCall, name: str, why: str) -> None:
    """Refuse an argument that means nothing to a loss."""
    given = {**call.arguments, **call.choices}.get(name)
    if given is not None:
        raise ValueError(f"`{name}` must be left out here, as {why}; got {shown(given)}. Drop it.")


def refuse_overlap(prediction: Array | Overlap, why: str) -> None:
    """Refuse an overlap where a loss looks at more than sums."""
    if isinstance(prediction, Overlap):
        raise TypeError(
            f"`prediction` must be an array here, as {why}; got an Overlap. Pass the arrays."
        )


def answer(library: ArrayLibrary, call: LossCall, value: Array, gradient: Array | None) -> Any:
    """Return a loss, with its gradient where that is wanted; to be called outside of the library's
    precision context.
    """
    value = library.deliver(value)
    return (value, gradient) if call.wants_gradient else value


def as_loss(library: ArrayLibrary, value: Array, prediction: Array | Overlap) -> Array:
    """Return a loss in the dtype of a floating prediction, at least float32; in float64 for counts
    and overlaps.
    """
    dtype = library.widest(value)
    if not isinstance(prediction, Overlap):
        own, given = library_of(prediction), prediction.dtype
        if own.kind(given) == "floating" and given != own.xp.float64:
            dtype = given if is_wide(given) else library.xp.float32
    return library.xp.astype(value, dtype, copy=False)


def read_settings(
    library: ArrayLibrary,
    like: Array,
    by_class: bool,
    *,
    smooth: Smooth = 1.0,
    class_weight: ClassWeight = None,
    classes: Classes = None,
    average: str | None = None,
    absent: str = "count",
    reduction: str = "mean",
) -> Settings:
    """Check how losses become one; `like` has the shape of the counts, and the dtype that they are
    computed in.
    """
    for name, value, choices in (
        ("average", average, (None, "micro")),
        ("absent", absent, ("count", "zero", "skip")),
        ("reduction", reduction, ("mean", "sum", "none")),
    ):
        check_choice(name, value, choices)
    if not by_class:
        for name, given in (
            ("class_weight", class_weight),
            ("classes", classes),
            ("average", average),
        ):
            if given is not None:
                raise ValueError(
                    f"`{name}` must be None without classes to tell apart; got an argument. "
                    "Pass `class_axis=` or `num_classes=`."
                )
    named = isinstance(class_weight, str)
    return Settings(
        smooth=_read_smooth(smooth),
        power=size_power(class_weight) if isinstance(class_weight, str) else None,
        class_weight=None
        if named or class_weight is None
        else _given_weights(library, class_weight, like),
        classes=None if classes is None else as_classes(classes, like.shape[-1]),
        average=average,
        absent=absent,
        reduction=reduction,
    )


def _read_smooth(smooth: Smooth) -> tuple[float, float]:
    pair = smooth if isinstance(smooth, (tuple, list)) else (smooth, smooth)
    if len(pair) != 2:
        raise ValueError(
            f"`smooth` must be a number or a pair (numerator, denominator); got {len(pair)} "
            "numbers."
        )
    check_not_negative(smooth=pair[0])
    check_not_negative(smooth=pair[1])
    return float(pair[0]), float(pair[1])


def _given_weights(library: ArrayLibrary, class_weight: Any, like: Array) -> Array:
    """Return the caller's weight for each count."""
    xp = library.xp
    if isinstance(class_weight, Sequence):
        check_not_negative(**{f"class_weight[{i}]": w for i, w in enumerate(class_weight)})
        weights = library.constant([float(w) for w in class_weight], like.dtype, like)
    else:
        if read_library("class_weight", class_weight) is not library:
            raise TypeError(
                "`class_weight` must come from the library of the arrays; "
                f"got {library_of(class_weight).name} and {library.name}. Pass a list."
            )
        weights = xp.astype(class_weight, like.dtype)
        allowed = xp.all((weights >= 0) & (weights < math.inf))
        if (
            library.at_hand(allowed) and not allowed
        ):  # inside a trace an array can be at hand, and no function of it
            raise ValueError(
                "`class_weight` must be finite and not negative; got another value. Check it."
            )
    if weights.shape != like.shape[-1:]:
        raise ValueError(
            f"`class_weight` must hold one weight for each of {like.shape[-1]} classes; got shape "
            f"{tuple(weights.shape)}. List all classes, also those that `classes` leaves out."
        )
    return xp.broadcast_to(weights, like.shape)
