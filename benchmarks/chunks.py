"""Larger than memory: Dask arrays from zarr files, by two workers that may use 700 MB each.

Two arrays of memberships have 2.4 GiB, a label map 0.15. "Reading" adds the numbers of all arrays.
"Plain sums" are `(x * y).sum()`, `x.sum()` and `y.sum()` over each class, in Dask and in float64. A
worker that needs more memory than it may use is ended, and the case fails.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import dice_any

from .case import Case, Contender, Job
from .exact import STEP

SAMPLES, CLASSES, SIDE, QUICK_SIDE = 8, 4, 216, 24
WORKERS, MEMORY = 2, "700MB"
READING, WITHIN = "reading", 1.5
Chunk = dict[str, np.ndarray]


def cases(quick: bool) -> list[Case]:
    """Return the cases."""
    side = QUICK_SIDE if quick else SIDE
    works: dict[str, Callable[[int], Job]] = {
        "Two arrays of memberships, exact": _memberships,
        "Memberships against a label map, exact": _labels,
        "Logits by argmax against a label map": partial(_labels, activation="argmax"),
        "Logits by softmax against a label map, exact": partial(_labels, activation="softmax"),
    }
    libraries = ("dask", "distributed", "zarr", "numba")
    return [
        Case(name, partial(prepare, side), libraries, weigh=False)
        for name, prepare in works.items()
    ]


def _memberships(side: int) -> Job:
    x, y, _ = _arrays(side)
    return Job(
        _size(side, "two arrays of float32"),
        {
            READING: _reading(side, x, y),
            "plain sums": Contender(partial(_plain, x, y), 1e-6),
            "overlap": Contender(partial(_overlap, x, y), ratio=WITHIN),
        },
        partial(_expected, side, _sums_of_pairs),
    )


def _labels(side: int, activation: str | None = None) -> Job:
    x, _, labels = _arrays(side)
    name = "overlap" if activation is None else f"overlap, {activation}"
    sums = {None: _sums_of_labels, "argmax": _counts, "softmax": _sums_of_softmax}[activation]
    ours = partial(_overlap, x, labels, activation=activation)
    # float64 exponentials are right to some 1e-16, those in integers to 2⁻²⁸
    tolerance = 2.0**-28 if activation == "softmax" else 0.0
    return Job(
        _size(side, "an array of float32 and a label map of int16"),
        {READING: _reading(side, x, labels), name: Contender(ours, tolerance, ratio=WITHIN)},
        partial(_expected, side, sums),
    )


def _size(side: int, what: str) -> str:
    return f"{what}, {SAMPLES} samples of {side}³, {CLASSES} classes"


# -- contenders ------------------------------------------------------------------------------------


def _reading(side: int, *arrays: Any) -> Contender:
    total = sum(each.sum(dtype=np.float64) for each in arrays)
    names = "xy" if arrays[1].ndim == 5 else "xl"

    def expected() -> list[float]:
        return [sum(float(c[n].sum(dtype=np.float64)) for c in _chunks(side) for n in names)]

    return Contender(lambda: [total.compute()], 1e-9, expected=expected)


def _plain(x: Any, y: Any) -> Iterable[Any]:
    import dask

    axis = (0, 2, 3, 4)
    sums = (each.sum(axis=axis, dtype=np.float64) for each in (x * y, x, y))
    return dask.compute(*sums)  # type: ignore[no-any-return]


def _overlap(x: Any, y: Any, activation: str | None = None) -> Iterable[Any]:
    import dask

    found = dice_any.overlap(
        x, y, class_axis=1, axis=(0, 2, 3, 4), activation=activation, exact=True
    )
    return dask.compute(found.intersection, found.prediction, found.target)  # type: ignore[no-any-return]


# -- right answers ---------------------------------------------------------------------------------


def _expected(side: int, sums: Callable[[Chunk], Any]) -> list[float]:
    """Add the (3, classes) sums of all chunks, as Python's integers or floating numbers."""
    total: Any = sum(sums(chunk) for chunk in _chunks(side))
    return [float(number) for row in total for number in row]


