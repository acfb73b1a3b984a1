"""What the loops need to know about an array library with arrays in host memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...arrays.library import Array


class Located(NamedTuple):
    """An array, with the address and strides that compiled code uses."""

    array: Array  # keeps the memory alive while compiled code may read it
    address: int
    strides: tuple[int, ...]  # in bytes
    dtype: str


class NumPyHost:
    """NumPy's arrays."""

    def as_numpy(self, array: Array) -> np.ndarray:
        return np.asarray(array)

    def from_numpy(self, array: np.ndarray) -> Array:
        return array

    def is_native(self, array: Array) -> bool:
        return bool(array.dtype.isnative)

    def empty_like(self, array: Array) -> Array:
        return np.empty_like(array, dtype=array.dtype.newbyteorder("="))

    def with_dtype_of(self, array: Array, given: Array) -> Array:
        """Return an array in the byte order of `given`."""
        return array.astype(given.dtype, copy=False)

    def locate(self, array: Array) -> Located:
        if not (array.flags.aligned and array.dtype.isnative):
            array = array.astype(array.dtype.newbyteorder("="))
        address = array.__array_interface__["data"][0]
        return Located(array, address, array.strides, array.dtype.name)


class TorchHost:
    """PyTorch's tensors on the CPU."""

    def __init__(self) -> None:
        import torch

        self._torch = torch

    def as_numpy(self, array: Array) -> np.ndarray:
        found: np.ndarray = array.detach().numpy()
        return found

    def from_numpy(self, array: np.ndarray) -> Array:
        return self._torch.from_numpy(array)

    def is_native(self, array: Array) -> bool:
        return True

    def empty_like(self, array: Array) -> Array:
        """Return a tensor in NumPy's memory: its large pages halve the cost of a first touch."""
        torch = self._torch
        # NumPy has no bfloat16
        bits = array.view(torch.int16) if array.dtype == torch.bfloat16 else array
        memory = np.empty_like(bits.detach().resolve_neg().numpy())
        return torch.from_numpy(memory).view(array.dtype)

    def with_dtype_of(self, array: Array, given: Array) -> Array:
        return array

    def locate(self, array: Array) -> Located:
        array = array.resolve_neg()
        size = array.element_size()
        strides = tuple(step * size for step in array.stride())
        return Located(array, array.data_ptr(), strides, str(array.dtype).rpartition(".")[2])


Host = NumPyHost | TorchHost
HOSTS: dict[str, type[Host]] = {"numpy": NumPyHost, "torch": TorchHost}
_made: dict[str, Host] = {}


def host_of(module: str) -> Host:
    """Return the host of a library's arrays."""
    if module not in _made:
        _made[module] = HOSTS[module]()
    return _made[module]
