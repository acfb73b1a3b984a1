"""Scores in scikit-learn's convention: target first, labels of any kind, one weight per sample."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..counts import overlap
from ..reading import check_choice, read_number, shown
from ..sums import Overlap
from . import not_installed
from .arguments import Score, check_score, split, takes, try_out
from .labels import check_alike, is_label, read_columns, read_labels, read_weights, refuse_masks
from .wording import wording

try:
    from sklearn.metrics import make_scorer
    from sklearn.utils import check_consistent_length, column_or_1d
    from sklearn.utils.multiclass import type_of_target, unique_labels
except ModuleNotFoundError as error:
    raise not_installed("scikit-learn", "sklearn", error) from error

__all__ = ["metric", "scorer"]

Averages = Literal["binary", "macro", "micro", "weighted", "samples"] | None
AVERAGES = ("binary", "macro", "micro", "weighted", "samples", None)
#: Keywords that have another name in scikit-learn, or that follow from the labels.
REFUSED = {
    "class_axis": "Label maps and indicator matrices are read as scikit-learn reads them.",
    "axis": "There is one axis of samples.",
    "num_classes": "The labels are read from the data; pass `labels=` to choose some.",
    "activation": "Pass what `predict` returns; for probabilities call the score itself.",
    "ignore_label": "Leave it out of `labels=`, or give these samples a `sample_weight` of 0.",
    "weight": "Pass `sample_weight=` to the metric.",
    "classes": "Pass `labels=`.",
    "regions": "Score each region as a mask: `numpy.isin(y_true, group)` against "
    "`numpy.isin(y_pred, group)`, with the default `average`.",
    "empty": "Pass `zero_division=`.",
}
#: Keywords of `metric` itself.
OWN = ("labels", "pos_label", "zero_division")
#: scikit-learn's words for ours
WORDS = {
    "prediction": "y_pred",
    "target": "y_true",
    "weight": "sample_weight",
    "classes": "labels",
    "empty": "zero_division",
}


class Metric:
    """A score with its arguments, called like a metric of scikit-learn; made by `metric`."""

    def __init__(
        self,
        score: Score,
        average: Averages,
        labels: list[Any],
        pos_label: Any,
        of_overlap: dict[str, Any],
        of_score: dict[str, Any],
    ) -> None:
        self.score, self.average, self.labels, self.pos_label = score, average, labels, pos_label
        self.of_overlap, self.of_score = of_overlap, of_score
        self.__name__ = score.__name__

    def __call__(self, y_true: Any, y_pred: Any, *, sample_weight: Any = None) -> Any:
        """Return the score of a prediction, which is the second argument."""
        with wording(WORDS):
            refuse_masks(y_true, y_pred, sample_weight)
            check_consistent_length(y_true, y_pred)
            kinds = _kind(y_true), _kind(y_pred)
            weight = read_weights(sample_weight, np.shape(y_true)[0])
            if kinds == ("multilabel-indicator", "multilabel-indicator"):
                found = self._of_indicators(y_true, y_pred, weight)
            else:
                found = self._of_labels(column_or_1d(y_true), column_or_1d(y_pred), weight)
        return float(found) if found.ndim == 0 else found

    def _of_labels(self, y_true: Any, y_pred: Any, weight: Any) -> Any:
        if self.average == "samples":
            raise ValueError(
                "`average` must be None, 'macro', 'micro' or 'weighted' for one label a sample; "
                "got 'samples'. That is for indicator matrices."
            )
        present = unique_labels(y_true, y_pred)
        check_alike(self.labels, present.tolist())
        # first the requested labels, then the others that occur, which only count as errors
        numbers = {
            label: number
            for number, label in enumerate(dict.fromkeys([*self.labels, *present.tolist()]))
        }
        places = np.asarray([numbers[label] for label in present.tolist()])
        target, prediction = (places[np.searchsorted(present, y)] for y in (y_true, y_pred))
        if self.average == "binary" and takes(self.score, "average"):
            positive = self._positive(present.tolist())
            target, prediction = target == positive, prediction == positive
            counts = overlap(prediction, target, weight=weight, **self.of_overlap)
            return self.score(counts, **self.of_score)
        counts = overlap(
            prediction, target, num_classes=len(numbers), weight=weight, **self.of_overlap
        )
        return self._averaged(counts, [numbers[label] for label in self.labels])

    def _positive(self, present: list[Any]) -> int:
        """Return the number of the positive label; −1 if it does not occur."""
        if len(present) > 2:
            raise ValueError(
                "`average` must be None, 'macro', 'micro' or 'weighted' for "
                f"{len(present)} labels; got 'binary'. Choose one."
            )
        if self.pos_label in present:
            return present.index(self.pos_label)
        if len(present) == 2:
            raise ValueError(
                f"`pos_label` must be one of the labels; got {shown(self.pos_label)}, which is "
                "none. Pass the one that is to be found."
            )
        return -1

    def _of_indicators(self, y_true: Any, y_pred: Any, weight: Any) -> Any:
        if self.average == "binary":  # also for joint scores, which have no other average
            raise ValueError(
                "`average` must be None, 'macro', 'micro', 'weighted' or 'samples' for indicator "
                "matrices; got 'binary'. Choose one, and a score that has averages."
            )
        target, prediction = (_dense(y) > 0 for y in (y_true, y_pred))
        columns = read_columns(self.labels, target.shape[1])
        if self.average == "samples":
            chosen = columns or slice(None)
            target, prediction = target[:, chosen], prediction[:, chosen]
            counts = overlap(prediction, target, axis=1, **self.of_overlap)
            return _mean(self.score(counts, **self.of_score), weight)
        weight = None if weight is None else weight[:, None]
        counts = overlap(prediction, target, class_axis=1, weight=weight, **self.of_overlap)
        return self._averaged(counts, columns)

    def _averaged(self, counts: Overlap, classes: list[int]) -> Any:
        chosen: dict[str, Any] = {"classes": classes} if classes else {}
        if takes(self.score, "average"):
            chosen["average"] = self.average
        return self.score(counts, **self.of_score, **chosen)

    def __repr__(self) -> str:
        return f"<{self.__name__} of (y_true, y_pred)>"


def metric(
    score: Score,
    *,
    average: Averages = "binary",
    labels: Any = None,
    pos_label: Any = 1,
    zero_division: float = 0.0,
    **arguments: Any,
) -> Metric:
    r"""Make a metric in scikit-learn's convention from a score.

    .. math:: m(y_{true}, y_{pred}) = s(X, Y)

    where s is the score, Y the set (or the sets, one per label) in `y_true` and X the one in
    `y_pred`. scikit-learn passes the target first; this package takes the prediction first.

    Parameters
    ----------
    score : function
        A score of this package, for example `dice_any.dice_score`, which is scikit-learn's
        `f1_score`.
    average : {"binary", "macro", "micro", "weighted", "samples"} or None, default 'binary'
        As in scikit-learn: ``"binary"`` is the score of `pos_label`, the others are over `labels`;
        ``"samples"`` is for indicator matrices. Not for joint scores.
    labels : sequence, optional
        The labels that take part (columns of indicator matrices), in this order. By default these
        are all that occur, sorted. A label that does not occur is an empty class. Elements with
        other labels still count as errors.
    pos_label : int, float, bool or str, default 1
        The label whose set is scored, with ``average="binary"``.
    zero_division : float, default 0.0
        The score where its denominator is 0; averages leave NaN out. There is no warning.
    **arguments
        More arguments of the score: `alpha` and `beta`, `empty_target`, `class_weight`, `backend`.

    Returns
    -------
    Metric
        ``m(y_true, y_pred, *, sample_weight=None)``, which can be pickled. It accepts the same data
        as scikit-learn: lists, NumPy arrays and pandas columns of integers, Booleans or strings,
        and indicator matrices (dense or sparse). It returns a float, or a NumPy array with
        ``average=None``.

    Raises
    ------
    TypeError, ValueError
        If `score` is no score of this package, if it does not have an argument, or if the argument
        has another name in scikit-learn. When called: if the labels do not fit `average`,
        `pos_label` or `labels` (strings beside numbers, or no column of an indicator matrix), if an
        array is masked, or if `sample_weight` is not one number from 0 to 2³¹ for each sample.
    ImportError
        On import of this module, where scikit-learn is not installed.

    Notes
    -----
    ``sklearn.metrics.make_scorer(dice_any.precision_score)`` would be recall, without an error,
    because the arrays would be in the wrong order. Counts are exact, so a weight of 2 equals the
    sample twice.

    Examples
    --------
    >>> import dice_any
    >>> from dice_any.interfaces.sklearn import metric
    >>> y_true, y_pred = ["cat", "cat", "dog", "dog"], ["cat", "dog", "dog", "dog"]
    >>> precision = metric(dice_any.precision_score, pos_label="dog")
    >>> round(precision(y_true, y_pred), 4)
    0.6667
    >>> metric(dice_any.jaccard_score, average="macro")(y_true, y_pred, sample_weight=[1, 0, 1, 1])
    1.0
    """
    check_score(score)
    zero_division = read_number("zero_division", zero_division)
    labels = read_labels(labels)
    if pos_label is not None and not is_label(pos_label):
        raise TypeError(
            "`pos_label` must be a string, a Boolean or a whole number; got "
            f"{shown(pos_label)}. Pass the label that is to be found."
        )
    of_overlap, of_score = split(score, arguments, REFUSED, also=OWN, words=WORDS)
    averaged = takes(score, "average")
    check_choice("average", average, AVERAGES)
    for name, given, possible in (
        ("average", average != "binary", averaged),
        ("pos_label", pos_label != 1, averaged),
        ("labels", bool(labels), takes(score, "classes")),
    ):
        if given and not possible:
            raise ValueError(
                f"`{name}` must be left out of `{score.__name__}`, which is of all labels "
                "together; got one. Drop it."
            )
    if labels and average == "binary" and averaged:
        raise ValueError(
            "`labels` must be left out of the score of one label; got some. Pass an `average`, or "
            "`pos_label=` alone."
        )
    of_score["empty"] = zero_division
    with wording(WORDS):
        try_out(score, None, of_score)
    return Metric(score, average, labels, pos_label, of_overlap, of_score)


def scorer(score: Score, **arguments: Any) -> Any:
    """Make a scorer for `cross_validate` and `GridSearchCV` from a score.

    It is ``sklearn.metrics.make_scorer(metric(score, **arguments))``.

    Parameters
    ----------
    score : function
        A score of this package; for all of them larger is better.
    **arguments
        As in `metric`.

    Returns
    -------
    scorer
        Called as ``scorer(estimator, X, y, sample_weight=None)``; it scores the result of
        ``estimator.predict``. With metadata routing, ``set_score_request(sample_weight=True)``
        requests weights.

    Raises
    ------
    TypeError, ValueError
        As `metric`.

    Examples
    --------
    >>> import dice_any
    >>> from dice_any.interfaces.sklearn import scorer
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_validate
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> scoring = {
    ...     "dice": scorer(dice_any.dice_score, average="macro"),
    ...     "iou": scorer(dice_any.jaccard_score, average="macro"),
    ... }
    >>> found = cross_validate(DecisionTreeClassifier(random_state=0), X, y, scoring=scoring)
    >>> found["test_dice"].shape, bool((found["test_iou"] <= found["test_dice"]).all())
    ((5,), True)
    """
    return make_scorer(metric(score, **arguments))


def _kind(y: Any) -> str:
    """Return scikit-learn's type of an array; raise if it holds no labels."""
    kind = str(type_of_target(y))
    if kind not in ("binary", "multiclass", "multilabel-indicator"):
        raise ValueError(
            f"`y_true` and `y_pred` must be labels or indicator matrices; got {kind}. For "
            "probabilities compare first, for example `y_pred > 0.5`."
        )
    return kind


def _dense(y: Any) -> Any:
    return y.toarray() if hasattr(y, "toarray") else np.asarray(y)


def _mean(values: Any, weight: Any) -> Any:
    """Return the mean over samples, without those that have no score."""
    kept = ~np.isnan(values)
    weight = np.ones(len(values)) if weight is None else weight.astype(np.float64)
    share = weight[kept].sum()
    return np.asarray((values[kept] * weight[kept]).sum() / share if share else np.nan)
