"""Each formula by itself, compared with its definition in fractions, on sums counted by chance."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from dice_any import formulas
from dice_any.arrays import load_library
from dice_any.formulas import Sizes

NUMPY = load_library("numpy")
Four = tuple[int, int, int, int]


def drawn(seed: int, number: int = 200, least: int = 0) -> list[Four]:
    """Return I, X, Y and N of sets drawn by chance, some of them empty or of every element."""
    chance = random.Random(seed)
    found = []
    for _ in range(number):
        total = chance.choice([2, 3, 10, 1000])
        tp, fp, fn, tn = (chance.choice([least, chance.randrange(total + 1)]) for _ in range(4))
        found.append((tp, tp + fp, tp + fn, tp + fp + fn + tn))
    return found


def sizes(cases: list[Four]) -> Sizes:
    return Sizes(*np.asarray(cases, dtype=np.float64).T)


#: formula -> numerator and denominator from tp, fp, fn, tn
DEFINED: dict[str, Callable[..., tuple[Fraction | int, Fraction | int]]] = {
    "dice": lambda tp, fp, fn, tn: (2 * tp, 2 * tp + fp + fn),
    "jaccard": lambda tp, fp, fn, tn: (tp, tp + fp + fn),
    "precision": lambda tp, fp, fn, tn: (tp, tp + fp),
    "recall": lambda tp, fp, fn, tn: (tp, tp + fn),
    "specificity": lambda tp, fp, fn, tn: (tn, tn + fp),
    "volume_similarity": lambda tp, fp, fn, tn: (
        2 * tp + fp + fn - abs(fp - fn),
        2 * tp + fp + fn,
    ),
    "overlap_coefficient": lambda tp, fp, fn, tn: (tp, tp + min(fp, fn)),
}


@pytest.mark.parametrize("name", DEFINED)
def test_ratios(name: str) -> None:
    cases = drawn(1)
    above, below = getattr(formulas, name)(NUMPY, sizes(cases))
    for (i, x, y, n), *found in zip(cases, above.tolist(), below.tolist(), strict=True):
        assert tuple(found) == DEFINED[name](i, x - i, y - i, n - x - y + i)


def test_weighted_ratios() -> None:
    cases = drawn(2)
    s = sizes(cases)
    tversky = [row.tolist() for row in formulas.tversky(NUMPY, s, 0.25, 0.75)]
    f = [row.tolist() for row in formulas.f_score(NUMPY, s, 2.0)]
    cosine = [row.tolist() for row in formulas.cosine(NUMPY, s)]
    for place, (i, x, y, _) in enumerate(cases):
        fp, fn = x - i, y - i
        assert tversky[0][place] == i
        assert tversky[1][place] == i + Fraction(fp, 4) + Fraction(3 * fn, 4)
        assert (f[0][place], f[1][place]) == (5 * i, 5 * i + 4 * fn + fp)
        assert (cosine[0][place], cosine[1][place]) == (i, math.sqrt(x * y))


# -- Matthews' correlation of one class ------------------------------------------------------------

SMOOTH = [(0.0, 0.0), (1.0, 1.0), (0.5, 2.0), (0.0, 1.0)]


@pytest.mark.parametrize("smooth", SMOOTH)
def test_matthews_of_a_class(smooth: tuple[float, float]) -> None:
    cases = [*drawn(3), (1, 1, 1, 2), (0, 0, 1, 2), (0, 2, 2, 4)]
    above, below = formulas.matthews_of_class(NUMPY, sizes(cases), smooth)
    a, b = map(Fraction, smooth)
    for (i, x, y, n), *found in zip(cases, above.tolist(), below.tolist(), strict=True):
        spread = y * (n - y)
        if spread:
            numerator = (n * i - x * y) * (1 + a / spread)
            root = math.sqrt(x * (n - x) * spread) + smooth[1]
            # a constant prediction without smoothing: 0 / 0
            expected = numerator, root or spread
        else:
            expected = a, n * (x + y - 2 * i) + b
        assert found == pytest.approx([float(part) for part in expected], rel=1e-14, abs=0)


@pytest.mark.parametrize("smooth", SMOOTH)
def test_matthews_slopes(smooth: tuple[float, float]) -> None:
    cases = [*drawn(4), (1, 1, 1, 2), (0, 0, 1, 2), (0, 2, 2, 4), (2, 3, 3, 6)]
    in_i, in_x = formulas.matthews_slopes(NUMPY, sizes(cases), smooth)
    for place, (_, x, y, n) in enumerate(cases):
        found = [float(part[place]) for part in (*in_i, *in_x)]
        spread = y * (n - y)
        if spread:
            scale = 1 + Fraction(smooth[0]) / spread
            product = x * (n - x) * spread
            slope = spread * (n - 2 * x) / (2 * math.sqrt(product)) if product else 0
            expected = [n * scale, 0, -y * scale, slope]
        else:
            expected = [0, -2 * n, 0, n]
        assert found == pytest.approx([float(part) for part in expected], rel=1e-14, abs=0)


def test_covariance_has_no_difference_of_large_products() -> None:
    tp, tn = 3, 2**52
    (found,) = formulas.covariance(sizes([(tp, tp + 1, tp + 1, tp + 2 + tn)])).tolist()
    assert found == float(tp * tn - 1)
    assert formulas.covariance(sizes([(2, 3, 4, 9)])).tolist() == [9 * 2 - 3 * 4]


# -- of more than one overlap ----------------------------------------------------------------------


def test_harmonic_mean_and_its_slope() -> None:
    pairs = [(1.0, 1.0), (0.5, 0.25), (0.25, 0.5), (0.0, 0.5), (0.5, 0.0), (0.0, 0.0)]
    a, b = np.asarray(pairs).T
    mean = formulas.harmonic_mean(NUMPY, a, b).tolist()
    slope = formulas.harmonic_mean_slope(NUMPY, a, b).tolist()
    for (p, q), value, derivative in zip(pairs, mean, slope, strict=True):
        p, q = Fraction(p), Fraction(q)
        both = p + q
        assert value == pytest.approx(float(2 * p * q / both if both else 0), rel=1e-15)
        assert derivative == pytest.approx(float(2 * q * q / both**2 if both else 0), rel=1e-15)


def test_wasserstein_dice() -> None:
    above, below = formulas.wasserstein_dice(NUMPY, np.asarray([3.0]), np.asarray([0.5]))
    assert (above.tolist(), below.tolist()) == ([6.0], [6.5])


# -- joint -----------------------------------------------------------------------------------------


def labelled(seed: int, classes: int, *, whole: bool) -> tuple[list[Four], int]:
    """Return the sums of each class of two label maps; of some elements neither has a class unless
    `whole`.
    """
    chance = random.Random(seed)
    n = 60
    least = 0 if whole else -1
    x = [chance.randrange(least, classes) for _ in range(n)]
    y = [chance.randrange(least, classes) for _ in range(n)]
    pairs = list(zip(x, y, strict=True))
    return [(pairs.count((c, c)), x.count(c), y.count(c), n) for c in range(classes)], n


@pytest.mark.parametrize("classes", [1, 2, 5])
@pytest.mark.parametrize("whole", [True, False])
def test_joint_ratios(classes: int, whole: bool) -> None:
    rows, n = labelled(classes, classes, whole=whole)
    s = Sizes(*np.asarray(rows, dtype=np.float64).T[:, None])
    hits = sum(i for i, *_ in rows)
    by_chance = sum(x * y for _, x, y, _ in rows)
    spread_x, spread_y = (n * n - sum(row[k] ** 2 for row in rows) for k in (1, 2))

    def found(ratio: formulas.Ratio) -> list[float]:
        return [part.item() for part in ratio]

    assert found(formulas.accuracy(NUMPY, s)) == [hits, n]
    assert found(formulas.kappa(NUMPY, s)) == [n * hits - by_chance, n * n - by_chance]
    root = math.sqrt(max(spread_x, 0) * max(spread_y, 0))
    assert found(formulas.matthews(NUMPY, s)) == [n * hits - by_chance, root]
    weights = np.asarray([[Fraction(1, 2**c) for c in range(classes)]], dtype=np.float64)
    above = sum(Fraction(2 * row[0], 2**c) for c, row in enumerate(rows))
    below = sum(Fraction(row[1] + row[2], 2**c) for c, row in enumerate(rows))
    assert found(formulas.generalized_dice(NUMPY, s, weights)) == [above, below]


def test_spreads_that_no_partition_has_are_nought() -> None:
    """Memberships that add up to more than 1: Σ X² is above N²."""
    s = sizes([(3, 9, 4, 9), (2, 8, 4, 9)])
    s = Sizes(*(row[None] for row in s))
    _, below = formulas.matthews(NUMPY, s)
    assert below.tolist() == [0.0]
    _, below = formulas.matthews(NUMPY, Sizes(s.intersection, s.target, s.prediction, s.total))
    assert below.tolist() == [0.0]


def test_a_set_and_its_complement() -> None:
    tp, fp, fn, tn = 2, 1, 3, 4
    both = formulas.two_classes(NUMPY, sizes([(tp, tp + fp, tp + fn, tp + fp + fn + tn)]))
    assert [row.tolist() for row in both] == [
        [[tn, tp]],
        [[tn + fn, tp + fp]],
        [[tn + fp, tp + fn]],
        [[10, 10]],
    ]


@pytest.mark.parametrize("power", [0, 1, 2])
def test_weights_from_sizes(power: int) -> None:
    rows = [[8.0, 2.0, 4.0], [0.0, 0.5, 1.0], [0.0, 0.0, 0.0], [0.25, 0.25, 0.5]]
    expected = [
        [Fraction(1, 4), 1, Fraction(1, 2)],
        [1, 1, Fraction(1, 2)],
        [1, 1, 1],
        [1, 1, Fraction(1, 2)],
    ]
    found = formulas.size_weights(NUMPY, np.asarray(rows), power)
    assert found.tolist() == [[weight**power for weight in row] for row in expected]
    assert formulas.size_weights(NUMPY, np.ones((2, 0)), power).shape == (2, 0)
    assert formulas.size_weights(NUMPY, np.asarray([[7.0]]), power).tolist() == [[1.0]]


def test_division_of_nought() -> None:
    found = formulas.divide(NUMPY, np.asarray([1.0, 0.0, 3.0, 3.0]), np.asarray([0, 0, 1, -2]), 7.0)
    assert found.tolist() == [7.0, 7.0, 3.0, -1.5]
