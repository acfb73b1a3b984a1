"""Scores are a fixed sequence of float64 operations on exact sums: Python's own floats give the
expected bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np
import pytest

import dice_any

from . import oracle, recipe
from .adapters import Adapter, strictly

Formula = Callable[[float, float, float, float], float]


def rounded_sqrt(value: float) -> float:
    """Return the square root rounded once, by integers."""
    scaled = Fraction(value) * 2**200
    root = Fraction(math.isqrt(scaled.numerator * 4**60 // scaled.denominator), 2**160)
    return float(root)


BY_CLASS: dict[str, tuple[Callable, dict, Formula]] = {
    "dice": (dice_any.dice_score, {}, lambda i, x, y, n: 2 * i / (x + y)),
    "jaccard": (dice_any.jaccard_score, {}, lambda i, x, y, n: i / ((x + y) - i)),
    "precision": (dice_any.precision_score, {}, lambda i, x, y, n: i / x),
    "recall": (dice_any.recall_score, {}, lambda i, x, y, n: i / y),
    "specificity": (
        dice_any.specificity_score,
        {},
        lambda i, x, y, n: ((n - y) - (x - i)) / (n - y),
    ),
    "volume similarity": (
        dice_any.volume_similarity,
        {},
        lambda i, x, y, n: 2 * min(x, y) / (x + y),
    ),
    "overlap coefficient": (dice_any.overlap_coefficient, {}, lambda i, x, y, n: i / min(x, y)),
    "Tversky": (
        dice_any.tversky_score,
        {"alpha": 0.3, "beta": 0.7},
        lambda i, x, y, n: i / (i + (0.3 * (x - i) + 0.7 * (y - i))),
    ),
    "F2": (
        dice_any.f_score,
        {"beta": 2},
        lambda i, x, y, n: 5 * i / (5 * i + (4 * (y - i) + (x - i))),
    ),
    "Ochiai": (
        dice_any.cosine_score,
        {"form": "product"},
        lambda i, x, y, n: i / rounded_sqrt(x * y),
    ),
}


@pytest.fixture(autouse=True)
def _as_lazy_libraries(dice_backend: Adapter) -> Iterator[None]:
    with strictly(dice_backend.name):
        yield


def halving_mean(values: list[float]) -> float:
    count = len(values)
    while len(values) > 1:
        back = len(values) // 2
        front = values[: len(values) - back]
        values = [a + b for a, b in zip(front, values[len(values) - back :], strict=False)] + front[
            back:
        ]
    return values[0] / count


@pytest.mark.dice_feature("exact")
@pytest.mark.parametrize("name", BY_CLASS)
def test_soft_scores_to_the_bit(dice_backend: Adapter, name: str) -> None:
    function, arguments, formula = BY_CLASS[name]
    x, y = recipe.memberships(1, (4, 50)), recipe.memberships(3, (4, 50))
    got = dice_backend.bits(dice_backend.call(function, x, y, class_axis=0, **arguments))
    expected = [formula(*oracle.exact_sums(a, b).floats()) for a, b in zip(x, y, strict=True)]
    assert got == [value.hex() for value in expected]


@pytest.mark.dice_feature("exact")
@pytest.mark.parametrize("name", BY_CLASS)
def test_hard_scores_to_the_bit(dice_backend: Adapter, name: str) -> None:
    function, arguments, formula = BY_CLASS[name]
    x, y = recipe.labels(5, 200, 5), recipe.labels(6, 200, 5)
    got = dice_backend.bits(dice_backend.call(function, x, y, num_classes=5, **arguments))
    pairs = zip(oracle.by_class(5, x), oracle.by_class(5, y), strict=True)
    expected = [
        formula(*(float(n) for n in ((a & b).sum(), a.sum(), b.sum(), a.size))) for a, b in pairs
    ]
    assert got == [value.hex() for value in expected]


@pytest.mark.dice_feature("exact", "averages")
@pytest.mark.parametrize("classes", [2, 3, 5, 7, 8])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_averages_to_the_bit(dice_backend: Adapter, average: str, classes: int) -> None:
    x, y = recipe.memberships(7, (classes, 30)), recipe.labels(9, 30, classes)
    y[y == 0] = classes - 1  # class 0 has no target
    sums = [oracle.exact_sums(a, y == label) for label, a in enumerate(x)]
    floats = [s.floats() for s in sums]
    scores = [2 * i / (a + b) for i, a, b, n in floats]
    if average == "macro":
        expected = halving_mean(scores)
    elif average == "micro":
        i, a, b, _ = oracle.Exact(*(sum(column) for column in zip(*sums, strict=True))).floats()
        expected = 2 * i / (a + b)
    else:
        sizes = [b for _, _, b, _ in floats]
        weighted = [s * w for s, w in zip(scores, sizes, strict=True)]
        expected = halving_mean(weighted) * classes / sum(sizes)
        got = dice_backend.values(
            dice_backend.call(dice_any.dice_score, x, y, class_axis=0, average=average)
        )
        assert float(got) == pytest.approx(expected, rel=1e-15)
        return
    got = dice_backend.bits(
        dice_backend.call(dice_any.dice_score, x, y, class_axis=0, average=average)
    )
    assert got == [expected.hex()]


JOINT = {
    "accuracy": (dice_any.accuracy_score, lambda i, x, y, n: sum(i) / Fraction(n)),
    "kappa": (
        dice_any.cohen_kappa,
        lambda i, x, y, n: Fraction(
            n * sum(i) - sum(map(int.__mul__, x, y)), n * n - sum(map(int.__mul__, x, y))
        ),
    ),
    "generalized Dice": (
        dice_any.generalized_dice_score,
        lambda i, x, y, n: (
            2
            * sum(Fraction(a, c * c) for a, c in zip(i, y, strict=True))
            / sum(Fraction(b + c, c * c) for b, c in zip(x, y, strict=True))
        ),
    ),
}


@pytest.mark.dice_feature("hard")
@pytest.mark.parametrize("name", JOINT)
def test_joint_scores(dice_backend: Adapter, name: str) -> None:
    function, formula = JOINT[name]
    x, y = recipe.labels(11, 90, 4), recipe.labels(12, 90, 4)
    i, a, b = (
        [int(mask.sum()) for mask in masks]
        for masks in (
            [(x == c) & (y == c) for c in range(4)],
            oracle.by_class(4, x),
            oracle.by_class(4, y),
        )
    )
    got = float(dice_backend.values(dice_backend.call(function, x, y, num_classes=4)))
    assert got == pytest.approx(
        float(formula(i, a, b, 90)), rel=1e-6 if "no-float64" in dice_backend.name else 1e-14
    )


@pytest.mark.dice_feature("exact")
def test_matthews_of_masks(dice_backend: Adapter) -> None:
    x, y = recipe.masks(13, 40), recipe.masks(14, 40)
    tp, fp, fn, tn = ((a & b).sum() for a, b in ((x, y), (x, ~y), (~x, y), (~x, ~y)))
    expected = (tp * tn - fp * fn) / math.sqrt(float((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))
    got = float(dice_backend.values(dice_backend.call(dice_any.matthews_correlation, x, y)))
    assert got == pytest.approx(float(expected), rel=1e-14)


@pytest.mark.dice_feature("hard", "averages")
def test_empty_sets(dice_backend: Adapter) -> None:
    x = np.array([[0, 0], [1, 0], [0, 0], [1, 0]], dtype=bool)
    y = np.array([[0, 0], [0, 0], [1, 0], [1, 1]], dtype=bool)

    def scores(**arguments: object) -> list[float]:
        result = dice_backend.call(dice_any.dice_score, x, y, class_axis=0, **arguments)
        return dice_backend.values(result).tolist()

    expected = [math.nan, 0.0, 0.0, 2 / 3]
    assert scores() == pytest.approx(expected, nan_ok=True)
    assert scores(empty=1.0) == pytest.approx([1.0, 0.0, 0.0, 2 / 3])
    assert scores(empty_target=math.nan) == pytest.approx(
        [math.nan, math.nan, 0.0, 2 / 3], nan_ok=True
    )
    assert scores(classes=[3, 1]) == pytest.approx([2 / 3, 0.0])
    assert scores(classes=[3, 2, 0, 1]) == pytest.approx([2 / 3, 0, math.nan, 0], nan_ok=True)
    assert scores(average="macro") == pytest.approx(2 / 9)
    assert scores(average="macro", classes=[0]) == pytest.approx(math.nan, nan_ok=True)


@pytest.mark.dice_feature("exact", "activation")
@pytest.mark.parametrize("activation", ["sigmoid", "softmax", "argmax"])
def test_activations(dice_backend: Adapter, activation: str) -> None:
    """Scores of memberships from the contract's integer steps."""
    logits = (recipe.memberships(15, (3, 40), "float32") - np.float32(0.5)) * np.float32(12)
    y = recipe.labels(17, 40, 3)
    got = dice_backend.values(
        dice_backend.call(dice_any.dice_score, logits, y, class_axis=0, activation=activation)
    )
    wide = logits.astype(np.float64)
    if activation == "sigmoid":
        p = oracle.sigmoid(logits)
        assert np.allclose(p, 1 / (1 + np.exp(-wide)), rtol=0, atol=2.0**-28)
    elif activation == "softmax":
        p = oracle.softmax(logits)
        assert np.allclose(p, np.exp(wide) / np.exp(wide).sum(axis=0), rtol=0, atol=2.0**-28)
    else:
        p = (wide.argmax(axis=0) == np.arange(3)[:, None]).astype(np.float64)
    expected = [
        2 * math.fsum(p[c] * (y == c)) / (math.fsum(p[c]) + (y == c).sum()) for c in range(3)
    ]
    assert got.tolist() == pytest.approx(expected, rel=1e-12)
