"""The golden sums, on this machine."""

from __future__ import annotations

from typing import Any

import pytest

import dice_any

from . import golden, oracle
from .adapters import Adapter


def name(case: dict[str, Any]) -> str:
    keys = ("activation", "prediction", "target", "form", "weight")
    return "-".join(str(case[key]) for key in keys if key != "activation" or case[key])


@pytest.mark.dice_feature("exact", "weight")
@pytest.mark.parametrize("case", golden.read(), ids=name)
def test_golden_sums(dice_backend: Adapter, case: dict[str, Any]) -> None:
    missing = [
        dtype for dtype in (case["prediction"], case["target"]) if not dice_backend.has(dtype)
    ]
    if missing:
        pytest.skip(f"{dice_backend.name} has no {missing[0]}")
    x, y, weight = golden.inputs(case)
    got = dice_backend.call(dice_any.overlap, x, y, weight=weight, **golden.options(case))
    assert oracle.overlap_sums(got) == golden.expected(case)
