"""Regions of classes: their memberships are added up, beside a label map or memberships by class.

Expected are sums of fractions, counted masks, and losses of NumPy's own arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

import dice_any

from . import oracle, recipe
from .adapters import Adapter, strictly
from .capabilities import limit
from .every_loss import CALLS, COMPOUND, loss, options_for, share
from .losses import gradient_of
from .test_every_loss import both
from .test_exact import FORMS, sums
from .test_hard import by_hand, counts, stacked

pytestmark = pytest.mark.dice_feature("regions")

#: of 5 classes; they overlap, one is in no order, class 0 is background, class 4 in none either
GROUPS = [(3, 1, 2), (1, 3), (3,)]
CLASSES = 5
LOSSES = [name for name in CALLS if name != "wasserstein_dice_loss"]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"axis": "space", "class_weight": [1.0, 0.5, 2.0]},
    {"average": "micro", "class_weight": "simple"},
    {"absent": "skip", "classes": [2, 1], "smooth": (0.5, 0.25)},
    {"form": "squared"},
    {"form": "minimum"},
    {"ignore_label": (1, 4)},
    {"weight": True},
]


@pytest.fixture(autouse=True)
def _as_lazy_libraries(dice_backend: Adapter) -> Iterator[None]:
    with strictly(dice_backend.name):
        yield


def masks(labels: np.ndarray, groups: Sequence[Sequence[int]] = GROUPS) -> np.ndarray:
    """Return the mask of each region, along axis 0."""
    return np.stack([np.isin(labels, group) for group in groups])


def added(memberships: np.ndarray, groups: Sequence[Sequence[int]] = GROUPS) -> np.ndarray:
    """Return memberships of regions in float64, added from the smallest label on, along axis 0."""
    found = []
    for group in groups:
        total = np.zeros(memberships.shape[1:], dtype=np.float64)
        for label in sorted(group):
            total = total + memberships[label].astype(np.float64)
        found.append(total)
    return np.stack(found)


def shares(seed: int, length: int, dtype: str = "float32") -> np.ndarray:
    """Return memberships by class that add up to 1 at most, (CLASSES, length)."""
    return (recipe.memberships(seed, (CLASSES, length), dtype) / 8).astype(dtype)


def logits(seed: int, shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    return (recipe.memberships(seed, shape, "float64") * 8 - 4).astype(dtype)


# -- sums ------------------------------------------------------------------------------------------


@pytest.mark.dice_feature("exact", "activation")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_adds_integers(dice_backend: Adapter, dtype: str, form: str) -> None:
    """To the bit: the exponentials are integers, and so are their sums."""
    if not dice_backend.has(dtype):
        pytest.skip(f"{dice_backend.name} has no {dtype}")
    z, y = logits(1, (CLASSES, 40), dtype), recipe.labels(2, 40, CLASSES, "uint8")
    z[1:, 3], z[0, 4] = -np.inf, -np.inf
    pairs = zip(oracle.softmax(z, GROUPS), masks(y), strict=True)
    expected = [oracle.exact_sums(x, mask, form) for x, mask in pairs]
    given = {"class_axis": 0, "activation": "softmax", "form": form}
    assert sums(dice_backend, z, y, regions=GROUPS, **given) == expected


@pytest.mark.dice_feature("exact")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_memberships_are_added_in_float64(dice_backend: Adapter, dtype: str, form: str) -> None:
    """From the smallest label to the largest, so that the order in a group changes no bit."""
    if not dice_backend.has(dtype):
        pytest.skip(f"{dice_backend.name} has no {dtype}")
    x, y = shares(3, 60, dtype), recipe.labels(5, 60, CLASSES)
    pairs = zip(added(x), masks(y), strict=True)
    expected = [oracle.exact_sums(a, b, form) for a, b in pairs]
    assert sums(dice_backend, x, y, regions=GROUPS, class_axis=0, form=form) == expected
    turned = [group[::-1] for group in GROUPS]
    assert sums(dice_backend, x, y, regions=turned, class_axis=0, form=form) == expected


@pytest.mark.dice_feature("exact")
@pytest.mark.parametrize("form", FORMS)
def test_memberships_of_both_are_added(dice_backend: Adapter, form: str) -> None:
    x, y = shares(3, 60, "float64"), shares(7, 60, "float64")
    expected = [oracle.exact_sums(a, b, form) for a, b in zip(added(x), added(y), strict=True)]
    assert sums(dice_backend, x, y, regions=GROUPS, class_axis=0, form=form) == expected
    one_hot = recipe.labels(5, 60, CLASSES) == np.arange(CLASSES)[:, None]
    pairs = zip(added(x), added(one_hot) == 1, strict=True)
    expected = [oracle.exact_sums(a, b, form) for a, b in pairs]
    assert sums(dice_backend, x, one_hot, regions=GROUPS, class_axis=0, form=form) == expected


@pytest.mark.dice_feature("exact", "weight")
@pytest.mark.parametrize("class_axis", [1, -1])
def test_axes_weights_and_labels_to_ignore(dice_backend: Adapter, class_axis: int) -> None:
    x, y = np.stack([shares(3, 30), shares(5, 30)]), recipe.labels(9, (2, 30), CLASSES)
    weight = recipe.memberships(7, (2, 30), "float32")
    y[0, :6], y[1, 4], weight[0, 6:9] = 100, 200, 0
    x[0, :, :9] = np.nan
    expected = []
    for n in range(2):
        left = np.where(y[n] < 100, weight[n], 0)
        pairs = zip(added(x[n]), masks(y[n]), strict=True)
        expected += [oracle.exact_sums(a, b, weight=left) for a, b in pairs]
    given: dict[str, Any] = {"axis": "space", "weight": weight, "ignore_label": (100, 200)}
    x = np.ascontiguousarray(np.moveaxis(x, 1, class_axis))
    assert sums(dice_backend, x, y, class_axis=class_axis, regions=GROUPS, **given) == expected


@pytest.mark.dice_feature("hard", "activation")
def test_argmax_joins_classes(dice_backend: Adapter) -> None:
    z, y = logits(11, (2, CLASSES, 30)), recipe.labels(9, (2, 30), CLASSES)
    pairs = zip(masks(z.argmax(axis=1)), masks(y), strict=True)
    expected = stacked([by_hand(a, b) for a, b in pairs])
    given = {"class_axis": 1, "activation": "argmax"}
    named = dict(zip("abc", GROUPS, strict=True))
    assert counts(dice_backend, z, y, regions=named, **given) == expected
    one_hot = np.moveaxis(y[..., None] == np.arange(CLASSES), -1, 1)
    assert counts(dice_backend, z, one_hot, regions=GROUPS, **given) == expected


@pytest.mark.dice_feature("hard")
def test_masks_by_class_are_joined(dice_backend: Adapter) -> None:
    """An element of two classes of a region is in it once."""
    x, y = recipe.masks(13, (CLASSES, 50)), recipe.labels(5, 50, CLASSES)
    pairs = zip(added(x) > 0, masks(y), strict=True)
    expected = stacked([by_hand(a, b) for a, b in pairs])
    assert counts(dice_backend, x, y, regions=GROUPS, class_axis=0, num_classes=CLASSES) == expected


@pytest.mark.dice_feature("exact", "weight", "activation")
def test_argmax_with_floating_weights(dice_backend: Adapter) -> None:
    z, y = logits(11, (CLASSES, 50)), recipe.labels(6, 50, CLASSES)
    weight = recipe.memberships(7, 50, "float32")
    pairs = zip(masks(z.argmax(axis=0)), masks(y), strict=True)
    expected = [oracle.exact_sums(a, b, weight=weight) for a, b in pairs]
    given: dict[str, Any] = {"class_axis": 0, "activation": "argmax", "weight": weight}
    assert sums(dice_backend, z, y, regions=GROUPS, **given) == expected


# -- what is no membership -------------------------------------------------------------------------


@pytest.mark.dice_feature("exact")
def test_a_sum_above_1_by_rounding_is_1(dice_backend: Adapter) -> None:
    x = np.zeros((CLASSES, 3), dtype=np.float32)
    x[1:4, 0] = 1 / 3, 1 / 3, 1 / 3 + 5e-7
    x[:, 1] = 0.2
    y = np.array([1, 2, 3])
    got = sums(dice_backend, x, y, regions=[(1, 2, 3)], class_axis=0)
    assert float(added(x)[0, 0]) > 1
    assert got == [oracle.exact_sums(np.minimum(added(x), 1)[0], np.ones(3, dtype=bool))]


@pytest.mark.dice_feature("exact")
@pytest.mark.parametrize("argument", ["prediction", "target"])
@pytest.mark.parametrize("place", ["NaN in a class", "sum"])
def test_what_adds_up_to_no_membership(dice_backend: Adapter, argument: str, place: str) -> None:
    """It is invalid for the regions that it is in; classes in none are not looked at."""
    bad, good = shares(3, 20), shares(7, 20)
    bad[4, 2] = np.nan
    if place == "sum":
        bad[1:4, 3] = 0.5, 0.25, 0.5  # (1, 3) are 1, (1, 2, 3) more
    else:
        bad[2, 3] = np.nan
    arrays = (bad, good) if argument == "prediction" else (good, bad)
    given: dict[str, Any] = {"regions": GROUPS, "class_axis": 0}
    if limit(dice_backend.name, "errors") is None:
        message = f"`{argument}` must hold memberships in .* at most 1 in each region; got 1 sums"
        with pytest.raises(ValueError, match=message):
            dice_backend.call(dice_any.dice_score, *arrays, **given)
    else:
        got = dice_backend.values(dice_backend.call(dice_any.dice_score, *arrays, **given))
        assert np.isnan(got).tolist() == [True, False, False]
    given["regions"] = GROUPS[1:]
    got = dice_backend.values(dice_backend.call(dice_any.dice_score, *arrays, **given))
    assert not np.isnan(got).any()


@pytest.mark.dice_feature("activation")
@pytest.mark.parametrize("activation", ["softmax", "argmax"])
def test_labels_and_logits_that_are_none(dice_backend: Adapter, activation: str) -> None:
    z, y = logits(11, (2, CLASSES, 30)), recipe.labels(9, (2, 30), CLASSES)
    wrong, beyond = z.copy(), y.copy()
    wrong[0, 0, 3], beyond[0, 3] = np.nan, CLASSES
    given = {"regions": GROUPS, "axis": "space", "class_axis": 1, "activation": activation}
    logit = "logits that are numbers" if activation == "softmax" else "scores that are numbers"
    for arrays, message in (
        ((wrong, y), f"`prediction` must hold {logit}.*got 1 elements"),
        ((z, beyond), f"`target` must hold labels from 0 to {CLASSES - 1}; got 1 outside"),
    ):
        if limit(dice_backend.name, "errors") is None:
            if dice_backend.name == "strict-no-float64" and activation == "softmax":
                message = message.replace("got 1 elements", "got")  # NaN goes through plain sums
            with pytest.raises(ValueError, match=message):
                dice_backend.call(dice_any.dice_score, *arrays, **given)
        else:
            got = dice_backend.values(dice_backend.call(dice_any.dice_score, *arrays, **given))
            assert np.isnan(got[0]).all()
            assert not np.isnan(got[1]).any()


# -- losses ----------------------------------------------------------------------------------------


def in_float64(z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return softmax memberships of regions, their masks, and the cross-entropy of the classes at
    each element; classes along axis 1 of z.
    """
    shifted = np.exp(z.astype(np.float64) - z.max(axis=1, keepdims=True))
    p = np.moveaxis(shifted / shifted.sum(axis=1, keepdims=True), 1, 0)
    own = np.take_along_axis(p, y[None], axis=0)[0]
    return added(p), masks(y), own


