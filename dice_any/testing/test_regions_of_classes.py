"""Regions of classes: memberships are added up, against a label map or memberships by class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import dice_any

from . import oracle, recipe
from .adapters import Adapter, strictly
from .capabilities import limit
from .regions import CLASSES, GROUPS, added, logits, masks, shares
from .test_exact import FORMS, sums
from .test_hard import by_hand, counts, stacked

pytestmark = pytest.mark.dice_feature("regions")


@pytest.fixture(autouse=True)
def _as_lazy_libraries(dice_backend: Adapter) -> Iterator[None]:
    with strictly(dice_backend.name):
        yield


# -- sums ------------------------------------------------------------------------------------------


@pytest.mark.dice_feature("exact", "activation")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_adds_integers(dice_backend: Adapter, dtype: str, form: str) -> None:
    """The bits are equal: the exponentials are integers, and so are their sums."""
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
    """Labels are added from the smallest to the largest, so the order in a group changes no bit."""
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
    """An element of two classes of a region counts once."""
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
    """It is invalid for the regions that it is in; classes in no region are not checked."""
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
                # NaN propagates through plain sums, so the number is unknown
                message = message.replace("got 1 elements", "got")
            with pytest.raises(ValueError, match=message):
                dice_backend.call(dice_any.dice_score, *arrays, **given)
        else:
            got = dice_backend.values(dice_backend.call(dice_any.dice_score, *arrays, **given))
            assert np.isnan(got[0]).all()
            assert not np.isnan(got[1]).any()
