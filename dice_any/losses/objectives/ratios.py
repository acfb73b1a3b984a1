"""Losses that are functions of an overlap, and their slopes.

    sizes ──► formula ──► ratio R = (numerator + a) / (denominator + b) ──► outer(R)

PyTorch and JAX can differentiate the operations of the forward pass. The backward pass is in closed
form, the same for every library. Both use the same formula. It is `linear` in the sizes before the
division, so that its derivatives are its values at the unit sizes, or it gives its own slopes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ... import formulas
from ...arrays import library_of
from ...arrays.library import Array, ArrayLibrary
from ...formulas import Formula, Ratio, Sizes, divide
from ...measuring import Measured, measure_lent, measure_task
from ...reading import refuse_squared
from ...sums import Overlap
from .entropy import Entropy
from .objective import LossCall, Slopes
from .reductions import Chosen, Terms, choose


class Outer(NamedTuple):
    """The function of the ratio that is the loss: its value, and its slope in the ratio."""

    value: Callable[[ArrayLibrary, Array], Array]
    slope: Callable[[ArrayLibrary, Array], Array]


ONE_MINUS = Outer(
    lambda library, ratio: 1.0 - ratio, lambda library, ratio: -library.xp.ones_like(ratio)
)
#: below this, the logarithm is cut off
FLOOR = 1e-7


def focal(gamma: float) -> Outer:
    """Return (1 − R)^γ, whose slope at R = 1 is 0."""

    def rest(library: ArrayLibrary, ratio: Array) -> tuple[Array, Array]:
        """Return 1 − R where it is positive or NaN, and 1 elsewhere; and the mask of the former."""
        positive = ~(ratio >= 1)
        return library.xp.where(positive, 1.0 - ratio, library.xp.ones_like(ratio)), positive

    def value(library: ArrayLibrary, ratio: Array) -> Array:
        base, positive = rest(library, ratio)
        return library.xp.where(positive, library.power(base, gamma), library.xp.zeros_like(ratio))

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

    Small u use ln(1 + 2·sinh²(u/2)), which is smooth at 0. Others use |u| + ln(1 + e^(−2|u|)) −
    ln 2, which does not overflow. sinh²(u/2) is t² / (1 − t²) with t = tanh(u/2), because not every
    library has a sinh of float64.
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


Smooth = tuple[float, float]


class Smoothed(NamedTuple):
    """The smoothed ratio of a loss."""

    #: numerator and denominator
    ratio: Callable[[ArrayLibrary, Sizes, Smooth], Ratio]
    #: their derivatives in I, then in X
    slopes: Callable[[ArrayLibrary, Sizes, Smooth], list[Ratio]]


def linear(formula: Formula) -> Smoothed:
    """Return a formula that is linear in the sums, with Laplace smoothing added to both parts."""

    def ratio(library: ArrayLibrary, s: Sizes, smooth: Smooth) -> Ratio:
        numerator, denominator = formula(library, s)
        return numerator + smooth[0], denominator + smooth[1]

    def slopes(library: ArrayLibrary, s: Sizes, smooth: Smooth) -> list[Ratio]:
        zero, one = library.xp.zeros_like(s.target), library.xp.ones_like(s.target)
        units = Sizes(one, zero, zero, zero), Sizes(zero, one, zero, zero)
        return [formula(library, unit) for unit in units]

    return Smoothed(ratio, slopes)


DICE, JACCARD = linear(formulas.dice), linear(formulas.jaccard)
MATTHEWS = Smoothed(formulas.matthews_of_class, formulas.matthews_slopes)


@dataclass(frozen=True)
class RatioObjective:
    """A loss of a smoothed ratio of sizes."""

    formula: Smoothed
    outer: Outer = ONE_MINUS
    entropy: Entropy | None = None
    of_sums: bool = True
    #: whether squared sums have a meaning here
    squared: bool = True
    #: whether the classes are pooled, so that a class axis is required
    pooled: bool = False

    def check(self, prediction: Any, arguments: Mapping[str, Any]) -> None:
        if self.entropy is not None:
            _check_compound(prediction, arguments)

    def check_counts(self, kind: str, form: str, by_class: bool) -> None:
        if not self.squared:
            refuse_squared(kind, form)
        if self.pooled and not by_class:
            raise ValueError(
                "`class_axis` must be given in this loss, which pools classes; got none to tell "
                "apart. Pass `class_axis=` or `num_classes=`; for one set use `dice_loss`."
            )

    def measure(self, call: LossCall) -> Terms:
        if call.task is None:
            found = Measured(call.prediction, None, None)
        else:
            measuring = measure_lent if call.lent else measure_task
            found = measuring(
                call.library,
                call.task,
                call.prediction,
                call.target,
                call.weight,
                call.backend,
                with_gradient=call.wants_gradient,
            )
            found = found if call.join is None else call.join(found)
        overlap = found.overlap
        library = library_of(overlap.rows)
        *sizes, invalid = overlap.as_float64()
        return Terms(
            library,
            sizes,
            target=sizes[2],
            total=sizes[3],
            invalid=invalid,
            by_class=overlap.by_class,
            settings=call.settings.with_counts(library, sizes[0]),
            gradient=found.gradient,
            entropy=found.entropy_as_float64(),
            entropy_apart=call.task is not None and call.task.regions is not None,
        )

    def choose(self, terms: Terms) -> Chosen:
        return choose(terms)

    def losses(
        self, library: ArrayLibrary, rows: Sequence[Array], smooth: Smooth
    ) -> tuple[Array, Slopes]:
        sizes = Sizes(*rows)
        numerator, denominator = self.formula.ratio(library, sizes, smooth)
        # an empty pair without smoothing counts as perfect, and has gradient 0
        ratio = divide(library, numerator, denominator, 1.0)

        def slopes(share: Array) -> Sequence[Array]:
            outer = share * self.outer.slope(library, ratio)
            outer = divide(library, outer, denominator, 0.0)
            parts = self.formula.slopes(library, sizes, smooth)
            return [outer * (above - ratio * below) for above, below in parts]

        return self.outer.value(library, ratio), slopes


def _check_compound(prediction: Any, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments for which there is no cross-entropy."""
    if isinstance(prediction, Overlap):
        raise TypeError(
            "`prediction` must be logits in a compound loss, as an overlap holds no cross-entropy; "
            "got an Overlap. Pass the arrays, or add a cross-entropy of your own to the loss of "
            "the overlap."
        )
    if arguments.get("activation") is None:
        raise ValueError(
            "`activation` must be 'sigmoid' or 'softmax' in a compound loss, whose cross-entropy "
            "is that of logits; got None. Pass the logits, not their probabilities."
        )
