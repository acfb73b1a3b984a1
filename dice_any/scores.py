"""Scores: how well a prediction agrees with a target, from arrays or from one `Overlap`.

Every function here reads its arguments, hands the sums to one formula of `formulas`, and divides.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, Unpack

from . import formulas
from .arrays import library_of
from .arrays.library import Array, ArrayLibrary
from .counts import overlap
from .documentation import documented
from .formulas import Formula, Sums, divide, halving_sum
from .reading import OverlapArguments, as_classes, check_not_negative
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

NAN = float("nan")
Average = Literal["macro", "micro", "weighted"] | None
Classes = Sequence[int] | Literal["foreground"] | None


# -- what every score shares -------------------------------------------------------------------------------------------


def counted(prediction: Array | Overlap, target: Array | None, arguments: dict[str, Any]) -> Overlap:
    """Return the overlap that a score or a loss was given, or compute it."""
    if not isinstance(prediction, Overlap):
        return overlap(prediction, target, **arguments)
    if target is not None:
        raise TypeError("`target` must be left out beside an Overlap, which holds both sets; got a second argument.")
    if arguments:
        names = ", ".join(f"`{name}`" for name in sorted(arguments))
        raise TypeError(f"{names} must be left out beside an Overlap, which is already summed. Pass them to `overlap`.")
    return prediction


def refuse_squared(name: str, sums: Overlap) -> None:
    if sums.form == "squared" and sums.kind != "hard":
        raise ValueError(
            f"`form` must be 'product' or 'minimum' for {name}, which squared sums can push beyond 1; got 'squared'. "
            "The squared form belongs to Dice, Jaccard, cosine and generalized Dice."
        )


def _score(
    formula: Formula,
    sums: Overlap,
    average: Average,
    classes: Classes,
    empty: float,
    empty_target: float | None,
) -> Array:
    """Divide the two parts of a formula, class by class, and average."""
    if average not in (None, "macro", "micro", "weighted"):
        raise ValueError(f"`average` must be None, 'macro', 'micro' or 'weighted'; got {average!r}.")
    if not sums.by_class and (average is not None or classes is not None):
        name = "average" if average is not None else "classes"
        raise ValueError(
            f"`{name}` must be None without classes to choose from; got {average or classes!r}. "
            "Pass `class_axis=` or `num_classes=`; samples are averaged with the library's own `mean`."
        )
    if classes is not None:
        sums = sums.select_classes(as_classes(classes, sums.shape[-1]))
    if average == "micro":
        sums = sums.sum(axis=-1)
    library = library_of(sums._sums)
    with library.precision():
        xp = library.xp
        *floats, invalid = sums.as_float64()
        parts = Sums(*floats)
        scores = divide(library, *formula(library, parts), empty)
        if empty_target is not None:
            missed = (parts.target == 0) & (parts.prediction > 0)
            scores = xp.where(missed, xp.full_like(scores, empty_target), scores)
        invalid = invalid > 0
        if average in ("macro", "weighted"):
            weights = parts.target if average == "weighted" else xp.ones_like(scores)
            scores = mean_of_numbers(library, scores, weights)
            invalid = xp.any(invalid, axis=-1)
        return xp.where(invalid, xp.full_like(scores, NAN), scores)


def _joint_score(
    formula: Formula, sums: Overlap, empty: float, classes: Classes = None, *, complement: bool = True
) -> Array:
    """Divide the two parts of a formula over all classes; a set without classes is two, with its complement."""
    if classes is not None:
        if not sums.by_class:
            raise ValueError(f"`classes` must be None without classes to choose from; got {classes!r}. Pass `class_axis=`.")
        sums = sums.select_classes(as_classes(classes, sums.shape[-1]))
    library = library_of(sums._sums)
    with library.precision():
        xp = library.xp
        *floats, invalid = sums.as_float64()
        parts = Sums(*floats)
        invalid = invalid > 0
        if sums.by_class:
            invalid = xp.any(invalid, axis=-1)
        elif complement:
            parts = formulas.two_classes(library, parts)
        else:
            parts = Sums(*(xp.expand_dims(part, axis=-1) for part in parts))
        scores = divide(library, *formula(library, parts), empty)
        return xp.where(invalid, xp.full_like(scores, NAN), scores)


def mean_of_numbers(library: ArrayLibrary, values: Array, weights: Array) -> Array:
    """Return the weighted mean over the last axis of those values that are not NaN; NaN if there are none."""
    xp = library.xp
    missing = xp.isnan(values)
    zero = xp.zeros_like(values)
    weights = xp.where(missing, zero, weights)
    total = halving_sum(library, xp.where(missing, zero, values) * weights)
    return divide(library, total, halving_sum(library, weights), NAN)


# -- scores of each class ----------------------------------------------------------------------------------------------


@documented
def dice_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    average: Average = None,
    classes: Classes = None,
    empty: float = NAN,
    empty_target: float | None = None,
    **arguments: Unpack[OverlapArguments],
) -> Array:
    r"""Dice coefficient (Sørensen–Dice index, F1 score) of two sets.

    .. math:: D = \frac{2 |X \cap Y|}{|X| + |Y|}

    where X is the predicted and Y the target set; 0 is no overlap, 1 equality. With soft memberships the sizes are sums
    (see `overlap`, `form`).

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
    sums = counted(prediction, target, arguments)  # type: ignore[arg-type]
    return _score(formulas.dice, sums, average, classes, empty, empty_target)


