"""Rows of sums: those of counts and matrices, moved, added and picked, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dice_any import Overlap
from dice_any.arrays import load_library
from dice_any.reading import Picked
from dice_any.sums.counted import rows_of_counts, rows_of_matrix
from dice_any.sums.picking import pick
from dice_any.sums.rows import Rows

NUMPY = load_library("numpy")
MOST = 2**62


def invalid(*counts: int) -> bool:
    """Tell whether tp, fp, fn and tn are impossible together."""
    rows = rows_of_counts(NUMPY, *(np.asarray([count]) for count in counts))
    assert rows.shape == (5, 1)
    return bool(rows[4, 0])


def test_counts_are_added_up() -> None:
    rows = rows_of_counts(NUMPY, *(np.asarray([count]) for count in (2, 1, 3, 4)))
    assert rows.T.tolist() == [[2, 3, 5, 10, 0]]
    rows = rows_of_counts(NUMPY, *(np.asarray([count]) for count in (2, 1, 3)))
    assert rows.T.tolist() == [[2, 3, 5, 6, 0]]


@pytest.mark.parametrize(
    ("counts", "bad"),
    [
        ((0, 0, 0), False),
        ((MOST, 0, 0), False),
        ((MOST - 1, 0, 1), False),
        ((MOST + 1, 0, 0), True),
        ((MOST, 1, 0), True),
        ((MOST, 0, 0, 1), True),
        ((MOST, MOST, 0), True),
        ((-1, 0, 0), True),
        ((-1, 1, 0), True),
        ((0, -1, 1), True),
        ((1, 0, -1), True),
        ((3, 0, 0, -1), True),
        ((MOST, MOST, MOST, MOST), True),
    ],
)
def test_impossible_counts(counts: tuple[int, ...], bad: bool) -> None:
    assert invalid(*counts) is bad


def test_rows_of_matrices() -> None:
    """Rows are target labels, columns predicted ones; leading axes are kept."""
    one = [[5, 1, 0], [0, 2, 2], [4, 0, 3]]
    two = [[0, 7, 0], [0, 0, 0], [0, 0, 0]]
    rows = rows_of_matrix(NUMPY, np.asarray([one, two]))
    assert rows.shape == (5, 2, 3)
    assert rows[:, 0].tolist() == [[5, 2, 3], [9, 3, 5], [6, 4, 7], [17] * 3, [0] * 3]
    assert rows[:, 1].tolist() == [[0, 0, 0], [0, 7, 0], [7, 0, 0], [7] * 3, [0] * 3]


@pytest.mark.parametrize(
    ("matrix", "bad"),
    [
        ([[MOST, 0], [0, 0]], False),
        ([[MOST - 1, 0], [1, 0]], False),
        ([[MOST, 0], [1, 0]], True),
        ([[MOST, MOST], [MOST, MOST]], True),  # wraps to 0
        ([[MOST, MOST], [MOST, MOST + 3]], True),  # wraps to 3
        ([[1, -1], [0, 2]], True),
        ([[0, 0], [0, 0]], False),
    ],
)
def test_impossible_matrices(matrix: list[list[int]], bad: bool) -> None:
    rows = rows_of_matrix(NUMPY, np.asarray(matrix))
    assert rows[4].tolist() == [bad, bad]
    assert (rows[3] == rows[3, 0]).all()


# -- what JAX and PyTorch hand back: rows and limbs last -------------------------------------------


@pytest.mark.parametrize("kind", ["hard", "exact"])
def test_rows_that_come_last(kind: str) -> None:
    shape = (2, 3, 5) if kind == "hard" else (2, 3, 5, 3)
    held = np.arange(np.prod(shape)).reshape(shape)
    overlap = Overlap(held, kind=kind, form="product", by_class=True, rows_last=True)
    assert overlap.shape == (2, 3)
    rows = overlap.rows
    for place in np.ndindex(*shape):
        assert rows[(*place[2:], *place[:2])] == held[place]
    again = Overlap(rows, kind=kind, form="product", by_class=True)
    assert again.shape == (2, 3)
    assert again.rows is rows
    assert np.array_equal(again._turn(0, -again._row_axes), held)


def test_invalid_elements_are_counted_in_whole_numbers() -> None:
    sums = np.zeros((5, 3, 1), dtype=np.int64)
    sums[:, 0, 0], sums[:, 1, 0] = (1, 2, 3, 4, 5), 2**30
    for kind, rows in (("exact", sums), ("hard", sums[:, 0])):
        overlap = Overlap(rows, kind=kind, form="product", by_class=False)
        assert overlap.invalid.tolist() == [5]
        half = 0.5 if kind == "exact" else 0
        assert [row.tolist() for row in overlap.as_float64()] == [
            [1 + half],
            [2 + half],
            [3 + half],
            [4 + half],
            [5],
        ]
        assert overlap.target.tolist() == [3 + half]
        assert overlap.tn.tolist() == [4 - 3 - 2 + 1]


def test_a_size_is_a_new_array() -> None:
    """Who writes into it does not change the overlap."""
    for kind in ("hard", "plain"):
        dtype = np.int64 if kind == "hard" else np.float64
        overlap = Overlap(np.ones((5, 1), dtype), kind=kind, form="product", by_class=False)
        overlap.target[0] = 7
        assert overlap.target.tolist() == [1]


# -- places that are known only when they are computed ---------------------------------------------


@pytest.mark.parametrize("exact", [False, True])
def test_places_beyond_the_ends_are_invalid(exact: bool) -> None:
    limbs = (3,) if exact else ()
    sums = np.arange(1, 1 + 5 * (3 if exact else 1) * 2 * 4).reshape(5, *limbs, 2, 4)
    places = np.asarray([0, 3, -1, -4, 4, -5, 99])
    picked = Picked(axis=1, places=places, shape=(7,))
    found = pick(NUMPY, sums.copy(), 1 + len(limbs), picked)
    assert found.shape == (5, *limbs, 2, 7)
    assert found.dtype == np.int64
    for number, place in enumerate(places.tolist()):
        column = found[..., number].copy()
        if -4 <= place < 4:
            assert np.array_equal(column, sums[..., place])
        else:
            whole = (4, 0) if exact else 4
            column[whole] -= 1
            assert np.array_equal(column, sums[..., 0])


def test_rows_are_fixed() -> None:
    overlap = Overlap.zero()
    with pytest.raises(AttributeError, match="an Overlap is immutable"):
        overlap.kind = "plain"
    with pytest.raises(AttributeError, match="an Overlap is immutable"):
        del overlap.kind
    assert isinstance(overlap, Rows)


@pytest.mark.parametrize("kind", ["hard", "exact", "plain"])
def test_the_rows_of_nothing(kind: str) -> None:
    zero = Overlap.zero((2,), num_classes=4, kind=kind)
    assert zero.rows.shape == ((5, 3, 2, 4) if kind == "exact" else (5, 2, 4))
    assert zero.rows.dtype == (np.float64 if kind == "plain" else np.int64)
    assert not zero.rows.any()
    like = Overlap.zero((2,), num_classes=4, kind=kind, like=np.ones(3, dtype=np.float32))
    assert like == zero


def test_what_is_no_overlap() -> None:
    zero = Overlap.zero()
    assert (zero == 3) is False
    assert 0 + zero is zero
    for other in (False, 0.0, 1):
        with pytest.raises(TypeError, match="unsupported operand"):
            other + zero


def test_one_overlap_is_stacked() -> None:
    zero = Overlap.zero((3,))
    assert Overlap.stack([zero]).shape == (1, 3)
    assert Overlap.concat([zero]) == zero


def test_a_matrix_with_two_leading_axes() -> None:
    matrices = np.arange(2 * 4 * 3 * 3).reshape(2, 4, 3, 3)
    rows = rows_of_matrix(NUMPY, matrices)
    for place in np.ndindex(2, 4):
        matrix = matrices[place].tolist()
        assert rows[(slice(None), *place)].tolist() == [
            [matrix[c][c] for c in range(3)],
            [sum(row[c] for row in matrix) for c in range(3)],
            [sum(row) for row in matrix],
            [sum(map(sum, matrix))] * 3,
            [0] * 3,
        ]
