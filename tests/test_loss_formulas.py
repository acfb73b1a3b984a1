"""Losses where other tests do not look: default arguments, pairs of smoothing terms, and gradients
where nothing is counted. Expected numbers are the formulas, written out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.testing import every_loss, recipe

PREDICTION = recipe.memberships(1, (2, 3, 4, 5), "float64") + 0.1  # none is 0 or 1
PREDICTION /= PREDICTION.sum(axis=1, keepdims=True)
TARGET = recipe.labels(3, (2, 4, 5), 3)
#: (target, prediction): symmetric on purpose in nothing
DISTANCES = [[0, 1, 0.5], [1, 0, 0.25], [0.5, 0.25, 0]]


def sums(c: int) -> tuple[float, float, float]:
    x, y = PREDICTION[:, c], c == TARGET
    return math.fsum(x[y]), math.fsum(x.ravel()), float(y.sum())


def tversky(i: float, x: float, y: float, a: float, b: float) -> float:
    return (i + a) / (i + 0.3 * (x - i) + 0.8 * (y - i) + b)


RATIOS: dict[str, tuple[Callable[..., float], Callable[[float], float]]] = {
    "dice_loss": (lambda i, x, y, a, b: (2 * i + a) / (x + y + b), lambda r: 1 - r),
    "jaccard_loss": (lambda i, x, y, a, b: (i + a) / (x + y - i + b), lambda r: 1 - r),
    "tversky_loss": (tversky, lambda r: 1 - r),
    "focal_tversky_loss": (tversky, lambda r: (1 - r) ** 0.75),
    "log_dice_loss": (lambda i, x, y, a, b: (2 * i + a) / (x + y + b), lambda r: -math.log(r)),
    "log_cosh_dice_loss": (
        lambda i, x, y, a, b: (2 * i + a) / (x + y + b),
        lambda r: math.log(math.cosh(1 - r)),
    ),
}


@pytest.mark.parametrize("name", RATIOS)
@pytest.mark.parametrize("smooth", [(0.5, 0.25), (0, 3.0), 1.0])
def test_pairs_of_smoothing_terms_and_default_powers(name: str, smooth: Any) -> None:
    ratio, outer = RATIOS[name]
    above, below = smooth if isinstance(smooth, tuple) else (smooth, smooth)
    right = [outer(ratio(*sums(c), above, below)) for c in range(3)]
    got = every_loss.loss(name, smooth=smooth, reduction="none")(PREDICTION, TARGET)
    assert got.tolist() == pytest.approx(right, rel=1e-12)
    default = every_loss.loss(name, reduction="none")(PREDICTION, TARGET)
    right = [outer(ratio(*sums(c), 1.0, 1.0)) for c in range(3)]
    assert default.tolist() == pytest.approx(right, rel=1e-12)


def test_log_cosh_of_disjoint_sets() -> None:
    """R = 0 is the end of the range, where the other way of computing ln cosh begins."""
    x, y = np.array([1.0, 0.0, 0.0]), np.array([False, True, False])
    value, gradient = dice_any.value_and_grad(dice_any.log_cosh_dice_loss)(x, y, smooth=0)
    assert value == pytest.approx(math.log(math.cosh(1)), rel=1e-15)
    # dR/dp = 2·y/(X + Y) − R/(X + Y), with X + Y = 2
    assert gradient.tolist() == pytest.approx([0, -math.tanh(1), 0], rel=1e-15)


def test_the_ends_of_smoothing_powers_and_iterations() -> None:
    for smooth in ((-1, 1), (1, -1), (0, math.inf), (1, 1, 1)):
        with pytest.raises(ValueError, match="`smooth` must be"):
            dice_any.dice_loss(PREDICTION, TARGET, class_axis=1, smooth=smooth)
    tversky_arguments = {"alpha": 0.3, "beta": 0.8, "class_axis": 1}
    with pytest.raises(ValueError, match="`gamma` must be above 0; got 0"):
        dice_any.focal_tversky_loss(PREDICTION, TARGET, gamma=0, **tversky_arguments)
    one, right = (
        function(PREDICTION, TARGET, **tversky_arguments)
        for function in (partial(dice_any.focal_tversky_loss, gamma=1), dice_any.tversky_loss)
    )
    assert one == pytest.approx(float(right), rel=1e-14)

    def drawn(**arguments: Any) -> float:
        return float(dice_any.centerline_dice_loss(wide, wide > 0.6, axis="space", **arguments))

    wide = recipe.memberships(5, (1, 20, 20), "float64")
    depths = [drawn(iterations=n) for n in range(6)]
    assert drawn() == depths[3]
    assert len(set(depths[:5])) == 5  # each erosion counts
    assert drawn(iterations=10_000) == drawn(iterations=100)
    with pytest.raises(ValueError, match=r"`iterations` must be .*; got 10001"):
        drawn(iterations=10_001)
    with pytest.raises(ValueError, match="`iterations` must be .*; got -1"):
        drawn(iterations=-1)
    assert drawn(spatial_axes=(1, 2)) == drawn()  # the summed axes themselves


def agreement_and_distance(
    weights: list[float], smooth: tuple[float, float], taken: np.ndarray
) -> float:
    """Return the generalized Wasserstein Dice loss of the elements taken, by its definition."""
    far = np.einsum("yc,ncij->nyij", np.array(DISTANCES), PREDICTION)
    distance = sum(far[:, c][(c == TARGET) & taken].sum() for c in range(3))
    agreement = sum(w * (1 - far[:, c])[(c == TARGET) & taken].sum() for c, w in enumerate(weights))
    ratio = (2 * agreement + smooth[0]) / (2 * agreement + distance + smooth[1])
    return float(1 - ratio)


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5]])
@pytest.mark.parametrize("axis", [None, "space"])
def test_wasserstein(weights: list[float] | None, axis: str | None) -> None:
    smooth = (0.5, 0.25)
    loss = every_loss.loss(
        "wasserstein_dice_loss",
        distances=DISTANCES,
        smooth=smooth,
        class_weight=weights,
        axis=axis,
        reduction="sum",
    )
    given = [0.0, 1.0, 1.0] if weights is None else weights
    everything = np.ones(TARGET.shape, dtype=bool)
    samples = (
        [everything] if axis is None else [everything * [[[n == 0]], [[n == 1]]] for n in (0, 1)]
    )
    right = [agreement_and_distance(given, smooth, taken) for taken in samples]
    value, gradient = dice_any.value_and_grad(loss)(PREDICTION, TARGET)
    assert value == pytest.approx(sum(right), rel=1e-12)
    step = 1e-6 * (recipe.memberships(7, PREDICTION.shape, "float64") - 0.5)
    step -= step.mean(axis=1, keepdims=True)  # memberships still add up to 1
    moved = [float(loss(PREDICTION + sign * step, TARGET)) for sign in (1, -1)]
    assert (gradient * step).sum() == pytest.approx((moved[0] - moved[1]) / 2, rel=1e-5)


def test_distances_are_finite() -> None:
    for number in (math.inf, -1.0, math.nan):
        far = [[0, number], [1, 0]]
        with pytest.raises(ValueError, match="`distances` must be finite and not negative"):
            dice_any.wasserstein_dice_loss(
                PREDICTION[:, :2], TARGET % 2, class_axis=1, distances=far
            )


@pytest.mark.parametrize("name", every_loss.CALLS)
@pytest.mark.parametrize("activation", [None, "softmax"])
def test_what_is_not_counted_has_no_gradient(name: str, activation: str | None) -> None:
    """Nothing takes part, or both sets are empty without smoothing."""
    if not every_loss.takes(name, activation):
        pytest.skip("not taken")
    options = {} if name == "lovasz_loss" else {"smooth": 0}
    for axis in ("space",) if name == "centerline_dice_loss" else (None, "space"):
        loss = every_loss.loss(name, activation=activation, axis=axis, **options)
        value, gradient = dice_any.value_and_grad(loss)(
            PREDICTION, TARGET, weight=np.zeros(TARGET.shape)
        )
        assert (value, abs(gradient).max()) == (0, 0)
    if activation is None:
        nothing = np.zeros((2, 4, 5))
        one = every_loss.loss(name, class_axis=None, axis="space", **options)
        if name in ("generalized_dice_loss", "wasserstein_dice_loss"):
            return  # these need classes
        value, gradient = dice_any.value_and_grad(one)(nothing, nothing > 0)
        assert value == 0
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("class_axis", [0, 1, 2])
def test_pooled_ranks_are_those_of_one_set(class_axis: int) -> None:
    """The pooled Lovász loss ranks the elements of all classes as those of one set."""
    x = np.moveaxis(PREDICTION, 1, class_axis)
    own = np.moveaxis(np.stack([c == TARGET for c in range(3)], axis=1), 1, class_axis)
    pooled = dice_any.value_and_grad(dice_any.lovasz_loss)
    value, gradient = pooled(x, TARGET, class_axis=class_axis, average="micro")
    right, slope = pooled(x, own)
    assert value == pytest.approx(float(right), rel=1e-12)
    assert gradient == pytest.approx(slope, rel=1e-12)


def test_a_perfect_background_weighs_nothing() -> None:
    """By default class 0 has no weight in the Wasserstein loss: 0 / 0 counts as perfect."""
    x = np.stack([np.ones((2, 4, 5)), *np.zeros((2, 2, 4, 5))], axis=1)
    loss = every_loss.loss("wasserstein_dice_loss", distances=DISTANCES, smooth=0)
    value, gradient = dice_any.value_and_grad(loss)(x, np.zeros((2, 4, 5), dtype=int))
    assert value == 0
    assert not gradient.any()


def test_an_empty_prediction_is_drawn_to_the_centre_line() -> None:
    """A line of three is its own skeleton, of which an empty prediction reaches nothing: precision
    is 1, sensitivity S = 0, and the loss 1 − 2·S / (1 + S) has the slope −2 in S.
    """
    y = np.zeros((1, 5, 5), dtype=bool)
    y[0, 2, 1:4] = True
    loss = every_loss.loss("centerline_dice_loss", class_axis=None, axis="space", smooth=0)
    value, gradient = dice_any.value_and_grad(loss)(np.zeros(y.shape), y)
    assert value == 1
    assert gradient == pytest.approx(np.where(y, -2 / 3, 0), rel=1e-15)


@pytest.mark.parametrize("name", ["dice_loss", "generalized_dice_loss", "matthews_loss"])
def test_overlaps_by_class_of_any_number_of_axes(name: str) -> None:
    """The classes of an overlap are its last axis; those that are chosen count."""
    function = getattr(dice_any, name)
    for axis in (None, "space", 3):
        counts = dice_any.overlap(PREDICTION, TARGET, class_axis=1, axis=axis, exact=False)
        for classes in ([2], "foreground", [1, 1, 0]):
            got = function(counts, classes=classes)
            right = every_loss.loss(name, axis=axis, classes=classes)(PREDICTION, TARGET)
            assert got == pytest.approx(float(right), rel=1e-12)
        with pytest.raises(
            ValueError, match="`classes` must name one or more of the classes 0 to 2"
        ):
            function(counts, classes=[3])


def test_a_class_that_is_named_twice_counts_twice() -> None:
    once, twice = (
        dice_any.value_and_grad(every_loss.loss("dice_loss", classes=classes, reduction="sum"))(
            PREDICTION, TARGET
        )
        for classes in ([2], [2, 2])
    )
    assert twice[0] == 2 * once[0]
    assert twice[1] == pytest.approx(2 * once[1], rel=1e-14)


def test_pooled_classes_and_a_loss_for_each_sample() -> None:
    """A compound loss without a reduction has one number for each sample, pooled or not."""
    loss = every_loss.loss(
        "dice_cross_entropy_loss",
        activation="softmax",
        axis="space",
        average="micro",
        reduction="none",
        cross_entropy_weight=0,
    )
    got = loss(np.log(PREDICTION), TARGET)
    both = [[sum(part) for part in zip(*sums_of_sample(n), strict=True)] for n in (0, 1)]
    assert got.tolist() == pytest.approx(
        [1 - (2 * i + 1) / (x + y + 1) for i, x, y in both], rel=1e-7
    )


def sums_of_sample(n: int) -> list[tuple[float, float, float]]:
    x, y = PREDICTION[n], TARGET[n]
    return [(x[c][y == c].sum(), x[c].sum(), float((y == c).sum())) for c in range(3)]


def test_a_loss_that_ranks_names_the_type_of_the_prediction() -> None:
    with pytest.raises(TypeError, match="`prediction` must be floating in this loss, .*; got bool"):
        dice_any.lovasz_loss(np.eye(2, dtype=bool), np.array([0, 1]), class_axis=0)


def test_skeletons_are_drawn_of_whole_images() -> None:
    """Neighbours across the tiles in which other losses are computed count too: in an image and in
    its transpose other elements are far apart in memory.
    """
    x = recipe.memberships(11, (1, 560, 500), "float64")
    y = x > 0.7
    loss = every_loss.loss("centerline_dice_loss", class_axis=None, axis="space")
    turned = [np.ascontiguousarray(array.swapaxes(1, 2)) for array in (x, y)]
    assert loss(x, y) == pytest.approx(float(loss(*turned)), rel=1e-12)
    gradient, turned_gradient = (
        dice_any.value_and_grad(loss)(*pair)[1] for pair in ((x, y), turned)
    )
    assert gradient == pytest.approx(turned_gradient.swapaxes(1, 2), rel=1e-12)
