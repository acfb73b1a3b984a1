"""Threads that share the chunks of one call.

A chunk is claimed by an atomic count (`memory.claim`) inside compiled code that has let go of
Python's lock, so a thread that the machine holds up delays nobody. The caller works too: with every
helper busy elsewhere the call still ends.

A call may end at any moment, by an exception out of a signal handler (Ctrl-C, a time limit), and
once more while it clears up. Its helpers may then be at work still, and what they read and write
must not be memory that is somebody else's by now. So a helper owns what it works on: it holds its
`_Job`, and through it every array whose memory compiled code touches. Nothing depends on the
caller's clearing up. What two threads share is changed in single steps that no signal divides, and
no lock is left held: the next call finds a whole team.

Numba's own threading layers are not used: one of them aborts when two threads call at once, another
when a process forks after its first call, and data loaders do both. Python's executor is not used
either: an exception that hits its `submit` may leave its locks held.
"""

from __future__ import annotations

import _thread
import atexit
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

#: What a thread does: claim chunks by the count at this address, up to the chunk of this number.
Share = Callable[[int, int], Any]

#: Chunks of a round for each thread, some tenths of a second. Between rounds Python sees signals.
ROUND = 256
#: A count that is beyond every chunk, and that all threads may add to.
NEVER = 2**62
#: Seconds that an interrupted call, and the end of the process, wait for helpers: a chunk takes one
#: or two thousandths, but a helper may have to wait for the compiler first.
PATIENCE = 1.0


class _Job:
    """The chunks of one round, and all that a helper needs for them."""

    def __init__(self, share: Share, first: int, stop: int, helpers: int) -> None:
        self.share: Share | None = share
        self.stop, self.helpers = stop, helpers
        self.ticket = np.array([first], dtype=np.int64)
        #: helper -> whether it has begun: the helper or the caller says so, whoever is first
        self.begun: dict[int, bool] = {}
        #: what became of each helper that has begun: an exception, or None
        self.outcomes: list[BaseException | None] = []
        self.signals: SimpleQueue[None] = SimpleQueue()

    def work(self) -> None:
        if self.share is not None:
            self.share(self.ticket.__array_interface__["data"][0], self.stop)

    def cancel(self) -> None:
        """Have every thread return after the chunk that it is amid."""
        self.ticket[0] = NEVER

    def wait(self, patience: float | None = None) -> None:
        """Wait until no helper is at work or will be. May be interrupted, and called again."""
        for number in range(self.helpers):
            self.begun.setdefault(number, False)
        expected = sum(self.begun.values())
        # signals are not counted: an interrupt may have taken one
        while len(self.outcomes) < expected:
            self.signals.get(timeout=patience)

    def release(self) -> None:
        """Let go of the arrays: a helper that is busy elsewhere may find the job much later."""
        self.share, self.outcomes = None, []


class _Team:
    """The helpers of this process, which wait at one queue for jobs."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[tuple[_Job, int]] = SimpleQueue()
        #: thread -> what it is at work on
        self.helpers: dict[int, _Job | None] = {}

    def gather(self, number: int) -> int:
        """Start helpers until there are so many; return how many of them there are or will be."""
        there = len(self.helpers)
        while there < number:
            try:
                _thread.start_new_thread(
                    self._serve,
                    (number,),
                )  # one step, unlike that of `threading`
            except RuntimeError:  # no more threads are to be had
                break
            there += 1
        return min(there, number)

    def _serve(self, number: int) -> None:
        me = _thread.get_ident()
        self.helpers[me] = None
        if len(self.helpers) > number:  # two calls at once have each started some
            del self.helpers[me]
            return
        while True:
            job, place = self.queue.get()
            if job.begun.setdefault(place, True):
                self.helpers[me] = job
                _help(job)
                self.helpers[me] = None
            del job  # while this thread waits for the next one, nothing of this one is kept


def _help(job: _Job) -> None:
    try:
        job.work()
    except BaseException as error:
        job.cancel()
        job.outcomes.append(error)
    else:
        job.outcomes.append(None)
    finally:
        job.signals.put(None)


_team = _Team()


def _forget() -> None:
    """A fork copies the queue, but none of the threads."""
    global _team
    _team = _Team()


def _dismiss() -> None:
    """Have no helper amid compiled code when the interpreter takes that away."""
    end = time.monotonic() + PATIENCE
    while busy := [job for job in list(_team.helpers.values()) if job is not None]:
        for job in busy:
            job.cancel()
        if time.monotonic() > end:
            break
        time.sleep(0.001)


atexit.register(_dismiss)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


_solitude = threading.local()


@contextmanager
def alone() -> Iterator[None]:
    """Have calls by this thread computed on it alone: who calls has threads for the cores."""
    before = getattr(_solitude, "wanted", False)
    _solitude.wanted = True
    try:
        yield
    finally:
        _solitude.wanted = before


def size() -> int:
    """Return the number of threads, Numba's: ``NUMBA_NUM_THREADS`` or the number of cores."""
    from numba import config

    if getattr(_solitude, "wanted", False):
        return 1
    return int(vars(config)["NUMBA_NUM_THREADS"])


def together(share: Share, chunks: int, each: int = ROUND) -> None:
    """Call `share`, which must hold all arrays that it touches, on this thread and on others.

    As many take part as there are chunks for. Python sees signals whenever a thread has done
    `each`.
    """
    threads = size()
    for first in range(0, chunks, threads * each):
        stop = min(first + threads * each, chunks)
        helpers = min(threads, stop - first) - 1
        _do(_Job(share, first, stop, _team.gather(helpers)))


def _do(job: _Job) -> None:
    try:
        for number in range(job.helpers):
            _team.queue.put((job, number))
        job.work()
        job.wait()
    except BaseException:
        job.cancel()
        try:
            job.wait(PATIENCE)
            job.release()
        except Empty:  # it is the helpers' for as long as they need it
            pass
        raise
    failures = [outcome for outcome in job.outcomes if outcome is not None]
    job.release()
    if failures:
        raise failures.pop()
