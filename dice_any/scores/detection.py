"""Scores of found and missed elements, class by class."""

from __future__ import annotations

from functools import partial
from typing import Unpack

from .. import formulas
from ..arrays.library import Array
from ..reading import ScoreArguments, check_not_negative, public
from ..sums import Overlap
from .averages import score_of_classes

__all__ = [
    "f_score",
    "precision_score",
    "recall_score",
    "specificity_score",
]


@public(ScoreArguments)
def f_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    beta: float = 1.0,
    **arguments: Unpack[ScoreArguments],
) -> Array:
    r"""F-score: weighted harmonic mean of precision and recall.

    .. math:: F_\beta = \frac{(1 + \beta^2)\,tp}{(1 + \beta^2)\,tp + \beta^2\,fn + fp}

    where tp, fp and fn are the true positives, false positives and false negatives, and
    :math:`\beta` says how many times as important recall is as precision.

    Parameters
    ----------
    beta : float
        Importance of recall, at least 0; 1 is Dice.
    {more score parameters}

    {score returns}

    {score raises}

    Notes
    -----
    :math:`F_\beta` is Tversky's index with :math:`1/(1+\beta^2)` and :math:`\beta^2/(1+\beta^2)`.
    If the denominator is 0, the score is `empty`.

    References
    ----------
    C. J. van Rijsbergen, "Information Retrieval", 2nd ed., 1979.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import f_score
    >>> prediction = np.array([True, True, True, False, False])
    >>> target = np.array([True, False, False, True, False])
    >>> round(float(f_score(prediction, target, beta=2)), 4)
    0.4545
    """
    check_not_negative(beta=beta)
    formula = partial(formulas.f_score, beta=float(beta))
    return score_of_classes(formula, prediction, target, arguments, squared_form=False)


@public(ScoreArguments)
def precision_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[ScoreArguments],
) -> Array:
    r"""Precision (positive predictive value): how much of the prediction is right.

    .. math:: P = \frac{|X \cap Y|}{|X|}

    where X is the predicted and Y the target set.

    {score parameters}

    {score returns}

    {score raises}

    Notes
    -----
    If nothing is predicted, the score is `empty`.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import precision_score
    >>> prediction = np.array([True, True, True, True, False])
    >>> target = np.array([True, False, False, False, True])
    >>> float(precision_score(prediction, target))
    0.25
    """
    return score_of_classes(formulas.precision, prediction, target, arguments, squared_form=False)


@public(ScoreArguments)
def recall_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[ScoreArguments],
) -> Array:
    r"""Recall (sensitivity, true positive rate): how much of the target was found.

    .. math:: R = \frac{|X \cap Y|}{|Y|}

    where X is the predicted and Y the target set.

    {score parameters}

    {score returns}

    {score raises}

    Notes
    -----
    If the target is empty, the score is `empty`.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import recall_score
    >>> prediction = np.array([True, True, True, True, False])
    >>> target = np.array([True, False, False, False, True])
    >>> float(recall_score(prediction, target))
    0.5
    """
    return score_of_classes(formulas.recall, prediction, target, arguments, squared_form=False)


@public(ScoreArguments)
def specificity_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[ScoreArguments],
) -> Array:
    r"""Specificity (true negative rate): how much of the rest was not predicted.

    .. math:: S = \frac{tn}{tn + fp} = \frac{N - |X \cup Y|}{N - |Y|}

    where X is the predicted and Y the target set, N the number of elements, tn and fp the true
    negatives and false positives.

    {score parameters}

    {score returns}

    {score raises}

    Notes
    -----
    If the target is everywhere, the score is `empty`.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import specificity_score
    >>> prediction = np.array([True, True, False, False, False])
    >>> target = np.array([True, False, False, False, False])
    >>> float(specificity_score(prediction, target))
    0.75
    """
    return score_of_classes(formulas.specificity, prediction, target, arguments, squared_form=False)
