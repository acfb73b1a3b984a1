"""From the sums of an overlap to one loss, and back to what each sum contributes. Arithmetic only;
see `losses`.

    sums ──► formula ──► ratio R = (numerator + a) / (denominator + b) ──► outer(R) ──► reductions
    ──► loss

`evaluate` goes forward in operations that PyTorch and JAX differentiate; `slopes` goes back in
closed form, the same for every library. Both use the same formula: it is `linear` in the sums
before the division, so that its derivatives are its values at the unit sums, or it gives its own
slopes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from . import formulas
from .arrays import library_of
from .arrays.library import Array, ArrayLibrary
from .formulas import Formula, Ratio, Sums, divide
from .reductions import Chosen, Settings, all_classes, choose, loss_slopes, reduce_losses, sum_all
from .sums import Overlap


class Outer(NamedTuple):
    """What a loss makes of a ratio: its value, and its slope in the ratio."""

    value: Callable[[ArrayLibrary, Array], Array]
    slope: Callable[[ArrayLibrary, Array], Array]


ONE_MINUS = Outer(
    lambda library, ratio: 1.0 - ratio, lambda library, ratio: -library.xp.ones_like(ratio)
)
#: below this a logarithm would run away
FLOOR = 1e-7


def focal(gamma: float) -> Outer:
    """Return (1 − R)^γ, whose slope at R = 1 is 0."""

    def rest(library: ArrayLibrary, ratio: Array) -> tuple[Array, Array]:
        """Return 1 − R where that is positive, or NaN, 1 elsewhere, and where it is."""
        positive = ~(ratio >= 1)
        return library.xp.where(positive, 1.0 - ratio, library.xp.ones_like(ratio)), positive

    def value(library: ArrayLibrary, ratio: Array) -> Array:
        base, positive = rest(library, ratio)
        return library.xp.where(positive, base**gamma, library.xp.zeros_like(ratio))

    def slope(library: ArrayLibrary, ratio: Array) -> Array:
        base, positive = rest(library, ratio)
        return library.xp.where(
            positive, -gamma * base ** (gamma - 1.0), library.xp.zeros_like(ratio)
        )

    return Outer(value, slope)


def _log_value(library: ArrayLibrary, ratio: Array) -> Array:
    high = ~(ratio <= FLOOR)
    return -library.xp.log(library.xp.where(high, ratio, library.xp.full_like(ratio, FLOOR)))


def _log_slope(library: ArrayLibrary, ratio: Array) -> Array:
    high = ~(ratio <= FLOOR)
    inverse = -1.0 / library.xp.where(high, ratio, library.xp.ones_like(ratio))
    return library.xp.where(high, inverse, library.xp.zeros_like(ratio))


NEGATIVE_LOG = Outer(_log_value, _log_slope)


def _log_cosh_value(library: ArrayLibrary, ratio: Array) -> Array:
    """Return ln cosh u, u = 1 − R.

    Small u by ln(1 + 2·sinh²(u/2)), which is smooth at 0, others by |u| + ln(1 + e^(−2|u|)) − ln 2,
    which does not overflow. The square is t² / (1 − t²) of t = tanh(u/2), since not every library
    has a sinh of float64.
    """
    xp = library.xp
    u = 1.0 - ratio
    near = xp.abs(u) < 1
    zero = xp.zeros_like(u)
    t = xp.tanh(0.5 * xp.where(near, u, zero))
    far = xp.abs(xp.where(near, zero, u))
    large = far + xp.log1p(xp.exp(-2.0 * far)) - math.log(2.0)
    return xp.where(near, xp.log1p(2.0 * t * t / (1.0 - t * t)), large)


LOG_COSH = Outer(_log_cosh_value, lambda library, ratio: -library.xp.tanh(1.0 - ratio))


class Entropy(NamedTuple):
    """The cross-entropy that a compound loss adds."""

    gamma: float  # focusing power; 0 is cross-entropy itself
    weight: float
    #: of the loss of the overlap
    overlap_weight: float


Smooth = tuple[float, float]


class Smoothed(NamedTuple):
    """The ratio that a loss is made of, smoothed."""

    #: numerator and denominator
    ratio: Callable[[ArrayLibrary, Sums, Smooth], Ratio]
    #: their derivatives in I, then in X
    slopes: Callable[[ArrayLibrary, Sums, Smooth], list[Ratio]]


def linear(formula: Formula) -> Smoothed:
    """Return a formula that is linear in the sums, Laplace smoothing added to both of its parts."""

    def ratio(library: ArrayLibrary, s: Sums, smooth: Smooth) -> Ratio:
        numerator, denominator = formula(library, s)
        return numerator + smooth[0], denominator + smooth[1]

    def slopes(library: ArrayLibrary, s: Sums, smooth: Smooth) -> list[Ratio]:
        zero, one = library.xp.zeros_like(s.target), library.xp.ones_like(s.target)
        units = Sums(one, zero, zero, zero), Sums(zero, one, zero, zero)
        return [formula(library, unit) for unit in units]

    return Smoothed(ratio, slopes)


DICE, JACCARD = linear(formulas.dice), linear(formulas.jaccard)
MATTHEWS = Smoothed(formulas.matthews_of_class, formulas.matthews_slopes)


class Objective(NamedTuple):
    """What tells one loss from another."""

    formula: Smoothed
    outer: Outer = ONE_MINUS
    entropy: Entropy | None = None


def evaluate(objective: Objective, sums: Overlap, settings: Settings) -> Array:
    """Return the loss of an overlap; to be called inside the library's precision context."""
    library = library_of(sums._sums)
    chosen, ratio, _ = _ratio(library, objective, sums, settings)
    return reduce_losses(library, objective.outer.value(library, ratio), chosen, settings)


