"""The loss of outputs at several resolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from functools import partial
from typing import Any

import torch

from .. import losses
from ..reading import check_not_negative, class_name, has_entries, read_integer
from .modules import LossModule

__all__ = ["DeepSupervision"]


class DeepSupervision(torch.nn.Module):
    r"""The loss of a network's outputs at several resolutions.

    .. math:: L = \frac{\sum_k v_k\, L_k}{\sum_k v_k}, \qquad v_k = 2^{-k}

    where :math:`L_k` is the loss of the k-th output against the target resized to it and
    :math:`v_k` its weight.

    Parameters
    ----------
    loss : callable
        ``loss(prediction, target, **arguments)``, one of the modules here for instance.
    weights : sequence of float, optional
        Weight of each output, the finest first; 1, ½, ¼, ... by default. An output of weight 0 is
        left out.

    Notes
    -----
    Call it with a list of outputs and either one target or a list of targets, one per output, which
    are used unchanged. The same holds for a pixel `weight`. A single target is resized as
    ``torch.nn.functional.interpolate(target, mode="nearest-exact")`` does, so labels stay labels,
    along all axes but the class axis and the sample axis (axis 0). The class axis is the
    `class_axis` of the loss or of the call; for a loss from elsewhere it is assumed to be axis 1. A
    single tensor, as from a network in evaluation, is one output and goes to the loss unchanged.

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
        if isinstance(loss, type) or not callable(loss):
            raise TypeError(
                f"`loss` must be a function or a module; got {_name(loss)}. "
                "Make the module first, for example `DiceLoss(class_axis=1)`."
            )
        self.loss = loss
        self.weights = None if weights is None else _read_weights(weights)

    def forward(self, predictions: Any, target: Any = None, **arguments: Any) -> torch.Tensor:
        """Return the weighted mean of the losses of a list of outputs, or the loss of one
        output.
        """
        if isinstance(predictions, torch.Tensor):
            self._refuse_stack(predictions, target, arguments)
            loss: torch.Tensor = self.loss(predictions, target, **arguments)
            return loss
        outputs = _read_outputs(predictions)
        weights = self.weights or [0.5**k for k in range(len(outputs))]
        if len(weights) != len(outputs):
            raise ValueError(
                f"`predictions` must be as many as the weights, {len(weights)}; got "
                f"{len(outputs)}. Pass `weights=`."
            )
        class_axes = [self._class_axis(output, arguments) for output in outputs]
        targets = _of_each_output("target", target, outputs, class_axes)
        pixel_weights = _of_each_output(
            "weight", arguments.pop("weight", None), outputs, class_axes
        )
        total: Any = 0.0
        for k, weight in enumerate(weights):
            if weight:
                given = (
                    arguments
                    if pixel_weights[k] is None
                    else {**arguments, "weight": pixel_weights[k]}
                )
                total = total + weight * self.loss(outputs[k], targets[k], **given)
        return total / sum(weights)  # type: ignore[no-any-return]

    def _class_axis(self, prediction: torch.Tensor, arguments: dict[str, Any]) -> int | None:
        """Return the prediction's class axis; None if it has none."""
        place = arguments.get(
            "class_axis", _bound(self.loss).get("class_axis", None if _is_ours(self.loss) else 1)
        )
        if place is None or not prediction.ndim:
            return None
        try:
            axis: int = read_integer("class_axis", place) % prediction.ndim
        except TypeError:  # the loss says what it must be
            return None
        return axis

    def _refuse_stack(
        self, prediction: torch.Tensor, target: Any, arguments: dict[str, Any]
    ) -> None:
        """Refuse outputs stacked in one tensor: it would be taken for one output with more
        samples.
        """
        if not isinstance(target, torch.Tensor):
            several = isinstance(target, (list, tuple))
            cure = "Pass the finest one, `target[0]`" if several else "Pass one"
            raise TypeError(
                f"`target` must be a tensor beside one output; got {_name(target)}. {cure}."
            )
        labels = not (target.is_floating_point() or target.dtype == torch.bool)
        lacks_classes = labels and self._class_axis(prediction, arguments) is not None
        if prediction.ndim > target.ndim + (lacks_classes or not _is_ours(self.loss)):
            floating = "" if labels else ", and a label map must be of integers"
            raise ValueError(
                "`predictions` must be one output that fits the target, or a list of outputs; got "
                f"a tensor of shape {tuple(prediction.shape)} for a target of shape "
                f"{tuple(target.shape)}. If it holds the outputs along axis 1, pass "
                f"`predictions.unbind(1)`{floating}."
            )


