"""Exact sums from logits have the bits of integer steps in Python, on every library."""

from __future__ import annotations

import re

import numpy as np
import pytest

import dice_any

from . import oracle, recipe
from .adapters import Adapter
from .capabilities import limit

pytestmark = pytest.mark.dice_feature("exact", "activation")

ACTIVATIONS = {"softmax": oracle.softmax, "sigmoid": oracle.sigmoid}


def logits(classes: int, length: int, dtype: str) -> np.ndarray:
    """Return logits (classes, elements) that are ordinary, large, tiny, equal, and −∞."""
    z = (recipe.memberships(71, (classes, length), "float64") * 24 - 12).astype(dtype)
    large = 6e4 if dtype == "float16" else 1e4
    z[0, 0], z[1, 1], z[:, 2] = large, -large, 1.5
    z[:, 3] = -large
    z[1:, 4] = -np.inf
    z[0, 5], z[1, 5] = 1e-40, -1e-40  # a denormal of float32, which some processors treat as 0
    return z


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_bits_from_logits(dice_backend: Adapter, activation: str, dtype: str, classes: int) -> None:
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    unwritten = dtype == "bfloat16" and dice_backend.name == "cubed"  # Zarr has no such dtype
    if unwritten or not dice_backend.has(dtype):
        pytest.skip(f"{dice_backend.name} has no {dtype}")
    z = logits(classes, 40, "float32" if dtype == "bfloat16" else dtype)
    if dtype == "bfloat16":
        z = z.astype(pytest.importorskip("ml_dtypes").bfloat16)
    y = recipe.labels(73, 40, classes, "int32")
    x = ACTIVATIONS[activation](z)
    for form in ("product", "squared", "minimum"):
        given = {"class_axis": 0, "activation": activation, "form": form}
        got = dice_backend.call(dice_any.overlap, z, y, **given)
        expected = [oracle.exact_sums(x[c], y == c, form) for c in range(classes)]
        assert oracle.overlap_sums(got) == expected


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_what_is_no_logit(dice_backend: Adapter, activation: str) -> None:
    """NaN and +∞ are invalid, and so is −∞ in every class of a softmax; ignored ones do no harm."""
    z, y = logits(3, 40, "float32"), recipe.labels(73, 40, 3, "int32")
    x = ACTIVATIONS[activation](z)
    bad = z.copy()
    bad[:, 7], bad[0, 9] = np.nan, np.inf
    if activation == "softmax":
        bad[:, 11] = -np.inf
    weight = np.ones(40, dtype=bool)
    weight[[7, 9, 11]] = False
    given = {"class_axis": 0, "activation": activation}
    got = dice_backend.call(dice_any.overlap, bad, y, weight=weight, **given)
    assert oracle.overlap_sums(got) == [
        oracle.exact_sums(x[c], y == c, weight=weight) for c in range(3)
    ]
    message = "`prediction` must hold logits that are numbers below +inf"
    if limit(dice_backend.name, "errors") is None:
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            dice_backend.call(dice_any.dice_score, bad, y, **given)
        assert "finite" not in str(caught.value)
    else:
        score = dice_backend.call(dice_any.dice_score, bad, y, **given)
        assert np.isnan(dice_backend.values(score)[0])


def test_many_classes(dice_backend: Adapter) -> None:
    """The sum over the classes fits 63 bits."""
    z = np.zeros((5000, 2), dtype=np.float32)
    z[17, 0] = 3.0
    y = np.array([17, 4999], dtype="int32")
    x = oracle.softmax(z)
    got = dice_backend.call(dice_any.overlap, z, y, class_axis=0, activation="softmax")
    found = oracle.overlap_sums(got)
    for c in (0, 17, 4999):
        assert found[c] == oracle.exact_sums(x[c], y == c)
