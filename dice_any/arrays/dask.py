"""Dask: lazy and chunked; nothing is computed before the caller asks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from . import chunked
from .chunked import HOSTED, ChunkedLibrary, plain_chunk
from .library import Array, Masked, NumPyLike, UnknownLibraryError
from .numpy import masked_by


class Dask(NumPyLike, ChunkedLibrary):
    protocol = 1

    public = "dask.array"

    def __init__(self) -> None:
        super().__init__("dask", "array_api_compat.dask.array")
        import dask.array
        import numpy as np

        self._array, self._numpy_array, self._numpy = dask.array.Array, np.ndarray, np
        # without an explicit meta, Dask calls the block function on empty arrays to learn about its
        # result
        self.blockwise = partial(dask.array.blockwise, concatenate=True, meta=np.empty(0))

    def is_array(self, value: Any) -> bool:
        return isinstance(value, self._array)

    def refusal(self, array: Array) -> str | Masked | None:
        if any(n != n for n in array.shape):
            return "Call its `compute_chunk_sizes()` first, because a length is unknown"
        chunk = array._meta
        return None if type(chunk) is self._numpy_array else refusal_of_chunks(chunk)

    def vetted(self, array: Array) -> Array:
        # an operation on arrays, as `x == 1`, and rechunking may lose what a chunk is; Dask fuses
        # this task with its neighbours
        axes, kind = tuple(range(array.ndim)), self.kind(array.dtype)
        vetted = self.blockwise(
            plain_chunk, axes, array, axes, dtype=array.dtype, meta=array._meta, kind=kind
        )
        if not any(0 in lengths for lengths in array.chunks):
            return vetted
        # a filter leaves chunks of nothing, which have no largest number and broadcast with none
        return vetted.rechunk(tuple(tuple(filter(None, n)) or (0,) for n in array.chunks))

    def persist(self, array: Array, **options: Any) -> Array:
        return array.persist(**options)

    def constant(self, values: Any, dtype: Any, like: Array) -> Array:
        return self.xp.asarray(values, dtype=dtype)

    def places(self, numbers: Sequence[int], like: Array) -> Array:
        # not an array of Dask's: one that holds 0 alone has the name of an array that `take` makes
        # itself, with other chunks, and Dask takes one for the other
        return self._numpy.asarray(numbers, dtype=self._numpy.int64)

    def arange(self, stop: int, like: Array) -> Array:
        return self.xp.arange(stop, dtype=self.xp.int64)


def refusal_of_chunks(chunk: Array) -> str | Masked | None:
    """Say what to pass instead of an array with chunks like this one; None if supported."""
    called = f"{type(chunk).__module__.partition('.')[0]}.{type(chunk).__qualname__}"
    try:
        library = chunked.library_of(chunk)
    except UnknownLibraryError:
        library = None
    inner = None if library is None else library.refusal(chunk)
    if isinstance(inner, Masked):
        return masked_by("dask.array")
    if library is not None and library.name in HOSTED and inner is None:
        return None
    dense = next((m for m in ("toarray", "todense") if hasattr(chunk, m)), None)
    make = f"lambda chunk: chunk.{dense}()" if dense else "numpy.asarray"
    return f"Its chunks are {called}: pass `{{name}}.map_blocks({make}, dtype={{name}}.dtype)`"


library = Dask()