def _bound(loss: Any) -> dict[str, Any]:
    """Return the arguments that a loss was created with."""
    if isinstance(loss, partial):
        return _bound(loss.func) | loss.keywords
    return loss._bound().keywords if isinstance(loss, LossModule) else {}


def _is_ours(loss: Any) -> bool:
    if isinstance(loss, partial):
        return _is_ours(loss.func)
    return isinstance(loss, LossModule) or loss in _FUNCTIONS


_FUNCTIONS = [getattr(losses, name) for name in losses.__all__]


def _name(value: object) -> str:
    """Return the name of a class, or the name of an object's class."""
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"


def _read_weights(weights: Any) -> list[float]:
    if not has_entries(weights) or isinstance(weights, (Mapping, Set)):
        raise TypeError(
            f"`weights` must be a sequence of numbers; got {class_name(weights)}. List one for "
            "each output, the finest first."
        )
    numbers = [_number(weight) for weight in weights]
    check_not_negative(**{f"weights[{k}]": number for k, number in enumerate(numbers)})
    if not any(numbers):
        raise ValueError(
            "`weights` must be positive for some output; got none that is. Weigh what is to be "
            "learnt."
        )
    return [float(number) for number in numbers]


def _number(weight: Any) -> Any:
    """Return the number of a tensor that holds one, and anything else unchanged."""
    one = isinstance(weight, torch.Tensor) and weight.ndim == 0 and not weight.is_meta
    return weight.item() if one else weight


def _read_outputs(predictions: Any) -> list[torch.Tensor]:
    """Return the outputs of a network, the finest first."""
    if not isinstance(predictions, (list, tuple)):
        cure = (
            "Choose its outputs: `[outputs[name], ...]`"
            if isinstance(predictions, Mapping)
            else "Pass a list"
        )
        raise TypeError(
            f"`predictions` must be a tensor or a list of tensors; got {_name(predictions)}. "
            f"{cure}."
        )
    if not predictions:
        raise ValueError(
            "`predictions` must hold at least one output; got none. Pass what the network returns."
        )
    for prediction in predictions:
        if not isinstance(prediction, torch.Tensor):
            raise TypeError(
                f"`predictions` must hold tensors; got {_name(prediction)} among them. "
                "Choose the logits at each resolution, the finest first."
            )
    return list(predictions)


def _of_each_output(
    name: str, given: Any, outputs: list[torch.Tensor], class_axes: list[int | None]
) -> list[Any]:
    """Return one array per output: the given ones, or the single one resized."""
    if given is None:
        return [None] * len(outputs)
    if isinstance(given, torch.Tensor):
        return [
            _nearest(given, output, axis) for output, axis in zip(outputs, class_axes, strict=True)
        ]
    if not isinstance(given, (list, tuple)):
        raise TypeError(
            f"`{name}` must be a tensor or a list of tensors; got {_name(given)}. Pass one for "
            "each output."
        )
    if len(given) != len(outputs):
        raise ValueError(
            f"`{name}` must be one tensor, or one for each of {len(outputs)} outputs; got "
            f"{len(given)}. Pass as many."
        )
    return list(given)


def _nearest(array: torch.Tensor, prediction: torch.Tensor, class_axis: int | None) -> torch.Tensor:
    """Resize the spatial axes of a target, or of its weight, to the prediction's, by the nearest
    element.

    It has the prediction's axes, with or without the class axis. The loss refuses what does not
    fit.
    """
    own = [a for a in range(prediction.ndim) if array.ndim == prediction.ndim or a != class_axis]
    if len(own) != array.ndim:
        return array
    for axis, place in enumerate(own):
        old, new = array.shape[axis], prediction.shape[place]
        # samples and classes are not spatial axes; a weight of length 1 applies to all elements
        if place not in (0, class_axis) and old not in (1, new):
            index: Any = (*(slice(None),) * axis, _places(old, new, array))
            array = array[index]
    return array


def _places(old: int, new: int, like: torch.Tensor) -> torch.Tensor:
    """Return the indices of the nearest elements, rounded as in PyTorch: in float64 for float64
    arrays.
    """
    dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
    numbers = torch.arange(old, dtype=dtype, device=like.device)
    return torch.nn.functional.interpolate(numbers[None, None], size=new, mode="nearest-exact")[
        0, 0
    ].to(torch.int64)
