"""Dask: lazy until a value is read, and the same bits for all chunks."""

from __future__ import annotations

import numpy as np
import pytest

import dice_any
from dice_any.testing import oracle, recipe

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

X, Z = recipe.memberships(1, (4, 3, 30)), recipe.memberships(3, (4, 3, 30))
Y = recipe.labels(5, (4, 30), 3, "uint8")
CHUNKS = [(4, 3, 30), (1, 1, 30), (4, 3, 7), (2, 2, 11), ((1, 3), (2, 1), (5, 25)), (1, 1, 1)]


def no_compute(*args: object, **kwargs: object) -> None:
    raise AssertionError("something was computed in secret")


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_chunks_change_no_bit(chunks: tuple, dtype: str) -> None:
    a, b = X.astype(dtype), Z.astype(dtype)
    x, z = da.from_array(a, chunks=chunks), da.from_array(b, chunks=(2, 3, 10))
    assert oracle.overlap_sums(dice_any.overlap(x, z)) == [oracle.exact_sums(a, b)]
    for score in (
        dice_any.dice_score,
        dice_any.jaccard_score,
        dice_any.precision_score,
        dice_any.recall_score,
    ):
        assert score(x, z, class_axis=1).compute().tolist() == score(a, b, class_axis=1).tolist()


@pytest.mark.parametrize(
    "call",
    [
        lambda x, y: dice_any.dice_score(x, y, class_axis=1, average="macro", classes="foreground"),
        lambda x, y: dice_any.dice_loss(
            x, y, class_axis=1, activation="softmax", class_weight="square"
        ),
        lambda x, y: dice_any.confusion_matrix(y, y, num_classes=3),
        lambda x, y: (
            (dice_any.overlap(y, y, num_classes=3) + dice_any.overlap(y, y, num_classes=3)).tp
        ),
        lambda x, y: dice_any.pairwise_overlap(x[0], x[1]).intersection,
        lambda x, y: dice_any.matthews_correlation(y, y, num_classes=3),
    ],
)
def test_nothing_is_computed_before_it_is_asked_for(call) -> None:
    x, y = da.from_array(X, chunks=(2, 3, 10)), da.from_array(Y, chunks=(2, 10))
    with dask.config.set(scheduler=no_compute):
        result = call(x, y)
    assert isinstance(result, da.Array)
    assert np.isfinite(result.compute()).all()


def test_graph_does_not_grow_with_the_classes() -> None:
    y = da.from_array(Y, chunks=(1, 30))
    sizes = {
        classes: len(dice_any.dice_score(y, y, num_classes=classes).dask) for classes in (3, 100)
    }
    assert sizes[3] == sizes[100]


def test_unknown_lengths_are_refused() -> None:
    x = da.from_array(X.ravel(), chunks=50)
    unknown = x[x > 0.5]
    with pytest.raises(
        TypeError, match=r"`compute_chunk_sizes\(\)` first, because a length is unknown"
    ):
        dice_any.dice_score(unknown, unknown)


def test_weight_and_ignored_labels_by_chunk() -> None:
    weight = recipe.memberships(7, (1, 30))
    arguments = {"class_axis": 1, "ignore_label": 2, "axis": "space"}
    lazy = dice_any.overlap(
        da.from_array(X, chunks=(3, 2, 7)),
        da.from_array(Y, chunks=(2, 30)),
        weight=da.from_array(weight, chunks=(1, 11)),
        **arguments,
    )
    assert lazy.to_dict() == dice_any.overlap(X, Y, weight=weight, **arguments).to_dict()


def test_distributed_workers_give_the_same_bits() -> None:
    distributed = pytest.importorskip("distributed")
    x, y = da.from_array(X, chunks=(1, 3, 13)), da.from_array(Z, chunks=(1, 3, 13))
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        assert float(dice_any.dice_score(x, y)) == float(dice_any.dice_score(X, Z))
