"""The Lovász loss: against the definition of the Lovász extension, from the Jaccard losses of
growing sets of mistakes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import dice_any

from . import recipe
from .adapters import Adapter

pytestmark = pytest.mark.dice_feature("loss", "activation", "averages", "ranked")

CLASSES = 3


def extension(errors: list[Fraction], target: list[bool], weights: list[Fraction]) -> Fraction:
    """Sum over the mistakes, from the largest error: the error times the increase in the Jaccard
    loss of the set of mistakes.
    """
    total, before, mistakes = Fraction(0), Fraction(0), set[int]()
    for i in sorted(range(len(errors)), key=lambda i: -errors[i]):
        mistakes.add(i)
        right = sum(
            (
                w
                for j, (t, w) in enumerate(zip(target, weights, strict=True))
                if t and j not in mistakes
            ),
            Fraction(0),
        )
        union = sum(
            (w for j, (t, w) in enumerate(zip(target, weights, strict=True)) if t or j in mistakes),
            Fraction(0),
        )
        loss = 1 - right / union if union else Fraction(0)
        total, before = total + errors[i] * (loss - before), loss
    return total


def membership_errors(x: np.ndarray, y: np.ndarray) -> list[Fraction]:
    return [
        abs(Fraction(int(t)) - Fraction(float(v)))
        for v, t in zip(x.ravel(), y.ravel(), strict=True)
    ]


def values(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return memberships that are all different."""
    return recipe.integers(seed, shape, 2**24).astype(np.float64) * 2.0**-24


def run(backend: Adapter, *arrays: Any, **arguments: Any) -> np.ndarray:
    return backend.values(backend.call(dice_any.lovasz_loss, *arrays, **arguments))


@pytest.mark.parametrize("option", ["plain", "ignored", "weighted"])
def test_against_the_definition(dice_backend: Adapter, option: str) -> None:
    x, y = values(1, (2, CLASSES, 7)), recipe.labels(3, (2, 7), CLASSES)
    y[1, y[1] == 2] = 0  # class 2 is absent from the second sample
    w = np.ones((2, 7))
    arguments: dict[str, Any] = {}
    if option == "ignored":
        w[:, 2:4], arguments = 0, {"ignore_label": 9}
        y[:, 2:4] = 9
        x[0, 1, 2] = np.nan
    if option == "weighted":
        w = recipe.integers(5, (2, 7), 4).astype(np.float64) * 0.25  # zeros among them
        arguments = {"weight": w.astype(np.float32)}
    clean = np.where(np.isnan(x), 0, x)
    weights = [[Fraction(float(v)) for v in row] for row in w]
    expected = np.array(
        [
            [
                float(
                    extension(
                        membership_errors(clean[n, c], y[n] == c), list(y[n] == c), weights[n]
                    )
                )
                for c in range(CLASSES)
            ]
            for n in range(2)
        ]
    )
    common = {"class_axis": 1, "axis": "space", **arguments}
    x = x.astype(np.float32)
    assert run(dice_backend, x, y, reduction="none", **common) == pytest.approx(expected, abs=2e-7)
    assert float(
        run(dice_backend, x, y, classes=[2, 0], reduction="sum", **common)
    ) == pytest.approx(expected[:, [2, 0]].sum(), rel=1e-6)
    weighted = expected * [1, 2, 0.5]
    got = run(dice_backend, x, y, class_weight=[1, 2, 0.5], **common)
    assert float(got) == pytest.approx(weighted.sum() / 7, rel=1e-6)
    present = np.array([[(w[n] * (y[n] == c)).sum() > 0 for c in range(CLASSES)] for n in range(2)])
    assert float(run(dice_backend, x, y, absent="skip", **common)) == pytest.approx(
        expected[present].mean(), rel=1e-6
    )
    assert float(run(dice_backend, x, y, absent="zero", **common)) == pytest.approx(
        (expected * present).mean(), rel=1e-6
    )


