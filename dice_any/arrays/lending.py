"""What PyTorch lends to NumPy: the memory of tensors on the CPU is an array of NumPy's as it is.

What losses and scores make of sums is a hundred operations on a few numbers. NumPy begins one in a
third of the time that PyTorch takes, and whole losses of small arrays are such work too.
"""

from __future__ import annotations

from typing import Any

from .followed import FollowedTensors
from .library import Array
from .numpy import library as numpy

#: So few elements are summed faster by NumPy too.
FEW = 1 << 14
#: What both have, by the standard's names.
SHARED = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")


class LendsToNumPy(FollowedTensors):
    """The part of PyTorch that hands numbers to NumPy and takes answers back."""

    def __init__(self, torch: Any) -> None:
        super().__init__(torch)
        #: classes and dtypes of tensors whose memory NumPy can work on
        self._plain = {torch.Tensor, torch.nn.Parameter}
        self._shared = {getattr(torch, name) for name in SHARED}

    def lends(self, *arrays: Array | None) -> bool:
        given = [array for array in arrays if array is not None]
        if not all(type(array) in self._plain and array.is_cpu for array in given):
            return False
        return not (self.traced(*given) or self.differentiable(*given[1:]))

    def are_few(self, *arrays: Array | None) -> bool:
        return all(a is None or (a.numel() <= FEW and a.dtype in self._shared) for a in arrays)

    def hand_over(self, array: Array) -> Array:
        return array.detach().resolve_neg().numpy()

    def take_back(self, array: Array) -> Array:
        return self._torch.from_numpy(numpy.xp.asarray(array))
