"""Kernels that Numba compiles for the CPU, for NumPy arrays and, without a copy, PyTorch tensors.

This module is light. Numba is imported only when a task is accepted that is large enough to wait
for it.
"""

from __future__ import annotations

from importlib.util import find_spec

from ..protocol import Complete

__all__ = ["load"]


def load(module: str) -> Complete:
    """Return the kernel for this library's arrays."""
    if find_spec("numba") is None:
        raise ModuleNotFoundError("Numba is not installed: pip install 'dice_any[numba]'")
    from .kernel import Kernel

    return Kernel(module)