@pytest.mark.parametrize("chosen", [None, [2, 1]])
def test_all_classes_ranked_together(dice_backend: Adapter, chosen: list[int] | None) -> None:
    x, y = values(7, (CLASSES, 6)), recipe.labels(9, 6, CLASSES)
    v = [Fraction(1), Fraction(1, 2), Fraction(2)]
    weights = [
        v[c] if chosen is None or c in chosen else Fraction(0)
        for c in range(CLASSES)
        for _ in range(6)
    ]
    one_hot = np.stack([y == c for c in range(CLASSES)])
    expected = extension(membership_errors(x, one_hot), list(one_hot.ravel()), weights)
    arguments = {
        "class_axis": 0,
        "average": "micro",
        "class_weight": [1, 0.5, 2],
        "classes": chosen,
    }
    assert float(run(dice_backend, x.astype(np.float32), y, **arguments)) == pytest.approx(
        float(expected), rel=1e-6
    )


def test_hinge(dice_backend: Adapter) -> None:
    z, y = (values(11, (2, 6)) * 6 - 3).astype(np.float32), recipe.masks(13, (2, 6))
    signs = np.where(y, 1, -1)
    margins = (z.astype(np.float64) * signs).tolist()
    errors = [[max(Fraction(0), 1 - Fraction(margin)) for margin in row] for row in margins]
    expected = [
        float(extension(e, list(t), [Fraction(1)] * 6)) for e, t in zip(errors, y, strict=True)
    ]
    got = run(dice_backend, z, y, axis=1, activation="hinge", reduction="none")
    assert got == pytest.approx(np.array(expected), rel=1e-6)


def test_at_vertices_it_is_the_jaccard_loss(dice_backend: Adapter) -> None:
    x, y = recipe.masks(15, (3, 20)), recipe.masks(17, (3, 20))
    expected = dice_backend.values(dice_backend.call(dice_any.jaccard_score, x, y, axis=1))
    got = run(dice_backend, x.astype(np.float32), y, axis=1, reduction="none")
    assert got == pytest.approx(1 - expected, abs=1e-7)


@pytest.mark.dice_feature("closed form", "exact")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"activation": "softmax", "axis": "space", "class_weight": [1, 2, 0.5], "absent": "skip"},
        {"activation": "sigmoid", "ignore_label": 1, "reduction": "sum", "classes": "foreground"},
        {"activation": "hinge", "weight": True},
        {"activation": "softmax", "average": "micro", "class_weight": "simple", "weight": True},
    ],
    ids=["memberships", "softmax", "sigmoid", "hinge", "micro"],
)
def test_gradients_against_differences(dice_backend: Adapter, options: dict[str, Any]) -> None:
    options = dict(options)
    x, y = values(19, (2, CLASSES, 7)), recipe.labels(21, (2, 7), CLASSES)
    if options.get("weight"):
        options["weight"] = recipe.integers(23, (2, 7), 4).astype(np.float64) * 0.25
    value, gradient = dice_backend.call(
        dice_any.value_and_grad(dice_any.lovasz_loss), x, y, class_axis=1, **options
    )
    gradient = dice_backend.values(gradient)
    assert float(dice_backend.values(value)) == pytest.approx(
        float(dice_any.lovasz_loss(x, y, class_axis=1, **options))
    )
    direction = values(25, x.shape) - 0.5
    ahead, behind = (
        float(dice_any.lovasz_loss(x + s * direction, y, class_axis=1, **options))
        for s in (1e-6, -1e-6)
    )
    assert float((gradient * direction).sum()) == pytest.approx((ahead - behind) / 2e-6, rel=1e-6)


@pytest.mark.dice_feature("closed form")
def test_nothing_left_pulls_nowhere(dice_backend: Adapter) -> None:
    z, y = np.full((CLASSES, 4), 1e4, dtype=np.float32), np.full(4, 9)
    run = dice_any.value_and_grad(dice_any.lovasz_loss)
    value, gradient = dice_backend.call(
        run, z, y, class_axis=0, ignore_label=9, activation="softmax"
    )
    assert float(dice_backend.values(value)) == 0.0
    assert (dice_backend.values(gradient) == 0).all()


def test_a_label_out_of_range_is_never_a_number(dice_backend: Adapter) -> None:
    x, y = values(27, (CLASSES, 6)).astype(np.float32), np.array([0, 1, 2, 3, 0, 1])
    try:
        got = run(dice_backend, x, y, class_axis=0)
    except ValueError as error:
        assert "`target` must hold labels from 0 to 2" in str(error)  # noqa: PT017
    else:
        assert np.isnan(got)
