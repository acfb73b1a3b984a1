"""Every formula of the field, each written once.

A score is a ratio of two functions of four sums: I = |X∩Y|, X, Y and the total N, arrays of one
shape. Scores divide the two; losses add smoothing to each first. The names follow the sums: fp = X
− I, fn = Y − I, tn = N − X − Y + I.

The order of operations is part of the contract: it makes the bits equal on every library. Adding
two products is avoided where possible, because compilers may fuse the operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .arrays.halving import halving_sum
from .arrays.library import Array, ArrayLibrary


class Sizes(NamedTuple):
    """The sizes |X∩Y|, |X| and |Y|, and the total N, in floating point."""

    intersection: Array
    prediction: Array
    target: Array
    total: Array


Ratio = tuple[Array, Array]
Formula = Callable[[ArrayLibrary, Sizes], Ratio]


def dice(library: ArrayLibrary, s: Sizes) -> Ratio:
    """2I / (X + Y)."""
    # not 2.0·I: of a constant denominator XLA makes one rounded factor with the 2.0
    return s.intersection + s.intersection, s.prediction + s.target


def jaccard(library: ArrayLibrary, s: Sizes) -> Ratio:
    """I / (X + Y − I)."""
    return s.intersection, (s.prediction + s.target) - s.intersection


def tversky(library: ArrayLibrary, s: Sizes, alpha: float, beta: float) -> Ratio:
    """I / (I + α·fp + β·fn)."""
    fp, fn = s.prediction - s.intersection, s.target - s.intersection
    return s.intersection, s.intersection + (alpha * fp + beta * fn)


def f_score(library: ArrayLibrary, s: Sizes, beta: float) -> Ratio:
    """(1 + β²)·I / ((1 + β²)·I + β²·fn + fp)."""
    square = beta * beta
    fp, fn = s.prediction - s.intersection, s.target - s.intersection
    numerator = (1.0 + square) * s.intersection
    return numerator, numerator + (square * fn + fp)


def precision(library: ArrayLibrary, s: Sizes) -> Ratio:
    """I / X."""
    return s.intersection, s.prediction


def recall(library: ArrayLibrary, s: Sizes) -> Ratio:
    """I / Y."""
    return s.intersection, s.target


def true_negatives(s: Sizes) -> Array:
    """Return tn = (N − Y) − fp, which is exact for counts."""
    return (s.total - s.target) - (s.prediction - s.intersection)


def specificity(library: ArrayLibrary, s: Sizes) -> Ratio:
    """Return tn / (N − Y)."""
    return true_negatives(s), s.total - s.target


def volume_similarity(library: ArrayLibrary, s: Sizes) -> Ratio:
    """1 − |X − Y| / (X + Y), which is 2·min(X, Y) / (X + Y)."""
    smaller = library.xp.minimum(s.prediction, s.target)
    return smaller + smaller, s.prediction + s.target


def overlap_coefficient(library: ArrayLibrary, s: Sizes) -> Ratio:
    """I / min(X, Y)."""
    return s.intersection, library.xp.minimum(s.prediction, s.target)


def cosine(library: ArrayLibrary, s: Sizes) -> Ratio:
    """I / √(X·Y)."""
    return s.intersection, library.sqrt(s.prediction * s.target)


def covariance(s: Sizes) -> Array:
    """Return N·I − X·Y as I·tn − fp·fn, which stays accurate if a set is a tiny or a huge part of
    N.
    """
    return s.intersection * true_negatives(s) - (s.prediction - s.intersection) * (
        s.target - s.intersection
    )


def matthews_of_class(library: ArrayLibrary, s: Sizes, smooth: tuple[float, float]) -> Ratio:
    """(N·I − X·Y)·(1 + a/v) / (√(X·(N − X)·v) + b), v = Y·(N − Y): Matthews' φ, smoothed.

    If the prediction equals the target, the numerator without smoothing is v, and a is added as in
    every ratio. For a constant prediction it is 0 and nothing is added, so smoothing does not
    reward collapse. If that leaves 0/0, the target's spread replaces the prediction's, because the
    slope of a root at 0 is unbounded.

    A constant target correlates with nothing. Its ratio is a / (N·(fp + fn) + b).
    """
    xp, (above, below) = library.xp, smooth
    mixed, spread, root = _spreads(library, s)
    denominator = root + below
    denominator = xp.where(denominator == 0, spread, denominator)
    numerator = covariance(s) * (1.0 + above / spread)
    wrong = (s.prediction - s.intersection) + (s.target - s.intersection)
    return (
        xp.where(mixed, numerator, xp.full_like(numerator, above)),
        xp.where(mixed, denominator, s.total * wrong + below),
    )


def matthews_slopes(library: ArrayLibrary, s: Sizes, smooth: tuple[float, float]) -> list[Ratio]:
    """Return the derivatives of the two parts of `matthews_of_class` in I, then in X."""
    xp = library.xp
    mixed, spread, root = _spreads(library, s)
    zero = xp.zeros_like(spread)
    scale = xp.where(mixed, 1.0 + smooth[0] / spread, zero)
    of_root = divide(library, 0.5 * spread * (s.total - 2.0 * s.prediction), root, 0.0)
    return [
        (s.total * scale, xp.where(mixed, zero, -2.0 * s.total)),
        (-s.target * scale, xp.where(mixed, of_root, s.total)),
    ]


def _spreads(library: ArrayLibrary, s: Sizes) -> tuple[Array, Array, Array]:
    """Return the mask of targets that have both values, Y·(N − Y) there (else 1), and
    √(X·(N − X)·Y·(N − Y)).
    """
    xp = library.xp
    spread = s.target * (s.total - s.target)
    mixed = spread > 0
    one = xp.ones_like(spread)
    spread = xp.where(mixed, spread, one)
    product = s.prediction * (s.total - s.prediction) * spread
    positive = product > 0
    root = library.sqrt(xp.where(positive, product, one))
    return mixed, spread, xp.where(positive, root, xp.zeros_like(spread))


# -- of more than one overlap ----------------------------------------------------------------------


def harmonic_mean(library: ArrayLibrary, a: Array, b: Array) -> Array:
    """2·a·b / (a + b), 0 where both are 0; of centre-line precision and sensitivity it is
    clDice.
    """
    return divide(library, 2.0 * (a * b), a + b, 0.0)


def harmonic_mean_slope(library: ArrayLibrary, a: Array, b: Array) -> Array:
    """Return the derivative of the harmonic mean in a, 2·b² / (a + b)²."""
    share = divide(library, b, a + b, 0.0)
    return 2.0 * share * share


def wasserstein_dice(library: ArrayLibrary, agreement: Array, distance: Array) -> Ratio:
    """2·A / (2·A + D), where A is the agreement weighted by class and D the sum of all
    distances.
    """
    return 2.0 * agreement, 2.0 * agreement + distance


# -- joint: one number for all classes, which are the last axis ------------------------------------


def two_classes(library: ArrayLibrary, s: Sizes) -> Sizes:
    """Return the sums of the set and its complement as two classes along a new last axis."""
    stack = library.xp.stack
    return Sizes(
        stack([true_negatives(s), s.intersection], axis=-1),
        stack([s.total - s.prediction, s.prediction], axis=-1),
        stack([s.total - s.target, s.target], axis=-1),
        stack([s.total, s.total], axis=-1),
    )


def accuracy(library: ArrayLibrary, s: Sizes) -> Ratio:
    """Σ I / N."""
    return halving_sum(library, s.intersection), s.total[..., 0]


def matthews(library: ArrayLibrary, s: Sizes) -> Ratio:
    """(N·ΣI − ΣX·Y) / √((N² − ΣX²)(N² − ΣY²)), Gorodkin's R_K; two classes give Matthews' φ."""
    spread_x, spread_y = (
        beyond_chance(library, s.total, row, row) for row in (s.prediction, s.target)
    )
    # these can be negative if memberships do not add up to 1 over the classes; no correlation is
    # defined then
    none = library.xp.zeros_like(spread_x)
    spread_x, spread_y = library.xp.maximum(spread_x, none), library.xp.maximum(spread_y, none)
    # one root, so that a perfect prediction scores exactly 1
    return halving_sum(library, covariance(s)), library.sqrt(spread_x * spread_y)


def kappa(library: ArrayLibrary, s: Sizes) -> Ratio:
    """(N·ΣI − ΣX·Y) / (N² − ΣX·Y), Cohen's κ."""
    return halving_sum(library, covariance(s)), beyond_chance(
        library, s.total, s.prediction, s.target
    )


