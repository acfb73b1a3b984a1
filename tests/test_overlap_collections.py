"""Overlaps among what Dask computes, what PyTorch collates, and what tables are made of."""

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
    assert len(reads) == 3  # once a chunk
    assert np.array_equal(results[0], dice_any.dice_score(counted()), equal_nan=True)
    assert results[1] == counted()
    assert results[2] == X.sum()
    assert np.array_equal(results[3], dice_any.jaccard_score(counted()), equal_nan=True)


# -- PyTorch ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [None, False])
@pytest.mark.parametrize("of_tensors", [True, False])
def test_batches_are_stacked(exact: bool | None, of_tensors: bool) -> None:
    torch = pytest.importorskip("torch")
    make = torch.as_tensor if of_tensors else np.asarray
    soft = [dice_any.overlap(make(x / 2), make(y / 2), exact=exact) for x, y in zip(X, Y)]
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
    far = pick(overlap, jax.numpy.asarray([0, 7]))
    assert np.isnan(np.asarray(dice_any.dice_score(far))[0, 1]).all()
    with pytest.raises(ValueError, match="`overlap` must hold values to be computed; got traced"):
        jax.jit(lambda o: o.compute().tp)(overlap)


# -- tables ----------------------------------------------------------------------------------------


def test_a_table_has_a_row_for_each_case_and_class() -> None:
    table = counted().to_table(cases=np.array([7, 8, 9]), classes="abc".split() or list("abc"))
    assert list(table)[:3] == ["case", "class", "dice_score"]

