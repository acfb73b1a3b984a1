"""Cures for invalid values: what numbers that are no memberships, or no labels, seem to be."""

from __future__ import annotations

from typing import NamedTuple

from ..arrays.library import Array, ArrayLibrary
from ..kernels.task import Task
from .cures import NAMES, labels_code

#: Numbers of a file that are off a whole number by less than this are whole.
ROUNDING = 0.01
#: The sigmoid of larger numbers is 1 in float32, so they are seldom logits; and smaller ones are
#: seldom percentages or bytes.
LARGE = 20
#: what memberships are often scaled to
SCALES = ((100, "percentages"), (255, "bytes"), (65535, "numbers of 16 bits"))
SCALE = "scale it to [0, 1]"


class Seen(NamedTuple):
    """What is seen of finite numbers."""

    low: float
    high: float
    whole: bool
    #: whether there are at most two: 0 and the largest, or the largest with both signs
    two: bool
    #: whether some are above 0 only by a rounding error
    off: bool


def cure_for_memberships(
    library: ArrayLibrary, name: str, values: Array, task: Task, counted: Array | None = None
) -> str:
    """Return what to do about floating numbers that are no memberships; reads their values.

    `counted` is the mask of those that take part.
    """
    seen = _look(library, values, counted)
    if seen is None:
        return "Find where the NaN or infinity comes from"
    ways = _ways(library, name, task, seen)
    cure = "; ".join(ways)
    return cure[0].upper() + cure[1:]


def _look(library: ArrayLibrary, values: Array, counted: Array | None) -> Seen | None:
    xp = library.xp
    values = xp.astype(values, library.widest(values))
    if counted is not None:
        values = xp.where(counted, values, xp.zeros_like(values))
    if not xp.all(xp.isfinite(values)):
        return None
    high = float(xp.max(values))
    if counted is not None:  # so that 0 is no further value
        values = xp.where(counted, values, xp.full_like(values, high))
    low = float(xp.min(values))
    rounded = xp.round(values)
    whole = low > -0.5 and bool(xp.all(xp.abs(values - rounded) <= ROUNDING))
    known = rounded if whole else values
    other = 0.0 if low >= 0 or whole else -high
    two = bool(xp.all((known == xp.max(known)) | (known == other))) and (whole or low < high)
    return Seen(low, high, whole, two and high > 0, bool(xp.any((values > 0) & (values < 0.5))))


def _ways(library: ArrayLibrary, name: str, task: Task, seen: Seen) -> list[str]:
    """Return what may be meant, the likeliest first, with what to do."""
    if seen.two:
        number = library.round_code(name) if seen.whole and seen.off else name
        mask = f"for a mask compare: `{number} > 0`"
        others = _label_maps(library, name, task) if seen.whole else [_logits(name, task)]
        return [mask, *others]
    scaled = _scaled(name, seen)
    labels = _labels(library, name, task) if seen.whole else []
    if labels:
        return [*labels, *scaled] if seen.high > LARGE else labels
    if name != "prediction":
        return [*(scaled or [SCALE]), _logits(name, task)]
    return [*scaled, _logits(name, task)] if seen.high > LARGE else [_logits(name, task), *scaled]


def _scaled(name: str, seen: Seen) -> list[str]:
    """Return how memberships are scaled to [0, 1]; they have no negative values."""
    if seen.low < 0 and not seen.whole:
        return []
    ways = [f"for {what} pass `{name} / {top}`" for top, what in SCALES if seen.high <= top]
    return ways[: 2 if seen.high <= SCALES[0][0] else 1] or [SCALE]


def _logits(name: str, task: Task) -> str:
    if name != "prediction":
        return "an activation is for logits of a prediction"
    if task.class_axis is None or task.classes == 1:
        return "for logits pass `activation='sigmoid'`"
    return "for logits pass `activation='softmax'`, or `activation='sigmoid'` if classes overlap"


def _labels(library: ArrayLibrary, name: str, task: Task) -> list[str]:
    """Return what to do about labels stored as floating numbers; nothing if there are none."""
    one = f"say which label is meant: `{library.round_code(name)} == 1`"
    if task.class_axis is not None:
        return [one] if task.classes == 1 else []
    if name not in NAMES:
        return []
    maps = _label_maps(library, name, task)
    if not maps:
        return [one]
    return maps if name == "prediction" else [*maps, f"if the target alone is one {one}"]


def _label_maps(library: ArrayLibrary, name: str, task: Task) -> list[str]:
    """Return what to do if both arrays are label maps; nothing if one of them cannot be."""
    if name not in NAMES or task.class_axis is not None or "bool" in task.dtypes[:2]:
        return []
    codes = " and ".join(f"`{labels_code(library, each, 'floating')}`" for each in NAMES)
    return [f"for label maps pass integers, {codes}, and `num_classes=`"]


def cure_for_labels(name: str, task: Task) -> str:
    """Return what to do about labels outside the classes."""
    more = "" if task.class_axis is not None else "Raise `num_classes`, "
    ignore = "pass `ignore_label=` for a label that means nothing, " if name == "target" else ""
    cure = f"{more}{ignore}or relabel"
    return cure[0].upper() + cure[1:]
