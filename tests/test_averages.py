"""From sums to scores: empty sets, averages, invalid counts and limits, counted by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any import Overlap
from dice_any.arrays import load_library

INFINITY = math.inf


def counts(tp: Any, fp: Any, fn: Any, tn: Any = None, *, by_class: bool = True) -> Overlap:
    given = {"tp": tp, "fp": fp, "fn": fn} | ({} if tn is None else {"tn": tn})
    return Overlap.from_counts(
        **{name: np.asarray(value) for name, value in given.items()}, by_class=by_class
    )


def soft(*sizes: tuple[float, float, float]) -> Overlap:
    """Return the plain sums I, X and Y of classes of memberships; 9 elements."""
    i, x, y = np.asarray(sizes).T
    rows = np.stack([i, x, y, np.full_like(i, 9.0), np.zeros_like(i)])
    return Overlap.of_sums(load_library("numpy"), rows, "plain", "product", True)


def test_both_empty_is_not_an_empty_target() -> None:
    # Dice of class 0: 2·1 / (2·1 + 1 + 0); class 1 is only predicted, class 2 is in neither
    scores = dice_any.dice_score(
        counts([1, 0, 0], [1, 3, 0], [0, 0, 0]), empty=0.25, empty_target=0.75
    )
    assert scores.tolist() == [2 / 3, 0.75, 0.25]


@pytest.mark.parametrize("score", [dice_any.dice_score, dice_any.accuracy_score])
def test_one_invalid_element_is_enough(score: Any) -> None:
    rows = np.asarray([[3, 2], [4, 4], [5, 3], [9, 9], [0, 1]])
    library = load_library("numpy")
    found = score(Overlap.of_sums(library, rows, "hard", "product", True))
    if score is dice_any.dice_score:
        assert found[0] == 6 / 9
        assert math.isnan(found[1])
    else:
        assert math.isnan(found)


def test_generalized_dice_of_one_set_is_dice() -> None:
    found = dice_any.generalized_dice_score(counts(2, 1, 3, by_class=False))
    assert found.shape == ()
    assert found == 4 / 8
    several = counts([2, 0], [1, 1], [3, 1], by_class=False)
    assert dice_any.generalized_dice_score(several).tolist() == [4 / 8, 0]
    table = counts([[2, 0, 1], [1, 1, 0]], np.ones((2, 3), int), np.full((2, 3), 3), by_class=False)
    expected = [[4 / 8, 0, 2 / 6], [2 / 6, 2 / 6, 0]]
    assert dice_any.generalized_dice_score(table).tolist() == expected


def test_a_background_is_left_out_where_there_is_one() -> None:
    overlap = counts([5, 2, 1], [0, 1, 0], [0, 0, 1])
    found = dice_any.generalized_dice_score(overlap, classes="foreground", class_weight="uniform")
    assert found == 6 / 8  # tp = 3, fp = 1, fn = 1
    maps = np.array([0, 1, 2]), np.array([0, 1, 1])
    for score in (dice_any.generalized_dice_score, dice_any.dice_score):
        with pytest.raises(ValueError, match="none of which is background; got 'foreground'"):
            score(*maps, num_classes=3, regions=[(1, 2), (2,)], classes="foreground")


def test_squared_sums_are_refused_by_joint_scores() -> None:
    x = np.array([0.5, 1.0])
    with pytest.raises(ValueError, match="squared"):
        dice_any.accuracy_score(dice_any.overlap(x, x, form="squared"))
    assert dice_any.generalized_dice_score(dice_any.overlap(x, x, form="squared")) == 1


# -- weighted averages -----------------------------------------------------------------------------


def test_weights_are_the_targets_sizes() -> None:
    # Jaccard: 1/4 of 3, 2/2 of 2; the third class is in neither set
    scores = dice_any.jaccard_score(counts([1, 2, 0], [1, 0, 0], [2, 0, 0]), average="weighted")
    assert scores.shape == ()
    assert scores == pytest.approx((3 / 4 + 2) / 5, rel=1e-15)


def test_without_any_target_all_classes_weigh_the_same() -> None:
    overlap = counts([[1, 2], [0, 0]], [[1, 0], [3, 0]], [[2, 0], [0, 0]])
    found = dice_any.jaccard_score(overlap, average="weighted", empty=0.5)
    assert found.tolist() == [pytest.approx((3 / 4 + 2) / 5), 0.25]  # 0 and the empty one's 0.5
    assert dice_any.jaccard_score(counts([0, 0], [3, 1], [0, 0]), average="weighted") == 0


def test_cases_without_target_beside_others() -> None:
    """Each case has weights of its own, or none; 2 × 2 cases of two classes."""
    library = load_library("numpy")
    rows = np.zeros((5, 2, 2, 2))
    rows[0] = [[[0.25, 0.0], [0.0, 0.0]], [[0.0, 0.5], [0.125, 0.25]]]  # I
    rows[1] = 1.0  # X
    rows[2] = [[[0.25, 0.25], [0.0, 0.0]], [[0.0, 0.5], [0.125, 0.375]]]  # Y
    rows[3] = 9.0
    overlap = Overlap.of_sums(library, rows, "plain", "product", True)
    found = dice_any.precision_score(overlap, average="weighted").tolist()
    assert found == [[0.125, 0.0], [0.5, (0.125**2 + 0.25 * 0.375) / 0.5]]


def test_small_weights_are_weights() -> None:
    # precision I / X: 1/2 and 1/4, with targets of 1/2 and 1/4
    found = dice_any.precision_score(soft((0.5, 1.0, 0.5), (0.25, 1.0, 0.25)), average="weighted")
    assert found == pytest.approx((1 / 4 + 1 / 16) / (3 / 4), rel=1e-15)


def test_what_weighs_nothing_may_be_infinite() -> None:
    overlap = counts([1, 0], [1, 0], [0, 0])
    assert dice_any.dice_score(overlap, average="weighted", empty=INFINITY) == 2 / 3
    assert dice_any.dice_score(overlap, average="macro", empty=INFINITY) == INFINITY


# -- limits ----------------------------------------------------------------------------------------

FLOAT32 = float(np.finfo(np.float32).max)


def test_a_value_for_empty_sets_fits_the_device() -> None:
    strict = pytest.importorskip("array_api_strict")
    device = strict.Device("no_float64")
    x = strict.asarray([0.0, 0.0], dtype=strict.float32, device=device)
    for value in (FLOAT32, -FLOAT32, INFINITY, -INFINITY, 0.25):
        assert float(dice_any.dice_score(x, x, empty=value)) == value
    for value in (FLOAT32 * 1.0000001, -1e39):
        with pytest.raises(ValueError, match="`empty` must fit a float32 on this device; got"):
            dice_any.dice_score(x, x, empty=value)
        with pytest.raises(ValueError, match="`empty_target` must fit a float32 on this device; g"):
            dice_any.dice_score(x, x, empty_target=value)
    assert float(dice_any.dice_score(np.zeros(2), np.zeros(2), empty=1e39)) == 1e39


LEAST = 2.0**-20


@pytest.mark.parametrize("convert", [dice_any.dice_to_jaccard, dice_any.jaccard_to_dice])
def test_a_rounding_error_is_no_mistake(convert: Any) -> None:
    above, below = 1 + LEAST, -LEAST
    assert convert(np.asarray([below, 0.0, 1.0, above])).tolist() == [0, 0, 1, 1]
    assert convert(above) == 1
    assert convert(below) == 0
    for value in (above * (1 + 2.0**-50), -LEAST * 1.5, 1 + 1.5 * LEAST):
        with pytest.raises(ValueError, match="must be"):
            convert(value)
        with pytest.raises(ValueError, match="must be"):
            convert(np.asarray([0.5, value]))


def test_f_is_dice_unless_asked() -> None:
    assert dice_any.f_score(counts(2, 1, 3, by_class=False)) == 4 / 8
    assert dice_any.f_score(counts(2, 1, 3, by_class=False), beta=2.0) == 10 / (10 + 12 + 1)


def test_the_cosine_of_memberships_is_that_of_vectors() -> None:
    x, y = np.array([0.6, 0.8, 0.0]), np.array([1.0, 0.0, 0.0])
    assert dice_any.cosine_score(x, y) == pytest.approx(0.6, rel=1e-12)
    # of plain sums: 0.6 / √(1.4 · 1)
    assert dice_any.cosine_score(x, y, form="product") == pytest.approx(0.6 / math.sqrt(1.4))
    assert dice_any.cosine_score(dice_any.overlap(x, y)) == pytest.approx(0.6 / math.sqrt(1.4))


OF_SETS = [
    dice_any.precision_score,
    dice_any.recall_score,
    dice_any.specificity_score,
    dice_any.f_score,
    dice_any.volume_similarity,
    dice_any.overlap_coefficient,
    lambda overlap: dice_any.tversky_score(overlap, alpha=0.5, beta=0.5),
]


@pytest.mark.parametrize("score", OF_SETS)
def test_squared_sums_are_no_sizes(score: Any) -> None:
    """Of x = 0.5 and y = 1 precision would be 2."""
    x, y = np.array([0.5]), np.array([1.0])
    with pytest.raises(ValueError, match="squared"):
        score(dice_any.overlap(x, y, form="squared"))


@pytest.mark.parametrize(
    ("arguments", "name"), [({"average": "macro"}, "average"), ({"classes": [0]}, "classes")]
)
def test_an_average_needs_classes(arguments: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be None without classes to choose from"):
        dice_any.dice_score(counts(1, 0, 1, by_class=False), **arguments)
