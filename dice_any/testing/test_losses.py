"""Losses: plain sums are within 1e-6 of the exact ones, for all options."""

from __future__ import annotations

import math

import numpy as np
import pytest

import dice_any

from . import every_loss, recipe
from .adapters import Adapter
from .capabilities import SMALL, limit
from .every_loss import CALLS, takes

pytestmark = pytest.mark.dice_feature("loss")


def sums(x: np.ndarray, y: np.ndarray, w: np.ndarray | float = 1.0) -> tuple[float, float, float]:
    x, y = x.astype(np.float64), y.astype(np.float64)
    return tuple(math.fsum(np.ravel(v * w)) for v in (x * y, x, y))  # type: ignore[return-value]


FORMULAS = {
    "dice": (dice_any.dice_loss, {}, lambda i, x, y, s: 1 - (2 * i + s) / (x + y + s)),
    "jaccard": (dice_any.jaccard_loss, {}, lambda i, x, y, s: 1 - (i + s) / (x + y - i + s)),
    "Tversky": (
        dice_any.tversky_loss,
        {"alpha": 0.2, "beta": 0.9},
        lambda i, x, y, s: 1 - (i + s) / (i + 0.2 * (x - i) + 0.9 * (y - i) + s),
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("smooth", [0, 1.0, 1e-5])
def test_formula(dice_backend: Adapter, name: str, smooth: float) -> None:
    function, arguments, formula = FORMULAS[name]
    x, y = recipe.memberships(1, (2, 3, 30)), recipe.labels(3, (2, 30), 2)  # class 2 is absent
    expected = np.array(
        [[formula(*sums(x[n, c], y[n] == c), smooth) for c in range(3)] for n in range(2)]
    )
    keywords = {"class_axis": 1, "axis": 2, "smooth": smooth, **arguments}
    got = dice_backend.values(dice_backend.call(function, x, y, reduction="none", **keywords))
    assert got == pytest.approx(expected, rel=1e-6)
    mean = float(dice_backend.values(dice_backend.call(function, x, y, **keywords)))
    assert mean == pytest.approx(expected.mean(), rel=1e-6)


def test_empty_pair_without_smoothing_costs_nothing(dice_backend: Adapter) -> None:
    nothing = np.zeros(5, dtype=np.float32)
    assert (
        float(
            dice_backend.values(dice_backend.call(dice_any.dice_loss, nothing, nothing, smooth=0))
        )
        == 0.0
    )


# without smoothing the loss of class 0 is 1 - 2·1/(1 + 2) = 1/3, that of class 1 is 0, and that of
# class 2, which is absent, is 1
@pytest.mark.parametrize(
    ("absent", "expected"),
    [("count", (1 / 3 + 0 + 1) / 3), ("zero", (1 / 3 + 0 + 0) / 3), ("skip", (1 / 3 + 0) / 2)],
)
def test_absent_classes(dice_backend: Adapter, absent: str, expected: float) -> None:
    x = np.array([[0.5, 0, 0.5, 0], [0, 1, 0, 1], [0.5, 0, 0.5, 0]], dtype=np.float32)
    y = np.array([0, 1, 0, 1])
    got = dice_backend.call(dice_any.dice_loss, x, y, class_axis=0, smooth=0, absent=absent)
    assert float(dice_backend.values(got)) == pytest.approx(expected, rel=1e-6)


def test_class_weights(dice_backend: Adapter) -> None:
    x, y = recipe.memberships(5, (3, 40)), recipe.labels(7, 40, 3)
    each = [1 - 2 * i / (a + b) for i, a, b in (sums(x[c], y == c) for c in range(3))]
    got = dice_backend.call(
        dice_any.dice_loss, x, y, class_axis=0, smooth=0, class_weight=[1, 0, 3]
    )
    assert float(dice_backend.values(got)) == pytest.approx((each[0] + 3 * each[2]) / 4, rel=1e-6)
    got = dice_backend.call(
        dice_any.dice_loss, x, y, class_axis=0, smooth=0, classes="foreground", reduction="sum"
    )
    assert float(dice_backend.values(got)) == pytest.approx(each[1] + each[2], rel=1e-6)


def _needed(name: str, activation: str | None) -> str:
    """Return the feature that a loss needs."""
    if name not in every_loss.OF_SUMS:
        return "ranked"
    return "activation" if activation else "loss"


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int64", "float16", "bfloat16", "float32", "float64"]
)
def test_class_weights_in_arrays(dice_backend: Adapter, dtype: str) -> None:
    """They are those of the list, whatever their type; `test_class_weights` checks the list."""
    if not dice_backend.has(dtype):
        pytest.skip(f"{dice_backend.name} has no {dtype}")
    x, y = recipe.memberships(5, (3, 40)), recipe.labels(7, 40, 3)
    numbers = [1, 0, 1] if dtype == "bool" else [1, 0, 3]
    weights = dice_backend(every_loss.cast(np.array(numbers), dtype))
    for name in ("dice_loss", "dice_cross_entropy_loss", "wasserstein_dice_loss"):
        activation = None if name == "dice_loss" else "softmax"
        if limit(dice_backend.name, _needed(name, activation)):
            continue
        function = getattr(dice_any, name)
        keywords = {"class_axis": 0, "activation": activation, **CALLS[name]}
        got = dice_backend.call(function, x, y, class_weight=weights, **keywords)
        right = dice_backend.call(function, x, y, class_weight=numbers, **keywords)
        assert dice_backend.values(got) == dice_backend.values(right)


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, 2.0**101])
def test_class_weights_out_of_range(dice_backend: Adapter, bad: float) -> None:
    """They are an error, or NaN where values cannot be read."""
    x, y = recipe.memberships(5, (1, 3, 5, 8)), recipe.labels(7, (1, 5, 8), 3)
    for name in every_loss.share([*CALLS], "dice_loss", dice_backend.name):
        weights = dice_backend(np.array([1.0, bad, 2.0]))
        keywords = {"class_axis": 1, "class_weight": weights, **CALLS[name]}
        keywords["activation"] = None if takes(name, None) else "softmax"
        if limit(dice_backend.name, _needed(name, keywords["activation"])):
            continue
        z = x if name != "wasserstein_dice_loss" else x / x.sum(axis=1, keepdims=True)
        if limit(dice_backend.name, "errors") is None:
            with pytest.raises(ValueError, match="`class_weight` must be finite, at least 0 and"):
                dice_backend.call(getattr(dice_any, name), z, y, **keywords)
        else:
            got = dice_backend.call(getattr(dice_any, name), z, y, **keywords)
            assert np.isnan(dice_backend.values(got)), name


