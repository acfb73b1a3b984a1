"""CuPy: NVIDIA GPU memory; reading a value would wait for the device."""

from __future__ import annotations

from typing import Any

from .library import Array, Axes, NumPyLike


class CuPy(NumPyLike):
    protocol = 1

    def __init__(self) -> None:
        super().__init__("cupy", "array_api_compat.cupy")
        import cupy

        self._cupy = cupy
        if not cupy.cuda.is_available():
            raise ImportError("CuPy is installed, but finds no CUDA device")

    def count(self, mask: Array, axis: Axes) -> Array:
        return self.xp.astype(self._cupy.count_nonzero(mask, axis=axis), self.xp.int64)

    def arange(self, stop: int, like: Array) -> Array:
        with like.device:
            return self._cupy.arange(stop, dtype=self._cupy.int64)

    def bincount(self, codes: Array, length: int, weights: Array | None) -> Array:
        # cupy.bincount waits for the device to learn the largest code; `add.at` does not. CUDA has
        # atomic addition only for unsigned 64-bit integers; modulo 2**64 the sum is the same.
        cupy = self._cupy
        counts = cupy.zeros(length, dtype=cupy.uint64)
        cupy.add.at(
            counts, codes, cupy.uint64(1) if weights is None else weights.astype(cupy.uint64)
        )
        return counts.astype(cupy.int64)

    def constant(self, values: Any, dtype: Any, like: Array) -> Array:
        with like.device:
            return self._cupy.asarray(values, dtype=dtype)


library = CuPy()
