"""Every CPU library in one environment: the bits are compared directly, and mixing is refused."""

from __future__ import annotations

from itertools import permutations

import pytest

import dice_any
from dice_any.testing import recipe
from dice_any.testing.adapters import Adapter, adapter

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
    bits = {
        backend.name: backend.bits(backend.call(function, *arrays, **arguments))
        for backend in backends
    }
    assert all(answer == bits["numpy"] for answer in bits.values()), bits


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
