"""The reference: `overlap` of one block in Array API operations. Always there, always right.

Every other kernel is held to its bits. Shapes: "aligned" means having all the axes of the prediction, so that a label
map or a weight has length 1 along a class axis it lacks.
"""

from __future__ import annotations

from ..arrays import library_of
from ..arrays.library import Array, ArrayLibrary
from .labels import joint_counts, label_sums, pair_by_pair, split_joint
from .masks import keep, mask_sums
from .memberships import membership_sums, widen
from .pairs import pair_sums
from .task import Task

name = "reference"


def accepts(task: Task) -> bool | str:
    """Accept every task."""
    return True


def overlap(task: Task, prediction: Array, target: Array, weight: Array | None) -> Array:
    """Return the sums of whole arrays, laid out as `Task` says."""
    tail = (task.classes,) if task.by_class else ()
    return library_of(prediction).run(block_sums, task, prediction, target, weight, lead=task.lead, tail=tail)


def confusion_matrix(task: Task, prediction: Array, target: Array, weight: Array | None) -> tuple[Array, Array]:
    """Return the confusion matrices of two label maps, (*kept, C, C), and how much was invalid, (*kept,)."""
    side = task.classes + 1
    joint = library_of(prediction).run(block_pairs, task, prediction, target, weight, lead=(), tail=(side, side))
    return split_joint(library_of(joint), joint)


def block_pairs(task: Task, library: ArrayLibrary, prediction: Array, target: Array, weight: Array | None) -> Array:
    """Return the joint counts of one block of two label maps."""
    counted = _counted(task, library, target, weight)
    joint = joint_counts(task, library, prediction, target, counted, weight)
    return pair_by_pair(task, library, prediction, target, counted, weight) if joint is None else joint


def pairwise(task: Task, X: Array, Y: Array) -> Array:  # noqa: N803
    """Return the sums of every pair of rows, (*lead, n, m)."""
    return pair_sums(overlap, task, X, Y)


def block_sums(task: Task, library: ArrayLibrary, prediction: Array, target: Array, weight: Array | None) -> Array:
    """Return the sums of one block."""
    xp = library.xp
    counted = _counted(task, library, target, weight)  # in the target's own axes
    unreadable = None  # scores that argmax cannot compare
    if task.activation == "argmax":
        prediction, unreadable = _hard_labels(task, library, prediction)
    if all(task.labels):
        return label_sums(task, library, prediction, target, counted, weight, unreadable)

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
    if task.activation in ("sigmoid", "softmax"):
        prediction = _activate(task, library, prediction, counted)
    if task.kind == "hard":
        return mask_sums(task, library, prediction, target, counted, weight, invalid)
    return membership_sums(task, library, prediction, target, counted, weight, invalid)


# -- reading a block ---------------------------------------------------------------------------------------------------


def _counted(task: Task, library: ArrayLibrary, target: Array, weight: Array | None) -> Array | None:
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


def _hard_labels(task: Task, library: ArrayLibrary, scores: Array) -> tuple[Array, Array]:
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


def _activate(task: Task, library: ArrayLibrary, logits: Array, counted: Array | None) -> Array:
    """Turn logits into memberships, in float64 where the sums are exact and at least float32 elsewhere."""
    xp = library.xp
    logits = widen(task, library, logits)
    if task.activation == "sigmoid":
        # exp of a non-positive number only, so that nothing overflows
        shrunk = xp.exp(-xp.abs(logits))
        probabilities = xp.where(logits >= 0, xp.ones_like(shrunk), shrunk) / (1.0 + shrunk)
    else:
        shrunk = xp.exp(logits - xp.max(logits, axis=task.class_axis, keepdims=True))
        probabilities = shrunk / xp.sum(shrunk, axis=task.class_axis, keepdims=True)
    return probabilities if counted is None else keep(library, counted, probabilities)
