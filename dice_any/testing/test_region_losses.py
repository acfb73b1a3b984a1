"""Losses of regions of added classes: against NumPy's own arithmetic, and against differences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

import dice_any

from . import oracle, recipe
from .adapters import Adapter, strictly
from .every_loss import CALLS, COMPOUND, loss, options_for, share
from .losses import gradient_of
from .regions import CLASSES, GROUPS, added, logits, masks, shares
from .test_every_loss import both

pytestmark = pytest.mark.dice_feature("regions", "loss", "averages")

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


def in_float64(z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return softmax memberships of regions, their masks, and each element's membership in its own
    class; classes lie along axis 1 of z.
    """
    shifted = np.exp(z.astype(np.float64) - z.max(axis=1, keepdims=True))
    p = np.moveaxis(shifted / shifted.sum(axis=1, keepdims=True), 1, 0)
    own = np.take_along_axis(p, y[None], axis=0)[0]
    return added(p), masks(y), own


@pytest.mark.dice_feature("activation")
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


@pytest.mark.dice_feature("activation", "closed form", "ranked")
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


@pytest.mark.dice_feature("activation", "weight")
@pytest.mark.parametrize("class_weight", [None, [4.0, 1.0, 3.0], "square"])
def test_a_compound_loss_has_the_entropy_of_the_classes(
    dice_backend: Adapter, class_weight: Any
) -> None:
    """The cross-entropy of the classes does not use the weights of regions."""
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


@pytest.mark.dice_feature("activation", "closed form")
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


@pytest.mark.dice_feature("activation", "closed form", "ranked", "exact")
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


@pytest.mark.dice_feature("activation", "closed form", "ranked", "gradient")
@pytest.mark.parametrize("name", LOSSES)
def test_automatic_differentiation_finds_the_closed_form(dice_backend: Adapter, name: str) -> None:
    if dice_backend.library.name not in ("torch", "jax"):
        pytest.skip("the kit cannot differentiate automatically with this library")
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


@pytest.mark.dice_feature("activation", "exact", "closed form")
def test_exact_losses_to_the_bit(dice_backend: Adapter) -> None:
    """The sums are those of fractions; then there is one sequence of float operations."""
    z, y = logits(17, (CLASSES, 25), "float64"), recipe.labels(19, 25, CLASSES)
    losses = [ratio.loss for ratio in dice_ratios(oracle.softmax(z, GROUPS), masks(y))]
    given: dict[str, Any] = {"class_axis": 0, "activation": "softmax", "exact": True}
    got = dice_backend.call(dice_any.dice_loss, z, y, regions=GROUPS, reduction="none", **given)
    assert dice_backend.bits(got) == [value.hex() for value in losses]
    value, _ = dice_backend.call(gradient_of(dice_any.dice_loss), z, y, regions=GROUPS, **given)
    assert dice_backend.bits(value) == [(((losses[0] + losses[2]) + losses[1]) / 3.0).hex()]


@pytest.mark.dice_feature("exact", "closed form")
@pytest.mark.parametrize("form", ["product", "squared"])
def test_exact_gradients_to_the_bit(dice_backend: Adapter, form: str) -> None:
    """The slope of a class is the sum of its regions' slopes, from the first region on."""
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
    """Return these for each of three regions, by the stated sequence of operations."""
    found = []
    for members, mask in zip(x, t, strict=True):
        i, size, other, _ = oracle.exact_sums(members, mask, form).floats()
        below = size + other + 1.0
        ratio = (2.0 * i + 1.0) / below
        outer = (1.0 / 3.0 * -1.0) / below
        found.append(Ratio(1.0 - ratio, outer * (2.0 - ratio * 0.0), outer * (0.0 - ratio * 1.0)))
    return found


@pytest.mark.parametrize("weighted", [False, True])
def test_losses_of_two_label_maps(dice_backend: Adapter, weighted: bool) -> None:
    """They are counted; `value_and_grad` says as usual that they have no gradient."""
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
