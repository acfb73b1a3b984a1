"""Chunks of Dask's and cubed's arrays, summed by the Numba kernel to the bits of the reference."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import dice_any
from dice_any.testing import recipe

pytest.importorskip("numba")
from dice_any.kernels.numba import kernel as numba_kernel
from dice_any.kernels.numba import run, team

#: Two and a half chunks that are large enough for the kernel.
ROWS, LENGTH = 5, 2**19
SOFT = [recipe.memberships(seed, (ROWS, LENGTH)) for seed in (1, 3)]
LABELS = [recipe.labels(seed, (ROWS, LENGTH), 7, "uint8") for seed in (5, 7)]
LOGITS = recipe.memberships(9, (ROWS, 3, LENGTH)) * np.float32(8) - np.float32(4)
CLASSES = recipe.labels(11, (ROWS, LENGTH), 3, "int16")

#: name -> (prediction, target, options)
WORK = {
    "memberships": (*SOFT, {"exact": True, "form": "squared"}),
    "label maps": (*LABELS, {"num_classes": 7, "axis": 1}),
    "exact logits": (LOGITS, CLASSES, {"class_axis": 1, "activation": "softmax", "exact": True}),
    "plain logits": (LOGITS, CLASSES, {"class_axis": 1, "activation": "softmax", "exact": False}),
    "best classes": (LOGITS, CLASSES, {"class_axis": 1, "activation": "argmax"}),
}


@pytest.fixture
def teams(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of threads in each call of the kernel."""
    found: list[int] = []
    together = team.together

    def counted(*arguments, **options):
        found.append(team.size())
        return together(*arguments, **options)

    monkeypatch.setattr(run.team, "together", counted)
    monkeypatch.setitem(vars(numba_kernel), "ENOUGH", 2**19)
    return found


def chunked(library: str, array: np.ndarray):
    sizes = (2,) + (-1,) * (array.ndim - 1)
    if library == "dask":
        return pytest.importorskip("dask.array").from_array(array, chunks=sizes)
    cubed = pytest.importorskip("cubed")
    sizes = (2, *array.shape[1:])
    return cubed.from_array(array, chunks=sizes, spec=cubed.Spec(allowed_mem="2GB"))


@pytest.mark.parametrize("library", ["dask", "cubed"])
@pytest.mark.parametrize("name", WORK)
def test_chunks_are_summed_by_the_kernel(teams: list[int], library: str, name: str) -> None:
    x, y, options = WORK[name]
    arrays = chunked(library, x), chunked(library, y)
    assert teams == []
    got = dice_any.overlap(*arrays, **options).to_dict()
    assert teams == [1, 1, 1]  # once for each chunk, only on the scheduler's thread
    expected = dice_any.overlap(x, y, backend="reference", **options).to_dict()
    if options.get("exact") is False:
        number = np.vectorize(float.fromhex)
        np.testing.assert_allclose(number(got["sums"]), number(expected["sums"]), rtol=1e-6)
    else:
        assert got == expected


def test_the_reference_is_used_by_who_asks_for_it(teams: list[int]) -> None:
    x, y, options = WORK["memberships"]
    arrays = chunked("dask", x), chunked("dask", y)
    dice_any.overlap(*arrays, backend="reference", **options).to_dict()
    assert teams == []


def test_small_chunks_and_work_that_is_declined_go_to_the_reference(teams: list[int]) -> None:
    dask = pytest.importorskip("dask.array")
    x, y, options = WORK["memberships"]
    small = [dask.from_array(a, chunks=(1, 2**17)) for a in (x, y)]
    expected = dice_any.overlap(x, y, backend="reference", **options).to_dict()
    assert dice_any.overlap(*small, **options).to_dict() == expected
    labels = [chunked("dask", a) for a in LABELS]
    weight = np.ones((ROWS, LENGTH), dtype=np.float32)
    weighted = dice_any.overlap(*labels, weight=chunked("dask", weight), num_classes=7)
    assert weighted.to_dict()["sums"][3][0][0] == ROWS * LENGTH
    assert teams == []


def test_a_call_alone_leaves_other_threads_their_team() -> None:
    seen = []
    with team.alone():
        inside = team.size()
        thread = threading.Thread(target=lambda: seen.append(team.size()))
        thread.start()
        thread.join()
    assert (inside, seen) == (1, [team.size()])


def test_invalid_values_of_chunks_are_counted(teams: list[int]) -> None:
    x, y, options = WORK["memberships"]
    bad = x.copy()
    bad[3, 17] = 1.5
    arrays = chunked("dask", bad), chunked("dask", y)
    got = dice_any.overlap(*arrays, **options).to_dict()
    assert teams == [1, 1, 1]
    assert got["sums"][4] == [1, 0, 0]
    assert got == dice_any.overlap(*arrays, backend="reference", **options).to_dict()
