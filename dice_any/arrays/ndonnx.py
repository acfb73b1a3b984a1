"""ndonnx: operations are recorded in an ONNX graph; values exist once a runtime runs it."""

from __future__ import annotations

from typing import Any

from .library import Array, ArrayLibrary


class Ndonnx(ArrayLibrary):
    protocol = 1

    def __init__(self) -> None:
        super().__init__("ndonnx")

    def device(self, array: Array) -> Any:
        return None

    def has_values(self, array: Array) -> bool:
        try:
            array.unwrap_numpy()
        except ValueError:  # an input of the graph, or computed from one
            return False
        return True

    def sums_53_bits(self, array: Array) -> bool:
        return True

    def same_numbers(self, x: Array, y: Array) -> bool:
        from .numpy import library as of_numpy  # ndonnx has no signbit

        return of_numpy.same_numbers(x.unwrap_numpy(), y.unwrap_numpy())

    def constant(self, values: Any, dtype: Any, like: Array) -> Array:
        return self.xp.asarray(values, dtype=dtype)

    def tolist(self, array: Array) -> Any:
        return array.unwrap_numpy().tolist()


library = Ndonnx()
