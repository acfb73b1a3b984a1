"""What every score shares: from the sums of an overlap to one number, minding empty sets, averaged
over classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from . import formulas
from .arrays import library_of
from .arrays.library import Array, ArrayLibrary
from .formulas import Formula, Sums, divide, halving_sum
from .reading import OverlapArguments, check_choice, read_number, shown
from .summing import summed
from .sums import Overlap
from .values import raise_not_a_number

NAN = float("nan")
FLOAT32_MAX = 3.4028234663852886e38
AVERAGES = (None, "macro", "micro", "weighted")
Average = Literal["macro", "micro", "weighted"] | None
Classes = Sequence[int] | Literal["foreground"] | None


class JointArguments(OverlapArguments, total=False):
    """The keyword arguments of a score of all classes together."""

    empty: float


class ScoreArguments(JointArguments, total=False):
    """The keyword arguments of a score of each class."""

    average: Average
    classes: Classes
    empty_target: float | None


def counted(prediction: Array | Overlap, target: Array | None, arguments: Any) -> Overlap:
    """Return the overlap that a score or a loss was given, or compute that of a score."""
    if not isinstance(prediction, Overlap):
        found = summed(prediction, target, **arguments)
        if (
            found.task is not None and found.task.kind == "plain"
        ):  # through which NaN goes: losses are to be NaN too
            raise_not_a_number(library_of(found.overlap._sums), found.overlap._sums, found.task)
        return found.overlap
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
    return prediction


def refuse_squared(sums: Overlap) -> None:
    """Refuse squared sums where they have no meaning."""
    if sums.form == "squared" and sums.kind != "hard":
        raise ValueError(
            "`form` must be 'product' or 'minimum' here, as squared sums can push the result out "
            "of range; got 'squared'. The squared form belongs to Dice, Jaccard, cosine and "
            "generalized Dice."
        )


def score_of_classes(
    formula: Formula,
    prediction: Array | Overlap,
    target: Array | None,
    arguments: ScoreArguments,
    *,
    squared_form: bool = True,
) -> Array:
    """Divide the two parts of a formula, class by class, and average."""
    average, classes = arguments.pop("average", None), arguments.pop("classes", None)
    empty, empty_target = arguments.pop("empty", NAN), arguments.pop("empty_target", None)
    check_choice("average", average, AVERAGES)
    empty = read_number("empty", empty)
    empty_target = None if empty_target is None else read_number("empty_target", empty_target)
    sums = counted(prediction, target, arguments)
    if not squared_form:
        refuse_squared(sums)
    if not sums.by_class and (average is not None or classes is not None):
        name, arg = ("classes", classes) if average is None else ("average", average)
        raise ValueError(
            f"`{name}` must be None without classes to choose from; got {shown(arg)}. Pass "
            "`class_axis=` or `num_classes=`; samples are averaged with the library's own `mean`."
        )
    if classes is not None:
        sums = sums.select_classes(classes)
    if average == "micro":
        sums = sums.sum(axis=-1)
    library = library_of(sums._sums)
    _check_fits(library, sums, empty=empty, empty_target=empty_target)
    with library.precision():
        xp = library.xp
        *floats, invalid = sums.as_float64()
        parts = Sums(*floats)
        scores = divide(library, *formula(library, parts), empty)
        if empty_target is not None:
            missed = (parts.target == 0) & (parts.prediction > 0)
            scores = xp.where(missed, xp.full_like(scores, empty_target), scores)
        invalid = invalid > 0
        if average in ("macro", "weighted"):
            weights = parts.target if average == "weighted" else None
            scores = mean_of_numbers(library, scores, weights)
            invalid = xp.any(invalid, axis=-1)
        scores = xp.where(invalid, xp.full_like(scores, NAN), scores)
    return library.deliver(scores)


def score_of_all(
    formula: Formula,
    prediction: Array | Overlap,
    target: Array | None,
    arguments: JointArguments,
    classes: Classes = None,
    *,
    mirrored: bool = True,
) -> Array:
    """Divide the two parts of a formula over all classes; `mirrored`, a set without classes is two,
    with its complement.
    """
    empty = read_number("empty", arguments.pop("empty", NAN))
    sums = counted(prediction, target, arguments)
    if mirrored:
        refuse_squared(sums)
    if classes is not None:
        if not sums.by_class:
            raise ValueError(
                f"`classes` must be None without classes to choose from; got {shown(classes)}. "
                "Pass `class_axis=`."
            )
        sums = sums.select_classes(classes)
    library = library_of(sums._sums)
    _check_fits(library, sums, empty=empty)
    with library.precision():
        xp = library.xp
        *floats, invalid = sums.as_float64()
        parts = Sums(*floats)
        invalid = invalid > 0
        if sums.by_class:
            invalid = xp.any(invalid, axis=-1)
        elif mirrored:
            parts = formulas.two_classes(library, parts)
        else:
            parts = Sums(*(xp.expand_dims(part, axis=-1) for part in parts))
        if (
            parts.total.shape and parts.total.shape[-1] == 0
        ):  # no class at all, selected by an index
            nothing = halving_sum(library, parts.total)
            scores = divide(library, nothing, nothing, empty)
        else:
            scores = divide(library, *formula(library, parts), empty)
        scores = xp.where(invalid, xp.full_like(scores, NAN), scores)
    return library.deliver(scores)


def _check_fits(library: ArrayLibrary, sums: Overlap, **values: float | None) -> None:
    """Check that values for empty sets fit the scores, which are float32 on some devices."""
    if library.has_float64(
        sums._sums
    ):  # asked first: a compiler that traces numbers compares no NaN
        return
    for name, value in values.items():
        if value is not None and FLOAT32_MAX < abs(value) < float("inf"):
            raise ValueError(f"`{name}` must fit a float32 on this device; got {shown(value)}.")


def mean_of_numbers(library: ArrayLibrary, values: Array, weights: Array | None = None) -> Array:
    """Return the mean over the last axis of those values that are not NaN; NaN if there are none.

    Where none of these has a weight they all weigh the same, as in scikit-learn.
    """
    xp = library.xp
    counts, zero = ~xp.isnan(values), xp.zeros_like(values)
    if weights is None:
        weights = xp.astype(counts, values.dtype)
        share = halving_sum(library, weights)
    else:
        weights = xp.where(counts, weights, zero)
        share = halving_sum(library, weights)
        if not (library.at_hand(share) and xp.all(share > 0)):
            some = xp.expand_dims(share > 0, axis=-1)
            weights = xp.where(some, weights, xp.astype(counts, values.dtype))
            share = halving_sum(library, weights)
        counts = weights > 0  # what weighs nothing may be infinite
    total = halving_sum(library, xp.where(counts, values, zero) * weights)
    return divide(library, total, share, NAN)


def size_power(class_weight: str) -> int:
    """Return the power of the target's size that a named class weight divides by."""
    powers = {"square": 2, "simple": 1, "uniform": 0}
    check_choice("class_weight", class_weight, tuple(powers))
    return powers[class_weight]
