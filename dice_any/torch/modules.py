"""Each loss as a module."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import torch

from .. import losses
from ..distributed.joining import Join, joined
from ..losses.pipeline import evaluate
from ..reading import check_keywords, read_distances

__all__ = [
    "CenterlineDiceLoss",
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


class LossModule(torch.nn.Module):
    """A loss with its arguments; a tensor among them moves with the module."""

    function: ClassVar[Any]
    #: why the loss does not support several processes; empty if it does
    alone: ClassVar[str] = ""

    def __init__(self, *, group: Any = None, **arguments: Any) -> None:
        super().__init__()
        if group is not None and self.alone:
            raise ValueError(
                f"`group` must be None in {type(self).__name__}, as {self.alone}; got one. Leave "
                "it out: DistributedDataParallel averages the gradients."
            )
        self.group = group
        own = inspect.signature(self.function).parameters
        check_keywords(self.function, arguments)
        missing = [
            name for name, p in own.items() if p.kind is p.KEYWORD_ONLY and p.default is p.empty
        ]
        missing = [name for name in missing if name not in arguments]
        if missing:
            raise TypeError(
                f"`{missing[0]}` must be given to {type(self).__name__}; got none. It has no "
                "default."
            )
        tensors = {name for name, value in arguments.items() if isinstance(value, torch.Tensor)}
        for name in sorted(tensors):
            self.register_buffer(name, arguments[name], persistent=False)
        self.arguments = {name: value for name, value in arguments.items() if name not in tensors}
        self._tensors = sorted(tensors)

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Any:
        """Move tensors with the module, but do not let `.half()` of a model round the loss's
        arguments.
        """
        kept = {name: getattr(self, name) for name in self._tensors}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, before in kept.items():
            after = getattr(self, name)
            if after.dtype != before.dtype:
                setattr(self, name, before.to(after.device))
        return self

    def forward(
        self, prediction: Any, target: torch.Tensor | None = None, **arguments: Any
    ) -> torch.Tensor:
        """Return the loss of a prediction and a target, or of one `Overlap`."""
        loss: torch.Tensor
        if self.group is None:
            loss = self._bound()(prediction, target, **arguments)
        else:
            loss = joined(self.group, partial(self._joined, prediction, target, arguments))
        return loss

    def _joined(
        self, prediction: Any, target: Any, arguments: Mapping[str, Any], join: Join
    ) -> Any:
        given = {**self._bound().keywords, **arguments}
        asked = type(self).function.described(prediction, target, **given)
        return evaluate(asked._replace(join=join))

    def as_partial(self) -> partial[Any]:
        """Return the function with the module's arguments bound to it, for `value_and_grad`."""
        if self.group is not None:
            raise ValueError(
                "`group` must be None in a module whose function is taken; got one. Call the "
                "module, and differentiate with `backward`."
            )
        return self._bound()

    def _bound(self) -> partial[Any]:
        held = {name: getattr(self, name) for name in self._tensors}
        return partial(type(self).function, **(self.arguments | held))

    def extra_repr(self) -> str:
        shown = {name: repr(value) for name, value in self.arguments.items()}
        shown |= {
            name: f"<tensor of shape {tuple(getattr(self, name).shape)}>" for name in self._tensors
        }
        return ", ".join(f"{name}={value}" for name, value in shown.items())


class DiceLoss(LossModule):
    """`dice_any.dice_loss` as a module."""

    function = staticmethod(losses.dice_loss)


class JaccardLoss(LossModule):
    """`dice_any.jaccard_loss` as a module."""

    function = staticmethod(losses.jaccard_loss)


class TverskyLoss(LossModule):
    """`dice_any.tversky_loss` as a module."""

    function = staticmethod(losses.tversky_loss)


class FocalTverskyLoss(LossModule):
    """`dice_any.focal_tversky_loss` as a module."""

    function = staticmethod(losses.focal_tversky_loss)


class GeneralizedDiceLoss(LossModule):
    """`dice_any.generalized_dice_loss` as a module."""

    function = staticmethod(losses.generalized_dice_loss)


class LogDiceLoss(LossModule):
    """`dice_any.log_dice_loss` as a module."""

    function = staticmethod(losses.log_dice_loss)


class LogCoshDiceLoss(LossModule):
    """`dice_any.log_cosh_dice_loss` as a module."""

    function = staticmethod(losses.log_cosh_dice_loss)


class MatthewsLoss(LossModule):
    """`dice_any.matthews_loss` as a module."""

    function = staticmethod(losses.matthews_loss)


class DiceCrossEntropyLoss(LossModule):
    """`dice_any.dice_cross_entropy_loss` as a module."""

    function = staticmethod(losses.dice_cross_entropy_loss)


class DiceFocalLoss(LossModule):
    """`dice_any.dice_focal_loss` as a module."""

    function = staticmethod(losses.dice_focal_loss)


class LovaszLoss(LossModule):
    """`dice_any.lovasz_loss` as a module."""

    alone = "errors are ranked within one process"
    function = staticmethod(losses.lovasz_loss)


class CenterlineDiceLoss(LossModule):
    """`dice_any.centerline_dice_loss` as a module."""

    alone = "skeletons are drawn within one process"
    function = staticmethod(losses.centerline_dice_loss)


class WassersteinDiceLoss(LossModule):
    """`dice_any.wasserstein_dice_loss` as a module."""

    alone = "distances are summed within one process"
    function = staticmethod(losses.wasserstein_dice_loss)

    def __init__(self, **arguments: Any) -> None:
        if "distances" in arguments:  # numbers for compilers, which cannot read a tensor
            arguments["distances"] = read_distances(arguments["distances"])
        super().__init__(**arguments)
