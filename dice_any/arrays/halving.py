"""Sums of floating numbers in one fixed order. Every library's own `sum` has another order, which
changes the last bits.
"""

from __future__ import annotations

from .library import Array, ArrayLibrary


def halving_sum(library: ArrayLibrary, values: Array) -> Array:
    """Sum over the last axis in one fixed tree.

    The front half is added to the back half until one entry is left. If the length is odd, the
    middle entry moves to the end.
    """
    while values.shape[-1] > 1:
        front, middle, back = library.halves(values)
        paired = front + back
        values = paired if middle is None else library.xp.concat([paired, middle], axis=-1)
    return (
        library.only(values) if values.shape[-1] else library.xp.sum(values, axis=-1)
    )  # an empty sum is 0


def halving_sum_along(library: ArrayLibrary, values: Array, axis: int) -> Array:
    """Return the same sum over any axis, which is kept with length 1."""
    xp = library.xp
    order = [a for a in range(values.ndim) if a != axis]
    return xp.expand_dims(halving_sum(library, xp.permute_dims(values, (*order, axis))), axis=axis)
