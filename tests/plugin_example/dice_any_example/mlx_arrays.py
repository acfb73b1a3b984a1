"""MLX: lazy, in memory that CPU and GPU share; float64 exists on the CPU only, so that is where
sums are made.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import mlx.core as mx

from dice_any.arrays import ArrayLibrary


def astype(array, dtype, copy=True):
    return array.astype(dtype)  # arrays are values, so a copy cannot be told from none


def total(array, axis=None, dtype=None, keepdims=False):
    # without `dtype` MLX counts in 32 bits, and a float32 sum of ones stops at 2**24
    return mx.sum(array if dtype is None else array.astype(dtype), axis=axis, keepdims=keepdims)


def exp(array):
    # mx.exp of float64 has seven good digits (measured in 0.32), mx.power nearly all
    return mx.power(math.e, array) if array.dtype == mx.float64 else mx.exp(array)


def argsort(array, axis=-1, descending=False, stable=True):
    return mx.argsort(
        -array if descending else array, axis=axis
    )  # MLX keeps equal elements in their order


#: `mlx.core`, and the little of the Array API standard in which it differs
namespace = SimpleNamespace(
    **{
        **vars(mx),
        "bool": mx.bool_,
        "astype": astype,
        "sum": total,
        "exp": exp,
        "argsort": argsort,
        "cumulative_sum": mx.cumsum,
    }
)


class MLX(ArrayLibrary):
    protocol = 1  # of dice_any, that this is written for
    #: feature of the conformance kit -> why MLX lacks it
    limits = {
        "errors": "computes when it is asked to, so values are not at hand when the call returns",
        "sets": "the number of different ids depends on values, which are not at hand",
    }

    def __init__(self):
        super().__init__("mlx", namespace)

    def precision(self):
        return mx.stream(mx.cpu)

    def detach(self, array):
        return mx.stop_gradient(array)

    def constant(self, values, dtype, like):
        return mx.asarray(values, dtype=dtype)

    @property
    def version(self):
        return mx.__version__
