"""Kernels: the same bits faster, beside the reference and other packages.

"Reading both" adds the bytes of both arrays as integers, in NumPy on all cores, as fast as memory
allows. "Three plain sums" are `(x * y).sum()`, `x.sum()` and `y.sum()` of NumPy in float32. "Joint
bincount" is `np.bincount(118 * y.astype(int64) + x)`. RDKit computes Tanimoto from bits, a row at a
time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

import dice_any

from .case import Case, Contender, Job
from .exact import FLOAT32_SUMS, integer_sums
from .hard import ATLAS, CLASSES, noise, regions

Array = Any


def cases(quick: bool) -> list[Case]:
    """Return the cases."""
    shape = (99, 117, 95) if quick else ATLAS
    return [
        Case("Exact soft sums", partial(_soft, 2**22 if quick else 2**25), ("numba",)),
        Case("Two masks", partial(_masks, (256 if quick else 512,) * 3), ("numba",)),
        Case(
            f"Label maps of {CLASSES} classes, in regions",
            partial(_label_maps, shape, regions),
            ("numba", "SimpleITK"),
        ),
        Case(
            f"Label maps of {CLASSES} classes, noise",
            partial(_label_maps, shape, noise),
            ("numba", "SimpleITK"),
        ),
        Case(
            "Every pair of fingerprints",
            partial(_pairs, 300 if quick else 1000),
            ("numba", "scipy"),
        ),
    ]


CORES = ThreadPoolExecutor(os.cpu_count())


def read(*arrays: Array) -> None:
    """Read arrays once on all cores, as fast as memory allows: add their bytes as integers."""
    parts = [
        part
        for array in arrays
        for part in np.array_split(array.reshape(-1).view(np.int64), os.cpu_count() or 1)
    ]
    list(CORES.map(np.sum, parts))


def _soft(size: int) -> Job:
    random = np.random.default_rng(0)
    x, y = (random.random(size, dtype=np.float32) for _ in "xy")
    expected = partial(integer_sums, x, y)
    right = expected()

    def reading() -> list[float]:
        read(x, y)
        return right  # reading has no answer of its own

    def plain() -> tuple[Array, ...]:
        return (x * y).sum(), x.sum(), y.sum()

    def ours(backend: str, exact: bool = True) -> tuple[Array, ...]:
        counts = dice_any.overlap(x, y, exact=exact, backend=backend)
        return counts.intersection, counts.prediction, counts.target

    return Job(
        f"{size:,} pairs of float32",
        {
            "reading both": Contender(reading),
            "three plain sums": Contender(plain, tolerance=FLOAT32_SUMS),
            "overlap, reference": Contender(partial(ours, "reference")),
            "overlap, kernel": Contender(
                partial(ours, "numba"), ratio=2.0, memory=4e6, faster={"three plain sums": 2.0}
            ),
            "overlap(exact=False), kernel": Contender(
                partial(ours, "numba", False), tolerance=1e-6
            ),
        },
        expected,
    )


def _masks(shape: tuple[int, ...]) -> Job:
    random = np.random.default_rng(0)
    x, y = (random.integers(0, 2, shape, dtype=bool) for _ in "xy")

    def expected() -> list[float]:
        return [sum(mask.tobytes().count(1) for mask in masks) for masks in ((x & y,), (x,), (y,))]

    right = expected()

    def reading() -> list[float]:
        read(x, y)
        return right

    def ours(backend: str) -> tuple[Array, ...]:
        counts = dice_any.overlap(x, y, backend=backend)
        return counts.intersection, counts.prediction, counts.target

    return Job(
        f"{' × '.join(map(str, shape))} elements",
        {
            "reading both": Contender(reading),
            "overlap, reference": Contender(partial(ours, "reference")),
            "overlap, kernel": Contender(partial(ours, "numba"), ratio=1.2, memory=4e6),
        },
        lambda: right,
    )


def _label_maps(shape: tuple[int, ...], make: Callable[..., tuple[Array, Array]]) -> Job:
    import SimpleITK

    x, y = make(shape)
    images = [SimpleITK.GetImageFromArray(labels) for labels in (y, x)]

    def expected() -> list[float]:
        rows = (labels.tobytes() for labels in (x[x == y], x, y))
        sums = [[row.count(label) for label in range(CLASSES)] for row in rows]
        # SimpleITK counts no background
        return [2 * i / (a + b) for i, a, b in list(zip(*sums, strict=True))[1:]]

    def joint() -> Array:
        codes = y.astype(np.int64) * CLASSES + x
        matrix = np.bincount(codes.ravel(), minlength=CLASSES**2).reshape(CLASSES, CLASSES)
        return [2 * matrix.diagonal()[1:] / (matrix.sum(axis=0) + matrix.sum(axis=1))[1:]]

    def simpleitk() -> list[float]:
        measures = SimpleITK.LabelOverlapMeasuresImageFilter()
        measures.Execute(*images)
        return [measures.GetDiceCoefficient(label) for label in range(1, CLASSES)]

    def ours(backend: str) -> Array:
        return [dice_any.dice_score(x, y, num_classes=CLASSES, backend=backend)[1:]]

    return Job(
        f"{' × '.join(map(str, shape))} elements of uint8",
        {
            "joint bincount": Contender(joint, tolerance=1e-15),
            "SimpleITK": Contender(simpleitk, tolerance=1e-15),
            "dice_score, reference": Contender(partial(ours, "reference"), tolerance=1e-15),
            "dice_score, kernel": Contender(
                partial(ours, "numba"),
                tolerance=1e-15,
                memory=4e6,
                faster={"joint bincount": 4.0, "SimpleITK": 4.0},
            ),
        },
        expected,
    )


def _pairs(rows: int, bits: int = 2048) -> Job:
    from scipy.spatial.distance import cdist

    random = np.random.default_rng(0)
    x, y = (random.random((rows, bits)) < 0.05 for _ in "xy")

    def expected() -> list[float]:
        sets = [
            [int("".join("01"[bit] for bit in row), 2) for row in matrix.tolist()]
            for matrix in (x, y)
        ]
        return [(a & b).bit_count() / (a | b).bit_count() for a in sets[0] for b in sets[1]]

    def scipy(metric: str) -> Array:
        distances = cdist(x, y, metric)
        return [1 - distances if metric == "jaccard" else dice_any.dice_to_jaccard(1 - distances)]

    def product() -> Array:
        a, b = (matrix.astype(np.float32) for matrix in (x, y))
        both = (a @ b.T).astype(np.float64)
        return [both / (a.sum(axis=1)[:, None] + b.sum(axis=1)[None] - both)]

    def ours(backend: str) -> Array:
        return [dice_any.jaccard_score(dice_any.pairwise_overlap(x, y, backend=backend))]

    contenders = {
        "cdist, jaccard": Contender(partial(scipy, "jaccard"), tolerance=1e-13),
        "cdist, dice": Contender(partial(scipy, "dice"), tolerance=1e-12),
        "one float32 matrix product": Contender(product, tolerance=1e-15),
    }
    tanimoto = _rdkit(x, y)
    if tanimoto is not None:
        contenders["RDKit, bulk Tanimoto"] = Contender(tanimoto, tolerance=1e-13)
    contenders["jaccard_score, reference"] = Contender(partial(ours, "reference"))
    contenders["jaccard_score, kernel"] = Contender(
        partial(ours, "numba"), faster={"cdist, jaccard": 60.0}
    )
    return Job(f"{rows} × {rows} pairs of {bits} bits, 5 % of them set", contenders, expected)


def _rdkit(x: Array, y: Array) -> Callable[[], Array] | None:
    """Return RDKit's similarity of every pair; None if RDKit is not installed."""
    try:
        from rdkit import DataStructs
    except ImportError:
        return None
    first, second = (
        [
            DataStructs.CreateFromBitString("".join("01"[bit] for bit in row))
            for row in matrix.tolist()
        ]
        for matrix in (x, y)
    )
    return lambda: [[DataStructs.BulkTanimotoSimilarity(row, second) for row in first]]
