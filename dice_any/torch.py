"""The losses as PyTorch modules, for code that keeps its criterion in a model.

Each takes the arguments of its function in `dice_any` and hands them on; arguments of a call override those of the module.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import torch

from . import losses
from .loss_arguments import LossArguments

__all__ = [
    "CenterlineDiceLoss",
    "DeepSupervision",
    "DiceCrossEntropyLoss",
    "DiceFocalLoss",
    "DiceLoss",
    "FocalTverskyLoss",
    "GeneralizedDiceLoss",
    "JaccardLoss",
    "LogCoshDiceLoss",
    "LogDiceLoss",
    "LovaszLoss",
    "MatthewsLoss",
    "TverskyLoss",
    "WassersteinDiceLoss",
]


class _Loss(torch.nn.Module):
    """A loss with its arguments; a tensor among them moves with the module."""

    function: ClassVar[Any]

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        own = inspect.signature(self.function).parameters
        known = {*own, *LossArguments.__annotations__} - {"prediction", "target", "arguments"}
        unknown = sorted(set(arguments) - known)
        if unknown:
            raise TypeError(
                f"`{unknown[0]}` must be an argument of `{self.function.__name__}`; got an unknown one. "
                f"Known are {', '.join(sorted(known))}."
            )
        missing = [name for name, p in own.items() if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
        missing = [name for name in missing if name not in arguments]
        if missing:
            raise TypeError(f"`{missing[0]}` must be given to {type(self).__name__}; got none. It has no default.")
        tensors = {name for name, value in arguments.items() if isinstance(value, torch.Tensor)}
        for name in sorted(tensors):
            self.register_buffer(name, arguments[name], persistent=False)
        self.arguments = {name: value for name, value in arguments.items() if name not in tensors}
        self._tensors = sorted(tensors)

    def forward(self, prediction: torch.Tensor, target: torch.Tensor, **arguments: Any) -> torch.Tensor:
        """Return the loss of a prediction and a target."""
        loss: torch.Tensor = self.as_partial()(prediction, target, **arguments)
        return loss

    def as_partial(self) -> partial[Any]:
        """Return the function with the module's arguments bound to it, for `value_and_grad`."""
        held = {name: getattr(self, name) for name in self._tensors}
        return partial(type(self).function, **(self.arguments | held))

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())


class DiceLoss(_Loss):
    """`dice_any.dice_loss` as a module."""

    function = staticmethod(losses.dice_loss)


class JaccardLoss(_Loss):
    """`dice_any.jaccard_loss` as a module."""

    function = staticmethod(losses.jaccard_loss)


class TverskyLoss(_Loss):
    """`dice_any.tversky_loss` as a module."""

    function = staticmethod(losses.tversky_loss)


class FocalTverskyLoss(_Loss):
    """`dice_any.focal_tversky_loss` as a module."""

    function = staticmethod(losses.focal_tversky_loss)


class GeneralizedDiceLoss(_Loss):
    """`dice_any.generalized_dice_loss` as a module."""

    function = staticmethod(losses.generalized_dice_loss)


class LogDiceLoss(_Loss):
    """`dice_any.log_dice_loss` as a module."""

    function = staticmethod(losses.log_dice_loss)


class LogCoshDiceLoss(_Loss):
    """`dice_any.log_cosh_dice_loss` as a module."""

    function = staticmethod(losses.log_cosh_dice_loss)


class MatthewsLoss(_Loss):
    """`dice_any.matthews_loss` as a module."""

    function = staticmethod(losses.matthews_loss)


class DiceCrossEntropyLoss(_Loss):
    """`dice_any.dice_cross_entropy_loss` as a module."""

    function = staticmethod(losses.dice_cross_entropy_loss)


class DiceFocalLoss(_Loss):
    """`dice_any.dice_focal_loss` as a module."""

    function = staticmethod(losses.dice_focal_loss)


class LovaszLoss(_Loss):
    """`dice_any.lovasz_loss` as a module."""

    function = staticmethod(losses.lovasz_loss)


class CenterlineDiceLoss(_Loss):
    """`dice_any.centerline_dice_loss` as a module."""

    function = staticmethod(losses.centerline_dice_loss)


class WassersteinDiceLoss(_Loss):
    """`dice_any.wasserstein_dice_loss` as a module."""

    function = staticmethod(losses.wasserstein_dice_loss)


class DeepSupervision(torch.nn.Module):
    r"""The loss of a network's outputs at several resolutions.

    .. math:: L = \frac{\sum_k v_k\, L_k}{\sum_k v_k}, \qquad v_k = 2^{-k}

    where :math:`L_k` is the loss of the k-th output against the target resized to it (nearest element, so that labels stay
    labels) and :math:`v_k` its weight.

    Parameters
    ----------
    loss : callable
        ``loss(prediction, target, **arguments)``, one of the modules here for instance.
    weights : sequence of float, optional
        Weight of each output, the finest first; 1, ½, ¼, ... by default.

    Examples
    --------
    >>> import torch
    >>> from dice_any.torch import DeepSupervision, DiceLoss
    >>> criterion = DeepSupervision(DiceLoss(class_axis=1, activation="softmax"))
    >>> outputs = [torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 4, 4)]
    >>> round(float(criterion(outputs, torch.zeros(1, 8, 8, dtype=torch.int64))), 4)
    0.6347
    """

    def __init__(self, loss: Any, weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.loss = loss
        self.weights = None if weights is None else [float(weight) for weight in weights]

    def forward(self, predictions: Sequence[torch.Tensor], target: torch.Tensor, **arguments: Any) -> torch.Tensor:
        """Return the weighted mean of the losses; a pixel `weight` is resized like the target."""
        weights = self.weights or [0.5**k for k in range(len(predictions))]
        if len(weights) != len(predictions):
            raise ValueError(
                f"`predictions` must be as many as the weights, {len(weights)}; got {len(predictions)}. Pass `weights=`."
            )
        total = 0.0
        for weight, prediction in zip(weights, predictions, strict=True):
            resized = dict(arguments)
            if arguments.get("weight") is not None:
                resized["weight"] = _nearest(arguments["weight"], prediction)
            total = total + weight * self.loss(prediction, _nearest(target, prediction), **resized)
        return total / sum(weights)  # type: ignore[return-value]


def _nearest(target: torch.Tensor, prediction: torch.Tensor) -> torch.Tensor:
    """Resize the spatial axes, which are the last of both, to those of the prediction."""
    for axis in range(2 - target.ndim if target.ndim == prediction.ndim else 1 - target.ndim, 0):
        old, new = target.shape[axis], prediction.shape[axis]
        if old not in (1, new):
            places = ((torch.arange(new, device=target.device) + 0.5) * (old / new)).to(torch.int64)
            target = target.index_select(axis, places)
    return target
