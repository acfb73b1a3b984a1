"""What tracks PyTorch's tensors: autograd, the transformations of `torch.func`, compilers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .autograd import closed_form_function, sums_function
from .library import Array, NumPyLike


class FollowedTensors(NumPyLike):
    """The part of PyTorch's library that detects differentiation and sets gradients."""

    def __init__(self, torch: Any) -> None:
        super().__init__("torch", "array_api_compat.torch")
        self._torch: Any = torch
        self._sums = sums_function(self, torch)
        self._closed_form = closed_form_function(torch)

    def traced(self, *arrays: Array | None) -> bool:
        if self._compiling():
            return True
        wrapped = self._torch._C._functorch.is_functorch_wrapped_tensor
        if self._torch.autograd.forward_ad._current_level < 0:
            return any(a is not None and wrapped(a) for a in arrays)
        return any(a is not None and (wrapped(a) or self._has_tangent(a)) for a in arrays)

    def _compiling(self) -> bool:
        """Tell whether operations are recorded to be run later, on other values."""
        return bool(self._torch.compiler.is_compiling() or self._torch.jit.is_tracing())

    def differentiable(self, *arrays: Array | None) -> bool:
        return self._torch.is_grad_enabled() and any(
            a is not None and a.requires_grad for a in arrays
        )

    def with_gradient(
        self,
        forward: Callable[..., Array],
        backward: Callable[..., Array],
        operations: Callable[..., Array],
    ) -> Callable[..., Array]:
        if self._is_transforming():
            return operations
        return partial(self._sums.apply, forward, backward, operations)

    def with_closed_form(
        self,
        forward: Callable[..., Array],
        both: Callable[..., tuple[Array, Callable[[Array], Array]]],
        message: str,
        *arrays: Array,
    ) -> Array:
        if self.traced(*arrays) or self._is_transforming():
            return forward(self.forbid_gradient(arrays[0], message), *arrays[1:])
        if not self.differentiable(arrays[0]):
            return forward(*arrays)
        return self._closed_form.apply(both, partial(_refuse, message), *arrays)

    def as_one_operation(
        self,
        both: Callable[..., tuple[Array, Callable[[Array], Array]]],
        operations: Callable[..., Array],
        *arrays: Array | None,
    ) -> Array:
        if self._is_transforming():
            return operations(*arrays)
        return self._closed_form.apply(both, operations, *arrays)

    def detach(self, array: Array) -> Array:
        return array.detach()

    def forbid_gradient(self, array: Array, message: str, *, eager: bool = True) -> Array:
        followed = self._is_transformed(array) or self._has_tangent(array)
        if followed or (eager and self.differentiable(self._innermost(array))):
            raise ValueError(message)
        return array

    def _is_transforming(self) -> bool:
        """Tell whether a transformation of `torch.func` is running, of these arrays or of others:
        it refuses our autograd functions.
        """
        return bool(self._torch._C._are_functorch_transforms_active())

    def _is_transformed(self, array: Array) -> bool:
        """Tell whether a transformation of `torch.func` differentiates in this array, at any
        level.
        """
        if self._torch.compiler.is_compiling():  # there it shows only in results
            return not array.requires_grad and bool((array * 1).requires_grad)
        functorch = self._torch._C._functorch
        while functorch.is_functorch_wrapped_tensor(array):
            if functorch.is_gradtrackingtensor(array) and array.requires_grad:
                return True
            if self._has_tangent(array):
                return True
            array = functorch.get_unwrapped(array)
        return False

    def _innermost(self, array: Array) -> Array:
        """Return the tensor inside the wrappers of transformations."""
        if not self._torch.compiler.is_compiling():
            functorch = self._torch._C._functorch
            while functorch.is_functorch_wrapped_tensor(array):
                array = functorch.get_unwrapped(array)
        return array

    def _has_tangent(self, array: Array | None) -> bool:
        """Tell whether forward-mode differentiation tracks this array."""
        forward = self._torch.autograd.forward_ad
        if array is None or forward._current_level < 0:
            return False
        return forward.unpack_dual(array).tangent is not None


def _refuse(message: str, *arrays: Array) -> Array:
    raise ValueError(message)
