"""Regions are groups of labels: against masks made label by label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dice_any

from . import oracle, recipe
from .adapters import Adapter
from .every_loss import CALLS, loss
from .test_every_loss import both
from .test_exact import sums
from .test_hard import by_hand, counts, stacked

pytestmark = pytest.mark.dice_feature("regions")

#: whole tumour, tumour core, enhancing tumour; no group is the sum of others
BRATS = [(1, 2, 3), (1, 3), (3,)]
SIGMOID = {"class_axis": 1, "activation": "sigmoid"}


def masks(labels: np.ndarray) -> list[np.ndarray]:
    flat = labels.ravel().tolist()
    return [np.array([label in group for label in flat]).reshape(labels.shape) for group in BRATS]


@pytest.mark.dice_feature("hard")
def test_two_label_maps(dice_backend: Adapter) -> None:
    x, y = recipe.labels(1, 60, 5, "uint8"), recipe.labels(2, 60, 5, "uint8")
    expected = stacked([by_hand(a, b) for a, b in zip(masks(x), masks(y), strict=True)])
    assert counts(dice_backend, x, y, regions=BRATS, num_classes=5) == expected
    named = dict(zip(("WT", "TC", "ET"), BRATS, strict=True))
    assert counts(dice_backend, x, y, regions=named, num_classes=5) == expected


@pytest.mark.dice_feature("weight", "hard")
def test_two_label_maps_with_labels_to_ignore(dice_backend: Adapter) -> None:
    x, y = recipe.labels(3, (2, 40), 4), recipe.labels(4, (2, 40), 4)
    y[0, ::5], y[1, ::3] = 200, 100
    given: dict[str, Any] = {"regions": BRATS, "ignore_label": (200, 100), "axis": "space"}
    got = counts(dice_backend, x, y, **given)
    for sample in range(2):
        kept = y[sample] < 100
        pairs = zip(masks(x[sample][kept]), masks(y[sample][kept]), strict=True)
        assert {name: got[name][sample] for name in got} == stacked(
            [by_hand(a, b) for a, b in pairs]
        )


@pytest.mark.dice_feature("weight", "exact")
def test_two_label_maps_with_floating_weights(dice_backend: Adapter) -> None:
    x, y = recipe.labels(5, 50, 4), recipe.labels(6, 50, 4)
    weight = recipe.memberships(7, 50, "float32")
    pairs = zip(masks(x), masks(y), strict=True)
    expected = [oracle.exact_sums(a, b, weight=weight) for a, b in pairs]
    assert sums(dice_backend, x, y, weight=weight, regions=BRATS) == expected


@pytest.mark.dice_feature("weight", "exact", "activation")
def test_channels_against_a_label_map_are_channels_against_masks(dice_backend: Adapter) -> None:
    """The bits are the same as with masks from the caller."""
    z, y = recipe.memberships(8, (2, 3, 30)) * 8 - 4, recipe.labels(9, (2, 30), 4)
    target, weight = np.stack(masks(y), axis=1), recipe.memberships(7, (2, 30), "float32")
    y[0, :6], weight[0, 6:9] = 100, 0
    left = weight * (y < 100)
    given: dict[str, Any] = {"regions": BRATS, "ignore_label": 100, "weight": weight}
    got = sums(dice_backend, z, y, **given, **SIGMOID)
    assert got == sums(dice_backend, z, target, weight=left[:, None], **SIGMOID)


@pytest.mark.dice_feature("loss", "activation", "averages", "closed form", "ranked", "weight")
@pytest.mark.parametrize("name", [name for name in CALLS if name != "wasserstein_dice_loss"])
def test_losses_and_their_gradients(dice_backend: Adapter, name: str) -> None:
    """In a compound loss the cross-entropy is that of each region's channel."""
    z, y = recipe.memberships(8, (2, 3, 4, 5), "float32") * 8 - 4, recipe.labels(9, (2, 4, 5), 4)
    target, kept = np.stack(masks(y), axis=1), np.ones((2, 1, 4, 5), dtype=bool)
    y[0, 1], kept[0, 0, 1] = 100, False
    function = loss(name, axis="space", activation="sigmoid")
    got, gradient = both(dice_backend, function, z, y, regions=BRATS, ignore_label=100)
    expected, slopes = both(dice_backend, function, z, target, weight=kept)
    assert got == pytest.approx(expected, rel=1e-6)
    assert gradient == pytest.approx(slopes, rel=1e-5, abs=1e-8)
    assert (gradient != 0).any()
    assert (gradient[0, :, 1] == 0).all()


@pytest.mark.dice_feature("weight", "exact", "activation")
def test_a_label_beyond_the_labels_is_invalid(dice_backend: Adapter) -> None:
    z, y = recipe.memberships(8, (2, 3, 30)), recipe.labels(9, (2, 30), 4)
    y[0, 3] = 4
    for prediction, given in ((z, SIGMOID), (recipe.labels(1, (2, 30), 4), {})):
        arguments: dict[str, Any] = {"regions": BRATS, "axis": "space", **given}
        arrays = dice_backend(prediction), dice_backend(y)
        if dice_backend.library.at_hand(arrays[1]) or dice_backend.name == "sparse":
            with pytest.raises(ValueError, match="`target` must hold labels from 0 to 3"):
                dice_any.dice_score(*arrays, **arguments)
        else:
            got = dice_backend.values(dice_any.dice_score(*arrays, **arguments))
            assert np.isnan(got[0]).all()
            assert not np.isnan(got[1]).any()
        dice_any.dice_score(*arrays, **arguments, num_classes=5)
