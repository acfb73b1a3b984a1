"""Losses of the Dice coefficient."""

from __future__ import annotations

from typing import Unpack

from ..arrays.library import A, Array
from ..reading import LossArguments, check_choice
from ..sums import Overlap
from .objectives import DICE, LOG_COSH, NEGATIVE_LOG, RatioObjective
from .pipeline import described, loss

__all__ = ["dice_loss", "generalized_dice_loss", "log_cosh_dice_loss", "log_dice_loss"]


@loss()
def dice_loss(
    prediction: A | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> A:
    r"""Dice loss, one minus the smoothed Dice coefficient.

    .. math:: L = 1 - \frac{2I + s}{X + Y + s}

    where :math:`I = \sum_i x_i y_i` is the size of the intersection, :math:`X = \sum_i x_i` and
    :math:`Y = \sum_i y_i` those of the predicted and the target set (see `overlap`, `form`), and s
    is `smooth`.

    {loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    If both sets are empty, the loss is 0, with zero gradient if s is 0. Smoothing prevents jumps of
    small sets between 0 and 1.

    References
    ----------
    F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net", 3DV 2016 (with ``form="squared"``).

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import dice_loss
    >>> prediction = np.array([0.5, 1.0, 0.0, 0.5])
    >>> target = np.array([True, True, False, False])
    >>> float(dice_loss(prediction, target, smooth=0))
    0.25
    """
    return described(RatioObjective(DICE), prediction, target, arguments)


@loss(class_weight="square")
def generalized_dice_loss(
    prediction: A | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> A:
    r"""Generalized Dice loss: one Dice loss over all classes, with more weight for small ones.

    .. math:: L = 1 - \frac{2 \sum_c w_c\, I_c + s}{\sum_c w_c\, (X_c + Y_c) + s}

    where for class c :math:`I_c` is the size of the intersection, :math:`X_c` and :math:`Y_c` those
    of the predicted and the target set, :math:`w_c` is `class_weight` (here ``"square"``,
    :math:`1/Y_c^2`, by default) and s is `smooth`.

    {loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    It is `dice_loss` with ``average="micro", class_weight="square"``. Weights are scaled so that
    the largest is 1; an absent class gets the largest, so that predicting it is never free. If
    every set is empty, the loss is 0.

    References
    ----------
    C. H. Sudre et al., "Generalised Dice overlap as a deep learning loss function", DLMIA 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import generalized_dice_loss
    >>> prediction = np.array([[0.5, 1.0, 0.5], [0.5, 0.0, 0.5]])
    >>> target = np.array([0, 0, 1])
    >>> round(float(generalized_dice_loss(prediction, target, class_axis=0, smooth=0)), 6)
    0.416667
    """
    check_choice("average", arguments["average"], (None, "micro"))  # it pools the classes already
    arguments["average"] = "micro"
    return described(RatioObjective(DICE, pooled=True), prediction, target, arguments)


@loss()
def log_dice_loss(
    prediction: A | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> A:
    r"""Log-Dice loss, the negative logarithm of the smoothed Dice coefficient.

    .. math:: L = -\ln \max\left( \frac{2I + s}{X + Y + s},\ 10^{-7} \right)

    where I is the size of the intersection, X and Y those of the predicted and the target set (see
    `overlap`, `form`), and s is `smooth`. The floor keeps it finite; below, the gradient is 0.

    {loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    If both sets are empty, the loss is 0. Logarithms differ between libraries in the last bits.

    References
    ----------
    K. C. L. Wong et al., "3D segmentation with exponential logarithmic loss for highly unbalanced
    object sizes", MICCAI 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import log_dice_loss
    >>> prediction, target = np.array([1.0, 1.0, 1.0, 0.0]), np.array([True, False, False, False])
    >>> round(float(log_dice_loss(prediction, target, smooth=0)), 6)
    0.693147
    """
    return described(RatioObjective(DICE, NEGATIVE_LOG), prediction, target, arguments)


@loss()
def log_cosh_dice_loss(
    prediction: A | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> A:
    r"""Log-cosh Dice loss, a Dice loss that is flat near 0.

    .. math:: L = \ln \cosh\left( 1 - \frac{2I + s}{X + Y + s} \right)

    where I is the size of the intersection, X and Y those of the predicted and the target set (see
    `overlap`, `form`), and s is `smooth`.

    {loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    If both sets are empty, the loss is 0. Hyperbolic functions differ between libraries in the last
    bits.

    References
    ----------
    S. Jadon, "A survey of loss functions for semantic segmentation", CIBCB 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import log_cosh_dice_loss
    >>> prediction, target = np.array([1.0, 1.0, 1.0, 0.0]), np.array([True, False, False, False])
    >>> round(float(log_cosh_dice_loss(prediction, target, smooth=0)), 6)
    0.120115
    """
    return described(RatioObjective(DICE, LOG_COSH), prediction, target, arguments)
