"""Let PyTorch's `default_collate` stack a batch of overlaps into one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

#: The module that holds PyTorch's collate functions.
COLLATING = "torch.utils.data._utils.collate"


def let_collate(cls: type) -> None:
    """Register `cls`, which has ``stack``, with `default_collate` if PyTorch is loaded."""
    collating = sys.modules.get(COLLATING)
    functions = getattr(collating, "default_collate_fn_map", None)
    if functions is not None and cls not in functions:
        functions[cls] = _stacked


def _stacked(batch: Sequence[Any], *, collate_fn_map: Any = None) -> Any:
    """Return one overlap of tensors; NumPy arrays become tensors, as in any batch."""
    import torch

    overlap: Any = type(batch[0]).stack(batch)
    if isinstance(overlap.rows, torch.Tensor) or not hasattr(overlap.rows, "__array_interface__"):
        return overlap
    return overlap._with(torch.as_tensor(overlap.rows))
