"""From MONAI's arguments and arrays to those of this package."""

from __future__ import annotations

import inspect
import warnings
from functools import wraps
from typing import Any, TypeVar

import torch
from monai.data import MetaTensor
from monai.metrics.utils import create_ignore_mask

from ...reading import read_integer
from ..wording import NO_WEIGHTS, check_tensor, refuse_masked, wording

C = TypeVar("C", bound=type)

#: MONAI's words for ours, in losses
OF_LOSSES = {
    "prediction": "input",
    "activation": "sigmoid` and `softmax",
    "activation=None": "sigmoid=False` and `softmax=False",
    "activation='sigmoid'": "sigmoid=True",
    "activation='softmax'": "softmax=True",
    "ignore_label": "ignore_index",
    "smooth": "smooth_nr` and `smooth_dr",
    "dice_weight": "lambda_dice",
    "cross_entropy_weight": "lambda_ce",
    "focal_weight": "lambda_focal",
}
#: what losses without `ignore_index` cannot say, nor may the Dice loss in them
WITHOUT_IGNORING = {
    f"Pass `{word}=` for a label that means nothing, or relabel": "Relabel it"
    for word in ("ignore_label", "ignore_index")
}
#: MONAI's words for ours, in metrics
OF_METRICS = {"prediction": "y_pred", "target": "y", "ignore_label": "ignore_index"}
#: what metrics without `num_classes` cannot say
WITHOUT_LABELS = {", or labels with `num_classes=`": ""}
LIKE = torch.empty(0)  # so that cures make tensors


def checked(cls: C) -> C:
    """Give a loss the signature of its MONAI base class, refuse `other_act` and what is no batch of
    tensors, and let errors use MONAI's words.
    """
    theirs = cls.__mro__[1].__init__  # type: ignore[misc]
    own = cls.__init__  # type: ignore[misc]
    compute: Any = cls.forward  # type: ignore[attr-defined]
    may_ignore = "ignore_index" in inspect.signature(theirs).parameters
    words = OF_LOSSES | ({} if may_ignore else WITHOUT_IGNORING)

    @wraps(theirs)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        given = inspect.signature(theirs).bind(self, *args, **kwargs).arguments
        if given.get("other_act") is not None:
            raise ValueError(
                "`other_act` must be None here, where sigmoid and softmax alone are known; got a "
                "function. Apply it to the output: `loss(act(output), target)`."
            )
        own(self, *args, **kwargs)

    @wraps(compute)
    def forward(self: Any, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        with wording(words):
            _check_batches(input, target)
            loss: torch.Tensor = compute(self, input, target)
            return loss

    cls.__init__ = __init__  # type: ignore[misc]
    cls.forward = forward  # type: ignore[attr-defined]
    return cls


class Checked:
    """A metric that refuses what is no tensor, and whose errors use MONAI's words."""

    def __call__(self, y_pred: Any, y: Any = None, **kwargs: Any) -> Any:
        words = OF_METRICS | ({} if hasattr(self, "num_classes") else WITHOUT_LABELS)
        with wording(words):
            lists = [isinstance(each, (list, tuple)) for each in (y_pred, y)]
            for name, given, several in zip(
                ("prediction", "target"), (y_pred, y), lists, strict=True
            ):
                for each in given if several else [given]:
                    _check_tensor(name, each)
            if any(lists) and len(y_pred) != len(y):
                raise ValueError(
                    f"`y` must hold as many cases as `y_pred`, {len(y_pred)}; got {len(y)}. Pass "
                    "the target of each case."
                )
            return super().__call__(y_pred, y, **kwargs)  # type: ignore[misc]


def _check_tensor(name: str, array: object) -> None:
    refuse_masked(name, array, cure=NO_WEIGHTS)
    check_tensor(name, array, LIKE)


def _check_batches(input: object, target: object) -> None:
    for name, array in (("prediction", input), ("target", target)):
        _check_tensor(name, array)
        if array.ndim < 2:  # type: ignore[attr-defined]
            raise ValueError(
                f"`{name}` must have a batch and a channel axis; got shape "
                f"{tuple(array.shape)}. Pass `{name}[None, None]` for one channel of one case."  # type: ignore[attr-defined]
            )


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
        ignored_label = read_integer("ignore_index", ignored_label)
        if _are_labels(loss, input):
            arguments["ignore_label"] = ignored_label
        else:
            arguments["weight"] = weight_without(plain(target), ignored_label)
    return arguments


def weight_without(target: torch.Tensor, label: int) -> torch.Tensor:
    """Return MONAI's mask of what is not ignored. What is invalid in the target counts, so that the
    error names the target.
    """
    mask = create_ignore_mask(target.float() if target.dtype == torch.bool else target, label)
    return torch.nan_to_num(mask, nan=1.0).clamp(0, 1)


def read_arrays(
    loss: Any, input: torch.Tensor, target: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return prediction and target in the format of this package: (N, C, ...) against memberships
    of that shape, or against labels (N, ...).
    """
    input, target = as_members(plain(input)), plain(target)
    if _are_labels(loss, input):
        return input, as_labels("target", target)
    if loss.to_onehot_y:
        _warn("`to_onehot_y=True`")
    if target.shape != input.shape:
        raise ValueError(
            f"`target` must have the shape of the input, {tuple(input.shape)}; got "
            f"{tuple(target.shape)}. For labels of shape (N, 1, ...) pass `to_onehot_y=True`."
        )
    return input, as_members(target)


def as_members(array: torch.Tensor) -> torch.Tensor:
    """Return integers as memberships, of which 255 is invalid; other numbers unchanged."""
    integer = not (array.is_floating_point() or array.is_complex() or array.dtype == torch.bool)
    return array.to(torch.float32) if integer else array


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
