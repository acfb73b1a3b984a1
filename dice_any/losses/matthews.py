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
    N is the number of elements and s is `smooth`, which here is added to products of sizes.

    {loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    The loss is between 0 and 2. If the target has both values, the loss of a constant prediction is
    1 for any s, and that of the target itself is 0: s is added to the numerator in proportion to
    the covariance, which is v for the target and 0 for a constant. A target that is empty or full
    has no correlation. Its loss is N·W / (N·W + s), where W = fp + fn is the size of the error, and
    0 if W is 0.

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
