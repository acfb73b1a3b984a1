"""Whether numbers are memberships, told by their bits; and what replaces those that are not.

Read as integers, the bits of 0 to 1 go up to those of 1. All others are larger: those of larger
numbers and NaN, and those of negative numbers, whose highest bit is set.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from .arithmetic import is_membership, member
from .blocks import ZERO
from .memory import INLINE


def bits_of(real: Any) -> tuple[Any, Any]:
    """Return the integer type that holds the bits of a floating type, and the bits of 1."""
    if real is np.float32:
        return np.uint32, np.uint32(0x3F800000)
    return np.uint64, np.uint64(0x3FF0000000000000)


@njit(**INLINE)
def beyond_1(number: Any, one: Any) -> Any:
    """Return an integer whose highest bit is set if `number` exceeds `one`; see `exceed`.

    It is one less operation than a comparison where all results of a loop are joined by `|`.
    """
    return number | (one - number)


@njit(**INLINE)
def exceed(joined: Any, one: Any) -> Any:
    """Tell whether any number exceeded `one`, from the joined results of `beyond_1`.

    If none did, the two highest bits are 0, of which twice `one` has only the second.
    """
    return joined > one + one


@njit(**INLINE)
def are_members(values: Any, bits: Any, one: Any) -> Any:
    """Tell whether all values are in [0, 1]."""
    beyond, numbers = bits(0), values.view(bits)
    for i in range(numbers.size):  # a maximum would not be vectorised
        beyond |= bits(beyond_1(numbers[i], one))
    return not exceed(beyond, one)


@njit(error_model="numpy")
def clean(values: Any, w: Any, weighted: Any, out: Any) -> Any:
    """Fill `out` with values clipped to [0, 1], or 0 if invalid or ignored; count the invalid
    ones.
    """
    found = 0
    for i in range(values.size):
        v = values[i]
        good, counted = is_membership(v), not weighted or w[i] != ZERO
        found += counted & (not good)  # `and` would be a branch
        v = member(v)
        out[i] = v if good & counted else ZERO
    return found
