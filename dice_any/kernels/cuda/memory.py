"""What the launching code needs to know about an array library: memory addresses, new arrays, the
device and its stream.

Nothing here waits for the device or copies. A kernel gets the memory range of an array as a flat
array from its lowest address on, and indexes it by strides.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from ...arrays.library import Array

#: Kernels read bfloat16, which NumPy lacks, as raw bits, and booleans as bytes, because any nonzero
#: byte is true.
BITS = {"bfloat16": "int16", "bool": "uint8"}


class Flat(NamedTuple):
    """An array as a kernel sees it: a flat range of numbers, the index of the first element, and
    strides.
    """

    stretch: Any
    start: int
    steps: tuple[int, ...]


class _Stretch:
    """Memory for `numba.cuda.as_cuda_array`. It names no stream: Numba would wait for it."""

    def __init__(self, owner: Array, address: int, length: int, dtype: str) -> None:
        self.owner = owner
        self.__cuda_array_interface__ = {
            "shape": (length,),
            "typestr": np.dtype(BITS.get(dtype, dtype)).str,
            "data": (address, False),
            "version": 3,
        }


def extent(shape: tuple[int, ...], steps: tuple[int, ...]) -> tuple[int, int]:
    """Return the index of an array's first element in its memory range, and the length of that
    range.
    """
    reach = [(n - 1) * step for n, step in zip(shape, steps, strict=True)]
    start = -sum(r for r in reach if r < 0)
    return start, start + 1 + sum(r for r in reach if r > 0)


class Torch:
    """PyTorch's CUDA tensors."""

    def __init__(self) -> None:
        import torch

        self._torch = torch

    def flat(self, array: Array, written: bool = False) -> Flat:
        array = array.detach()
        _, length = extent(tuple(array.shape), array.stride())
        name = str(array.dtype).rpartition(".")[2]
        stretch = cuda.as_cuda_array(_Stretch(array, array.data_ptr(), length, name), sync=False)
        return Flat(stretch, 0, tuple(array.stride()))  # PyTorch has no negative strides

    def empty(self, shape: tuple[int, ...], dtype: str, like: Array) -> Array:
        return self._torch.empty(shape, dtype=getattr(self._torch, dtype), device=like.device)

    def zeros(self, shape: tuple[int, ...], dtype: str, like: Array) -> Array:
        return self._torch.zeros(shape, dtype=getattr(self._torch, dtype), device=like.device)

    def empty_like(self, array: Array) -> Array:
        return self._torch.empty_like(array)

    def contiguous(self, array: Array) -> Array:
        return array.detach().contiguous()

    @contextmanager
    def on(self, array: Array) -> Iterator[Any]:  # pragma: no cover - needs a GPU
        """Make the array's device current, and yield PyTorch's current stream there."""
        index = array.device.index
        with self._torch.cuda.device(index), cuda.gpus[index]:
            yield _stream(self._torch.cuda.current_stream(index).cuda_stream)


class CuPy:  # pragma: no cover - needs a GPU
    """CuPy's arrays."""

    def __init__(self) -> None:
        import cupy

        self._cupy = cupy

    def flat(self, array: Array, written: bool = False) -> Flat:
        if any(s % array.itemsize for s in array.strides):  # a field of a structured array
            array = self.contiguous(array)
        steps = tuple(s // array.itemsize for s in array.strides)
        start, length = extent(array.shape, steps)
        address = array.data.ptr - start * array.itemsize
        stretch = cuda.as_cuda_array(_Stretch(array, address, length, array.dtype.name), sync=False)
        return Flat(stretch, start, steps)

    def empty(self, shape: tuple[int, ...], dtype: str, like: Array) -> Array:
        return self._cupy.empty(shape, dtype=dtype)

    def zeros(self, shape: tuple[int, ...], dtype: str, like: Array) -> Array:
        return self._cupy.zeros(shape, dtype=dtype)

    def empty_like(self, array: Array) -> Array:
        return self._cupy.empty_like(array)

    def contiguous(self, array: Array) -> Array:
        return self._cupy.ascontiguousarray(array)

    @contextmanager
    def on(self, array: Array) -> Iterator[Any]:
        """Make the array's device current, and yield CuPy's current stream there."""
        with array.device, cuda.gpus[array.device.id]:
            yield _stream(self._cupy.cuda.get_current_stream().ptr)


class Simulated:
    """NumPy arrays in place of GPU arrays, for Numba's simulator."""

    def flat(self, array: Array, written: bool = False) -> Flat:
        array = array.view(BITS.get(array.dtype.name, array.dtype))
        steps = tuple(s // array.itemsize for s in array.strides)
        start, length = extent(array.shape, steps)
        lowest = array[tuple(slice(None, None, -1 if s < 0 else 1) for s in steps)]
        stretch = np.lib.stride_tricks.as_strided(
            lowest, (length,), (array.itemsize,), writeable=written
        )
        # output must be copied back: the simulator copies plain arrays both ways
        return Flat(stretch if written else cuda.to_device(stretch), start, steps)

    def empty(self, shape: tuple[int, ...], dtype: str, like: Array) -> Array:
        # arbitrary values, as in memory before a kernel writes
        fill = np.nan if np.issubdtype(dtype, np.floating) else -(2**62)
        return np.full(shape, fill, dtype=dtype)

    def zeros(self, shape: tuple[int, ...], dtype: str, like: Array) -> Array:
        return np.zeros(shape, dtype=dtype)

    def empty_like(self, array: Array) -> Array:
        return np.full_like(array, np.nan)

    def contiguous(self, array: Array) -> Array:
        return np.ascontiguousarray(array)

    @contextmanager
    def on(self, array: Array) -> Iterator[Any]:
        yield 0


MEMORIES = {"torch": Torch, "cupy": CuPy, "numpy": Simulated}


def _stream(pointer: int) -> Any:
    return cuda.external_stream(pointer) if pointer else 0
