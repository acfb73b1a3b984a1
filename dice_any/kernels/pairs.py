"""Sums of every row of one matrix with every row of another."""

from __future__ import annotations

from collections.abc import Callable

from ..arrays import library_of
from ..arrays.library import Array, ArrayLibrary
from .memberships import valid_memberships
from .task import ROWS, Task

Overlap = Callable[[Task, Array, Array, None], Array]
# float32 sums of zeros and ones are exact below this
FLOAT32_INTEGERS = 2**24


def pair_sums(overlap: Overlap, task: Task, X: Array, Y: Array) -> Array:  # noqa: N803
    """Return the sums of every pair of rows, (*leading, n, m), computed by `overlap` one row at a
    time.
    """
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
    """Return the empty sums of two matrices, one of which has no rows."""
    library = library_of(X)
    if task.kind == "plain" and (library.traced(X, Y) or library.differentiable(X, Y)):
        return _multiply_pairs(task, library, X, Y)  # keeps the gradient
    shape = (*task.leading_shape, X.shape[0], Y.shape[0])
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
    checked = [valid_memberships(task, library, rows) for rows in (X, Y)]
    x, y = (xp.astype(rows, wide) for rows, _ in checked)
    squares = (x * x, y * y) if task.form == "squared" else (x, y)
    sizes = xp.sum(squares[0], axis=1), xp.sum(squares[1], axis=1)
    bad = [
        None if mask is None else xp.astype(library.count(mask, (1,)), wide) for _, mask in checked
    ]
    return _spread(
        library, xp.matmul(x, xp.permute_dims(y, (1, 0))), *sizes, library.shape(X)[1], *bad
    )


def _spread(
    library: ArrayLibrary,
    both: Array,
    x: Array,
    y: Array,
    length: int,
    bad_x: Array | None = None,
    bad_y: Array | None = None,
) -> Array:
    """Stack the sums of rows and of pairs of rows; `bad_x` and `bad_y` count the invalid values of
    each row.
    """
    xp = library.xp
    zero = xp.zeros_like(both)
    of_x = [zero if row is None else zero + xp.expand_dims(row, axis=1) for row in (x, bad_x)]
    of_y = [zero if row is None else zero + xp.expand_dims(row, axis=0) for row in (y, bad_y)]
    rows = [both, of_x[0], of_y[0], zero + length, of_x[1], of_y[1]]
    return library.answer(library.stack([*rows, *[zero] * (ROWS - len(rows))]))
