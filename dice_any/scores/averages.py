"""Shared by all scores: from the sizes of two sets to one number, averaged over classes."""

from __future__ import annotations

from .. import formulas
from ..arrays import library_of
from ..arrays.halving import halving_sum
from ..arrays.library import Array, ArrayLibrary
from ..formulas import Formula, Sizes, divide
from ..measuring import overlap_of
from ..reading import (
    Classes,
    JointArguments,
    ScoreArguments,
    check_choice,
    read_number,
    refuse_foreground,
    refuse_squared,
    shown,
)
from ..sums import Overlap

NAN = float("nan")
FLOAT32_MAX = 3.4028234663852886e38
#: The relative error of a plain sum.
PLAIN_ERROR = 1e-6
AVERAGES = (None, "macro", "micro", "weighted")


def score_of_classes(
    formula: Formula,
    prediction: Array | Overlap,
    target: Array | None,
    arguments: ScoreArguments,
    *,
    squared_form: bool = True,
) -> Array:
    """Divide the two parts of a formula, class by class, and average."""
    average, classes = arguments.pop("average"), arguments.pop("classes")
    empty, empty_target = arguments.pop("empty"), arguments.pop("empty_target")
    check_choice("average", average, AVERAGES)
    empty = read_number("empty", empty)
    empty_target = None if empty_target is None else read_number("empty_target", empty_target)
    if arguments.get("regions") is not None:
        refuse_foreground(classes)
    overlap, deliver = overlap_of(prediction, target, arguments)
    if not squared_form:
        refuse_squared(overlap.kind, overlap.form)
    if not overlap.by_class and (average is not None or classes is not None):
        name, arg = ("classes", classes) if average is None else ("average", average)
        raise ValueError(
            f"`{name}` must be None without classes to choose from; got {shown(arg)}. Pass "
            "`class_axis=` or `num_classes=`; samples are averaged with the library's own `mean`."
        )
    if classes is not None:
        overlap = overlap.select_classes(classes)
    if average == "micro":
        overlap = overlap.sum(axis=-1)
    library = library_of(overlap.rows)
    _check_fits(library, overlap, empty=empty, empty_target=empty_target)
    with library.precision():
        xp = library.xp
        *floats, invalid = overlap.as_float64()
        parts = Sizes(*floats)
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
    return deliver(scores)


def score_of_all(
    formula: Formula,
    prediction: Array | Overlap,
    target: Array | None,
    arguments: JointArguments,
    classes: Classes = None,
    *,
    mirrored: bool = True,
) -> Array:
    """Divide the two parts of a formula over all classes. If `mirrored`, a set without classes
    counts as two: itself and its complement.
    """
    empty = read_number("empty", arguments.pop("empty"))
    if arguments.get("regions") is not None:
        refuse_foreground(classes)
    overlap, deliver = overlap_of(prediction, target, arguments)
    if mirrored:
        refuse_squared(overlap.kind, overlap.form)
    if classes is not None:
        if not overlap.by_class:
            raise ValueError(
                f"`classes` must be None without classes to choose from; got {shown(classes)}. "
                "Pass `class_axis=`."
            )
        overlap = overlap.select_classes(classes)
    library = library_of(overlap.rows)
    _check_fits(library, overlap, empty=empty)
    with library.precision():
        xp = library.xp
        *floats, invalid = overlap.as_float64()
        parts = Sizes(*floats)
        invalid = invalid > 0
        if overlap.by_class:
            invalid = xp.any(invalid, axis=-1)
            if mirrored:
                invalid = _uneven(library, overlap.kind, parts.total, invalid)
        elif mirrored:
            parts = formulas.two_classes(library, parts)
        else:
            parts = Sizes(*(xp.expand_dims(part, axis=-1) for part in parts))
        if parts.total.shape and parts.total.shape[-1] == 0:  # an index selected no class
            nothing = halving_sum(library, parts.total)
            scores = divide(library, nothing, nothing, empty)
        else:
            scores = divide(library, *formula(library, parts), empty)
        scores = xp.where(invalid, xp.full_like(scores, NAN), scores)
    return deliver(scores)


def _uneven(library: ArrayLibrary, kind: str, total: Array, invalid: Array) -> Array:
    """Return where counts are invalid, or have no number of elements, because the totals of their
    classes differ; the latter raise an error if values can be read.
    """
    xp = library.xp
    if 0 in total.shape:  # an index selected no class
        return invalid
    first = total[..., :1]
    readable = library.at_hand(total)
    if readable and xp.all(total == first):
        return invalid
    rounding = PLAIN_ERROR if kind == "plain" else 0.0
    uneven = xp.any(xp.abs(total - first) > rounding * first, axis=-1)
    if readable and xp.any(uneven & ~invalid):
        raise ValueError(
            "`weight` must weigh an element equally for all classes in a score of all classes "
            "together; got totals that differ by class. Give it length 1 along the class axis, or "
            "score each class; counts from elsewhere need `tn`."
        )
    return invalid | uneven


def _check_fits(library: ArrayLibrary, overlap: Overlap, **values: float | None) -> None:
    """Check that values for empty sets fit the scores, which are float32 on some devices."""
    if library.has_float64(
        overlap.rows
    ):  # checked first: a compiler that traces numbers cannot compare NaN
        return
    for name, value in values.items():
        if value is not None and FLOAT32_MAX < abs(value) < float("inf"):
            raise ValueError(f"`{name}` must fit a float32 on this device; got {shown(value)}.")


def mean_of_numbers(library: ArrayLibrary, values: Array, weights: Array | None = None) -> Array:
    """Return the mean over the last axis of the values that are not NaN; NaN if there are none.

    If all their weights are 0, they get equal weights, as in scikit-learn.
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
        counts = weights > 0  # a value of weight 0 may be infinite
    total = halving_sum(library, xp.where(counts, values, zero) * weights)
    return divide(library, total, share, NAN)
