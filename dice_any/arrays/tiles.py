"""Loop over large arrays in tiles that fit in cache, so that no temporary is larger than a
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
    """Sum `function` over the tiles of `arrays`.

    The result equals one call on the whole arrays, because the order of integer additions does not
    matter. `strides` (of the prediction, in any unit) gives the slow axes. Tiles are cut along
    those first, so that each tile is one stretch of memory in any layout.
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
    """Fill `out`, which has the shape of the first of `arrays`, with `function` of each tile."""
    _keep_freed_memory()
    shape, class_axis = library.shape(arrays[0]), task.class_axis
    for tile in tiles(shape, strides, limit, whole=() if class_axis is None else (class_axis,)):
        out[tile] = function(task, library, *(_cut(a, tile, shape, class_axis) for a in arrays))
    return out


@cache
def _keep_freed_memory() -> None:
    """Make the allocator reuse the memory of one tile for the next.

    glibc returns freed blocks over 128 KB to the operating system, and page faults on the next
    block cost more than the arithmetic. It keeps blocks up to the size of the largest one freed so
    far, so a large block is allocated and freed here; its pages are never touched. This runs once
    per process: a later block would reuse kept memory, which has to be cleared.
    """
    bytes((1 << 25) - (1 << 16))


def tiles(
    shape: tuple[int, ...], strides: tuple[int, ...], limit: int, whole: Axes = ()
) -> Iterator[tuple[slice, ...]]:
    """Yield tiles of about `limit` elements or fewer that cover `shape` once; axes in `whole` are
    never cut.

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
    """Cut a tile out of an array that has the prediction's axes, with or without the class axis."""
    if array is None:
        return None
    if array.ndim < len(shape):
        tile = tuple(s for a, s in enumerate(tile) if a != class_axis)
    # an axis of length 1 (in weights) is broadcast, so every tile contains it
    return array[
        tuple(slice(None) if n == 1 else s for s, n in zip(tile, array.shape, strict=True))
    ]
