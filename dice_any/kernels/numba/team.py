"""Worker threads that share the chunks of one call.

Threads claim chunks with an atomic counter (`memory.claim`) inside compiled code that has released
the GIL, so a delayed thread does not block others. The calling thread works too, so the call
finishes even if all workers are busy elsewhere.

An exception from a signal handler (Ctrl-C, a time limit) can end a call at any moment, even during
its cleanup. Its workers may still be running then, and must not touch memory that has been freed.
So each worker holds a reference to its `_Job`, and through it to every array that compiled code
touches. Correctness does not depend on the caller's cleanup. Shared state is changed only in single
steps that no signal can interrupt, and no lock stays held, so the next call finds a working team.

Numba's own threading layers are not used. One aborts when two threads call at once, another when a
process forks after its first call, and data loaders do both. Python's executor is not used either:
an exception inside its `submit` may leave its locks held.
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

#: The work of a thread: claim chunks with the counter at this address, up to this chunk number.
Share = Callable[[int, int], Any]

#: Chunks per thread in a round, some tenths of a second. Python handles signals between rounds.
ROUND = 256
#: A counter value beyond every chunk, to which all threads may still add.
NEVER = 2**62
#: Seconds that an interrupted call, and the end of the process, wait for workers. A chunk takes one
#: or two milliseconds, but a worker may have to wait for the compiler first.
PATIENCE = 1.0


class _Job:
    """The chunks of one round, and everything that a worker needs for them."""

    def __init__(self, share: Share, first: int, stop: int, helpers: int) -> None:
        self.share: Share | None = share
        self.stop, self.helpers = stop, helpers
        self.ticket = np.array([first], dtype=np.int64)
        #: worker -> whether it has begun; set by the worker or the caller, whichever is first
        self.begun: dict[int, bool] = {}
        #: the outcome of each worker that has begun: an exception, or None
        self.outcomes: list[BaseException | None] = []
        self.signals: SimpleQueue[None] = SimpleQueue()

    def work(self) -> None:
        if self.share is not None:
            self.share(self.ticket.__array_interface__["data"][0], self.stop)

    def cancel(self) -> None:
        """Make every thread return after its current chunk."""
        self.ticket[0] = NEVER

    def wait(self, patience: float | None = None) -> None:
        """Wait until no worker runs or will run. May be interrupted and called again."""
        for number in range(self.helpers):
            self.begun.setdefault(number, False)
        expected = sum(self.begun.values())
        # compare lengths, do not count wake-ups: an interrupt may have consumed one
        while len(self.outcomes) < expected:
            self.signals.get(timeout=patience)

    def release(self) -> None:
        """Drop the arrays: a worker that is busy elsewhere may take up the job much later."""
        self.share, self.outcomes = None, []


class _Team:
    """The workers of this process, which wait for jobs at one queue."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[tuple[_Job, int]] = SimpleQueue()
        #: thread -> its current job
        self.helpers: dict[int, _Job | None] = {}

    def gather(self, number: int) -> int:
        """Start workers up to this number; return how many there are or will be."""
        there = len(self.helpers)
        while there < number:
            try:
                _thread.start_new_thread(
                    self._serve,
                    (number,),
                )  # one step, unlike that of `threading`
            except RuntimeError:  # no more threads can be started
                break
            there += 1
        return min(there, number)

    def _serve(self, number: int) -> None:  # pragma: no cover - `_thread` is not traced
        me = _thread.get_ident()
        self.helpers[me] = None
        if len(self.helpers) > number:  # two concurrent calls have both started some
            del self.helpers[me]
            return
        while True:
            job, place = self.queue.get()
            if job.begun.setdefault(place, True):
                self.helpers[me] = job
                _help(job)
                self.helpers[me] = None
            del job  # so that this thread keeps no arrays alive while it waits


def _help(job: _Job) -> None:  # pragma: no cover - on the threads that are not traced
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
    """Wait until no worker runs compiled code, before the interpreter unloads that code."""
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
    """Compute calls by this thread without workers: the caller has its own threads."""
    before = getattr(_solitude, "wanted", False)
    _solitude.wanted = True
    try:
        yield
    finally:
        _solitude.wanted = before


def size() -> int:
    """Return Numba's number of threads: ``NUMBA_NUM_THREADS`` or the number of cores."""
    from numba import config

    if getattr(_solitude, "wanted", False):
        return 1
    return int(vars(config)["NUMBA_NUM_THREADS"])


def together(share: Share, chunks: int, each: int = ROUND) -> None:
    """Call `share`, which must hold all arrays that it touches, on this thread and on workers.

    The number of threads is at most the number of chunks. Python handles signals after every
    `each` chunks of a thread.
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
        except Empty:  # the workers hold the job as long as they need it
            pass
        raise
    failures = [outcome for outcome in job.outcomes if outcome is not None]
    job.release()
    if failures:
        raise failures.pop()
