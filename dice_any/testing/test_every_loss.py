"""Tests of every loss: slopes, elements that are not counted, extreme values, and no reward for a
collapsed prediction.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest

import dice_any

from .. import losses
from . import every_loss, recipe
from .adapters import Adapter
from .every_loss import CALLS, COMPOUND, loss, share, takes

pytestmark = pytest.mark.dice_feature("loss", "activation", "averages", "closed form", "ranked")

CLASSES, SHAPE = 3, (2, 3, 4, 5)
ELEMENTS = (2, 4, 5)
TINY = {"float64": 1e-300, "float32": 1e-38}


def test_every_loss_is_here() -> None:
    """A new loss must have an entry in `CALLS`, so that every test here includes it."""
    assert list(CALLS) == sorted(CALLS, key=list(CALLS).index)
    assert set(CALLS) == set(losses.__all__)


def inputs(
    name: str, activation: str | None, dtype: str = "float64"
) -> tuple[np.ndarray, np.ndarray]:
    """Return memberships or logits with different distances from 0 and 1, and labels."""
    x = (np.argsort(recipe.integers(41, SHAPE, 2**30), axis=None).reshape(SHAPE) + 1.25) / 128
    if name == "wasserstein_dice_loss" and activation is None:
        x = x / x.sum(axis=1, keepdims=True)
    return (x if activation is None else 6 * x - 3).astype(dtype), recipe.labels(
        43, ELEMENTS, CLASSES
    )


def both(
    backend: Adapter, function: Any, *arrays: Any, **arguments: Any
) -> tuple[float, np.ndarray]:
    """Return the loss and its gradient; bound arrays are converted to the backend's too."""
    if isinstance(function, partial):
        function, arguments = function.func, {**function.keywords, **arguments}
    value, gradient = backend.call(dice_any.value_and_grad(function), *arrays, **arguments)
    return float(backend.values(value)), backend.values(gradient)


# -- slopes ----------------------------------------------------------------------------------------


@pytest.mark.dice_feature("exact")
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("activation", [None, "softmax", "sigmoid", "hinge"])
def test_slopes(dice_backend: Adapter, name: str, activation: str | None) -> None:
    """The closed form along a direction, against differences of the loss in float64."""
    if not takes(name, activation):
        pytest.skip("the loss does not take it")
    x, y = inputs(name, activation)
    step = 1e-6
    for options in share(every_loss.OPTIONS, name, dice_backend.name, 5):
        function = loss(name, activation=activation, **every_loss.options_for(name, options, y))
        value, gradient = both(dice_backend, function, x, y)
        assert value == pytest.approx(float(function(x, y)), rel=1e-12)
        for seed in (5, 6):
            direction = recipe.memberships(seed, x.shape, "float64") - 0.5
            if (
                name == "wasserstein_dice_loss" and activation is None
            ):  # they add up to 1 all the way
                direction = direction - direction.mean(axis=1, keepdims=True)
            ahead, behind = (float(function(x + s * direction, y)) for s in (step, -step))
            slope = (ahead - behind) / (2 * step)
            assert float((gradient * direction).sum()) == pytest.approx(slope, rel=1e-6, abs=1e-9)


# -- what takes no part ----------------------------------------------------------------------------


@pytest.mark.dice_feature("weight")
@pytest.mark.parametrize("way", ["ignored", "both ignored", "weighed 0"])
@pytest.mark.parametrize("name", CALLS)
def test_a_sample_in_which_nothing_takes_part_is_as_if_cropped(
    dice_backend: Adapter, name: str, way: str
) -> None:
    x, y = inputs(name, "softmax", "float32")
    x, y = np.concatenate([x[:1], x + 1, x[:1]]), np.concatenate([y[:1], y, y[:1]])
    kept = [0, 2, 3]
    x[1] = math.nan
    weight = np.ones(y.shape, dtype=np.float32)
    weight[3, 1] = 0.5
    weight[1] = 0
    arguments: dict[str, Any] = {"weight": weight}
    cropped = {"weight": weight[kept]}
    if way == "ignored":
        y[1] = 200
        arguments, cropped = {"ignore_label": 200}, {}
    elif way == "both ignored":
        y[1], y[1, :1] = 200, 201
        arguments, cropped = {"ignore_label": (200, 201)}, {}
    every = every_loss.REDUCTIONS if way == "ignored" else every_loss.REDUCTIONS[:1]
    for options in share(every, name, dice_backend.name):
        options = every_loss.options_for(name, options, y)
        function = loss(name, activation="softmax", axis="space", **options)
        got, gradient = both(dice_backend, function, x, y, **arguments)
        expected, slopes = both(dice_backend, function, x[kept], y[kept], **cropped)
        assert got == pytest.approx(expected, rel=2e-6)
        assert gradient[kept] == pytest.approx(slopes, rel=1e-5, abs=1e-8)
        assert (gradient[1] == 0).all()
    if name in COMPOUND:  # beside each is the entropy of all
        return
    function = loss(name, activation="softmax", axis="space", reduction="none", smooth=(0, 1))
    if name == "lovasz_loss":
        function = loss(name, activation="softmax", axis="space", reduction="none")
    each = dice_backend.values(dice_backend.call(function, x, y, **arguments))
    assert (each[1] == 0).all()
    assert each[kept] == pytest.approx(
        dice_backend.values(dice_backend.call(function, x[kept], y[kept], **cropped)), rel=2e-6
    )


