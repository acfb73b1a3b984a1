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

    def persist(self, array: Array, **options: Any) -> Array:
        return self.constant(self.compute(array, **options), array.dtype, array)

    def constant(self, values: Any, dtype: Any, like: Array) -> Array:
        return self.xp.asarray(values, dtype=dtype, spec=like.spec)


library = Cubed()
