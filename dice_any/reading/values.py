"""Check values where Python may read them, and write the messages about invalid values. `reading`
checks metadata.
"""

from __future__ import annotations

from ..arrays import library_of
from ..arrays.library import Array, ArrayLibrary
from ..kernels import Task
from ..kernels.blocks import counted_mask
from .arrays import LIMIT
from .guesses import cure_for_labels, cure_for_memberships

TOO_MUCH_WEIGHT = (
    "`weight` must add up to less than 2**32 for each count; got more. Scale it, or add the "
    "overlaps of parts."
)


def raise_invalid(
    answer: ArrayLibrary,
    invalid: Array,
    task: Task,
    prediction: Array,
    target: Array,
    weight: Array | None,
    *,
    by_class: bool | None = None,
    pairs: bool = False,
) -> None:
    """Raise an error about invalid values where Python may read their number.

    `invalid`, an array of the library `answer`, has the shape (3, *counts): the numbers of invalid
    values in prediction, target and weight. Its last axis is classes if `by_class`; the task
    decides by default. With `pairs` there is a count for every row of X with every row of Y.
    """
    if not answer.at_hand(invalid) or not answer.xp.any(invalid > 0):
        return
    by_class = task.by_class if by_class is None else by_class
    each_class = (
        task.activation != "softmax" and not task.labels[0],
        not task.labels[1],
        task.weighs_classes_apart,
    )
    shared = [-1 if by_class and not each else None for each in each_class]
    names = ("prediction", "target")
    if pairs:
        shared, names = [-1, -2, None], ("X", "Y")
    of_prediction, of_target, of_weight = (
        _number(answer, invalid[i, ...], axis) for i, axis in enumerate(shared)
    )
    if of_weight:
        raise ValueError(
            f"`weight` must be non-negative and below 2**31; got other values at {of_weight} "
            "elements. Clip or scale it."
        )
    for name, values, number, labels in (
        (names[1], target, of_target, task.labels[1]),
        (names[0], prediction, of_prediction, task.labels[0]),
    ):
        if number and name == "prediction" and task.activation:
            raise ValueError(_bad_logits(task.activation, f"got {number} elements with others"))
        if number and labels:
            raise ValueError(_bad_labels(task, name, number))
        if number:
            counted = _counted(task, target, weight)
            raise ValueError(_bad_memberships(task, name, values, number, counted))


def raise_not_a_number(answer: ArrayLibrary, sums: Array, task: Task) -> None:
    """Raise an error if plain sums of activated values are NaN, where Python may read them."""
    if task.activation and answer.at_hand(sums) and answer.xp.any(answer.xp.isnan(sums)):
        raise ValueError(_bad_logits(task.activation, "got others"))


def raise_heavy(answer: ArrayLibrary, total: Array) -> None:
    """Raise an error if the weight of a count is too large, where Python may read it."""
    if answer.at_hand(total) and answer.xp.any(too_heavy(total)):
        raise ValueError(TOO_MUCH_WEIGHT)


def too_heavy(total: Array) -> Array:
    """Return which integer totals are beyond the limit, where sums could have overflowed."""
    return (total >= LIMIT) | (total < 0)


def _number(answer: ArrayLibrary, counts: Array, shared: int | None) -> int:
    """Return how many values were invalid; counts along the axis `shared` count the same values."""
    xp = answer.xp
    counts = counts if shared is None else xp.max(counts, axis=shared)
    return int(xp.sum(xp.astype(counts, xp.int64)))


def _bad_logits(activation: str, fact: str) -> str:
    if activation == "argmax":
        return (
            f"`prediction` must hold scores that are numbers; {fact}, NaN. Find where the NaN "
            "comes from."
        )
    everywhere = ", and above -inf in some class" if activation == "softmax" else ""
    return (
        f"`prediction` must hold logits that are numbers below +inf{everywhere}; {fact}. "
        "Find where the NaN or the infinity comes from."
    )


def _bad_labels(task: Task, name: str, number: int) -> str:
    return (
        f"`{name}` must hold labels from 0 to {task.classes - 1}; got {number} outside. "
        f"{cure_for_labels(name, task)}."
    )


def _bad_memberships(
    task: Task, name: str, values: Array, number: int, counted: Array | None
) -> str:
    library = library_of(values)
    if task.regions is not None and task.class_axis is not None:
        if not library.xp.all((values >= 0) & (values <= 1)):
            cure = cure_for_memberships(library, name, values, task, counted)
        elif name == "prediction":
            cure = (
                "Pass logits with `activation='softmax'`, or channels that are regions with "
                "`activation='sigmoid'`"
            )
        else:
            cure = "Divide them by their sum over the classes, or pass a label map"
        return (
            f"`{name}` must hold memberships in [0, 1] that add up to at most 1 in each region; "
            f"got {number} sums of others, or NaN. {cure}."
        )
    cure = cure_for_memberships(library, name, values, task, counted)
    return f"`{name}` must hold memberships in [0, 1]; got {number} values outside or NaN. {cure}."


def _counted(task: Task, target: Array, weight: Array | None) -> Array | None:
    """Return the mask of the elements that take part, in the axes of the prediction."""
    library = library_of(target)
    counted = counted_mask(task, library, target, weight)
    if counted is None or not task.labels[1] or task.class_axis is None:
        return counted
    return library.xp.expand_dims(counted, axis=task.class_axis)