@pytest.mark.dice_feature("weight")
@pytest.mark.parametrize("name", CALLS)
def test_nothing_left_costs_nothing(dice_backend: Adapter, name: str) -> None:
    x, _ = inputs(name, "softmax", "float32")
    y = np.full(ELEMENTS, 200)
    for options in share(every_loss.REDUCTIONS, name, dice_backend.name):
        function = loss(
            name, activation="softmax", ignore_label=200, **every_loss.options_for(name, options, y)
        )
        value, gradient = both(dice_backend, function, x * math.nan, y)
        assert value == 0
        assert (gradient == 0).all()


@pytest.mark.dice_feature("weight")
@pytest.mark.parametrize("name", [name for name in CALLS if name not in COMPOUND])
def test_a_class_of_a_sample_in_which_nothing_takes_part_leaves_the_mean(
    dice_backend: Adapter, name: str
) -> None:
    if name in ("generalized_dice_loss", "wasserstein_dice_loss"):
        pytest.skip("one number over the classes")
    x, y = inputs(name, "softmax", "float32")
    masks = np.stack([y == c for c in range(CLASSES)], axis=1)
    weight = np.ones(SHAPE, dtype=np.float32)
    weight[1, 2] = 0
    common = {"activation": "softmax", "axis": "space", "weight": weight}
    each = dice_backend.values(dice_backend.call(loss(name, reduction="none"), x, masks, **common))
    assert each[1, 2] == 0
    assert (each.ravel()[:5] > 0).all()
    value = dice_backend.values(dice_backend.call(loss(name), x, masks, **common))
    assert float(value) == pytest.approx(each.sum() / 5, rel=1e-6)
    value = dice_backend.values(
        dice_backend.call(loss(name, class_weight=[1, 2, 4]), x, masks, **common)
    )
    assert float(value) == pytest.approx((each * [1, 2, 4]).sum() / (7 + 3), rel=1e-6)


@pytest.mark.dice_feature("exact", "weight")
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_a_single_element_without_axes(dice_backend: Adapter, name: str, exact: bool) -> None:
    """Its target has no axes, and is what an array of one element is."""
    if name == "centerline_dice_loss":
        pytest.skip("it has neighbours along two axes")
    if exact and name == "lovasz_loss":
        pytest.skip("errors are sorted, not summed in integers")
    x, y = inputs(name, "softmax")
    x, y = x[0, :, 1, 2], y[0, 1, 2]
    other = (int(y) + 1) % CLASSES
    cases: list[dict[str, Any]] = [
        {},
        {"ignore_label": other},
        {"ignore_label": (other, 200)},
        {"ignore_label": (int(y), 200)},
        {"weight": 0.5, "ignore_label": (other, 200)},
        {"weight": True, "ignore_label": (200, 201)},
        {"regions": [(0, 1), 2], "ignore_label": (other, 200)},
        {"regions": [(0, 1), 2, 1], "ignore_label": 200, "activation": "sigmoid"},
    ]
    for options in share(cases, name, dice_backend.name, 7):
        if name == "wasserstein_dice_loss" and "regions" in options:
            continue
        weight = options.get("weight")
        given = {"activation": "softmax", **options, "exact": exact or None}
        alone, one = given, given
        if weight is not None:
            alone, one = (given | {"weight": np.full(shape, weight)} for shape in ((), (1,)))
        function = loss(name, class_axis=0)
        value, gradient = both(dice_backend, function, x, np.array(y), **alone)
        right, slopes = both(dice_backend, function, x[:, None], y[None], **one)
        assert value == pytest.approx(right, rel=1e-12)
        assert gradient == pytest.approx(slopes[:, 0], rel=1e-12, abs=1e-15)
        got = dice_backend.call(function.func, x, np.array(y), **function.keywords, **alone)
        assert float(dice_backend.values(got)) == pytest.approx(right, rel=1e-12)


