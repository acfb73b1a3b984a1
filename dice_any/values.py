"""Check values, where Python may look: what is invalid, and the message that says so. Metadata is checked by `reading`."""

from __future__ import annotations

from .arrays import library_of
from .arrays.library import Array, ArrayLibrary
from .kernels import Task
from .reading import LIMIT

TOO_MUCH_WEIGHT = "`weight` must add up to less than 2**32 for each count; got more. Scale it, or add the overlaps of parts."


def raise_invalid(
    answer: ArrayLibrary, invalid: Array, task: Task, prediction: Array, target: Array, *, by_class: bool | None = None
) -> None:
    """Raise an error about invalid values where Python may look at how many there were.

    `invalid` holds the numbers of those in prediction, target and weight, (3, *counts), by `answer`; its last axis is
    classes if `by_class`, which the task tells by default.
    """
    if not answer.at_hand(invalid) or not answer.xp.any(invalid > 0):
        return
    by_class = task.by_class if by_class is None else by_class
    each_class = task.activation != "softmax" and not task.labels[0], not task.labels[1], task.weighs_classes_apart
    of_prediction, of_target, of_weight = (
        _number(answer, invalid[i, ...], by_class and not each) for i, each in enumerate(each_class)
    )
    if of_weight:
        raise ValueError(
            f"`weight` must be non-negative and below 2**31; got other values at {of_weight} elements. Clip or scale it."
        )
    for name, values, number, labels in (
        ("target", target, of_target, task.labels[1]),
        ("prediction", prediction, of_prediction, task.labels[0]),
    ):
        if number and name == "prediction" and task.activation:
            raise ValueError(_bad_logits(task.activation, f"got {number} elements with others"))
        if number and labels:
            raise ValueError(_bad_labels(task, name, number))
        if number:
            raise ValueError(_bad_memberships(library_of(values), name, values, number))


def raise_not_a_number(answer: ArrayLibrary, sums: Array, task: Task) -> None:
    """Raise an error where Python may see that plain sums of activated values are NaN."""
    if task.activation and answer.at_hand(sums) and answer.xp.any(answer.xp.isnan(sums)):
        raise ValueError(_bad_logits(task.activation, "got others"))


def raise_heavy(answer: ArrayLibrary, total: Array) -> None:
    """Raise an error where Python may see that a count weighs too much."""
    if answer.at_hand(total) and answer.xp.any(too_heavy(total)):
        raise ValueError(TOO_MUCH_WEIGHT)


def too_heavy(total: Array) -> Array:
    """Return which whole totals are beyond the limit, where integer sums could have wrapped."""
    return (total >= LIMIT) | (total < 0)


def _number(answer: ArrayLibrary, counts: Array, shared: bool) -> int:
    """Return how many values were invalid; those that the classes share are counted for each of them."""
    xp = answer.xp
    counts = xp.max(counts, axis=-1) if shared else counts
    return int(xp.sum(xp.astype(counts, xp.int64)))


def _bad_logits(activation: str, fact: str) -> str:
    if activation == "argmax":
        return f"`prediction` must hold scores that are numbers; {fact}, NaN. Find where the NaN comes from."
    everywhere = ", and above -inf in some class" if activation == "softmax" else ""
    return (
        f"`prediction` must hold logits that are numbers below +inf{everywhere}; {fact}. "
        "Find where the NaN or the infinity comes from."
    )


def _bad_labels(task: Task, name: str, number: int) -> str:
    ignore = ", pass `ignore_label=` for a label that means nothing" if name == "target" else ""
    return (
        f"`{name}` must hold labels from 0 to {task.classes - 1}; got {number} outside. "
        f"Raise `num_classes`{ignore}, or relabel."
    )


def _bad_memberships(library: ArrayLibrary, name: str, values: Array, number: int) -> str:
    return f"`{name}` must hold memberships in [0, 1]; got {number} values outside or NaN. {_cure(library, name, values)}."


def _cure(library: ArrayLibrary, name: str, values: Array) -> str:
    """Say what values that are no memberships look like, and what to do about that."""
    xp = library.xp
    values = xp.astype(library.detach(values), library.widest(values))
    if not xp.all(xp.isfinite(values)):
        return "Find where the NaN or the infinity comes from, or leave such elements out by `weight=mask`"
    top = xp.max(values)
    if xp.all(values == xp.floor(values)) and xp.min(values) >= 0:
        if xp.all((values == 0) | (values == top)):
            return f"It looks like a mask of 0 and one other number: compare, `{name} > 0`"
        return (
            "It looks like a label map stored as floating numbers: convert it to integers, and pass `num_classes=` with two "
            "label maps or `class_axis=` beside memberships"
        )
    if name == "prediction":
        return "For logits pass `activation='sigmoid'` or `'softmax'`; scale other values first"
    return "Scale its values to how much each element belongs to the set"
