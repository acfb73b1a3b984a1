"""Values of memberships, labels and weights: allowed rounding errors, and the argument that an
error names.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dice_any

from . import oracle, recipe
from .adapters import Adapter
from .capabilities import limit
from .every_loss import NOT_SQUARED
from .losses import ALL, COMPOUND, OTHERS, RATIOS, gradient_of

#: a rounding error, and a larger error
SMALL, LARGE = 2.0**-20, 2.0**-19
FORMS = ["product", "squared", "minimum"]


def rounded(dtype: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return two sets whose memberships have errors up to a rounding error, and the sets without
    these errors.
    """
    right = [np.round(recipe.memberships(seed, (2, 3, 4, 5), "float32") * 4) / 4 for seed in (1, 3)]
    off = [
        np.where(
            a == 0, -recipe.memberships(seed, a.shape) * SMALL, np.where(a == 1, 1 + SMALL, a)
        ).astype(dtype)
        for seed, a in zip((5, 7), right, strict=True)
    ]
    assert all((a > 1).any() and (a < 0).any() for a in off)
    return *off, *(a.astype(dtype) for a in right)


@pytest.mark.dice_feature("exact")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_rounding_error_counts_as_0_or_1(
    dice_backend: Adapter, dtype: str, form: str, weighted: bool
) -> None:
    x, y, right_x, right_y = rounded(dtype)
    weight = recipe.memberships(9, x.shape) if weighted else None
    keywords = {"form": form, "weight": weight}
    got = oracle.overlap_sums(dice_backend.call(dice_any.overlap, x, y, **keywords))
    assert got == [oracle.exact_sums(right_x, right_y, form, weight)]
    plain = dice_backend.call(dice_any.overlap, x, y, exact=False, **keywords)
    expected = oracle.exact_sums(right_x, right_y, form, weight).floats()
    rows = [
        dice_backend.values(row)
        for row in (plain.intersection, plain.prediction, plain.target, plain.total)
    ]
    assert rows == pytest.approx(expected, rel=1e-6)


@pytest.mark.dice_feature("exact")
def test_a_rounding_error_beside_labels(dice_backend: Adapter) -> None:
    x, _, right, _ = rounded("float32")
    y = recipe.labels(11, (2, 4, 5), 3)
    got = oracle.overlap_sums(dice_backend.call(dice_any.overlap, x, y, class_axis=1))
    assert got == [oracle.exact_sums(right[:, c], y == c) for c in range(3)]


@pytest.mark.dice_feature("pairwise")
@pytest.mark.dice_feature("exact")
def test_a_rounding_error_in_pairs(dice_backend: Adapter) -> None:
    x, y, right_x, right_y = (a.reshape(6, 20)[:3] for a in rounded("float32"))
    got = oracle.overlap_sums(dice_backend.call(dice_any.pairwise_overlap, x, y))
    assert got == [oracle.exact_sums(a, b) for a in right_x for b in right_y]


@pytest.mark.dice_feature("exact", "loss", "averages", "closed form")
@pytest.mark.parametrize("name", RATIOS)
@pytest.mark.parametrize("form", FORMS)
def test_a_rounding_error_in_losses_and_gradients(
    dice_backend: Adapter, name: str, form: str
) -> None:
    if form == "squared" and name in NOT_SQUARED:
        pytest.skip("the form is refused")
    x, y, right_x, right_y = rounded("float32")
    run = gradient_of(RATIOS[name])
    for exact in (False, True):
        value, gradient = dice_backend.call(run, x, y, class_axis=1, form=form, exact=exact)
        expected, slope = run(
            right_x.astype(np.float64), right_y.astype(np.float64), class_axis=1, form=form
        )
        assert float(dice_backend.values(value)) == pytest.approx(float(expected), rel=1e-6)
        assert dice_backend.values(gradient) == pytest.approx(slope, rel=1e-4, abs=1e-7)


