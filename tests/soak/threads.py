"""Many threads call at once, and every result is the counted one.

``python -m tests.soak.threads SECONDS``
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable

if __name__ == "__main__":
    os.environ.setdefault("NUMBA_NUM_THREADS", "4")

import numpy as np

import dice_any
from dice_any.kernels.numba import team
from dice_any.testing import oracle, recipe

THREADS = 8
SIZE = 2**19 + 77
#: multiples of 2⁻¹², so that products are integers of 24 bits, which NumPy adds
UNIT = 2**12
NUMERATORS = (recipe.integers(1, SIZE, UNIT + 1), recipe.integers(3, SIZE, UNIT + 1))
MASKS = (recipe.masks(5, SIZE), recipe.masks(7, SIZE))
MAPS = (recipe.labels(9, SIZE, 5, "uint8"), recipe.labels(11, SIZE, 5, "int16"))
SOFT = tuple((n / UNIT).astype(np.float32) for n in NUMERATORS)


def masks(backend: str | None) -> None:
    got = dice_any.overlap(*MASKS, backend=backend).to_dict()["sums"]
    x, y = MASKS
    assert got == [int((x & y).sum()), int(x.sum()), int(y.sum()), SIZE, 0]


def maps(backend: str | None) -> None:
    got = dice_any.confusion_matrix(*MAPS, num_classes=5, backend=backend)
    expected = np.bincount(MAPS[1].astype(np.int64) * 5 + MAPS[0], minlength=25).reshape(5, 5)
    assert (np.asarray(got) == expected).all()


def memberships(backend: str | None) -> None:
    (got,) = oracle.overlap_sums(dice_any.overlap(*SOFT, backend=backend))
    x, y = NUMERATORS
    one = oracle.UNIT // UNIT
    expected = (
        int((x * y).sum()) * one // UNIT,
        int(x.sum()) * one,
        int(y.sum()) * one,
        SIZE * oracle.UNIT,
    )
    assert tuple(got) == expected


def loss(backend: str | None) -> None:
    value, gradient = dice_any.value_and_grad(dice_any.dice_loss)(*SOFT, smooth=0, backend=backend)
    x, y = (n.astype(np.float64) / UNIT for n in NUMERATORS)
    top, bottom = 2 * (x @ y), x.sum() + y.sum()
    assert abs(float(value) - (1 - top / bottom)) < 1e-6
    assert np.allclose(gradient, top / bottom**2 - 2 * y / bottom, rtol=1e-4, atol=1e-12)


def training_step(backend: str | None) -> None:
    import torch

    x = torch.from_numpy(SOFT[0].copy()).requires_grad_()
    dice_any.dice_loss(x, torch.from_numpy(SOFT[1]), smooth=0, backend=backend).backward()
    a, b = (n.astype(np.float64) / UNIT for n in NUMERATORS)
    top, bottom = 2 * (a @ b), a.sum() + b.sum()
    assert np.allclose(x.grad.numpy(), top / bottom**2 - 2 * b / bottom, rtol=1e-4, atol=1e-12)


CALLS: list[Callable[[str | None], None]] = [masks, maps, memberships, loss]


def main(seconds: float) -> None:
    """Let threads call until the time is over."""
    calls = list(itertools.product((*CALLS, training_step), ("numba", "reference", None)))
    for call, backend in calls:  # once alone: compiled now, and right
        call(backend)
    end = time.monotonic() + seconds
    made, errors = [0] * THREADS, []

    def caller(number: int) -> None:
        i = number
        while time.monotonic() < end and not errors:
            call, backend = calls[i % len(calls)]
            try:
                call(backend)
            except BaseException as error:
                errors.append(error)
            made[number] += 1
            i += 1 + number

    callers = [threading.Thread(target=caller, args=(number,)) for number in range(THREADS)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(seconds + 120)
    assert not any(thread.is_alive() for thread in callers), "a thread hangs"
    helpers = len(team._team.helpers)
    made_wrong = f"{sum(made)} calls made, {len(errors)} wrong"
    print(f"threads: {THREADS} at once, {made_wrong}; {helpers} helpers")
    if errors:
        raise errors[0]
    assert helpers < team.size()


if __name__ == "__main__":
    main(float(sys.argv[1]))
