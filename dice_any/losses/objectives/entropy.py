"""The cross-entropy, or focal term, that a compound loss adds to the loss of the overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ... import formulas
from ...arrays.library import Array, ArrayLibrary
from ...formulas import divide
from .reductions import Terms, sum_all


class Entropy(NamedTuple):
    """The term that is added to the loss of an overlap."""

    gamma: float  # focusing power; 0 is cross-entropy itself
    weight: float
    overlap_weight: float  # of the loss of the overlap

    def add_to(self, value: Array, terms: Terms) -> Array:
        """Return the compound loss: λ·(loss of the overlap) + μ·Σ v·E / Σ v·W over all counts.

        v are the class weights, E and W the two rows of the entropy. If no element is counted, the
        mean is 0.
        """
        library, entropy, weights = self._weighed(terms)
        if terms.settings.class_weight is not None:  # a term of weight 0 may be infinite
            entropy = library.xp.where(weights == 0, library.xp.zeros_like(entropy), entropy)
        total, share = (sum_all(library, row) for row in library.unstack(entropy * weights))
        return self.overlap_weight * value + self.weight * divide(library, total, share, 0.0)

    def add_slope(
        self, slopes: Sequence[Array], terms: Terms, cotangent: Array | None
    ) -> list[Array]:
        """Return the derivatives of the compound loss in the overlap's rows, then in E, times its
        cotangent (None: 1).

        The `slopes` are already multiplied by the cotangent. The entropy is part of every entry of
        the loss.
        """
        library, entropy, weights = self._weighed(terms)
        total = sum_all(library, entropy[1, ...] * weights)
        # a compiler would replace the division of many by one number by a product with its inverse
        slope = weights * divide(library, library.xp.ones_like(total), total, 0.0)
        if cotangent is not None:
            slope = slope * sum_all(library, library.xp.astype(cotangent, slope.dtype))
        return [*(self.overlap_weight * row for row in slopes), self.weight * slope]

    def _weighed(self, terms: Terms) -> tuple[ArrayLibrary, Array, Array]:
        """Return the rows E and W, and the weight of each count.

        Every class takes part, including those that the overlap's loss leaves out. With regions,
        the class weights are those of the regions, so an entropy of the classes has none.
        """
        library, settings = terms.library, terms.settings
        entropy: Any = terms.entropy
        if terms.entropy_apart:
            weights = library.xp.ones_like(entropy[0, ...])
        elif settings.power is not None:
            weights = formulas.size_weights(library, terms.target, settings.power)
        elif settings.class_weight is not None:
            weights = settings.class_weight
        else:
            weights = library.xp.ones_like(entropy[0, ...])
        return library, entropy, weights
