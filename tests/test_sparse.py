"""pydata/sparse: all its formats, and no gradients, which would be dense."""

from __future__ import annotations

import itertools
import re
from functools import partial
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any import Overlap
from dice_any.testing import every_loss
from dice_any.testing.calls import FIELDS, MAPS, MASKS, SOFT, WEIGHT
from dice_any.testing.kinds import of_gradients

sparse = pytest.importorskip("sparse")

COUNTS = np.array([[5, 1], [2, 4]])
CALLS: dict[str, Any] = {
    "label maps": lambda a: dice_any.dice_score(a(MAPS[0]), a(MAPS[1]), num_classes=3),
    "masks": lambda a: dice_any.overlap(a(MASKS[0]), a(MASKS[1])).tp,
    "memberships": lambda a: dice_any.jaccard_score(a(FIELDS[0]), a(FIELDS[1])),
    "logits": lambda a: dice_any.dice_score(
        a(FIELDS[0]), a(SOFT[1]), class_axis=1, activation="softmax"
    ),
    "regions": lambda a: dice_any.dice_score(a(MAPS[0]), a(MAPS[1]), regions=[(1, 2), (2,)]),
    "a loss": lambda a: dice_any.dice_loss(
        a(SOFT[0]), a(SOFT[1]), class_axis=1, class_weight=[1, 2, 3], ignore_label=1
    ),
    "a compound loss": lambda a: dice_any.dice_cross_entropy_loss(
        a(SOFT[0]), a(SOFT[1]), class_axis=1, activation="softmax"
    ),
    "a confusion matrix": lambda a: dice_any.confusion_matrix(
        a(MAPS[0]), a(MAPS[1]), num_classes=3
    ),
    "weights": lambda a: dice_any.dice_score(
        a(MAPS[0]), a(MAPS[1]), num_classes=3, weight=a(WEIGHT), ignore_label=0
    ),
    "rows": lambda a: dice_any.pairwise_overlap(a(MASKS[0][0, 0]), a(MASKS[1][0, 0])).tp,
    "counts": lambda a: Overlap.from_counts(tp=a(COUNTS), fp=a(COUNTS), fn=a(COUNTS)).tp,
    "a matrix": lambda a: Overlap.from_confusion_matrix(a(COUNTS)).tp,
    "zero": lambda a: Overlap.zero((2,), like=a(COUNTS), num_classes=2).tp,
    "a conversion": lambda a: dice_any.dice_to_jaccard(a(FIELDS[0])).todense(),
    "distances": lambda a: dice_any.wasserstein_dice_loss(
        *SOFT, class_axis=1, activation="softmax", distances=a(1 - np.eye(3))
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_formats(name: str) -> None:
    """All formats, also beside each other, give the numbers of dense arrays."""
    call = CALLS[name]
    expected = call(lambda array: array if name != "a conversion" else sparse.COO(array))
    formats = [getattr(sparse, each).from_numpy for each in ("COO", "GCXS", "DOK")]
    in_turn = itertools.cycle(formats)
    for make in (*formats, lambda array: next(in_turn)(array)):
        assert np.asarray(call(make)) == pytest.approx(np.asarray(expected), rel=2e-6)


@pytest.mark.parametrize("form", ["COO", "GCXS", "DOK"])
def test_values_that_are_invalid(form: str) -> None:
    a = getattr(sparse, form).from_numpy
    for call, message in (
        (lambda: dice_any.dice_score(a(FIELDS[0] * 255), a(FIELDS[1])), "`prediction` must hold m"),
        (lambda: dice_any.dice_score(a(MAPS[0]), a(MAPS[1] + 1), num_classes=3), "`target` must h"),
        (lambda: dice_any.dice_score(a(MAPS[0]), a(MAPS[1])), "`num_classes`"),
        (
            lambda: dice_any.dice_score(a(MAPS[0]), a(MAPS[1]), num_classes=3, weight=a(-WEIGHT)),
            "`weight` must be non-negative",
        ),
        (lambda: dice_any.set_overlap(a(MAPS[0][0, 0]), a(MAPS[1][0, 0])), "`a` must have values"),
    ):
        with pytest.raises((TypeError, ValueError), match=re.escape(message)):
            call()


GRADIENTS = list(of_gradients())


@pytest.mark.parametrize(
    "call", GRADIENTS, ids=[f"{call.name} of {call.kind}" for call in GRADIENTS]
)
def test_gradients_are_refused(call: Any) -> None:
    arrays = [sparse.COO.from_numpy(array) for array in call.arrays]
    exact = {} if "lovasz" in call.name else {"exact": True}
    for given in ({}, exact):
        with pytest.raises(
            TypeError, match=r"`prediction` must be dense .*`prediction.todense\(\)"
        ):
            call.function(*arrays, **call.options, **given)


def test_gradients_with_labels_to_ignore_and_regions() -> None:
    options: tuple[dict[str, Any], ...] = (
        {"ignore_label": 1},
        {"weight": sparse.COO.from_numpy(WEIGHT)},
        {"regions": [(1, 2), (2,)], "activation": "softmax"},
    )
    arrays = [sparse.COO.from_numpy(array) for array in SOFT]
    for given in options:
        run = dice_any.value_and_grad(partial(every_loss.loss("dice_loss"), **given))
        with pytest.raises(TypeError, match="`prediction` must be dense to have a gradient"):
            run(*arrays)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f2", ">f4", ">f8"])
@pytest.mark.parametrize("activation", ["argmax", "softmax", "sigmoid"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"regions": [(0, 1), (2,), (1,)]},
        {"regions": [(2,), (1, 2), (0,)], "ignore_label": [1, 9]},
        {"ignore_label": 0, "axis": "space"},
    ],
)
def test_logits_of_every_dtype(dtype: str, activation: str, options: dict[str, Any]) -> None:
    """In a mask of label 0, what is not stored is true."""
    logits, labels = (FIELDS[0] * 8 - 4).astype(dtype), SOFT[1]
    given = {"class_axis": 1, "activation": activation, **options}
    dense = dice_any.overlap(logits, labels, **given)
    found = dice_any.overlap(*map(sparse.COO.from_numpy, (logits, labels)), **given)
    assert found == dense


@pytest.mark.parametrize("shape", [(4, 3), (1, 4), (4, 1), (1, 3, 4), (3, 4, 1), (2, 4, 5, 3)])
def test_argmax_of_equal_scores(shape: tuple[int, ...]) -> None:
    """The first of equal scores counts, and -0.0 equals 0.0, whether stored or not."""
    rng = np.random.default_rng(len(shape))
    for class_axis in (axis for axis, length in enumerate(shape) if length > 1):
        for _ in range(20):
            scores = rng.choice([-1.0, -0.0, 0.0, 1.0], size=shape)
            classes = np.moveaxis(scores, class_axis, -1)
            first = [
                max(range(len(z)), key=z.__getitem__)
                for z in classes.reshape(-1, classes.shape[-1])
            ]
            labels = np.array(first).reshape(classes.shape[:-1])
            found = dice_any.overlap(
                *map(sparse.COO.from_numpy, (scores, labels)),
                class_axis=class_axis,
                activation="argmax",
            )
            assert np.array_equal(
                found.tp, np.bincount(np.ravel(labels), minlength=shape[class_axis])
            )
            assert not found.fp.any()
            assert not found.fn.any()


def test_an_overlap_that_was_stored_can_be_added() -> None:
    """Sums are dense, so those that are read back for sparse arrays are dense too."""
    mask = sparse.COO.from_numpy(np.array([True, True, False]))
    counts = dice_any.overlap(mask, mask)
    again = Overlap.from_dict(counts.to_dict(), like=mask)
    assert again == counts
    assert int((again + counts).tp) == 4
