"""Read two label maps, for a function that takes nothing else."""

from __future__ import annotations

from typing import Any

from ..arrays.library import Array
from .arguments import read_num_classes
from .arrays import check_same_place, read_kind, read_library, read_shape
from .cures import cure_for_maps, extra_axes
from .ignored import Work, read_ignoring


def read_maps(prediction: Array, target: Array, *, num_classes: Any, **arguments: Any) -> Work:
    """Read two arrays as `read_ignoring` does, which must be label maps."""
    try:
        found = read_ignoring(prediction, target, num_classes=num_classes, **arguments)
    except (TypeError, ValueError):
        _check_maps(prediction, target, num_classes)
        raise
    if not all(found[1].labels):
        _check_maps(prediction, target, num_classes)
    return found


def _check_maps(prediction: Array, target: Array, num_classes: Any) -> None:
    """Check what makes a label map: what `read` says of these arrays may be of no use here."""
    library = read_library("prediction", prediction, target)
    check_same_place(library, "target", target, prediction)
    kinds = read_kind(library, "prediction", prediction), read_kind(library, "target", target)
    shapes = read_shape(library, "prediction", prediction), read_shape(library, "target", target)
    if kinds != ("integer", "integer"):
        dtypes = library.dtype_name(prediction.dtype), library.dtype_name(target.dtype)
        raise TypeError(
            f"`prediction` and `target` must be label maps; got {dtypes[0]} and {dtypes[1]}. "
            f"{cure_for_maps(library, kinds, shapes)}."
        ) from None
    if any(map(extra_axes, shapes, reversed(shapes))):
        raise ValueError(
            f"`target` must have the prediction's shape {shapes[0]}; got {shapes[1]}. "
            f"{cure_for_maps(library, kinds, shapes)}."
        ) from None
    read_num_classes(num_classes)
