"""Count two label maps by a joint histogram, by a histogram of each, or class by class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from ..arrays.library import Array, ArrayLibrary, elements
from .blocks import counted_mask, outside
from .limbs import split
from .masks import Invalid, integer_weights, mask_sums
from .memberships import membership_sums, sum_plainly, valid_weight
from .task import Task

Bincount = Callable[[Array, int, Array | None], Array]
#: Up to this many pairs of classes, masks cost no more than sorting (in a library without
#: `bincount`).
FEW_PAIRS = 64


class _Labels(NamedTuple):
    """Two label maps as int64: C is a label out of range; C + 1 in the target, an invalid weight.

    Invalid elements have weight 1, so their bins count elements. They are not part of any sum.
    """

    prediction: Array
    target: Array
    counted: Array | None
    #: integers per element: none, the weight, or the limbs of a floating weight
    weights: list[Array | None]


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

    `prediction` and `target` have no class axis; `unreadable` marks elements with a NaN score.
    """
    xp = library.xp
    if unreadable is not None:
        prediction = xp.where(unreadable, xp.full_like(prediction, task.num_classes), prediction)
    if library.bincount is None or not _bins(task, library, weight):
        return _class_by_class(task, library, prediction, target, counted, weight)
    if _many_pairs(task, library, target):
        sums = _apart(task, library, _read(task, library, prediction, target, counted, weight))
    else:
        sums = _of_joint(task, library, pair_counts(task, library, prediction, target, weight))
    return sums if task.kind == "exact" else sums[:, 0, ...]


def _bins(task: Task, library: ArrayLibrary, weight: Array | None) -> bool:
    """Tell whether a histogram can add the weights: as integers, or as floating numbers."""
    return task.kind != "plain" or library.bins_floats(weight)


def _many_pairs(task: Task, library: ArrayLibrary, target: Array) -> bool:
    """Tell whether a joint histogram would be much larger than the label maps."""
    shape = library.shape(target)
    return elements(_counts_shape(task, shape)) * (task.classes + 1) ** 2 > max(
        4 * elements(shape), 4096
    )


def _of_joint(task: Task, library: ArrayLibrary, joint: Array) -> Array:
    """Return the sums by row and limb from the joint counts of `pair_counts`."""
    xp, classes = library.xp, task.classes
    joint = joint if task.kind == "exact" else joint[None, ...]
    matrix = joint[..., :classes, :classes]
    # the diagonal of a flattened C × C matrix is every (C + 1)th entry
    both = xp.reshape(matrix, (*matrix.shape[:-2], classes * classes))[..., :: classes + 1]
    return _rows(task, library, both, xp.sum(joint, axis=-2), xp.sum(joint, axis=-1))


def _apart(task: Task, library: ArrayLibrary, labels: _Labels) -> Array:
    """Return the sums by row and limb from three histograms: of agreeing labels and of each map.

    These have 3·C bins; a joint histogram has C × C.
    """
    xp, none = library.xp, task.classes
    agreed = xp.where(
        labels.prediction == labels.target, labels.target, xp.full_like(labels.target, none)
    )
    maps = (agreed, none + 1), (labels.prediction, none + 1), (labels.target, none + 2)
    both, x, y = (_histogram(task, library, codes, bins, labels) for codes, bins in maps)
    return _rows(task, library, both[..., :none], x, y)


def _rows(task: Task, library: ArrayLibrary, both: Array, x: Array, y: Array) -> Array:
    """Arrange counts of shape (limb, *counts, label) in the layout of `Task`; the entries after
    the classes count invalid values.
    """
    classes, zero = task.classes, library.xp.zeros_like(both)
    rows = [
        both,
        x[..., :classes],
        y[..., :classes],
        zero + library.xp.sum(y, axis=-1, keepdims=True),
    ]
    rows += [zero + x[..., classes : classes + 1], zero + y[..., classes : classes + 1]]
    rows.append(zero + y[..., classes + 1 :] if y.shape[-1] > classes + 1 else zero)
    return library.stack(rows)


def block_pairs(
    task: Task, library: ArrayLibrary, prediction: Array, target: Array, weight: Array | None
) -> Array:
    """Return the joint counts of one block of two label maps, always with a row for invalid
    weights.
    """
    joint = pair_counts(task, library, prediction, target, weight)
    if joint.shape[-2] == task.classes + 2:
        return joint
    return library.xp.concat([joint, library.xp.zeros_like(joint[..., :1, :])], axis=-2)


