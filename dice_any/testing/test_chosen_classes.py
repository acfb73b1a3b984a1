"""Every choice of classes, in any order and more than once, by scores, losses and overlaps."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import dice_any

from . import recipe
from .adapters import Adapter
from .every_loss import share

pytestmark = pytest.mark.dice_feature("averages")

CLASSES, SAMPLES, ELEMENTS = 3, 2, 6
CHOICES = [c for n in range(1, CLASSES + 1) for c in product(range(CLASSES), repeat=n)]
PREDICTED, LABELS = (recipe.labels(seed, (SAMPLES, ELEMENTS), CLASSES) for seed in (3, 5))


def choices(backend: Adapter, which: int) -> list[tuple[int, ...]]:
    """Return all choices; on slow backends a part of them, which has the first class alone."""
    return list(share(CHOICES, ("dice_loss", "jaccard_loss")[which], backend.name, 12))


def counted() -> tuple[list[list[int]], list[list[int]]]:
    """Return 2·I and X + Y of each sample and class."""
    above, below = [], []
    for x, y in zip(PREDICTED.tolist(), LABELS.tolist(), strict=True):
        pairs = list(zip(x, y, strict=True))
        above.append([2 * pairs.count((c, c)) for c in range(CLASSES)])
        below.append([x.count(c) + y.count(c) for c in range(CLASSES)])
    return above, below


def same(backend: Adapter, got: Any, expected: list[Any]) -> None:
    assert tuple(got.shape) == np.shape(expected)  # as a lazy array tells it, then as it is
    right = np.asarray(expected)
    if right.dtype == np.float64 and not backend.has("float64"):
        right = right.astype(np.float32)
    assert backend.values(got).tolist() == right.tolist()


def test_scores(dice_backend: Adapter) -> None:
    above, below = counted()
    run = dice_any.dice_score
    given: dict[str, Any] = {"num_classes": CLASSES, "axis": 1}
    for choice in choices(dice_backend, 0):
        got = dice_backend.call(run, PREDICTED, LABELS, classes=choice, **given)
        right = [[a[c] / b[c] for c in choice] for a, b in zip(above, below, strict=True)]
        same(dice_backend, got, right)
        got = dice_backend.call(run, PREDICTED, LABELS, classes=choice, average="micro", **given)
        pooled = [
            sum(a[c] for c in choice) / sum(b[c] for c in choice)
            for a, b in zip(above, below, strict=True)
        ]
        same(dice_backend, got, pooled)


@pytest.mark.parametrize("make", [list, np.array])
def test_indices(dice_backend: Adapter, make: Callable[[tuple[int, ...]], Any]) -> None:
    above, below = counted()
    given: dict[str, Any] = {"num_classes": CLASSES, "axis": 1}
    whole = dice_backend.call(dice_any.overlap, PREDICTED, LABELS, **given)
    for choice in choices(dice_backend, 1):
        got = whole[..., make(choice)]
        same(dice_backend, got.tp, [[a[c] // 2 for c in choice] for a in above])
        right = [[a[c] / b[c] for c in choice] for a, b in zip(above, below, strict=True)]
        same(dice_backend, dice_any.dice_score(got), right)
    for choice in [(0,), (1,), (1, 0), (0, 0)]:
        got = whole[make(choice)]
        same(dice_backend, got.tp, [[n // 2 for n in above[sample]] for sample in choice])


@pytest.mark.dice_feature("loss", "closed form")
@pytest.mark.parametrize(
    "exact", [False, pytest.param(True, marks=pytest.mark.dice_feature("exact"))]
)
def test_losses(dice_backend: Adapter, exact: bool) -> None:
    """1 − 2I / (X + Y), whose slope in x is 2·(I − y·(X + Y)) / (X + Y)²."""
    x = recipe.memberships(7, (SAMPLES, CLASSES, ELEMENTS), "float32")
    x = (np.round(x * 64) / 64 + 1 / 64).clip(0, 1).astype(np.float32)
    y = np.stack([c == LABELS for c in range(CLASSES)], axis=1).astype(np.float64)
    both, sizes = (x * y).sum(axis=2), x.sum(axis=2, dtype=np.float64) + y.sum(axis=2)
    losses = 1 - 2 * both / sizes
    slopes = 2 * (both[..., None] - y * sizes[..., None]) / sizes[..., None] ** 2
    given: dict[str, Any] = {"class_axis": 1, "axis": 2, "smooth": 0, "exact": exact or None}
    run = dice_any.value_and_grad(dice_any.dice_loss)
    for choice in choices(dice_backend, 0 if exact else 1):
        given["classes"] = choice
        each = dice_backend.call(dice_any.dice_loss, x, LABELS, reduction="none", **given)
        assert tuple(each.shape) == (SAMPLES, len(choice))
        assert dice_backend.values(each) == pytest.approx(losses[:, choice], rel=1e-6)
        value, gradient = dice_backend.call(run, x, LABELS, reduction="sum", **given)
        assert float(dice_backend.values(value)) == pytest.approx(losses[:, choice].sum(), rel=1e-6)
        times = np.array([choice.count(c) for c in range(CLASSES)])[:, None]
        assert dice_backend.values(gradient) == pytest.approx(slopes * times, rel=1e-5, abs=1e-7)