@documented
def jaccard_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    average: Average = None,
    classes: Classes = None,
    empty: float = NAN,
    empty_target: float | None = None,
    **arguments: Unpack[OverlapArguments],
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
    sums = counted(prediction, target, arguments)  # type: ignore[arg-type]
    return _score(formulas.jaccard, sums, average, classes, empty, empty_target)


@documented
def tversky_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    alpha: float,
    beta: float,
    average: Average = None,
    classes: Classes = None,
    empty: float = NAN,
    empty_target: float | None = None,
    **arguments: Unpack[OverlapArguments],
) -> Array:
    r"""Tversky index: overlap with a price of its own for each kind of error.

    .. math:: T = \frac{|X \cap Y|}{|X \cap Y| + \alpha\,|X \setminus Y| + \beta\,|Y \setminus X|}

    where X is the predicted and Y the target set, :math:`\alpha` weighs false positives and :math:`\beta` false negatives.

    Parameters
    ----------
    alpha : float
        Weight of false positives, at least 0. No default: libraries differ in which of the two it weighs.
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
    sums = counted(prediction, target, arguments)  # type: ignore[arg-type]
    refuse_squared("Tversky", sums)
    formula = partial(formulas.tversky, alpha=float(alpha), beta=float(beta))
    return _score(formula, sums, average, classes, empty, empty_target)


@documented
def f_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    beta: float = 1.0,
    average: Average = None,
    classes: Classes = None,
    empty: float = NAN,
    empty_target: float | None = None,
    **arguments: Unpack[OverlapArguments],
) -> Array:
    r"""F-score: weighted harmonic mean of precision and recall.

    .. math:: F_\beta = \frac{(1 + \beta^2)\,tp}{(1 + \beta^2)\,tp + \beta^2\,fn + fp}

    where tp, fp and fn are the true positives, false positives and false negatives, and :math:`\beta` says how many times
    as important recall is as precision.

    Parameters
    ----------
    beta : float
        Importance of recall, at least 0; 1 is Dice.
    {more score parameters}

    {score returns}

    {score raises}

    Notes
    -----
    :math:`F_\beta` is Tversky's index with :math:`1/(1+\beta^2)` and :math:`\beta^2/(1+\beta^2)`. Denominator 0: `empty`.

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
    sums = counted(prediction, target, arguments)  # type: ignore[arg-type]
    refuse_squared("the F-score", sums)
    return _score(partial(formulas.f_score, beta=float(beta)), sums, average, classes, empty, empty_target)


@documented
def precision_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    average: Average = None,
    classes: Classes = None,
    empty: float = NAN,
    empty_target: float | None = None,
    **arguments: Unpack[OverlapArguments],
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
    sums = counted(prediction, target, arguments)  # type: ignore[arg-type]
    refuse_squared("precision", sums)
    return _score(formulas.precision, sums, average, classes, empty, empty_target)


@documented
def recall_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    average: Average = None,
    classes: Classes = None,
    empty: float = NAN,
    empty_target: float | None = None,
    **arguments: Unpack[OverlapArguments],
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
    sums = counted(prediction, target, arguments)  # type: ignore[arg-type]
    refuse_squared("recall", sums)
    return _score(formulas.recall, sums, average, classes, empty, empty_target)


