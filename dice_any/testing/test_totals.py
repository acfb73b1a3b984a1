"""A score of all classes together needs one number of elements: a weight that differs by class is
an error at once, or NaN; never a plausible number.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import dice_any
from dice_any import Overlap

from . import recipe
from .adapters import Adapter
from .capabilities import limit

SCORES = {
    "accuracy": dice_any.accuracy_score,
    "kappa": dice_any.cohen_kappa,
    "Matthews": dice_any.matthews_correlation,
}
LABELS = recipe.labels(3, (2, 30), 4)
ONE_HOT = np.stack([c == LABELS for c in range(4)], axis=1)
MASKS = np.stack([recipe.labels(5, (2, 30), 4) == c for c in range(4)], axis=1)
WEIGHT = np.array([1, 2, 2, 1]).reshape(1, 4, 1)
BY_ELEMENT = recipe.labels(7, (2, 1, 30), 3)
MESSAGE = "`weight` must weigh an element equally for all classes in a score of all classes"


@pytest.mark.dice_feature("hard", "weight", "averages")
@pytest.mark.parametrize("exact", [None, False])
@pytest.mark.parametrize("dtype", ["bool", "float32"])
@pytest.mark.parametrize("name", SCORES)
def test_a_weight_that_differs_by_class(
    dice_backend: Adapter, name: str, dtype: str, exact: bool | None
) -> None:
    arrays = MASKS.astype(dtype), ONE_HOT.astype(dtype)
    given = {"class_axis": 1, "axis": "space", "exact": exact}
    weights = [WEIGHT, WEIGHT.astype(np.float32), BY_ELEMENT * WEIGHT]
    for weight in weights if dtype == "bool" else weights[1:2]:
        score: Callable = SCORES[name]
        if limit(dice_backend.name, "errors") is None:
            with pytest.raises(ValueError, match=MESSAGE):
                dice_backend.call(score, *arrays, weight=weight, **given)
        else:
            found = dice_backend.call(score, *arrays, weight=weight, **given)
            assert np.isnan(dice_backend.values(found)).all()


@pytest.mark.dice_feature("hard", "weight", "averages")
@pytest.mark.parametrize("name", SCORES)
def test_a_weight_that_is_equal_for_all_classes(dice_backend: Adapter, name: str) -> None:
    given, whole = {"class_axis": 1, "axis": "space"}, np.repeat(BY_ELEMENT, 4, axis=1)
    found, expected = (
        dice_backend.bits(dice_backend.call(SCORES[name], MASKS, ONE_HOT, weight=w, **given))
        for w in (whole, BY_ELEMENT)
    )
    assert found == expected


@pytest.mark.parametrize("name", SCORES)
def test_counts_without_true_negatives(name: str) -> None:
    tp, fp, fn = np.array([5, 2]), np.array([1, 0]), np.array([0, 3])
    with pytest.raises(ValueError, match=MESSAGE):
        SCORES[name](Overlap.from_counts(tp=tp, fp=fp, fn=fn, by_class=True))
    whole = Overlap.from_counts(tp=tp, fp=fp, fn=fn, tn=10 - tp - fp - fn, by_class=True)
    assert np.isfinite(SCORES[name](whole))