def _sums_of_pairs(chunk: Chunk) -> Any:
    x, y = (
        (chunk[name].reshape(CLASSES, -1).astype(np.float64) * STEP).astype(np.int64)
        for name in "xy"
    )
    sizes = _rows(x.sum(axis=1), y.sum(axis=1)) / STEP
    return np.concatenate([_rows(_dot(x, y)) / STEP**2, sizes])


def _sums_of_labels(chunk: Chunk) -> Any:
    hits = _hits(chunk).astype(np.int64)
    x = (chunk["x"].reshape(CLASSES, -1).astype(np.float64) * STEP).astype(np.int64)
    return _rows((x * hits).sum(axis=1), x.sum(axis=1), hits.sum(axis=1) * STEP) / STEP


def _counts(chunk: Chunk) -> Any:
    best = chunk["x"].reshape(CLASSES, -1).argmax(axis=0) == np.arange(CLASSES)[:, None]
    hits = _hits(chunk)
    return _rows((best & hits).sum(axis=1), best.sum(axis=1), hits.sum(axis=1))


def _sums_of_softmax(chunk: Chunk) -> Any:
    z = chunk["x"].reshape(CLASSES, -1).astype(np.float64)
    p = np.exp(z - z.max(axis=0))
    p /= p.sum(axis=0)
    hits = _hits(chunk)
    return np.asarray([(p * hits).sum(axis=1), p.sum(axis=1), hits.sum(axis=1)])


def _hits(chunk: Chunk) -> np.ndarray:
    hits: np.ndarray = chunk["l"].ravel() == np.arange(CLASSES)[:, None]
    return hits


def _dot(x: np.ndarray, y: np.ndarray) -> list[int]:
    """Add products of integers below 2²⁴, 2¹⁴ at a time, so that no sum exceeds 2⁶²."""
    return [
        sum(int(np.dot(a[i : i + 2**14], b[i : i + 2**14])) for i in range(0, a.size, 2**14))
        for a, b in zip(x, y, strict=True)
    ]


def _rows(*rows: Iterable[Any]) -> Any:
    """Return rows of fractions of Python's integers, which have no size."""
    from fractions import Fraction

    return np.asarray([[Fraction(int(number)) for number in row] for row in rows], dtype=object)


# -- files and workers -----------------------------------------------------------------------------


def _arrays(side: int) -> tuple[Any, Any, Any]:
    """Return Dask arrays of memberships x and y and labels, from files; start the workers."""
    import dask.array as da

    _start_workers()
    folder = _files(side)
    x, y, labels = (da.from_zarr(str(folder / name)) for name in "xyl")
    return x, y, labels


@cache
def _start_workers() -> Any:
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=WORKERS,
        threads_per_worker=1,
        memory_limit=MEMORY,
        dashboard_address=":0",  # any free port
        silence_logs=logging.ERROR,
    )
    client = Client(cluster)
    atexit.register(cluster.close)  # else workers that end with this process are started again
    atexit.register(client.close)
    return client


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory()


@cache
def _files(side: int) -> Path:
    """Write the arrays, a sample at a time; half of a sample is a chunk."""
    import zarr

    folder = Path(_folder().name) / str(side)
    inner = (side // 2, side, side)
    random = np.random.default_rng(0)
    for name in "xyl":
        classes = () if name == "l" else (CLASSES,)
        stored = zarr.create_array(
            str(folder / name),
            shape=(SAMPLES, *classes, side, side, side),
            chunks=(1, *classes, *inner),
            dtype=np.int16 if name == "l" else np.float32,
            compressors=None,
        )
        for sample in range(SAMPLES):
            shape = (*classes, side, side, side)
            stored[sample] = (
                random.integers(0, CLASSES, shape, dtype=np.int16)
                if name == "l"
                else random.random(shape, dtype=np.float32)
            )
    return folder


def _chunks(side: int) -> Iterator[Chunk]:
    """Yield the files' arrays, a sample at a time."""
    import zarr

    arrays = {name: zarr.open_array(str(_files(side) / name), mode="r") for name in "xyl"}
    for sample in range(SAMPLES):
        yield {name: np.asarray(array[sample]) for name, array in arrays.items()}