@pytest.mark.dice_feature("loss", "activation", "averages")
def test_dice_of_regions(dice_backend: Adapter) -> None:
    z, y = logits(15, (2, CLASSES, 4, 5)), recipe.labels(9, (2, 4, 5), CLASSES)
    x, t, _ = in_float64(z, y)
    each = [
        1 - (2 * (a * b).sum() + 1) / (a.sum() + b.sum() + 1) for a, b in zip(x, t, strict=True)
    ]
    function = loss("dice_loss", activation="softmax", regions=GROUPS)
    got = dice_backend.values(dice_backend.call(function, z, y, reduction="none"))
    assert got.tolist() == pytest.approx(each, rel=1e-6)
    weighed = dice_backend.call(function, z, y, class_weight=[4, 1, 3], classes=[2, 0])
    expected = (3 * each[2] + 4 * each[0]) / 7
    assert float(dice_backend.values(weighed)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.dice_feature("loss", "activation", "averages", "closed form", "ranked")
@pytest.mark.parametrize("name", [name for name in LOSSES if name not in COMPOUND])
def test_a_loss_of_classes_is_that_of_their_sums(dice_backend: Adapter, name: str) -> None:
    z, y = logits(15, (2, CLASSES, 4, 5)), recipe.labels(9, (2, 4, 5), CLASSES)
    x, t = (np.moveaxis(array, 0, 1) for array in in_float64(z, y)[:2])
    given: dict[str, Any] = {"axis": "space", "class_weight": [1.0, 0.5, 2.0]}
    got = dice_backend.call(loss(name, activation="softmax", regions=GROUPS, **given), z, y)
    expected = dice_backend.call(loss(name, **given), x, t)
    assert float(dice_backend.values(got)) == pytest.approx(
        float(dice_backend.values(expected)), rel=2e-6
    )


@pytest.mark.dice_feature("loss", "activation", "averages", "weight")
@pytest.mark.parametrize("class_weight", [None, [4.0, 1.0, 3.0], "square"])
def test_a_compound_loss_has_the_entropy_of_the_classes(
    dice_backend: Adapter, class_weight: Any
) -> None:
    """Weights of regions are no weights of it."""
    z, y = logits(15, (2, CLASSES, 4, 5)), recipe.labels(9, (2, 4, 5), CLASSES)
    weight = recipe.memberships(7, (2, 4, 5), "float32") + np.float32(0.25)
    _, _, own = in_float64(z, y)
    function = loss(
        "dice_cross_entropy_loss",
        activation="softmax",
        regions=GROUPS,
        axis="space",
        weight=weight,
        class_weight=class_weight,
        dice_weight=0,
        cross_entropy_weight=1,
    )
    kept = y != 4
    got = dice_backend.call(function.func, z, y, **function.keywords, ignore_label=4)
    expected = (weight * -np.log(own))[kept].sum() / weight[kept].sum()
    assert float(dice_backend.values(got)) == pytest.approx(expected, rel=1e-5)
    function = loss("dice_focal_loss", activation="softmax", regions=GROUPS, dice_weight=0)
    got = dice_backend.call(function, z, y, focal_weight=1, gamma=1.5, class_weight=class_weight)
    expected = ((1 - own) ** 1.5 * -np.log(own)).mean()
    assert float(dice_backend.values(got)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.dice_feature("loss", "activation", "averages", "closed form")
def test_gradient_of_dice_with_more_regions_than_classes(dice_backend: Adapter) -> None:
    """dL/dx = −(2y·D − N)/D²/R of each region, N/D its ratio; then added up over the regions of a
    class, and through the softmax.
    """
    groups = [(1,), (2,), (2, 0), (0,), (0, 1, 2), (1, 2)]
    z, y = logits(15, (3, 50), "float64"), recipe.labels(9, 50, 3)
    p = np.exp(z) / np.exp(z).sum(axis=0)
    pull = np.zeros_like(p)
    for group in groups:
        x, t = p[list(group)].sum(axis=0), np.isin(y, group)
        above, below = 2 * (x * t).sum() + 1, x.sum() + t.sum() + 1
        pull[list(group)] -= (2 * t * below - above) / below**2 / len(groups)
    expected = p * (pull - (p * pull).sum(axis=0))
    function = loss("dice_loss", class_axis=0, activation="softmax", regions=groups)
    _, gradient = both(dice_backend, function, z, y)
    assert gradient == pytest.approx(expected, rel=1e-4, abs=1e-9)
    assert len(groups) > len(z)


@pytest.mark.dice_feature("loss", "activation", "averages", "closed form", "ranked", "exact")
@pytest.mark.parametrize("activation", ["softmax", None])
@pytest.mark.parametrize("name", LOSSES)
def test_slopes(dice_backend: Adapter, name: str, activation: str | None) -> None:
    """The closed form along a direction, against differences of the loss in float64."""
    if name in COMPOUND and activation is None:
        pytest.skip("of logits only")
    shape = (2, CLASSES, 4, 5)
    # no two memberships are equal, nor do any three
    x = np.argsort(recipe.integers(41, shape, 2**30), axis=None).reshape(shape) + 1.25
    x = x * 0.025 - 3 if activation else x / 1024 * (1 + x / 2048)
    y = recipe.labels(9, (2, 4, 5), CLASSES)
    for options in share(OPTIONS, name, dice_backend.name, 6):
        given = options_for(name, options, y)
        function = loss(name, activation=activation, regions=GROUPS, **given)
        value, gradient = both(dice_backend, function, x, y)
        assert value == pytest.approx(float(function(x, y)), rel=1e-12)
        direction = recipe.memberships(5, shape, "float64") - 0.5
        ahead, behind = (float(function(x + s * direction, y)) for s in (1e-6, -1e-6))
        slope = (ahead - behind) / 2e-6
        assert slope != 0
        assert float((gradient * direction).sum()) == pytest.approx(slope, rel=1e-5, abs=1e-9)


@pytest.mark.dice_feature("loss", "activation", "averages", "closed form", "ranked", "gradient")
@pytest.mark.parametrize("name", LOSSES)
def test_automatic_differentiation_finds_the_closed_form(dice_backend: Adapter, name: str) -> None:
    z, y = logits(15, (2, CLASSES, 4, 5)), recipe.labels(9, (2, 4, 5), CLASSES)
    function = loss(name, activation="softmax", regions=GROUPS, axis="space")
    value, gradient = both(dice_backend, function, z, y)
    got, slopes = automatic(dice_backend, function, z, y)
    assert got == pytest.approx(value, rel=1e-6)
    assert slopes == pytest.approx(gradient, rel=2e-5, abs=1e-8)
    assert (gradient != 0).all()


def automatic(
    backend: Adapter, function: Any, z: np.ndarray, y: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the loss and its gradient by PyTorch or JAX."""
    arrays = backend(z), backend(y)
    if backend.library.name == "torch":
        arrays[0].requires_grad_()
        value = function(*arrays)
        value.backward()
        return float(value.detach()), arrays[0].grad.cpu().numpy()
    import jax

    value, gradient = jax.jit(jax.value_and_grad(lambda x: function(x, arrays[1])))(arrays[0])
    return float(value), np.asarray(gradient)


@pytest.mark.dice_feature("loss", "activation", "averages", "exact", "closed form")
def test_exact_losses_to_the_bit(dice_backend: Adapter) -> None:
    """The sums are those of fractions; what follows is one sequence of float operations."""
    z, y = logits(17, (CLASSES, 25), "float64"), recipe.labels(19, 25, CLASSES)
    losses = [ratio.loss for ratio in dice_ratios(oracle.softmax(z, GROUPS), masks(y))]
    given: dict[str, Any] = {"class_axis": 0, "activation": "softmax", "exact": True}
    got = dice_backend.call(dice_any.dice_loss, z, y, regions=GROUPS, reduction="none", **given)
    assert dice_backend.bits(got) == [value.hex() for value in losses]
    value, _ = dice_backend.call(gradient_of(dice_any.dice_loss), z, y, regions=GROUPS, **given)
    assert dice_backend.bits(value) == [(((losses[0] + losses[2]) + losses[1]) / 3.0).hex()]


@pytest.mark.dice_feature("loss", "averages", "exact", "closed form")
@pytest.mark.parametrize("form", ["product", "squared"])
def test_exact_gradients_to_the_bit(dice_backend: Adapter, form: str) -> None:
    """A class has the slopes of its regions, the first region's first."""
    x, y = shares(17, 25, "float64"), recipe.labels(19, 25, CLASSES)
    members, target = added(x), masks(y)
    expected = np.zeros_like(x)
    for r, ratio in enumerate(dice_ratios(members, target, form)):
        own = 2.0 * ratio.in_x * members[r] if form == "squared" else ratio.in_x
        slope = np.where(target[r], ratio.in_i, 0.0) + own
        for label in GROUPS[r]:
            expected[label] += slope
    given: dict[str, Any] = {"class_axis": 0, "exact": True, "form": form}
    _, gradient = dice_backend.call(gradient_of(dice_any.dice_loss), x, y, regions=GROUPS, **given)
    assert dice_backend.bits(gradient) == [float(value).hex() for value in expected.ravel()]


class Ratio(NamedTuple):
    """The Dice loss of a region, and a third of its derivatives in I and in X."""

    loss: float
    in_i: float
    in_x: float


def dice_ratios(x: np.ndarray, t: np.ndarray, form: str = "product") -> list[Ratio]:
    """Return these of each of three regions, by the stated sequence of operations."""
    found = []
    for members, mask in zip(x, t, strict=True):
        i, size, other, _ = oracle.exact_sums(members, mask, form).floats()
        below = size + other + 1.0
        ratio = (2.0 * i + 1.0) / below
        outer = (1.0 / 3.0 * -1.0) / below
        found.append(Ratio(1.0 - ratio, outer * (2.0 - ratio * 0.0), outer * (0.0 - ratio * 1.0)))
    return found


@pytest.mark.dice_feature("loss", "averages")
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_of_two_label_maps(dice_backend: Adapter, weighted: bool) -> None:
    """Counted; that they have no gradient `value_and_grad` says as ever."""
    x, y = recipe.labels(1, (2, 40), CLASSES), recipe.labels(2, (2, 40), CLASSES)
    weight = recipe.memberships(7, (2, 40), "float32") if weighted else np.ones((2, 40))
    given: dict[str, Any] = {"regions": GROUPS, "axis": "space", "num_classes": CLASSES}
    given |= {"weight": weight} if weighted else {}
    got = dice_backend.values(
        dice_backend.call(dice_any.dice_loss, x, y, smooth=0.5, reduction="none", **given)
    )
    for n in range(2):
        for r, group in enumerate(GROUPS):
            a, b = np.isin(x[n], group), np.isin(y[n], group)
            w = weight[n].astype(np.float64)
            both_of, size = (w * (a & b)).sum(), (w * a).sum() + (w * b).sum()
            expected = 1 - (2 * both_of + 0.5) / (size + 0.5)
            assert got[n, r] == pytest.approx(expected, rel=1e-6)
