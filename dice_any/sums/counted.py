"""The rows of an overlap from existing counts."""

from __future__ import annotations

from ..arrays.library import Array, ArrayLibrary
from ..kernels.limbs import sum_counts
from ..reading import MOST_COUNTED
from .rows import INVALID


def rows_of_counts(
    library: ArrayLibrary, tp: Array, fp: Array, fn: Array, tn: Array | None = None
) -> Array:
    """Return the rows of hard counts; impossible counts are marked as invalid."""
    xp = library.xp
    counts = [xp.astype(count, xp.int64) for count in (tp, fp, fn, tn) if count is not None]
    total, bad = counts[0], _impossible(counts[0])
    for count in counts[1:]:
        total = total + count
        # an overflow of two numbers up to 2**62 shows: their sum is negative, or below 2**63
        bad = bad | _impossible(count) | _impossible(total)
    tp, fp, fn = counts[:3]
    return library.stack([tp, tp + fp, tp + fn, total, xp.astype(bad, xp.int64)])


def rows_of_matrix(library: ArrayLibrary, matrix: Array) -> Array:
    """Return the rows of confusion matrices, by class; impossible ones are marked as invalid."""
    xp = library.xp
    last = matrix.ndim - 1
    counts = xp.astype(matrix, xp.int64)
    numbers = library.arange(matrix.shape[-1], matrix)
    diagonal = xp.astype(xp.expand_dims(numbers, axis=1) == numbers, xp.int64)
    intersection, target = (sum_counts(library, each, last) for each in (counts * diagonal, counts))
    prediction = sum_counts(library, counts, last - 1)
    total = sum_counts(library, target, last - 1)
    low = xp.sum(xp.astype(_impossible(counts), xp.int64), axis=(last - 1, last), dtype=xp.int64)
    # an integer sum could wrap, which is an error of 2**64; the error of this one is small
    size = xp.sum(xp.astype(counts, library.widest(matrix)), axis=(last - 1, last))
    bad = (low > 0) | _impossible(total) | (size > 1.5 * MOST_COUNTED)
    zeros = xp.zeros_like(target)
    total = xp.expand_dims(total, axis=last - 1) + zeros
    invalid = xp.expand_dims(xp.astype(bad, xp.int64), axis=last - 1) + zeros
    return library.stack([intersection, prediction, target, total, invalid])


def _impossible(count: Array) -> Array:
    return (count < 0) | (count > MOST_COUNTED)


def raise_bad_counts(library: ArrayLibrary, sums: Array, rule: str) -> None:
    """Raise an error about impossible counts, if values can be read."""
    if library.at_hand(sums) and library.xp.any(sums[INVALID, ...] > 0):
        raise ValueError(f"{rule}; got others. Find out where they come from.")
