"""Masks and label maps: counting, beside NumPy's own counting.

"Three counts" are `np.count_nonzero` of `x & y`, `x` and `y`. "Joint bincount" is
`np.bincount(118 * y.astype(int64) + x)`. "By hand" is the Dice formula on three counts. `overlap`
is computed by the reference; another suite times the kernels.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial

import numpy as np

import dice_any

from .case import Case, Contender, Job

CLASSES = 118
#: the 1 mm grid of the MNI152 atlas: 8.7 million voxels
ATLAS = (197, 233, 189)


def cases(quick: bool) -> list[Case]:
    """Return the cases."""
    side = 128 if quick else 512
    shape = (99, 117, 95) if quick else ATLAS
    return [
        Case("Two masks", partial(_masks, (side,) * 3)),
        Case(
            f"Two label maps of {CLASSES} classes, in regions", partial(_label_maps, shape, regions)
        ),
        Case(f"Two label maps of {CLASSES} classes, noise", partial(_label_maps, shape, noise)),
        Case("One call on small masks", _small_call, weigh=False),
    ]


def _masks(shape: tuple[int, ...]) -> Job:
    random = np.random.default_rng(0)
    prediction, target = (random.integers(0, 2, shape, dtype=bool) for _ in "xy")

    def numpy() -> tuple[int, ...]:
        both = np.count_nonzero(prediction & target)
        return both, np.count_nonzero(prediction), np.count_nonzero(target)

    def ours() -> tuple[np.ndarray, ...]:
        counts = dice_any.overlap(prediction, target, backend="reference")
        return counts.intersection, counts.prediction, counts.target

    def expected() -> list[float]:
        slabs = [(x & y, x, y) for x, y in zip(prediction, target, strict=True)]
        return [
            sum(mask.tobytes().count(1) for mask in masks) for masks in zip(*slabs, strict=True)
        ]

    return Job(
        _size(shape),
        {"three counts": Contender(numpy), "overlap": Contender(ours, ratio=1.5, memory=4e6)},
        expected,
    )


def _label_maps(shape: tuple[int, ...], make: Callable[..., tuple[np.ndarray, np.ndarray]]) -> Job:
    prediction, target = make(shape)

    def joint() -> tuple[np.ndarray, ...]:
        codes = target.astype(np.int64) * CLASSES + prediction
        matrix = np.bincount(codes.ravel(), minlength=CLASSES**2).reshape(CLASSES, CLASSES)
        return matrix.diagonal(), matrix.sum(axis=0), matrix.sum(axis=1)

    def ours() -> tuple[np.ndarray, ...]:
        counts = dice_any.overlap(prediction, target, num_classes=CLASSES, backend="reference")
        return counts.intersection, counts.prediction, counts.target

    def expected() -> list[float]:
        rows = (
            labels.tobytes() for labels in (prediction[prediction == target], prediction, target)
        )
        return [row.count(label) for row in rows for label in range(CLASSES)]

    return Job(
        f"{_size(shape)} of uint8",
        {"joint bincount": Contender(joint), "overlap": Contender(ours, ratio=1.0, memory=4e6)},
        expected,
    )


def regions(shape: tuple[int, ...], size: int = 8, shift: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return label maps with long runs of one label, as in segmentations: cubes, and the same cubes
    shifted by a voxel.
    """
    coarse = np.random.default_rng(0).integers(
        0, CLASSES, tuple(-(-n // size) for n in shape), dtype=np.uint8
    )
    for axis in range(len(shape)):
        coarse = coarse.repeat(size, axis=axis)
    target = np.ascontiguousarray(coarse[tuple(slice(n) for n in shape)])
    return np.roll(target, shift, axis=tuple(range(len(shape)))), target


def noise(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return label maps of independent random labels: the worst case for the cache."""
    random = np.random.default_rng(0)
    prediction, target = (random.integers(0, CLASSES, shape, dtype=np.uint8) for _ in "xy")
    return prediction, target


def _small_call() -> Job:
    random = np.random.default_rng(0)
    prediction, target = (random.integers(0, 2, (64, 64), dtype=bool) for _ in "xy")

    def by_hand() -> tuple[float]:
        both = np.count_nonzero(prediction & target)
        return (2 * both / (np.count_nonzero(prediction) + np.count_nonzero(target)),)

    def ours() -> tuple[np.ndarray]:
        return (dice_any.dice_score(prediction, target),)

    def expected() -> list[float]:
        x, y = (
            {i for i, member in enumerate(mask.ravel().tolist()) if member}
            for mask in (prediction, target)
        )
        return [float(Fraction(2 * len(x & y), len(x) + len(y)))]

    return Job(
        _size(prediction.shape),
        {"by hand": Contender(by_hand), "dice_score": Contender(ours, seconds=40e-6)},
        expected,
    )


def _size(shape: tuple[int, ...]) -> str:
    return f"{' × '.join(map(str, shape))} elements"
