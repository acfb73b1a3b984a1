"""How the numbers of two results of one piece of work differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import library_of
from ..kernels.task import ENTROPY, ENTROPY_WEIGHT, INVALID_PREDICTION, INVALID_WEIGHT, Task
from .work import Work

#: the error that plain sums and gradients may have, and that of float32 exponentials
TOLERANCE, OF_EXPONENTIALS = 1e-6, 8e-6
#: the error of a logarithm of a float32 membership, beyond its last digits
LOGARITHM = 2.0**-22


def difference(
    part: str, work: Work, found: list[np.ndarray], expected: list[np.ndarray]
) -> str | None:
    """Return how numbers differ from the expected ones; None if they do not."""
    kinds = {
        "overlap_vjp": ("gradient",),
        "overlap_keeping": ("sums", "gradient"),
        "confusion_matrix": ("matrix", "counts"),
    }.get(part, ("sums",))
    if part == "overlap":
        kinds = ("sums", "sums that are NaN")
        found, expected = _observable(work.task, found, expected)
    elif part == "confusion_matrix" and np.any(expected[1][2] > 0):  # weights are an error
        kinds, found, expected = ("counts",), found[1:], expected[1:]
    for kind, one, other in zip(kinds, found, expected, strict=False):
        exponentials = work.task.activation is not None and work.choices["x"] != "float64"
        tolerance = OF_EXPONENTIALS if exponentials else TOLERANCE
        if kind == "sums that are NaN":
            wrong = one != other
        elif kind == "gradient" and work.task.kind == "exact":
            wrong = (one != other) & ~(np.isnan(one) & np.isnan(other))
        elif kind == "gradient":
            wrong = _far(one, other, tolerance, work.choices["x"])
        elif work.task.kind == "plain" and kind != "counts":
            wrong = _far(one, other, tolerance, besides=_of_logarithms(work.task, other))
        else:
            if work.task.kind == "exact" and kind != "counts":
                limbs = 1 if kind == "sums" else 0
                one, other = _whole(one, limbs), _whole(other, limbs)
            wrong = one != other
        if np.any(wrong):
            where = np.argwhere(np.atleast_1d(wrong))
            return f"{len(where)} of {np.size(wrong)} {kind} are wrong, the first at {where[0]}"
    return None


def _observable(
    task: Task, found: list[np.ndarray], expected: list[np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return sums; for counts with invalid values only the number of these, because the rest
    becomes an error or NaN.
    """
    rows = slice(INVALID_PREDICTION, INVALID_WEIGHT + 1)
    first = expected[0][rows, 0] if task.kind == "exact" else expected[0][rows]
    if task.can_be_invalid and np.any(first > 0):
        return [found[0][rows]], [expected[0][rows]]
    if task.kind == "plain" and task.activation is not None:  # of logits that are NaN
        bad = np.any(np.isnan(expected[0]), axis=0)
        if np.any(bad):
            nan = np.any(np.isnan(found[0]), axis=0)
            return [np.where(bad, 0.0, found[0]), nan], [np.where(bad, 0.0, expected[0]), bad]
    return found, expected


def _far(
    one: np.ndarray,
    other: np.ndarray,
    tolerance: float,
    dtype: str | None = None,
    besides: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Return which numbers differ by more than rounding: sums relative to themselves, gradients
    relative to the largest.
    """
    rounding = {"float16": 2.0**-10, "bfloat16": 2.0**-7}.get(dtype or "", 0.0)
    one, other = one.astype(np.float64), other.astype(np.float64)
    finite = np.isfinite(other)
    size = np.abs(np.where(finite, other, 0))
    room = tolerance * size + besides + 1e-30
    if dtype is not None:
        room = tolerance * np.max(size, initial=0) + rounding * size + 2.0**-24 * bool(rounding)
    with np.errstate(invalid="ignore"):
        wrong: np.ndarray = np.where(finite, ~(np.abs(one - other) <= room), np.isfinite(one))
    return wrong


def _of_logarithms(task: Task, sums: np.ndarray) -> np.ndarray | float:
    """Return the additional error that sums may have: for p near 1, ln p has the absolute error of
    p, even if ln p itself is small, and so has the cross-entropy of every element.
    """
    if task.entropy is None or len(sums) <= ENTROPY_WEIGHT:
        return 0.0
    room = np.zeros(sums.shape)
    room[ENTROPY] = LOGARITHM * np.abs(np.nan_to_num(sums[ENTROPY_WEIGHT]))
    return room


def _whole(limbs: np.ndarray, axis: int) -> np.ndarray:
    """Return exact sums as Python integers, in units of 2⁻⁶²."""
    one, middle, last = np.moveaxis(limbs.astype(object), axis, 0)
    return np.asarray(one * 2**62 + middle * 2**31 + last)


def numbers(array: Any) -> np.ndarray:
    """Return a copy of the values of an array of any library."""
    try:
        values = np.asarray(array).copy()  # not `np.array`, for which PyTorch warns
    except (TypeError, ValueError, RuntimeError):
        values = np.asarray(None)
    if values.dtype == object:  # NumPy does not know it, or its dtype
        values = np.array(library_of(array).tolist(array))
    return values


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == "f"))
