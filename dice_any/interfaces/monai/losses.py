"""MONAI's losses of overlap, computed here."""

from __future__ import annotations

from typing import Any

import monai.losses
import torch

from ...counts import overlap
from ...losses import (
    dice_cross_entropy_loss,
    dice_focal_loss,
    dice_loss,
    jaccard_loss,
    tversky_loss,
)
from .reading import checked, read_arguments, read_arrays

__all__ = [
    "DiceCELoss",
    "DiceFocalLoss",
    "DiceLoss",
    "GeneralizedDiceFocalLoss",
    "GeneralizedDiceLoss",
    "TverskyLoss",
]


@checked
class DiceLoss(monai.losses.DiceLoss):
    r"""Dice or Jaccard loss with MONAI's arguments.

    .. math:: L = \frac{1}{N C} \sum_{n,c} v_c \left(1 - \frac{2 I_{nc} + a}{X_{nc} + Y_{nc} + b}
        \right)

    where :math:`I, X, Y` are the sums of the product, of the prediction and of the target of sample
    n and class c, :math:`v_c` is the `weight`, and :math:`a, b` are `smooth_nr` and `smooth_dr`.
    With ``batch=True`` the sums run over samples too.

    Parameters
    ----------
    include_background, to_onehot_y, sigmoid, softmax, squared_pred, jaccard : optional
    reduction, smooth_nr, smooth_dr, batch, weight, soft_label, ignore_index : optional
        As in `monai.losses.DiceLoss`. `soft_label` is the minimum form.
    other_act : None
        Refused: apply it to the output.

    Notes
    -----
    Call it with ``input`` (N, C, ...) and ``target`` (N, C, ...), or (N, 1, ...) of labels with
    ``to_onehot_y=True``, in any dtype; MetaTensors too. The loss is a tensor of the input's dtype,
    at least float32, on its device. A value out of range is a `ValueError` where checking costs
    nothing, and gives NaN elsewhere. The loss of a sample that is all ignored is 0, and counts in
    the mean.

    Examples
    --------
    >>> import torch
    >>> from dice_any.interfaces.monai import DiceLoss
    >>> logits = torch.tensor([[[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]]])
    >>> labels = torch.tensor([[[0.0, 2.0]]])  # (N, 1, ...), in float
    >>> loss = DiceLoss(to_onehot_y=True, softmax=True, include_background=False)
    >>> round(float(loss(logits, labels)), 4)
    0.8392
    """

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of a prediction and a target."""
        scale = 0.5 if self.jaccard else 1.0
        losses = (jaccard_loss if self.jaccard else dice_loss)(
            *read_arrays(self, input, target),
            **read_arguments(self, input, target),
            smooth=(scale * self.smooth_nr, scale * self.smooth_dr),
            reduction="none",
        )
        if self.class_weight is not None and losses.shape[-1] != 1:
            losses = losses * _class_weight(self.class_weight, losses)
        return _reduced(losses, self.reduction, input.ndim - 2)


@checked
class TverskyLoss(monai.losses.TverskyLoss):
    r"""Tversky loss with MONAI's arguments.

    .. math:: L = \frac{1}{N C} \sum_{n,c} 1 - \frac{I + a}{I + \alpha\,fp + \beta\,fn + b}

    where :math:`I, fp, fn` are the sums of true positives, false positives and false negatives of
    sample n and class c, and :math:`a, b` are `smooth_nr` and `smooth_dr`.

    Parameters
    ----------
    include_background, to_onehot_y, sigmoid, softmax, alpha, beta, reduction : optional
    smooth_nr, smooth_dr, batch, soft_label, ignore_index : optional
        As in `monai.losses.TverskyLoss`.
    other_act : None
        Refused: apply it to the output.

    Examples
    --------
    >>> import torch
    >>> from dice_any.interfaces.monai import TverskyLoss
    >>> mask = torch.tensor([[[1.0, 1.0, 1.0, 0.0, 0.0]]])
    >>> target = torch.tensor([[[1.0, 0.0, 0.0, 1.0, 0.0]]])
    >>> [round(float(TverskyLoss(alpha=a, beta=1 - a)(mask, target)), 4) for a in (1.0, 0.0)]
    [0.6667, 0.5]
    """

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of a prediction and a target."""
        losses = tversky_loss(
            *read_arrays(self, input, target),
            **read_arguments(self, input, target),
            alpha=self.alpha,
            beta=self.beta,
            smooth=(self.smooth_nr, self.smooth_dr),
            reduction="none",
        )
        return _reduced(losses, self.reduction, 0)


