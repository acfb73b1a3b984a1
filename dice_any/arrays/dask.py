"""Dask: lazy and chunked; nothing is computed before the caller asks."""

from __future__ import annotations

from functools import partial
from typing import Any

from .chunked import ChunkedLibrary
from .library import Array


class Dask(ChunkedLibrary):
    def __init__(self) -> None:
        super().__init__("dask", "array_api_compat.dask.array")
        import dask.array
        import numpy as np

        # an explicit meta keeps Dask from calling the block function on empty arrays to learn about its result
        self.blockwise = partial(dask.array.blockwise, concatenate=True, meta=np.empty(0))

    def refusal(self, array: Array) -> str | None:
        if any(n != n for n in array.shape):
            return "Call its `compute_chunk_sizes()` first, because a length is unknown"
        return None

    def constant(self, values: Any, dtype: Any, like: Array) -> Array:
        return self.xp.asarray(values, dtype=dtype)

    def arange(self, stop: int, like: Array) -> Array:
        return self.xp.arange(stop, dtype=self.xp.int64)


library = Dask()
