"""The memory layout of PyTorch's tensors."""

from __future__ import annotations

from collections.abc import Callable

from .library import Array, Axes


def first_of_run(tensor: Array, axis: Axes) -> int:
    """Return the first of the trailing axes that are contiguous in memory and all in `axis`.

    If there are none, return the number of axes.
    """
    first: int = tensor.ndim
    step = 1
    while first - 1 in axis and tensor.stride(first - 1) == step:
        first -= 1
        step *= tensor.shape[first]
    return first


def by_stride(tensor: Array) -> list[int]:
    """Return the axes in memory order, slowest first."""
    return sorted(range(tensor.ndim), key=tensor.stride, reverse=True)


def along(function: Callable[[Array, int], Array], tensor: Array, axis: int) -> Array:
    """Call `function` with the axes in memory order, because it copies non-contiguous tensors."""
    if tensor.is_contiguous():
        return function(tensor, axis)
    order = by_stride(tensor)
    inverse = sorted(range(tensor.ndim), key=order.__getitem__)
    return function(tensor.permute(order), order.index(axis)).permute(inverse)
