"""Dice to Jaccard and back: numbers and arrays, right to the last bits, and no plausible number for
wrong input.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from dice_any import dice_to_jaccard, jaccard_to_dice

from .adapters import Adapter
from .capabilities import limit

CONVERSIONS = {
    dice_to_jaccard: lambda d: d / (2 - d),
    jaccard_to_dice: lambda j: 2 * j / (1 + j),
}
SCORES = [0.0, 0.25, 0.4, 0.625, 1.0]
#: the next float32 above 1, and a number as far below 0
ROUNDED = {1.0 + 2.0**-23: 1.0, -(2.0**-24): 0.0}
OUTSIDE = (2.0, -0.5, math.inf, -math.inf, 1.0001, 98.0)


@pytest.mark.parametrize("function", CONVERSIONS)
def test_numbers(function) -> None:
    exact = CONVERSIONS[function]
    for number in (*SCORES, 0, 1):
        assert function(number) == pytest.approx(float(exact(Fraction(number))), rel=4e-16)
        assert function(Fraction(number)) == exact(Fraction(number))
        assert function(Decimal(number)) == pytest.approx(Decimal(float(exact(Fraction(number)))))
        assert isinstance(function(np.float32(number)), np.float32)
    for number, counts_as in ROUNDED.items():
        assert function(number) == counts_as
    assert math.isnan(function(math.nan))


@pytest.mark.parametrize("function", CONVERSIONS)
def test_numbers_that_are_no_scores(function) -> None:
    for number in (*OUTSIDE, 2, -1, 10**400, Fraction(3, 2), Decimal(2), np.float32(1.5)):
        with pytest.raises(ValueError, match=r"`(dice|jaccard)` must be in \[0, 1\]; got"):
            function(number)


@pytest.mark.parametrize("function", CONVERSIONS)
@pytest.mark.parametrize(
    "value", ["0.5", b"1", True, 0.5j, None, [0.5], (0.5,), {0.5}, {"dice": 0.5}, len, object()]
)
def test_what_is_no_number(function, value) -> None:
    with pytest.raises(TypeError, match=r"`(dice|jaccard)` must be .+; got .+\."):
        function(value)


@pytest.mark.dice_feature("averages")
@pytest.mark.parametrize("function", CONVERSIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_arrays(dice_backend: Adapter, function, dtype: str) -> None:
    if not dice_backend.has(dtype):
        pytest.skip(f"has no {dtype}")
    values = [0, 1, 1] if dtype == "int64" else [*SCORES, *(ROUNDED if dtype == "float64" else ())]
    got = dice_backend.values(function(dice_backend(np.array(values, dtype=dtype))))
    exact = CONVERSIONS[function]
    expected = [
        float(exact(Fraction(ROUNDED.get(v, v)))) for v in np.array(values, dtype=dtype).tolist()
    ]
    assert got == pytest.approx(expected, rel=1e-15 if dtype == "float64" else 1e-6)


@pytest.mark.dice_feature("averages")
@pytest.mark.parametrize("function", CONVERSIONS)
def test_arrays_of_what_is_no_score(dice_backend: Adapter, function) -> None:
    nan = dice_backend.values(function(dice_backend(np.array([math.nan, 1.0], dtype=np.float32))))
    assert np.isnan(nan[0])
    assert nan[1] == 1
    for number in OUTSIDE:
        values = dice_backend(np.array([0.5, number, math.nan], dtype=np.float32))
        # a comparison may be lazy, or sparse, where arrays are not
        at_hand = dice_backend.library.at_hand(values < 0)
        if limit(dice_backend.name, "errors") is None and at_hand:
            with pytest.raises(ValueError, match=r"must be in \[0, 1\]; got 1 other values"):
                function(values)
        else:
            assert np.isnan(dice_backend.values(function(values))).tolist() == [False, True, True]
    for dtype in ("bool", "complex64"):
        if dice_backend.has(dtype):
            with pytest.raises(TypeError, match=f"an array of them; got {dtype}"):
                function(dice_backend(np.zeros(2, dtype=dtype)))