def slopes(objective: Objective, sums: Overlap, settings: Settings) -> list[Array]:
    """Return the derivatives of a scalar loss in the sums I and X, each with the shape of the
    counts.
    """
    library = library_of(sums._sums)
    chosen, ratio, denominator = _ratio(library, objective, sums, settings)
    outer = loss_slopes(library, chosen, settings) * objective.outer.slope(library, ratio)
    outer = divide(library, outer, denominator, 0.0)
    parts = objective.formula.slopes(library, Sums(*chosen.rows), settings.smooth)
    both = [outer * (above - ratio * below) for above, below in parts]
    return [all_classes(library, slope, chosen, settings, sums._sums.shape[-1]) for slope in both]


def _ratio(
    library: ArrayLibrary, objective: Objective, sums: Overlap, settings: Settings
) -> tuple[Chosen, Array, Array]:
    """Return the rows that take part, the smoothed ratio and its denominator."""
    *rows, invalid = sums.as_float64()
    chosen = choose(library, rows, rows[2], rows[3], invalid, settings, sums.by_class)
    numerator, denominator = objective.formula.ratio(library, Sums(*chosen.rows), settings.smooth)
    # an empty pair without smoothing is a perfect one, and pulls nowhere
    return chosen, divide(library, numerator, denominator, 1.0), denominator


# -- the cross-entropy of a compound loss ----------------------------------------------------------


def mean_entropy(library: ArrayLibrary, entropy: Array, sums: Overlap, settings: Settings) -> Array:
    """Return Σ v·E / Σ v·W over all counts, where v are the class weights; 0 where nothing
    counts.
    """
    weights = _entropy_weights(library, entropy, sums, settings)
    if settings.class_weight is not None:  # a class that weighs nothing may cost an infinity
        entropy = library.xp.where(weights == 0, library.xp.zeros_like(entropy), entropy)
    total, share = (sum_all(library, row) for row in library.unstack(entropy * weights))
    return divide(library, total, share, 0.0)


def entropy_slope(
    library: ArrayLibrary, entropy: Array, sums: Overlap, settings: Settings
) -> Array:
    """Return the derivatives of `mean_entropy` in E."""
    weights = _entropy_weights(library, entropy, sums, settings)
    return divide(library, weights, sum_all(library, entropy[1, ...] * weights), 0.0)


def _entropy_weights(
    library: ArrayLibrary, entropy: Array, sums: Overlap, settings: Settings
) -> Array:
    """Return the weight of each count: every class takes part, whichever the overlap's loss looks
    at.
    """
    if settings.power is not None:
        return formulas.size_weights(library, sums.as_float64()[2], settings.power)
    return (
        library.xp.ones_like(entropy[0, ...])
        if settings.class_weight is None
        else settings.class_weight
    )
