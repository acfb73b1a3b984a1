"""Two label maps: counted by a histogram where the library has one, else class by class."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..arrays.library import Array, ArrayLibrary, elements
from .limbs import UNIT
from .masks import mask_sums
from .memberships import membership_sums
from .task import Task


def label_sums(
    task: Task,
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    counted: Array | None,
    weight: Array | None,
    unreadable: Array | None,
) -> Array:
    """Return the sums of two label maps of one block, the classes along a new last axis.

    `prediction` and `target` have the elements' axes; `unreadable` marks predictions that could not be made.
    """
    xp = library.xp
    if unreadable is not None:
        prediction = xp.where(unreadable, xp.full_like(prediction, task.num_classes), prediction)
    if task.kind != "hard" or library.bincount is None:
        return _class_by_class(task, library, prediction, target, counted, weight)
    joint = joint_counts(task, library, prediction, target, counted, weight)
    if joint is None:
        both, x, y = _apart(task, library, prediction, target, counted, weight)
    else:
        matrix, invalid = split_joint(library, joint)
        classes = matrix.shape[-1]
        # the diagonal of C × C numbers is every (C + 1)th of them laid end to end
        both = xp.reshape(matrix, (*matrix.shape[:-2], classes * classes))[..., :: classes + 1]
        x, y = xp.sum(joint, axis=-2), xp.sum(joint, axis=-1)
    if joint is None or (weight is not None and library.kind(weight.dtype) != "bool"):  # elements, not their weights
        invalid = _count_invalid(task, library, prediction, target, counted, weight)
    spread = xp.zeros_like(both)
    total = spread + xp.sum(y, axis=-1, keepdims=True)
    return library.stack([both, x[..., :-1], y[..., :-1], total, spread + xp.expand_dims(invalid, axis=-1)])


def split_joint(library: ArrayLibrary, joint: Array) -> tuple[Array, Array]:
    """Split joint counts into the confusion matrix and how much of them was invalid."""
    xp = library.xp
    matrix = joint[..., :-1, :-1]
    return matrix, xp.sum(joint, axis=(-2, -1)) - xp.sum(matrix, axis=(-2, -1))


def joint_counts(
    task: Task, library: ArrayLibrary, prediction: Array, target: Array, counted: Array | None, weight: Array | None
) -> Array | None:
    """Count pairs of labels: (*kept, C + 1, C + 1), rows = target, the last row and column for what is invalid.

    None where the library has no histogram, or where one would be much larger than the labels it counts.
    """
    shape, side = library.shape(target), task.classes + 1
    kept = _kept(task, shape)
    if library.bincount is None or elements(kept) * side**2 > max(4 * elements(shape), 4096):
        return None
    codes, weights = None, None
    if counted is None and weight is None:
        codes = library.pair_codes(prediction, target, side)
    if codes is None:
        x, y, weights = _readable(task, library, prediction, target, weight)
        codes = y * side + x
    return library.xp.reshape(_histogram(task, library, codes, side**2, counted, weights), (*kept, side, side))


def _apart(
    task: Task, library: ArrayLibrary, prediction: Array, target: Array, counted: Array | None, weight: Array | None
) -> tuple[Array, Array, Array]:
    """Count what agrees, by class, and the labels of each map, C + 1 with what is invalid.

    Three histograms of C numbers, where a joint one would have C × C.
    """
    xp, none = library.xp, task.classes
    x, y, weights = _readable(task, library, prediction, target, weight)
    agreed = xp.where(x == y, x, xp.full_like(x, none))
    both, x, y = (_histogram(task, library, labels, none + 1, counted, weights) for labels in (agreed, x, y))
    return both[..., :-1], x, y


def _count_invalid(
    task: Task, library: ArrayLibrary, prediction: Array, target: Array, counted: Array | None, weight: Array | None
) -> Array:
    """Count the elements of which something is invalid."""
    x, y, _ = _readable(task, library, prediction, target, weight)
    invalid = (x == task.classes) | (y == task.classes)
    return library.count(invalid if counted is None else invalid & counted, task.element_axis)


def _readable(
    task: Task, library: ArrayLibrary, prediction: Array, target: Array, weight: Array | None
) -> tuple[Array, Array, Array | None]:
    """Return the labels, C for what is invalid by itself or by its weight, and the weights."""
    xp, none = library.xp, task.classes
    x, y = (_in_range(library, labels, none) for labels in (prediction, target))
    weights, bad = _integer_weights(library, weight, library.shape(target))
    return x, (y if bad is None else xp.where(bad, xp.full_like(y, none), y)), weights


def _histogram(
    task: Task, library: ArrayLibrary, codes: Array, bins: int, counted: Array | None, weights: Array | None
) -> Array:
    """Count codes from 0 to `bins` − 1 of the elements that take part: (*kept, bins)."""
    xp, shape = library.xp, library.shape(codes)
    lengths = tuple(1 if a in task.element_axis else n for a, n in enumerate(shape))
    cells, length = elements(lengths), bins
    if counted is not None:  # one more bin, thrown away
        codes = xp.where(counted, codes, xp.full_like(codes, bins))
        length += 1
    if cells > 1:
        codes = xp.astype(codes, xp.int64, copy=False)
        codes = codes + xp.reshape(library.arange(cells, codes), lengths) * length
    flat = None if weights is None else xp.reshape(weights, (-1,))
    bincount: Any = library.bincount  # callers have made sure that there is one
    counts = xp.reshape(bincount(xp.reshape(codes, (-1,)), cells * length, flat), (cells, length))
    return xp.reshape(counts[:, :bins], (*_kept(task, shape), bins))


def _kept(task: Task, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the lengths of the elements' axes that are not summed."""
    return tuple(n for a, n in enumerate(shape) if a not in task.element_axis)


