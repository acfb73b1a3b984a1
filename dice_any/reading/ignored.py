"""Several labels to ignore: they become a mask, so that kernels need not know them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import and_
from typing import Any

from ..arrays.library import Array, ArrayLibrary
from ..kernels.masks import counted_only
from ..kernels.task import Task
from .arguments import class_name, cure_for_no_value, read_label
from .plans import call_key, keep, recall
from .tasks import read

#: What was read: the library, the task, and the prediction, target and weight to compute it with.
Work = tuple[ArrayLibrary, Task, Array, Array, Array | None]


def read_ignoring(
    prediction: Array,
    target: Array,
    *,
    ignore_label: int | Sequence[int] | None = None,
    weight: Array | None = None,
    **arguments: Any,
) -> Work:
    """Read two arrays as `read` does; also return the arrays that belong to the task.

    A task holds one label to ignore. With several labels, their elements get weight 0, so that
    every kernel is right, including those of plugins.
    """
    key = call_key((prediction, target, weight), {"ignore_label": ignore_label, **arguments})
    known = recall(key)
    if known is not None:
        return (*known, prediction, target, weight)
    labels = read_labels("ignore_label", ignore_label)
    first = labels[0] if labels else None
    library, task = read(prediction, target, ignore_label=first, weight=weight, **arguments)
    prediction, target = library.vetted(prediction), library.vetted(target)
    weight = None if weight is None else library.vetted(weight)
    if len(labels) < 2:
        keep(key, (library, task))
        return library, task, prediction, target, weight
    with library.precision():
        weight = weight_without(library, target, labels, weight)
    task = replace(task, ignore_label=None)
    if weight is not None:
        shape, dtype = library.shape(weight), library.dtype_name(weight.dtype)
        shapes, dtypes = (*task.shapes[:2], shape), (*task.dtypes[:2], dtype)
        task = replace(task, shapes=shapes, dtypes=dtypes)
    return library, task, prediction, target, weight


def read_labels(name: str, labels: Any) -> tuple[int, ...]:
    """Return the labels in one integer or in a sequence of integers, each once."""
    if labels is None:
        return ()
    if isinstance(labels, (str, bytes, bytearray, memoryview)):
        raise TypeError(
            f"`{name}` must be an integer or a sequence of integers; got {class_name(labels)}. "
            "Pass the numbers of the labels."
        )
    if isinstance(labels, Sequence):
        return tuple(dict.fromkeys(read_label(name, label) for label in labels))
    try:
        return (read_label(name, labels),)
    except TypeError:
        cure = cure_for_no_value(labels) or " Pass a list or a tuple of labels."
        raise TypeError(
            f"`{name}` must be an integer or a sequence of integers; got {class_name(labels)}."
            f"{cure}"
        ) from None


def weight_without(
    library: ArrayLibrary, target: Array, labels: Sequence[int], weight: Array | None
) -> Array | None:
    """Return the weight, 0 where the target has one of the labels; a mask if there was none."""
    limits = library.xp.iinfo(target.dtype)
    # no element can have a label that its type cannot hold
    masks = [target != label for label in labels if limits.min <= label <= limits.max]
    if not masks:
        return weight
    counted = reduce(and_, masks)
    kept = counted if weight is None else counted_only(library, counted, weight)
    return kept[...]  # of arrays without axes NumPy makes scalars, which are no arrays
