"""Exact sums, in each way that a library may need: compared with Python's integers."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from dice_any.arrays import load_library
from dice_any.kernels import limbs

NUMPY = load_library("numpy")
#: way -> what a library says of its integers: whether a sum wraps, whether it has 53 bits
WAYS = {"turns": (True, False), "halves": (False, False), "thirds": (False, True)}
TINY = 2.0**-62


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    wraps, narrow = WAYS[request.param]
    monkeypatch.setattr(NUMPY, "wraps", lambda array: wraps)
    monkeypatch.setattr(NUMPY, "sums_53_bits", lambda array: narrow)
    return request.param


def parts_of(term: float) -> int:
    """Return a term in units of 2⁻⁶², the rest cut off."""
    return math.floor(Fraction(term) * 2**62)


def numbers(sums: np.ndarray) -> list[list[int]]:
    """Return sums in units of 2⁻⁶²; (rows, limbs, kept)."""
    weights = (2**62, 2**31, 1)
    rows = sums.transpose(0, 2, 1).tolist()
    return [
        [sum(w * n for w, n in zip(weights, cell, strict=True)) for cell in row] for row in rows
    ]


def terms(seed: int, shape: tuple[int, int], largest: int) -> np.ndarray:
    """Return terms of all magnitudes, some of them whole, some below 2⁻⁶²."""
    chance = random.Random(seed)
    some = [0.0, 1.0, TINY, 0.75 * TINY, 1 - 2.0**-53, 2.0**-31, 2.0**-31 - TINY, 0.5]
    drawn = [
        chance.choice(some)
        if chance.random() < 0.3
        else chance.random() * 2.0 ** -chance.choice([0, 1, 10, 25, 40])
        for _ in range(shape[0] * shape[1])
    ]
    whole = [chance.choice([0, largest - 1]) for _ in drawn]
    array = np.asarray(drawn) if largest == 1 else np.asarray(drawn) % 1.0 + np.asarray(whole)
    return array.reshape(shape)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("length", [1, 3, 400])
def test_terms_are_summed_in_integers(way: str, weighted: bool, length: int) -> None:
    rows = [terms(seed, (4, length), 2**31 if weighted else 1) for seed in (length, 2, 3)]
    masks = [np.arange(4 * length).reshape(4, length) % 3 == 0]
    sums, counted = limbs.sum_exactly(NUMPY, rows, masks, (1,), weighted=weighted)
    expected = [[sum(map(parts_of, cell)) for cell in row.tolist()] for row in rows]
    assert sums.shape == (3, 3, 4)
    assert sums.dtype == np.int64
    assert numbers(sums) == expected
    assert numbers(limbs.carry(NUMPY, sums)) == expected
    assert [count.tolist() for count in counted] == [mask.sum(axis=1).tolist() for mask in masks]


@pytest.mark.parametrize("number", range(1, 20))
def test_every_remainder_of_a_wrapped_sum(way: str, number: int) -> None:
    """One wrap of an integer is worth 4: halfway between two, the sum is 2 or 6 more."""
    halves = np.full((1, number), 0.5)
    sums, _ = limbs.sum_exactly(NUMPY, [halves, halves * 2], [], (1,))
    assert numbers(sums) == [[number * 2**61], [number * 2**62]]


def test_a_tile_has_so_many_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above that a float64 sum might not tell how often an integer has wrapped."""
    sizes = []
    sum_turns = limbs._sum_turns

    def seen(library, rows, axis):
        sizes.append(rows[0].size)
        return sum_turns(library, rows, axis)

    monkeypatch.setattr(limbs, "_sum_turns", seen)
    for more in (-1, 0, 1):
        ones = np.broadcast_to(np.float64(0.75), (2**22 + more,))
        sums, _ = limbs.sum_exactly(NUMPY, [ones], [], (0,))
        (whole, middle, low), *_ = limbs.carry(NUMPY, sums[..., None])[..., 0].tolist()
        assert Fraction(whole) + Fraction(middle, 2**31) == Fraction(3, 4) * (2**22 + more)
        assert low == 0
    assert sizes == [2**22 - 1, 2**22]
    seen_weighted = limbs.sum_exactly(NUMPY, [np.full(2, 2.5)], [], (0,), weighted=True)[0]
    assert seen_weighted.tolist() == [[4, 2**31, 0]]
    assert len(sizes) == 2


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("narrow", [False, True])
def test_parts_are_small_and_make_up_a_term(weighted: bool, narrow: bool) -> None:
    row = terms(5, (1, 200), 2**31 if weighted else 1)[0]
    parts = [part.tolist() for part in limbs.split(NUMPY, row, weighted, narrow)]
    whole = parts.pop(0) if weighted else [0] * len(row)
    if not weighted:  # 1 itself is one unit of a limb more
        assert max(parts[0]) == (2**20 if narrow else 2**31)
    else:
        assert max(parts[0]) < (2**20 if narrow else 2**31)
    units = (2**42, 2**21, 1) if narrow else (2**31, 1)
    assert len(parts) == len(units)
    for part, unit in zip(parts[1:], units[1:], strict=True):
        assert 0 <= min(part) <= max(part) < (2**21 if narrow else 2**31)
        assert unit in (1, 2**21)
    for place, term in enumerate(row.tolist()):
        made = sum(part[place] * unit for part, unit in zip(parts, units, strict=True))
        assert whole[place] * 2**62 + made == parts_of(term)


