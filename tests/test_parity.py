"""Against independent implementations: scikit-learn and SciPy."""

from __future__ import annotations

import numpy as np
import pytest

import dice_any
from dice_any.testing import recipe

X, Y = recipe.labels(1, 500, 4), recipe.labels(3, 500, 4)
A, B = recipe.masks(5, 300), recipe.masks(6, 300)


@pytest.mark.parametrize("average", [None, "macro", "micro", "weighted"])
def test_scikit_learn_scores_of_classes(average: str | None) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    for ours, theirs in (
        (dice_any.dice_score, metrics.f1_score),
        (dice_any.jaccard_score, metrics.jaccard_score),
        (dice_any.precision_score, metrics.precision_score),
        (dice_any.recall_score, metrics.recall_score),
        (
            lambda *a, **k: dice_any.f_score(*a, beta=2, **k),
            lambda *a, **k: metrics.fbeta_score(*a, beta=2, **k),
        ),
    ):
        assert ours(X, Y, num_classes=4, average=average) == pytest.approx(
            theirs(Y, X, average=average), rel=1e-12
        )


@pytest.mark.parametrize("seed", range(40))
def test_scikit_learn_weighted_averages_of_few_elements(seed: int) -> None:
    """Absent classes, only false positives, empty intersection: as in scikit-learn."""
    metrics = pytest.importorskip("sklearn.metrics")
    chance = np.random.default_rng(seed)
    classes = int(chance.integers(2, 6))
    chosen = chance.choice(classes, size=int(chance.integers(1, classes + 1)), replace=False)
    x, y = chance.integers(0, classes, 7), chance.choice(chosen, 7)
    labels = sorted(set(range(classes)) - set(chance.choice(classes, 1).tolist()))
    weight = chance.integers(0, 3, 7) if seed % 2 else None
    for ours, theirs in (
        (dice_any.dice_score, metrics.f1_score),
        (dice_any.jaccard_score, metrics.jaccard_score),
        (dice_any.recall_score, metrics.recall_score),
    ):
        got = ours(
            x,
            y,
            num_classes=classes,
            classes=labels,
            average="weighted",
            weight=weight,
            empty=0.0,
        )
        expected = theirs(
            y, x, labels=labels, average="weighted", sample_weight=weight, zero_division=0
        )
        assert float(got) == pytest.approx(expected, rel=1e-12)


def test_scikit_learn_joint_scores() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    for ours, theirs in (
        (dice_any.accuracy_score, metrics.accuracy_score),
        (dice_any.cohen_kappa, metrics.cohen_kappa_score),
        (dice_any.matthews_correlation, metrics.matthews_corrcoef),
    ):
        assert float(ours(X, Y, num_classes=4)) == pytest.approx(theirs(Y, X), rel=1e-12)
        assert float(ours(A, B)) == pytest.approx(theirs(B, A), rel=1e-12)
    matrix = dice_any.confusion_matrix(X, Y, num_classes=4)
    assert matrix.tolist() == metrics.confusion_matrix(Y, X).tolist()


def test_scipy_distances() -> None:
    distance = pytest.importorskip("scipy.spatial.distance")
    assert 1 - float(dice_any.dice_score(A, B)) == pytest.approx(distance.dice(A, B), rel=1e-12)
    assert 1 - float(dice_any.jaccard_score(A, B)) == pytest.approx(
        distance.jaccard(A, B), rel=1e-12
    )
    soft = recipe.memberships(7, (2, 90), "float64")
    assert 1 - float(dice_any.dice_score(*soft, form="minimum")) == pytest.approx(
        distance.braycurtis(*soft), rel=1e-12
    )
    assert 1 - float(dice_any.cosine_score(*soft)) == pytest.approx(
        distance.cosine(*soft), abs=1e-12
    )
    rows = recipe.masks(8, (6, 40)), recipe.masks(9, (5, 40))
    for name, score in (("dice", dice_any.dice_score), ("jaccard", dice_any.jaccard_score)):
        got = 1 - score(dice_any.pairwise_overlap(*rows))
        assert np.allclose(got, distance.cdist(*rows, name), rtol=1e-12)


def test_empty_sets_where_peers_differ() -> None:
    """Both sets empty: SciPy's Dice is NaN like ours, scikit-learn's is 0 by default."""
    metrics = pytest.importorskip("sklearn.metrics")
    nothing = np.zeros(4, dtype=bool)
    assert np.isnan(dice_any.dice_score(nothing, nothing))
    assert dice_any.dice_score(nothing, nothing, empty=0.0) == metrics.f1_score(
        nothing, nothing, zero_division=0
    )
