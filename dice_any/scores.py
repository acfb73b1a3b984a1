"""Scores: how well a prediction agrees with a target, from arrays or from one `Overlap`.

Every function here checks what is its own, names its formula, and leaves the rest to `averages`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Complex, Number, Real
from typing import Any, Literal, Unpack

from . import formulas
from .arrays.library import Array, ArrayLibrary
from .averages import (
    Classes,
    JointArguments,
    ScoreArguments,
    score_of_all,
    score_of_classes,
    size_power,
)
from .documentation import documented
from .formulas import Sums
from .reading import check_not_negative, class_name, read_library, shown
from .sums import Overlap

__all__ = [
    "accuracy_score",
    "cohen_kappa",
    "cosine_score",
    "dice_score",
    "dice_to_jaccard",
    "f_score",
    "generalized_dice_score",
    "jaccard_score",
    "jaccard_to_dice",
    "matthews_correlation",
    "overlap_coefficient",
    "precision_score",
    "recall_score",
    "specificity_score",
    "tversky_score",
    "volume_similarity",
]


# -- scores of each class --------------------------------------------------------------------------


@documented
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
    Both sets empty: `empty`. :math:`D = 2J / (1 + J)`, J the Jaccard index.

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


@documented
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
    Both sets empty: `empty`. 1 − J is a metric (with the minimum form for soft sets); 1 − D is not.

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


@documented
def tversky_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    alpha: float,
    beta: float,
    **arguments: Unpack[ScoreArguments],
) -> Array:
    r"""Tversky index: overlap with a price of its own for each kind of error.

    .. math:: T = \frac{|X \cap Y|}{|X \cap Y| + \alpha\,|X \setminus Y| + \beta\,|Y \setminus X|}

    where X is the predicted and Y the target set, :math:`\alpha` weighs false positives and
    :math:`\beta` false negatives.

    Parameters
    ----------
    alpha : float
        Weight of false positives, at least 0. No default: libraries differ in which of the two it
        weighs.
    beta : float
        Weight of false negatives, at least 0.
    {more score parameters}

    {score returns}

    {score raises}

    Notes
    -----
    (½, ½) is Dice, (1, 1) Jaccard, (1, 0) precision, (0, 1) recall. Denominator 0: `empty`.

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


@documented
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
    Denominator 0: `empty`.

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


@documented
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
    Nothing predicted: `empty`.

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


@documented
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
    Target empty: `empty`.

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


@documented
def specificity_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[ScoreArguments],
) -> Array:
    r"""Specificity (true negative rate): how much of the rest was left alone.

    .. math:: S = \frac{tn}{tn + fp} = \frac{N - |X \cup Y|}{N - |Y|}

    where X is the predicted and Y the target set, N the number of elements, tn and fp the true
    negatives and false positives.

    {score parameters}

    {score returns}

    {score raises}

    Notes
    -----
    Target everywhere: `empty`.

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


@documented
def volume_similarity(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[ScoreArguments],
) -> Array:
    r"""Volume similarity: agreement of the sizes of two sets, wherever they lie.

    .. math:: VS = 1 - \frac{\bigl| |X| - |Y| \bigr|}{|X| + |Y|}

    where X is the predicted and Y the target set.

    {score parameters}

    {score returns}

    {score raises}

    Notes
    -----
    Both sets empty: `empty`. Never below the Dice coefficient.

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


