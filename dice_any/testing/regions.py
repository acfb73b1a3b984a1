"""Groups of classes, and their members by NumPy's own arithmetic, for tests of regions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import recipe

#: of 5 classes; they overlap, one is not sorted, class 0 is background, and class 4 is in no group
GROUPS = [(3, 1, 2), (1, 3), (3,)]
CLASSES = 5


def masks(labels: np.ndarray, groups: Sequence[Sequence[int]] = GROUPS) -> np.ndarray:
    """Return the mask of each region, along axis 0."""
    return np.stack([np.isin(labels, group) for group in groups])


def added(memberships: np.ndarray, groups: Sequence[Sequence[int]] = GROUPS) -> np.ndarray:
    """Return memberships of regions in float64, added from the smallest label to the largest."""
    found = []
    for group in groups:
        total = np.zeros(memberships.shape[1:], dtype=np.float64)
        for label in sorted(group):
            total = total + memberships[label].astype(np.float64)
        found.append(total)
    return np.stack(found)


def shares(seed: int, length: int, dtype: str = "float32") -> np.ndarray:
    """Return memberships by class that add up to 1 at most, (CLASSES, length)."""
    return (recipe.memberships(seed, (CLASSES, length), dtype) / 8).astype(dtype)


def logits(seed: int, shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    return (recipe.memberships(seed, shape, "float64") * 8 - 4).astype(dtype)
