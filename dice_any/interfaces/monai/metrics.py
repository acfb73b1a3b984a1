"""MONAI's metrics of overlap, computed here, and a metric for any score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import monai.metrics
import torch
from monai.metrics.utils import create_ignore_mask, do_metric_reduction

from ...counts import overlap
from ...scores import dice_score, generalized_dice_score, jaccard_score
from ...sums import Overlap
from .reading import as_labels, plain

__all__ = ["DiceMetric", "GeneralizedDiceScore", "MeanIoU", "OverlapMetric"]


class DiceMetric(monai.metrics.DiceMetric):
    """Dice of each case and class with MONAI's arguments: change the import.

    Parameters
    ----------
    include_background, reduction, get_not_nans, ignore_empty, num_classes : optional
    return_with_label, per_component, ignore_index : optional
        As in `monai.metrics.DiceMetric`. ``per_component=True`` is MONAI's own computation.

    Notes
    -----
    Call it with a batch (N, C, ...), or (N, 1, ...) of labels with `num_classes`, or with lists of
    (C, ...) from `decollate_batch`; MetaTensors too. It returns the scores (N, C) in float32 and
    keeps them for `aggregate`. A prediction that is neither binary nor labels is an error; MONAI
    treats every number but 0 as true.

    Examples
    --------
    >>> import torch
    >>> from dice_any.interfaces.monai import DiceMetric
    >>> metric = DiceMetric(num_classes=3, reduction="mean_batch")
    >>> prediction, target = torch.tensor([[[0, 1, 1, 1]]]), torch.tensor([[[0, 0, 1, 1]]])
    >>> metric(prediction, target)
    tensor([[0.6667, 0.8000,    nan]])
    >>> metric.aggregate()
    tensor([0.6667, 0.8000, 0.0000])
    """

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if self.per_component:
            scores: torch.Tensor = super()._compute_tensor(y_pred, y)
            return scores
        counts = _overlap(y_pred, y, self.num_classes, self.ignore_index)
        return _of_cases(dice_score, counts, self.include_background, **_empty(self.ignore_empty))


class MeanIoU(monai.metrics.MeanIoU):
    """Jaccard of each case and class with MONAI's arguments: change the import.

    Parameters
    ----------
    include_background, reduction, get_not_nans, ignore_empty, ignore_index : optional
        As in `monai.metrics.MeanIoU`. With `ignore_index` it is MONAI's own computation.

    Examples
    --------
    >>> import torch
    >>> from dice_any.interfaces.monai import MeanIoU
    >>> metric = MeanIoU()
    >>> metric(torch.tensor([[[0, 1, 1, 1]]]), torch.tensor([[[0, 0, 1, 1]]]))
    tensor([[0.6667]])
    """

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if self.ignore_index is not None:
            scores: torch.Tensor = super()._compute_tensor(y_pred, y)
            return scores
        counts = _overlap(y_pred, y, y_pred.shape[1], None)
        return _of_cases(
            jaccard_score, counts, self.include_background, **_empty(self.ignore_empty)
        )


class GeneralizedDiceScore(monai.metrics.GeneralizedDiceScore):
    """Generalized Dice of each case with MONAI's arguments: change the import.

    Parameters
    ----------
    include_background, reduction, weight_type, ignore_index, epsilon : optional
        As in `monai.metrics.GeneralizedDiceScore`. With `ignore_index`, or a reduction that keeps
        classes (``"mean_batch"``, ``"sum_batch"``, ``"none"``), it is computed by MONAI.

    Examples
    --------
    >>> import torch
    >>> from dice_any.interfaces.monai import GeneralizedDiceScore
    >>> mask = torch.tensor([[[1, 1, 0], [0, 0, 1]]])
    >>> target = torch.tensor([[[1, 0, 0], [0, 1, 1]]])
    >>> GeneralizedDiceScore()(mask, target)  # 2 (1 + 1/4) / (3 + 3/4)
    tensor([[0.6667]])
    """

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        if self.ignore_index is not None or not self.sum_over_classes:
            scores: torch.Tensor = super()._compute_tensor(y_pred, y)
            return scores
        counts = _overlap(y_pred, y, y_pred.shape[1], None)
        if not self.include_background:
            counts = counts.select_classes("foreground")
        weight: Any = str(self.weight_type)
        return _of_cases(generalized_dice_score, counts, True, class_weight=weight, empty=1.0)


class OverlapMetric(monai.metrics.CumulativeIterationMetric):
    """Any score of this package as a MONAI metric.

    Parameters
    ----------
    score : function
        A score of this package, for example `dice_any.recall_score`.
    include_background : bool, default True
        Whether class 0 takes part, if there is more than one class.
    reduction : {"mean", "sum", "mean_batch", "sum_batch", "mean_channel", "sum_channel", "none"}
        How `aggregate` reduces the scores of cases and classes, without those that are NaN; default
        "mean".
    get_not_nans : bool, default False
        Whether `aggregate` also returns the number of scores.
    num_classes : int, optional
        Number of classes of label maps (N, 1, ...), including the background.
    ignore_index : int, optional
        Label of the elements that are left out.
    **arguments
        Those of the score: `empty`, `beta` and so on.

    Notes
    -----
    Call it as `DiceMetric`. Scores of all classes together (`dice_any.accuracy_score`) have one
    channel.

    Examples
    --------
    >>> import torch
    >>> import dice_any
    >>> from dice_any.interfaces.monai import OverlapMetric
    >>> metric = OverlapMetric(dice_any.tversky_score, alpha=1, beta=0)
    >>> mask = torch.tensor([[[1, 1, 1, 0, 0]]])
    >>> metric(mask, torch.tensor([[[1, 0, 0, 1, 0]]]))
    tensor([[0.3333]])
    """

    def __init__(
        self,
        score: Callable[..., Any],
        *,
        include_background: bool = True,
        reduction: str = "mean",
        get_not_nans: bool = False,
        num_classes: int | None = None,
        ignore_index: int | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__()
        score(Overlap.zero((1,), num_classes=2), **arguments)  # refuses wrong arguments early
        self.score = score
        self.arguments = arguments
        self.include_background = include_background
        self.reduction = reduction
        self.get_not_nans = get_not_nans
        self.num_classes = num_classes
        self.ignore_index = ignore_index

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        counts = _overlap(y_pred, y, self.num_classes, self.ignore_index)
        return _of_cases(self.score, counts, self.include_background, **self.arguments)

    def aggregate(self, reduction: str | None = None) -> Any:
        """Return the reduced scores of all cases of all processes; with `get_not_nans` also their
        number.
        """
        scores, counted = do_metric_reduction(self.get_buffer(), reduction or self.reduction)
        return (scores, counted) if self.get_not_nans else scores


def _empty(ignore_empty: bool) -> dict[str, float]:
    """Return the arguments for MONAI's score of an empty class."""
    return {"empty_target": float("nan")} if ignore_empty else {"empty": 1.0}


