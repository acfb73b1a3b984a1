"""From the sums of an overlap to one loss, and back to what each sum contributes. Arithmetic only; see `losses`.

    sums ──► formula ──► ratio R = (numerator + a) / (denominator + b) ──► outer(R) ──► weights, reduction ──► loss

`evaluate` goes forward in operations that PyTorch and JAX differentiate; `slopes` goes back in closed form, the same for
every library. Both use the same formula: those of `formulas` that losses use are linear in the sums, so that their
derivatives are their values at the unit sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from . import formulas
from .arrays import library_of
from .arrays.library import Array, ArrayLibrary
from .formulas import Formula, Sums, divide, halving_sum
from .sums import Overlap

Smooth = float | tuple[float, float]
ClassWeight = Sequence[float] | Array | Literal["square", "simple", "uniform"] | None


class Outer(NamedTuple):
    """What a loss makes of a ratio: its value, and its slope in the ratio."""

    value: Callable[[ArrayLibrary, Array], Array]
    slope: Callable[[ArrayLibrary, Array], Array]


ONE_MINUS = Outer(lambda library, ratio: 1.0 - ratio, lambda library, ratio: -library.xp.ones_like(ratio))
#: below this a logarithm would run away
FLOOR = 1e-7


def focal(gamma: float) -> Outer:
    """Return (1 − R)^γ, whose slope at R = 1 is 0."""

    def rest(library: ArrayLibrary, ratio: Array) -> tuple[Array, Array]:
        """Return 1 − R where that is positive, 1 elsewhere, and where it is."""
        positive = ratio < 1
        return library.xp.where(positive, 1.0 - ratio, library.xp.ones_like(ratio)), positive

    def value(library: ArrayLibrary, ratio: Array) -> Array:
        base, positive = rest(library, ratio)
        return library.xp.where(positive, base**gamma, library.xp.zeros_like(ratio))

    def slope(library: ArrayLibrary, ratio: Array) -> Array:
        base, positive = rest(library, ratio)
        return library.xp.where(positive, -gamma * base ** (gamma - 1.0), library.xp.zeros_like(ratio))

    return Outer(value, slope)


def _log_value(library: ArrayLibrary, ratio: Array) -> Array:
    high = ratio > FLOOR
    return -library.xp.log(library.xp.where(high, ratio, library.xp.full_like(ratio, FLOOR)))


def _log_slope(library: ArrayLibrary, ratio: Array) -> Array:
    high = ratio > FLOOR
    inverse = -1.0 / library.xp.where(high, ratio, library.xp.ones_like(ratio))
    return library.xp.where(high, inverse, library.xp.zeros_like(ratio))


NEGATIVE_LOG = Outer(_log_value, _log_slope)


def _log_cosh_value(library: ArrayLibrary, ratio: Array) -> Array:
    """Return ln cosh u = |u| + ln(1 + e^(−2|u|)) − ln 2, u = 1 − R."""
    u = library.xp.abs(1.0 - ratio)
    return u + library.xp.log1p(library.xp.exp(-2.0 * u)) - math.log(2.0)


LOG_COSH = Outer(_log_cosh_value, lambda library, ratio: -library.xp.tanh(1.0 - ratio))


class Entropy(NamedTuple):
    """The cross-entropy that a compound loss adds."""

    gamma: float  # focusing power; 0 is cross-entropy itself
    weight: float
    #: of the loss of the overlap
    overlap_weight: float


class Objective(NamedTuple):
    """What tells one loss from another."""

    formula: Formula
    outer: Outer = ONE_MINUS
    entropy: Entropy | None = None


@dataclass(frozen=True)
class Settings:
    """How the losses of classes and samples become one; `losses.dice_loss` says what each means."""

    smooth: tuple[float, float] = (1.0, 1.0)
    power: int | None = None  # class weights from sizes: 1 / Yᵖ
    class_weight: Array | None = None  # or given, with the shape of the counts
    classes: list[int] | None = None
    average: str | None = None
    absent: str = "count"
    reduction: str = "mean"  # "classes": over the class axis alone


class _Parts(NamedTuple):
    """The way from sums to losses, as far as both directions need it."""

    sums: Sums  # of the classes that take part, or pooled
    pooling: Array | None  # the weights that pooled them
    ratio: Array
    denominator: Array  # smoothed
    weights: Array
    present: Array  # whose loss is not set to 0
    invalid: Array


def _forward(library: ArrayLibrary, objective: Objective, sums: Overlap, settings: Settings) -> _Parts:
    xp = library.xp
    *rows, invalid = sums.as_float64()
    weights = settings.class_weight
    if settings.classes is not None:
        numbers = library.constant(settings.classes, xp.int64, sums._sums)
        *rows, invalid = (xp.take(row, numbers, axis=-1) for row in (*rows, invalid))
        weights = None if weights is None else xp.take(weights, numbers, axis=-1)
    if settings.power is not None:  # sizes are compared among the classes that take part
        weights = formulas.size_weights(library, rows[2], settings.power)
    pooling = None
    if settings.average == "micro":
        pooling = xp.ones_like(rows[2]) if weights is None else weights
        rows = [halving_sum(library, row * pooling) for row in rows]
        invalid, weights = xp.sum(invalid, axis=-1), None
    parts = Sums(*rows)
    numerator, denominator = objective.formula(library, parts)
    denominator = denominator + settings.smooth[1]
    # an empty pair without smoothing is a perfect one, and pulls nowhere
    ratio = divide(library, numerator + settings.smooth[0], denominator, 1.0)
    weights = xp.ones_like(ratio) if weights is None else weights
    present = xp.ones_like(ratio, dtype=xp.bool) if settings.absent == "count" else parts.target > 0
    if settings.absent == "skip":
        weights = xp.where(present, weights, xp.zeros_like(weights))
    return _Parts(parts, pooling, ratio, denominator, weights, present, invalid > 0)


def evaluate(objective: Objective, sums: Overlap, settings: Settings) -> Array:
    """Return the loss of an overlap; to be called inside the library's precision context."""
    library = library_of(sums._sums)
    xp = library.xp
    parts = _forward(library, objective, sums, settings)
    losses = objective.outer.value(library, parts.ratio)
    losses = xp.where(parts.present, losses, xp.zeros_like(losses))
    losses = xp.where(parts.invalid, xp.full_like(losses, float("nan")), losses)
    if settings.reduction == "classes":
        return mean(library, losses, parts.weights) if sums.by_class and parts.pooling is None else losses
    return reduced(library, losses, parts.weights, settings.reduction)


