"""Functions of JAX with derivative rules of this package.

`jax.checkpoint` and loops apply a rule after the call, outside of its x64 context. A rule of JAX
that names a dtype cannot have float64 then. So the rules here open the context, and consist of
products and sums, which name none, and of functions that have such a rule again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .library import Array, ArrayLibrary, Axes


def forbidding(jax: Any) -> Any:
    """Return the identity whose derivative is an error, however transformations are nested."""

    @partial(jax.custom_jvp, nondiff_argnums=(1,))
    def identity(array: Array, message: str) -> Array:
        return array

    @identity.defjvp  # type: ignore[untyped-decorator,unused-ignore]
    def forbid(message: str, primals: Any, tangents: Any) -> Any:
        raise ValueError(message)

    return identity


def summing(
    library: ArrayLibrary,
    jax: Any,
    sum_at_once: Callable[[Sequence[Array], Axes, Array], Sequence[Array]],
) -> Any:
    """Return the function of axes and float64 arrays that sums them by one reduction, with the
    derivative that JAX does not know: the sums of the tangents.
    """

    @partial(jax.custom_jvp, nondiff_argnums=(0,))
    def sum_each(axis: Axes, *arrays: Array) -> tuple[Array, ...]:
        return tuple(sum_at_once(arrays, axis, library.xp.float64(0)))

    @sum_each.defjvp  # type: ignore[untyped-decorator,unused-ignore]
    def follow(axis: Axes, primals: Any, tangents: Any) -> Any:
        with library.precision():
            moved = tuple(library.xp.sum(tangent, axis=axis) for tangent in tangents)
            return sum_each(axis, *primals), moved

    return sum_each


def powering(library: ArrayLibrary, jax: Any) -> Any:
    """Return the power of positive numbers."""
    xp = library.xp

    @partial(jax.custom_jvp, nondiff_argnums=(1,))
    def power(base: Array, exponent: float) -> Array:
        return base ** xp.full_like(base, exponent)

    @power.defjvp  # type: ignore[untyped-decorator,unused-ignore]
    def follow(exponent: float, primals: Any, tangents: Any) -> Any:
        (base,), (moved,) = primals, tangents
        with library.precision():
            slope = xp.full_like(base, exponent) * power(base, exponent - 1)
            return power(base, exponent), slope * moved

    return power


def minimum(library: ArrayLibrary, jax: Any) -> Any:
    """Return the minimum over the last axis, which is kept; equal numbers share its slope."""
    xp = library.xp

    @jax.custom_jvp  # type: ignore[untyped-decorator,unused-ignore]
    def lowest(array: Array) -> Array:
        return xp.min(array, axis=-1, keepdims=True)

    @lowest.defjvp  # type: ignore[untyped-decorator,unused-ignore]
    def follow(primals: Any, tangents: Any) -> Any:
        (array,), (moved,) = primals, tangents
        with library.precision():
            found = lowest(array)
            share = xp.astype(array == found, array.dtype)
            share = share / xp.sum(share, axis=-1, keepdims=True)
            return found, xp.sum(share * moved, axis=-1, keepdims=True)

    return lowest
