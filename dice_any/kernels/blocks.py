"""Read one block: find the counted elements, their memberships and the invalid values.

"Aligned" means having all axes of the prediction: a label map or a weight without a class axis
gets one of length 1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..arrays.library import Array, ArrayLibrary
from .masks import Invalid, counted_only
from .memberships import widen
from .task import Task


class Block(NamedTuple):
    """One aligned block; values that are not counted are 0 in prediction and target, before any
    activation.

    With softmax the classes of an element depend on each other, so all its logits stay if any
    class of it is counted.
    """

    prediction: Array
    target: Array
    counted: Array | None
    weight: Array | None
    #: whether the target is a floating array created here and used once, so that it may be
    #: overwritten
    target_is_ours: bool = False


def read_block(
    task: Task,
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    weight: Array | None,
    *,
    factors: bool = False,
    together: bool = False,
) -> Block:
    """Read a block of memberships or logits, against memberships or a label map.

    With `factors` a label map may become zeros and ones instead of masks, if the library
    multiplies faster than it selects. `together` says that the predicted classes depend on each
    other even without a softmax.
    """
    counted = counted_mask(task, library, target, weight)
    return read_counted(
        task, library, prediction, target, counted, weight, factors=factors, together=together
    )


def read_counted(
    task: Task,
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    counted: Array | None,
    weight: Array | None,
    *,
    factors: bool,
    together: bool = False,
) -> Block:
    xp = library.xp
    counted, weight = _align(task, library, counted), _align(task, library, weight)
    factors = factors and task.labels[1] and library.kind(prediction.dtype) == "floating"
    factors = factors and library.floating_equal is not None
    if task.labels[1]:
        dtype = widen(task, library, prediction).dtype if factors else None
        target = _one_class_each(task, library, _align(task, library, target), dtype)
    if task.labels[0]:
        prediction = _one_class_each(
            task, library, xp.expand_dims(prediction, axis=task.class_axis)
        )
    if counted is not None:
        # before the activation, so that a NaN there reaches neither the value nor the gradient
        together = (together or task.activation == "softmax") and task.weighs_classes_apart
        readable = xp.any(counted, axis=task.class_axis, keepdims=True) if together else counted
        prediction = counted_only(library, readable, prediction)
        target = counted_only(library, counted, target)
    ours = factors and task.entropy is None
    # what autograd or a transformation follows must not be overwritten
    ours = ours and not (
        library.differentiable(prediction, weight) or library.traced(prediction, weight)
    )
    return Block(prediction, target, counted, weight, target_is_ours=ours)


def invalid_labels(
    task: Task, library: ArrayLibrary, target: Array, unreadable: Array | None
) -> Invalid:
    """Return an aligned mask of labels that are unreadable (a NaN score) or out of range.

    None if all labels are known to be valid.
    """
    if unreadable is not None:
        unreadable = library.xp.expand_dims(unreadable, axis=task.class_axis)
    if not task.labels[1] or library.are_labels(target, task.classes):
        return Invalid(unreadable)
    return Invalid(unreadable, _align(task, library, outside(task, library, target)))


def outside(task: Task, library: ArrayLibrary, labels: Array) -> Array:
    """Return the mask of labels that are not a class number."""
    labels = library.xp.astype(
        labels, library.xp.int64, copy=False
    )  # a small type may not hold the number of classes
    return (labels < 0) | (labels >= task.num_classes)


def counted_mask(
    task: Task, library: ArrayLibrary, target: Array, weight: Array | None
) -> Array | None:
    """Return the mask of the elements that are counted; None if all are."""
    xp = library.xp
    mask = None
    if task.ignore_label is not None:
        limits = xp.iinfo(target.dtype)
        if limits.min <= task.ignore_label <= limits.max:  # else no element can hold that label
            mask = target != task.ignore_label
    if weight is not None:
        kind = library.kind(weight.dtype)
        weighed = weight if kind == "bool" else weight != 0
        mask = weighed if mask is None else mask & weighed
    return mask


def weighed(task: Task, library: ArrayLibrary, block: Block, values: Array) -> Array:
    """Multiply floating values by the weight; set those that are not counted to 0."""
    if (
        block.weight is not None and library.kind(block.weight.dtype) != "bool"
    ):  # a mask as weight is contained in `counted`
        values = values * widen(task, library, block.weight)
    return values if block.counted is None else counted_only(library, block.counted, values)


def hard_labels(task: Task, library: ArrayLibrary, scores: Array) -> tuple[Array, Array]:
    """Return the class with the largest score (the first if equal), and the mask of NaN scores."""
    xp = library.xp
    labels = xp.astype(library.argmax(scores, task.class_axis), xp.int64)
    return labels, xp.any(xp.isnan(scores), axis=task.class_axis)


def _align(task: Task, library: ArrayLibrary, array: Array | None) -> Array | None:
    """Add a class axis of length 1 to an array that has none."""
    if array is None or task.class_axis is None or not task.labels[1]:
        return array
    return library.xp.expand_dims(array, axis=task.class_axis)


def _one_class_each(
    task: Task, library: ArrayLibrary, labels: Array, floating: Any = None
) -> Array:
    """Return an aligned label map one-hot encoded: as masks, or in the floating dtype if that is
    faster in the library.
    """
    xp = library.xp
    equal = None if floating is None else library.floating_equal
    # a small integer type may not hold every class number; a floating type holds all that can occur
    labels = xp.astype(labels, xp.int64 if equal is None else floating)
    shape = tuple(-1 if a == task.class_axis else 1 for a in range(labels.ndim))
    classes = xp.reshape(xp.astype(library.arange(task.classes, labels), labels.dtype), shape)
    return labels == classes if equal is None else equal(labels, classes)
