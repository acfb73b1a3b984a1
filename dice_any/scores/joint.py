"""Scores of all classes together: one number over the class axis."""

from __future__ import annotations

from typing import Literal, Unpack

from .. import formulas
from ..arrays.library import Array, ArrayLibrary
from ..reading import Classes, JointArguments, public, size_power
from ..sums import Overlap
from .averages import score_of_all

__all__ = [
    "accuracy_score",
    "cohen_kappa",
    "generalized_dice_score",
    "matthews_correlation",
]


@public(JointArguments)
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
    If no element is counted, the score is `empty`. Each element must have exactly one class; for
    masks that overlap use `jaccard_score`.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import accuracy_score
    >>> float(accuracy_score(np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2]), num_classes=3))
    0.75
    """
    return score_of_all(formulas.accuracy, prediction, target, arguments)


@public(JointArguments)
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
    If the prediction or the target is constant, the score is `empty`.

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


@public(JointArguments)
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
    If both are constant and equal, the score is `empty`.

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


@public(JointArguments)
def generalized_dice_score(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    class_weight: Literal["square", "simple", "uniform"] = "square",
    classes: Classes = None,
    **arguments: Unpack[JointArguments],
) -> Array:
    r"""Generalized Dice: one Dice coefficient over all classes, with more weight for small ones.

    .. math:: G = \frac{2 \sum_c w_c\, I_c}{\sum_c w_c\, (X_c + Y_c)}

    where for class c :math:`I_c` is the size of the intersection, :math:`X_c` and :math:`Y_c` those
    of the predicted and the target set, and :math:`w_c` the weight: :math:`1/Y_c^2` ("square"),
    :math:`1/Y_c` ("simple") or 1 ("uniform").

    Parameters
    ----------
    class_weight : {"square", "simple", "uniform"}
        Weight of a class from its target's size. Weights are scaled so that the largest is 1; an
        absent class gets the largest, so that predicting it is never free.
    classes : sequence of int or "foreground", optional
        The classes that take part; ``"foreground"`` is all but 0.
    {more joint parameters}

    {joint returns}

    {score raises}

    Notes
    -----
    If every set is empty, the score is `empty`. Without a class axis it is the Dice coefficient.

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

    def formula(library: ArrayLibrary, sizes: formulas.Sizes) -> formulas.Ratio:
        return formulas.generalized_dice(
            library, sizes, formulas.size_weights(library, sizes.target, power)
        )

    return score_of_all(formula, prediction, target, arguments, classes, mirrored=False)
