"""Check values, where Python may look: what is invalid, and the message that says so. Metadata is checked by `reading`."""

from __future__ import annotations

from .arrays import library_of
from .arrays.library import Array, ArrayLibrary
from .kernels import Task
from .kernels.limbs import UNIT
from .kernels.task import INVALID, TOTAL
from .reading import LIMIT, cure_for_labels, cure_for_memberships
from .sums import Overlap

TOO_MUCH_WEIGHT = "`weight` must add up to less than 2**32 for each count; got more. Scale it, or add the overlaps of parts."


def raise_invalid(
    answer: ArrayLibrary, invalid: Array, task: Task, prediction: Array, target: Array, weight: Array | None
) -> None:
    """Raise an error about invalid elements where Python may look at how many there were."""
    if answer.at_hand(invalid) and answer.xp.any(invalid > 0):
        library = library_of(prediction)
        raise ValueError(find_invalid(library, task, prediction, target, weight) or TOO_MUCH_WEIGHT)


def limit_weight(library: ArrayLibrary, result: Overlap) -> Overlap:
    """Make an overlap of too much weight invalid: integer sums beyond the limit could have wrapped."""
    if result.kind == "plain":
        return result
    xp = library.xp
    sums = result._sums
    whole = sums[:, 0, ...] if result.kind == "exact" else sums
    too_much = xp.astype((whole[TOTAL, ...] >= LIMIT) | (whole[TOTAL, ...] < 0), xp.int64)
    rows = [sums[row, ...] for row in range(INVALID)]
    invalid = whole[INVALID, ...] + too_much
    if result.kind == "exact":
        invalid = library.stack([invalid, xp.zeros_like(invalid), xp.zeros_like(invalid)])
    return result._with(library.stack([*rows, invalid]))


def find_invalid(library: ArrayLibrary, task: Task, prediction: Array, target: Array, weight: Array | None) -> str | None:
    """Say which argument holds invalid values, how many, and what to do; None if none does. Looks at everything again."""
    xp = library.xp

    def number(mask: Array) -> int:
        return int(xp.sum(xp.astype(mask, xp.int64), dtype=xp.int64))

    if weight is not None and library.kind(weight.dtype) != "bool":
        bad = number(~((weight >= 0) & (weight < UNIT)))
        if bad:
            return f"`weight` must be non-negative and below 2**31; got {bad} other values. Clip or scale it."
    counted = xp.ones_like(target, dtype=xp.bool)
    if weight is not None:
        counted = counted & (weight if library.kind(weight.dtype) == "bool" else weight != 0)
    if task.labels[1]:
        labels = xp.astype(target, xp.int64)
        if task.ignore_label is not None:
            counted = counted & (labels != task.ignore_label)
        bad = number(counted & ((labels < 0) | (labels >= task.num_classes)))
        if bad:
            return (
                f"`target` must hold labels from 0 to {task.classes - 1}; got {bad} outside. "
                f"{cure_for_labels('target', task)}."
            )
    aligned = xp.expand_dims(counted, axis=task.class_axis) if task.labels[1] and task.class_axis is not None else counted
    if library.kind(prediction.dtype) == "integer":
        labels = xp.astype(prediction, xp.int64)
        bad = number(counted & ((labels < 0) | (labels >= task.num_classes)))
        if bad:
            return (
                f"`prediction` must hold labels from 0 to {task.classes - 1}; got {bad} outside. "
                f"{cure_for_labels('prediction', task)}."
            )
    for name, values, activated in (("prediction", prediction, task.activation), ("target", target, None)):
        if library.kind(values.dtype) != "floating":
            continue
        if activated:
            bad = number(aligned & ~xp.isfinite(values))
            if bad:
                return (
                    f"`{name}` must hold finite logits or scores; got {bad} NaN or infinite. Find where the NaN comes from."
                )
            continue
        bad = number(aligned & ~((values >= 0) & (values <= 1)))
        if bad:
            return (
                f"`{name}` must hold memberships in [0, 1]; got {bad} values outside or NaN. "
                f"{cure_for_memberships(library, name, values, task, aligned)}."
            )
    return None