# -- weights of classes ----------------------------------------------------------------------------


@pytest.mark.dice_feature("weight")
@pytest.mark.parametrize("dtype", TINY)
@pytest.mark.parametrize("activation", ["softmax", "sigmoid", None])
@pytest.mark.parametrize("name", CALLS)
def test_a_weight_of_almost_nothing_is_a_weight_of_nothing(
    dice_backend: Adapter, name: str, activation: str | None, dtype: str
) -> None:
    """The weight weighs terms, and does not change the memberships of other classes."""
    if not takes(name, activation) or not dice_backend.has(dtype):
        pytest.skip("not taken")
    if name == "centerline_dice_loss":
        pytest.skip(
            "what weighs nothing is outside of both sets, and the edge of what weighs little"
        )
    x, y = inputs(name, activation, dtype)
    masks = np.stack([y == c for c in range(CLASSES)], axis=1)
    apart = recipe.integers(51, SHAPE, 3) > 0
    apart[:, :, 0, 0], apart[0, :, 1, 1] = (
        True,
        False,
    )  # each class counts somewhere; an element in none
    results = []
    for tiny in (TINY[dtype], 0.0):
        weight = np.where(apart, 1.0, tiny).astype(dtype)
        weight[0, :, 1, 1] = 0
        results.append(
            both(dice_backend, loss(name, activation=activation, weight=weight), x, masks)
        )
    precision = 1e-6 if dtype == "float32" else 1e-12
    assert results[0][0] == pytest.approx(results[1][0], rel=precision)
    assert results[0][1] == pytest.approx(results[1][1], rel=precision * 100, abs=precision)


@pytest.mark.dice_feature("weight")
@pytest.mark.parametrize("activation", ["softmax", "argmax"])
@pytest.mark.parametrize("exact", [None, False])
def test_scores_with_weights_of_classes(
    dice_backend: Adapter, activation: str, exact: bool | None
) -> None:
    x, y = inputs("", activation, "float32")
    masks = np.stack([y == c for c in range(CLASSES)], axis=1)
    apart = recipe.integers(53, SHAPE, 3) > 0
    apart[:, :, 0, 0] = True
    arguments = {"class_axis": 1, "activation": activation, "exact": exact}
    scores = [
        dice_backend.values(
            dice_backend.call(dice_any.dice_score, x, masks, weight=weight, **arguments)
        )
        for weight in (
            apart,
            apart.astype(np.float32),
            np.where(apart, 1, 1e-38).astype(np.float32),
        )
    ]
    assert scores[1] == pytest.approx(scores[0], rel=1e-6)
    assert scores[2] == pytest.approx(scores[0], rel=1e-6)


@pytest.mark.dice_feature("weight")
def test_entropy_with_a_weight_of_almost_nothing(dice_backend: Adapter) -> None:
    """−ln of e⁵ / (e⁵ + e¹⁰⁰) is 95, for any weight of the other class."""
    z, t = np.array([[5.0], [100.0]], dtype=np.float32), np.array([[True], [False]])
    for w in (1.0, 1e-38, 0.0):
        weight = np.array([[1.0], [w]], dtype=np.float32)
        arguments = {"class_axis": 0, "activation": "softmax", "dice_weight": 0, "weight": weight}
        got = dice_backend.call(dice_any.dice_cross_entropy_loss, z, t, **arguments)
        assert float(dice_backend.values(got)) == pytest.approx(95, rel=1e-6)


@pytest.mark.dice_feature("weight")
@pytest.mark.parametrize("name", CALLS)
def test_a_nan_harms_what_takes_part_only(dice_backend: Adapter, name: str) -> None:
    x, y = inputs(name, "softmax", "float32")
    masks = np.stack([y == c for c in range(CLASSES)], axis=1)
    weight = np.ones(SHAPE, dtype=np.float32)
    weight[0, :, 1, 2] = 0
    x[0, 1, 1, 2] = math.nan
    function = loss(name, activation="softmax", weight=weight)
    value, gradient = both(dice_backend, function, x, masks)
    clean, slopes = both(dice_backend, function, np.nan_to_num(x), masks)
    assert value == clean
    assert (gradient == slopes).all()
    assert (gradient[0, :, 1, 2] == 0).all()
    weight[0, 0, 1, 2] = 1  # now the element takes part, and has no softmax
    try:
        value = dice_backend.values(
            dice_backend.call(loss(name, activation="softmax"), x, masks, weight=weight)
        )
    except ValueError as error:
        assert "`prediction` must hold logits that are numbers" in str(error)  # noqa: PT017
    else:
        assert np.isnan(value)
