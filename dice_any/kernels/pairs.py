"""Every row of one matrix against every row of another."""

from __future__ import annotations

from collections.abc import Callable

from ..arrays import library_of
from ..arrays.library import Array, ArrayLibrary
from .task import Task

Overlap = Callable[[Task, Array, Array, None], Array]
# float32 counts zeros and ones exactly below this
FLOAT32_INTEGERS = 2**24


def pair_sums(overlap: Overlap, task: Task, X: Array, Y: Array) -> Array:  # noqa: N803
    """Return the sums of every pair of rows, (*lead, n, m); `overlap` is what computes those of one row."""
    library = library_of(X)
    if task.kind == "hard":
        return _count_pairs(library, X, Y)
    if task.kind == "plain" and task.form != "minimum":
        return _multiply_pairs(task, library, X, Y)
    xp = library.xp
    rows = []
    for i in range(library.shape(X)[0]):
        row = xp.broadcast_to(X[i : i + 1, :], Y.shape)
        rows.append(overlap(task, row, Y, None))
    return library_of(rows[0]).stack(rows, axis=-2)


def no_pairs(task: Task, X: Array, Y: Array) -> Array:  # noqa: N803
    """Return the sums of two matrices of which one has no rows."""
    library = library_of(X)
    if task.kind == "plain" and (library.traced(X, Y) or library.differentiable(X, Y)):
        return _multiply_pairs(task, library, X, Y)  # keeps the link to what is differentiated
    shape = (*task.lead, X.shape[0], Y.shape[0])
    dtype = library.widest(X) if task.kind == "plain" else library.xp.int64
    return library.answer(library.zeros(shape, dtype, X))


def _count_pairs(library: ArrayLibrary, X: Array, Y: Array) -> Array:  # noqa: N803
    """Count pairs of boolean rows by matrix products of zeros and ones."""
    xp = library.xp
    length = library.shape(X)[1]
    both = None
    for start in range(0, length, FLOAT32_INTEGERS - 1):
        part = slice(start, min(start + FLOAT32_INTEGERS - 1, length))
        x, y = (xp.astype(rows[:, part], xp.float32) for rows in (X, Y))
        counts = xp.astype(xp.matmul(x, xp.permute_dims(y, (1, 0))), xp.int64)
        both = counts if both is None else both + counts
    sizes = library.count(X, (1,)), library.count(Y, (1,))
    return _spread(library, both, *sizes, length)


def _multiply_pairs(task: Task, library: ArrayLibrary, X: Array, Y: Array) -> Array:  # noqa: N803
    xp = library.xp
    wide = xp.float64 if library.has_float64(X) else xp.float32
    x, y = xp.astype(X, wide), xp.astype(Y, wide)
    squares = (x * x, y * y) if task.form == "squared" else (x, y)
    sizes = xp.sum(squares[0], axis=1), xp.sum(squares[1], axis=1)
    return _spread(library, xp.matmul(x, xp.permute_dims(y, (1, 0))), *sizes, library.shape(X)[1])


def _spread(library: ArrayLibrary, both: Array, x: Array, y: Array, length: int) -> Array:
    """Stack sums of rows and of pairs of rows."""
    xp = library.xp
    zero = xp.zeros_like(both)
    sizes = zero + xp.expand_dims(x, axis=1), zero + xp.expand_dims(y, axis=0)
    return library.answer(library.stack([both, *sizes, zero + length, zero]))
