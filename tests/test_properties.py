"""Properties that hold for any input, and some that must not hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import dice_any
from dice_any import dice_score, jaccard_score, overlap

settings.register_profile("steady", derandomize=True, deadline=None, max_examples=80)
settings.load_profile("steady")

FORMS = ["product", "squared", "minimum"]
SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 6))
memberships = SHAPES.flatmap(
    lambda shape: st.tuples(
        *(arrays(np.float32, shape, elements=st.floats(0, 1, width=32)) for _ in range(2))
    )
)
masks = SHAPES.flatmap(lambda shape: st.tuples(*(arrays(np.bool_, shape) for _ in range(2))))
maps = SHAPES.flatmap(
    lambda shape: st.tuples(
        *(arrays(np.uint8, shape, elements=st.integers(0, 3)) for _ in range(2))
    )
)


def sums(*arguments, **keywords) -> list:
    return overlap(*arguments, **keywords).to_dict()["sums"]


@given(memberships, st.sampled_from(FORMS))
def test_scores_are_symmetric_and_between_0_and_1(pair, form) -> None:
    x, y = pair
    for score in (dice_score, jaccard_score):
        value = score(x, y, form=form, empty=0.0)
        assert value == score(y, x, form=form, empty=0.0)
        assert 0 <= value <= 1 + 1e-15


@given(memberships, st.sampled_from(FORMS))
def test_dice_follows_from_jaccard(pair, form) -> None:
    j = jaccard_score(*pair, form=form)
    assume(not np.isnan(j))
    assert dice_score(*pair, form=form) == pytest.approx(
        float(dice_any.jaccard_to_dice(j)), abs=1e-14
    )
    assert dice_any.dice_to_jaccard(dice_any.jaccard_to_dice(j)) == pytest.approx(
        float(j), abs=1e-14
    )


@given(masks)
def test_tversky_family(pair) -> None:
    x, y = pair
    counts = overlap(x, y)

    def tversky(alpha: float, beta: float) -> float:
        return float(dice_any.tversky_score(counts, alpha=alpha, beta=beta))

    for alpha, beta, score in (
        (0.5, 0.5, dice_score),
        (1, 1, jaccard_score),
        (1, 0, dice_any.precision_score),
        (0, 1, dice_any.recall_score),
    ):
        assert tversky(alpha, beta) == pytest.approx(float(score(counts)), abs=1e-15, nan_ok=True)
    for beta in (0.5, 2):
        square = beta**2
        expected = tversky(1 / (1 + square), square / (1 + square))
        assert float(dice_any.f_score(counts, beta=beta)) == pytest.approx(
            expected, abs=1e-14, nan_ok=True
        )


@given(memberships)
def test_minimum_form_is_ruzicka_and_bray_curtis(pair) -> None:
    x, y = (a.astype(np.float64) for a in pair)
    assume(x.sum() + y.sum() > 2.0**-40)  # sums below 2**-62 are 0
    assert jaccard_score(x, y, form="minimum") == pytest.approx(
        np.minimum(x, y).sum() / np.maximum(x, y).sum(), abs=1e-12
    )
    bray_curtis = np.abs(x - y).sum() / (x + y).sum()
    assert dice_score(x, y, form="minimum") == pytest.approx(1 - bray_curtis, abs=1e-12)


@given(memberships, st.sampled_from(["squared", "minimum"]))
def test_equality_is_best(pair, form) -> None:
    x, _ = pair
    assume((x.astype(np.float64) ** 2).sum() > 1e-12)
    assert dice_score(x, x, form=form) == 1


def test_equality_is_not_best_in_the_product_form() -> None:
    """A negative control: a soft set is less similar to itself than to a harder one."""
    x = np.array([0.5, 0.5, 0.0])
    assert dice_score(x, x) < dice_score(np.array([1.0, 1.0, 0.0]), x)


@given(
    SHAPES.flatmap(
        lambda s: st.tuples(
            *(arrays(np.float32, s, elements=st.floats(0, 1, width=32)) for _ in "xyz")
        )
    )
)
def test_triangle_inequality_of_the_jaccard_distance(triple) -> None:
    x, y, z = triple

    def distance(a, b) -> float:
        return 1 - float(jaccard_score(a, b, form="minimum", empty=1.0))

    assert distance(x, z) <= distance(x, y) + distance(y, z) + 1e-12


def test_no_triangle_inequality_for_dice() -> None:
    x, y, z = (np.array(v, dtype=bool) for v in ([1, 0], [1, 1], [0, 1]))
    assert 1 - dice_score(x, z) > (1 - dice_score(x, y)) + (1 - dice_score(y, z))


@given(memberships, st.sampled_from(FORMS), st.randoms(use_true_random=False))
def test_order_layout_and_padding_change_no_bit(pair, form, random) -> None:
    x, y = pair
    expected = sums(x, y, form=form)
    order = list(range(x.shape[0]))
    random.shuffle(order)
    assert sums(x[order], y[order], form=form) == expected
    assert sums(x.T, np.ascontiguousarray(y.T), form=form) == expected
    assert sums(np.pad(x, 2), np.pad(y, 2), form=form)[:3] == expected[:3]


@given(memberships, st.sampled_from(FORMS))
def test_parts_add_up_to_the_whole(pair, form) -> None:
    x, y = pair
    rows = sum(overlap(x[i], y[i], form=form) for i in range(len(x)))
    assert rows.to_dict()["sums"] == sums(x, y, form=form)
    assert overlap(x, y, axis=1, form=form).sum(axis=0).to_dict()["sums"] == sums(x, y, form=form)


@given(memberships, st.sampled_from(FORMS))
def test_weight_two_is_the_element_twice(pair, form) -> None:
    x, y = pair
    twice = sums(np.concatenate([x, x]), np.concatenate([y, y]), form=form)
    weighted = sums(x, y, form=form, weight=np.full((1, 1), 2.0))
    units = [
        [limb[0] * 2**62 + limb[1] * 2**31 + limb[2] for limb in side] for side in (twice, weighted)
    ]
    # a term is rounded down once instead of twice
    assert all(0 <= b - a <= x.size for a, b in zip(*units, strict=True))


@given(maps)
def test_swapping_exchanges_errors(pair) -> None:
    counts, swapped = overlap(*pair, num_classes=4), overlap(*pair[::-1], num_classes=4)
    assert counts.fp.tolist() == swapped.fn.tolist()
    assert counts.tp.tolist() == swapped.tp.tolist()


@given(maps)
def test_label_maps_are_their_masks(pair) -> None:
    x, y = pair
    classes = np.arange(4)[:, None, None]
    one_hot = sums(x == classes, y == classes, class_axis=0)
    assert sums(x, y, num_classes=4) == one_hot
    assert sums(x == classes, y, class_axis=0) == one_hot


@given(maps)
def test_relabelling_permutes_the_counts(pair) -> None:
    x, y = pair
    new = np.array([2, 0, 3, 1], dtype=np.uint8)
    assert (
        overlap(new[x], new[y], num_classes=4).tp[new].tolist()
        == overlap(x, y, num_classes=4).tp.tolist()
    )


@given(masks)
def test_hard_is_soft_on_zeros_and_ones(pair) -> None:
    x, y = pair
    hard = overlap(x, y)
    for form in FORMS:
        soft = overlap(x.astype(np.float32), y.astype(np.float64), form=form)
        assert (hard + soft).to_dict()["sums"] == (soft + soft).to_dict()["sums"]


@given(maps)
def test_micro_dice_over_all_classes_is_accuracy(pair) -> None:
    counts = overlap(*pair, num_classes=4)
    assert dice_score(counts, average="micro") == pytest.approx(
        float(dice_any.accuracy_score(counts)), abs=1e-15
    )


@given(memberships, st.sampled_from([0.25, 0.5]))
def test_scale_of_both_sets_does_not_matter(pair, scale) -> None:
    x, y = (a.astype(np.float64) for a in pair)
    assume(x.max() > 1e-3 and y.max() > 1e-3)
    expected = float(dice_score(x, y, form="minimum"))
    assert dice_score(x * scale, y * scale, form="minimum") == pytest.approx(expected, abs=1e-12)


def test_duplication_changes_a_smoothed_loss() -> None:
    """A negative control: smoothing is not scale-free."""
    x, y = np.array([0.5, 1.0]), np.array([True, False])
    twice = dice_any.dice_loss(np.tile(x, 2), np.tile(y, 2))
    assert dice_any.dice_loss(x, y) != twice
    assert dice_any.dice_loss(x, y, smooth=0) == dice_any.dice_loss(
        np.tile(x, 2), np.tile(y, 2), smooth=0
    )
