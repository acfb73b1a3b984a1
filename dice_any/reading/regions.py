"""Regions: groups of labels, as BraTS and nnU-Net score and train them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any

from ..arrays import library_of
from ..arrays.library import Array, ArrayLibrary
from ..kernels.task import Task
from .arguments import class_name, read_axis, read_num_classes, shown
from .arrays import check_same_place, read_kind, read_library, read_shape
from .cures import without
from .ignored import Work, read_ignoring, read_labels, weight_without
from .tasks import read, read_weight

Groups = tuple[tuple[int, ...], ...]


def read_regions(
    prediction: Array,
    target: Array,
    *,
    regions: object,
    class_axis: int | None = None,
    num_classes: int | None = None,
    activation: str | None = None,
    weight: Array | None = None,
    **arguments: Any,
) -> Work:
    """Read two label maps, channels that are regions, or classes that are added up to regions.

    The task has no regions if the target was turned into masks of them.
    """
    groups = read_groups(regions)
    arguments |= {"class_axis": class_axis, "activation": activation, "weight": weight}
    if activation == "sigmoid":
        number = _number_of_labels(groups, num_classes)
        return _read_channels(prediction, target, groups, number, **arguments)
    if class_axis is None:
        _check_maps(prediction, target)
        num_classes = _number_of_labels(groups, num_classes)
    library, task, prediction, target, weight = read_ignoring(
        prediction, target, num_classes=num_classes, **arguments
    )
    if task.class_axis is not None:
        _check_classes(task, groups)
    return library, replace(task, regions=groups), prediction, target, weight


def read_groups(regions: object) -> Groups:
    """Read groups of labels, or a mapping from names to groups."""
    groups = list(regions.values()) if isinstance(regions, Mapping) else regions
    if not isinstance(groups, Sequence) or isinstance(groups, (str, bytes, bytearray, memoryview)):
        raise TypeError(
            "`regions` must be a sequence of groups of labels, or a mapping from names to groups; "
            f"got {class_name(regions)}. Pass for example `[(1, 2, 3), (1, 3), (3,)]`."
        )
    found = tuple(read_labels("regions", group) for group in groups)
    if not found or not all(found):
        raise ValueError(
            "`regions` must hold one region or more, each of one label or more; got "
            f"{shown(list(found))}. Drop what is empty."
        )
    smallest = min(map(min, found))
    if smallest < 0:
        raise ValueError(
            f"`regions` must hold labels from 0 on; got {smallest}. For a label that means "
            "nothing pass `ignore_label=`."
        )
    return found


def _number_of_labels(groups: Groups, num_classes: object) -> int:
    """Return the number of labels of a map; by default the largest label in a group plus 1."""
    largest = max(map(max, groups))
    number = read_num_classes(largest + 1 if num_classes is None else num_classes)
    if number <= largest:
        raise ValueError(
            f"`num_classes` must be the number of labels, at least {largest + 1} for a region "
            f"with label {largest}; got {number}. Leave it out, or check `regions`."
        )
    return number


def _check_maps(prediction: Array, target: Array) -> None:
    """Check that there are two label maps, as there is no class axis."""
    library = read_library("prediction", prediction, target)
    kinds = read_kind(library, "prediction", prediction), read_kind(library, "target", target)
    if kinds != ("integer", "integer"):
        raise TypeError(
            "`regions` must go with two label maps, or with `class_axis`, whose channels are "
            f"classes or regions; got a {kinds[0]} prediction and a {kinds[1]} target. Name the "
            "axis of channels, or take the argmax of scores by class."
        )


def _check_classes(task: Task, groups: Groups) -> None:
    """Check that every label has a channel, and that the weight is the same for all channels."""
    largest = max(map(max, groups))
    if largest >= task.classes:
        raise ValueError(
            f"`regions` must hold labels of the {task.classes} classes along the class axis; got "
            f"{largest}. Check `class_axis`; where a channel is a region pass "
            "`activation='sigmoid'`."
        )
    if task.weighs_classes_apart:
        raise ValueError(
            "`weight` must have length 1 along the class axis beside `regions`, whose classes are "
            f"added up; got {task.classes}. Weigh elements, and regions by `class_weight`."
        )


def _read_channels(
    prediction: Array,
    target: Array,
    groups: Groups,
    num_classes: int,
    *,
    class_axis: int | None,
    weight: Array | None,
    ignore_label: int | Sequence[int] | None = None,
    **arguments: Any,
) -> Work:
    """Read sigmoid channels, one for each region, against a label map.

    The map becomes a mask of each region, so that every kernel, gradient and loss is right. An
    invalid label is an error, or a weight of NaN where Python may not read values.
    """
    library = read_library("prediction", prediction, target)
    check_same_place(library, "target", target, prediction)
    axis = _check_channels(library, prediction, target, groups, class_axis)
    if weight is not None:
        read_weight(library, weight, target, library.shape(target))
        weight = library.vetted(weight)
    prediction, target = library.vetted(prediction), library.vetted(target)
    with library.precision():
        masks = _masks(library, target, groups, axis)
        labels = read_labels("ignore_label", ignore_label)
        weight = _valid_weight(
            library, target, num_classes, weight_without(library, target, labels, weight)
        )
        if weight is not None:
            weight = library.xp.expand_dims(weight, axis=axis)
    library, task = read(prediction, masks, class_axis=axis, weight=weight, **arguments)
    return library, task, prediction, masks, weight


def _check_channels(
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    groups: Groups,
    class_axis: int | None,
) -> int:
    """Return the axis of the channels."""
    shape, target_shape = (
        read_shape(library, name, array)
        for name, array in (("prediction", prediction), ("target", target))
    )
    kinds = read_kind(library, "prediction", prediction), read_kind(library, "target", target)
    if kinds[1] != "integer":
        raise TypeError(
            f"`regions` must go with a target that is a label map; got a {kinds[1]} target. "
            "Leave `regions` out where the target holds a mask of each region."
        )
    if class_axis is None:
        raise ValueError(
            "`class_axis` must be given with `regions` and `activation='sigmoid'`; got None. Name "
            "the axis of channels, one a region."
        )
    axis = read_axis("class_axis", class_axis, len(shape))
    if shape[axis] != len(groups):
        raise ValueError(
            f"`regions` must name a region for each of {shape[axis]} channels; got "
            f"{len(groups)}. With `activation='sigmoid'` a channel is a region."
        )
    if target_shape != without(shape, axis):
        raise ValueError(
            "`target` must have the prediction's shape without its class axis, "
            f"{without(shape, axis)}; got {target_shape}. Pass the label map, without channels."
        )
    return axis


def _masks(
    library: ArrayLibrary, target: Array, groups: Sequence[Sequence[int]], axis: int
) -> Array:
    """Return a mask of each region, along a new axis."""
    largest = library.xp.iinfo(target.dtype).max

    def mask(group: Sequence[int]) -> Array:
        labels = [label for label in group if label <= largest]
        # nothing differs from itself: no element can have a label that its type cannot hold
        return reduce(or_, [target == label for label in labels] or [target != target])

    return library.stack([mask(group) for group in groups], axis=axis)


def _valid_weight(
    library: ArrayLibrary, target: Array, num_classes: int, weight: Array | None
) -> Array | None:
    """Check the labels, or make the weight NaN at invalid ones where Python may not read them."""
    xp = library.xp
    numbers = xp.astype(target, xp.int64, copy=False)
    outside = (numbers < 0) | (numbers >= num_classes)
    if weight is not None:
        outside = outside & (weight if library.kind(weight.dtype) == "bool" else weight != 0)
    number = library.answer(library.count(outside, tuple(range(outside.ndim))))
    if library_of(number).at_hand(number):  # for a sparse map too, because its sums are dense
        if int(number):
            raise ValueError(
                f"`target` must hold labels from 0 to {num_classes - 1} beside these "
                f"regions; got {int(number)} outside. Pass `num_classes=`, the number of labels, "
                "or `ignore_label=` for those that mean nothing."
            )
        return weight
    dtype = library.widest(target)
    if weight is None:
        weight = xp.astype(xp.ones_like(target), dtype)
    elif library.kind(weight.dtype) != "floating":
        weight = xp.astype(weight, dtype)
    weight = xp.broadcast_to(weight, library.shape(outside))
    return xp.where(outside, xp.full_like(weight, float("nan")), weight)


def refuse_foreground(classes: object) -> None:
    """Refuse ``classes="foreground"``, because no region is background."""
    if isinstance(classes, str) and classes == "foreground":
        raise ValueError(
            "`classes` must be None or the numbers of regions beside `regions`, none of which is "
            "background; got 'foreground'. Leave it out, or pass `classes=None`."
        )
