"""From MONAI's arguments and arrays to those of this package."""

from __future__ import annotations

import inspect
import warnings
from functools import wraps
from typing import Any, TypeVar

import torch
from monai.data import MetaTensor
from monai.metrics.utils import create_ignore_mask

C = TypeVar("C", bound=type)


def checked(cls: C) -> C:
    """Give a class the signature of its MONAI base class, and refuse `other_act`."""
    theirs = cls.__mro__[1].__init__  # type: ignore[misc]
    own = cls.__init__  # type: ignore[misc]

    @wraps(theirs)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        given = inspect.signature(theirs).bind(self, *args, **kwargs).arguments
        if given.get("other_act") is not None:
            raise ValueError(
                "`other_act` must be None here, where sigmoid and softmax alone are known; got a "
                "function. Apply it to the output: `loss(act(output), target)`."
            )
        own(self, *args, **kwargs)

    cls.__init__ = __init__  # type: ignore[misc]
    return cls


def read_arguments(loss: Any, input: torch.Tensor, target: torch.Tensor) -> dict[str, Any]:
    """Return the arguments of `overlap`, and `classes`, for the attributes of a MONAI loss."""
    activation = "sigmoid" if loss.sigmoid else "softmax" if loss.softmax else None
    form = "minimum" if getattr(loss, "soft_label", False) else "product"
    arguments: dict[str, Any] = {
        "class_axis": 1,
        "axis": None if loss.batch else "space",
        "activation": activation,
        "form": "squared" if getattr(loss, "squared_pred", False) else form,
    }
    if input.shape[1] == 1:
        ignored = {"softmax": loss.softmax, "include_background": not loss.include_background}
        for name in (name for name, given in ignored.items() if given):
            _warn(f"`{name}={getattr(loss, name)}`")
        arguments["activation"] = None if activation == "softmax" else activation
    elif not loss.include_background:
        arguments["classes"] = "foreground"
    ignored_label = getattr(loss, "ignore_index", None)
    if ignored_label is not None:
        if _are_labels(loss, input):
            arguments["ignore_label"] = ignored_label
        else:
            arguments["weight"] = create_ignore_mask(plain(target), ignored_label)
    return arguments


def read_arrays(
    loss: Any, input: torch.Tensor, target: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return prediction and target in the format of this package: (N, C, ...) against memberships
    of that shape, or against labels (N, ...).
    """
    input, target = plain(input), plain(target)
    if _are_labels(loss, input):
        return input, as_labels("target", target)
    if loss.to_onehot_y:
        _warn("`to_onehot_y=True`")
    if target.shape != input.shape:
        raise ValueError(
            f"`target` must have the shape of the input, {tuple(input.shape)}; got "
            f"{tuple(target.shape)}. For labels of shape (N, 1, ...) pass `to_onehot_y=True`."
        )
    if target.dtype != torch.bool and not target.is_floating_point():
        target = target.to(torch.float32)  # integers count as memberships, so 255 is invalid
    return input, target


def as_labels(name: str, array: torch.Tensor) -> torch.Tensor:
    """Return a label map (N, ...) of integers from (N, 1, ...) of any dtype."""
    if array.ndim < 2 or array.shape[1] != 1:
        raise ValueError(
            f"`{name}` must have one channel of labels; got shape {tuple(array.shape)}. Pass "
            f"`{name}[:, None]`, or `to_onehot_y=False` where each class has its channel."
        )
    labels = array[:, 0]
    if not labels.is_floating_point():
        return labels.long()
    whole = labels.long()
    at_hand = array.device.type == "cpu" and not torch.compiler.is_compiling()
    if at_hand and not torch.equal(whole.to(labels.dtype), labels):
        raise ValueError(
            f"`{name}` must hold whole numbers, as labels are; got others. Resample label maps "
            'with `mode="nearest"`.'
        )
    return whole


def plain(array: torch.Tensor) -> torch.Tensor:
    """Return a tensor without its metadata."""
    return array.as_tensor() if isinstance(array, MetaTensor) else array


def _are_labels(loss: Any, input: torch.Tensor) -> bool:
    return bool(loss.to_onehot_y) and input.shape[1] > 1


def _warn(what: str) -> None:
    warnings.warn(f"single channel prediction, {what} ignored.", stacklevel=4)
