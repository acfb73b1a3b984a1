"""Losses of the Jaccard index."""

from __future__ import annotations

from typing import Any, Unpack

from ..arrays.library import A, Array
from ..reading import LossArguments, check_name
from ..sums import Overlap
from .objectives import JACCARD, RankingObjective, RatioObjective
from .pipeline import described, loss

__all__ = ["jaccard_loss", "lovasz_loss"]


@loss()
def jaccard_loss(
    prediction: A | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> A:
    r"""Jaccard loss (soft IoU loss), one minus the smoothed Jaccard index.

    .. math:: L = 1 - \frac{I + s}{X + Y - I + s}

    where I is the size of the intersection, X and Y those of the predicted and the target set (see
    `overlap`, `form`), and s is `smooth`.

    {loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    If both sets are empty, the loss is 0, with zero gradient if s is 0.

    References
    ----------
    M. A. Rahman, Y. Wang, "Optimizing intersection-over-union in deep neural networks for image
    segmentation", ISVC 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import jaccard_loss
    >>> prediction = np.array([0.5, 1.0, 0.0, 0.5])
    >>> target = np.array([True, True, False, False])
    >>> float(jaccard_loss(prediction, target, smooth=0))
    0.4
    """
    return described(RatioObjective(JACCARD), prediction, target, arguments)


@loss(
    refuses={
        "smooth": "this loss divides by a union that is never empty",
        "form": "this loss ranks errors and sums no products",
    }
)
def lovasz_loss(prediction: A, target: Array, /, **arguments: Any) -> A:
    r"""Lovász loss, the convex extension of the Jaccard loss to errors between 0 and 1.

    .. math::
        L = \sum_k e_{(k)} (\Delta_k - \Delta_{k-1}), \qquad
        \Delta_k = 1 - \frac{Y - \sum_{j \le k} w_{(j)} y_{(j)}}
        {Y + \sum_{j \le k} w_{(j)} (1 - y_{(j)})}

    for each class, where :math:`e_{(1)} \ge e_{(2)} \ge \dots` are the errors of the elements,
    :math:`y_{(k)}` and :math:`w_{(k)}` the target and the weight of the element with the k-th
    largest, and :math:`Y = \sum_i w_i y_i`. :math:`\Delta_k` is the Jaccard loss of a prediction
    that is wrong in just these k elements. The error is :math:`|y - x|` of a membership x, or
    :math:`\max(0, 1 - z (2y - 1))` of a logit z with ``activation="hinge"``.

    Parameters
    ----------
    {field parameters}
        `activation` may also be ``"hinge"``: the logits are ranked by their hinge errors, each
        class by itself. Then `regions` are refused, because logits do not add up. `smooth`, `form`,
        ``exact=True`` and soft targets have no meaning here and are refused.

    {loss returns}

    {loss raises}

    Notes
    -----
    For predictions of 0 and 1 it is the Jaccard loss. Errors are sorted, so time grows as n log n
    and memory is several times that of the prediction. ``absent="skip"`` is the paper's mean over
    the classes that are present; ``average="micro"`` ranks the elements of all classes together. If
    everything is ignored, the loss is 0. At tied errors there are several gradients; the order in
    memory decides. Lazy arrays are gathered, because a sum needs all its errors at once.

    References
    ----------
    M. Berman, A. R. Triki, M. B. Blaschko, "The Lovász-Softmax loss: a tractable surrogate for the
    optimization of the intersection-over-union measure in neural networks", CVPR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import lovasz_loss
    >>> prediction, target = np.array([0.75, 0.5, 0.25, 0.0]), np.array([True, True, False, False])
    >>> # errors ½, ¼, ¼ take the Jaccard loss to ½, 1, 1
    >>> round(float(lovasz_loss(prediction, target)), 6)
    0.375
    """
    check_name("activation", arguments.get("activation"))
    hinge = arguments.get("activation") == "hinge"
    if hinge:
        arguments["activation"] = None
    return described(RankingObjective(hinge), prediction, target, arguments)  # type: ignore[arg-type]
