"""Kernels that Numba compiles for NVIDIA GPUs, for CuPy arrays and PyTorch's CUDA tensors without a
copy.

This module is light. Numba is imported only when a task is accepted that is large enough to wait
for it.
"""

from __future__ import annotations

from importlib.util import find_spec

from ..protocol import Complete

__all__ = ["load"]


def load(module: str) -> Complete:
    """Return the kernel for this library's arrays."""
    if find_spec("numba_cuda") is None:
        raise ModuleNotFoundError("numba-cuda is not installed: pip install 'dice_any[cuda]'")
    from .kernel import Kernel

    return Kernel(module)
