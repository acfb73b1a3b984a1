"""NumPy: eager, in host memory, in tiles that fit in cache."""

from __future__ import annotations

import math
import os
from collections.abc import Hashable, Sequence
from importlib import import_module
from typing import Any

from .collating import let_collate
from .library import Array, Axes, BlockFunction, Masked, NumPyLike, elements
from .light import LightNumPy
from .tiles import tiled_map, tiled_sums

# Elements per tile. Masks need one byte per element and one temporary, label maps one code,
# memberships several float64 terms. Where freed memory returns to the operating system at once
# (Dask's workers ask for that), small blocks cost far less.
MASK_TILE, LABEL_TILE = 1 << 19, 1 << 17
SOFT_TILE = 1 << (13 if "MALLOC_TRIM_THRESHOLD_" in os.environ else 16)
#: The sum of this many integers below 2³¹ is less than 2⁵³.
WEIGHED = 1 << 22


def tile_limit(task: Any) -> int:
    """Return the number of elements of a tile for this kind of work."""
    if task.kind != "hard" or task.activation is not None:
        return SOFT_TILE
    return LABEL_TILE if all(task.labels) else MASK_TILE


def masked_by(module: str) -> Masked:
    """Return the code for masked arrays of a module that has NumPy's `ma`."""
    return Masked(
        f"{module}.ma.getdata({{name}})",
        f"~{module}.ma.getmaskarray({{name}})",
        f"{module}.ma.filled({{name}}, {{fill}})",
    )


class NumPy(NumPyLike):
    protocol = 1

    def __init__(self) -> None:
        import numpy as np

        # NumPy follows the standard since 2.1, and without array-api-compat a small call is a third
        # faster
        since = tuple(int(part) for part in np.__version__.split(".")[:2])
        helper = None if since >= (2, 1) else import_module("array_api_compat.numpy")
        super().__init__("numpy", LightNumPy(helper or np))
        self._np = np

    def is_array(self, value: Any) -> bool:
        return isinstance(value, (self._np.ndarray, self._np.generic))

    def refusal(self, array: Array) -> str | Masked | None:
        np = self._np
        if type(array) is np.ndarray:
            return None
        if isinstance(array, np.ma.MaskedArray):
            return masked_by("numpy")
        if isinstance(array, np.matrix) or not isinstance(array, np.ndarray):
            numbers = self.kind(array.dtype) in ("bool", "integer", "floating")
            return "Pass `numpy.asarray({name})`" if numbers else "Pass an array of real numbers"
        return None

    def metadata(self, array: Array) -> Hashable | None:
        return (array.dtype, array.shape) if type(array) is self._np.ndarray else None

    def at_hand(self, array: Array) -> bool:
        return True

    def device(self, array: Array) -> Any:
        return "cpu"

    def wraps(self, array: Array) -> bool:
        return True

    def are_memberships(self, values: Array) -> bool:
        return bool(values.min() >= 0) and bool(
            values.max() <= 1
        )  # both are false if there is a NaN

    def are_labels(self, values: Array, number: int) -> bool:
        return bool(values.min() >= 0) and bool(values.max() < number)

    def clip(self, values: Array) -> Array:
        return self._np.clip(values, 0.0, 1.0)

    def are_finite(self, values: Array) -> bool:
        # the minimum and the maximum show any infinity; with a NaN both are NaN
        return bool(self._np.isfinite(values.min())) and bool(self._np.isfinite(values.max()))

    def stack(self, arrays: Sequence[Array], axis: int = 0) -> Array:
        return (
            self._np.array(arrays) if axis == 0 else self._np.stack(arrays, axis)
        )  # `np.array` is far faster for scalars

    def count(self, mask: Array, axis: Axes) -> Array:
        np = self._np
        if (
            len(axis) == mask.ndim
        ):  # one count: NumPy's fast path, tens of times faster than a sum along axes
            return np.int64(np.count_nonzero(mask))
        left = tuple(n for a, n in enumerate(mask.shape) if a not in axis)
        if elements(left) == 1:
            return np.full(left, np.count_nonzero(mask), dtype=np.int64)
        return np.sum(mask, axis=axis, dtype=np.int64)

    def bincount(self, codes: Array, length: int, weights: Array | None) -> Array:
        # weights are added in float64: exact for up to WEIGHED weights below 2**31
        np = self._np
        if weights is None:
            return np.bincount(codes, minlength=length)
        if weights.dtype.kind == "f":
            return np.bincount(codes, weights, minlength=length)
        if codes.size <= WEIGHED:
            return np.bincount(codes, weights, minlength=length).astype(np.int64)
        starts = range(0, codes.size, WEIGHED)
        return sum(
            self.bincount(codes[i : i + WEIGHED], length, weights[i : i + WEIGHED]) for i in starts
        )

    def bins_floats(self, weights: Array) -> bool:
        return True

    def pair_codes(self, prediction: Array, target: Array, stride: int) -> Array | None:
        np = self._np
        for labels in (prediction, target):
            if labels.max() >= stride - 1 or (labels.dtype.kind == "i" and labels.min() < 0):
                return None
        # uint16 if it can hold every code: half the memory traffic of converting to int64 at once
        wide = np.uint16 if stride**2 <= 2**16 else np.int64
        codes = target.astype(wide)
        codes *= wide(stride)
        codes += prediction.astype(wide, copy=False)
        return codes

    def tolist(self, array: Array) -> Any:
        return array.tolist()

    def map(self, function: BlockFunction, task: Any, *arrays: Array | None) -> Array:
        first: Array = arrays[0]
        limit = tile_limit(task)
        if first.size <= limit:
            whole = function(task, self, *arrays)
            if whole.shape == first.shape and not self._np.may_share_memory(whole, first):
                return whole  # no view of what somebody else holds
        out = self._np.empty_like(first)
        return tiled_map(function, task, self, arrays, out=out, strides=first.strides, limit=limit)

    def map_over(self, function: BlockFunction, task: Any, *arrays: Array | None) -> Array:
        first: Array = arrays[0]
        limit = tile_limit(task)
        return tiled_map(
            function, task, self, arrays, out=first, strides=first.strides, limit=limit
        )

    def room_like(self, array: Array) -> Array | None:
        return self._np.empty_like(array)

    def run(
        self,
        function: BlockFunction,
        task: Any,
        *arrays: Array | None,
        leading: tuple[int, ...],
        trailing: tuple[int, ...],
    ) -> Array:
        prediction: Array = arrays[0]
        limit = max(
            tile_limit(task), math.prod(leading) * math.prod(trailing)
        )  # so that clearing and adding a tile's sums costs less than the tile itself
        if prediction.size <= limit:
            return function(task, self, *arrays)
        return tiled_sums(
            function,
            task,
            self,
            arrays,
            strides=prediction.strides,
            limit=limit,
            leading=leading,
            trailing=trailing,
        )

    def register(self, cls: type) -> None:
        let_collate(cls)


library = NumPy()