@pytest.mark.dice_feature("exact", "loss", "averages", "closed form", "ranked")
@pytest.mark.parametrize("name", OTHERS)
def test_a_rounding_error_in_other_losses(dice_backend: Adapter, name: str) -> None:
    x, right = (a / 1 for a in rounded("float32")[::2])
    y = recipe.labels(11, (2, 4, 5), 3)
    if name == "wasserstein_dice_loss":  # whose memberships add up to 1
        right = np.moveaxis(np.eye(3, dtype=np.float32)[recipe.labels(12, (2, 4, 5), 3)], -1, 1)
        x = np.where(right > 0, np.float32(1 + SMALL), np.float32(-SMALL))
    run = gradient_of(OTHERS[name])
    value, gradient = dice_backend.call(run, x, y, class_axis=1)
    expected, slope = run(right.astype(np.float64), y, class_axis=1)
    assert float(dice_backend.values(value)) == pytest.approx(float(expected), rel=1e-5)
    if name != "centerline_dice_loss":  # whose ties are broken by a rounding error
        assert dice_backend.values(gradient) == pytest.approx(slope, rel=1e-4, abs=1e-6)


# -- what is invalid -------------------------------------------------------------------------------

BAD = {
    "below": -LARGE,
    "above": 1 + LARGE,
    "255": 255.0,
    "NaN": math.nan,
    "infinite": math.inf,
    "-infinite": -math.inf,
}


def refuses(
    backend: Adapter, message: str, function: Callable[..., Any], *arrays: Any, **keywords: Any
) -> None:
    """Check that a call raises, or that its result is NaN where it may not read values."""
    if limit(backend.name, "errors") is None:
        with pytest.raises(ValueError, match=message):
            backend.call(function, *arrays, **keywords)
        return
    answer = backend.call(function, *arrays, **keywords)
    value = backend.values(answer[0] if isinstance(answer, tuple) else answer)
    assert np.isnan(value).any()


@pytest.mark.dice_feature("loss", "averages")
@pytest.mark.parametrize("name", [name for name in ALL if name not in COMPOUND])
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("position", ["prediction", "target"])
def test_losses_look_at_memberships(
    dice_backend: Adapter, name: str, bad: str, position: str
) -> None:
    if name in OTHERS and (reason := limit(dice_backend.name, "ranked")):
        pytest.skip(reason)
    x, y = recipe.memberships(13, (2, 3, 4, 5)), recipe.memberships(15, (2, 3, 4, 5))
    if name == "lovasz_loss":
        y = y > 0.5
    if name == "wasserstein_dice_loss":
        x, y = x / x.sum(axis=1, keepdims=True), y / y.sum(axis=1, keepdims=True)
    if position == "target" and name == "lovasz_loss":
        pytest.skip("soft targets are refused")
    (x if position == "prediction" else y)[1, 2, 3, 4] = BAD[bad]
    message = f"`{position}` must hold memberships in \\[0, 1\\]; got 1 values"
    refuses(dice_backend, message, ALL[name], x, y, class_axis=1)
    if limit(dice_backend.name, "closed form") is None:
        refuses(dice_backend, message, gradient_of(ALL[name]), x, y, class_axis=1)


@pytest.mark.dice_feature("loss", "averages", "activation")
@pytest.mark.parametrize("name", [name for name in ALL if name != "lovasz_loss"])
@pytest.mark.parametrize("bad", BAD)
def test_losses_of_logits_look_at_soft_targets(dice_backend: Adapter, name: str, bad: str) -> None:
    if name in OTHERS and (reason := limit(dice_backend.name, "ranked")):
        pytest.skip(reason)
    x, y = recipe.memberships(17, (2, 3, 4, 5)), recipe.memberships(19, (2, 3, 4, 5))
    y[1, 2, 3, 4] = BAD[bad]
    message = r"`target` must hold memberships in \[0, 1\]; got 1 values"
    refuses(dice_backend, message, ALL[name], x, y, class_axis=1, activation="softmax")


