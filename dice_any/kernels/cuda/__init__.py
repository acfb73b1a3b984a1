"""Kernels that Numba compiles for NVIDIA GPUs: for CuPy's arrays and PyTorch's CUDA tensors, where
they lie.

What is here decides and prepares. It imports Numba only when a task is accepted that is large
enough to wait for it.
"""

from __future__ import annotations

from importlib.util import find_spec

from ..protocol import Complete

__all__ = ["load"]


def load(module: str) -> Complete:
    """Return the kernel for the arrays of this library."""
    if find_spec("numba_cuda") is None:
        raise ModuleNotFoundError("numba-cuda is not installed: pip install 'dice_any[cuda]'")
    from .kernel import Kernel

    return Kernel(module)
