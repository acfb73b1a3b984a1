"""However a call of the Numba kernel ends, no freed memory is written; the next call is right."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dice_any

pytest.importorskip("numba")
from dice_any.kernels.numba import team

ROOT = Path(__file__).parents[1]
LONG = 10.0


def python(*arguments: str) -> str:
    """Run Python in a process of its own, so that a crash is only a failure."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": "4"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-X", "faulthandler", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(team, "size", lambda: 4)
    monkeypatch.setattr(team, "_team", team._Team())
    monkeypatch.setattr(team, "PATIENCE", 0.05)
    return 4


class Ended(BaseException):
    """The exception that ends a call."""


class FailedError(Exception):
    """The exception of a helper."""


class Work:
    """The share of each thread, for the caller and the helpers, and which chunks were done."""

    def __init__(
        self,
        caller: Callable[[], None] = lambda: None,
        helper: Callable[[], None] = lambda: None,
    ) -> None:
        self.caller, self.helper, self.me = caller, helper, threading.get_ident()
        self.done: list[int] = []
        self.lock = threading.Lock()

    def __call__(self, ticket: int, stop: int) -> None:
        import ctypes

        count = ctypes.c_int64.from_address(ticket)
        while True:
            with self.lock:
                chunk, count.value = count.value, count.value + 1
            if chunk >= stop:
                return
            (self.caller if threading.get_ident() == self.me else self.helper)()
            self.done.append(chunk)


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.001)


def raise_error(error: type[BaseException]) -> None:
    raise error


def test_interrupts_at_every_moment() -> None:
    pytest.importorskip("torch")
    assert "calls interrupted" in python("-m", "tests.soak.interrupts", "48")


@pytest.mark.parametrize("chunks", [1, 2, 5, 4 * 7, 1000])
def test_every_chunk_is_done_once(threads: int, chunks: int) -> None:
    work = Work()
    team.together(work, chunks, each=7)  # also in rounds
    assert sorted(work.done) == list(range(chunks))


def test_helpers_own_what_an_interrupted_call_left_to_them(threads: int) -> None:
    """The caller leaves while helpers still run; their memory lives until the last one stops."""
    go_on, held_up, array = threading.Event(), [], np.zeros(1000)

    def helper() -> None:
        held_up.append(None)
        go_on.wait(LONG)

    def caller() -> None:
        until(lambda: len(held_up) == threads - 1)
        raise Ended

    def call() -> weakref.ref:
        work = Work(caller, helper)
        work.array = np.zeros(1000)  # type: ignore[attr-defined]
        with pytest.raises(Ended):
            team.together(work, 100)
        return weakref.ref(work.array)  # type: ignore[attr-defined]

    left = call()
    assert left() is not None
    # no helper is free, and the next call still ends
    work = Work()
    team.together(work, 50)
    assert sorted(work.done) == list(range(50))
    go_on.set()
    until(lambda: left() is None)
    work = Work(caller=lambda: time.sleep(0.001))
    team.together(work, 50)
    assert sorted(work.done) == list(range(50))
    assert not array.any()


def test_an_interrupted_call_leaves_its_chunks_undone(threads: int) -> None:
    begun = threading.Event()

    def caller() -> None:
        begun.wait(LONG)
        raise Ended

    def helper() -> None:
        begun.set()
        time.sleep(0.002)

    work = Work(caller, helper)
    with pytest.raises(Ended):
        team.together(work, 10_000)
    done = len(work.done)
    assert done < 1000
    time.sleep(0.02)
    assert len(work.done) == done  # and nobody is at work on them any more


class Queue:
    """A queue whose `put` is interrupted at its end."""

    def __init__(self, queue: Any) -> None:
        self.get, self._put = queue.get, queue.put

    def put(self, job: Any) -> None:
        self._put(job)
        raise Ended


