"""PyTorch: CPU, CUDA and other devices; autograd, torch.func, torch.compile and meta tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from .library import Array, Axes, BlockFunction, Masked, NumPyLike
from .numpy import tile_limit
from .tiles import tiled_map, tiled_sums

#: PyTorch runs up to so many elements on the calling thread. Exact sums take dozens of operations a tile, and where other
#: programs hold the cores, its threads waiting for each other at every one of them cost up to a hundred times the sum.
SERIAL = 1 << 15
#: Plain sums take fewer operations: they are worth all threads, and a tile is no smaller than repays waiting for them, no
#: larger than caches like. Temporaries of a tile's size stand beside the gradient, so that a tile is a small share of the
#: array: two or three of them, or a dozen in an entropy or in half precision.
SMALLEST_TILE, LARGEST_TILE = 1 << 18, 1 << 20
SHARE, SMALL_SHARE = 16, 96
#: So many neighbours are added in float32, by vectors, and their sums in float64: less than a millionth off, and three
#: times as fast as converting every number.
STRETCH = 256


class PyTorch(NumPyLike):
    tiled = True

    def __init__(self) -> None:
        super().__init__("torch", "array_api_compat.torch")
        import torch

        self._torch = torch
        self._registered: set[type] = set()
        self._sums = _sums_function(torch)

    def kind(self, dtype: Any) -> str:
        if dtype == self._torch.bool:
            return "bool"
        if dtype.is_complex:
            return "complex"
        return "floating" if dtype.is_floating_point else "integer"

    def refusal(self, array: Array) -> str | Masked | None:
        torch = self._torch
        if type(array).__name__ == "MaskedTensor":
            return Masked("{name}.get_data()", "{name}.get_mask()")
        if array.is_nested:
            return "Pass its tensors one by one, `{name}.unbind()`, and add the overlaps"
        if array.layout is not torch.strided:
            return "Pass `{name}.to_dense()`"
        if array.is_quantized:
            return "Pass `{name}.dequantize()`"
        return None

    def array_code(self, expression: str) -> str:
        return f"torch.tensor({expression})"  # without a warning of what may not be written

    def cast_code(self, expression: str, dtype: str, *, rounded: bool = False) -> str:
        expression = self.round_code(expression) if rounded else expression
        return f"{expression}.to(torch.{dtype})"

    def device(self, array: Array) -> Any:
        return array.device

    def traced(self, *arrays: Array | None) -> bool:
        torch = self._torch
        wrapped = torch._C._functorch.is_functorch_wrapped_tensor
        return bool(torch.compiler.is_compiling()) or any(a is not None and wrapped(a) for a in arrays)

    def has_values(self, array: Array) -> bool:
        return not self.traced(array) and not _is_fake(array)

    def at_hand(self, array: Array) -> bool:
        return not self.traced(array) and array.device.type == "cpu" and not _is_fake(array)

    def are_labels(self, values: Array, number: int) -> bool:
        if not self.at_hand(values):
            return False
        low, high = self._torch.aminmax(values)
        return bool(low.item() >= 0 and high.item() < number)

    def has_float64(self, array: Array) -> bool:
        return bool(array.device.type != "mps")

    def differentiable(self, *arrays: Array | None) -> bool:
        return self._torch.is_grad_enabled() and any(a is not None and a.requires_grad for a in arrays)

    def with_gradient(self, forward: Callable[..., Array], backward: Callable[..., Array]) -> Callable[..., Array]:
        return partial(self._sums.apply, forward, backward)

    def detach(self, array: Array) -> Array:
        return array.detach()

    def are_memberships(self, values: Array) -> bool:
        if not self.at_hand(values):
            return False
        low, high = self._torch.aminmax(values)
        return bool(low.item() >= 0 and high.item() <= 1)  # neither holds if there is a NaN

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
            first = _first_of_run(terms, axis)
            run = math.prod(terms.shape[first:])
            stretch = math.gcd(run, STRETCH)
            if stretch >= 16:
                terms = terms.view(*terms.shape[:first], run // stretch, stretch).sum(dim=first + 1)
                axis = (*(a for a in axis if a < first), first)
        return self._torch.sum(terms, dim=axis, dtype=self._torch.float64)

    def floating_equal(self, x: Array, y: Array) -> Array:
        # straight to floating numbers: PyTorch takes five times as long by way of booleans
        if self.traced(x, y):
            return (x == y).to(x.dtype)
        return self._torch.eq(x, y, out=self._torch.empty(0, dtype=x.dtype, device=x.device))

    def sigmoid(self, z: Array) -> Array:
        return self._torch.sigmoid(z)

    def softmax(self, z: Array, axis: Any) -> Array:
        return _along(self._torch.softmax, z, axis)

    def log_softmax(self, z: Array, axis: Any) -> Array:
        return _along(self._torch.log_softmax, z, axis)

    def bincount(self, codes: Array, length: int, weights: Array | None) -> Array:
        torch = self._torch
        if weights is None and self.at_hand(codes):
            return torch.bincount(codes, minlength=length)
        # no synchronisation, no data-dependent shape; integer additions have no order
        counts = torch.zeros(length, dtype=torch.int64, device=codes.device)
        return counts.index_add(0, codes, torch.ones_like(codes) if weights is None else weights)

    def sqrt(self, values: Array) -> Array:
        # PyTorch's vectorised CPU square root is off by one ulp for about 1 % of arguments. One Newton step with the
        # exact residual (Dekker's product, 27-bit halves) rounds it correctly; elsewhere the step changes nothing.
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
        return self._fill(self._torch.empty_like(first), function, task, arrays)

    def map_over(self, function: BlockFunction, task: Any, *arrays: Array | None) -> Array:
        if not self._all_at_hand(arrays):
            return function(task, self, *arrays)
        return self._fill(arrays[0], function, task, arrays)

    def _fill(self, out: Array, function: BlockFunction, task: Any, arrays: tuple[Array | None, ...]) -> Array:
        first: Array = arrays[0]
        limit = self._tile_limit(task, first.numel())
        with self._torch.no_grad():
            return tiled_map(function, task, self, arrays, out=out, strides=first.stride(), limit=limit)

    def can_keep(self, array: Array) -> bool:
        return self.at_hand(array) and bool(array.permute(_by_stride(array)).is_contiguous())

    def _all_at_hand(self, arrays: tuple[Array | None, ...]) -> bool:
        return all(a is None or self.at_hand(a) for a in arrays)

    def _tile_limit(self, task: Any, elements: int) -> int:
        if task.kind == "plain":
            light = task.entropy is None and task.dtypes[0] in ("float32", "float64")
            return min(max(elements // (SHARE if light else SMALL_SHARE), SMALLEST_TILE), LARGEST_TILE)
        return min(tile_limit(task), SERIAL) if task.kind == "exact" else tile_limit(task)

    def run(
        self, function: BlockFunction, task: Any, *arrays: Array | None, lead: tuple[int, ...], tail: tuple[int, ...]
    ) -> Array:
        prediction: Array = arrays[0]
        if self.differentiable(*arrays) or not self._all_at_hand(arrays):
            return function(task, self, *arrays)
        limit = self._tile_limit(task, prediction.numel())
        if prediction.numel() <= limit:
            return function(task, self, *arrays)
        return tiled_sums(function, task, self, arrays, strides=prediction.stride(), limit=limit, lead=lead, tail=tail)

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

    def default_device(self) -> str:
        return "cuda" if self._torch.cuda.is_available() else "cpu"


def _sums_function(torch: Any) -> Any:
    """Return the function that gives sums their closed-form gradient."""

    class Sums(torch.autograd.Function):  # type: ignore[misc]
        """Keeps the arguments only: the gradient is the one array of their size that a training step adds."""

        @staticmethod
        def forward(ctx: Any, forward: Callable[..., Array], backward: Callable[..., Array], *arrays: Array | None) -> Array:
            ctx.save_for_backward(*arrays)
            ctx.closed_form = backward
            return forward(*arrays)

        @staticmethod
        @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator,unused-ignore]
        def backward(ctx: Any, cotangent: Array) -> tuple[Array | None, ...]:
            arrays = ctx.saved_tensors
            return (None, None, ctx.closed_form(*arrays, cotangent), *(None for _ in arrays[1:]))

    return Sums


def _first_of_run(tensor: Array, axis: Axes) -> int:
    """Return the first of the last axes that lie in memory as one axis and are all in `axis`; their number if none does."""
    first: int = tensor.ndim
    step = 1
    while first - 1 in axis and tensor.stride(first - 1) == step:
        first -= 1
        step *= tensor.shape[first]
    return first


def _by_stride(tensor: Array) -> list[int]:
    """Return the axes in the order of memory, slowest first."""
    return sorted(range(tensor.ndim), key=tensor.stride, reverse=True)


def _along(function: Callable[[Array, int], Array], tensor: Array, axis: int) -> Array:
    """Call a function that copies whatever is not contiguous on the axes in the order of memory."""
    if tensor.is_contiguous():
        return function(tensor, axis)
    order = _by_stride(tensor)
    inverse = sorted(range(tensor.ndim), key=order.__getitem__)
    return function(tensor.permute(order), order.index(axis)).permute(inverse)


def _is_fake(tensor: Array) -> bool:
    return tensor.device.type == "meta" or type(tensor).__module__.startswith("torch._subclasses")


library = PyTorch()
