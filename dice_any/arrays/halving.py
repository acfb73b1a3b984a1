"""Sums of floating numbers in one fixed order: every library orders its own `sum` differently, and
the last bits with it.
"""

from __future__ import annotations

from .library import Array, ArrayLibrary


def halving_sum(library: ArrayLibrary, values: Array) -> Array:
    """Add over the last axis in one fixed tree: the front half to the back half until one is left;
    the one in the middle of an odd number waits at the end.
    """
    while values.shape[-1] > 1:
        front, middle, back = library.halves(values)
        paired = front + back
        values = paired if middle is None else library.xp.concat([paired, middle], axis=-1)
    return (
        library.only(values) if values.shape[-1] else library.xp.sum(values, axis=-1)
    )  # of nothing, 0


def halving_sum_along(library: ArrayLibrary, values: Array, axis: int) -> Array:
    """Return the same over any axis, which stays with length 1."""
    xp = library.xp
    order = [a for a in range(values.ndim) if a != axis]
    return xp.expand_dims(halving_sum(library, xp.permute_dims(values, (*order, axis))), axis=axis)
