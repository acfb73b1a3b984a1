"""From logits to memberships, and to the logarithms that entropies are made of."""

from __future__ import annotations

from typing import NamedTuple

from ..arrays.library import Array, ArrayLibrary
from .blocks import read_block
from .masks import keep
from .memberships import widen
from .task import Task


class Activated(NamedTuple):
    """Memberships, in float64 where the sums are exact and at least float32 elsewhere; logarithms where one is wanted.

    What is not counted has membership 0.
    """

    membership: Array
    log: Array | None = None
    #: of 1 − membership; by sigmoid only, as softmax has no set and complement
    log_complement: Array | None = None


def activate(task: Task, library: ArrayLibrary, logits: Array, counted: Array | None, *, kept: bool = False) -> Activated:
    """Turn logits, or what `keepable` made of them, into memberships; without an activation they are that already."""
    if task.activation is None or (kept and task.entropy is None):
        return Activated(widen(task, library, logits))
    if kept:
        membership, *logs = Activated(library.xp.exp(logits), logits)
    else:
        function = _sigmoid if task.activation == "sigmoid" else _softmax
        membership, *logs = function(task, library, widen(task, library, logits))
    return Activated(membership if counted is None else keep(library, counted, membership), *logs)


def keepable(task: Task, library: ArrayLibrary, logits: Array) -> Array | None:
    """Return what saves the way back the work of the activation: memberships, or their logarithms beside an entropy.

    None where it would take more memory than the gradient, whose place it can have, or more time than it saves.
    """
    narrow = logits.dtype not in (library.xp.float32, library.xp.float64)  # memberships would be wider than the gradient
    if task.kind != "plain" or narrow or not library.can_keep(logits):
        return None
    if task.activation == "sigmoid" and task.entropy is None and library.sigmoid is not None:
        return library.sigmoid(logits)
    if task.activation != "softmax" or task.weighs_classes_apart:  # what is not counted changes the other classes' share
        return None
    function = library.softmax if task.entropy is None else library.log_softmax
    return None if function is None else function(logits, task.class_axis)


def _sigmoid(task: Task, library: ArrayLibrary, z: Array) -> Activated:
    xp = library.xp
    if task.kind == "plain" and task.entropy is None and library.sigmoid is not None:
        return Activated(library.sigmoid(z))
    positive, zero = z >= 0, xp.zeros_like(z)
    # exp of a non-positive number only, so that nothing overflows; not by abs, whose slope at 0 would be taken for 0
    shrunk = xp.exp(xp.where(positive, -z, z))
    membership = xp.where(positive, xp.ones_like(shrunk), shrunk) / (1.0 + shrunk)
    if task.entropy is None:
        return Activated(membership)
    rest = xp.log1p(shrunk)
    return Activated(membership, xp.where(positive, zero, z) - rest, xp.where(positive, -z, zero) - rest)


def _softmax(task: Task, library: ArrayLibrary, z: Array) -> Activated:
    xp = library.xp
    if task.entropy is None and library.softmax is not None:
        return Activated(library.softmax(z, task.class_axis))
    if task.entropy is not None and library.log_softmax is not None:
        log = library.log_softmax(z, task.class_axis)
        return Activated(xp.exp(log), log)
    shifted = z - xp.max(z, axis=task.class_axis, keepdims=True)
    shrunk = xp.exp(shifted)
    total = xp.sum(shrunk, axis=task.class_axis, keepdims=True)
    return Activated(shrunk / total, None if task.entropy is None else shifted - xp.log(total))


def through_activation(task: Task, library: ArrayLibrary, membership: Array, gradient: Array) -> Array:
    """Take a gradient in the memberships back to the logits."""
    # in place, where arrays can be written: each temporary less is one tile less
    if task.activation == "sigmoid":
        gradient *= membership
        gradient *= 1.0 - membership
    if task.activation == "softmax":
        gradient -= library.xp.sum(gradient * membership, axis=task.class_axis, keepdims=True)
        gradient *= membership
    return gradient


def memberships(task: Task, library: ArrayLibrary, prediction: Array, target: Array, weight: Array | None) -> Array:
    """Return the memberships of one block, in the prediction's dtype."""
    block = read_block(task, library, prediction, target, weight)
    activated = activate(task, library, block.prediction, block.counted)
    return library.xp.astype(activated.membership, prediction.dtype, copy=False)


def memberships_gradient(
    task: Task, library: ArrayLibrary, prediction: Array, target: Array, weight: Array | None, cotangent: Array
) -> Array:
    """Return the gradient of one block in the prediction, in its dtype."""
    block = read_block(task, library, prediction, target, weight)
    membership = activate(task, library, block.prediction, block.counted).membership
    cotangent = library.xp.astype(cotangent, membership.dtype)  # a copy: it is the caller's, and written over
    gradient = through_activation(task, library, membership, cotangent)
    if block.counted is not None:
        gradient = keep(library, block.counted, gradient)
    return library.xp.astype(gradient, prediction.dtype, copy=False)
