"""Overlaps of every kind of storage, small enough to count by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

import dice_any
from dice_any import Overlap

from .adapters import Adapter

KINDS = ("hard", "exact", "plain")


class Named(Overlap):
    """A subclass that adds a method, as users might write one."""

    __slots__ = ()

    def best(self) -> str:
        return "mine"


def counts(backend: Adapter, kind: str, seed: int = 0, **arguments: Any) -> Overlap:
    """Return an overlap of two samples and three classes."""
    arguments |= backend.options
    if kind == "hard":
        labels = np.array([[0, 1, 2, 2], [0, 0, 1, 1]])
        return dice_any.overlap(
            backend(labels), backend((labels + seed) % 3), num_classes=3, axis=1, **arguments
        )
    x = np.linspace(0, 1, 24, dtype=np.float32).reshape(2, 3, 4)
    y = np.linspace(1, seed / 8, 24, dtype=np.float32).reshape(2, 3, 4)
    exact = None if kind == "exact" else False
    return dice_any.overlap(backend(x), backend(y), class_axis=1, axis=2, exact=exact, **arguments)


def of(cls: type[Overlap], overlap: Overlap) -> Overlap:
    """Return the same sums in another class."""
    return cls(overlap.rows, kind=overlap.kind, form=overlap.form, by_class=overlap.by_class)


def stored(backend: Adapter, data: dict[str, Any]) -> Overlap:
    return Overlap.from_dict(data, like=backend(np.zeros(1, dtype=np.float32)))


def can_compare(backend: Adapter) -> bool:
    """Return whether overlaps of this library have values as soon as they are made."""
    return backend.name not in ("dask", "cubed")


def rows(overlap: Overlap) -> np.ndarray:
    """Return the sums as Python integers, or as floating numbers; rows and limbs are last."""
    array = np.asarray(overlap.to_dict()["sums"], dtype=object)
    return np.moveaxis(array, *((0, 1), (-2, -1)) if overlap.kind == "exact" else (0, -1))