@documented
def specificity_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    average: Average = None,
    classes: Classes = None,
    empty: float = NAN,
    empty_target: float | None = None,
    **arguments: Unpack[OverlapArguments],
) -> Array:
    r"""Specificity (true negative rate): how much of the rest was left alone.

    .. math:: S = \frac{tn}{tn + fp} = \frac{N - |X \cup Y|}{N - |Y|}

    where X is the predicted and Y the target set, N the number of elements, tn and fp the true negatives and false
    positives.

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
    sums = counted(prediction, target, arguments)  # type: ignore[arg-type]
    refuse_squared("specificity", sums)
    return _score(formulas.specificity, sums, average, classes, empty, empty_target)


@documented
def volume_similarity(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    average: Average = None,
    classes: Classes = None,
    empty: float = NAN,
    empty_target: float | None = None,
    **arguments: Unpack[OverlapArguments],
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
    A. A. Taha, A. Hanbury, "Metrics for evaluating 3D medical image segmentation", BMC Medical Imaging 15, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import volume_similarity
    >>> prediction = np.array([True, True, True, False, False])
    >>> target = np.array([False, False, False, False, True])
    >>> float(volume_similarity(prediction, target))
    0.5
    """
    sums = counted(prediction, target, arguments)  # type: ignore[arg-type]
    refuse_squared("volume similarity", sums)
    return _score(formulas.volume_similarity, sums, average, classes, empty, empty_target)