@checked
class GeneralizedDiceLoss(monai.losses.GeneralizedDiceLoss):
    r"""Generalized Dice loss with MONAI's arguments and MONAI's numbers.

    .. math:: L = \frac{1}{N} \sum_n 1
        - \frac{2 \sum_c w_{nc} I_{nc} + a}{\sum_c w_{nc} (X_{nc} + Y_{nc}) + b}

    where :math:`w_{nc} = Y_{nc}^{-2}`, or as set by `w_type`; an absent class gets the largest
    weight of its sample. :math:`a, b` are `smooth_nr` and `smooth_dr`.

    Parameters
    ----------
    include_background, to_onehot_y, sigmoid, softmax, w_type, reduction, smooth_nr : optional
    smooth_dr, batch, soft_label : optional
        As in `monai.losses.GeneralizedDiceLoss`.
    other_act : None
        Refused: apply it to the output.

    Notes
    -----
    The smoothing is added to sums that shrink as images grow, so it outweighs the sums of large
    images. The loss of a sample without any class is 0, whatever is predicted.
    `dice_any.generalized_dice_loss` does neither.

    Examples
    --------
    >>> import torch
    >>> from dice_any.interfaces.monai import GeneralizedDiceLoss
    >>> mask = torch.tensor([[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    >>> target = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]])
    >>> round(float(GeneralizedDiceLoss()(mask, target)), 4)  # 1 − 2 (1 + 1/4) / (3 + 3/4)
    0.3333
    """

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of a prediction and a target."""
        arguments = read_arguments(self, input, target)
        classes = arguments.pop("classes", None)
        counts = overlap(*read_arrays(self, input, target), **arguments, exact=False)
        counts = counts if classes is None else counts.select_classes(classes)
        weights = self.w_func(counts.target.detach())
        weights = weights.masked_fill(torch.isinf(weights), 0.0)
        largest = weights.amax(dim=-1, keepdim=True)
        weights = torch.where(counts.target == 0, largest, weights)
        if str(self.w_type) == "uniform":
            weights = torch.ones_like(weights)
        above = (2.0 * weights * counts.intersection).sum(-1, keepdim=True) + self.smooth_nr
        below = (weights * (counts.prediction + counts.target)).sum(-1, keepdim=True)
        losses = 1.0 - above / (below + self.smooth_dr)
        wide = torch.promote_types(input.dtype, torch.float32)
        return _reduced(losses.to(wide), self.reduction, input.ndim - 2)


@checked
class DiceCELoss(monai.losses.DiceCELoss):
    """Dice loss plus cross-entropy with MONAI's arguments: `DiceLoss`, and `lambda_ce` times the
    cross-entropy.

    With softmax and labels, or one channel and sigmoid, both come from one pass over the logits. In
    the other cases (`weight`, `jaccard`, `label_smoothing`, ``reduction="sum"``, one-hot targets)
    the cross-entropy is MONAI's own. With several channels it is that of softmax, even if
    ``sigmoid=True``, as in MONAI.

    Parameters
    ----------
    include_background, to_onehot_y, sigmoid, softmax, squared_pred, jaccard : optional
    reduction, smooth_nr, smooth_dr, batch, weight, lambda_dice, lambda_ce : optional
    label_smoothing : optional
        As in `monai.losses.DiceCELoss`.
    other_act : None
        Refused: apply it to the output.

    Examples
    --------
    >>> import torch
    >>> from dice_any.interfaces.monai import DiceCELoss
    >>> logits, labels = torch.zeros(1, 2, 4), torch.tensor([[[0.0, 0.0, 0.0, 1.0]]])
    >>> loss = DiceCELoss(to_onehot_y=True, softmax=True, lambda_dice=0.0)
    >>> round(float(loss(logits, labels)), 4)  # ln 2
    0.6931
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dice: DiceLoss = _ours(self.dice)

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of a prediction and a target."""
        dice, entropy = self.dice, self.cross_entropy
        labels = dice.softmax and dice.to_onehot_y and input.shape[1] > 1 and target.shape[1] == 1
        binary = dice.sigmoid and input.shape[1] == 1
        plain = entropy.weight is None and not entropy.label_smoothing
        if not (_is_plain_mean(dice) and plain and (labels or binary)):
            return super().forward(input, target)
        return dice_cross_entropy_loss(
            *read_arrays(dice, input, target),
            **read_arguments(dice, input, target),
            smooth=(dice.smooth_nr, dice.smooth_dr),
            dice_weight=self.lambda_dice,
            cross_entropy_weight=self.lambda_ce,
        )


@checked
class DiceFocalLoss(monai.losses.DiceFocalLoss):
    """Dice loss plus focal loss with MONAI's arguments: `DiceLoss`, and `lambda_focal` times the
    focal loss.

    With ``sigmoid=True`` both come from one pass over the logits. In the other cases (`weight`,
    `alpha`, `jaccard`, softmax, no background, ``reduction="sum"``) the focal loss is MONAI's own:
    that of sigmoid, for any activation of the Dice loss.

    Parameters
    ----------
    include_background, to_onehot_y, sigmoid, softmax, squared_pred, jaccard : optional
    reduction, smooth_nr, smooth_dr, batch, gamma, weight, lambda_dice, lambda_focal : optional
    alpha : optional
        As in `monai.losses.DiceFocalLoss`.
    other_act : None
        Refused: apply it to the output.

    Examples
    --------
    >>> import torch
    >>> from dice_any.interfaces.monai import DiceFocalLoss
    >>> logits, target = torch.zeros(1, 1, 4), torch.tensor([[[0.0, 0.0, 0.0, 1.0]]])
    >>> loss = DiceFocalLoss(sigmoid=True, lambda_dice=0.0)
    >>> round(float(loss(logits, target)), 4)  # ln 2 / 4
    0.1733
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dice: DiceLoss = _ours(self.dice)

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of a prediction and a target."""
        dice, focal = self.dice, self.focal
        plain = focal.class_weight is None and focal.alpha is None
        background = dice.include_background or input.shape[1] == 1
        if not (_is_plain_mean(dice) and plain and background and dice.sigmoid):
            return super().forward(input, target)
        return dice_focal_loss(
            *read_arrays(self, input, target),
            **read_arguments(dice, input, target),
            smooth=(dice.smooth_nr, dice.smooth_dr),
            gamma=focal.gamma,
            dice_weight=self.lambda_dice,
            focal_weight=self.lambda_focal,
        )


@checked
class GeneralizedDiceFocalLoss(monai.losses.GeneralizedDiceFocalLoss):
    """Generalized Dice loss plus focal loss with MONAI's arguments: `GeneralizedDiceLoss`, and
    `lambda_focal` times MONAI's own focal loss of sigmoid.

    Parameters
    ----------
    include_background, to_onehot_y, sigmoid, softmax, w_type, reduction, smooth_nr : optional
    smooth_dr, batch, gamma, weight, lambda_gdl, lambda_focal : optional
        As in `monai.losses.GeneralizedDiceFocalLoss`.
    other_act : None
        Refused: apply it to the output.

    Examples
    --------
    >>> import torch
    >>> from dice_any.interfaces.monai import GeneralizedDiceFocalLoss
    >>> logits, target = torch.zeros(1, 1, 4), torch.tensor([[[0.0, 0.0, 0.0, 1.0]]])
    >>> loss = GeneralizedDiceFocalLoss(sigmoid=True, lambda_gdl=0.0)
    >>> round(float(loss(logits, target)), 4)  # ln 2 / 4
    0.1733
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        theirs = self.generalized_dice
        self.generalized_dice: Any = GeneralizedDiceLoss(
            **_shared(theirs), w_type=theirs.w_type, soft_label=theirs.soft_label
        )


