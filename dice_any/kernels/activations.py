"""Activations: from logits to memberships, and to the logarithms that entropies need."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ..arrays.halving import halving_sum_along
from ..arrays.library import Array, ArrayLibrary
from .blocks import read_block
from .exponentials import exact_sigmoid, exact_softmax
from .masks import counted_only
from .memberships import widen
from .regions import by_region, drawn_to_1
from .task import WIDE, Task


class Activated(NamedTuple):
    """Memberships, in float64 for exact sums and at least float32 otherwise; logarithms if an
    entropy is wanted.

    Elements that are not counted have membership 0.
    """

    membership: Array
    log: Array | None = None
    #: ln(1 − membership); with sigmoid only, because softmax has no set and complement
    log_complement: Array | None = None
    #: True if all logarithms are known to be finite
    finite: bool | None = None
    #: memberships of regions, where classes are added up to such
    regions: Array | None = None
    #: (1 − membership)^γ, and with sigmoid membership^γ; of exact sums with γ > 0 only
    focus: Array | None = None
    focus_complement: Array | None = None


def activate(
    task: Task,
    library: ArrayLibrary,
    logits: Array,
    counted: Array | None = None,
    *,
    kept: bool = False,
    room: Array | None = None,
) -> Activated:
    """Turn logits, or what was kept, into memberships, and write these to the `room` for them;
    without an activation they are memberships already.

    Memberships that are not `counted` become 0 in the sums. The gradient uses the memberships
    before that: a class that is left out still has its share of the softmax.
    """
    if task.activation is None:
        return Activated(widen(task, library, logits))
    if not kept:
        function = _sigmoid if task.activation == "sigmoid" else _softmax
        activated = function(task, library, widen(task, library, logits))
        if room is not None:
            room[...] = activated.membership
    elif task.entropy is None:
        activated = Activated(widen(task, library, logits))
    else:
        activated = Activated(library.xp.exp(logits), logits)
    membership, regions = activated.membership, activated.regions
    read_as_0 = kept and task.entropy is None and not task.weighs_classes_apart
    if counted is not None and not read_as_0:
        membership = counted_only(library, counted, membership)
        regions = None if regions is None else counted_only(library, counted, regions)
    if task.regions is not None and regions is None:
        regions = drawn_to_1(library, by_region(task, library, membership))
    return activated._replace(membership=membership, regions=regions)


def keeps_while_summing(task: Task) -> bool:
    """Tell whether the gradient reads the memberships that the exact sums kept for it: those of a
    softmax. A sigmoid's are not kept, as 1 − p would lose digits, nor are those of a focal loss,
    which needs their logarithms too.
    """
    return task.kind == "exact" and task.activation == "softmax" and not task.entropy


def as_kept(task: Task, library: ArrayLibrary, activated: Activated) -> Activated:
    """Return what is read back if the memberships are kept."""
    dtype = library.xp.float64 if task.dtypes[0] in WIDE else library.xp.float32
    rounded = library.xp.astype(activated.membership, dtype, copy=False)
    return activate(replace(task, entropy=None), library, rounded, kept=True)


def keepable(task: Task, library: ArrayLibrary, logits: Array) -> Array | None:
    """Return what the backward pass can use instead of activating again: memberships, or their
    logarithms if there is an entropy.

    The gradient can overwrite it. None if it would take more memory than the gradient, or more
    time than it saves.
    """
    narrow = logits.dtype not in (
        library.xp.float32,
        library.xp.float64,
    )  # memberships would be wider than the gradient
    if task.kind != "plain" or narrow or not library.can_keep(logits):
        return None
    if task.activation == "sigmoid" and task.entropy is None and library.sigmoid is not None:
        return library.sigmoid(logits)
    if task.activation != "softmax":
        return None
    function = library.softmax if task.entropy is None else library.log_softmax
    return None if function is None else function(logits, task.class_axis)


def _sigmoid(task: Task, library: ArrayLibrary, z: Array) -> Activated:
    xp = library.xp
    if task.kind == "exact":
        return Activated(**exact_sigmoid(task, library, z)._asdict(), finite=True)
    if task.kind == "plain" and task.entropy is None and library.sigmoid is not None:
        return Activated(library.sigmoid(z))
    positive = z >= 0
    # exp of non-positive numbers only, so that nothing overflows; not by `abs`, whose derivative at
    # 0 would be taken as 0
    shrunk = xp.exp(xp.where(positive, -z, z))
    numerator = xp.where(positive, library.constant(1.0, z.dtype, z), shrunk)
    finite = library.are_finite(z)
    if not finite:  # +∞ is an invalid logit
        invalid = library.constant(float("nan"), z.dtype, z)
        numerator = xp.where(z == float("inf"), invalid, numerator)
    membership = numerator / (1.0 + shrunk)
    if task.entropy is None:
        return Activated(membership)
    rest, zero = xp.log1p(shrunk), xp.zeros_like(z)
    logs = xp.where(positive, zero, z) - rest, xp.where(positive, -z, zero) - rest
    return Activated(membership, *logs, finite)


def _softmax(task: Task, library: ArrayLibrary, z: Array) -> Activated:
    xp = library.xp
    if task.kind == "exact":
        return Activated(**exact_softmax(task, library, z)._asdict(), finite=True)
    if task.entropy is None and library.softmax is not None:
        return Activated(library.softmax(z, task.class_axis))
    if task.entropy is not None and library.log_softmax is not None:
        log = library.log_softmax(z, task.class_axis)
        return Activated(xp.exp(log), log)
    top = xp.max(z, axis=task.class_axis, keepdims=True)
    # softmax is undefined where all logits are −∞ or one is +∞
    top = xp.where(xp.isfinite(top), top, xp.full_like(top, float("nan")))
    shifted = z - top
    shrunk = xp.exp(shifted)
    total = xp.sum(shrunk, axis=task.class_axis, keepdims=True)
    return Activated(shrunk / total, None if task.entropy is None else shifted - xp.log(total))


def through_activation(
    task: Task, library: ArrayLibrary, membership: Array, gradient: Array
) -> Array:
    """Take a gradient with respect to memberships back to the logits."""
    xp = library.xp
    # in place if arrays are writable: every temporary saved is one tile less
    if task.activation == "sigmoid":
        gradient *= membership
        gradient *= 1.0 - membership
    if task.activation == "softmax":
        pull = gradient * membership
        if task.kind == "exact":
            gradient *= whole(task, library, membership)
            gradient -= halving_sum_along(library, pull, task.class_axis or 0)
        else:
            gradient -= xp.sum(pull, axis=task.class_axis, keepdims=True)
        gradient *= membership
    return gradient


def whole(task: Task, library: ArrayLibrary, membership: Array) -> Array:
    """Return the sum of an element's memberships, which is not quite 1 where they were rounded.

    A difference from it is as accurate as the small memberships, while 1 − p is not.
    """
    return halving_sum_along(library, membership, task.class_axis or 0)


def memberships(
    task: Task, library: ArrayLibrary, prediction: Array, target: Array, weight: Array | None
) -> Array:
    """Return the memberships of one block, in the prediction's dtype."""
    block = read_block(task, library, prediction, target, weight)
    activated = activate(task, library, block.prediction, block.counted)
    return library.xp.astype(activated.membership, prediction.dtype, copy=False)


def memberships_gradient(
    task: Task,
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    weight: Array | None,
    cotangent: Array,
) -> Array:
    """Return the gradient of one block with respect to the prediction, in its dtype."""
    block = read_block(task, library, prediction, target, weight)
    membership = activate(task, library, block.prediction).membership
    # always a copy: the code below must not overwrite the caller's array
    cotangent = library.xp.astype(cotangent, membership.dtype, copy=block.counted is None)
    if block.counted is not None:
        cotangent = counted_only(library, block.counted, cotangent)
    gradient = through_activation(task, library, membership, cotangent)
    return library.xp.astype(gradient, prediction.dtype, copy=False)