@documented
def overlap_coefficient(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    average: Average = None,
    classes: Classes = None,
    empty: float = NAN,
    empty_target: float | None = None,
    **arguments: Unpack[OverlapArguments],
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
    sums = counted(prediction, target, arguments)  # type: ignore[arg-type]
    refuse_squared("the overlap coefficient", sums)
    return _score(formulas.overlap_coefficient, sums, average, classes, empty, empty_target)


@documented
def cosine_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    average: Average = None,
    classes: Classes = None,
    empty: float = NAN,
    empty_target: float | None = None,
    **arguments: Unpack[OverlapArguments],
) -> Array:
    r"""Cosine similarity (Ochiai coefficient on masks).

    .. math:: C = \frac{\sum_i x_i y_i}{\sqrt{\sum_i x_i^2 \, \sum_i y_i^2}}

    where :math:`x_i` and :math:`y_i` are the memberships of element i in the predicted and the target set. Here the squared
    form is the default.

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
    sums = counted(prediction, target, arguments)  # type: ignore[arg-type]
    return _score(formulas.cosine, sums, average, classes, empty, empty_target)


# -- joint scores ------------------------------------------------------------------------------------------------------


@documented
def accuracy_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    empty: float = NAN,
    **arguments: Unpack[OverlapArguments],
) -> Array:
    r"""Accuracy: the fraction of elements that are right.

    .. math:: A = \frac{1}{N} \sum_c |X_c \cap Y_c|

    where :math:`X_c` and :math:`Y_c` are the predicted and the target set of class c and N the number of elements. Without
    a class axis the two classes are the set and its complement: (tp + tn) / N.

    {joint parameters}

    {joint returns}

    {score raises}

    Notes
    -----
    Nothing counted: `empty`.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import accuracy_score
    >>> float(accuracy_score(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2]), num_classes=3))
    0.75
    """
    sums = counted(prediction, target, arguments)  # type: ignore[arg-type]
    refuse_squared("accuracy", sums)
    return _joint_score(formulas.accuracy, sums, empty)


@documented
def matthews_correlation(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    empty: float = NAN,
    **arguments: Unpack[OverlapArguments],
) -> Array:
    r"""Matthews correlation coefficient (φ; with several classes Gorodkin's :math:`R_K`).

    .. math::
        R = \frac{N \sum_c I_c - \sum_c X_c Y_c}{\sqrt{(N^2 - \sum_c X_c^2)(N^2 - \sum_c Y_c^2)}}

    where for class c :math:`I_c` is the size of the intersection, :math:`X_c` and :math:`Y_c` those of the predicted and the
    target set, and N the number of elements. Without a class axis the two classes are the set and its complement.

    {joint parameters}

    {joint returns}

    {score raises}

    Notes
    -----
    A constant prediction or target: `empty`.

    References
    ----------
    B. W. Matthews, Biochimica et Biophysica Acta 405, 1975; J. Gorodkin, Computational Biology and Chemistry 28, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import matthews_correlation
    >>> prediction = np.array([True, True, True, False, False])
    >>> target = np.array([True, False, False, True, False])
    >>> round(float(matthews_correlation(prediction, target)), 4)
    -0.1667
    """
    sums = counted(prediction, target, arguments)  # type: ignore[arg-type]
    refuse_squared("Matthews correlation", sums)
    return _joint_score(formulas.matthews, sums, empty)


@documented
def cohen_kappa(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    empty: float = NAN,
    **arguments: Unpack[OverlapArguments],
) -> Array:
    r"""Cohen's kappa: agreement beyond what the class sizes alone would give.

    .. math:: \kappa = \frac{p_o - p_e}{1 - p_e}, \qquad p_o = \frac{1}{N} \sum_c I_c, \qquad
        p_e = \frac{1}{N^2} \sum_c X_c Y_c

    where for class c :math:`I_c` is the size of the intersection, :math:`X_c` and :math:`Y_c` those of the predicted and the
    target set, and N the number of elements. Without a class axis the two classes are the set and its complement.

    {joint parameters}

    {joint returns}

    {score raises}

    Notes
    -----
    Both constant and equal: `empty`.

    References
    ----------
    J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20, 1960.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import cohen_kappa
    >>> float(cohen_kappa(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2]), num_classes=3))
    0.6363636363636364
    """
    sums = counted(prediction, target, arguments)  # type: ignore[arg-type]
    refuse_squared("Cohen's kappa", sums)
    return _joint_score(formulas.kappa, sums, empty)


@documented
def generalized_dice_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    class_weight: Literal["square", "simple", "uniform"] = "square",
    classes: Classes = None,
    empty: float = NAN,
    **arguments: Unpack[OverlapArguments],
) -> Array:
    r"""Generalized Dice: one Dice coefficient over all classes, small ones weighted up.

    .. math:: G = \frac{2 \sum_c w_c\, I_c}{\sum_c w_c\, (X_c + Y_c)}

    where for class c :math:`I_c` is the size of the intersection, :math:`X_c` and :math:`Y_c` those of the predicted and the
    target set, and :math:`w_c` the weight: :math:`1/Y_c^2` ("square"), :math:`1/Y_c` ("simple") or 1 ("uniform").

    Parameters
    ----------
    class_weight : {"square", "simple", "uniform"}
        Weight of a class from its target's size. Weights are scaled so that the largest is 1; an absent class takes the
        largest, so that predicting it is never free.
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
    W. R. Crum, O. Camara, D. L. G. Hill, "Generalized overlap measures", IEEE Transactions on Medical Imaging 25, 2006.

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
    sums = counted(prediction, target, arguments)  # type: ignore[arg-type]

    def formula(library: ArrayLibrary, parts: Sums) -> formulas.Ratio:
        return formulas.generalized_dice(library, parts, formulas.size_weights(library, parts.target, power))

    return _joint_score(formula, sums, empty, classes, complement=False)


def size_power(class_weight: str) -> int:
    """Return the power of the target's size that a named class weight divides by."""
    powers = {"square": 2, "simple": 1, "uniform": 0}
    if not isinstance(class_weight, str) or class_weight not in powers:
        raise ValueError(f"`class_weight` must be one of 'square', 'simple', 'uniform'; got {class_weight!r}.")
    return powers[class_weight]


# -- conversions -------------------------------------------------------------------------------------------------------


def dice_to_jaccard(dice: Array | float, /) -> Array | float:
    r"""Jaccard index that belongs to a Dice coefficient.

    .. math:: J = \frac{D}{2 - D}

    Parameters
    ----------
    dice : array or float
        Dice coefficients D of single pairs of sets. (A mean of Dice does not determine the mean of Jaccard.)

    Returns
    -------
    array or float
        J, of the kind that was passed; NaN stays NaN.

    Examples
    --------
    >>> dice_to_jaccard(0.4)
    0.25
    """
    return dice / (2 - dice)


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
        D, of the kind that was passed; NaN stays NaN.

    Examples
    --------
    >>> jaccard_to_dice(0.25)
    0.4
    """
    return 2 * jaccard / (1 + jaccard)