def first_time(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method whose first call is interrupted before it does anything."""
    times: list[None] = []

    def interrupted(*arguments: Any) -> Any:
        times.append(None)
        return method(*arguments) if len(times) > 1 else raise_error(Ended)

    return interrupted


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("where", ["hand out", "work", "wait"])
def test_the_team_is_whole_after_an_interrupt(
    threads: int,
    where: str,
    again: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While jobs are distributed, before they begin, while the caller waits or cleans up."""
    with monkeypatch.context() as patch:
        if where == "hand out":
            patch.setattr(team._team, "queue", Queue(team._team.queue))
        else:
            patch.setattr(team._Job, where, first_time(getattr(team._Job, where)))
        if again:
            patch.setattr(team._Job, "cancel", first_time(team._Job.cancel))
        with pytest.raises(Ended):
            team.together(Work(), 40)
    work = Work(lambda: time.sleep(0.0005), lambda: time.sleep(0.0005))
    team.together(work, 40)
    assert sorted(work.done) == list(range(40))
    assert len(team._team.helpers) <= threads - 1


@pytest.mark.parametrize("failing", [1, 3])
def test_what_a_helper_raises_reaches_the_caller(threads: int, failing: int) -> None:
    numbers, ready, raised = iter(range(threads)), threading.Barrier(failing), []

    def helper() -> None:
        if next(numbers, failing) < failing:
            ready.wait(LONG)  # or the first failure would stop the others early
            raised.append(None)
            raise FailedError
        time.sleep(0.001)

    def caller() -> None:
        until(lambda: len(raised) == failing)

    work = Work(caller, helper)
    with pytest.raises(FailedError):
        team.together(work, 10_000)
    assert len(work.done) < 10_000  # the others stop
    reference = weakref.ref(work)
    del work, helper, caller
    # without the collector of cycles: the error holds no frame that holds it
    assert reference() is None
    work = Work()
    team.together(work, 20)
    assert sorted(work.done) == list(range(20))


def test_without_any_helper_a_call_ends(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(team._thread, "start_new_thread", none)
    work = Work()
    team.together(work, 20)
    assert sorted(work.done) == list(range(20))


def test_a_job_that_nobody_has_come_to_keeps_no_array(threads: int) -> None:
    """All helpers are busy in another call: the job stays in the queue, but not its arrays."""
    go_on, held_up = threading.Event(), []

    def hold_up() -> None:
        held_up.append(None)
        go_on.wait(LONG)

    blocked = Work(hold_up, hold_up)
    other = threading.Thread(target=lambda: team.together(blocked, threads))
    other.start()
    until(lambda: len(held_up) >= threads - 1)
    work = Work()
    team.together(work, 20)
    reference = weakref.ref(work)
    del work
    assert reference() is None
    go_on.set()
    other.join(LONG)


def test_calls_at_once_share_the_helpers(threads: int) -> None:
    works = [Work(lambda: time.sleep(0.0002), lambda: time.sleep(0.0002)) for _ in range(8)]

    def call(work: Work) -> None:
        work.me = threading.get_ident()
        for _ in range(5):
            team.together(work, 30)

    callers = [threading.Thread(target=call, args=(work,)) for work in works]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(LONG)
    assert all(sorted(work.done) == sorted(list(range(30)) * 5) for work in works)
    until(lambda: len(team._team.helpers) <= threads - 1)


def test_a_way_back_that_was_interrupted_can_be_gone_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memberships from the forward pass are overwritten by then, and computed again."""
    torch = pytest.importorskip("torch")
    values, target = (
        torch.linspace(-4, 4, 2 * 3 * 5000).reshape(2, 3, 5000),
        torch.ones((2, 5000), dtype=int),
    )
    gradients, work = [], team._Job.work

    def end(job: Any) -> None:
        work(job)
        raise Ended

    for interrupted in (False, True):
        z = values.clone().requires_grad_()
        loss = dice_any.dice_loss(z, target, class_axis=1, activation="softmax", backend="numba")
        if interrupted:
            with monkeypatch.context() as patch:
                patch.setattr(team._Job, "work", end)
                with pytest.raises(Ended):
                    loss.backward(retain_graph=True)
        assert z.grad is None
        loss.backward()
        gradients.append(z.grad)
    torch.testing.assert_close(*gradients, rtol=0, atol=0)


EXIT = """
import signal, sys, threading, time
import numpy as np, dice_any
z, y = np.ones((2, 3, 64, 64, 64), np.float32), np.zeros((2, 64, 64, 64), np.uint8)
options = {{"class_axis": 1, "activation": "softmax", "backend": "numba"}}
def call():
    dice_any.value_and_grad(dice_any.dice_loss)(z, y, **options)
call()
{end}
"""
ENDS = {
    "amid calls of other threads": """
def forever():
    while True: call()
for _ in range(3): threading.Thread(target=forever, daemon=True).start()
time.sleep(0.05)
""",
    "out of a call that a signal ended": """
def handle(*_): sys.exit(0)
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.008)
while True: call()
""",
    "with helpers still at work": """
from dice_any.kernels.numba import team
team.PATIENCE = 0.0
def handle(*_): sys.exit(0)
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.005)
while True: call()
""",
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no such signals")
@pytest.mark.parametrize("end", ENDS)
def test_the_process_ends(end: str) -> None:
    python("-c", EXIT.format(end=ENDS[end]))


def test_a_large_call_is_done_in_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """If Python checks signals between rounds, the result has the bits of one round."""
    x, y = np.arange(2**20, dtype=np.float32) / 2**20, np.ones(2**20, dtype=bool)
    whole = dice_any.overlap(x, y, backend="numba").to_dict()
    matrix = dice_any.pairwise_overlap(
        y.reshape(2**10, -1),
        y.reshape(2**10, -1),
        backend="numba",
    ).to_dict()
    monkeypatch.setattr(team, "ROUND", 1)
    together = team.together
    monkeypatch.setattr(team, "together", lambda share, chunks, each=1: together(share, chunks, 1))
    assert dice_any.overlap(x, y, backend="numba").to_dict() == whole
    assert (
        dice_any.pairwise_overlap(
            y.reshape(2**10, -1),
            y.reshape(2**10, -1),
            backend="numba",
        ).to_dict()
        == matrix
    )
