"""Select counts by an array of integer indices."""

from __future__ import annotations

from ..arrays.library import Array, ArrayLibrary
from ..reading import Picked
from .rows import INVALID


def pick(library: ArrayLibrary, sums: Array, row_axes: int, picked: Picked) -> Array:
    """Return the sums at the indices, whose axes replace an axis of the counts."""
    xp = library.xp
    axis = row_axes + picked.axis
    if isinstance(picked.places, list):
        taken = xp.take(sums, library.places(picked.places, sums), axis=axis)
    else:
        devices = library.device(picked.places), library.device(sums)
        if None not in devices and devices[0] != devices[1]:
            raise ValueError(
                f"`index` must be on the device of the overlap; got {devices[0]} and {devices[1]}. "
                "Move it."
            )
        length = sums.shape[axis]
        places = xp.reshape(xp.astype(picked.places, xp.int64), (-1,))
        places = places + xp.astype(places < 0, xp.int64) * length
        outside = xp.astype((places < 0) | (places >= length), xp.int64)
        taken = xp.take(sums, places * (1 - outside), axis=axis)
        taken = taken + _marks(library, taken, row_axes, axis, outside)
    if len(picked.shape) == 1:
        return taken
    shape = (*sums.shape[:axis], *picked.shape, *sums.shape[axis + 1 :])
    return xp.reshape(taken, shape)


def _marks(library: ArrayLibrary, taken: Array, row_axes: int, axis: int, outside: Array) -> Array:
    """Return an array that, added to the sums, marks counts with an index out of range as
    invalid.
    """
    xp = library.xp
    first = [int(row == INVALID) for row in range(INVALID + 1)]
    row = library.constant(first if row_axes == 1 else [[n, 0, 0] for n in first], xp.int64, taken)
    row = xp.reshape(row, (*row.shape, *(1,) * (taken.ndim - row_axes)))
    ends = (1,) * axis, (1,) * (taken.ndim - axis - 1)
    return xp.astype(row * xp.reshape(outside, (*ends[0], -1, *ends[1])), taken.dtype)
