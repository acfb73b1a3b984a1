"""Losses: what training makes small. Arrays in, a differentiable number out.

Every loss names its `Objective` (a formula and what is made of it) and leaves the rest to
`overlap_loss`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Unpack

from . import formulas
from .arrays.library import Array
from .centerline import centerline_loss
from .documentation import documented
from .gradients import has_gradient
from .loss_arguments import LossArguments
from .lovasz import lovasz_loss as ranked_loss
from .objectives import (
    DICE,
    JACCARD,
    LOG_COSH,
    MATTHEWS,
    NEGATIVE_LOG,
    ONE_MINUS,
    Entropy,
    Objective,
    focal,
    linear,
)
from .overlap_loss import overlap_loss
from .reading import check_not_negative
from .sums import Overlap
from .wasserstein import wasserstein_loss

__all__ = [
    "centerline_dice_loss",
    "dice_cross_entropy_loss",
    "dice_focal_loss",
    "dice_loss",
    "focal_tversky_loss",
    "generalized_dice_loss",
    "jaccard_loss",
    "log_cosh_dice_loss",
    "log_dice_loss",
    "lovasz_loss",
    "matthews_loss",
    "tversky_loss",
    "wasserstein_dice_loss",
]


# -- of the overlap of each class, or of all -------------------------------------------------------


@has_gradient
@documented
def dice_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> Array:
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
    Both sets empty: 0, with zero gradient where s is 0. Smoothing keeps small sets from jumping
    between 0 and 1.

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
    return overlap_loss(Objective(DICE), prediction, target, arguments)


@has_gradient
@documented
def jaccard_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> Array:
    r"""Jaccard loss (soft IoU loss), one minus the smoothed Jaccard index.

    .. math:: L = 1 - \frac{I + s}{X + Y - I + s}

    where I is the size of the intersection, X and Y those of the predicted and the target set (see
    `overlap`, `form`), and s is `smooth`.

    {loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    Both sets empty: 0, with zero gradient where s is 0.

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
    return overlap_loss(Objective(JACCARD), prediction, target, arguments)


@has_gradient
@documented
def tversky_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    alpha: float,
    beta: float,
    **arguments: Unpack[LossArguments],
) -> Array:
    r"""Tversky loss, one minus the smoothed Tversky index.

    .. math:: L = 1 - \frac{tp + s}{tp + \alpha\,fp + \beta\,fn + s}

    where tp, fp and fn are the (soft) true positives, false positives and false negatives, and s is
    `smooth`.

    Parameters
    ----------
    alpha : float
        Weight of false positives, at least 0. No default: libraries differ in which of the two it
        weighs.
    beta : float
        Weight of false negatives, at least 0. Larger than `alpha`, it buys recall with precision.
    {more loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    Both sets empty: 0, with zero gradient where s is 0.

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
    return overlap_loss(
        Objective(linear(formula)), prediction, target, arguments, squared_form=False
    )


@has_gradient
@documented
def focal_tversky_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    alpha: float,
    beta: float,
    gamma: float = 0.75,
    **arguments: Unpack[LossArguments],
) -> Array:
    r"""Focal Tversky loss, a power of the Tversky loss of each class.

    .. math:: L = \left( 1 - \frac{tp + s}{tp + \alpha\,fp + \beta\,fn + s} \right)^{\gamma}

    where tp, fp and fn are the (soft) true positives, false positives and false negatives, s is
    `smooth`, and :math:`\gamma` bends the loss: below 1 it keeps its slope for classes that are
    almost right, above 1 for those that are not.

    Parameters
    ----------
    alpha : float
        Weight of false positives, at least 0.
    beta : float
        Weight of false negatives, at least 0.
    gamma : float
        Power, above 0. The paper's :math:`1/\gamma` with 4/3 is 0.75 here.
    {more loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    Both sets empty: 0. The gradient at a perfect overlap is 0, also where the power's own slope has
    no bound.

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
    objective = Objective(linear(formula), focal(float(gamma)))
    return overlap_loss(objective, prediction, target, arguments, squared_form=False)


@has_gradient
@documented
def generalized_dice_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> Array:
    r"""Generalized Dice loss: one Dice loss over all classes, small ones weighted up.

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
    the largest is 1; an absent class takes the largest, so that predicting it is never free. Every
    set empty: 0.

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
    return overlap_loss(Objective(DICE), prediction, target, arguments, pooled=True)


@has_gradient
@documented
def log_dice_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> Array:
    r"""Log-Dice loss, the negative logarithm of the smoothed Dice coefficient.

    .. math:: L = -\ln \max\left( \frac{2I + s}{X + Y + s},\ 10^{-7} \right)

    where I is the size of the intersection, X and Y those of the predicted and the target set (see
    `overlap`, `form`), and s is `smooth`. The floor keeps it finite, with gradient 0 below.

    {loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    Both sets empty: 0. Logarithms differ between libraries in the last bits.

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
    return overlap_loss(Objective(DICE, NEGATIVE_LOG), prediction, target, arguments)


@has_gradient
@documented
def log_cosh_dice_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> Array:
    r"""Log-cosh Dice loss, a Dice loss that is flat near 0.

    .. math:: L = \ln \cosh\left( 1 - \frac{2I + s}{X + Y + s} \right)

    where I is the size of the intersection, X and Y those of the predicted and the target set (see
    `overlap`, `form`), and s is `smooth`.

    {loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    Both sets empty: 0. Hyperbolic functions differ between libraries in the last bits.

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
    return overlap_loss(Objective(DICE, LOG_COSH), prediction, target, arguments)


@has_gradient
@documented
def matthews_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> Array:
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
    objective = Objective(MATTHEWS)
    return overlap_loss(objective, prediction, target, arguments, squared_form=False)


# -- with a cross-entropy beside -------------------------------------------------------------------


@has_gradient
@documented
def dice_cross_entropy_loss(
    prediction: Array,
    target: Array,
    /,
    *,
    dice_weight: float = 1.0,
    cross_entropy_weight: float = 1.0,
    **arguments: Unpack[LossArguments],
) -> Array:
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
    The cross-entropy is one mean over all elements that count, whatever `axis` and `reduction`, and
    over all classes: `classes`, `form`, `smooth`, `absent` and `average` concern the Dice loss,
    `class_weight` both. Nothing left to count: 0.

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
    return overlap_loss(Objective(DICE, ONE_MINUS, entropy), prediction, target, arguments)


@has_gradient
@documented
def dice_focal_loss(
    prediction: Array,
    target: Array,
    /,
    *,
    gamma: float = 2.0,
    dice_weight: float = 1.0,
    focal_weight: float = 1.0,
    **arguments: Unpack[LossArguments],
) -> Array:
    r"""Dice loss plus focal loss, from one pass over the logits.

    .. math::
        L = \lambda_D L_D
        + \lambda_F\, \frac{\sum_{i,c} w_i v_c\, y_{ic} (1 - x_{ic})^\gamma (-\ln x_{ic})}
        {\sum_{i,c} w_i v_c\, y_{ic}}

    where :math:`L_D` is `dice_loss`, :math:`x_{ic}` and :math:`y_{ic}` are the memberships of
    element i in class c of the prediction and of the target, :math:`w_i` is the element's `weight`,
    :math:`v_c` the `class_weight`, and :math:`\gamma` turns the loss from elements that are almost
    right to those that are not. With sigmoid each class has a complement: the terms are :math:`-y
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
    The focal loss is one mean over all elements that count, whatever `axis` and `reduction`, and
    over all classes: `classes`, `form`, `smooth`, `absent` and `average` concern the Dice loss,
    `class_weight` both. Nothing left to count: 0.

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
    return overlap_loss(Objective(DICE, ONE_MINUS, entropy), prediction, target, arguments)


def _entropy(gamma: float, **weights: float) -> Entropy:
    """Check the weights of the two parts, that of the overlap first."""
    check_not_negative(**weights)
    of_overlap, of_entropy = weights.values()
    return Entropy(gamma, float(of_entropy), float(of_overlap))


# -- of more than the overlap ----------------------------------------------------------------------


@has_gradient
@documented
def lovasz_loss(prediction: Array, target: Array, /, **arguments: Any) -> Array:
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
        class by itself. `smooth`, `form`, ``exact=True`` and soft targets have no meaning here and
        are refused.

    {loss returns}

    {loss raises}

    Notes
    -----
    At predictions of 0 and 1 it is the Jaccard loss. Errors are sorted, so that time grows as n log
    n and memory is several times that of the prediction. ``absent="skip"`` is the paper's mean over
    the classes that are present; ``average="micro"`` ranks the elements of all classes together.
    Everything ignored: 0. The gradient at tied errors is one of several; it follows their order in
    memory. Lazy arrays are gathered, since a sum needs all of its errors at once.

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
    return ranked_loss(prediction, target, arguments)  # type: ignore[arg-type]


@has_gradient
@documented
def centerline_dice_loss(
    prediction: Array,
    target: Array,
    /,
    *,
    iterations: int = 3,
    spatial_axes: Sequence[int] | None = None,
    **arguments: Unpack[LossArguments],
) -> Array:
    r"""Soft centre-line Dice loss (clDice), which asks that tubes be connected rather than thick.

    .. math::
        L = 1 - \frac{2 P S}{P + S}, \qquad
        P = \frac{\sum_i w_i\, s(x)_i\, y_i + s}{\sum_i w_i\, s(x)_i + s}, \qquad
        S = \frac{\sum_i w_i\, s(y)_i\, x_i + s}{\sum_i w_i\, s(y)_i + s}

    where :math:`s(x)` and :math:`s(y)` are the soft skeletons of the predicted and of the target
    set: what morphological opening takes away, collected while the set is eroded `iterations`
    times. P is the part of the predicted centre lines that lies in the target, S the part of the
    target's that was found, :math:`w_i` the `weight` and s `smooth`.

    Parameters
    ----------
    iterations : int
        Number of erosions, about the radius of the widest tube in elements.
    spatial_axes : sequence of int, optional
        The two or three axes along which elements have neighbours, in the prediction's numbering.
        By default those that are summed.
    {field parameters}
        `axis` is ``"space"`` by default: a skeleton for each sample and class. With ``axis=None``
        samples are pooled, and `spatial_axes` must be named. Other forms than ``"product"`` are
        refused.

    {loss returns}

    {loss raises}

    Notes
    -----
    A prediction of everything has no centre line, of which nothing lies outside of the target: it
    costs 0, as in the paper, which adds a Dice loss. An element is eroded to the least of its
    neighbours along each axis, and dilated to the largest of the box around it. Skeletons are
    written out for every class, also those of a label map, so that memory is several times that of
    the prediction. Ignored elements are outside of both sets. Both sets empty: 0.

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
    return centerline_loss(
        prediction, target, arguments, spatial_axes=spatial_axes, iterations=iterations
    )


@has_gradient
@documented
def wasserstein_dice_loss(
    prediction: Array,
    target: Array,
    /,
    *,
    distances: Sequence[Sequence[float]] | Array,
    **arguments: Unpack[LossArguments],
) -> Array:
    r"""Generalised Wasserstein Dice loss: mistaking a class for a close one costs less.

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
    distances : matrix of float
        M, C × C: the distance from the target class of the row to the predicted class of the
        column; 0 on the diagonal, divided by its largest number.
    {field parameters}
        `class_weight` is 0 for class 0 (background) and 1 for the others by default. `form` and
        `average` (it is one ratio over the classes already) are refused, and so is
        ``activation="sigmoid"``, as memberships have to add up to 1.

    {compound returns}

    {loss raises}

    Notes
    -----
    With all distances 1 it is a Dice loss of the foreground. `absent` looks at the classes of
    positive weight together. Nothing but background, predicted as such: 0.

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
    >>> # the last is taken for a class that is half as far as background
    >>> target = np.array([0, 1, 1])
    >>> options = {"class_axis": 0, "distances": distances, "smooth": 0}
    >>> loss = wasserstein_dice_loss(prediction, target, **options)
    >>> round(float(loss), 6)  # 1 − 3 / 3.5
    0.142857
    """
    return wasserstein_loss(prediction, target, arguments, distances=distances)