def pair_counts(
    task: Task, library: ArrayLibrary, prediction: Array, target: Array, weight: Array | None
) -> Array:
    """Count pairs of labels, rows = target.

    The shape is (*counts, C + 1 or C + 2, C + 1), or (3, *counts, C + 2, C + 1) for exact limbs.
    The last column and row C count labels out of range; row C + 1 counts invalid weights.
    """
    counted, side = counted_mask(task, library, target, weight), task.classes + 1
    codes = (
        library.pair_codes(prediction, target, side) if counted is None and weight is None else None
    )
    if codes is not None:
        labels, rows = _Labels(codes, codes, None, [None]), side
    else:
        labels = _read(task, library, prediction, target, counted, weight)
        rows = side if labels.weights[0] is None else side + 1
        if (
            not _bins(task, library, weight)
            or (_bincount(library) is None)
            or (library.bincount is None and side**2 <= FEW_PAIRS)
        ):
            return _pair_by_pair(task, library, labels, rows, weight)
        codes = labels.target * side + labels.prediction
    counts = _histogram(task, library, codes, rows * side, labels)
    counts = library.xp.reshape(counts, (*counts.shape[:-1], rows, side))
    return counts if task.kind == "exact" else counts[0, ...]


def split_pairs(task: Task, library: ArrayLibrary, joint: Array) -> tuple[Array, Array]:
    """Split joint counts of shape (limb, *counts, target, prediction) into those of the classes,
    and the numbers of invalid values of prediction, target and weight, (3, *counts).
    """
    xp, classes = library.xp, task.classes
    numbers = xp.astype(joint[0, ...], xp.int64, copy=False)
    x, y = xp.sum(numbers, axis=-2), xp.sum(numbers, axis=-1)
    bad_weight = (
        y[..., classes + 1] if y.shape[-1] > classes + 1 else xp.zeros_like(y[..., classes])
    )
    return joint[..., :classes, :classes], library.stack(
        [x[..., classes], y[..., classes], bad_weight]
    )


def sums_of_regions(task: Task, library: ArrayLibrary, matrix: Array, invalid: Array) -> Array:
    """Return the sums of regions, laid out as those of classes, from what `confusion_matrix`
    returns.
    """
    xp, exact = library.xp, task.kind == "exact"
    labels, groups = range(task.classes), task.regions or ()
    member = library.constant(
        [[int(label in group) for label in labels] for group in groups], matrix.dtype, matrix
    )
    cells = matrix[..., None, :, :]
    # rows are labels of the target, columns of the prediction
    of_prediction, of_target = cells * member[:, None, :], cells * member[:, :, None]
    both = of_prediction * member[:, :, None]
    parts = [both, of_prediction, of_target, cells * xp.ones_like(both)]
    four = [xp.sum(part, axis=(-2, -1), dtype=matrix.dtype) for part in parts]
    zero = xp.zeros_like(four[0])
    wrong = [xp.astype(part, matrix.dtype)[..., None] for part in library.unstack(invalid)]
    if exact:  # numbers of elements belong in the first limb
        wrong = [library.stack([part, part * 0, part * 0]) for part in wrong]
    return library.stack([*four, *(zero + part for part in wrong)])


def _read(
    task: Task,
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    counted: Array | None,
    weight: Array | None,
) -> _Labels:
    xp, none = library.xp, task.classes
    x, y = (_in_range(task, library, labels) for labels in (prediction, target))
    if (
        weight is None or library.kind(weight.dtype) == "bool"
    ):  # a mask as weight is contained in `counted`
        return _Labels(x, y, counted, [None])
    shape = library.shape(target)
    if task.kind == "hard":
        numbers, bad = integer_weights(library, weight, shape)
        weights = [numbers]
    else:
        floats, bad = valid_weight(task, library, weight)
        floats, bad = xp.broadcast_to(floats, shape), xp.broadcast_to(bad, shape)
        weights = split(library, floats, weighted=True) if task.kind == "exact" else [floats]
    y = xp.where(bad, xp.full_like(y, none + 1), y)
    invalid = (x == none) | (y >= none)
    one, *fractions = weights
    weights = [xp.where(invalid, xp.ones_like(one), one)]
    weights += [xp.where(invalid, xp.zeros_like(part), part) for part in fractions]
    return _Labels(x, y, counted, weights)


