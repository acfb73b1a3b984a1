"""Centre-line Dice: how much of each set's skeleton lies inside the other set. See
`losses.centerline_dice_loss`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from .arrays.library import Array, ArrayLibrary, Axes
from .fields import Fields, differentiable_map, read_task, write_out
from .formulas import divide, harmonic_mean, harmonic_mean_slope
from .gradients import Wanted
from .kernels.skeletons import skeleton, skeleton_gradient
from .loss_arguments import (
    LossArguments,
    answer,
    as_loss,
    read_call,
    read_settings,
    refuse_argument,
)
from .reading import read_axes, read_integer, shown
from .reductions import Chosen, Settings, all_classes, choose, loss_slopes, reduce_losses
from .summing import Summed, summed

#: No tube of an image is wider.
MOST_ITERATIONS = 10_000
WHY = "a skeleton is drawn from neighbours"


class _Overlaps(NamedTuple):
    """Of the predicted skeleton with the target, and of the prediction with the target's
    skeleton.
    """

    fields: Fields
    precision: Summed
    sensitivity: Summed


class _Ratios(NamedTuple):
    """Centre-line precision and sensitivity, and the smoothed sizes that they were divided by."""

    chosen: Chosen
    precision: Array
    sensitivity: Array
    sizes: tuple[Array, Array]


def centerline_loss(
    prediction: Array | Wanted,
    target: Array,
    arguments: LossArguments,
    *,
    spatial_axes: Sequence[int] | None,
    iterations: int,
) -> Any:
    """Return the loss; a pair with the gradient where that is wanted."""
    call = read_call(prediction, target, arguments)
    if call.arguments.get("form") != "product":
        refuse_argument(call, "form", "clDice is made of products")
    call.arguments.setdefault("axis", "space")
    library, task = read_task(call, WHY)
    iterations = read_integer("iterations", iterations)
    if not 0 <= iterations <= MOST_ITERATIONS:
        raise ValueError(
            f"`iterations` must be at least 0 and at most {MOST_ITERATIONS}; got "
            f"{shown(iterations)}. About the radius of the widest tube will do."
        )
    axes = _read_spatial_axes(
        spatial_axes, call.arguments["axis"], task.axis, len(task.shapes[0] or ())
    )
    with library.precision():
        drawn = {"axes": axes, "iterations": int(iterations)}
        fields = write_out(call, library, task)
        asked = {"exact": call.exact, "with_gradient": call.wants_gradient}
        asked |= {
            "backend": call.arguments.get("backend"),
            "activated": task.activation is not None,
        }
        both = _overlaps(fields, drawn, {**fields.arguments, **asked})
        *rows, _ = both.precision.overlap.as_float64()
        settings = read_settings(library, rows[0], both.precision.overlap.by_class, **call.choices)
        ratios = _ratios(library, both, settings)
        losses = 1.0 - harmonic_mean(library, ratios.precision, ratios.sensitivity)
        value = reduce_losses(library, losses, ratios.chosen, settings)
        value = as_loss(library, value, call.prediction)
        gradient = None
        if call.wants_gradient:
            gradient = _gradient(library, both, ratios, settings, drawn)
            gradient = library.xp.astype(gradient, call.prediction.dtype, copy=False)
    return answer(library, call, value, gradient)


def _overlaps(fields: Fields, drawn: dict[str, Any], arguments: dict[str, Any]) -> _Overlaps:
    library, task = fields.library, fields.task
    forward, backward = partial(skeleton, **drawn), partial(skeleton_gradient, **drawn)
    predicted = differentiable_map(library, task, forward, backward, fields.prediction, whole=True)
    target = fields.target
    if library.kind(target.dtype) == "bool":
        one = library.xp.ones_like(fields.prediction)
        target = library.xp.where(target, one, library.xp.zeros_like(one))
    true = library.map_whole(forward, task, target)
    return _Overlaps(
        fields,
        summed(predicted, fields.target, **arguments),
        summed(fields.prediction, true, **arguments),
    )


def _ratios(library: ArrayLibrary, both: _Overlaps, settings: Settings) -> _Ratios:
    inside, skeleton_size, target, total, invalid = both.precision.overlap.as_float64()
    reached, _, true_size, _, also_invalid = both.sensitivity.overlap.as_float64()
    rows = [inside, skeleton_size, reached, true_size]
    invalid = invalid + also_invalid
    by_class = both.precision.overlap.by_class
    chosen = choose(library, rows, target, total, invalid, settings, by_class)
    above, below = settings.smooth
    inside, skeleton_size, reached, true_size = chosen.rows
    sizes = skeleton_size + below, true_size + below
    # no skeleton has nothing outside
    ratios = [
        divide(library, part + above, size, 1.0)
        for part, size in zip((inside, reached), sizes, strict=True)
    ]
    return _Ratios(chosen, ratios[0], ratios[1], sizes)


def _gradient(
    library: ArrayLibrary,
    both: _Overlaps,
    ratios: _Ratios,
    settings: Settings,
    drawn: dict[str, Any],
) -> Array:
    fields = both.fields
    outer = -loss_slopes(library, ratios.chosen, settings)
    precision = outer * harmonic_mean_slope(library, ratios.precision, ratios.sensitivity)
    sensitivity = outer * harmonic_mean_slope(library, ratios.sensitivity, ratios.precision)
    precision, sensitivity = (
        divide(library, slope, size, 0.0)
        for slope, size in zip((precision, sensitivity), ratios.sizes, strict=True)
    )
    length = both.precision.overlap._sums.shape[-1]
    inside, size, reached = (
        all_classes(library, slope, ratios.chosen, settings, length)
        for slope in (precision, -precision * ratios.precision, sensitivity)
    )
    zero = library.xp.zeros_like(inside)
    of_skeleton = both.precision.gradient(inside, size)
    of_prediction = both.sensitivity.gradient(reached, zero)
    through = library.map_whole(
        partial(skeleton_gradient, **drawn), fields.task, fields.prediction, of_skeleton
    )
    return fields.gradient(of_prediction + through)


def _read_spatial_axes(
    spatial_axes: Sequence[int] | None, axis: Any, summed_axes: Axes, ndim: int
) -> Axes:
    """Return the axes along which elements have neighbours: those that are summed, unless samples
    are too.
    """
    if spatial_axes is None:
        if axis is None:
            raise ValueError(
                "`spatial_axes` must be given with `axis=None`, which sums over samples too; got "
                "None. Name the axes along which elements have neighbours, for example "
                "`spatial_axes=(2, 3)`."
            )
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