def _of_cases(
    score: Callable[..., Any], counts: Overlap, include_background: bool, **arguments: Any
) -> torch.Tensor:
    """Return the scores (N, C) of the classes that take part."""
    if not include_background and counts.shape[-1] > 1:
        counts = counts.select_classes("foreground")
    scores: torch.Tensor = score(counts, **arguments)
    return scores.reshape(counts.shape[0], -1).float()


def _overlap(
    y_pred: torch.Tensor, y: torch.Tensor, num_classes: int | None, ignore_index: int | None
) -> Overlap:
    """Return the overlap (N, C); each argument is binary channels or labels."""
    y_pred, y = plain(y_pred), plain(y)
    if y_pred.ndim < 3:
        raise ValueError(
            f"`y_pred` must have a batch, a channel and a spatial axis; got {y_pred.ndim} axes. "
            "Pass `y_pred[None]` for one case."
        )
    classes = y_pred.shape[1] if num_classes is None else num_classes
    if classes > 1 and y_pred.shape[1] == y.shape[1] == 1:
        maps = as_labels("y_pred", y_pred), as_labels("y", y)
        return overlap(*maps, num_classes=classes, axis="space", ignore_label=ignore_index)
    prediction = _channels(y_pred, classes)
    if classes > 1 and y.shape[1] == 1:
        target = as_labels("y", y)
        return overlap(prediction, target, class_axis=1, axis="space", ignore_label=ignore_index)
    weight = None if ignore_index is None else create_ignore_mask(y, ignore_index)
    return overlap(prediction, _members(y), class_axis=1, axis="space", weight=weight)


def _channels(y_pred: torch.Tensor, classes: int) -> torch.Tensor:
    """Return a boolean channel for each class."""
    if classes > 1 and y_pred.shape[1] == 1:
        labels = as_labels("y_pred", y_pred)[:, None]
        numbers = torch.arange(classes, device=labels.device)
        return labels == numbers.reshape((-1,) + (1,) * (labels.ndim - 2))
    members = _members(y_pred)
    if members.dtype != torch.bool:
        raise ValueError(
            "`y_pred` must be binary, or labels with `num_classes=`; got other numbers. Threshold "
            "it, or take the argmax over channels, as `AsDiscrete` does."
        )
    return members


def _members(array: torch.Tensor) -> torch.Tensor:
    """Return zeros and ones as booleans; soft memberships unchanged."""
    if array.dtype == torch.bool:
        return array
    ones = array == 1
    if bool((ones | (array == 0)).all()):
        return ones
    return array if array.is_floating_point() else array.float()
