"""PyTorch lends to NumPy: the memory of a CPU tensor can be used as a NumPy array without a copy.

From the sums, losses and scores need about a hundred operations on a few numbers. NumPy starts an
operation in a third of PyTorch's time. Whole losses of small arrays are such work too.
"""

from __future__ import annotations

from typing import Any

from .followed import FollowedTensors
from .library import Array
from .numpy import library as numpy

#: NumPy is also faster at summing up to this many elements.
FEW = 1 << 14
#: The dtypes that both libraries have, by the standard's names.
SHARED = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")


class LendsToNumPy(FollowedTensors):
    """The part of PyTorch's library that passes arrays to NumPy and converts results back."""

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