def slopes(objective: Objective, sums: Overlap, settings: Settings) -> list[Array]:
    """Return the derivatives of a scalar loss in the sums I and X, each with the shape of the counts."""
    library = library_of(sums._sums)
    xp = library.xp
    parts = _forward(library, objective, sums, settings)
    share = parts.weights
    if settings.reduction == "mean":
        share = divide(library, share, _added(library, share), 0.0)
    outer = share * objective.outer.slope(library, parts.ratio)
    outer = xp.where(parts.present, outer, xp.zeros_like(outer))
    outer = divide(library, outer, parts.denominator, 0.0)
    both = []
    for above, below in _formula_slopes(library, objective.formula, parts.sums):
        slope = outer * (above - parts.ratio * below)
        if parts.pooling is not None:
            slope = xp.expand_dims(slope, axis=-1) * parts.pooling
        both.append(_all_classes(library, slope, settings.classes, sums.shape))
    return both


def _formula_slopes(library: ArrayLibrary, formula: Formula, s: Sums) -> list[tuple[Array, Array]]:
    """Return the derivatives of numerator and denominator in I, then in X."""
    if formula is formulas.matthews_of_class:
        return formulas.matthews_slopes(library, s)
    zero, one = library.xp.zeros_like(s.target), library.xp.ones_like(s.target)
    return [formula(library, Sums(one, zero, zero, zero)), formula(library, Sums(zero, one, zero, zero))]


def _all_classes(library: ArrayLibrary, slope: Array, classes: list[int] | None, shape: tuple[int, ...]) -> Array:
    """Put the slopes of chosen classes in their places; the others have none."""
    xp = library.xp
    if classes is None:
        return slope
    columns = []
    for label in range(shape[-1]):
        chosen = [slope[..., i] for i, number in enumerate(classes) if number == label]
        columns.append(sum(chosen[1:], chosen[0]) if chosen else xp.zeros_like(slope[..., 0]))
    return xp.stack(columns, axis=-1)


def reduced(library: ArrayLibrary, losses: Array, weights: Array, reduction: str) -> Array:
    """Return Σ w·l / Σ w (0 where no weight is left), Σ w·l, or w·l."""
    xp = library.xp
    if reduction == "none":
        return losses * weights
    if reduction == "sum":
        return _added(library, losses * weights)
    return mean(library, xp.reshape(losses, (-1,)), xp.reshape(weights, (-1,)))


def mean(library: ArrayLibrary, losses: Array, weights: Array) -> Array:
    """Return Σ w·l / Σ w over the last axis, 0 where no weight is left."""
    return divide(library, halving_sum(library, losses * weights), halving_sum(library, weights), 0.0)


def mean_entropy(library: ArrayLibrary, entropy: Array, sums: Overlap, settings: Settings) -> Array:
    """Return Σ v·E / Σ v·W over all counts, where v are the class weights; 0 where nothing counts."""
    weighted = entropy * _entropy_weights(library, entropy, sums, settings)
    return divide(library, _added(library, weighted[0, ...]), _added(library, weighted[1, ...]), 0.0)


def entropy_slope(library: ArrayLibrary, entropy: Array, sums: Overlap, settings: Settings) -> Array:
    """Return the derivatives of `mean_entropy` in E."""
    weights = _entropy_weights(library, entropy, sums, settings)
    return divide(library, weights, _added(library, entropy[1, ...] * weights), 0.0)


def _entropy_weights(library: ArrayLibrary, entropy: Array, sums: Overlap, settings: Settings) -> Array:
    """Return the weight of each count: every class takes part, whichever the overlap's loss looks at."""
    if settings.power is not None:
        return formulas.size_weights(library, sums.as_float64()[2], settings.power)
    return library.xp.ones_like(entropy[0, ...]) if settings.class_weight is None else settings.class_weight


def _added(library: ArrayLibrary, values: Array) -> Array:
    return halving_sum(library, library.xp.reshape(values, (-1,)))
