"""Check that overlaps can be combined into one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from ..arrays.library import ArrayLibrary
from ..kernels.task import Kind
from ..reading import FORMS
from .rows import Rows

R = TypeVar("R", bound=Rows)


class Joint(NamedTuple):
    """The common properties of overlaps that become one."""

    library: ArrayLibrary
    kind: Kind
    form: str
    by_class: bool


def agreement(overlaps: Sequence[Rows], verb: str) -> Joint:
    """Return the common properties of overlaps, or raise; `verb` is "added" or "stacked"."""
    first = overlaps[0]
    library = first._library
    for other in overlaps[1:]:
        if other._library is not library:
            raise TypeError(
                f"overlaps to be {verb} must come from one array library; got {library.name} and "
                f"{other._library.name}. Move one with `Overlap.from_dict(other.to_dict(), "
                "like=array)`."
            )
    kinds = {overlap.kind for overlap in overlaps}
    if "plain" in kinds and len(kinds) > 1:
        raise TypeError(
            f"overlaps to be {verb} must all be plain or all be hard or exact; got "
            f"{' and '.join(sorted(kinds))}. Compute all with the same `exact=`."
        )
    # hard counts are the same in every form, so only the form of the others matters
    forms = {overlap.form for overlap in overlaps if overlap.kind != "hard"}
    if len(forms) > 1:
        raise ValueError(
            f"overlaps to be {verb} must have one form; got "
            f"{' and '.join(map(repr, sorted(forms, key=FORMS.index)))}."
        )
    forms = forms or {overlap.form for overlap in overlaps}
    kind = "exact" if "exact" in kinds else first.kind
    return Joint(library, kind, max(forms, key=FORMS.index), first.by_class)


def check_shapes(overlaps: Sequence[Rows], verb: str, free: int | None = None) -> None:
    """Check that counts have the same shape, except for the length of the axis `free`."""
    first = overlaps[0]
    for other in overlaps[1:]:
        shapes = [
            tuple(n for axis, n in enumerate(overlap.shape) if axis != free)
            for overlap in (first, other)
        ]
        same_axes = len(first.shape) == len(other.shape)
        if shapes[0] != shapes[1] or first.by_class != other.by_class or not same_axes:
            but = "" if free is None else f" but on axis {free}"
            raise ValueError(
                f"overlaps to be {verb} must have equal shapes{but} and classes; got {first.shape} "
                f"and {other.shape}, by class {first.by_class} and {other.by_class}. Nothing is "
                "broadcast."
            )


def check_devices(overlaps: Sequence[Rows], verb: str) -> None:
    """Check that overlaps of one library are on one device, if the device is known."""
    library = overlaps[0]._library
    devices = {str(library.device(overlap._held)) for overlap in overlaps} - {"None"}
    if len(devices) > 1:
        raise ValueError(
            f"overlaps to be {verb} must be on one device; got {' and '.join(sorted(devices))}. "
            "Move one of them."
        )


def most_special(classes: Sequence[type[R]]) -> type[R]:
    """Return the first class, or the most derived subclass of it among the others."""
    special = classes[0]
    for cls in classes[1:]:
        special = cls if issubclass(cls, special) else special
    return special
