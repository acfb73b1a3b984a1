"""Centre-line Dice: how much of each set's skeleton lies inside the other set. See
`centerline_dice_loss`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ...arrays.library import Array, ArrayLibrary, Axes
from ...formulas import divide, harmonic_mean, harmonic_mean_slope
from ...kernels.memberships import widen
from ...kernels.skeletons import skeleton, skeleton_gradient
from ...measuring import Measured, measure
from ...reading import read_axes
from .memberships import WrittenSets, differentiable_map, plain_task, refuse_overlap, write_out
from .objective import LossCall, Slopes
from .reductions import Chosen, Terms, choose

WHY = "a skeleton is drawn from neighbours"


@dataclass(frozen=True)
class SkeletonObjective:
    """One minus the harmonic mean of centre-line precision and sensitivity."""

    iterations: int
    spatial_axes: Sequence[int] | None
    entropy: None = None
    of_sums: bool = False

    def check(self, prediction: Any, arguments: Mapping[str, Any]) -> None:
        refuse_overlap(prediction, WHY)
        if self.spatial_axes is None and arguments.get("axis") is None:
            raise ValueError(
                "`spatial_axes` must be given with `axis=None`, which sums over samples too; got "
                "None. Name the axes along which elements have neighbours, for example "
                "`spatial_axes=(2, 3)`."
            )

    def check_counts(self, kind: str, form: str, by_class: bool) -> None:
        """Accept every kind of sums."""

    def measure(self, call: LossCall) -> Terms:
        task, library = plain_task(call, WHY), call.library
        axes = _read_spatial_axes(self.spatial_axes, task.axis, len(task.shapes[0] or ()))
        drawn = {"axes": axes, "iterations": self.iterations}
        overlaps = _overlaps(call, write_out(call, task), drawn)
        inside, skeleton_size, target, total, invalid = overlaps.precision.overlap.as_float64()
        reached, _, true_size, _, also_invalid = overlaps.sensitivity.overlap.as_float64()
        return Terms(
            library,
            [inside, skeleton_size, reached, true_size],
            target=target,
            total=total,
            invalid=invalid + also_invalid,
            by_class=overlaps.precision.overlap.by_class,
            settings=call.settings.with_counts(library, inside),
            gradient=partial(_gradient, overlaps, drawn),
        )

    def choose(self, terms: Terms) -> Chosen:
        return choose(terms)

    def losses(
        self, library: ArrayLibrary, rows: Sequence[Array], smooth: tuple[float, float]
    ) -> tuple[Array, Slopes]:
        inside, skeleton_size, reached, true_size = rows
        above, below = smooth
        sizes = skeleton_size + below, true_size + below
        # an empty skeleton has no part outside
        precision = divide(library, inside + above, sizes[0], 1.0)
        sensitivity = divide(library, reached + above, sizes[1], 1.0)

        def slopes(share: Array) -> Sequence[Array]:
            of_precision = -share * harmonic_mean_slope(library, precision, sensitivity)
            of_sensitivity = -share * harmonic_mean_slope(library, sensitivity, precision)
            in_inside = divide(library, of_precision, sizes[0], 0.0)
            in_reached = divide(library, of_sensitivity, sizes[1], 0.0)
            return [in_inside, -in_inside * precision, in_reached]

        return 1.0 - harmonic_mean(library, precision, sensitivity), slopes


class Overlaps(NamedTuple):
    """The overlap of the predicted skeleton with the target, and of the prediction with the
    target's skeleton.
    """

    sets: WrittenSets
    precision: Measured
    sensitivity: Measured


def _overlaps(call: LossCall, sets: WrittenSets, drawn: dict[str, Any]) -> Overlaps:
    library, task = sets.library, sets.task
    forward, backward = partial(skeleton, **drawn), partial(skeleton_gradient, **drawn)
    predicted = differentiable_map(library, task, forward, backward, sets.prediction, whole=True)
    target = sets.target
    if library.kind(target.dtype) == "bool":
        one = library.xp.ones_like(sets.prediction)
        target = library.xp.where(target, one, library.xp.zeros_like(one))
    target = widen(task, library, target)
    true = library.map_whole(forward, task, target)
    arguments: dict[str, Any] = {
        **sets.arguments,
        "exact": call.exact,
        "backend": call.backend,
        "with_gradient": call.wants_gradient,
        "activated": task.activation is not None,
    }
    return Overlaps(
        sets,
        measure(predicted, sets.target, **arguments),
        measure(sets.prediction, true, **arguments),
    )


def _gradient(
    overlaps: Overlaps, drawn: dict[str, Any], inside: Array, size: Array, reached: Array
) -> Array:
    """Return the gradient in the prediction from the derivatives in three of the rows; the size of
    the target's skeleton does not depend on the prediction.
    """
    sets = overlaps.sets
    of_skeleton = overlaps.precision.gradient(inside, size)
    of_prediction = overlaps.sensitivity.gradient(reached, sets.library.xp.zeros_like(reached))
    through = sets.library.map_whole(
        partial(skeleton_gradient, **drawn), sets.task, sets.prediction, of_skeleton
    )
    return sets.gradient(of_prediction + through)


def _read_spatial_axes(spatial_axes: Sequence[int] | None, summed_axes: Axes, ndim: int) -> Axes:
    """Return the axes along which elements have neighbours; by default the summed axes."""
    if spatial_axes is None:
        axes = summed_axes
    else:
        axes = read_axes("spatial_axes", spatial_axes, ndim)
        if not set(axes) <= set(summed_axes):
            raise ValueError(
                f"`spatial_axes` must be among the summed axes {summed_axes}; got {axes}. Name "
                "both alike."
            )
    if len(axes) not in (2, 3):
        raise ValueError(
            f"`spatial_axes` must be two or three, along which tubes run; got {len(axes)}. "
            "Axis 0 is taken for samples: name the axes, or give the array one more in front."
        )
    return axes
