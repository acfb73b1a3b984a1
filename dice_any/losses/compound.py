"""Dice losses plus a cross-entropy or focal loss, from one pass over the logits."""

from __future__ import annotations

from typing import Unpack

from ..arrays.library import A, Array
from ..reading import LossArguments, check_not_negative
from .objectives import DICE, Entropy, RatioObjective
from .pipeline import described, loss

__all__ = ["dice_cross_entropy_loss", "dice_focal_loss"]


@loss()
def dice_cross_entropy_loss(
    prediction: A,
    target: Array,
    /,
    *,
    dice_weight: float = 1.0,
    cross_entropy_weight: float = 1.0,
    **arguments: Unpack[LossArguments],
) -> A:
    r"""Dice loss plus cross-entropy, from one pass over the logits.

    .. math::
        L = \lambda_D L_D + \lambda_H\,
        \frac{\sum_{i,c} w_i v_c\, y_{ic} (-\ln x_{ic})}{\sum_{i,c} w_i v_c\, y_{ic}}

    where :math:`L_D` is `dice_loss`, :math:`x_{ic}` and :math:`y_{ic}` are the memberships of
    element i in class c of the prediction and of the target, :math:`w_i` is the element's `weight`
    and :math:`v_c` the `class_weight`. With sigmoid each class has a complement: the terms are
    :math:`-y \ln x - (1 - y) \ln (1 - x)`, and they are divided by
    :math:`\sum_{i,c} w_i v_c`.

    Parameters
    ----------
    dice_weight : float
        :math:`\lambda_D`, at least 0.
    cross_entropy_weight : float
        :math:`\lambda_H`, at least 0.
    {more compound parameters}

    {compound returns}

    {loss raises}

    Notes
    -----
    The cross-entropy is one mean over all counted elements and all classes, for any `axis` and
    `reduction`. `classes`, `form`, `smooth`, `absent` and `average` affect only the Dice loss;
    `class_weight` affects both. With `regions` and sigmoid, the cross-entropy is that of each
    channel. With `regions` and softmax, it is that of the classes, and `class_weight`, which is of
    regions, affects only the Dice loss. If no element is counted, the loss is 0.

    With `exact` the logarithms are computed in integers, at most :math:`2^{-28}` off. A cost
    :math:`-\ln x` of :math:`2^{20}` or more is infinite there.

    References
    ----------
    F. Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image
    segmentation", Nature Methods 18, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import dice_cross_entropy_loss
    >>> logits = np.log(np.array([[0.5, 0.25, 0.25], [0.5, 0.75, 0.75]]))
    >>> labels = np.array([0, 1, 0])
    >>> arguments = {"class_axis": 0, "activation": "softmax", "smooth": 0}
    >>> # the cross-entropy is (ln 2 + ln 4/3 + ln 4) / 3
    >>> round(float(dice_cross_entropy_loss(logits, labels, dice_weight=0, **arguments)), 6)
    0.789041
    >>> # the Dice loss is (1 − 1.5/3 + 1 − 1.5/3) / 2 more
    >>> round(float(dice_cross_entropy_loss(logits, labels, **arguments)), 6)
    1.289041
    """
    entropy = _entropy(0.0, dice_weight=dice_weight, cross_entropy_weight=cross_entropy_weight)
    return described(RatioObjective(DICE, entropy=entropy), prediction, target, arguments)


@loss()
def dice_focal_loss(
    prediction: A,
    target: Array,
    /,
    *,
    gamma: float = 2.0,
    dice_weight: float = 1.0,
    focal_weight: float = 1.0,
    **arguments: Unpack[LossArguments],
) -> A:
    r"""Dice loss plus focal loss, from one pass over the logits.

    .. math::
        L = \lambda_D L_D
        + \lambda_F\, \frac{\sum_{i,c} w_i v_c\, y_{ic} (1 - x_{ic})^\gamma (-\ln x_{ic})}
        {\sum_{i,c} w_i v_c\, y_{ic}}

    where :math:`L_D` is `dice_loss`, :math:`x_{ic}` and :math:`y_{ic}` are the memberships of
    element i in class c of the prediction and of the target, :math:`w_i` is the element's `weight`,
    :math:`v_c` the `class_weight`. :math:`\gamma` gives elements that are almost right less weight
    than the others. With sigmoid each class has a complement: the terms are :math:`-y
    (1 - x)^\gamma \ln x - (1 - y)\, x^\gamma \ln (1 - x)`, and they are divided by
    :math:`\sum_{i,c} w_i v_c`.

    Parameters
    ----------
    gamma : float
        Focusing power, at least 0; 0 makes it `dice_cross_entropy_loss`.
    dice_weight : float
        :math:`\lambda_D`, at least 0.
    focal_weight : float
        :math:`\lambda_F`, at least 0.
    {more compound parameters}

    {compound returns}

    {loss raises}

    Notes
    -----
    The focal loss is one mean over all counted elements and all classes, for any `axis` and
    `reduction`. `classes`, `form`, `smooth`, `absent` and `average` affect only the Dice loss;
    `class_weight` affects both. With `regions` and sigmoid, the focal loss is that of each channel.
    With `regions` and softmax, it is that of the classes, and `class_weight`, which is of regions,
    affects only the Dice loss. If no element is counted, the loss is 0.

    With `exact` the logarithms and powers are computed in integers, at most :math:`2^{-27}` off,
    relative to a cost above 1. A cost :math:`-\ln x` of :math:`2^{20}` or more is infinite there.

    References
    ----------
    T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, "Focal loss for dense object detection",
    ICCV 2017. W. Zhu et al., "AnatomyNet: deep learning for fast and fully automated whole-volume
    segmentation of head and neck anatomy", Medical Physics 46, 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import dice_focal_loss
    >>> logits = np.log(np.array([[0.5, 0.25, 0.25], [0.5, 0.75, 0.75]]))
    >>> labels = np.array([0, 1, 0])
    >>> arguments = {"class_axis": 0, "activation": "softmax", "smooth": 0}
    >>> # halves and quarters
    >>> round(float(dice_focal_loss(logits, labels, gamma=1, dice_weight=0, **arguments)), 6)
    0.486072
    """
    check_not_negative(gamma=gamma)
    entropy = _entropy(float(gamma), dice_weight=dice_weight, focal_weight=focal_weight)
    return described(RatioObjective(DICE, entropy=entropy), prediction, target, arguments)


def _entropy(gamma: float, **weights: float) -> Entropy:
    """Check the weights of the two parts; the first is that of the overlap."""
    check_not_negative(**weights)
    of_overlap, of_entropy = weights.values()
    return Entropy(gamma, float(of_entropy), float(of_overlap))
