"""Scores of the similarity of two sets, class by class."""

from __future__ import annotations

from functools import partial
from typing import Unpack

from .. import formulas
from ..arrays.library import Array
from ..reading import ScoreArguments, check_not_negative, public
from ..sums import Overlap
from .averages import score_of_classes

__all__ = [
    "cosine_score",
    "dice_score",
    "jaccard_score",
    "overlap_coefficient",
    "tversky_score",
    "volume_similarity",
]


@public(ScoreArguments)
def dice_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[ScoreArguments],
) -> Array:
    r"""Dice coefficient (Sørensen–Dice index, F1 score) of two sets.

    .. math:: D = \frac{2 |X \cap Y|}{|X| + |Y|}

    where X is the predicted and Y the target set; 0 is no overlap, 1 equality. With soft
    memberships the sizes are sums (see `overlap`, `form`).

    {score parameters}

    {score returns}

    {score raises}

    Notes
    -----
    If both sets are empty, the score is `empty`. :math:`D = 2J / (1 + J)`, J the Jaccard index.

    References
    ----------
    L. R. Dice, "Measures of the amount of ecologic association between species", Ecology 26, 1945.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import dice_score
    >>> prediction = np.array([True, True, True, False, False])
    >>> target = np.array([True, False, False, True, False])
    >>> float(dice_score(prediction, target))
    0.4
    """
    return score_of_classes(formulas.dice, prediction, target, arguments)


@public(ScoreArguments)
def jaccard_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[ScoreArguments],
) -> Array:
    r"""Jaccard index (intersection over union, IoU) of two sets.

    .. math:: J = \frac{|X \cap Y|}{|X \cup Y|} = \frac{|X \cap Y|}{|X| + |Y| - |X \cap Y|}

    where X is the predicted and Y the target set.

    {score parameters}

    {score returns}

    {score raises}

    Notes
    -----
    If both sets are empty, the score is `empty`. 1 − J is a metric (for soft sets, in the minimum
    form); 1 − D is not.

    References
    ----------
    P. Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 11, 1912.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import jaccard_score
    >>> prediction = np.array([True, True, True, False, False])
    >>> target = np.array([True, False, False, True, False])
    >>> float(jaccard_score(prediction, target))
    0.25
    """
    return score_of_classes(formulas.jaccard, prediction, target, arguments)


@public(ScoreArguments)
def tversky_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    alpha: float,
    beta: float,
    **arguments: Unpack[ScoreArguments],
) -> Array:
    r"""Tversky index: overlap with separate weights for the two kinds of error.

    .. math:: T = \frac{|X \cap Y|}{|X \cap Y| + \alpha\,|X \setminus Y| + \beta\,|Y \setminus X|}

    where X is the predicted and Y the target set, :math:`\alpha` weighs false positives and
    :math:`\beta` false negatives.

    Parameters
    ----------
    alpha : float
        Weight of false positives, at least 0. It has no default, because in some libraries it is
        the weight of false negatives.
    beta : float
        Weight of false negatives, at least 0.
    {more score parameters}

    {score returns}

    {score raises}

    Notes
    -----
    (½, ½) is Dice, (1, 1) Jaccard, (1, 0) precision, (0, 1) recall. If the denominator is 0, the
    score is `empty`.

    References
    ----------
    A. Tversky, "Features of similarity", Psychological Review 84, 1977.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import tversky_score
    >>> prediction = np.array([True, True, True, False, False])
    >>> target = np.array([True, False, False, True, False])
    >>> float(tversky_score(prediction, target, alpha=0, beta=1))
    0.5
    """
    check_not_negative(alpha=alpha, beta=beta)
    formula = partial(formulas.tversky, alpha=float(alpha), beta=float(beta))
    return score_of_classes(formula, prediction, target, arguments, squared_form=False)


@public(ScoreArguments)
def volume_similarity(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[ScoreArguments],
) -> Array:
    r"""Volume similarity: agreement of the sizes of two sets, whatever their position.

    .. math:: VS = 1 - \frac{\bigl| |X| - |Y| \bigr|}{|X| + |Y|}

    where X is the predicted and Y the target set.

    {score parameters}

    {score returns}

    {score raises}

    Notes
    -----
    If both sets are empty, the score is `empty`. It is never below the Dice coefficient.

    References
    ----------
    A. A. Taha, A. Hanbury, "Metrics for evaluating 3D medical image segmentation", BMC Medical
    Imaging 15, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import volume_similarity
    >>> prediction = np.array([True, True, True, False, False])
    >>> target = np.array([False, False, False, False, True])
    >>> float(volume_similarity(prediction, target))
    0.5
    """
    return score_of_classes(
        formulas.volume_similarity, prediction, target, arguments, squared_form=False
    )


@public(ScoreArguments)
def overlap_coefficient(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[ScoreArguments],
) -> Array:
    r"""Overlap coefficient (Szymkiewicz–Simpson): the part of the smaller set in the larger one.

    .. math:: O = \frac{|X \cap Y|}{\min(|X|, |Y|)}

    where X is the predicted and Y the target set.

    {score parameters}

    {score returns}

    {score raises}

    Notes
    -----
    If one set is empty, the score is `empty`.

    References
    ----------
    G. G. Simpson, "Mammals and the nature of continents", American Journal of Science 241, 1943.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import overlap_coefficient
    >>> prediction = np.array([True, True, True, False, False])
    >>> target = np.array([True, False, False, True, False])
    >>> float(overlap_coefficient(prediction, target))
    0.5
    """
    return score_of_classes(
        formulas.overlap_coefficient, prediction, target, arguments, squared_form=False
    )


@public(ScoreArguments, form="squared")
def cosine_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[ScoreArguments],
) -> Array:
    r"""Cosine similarity (Ochiai coefficient on masks).

    .. math:: C = \frac{\sum_i x_i y_i}{\sqrt{\sum_i x_i^2 \, \sum_i y_i^2}}

    where :math:`x_i` and :math:`y_i` are the memberships of element i in the predicted and the
    target set. Here the squared form is the default.

    {score parameters}

    {score returns}

    {score raises}

    Notes
    -----
    If one set is empty, the score is `empty`. With another `form` it is Ochiai's coefficient of
    soft sizes.

    References
    ----------
    A. Ochiai, "Zoogeographical studies on the soleoid fishes found in Japan", 1957.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import cosine_score
    >>> round(float(cosine_score(np.array([0.6, 0.8, 0.0]), np.array([1.0, 0.0, 0.0]))), 12)
    0.6
    """
    if isinstance(prediction, Overlap) and arguments["form"] == "squared":
        del arguments["form"]  # this default is for arrays
    return score_of_classes(formulas.cosine, prediction, target, arguments)
