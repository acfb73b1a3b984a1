"""Soft memberships: the terms of each form, summed exactly or plainly."""

from __future__ import annotations

from functools import partial

from ..arrays.library import Array, ArrayLibrary, Axes
from .limbs import LIMB_AXIS, UNIT, sum_exactly, whole_number
from .masks import class_last, count_elements, count_invalid, keep
from .task import Task


def membership_sums(
    task: Task,
    library: ArrayLibrary,
    x: Array,
    y: Array,
    counted: Array | None,
    weight: Array | None,
    invalid: list[Array],
) -> Array:
    """Sum aligned memberships, exactly or plainly."""
    xp = library.xp
    exact = task.kind == "exact"
    shape = x.shape
    if exact:
        x, y, invalid = _valid_only(task, library, x, y, counted, invalid)
    if weight is not None and library.kind(weight.dtype) == "bool":
        weight = None  # all that it says is in `counted`
    if weight is not None:
        weight = keep(library, counted, widen(task, library, weight))
        invalid = [*invalid, ~((weight >= 0) & (weight < float(UNIT)))]
        weight = xp.where(invalid[-1], xp.zeros_like(weight), weight) if exact else weight
    add = partial(sum_exactly, weighted=weight is not None) if exact else _sum_plainly
    sums = [_sum_term(task, library, term, weight, add) for term in _terms(task, library, x, y)]
    if weight is None:
        like = sums[0][1] if exact else sums[0]
        total = count_elements(task, library, shape, counted, xp.zeros_like(like, dtype=xp.int64))
        sums.append(whole_number(library, total) if exact else xp.astype(total, like.dtype))
    else:
        sums.append(add(library, xp.broadcast_to(weight, shape), task.axis))
    if exact:
        bad = count_invalid(task, library, shape, invalid, counted, sums[0][1])
        limbs = [library.stack(list(limb)) for limb in zip(*sums, whole_number(library, bad), strict=True)]
        return class_last(task, library, library.stack(limbs, axis=LIMB_AXIS), lead=2)
    bad = count_invalid(task, library, shape, invalid, counted, xp.zeros_like(sums[0], dtype=xp.int64))
    return class_last(task, library, library.stack([*sums, xp.astype(bad, sums[0].dtype)]), lead=1)


def _valid_only(
    task: Task, library: ArrayLibrary, x: Array, y: Array, counted: Array | None, invalid: list[Array]
) -> tuple[Array, Array, list[Array]]:
    """Make what lies outside [0, 1] 0 and remember where: integer casts of NaN are different everywhere."""
    xp = library.xp
    out = []
    for values in (x, y):
        if library.kind(values.dtype) == "floating":
            values = xp.astype(values, xp.float64, copy=False)
            valid = (values >= 0) & (values <= 1)
            invalid = [*invalid, ~valid]
            values = xp.where(valid, values, xp.zeros_like(values))
        out.append(values)
    return out[0], out[1], invalid


def _terms(task: Task, library: ArrayLibrary, x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Return the elementwise terms of intersection, prediction and target; a mask stands for its zeros and ones."""
    xp = library.xp
    soft_x, soft_y = (library.kind(v.dtype) == "floating" for v in (x, y))
    if soft_x:
        x = widen(task, library, x)
    if soft_y:
        y = widen(task, library, y)
    if soft_x and soft_y:
        both = xp.minimum(x, y) if task.form == "minimum" else x * y
    elif soft_x or soft_y:  # a product with zeros and ones, in every form the same
        mask, soft = (y, x) if soft_x else (x, y)
        both = xp.where(mask, soft, xp.zeros_like(soft))
    else:
        both = x & y
    if task.form == "squared":
        x = x * x if soft_x else x
        y = y * y if soft_y else y
    return both, x, y


def _sum_term(task: Task, library: ArrayLibrary, term: Array, weight: Array | None, add: object) -> object:
    """Sum one term over the elements, weighted if there is a weight."""
    xp = library.xp
    mask = library.kind(term.dtype) == "bool"
    if mask and weight is None:
        count = library.count(term, task.axis)
        return whole_number(library, count) if task.kind == "exact" else xp.astype(count, _sum_dtype(library, term))
    if mask:
        weight = xp.broadcast_to(weight, term.shape)
        term = xp.where(term, weight, xp.zeros_like(weight))
    elif weight is not None:
        term = term * weight
    return add(library, term, task.axis)  # type: ignore[operator]


def _sum_dtype(library: ArrayLibrary, array: Array) -> object:
    return library.xp.float64 if library.has_float64(array) else library.xp.float32


def _sum_plainly(library: ArrayLibrary, terms: Array, axis: Axes) -> Array:
    """Sum floating terms in float64; without it, in float32 by a tree of small sums, whose error does not grow with n."""
    xp = library.xp
    if library.has_float64(terms):
        return xp.sum(terms, axis=axis, dtype=xp.float64)
    kept = [a for a in range(terms.ndim) if a not in axis]
    shape = tuple(terms.shape[a] for a in kept)
    terms = xp.reshape(xp.permute_dims(terms, (*kept, *axis)), (*shape, -1))
    while terms.shape[-1] > 1:
        length = terms.shape[-1]
        groups = -(-length // 32)
        padding = xp.zeros_like(xp.broadcast_to(terms[..., :1], (*shape, groups * 32 - length)))
        terms = xp.sum(xp.reshape(xp.concat([terms, padding], axis=-1), (*shape, groups, 32)), axis=-1)
    return terms[..., 0]


def widen(task: Task, library: ArrayLibrary, values: Array) -> Array:
    """Return floating values in float64 for exact sums, else in float32 or wider."""
    xp = library.xp
    if task.kind == "exact" or values.dtype == xp.float64:
        return xp.astype(values, xp.float64, copy=False)
    return xp.astype(values, xp.float32, copy=False)
