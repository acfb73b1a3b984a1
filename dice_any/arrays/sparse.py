"""pydata/sparse: eager, on the host. Sums are small and dense, so results are NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .library import Array, BlockFunction, NumPyLike


class Sparse(NumPyLike):
    protocol = 1

    def __init__(self) -> None:
        super().__init__("sparse")

    def vetted(self, array: Array) -> Array:
        return array.asformat("coo")  # the other formats lack functions of the standard

    def argmax(self, scores: Array, axis: Any) -> Array:
        # not sparse's own, which mixes up the other axes, drops those of length 1, and has neither
        # half precision nor another byte order
        return self.constant(scores.todense().argmax(axis=axis), None, None)

    def stack(self, arrays: Sequence[Array], axis: int = 0) -> Array:
        # sums of arrays with different fill values have different fill values too, and sparse
        # cannot stack those
        return self.constant(_numpy().stack([a.todense() for a in arrays], axis=axis), None, None)

    def constant(self, values: Any, dtype: Any, like: Array) -> Array:
        return self.xp.COO.from_numpy(_numpy().asarray(values, dtype=dtype))

    def map(self, function: BlockFunction, task: Any, *arrays: Array | None) -> Array:
        raise TypeError(
            "`prediction` must be dense to have a gradient; got a sparse array. Pass "
            "`prediction.todense()`."
        )

    def run_whole(
        self,
        function: BlockFunction,
        task: Any,
        *arrays: Array | None,
        leading: tuple[int, ...],
        trailing: tuple[int, ...],
    ) -> Array:
        raise TypeError(
            "`prediction` must be dense in a loss that sorts; got a sparse array. Pass "
            "`prediction.todense()`."
        )

    def map_whole(self, function: BlockFunction, task: Any, *arrays: Array | None) -> Array:
        return self.map(function, task, *arrays)

    def answer(self, sums: Array) -> Array:
        return sums.todense()

    def run(
        self,
        function: BlockFunction,
        task: Any,
        *arrays: Array | None,
        leading: tuple[int, ...],
        trailing: tuple[int, ...],
    ) -> Array:
        return self.answer(super().run(function, task, *arrays, leading=leading, trailing=trailing))


def _numpy() -> Any:
    import numpy

    return numpy


library = Sparse()
