"""Memberships written out: every class of every element, for losses that look at where elements are or how they rank."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from .arrays.library import Array, ArrayLibrary
from .kernels import Task
from .kernels.activations import memberships, memberships_gradient
from .kernels.blocks import invalid_labels, read_block
from .kernels.memberships import is_wide
from .loss_arguments import LossCall, refuse_overlap
from .reading import read
from .values import raise_invalid


class Fields(NamedTuple):
    """Two sets of one shape, and the arrays that they were read from."""

    library: ArrayLibrary
    task: Task
    logits: Array  # the prediction as it was given, at least float32
    given: tuple[Array, Array | None]  # target and weight
    prediction: Array  # memberships
    target: Array  # masks or memberships
    weight: Array | None  # of an element, 0 where it is ignored

    @property
    def arguments(self) -> dict[str, Any]:
        """Those of `overlap` that fit the two sets."""
        return {"class_axis": self.task.class_axis, "axis": self.task.axis, "weight": self.weight}

    def gradient(self, cotangent: Array) -> Array:
        """Take a gradient in the memberships back to the logits."""
        return self.library.map(memberships_gradient, self.task, self.logits, *self.given, cotangent)


def read_task(call: LossCall, why: str) -> tuple[ArrayLibrary, Task]:
    """Read the arguments of a loss of a floating prediction; `why` says what it needs more than sums for."""
    refuse_overlap(call.prediction, why)
    arguments = {name: value for name, value in call.arguments.items() if name != "backend"}
    library, task = read(call.prediction, call.target, **{**arguments, "exact": call.exact})
    if library.kind(call.prediction.dtype) != "floating":
        raise TypeError(
            f"`prediction` must be floating in this loss, as {why}; got {task.dtypes[0]}. Pass probabilities or logits."
        )
    # what is drawn or ranked is floating; only the sums of it may be exact
    return library, replace(task, kind="plain")


def write_out(call: LossCall, library: ArrayLibrary, task: Task) -> Fields:
    """Write both sets out; to be called inside the library's precision context."""
    xp, target = library.xp, call.target
    logits, weight = widened(library, call.prediction), call.arguments.get("weight")
    block = read_block(task, library, logits, target, weight)
    invalid = xp.zeros_like(block.target, dtype=xp.bool)
    masks = invalid_labels(task, library, logits, target, None)
    for mask in masks:
        invalid = invalid | (mask if block.counted is None else mask & block.counted)
    raise_invalid(library, xp.astype(invalid, xp.int64), task, call.prediction, target, weight)
    prediction = differentiable_map(library, task, memberships, memberships_gradient, logits, target, weight)
    if masks:  # where Python may not look
        prediction = xp.where(invalid, xp.full_like(prediction, float("nan")), prediction)
    weight = block.counted
    if block.weight is not None and library.kind(block.weight.dtype) != "bool":
        weight = xp.where(block.counted, block.weight, xp.zeros_like(block.weight))
    given = (target, call.arguments.get("weight"))
    return Fields(library, task, logits, given, prediction, block.target, weight)


def widened(library: ArrayLibrary, values: Array) -> Array:
    """Return floating values in at least float32."""
    xp = library.xp
    if values.dtype in (xp.float32, xp.float64):
        return values
    return xp.astype(values, xp.float64 if is_wide(values.dtype) else xp.float32)


def differentiable_map(
    library: ArrayLibrary,
    task: Task,
    forward: Callable[..., Array],
    backward: Callable[..., Array],
    *arrays: Array | None,
    whole: bool = False,
) -> Array:
    """Map a block function; its gradient in the first array is `backward`, which takes a cotangent behind the arrays.

    A trace sees through the block function itself.
    """
    run: Callable[..., Array] = library.map_whole if whole else library.map
    if library.traced(*arrays) or not library.differentiable(*arrays):
        return run(forward, task, *arrays)
    operations = partial(forward, task, library)
    both = partial(run, forward, task), partial(run, backward, task)
    return library.with_gradient(*both, operations)(*arrays)
