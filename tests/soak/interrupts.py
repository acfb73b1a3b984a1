"""Exceptions from a signal handler at every moment of a call, and the results of later calls.

``python -m tests.soak.interrupts NUMBER``
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

if __name__ == "__main__":
    os.environ.setdefault("NUMBA_NUM_THREADS", "4")  # more helpers than this machine may have cores

import numpy as np
import torch

import dice_any
from dice_any.kernels.numba import run, team
from dice_any.testing import recipe

CLASSES, SMOOTH = 3, 1.0
SHAPE = (2, CLASSES, 48, 48, 48)
LOGITS = recipe.memberships(1, SHAPE) * np.float32(12) - np.float32(6)
LABELS = recipe.labels(3, (SHAPE[0], *SHAPE[2:]), CLASSES, "uint8")
MASKS = (recipe.masks(5, 2**22), recipe.masks(7, 2**22))
ROWS = (recipe.masks(9, (300, 1024)), recipe.masks(11, (300, 1024)))
SMALL = (recipe.memberships(13, 2**18), recipe.memberships(15, 2**18))
OPTIONS: dict[str, Any] = {"class_axis": 1, "activation": "softmax", "backend": "numba"}
#: sizes of arrays that a caller may get right after, in memory of sums, tickets and layouts
SIZES = (1, 1, 1, 8, 60, 480, 3 * 7 * 11, 4096)


class Struck(BaseException):
    """The exception of the handler, as from Ctrl-C."""


class TimeIsUpError(Exception):
    """The exception of another handler, as from time limits."""


def formula() -> tuple[float, np.ndarray]:
    """Return the loss of the logits and its gradient, by float64 only."""
    z = LOGITS.astype(np.float64)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    t = (LABELS[:, None] == np.arange(CLASSES).reshape(1, -1, 1, 1, 1)).astype(np.float64)
    axes = (0, 2, 3, 4)
    top, bottom = 2 * (p * t).sum(axis=axes) + SMOOTH, (p + t).sum(axis=axes) + SMOOTH
    slope = -(2 * t * _wide(1 / bottom) - _wide(top / bottom**2)) / CLASSES
    gradient = p * (slope - (p * slope).sum(axis=1, keepdims=True))
    return float(1 - np.mean(top / bottom)), gradient


def _wide(by_class: np.ndarray) -> np.ndarray:
    return by_class.reshape(1, -1, 1, 1, 1)


# -- the calls -----------------------------------------------------------------------------------


def value() -> list[np.ndarray]:
    return [np.asarray(dice_any.dice_loss(LOGITS, LABELS, **OPTIONS))]


def value_and_gradient() -> list[np.ndarray]:
    loss, gradient = dice_any.value_and_grad(dice_any.dice_loss)(LOGITS, LABELS, **OPTIONS)
    return [np.asarray(loss), gradient]


def training_step() -> list[np.ndarray]:
    z = torch.from_numpy(LOGITS.copy()).requires_grad_()
    loss = dice_any.dice_loss(z, torch.from_numpy(LABELS), **OPTIONS)
    loss.backward()
    return [loss.detach().numpy(), z.grad.numpy()]


def masks() -> list[np.ndarray]:
    return [np.asarray(dice_any.overlap(*MASKS, backend="numba").intersection)]


def pairs() -> list[np.ndarray]:
    return [np.asarray(dice_any.pairwise_overlap(*ROWS, backend="numba").intersection)]


def small() -> list[np.ndarray]:
    """Calls so small that Python takes most of their time."""
    return [np.asarray(dice_any.dice_score(*SMALL, backend="numba"))]


CALLS: list[Callable[[], list[np.ndarray]]] = [
    value,
    value_and_gradient,
    training_step,
    masks,
    pairs,
    small,
]


def check_by_hand(answers: dict[str, list[np.ndarray]]) -> None:
    """Compare the results of undisturbed calls with counts and with float64."""
    loss, gradient = formula()
    for name in ("value", "value_and_gradient", "training_step"):
        assert abs(float(answers[name][0]) - loss) < 1e-6, name
    for name in ("value_and_gradient", "training_step"):
        assert np.allclose(answers[name][1], gradient, rtol=2e-4, atol=1e-9), name
    assert int(answers["masks"][0]) == np.count_nonzero(MASKS[0] & MASKS[1])
    rows = [row.astype(np.float64) for row in ROWS]
    assert (answers["pairs"][0] == rows[0] @ rows[1].T).all()
    x, y = (a.astype(np.float64) for a in SMALL)
    assert abs(float(answers["small"][0]) - 2 * (x @ y) / (x.sum() + y.sum())) < 1e-9


# -- the interrupts ------------------------------------------------------------------------------


def struck(call: Callable[[], Any], delay: float, again: float, error: type[BaseException]) -> int:
    """Make a call, interrupt it after `delay`, and once more `again` later; return how often."""
    hits, most = 0, 2 if again else 1

    def interrupted() -> None:
        signal.setitimer(signal.ITIMER_REAL, delay)
        call()

    def handle(number: int, frame: Any) -> None:
        nonlocal hits
        while frame is not None and frame.f_code is not interrupted.__code__:
            frame = frame.f_back
        # else it comes late: another thread may have received it
        if frame is not None and hits < most:
            hits += 1
            signal.setitimer(signal.ITIMER_REAL, again if hits < most else 0)
            raise error

    signal.signal(signal.SIGALRM, handle)
    try:
        interrupted()
    except error:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return hits


class Innocents:
    """Arrays made right after the end of a call, in memory that the call may have freed."""

    def __init__(self) -> None:
        self.ones = [np.ones(size, dtype=np.int64) for size in SIZES * 20]
        self.zeros = [np.zeros(SHAPE, dtype=np.float32)]
        self.tensors = [torch.ones(size) for size in SIZES * 4]

    def check(self) -> None:
        written = "somebody has written into a new array of"
        assert all((a == 1).all() for a in self.ones), f"{written} integers"
        assert not any(a.any() for a in self.zeros), f"{written} floats"
        assert all(bool((a == 1).all()) for a in self.tensors), f"{written} PyTorch's"


def interrupt(number: int) -> dict[str, Any]:
    """Interrupt each call at times spread over its duration, three of four twice."""
    undisturbed = {call.__name__: call() for call in CALLS}
    check_by_hand(undisturbed)
    before = [a.copy() for a in (LOGITS, LABELS, *MASKS, *ROWS, *SMALL)]
    each = -(-number // len(CALLS))
    once = twice = 0
    slowest = 0.0
    for call in CALLS:
        length = min(_timed(call) for _ in range(3))
        for i in range(each):
            delay = max(length * 1.1 * (i + 1) / each, 1e-6)
            again = (0.0, 2e-5, 1e-4, 5e-4)[i % 4]
            began = time.perf_counter()
            hits = struck(call, delay, again, (Struck, TimeIsUpError)[i // 2 % 2])
            slowest = max(slowest, time.perf_counter() - began - delay)
            once, twice = once + (hits > 0), twice + (hits > 1)
            innocents = Innocents()
            _same(call(), undisturbed[call.__name__], call)
            innocents.check()
    for given, kept in zip((LOGITS, LABELS, *MASKS, *ROWS, *SMALL), before, strict=True):
        assert (given == kept).all(), "an argument has been written into"
    assert once > number // 2, f"only {once} interrupts of {number} hit"
    return {"calls interrupted": once, "twice": twice, "longest wait, ms": round(slowest * 1e3, 1)}


def _timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _same(got: list[np.ndarray], expected: list[np.ndarray], call: Any) -> None:
    for a, b in zip(got, expected, strict=True):
        assert a.tobytes() == b.tobytes(), f"{call.__name__} has another answer after an interrupt"


# -- exceptions in helpers -----------------------------------------------------------------------


class BrokenError(Exception):
    """The exception of a helper, for example for lack of memory."""


def fail(number: int) -> dict[str, Any]:
    """Make a helper fail, before or after it has done its share; return figures."""
    calls = [call for call in CALLS if call is not pairs]
    undisturbed = {call.__name__: call() for call in calls}
    original, reached, begun = run._loop, 0, itertools.count()
    for i in range(number):
        call = calls[i % len(calls)]
        after = i % 2

        def loop(build: Any, *case: Any, after: int = after) -> Any:
            compiled = original(build, *case)
            if build.__name__.endswith("loader"):
                return compiled

            def share(*arguments: Any) -> None:
                helper = threading.get_ident() != threading.main_thread().ident
                if helper and not after:
                    raise BrokenError(next(begun))
                if not helper:
                    time.sleep(0.001)  # or the caller would finish before a helper begins
                compiled(*arguments)
                if helper:
                    raise BrokenError(next(begun))

            return share

        run._loop = loop
        try:
            call()
        except BrokenError:
            reached += 1
        finally:
            run._loop = original
        innocents = Innocents()
        _same(call(), undisturbed[call.__name__], call)
        innocents.check()
    assert reached > number // 4, f"only {reached} of {number} failures reached the caller"
    return {"failures of helpers that reached their callers": reached}


def main(number: int) -> dict[str, Any]:
    figures = {"threads": team.size(), **interrupt(number), **fail(max(number // 10, 10))}
    print(
        "interrupts: " + ", ".join(f"{name}: {figure}" for name, figure in figures.items()),
        flush=True,
    )
    return figures


if __name__ == "__main__":
    main(int(sys.argv[1]))
