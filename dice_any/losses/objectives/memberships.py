"""Memberships stored for every class of every element, for losses that depend on the positions or
the ranks of elements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from ...arrays.library import Array, ArrayLibrary
from ...kernels import Task
from ...kernels.activations import memberships, memberships_gradient
from ...kernels.blocks import Block, invalid_labels, read_block
from ...kernels.masks import by_argument, class_last, counted_invalid
from ...kernels.memberships import either, valid_in_regions, valid_memberships, widened
from ...kernels.regions import to_classes
from ...reading import raise_invalid
from ...sums import Overlap
from .objective import LossCall


class WrittenSets(NamedTuple):
    """Two sets of one shape, and the arrays from which they were made."""

    library: ArrayLibrary
    task: Task
    logits: Array  # the prediction as it was given, at least float32
    given: tuple[Array, Array | None]  # target and weight
    prediction: Array  # memberships
    target: Array  # masks or memberships
    weight: Array | None  # of an element, 0 where it is ignored

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of `overlap` for the two sets."""
        return {"class_axis": self.task.class_axis, "axis": self.task.axis, "weight": self.weight}

    def gradient(self, cotangent: Array) -> Array:
        """Return the gradient in the logits from that in the memberships."""
        if self.task.regions is not None:
            cotangent = to_classes(self.task, self.library, cotangent)
        return self.library.map(
            memberships_gradient, self.task, self.logits, *self.given, cotangent
        )


def refuse_overlap(prediction: Any, why: str) -> None:
    """Refuse an overlap, because the loss needs more than sums."""
    if isinstance(prediction, Overlap):
        raise TypeError(
            f"`prediction` must be an array here, as {why}; got an Overlap. Pass the arrays."
        )


def plain_task(call: LossCall, why: str) -> Task:
    """Return the task of a loss of a floating prediction; `why` says why it needs more than sums.

    Skeletons and ranked errors are floating; only their sums may be exact.
    """
    if call.task is None:
        raise TypeError("a call of this loss has arrays")
    if call.library.kind(call.prediction.dtype) != "floating":
        raise TypeError(
            f"`prediction` must be floating in this loss, as {why}; got {call.task.dtypes[0]}. "
            "Pass probabilities or logits."
        )
    return replace(call.task, kind="plain")


def write_out(call: LossCall, task: Task, *, of_memberships: bool = True) -> WrittenSets:
    """Make both sets; to be called inside the library's precision context.

    `of_memberships` is False if the logits themselves are ranked.
    """
    library, target = call.library, call.target
    xp = library.xp
    logits, weight = widened(library, call.prediction), call.weight
    block = read_block(task, library, logits, target, weight)
    prediction = differentiable_map(
        library, task, memberships, memberships_gradient, logits, target, weight
    )
    prediction, members = valid_sets(
        call, task, block, prediction, target, of_memberships=of_memberships
    )
    weight = block.counted
    if block.weight is not None and library.kind(block.weight.dtype) != "bool":
        weight = xp.where(block.counted, block.weight, xp.zeros_like(block.weight))
    given = (target, call.weight)
    return WrittenSets(library, task, logits, given, prediction, members, weight)


def valid_sets(
    call: LossCall,
    task: Task,
    block: Block,
    prediction: Array,
    target: Array,
    *,
    of_memberships: bool = True,
) -> tuple[Array, Array]:
    """Return the memberships of a prediction and of the block's target, clipped to [0, 1].

    Invalid ones are an error, or NaN in the prediction where Python may not read values.
    """
    library = call.library
    xp = library.xp
    invalid, members = invalid_labels(task, library, target, None), block.target
    if of_memberships:
        prediction, bad = _valid(task, library, prediction, activated=task.activation is not None)
        invalid = invalid._replace(prediction=bad)
    if not task.labels[1] or task.regions is not None:
        members, bad = _valid(task, library, members)
        invalid = invalid._replace(target=either(invalid.target, bad))
    masks = counted_invalid(library, library.shape(prediction), invalid, block.counted)
    if masks:
        found = {name: library.count(mask, task.axis) for name, mask in masks.items()}
        numbers = library.stack(by_argument(found, next(iter(found.values())) * 0))
        numbers = class_last(task, library, numbers, leading=1)
        raise_invalid(library, numbers, task, call.prediction, target, call.weight)
    for mask in masks.values():
        prediction = xp.where(mask, xp.full_like(prediction, float("nan")), prediction)
    return prediction, members


def _valid(
    task: Task, library: ArrayLibrary, values: Array, *, activated: bool = False
) -> tuple[Array, Array | None]:
    """Return memberships in [0, 1], of regions if there are some, and the mask of invalid ones."""
    bad = None
    if task.regions is not None:
        values, bad = valid_in_regions(task, library, values, activated=activated)
    values, outside = valid_memberships(task, library, values, activated=activated)
    return values, either(bad, outside)


def differentiable_map(
    library: ArrayLibrary,
    task: Task,
    forward: Callable[..., Array],
    backward: Callable[..., Array],
    *arrays: Array | None,
    whole: bool = False,
) -> Array:
    """Map a block function; its gradient in the first array is `backward`, which takes a cotangent
    after the arrays.

    A trace follows the operations of the block function itself.
    """
    run: Callable[..., Array] = library.map_whole if whole else library.map
    if library.traced(*arrays) or not library.differentiable(arrays[0]):
        return run(forward, task, *arrays)
    operations = partial(forward, task, library)
    both = partial(run, forward, task), partial(run, backward, task)
    return library.with_gradient(*both, operations)(*arrays)
