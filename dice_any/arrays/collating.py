"""How PyTorch's `default_collate` makes one overlap of a batch of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

#: What holds the functions that collate, in a process that has loaded PyTorch.
COLLATING = "torch.utils.data._utils.collate"


def let_collate(cls: type) -> None:
    """Have batches of `cls`, which has ``stack``, stacked where PyTorch is loaded."""
    collating = sys.modules.get(COLLATING)
    functions = getattr(collating, "default_collate_fn_map", None)
    if functions is not None and cls not in functions:
        functions[cls] = _stacked


def _stacked(batch: Sequence[Any], *, collate_fn_map: Any = None) -> Any:
    """Return one overlap of tensors; NumPy's arrays become tensors, as they do in any batch."""
    import torch

    overlap: Any = type(batch[0]).stack(batch)
    if isinstance(overlap.rows, torch.Tensor) or not hasattr(overlap.rows, "__array_interface__"):
        return overlap
    return overlap._with(torch.as_tensor(overlap.rows))
