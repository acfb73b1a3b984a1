"""Values that are not memberships or labels: an error at once, or NaN; never a plausible number."""

from __future__ import annotations

import math

import numpy as np
import pytest

import dice_any

from . import recipe
from .adapters import Adapter
from .capabilities import limit

CASES = {
    "NaN": ([0.5, math.nan], [1.0, 0.0], {}, "`prediction` must hold memberships"),
    "above 1": ([0.5, 0.5], [1.0, 1.5], {}, "`target` must hold memberships"),
    "below 0": ([-0.1, 0.5], [1.0, 0.0], {}, "`prediction` must hold memberships"),
    "infinite": ([0.5, math.inf], [1.0, 0.0], {}, "`prediction` must hold memberships"),
}


def outcome(backend: Adapter, message: str, *arrays: np.ndarray, **arguments: object) -> None:
    """Check that the call raises, or that the score of the class concerned is NaN."""
    if limit(backend.name, "errors") is None:
        with pytest.raises(ValueError, match=message):
            backend.call(dice_any.dice_score, *arrays, **arguments)
    else:
        score = backend.values(backend.call(dice_any.dice_score, *arrays, **arguments))
        assert np.isnan(score).any()


@pytest.mark.dice_feature("exact")
@pytest.mark.parametrize("name", CASES)
def test_memberships(dice_backend: Adapter, name: str) -> None:
    x, y, arguments, message = CASES[name]
    outcome(
        dice_backend,
        message,
        np.array(x, dtype=np.float32),
        np.array(y, dtype=np.float32),
        **arguments,
    )


@pytest.mark.dice_feature("hard")
@pytest.mark.parametrize("classes", [3, 65])
@pytest.mark.parametrize(
    ("position", "outside"),
    [("target", "above"), ("target", "below"), ("prediction", "above"), ("prediction", "below")],
)
def test_labels_of_two_maps(
    dice_backend: Adapter, position: str, outside: str, classes: int
) -> None:
    x, y = recipe.labels(1, 20, 3), recipe.labels(2, 20, 3)
    (y if position == "target" else x)[4] = -7 if outside == "below" else classes
    message = f"`{position}` must hold labels from 0 to {classes - 1}; got 1 outside"
    outcome(dice_backend, message, x, y, num_classes=classes)


@pytest.mark.dice_feature("exact")
def test_label_beside_memberships(dice_backend: Adapter) -> None:
    x, y = recipe.memberships(3, (3, 20)), recipe.labels(5, 20, 3)
    y[7] = 9
    outcome(dice_backend, "`target` must hold labels from 0 to 2", x, y, class_axis=0)


@pytest.mark.dice_feature("exact", "weight")
@pytest.mark.parametrize("bad", [-1.0, math.nan, 2.0**31])
def test_weights(dice_backend: Adapter, bad: float) -> None:
    x, y, weight = recipe.memberships(6, 9), recipe.masks(8, 9), np.ones(9)
    weight[3] = bad
    outcome(dice_backend, "`weight` must be non-negative and below", x, y, weight=weight)


@pytest.mark.dice_feature("exact", "weight")
def test_too_much_weight(dice_backend: Adapter) -> None:
    x, y = recipe.masks(8, 9), recipe.masks(9, 9)
    for weight in (np.full(9, 2.0**30), np.full(9, 2**30)):
        outcome(dice_backend, "`weight` must add up to less than", x, y, weight=weight)


@pytest.mark.dice_feature("exact", "activation")
@pytest.mark.parametrize("activation", ["sigmoid", "softmax", "argmax"])
def test_logits(dice_backend: Adapter, activation: str) -> None:
    x, y = recipe.memberships(10, (3, 20)), recipe.labels(12, 20, 3)
    x[1, 4] = math.nan
    message = (
        "`prediction` must hold (logits|scores) that are numbers.*; got 1 elements with others"
    )
    outcome(dice_backend, message, x, y, class_axis=0, activation=activation)


@pytest.mark.dice_feature("exact")
def test_invalid_survives_merging(dice_backend: Adapter) -> None:
    if limit(dice_backend.name, "errors") is None:
        pytest.skip("the error comes first")
    x, y = np.array([0.5, math.nan]), np.array([1.0, 0.0])
    bad = dice_backend.call(dice_any.overlap, x, y)
    good = dice_backend.call(dice_any.overlap, y, y)
    assert np.isnan(dice_backend.values(dice_any.jaccard_score(good + bad))).all()