def _in_range(task: Task, library: ArrayLibrary, labels: Array) -> Array:
    """Return labels as int64, with C for labels out of range."""
    xp = library.xp
    numbers = xp.astype(labels, xp.int64, copy=False)
    return xp.where(outside(task, library, labels), xp.full_like(numbers, task.classes), numbers)


def _histogram(
    task: Task, library: ArrayLibrary, codes: Array, bins: int, labels: _Labels
) -> Array:
    """Count codes from 0 to `bins` − 1 of the counted elements: (limb, *counts, bins)."""
    xp, shape, counted = library.xp, library.shape(codes), labels.counted
    lengths = tuple(1 if a in task.element_axis else n for a, n in enumerate(shape))
    cells, length = elements(lengths), bins
    if counted is not None:  # ignored elements go to one more bin, which is dropped
        codes = xp.where(counted, codes, xp.full_like(codes, bins))
        length += 1
    if cells > 1:
        codes = xp.astype(codes, xp.int64, copy=False)
        codes = codes + xp.reshape(library.arange(cells, codes), lengths) * length
    codes = xp.reshape(codes, (-1,))
    flat = [None if weights is None else xp.reshape(weights, (-1,)) for weights in labels.weights]
    bincount: Any = _bincount(library)
    counts = [
        xp.reshape(bincount(codes, cells * length, weights), (cells, length)) for weights in flat
    ]
    return library.stack(
        [xp.reshape(part[:, :bins], (*_counts_shape(task, shape), bins)) for part in counts]
    )


def _bincount(library: ArrayLibrary) -> Bincount | None:
    """Return the library's `bincount`, or one that sorts; None if it cannot sort either."""
    if library.bincount is not None:
        return library.bincount
    return partial(_sorted_bincount, library) if hasattr(library.xp, "searchsorted") else None


def _sorted_bincount(
    library: ArrayLibrary, codes: Array, length: int, weights: Array | None
) -> Array:
    """Count codes from the positions where each begins and ends in sorted order."""
    xp = library.xp
    codes = xp.astype(codes, xp.int64)
    order = xp.argsort(codes)
    edges = xp.astype(
        xp.searchsorted(xp.take(codes, order), library.arange(length + 1, codes)), xp.int64
    )
    if weights is None:
        return edges[1:] - edges[:-1]
    weights = xp.take(weights, order)
    added = xp.concat([xp.zeros_like(weights[:1]), xp.cumulative_sum(weights)])
    return xp.take(added, edges[1:]) - xp.take(added, edges[:-1])


def _pair_by_pair(
    task: Task, library: ArrayLibrary, labels: _Labels, rows: int, weight: Array | None
) -> Array:
    """Return the same as `pair_counts`, computed from one mask per pair of labels."""
    xp, axis = library.xp, task.element_axis

    def add(mask: Array) -> Array:
        parts = []
        for weights in labels.weights:
            if weights is None:
                parts.append(library.count(mask, axis))
                continue
            values = xp.where(mask, weights, xp.zeros_like(weights))
            integers = library.kind(values.dtype) == "integer"
            parts.append(
                xp.sum(values, axis=axis, dtype=xp.int64)
                if integers
                else sum_plainly(library, values, axis)
            )
        return library.stack(parts) if task.kind == "exact" else parts[0]

    found = []
    for target in range(rows):
        row = labels.target == target
        row = row if labels.counted is None else row & labels.counted
        cells = [add(row & (labels.prediction == label)) for label in range(task.classes + 1)]
        found.append(library.stack(cells, axis=-1))
    return library.stack(found, axis=-2)


def _counts_shape(task: Task, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the lengths of the axes that are not summed, without the class axis."""
    return tuple(n for a, n in enumerate(shape) if a not in task.element_axis)


def _class_by_class(
    task: Task,
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    counted: Array | None,
    weight: Array | None,
) -> Array:
    """Sum each class as a pair of masks."""
    xp = library.xp
    masks = replace(task, axis=task.element_axis, class_axis=None, num_classes=None)
    invalid = Invalid(outside(task, library, prediction), outside(task, library, target))
    prediction, target = (
        xp.astype(labels, xp.int64, copy=False) for labels in (prediction, target)
    )
    add = mask_sums if task.kind == "hard" else membership_sums
    sums = []
    for label in range(task.classes):
        x, y = prediction == label, target == label
        if counted is not None:
            x, y = x & counted, y & counted
        sums.append(add(masks, library, x, y, counted, weight, invalid))
    return library.stack(sums, axis=-1)
