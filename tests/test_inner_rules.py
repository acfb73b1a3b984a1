"""Rules that hold inside of the package: what breaks one is our own fault, told at once."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import dice_any
from dice_any.kernels.task import Task
from dice_any.losses.objectives.memberships import plain_task
from dice_any.measuring import Measured

SETS = Task(
    library="numpy",
    device="cpu",
    shapes=((4,), (4,), None),
    dtypes=("bool", "bool", None),
    kind="hard",
    axis=(0,),
    class_axis=None,
    num_classes=None,
    labels=(False, False),
    activation=None,
    form="product",
    ignore_label=None,
)


def test_sets_have_no_number_of_classes() -> None:
    assert not SETS.by_class
    with pytest.raises(ValueError, match="the counts of this task are not by class"):
        _ = SETS.classes


def test_a_given_overlap_cannot_be_differentiated() -> None:
    overlap = dice_any.overlap(np.array([True]), np.array([True]))
    message = "an overlap that was given, .* has no prediction to differentiate"
    with pytest.raises(TypeError, match=message):
        Measured(overlap, None, None).gradient(1.0, 1.0)


def test_a_loss_of_memberships_has_arrays() -> None:
    with pytest.raises(TypeError, match="a call of this loss has arrays"):
        plain_task(SimpleNamespace(task=None), "it looks at places")
