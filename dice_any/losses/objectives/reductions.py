"""From the losses of classes and samples to one number, and from its slope back to theirs.

    rows ──► choose classes, weigh, pool ──► (a formula) ──► losses ──► absent classes, reduction

This is the same for every loss. The docstring of `dice_loss` describes the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ... import formulas
from ...arrays.halving import halving_sum
from ...arrays.library import Array, ArrayLibrary
from ...formulas import divide
from .settings import Settings


class Terms(NamedTuple):
    """The terms of a loss: rows of numbers, one in each row for every count."""

    library: ArrayLibrary  # of the rows
    rows: Sequence[Array]
    target: Array  # the target's sizes
    total: Array  # the weight of the counted elements
    invalid: Array  # the number of invalid elements
    by_class: bool
    settings: Settings  # how the losses become one number
    #: from the derivatives in the rows to the gradient in the prediction
    gradient: Callable[..., Array]
    entropy: Array | None = None
    #: whether the entropy is of the classes, while the rows are of regions
    entropy_apart: bool = False


class Chosen(NamedTuple):
    """The rows of the selected classes, pooled over the classes if ``average="micro"``."""

    rows: list[Array]
    by_class: bool  # whether the last axis is still classes
    pooling: Array | None  # the weights that pooled them
    weights: Array  # of the losses; 0 where no element is counted
    present: Array  # False where the loss is set to 0
    invalid: Array


def choose(terms: Terms) -> Chosen:
    """Choose classes, weigh them and pool."""
    library, settings, by_class = terms.library, terms.settings, terms.by_class
    xp = library.xp
    rows, invalid = [*terms.rows, terms.target, terms.total], terms.invalid
    weights = settings.class_weight
    if settings.classes is not None:
        *rows, invalid = (library.take(row, settings.classes) for row in (*rows, invalid))
        weights = None if weights is None else library.take(weights, settings.classes)
    if settings.power is not None:  # weights are relative to the selected classes
        weights = formulas.size_weights(library, rows[-2], settings.power)
    pooling = None
    if settings.average == "micro":
        pooling = xp.ones_like(rows[-1]) if weights is None else weights
        rows = [halving_sum(library, row * pooling) for row in rows]
        invalid, weights, by_class = xp.sum(invalid, axis=-1), None, False
    total, target = rows.pop(), rows.pop()
    took_part = total != 0  # leave out counts without elements; NaN is not left out
    present = took_part if settings.absent == "count" else target > 0
    counts = present if settings.absent == "skip" else took_part
    weights = xp.ones_like(target) if weights is None else weights
    weights = xp.where(counts, weights, xp.zeros_like(weights))
    return Chosen(rows, by_class, pooling, weights, present, invalid > 0)


def reduce_losses(
    library: ArrayLibrary, losses: Array, chosen: Chosen, settings: Settings
) -> Array:
    """Return the loss: NaN where an input was invalid, and 0 where `present` is False."""
    xp = library.xp
    losses = xp.where(chosen.present, losses, xp.zeros_like(losses))
    losses = xp.where(chosen.invalid, xp.full_like(losses, float("nan")), losses)
    if settings.reduction == "classes":
        return mean(library, losses, chosen.weights) if chosen.by_class else losses
    if settings.reduction == "none":
        return losses * chosen.weights
    if settings.reduction == "sum":
        return sum_all(library, losses * chosen.weights)
    return mean(library, xp.reshape(losses, (-1,)), xp.reshape(chosen.weights, (-1,)))


def loss_slopes(
    library: ArrayLibrary, chosen: Chosen, settings: Settings, cotangent: Array | None
) -> Array:
    """Return the derivative of the result of `reduce_losses` in each loss, times its cotangent
    (None: 1).
    """
    xp, share = library.xp, chosen.weights
    of_classes = settings.reduction == "classes" and chosen.by_class
    total = None
    if settings.reduction == "mean":
        total = sum_all(library, share)
    elif of_classes:
        total = xp.expand_dims(halving_sum(library, share), axis=-1)
    if total is not None:
        # a compiler would replace the division of many by one number by a product with its inverse
        share = share * divide(library, xp.ones_like(total), total, 0.0)
    if cotangent is not None:
        cotangent = xp.astype(cotangent, share.dtype)
        share = share * (xp.expand_dims(cotangent, axis=-1) if of_classes else cotangent)
    return library.xp.where(chosen.present, share, library.xp.zeros_like(share))


def all_classes(
    library: ArrayLibrary, slope: Array, chosen: Chosen, settings: Settings, length: int
) -> Array:
    """Return the slope in the rows of every class, from that in the chosen, maybe pooled rows; 0
    for classes that were not chosen.
    """
    xp = library.xp
    if chosen.pooling is not None:
        slope = xp.expand_dims(slope, axis=-1) * chosen.pooling
    if settings.classes is None:
        return slope
    columns = []
    for label in range(length):
        same = [slope[..., i] for i, number in enumerate(settings.classes) if number == label]
        columns.append(sum(same[1:], same[0]) if same else xp.zeros_like(slope[..., 0]))
    return xp.stack(columns, axis=-1)


def mean(library: ArrayLibrary, losses: Array, weights: Array) -> Array:
    """Return Σ w·l / Σ w over the last axis; 0 where no weight is left, unless a loss is NaN."""
    total = halving_sum(library, weights)
    total = library.xp.where(total == 0, library.xp.ones_like(total), total)
    return halving_sum(library, losses * weights) / total


def sum_all(library: ArrayLibrary, values: Array) -> Array:
    """Add all values in the halving tree."""
    return halving_sum(library, library.xp.reshape(values, (-1,)))
