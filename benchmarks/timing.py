"""Time and memory: contenders in turn, medians with their spread, peaks in a separate process."""

from __future__ import annotations

import ctypes
import gc
import re
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import NamedTuple

from .case import Contender, find

#: calls are repeated until a measurement takes this many seconds, so the clock's error is small
SHORTEST = 0.2


class Spread(NamedTuple):
    """Median and quartiles."""

    low: float
    median: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Return median and quartiles of two values or more."""
    return Spread(*quantiles(values, n=4, method="inclusive"))


def interleave(contenders: dict[str, Contender], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each call, measured in turn: A B C A B C ...

    If the machine slows down for a while, it slows all of them, and the ratio within a round stays
    the same. Each has one call before its measurement, because a first call after another
    contender has to take back the memory that the other returned.
    """
    calls = {name: _calls(contender) for name, contender in contenders.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, contender in contenders.items():
                contender.run()
                seconds[name].append(_time(contender, calls[name]) / calls[name])
    finally:
        gc.enable()
    return seconds


def ratios(seconds: Sequence[float], baseline: Sequence[float]) -> Spread:
    """Return the spread of the ratios within each round."""
    return spread([ours / theirs for ours, theirs in zip(seconds, baseline, strict=True)])


def _calls(contender: Contender) -> int:
    """Return how many calls make a measurement; this also warms up."""
    calls = 1
    while True:
        start = perf_counter()
        _time(contender, calls)
        if perf_counter() - start >= SHORTEST:  # what is not measured takes its time too
            return calls
        calls *= 2


def _time(contender: Contender, calls: int) -> float:
    if contender.timed is not None:
        return sum(contender.timed() for _ in range(calls))
    start = perf_counter()
    for _ in range(calls):
        contender.run()
    return perf_counter() - start


# -- memory ----------------------------------------------------------------------------------------

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def extra_memory(suite: str, case: str, contender: str, quick: bool) -> int | None:
    """Return the bytes that a call takes beyond its inputs; None on systems other than Linux.

    This is the process's peak during a second call, less the memory before the first call:
    temporaries, results, and whatever the first call has kept. The process is new, because memory
    that was freed but not returned to the system would hide a peak. It first runs the case in its
    quick size, so that thread pools and the code of libraries do not count.
    """
    if not CLEAR.exists():
        return None
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_weigh, suite, case, contender, quick).result()


def _weigh(suite: str, case: str, contender: str, quick: bool) -> int:
    find(suite, case, True).prepare().contenders[contender].run()
    run = find(suite, case, quick).prepare().contenders[contender].run
    _give_back()
    before = _held("VmRSS")
    run()
    _give_back()
    CLEAR.write_text("5")  # sets the peak to the memory held now
    run()
    return _held("VmHWM") - before


def _give_back() -> None:
    """Return freed memory to the system, so that a call that takes it again is noticed."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _held(field: str) -> int:
    """Return a number of bytes from the process's status."""
    found = re.search(rf"^{field}:\s*(\d+) kB$", STATUS.read_text(), re.MULTILINE)
    if found is None:
        raise OSError(f"{STATUS} holds no {field}")
    return 1024 * int(found[1])
