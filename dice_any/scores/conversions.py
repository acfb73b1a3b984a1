"""From a Dice coefficient to a Jaccard index, and back."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Complex, Number
from typing import Any

from ..arrays.library import Array
from ..reading import (
    called,
    class_name,
    cure_for_dtype,
    is_real,
    public,
    read_library,
    shown,
)

__all__ = ["dice_to_jaccard", "jaccard_to_dice"]


@public()
def dice_to_jaccard(dice: Array | float, /) -> Array | float:
    r"""Jaccard index that belongs to a Dice coefficient.

    .. math:: J = \frac{D}{2 - D}

    Parameters
    ----------
    dice : array or float
        Dice coefficients D of single pairs of sets. (A mean of Dice does not determine the mean of
        Jaccard.)

    Returns
    -------
    array or float
        J, of the type that was passed (floating for integers); NaN stays NaN. A value outside of
        [0, 1] by a rounding error counts as 0 or 1. Other values outside are an error, or NaN where
        Python may not read them.

    Raises
    ------
    TypeError
        If D is neither a real number nor an array of them.
    ValueError
        If D is outside of [0, 1].

    Examples
    --------
    >>> dice_to_jaccard(0.4)
    0.25
    """
    return _converted("dice", dice, lambda d: d / (2 - d))


@public()
def jaccard_to_dice(jaccard: Array | float, /) -> Array | float:
    r"""Dice coefficient that belongs to a Jaccard index.

    .. math:: D = \frac{2J}{1 + J}

    Parameters
    ----------
    jaccard : array or float
        Jaccard indices J of single pairs of sets.

    Returns
    -------
    array or float
        D, of the type that was passed (floating for integers); NaN stays NaN. A value outside of
        [0, 1] by a rounding error counts as 0 or 1. Other values outside are an error, or NaN where
        Python may not read them.

    Raises
    ------
    TypeError
        If J is neither a real number nor an array of them.
    ValueError
        If J is outside of [0, 1].

    Examples
    --------
    >>> jaccard_to_dice(0.25)
    0.4
    """
    return _converted("jaccard", jaccard, lambda j: 2 * j / (1 + j))


#: The errors of scores of float32 sums are smaller.
ROUNDING = 2.0**-20
NOT_A_SCORE = "A percentage is to be divided by 100."


def _converted(name: str, score: Any, formula: Callable[[Any], Any]) -> Any:
    """Apply a formula to scores in [0, 1]."""
    if isinstance(score, (bool, Complex)) and not is_real(score):
        raise TypeError(f"`{name}` must be a real number or an array; got {class_name(score)}.")
    if isinstance(score, Number):
        if score == score and not -ROUNDING <= score <= 1 + ROUNDING:  # type: ignore[operator]
            raise ValueError(f"`{name}` must be in [0, 1]; got {shown(score)}. {NOT_A_SCORE}")
        return score if score != score else formula(min(max(score, 0), 1))  # type: ignore[call-overload]
    library = read_library(name, score)
    kind = library.kind(score.dtype)
    if kind not in ("integer", "floating"):
        dtype, cure = called(library, score.dtype), cure_for_dtype(library, name, score.dtype)
        raise TypeError(f"`{name}` must be a real number or an array of them; got {dtype}. {cure}.")
    score = library.vetted(score)
    with library.precision():
        xp = library.xp
        score = score if kind == "floating" else xp.astype(score, library.widest(score))
        outside = (score < -ROUNDING) | (score > 1 + ROUNDING)
        if library.at_hand(outside) and xp.any(outside):
            number = int(xp.sum(xp.astype(outside, xp.int64)))
            raise ValueError(
                f"`{name}` must be in [0, 1]; got {number} other values. {NOT_A_SCORE}"
            )
        score = xp.where(score < 0, xp.zeros_like(score), score)
        score = xp.where(score > 1, xp.ones_like(score), score)
        answer = formula(xp.where(outside, xp.full_like(score, float("nan")), score))
    return library.deliver(answer)