@pytest.mark.dice_feature("exact", "weight")
@pytest.mark.parametrize(
    "kind", ["masks", "memberships", "labels", "memberships by class", "matrix"]
)
@pytest.mark.parametrize(
    "dtype",
    ["bool", "uint8", "int8", "int16", "int32", "int64", "uint32", "float16", "float32", "float64"],
)
def test_an_error_names_the_argument_whatever_the_weight(
    dice_backend: Adapter, kind: str, dtype: str
) -> None:
    """A bad prediction with a good weight of any type, and a bad weight with good arrays."""
    if not dice_backend.has(dtype):
        pytest.skip(f"{dice_backend.name} has no {dtype}")
    x, y = recipe.labels(21, (4, 9), 3), recipe.labels(23, (4, 9), 3)
    function, keywords = dice_any.dice_score, {"num_classes": 3}
    if kind == "masks":
        x, y, keywords = x == 1, y == 1, {}
    elif kind == "memberships":
        x, y, keywords = recipe.memberships(25, (4, 9)), recipe.memberships(27, (4, 9)), {}
    elif kind == "memberships by class":
        x, keywords = recipe.memberships(25, (4, 3, 9)), {"class_axis": 1}
    elif kind == "matrix":
        function = dice_any.confusion_matrix
    weight = np.ones((4, 9), dtype=dtype)
    dice_backend.call(function, x, y, weight=weight, **keywords)  # good as it is
    if dtype in ("int8", "int16", "int32", "int64") or "float" in dtype:
        bad = weight.copy()
        bad[1, 1] = -1
        if kind == "matrix" and "float" not in dtype and limit(dice_backend.name, "errors"):
            return  # integers have no NaN
        message = (
            "`weight` must be non-negative and below 2\\*\\*31; got other values at 1 elements"
        )
        refuses(dice_backend, message, function, x, y, weight=bad, **keywords)
    if kind == "masks" or (
        kind == "matrix" and "float" not in dtype and limit(dice_backend.name, "errors")
    ):
        return
    x = x.copy()
    x[(1,) * x.ndim] = 7
    refuses(dice_backend, "`prediction` must hold", function, x, y, weight=weight, **keywords)


@pytest.mark.dice_feature("exact", "weight", "activation")
def test_what_takes_no_part_is_not_looked_at(dice_backend: Adapter) -> None:
    """NaN in scores, labels and weights of elements that are ignored or have weight 0."""
    x, y = recipe.memberships(29, (3, 20)), recipe.labels(31, 20, 3)
    weight = np.ones(20)
    weight[::4], y[1::4], y[::4] = 0, 9, 77
    x[:, ::4], x[:, 1::4] = math.nan, math.inf
    kept = np.arange(20) % 4 >= 2
    for activation in (None, "softmax", "argmax", "sigmoid"):
        keywords = {"class_axis": 0, "activation": activation}
        got = dice_backend.call(dice_any.overlap, x, y, weight=weight, ignore_label=9, **keywords)
        expected = dice_backend.call(
            dice_any.overlap, x[:, kept], y[kept], weight=np.ones(kept.sum()), **keywords
        )
        assert dice_backend.bits(got.total) == dice_backend.bits(expected.total)
        values, right = (dice_backend.values(dice_any.dice_score(o)) for o in (got, expected))
        assert values == pytest.approx(right, rel=1e-6)


@pytest.mark.dice_feature("hard")
def test_a_label_beyond_int64_is_no_ignored_one(dice_backend: Adapter) -> None:
    if not dice_backend.has("uint64"):
        pytest.skip(f"{dice_backend.name} has no uint64")
    y = np.array([0, 1, 2**64 - 1], dtype=np.uint64)
    x = np.array([0, 1, 1], dtype=np.uint64)
    message = "`target` must hold labels from 0 to 1; got 1 outside"
    refuses(dice_backend, message, dice_any.dice_score, x, y, num_classes=2, ignore_label=-1)


# -- nothing summed --------------------------------------------------------------------------------


