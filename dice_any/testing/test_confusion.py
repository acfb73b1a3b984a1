"""Confusion matrices: against pairs counted one by one, for any classes and weights."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import dice_any

from . import oracle, recipe
from .adapters import Adapter
from .capabilities import limit

pytestmark = pytest.mark.dice_feature("hard")


def counted(
    x: np.ndarray, y: np.ndarray, classes: int, weight: np.ndarray | None = None
) -> list[list[int]]:
    """Count pairs in units of 2⁻⁶² of weight."""
    cells = [[0] * classes for _ in range(classes)]
    weights = np.ones(x.shape) if weight is None else np.broadcast_to(weight, x.shape)
    for p, t, w in zip(
        x.ravel().tolist(), y.ravel().tolist(), weights.ravel().tolist(), strict=True
    ):
        cells[t][p] += oracle.quantum(float(w))
    return cells


@pytest.mark.parametrize("classes", [1, 2, 5, 40, 300])
def test_numbers_of_classes(dice_backend: Adapter, classes: int) -> None:
    if dice_backend.name in ("sparse", "ndonnx") and classes > 5:
        pytest.skip("goes through a mask for each pair of labels")
    x, y = recipe.labels(1, (7, 11), classes), recipe.labels(3, (7, 11), classes)
    got = dice_backend.values(
        dice_backend.call(dice_any.confusion_matrix, x, y, num_classes=classes)
    )
    assert got.tolist() == [[n // oracle.UNIT for n in row] for row in counted(x, y, classes)]


@pytest.mark.dice_feature("weight")
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("axis", [None, 1])
@pytest.mark.parametrize("classes", [3, 40])
def test_weights(dice_backend: Adapter, dtype: str, axis: int | None, classes: int) -> None:
    if not dice_backend.has(dtype) or (dice_backend.name in ("sparse", "ndonnx") and classes > 5):
        pytest.skip(
            f"{dice_backend.name} has no {dtype}, or goes through a mask for each pair of labels"
        )
    x, y = recipe.labels(5, (2, 30), classes), recipe.labels(7, (2, 30), classes)
    weight = (recipe.memberships(9, (2, 30), "float64") * 7).astype(dtype)
    y[1, ::4] = 77
    answer = dice_backend.call(
        dice_any.confusion_matrix,
        x,
        y,
        num_classes=classes,
        axis=axis,
        weight=weight,
        ignore_label=77,
    )
    got = dice_backend.values(answer)
    rows = [slice(None)] if axis is None else [0, 1]
    expected = [
        counted(x[r][y[r] != 77], y[r][y[r] != 77], classes, weight[r][y[r] != 77]) for r in rows
    ]
    floats = [
        [[float(Fraction(n, oracle.UNIT)) for n in row] for row in matrix] for matrix in expected
    ]
    right = np.array(floats if axis is not None else floats[0])
    kind = dice_backend.library.kind(answer.dtype)
    assert kind == ("floating" if "float" in dtype else "integer")
    if limit(dice_backend.name, "exact"):
        assert got == pytest.approx(right, rel=1e-6)
    else:
        assert got.tolist() == right.tolist()


@pytest.mark.dice_feature("weight", "exact")
def test_weighted_labels_of_many_classes(dice_backend: Adapter) -> None:
    """Sums of two label maps with floating weights, which also use histograms."""
    if dice_backend.name in ("sparse", "ndonnx"):
        pytest.skip("goes through a mask for each class")
    x, y = recipe.labels(11, 400, 150), recipe.labels(13, 400, 150)
    weight = recipe.memberships(15, 400, "float64") * 3
    got = oracle.overlap_sums(
        dice_backend.call(dice_any.overlap, x, y, num_classes=150, weight=weight)
    )
    assert got == [oracle.exact_sums(x == c, y == c, weight=weight) for c in range(150)]


@pytest.mark.dice_feature("weight")
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("axis", [None, 1])
@pytest.mark.parametrize("classes", [3, 40])
def test_plain_sums_of_weighted_labels(
    dice_backend: Adapter, dtype: str, axis: int | None, classes: int
) -> None:
    if not dice_backend.has(dtype) or (dice_backend.name in ("sparse", "ndonnx") and classes > 5):
        pytest.skip(f"{dice_backend.name} has no {dtype}, or goes through a mask for each class")
    x, y = recipe.labels(11, (2, 200), classes), recipe.labels(13, (2, 200), classes)
    x[:, ::3] = y[:, ::3]
    # the same small weight in each term: float32 sums of them would be off by rounding
    weight = (recipe.memberships(15, (2, 200), "float64") + 0.1).astype(dtype)
    y[1, ::4] = 77
    arguments = {"num_classes": classes, "axis": axis, "ignore_label": 77}
    overlap = dice_backend.call(dice_any.overlap, x, y, weight=weight, exact=False, **arguments)
    rows = [0, 1] if axis == 1 else [slice(None)]
    kept = [(x[r][y[r] != 77], y[r][y[r] != 77], weight[r][y[r] != 77]) for r in rows]
    expected = np.array(
        [
            [
                [math.fsum(w[chosen(p, t, c)].astype(float)) for c in range(classes)]
                for p, t, w in kept
            ]
            for chosen in (
                lambda p, t, c: (p == c) & (t == c),
                lambda p, t, c: p == c,
                lambda p, t, c: t == c,
                lambda p, t, c: p == p,
            )
        ]
    )
    sums = [overlap.intersection, overlap.prediction, overlap.target, overlap.total]
    got = np.array([dice_backend.values(part) for part in sums])
    wide = limit(dice_backend.name, "exact") is None
    right = expected if axis == 1 else expected[:, 0]
    assert got == pytest.approx(right, rel=1e-12 if wide else 1e-6)


@pytest.mark.parametrize("classes", [2, 90])
@pytest.mark.parametrize("weighted", [False, True])
def test_invalid_labels_are_in_no_cell(dice_backend: Adapter, classes: int, weighted: bool) -> None:
    if weighted and (reason := limit(dice_backend.name, "weight")):
        pytest.skip(reason)
    if dice_backend.name in ("sparse", "ndonnx") and classes > 5:
        pytest.skip("goes through a mask for each pair of labels")
    x, y = recipe.labels(17, 50, classes), recipe.labels(19, 50, classes)
    x[3], y[4], y[5] = classes, -1, classes + 9
    weight = np.full(50, 3) if weighted else None
    if limit(dice_backend.name, "errors") is None:
        with pytest.raises(
            ValueError, match=f"`target` must hold labels from 0 to {classes - 1}; got 2 outside"
        ):
            dice_backend.call(dice_any.confusion_matrix, x, y, num_classes=classes, weight=weight)
        y[4:6] = 0
        with pytest.raises(
            ValueError,
            match=f"`prediction` must hold labels from 0 to {classes - 1}; got 1 outside",
        ):
            dice_backend.call(dice_any.confusion_matrix, x, y, num_classes=classes, weight=weight)
        return
    got = dice_backend.call(dice_any.confusion_matrix, x, y, num_classes=classes, weight=weight)
    kept = np.setdiff1d(np.arange(50), [3, 4, 5])
    expected = [
        [n // oracle.UNIT for n in row]
        for row in counted(x[kept], y[kept], classes, 3 if weighted else 1)
    ]
    assert dice_backend.values(got).tolist() == expected


@pytest.mark.dice_feature("weight", "exact")
def test_an_invalid_floating_weight_is_never_a_number(dice_backend: Adapter) -> None:
    """Neither in a confusion matrix, nor in a plain score of label maps."""
    x, y, weight = recipe.labels(21, 9, 3), recipe.labels(23, 9, 3), np.ones(9)
    for bad in (-1.0, math.nan, 2.0**31):
        weight[4] = bad
        arguments = {"num_classes": 3, "weight": weight}
        for function, more in (
            (dice_any.confusion_matrix, {}),
            (dice_any.dice_score, {"exact": False}),
        ):
            if limit(dice_backend.name, "errors") is None:
                with pytest.raises(ValueError, match="`weight` must be non-negative"):
                    dice_backend.call(function, x, y, **arguments, **more)
            else:
                got = dice_backend.call(function, x, y, **arguments, **more)
                assert np.isnan(dice_backend.values(got)).all()


@pytest.mark.dice_feature("weight")
def test_too_much_weight(dice_backend: Adapter) -> None:
    if limit(dice_backend.name, "errors"):
        pytest.skip("integers cannot say that they are wrong")
    x = np.zeros(9, dtype=np.int64)
    for weight in (np.full(9, 2**30), np.full(9, 2.0**30, dtype=np.float32)):
        if weight.dtype == np.float32 and limit(dice_backend.name, "exact"):
            continue
        with pytest.raises(ValueError, match="`weight` must add up to less than"):
            dice_backend.call(dice_any.confusion_matrix, x, x, num_classes=2, weight=weight)


def test_more_cells_than_memory(dice_backend: Adapter) -> None:
    x = np.zeros(9, dtype=np.int64)
    message = (
        "`num_classes` must leave room for the matrices, 1,073,741,824 numbers; got 1 of 1,048,576 "
        "× 1,048,576"
    )
    with pytest.raises(ValueError, match=message):
        dice_backend.call(dice_any.confusion_matrix, x, x, num_classes=2**20)
