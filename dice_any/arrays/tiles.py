"""Walk over large arrays in tiles that stay in cache, so that no temporary is ever larger than a
tile.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any

from .library import Array, ArrayLibrary, Axes, BlockFunction


def tiled_sums(
    function: BlockFunction,
    task: Any,
    library: ArrayLibrary,
    arrays: tuple[Array | None, ...],
    *,
    strides: tuple[int, ...],
    limit: int,
    leading: tuple[int, ...],
    trailing: tuple[int, ...],
) -> Array:
    """Add `function` over the tiles of `arrays`; equal to one call on the whole, because integer
    sums have no order.

    `strides` (of the prediction, any unit) tells which axes are slow: tiles are cut along those
    first, so that each is one stretch of memory whatever the layout.
    """
    _keep_freed_memory()
    shape = library.shape(arrays[0])
    class_axis, axis = task.class_axis, task.axis
    kept = [a for a in range(len(shape)) if a != class_axis and a not in axis]
    out = None
    for tile in tiles(shape, strides, limit, whole=() if class_axis is None else (class_axis,)):
        part = function(task, library, *(_cut(a, tile, shape, class_axis) for a in arrays))
        if not kept:
            out = part if out is None else out + part
            continue
        if out is None:
            full = (*leading, *(shape[a] for a in kept), *trailing)
            out = library.xp.zeros(full, dtype=part.dtype, device=library.device(part))
        out[(*(slice(None),) * len(leading), *(tile[a] for a in kept))] += part
    return out


def tiled_map(
    function: BlockFunction,
    task: Any,
    library: ArrayLibrary,
    arrays: tuple[Array | None, ...],
    *,
    out: Array,
    strides: tuple[int, ...],
    limit: int,
) -> Array:
    """Fill `out`, which is like the first of `arrays`, with `function` of each tile."""
    _keep_freed_memory()
    shape, class_axis = library.shape(arrays[0]), task.class_axis
    for tile in tiles(shape, strides, limit, whole=() if class_axis is None else (class_axis,)):
        out[tile] = function(task, library, *(_cut(a, tile, shape, class_axis) for a in arrays))
    return out


@cache
def _keep_freed_memory() -> None:
    """Have the allocator reuse the memory of one tile for the next.

    glibc gives blocks over 128 KB back to the kernel when they are freed, and faulting them in
    again costs more than the arithmetic. It stops doing so for sizes up to that of the largest
    block freed so far; this one is never touched. Once in a process: later it would be memory that
    has to be cleared.
    """
    bytes(1 << 24)


def tiles(
    shape: tuple[int, ...], strides: tuple[int, ...], limit: int, whole: Axes = ()
) -> Iterator[tuple[slice, ...]]:
    """Yield slices that cover `shape` once, each of about `limit` elements or fewer, never cutting
    the axes `whole`.

    >>> [tuple((s.start, s.stop) for s in tile) for tile in tiles((3, 4), (4, 1), limit=8)]
    [((0, 2), (0, 4)), ((2, 3), (0, 4))]
    """
    slow_first = sorted(
        (a for a in range(len(shape)) if a not in whole),
        key=lambda a: abs(strides[a]) * (shape[a] > 1),
        reverse=True,
    )
    size = math.prod(shape)
    steps = {a: shape[a] for a in range(len(shape))}
    for a in slow_first:
        if size <= limit:
            break
        rest = max(size // shape[a], 1)
        pieces = math.ceil(shape[a] / max(limit // rest, 1))
        steps[a] = math.ceil(shape[a] / pieces)
        size = rest * steps[a]
    yield from product(
        *(
            [slice(i, min(i + steps[a], n)) for i in range(0, n, steps[a])]
            for a, n in enumerate(shape)
        )
    )


def _cut(
    array: Array | None, tile: tuple[slice, ...], shape: tuple[int, ...], class_axis: int | None
) -> Array | None:
    """Cut the tile out of an array that has the prediction's axes, or all of them but the class
    axis.
    """
    if array is None:
        return None
    if array.ndim < len(shape):
        tile = tuple(s for a, s in enumerate(tile) if a != class_axis)
    # an axis of length 1 is broadcast (weights): it belongs to every tile
    return array[
        tuple(slice(None) if n == 1 else s for s, n in zip(tile, array.shape, strict=True))
    ]
