"""Exact sums: memberships summed in integers, beside each library's own floating sums.

"Three plain sums" are `(x * y).sum()`, `x.sum()` and `y.sum()` in float32, the fastest sums of the
library. `overlap` is computed by the reference; another suite times the kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import dice_any

from .case import Case, Contender, Job

Array = Any
Sums = tuple[Array, Array, Array]
#: memberships are whole multiples of 1/STEP, so that Python's integers can compute their sums
STEP = 2**24
#: the largest relative error of a plain sum, from float32 additions, that counts as right
FLOAT32_SUMS = 1e-3


class Library(NamedTuple):
    """How an array library takes part."""

    to_array: Callable[[np.ndarray], Array]
    compile: Callable[[Callable[..., Sums]], Callable[..., Sums]] = lambda function: function
    #: return results only when they are computed
    wait: Callable[[Sums], Iterable[Array]] = lambda results: results
    sum: Callable[[Array], Array] = lambda array: array.sum()


# Each library is imported when its case is prepared, so that no process loads more than it needs.


def _numpy(size: int) -> Library:
    return Library(lambda values: values)


def _torch(size: int) -> Library:
    import torch

    return Library(torch.from_numpy)


def _jax(size: int, jitted: bool) -> Library:
    import jax

    jax.config.update("jax_enable_x64", True)  # else the sums come back in float32
    # copies run in the background: wait, so that they are not part of what is measured
    library = Library(
        lambda values: jax.numpy.asarray(values).block_until_ready(), wait=jax.block_until_ready
    )
    return library._replace(compile=jax.jit) if jitted else library


def _dask(size: int) -> Library:
    import dask.array

    return Library(
        partial(dask.array.from_array, chunks=size // 8),
        wait=lambda results: dask.compute(*results),
    )


def _strict(size: int) -> Library:
    import array_api_strict

    return Library(array_api_strict.asarray, sum=array_api_strict.sum)


def cases(quick: bool) -> list[Case]:
    """Return the cases."""
    size, smaller = (2**20, 2**18) if quick else (2**25, 2**22)
    return [
        Case("NumPy", partial(_job, _numpy, size, ratio=5.0, memory=16e6)),
        Case("PyTorch, CPU", partial(_job, _torch, size, ratio=6.0, memory=16e6), ("torch",)),
        Case(
            "JAX, CPU, jitted", partial(_job, partial(_jax, jitted=True), size, ratio=2.0), ("jax",)
        ),
        Case("JAX, CPU, eager", partial(_job, partial(_jax, jitted=False), size), ("jax",)),
        Case("Dask, 8 chunks, threads", partial(_job, _dask, size), ("dask",)),
        Case("array-api-strict", partial(_job, _strict, smaller), ("array_api_strict",)),
    ]


def _job(open_library: Callable[[int], Library], size: int, **targets: float) -> Job:
    library = open_library(size)
    random = np.random.default_rng(0)
    values = [random.random(size, dtype=np.float32) for _ in "xy"]
    arrays = [library.to_array(v) for v in values]

    def plain(x: Array, y: Array) -> Sums:
        return library.sum(x * y), library.sum(x), library.sum(y)

    def ours(x: Array, y: Array, exact: bool) -> Sums:
        counts = dice_any.overlap(x, y, exact=exact, backend="reference")
        return counts.intersection, counts.prediction, counts.target

    def timed(function: Callable[..., Sums]) -> Callable[[], Iterable[Array]]:
        compiled = library.compile(function)
        return lambda: library.wait(compiled(*arrays))

    return Job(
        f"{size:,} pairs of float32",
        {
            "three plain sums": Contender(timed(plain), tolerance=FLOAT32_SUMS),
            "overlap(exact=False)": Contender(timed(partial(ours, exact=False)), tolerance=1e-6),
            "overlap": Contender(timed(partial(ours, exact=True)), **targets),
        },
        expected=partial(integer_sums, *values),
    )


def integer_sums(x: np.ndarray, y: np.ndarray, block: int = 2**14) -> list[float]:
    """Return the sums by integer arithmetic, rounded once: a block of products stays below
    2**62.
    """
    both, prediction, target = 0, 0, 0
    for start in range(0, x.size, block):
        a, b = (
            (values[start : start + block].astype(np.float64) * STEP).astype(np.int64)
            for values in (x, y)
        )
        both += int(np.dot(a, b))
        prediction += int(a.sum())
        target += int(b.sum())
    return [
        float(Fraction(both, STEP**2)),
        float(Fraction(prediction, STEP)),
        float(Fraction(target, STEP)),
    ]
