"""Generalised Wasserstein Dice: errors between close classes cost less. See
`losses.wasserstein_dice_loss`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from .arrays import UnknownLibraryError, library_of
from .arrays.library import Array, ArrayLibrary
from .fields import differentiable_map, read_task, valid_sets, widened
from .formulas import divide, halving_sum, wasserstein_dice
from .gradients import Wanted
from .kernels.blocks import read_block
from .kernels.distances import Matrix, class_distances, class_distances_gradient
from .loss_arguments import (
    LossArguments,
    answer,
    as_loss,
    read_call,
    read_settings,
    refuse_argument,
)
from .reductions import Chosen, Settings, all_classes, choose, loss_slopes, reduce_losses
from .summing import summed
from .sums import Overlap

WHY = "it weighs one class against another"


def wasserstein_loss(
    prediction: Array | Wanted,
    target: Array,
    arguments: LossArguments,
    *,
    distances: Sequence[Sequence[float]] | Array,
) -> Any:
    """Return the loss; a pair with the gradient where that is wanted."""
    call = read_call(prediction, target, arguments)
    refuse_argument(call, "form", "distances are summed as they are")
    refuse_argument(call, "average", "this loss is one ratio over the classes already")
    if call.arguments.get("activation") == "sigmoid":
        raise ValueError(
            "`activation` must be 'softmax' or None here, as memberships have to add up to 1 over "
            "the classes; got 'sigmoid'. Use softmax."
        )
    library, task = read_task(call, WHY)
    if task.class_axis is None:
        raise ValueError(
            "`class_axis` must be given, as this loss compares classes; got None. Name the axis of "
            "classes."
        )
    target, matrix = call.target, _read_distances(distances, task.classes)
    casts_back = library.casts_back(call.prediction)
    with library.precision():
        logits, weight = widened(library, call.prediction), call.arguments.get("weight")
        if casts_back:
            logits = library.xp.astype(logits, library.xp.float64)
        if task.activation is None:
            block = read_block(task, library, logits, target, weight, together=True)
            logits, _ = valid_sets(call, library, task, block, block.prediction, target)
        forward = partial(class_distances, matrix=matrix)
        backward = partial(class_distances_gradient, matrix=matrix)
        far = differentiable_map(library, task, forward, backward, logits, target, weight)
        # memberships that add up to more than 1 by a rounding error must not be farther away than
        # the farthest class
        far = far + library.detach(library.clip(far) - far)
        kept = {
            name: call.arguments.get(name)
            for name in ("class_axis", "axis", "ignore_label", "weight", "backend")
        }
        activated, wanted = task.activation is not None, call.wants_gradient
        sums = summed(
            far, target, exact=call.exact, with_gradient=wanted, activated=activated, **kept
        )
        call.choices.setdefault("class_weight", [0.0] + [1.0] * (task.classes - 1))
        settings = read_settings(library, sums.overlap.as_float64()[0], True, **call.choices)
        parts = _parts(library, sums.overlap, settings)
        value = reduce_losses(library, 1.0 - parts.ratio, parts.cells, settings)
        value = as_loss(library, value, call.prediction)
        gradient = None
        if call.wants_gradient:
            slope = _slope(library, parts, settings, task.classes)
            pull = sums.gradient(slope, library.xp.zeros_like(slope))
            gradient = library.map(backward, task, logits, target, weight, pull)
            gradient = library.xp.astype(gradient, call.prediction.dtype, copy=False)
    return answer(library, call, value, gradient)


class _Parts(NamedTuple):
    classes: Chosen
    cells: Chosen  # one loss each
    ratio: Array
    denominator: Array


def _parts(library: ArrayLibrary, sums: Overlap, settings: Settings) -> _Parts:
    distance, _, size, total, invalid = sums.as_float64()
    by_class = replace(settings, absent="count")
    classes = choose(library, [distance, size, total], size, total, invalid, by_class, True)
    distance, size, total = classes.rows
    weights = classes.weights
    agreement = halving_sum(library, weights * (size - distance))
    target = halving_sum(library, weights * size)
    rows = [agreement, halving_sum(library, distance)]
    invalid, total = library.xp.sum(invalid, axis=-1), halving_sum(library, total)
    of_cells = replace(settings, classes=None, class_weight=None, power=None)
    cells = choose(library, rows, target, total, invalid, of_cells, False)
    numerator, denominator = wasserstein_dice(library, *cells.rows)
    denominator = denominator + settings.smooth[1]
    return _Parts(
        classes,
        cells,
        divide(library, numerator + settings.smooth[0], denominator, 1.0),
        denominator,
    )


def _slope(library: ArrayLibrary, parts: _Parts, settings: Settings, length: int) -> Array:
    """Return the derivatives of the loss in each class's distance."""
    xp = library.xp
    outer = divide(library, -loss_slopes(library, parts.cells, settings), parts.denominator, 0.0)
    ratio = xp.expand_dims(parts.ratio, axis=-1)
    above = -2.0 * parts.classes.weights
    slope = xp.expand_dims(outer, axis=-1) * (above - ratio * (above + 1.0))
    return all_classes(library, slope, parts.classes, settings, length)


def _read_distances(distances: Any, classes: int) -> Matrix:
    """Return the matrix in Python numbers, its largest 1."""
    try:
        if not isinstance(distances, Sequence):
            distances = library_of(distances).tolist(distances)
        rows = [[float(number) for number in row] for row in distances]
    except (TypeError, ValueError, UnknownLibraryError):
        raise TypeError(
            f"`distances` must be a matrix of numbers; got {type(distances).__name__}. Pass a list "
            "of rows or a 2-D array."
        ) from None
    if len(rows) != classes or any(len(row) != classes for row in rows):
        raise ValueError(
            f"`distances` must have a row and a column for each of {classes} classes; got "
            f"{len(rows)} rows of {sorted({len(row) for row in rows})}. Row c holds the distances "
            "from target class c."
        )
    if not all(0 <= number < math.inf for row in rows for number in row):
        raise ValueError(
            "`distances` must be finite and not negative; got another value. Check it."
        )
    if any(rows[c][c] for c in range(classes)):
        raise ValueError(
            "`distances` must be 0 on the diagonal; got another number. A class is not far from "
            "itself."
        )
    largest = max(map(max, rows))
    if largest == 0:
        raise ValueError(
            "`distances` must tell classes apart; got zeros only. Use 1 for the classes farthest "
            "apart."
        )
    return tuple(tuple(number / largest for number in row) for row in rows)
