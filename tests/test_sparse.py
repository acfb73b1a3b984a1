"""pydata/sparse: arrays in coordinate format only, and no gradients, which would be dense."""

from __future__ import annotations

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
#: argument that is refused -> a call that takes it
CALLS: dict[str, Any] = {
    "prediction": lambda a: dice_any.dice_score(a(MAPS[0]), a(MAPS[1]), num_classes=3),
    "prediction of masks": lambda a: dice_any.overlap(a(MASKS[0]), a(MASKS[1])).tp,
    "prediction of memberships": lambda a: dice_any.jaccard_score(a(FIELDS[0]), a(FIELDS[1])),
    "prediction of a loss": lambda a: dice_any.dice_loss(a(SOFT[0]), a(SOFT[1]), class_axis=1),
    "prediction of a matrix": lambda a: dice_any.confusion_matrix(
        a(MAPS[0]), a(MAPS[1]), num_classes=3
    ),
    "target": lambda a: dice_any.dice_score(sparse.COO.from_numpy(MASKS[0]), a(MASKS[1])),
    "weight": lambda a: dice_any.dice_score(
        *map(sparse.COO.from_numpy, MAPS), num_classes=3, weight=a(WEIGHT)
    ),
    "X": lambda a: dice_any.pairwise_overlap(a(MASKS[0][0, 0]), a(MASKS[1][0, 0])).tp,
    "tp": lambda a: Overlap.from_counts(tp=a(COUNTS), fp=a(COUNTS), fn=a(COUNTS)).tp,
    "matrix": lambda a: Overlap.from_confusion_matrix(a(COUNTS)).tp,
    "like": lambda a: Overlap.zero((2,), like=a(COUNTS), num_classes=2).tp,
    "dice": lambda a: dice_any.dice_to_jaccard(a(FIELDS[0])).todense(),
    "distances": lambda a: dice_any.wasserstein_dice_loss(
        *SOFT, class_axis=1, activation="softmax", distances=a(1 - np.eye(3))
    ),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("form", ["GCXS", "DOK"])
def test_other_formats_are_refused(name: str, form: str) -> None:
    """And the cure works."""
    make = getattr(sparse, form).from_numpy
    argument = name.split()[0]
    message = (
        f'`{argument}` must be a plain array; got sparse.{form}. Pass `{argument}.asformat("coo")`.'
    )
    with pytest.raises(TypeError, match=re.escape(message)):
        CALLS[name](make)
    got = CALLS[name](lambda values: make(values).asformat("coo"))
    dense = CALLS[name](sparse.COO.from_numpy)
    assert np.array_equal(got, dense)


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
