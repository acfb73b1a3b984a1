"""Messages of scores, matrices, pairs and sets about arguments that do not fit."""

from __future__ import annotations

import re

import numpy as np
import pytest

import dice_any
from dice_any import Overlap

MASK = np.array([True, False, True])


SOFT = np.array([0.5, 0.0, 1.0])


LABELS = np.array([0, 1, 2])


BY_CLASS = np.full((3, 4), 0.25)


def says(*parts: str) -> str:
    """Return a pattern in which the parts follow each other."""
    return ".*".join(re.escape(part) for part in parts)


def test_overlap_beside_arguments() -> None:
    counts = dice_any.overlap(MASK, MASK)
    with pytest.raises(TypeError, match=says("`target` must be left out beside an Overlap")):
        dice_any.dice_score(counts, MASK)
    with pytest.raises(TypeError, match=says("`axis`, `form` must be left out beside an Overlap")):
        dice_any.jaccard_score(counts, form="product", axis=None)


@pytest.mark.parametrize(
    "score",
    [
        dice_any.precision_score,
        dice_any.recall_score,
        dice_any.f_score,
        dice_any.specificity_score,
        dice_any.volume_similarity,
        dice_any.overlap_coefficient,
        dice_any.accuracy_score,
        dice_any.matthews_correlation,
        dice_any.cohen_kappa,
    ],
)
def test_squared_form_where_it_has_no_meaning(score) -> None:
    with pytest.raises(
        ValueError,
        match=says("`form` must be 'product' or 'minimum'", "squared form belongs to Dice"),
    ):
        score(SOFT, SOFT, form="squared")
    assert float(score(MASK, ~MASK, form="squared")) <= 1  # on masks the forms agree


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_tversky_weights(name: str) -> None:
    weights = {"alpha": 0.5, "beta": 0.5}
    with pytest.raises(ValueError, match=says(f"`{name}` must be finite and at least 0; got -1")):
        dice_any.tversky_score(MASK, MASK, **(weights | {name: -1}))
    with pytest.raises(TypeError, match=says(f"`{name}` must be a number; got str")):
        dice_any.tversky_loss(MASK, MASK, **(weights | {name: "1"}))


def test_tversky_has_no_defaults() -> None:
    with pytest.raises(TypeError, match="alpha"):
        dice_any.tversky_score(MASK, MASK)


def test_unknown_backend() -> None:
    with pytest.raises(
        LookupError,
        match=says("`backend` must name a kernel for numpy arrays; got 'abacus'", "reference"),
    ):
        dice_any.dice_score(MASK, MASK, backend="abacus")


def test_confusion_matrix() -> None:
    with pytest.raises(TypeError, match=says("must be label maps; got bool and bool. Pass")):
        dice_any.confusion_matrix(MASK, MASK, num_classes=2)
    with pytest.raises(
        ValueError, match=says("`target` must hold labels from 0 to 1; got 1 outside")
    ):
        dice_any.confusion_matrix(np.array([0, 1]), np.array([0, 2]), num_classes=2)


def test_pairwise() -> None:
    with pytest.raises(
        ValueError,
        match=says("`X` and `Y` must be matrices", "got shapes (3,) and (3, 4)", "reshape"),
    ):
        dice_any.pairwise_overlap(SOFT, BY_CLASS)
    with pytest.raises(
        TypeError, match=says("`X` and `Y` must be boolean or floating; got integers")
    ):
        dice_any.pairwise_overlap(LABELS[None], LABELS[None])


def test_sets() -> None:
    with pytest.raises(
        TypeError, match=says("`a` and `b` must be collections of ids; got a string")
    ):
        dice_any.set_overlap("night", {"nacht"})
    torch = pytest.importorskip("torch")
    for collection in (set, list, tuple, frozenset):
        ids = [collection(torch.tensor([1, 2])) for _ in "ab"]
        with pytest.raises(TypeError, match="`a` must hold ids .* values; got arrays of type Tens"):
            dice_any.set_overlap(*ids)
        followed = [{tensor.item() for tensor in given} for given in ids]
        assert dice_any.dice_score(dice_any.set_overlap(*followed)) == 1
    with pytest.raises(
        TypeError,
        match=says("`a` and `b` must both be", "got numpy.ndarray and set", "`set(a.tolist())`"),
    ):
        dice_any.set_overlap(LABELS, {1, 2})
    with pytest.raises(
        ValueError, match=says("`a` must be a 1-D array of integer ids; got 1 axes of float64")
    ):
        dice_any.set_overlap(SOFT, SOFT)
    with pytest.raises(
        ValueError, match=says("`total` must be at least the size of the union, 3; got 2")
    ):
        dice_any.set_overlap({1, 2}, {2, 3}, total=2)


def test_zero() -> None:
    with pytest.raises(
        ValueError, match=says("`kind` must be one of 'hard', 'exact', 'plain'; got 'soft'")
    ):
        Overlap.zero(kind="soft")


def test_values_are_never_printed() -> None:
    secret = np.array([0.123456, 7.654321])
    with pytest.raises(ValueError, match="memberships") as caught:
        dice_any.dice_score(secret, secret)
    assert "7.65" not in str(caught.value)
    assert "0.123" not in str(caught.value)


def test_scores_of_plain_sums_check_too() -> None:
    with pytest.raises(
        ValueError, match=says("`prediction` must hold memberships in [0, 1]; got 1 values")
    ):
        dice_any.dice_score(np.array([5.0, 0.5]), np.array([1.0, 0.5]), exact=False)
    assert dice_any.dice_score(SOFT, SOFT > 0.2, exact=False) == pytest.approx(0.8571428571428571)
