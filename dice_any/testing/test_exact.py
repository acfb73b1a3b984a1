"""Exact sums of soft memberships are equal to sums of `fractions` to the last unit of 2⁻⁶²."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import dice_any

from . import oracle, recipe
from .adapters import Adapter, strictly

pytestmark = pytest.mark.dice_feature("exact")
FORMS = ["product", "squared", "minimum"]


@pytest.fixture(autouse=True)
def _as_lazy_libraries(dice_backend: Adapter) -> Iterator[None]:
    with strictly(dice_backend.name):
        yield


def sums(backend: Adapter, *arrays: np.ndarray, **arguments: object) -> list[oracle.Exact]:
    result = backend.call(dice_any.overlap, *arrays, **arguments)
    assert result.kind == "exact"
    return oracle.overlap_sums(result)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_every_form_and_type(dice_backend: Adapter, dtype: str, form: str) -> None:
    if not dice_backend.has(dtype):
        pytest.skip(f"{dice_backend.name} has no {dtype}")
    x, y = recipe.memberships(1, 300, dtype), recipe.memberships(3, 300, dtype)
    assert sums(dice_backend, x, y, form=form) == [oracle.exact_sums(x, y, form)]


@pytest.mark.parametrize("form", FORMS)
def test_bfloat16(dice_backend: Adapter, form: str) -> None:
    pytest.importorskip("ml_dtypes")
    if not dice_backend.has("bfloat16"):
        pytest.skip(f"{dice_backend.name} has no bfloat16")
    x, y = recipe.memberships(1, 100, "bfloat16"), recipe.memberships(3, 100, "bfloat16")
    wide = x.astype(np.float64), y.astype(np.float64)
    assert sums(dice_backend, x, y, form=form) == [oracle.exact_sums(*wide, form)]


@pytest.mark.parametrize("form", FORMS)
def test_mask_against_memberships(dice_backend: Adapter, form: str) -> None:
    x, y = recipe.memberships(5, 200), recipe.masks(6, 200)
    assert sums(dice_backend, x, y, form=form) == [oracle.exact_sums(x, y, form)]
    assert sums(dice_backend, y, x, form=form) == [oracle.exact_sums(y, x, form)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("class_axis", [0, 1, 2])
def test_classes_against_a_label_map(dice_backend: Adapter, class_axis: int, form: str) -> None:
    shape = [2, 9]
    y = recipe.labels(7, tuple(shape), 4, "uint8")
    shape.insert(class_axis, 4)
    x = recipe.memberships(8, tuple(shape))
    by_class = np.moveaxis(x, class_axis, 0)
    expected = [
        oracle.exact_sums(x, mask, form)
        for x, mask in zip(by_class, oracle.by_class(4, y), strict=True)
    ]
    assert sums(dice_backend, x, y, class_axis=class_axis, form=form) == expected


@pytest.mark.parametrize("axis", [0, 1, (0, 2), "space"])
def test_some_axes(dice_backend: Adapter, axis: object) -> None:
    x, y = recipe.memberships(9, (3, 4, 5)), recipe.memberships(11, (3, 4, 5))
    numbers = {0: (0,), 1: (1,), (0, 2): (0, 2), "space": (1, 2)}[axis]
    order = [*(a for a in range(3) if a not in numbers), *numbers]
    flat = [
        np.transpose(a, order).reshape(*(a.shape[i] for i in order[: 3 - len(numbers)]), -1)
        for a in (x, y)
    ]
    rows = [a.reshape(-1, a.shape[-1]) for a in flat]
    assert sums(dice_backend, x, y, axis=axis) == [
        oracle.exact_sums(a, b) for a, b in zip(*rows, strict=True)
    ]


@pytest.mark.dice_feature("weight")
@pytest.mark.parametrize("form", FORMS)
def test_floating_weight(dice_backend: Adapter, form: str) -> None:
    x, y = recipe.memberships(13, (6, 20)), recipe.memberships(15, (6, 20))
    weight = recipe.memberships(17, (6, 1), "float32") * np.float32(8)
    weight[2] = 0
    x[2] = np.nan  # elements of weight 0 are not counted
    expected = oracle.exact_sums(x, y, form, weight=weight)
    assert sums(dice_backend, x, y, weight=weight, form=form) == [expected]


@pytest.mark.dice_feature("weight")
def test_floating_weight_on_label_maps(dice_backend: Adapter) -> None:
    x, y = recipe.labels(18, 50, 3), recipe.labels(19, 50, 3)
    weight = recipe.memberships(20, 50, "float32")
    masks = zip(oracle.by_class(3, x), oracle.by_class(3, y), strict=True)
    expected = [oracle.exact_sums(a, b, weight=weight) for a, b in masks]
    assert sums(dice_backend, x, y, weight=weight, num_classes=3) == expected


@pytest.mark.dice_feature("weight")
@pytest.mark.parametrize("weighted", [False, True])
def test_elements_of_several_ignored_labels_do_no_harm(
    dice_backend: Adapter, weighted: bool
) -> None:
    x, y = recipe.memberships(21, (3, 40)), recipe.labels(22, 40, 3, "uint8")
    weight = recipe.memberships(20, 40, "float32")
    y[::5], y[1::5] = 255, 100
    x[:, ::5], weight[1::5] = np.nan, np.nan
    kept = y < 100
    given = {"weight": weight} if weighted else {}
    own = {name: values[kept] for name, values in given.items()}
    expected = [oracle.exact_sums(x[c][kept], (y == c)[kept], **own) for c in range(3)]
    got = sums(dice_backend, x, y, class_axis=0, ignore_label=[255, 100, -7], **given)
    assert got == expected


@pytest.mark.dice_feature("weight")
def test_ignored_elements_do_no_harm(dice_backend: Adapter) -> None:
    x, y = recipe.memberships(21, (3, 40)), recipe.labels(22, 40, 3, "uint8")
    y[::5] = 255
    x[:, ::5] = np.nan
    kept = y != 255
    expected = [oracle.exact_sums(x[c][kept], (y == c)[kept]) for c in range(3)]
    assert sums(dice_backend, x, y, class_axis=0, ignore_label=255) == expected


def test_hard_cases_of_the_sums(dice_backend: Adapter) -> None:
    """Ones, zeros, a term of one unit, one below it, a denormal, and the largest number below 1."""
    x = np.array([1.0, 0.0, 2.0**-62, 2.0**-63, 5e-324, 1.0 - 2.0**-53, 1e-10, 1e-10])
    y = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1e-10, 0.0])
    assert sums(dice_backend, x, y) == [oracle.exact_sums(x, y)]


def test_order_layout_and_chunks_change_nothing(dice_backend: Adapter) -> None:
    x, y = recipe.memberships(23, (12, 10)), recipe.memberships(25, (12, 10))
    whole = sums(dice_backend, x, y)
    order = np.argsort(recipe.integers(27, 12, 1000), kind="stable")
    padded = [np.pad(a, ((2, 3), (1, 0))) for a in (x, y)]
    for other in (
        (x[order], y[order]),
        (x.T, y.T),
        (np.asfortranarray(x), np.asfortranarray(y)),
        (x[::-1], y[::-1]),
        (np.repeat(x, 2, axis=1)[:, ::2], np.repeat(y, 2, axis=1)[:, ::2]),
    ):
        assert sums(dice_backend, *other) == whole
    assert [s[:3] for s in sums(dice_backend, *padded)] == [s[:3] for s in whole]


def test_many_equal_terms(dice_backend: Adapter) -> None:
    """Many more terms than in a tile, through broadcasting; the sum is known."""
    if dice_backend.name not in ("numpy", "torch"):
        pytest.skip(f"{dice_backend.name} may copy what is broadcast")
    value = np.float32(0.7)
    x = dice_backend.library.xp.broadcast_to(dice_backend(value.reshape(1)), (2**24 + 3,))
    got = oracle.overlap_sums(dice_any.overlap(x, x, **dice_backend.options))
    n = 2**24 + 3
    expected = [
        n * oracle.quantum(term) for term in (float(value) ** 2, float(value), float(value), 1.0)
    ]
    assert got == [oracle.Exact(*expected)]


def test_merging_has_no_order(dice_backend: Adapter) -> None:
    x, y = recipe.memberships(29, 60), recipe.memberships(31, 60)
    parts = [
        dice_backend.call(dice_any.overlap, x[i : i + 12], y[i : i + 12]) for i in range(0, 60, 12)
    ]
    a, b, c, d, e = parts
    trees = [
        ((a + b) + (c + d)) + e,
        e + (d + (c + (b + a))),
        sum([c, a, e, b, d]),
        (a + (c + e)) + (b + d),
    ]
    assert [oracle.overlap_sums(tree) for tree in trees] == [[oracle.exact_sums(x, y)]] * 4


def test_selecting_and_folding(dice_backend: Adapter) -> None:
    x, y = recipe.memberships(49, (2, 3, 17)), recipe.memberships(51, (2, 3, 17))
    whole = dice_backend.call(dice_any.overlap, x, y, class_axis=1, axis=2)
    expected = [
        [oracle.exact_sums(a, b) for a, b in zip(*pair, strict=True)]
        for pair in zip(x, y, strict=True)
    ]
    folded = [oracle.exact_sums(x[:, c].ravel(), y[:, c].ravel()) for c in range(3)]
    assert oracle.overlap_sums(whole[1]) == expected[1]
    assert oracle.overlap_sums(whole[:, 2]) == [row[2] for row in expected]
    assert [oracle.overlap_sums(part) for part in whole] == expected
    assert oracle.overlap_sums(whole.sum()) == folded
    assert oracle.overlap_sums(whole.select_classes((2, 0))) == [
        row[c] for row in expected for c in (2, 0)
    ]


def test_hard_and_exact_overlaps_merge(dice_backend: Adapter) -> None:
    soft, hard = recipe.memberships(33, 20), recipe.masks(35, 20)
    both = dice_backend.call(dice_any.overlap, soft, hard) + dice_backend.call(
        dice_any.overlap, hard, hard
    )
    expected = oracle.exact_sums(np.concatenate([soft, hard]), np.concatenate([hard, hard]))
    assert oracle.overlap_sums(both) == [expected]


@pytest.mark.dice_feature("pairwise")
@pytest.mark.parametrize("form", FORMS)
def test_pairwise(dice_backend: Adapter, form: str) -> None:
    x, y = recipe.memberships(37, (2, 15)), recipe.memberships(39, (3, 15))
    result = dice_backend.call(dice_any.pairwise_overlap, x, y, form=form)
    assert oracle.overlap_sums(result) == [oracle.exact_sums(a, b, form) for a in x for b in y]


def test_sums_are_rounded_once(dice_backend: Adapter) -> None:
    x, y = recipe.memberships(41, 500, "float64"), recipe.memberships(43, 500, "float64")
    result = dice_backend.call(dice_any.overlap, x, y)
    expected = oracle.exact_sums(x, y)
    got = [
        dice_backend.bits(getattr(result, name))[0]
        for name in ("intersection", "prediction", "target", "total")
    ]
    assert got == [value.hex() for value in expected.floats()]
    difference = oracle.Exact(*[expected.prediction - expected.intersection] * 4).floats()[0]
    assert dice_backend.bits(result.fp) == [difference.hex()]


def test_carries_survive_json(dice_backend: Adapter) -> None:
    import json

    x, y = recipe.memberships(45, 30), recipe.memberships(47, 30)
    result = dice_backend.call(dice_any.overlap, x, y)
    again = dice_any.Overlap.from_dict(
        json.loads(json.dumps(result.to_dict())), like=dice_backend(x)
    )
    assert oracle.overlap_sums(again) == [oracle.exact_sums(x, y)]
