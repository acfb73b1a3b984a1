"""cubed: lazy and chunked, within a stated amount of memory."""

from __future__ import annotations

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
    """The functions of cubed, but for two that are not right there."""

    def __init__(self, xp: Any) -> None:
        self._xp = xp

    def __getattr__(self, name: str) -> Any:
        return getattr(self._xp, name)

    def reshape(self, x: Array, shape: tuple[int, ...]) -> Array:
        """Return the array in another shape, in one chunk where cubed cannot do with several."""
        try:
            return self._xp.reshape(x, shape)
        except ValueError:
            return self._xp.reshape(x.rechunk(x.shape), shape)

    def take(self, x: Array, indices: Array, /, *, axis: int = 0) -> Array:
        """Return entries of an axis. Where as many are asked for as there are, cubed returns them
        all in their old order: so one more is taken. In one chunk, as these are sums of counts.
        """
        number = indices.shape[0]
        one_more = number == x.shape[axis] > 0
        if one_more:
            indices = self._xp.concat([indices, indices[:1]])
        taken = self._xp.take(x, indices, axis=axis)
        if one_more:
            taken = taken[(*(slice(None),) * axis, slice(0, number))]
        return taken.rechunk(taken.shape) if taken.size else taken


library = Cubed()
