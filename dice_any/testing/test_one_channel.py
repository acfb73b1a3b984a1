"""One sigmoid channel against a label map of 0 and 1: no function reads it as the background."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dice_any

from .adapters import Adapter
from .capabilities import limit

SCORES: dict[str, dict[str, Any]] = {
    "overlap": {},
    "dice_score": {},
    "jaccard_score": {},
    "tversky_score": {"alpha": 1, "beta": 0},
    "f_score": {},
    "precision_score": {},
    "recall_score": {},
    "specificity_score": {},
    "volume_similarity": {},
    "overlap_coefficient": {},
    "cosine_score": {},
    "accuracy_score": {},
    "matthews_correlation": {},
    "cohen_kappa": {},
    "generalized_dice_score": {},
}
SUMMED: dict[str, dict[str, Any]] = {
    "dice_loss": {},
    "jaccard_loss": {},
    "tversky_loss": {"alpha": 1, "beta": 0},
    "focal_tversky_loss": {"alpha": 1, "beta": 0},
    "generalized_dice_loss": {},
    "log_dice_loss": {},
    "log_cosh_dice_loss": {},
    "matthews_loss": {},
    "dice_cross_entropy_loss": {"activation": "sigmoid"},
    "dice_focal_loss": {"activation": "sigmoid"},
}
RANKED: dict[str, dict[str, Any]] = {
    "lovasz_loss": {},
    "centerline_dice_loss": {},
    "wasserstein_dice_loss": {"distances": [[0.0]]},
}
FUNCTIONS = {**SCORES, **SUMMED, **RANKED}
MESSAGE = (
    r"`target` must be boolean or floating beside a class axis of length 1, .+; got int32\. Say "
    r"which"
)
#: shape of the prediction, its class axis, shape of the target, what the message says to write
LAYOUTS = {
    "channels first": ((2, 1, 4, 5), 1, (2, 4, 5), r"`target\[:, None(, \.\.\.)?\] == 1`"),
    "both with channels": ((2, 1, 4, 5), 1, (2, 1, 4, 5), "`target == 1`"),
    "channels last": ((2, 4, 5, 1), -1, (2, 4, 5), r"`target\[:, :, :, None(, \.\.\.)?\] == 1`"),
    "no samples": ((1, 4, 5), 0, (4, 5), r"`target\[None(, \.\.\.)?\] == 1`"),
}


def test_every_function_that_takes_a_class_axis_is_here() -> None:
    others = {"backends", "confusion_matrix", "pairwise_overlap", "set_overlap", "value_and_grad"}
    others |= {
        "Backend",
        "dice_to_jaccard",
        "jaccard_to_dice",
        "Overlap",
        "conventions",
        "distributed",
    }
    functions = {name for name in dice_any.__all__ if callable(getattr(dice_any, name))}
    assert functions - others == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("labels", [0, 1])
def test_a_label_map_is_refused(dice_backend: Adapter, name: str, layout: str, labels: int) -> None:
    feature = "loss" if name in SUMMED else "ranked" if name in RANKED else "exact"
    if limit(dice_backend.name, feature) and feature != "exact":
        pytest.skip(f"{dice_backend.name}: {limit(dice_backend.name, feature)}")
    shape, class_axis, target_shape, written = LAYOUTS[layout]
    prediction = dice_backend(np.full(shape, 0.25, dtype=np.float32))
    target = dice_backend(np.full(target_shape, labels, dtype=np.int32))
    function, arguments = getattr(dice_any, name), {"class_axis": class_axis, **FUNCTIONS[name]}
    with pytest.raises(ValueError, match=f"{MESSAGE} label is meant: {written}"):
        function(prediction, target, **arguments)


@pytest.mark.dice_feature("closed form")
@pytest.mark.parametrize("name", [*SUMMED, *RANKED])
def test_gradients_of_a_label_map_are_refused(dice_backend: Adapter, name: str) -> None:
    if name in RANKED and limit(dice_backend.name, "ranked"):
        pytest.skip(f"{dice_backend.name}: {limit(dice_backend.name, 'ranked')}")
    prediction = dice_backend(np.full((2, 1, 4, 5), 0.25, dtype=np.float32))
    target = dice_backend(np.zeros((2, 4, 5), dtype=np.int32))
    gradient = dice_any.value_and_grad(getattr(dice_any, name))
    with pytest.raises(ValueError, match=MESSAGE):
        gradient(prediction, target, class_axis=1, **FUNCTIONS[name])
