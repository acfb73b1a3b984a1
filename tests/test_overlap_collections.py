"""Overlaps as Dask collections, in PyTorch's collation, and as tables."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any import Overlap
from dice_any.testing.overlaps import Named, of

X = np.array([[0, 1, 2, 2], [0, 0, 1, 1], [0, 1, 1, 0]])
Y = np.array([[0, 2, 2, 1], [0, 1, 1, 1], [0, 0, 0, 1]])


def counted(**options: Any) -> Overlap:
    return dice_any.overlap(X, Y, num_classes=3, axis=1, **options)


# -- Dask ------------------------------------------------------------------------------------------


def lazy(reads: list[int] | None = None) -> tuple[Overlap, Any]:
    da = pytest.importorskip("dask.array")

    def read(block: np.ndarray) -> np.ndarray:
        if reads is not None:
            reads.append(1)
        return block

    x = da.from_array(X, chunks=(1, 4)).map_blocks(read, dtype=X.dtype, meta=np.empty((0, 0), int))
    return dice_any.overlap(x, da.from_array(Y, chunks=(1, 4)), num_classes=3, axis=1), x


def test_dask_computes_an_overlap() -> None:
    overlap, _ = lazy()
    import dask

    assert dask.is_dask_collection(overlap)
    assert not dask.is_dask_collection(counted())
    (computed,) = dask.compute(overlap)
    assert computed == overlap.compute() == counted()
    (mine,) = dask.compute(of(Named, overlap))
    assert type(mine) is Named
    (kept,) = dask.persist(overlap)
    assert kept.persist().compute() == counted()
    assert dask.is_dask_collection(kept)
    assert dask.base.tokenize(overlap) == dask.base.tokenize(overlap)
    assert dask.base.tokenize(overlap) != dask.base.tokenize(overlap[:2])


def test_what_is_computed_together_stays_in_its_place_and_is_read_once() -> None:
    reads: list[int] = []
    overlap, x = lazy(reads)
    import dask

    scores = [dice_any.dice_score(overlap), dice_any.jaccard_score(overlap)]
    results = dask.compute(scores[0], overlap, x.sum(), scores[1], scheduler="synchronous")
    assert len(reads) == 3  # once for each chunk
    assert np.array_equal(results[0], dice_any.dice_score(counted()), equal_nan=True)
    assert results[1] == counted()
    assert results[2] == X.sum()
    assert np.array_equal(results[3], dice_any.jaccard_score(counted()), equal_nan=True)


def test_dask_copies_an_overlap_and_hands_it_to_delayed_functions() -> None:
    overlap, _ = lazy()
    import dask
    from dask.graph_manipulation import clone

    copied = clone(overlap)
    keys = [set(dask.core.flatten(one.__dask_keys__())) for one in (copied, overlap)]
    assert keys[0].isdisjoint(keys[1])
    assert repr(copied) == repr(overlap)  # Dask 2026.8 cannot compute clones of such arrays
    assert dask.delayed(Overlap.sum)(overlap).compute() == counted().sum()


@pytest.mark.parametrize("cases", [slice(0, 1), slice(0, 0), [1], []])
def test_lazy_counts_of_one_case_and_of_none(cases: slice | list[int]) -> None:
    few = lazy()[0][cases]
    assert few.compute() == counted()[cases]
    assert few.sum().compute() == counted()[cases].sum()
    assert Overlap.concat([few, few]).compute() == Overlap.concat([counted()[cases]] * 2)
    got, right = (np.asarray(dice_any.dice_score(one)) for one in (few, counted()[cases]))
    assert np.array_equal(got, right, equal_nan=True)


# -- PyTorch ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [None, False])
@pytest.mark.parametrize("of_tensors", [True, False])
def test_batches_are_stacked(exact: bool | None, of_tensors: bool) -> None:
    torch = pytest.importorskip("torch")
    make = torch.as_tensor if of_tensors else np.asarray
    soft = [
        dice_any.overlap(make(x / 2), make(y / 2), exact=exact) for x, y in zip(X, Y, strict=True)
    ]
    batch = torch.utils.data.default_collate([{"counts": one, "case": 3} for one in soft])
    assert batch["counts"].shape == (3,)
    assert isinstance(batch["counts"].tp, torch.Tensor)
    assert batch["counts"].to_dict() == Overlap.stack(soft).to_dict()


# -- JAX -------------------------------------------------------------------------------------------


def test_traced_indices_and_overlaps() -> None:
    jax = pytest.importorskip("jax")
    overlap = dice_any.overlap(jax.numpy.asarray(X), jax.numpy.asarray(Y), num_classes=3, axis=1)
    pick = jax.jit(lambda o, i: Overlap.stack([o[i], o[i]]))
    got = pick(overlap, jax.numpy.asarray([2, 0, -1]))
    expected = counted()[[2, 0, 2]]
    assert got.to_dict() == Overlap.stack([expected, expected]).to_dict()
    # of more axes: the second, and the first
    three = Overlap.stack([overlap] * 3)
    right = Overlap.stack([counted()] * 3)
    for index in (lambda i: (slice(None), i), lambda i: i):
        got = jax.jit(lambda o, i, index=index: o[index(i)])(three, jax.numpy.asarray([2, 0]))
        assert got.to_dict() == right[index([2, 0])].to_dict()
    far = pick(overlap, jax.numpy.asarray([0, 7]))
    assert np.isnan(np.asarray(dice_any.dice_score(far))[0, 1]).all()
    with pytest.raises(ValueError, match="`overlap` must hold values to be computed; got traced"):
        jax.jit(lambda o: o.compute().tp)(overlap)


# -- tables ----------------------------------------------------------------------------------------


def test_a_table_has_a_row_for_each_case_and_class() -> None:
    table = counted().to_table(cases=np.array([7, 8, 9]), classes=list("abc"), scores=["tp", "fp"])
    pairs = [(case, c) for case in range(3) for c in range(3)]
    assert table == {
        "case": [7 + case for case, _ in pairs],
        "class": ["abc"[c] for _, c in pairs],
        "tp": [int(((X[case] == c) & (Y[case] == c)).sum()) for case, c in pairs],
        "fp": [int(((X[case] == c) & (Y[case] != c)).sum()) for case, c in pairs],
    }
    assert {type(value) for value in table["case"] + table["tp"]} == {int}


def test_scores_in_tables_are_those_of_arrays() -> None:
    table = counted().to_table()
    assert list(table) == [
        "case",
        "class",
        "dice_score",
        "jaccard_score",
        "precision_score",
        "recall_score",
    ]
    for name in list(table)[2:]:
        right = getattr(dice_any, name)(X, Y, num_classes=3, axis=1).ravel()
        assert np.array_equal(table[name], right, equal_nan=True)
    assert math.isnan(table["dice_score"][5])  # neither array of the second case has class 2
    soft = dice_any.overlap(X / 2, Y / 2, axis=1)
    assert list(soft.to_table())[1:] == list(table)[2:]
    squared = dice_any.overlap(X / 2, Y / 2, form="squared", axis=1).to_table()
    assert list(squared) == ["case", "dice_score", "jaccard_score"]
    named = soft.to_table(scores=[dice_any.dice_score, "precision_score"])
    assert named["dice_score"] == soft.to_table()["dice_score"]
    alone = counted().sum()
    assert list(alone.to_table(scores=["tp"])) == ["class", "tp"]
    assert alone.to_table(cases=["all"], scores=["tp"])["case"] == ["all"] * 3
    tversky = functools.partial(dice_any.tversky_score, alpha=1, beta=0)
    assert alone.to_table(scores={"t": tversky})["t"] == dice_any.precision_score(alone).tolist()


@pytest.mark.parametrize("library", ["torch", "array_api_strict", "jax.numpy"])
def test_tables_of_other_libraries(library: str) -> None:
    make = pytest.importorskip(library).asarray
    overlap = dice_any.overlap(make(X), make(Y), num_classes=3, axis=1)
    table = overlap.to_table(scores=["tp", "total"])
    assert table == counted().to_table(scores=["tp", "total"])
    assert {type(value) for value in table["tp"]} == {int}


def test_a_lazy_overlap_is_computed_once() -> None:
    reads: list[int] = []
    overlap, _ = lazy(reads)
    assert overlap.to_table(scores=["tp", "fn"]) == counted().to_table(scores=["tp", "fn"])
    assert len(reads) == 3


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_data_frames_take_tables(package: str) -> None:
    frame = pytest.importorskip(package).DataFrame(counted().to_table(classes=list("abc")))
    assert frame.shape == (9, 6)
    assert frame["class"].to_list() == list("abc") * 3
    assert math.isnan(frame["dice_score"].to_list()[5])


TABLES: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "few cases": (
        {"cases": ["a"]},
        ValueError,
        "`cases` must name each of the 3; got 1 names. Pass as many, or leave them out",
    ),
    "many classes": ({"classes": range(4)}, ValueError, "`classes` must name each of the 3; got 4"),
    "text": ({"classes": "abc"}, TypeError, "`classes` must be a sequence of names; got str"),
    "a number": ({"cases": 3}, TypeError, "`cases` must be a sequence of names; got int"),
    "an array without axes": ({"cases": np.array(1)}, TypeError, "`cases` must be .+; got numpy"),
    "the same of classes": ({"classes": np.array(1)}, TypeError, "`classes` must be .+; got numpy"),
    "the same of scores": ({"scores": np.array(1)}, TypeError, "`scores` must be .+; got numpy"),
    "one score": ({"scores": "tp"}, TypeError, "`scores` must be a sequence of scores, .+ got str"),
    "unknown": (
        {"scores": ["dise_score"]},
        ValueError,
        "`scores` must hold names of scores or sizes; got 'dise_score'. They are .*dice_score",
    ),
    "no name": ({"scores": {"a": 3}}, TypeError, "`scores` must hold names and functions .+ int"),
    "needs arguments": (
        {"scores": ["tversky_score"]},
        ValueError,
        "`scores` must hold names of scores that need no arguments; got 'tversky_score'.+partial",
    ),
    "joint": (
        {"scores": ["accuracy_score"]},
        ValueError,
        r"`scores` must give a number for each count, of shape \(3, 3\); got shape \(3,\)",
    ),
    "partial": (
        {"scores": [functools.partial(dice_any.dice_score, empty=1)]},
        ValueError,
        "`scores` must have names; got a functools.partial without one. Pass a mapping",
    ),
    "twice": ({"scores": ["tp", "tp"]}, ValueError, "`scores` must give .+ got 'tp' twice"),
    "taken": (
        {"scores": {"case": "tp"}},
        ValueError,
        ".+ got 'case' which is taken",
    ),
    "no array": (
        {"scores": {"a": lambda overlap: "no"}},
        TypeError,
        "`scores` must return arrays; got str of 'a'",
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_what_is_no_table(name: str) -> None:
    options, error, message = TABLES[name]
    with pytest.raises(error, match=message):
        counted().to_table(**options)


def test_sums_without_values() -> None:
    torch = pytest.importorskip("torch")
    memberships = torch.rand(3, 4, device="meta")
    for options in ({}, {"exact": False}):
        overlap = dice_any.overlap(memberships, memberships, axis=1, **options)
        for call in (overlap.to_dict, overlap.to_table, overlap.compute):
            with pytest.raises(
                ValueError, match="`overlap` must hold values to be .+; got traced or meta sums of"
            ):
                call()


def test_traced_sums_are_not_written() -> None:
    jax = pytest.importorskip("jax")
    for write in (lambda overlap: overlap.to_dict(), lambda overlap: overlap.to_table()):
        with pytest.raises(ValueError, match="`overlap` must hold values to be .+; got traced"):
            jax.jit(lambda x, write=write: write(dice_any.overlap(x, x)))(jax.numpy.ones(3))


def test_axes_of_a_table() -> None:
    with pytest.raises(ValueError, match="`overlap` must have one axis of cases to be a table"):
        Overlap.stack([counted(), counted()]).to_table()
    with pytest.raises(ValueError, match="`classes` must be None of an overlap without classes"):
        counted()[..., 0].to_table(classes=["a"])
