"""Every CPU library in one environment: bits are compared directly, and mixed libraries refused."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import permutations

import numpy as np
import pytest

import dice_any
from dice_any.testing import recipe
from dice_any.testing.adapters import Adapter, adapter
from dice_any.testing.every_loss import NOT_SQUARED

NAMES = ["numpy", "torch", "jax", "dask", "strict"]
SCORES = [
    dice_any.dice_score,
    dice_any.jaccard_score,
    dice_any.precision_score,
    dice_any.recall_score,
    dice_any.specificity_score,
    dice_any.f_score,
    dice_any.cosine_score,
]
DTYPES = ["float32", "float16"]


@pytest.fixture(scope="module")
def backends() -> list[Adapter]:
    for module in ("torch", "jax", "dask", "array_api_strict"):
        pytest.importorskip(module)
    return [adapter(name) for name in NAMES]


def agree(backends: list[Adapter], function, *arrays, **arguments) -> None:
    bits = {}
    for backend in backends:
        found = backend.call(function, *arrays, **arguments)
        parts = found if isinstance(found, tuple) else (found,)
        bits[backend.name] = [backend.bits(part) for part in parts]
    assert {name for name, answer in bits.items() if answer != bits["numpy"]} == set()


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.__name__)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("average", [None, "macro", "micro", "weighted"])
def test_soft_scores(backends: list[Adapter], score, dtype: str, average: str | None) -> None:
    x, y = recipe.memberships(1, (5, 400), dtype), recipe.labels(3, 400, 5)
    able = [backend for backend in backends if dtype != "float16" or backend.name != "strict"]
    agree(able, score, x, y, class_axis=0, average=average)


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.__name__)
@pytest.mark.parametrize("dtype", ["float64", *DTYPES])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_scores_from_logits(backends: list[Adapter], score, dtype: str, activation: str) -> None:
    z = (recipe.memberships(1, (2, 5, 40), "float64") * 24 - 12).astype(dtype)
    y, weight = recipe.labels(3, (2, 40), 5), recipe.memberships(5, (2, 40))
    able = [backend for backend in backends if dtype != "float16" or backend.name != "strict"]
    for options in ({}, {"axis": "space"}, {"weight": weight}, {"ignore_label": 2}):
        agree(able, score, z, y, class_axis=1, activation=activation, **options)


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.__name__)
def test_hard_scores(backends: list[Adapter], score) -> None:
    x, y = recipe.labels(5, (6, 90), 7, "uint8"), recipe.labels(7, (6, 90), 7, "uint8")
    agree(backends, score, x, y, num_classes=7, axis="space")


@pytest.mark.parametrize(
    "score",
    [
        dice_any.accuracy_score,
        dice_any.cohen_kappa,
        dice_any.matthews_correlation,
        dice_any.generalized_dice_score,
    ],
)
def test_joint_scores(backends: list[Adapter], score) -> None:
    x, y = recipe.labels(9, 500, 5, "uint8"), recipe.labels(11, 500, 5, "uint8")
    agree(backends, score, x, y, num_classes=5)


@pytest.mark.parametrize("loss", [dice_any.dice_loss, dice_any.jaccard_loss])
def test_exact_losses(backends: list[Adapter], loss) -> None:
    x, y = recipe.memberships(13, (2, 3, 50)), recipe.labels(15, (2, 50), 3)
    agree(backends, loss, x, y, class_axis=1, axis="space", exact=True, class_weight="square")


LOSSES = {
    "dice_loss": {"class_weight": "square"},
    "jaccard_loss": {"axis": "space"},
    "tversky_loss": {"alpha": 0.3, "beta": 0.8, "ignore_label": 2},
    "generalized_dice_loss": {},
    "matthews_loss": {"classes": "foreground"},
}


#: for one loss every dtype with every number of classes; for the others each once
SORTS = [(dtype, classes) for dtype in ("float64", *DTYPES) for classes in (2, 3, 7)]
OF_EACH = {"dice_loss": SORTS, **{name: SORTS[::4] for name in LOSSES if name != "dice_loss"}}


@pytest.mark.parametrize("activation", [None, "softmax", "sigmoid"])
@pytest.mark.parametrize(
    ("name", "dtype", "classes"),
    [(name, *sort) for name, sorts in OF_EACH.items() for sort in sorts],
)
def test_losses_and_gradients(
    backends: list[Adapter], name: str, activation: str | None, dtype: str, classes: int
) -> None:
    """From memberships and from logits, against labels and against memberships, and by the
    kernel.
    """
    x = recipe.memberships(13, (2, classes, 50), dtype)
    if activation is not None:
        x = (x.astype("float64") * 24 - 12).astype(dtype)
    labels, members = recipe.labels(15, (2, 50), classes), recipe.memberships(17, (2, classes, 50))
    weight = recipe.memberships(19, (2, 50))
    able = [backend for backend in backends if dtype != "float16" or backend.name != "strict"]
    if find_spec("numba"):
        able += [adapter("numba"), adapter("numba-torch")]
    function = dice_any.value_and_grad(getattr(dice_any, name))
    given = {"class_axis": 1, "activation": activation, "exact": True, **LOSSES[name]}
    agree(able, function, x, labels, weight=weight, **given)
    given.pop("ignore_label", None)
    for form in ("product",) if name in NOT_SQUARED else ("product", "squared", "minimum"):
        agree(able, function, x, members, weight=weight[:, None], form=form, **given)


@pytest.mark.parametrize("dtype", ["float64", *DTYPES])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("dice_cross_entropy_loss", {"class_weight": "square"}),
        ("dice_focal_loss", {"class_weight": [0.3, 0.2, 0.7, 0.1, 0.9]}),
        ("dice_focal_loss", {"ignore_label": 2}),
        ("dice_focal_loss", {"gamma": 0.5, "axis": "space"}),
    ],
)
def test_compound_losses_and_gradients(
    backends: list[Adapter], name: str, options: dict, activation: str, dtype: str
) -> None:
    z = (recipe.memberships(13, (2, 5, 50), "float64") * 24 - 12).astype(dtype)
    labels, members = recipe.labels(15, (2, 50), 5), recipe.memberships(17, (2, 5, 50))
    weight = recipe.memberships(19, (2, 50))
    able = [backend for backend in backends if dtype != "float16" or backend.name != "strict"]
    function = dice_any.value_and_grad(getattr(dice_any, name))
    given = {"class_axis": 1, "activation": activation, "exact": True, **options}
    agree(able, function, z, labels, weight=weight, **given)
    given.pop("ignore_label", None)
    agree(able, function, z, members, weight=weight[:, None], form="squared", **given)


def test_the_first_step_of_training(backends: list[Adapter]) -> None:
    """PyTorch and JAX differentiate the loss themselves, after a layer with exact logits."""
    import jax
    import torch

    images = np.round(recipe.memberships(21, (2, 3, 60), "float64") * 16).astype(np.float32)
    weights = (np.round(recipe.memberships(23, (4, 3), "float64") * 32 - 16) / 16).astype("float32")
    labels = recipe.labels(25, (2, 60), 4)
    given = {"class_axis": 1, "activation": "softmax", "exact": True}

    logits = torch.einsum("ck,nkl->ncl", torch.asarray(weights), torch.asarray(images))
    leaf = logits.requires_grad_()
    loss = dice_any.dice_loss(leaf, torch.asarray(labels), **given)
    loss.backward()

    other = jax.numpy.einsum("ck,nkl->ncl", weights, images)
    value, slope = jax.value_and_grad(dice_any.dice_loss)(other, jax.numpy.asarray(labels), **given)
    assert np.array_equal(logits.detach().numpy(), other)
    assert loss.item() == value
    assert np.array_equal(leaf.grad.numpy(), slope)
    assert np.any(slope != 0)


@pytest.mark.parametrize(("first", "second"), list(permutations(NAMES, 2)))
def test_mixed_libraries_are_refused(backends: list[Adapter], first: str, second: str) -> None:
    makers = {backend.name: backend for backend in backends}
    names = {name: makers[name].library.name for name in (first, second)}
    message = (
        f"`target` must come from the same array library as `prediction`; got {names[second]} and "
        f"{names[first]}"
    )
    with pytest.raises(TypeError, match=message):
        dice_any.dice_score(makers[first](recipe.masks(1, 5)), makers[second](recipe.masks(1, 5)))


def test_overlaps_of_different_libraries_do_not_merge(backends: list[Adapter]) -> None:
    numpy, torch = (
        backend.call(dice_any.overlap, *[recipe.masks(1, 5)] * 2) for backend in backends[:2]
    )
    with pytest.raises(TypeError, match="must come from one array library; got numpy and torch"):
        numpy + torch
    moved = dice_any.Overlap.from_dict(torch.to_dict())
    assert int((numpy + moved).tp) == 2 * int(numpy.tp)
