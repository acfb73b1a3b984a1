"""PyTorch: CPU, CUDA and other devices; autograd, torch.func, torch.compile and meta tensors."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from .collating import let_collate
from .lending import LendsToNumPy
from .library import Array, Axes, BlockFunction, Masked
from .numpy import library as numpy
from .numpy import tile_limit
from .strides import along, by_stride, first_of_run
from .tiles import tiled_map, tiled_sums

#: PyTorch runs up to this many elements on the calling thread. Its threads wait for each other at
#: each of the dozens of operations of an exact sum. That costs up to a hundred times the sum if
#: other programs occupy the cores.
SERIAL = 1 << 15
#: Plain sums take fewer operations, so they use all threads. A tile is large enough to repay
#: waiting for them and small enough for caches. Two or three temporaries of its size exist beside
#: the gradient (a dozen for an entropy or in half precision), so it is a small share of the array.
SMALLEST_TILE, LARGEST_TILE = 1 << 18, 1 << 20
SHARE, SMALL_SHARE = 16, 96
#: NumPy is faster at counting masks of up to this many elements and label maps of any size, and at
#: exact sums.
FEW = 1 << 16
#: This many neighbours are added in float32, vectorised, and their sums in float64. The relative
#: error is below a millionth, and it is three times as fast as converting every number.
STRETCH = 256
#: Devices that `torch.autocast` supports.
CASTING = ("cpu", "cuda", "xpu", "mps", "hpu", "mtia", "ipu", "maia", "privateuseone")


#: Types that PyTorch stores and cannot compute with, several numbers to a byte.
PACKED = re.compile(r"bit|q?u?int[1-7](x|$)|float4|quint|qint")


class PyTorch(LendsToNumPy):
    protocol = 1

    def __init__(self) -> None:
        import torch

        super().__init__(torch)
        # an export may end in ONNX; older versions cannot tell it from other compiling
        self._is_exporting = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)
        self._may_cast = getattr(torch._C, "_is_any_autocast_enabled", lambda: True)
        self._registered: set[type] = set()
        self._bits_of_1 = {
            torch.float64: (torch.int64, 0x3FF0_0000_0000_0000),
            torch.float32: (torch.int32, 0x3F80_0000),
            torch.float16: (torch.int16, 0x3C00),
            torch.bfloat16: (torch.int16, 0x3F80),
        }

    def kind(self, dtype: Any) -> str:
        if dtype == self._torch.bool:
            return "bool"
        if dtype.is_complex:
            return "complex"
        if PACKED.match(self.dtype_name(dtype)):
            return "other"
        return "floating" if dtype.is_floating_point else "integer"

    def refusal(self, array: Array) -> str | Masked | None:
        torch = self._torch
        if type(array).__name__ == "MaskedTensor":
            return Masked("{name}.get_data()", "{name}.get_mask()", "{name}.to_tensor({fill})")
        if array.is_nested:
            return "Pass its tensors one by one, `{name}.unbind()`, and add the overlaps"
        if array.layout is not torch.strided:
            return "Pass `{name}.to_dense()`"
        if array.is_quantized:
            return "Pass `{name}.dequantize()`"
        return None

    def array_code(self, expression: str) -> str:
        return f"torch.tensor({expression})"  # `as_tensor` warns about read-only memory

    def cast_code(self, expression: str, dtype: str, *, rounded: bool = False) -> str:
        expression = self.round_code(expression) if rounded else expression
        return f"{expression}.to(torch.{dtype})"

    def device(self, array: Array) -> Any:
        return array.device

    def metadata(self, array: Array) -> Hashable | None:
        if self._compiling() or type(array) not in self._plain or array.is_nested:
            return None
        return array.dtype, array.shape, array.device, array.layout

    def has_values(self, array: Array) -> bool:
        return not self.traced(array) and not _is_fake(array)

    def wraps(self, array: Array) -> bool:
        return not self._compiling()

    def sums_53_bits(self, array: Array) -> bool:
        return bool(self._is_exporting() or self._torch.jit.is_tracing())

    def at_hand(self, array: Array) -> bool:
        return not self.traced(array) and array.device.type == "cpu" and not _is_fake(array)

    def are_labels(self, values: Array, number: int) -> bool:
        if not self.at_hand(values):
            return False
        low, high = self._torch.aminmax(self._computable(values))
        return bool(low.item() >= 0 and high.item() < number)

    def has_float64(self, array: Array) -> bool:
        return bool(array.device.type != "mps")

    def precision(self) -> AbstractContextManager[Any]:
        # keep our own precision for sums and products inside of `torch.autocast`
        if not self._may_cast():
            return nullcontext()
        torch = self._torch
        off = [
            torch.autocast(device, enabled=False)
            for device in CASTING
            if torch.is_autocast_enabled(device)
        ]
        return off[0] if len(off) == 1 else _all_of(off)

    def casts_back(self, array: Array) -> bool:
        return self._may_cast() and self.traced(array) and self.has_float64(array)

    def are_finite(self, values: Array) -> bool:
        # the fastest reduction: infinity or NaN propagates to the sum; an overflow is harmless
        return self.at_hand(values) and math.isfinite(values.detach().sum().item())

    def are_memberships(self, values: Array) -> bool:
        if not self.at_hand(values):
            return False
        # Read as integers, floating numbers from 0 on keep their order, and NaN exceeds 1; negative
        # ones stay negative. Integers compare twice as fast.
        values = self._computable(values.detach()).resolve_neg()
        integer, one = self._bits_of_1[values.dtype]
        low, high = self._torch.aminmax(values.view(integer))
        return bool(low.item() >= 0 and high.item() <= one)

    def clip(self, values: Array) -> Array:
        return self._torch.clamp(values, 0.0, 1.0)

    def argmax(self, scores: Array, axis: Any) -> Array:
        return self._torch.argmax(self._computable(scores), dim=axis)

    def _computable(self, values: Array) -> Array:
        """Convert float8 and most unsigned integers to a dtype that PyTorch can compute with."""
        torch = self._torch
        if values.dtype.is_floating_point:
            return values if values.dtype.itemsize > 1 else values.to(torch.float32)
        rare = values.dtype in (torch.uint16, torch.uint32, torch.uint64)
        return values.to(torch.int64) if rare else values

    def count(self, mask: Array, axis: Axes) -> Array:
        torch = self._torch
        if not axis:
            return mask.to(torch.int64)
        if self.traced(mask):  # count_nonzero has no batching rule
            return torch.sum(mask, dim=axis, dtype=torch.int64)
        return torch.count_nonzero(mask, dim=axis if len(axis) < mask.ndim else None)

    def sum_wide(self, terms: Array, axis: Axes) -> Array:
        if not axis:
            return terms.to(self._torch.float64)
        if terms.dtype == self._torch.float32 and not self.traced(terms):
            first = first_of_run(terms, axis)
            run = math.prod(terms.shape[first:])
            stretch = math.gcd(run, STRETCH)
            if stretch >= 16:
                terms = terms.view(*terms.shape[:first], run // stretch, stretch).sum(dim=first + 1)
                axis = (*(a for a in axis if a < first), first)
        return self._torch.sum(terms, dim=axis, dtype=self._torch.float64)

    def floating_equal(self, x: Array, y: Array) -> Array:
        # compare directly into floating numbers: by way of booleans takes five times as long
        if self.traced(x, y):
            return (x == y).to(x.dtype)
        return self._torch.eq(x, y, out=self._torch.empty(0, dtype=x.dtype, device=x.device))

    def sigmoid(self, z: Array) -> Array:
        torch = self._torch
        if self.are_finite(z):
            return torch.sigmoid(z)
        nan = math.nan
        return torch.sigmoid(torch.nan_to_num(z, nan=nan, posinf=nan, neginf=-math.inf))

    def softmax(self, z: Array, axis: Any) -> Array:
        return along(self._torch.softmax, z, axis)

    def log_softmax(self, z: Array, axis: Any) -> Array:
        return along(self._torch.log_softmax, z, axis)

    def bincount(self, codes: Array, length: int, weights: Array | None) -> Array:
        torch = self._torch
        if weights is not None and weights.is_floating_point():
            weights = weights.to(torch.float64)  # `torch.bincount` adds in the weights' own dtype
            if self.at_hand(codes) and not weights.requires_grad:
                return torch.bincount(codes, weights, minlength=length)
        elif weights is None:
            if self.at_hand(codes):
                return torch.bincount(codes, minlength=length)
            weights = torch.ones_like(codes)
        # no synchronisation, no data-dependent shape; integer additions have no order
        counts = torch.zeros(length, dtype=weights.dtype, device=codes.device)
        return counts.index_add(0, codes, weights)

    def bins_floats(self, weights: Array) -> bool:
        return bool(weights.device.type == "cpu")  # on CUDA their order is left to chance

    def sqrt(self, values: Array) -> Array:
        # PyTorch's vectorised CPU square root is off by one ulp for about 1 % of arguments. One
        # Newton step with the exact residual (Dekker's product, 27-bit halves) corrects these and
        # does not change the others.
        root = self._torch.sqrt(values)
        split = root * 134217729.0
        high = split - (split - root)
        low = root - high
        square = root * root
        error = ((high * high - square) + 2.0 * high * low) + low * low
        mended = root + ((values - square) - error) / self._torch.where(root == 0, 1.0, 2.0 * root)
        return self._torch.where(self._torch.isfinite(mended), mended, root)

    def arange(self, stop: int, like: Array) -> Array:
        return self._torch.arange(stop, dtype=self._torch.int64, device=like.device)

    def constant(self, values: Any, dtype: Any, like: Array) -> Array:
        return self._torch.as_tensor(values, dtype=dtype, device=like.device)

    def tolist(self, array: Array) -> Any:
        return array.tolist()

    def map(self, function: BlockFunction, task: Any, *arrays: Array | None) -> Array:
        if not self._all_at_hand(arrays):
            return function(task, self, *arrays)
        first: Array = arrays[0]
        if self._faster_by_numpy(task, first):
            return self._torch.from_numpy(numpy.map(function, task, *map(self._as_numpy, arrays)))
        return self._fill(self._torch.empty_like(first), function, task, arrays)

    def map_over(self, function: BlockFunction, task: Any, *arrays: Array | None) -> Array:
        if not self._all_at_hand(arrays):
            return function(task, self, *arrays)
        if self._faster_by_numpy(task, arrays[0]):
            numpy.map_over(function, task, *map(self._as_numpy, arrays))
            return arrays[0]
        return self._fill(arrays[0], function, task, arrays)

    def _fill(
        self, out: Array, function: BlockFunction, task: Any, arrays: tuple[Array | None, ...]
    ) -> Array:
        first: Array = arrays[0]
        limit = self._tile_limit(task, first.numel())
        with self._torch.no_grad():
            return tiled_map(
                function, task, self, arrays, out=out, strides=first.stride(), limit=limit
            )

    def room_like(self, array: Array) -> Array | None:
        return self._torch.empty_like(array) if self.at_hand(array) else None

    def can_keep(self, array: Array) -> bool:
        return self.at_hand(array) and bool(array.permute(by_stride(array)).is_contiguous())

    def _faster_by_numpy(self, task: Any, prediction: Array) -> bool:
        """Tell whether NumPy is faster on the same memory; its results have the same bits."""
        if task.kind == "exact":
            return not any(str(name).startswith(("bfloat", "float8")) for name in task.dtypes)
        few = all(task.labels) or prediction.numel() <= FEW
        return task.kind == "hard" and task.activation is None and few

    def _as_numpy(self, array: Array | None) -> Any:
        return None if array is None else self.hand_over(array)

    def _all_at_hand(self, arrays: tuple[Array | None, ...]) -> bool:
        return all(a is None or self.at_hand(a) for a in arrays)

    def _tile_limit(self, task: Any, elements: int) -> int:
        if task.kind == "plain":
            light = task.entropy is None and task.dtypes[0] in ("float32", "float64")
            return min(
                max(elements // (SHARE if light else SMALL_SHARE), SMALLEST_TILE), LARGEST_TILE
            )
        return min(tile_limit(task), SERIAL) if task.kind == "exact" else tile_limit(task)

    def run(
        self,
        function: BlockFunction,
        task: Any,
        *arrays: Array | None,
        leading: tuple[int, ...],
        trailing: tuple[int, ...],
    ) -> Array:
        prediction: Array = arrays[0]
        if self.differentiable(*arrays) or not self._all_at_hand(arrays):
            return function(task, self, *arrays)
        if self._faster_by_numpy(task, prediction):
            host = map(self._as_numpy, arrays)
            sums = numpy.run(function, task, *host, leading=leading, trailing=trailing)
            return self._torch.from_numpy(sums)
        most = math.prod(leading) * math.prod(trailing)
        limit = max(self._tile_limit(task, prediction.numel()), most)
        if prediction.numel() <= limit:
            return function(task, self, *arrays)
        return tiled_sums(
            function,
            task,
            self,
            arrays,
            strides=prediction.stride(),
            limit=limit,
            leading=leading,
            trailing=trailing,
        )

    def register(self, cls: type) -> None:
        if cls in self._registered or self._torch.compiler.is_compiling():
            return
        self._registered.add(cls)
        from torch.utils import _pytree

        _pytree.register_pytree_node(
            cls,
            lambda value: value.tree_flatten(),
            lambda leaves, context: cls.tree_unflatten(context, leaves),  # type: ignore[attr-defined]
            serialized_type_name=f"{cls.__module__}.{cls.__qualname__}",
        )
        let_collate(cls)

    def default_device(self) -> str:
        return "cuda" if self._torch.cuda.is_available() else "cpu"


@contextmanager
def _all_of(contexts: list[AbstractContextManager[Any]]) -> Iterator[None]:
    """Enter one context inside of another: PyTorch's compiler cannot look into an `ExitStack`."""
    if not contexts:
        yield
        return
    with contexts[0], _all_of(contexts[1:]):
        yield


def _is_fake(tensor: Array) -> bool:
    return tensor.device.type == "meta" or type(tensor).__module__.startswith("torch._subclasses")


library = PyTorch()
