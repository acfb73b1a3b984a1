"""Losses: what training makes small. Arrays in, a differentiable number out.

Every overlap loss is one formula of `formulas`, smoothed, subtracted from 1, weighted and reduced by `_loss`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, Unpack

from . import formulas
from .arrays import library_of
from .arrays.library import Array, ArrayLibrary
from .documentation import documented
from .formulas import Formula, Sums, halving_sum
from .reading import OverlapArguments, as_classes, check_not_negative, read_library
from .scores import Classes, counted, divide, refuse_squared, size_power
from .sums import Overlap

__all__ = ["dice_loss", "jaccard_loss", "tversky_loss"]

Smooth = float | tuple[float, float]
ClassWeight = Sequence[float] | Array | Literal["square", "simple", "uniform"] | None
LossAverage = Literal["micro"] | None
Absent = Literal["count", "zero", "skip"]
Reduction = Literal["mean", "sum", "none"]


@documented
def dice_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    smooth: Smooth = 1.0,
    class_weight: ClassWeight = None,
    classes: Classes = None,
    average: LossAverage = None,
    absent: Absent = "count",
    reduction: Reduction = "mean",
    **arguments: Unpack[OverlapArguments],
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
    sums = counted_for_loss(prediction, target, arguments)  # type: ignore[arg-type]
    dtype = loss_dtype(prediction)
    return _loss(formulas.dice, sums, dtype, smooth, class_weight, classes, average, absent, reduction)


@documented
def jaccard_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    smooth: Smooth = 1.0,
    class_weight: ClassWeight = None,
    classes: Classes = None,
    average: LossAverage = None,
    absent: Absent = "count",
    reduction: Reduction = "mean",
    **arguments: Unpack[OverlapArguments],
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
    sums = counted_for_loss(prediction, target, arguments)  # type: ignore[arg-type]
    dtype = loss_dtype(prediction)
    return _loss(formulas.jaccard, sums, dtype, smooth, class_weight, classes, average, absent, reduction)


@documented
def tversky_loss(
    prediction: Array | Overlap,
    target: Array | None = None,
    /,
    *,
    alpha: float,
    beta: float,
    smooth: Smooth = 1.0,
    class_weight: ClassWeight = None,
    classes: Classes = None,
    average: LossAverage = None,
    absent: Absent = "count",
    reduction: Reduction = "mean",
    **arguments: Unpack[OverlapArguments],
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
    sums = counted_for_loss(prediction, target, arguments)  # type: ignore[arg-type]
    refuse_squared("Tversky", sums)
    formula = partial(formulas.tversky, alpha=float(alpha), beta=float(beta))
    dtype = loss_dtype(prediction)
    return _loss(formula, sums, dtype, smooth, class_weight, classes, average, absent, reduction)


# -- what every loss shares --------------------------------------------------------------------------------------------


def counted_for_loss(prediction: Array | Overlap, target: Array | None, arguments: dict[str, Any]) -> Overlap:
    """Return the overlap that a loss was given, or compute it: in plain sums unless exact ones are asked for."""
    if not isinstance(prediction, Overlap):
        if arguments.get("activation") == "argmax":
            raise ValueError(
                "`activation` must be None, 'sigmoid' or 'softmax' in a loss; got 'argmax', which has no gradient. "
                "For hard labels use a score."
            )
        if arguments.get("exact") is None:
            arguments = {**arguments, "exact": False}
    return counted(prediction, target, arguments)


def loss_dtype(prediction: Array | Overlap) -> str:
    """Return the dtype of a loss: that of a floating prediction, at least float32; float64 for counts and overlaps."""
    if isinstance(prediction, Overlap):
        return "float64"
    library = library_of(prediction)
    if library.kind(prediction.dtype) == "floating" and prediction.dtype != library.xp.float64:
        return "float32"
    return "float64" if library.has_float64(prediction) else "float32"


def _loss(
    formula: Formula,
    sums: Overlap,
    dtype: str,
    smooth: Smooth,
    class_weight: ClassWeight,
    classes: Classes,
    average: LossAverage,
    absent: Absent,
    reduction: Reduction,
) -> Array:
    """Return 1 − (numerator + s)/(denominator + s) of each class, weighted and reduced."""
    above, below = _read_smooth(smooth)
    _check_choices(sums, class_weight, classes, average, absent, reduction)
    library = library_of(sums._sums)
    with library.precision():
        xp = library.xp
        *rows, invalid = sums.as_float64()
        given = None if isinstance(class_weight, str) else _given_weights(library, class_weight, rows[2])
        if classes is not None:
            numbers = library.constant(as_classes(classes, sums.shape[-1]), xp.int64, sums._sums)
            *rows, invalid = (xp.take(row, numbers, axis=-1) for row in (*rows, invalid))
            given = None if given is None else xp.take(given, numbers, axis=-1)
        # sizes are compared among the classes that take part
        weights = given
        if isinstance(class_weight, str):
            weights = formulas.size_weights(library, rows[2], size_power(class_weight))
        if average == "micro":
            rows = [halving_sum(library, row if weights is None else row * weights) for row in rows]
            invalid, weights = xp.sum(invalid, axis=-1), None
        numerator, denominator = formula(library, Sums(*rows))
        # an empty pair without smoothing is a perfect one, and pulls nowhere
        losses = 1.0 - divide(library, numerator + above, denominator + below, 1.0)
        losses = xp.where(invalid > 0, xp.full_like(losses, float("nan")), losses)
        present = rows[2] > 0
        if absent != "count":
            losses = xp.where(present, losses, xp.zeros_like(losses))
        if weights is None:
            weights = xp.ones_like(losses)
        if absent == "skip":
            weights = xp.where(present, weights, xp.zeros_like(weights))
        return xp.astype(reduced(library, losses, weights, reduction), getattr(xp, dtype))


def reduced(library: ArrayLibrary, losses: Array, weights: Array, reduction: Reduction) -> Array:
    """Return Σ w·l / Σ w (0 where no weight is left), Σ w·l, or w·l."""
    xp = library.xp
    weighted = losses * weights
    if reduction == "none":
        return weighted
    total = halving_sum(library, xp.reshape(weighted, (-1,)))
    if reduction == "sum":
        return total
    return divide(library, total, halving_sum(library, xp.reshape(weights, (-1,))), 0.0)


def _read_smooth(smooth: Smooth) -> tuple[float, float]:
    pair = smooth if isinstance(smooth, tuple | list) else (smooth, smooth)
    if len(pair) != 2:
        raise ValueError(f"`smooth` must be a number or a pair (numerator, denominator); got {len(pair)} numbers.")
    check_not_negative(smooth=pair[0])
    check_not_negative(smooth=pair[1])
    return float(pair[0]), float(pair[1])


def _check_choices(
    sums: Overlap,
    class_weight: ClassWeight,
    classes: Classes,
    average: LossAverage,
    absent: Absent,
    reduction: Reduction,
) -> None:
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


def _given_weights(library: ArrayLibrary, class_weight: Sequence[float] | Array | None, target: Array) -> Array | None:
    """Return the caller's weight for each count, or None where all weigh the same."""
    if class_weight is None:
        return None
    xp = library.xp
    if isinstance(class_weight, Sequence):
        check_not_negative(**{f"class_weight[{i}]": w for i, w in enumerate(class_weight)})
        weights = library.constant([float(w) for w in class_weight], target.dtype, target)
    else:
        if read_library("class_weight", class_weight) is not library:
            raise TypeError(
                "`class_weight` must come from the library of the arrays; "
                f"got {library_of(class_weight).name} and {library.name}. Pass a list."
            )
        if library.at_hand(class_weight) and not xp.all((class_weight >= 0) & (class_weight < math.inf)):
            raise ValueError("`class_weight` must be finite and not negative; got another value. Check it.")
        weights = xp.astype(class_weight, target.dtype)
    if weights.shape != target.shape[-1:]:
        raise ValueError(
            f"`class_weight` must hold one weight for each of {target.shape[-1]} classes; got shape "
            f"{tuple(weights.shape)}. List all classes, also those that `classes` leaves out."
        )
    return xp.broadcast_to(weights, target.shape)
