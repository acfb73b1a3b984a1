"""MONAI's metrics of overlap, computed here, and a metric for any score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import monai.metrics
import torch
from monai.metrics.utils import do_metric_reduction

from ...counts import overlap
from ...reading import read_integer, read_num_classes
from ...scores import dice_score, generalized_dice_score, jaccard_score
from ...sums import Overlap
from ..arguments import split, try_out
from .reading import OF_METRICS, Checked, as_labels, as_members, plain, weight_without

__all__ = ["DiceMetric", "GeneralizedDiceScore", "MeanIoU", "OverlapMetric"]

#: Keywords that have another name in MONAI, or that follow from its format.
REFUSED = {
    "class_axis": "Channels are on axis 1.",
    "axis": "Every case has its own scores; `reduction` says how they are reduced.",
    "activation": "Threshold the prediction, or take the argmax over channels, as `AsDiscrete` "
    "does.",
    "ignore_label": "Pass `ignore_index=`.",
    "regions": "Score each region as a mask: `torch.isin(y_pred, labels)` and "
    "`torch.isin(y, labels)`.",
    "weight": "Leave elements out by `ignore_index=`.",
}
OWN = ("include_background", "reduction", "get_not_nans", "ignore_index")


class DiceMetric(Checked, monai.metrics.DiceMetric):
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


class MeanIoU(Checked, monai.metrics.MeanIoU):
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
        counts = _overlap(y_pred, y, None, None)
        return _of_cases(
            jaccard_score, counts, self.include_background, **_empty(self.ignore_empty)
        )


class GeneralizedDiceScore(Checked, monai.metrics.GeneralizedDiceScore):
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
        counts = _overlap(y_pred, y, None, None)
        if not self.include_background:
            counts = counts.select_classes("foreground")
        weight: Any = str(self.weight_type)
        return _of_cases(generalized_dice_score, counts, True, class_weight=weight, empty=1.0)


class OverlapMetric(Checked, monai.metrics.CumulativeIterationMetric):
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
        Those of the score: `empty`, `beta`, `average` and so on; `classes` beside
        ``include_background=True``.

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
        self.of_overlap, self.arguments = split(
            score, arguments, REFUSED, also=OWN, words=OF_METRICS
        )
        tried = dict(self.arguments)
        if num_classes is None:
            tried.pop("classes", None)  # of a number that the first batch will tell
        if not include_background and "classes" in self.arguments:
            raise ValueError(
                "`classes` must be left out beside `include_background=False`, which chooses "
                "classes too; got some. Pass one of both."
            )
        try_out(score, 2 if num_classes is None else num_classes, tried)
        self.score = score
        self.include_background = include_background
        self.reduction = reduction
        self.get_not_nans = get_not_nans
        self.num_classes = num_classes
        self.ignore_index = ignore_index

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        given = self.of_overlap
        counts = _overlap(y_pred, y, self.num_classes, self.ignore_index, **given)
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
    y_pred: torch.Tensor,
    y: torch.Tensor,
    num_classes: int | None,
    ignore_index: int | None,
    **given: Any,
) -> Overlap:
    """Return the overlap (N, C); each argument is binary channels or labels."""
    y_pred, y = plain(y_pred), plain(y)
    if y_pred.ndim < 3:
        raise ValueError(
            f"`y_pred` must have a batch, a channel and a spatial axis; got {y_pred.ndim} axes. "
            "Pass `y_pred[None]` for one case."
        )
    if y.ndim < 2:
        raise ValueError(
            f"`y` must have a batch and a channel axis, as `y_pred`; got {y.ndim} axes. Pass the "
            "target in the format of the prediction."
        )
    classes = y_pred.shape[1] if num_classes is None else read_num_classes(num_classes)
    if ignore_index is not None:
        ignore_index = read_integer("ignore_index", ignore_index)
    given["axis"] = "space"
    if classes > 1 and y_pred.shape[1] == y.shape[1] == 1:
        maps = as_labels("y_pred", y_pred), as_labels("y", y)
        return overlap(*maps, num_classes=classes, ignore_label=ignore_index, **given)
    prediction = _channels(y_pred, classes)
    if classes > 1 and y.shape[1] == 1:
        target = as_labels("y", y)
        return overlap(prediction, target, class_axis=1, ignore_label=ignore_index, **given)
    weight = None if ignore_index is None else weight_without(y, ignore_index)
    return overlap(prediction, _members(y), class_axis=1, weight=weight, **given)


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
    return as_members(array)