@documented
def overlap_coefficient(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[ScoreArguments],
) -> Array:
    r"""Overlap coefficient (Szymkiewicz–Simpson): how much of the smaller set lies in the larger.

    .. math:: O = \frac{|X \cap Y|}{\min(|X|, |Y|)}

    where X is the predicted and Y the target set.

    {score parameters}

    {score returns}

    {score raises}

    Notes
    -----
    One set empty: `empty`.

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


@documented
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
    One set empty: `empty`. Another `form` makes it Ochiai's coefficient of soft sizes.

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
    if not isinstance(prediction, Overlap):
        arguments.setdefault("form", "squared")
    return score_of_classes(formulas.cosine, prediction, target, arguments)


# -- joint scores ----------------------------------------------------------------------------------


@documented
def accuracy_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[JointArguments],
) -> Array:
    r"""Accuracy: the fraction of elements that are right.

    .. math:: A = \frac{1}{N} \sum_c |X_c \cap Y_c|

    where :math:`X_c` and :math:`Y_c` are the predicted and the target set of class c and N the
    number of elements. Without a class axis the two classes are the set and its complement: (tp +
    tn) / N.

    {joint parameters}

    {joint returns}

    {score raises}

    Notes
    -----
    Nothing counted: `empty`. One class to each element is presupposed; for masks that overlap use
    `jaccard_score`.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import accuracy_score
    >>> float(accuracy_score(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2]), num_classes=3))
    0.75
    """
    return score_of_all(formulas.accuracy, prediction, target, arguments)


@documented
def matthews_correlation(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[JointArguments],
) -> Array:
    r"""Matthews correlation coefficient (φ; with several classes Gorodkin's :math:`R_K`).

    .. math::
        R = \frac{N \sum_c I_c - \sum_c X_c Y_c}{\sqrt{(N^2 - \sum_c X_c^2)(N^2 - \sum_c Y_c^2)}}

    where for class c :math:`I_c` is the size of the intersection, :math:`X_c` and :math:`Y_c` those
    of the predicted and the target set, and N the number of elements. Without a class axis the two
    classes are the set and its complement.

    {joint parameters}

    {joint returns}

    {score raises}

    Notes
    -----
    A constant prediction or target: `empty`.

    References
    ----------
    B. W. Matthews, Biochimica et Biophysica Acta 405, 1975; J. Gorodkin, Computational Biology and
    Chemistry 28, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import matthews_correlation
    >>> prediction = np.array([True, True, True, False, False])
    >>> target = np.array([True, False, False, True, False])
    >>> round(float(matthews_correlation(prediction, target)), 4)
    -0.1667
    """
    return score_of_all(formulas.matthews, prediction, target, arguments)


@documented
def cohen_kappa(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[JointArguments],
) -> Array:
    r"""Cohen's kappa: agreement beyond what the class sizes alone would give.

    .. math:: \kappa = \frac{p_o - p_e}{1 - p_e}, \qquad p_o = \frac{1}{N} \sum_c I_c, \qquad
        p_e = \frac{1}{N^2} \sum_c X_c Y_c

    where for class c :math:`I_c` is the size of the intersection, :math:`X_c` and :math:`Y_c` those
    of the predicted and the target set, and N the number of elements. Without a class axis the two
    classes are the set and its complement.

    {joint parameters}

    {joint returns}

    {score raises}

    Notes
    -----
    Both constant and equal: `empty`.

    References
    ----------
    J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological
    Measurement 20, 1960.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import cohen_kappa
    >>> float(cohen_kappa(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2]), num_classes=3))
    0.6363636363636364
    """
    return score_of_all(formulas.kappa, prediction, target, arguments)


@documented
def generalized_dice_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    class_weight: Literal["square", "simple", "uniform"] = "square",
    classes: Classes = None,
    **arguments: Unpack[JointArguments],
) -> Array:
    r"""Generalized Dice: one Dice coefficient over all classes, small ones weighted up.

    .. math:: G = \frac{2 \sum_c w_c\, I_c}{\sum_c w_c\, (X_c + Y_c)}

    where for class c :math:`I_c` is the size of the intersection, :math:`X_c` and :math:`Y_c` those
    of the predicted and the target set, and :math:`w_c` the weight: :math:`1/Y_c^2` ("square"),
    :math:`1/Y_c` ("simple") or 1 ("uniform").

    Parameters
    ----------
    class_weight : {"square", "simple", "uniform"}
        Weight of a class from its target's size. Weights are scaled so that the largest is 1; an
        absent class takes the largest, so that predicting it is never free.
    classes : sequence of int or "foreground", optional
        The classes that take part; ``"foreground"`` is all but 0.
    {more joint parameters}

    {joint returns}

    {score raises}

    Notes
    -----
    Every set empty: `empty`. Without a class axis it is the Dice coefficient.

    References
    ----------
    W. R. Crum, O. Camara, D. L. G. Hill, "Generalized overlap measures", IEEE Transactions on
    Medical Imaging 25, 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import generalized_dice_score
    >>> prediction = np.array([0, 0, 0, 1, 0])
    >>> target = np.array([0, 0, 0, 1, 1])
    >>> round(float(generalized_dice_score(prediction, target, num_classes=2)), 6)
    0.763636
    """
    power = size_power(class_weight)

    def formula(library: ArrayLibrary, parts: Sums) -> formulas.Ratio:
        return formulas.generalized_dice(
            library, parts, formulas.size_weights(library, parts.target, power)
        )

    return score_of_all(formula, prediction, target, arguments, classes, mirrored=False)


# -- conversions -----------------------------------------------------------------------------------


def dice_to_jaccard(dice: Array | float, /) -> Array | float:
    r"""Jaccard index that belongs to a Dice coefficient.

    .. math:: J = \frac{D}{2 - D}

    Parameters
    ----------
    dice : array or float
        Dice coefficients D of single pairs of sets. (A mean of Dice does not determine the mean of
        Jaccard.)

    Returns
    -------
    array or float
        J, of the kind that was passed; NaN stays NaN. A rounding error outside of [0, 1] counts as
        0 or 1; what lies farther outside is an error, or NaN where Python may not look.

    Raises
    ------
    TypeError
        If D is neither a real number nor an array of them.
    ValueError
        If D is outside of [0, 1].

    Examples
    --------
    >>> dice_to_jaccard(0.4)
    0.25
    """
    return _converted("dice", dice, lambda d: d / (2 - d))


def jaccard_to_dice(jaccard: Array | float, /) -> Array | float:
    r"""Dice coefficient that belongs to a Jaccard index.

    .. math:: D = \frac{2J}{1 + J}

    Parameters
    ----------
    jaccard : array or float
        Jaccard indices J of single pairs of sets.

    Returns
    -------
    array or float
        D, of the kind that was passed; NaN stays NaN. A rounding error outside of [0, 1] counts as
        0 or 1; what lies farther outside is an error, or NaN where Python may not look.

    Raises
    ------
    TypeError
        If J is neither a real number nor an array of them.
    ValueError
        If J is outside of [0, 1].

    Examples
    --------
    >>> jaccard_to_dice(0.25)
    0.4
    """
    return _converted("jaccard", jaccard, lambda j: 2 * j / (1 + j))


#: Scores of float32 sums are off by less.
ROUNDING = 2.0**-20
NOT_A_SCORE = "A percentage is to be divided by 100."


def _converted(name: str, score: Any, formula: Callable[[Any], Any]) -> Any:
    """Apply a formula to scores in [0, 1]."""
    if isinstance(score, bool) or (isinstance(score, Complex) and not isinstance(score, Real)):
        raise TypeError(f"`{name}` must be a real number or an array; got {class_name(score)}.")
    if isinstance(score, Number):
        if score == score and not -ROUNDING <= score <= 1 + ROUNDING:  # type: ignore[operator]
            raise ValueError(f"`{name}` must be in [0, 1]; got {shown(score)}. {NOT_A_SCORE}")
        return score if score != score else formula(min(max(score, 0), 1))  # type: ignore[call-overload]
    library = read_library(name, score)
    kind = library.kind(score.dtype)
    if kind not in ("integer", "floating"):
        dtype = library.dtype_name(score.dtype)
        raise TypeError(f"`{name}` must be a real number or an array of them; got {dtype}.")
    with library.precision():
        xp = library.xp
        score = score if kind == "floating" else xp.astype(score, library.widest(score))
        outside = (score < -ROUNDING) | (score > 1 + ROUNDING)
        if library.at_hand(outside) and xp.any(outside):
            number = int(xp.sum(xp.astype(outside, xp.int64)))
            raise ValueError(
                f"`{name}` must be in [0, 1]; got {number} other values. {NOT_A_SCORE}"
            )
        score = xp.where(score < 0, xp.zeros_like(score), score)
        score = xp.where(score > 1, xp.ones_like(score), score)
        return formula(xp.where(outside, xp.full_like(score, float("nan")), score))
