"""The closed-form gradient of sums, as `torch.autograd.Function` classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .library import Array, ArrayLibrary


def sums_function(library: ArrayLibrary, torch: Any) -> Any:
    """Return the autograd function that attaches the closed-form gradient to sums."""

    class Sums(torch.autograd.Function):  # type: ignore[misc]
        """Saves only the arguments, so the gradient is the only further array of their size in a
        training step.
        """

        @staticmethod
        def forward(
            ctx: Any,
            forward: Callable[..., Array],
            backward: Callable[..., Array],
            operations: Callable[..., Array],
            *arrays: Array | None,
        ) -> Array:
            ctx.save_for_backward(*arrays)
            ctx.closed_form, ctx.operations = backward, operations
            return forward(*arrays)

        @staticmethod
        def backward(ctx: Any, cotangent: Array) -> tuple[Array | None, ...]:
            arrays = ctx.saved_tensors
            # the closed form cannot be differentiated or batched: it works in place
            again = torch.is_grad_enabled() or _is_batched(torch, cotangent)
            with library.precision():  # the forward pass has left its own context
                pull = (
                    _pull_back(torch, ctx.operations, arrays, cotangent)
                    if again
                    else ctx.closed_form(*arrays, cotangent)
                )
            return (None, None, None, pull, *(None for _ in arrays[1:]))

    return Sums


def closed_form_function(torch: Any) -> Any:
    """Return the function that gives a loss, whatever it was computed by, its closed-form
    gradient.
    """

    class ClosedForm(torch.autograd.Function):  # type: ignore[misc]
        """Saves the arguments, because they must not change before the backward pass."""

        @staticmethod
        def forward(
            ctx: Any,
            both: Callable[..., tuple[Array, Callable[[Array], Array]]],
            operations: Callable[..., Array],
            *arrays: Array | None,
        ) -> Array:
            ctx.save_for_backward(*arrays)
            ctx.both, ctx.operations = both, operations
            value, ctx.pull = both(*arrays)
            return value

        @staticmethod
        def backward(ctx: Any, cotangent: Array) -> tuple[Array | None, ...]:
            arrays = ctx.saved_tensors  # an error if they were changed
            # the closed form is a constant to whoever differentiates it
            again = torch.is_grad_enabled() or _is_batched(torch, cotangent)
            if again:
                gradient = _pull_back(torch, ctx.operations, arrays, cotangent)
            else:
                # once: what it holds is not to live for as long as the loss does
                pull, ctx.pull = ctx.pull, None
                gradient = (pull or ctx.both(*arrays)[1])(cotangent)
            return (None, None, gradient, *(None for _ in arrays[1:]))

    return ClosedForm


def _is_batched(torch: Any, cotangent: Array) -> bool:
    """Tell whether the cotangent is batched, by `torch.vmap` or by its predecessor, which
    PyTorch's own Jacobians still use.
    """
    functorch = torch._C._functorch
    batched: bool = functorch.is_functorch_wrapped_tensor(cotangent)
    return batched or functorch.is_legacy_batchedtensor(cotangent)


def _pull_back(
    torch: Any, operations: Callable[..., Array], arrays: tuple[Array | None, ...], cotangent: Array
) -> Array:
    """Return the gradient with respect to the first array; it is differentiable itself."""
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        (pull,) = torch.autograd.grad(operations(*arrays), arrays[0], cotangent, create_graph=again)
    return pull
