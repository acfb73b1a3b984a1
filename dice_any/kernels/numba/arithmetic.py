"""The scalar functions, compiled for the CPU. `exp` and the functions that use it have separate
versions for float32 and float64.
"""

from __future__ import annotations

from typing import Any

from numba import njit, types
from numba.extending import overload

from .. import scalars

OPTIONS = {"forceinline": True, "error_model": "numpy", "fastmath": {"contract"}}

_narrow = scalars.compiled(njit(**OPTIONS))
_wide = scalars.compiled(njit(**OPTIONS), wide=True)


def _by_type(name: str, number: int = 1) -> Any:
    """Return an overload that compiles to the float32 or the float64 function, by the type of the
    first argument.
    """
    narrow, wide = getattr(_narrow, name), getattr(_wide, name)

    def choose_one(z: Any) -> Any:
        function = wide if z == types.float64 else narrow
        return lambda z: function(z)

    def choose_two(z: Any, power: Any) -> Any:
        function = wide if z == types.float64 else narrow
        return lambda z, power: function(z, power)

    choose = choose_one if number == 1 else choose_two
    choose.__annotations__.clear()  # Numba compares signatures with those of the lambdas

    def stub(*arguments: Any) -> Any:
        # only a name for Numba, which replaces it by one of the two functions
        raise TypeError(
            f"`{name}` must be called in code that Numba compiles; got a call of Python's. Use the "
            "NumPy function."
        )

    overload(stub, jit_options=OPTIONS)(choose)
    return stub


exp, log, sigmoid, log_sigmoid = (
    _by_type(name) for name in ("exp", "log", "sigmoid", "log_sigmoid")
)
cost, cost_slope = (_by_type(name, 2) for name in ("cost", "cost_slope"))
quantise, high_limb, low_sum = _narrow.quantise, _narrow.high_limb, _narrow.low_sum
is_membership, is_weight = _narrow.is_membership, _narrow.is_weight
member = _by_type("member")
both, size, both_slope, size_slope = (
    _narrow.both,
    _narrow.size,
    _narrow.both_slope,
    _narrow.size_slope,
)
