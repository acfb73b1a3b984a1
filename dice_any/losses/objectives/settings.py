"""The caller's choices, checked: how the losses of classes and samples become one number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...arrays import library_of
from ...arrays.library import Array, ArrayLibrary
from ...kernels.answers import answering
from ...reading import (
    LARGEST,
    Smooth,
    as_classes,
    check_choice,
    check_not_negative,
    check_same_place,
    class_name,
    read_kind,
    read_library,
    size_power,
)

#: The keyword arguments that are read here.
CHOICES = ("smooth", "class_weight", "classes", "average", "absent", "reduction")


@dataclass(frozen=True)
class Settings:
    """How the losses of classes and samples become one number."""

    smooth: tuple[float, float] = (1.0, 1.0)
    power: int | None = None  # class weights from sizes: 1 / Yᵖ
    class_weight: Any = None  # given weights; later an array with the shape of the counts
    classes: list[int] | None = None
    average: str | None = None
    absent: str = "count"
    reduction: str = "mean"  # "classes": over the class axis only

    @property
    def arrays(self) -> list[Array]:
        """The arrays among the choices."""
        weight = self.class_weight
        return [] if weight is None or isinstance(weight, list) else [weight]

    def handed_over(self, library: ArrayLibrary) -> Settings:
        """Return the settings with arrays of the library that `library` lends to."""
        if not self.arrays:
            return self
        return replace(self, class_weight=library.hand_over(self.class_weight))

    def with_counts(self, library: ArrayLibrary, like: Array) -> Settings:
        """Return the settings with class weights for counts like these."""
        if self.class_weight is None:
            return self
        return replace(self, class_weight=_class_weights(library, self.class_weight, like))


def read_settings(choices: Mapping[str, Any], beside: Array, classes: int | None) -> Settings:
    """Check the caller's choices for counts with this number of classes (None: no class axis).

    Arrays among them must be like `beside`, an array of the call.
    """
    for name, allowed in (
        ("average", (None, "micro")),
        ("absent", ("count", "zero", "skip")),
        ("reduction", ("mean", "sum", "none")),
    ):
        check_choice(name, choices[name], allowed)
    if classes is None:
        for name in ("class_weight", "classes", "average"):
            if choices[name] is not None:
                raise ValueError(
                    f"`{name}` must be None without classes to tell apart; got an argument. "
                    "Pass `class_axis=` or `num_classes=`."
                )
    weight, chosen = choices["class_weight"], choices["classes"]
    return Settings(
        smooth=_read_smooth(choices["smooth"]),
        power=size_power(weight) if isinstance(weight, str) else None,
        class_weight=None if isinstance(weight, str) else _read_class_weight(weight, beside),
        classes=None if chosen is None else as_classes(chosen, classes or 0),
        average=choices["average"],
        absent=choices["absent"],
        reduction=choices["reduction"],
    )


def _read_smooth(smooth: Smooth) -> tuple[float, float]:
    pair = smooth if isinstance(smooth, (tuple, list)) else (smooth, smooth)
    if len(pair) != 2:
        raise ValueError(
            "`smooth` must be a number or a pair (numerator, denominator); got "
            f"{len(pair)} numbers."
        )
    check_not_negative(smooth=pair[0])
    check_not_negative(smooth=pair[1])
    return float(pair[0]), float(pair[1])


def _read_class_weight(weight: Any, beside: Array) -> Any:
    """Return a list of numbers, or an array of floating numbers like `beside`; None if not given.

    Values that cannot be read are NaN where they would be an error.
    """
    if weight is None:
        return None
    if isinstance(weight, Sequence) and not isinstance(weight, (bytes, bytearray)):
        check_not_negative(**{f"class_weight[{i}]": w for i, w in enumerate(weight)})
        return [float(w) for w in weight]
    if type(weight).__module__ == "builtins":
        raise TypeError(
            "`class_weight` must be a name, or numbers in a sequence or an array; got "
            f"{class_name(weight)}. Pass a list with a number for each class."
        )
    library, own = library_of(beside), read_library("class_weight", weight)
    if own is library or own is not answering(library, beside):
        check_same_place(library, "class_weight", weight, beside)
    read_kind(own, "class_weight", weight)
    weight = own.vetted(weight)
    with library.precision():
        weight = library.answer(weight) if own is library else weight
        library = library_of(weight)
        xp = library.xp
        weight = xp.astype(weight, library.widest(weight), copy=False)
        allowed = (weight >= 0) & (weight <= LARGEST)
        all_allowed = xp.all(allowed)
        # inside a trace an array can be at hand while functions of it are not
        if not library.at_hand(all_allowed):
            return xp.where(allowed, weight, xp.full_like(weight, math.nan))
        if not all_allowed:
            raise ValueError(
                "`class_weight` must be finite, at least 0 and at most 2**100; got another value. "
                "Check it."
            )
    return weight


def _class_weights(library: ArrayLibrary, class_weight: Any, like: Array) -> Array:
    """Return the caller's weight for each count."""
    xp = library.xp
    if isinstance(class_weight, list):
        weights = library.constant(class_weight, like.dtype, like)
    else:
        weights = xp.astype(class_weight, like.dtype, copy=False)
    if weights.shape != like.shape[-1:]:
        raise ValueError(
            f"`class_weight` must hold one weight for each of {like.shape[-1]} classes; got shape "
            f"{tuple(weights.shape)}. List all classes, also those that `classes` leaves out."
        )
    return xp.broadcast_to(weights, like.shape)
