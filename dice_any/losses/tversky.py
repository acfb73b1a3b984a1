"""Losses of Tversky's index."""

from __future__ import annotations

from functools import partial
from typing import Unpack

from .. import formulas
from ..arrays.library import A, Array
from ..reading import LossArguments, check_not_negative
from ..sums import Overlap
from .objectives import RatioObjective, focal, linear
from .pipeline import described, loss

__all__ = ["focal_tversky_loss", "tversky_loss"]


@loss()
def tversky_loss(
    prediction: A | Overlap,
    target: Array | None = None,
    /,
    *,
    alpha: float,
    beta: float,
    **arguments: Unpack[LossArguments],
) -> A:
    r"""Tversky loss, one minus the smoothed Tversky index.

    .. math:: L = 1 - \frac{tp + s}{tp + \alpha\,fp + \beta\,fn + s}

    where tp, fp and fn are the (soft) true positives, false positives and false negatives, and s is
    `smooth`.

    Parameters
    ----------
    alpha : float
        Weight of false positives, at least 0. It has no default, because in some libraries it is
        the weight of false negatives.
    beta : float
        Weight of false negatives, at least 0. If it is larger than `alpha`, the loss favours recall
        over precision.
    {more loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    If both sets are empty, the loss is 0, with zero gradient if s is 0.

    References
    ----------
    S. S. M. Salehi, D. Erdogmus, A. Gholipour, "Tversky loss function for image segmentation", MLMI
    2017.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import tversky_loss
    >>> prediction = np.array([1.0, 1.0, 1.0, 0.0])
    >>> target = np.array([True, False, False, True])
    >>> float(tversky_loss(prediction, target, alpha=0, beta=1, smooth=0))
    0.5
    """
    check_not_negative(alpha=alpha, beta=beta)
    formula = partial(formulas.tversky, alpha=float(alpha), beta=float(beta))
    objective = RatioObjective(linear(formula), squared=False)
    return described(objective, prediction, target, arguments)


@loss()
def focal_tversky_loss(
    prediction: A | Overlap,
    target: Array | None = None,
    /,
    *,
    alpha: float,
    beta: float,
    gamma: float = 0.75,
    **arguments: Unpack[LossArguments],
) -> A:
    r"""Focal Tversky loss, a power of the Tversky loss of each class.

    .. math:: L = \left( 1 - \frac{tp + s}{tp + \alpha\,fp + \beta\,fn + s} \right)^{\gamma}

    where tp, fp and fn are the (soft) true positives, false positives and false negatives, s is
    `smooth`, and :math:`\gamma` bends the loss: below 1 the slope is large for classes that are
    almost right, above 1 for those that are not.

    Parameters
    ----------
    alpha : float
        Weight of false positives, at least 0.
    beta : float
        Weight of false negatives, at least 0.
    gamma : float
        Power, above 0. The paper's power is :math:`1/\gamma`; its 4/3 is 0.75 here.
    {more loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    If both sets are empty, the loss is 0. The gradient at a perfect overlap is 0, even if the slope
    of the power is infinite there.

    References
    ----------
    N. Abraham, N. M. Khan, "A novel focal Tversky loss function with improved attention U-Net",
    ISBI 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import focal_tversky_loss
    >>> prediction, target = np.array([1.0, 1.0, 1.0, 0.0]), np.array([True, False, False, True])
    >>> float(focal_tversky_loss(prediction, target, alpha=0, beta=1, gamma=2, smooth=0))
    0.25
    """
    check_not_negative(alpha=alpha, beta=beta, gamma=gamma)
    if gamma == 0:
        raise ValueError("`gamma` must be above 0; got 0. For the Tversky loss itself pass 1.")
    formula = partial(formulas.tversky, alpha=float(alpha), beta=float(beta))
    objective = RatioObjective(linear(formula), focal(float(gamma)), squared=False)
    return described(objective, prediction, target, arguments)
