"""cubed: lazy and chunked, with a memory limit that the user sets.

Its arrays are plain: what else a chunk was (masked, a matrix), cubed itself forgets when it stores
it. So there is nothing that `vetted` would refuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .chunked import ChunkedLibrary
from .library import Array


class Cubed(ChunkedLibrary):
    protocol = 1

    public = "cubed.array_api"

    def __init__(self) -> None:
        super().__init__("cubed", "cubed.array_api")
        from cubed.core.ops import blockwise

        self.blockwise = blockwise
        self.xp = _Namespace(self.xp)

    def persist(self, array: Array, **options: Any) -> Array:
        return self.constant(self.compute(array, **options), array.dtype, array)

    def constant(self, values: Any, dtype: Any, like: Array) -> Array:
        return self.xp.asarray(values, dtype=dtype, spec=like.spec)


class _Namespace:
    """The functions of cubed, with corrections for some of them."""

    def __init__(self, xp: Any) -> None:
        self._xp = xp

    def __getattr__(self, name: str) -> Any:
        return getattr(self._xp, name)

    def stack(self, arrays: Sequence[Array], /, *, axis: int = 0) -> Array:
        return self._xp.stack(_alike(arrays), axis=axis)

    def concat(self, arrays: Sequence[Array], /, *, axis: int = 0) -> Array:
        return self._xp.concat(_alike(arrays), axis=axis)

    def reshape(self, x: Array, shape: tuple[int, ...]) -> Array:
        """Reshape the array; rechunk it to one chunk where cubed cannot reshape several."""
        try:
            return self._xp.reshape(x, shape)
        except ValueError:
            return self._xp.reshape(x.rechunk(x.shape), shape)

    def take(self, x: Array, indices: Array, /, *, axis: int = 0) -> Array:
        """Take entries along an axis.

        If as many are asked for as the axis has, cubed ignores their order; so one more is taken
        and dropped. The result is one chunk, because these are small sums.
        """
        number = indices.shape[0]
        one_more = number == x.shape[axis] > 0
        if one_more:
            indices = self._xp.concat([indices, indices[:1]])
        taken = self._xp.take(x, indices, axis=axis)
        if one_more:
            taken = taken[(*(slice(None),) * axis, slice(0, number))]
        return taken.rechunk(taken.shape) if taken.size else taken


def _alike(arrays: Sequence[Array]) -> list[Array]:
    """Return arrays with chunks of the same lengths: cubed joins others in a wrong order, or fails
    when it computes them.
    """
    longest = [max(lengths) for lengths in zip(*(x.chunksize for x in arrays), strict=True)]
    chunks = [tuple(map(min, longest, x.shape)) for x in arrays]
    return [
        x if x.chunksize == lengths else x.rechunk(lengths)
        for x, lengths in zip(arrays, chunks, strict=True)
    ]


library = Cubed()
