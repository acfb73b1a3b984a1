"""MLX computes when a value is read. It has float64 only on the CPU, so sums are
computed there, in memory that CPU and GPU share.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import mlx.core as mx

from dice_any.arrays import ArrayLibrary


def astype(array, dtype, copy=True):
    # writing into the result does not change the argument
    return array.astype(dtype)


def total(array, axis=None, dtype=None, keepdims=False):
    # without `dtype` MLX counts in 32 bits, and a float32 sum of ones stops at 2**24
    array = array if dtype is None else array.astype(dtype)
    return mx.sum(array, axis=axis, keepdims=keepdims)


def exp(array):
    # mx.exp of float64 has seven good digits (measured in 0.32), mx.power nearly all
    return mx.power(math.e, array) if array.dtype == mx.float64 else mx.exp(array)


def argsort(array, axis=-1, descending=False, stable=True):
    # MLX keeps equal elements in their order
    return mx.argsort(-array if descending else array, axis=axis)


#: `mlx.core`, with the functions of the standard that it lacks or that differ
namespace = SimpleNamespace(
    **{
        **vars(mx),
        "bool": mx.bool_,
        "astype": astype,
        "sum": total,
        "exp": exp,
        "argsort": argsort,
    }
)


class MLX(ArrayLibrary):
    protocol = 1  # of the plugins of dice_any
    #: feature of the conformance kit -> why MLX lacks it
    limits = {
        "errors": "values are not at hand when the call returns",
        "sets": "the number of ids depends on values, which are not at hand",
    }

    def __init__(self):
        super().__init__("mlx", namespace)

    # messages say what to pass, in code that the user can copy
    public = "mlx.core"

    def cast_code(self, expression, dtype, *, rounded=False):
        expression = self.round_code(expression) if rounded else expression
        dtype = "bool_" if dtype == "bool" else dtype
        return f"{expression}.astype(mlx.core.{dtype})"

    def precision(self):
        return mx.stream(mx.cpu)

    def detach(self, array):
        return mx.stop_gradient(array)

    def constant(self, values, dtype, like):
        return mx.asarray(values, dtype=dtype)

    @property
    def version(self):
        return mx.__version__
