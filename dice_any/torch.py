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
from .reading import check_not_negative

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
        ``loss(prediction, target, **arguments)``, one of the modules here for instance. Its `class_axis` tells which axis
        is not resized; a loss without one is taken to have its classes on axis 1.
    weights : sequence of float, optional
        Weight of each output, the finest first; 1, ½, ¼, ... by default.

    Notes
    -----
    It is called with a list or tuple of outputs, or with one tensor, which is one output: the loss itself, as networks
    return it in evaluation. The target is one tensor, or a list with one for each output, used as they are; so is a pixel
    `weight`. Axis 0 holds the samples, unless it is the class axis.

    Raises
    ------
    TypeError
        If an output is no tensor.
    ValueError
        If outputs, targets and weights are not as many, if samples differ, or if one tensor holds several outputs: a stack
        (samples, outputs, ...) is taken apart by ``.unbind(1)``.

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
        if weights is not None:
            check_not_negative(**{f"weights[{k}]": weight for k, weight in enumerate(weights)})
            if not sum(weights) > 0:
                raise ValueError(
                    "`weights` must add up to more than 0; got zeros only. Leave out outputs that do not count."
                )
        self.weights = None if weights is None else [float(weight) for weight in weights]

    def forward(
        self,
        predictions: torch.Tensor | Sequence[torch.Tensor],
        target: torch.Tensor | Sequence[torch.Tensor],
        **arguments: Any,
    ) -> torch.Tensor:
        """Return the weighted mean of the losses."""
        class_axis = self._class_axis(arguments)
        single = isinstance(predictions, torch.Tensor)
        outputs: Any = [predictions] if single else predictions
        _check_outputs(outputs)
        weights = [1.0] if single else self.weights or [0.5**k for k in range(len(outputs))]
        if len(weights) != len(outputs):
            raise ValueError(
                f"`predictions` must be as many as the weights, {len(weights)}; got {len(outputs)}. Pass `weights=`."
            )
        targets = _each("target", target, outputs, class_axis)
        pixels: list[Any] = [None] * len(outputs)
        if (weight := arguments.pop("weight", None)) is not None:
            pixels = _each("weight", weight, outputs, class_axis)
        parts: list[torch.Tensor] = []
        for output, truth, pixel in zip(outputs, targets, pixels, strict=True):
            _check_not_stacked(output, truth, class_axis)
            given = arguments if pixel is None else {**arguments, "weight": pixel}
            parts.append(self.loss(output, truth, **given))
        if single:
            return parts[0]
        total = sum(share * part for share, part in zip(weights, parts, strict=True))
        return total / sum(weights)  # type: ignore[no-any-return,return-value]

    def _class_axis(self, arguments: dict[str, Any]) -> int | None:
        """Return the class axis that the loss is called with."""
        known = {**getattr(self.loss, "keywords", {}), **getattr(self.loss, "arguments", {}), **arguments}
        if "class_axis" in known or isinstance(self.loss, _Loss):
            return known.get("class_axis")
        return 1


def _check_outputs(outputs: Any) -> None:
    if not isinstance(outputs, (list, tuple)) or not all(isinstance(output, torch.Tensor) for output in outputs):
        every = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        found = ", ".join(sorted({type(output).__name__ for output in every}))
        raise TypeError(
            f"`predictions` must be a tensor or a list of tensors, one an output; got {found}. Pass the outputs themselves."
        )
    if not outputs:
        raise ValueError("`predictions` must hold an output or more; got an empty list. Pass one tensor for one output.")


def _check_not_stacked(output: torch.Tensor, target: torch.Tensor, class_axis: int | None) -> None:
    """Refuse one tensor of several outputs, whose classes or samples would be taken for something else."""
    labels = class_axis is not None and not target.is_floating_point() and target.dtype != torch.bool
    if output.ndim > target.ndim + labels:
        raise ValueError(
            f"`predictions` must have an axis for each of the target's{', and that of the classes' if labels else ''}; got "
            f"shape {tuple(output.shape)} beside {tuple(target.shape)}. Take a stack of outputs (samples, outputs, ...) "
            "apart: `predictions.unbind(1)`."
        )


def _each(name: str, given: Any, outputs: Sequence[torch.Tensor], class_axis: int | None) -> list[torch.Tensor]:
    """Return a target or weight for each output: those given, or one resized to each."""
    if isinstance(given, (list, tuple)):
        if len(given) != len(outputs):
            raise ValueError(
                f"`{name}` must be one tensor or as many as the outputs, {len(outputs)}; got {len(given)}. "
                "Pass one, and it is resized to each output."
            )
        return list(given)
    return [_nearest(name, given, output, class_axis) for output in outputs]


def _nearest(name: str, array: torch.Tensor, output: torch.Tensor, class_axis: int | None) -> torch.Tensor:
    """Resize the axes of elements to those of an output, each element the nearest of the old ones."""
    axes = list(range(output.ndim))
    if class_axis is not None and -output.ndim <= class_axis < output.ndim:
        axes.remove(class_axis % output.ndim)
    own = axes if array.ndim == output.ndim - 1 else list(range(array.ndim))  # without the class axis
    if array.ndim not in (len(axes), output.ndim):
        return array  # the loss says what does not fit
    for axis in axes:
        mine = own.index(axis)
        old, new = array.shape[mine], output.shape[axis]
        if old in (1, new):
            continue
        if axis == 0:
            raise ValueError(
                f"`{name}` must have the samples of the output, {new}; got {old}. Axis 0 holds samples, and is not resized."
            )
        places = ((torch.arange(new, device=array.device) + 0.5) * (old / new)).to(torch.int64)
        array = array.index_select(mine, places)
    return array
