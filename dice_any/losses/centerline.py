"""The loss of centre lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from ..arrays.library import A, Array
from ..reading import LossArguments, read_integer, shown
from .objectives import SkeletonObjective
from .pipeline import described, loss

__all__ = ["centerline_dice_loss"]

#: More than the radius of any tube in an image.
MOST_ITERATIONS = 10_000


@loss(axis="space", refuses={"form": "clDice is made of products"})
def centerline_dice_loss(
    prediction: A,
    target: Array,
    /,
    *,
    iterations: int = 3,
    spatial_axes: Sequence[int] | None = None,
    **arguments: Unpack[LossArguments],
) -> A:
    r"""Soft centre-line Dice loss (clDice), which rewards connected tubes rather than thick ones.

    .. math::
        L = 1 - \frac{2 P S}{P + S}, \qquad
        P = \frac{\sum_i w_i\, s(x)_i\, y_i + s}{\sum_i w_i\, s(x)_i + s}, \qquad
        S = \frac{\sum_i w_i\, s(y)_i\, x_i + s}{\sum_i w_i\, s(y)_i + s}

    where :math:`s(x)` and :math:`s(y)` are the soft skeletons of the predicted and of the target
    set: the parts that morphological opening removes, collected while the set is eroded
    `iterations` times. P is the part of the predicted centre lines that is in the target, S the
    part of the target's centre lines that was found, :math:`w_i` the `weight` and s `smooth`.

    Parameters
    ----------
    iterations : int
        Number of erosions, about the radius of the widest tube in elements.
    spatial_axes : sequence of int, optional
        The two or three axes along which elements have neighbours, in the prediction's numbering.
        By default the summed axes.
    {field parameters}
        `axis` is ``"space"`` by default: a skeleton for each sample and class. With ``axis=None``
        samples are pooled, and `spatial_axes` must be given. Forms other than ``"product"`` are
        refused.

    {loss returns}

    {loss raises}

    Notes
    -----
    A prediction of everything has no centre line, so nothing of it is outside of the target. Its
    loss is 0, as in the paper, which adds a Dice loss. Erosion takes the smallest of an element's
    neighbours along each axis, and dilation the largest value in the box around it. Skeletons are
    stored for every class, also for a label map, so memory is several times that of the prediction.
    Ignored elements are outside of both sets. If both sets are empty, the loss is 0.

    References
    ----------
    S. Shit et al., "clDice: a novel topology-preserving loss function for tubular structure
    segmentation", CVPR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import centerline_dice_loss
    >>> target = np.zeros((1, 5, 6), dtype=bool)
    >>> target[0, 2] = True
    >>> gap = np.where(target, 1.0, 0.0)
    >>> gap[0, 2, 3] = 0.0
    >>> # nothing outside, 5 of 6 found: 1 − 2·1·⅚ / (1 + ⅚)
    >>> round(float(centerline_dice_loss(gap, target, smooth=0)), 6)
    0.090909
    """
    iterations = read_integer("iterations", iterations)
    if not 0 <= iterations <= MOST_ITERATIONS:
        raise ValueError(
            f"`iterations` must be at least 0 and at most {MOST_ITERATIONS}; got "
            f"{shown(iterations)}. About the radius of the widest tube will do."
        )
    objective = SkeletonObjective(int(iterations), spatial_axes)
    return described(objective, prediction, target, arguments)