def _shared(theirs: Any) -> dict[str, Any]:
    """Return the arguments that MONAI's losses of overlap have in common."""
    words = "include_background to_onehot_y sigmoid softmax reduction smooth_nr smooth_dr batch"
    return {name: getattr(theirs, name) for name in words.split()}


def _ours(theirs: monai.losses.DiceLoss) -> DiceLoss:
    """Return the loss of this module with the arguments of one of MONAI's."""
    names = ("squared_pred", "jaccard", "soft_label", "ignore_index")
    own = {name: getattr(theirs, name) for name in names}
    return DiceLoss(**_shared(theirs), **own, weight=theirs.class_weight)


def _is_plain_mean(dice: DiceLoss) -> bool:
    """Return whether the Dice part is a mean over samples and classes, as in the compound losses of
    this package.
    """
    return not dice.jaccard and dice.class_weight is None and dice.reduction == "mean"


def _class_weight(weight: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """Return MONAI's class weights: of the classes that take part, and not divided by their sum."""
    if weight.ndim and weight.shape[0] != losses.shape[-1]:
        raise ValueError(
            f"`weight` must hold one number for each of {losses.shape[-1]} classes that take part; "
            f"got {weight.shape[0]}. Leave out that of the background where it is excluded."
        )
    if weight.min() < 0:
        raise ValueError("`weight` must not be negative; got another number. Check it.")
    return weight.to(losses)


def _reduced(losses: torch.Tensor, reduction: str, spatial: int) -> torch.Tensor:
    """Reduce losses as MONAI does; unreduced ones keep axes of length 1 for space."""
    if reduction == "none":
        return losses.reshape(tuple(losses.shape) + (1,) * spatial)
    return losses.mean() if reduction == "mean" else losses.sum()