def test_sums_of_thirds_are_carried() -> None:
    """Up to 2³² elements: each third's sum is below 2⁵³."""
    chance = random.Random(1)
    edges = [0, 1, 2**21 - 1, 2**21, 2**31, 2**53 - 1]
    cases = [tuple(chance.choice(edges) for _ in range(4)) for _ in range(300)]
    whole, top, mid, low = (np.asarray(row) for row in zip(*cases, strict=True))
    found = np.stack(limbs._from_thirds(whole, top, mid, low)).T.tolist()
    for case, (ones, high, rest) in zip(cases, found, strict=True):
        thirds = zip(case, (2**62, 2**42, 2**21, 1), strict=True)
        assert ones * 2**62 + high * 2**31 + rest == sum(part * unit for part, unit in thirds)
        assert 0 <= high < 2**31
        assert 0 <= rest < 2**31


@pytest.mark.parametrize("axis", [0, 1, (0, 1)])
def test_integers_of_any_size_are_added(way: str, axis: int | tuple[int, ...]) -> None:
    rows = [[2**60 + 12345, -1, 2**31], [-(2**59) - 7, 2**53 + 1, 2**31 - 1]]
    expected = {
        0: [a + b for a, b in zip(*rows, strict=True)],
        1: [sum(row) for row in rows],
        (0, 1): sum(map(sum, rows)),
    }
    found = limbs.sum_counts(NUMPY, np.asarray(rows), axis)
    assert found.dtype == np.int64
    assert found.tolist() == expected[axis]


def test_halves_of_integers_have_few_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that adds integers as float64 loses nothing of the two halves."""
    monkeypatch.setattr(NUMPY, "sums_53_bits", lambda array: True)
    seen = []

    def add(numbers, axis, dtype):
        seen.append(np.max(np.abs(numbers)))
        return np.sum(numbers.astype(np.float64), axis=axis).astype(dtype)

    monkeypatch.setattr(NUMPY.xp, "sum", add, raising=False)
    numbers = np.asarray([2**61 + 1, 2**61 + 2**31 - 1, 3])
    assert int(limbs.sum_counts(NUMPY, numbers, 0)) == 2**62 + 2**31 + 3
    assert max(seen) < 2**31


def test_whole_numbers_have_no_fraction() -> None:
    sums = limbs.whole_numbers(NUMPY, [np.asarray([3, -4]), np.asarray([2**40, 0])])
    assert sums.tolist() == [[[3, -4], [0, 0], [0, 0]], [[2**40, 0], [0, 0], [0, 0]]]


def test_limbs_are_carried() -> None:
    chance = random.Random(2)
    edges = [0, 1, -1, 2**31 - 1, 2**31, -(2**31), 2**62, -(2**62) + 5, 3 * 2**31 + 17]
    cases = [tuple(chance.choice(edges) for _ in range(3)) for _ in range(300)]
    array = np.asarray(cases).T[None]
    found = limbs.carry(NUMPY, array)
    assert numbers(found) == numbers(array)
    assert found[:, 1:].min() >= 0
    assert found[:, 1:].max() < 2**31


WHOLE = [0, 1, -1, -100, 1 - 2**20]
WHOLE += [2**32 - 1, 2**32, 2**32 + 1, -(2**32), -(2**32) - 1, 2**53 + 1, 2**61 + 512]
#: 3 · 2¹⁰ is a tie above an odd mantissa of numbers from 2³² on; the others are just below ties
REST = [0, 1, 2, 2**10 - 1, 2**10, 3 * 2**10 - 2, 3 * 2**10 - 1, 3 * 2**10, 2**30, 2**31 - 1]


def test_a_sum_is_rounded_once() -> None:
    """To the nearest float64, ties to even, also where a sum of 63 bits has a fraction."""
    cases = list(product(WHOLE, REST, REST))
    found = limbs.limbs_to_float64(NUMPY, np.asarray(cases).T).tolist()
    expected = [float(w + Fraction(high * 2**31 + low, 2**62)) for w, high, low in cases]
    assert found == expected


def test_ties_above_the_fraction_are_broken_by_it() -> None:
    """Halfway between two floats the bits below 2⁻³¹ decide."""
    for exponent in (33, 40, 52, 60):
        whole = 2**exponent
        half = Fraction(2) ** (exponent - 53)
        for middle, low in product((0, 1, 2), (0, 1, 2**31 - 1)):
            exact = whole + half + Fraction(middle, 2**31) + Fraction(low, 2**62)
            ones, rest = divmod(exact, 1)
            units = rest * 2**62
            assert units.denominator == 1
            limb = divmod(int(units), 2**31)
            found = limbs.limbs_to_float64(NUMPY, np.asarray([int(ones), *limb])[:, None])
            assert found.tolist() == [float(exact)]
