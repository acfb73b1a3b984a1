"""Masks and label maps are counted in integers: the same bits everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

import dice_any

from . import oracle, recipe
from .adapters import Adapter, strictly
from .capabilities import SMALL

pytestmark = pytest.mark.dice_feature("hard")


@pytest.fixture(autouse=True)
def _as_lazy_libraries(dice_backend: Adapter):
    with strictly(dice_backend.name):
        yield


def counts(backend: Adapter, *arrays: np.ndarray, **arguments: object) -> dict[str, list]:
    result = backend.call(dice_any.overlap, *arrays, **arguments)
    return {
        name: backend.values(getattr(result, name)).tolist() for name in ("tp", "fp", "fn", "tn")
    }


def by_hand(prediction: np.ndarray, target: np.ndarray) -> dict[str, int]:
    pairs = list(zip(prediction.ravel().tolist(), target.ravel().tolist(), strict=True))
    return {
        "tp": sum(x and y for x, y in pairs),
        "fp": sum(x and not y for x, y in pairs),
        "fn": sum(y and not x for x, y in pairs),
        "tn": sum(not x and not y for x, y in pairs),
    }


def stacked(parts: list[dict[str, int]]) -> dict[str, list[int]]:
    return {name: [part[name] for part in parts] for name in ("tp", "fp", "fn", "tn")}


def test_masks_are_counted(dice_backend: Adapter) -> None:
    x, y = recipe.masks(1, (5, 7)), recipe.masks(2, (5, 7))
    assert counts(dice_backend, x, y) == by_hand(x, y)


def test_counts_are_integers(dice_backend: Adapter) -> None:
    result = dice_backend.call(dice_any.overlap, recipe.masks(1, 9), recipe.masks(2, 9))
    assert result.kind == "hard"
    assert str(result.tp.dtype).endswith("int64")


@pytest.mark.parametrize("axis", [0, (0, 2), "space", (-1,)])
def test_masks_over_some_axes(dice_backend: Adapter, axis: object) -> None:
    x, y = recipe.masks(3, (3, 4, 5)), recipe.masks(4, (3, 4, 5))
    got = counts(dice_backend, x, y, axis=axis)
    numbers = {0: (0,), (0, 2): (0, 2), "space": (1, 2), (-1,): (2,)}[axis]
    assert got["tp"] == (x & y).sum(axis=numbers).tolist()
    assert got["fn"] == (~x & y).sum(axis=numbers).tolist()


@pytest.mark.parametrize("class_axis", [0, 1, -1])
def test_masks_by_class_have_the_classes_last(dice_backend: Adapter, class_axis: int) -> None:
    x, y = recipe.masks(5, (2, 3, 4)), recipe.masks(6, (2, 3, 4))
    parts = [
        by_hand(a, b)
        for a, b in zip(np.moveaxis(x, class_axis, 0), np.moveaxis(y, class_axis, 0), strict=True)
    ]
    assert counts(dice_backend, x, y, class_axis=class_axis) == stacked(parts)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64"])
def test_label_maps(dice_backend: Adapter, dtype: str) -> None:
    # class 4 is in neither map
    x, y = recipe.labels(7, (6, 11), 4, dtype), recipe.labels(8, (6, 11), 4, dtype)
    expected = stacked([by_hand(x == label, y == label) for label in range(5)])
    assert counts(dice_backend, x, y, num_classes=5) == expected


def test_label_maps_of_each_sample(dice_backend: Adapter) -> None:
    x, y = recipe.labels(9, (3, 4, 5), 3, "uint8"), recipe.labels(10, (3, 4, 5), 3, "uint8")
    got = counts(dice_backend, x, y, num_classes=3, axis=(1, 2))
    for sample in range(3):
        for label in range(3):
            part = by_hand(x[sample] == label, y[sample] == label)
            assert {name: got[name][sample][label] for name in got} == part


@pytest.mark.dice_feature("weight")
@pytest.mark.parametrize("option", ["plain", "ignored", "weighted"])
def test_label_maps_of_more_classes_than_elements(dice_backend: Adapter, option: str) -> None:
    """If there are many classes for each element, labels are counted, not pairs of labels."""
    x, y = recipe.labels(45, (2, 19), 46, "uint8"), recipe.labels(46, (2, 19), 46, "uint8")
    y[:, :8] = x[:, :8]
    repeats, arguments = np.ones(19, dtype=np.int64), {}
    if option == "ignored":
        y[:, ::5] = 200
        repeats[::5], arguments = 0, {"ignore_label": 200}
    elif option == "weighted":
        repeats = recipe.integers(47, 19, 3)
        arguments = {"weight": repeats[None]}
    got = counts(dice_backend, x, y, num_classes=46, axis=1, **arguments)
    for sample in range(2):
        a, b = np.repeat(x[sample], repeats), np.repeat(y[sample], repeats)
        expected = stacked([by_hand(a == label, b == label) for label in range(46)])
        assert {name: got[name][sample] for name in got} == expected


def test_mask_by_class_meets_a_label_map(dice_backend: Adapter) -> None:
    x, y = recipe.masks(11, (2, 3, 8)), recipe.labels(12, (2, 8), 3, "uint8")
    expected = stacked([by_hand(x[:, label], y == label) for label in range(3)])
    assert counts(dice_backend, x, y, class_axis=1) == expected


@pytest.mark.dice_feature("weight")
@pytest.mark.parametrize("ignore", [255, 1, -1])
def test_ignored_elements_are_as_if_cropped(dice_backend: Adapter, ignore: int) -> None:
    x, y = recipe.labels(13, 60, 3, "uint8"), recipe.labels(14, 60, 3, "uint8")
    if ignore == 255:
        y[::4] = 255
    kept = y != ignore
    expected = stacked([by_hand(x[kept] == label, y[kept] == label) for label in range(3)])
    assert counts(dice_backend, x, y, num_classes=3, ignore_label=ignore) == expected


@pytest.mark.dice_feature("weight")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ignore", [[255, 1], (1, -1, 1), (), range(3, 1000)])
@pytest.mark.dice_feature("regions")
def test_several_labels_are_ignored(
    dice_backend: Adapter, ignore: Sequence[int], weighted: bool
) -> None:
    x, y = recipe.labels(13, 60, 3, "uint8"), recipe.labels(14, 60, 3, "uint8")
    if 255 in ignore:
        y[::4] = 255
    repeats = recipe.integers(47, 60, 3) if weighted else np.ones(60, dtype=np.int64)
    given = {"weight": repeats} if weighted else {}
    repeats = repeats * np.array([label not in ignore for label in y.tolist()])
    a, b = np.repeat(x, repeats), np.repeat(y, repeats)
    got = counts(dice_backend, x, y, num_classes=3, ignore_label=ignore, **given)
    assert got == stacked([by_hand(a == label, b == label) for label in range(3)])


@pytest.mark.dice_feature("weight")
def test_everything_ignored_counts_nothing(dice_backend: Adapter) -> None:
    x, y = recipe.labels(13, 6, 3), np.full(6, 9)
    got = counts(dice_backend, x, y, num_classes=3, ignore_label=9)
    assert got == {name: [0, 0, 0] for name in got}


@pytest.mark.dice_feature("weight")
@pytest.mark.parametrize("kind", ["masks", "label maps"])
def test_weight_two_is_the_element_twice(dice_backend: Adapter, kind: str) -> None:
    weight = recipe.integers(15, 40, 3)
    if kind == "masks":
        x, y, arguments = recipe.masks(16, 40), recipe.masks(17, 40), {}
    else:
        x, y, arguments = recipe.labels(16, 40, 3), recipe.labels(17, 40, 3), {"num_classes": 3}
    weighted = counts(dice_backend, x, y, weight=weight, **arguments)
    assert weighted == counts(dice_backend, np.repeat(x, weight), np.repeat(y, weight), **arguments)


@pytest.mark.dice_feature("weight")
def test_boolean_weight_is_a_crop(dice_backend: Adapter) -> None:
    x, y, weight = recipe.masks(18, (4, 9)), recipe.masks(19, (4, 9)), recipe.masks(20, (1, 9))
    assert counts(dice_backend, x, y, weight=weight) == by_hand(x[:, weight[0]], y[:, weight[0]])


def test_one_element_and_one_class(dice_backend: Adapter) -> None:
    assert counts(dice_backend, np.array([True]), np.array([False])) == {
        "tp": 0,
        "fp": 1,
        "fn": 0,
        "tn": 0,
    }
    one = counts(dice_backend, np.array([0]), np.array([0]), num_classes=1)
    assert one == {"tp": [1], "fp": [0], "fn": [0], "tn": [0]}


def test_confusion_matrix(dice_backend: Adapter) -> None:
    x, y = recipe.labels(21, (5, 9), 4, "uint8"), recipe.labels(22, (5, 9), 4, "uint8")
    y[0, 0] = 200
    arguments = {"num_classes": 4, "ignore_label": 200}
    got = dice_backend.values(dice_backend.call(dice_any.confusion_matrix, x, y, **arguments))
    kept = y != 200
    expected = [[int(((y == t) & (x == p) & kept).sum()) for p in range(4)] for t in range(4)]
    assert got.tolist() == expected


@pytest.mark.dice_feature("pairwise")
def test_pairwise_masks(dice_backend: Adapter) -> None:
    x, y = recipe.masks(23, (3, 20)), recipe.masks(24, (4, 20))
    result = dice_backend.call(dice_any.pairwise_overlap, x, y)
    expected = [[int((a & b).sum()) for b in y] for a in x]
    assert dice_backend.values(result.tp).tolist() == expected
    assert dice_backend.values(result.target).tolist() == [y.sum(axis=1).tolist()] * 3


def test_counts_beyond_float32(dice_backend: Adapter) -> None:
    """float32 cannot count beyond 2**24."""
    size = 2**24 + 3 if dice_backend.library.name not in SMALL else 2**12 + 3
    x = np.ones(size, dtype=bool)
    assert counts(dice_backend, x, x)["tp"] == size


def test_two_to_the_31_elements(dice_backend: Adapter) -> None:
    """More than int32 can count, through broadcasting, so that they need no memory."""
    if dice_backend.name not in ("numpy", "torch"):
        pytest.skip(f"{dice_backend.name} may copy what is broadcast")
    xp = dice_backend.library.xp
    mask = xp.broadcast_to(dice_backend(np.arange(2**16) % 4 != 1), (2**15, 2**16))
    result = dice_any.overlap(mask, mask, **dice_backend.options)
    assert dice_backend.values(result.tp).tolist() == 3 * 2**29
    assert dice_backend.values(result.tn).tolist() == 2**29


def test_merging_parts_is_the_whole(dice_backend: Adapter) -> None:
    x, y = recipe.masks(25, 90), recipe.masks(26, 90)
    whole = dice_backend.call(dice_any.overlap, x, y)
    parts = [dice_backend.call(dice_any.overlap, x[i : i + 30], y[i : i + 30]) for i in (60, 0, 30)]
    assert oracle.overlap_sums(sum(parts)) == oracle.overlap_sums(whole)
