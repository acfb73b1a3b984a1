"""The loss of Matthews' correlation."""

from __future__ import annotations

from typing import Unpack

from ..arrays.library import A, Array
from ..reading import LossArguments
from ..sums import Overlap
from .objectives import MATTHEWS, RatioObjective
from .pipeline import described, loss

__all__ = ["matthews_loss"]


@loss()
def matthews_loss(
    prediction: A | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> A:
    r"""Matthews loss, one minus the smoothed Matthews correlation of each class with its
    complement.

    .. math::
        L = 1 - \frac{(N I - X Y)\,(1 + s / v)}{\sqrt{X (N - X)\, v} + s}, \qquad v = Y (N - Y)

    where I is the size of the intersection, X and Y are those of the predicted and the target set,
    N is the number of elements and s is `smooth`, which here stands beside products of sizes.

    {loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    Between 0 and 2. A constant prediction of a target that has both values costs 1, whatever s, and
    the target itself 0: s is added to the numerator in proportion to the covariance, which is v at
    the target and 0 at a constant. A target that is empty or full correlates with nothing; there
    the loss is N·W / (N·W + s), where W = fp + fn is what is predicted wrong, and 0 where W is.

    References
    ----------
    K. Abhishek, G. Hamarneh, "Matthews correlation coefficient loss for deep convolutional
    networks", ISBI 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import matthews_loss
    >>> prediction, target = np.array([1.0, 1.0, 0.0, 0.0]), np.array([True, False, False, False])
    >>> round(float(matthews_loss(prediction, target, smooth=0)), 6)
    0.42265
    """
    objective = RatioObjective(MATTHEWS, squared=False)
    return described(objective, prediction, target, arguments)