def test_micro_with_size_weights_is_generalized_dice(dice_backend: Adapter) -> None:
    x, y = recipe.memberships(9, (3, 40)), recipe.labels(11, 40, 3)
    rows = [sums(x[c], y == c) for c in range(3)]
    weights = [1 / b**2 for _, _, b in rows]
    top = 2 * math.fsum(w * i for w, (i, _, _) in zip(weights, rows, strict=True))
    bottom = math.fsum(w * (a + b) for w, (_, a, b) in zip(weights, rows, strict=True))
    arguments = {"class_axis": 0, "smooth": 0, "average": "micro", "class_weight": "square"}
    got = dice_backend.call(dice_any.dice_loss, x, y, **arguments)
    assert float(dice_backend.values(got)) == pytest.approx(1 - top / bottom, rel=1e-6)


@pytest.mark.dice_feature("weight")
def test_pixel_weight_is_used_once_per_term(dice_backend: Adapter) -> None:
    x, y, w = recipe.memberships(13, 50), recipe.masks(15, 50), recipe.memberships(16, 50)
    w[::7] = 0
    x[::7] = math.nan
    kept = w > 0
    i, a, b = sums(x[kept], y[kept], w[kept].astype(np.float64))
    got = dice_backend.call(dice_any.dice_loss, x, y, weight=w)
    assert float(dice_backend.values(got)) == pytest.approx(1 - (2 * i + 1) / (a + b + 1), rel=1e-6)


@pytest.mark.dice_feature("exact")
def test_exact_losses_to_the_bit(dice_backend: Adapter) -> None:
    from . import oracle

    x, y = recipe.memberships(17, 80, "float64"), recipe.memberships(19, 80, "float64")
    i, a, b, _ = oracle.exact_sums(x, y).floats()
    got = dice_backend.bits(dice_backend.call(dice_any.dice_loss, x, y, exact=True))
    assert got == [(1.0 - (2 * i + 1.0) / (a + b + 1.0)).hex()]


def test_label_out_of_range_is_never_a_number(dice_backend: Adapter) -> None:
    x, y = recipe.memberships(21, (3, 20)), recipe.labels(23, 20, 3)
    y[3] = 7
    try:
        got = dice_backend.values(dice_backend.call(dice_any.dice_loss, x, y, class_axis=0))
    except ValueError as error:
        assert "`target` must hold labels from 0 to 2" in str(error)  # noqa: PT017
    else:
        assert np.isnan(got).all()


def test_long_sums_in_float32_keep_six_digits(dice_backend: Adapter) -> None:
    """A running float32 sum of ones stops at 2**24; NumPy sums like that along the first axis."""
    size = 2**24 + 2**20 if dice_backend.library.name not in SMALL else 2**14 + 7
    x = np.full((size, 1), 0.75, dtype=np.float32)
    got = dice_backend.call(dice_any.dice_loss, x, x, axis=0, smooth=0, form="squared")
    assert float(dice_backend.values(got)) == pytest.approx(0, abs=1e-6)
    got = dice_backend.call(dice_any.dice_loss, x, x, axis=0, smooth=0)
    assert float(dice_backend.values(got)) == pytest.approx(0.25, rel=1e-6)


def test_half_precision_does_not_overflow(dice_backend: Adapter) -> None:
    if not dice_backend.has("float16"):
        pytest.skip(f"{dice_backend.name} has no float16")
    x = np.ones(2**17, dtype=np.float16)  # a float16 sum overflows at 65504
    assert float(dice_backend.values(dice_backend.call(dice_any.jaccard_loss, x, x))) == 0.0
