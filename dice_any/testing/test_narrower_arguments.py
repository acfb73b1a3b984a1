"""A float64 prediction beside narrower targets and weights, whose precision rounds nothing; and a
narrower prediction beside them.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

import dice_any

from . import every_loss, recipe
from .adapters import Adapter
from .every_loss import CALLS, loss, share, takes

pytestmark = [
    pytest.mark.dice_feature("loss", "activation", "averages", "closed form", "ranked"),
    pytest.mark.dice_feature("exact", "weight"),
]

SHAPE, ELEMENTS = (2, 3, 4, 5), (2, 4, 5)
#: dtypes of a target (None: a label map) and of a weight (None: no weight)
NARROW = (
    *(("float16", None), ("bfloat16", None), ("float32", None), ("float32", "float16")),
    *((None, "float16"), (None, "float32"), (None, "int32")),
)


def given(backend: Adapter, dtypes: tuple[str | None, str | None]) -> bool:
    return all(dtype is None or backend.has(dtype) for dtype in dtypes)


def weights(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return weights that the dtype holds, integers that float32 does not hold."""
    if dtype == "int32":
        return (2**25 + 1 + 2 * recipe.integers(21, shape, 2**20)).astype(dtype)
    return (recipe.memberships(23, shape, "float32") + 0.25).astype(dtype)


def wide(array: np.ndarray | None) -> np.ndarray | None:
    """Return the same numbers in float64."""
    return None if array is None else array.astype(np.float64)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_a_float64_copy_gives_the_same(dice_backend: Adapter, name: str, exact: bool) -> None:
    if exact and name == "lovasz_loss":
        pytest.skip("errors are sorted, not summed in integers")
    cases = [
        (activation, form, dtypes)
        for dtypes, form, activation in product(
            NARROW, ("product", "squared", "minimum"), (None, "softmax", "sigmoid")
        )
        if takes(name, activation)
        and given(dice_backend, dtypes)
        and (
            form == "product" or "form" in every_loss.options_for(name, {"form": form}, np.zeros(1))
        )
        and not (name == "lovasz_loss" and dtypes[0] is not None)
    ]
    for activation, form, (target, weight) in share(cases, name, dice_backend.name, 40):
        x = recipe.integers(11, SHAPE, 2**30) * 0.9 / 2**30 + 0.05
        if name == "wasserstein_dice_loss" and activation is None:
            x = x / x.sum(axis=1, keepdims=True)
        x = x if activation is None else 4 * x - 2
        if target is None:
            y, shape = recipe.labels(13, ELEMENTS, 3), ELEMENTS
        else:
            y = every_loss.cast(recipe.memberships(15, SHAPE, "float32"), target)
            shape = (2, 1, 4, 5)
        w = None if weight is None else weights(weight, shape)
        options = every_loss.options_for(name, {"form": form}, y)
        function = dice_any.value_and_grad(
            loss(name, activation=activation, exact=exact or None, **options)
        )
        narrow = dice_backend.call(function, x, y, weight=w)
        copies = dice_backend.call(function, x, y if target is None else wide(y), weight=wide(w))
        for got, right in zip(narrow, copies, strict=True):
            got, right = dice_backend.values(got), dice_backend.values(right)
            assert got == pytest.approx(right, rel=0, abs=1e-13 * abs(right).max()), (
                activation,
                form,
                target,
                weight,
            )


#: dtypes of a prediction, and how far it rounds its gradient
NARROW_PREDICTIONS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 1e-6}


@pytest.mark.parametrize("dtype", NARROW_PREDICTIONS)
@pytest.mark.parametrize("name", CALLS)
def test_a_narrow_prediction(dice_backend: Adapter, name: str, dtype: str) -> None:
    """The gradient is that of the same numbers in float64, rounded to the prediction's dtype."""
    if not dice_backend.has(dtype):
        pytest.skip(f"{dice_backend.name} has no {dtype}")
    cases = [
        (activation, form, target, weight)
        for activation, form, target, weight in product(
            (None, "softmax", "sigmoid"),
            ("minimum", "product", "squared"),
            ("float64", "float32", None),
            (None, "float64", "float32"),
        )
        if takes(name, activation)
        and (target, weight) not in (("float32", None), (None, None))
        and (
            form == "product" or "form" in every_loss.options_for(name, {"form": form}, np.zeros(1))
        )
        and not (name == "lovasz_loss" and target is not None)
    ]
    for activation, form, target, weight in share(cases, name, dice_backend.name, 40):
        x = recipe.integers(11, SHAPE, 2**30) * 0.3 / 2**30 + 0.02
        if name == "wasserstein_dice_loss" and activation is None:  # a rounding is no mistake here
            x = np.concatenate([x[:, :2], 1 - x[:, :1] - x[:, 1:2]], axis=1)
            x = np.round(x * 64) / 64
        x = every_loss.cast(x if activation is None else 12 * x - 2, dtype)
        if target is None:
            y, shape = recipe.labels(13, ELEMENTS, 3), ELEMENTS
        else:
            y = (recipe.memberships(15, SHAPE, "float64")).astype(target)
            shape = (2, 1, 4, 5)
        w = (
            None
            if weight is None
            else (recipe.memberships(23, shape, "float64") + 0.25).astype(weight)
        )
        options = every_loss.options_for(name, {"form": form}, y)
        function = dice_any.value_and_grad(loss(name, activation=activation, **options))
        value, gradient = dice_backend.call(function, x, y, weight=w)
        assert gradient.dtype == dice_backend(x).dtype
        right, slopes = dice_backend.call(function, x.astype(np.float64), y, weight=w)
        assert float(dice_backend.values(value)) == pytest.approx(
            float(dice_backend.values(right)), rel=1e-6
        )
        got, slopes = (dice_backend.values(a).astype(np.float64) for a in (gradient, slopes))
        rounded = NARROW_PREDICTIONS[dtype] * abs(slopes).max()
        assert got == pytest.approx(slopes, rel=0, abs=rounded), (activation, form, target, weight)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("exact", [False, True])
def test_what_cancels_is_not_rounded(dice_backend: Adapter, dtype: str, exact: bool) -> None:
    """Dice of one element: dL/dx = −2y/(x + y) + 2xy/(x + y)² = −2y²/(x + y)²."""
    if not dice_backend.has(dtype):
        pytest.skip(f"{dice_backend.name} has no {dtype}")
    x, y = 0.76, 3 * 2.0**-22
    expected = float(-2 * Fraction(y) ** 2 / (Fraction(x) + Fraction(y)) ** 2)
    options: dict[str, Any] = {"smooth": 0, "exact": exact or None}
    run = dice_any.value_and_grad(dice_any.dice_loss)
    arrays = np.array([x]), every_loss.cast(np.array([y]), dtype)
    _, gradient = dice_backend.call(run, *arrays, **options)
    assert float(dice_backend.values(gradient)[0]) == pytest.approx(expected, rel=1e-8)
