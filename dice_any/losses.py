"""Losses: what training makes small. Arrays in, a differentiable number out.

Every overlap loss names its `Objective` (a formula and what is made of it) and leaves the rest to `overlap_loss`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, Unpack

from . import formulas
from .arrays import library_of
from .arrays.library import Array, ArrayLibrary
from .counts import summed
from .documentation import documented
from .gradients import Wanted
from .kernels import reference
from .objectives import LOG_COSH, NEGATIVE_LOG, ClassWeight, Objective, Settings, Smooth, evaluate, focal, slopes
from .reading import OverlapArguments, as_classes, check_not_negative, read_library
from .scores import Classes, counted, refuse_squared, size_power
from .sums import Overlap

__all__ = [
    "dice_loss",
    "focal_tversky_loss",
    "generalized_dice_loss",
    "jaccard_loss",
    "log_cosh_dice_loss",
    "log_dice_loss",
    "matthews_loss",
    "tversky_loss",
]


class LossArguments(OverlapArguments, total=False):
    """The keyword arguments that every overlap loss takes: those of `overlap`, and how losses become one."""

    smooth: Smooth
    class_weight: ClassWeight
    classes: Classes
    average: Literal["micro"] | None
    absent: Literal["count", "zero", "skip"]
    reduction: Literal["mean", "sum", "none"]


@documented
def dice_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> Array:
    r"""Dice loss, one minus the smoothed Dice coefficient.

    .. math:: L = 1 - \frac{2I + s}{X + Y + s}

    where :math:`I = \sum_i x_i y_i` is the size of the intersection, :math:`X = \sum_i x_i` and :math:`Y = \sum_i y_i`
    those of the predicted and the target set (see `overlap`, `form`), and s is `smooth`.

    {loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    Both sets empty: 0, with zero gradient where s is 0. Smoothing keeps small sets from jumping between 0 and 1.

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
    return overlap_loss(Objective(formulas.dice), prediction, target, arguments)


@documented
def jaccard_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> Array:
    r"""Jaccard loss (soft IoU loss), one minus the smoothed Jaccard index.

    .. math:: L = 1 - \frac{I + s}{X + Y - I + s}

    where I is the size of the intersection, X and Y those of the predicted and the target set (see `overlap`, `form`), and
    s is `smooth`.

    {loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    Both sets empty: 0, with zero gradient where s is 0.

    References
    ----------
    M. A. Rahman, Y. Wang, "Optimizing intersection-over-union in deep neural networks for image segmentation", ISVC 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import jaccard_loss
    >>> prediction = np.array([0.5, 1.0, 0.0, 0.5])
    >>> target = np.array([True, True, False, False])
    >>> float(jaccard_loss(prediction, target, smooth=0))
    0.4
    """
    return overlap_loss(Objective(formulas.jaccard), prediction, target, arguments)


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

    where tp, fp and fn are the (soft) true positives, false positives and false negatives, and s is `smooth`.

    Parameters
    ----------
    alpha : float
        Weight of false positives, at least 0. No default: libraries differ in which of the two it weighs.
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
    S. S. M. Salehi, D. Erdogmus, A. Gholipour, "Tversky loss function for image segmentation", MLMI 2017.

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
    return overlap_loss(Objective(formula), prediction, target, arguments, squared_form=False)


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

    where tp, fp and fn are the (soft) true positives, false positives and false negatives, s is `smooth`, and
    :math:`\gamma` bends the loss: below 1 it keeps its slope for classes that are almost right, above 1 for those that are
    not.

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
    Both sets empty: 0. The gradient at a perfect overlap is 0, also where the power's own slope has no bound.

    References
    ----------
    N. Abraham, N. M. Khan, "A novel focal Tversky loss function with improved attention U-Net", ISBI 2019.

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
    objective = Objective(formula, focal(float(gamma)))
    return overlap_loss(objective, prediction, target, arguments, squared_form=False)


@documented
def generalized_dice_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> Array:
    r"""Generalized Dice loss: one Dice loss over all classes, small ones weighted up.

    .. math:: L = 1 - \frac{2 \sum_c w_c\, I_c + s}{\sum_c w_c\, (X_c + Y_c) + s}

    where for class c :math:`I_c` is the size of the intersection, :math:`X_c` and :math:`Y_c` those of the predicted and the
    target set, :math:`w_c` is `class_weight` (here ``"square"``, :math:`1/Y_c^2`, by default) and s is `smooth`.

    {loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    It is `dice_loss` with ``average="micro", class_weight="square"``. Weights are scaled so that the largest is 1; an absent
    class takes the largest, so that predicting it is never free. Every set empty: 0.

    References
    ----------
    C. H. Sudre et al., "Generalised Dice overlap as a deep learning loss function", DLMIA 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import generalized_dice_loss
    >>> prediction = np.array([[0.5, 1.0, 0.5], [0.5, 0.0, 0.5]])
    >>> round(float(generalized_dice_loss(prediction, np.array([0, 0, 1]), class_axis=0, smooth=0)), 6)
    0.416667
    """
    arguments.setdefault("class_weight", "square")
    arguments["average"] = "micro"
    return overlap_loss(Objective(formulas.dice), prediction, target, arguments)


@documented
def log_dice_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> Array:
    r"""Log-Dice loss, the negative logarithm of the smoothed Dice coefficient.

    .. math:: L = -\ln \max\left( \frac{2I + s}{X + Y + s},\ 10^{-7} \right)

    where I is the size of the intersection, X and Y those of the predicted and the target set (see `overlap`, `form`), and
    s is `smooth`. The floor keeps it finite, with gradient 0 below.

    {loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    Both sets empty: 0. Logarithms differ between libraries in the last bits.

    References
    ----------
    K. C. L. Wong et al., "3D segmentation with exponential logarithmic loss for highly unbalanced object sizes", MICCAI
    2018.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import log_dice_loss
    >>> prediction, target = np.array([1.0, 1.0, 1.0, 0.0]), np.array([True, False, False, False])
    >>> round(float(log_dice_loss(prediction, target, smooth=0)), 6)
    0.693147
    """
    return overlap_loss(Objective(formulas.dice, NEGATIVE_LOG), prediction, target, arguments)


@documented
def log_cosh_dice_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> Array:
    r"""Log-cosh Dice loss, a Dice loss that is flat near 0.

    .. math:: L = \ln \cosh\left( 1 - \frac{2I + s}{X + Y + s} \right)

    where I is the size of the intersection, X and Y those of the predicted and the target set (see `overlap`, `form`), and
    s is `smooth`.

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
    return overlap_loss(Objective(formulas.dice, LOG_COSH), prediction, target, arguments)


@documented
def matthews_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    **arguments: Unpack[LossArguments],
) -> Array:
    r"""Matthews loss, one minus the smoothed Matthews correlation of each class with its complement.

    .. math:: L = 1 - \frac{N I - X Y + s}{\sqrt{X (N - X)\, Y (N - Y)} + s}

    where I is the size of the intersection, X and Y are those of the predicted and the target set, N is the number of
    elements and s is `smooth`, which here stands beside products of sizes.

    {loss parameters}

    {loss returns}

    {loss raises}

    Notes
    -----
    Between 0 and 2. Prediction or target empty or full: without smoothing 0, with zero gradient.

    References
    ----------
    K. Abhishek, G. Hamarneh, "Matthews correlation coefficient loss for deep convolutional networks", ISBI 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import matthews_loss
    >>> prediction, target = np.array([1.0, 1.0, 0.0, 0.0]), np.array([True, False, False, False])
    >>> round(float(matthews_loss(prediction, target, smooth=0)), 6)
    0.42265
    """
    objective = Objective(formulas.matthews_of_class)
    return overlap_loss(objective, prediction, target, arguments, squared_form=False)


# -- what every overlap loss shares ------------------------------------------------------------------------------------


def overlap_loss(
    objective: Objective,
    prediction: Array | Overlap | Wanted,
    target: Array | None,
    arguments: LossArguments,
    *,
    squared_form: bool = True,
) -> Any:
    """Return the loss of arrays or of an overlap; a pair with the gradient where that is wanted."""
    choices = {name: arguments.pop(name) for name in CHOICES if name in arguments}  # type: ignore[misc]
    wanted = isinstance(prediction, Wanted)
    array = prediction.prediction if isinstance(prediction, Wanted) else prediction
    if wanted:
        array = library_of(array).detach(array)
    if isinstance(array, Overlap):
        sums, task = counted(array, target, arguments), None  # type: ignore[arg-type]
    else:
        sums, task = summed(array, target, **_plain_unless_asked(arguments))
    if not squared_form:
        refuse_squared("this loss", sums)
    library = library_of(sums._sums)
    with library.precision():
        settings = _read_settings(library, sums, **choices)
        dtype = getattr(library.xp, _loss_dtype(array))
        value = library.xp.astype(evaluate(objective, sums, settings), dtype)
        if not wanted:
            return value
        slope_i, slope_x = slopes(objective, sums, settings)
        zero = library.xp.zeros_like(slope_i)
        cotangent = library.xp.stack([slope_i, slope_x, zero, zero, zero])
        return value, reference.overlap_vjp(task, array, target, arguments.get("weight"), cotangent)  # type: ignore[arg-type]


CHOICES = ("smooth", "class_weight", "classes", "average", "absent", "reduction")


def _plain_unless_asked(arguments: LossArguments) -> dict[str, Any]:
    """Return the arguments of `overlap` for a loss: plain sums unless exact ones are asked for."""
    if arguments.get("activation") == "argmax":
        raise ValueError(
            "`activation` must be None, 'sigmoid' or 'softmax' in a loss; got 'argmax', which has no gradient. "
            "For hard labels use a score."
        )
    exact = arguments.get("exact")
    return {**arguments, "exact": False if exact is None else exact}


def _loss_dtype(prediction: Array | Overlap) -> str:
    """Return the dtype of a loss: that of a floating prediction, at least float32; float64 for counts and overlaps."""
    if isinstance(prediction, Overlap):
        return "float64"
    library = library_of(prediction)
    if library.kind(prediction.dtype) == "floating" and prediction.dtype != library.xp.float64:
        return "float32"
    return "float64" if library.has_float64(prediction) else "float32"


def _read_settings(
    library: ArrayLibrary,
    sums: Overlap,
    smooth: Smooth = 1.0,
    class_weight: ClassWeight = None,
    classes: Classes = None,
    average: str | None = None,
    absent: str = "count",
    reduction: str = "mean",
) -> Settings:
    for name, value, choices in (
        ("average", average, (None, "micro")),
        ("absent", absent, ("count", "zero", "skip")),
        ("reduction", reduction, ("mean", "sum", "none")),
    ):
        if value not in choices:
            raise ValueError(f"`{name}` must be one of {', '.join(map(repr, choices))}; got {value!r}.")
    if not sums.by_class:
        for name, given in (("class_weight", class_weight), ("classes", classes), ("average", average)):
            if given is not None:
                raise ValueError(
                    f"`{name}` must be None without classes to tell apart; got an argument. "
                    "Pass `class_axis=` or `num_classes=`."
                )
    named = isinstance(class_weight, str)
    return Settings(
        smooth=_read_smooth(smooth),
        power=size_power(class_weight) if isinstance(class_weight, str) else None,
        class_weight=None if named or class_weight is None else _given_weights(library, class_weight, sums),
        classes=None if classes is None else as_classes(classes, sums.shape[-1]),
        average=average,
        absent=absent,
        reduction=reduction,
    )


def _read_smooth(smooth: Smooth) -> tuple[float, float]:
    pair = smooth if isinstance(smooth, (tuple, list)) else (smooth, smooth)
    if len(pair) != 2:
        raise ValueError(f"`smooth` must be a number or a pair (numerator, denominator); got {len(pair)} numbers.")
    check_not_negative(smooth=pair[0])
    check_not_negative(smooth=pair[1])
    return float(pair[0]), float(pair[1])


def _given_weights(library: ArrayLibrary, class_weight: Any, sums: Overlap) -> Array:
    """Return the caller's weight for each count."""
    xp = library.xp
    like = sums.as_float64()[0]
    if isinstance(class_weight, Sequence):
        check_not_negative(**{f"class_weight[{i}]": w for i, w in enumerate(class_weight)})
        weights = library.constant([float(w) for w in class_weight], like.dtype, like)
    else:
        if read_library("class_weight", class_weight) is not library:
            raise TypeError(
                "`class_weight` must come from the library of the arrays; "
                f"got {library_of(class_weight).name} and {library.name}. Pass a list."
            )
        if library.at_hand(class_weight) and not xp.all((class_weight >= 0) & (class_weight < math.inf)):
            raise ValueError("`class_weight` must be finite and not negative; got another value. Check it.")
        weights = xp.astype(class_weight, like.dtype)
    if weights.shape != like.shape[-1:]:
        raise ValueError(
            f"`class_weight` must hold one weight for each of {sums.shape[-1]} classes; got shape "
            f"{tuple(weights.shape)}. List all classes, also those that `classes` leaves out."
        )
    return xp.broadcast_to(weights, like.shape)
