"""Read one block: which elements count, what their memberships are, and what is invalid.

"Aligned" means having all the axes of the prediction, so that a label map or a weight has length 1 along a class axis that
it lacks.
"""

from __future__ import annotations

from typing import NamedTuple

from ..arrays.library import Array, ArrayLibrary
from .masks import keep
from .memberships import widen
from .task import Task


class Block(NamedTuple):
    """One block, aligned: what is not counted is 0 in prediction and target, before any activation."""

    prediction: Array
    target: Array
    counted: Array | None
    weight: Array | None
    invalid: list[Array]


def read_block(task: Task, library: ArrayLibrary, prediction: Array, target: Array, weight: Array | None) -> Block:
    """Read a block of memberships or logits, against memberships or a label map."""
    return read_counted(task, library, prediction, target, counted_mask(task, library, target, weight), weight, None)


def read_counted(
    task: Task,
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    counted: Array | None,
    weight: Array | None,
    unreadable: Array | None,
) -> Block:
    xp = library.xp
    counted, weight = _align(task, library, counted), _align(task, library, weight)
    invalid = []
    if task.labels[1]:
        target, outside = _one_class_each(task, library, _align(task, library, target))
        invalid.append(outside)
    if task.labels[0]:
        prediction, outside = _one_class_each(task, library, xp.expand_dims(prediction, axis=task.class_axis))
        invalid.append(outside)
        if unreadable is not None:
            invalid.append(xp.expand_dims(unreadable, axis=task.class_axis))
    if counted is not None:
        # before the activation: a NaN there must harm neither the value nor the gradient
        prediction = keep(library, counted, prediction)
        target = keep(library, counted, target)
    return Block(prediction, target, counted, weight, invalid)


def counted_mask(task: Task, library: ArrayLibrary, target: Array, weight: Array | None) -> Array | None:
    """Return the mask of the elements that take part, None if all do."""
    xp = library.xp
    mask = None
    if task.ignore_label is not None:
        limits = xp.iinfo(target.dtype)
        if limits.min <= task.ignore_label <= limits.max:  # else no element can have that label
            mask = target != task.ignore_label
    if weight is not None:
        kind = library.kind(weight.dtype)
        weighed = weight if kind == "bool" else weight != 0
        mask = weighed if mask is None else mask & weighed
    return mask


def weighed(task: Task, library: ArrayLibrary, block: Block, values: Array) -> Array:
    """Multiply floating values by the weight, and make those that are not counted 0."""
    if block.weight is not None and library.kind(block.weight.dtype) != "bool":  # all that a mask says is in `counted`
        values = values * widen(task, library, block.weight)
    return values if block.counted is None else keep(library, block.counted, values)


def hard_labels(task: Task, library: ArrayLibrary, scores: Array) -> tuple[Array, Array]:
    """Return the class with the largest score (the first of equals), and where a score is NaN."""
    xp = library.xp
    labels = xp.astype(xp.argmax(scores, axis=task.class_axis), xp.int64)
    return labels, xp.any(xp.isnan(scores), axis=task.class_axis)


def _align(task: Task, library: ArrayLibrary, array: Array | None) -> Array | None:
    """Give an array that has the elements' axes a class axis of length 1."""
    if array is None or task.class_axis is None or not task.labels[1]:
        return array
    return library.xp.expand_dims(array, axis=task.class_axis)


def _one_class_each(task: Task, library: ArrayLibrary, labels: Array) -> tuple[Array, Array]:
    """Return an aligned label map as hard memberships of every class, and where a label is out of range."""
    xp = library.xp
    labels = xp.astype(labels, xp.int64)  # a small integer type may not hold every class number
    shape = tuple(-1 if a == task.class_axis else 1 for a in range(labels.ndim))
    classes = xp.reshape(library.arange(task.classes, labels), shape)
    return labels == classes, (labels < 0) | (labels >= task.num_classes)