def beyond_chance(library: ArrayLibrary, total: Array, a: Array, b: Array) -> Array:
    """Return N² − Σ a·b as Σ a·(N − b) + N·(N − Σ a), which has no difference of large products.

    The second term is 0 if every element has one class.
    """
    n = total[..., 0]
    return halving_sum(library, a * (total - b)) + n * (n - halving_sum(library, a))


def generalized_dice(library: ArrayLibrary, s: Sizes, weights: Array) -> Ratio:
    """2·Σ w·I / Σ w·(X + Y)."""
    return (
        2.0 * halving_sum(library, weights * s.intersection),
        halving_sum(library, weights * (s.prediction + s.target)),
    )


def size_weights(library: ArrayLibrary, target: Array, power: int) -> Array:
    """Return class weights (m / Y)ᵖ, m the smallest Y of a present class along the last axis.

    The largest weight is 1. An absent class gets that weight, so that predicting it is never free.
    If no class is present, all weights are 1. In generalized Dice p = 2 is "square", 1 is "simple"
    and 0 is "uniform".
    """
    xp = library.xp
    if power == 0 or 0 in target.shape:
        return xp.ones_like(target)
    present = target > 0
    infinity = xp.full_like(target, float("inf"))
    smallest = library.lowest(xp.where(present, target, infinity))
    ratio = xp.where(present, smallest, xp.ones_like(target)) / xp.where(
        present, target, xp.ones_like(target)
    )
    return ratio * ratio if power == 2 else ratio


# -- dividing ------------------------------------------------------------------------------------


def divide(library: ArrayLibrary, numerator: Array, denominator: Array, empty: float) -> Array:
    """Divide; the result is `empty` where the denominator is 0."""
    xp = library.xp
    zero = denominator == 0
    ratio = numerator / xp.where(zero, xp.ones_like(denominator), denominator)
    return xp.where(zero, xp.full_like(ratio, empty), ratio)