def _integer_weights(
    library: ArrayLibrary, weight: Array | None, shape: tuple[int, ...]
) -> tuple[Array | None, Array | None]:
    """Return weights of each element, 1 where they are out of range, and where that is."""
    if weight is None or library.kind(weight.dtype) == "bool":
        return None, None
    xp = library.xp
    weights = xp.broadcast_to(xp.astype(weight, xp.int64), shape)
    bad = (weights < 0) | (weights >= UNIT)
    return xp.where(bad, xp.ones_like(weights), weights), bad


def _in_range(library: ArrayLibrary, labels: Array, classes: int) -> Array:
    """Return the labels as int64 with every one that is out of range replaced by `classes`."""
    xp = library.xp
    labels = xp.astype(labels, xp.int64, copy=False)
    return xp.where((labels >= 0) & (labels < classes), labels, xp.full_like(labels, classes))


def pair_by_pair(
    task: Task, library: ArrayLibrary, prediction: Array, target: Array, counted: Array | None, weight: Array | None
) -> Array:
    """Return what `joint_counts` does, from a pair of masks for each pair of labels."""
    xp = library.xp
    side = task.classes + 1
    x, y, weights = _readable(task, library, prediction, target, weight)
    rows = []
    for target_label in range(side):
        row = y == target_label if counted is None else (y == target_label) & counted
        masks = [row & (x == label) for label in range(side)]
        if weights is None:
            cells = [library.count(mask, task.axis) for mask in masks]
        else:
            zero = xp.zeros_like(weights)
            cells = [xp.sum(xp.where(mask, weights, zero), axis=task.axis, dtype=xp.int64) for mask in masks]
        rows.append(library.stack(cells, axis=-1))
    return library.stack(rows, axis=-2)


def _class_by_class(
    task: Task, library: ArrayLibrary, prediction: Array, target: Array, counted: Array | None, weight: Array | None
) -> Array:
    """Treat each class as a pair of masks."""
    xp = library.xp
    masks = replace(task, axis=task.element_axis, class_axis=None, num_classes=None)
    prediction, target = (xp.astype(labels, xp.int64, copy=False) for labels in (prediction, target))
    outside = [(labels < 0) | (labels >= task.num_classes) for labels in (prediction, target)]
    invalid = [outside[0] | outside[1]]  # an element is invalid once
    add = mask_sums if task.kind == "hard" else membership_sums
    sums = []
    for label in range(task.classes):
        x, y = prediction == label, target == label
        if counted is not None:
            x, y = x & counted, y & counted
        sums.append(add(masks, library, x, y, counted, weight, invalid))
    return library.stack(sums, axis=-1)
