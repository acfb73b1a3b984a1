"""The loss of distances between classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from ..arrays.library import A, Array
from ..reading import LossArguments
from .objectives import DistanceObjective
from .pipeline import described, loss

__all__ = ["wasserstein_dice_loss"]


@loss(
    refuses={
        "form": "distances are summed as they are",
        "average": "this loss is one ratio over the classes already",
        "regions": "this loss compares classes, which distances of 0 make one group",
    }
)
def wasserstein_dice_loss(
    prediction: A,
    target: Array,
    /,
    *,
    distances: Sequence[Sequence[float]] | Array,
    **arguments: Unpack[LossArguments],
) -> A:
    r"""Generalised Wasserstein Dice loss: confusing close classes costs less.

    .. math::
        L = 1 - \frac{2A + s}{2A + D + s}, \qquad
        A = \sum_i w_i\, v_{y_i} (1 - \delta_i), \qquad D = \sum_i w_i\, \delta_i, \qquad
        \delta_i = \sum_l M_{y_i l}\, x_{il}

    where :math:`\delta_i` is the Wasserstein distance between the predicted memberships
    :math:`x_{il}` of element i and its target class :math:`y_i`, M holds the `distances`,
    :math:`w_i` is the `weight`, :math:`v_c` the `class_weight` and s is `smooth`. For a soft
    target, :math:`\delta_i` is the mean over its classes.

    Parameters
    ----------
    distances : list of rows or 2-D array, of numbers
        M, C × C: the distance from the target class of the row to the predicted class of the
        column; 0 on the diagonal. It is divided by its largest number. Inside a compiler or a
        transformation an array has no values to check: the loss is NaN if they are wrong.
    {field parameters}
        `class_weight` is 0 for class 0 (background) and 1 for the others by default. `form`,
        `average` (the loss is already one ratio over the classes) and `regions` (distances of 0
        join classes to a group) are refused. So is ``activation="sigmoid"``, because memberships
        have to add up to 1.

    {compound returns}

    {loss raises}

    Notes
    -----
    With all distances 1 it is a Dice loss of the foreground. `absent` treats the classes of
    positive weight as one. If there is only background, and it is predicted, the loss is 0.

    References
    ----------
    L. Fidon et al., "Generalised Wasserstein Dice score for imbalanced multi-class segmentation
    using holistic convolutional networks", BrainLes 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import wasserstein_dice_loss
    >>> distances = [[0, 1, 1], [1, 0, 0.5], [1, 0.5, 0]]
    >>> prediction = np.eye(3)  # classes, elements
    >>> # the last is predicted as a class that is half as far as background
    >>> target = np.array([0, 1, 1])
    >>> options = {"class_axis": 0, "distances": distances, "smooth": 0}
    >>> loss = wasserstein_dice_loss(prediction, target, **options)
    >>> round(float(loss), 6)  # 1 − 3 / 3.5
    0.142857
    """
    objective = DistanceObjective(distances)
    return described(objective, prediction, target, arguments)