@pytest.mark.dice_feature("loss", "averages", "closed form")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", ["labels", "memberships", "masks"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("axis", [(), "space"])
def test_dice_where_nothing_is_summed(
    dice_backend: Adapter, dtype: str, target: str, weighted: bool, axis: Any
) -> None:
    """A count is an element: memory of one sum may not be overwritten for the next."""
    if dtype == "float64" and limit(dice_backend.name, "exact"):
        pytest.skip("the device has no float64")
    x = (recipe.memberships(33, (5, 3), dtype) * 0.75 + 0.125).astype(dtype)
    labels = recipe.labels(35, 5, 3)
    y = np.eye(3)[labels]
    if target == "memberships":
        y = (recipe.memberships(37, (5, 3), dtype) * 0.75 + 0.125).astype(dtype)
    given = labels if target == "labels" else y.astype(bool) if target == "masks" else y
    weight = None
    if weighted:
        weight = (
            np.arange(1.0, 6.0, dtype=dtype)
            if target == "labels"
            else np.arange(1.0, 6.0, dtype=dtype)[:, None]
        )
    w = 1.0 if weight is None else np.arange(1.0, 6.0)[:, None]
    x64 = x.astype(np.float64)
    smooth = 0.25
    top, bottom = 2 * w * x64 * y + smooth, w * (x64 + y) + smooth
    expected = np.mean(1 - top / bottom)
    slope = -(2 * w * y - top / bottom * w) / bottom / x.size
    tolerance = 1e-12 if dtype == "float64" else 1e-6
    keywords = {"class_axis": 1, "axis": axis, "smooth": smooth, "weight": weight}
    got = dice_backend.call(dice_any.dice_loss, x, given, **keywords)
    assert float(dice_backend.values(got)) == pytest.approx(expected, rel=tolerance)
    value, gradient = dice_backend.call(
        dice_any.value_and_grad(dice_any.dice_loss), x, given, **keywords
    )
    assert float(dice_backend.values(value)) == pytest.approx(expected, rel=tolerance)
    assert dice_backend.values(gradient) == pytest.approx(slope, rel=10 * tolerance)


@pytest.mark.dice_feature("loss", "averages", "closed form")
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", ["labels", "memberships"])
def test_arguments_stay_as_they_are(
    dice_backend: Adapter, name: str, dtype: str, target: str
) -> None:
    """No loss writes into the caller's arrays, for any axes."""
    if name in OTHERS and (reason := limit(dice_backend.name, "ranked")):
        pytest.skip(reason)
    x = recipe.memberships(39, (2, 3, 4, 5), dtype)
    x = x / np.maximum(x.sum(axis=1, keepdims=True), 1)
    y: np.ndarray = recipe.labels(41, (2, 4, 5), 3)
    if target == "memberships":
        y = np.moveaxis(np.eye(3, dtype=bool if name == "lovasz_loss" else dtype)[y], -1, 1).copy()
    w = np.ones((2, 4, 5) if target == "labels" else (2, 1, 4, 5), dtype=dtype)
    arrays = [dice_backend(a) for a in (x, y, w)]
    before = [dice_backend.values(a).copy() for a in arrays]
    activations = ["softmax"] if name in COMPOUND else [None, "softmax"]
    for activation in activations:
        for axis in ("space", (), None) if name in RATIOS else ("space",):
            keywords = {
                "class_axis": 1,
                "activation": activation,
                "axis": axis,
                **dice_backend.options,
            }
            try:
                gradient_of(ALL[name])(arrays[0], arrays[1], weight=arrays[2], **keywords)
                ALL[name](arrays[0], arrays[1], weight=arrays[2], **keywords)
            except ValueError as error:
                if not (dice_backend.options and str(error).startswith("`backend` must")):
                    raise
    for array, old in zip(arrays, before, strict=True):
        assert np.array_equal(dice_backend.values(array), old)


def test_every_loss_is_gone_over() -> None:
    from .. import losses

    functions = {getattr(loss, "func", loss).__name__ for loss in ALL.values()}
    assert functions == set(losses.__all__)
