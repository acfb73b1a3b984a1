"""Losses of exact sums and their gradients, to the bit: sums by fractions, then the stated sequence
of float operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

import dice_any

from . import oracle, recipe
from .adapters import Adapter

pytestmark = pytest.mark.dice_feature("loss", "closed form", "exact", "averages")

CLASSES, SMOOTH = 3, 1.0
Pair = tuple[float, float]


class Parts(NamedTuple):
    """Numerator and denominator of a smoothed ratio, and their derivatives in I and in X."""

    ratio: Pair
    in_i: Pair
    in_x: Pair


def dice(i: float, x: float, y: float, n: float) -> Parts:
    return Parts((2.0 * i + SMOOTH, x + y + SMOOTH), (2.0, 0.0), (0.0, 1.0))


def jaccard(i: float, x: float, y: float, n: float) -> Parts:
    return Parts((i + SMOOTH, (x + y) - i + SMOOTH), (1.0, -1.0), (0.0, 1.0))


def tversky(i: float, x: float, y: float, n: float, alpha: float = 0.3, beta: float = 0.8) -> Parts:
    fp, fn = x - i, y - i
    ratio = i + SMOOTH, i + (alpha * fp + beta * fn) + SMOOTH
    return Parts(ratio, (1.0, 1.0 + (-alpha + -beta)), (0.0, alpha))


def matthews(i: float, x: float, y: float, n: float) -> Parts:
    spread = y * (n - y)
    root = math.sqrt(x * (n - x) * spread)
    scale = 1.0 + SMOOTH / spread
    half = 0.5 * spread * (n - 2.0 * x)
    fp, fn = x - i, y - i
    ratio = (i * ((n - y) - fp) - fp * fn) * scale, root + SMOOTH
    return Parts(ratio, (n * scale, 0.0), (-y * scale, half / root))


def halving_sum(a: float, b: float, c: float) -> float:
    return (a + c) + b


def slopes(parts: Parts, share: float) -> tuple[float, Pair]:
    """Return the loss, and its derivatives in I and in X times its share in the mean."""
    above, below = parts.ratio
    ratio = above / below
    outer = (share * -1.0) / below
    in_i, in_x = (outer * (top - ratio * bottom) for top, bottom in (parts.in_i, parts.in_x))
    return 1.0 - ratio, (in_i, in_x)


def macro(
    formula: Callable[..., Parts], rows: Sequence[Sequence[float]]
) -> tuple[float, list[Pair]]:
    losses, each = zip(*(slopes(formula(*row), 1.0 / 3.0) for row in rows), strict=True)
    return halving_sum(*losses) / 3.0, list(each)


def generalized(rows: Sequence[Sequence[float]]) -> tuple[float, list[Pair]]:
    smallest = min(row[2] for row in rows)
    weights = [(smallest / row[2]) * (smallest / row[2]) for row in rows]
    pooled = [
        halving_sum(*(row[k] * w for row, w in zip(rows, weights, strict=True))) for k in range(4)
    ]
    loss, (in_i, in_x) = slopes(dice(*pooled), 1.0)
    return loss, [(in_i * w, in_x * w) for w in weights]


LOSSES: dict[
    str, tuple[Callable[..., Any], dict[str, float], Callable[..., tuple[float, list[Pair]]]]
] = {
    "dice": (dice_any.dice_loss, {}, partial(macro, dice)),
    "jaccard": (dice_any.jaccard_loss, {}, partial(macro, jaccard)),
    "tversky": (dice_any.tversky_loss, {"alpha": 0.3, "beta": 0.8}, partial(macro, tversky)),
    "matthews": (dice_any.matthews_loss, {}, partial(macro, matthews)),
    "generalized": (dice_any.generalized_dice_loss, {}, generalized),
}


@pytest.mark.parametrize("form", ["product", "squared"])
@pytest.mark.parametrize("name", LOSSES)
def test_to_the_bit(dice_backend: Adapter, name: str, form: str) -> None:
    if form == "squared" and name in ("tversky", "matthews"):
        pytest.skip("the form is refused")
    loss, arguments, expected_of = LOSSES[name]
    x, y = (recipe.memberships(seed, (CLASSES, 25), "float64") for seed in (31, 37))
    rows = [oracle.exact_sums(x[c], y[c], form).floats() for c in range(CLASSES)]
    value, each = expected_of(rows)
    gradient = [
        slope_i * q + (2.0 * slope_x * p if form == "squared" else slope_x)
        for c, (slope_i, slope_x) in enumerate(each)
        for p, q in zip(x[c].tolist(), y[c].tolist(), strict=True)
    ]
    common = {"class_axis": 0, "exact": True, "form": form, **arguments}
    assert dice_backend.bits(dice_backend.call(loss, x, y, **common)) == [value.hex()]
    got = dice_backend.call(dice_any.value_and_grad(loss), x, y, **common)
    assert dice_backend.bits(got[0]) == [value.hex()]
    assert dice_backend.bits(got[1]) == [g.hex() for g in gradient]


@pytest.mark.dice_feature("activation")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", ["product", "squared"])
@pytest.mark.parametrize("name", LOSSES)
def test_from_logits_to_the_bit(dice_backend: Adapter, name: str, form: str, dtype: str) -> None:
    """The gradient reads memberships as they are kept, in the dtype of the logits; some of them are
    all but 1.
    """
    if form == "squared" and name in ("tversky", "matthews"):
        pytest.skip("the form is refused")
    loss, arguments, expected_of = LOSSES[name]
    z = (recipe.memberships(41, (CLASSES, 25), "float64") * 40 - 20).astype(dtype)
    y = recipe.memberships(43, (CLASSES, 25), "float64").astype(dtype).astype(np.float64)
    p = oracle.softmax(z.astype(np.float64))
    rows = [oracle.exact_sums(p[c], y[c], form).floats() for c in range(CLASSES)]
    value, each = expected_of(rows)
    q = p.astype(dtype).astype(np.float64)
    slopes = [
        slope_i * y[c] + (2.0 * slope_x * q[c] if form == "squared" else slope_x)
        for c, (slope_i, slope_x) in enumerate(each)
    ]
    through = halving_sum(*(slope * part for slope, part in zip(slopes, q, strict=True)))
    whole = halving_sum(*q)
    expected = [(slope * whole - through) * part for slope, part in zip(slopes, q, strict=True)]
    given = {"class_axis": 0, "exact": True, "form": form, "activation": "softmax", **arguments}
    run = dice_any.value_and_grad(loss)
    got = dice_backend.call(run, z, y.astype(dtype), **given)
    assert dice_backend.bits(got[0]) == [float(np.asarray(value).astype(dtype)).hex()]
    right = np.stack(expected).astype(dtype).ravel()
    assert dice_backend.bits(got[1]) == [float(g).hex() for g in right]
