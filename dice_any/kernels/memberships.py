"""Soft memberships: the terms of each form, and their exact and plain sums."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any

from ..arrays.library import Array, ArrayLibrary, Axes
from .limbs import UNIT, sum_exactly, whole_numbers
from .masks import Invalid, by_argument, class_last, count_elements, counted_invalid, counted_only
from .regions import by_region, drawn_to_1
from .task import Task

#: A membership this far outside of [0, 1] still counts as 0 or 1: the mean of ten float32 ones is
#: 1.0000001.
TOLERANCE = 2.0**-20


def membership_sums(
    task: Task,
    library: ArrayLibrary,
    x: Array,
    y: Array,
    counted: Array | None,
    weight: Array | None,
    invalid: Invalid,
    *,
    from_labels: bool = False,
    may_overwrite: bool = False,
) -> Array:
    """Sum aligned memberships, exactly or plainly.

    With `from_labels`, `y` is a label map's zeros and ones; with `may_overwrite`, scratch memory.
    """
    xp = library.xp
    shape = x.shape
    x, bad_x = valid_memberships(task, library, x, activated=task.activation is not None)
    y, bad_y = (y, None) if from_labels else valid_memberships(task, library, y)
    invalid = Invalid(either(invalid.prediction, bad_x), either(invalid.target, bad_y))
    # `vmap` cannot write into an array that is not mapped over what depends on one that is
    may_overwrite = may_overwrite and bool(task.axis) and not library.traced(x)
    terms = _terms(task, library, x, y, may_overwrite)
    weighted = (
        weight is not None and library.kind(weight.dtype) != "bool"
    )  # `counted` holds everything that a mask tells
    if weighted:
        # widened first: PyTorch on CUDA can select by a mask for few integer types only
        weight, bad = valid_weight(
            task, library, counted_only(library, counted, widen(task, library, weight))
        )
        invalid = invalid._replace(weight=bad)
        terms = chain(
            map(partial(_weighed, library, weight), terms), [xp.broadcast_to(weight, shape)]
        )
    masks = counted_invalid(library, shape, invalid, counted)
    if task.kind == "exact":
        sums, found = _add_exactly(task, library, list(terms), list(masks.values()), weighted)
    else:
        sums, found = _add_plainly(task, library, terms, list(masks.values()))
    none = xp.zeros_like(sums[0, 0, ...] if task.kind == "exact" else sums[0, ...], dtype=xp.int64)
    counts = by_argument(dict(zip(masks, found, strict=True)), none)
    if not weighted:
        counts = [count_elements(task, library, shape, counted, none), *counts]
    sizes, both, *total = library.split(sums, (2, 1, 1) if weighted else (2, 1))
    sums = xp.concat([both, sizes, *total, _as_sums(task, library, counts)])  # in the order of rows
    return class_last(task, library, sums, leading=len(task.leading_shape))


def either(first: Array | None, second: Array | None) -> Array | None:
    """Join two masks; None is an empty mask."""
    if first is None or second is None:
        return second if first is None else first
    return first | second


def valid_memberships(
    task: Task, library: ArrayLibrary, values: Array, *, activated: bool = False
) -> tuple[Array, Array | None]:
    """Return memberships in [0, 1], and the mask of invalid ones; None if there are none.

    Rounding errors outside of [0, 1] are valid. An invalid membership becomes 0, because casts of
    NaN to integers differ between libraries. A plain sum after an activation needs no check: NaN
    propagates.
    """
    if library.kind(values.dtype) != "floating" or (activated and task.kind == "plain"):
        return values, None
    if 0 in library.shape(values) or library.are_memberships(values):
        return values, None
    xp = library.xp
    values = widened(library, values)  # float32 holds both bounds, and compares twice as fast
    valid = (values >= -TOLERANCE) & (values <= 1.0 + TOLERANCE)
    values = xp.where(valid, values, xp.zeros_like(values))
    if task.kind == "plain" and (library.traced(values) or library.differentiable(values)):
        # automatic differentiation treats clipped values as if they were inside, as the closed form
        # does
        return values + library.detach(library.clip(values) - values), ~valid
    return library.clip(values), ~valid


def valid_in_regions(
    task: Task, library: ArrayLibrary, values: Array, *, activated: bool = False
) -> tuple[Array, Array | None]:
    """Return the memberships of regions from those of classes, and the mask of regions with an
    invalid class. Their sums are not yet checked.
    """
    values, bad = valid_memberships(task, library, values, activated=activated)
    if library.kind(values.dtype) == "floating":
        values = widen(task, library, values)
    values = by_region(task, library, values)
    if activated and library.kind(values.dtype) == "floating":
        values = drawn_to_1(library, values)
    return values, None if bad is None else by_region(task, library, bad)


def valid_weight(task: Task, library: ArrayLibrary, weight: Array) -> tuple[Array, Array]:
    """Return the weight as floating numbers, and the mask of those out of range."""
    xp = library.xp
    weight = widen(task, library, weight)
    bad = ~((weight >= 0) & (weight < float(UNIT)))
    return (xp.where(bad, xp.zeros_like(weight), weight) if task.kind == "exact" else weight), bad


def _terms(
    task: Task, library: ArrayLibrary, x: Array, y: Array, may_overwrite: bool
) -> Iterator[Array]:
    """Yield the elementwise terms of prediction, target and intersection; a mask stands for zeros
    and ones.

    The last term overwrites `y` if allowed, because that tile is already in the cache.
    """
    xp = library.xp
    soft_x, soft_y = (library.kind(v.dtype) == "floating" for v in (x, y))
    if soft_x:
        x = widen(task, library, x)
    if soft_y:
        y = widen(task, library, y)
    squared = task.form == "squared"
    yield x * x if squared and soft_x else x
    yield y * y if squared and soft_y else y
    if soft_x and soft_y:
        if task.form == "minimum":
            yield xp.minimum(x, y)
        elif may_overwrite:
            y *= x
            yield y
        else:
            yield x * y
    elif (
        (soft_x or soft_y) and task.form == "minimum" and task.kind == "plain"
    ):  # its gradient at a tie is half
        yield (
            xp.minimum(x, xp.astype(y, x.dtype)) if soft_x else xp.minimum(xp.astype(x, y.dtype), y)
        )
    elif soft_x or soft_y:  # a product with zeros and ones, the same in every form
        mask, soft = (y, x) if soft_x else (x, y)
        yield xp.where(mask, soft, xp.zeros_like(soft))
    else:
        yield xp.logical_and(x, y)


def _weighed(library: ArrayLibrary, weight: Array, term: Array) -> Array:
    """Multiply a term by the weight; a mask stands for zeros and ones."""
    xp = library.xp
    if library.kind(term.dtype) != "bool":
        return term * weight
    weight = xp.broadcast_to(weight, term.shape)
    return xp.where(term, weight, xp.zeros_like(weight))


def _add_plainly(
    task: Task, library: ArrayLibrary, terms: Iterable[Array], masks: list[Array]
) -> tuple[Array, list[Array]]:
    """Sum each term, (terms, *kept), before the next one is computed; count the masks."""
    if library.sum_together is not None:
        terms = iter(terms)
        first = next(terms)
        if library.traced(first):
            traced = [first, *terms]
            found = library.sum_together([*traced, *masks], task.axis)
            counts = [library.xp.astype(count, library.xp.int64) for count in found[len(traced) :]]
            return library.stack(found[: len(traced)]), counts
        terms = chain([first], terms)
    sums = [
        sum_plainly(library, term, task.axis)
        if library.kind(term.dtype) == "floating"
        else library.xp.astype(library.count(term, task.axis), library.widest(term))
        for term in terms
    ]
    return library.stack(sums), [library.count(mask, task.axis) for mask in masks]


def _add_exactly(
    task: Task, library: ArrayLibrary, terms: list[Array], masks: list[Array], weighted: bool
) -> tuple[Array, list[Array]]:
    """Sum each term over the elements, (terms, limbs, *kept), and count the masks.

    Terms that are masks are counted too.
    """
    soft = [i for i, term in enumerate(terms) if library.kind(term.dtype) == "floating"]
    hard = [i for i in range(len(terms)) if i not in soft]
    masks = [*(terms[i] for i in hard), *masks]
    sums, counts = sum_exactly(
        library, [terms[i] for i in soft], masks, task.axis, weighted=weighted
    )
    if hard:
        both = library.xp.concat([sums, whole_numbers(library, counts[: len(hard)])])
        places = [*soft, *hard]
        sums = library.stack([both[places.index(i), ...] for i in range(len(terms))])
    return sums, counts[len(hard) :]


def _as_sums(task: Task, library: ArrayLibrary, counts: list[Array]) -> Array:
    """Convert counts to the kind of sums of the task."""
    xp = library.xp
    if task.kind == "exact":
        return whole_numbers(library, counts)
    return xp.astype(library.stack(counts), library.widest(counts[0]))


def sum_plainly(library: ArrayLibrary, terms: Array, axis: Axes) -> Array:
    """Sum floating terms in float64; if there is no float64, in float32 by a tree of small sums,
    whose error hardly grows.
    """
    xp = library.xp
    if library.has_float64(terms):
        return library.sum_wide(terms, axis)
    kept = [a for a in range(terms.ndim) if a not in axis]
    shape = tuple(terms.shape[a] for a in kept)
    terms = xp.reshape(xp.permute_dims(terms, (*kept, *axis)), (*shape, -1))
    while terms.shape[-1] > 1:
        length = terms.shape[-1]
        groups = -(-length // 32)
        padding = xp.zeros_like(xp.broadcast_to(terms[..., :1], (*shape, groups * 32 - length)))
        terms = xp.sum(
            xp.reshape(xp.concat([terms, padding], axis=-1), (*shape, groups, 32)), axis=-1
        )
    return terms[..., 0]


def widen(task: Task, library: ArrayLibrary, values: Array) -> Array:
    """Return values in float64 for exact sums and beside a float64 prediction, whose gradient would
    else be rounded to float32; otherwise in float32 or wider.
    """
    if task.is_wide:
        return library.xp.astype(values, library.xp.float64, copy=False)
    return widened(library, values)


def widened(library: ArrayLibrary, values: Array) -> Array:
    """Return values in float32, or in float64 if they are wider."""
    xp = library.xp
    return xp.astype(
        values, xp.float64 if is_wide(library, values.dtype) else xp.float32, copy=False
    )


def narrow(task: Task, library: ArrayLibrary, values: Array, dtype: Any) -> Array:
    """Convert values in the precision of `widen` to the dtype of an argument.

    Exact results are rounded to half precision by way of float32. Some libraries do so themselves,
    others do not, and two roundings can differ from one.
    """
    xp = library.xp
    rounds = library.dtype_name(dtype) != "float32" and not is_wide(library, dtype)
    if task.kind == "exact" and rounds:
        values = xp.astype(values, xp.float32, copy=False)
    return xp.astype(values, dtype, copy=False)


def is_wide(library: ArrayLibrary, dtype: Any) -> bool:
    """Tell whether a floating dtype is float64 or wider, as NumPy's longdouble is.

    float64 with its bytes swapped equals no dtype of the namespace.
    """
    return bool(dtype == library.xp.float64 or getattr(dtype, "itemsize", 0) >= 8)
