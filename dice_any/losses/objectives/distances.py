"""Generalised Wasserstein Dice: errors between close classes cost less. See
`wasserstein_dice_loss`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ...arrays.halving import halving_sum
from ...arrays.library import Array, ArrayLibrary
from ...formulas import divide, wasserstein_dice
from ...kernels.blocks import read_block
from ...kernels.distances import class_distances, class_distances_gradient
from ...kernels.memberships import widened
from ...measuring import measure
from ...reading import read_distances, trace_distances
from .memberships import differentiable_map, plain_task, refuse_overlap, valid_sets
from .objective import LossCall, Slopes
from .reductions import Chosen, Terms, choose

WHY = "it weighs one class against another"


@dataclass(frozen=True)
class DistanceObjective:
    """One ratio over the classes, of the agreement and the distances of the rest."""

    #: a row for each class, as the caller gave them
    distances: Any
    entropy: None = None
    of_sums: bool = False

    def check(self, prediction: Any, arguments: Mapping[str, Any]) -> None:
        refuse_overlap(prediction, WHY)
        if arguments.get("activation") == "sigmoid":
            raise ValueError(
                "`activation` must be 'softmax' or None here, as memberships have to add up to 1 "
                "over the classes; got 'sigmoid'. Use softmax."
            )
        if arguments.get("class_axis") is None:
            raise ValueError(
                "`class_axis` must be given, as this loss compares classes; got None. Name the "
                "axis of classes."
            )

    def check_counts(self, kind: str, form: str, by_class: bool) -> None:
        """Accept every kind of sums."""

    def measure(self, call: LossCall) -> Terms:
        task, library = plain_task(call, WHY), call.library
        if hasattr(self.distances, "shape"):
            matrix = trace_distances(library, self.distances, task.classes, call.prediction)
        else:
            matrix = read_distances(self.distances, task.classes)
        logits, target, weight = widened(library, call.prediction), call.target, call.weight
        if call.casts_back:
            logits = library.xp.astype(logits, library.xp.float64)
        activated = task.activation is not None
        if not activated:
            block = read_block(task, library, logits, target, weight, together=True)
            logits, _ = valid_sets(call, task, block, block.prediction, target)
        arrays = logits, target, weight
        forward = partial(class_distances, matrix=matrix)
        backward = partial(class_distances_gradient, matrix=matrix)
        if isinstance(matrix, tuple):
            far = differentiable_map(library, task, forward, backward, *arrays)
            pulled = partial(library.map, backward, task)
        else:  # the compiler or transformation that follows the matrix follows the operations
            far = forward(task, library, *arrays)
            pulled = partial(backward, task, library)
        # if memberships add up to more than 1 by a rounding error, the distance must not exceed
        # that of the farthest class
        far = far + library.detach(library.clip(far) - far)
        found = measure(
            far,
            target,
            class_axis=task.class_axis,
            axis=task.axis,
            ignore_label=task.ignore_label,
            weight=weight,
            exact=call.exact,
            backend=call.backend,
            with_gradient=call.wants_gradient,
            activated=activated,
        )
        distance, _, size, total, invalid = found.overlap.as_float64()
        settings = call.settings
        if settings.class_weight is None and settings.power is None:  # background does not count
            settings = replace(settings, class_weight=[0.0] + [1.0] * (task.classes - 1))

        def gradient(slope: Array) -> Array:
            pull = found.gradient(slope, library.xp.zeros_like(slope))
            return pulled(*arrays, pull)

        return Terms(
            library,
            [distance, size, total],
            target=size,
            total=total,
            invalid=invalid,
            by_class=True,
            settings=settings.with_counts(library, distance),
            gradient=gradient,
        )

    def choose(self, terms: Terms) -> Chosen:
        """Return the agreement, the sum of distances over all classes, and the class weights."""
        library = terms.library
        by_class = terms._replace(settings=replace(terms.settings, absent="count"))
        classes = choose(by_class)
        distance, size, total = classes.rows
        weights = classes.weights
        cells = Terms(
            library,
            [halving_sum(library, weights * (size - distance)), halving_sum(library, distance)],
            target=halving_sum(library, weights * size),
            total=halving_sum(library, total),
            invalid=library.xp.sum(terms.invalid, axis=-1),
            by_class=False,
            settings=replace(terms.settings, classes=None, class_weight=None, power=None),
            gradient=terms.gradient,
        )
        chosen = choose(cells)
        return chosen._replace(rows=[*chosen.rows, weights])

    def losses(
        self, library: ArrayLibrary, rows: Sequence[Array], smooth: tuple[float, float]
    ) -> tuple[Array, Slopes]:
        agreement, distance, weights = rows
        numerator, denominator = wasserstein_dice(library, agreement, distance)
        denominator = denominator + smooth[1]
        ratio = divide(library, numerator + smooth[0], denominator, 1.0)

        def slopes(share: Array) -> Sequence[Array]:
            """Return the derivatives in each class's distance."""
            expand = library.xp.expand_dims
            outer = expand(divide(library, -share, denominator, 0.0), axis=-1)
            above = -2.0 * weights
            return [outer * (above - expand(ratio, axis=-1) * (above + 1.0))]

        return 1.0 - ratio, slopes
