"""A process forks while its threads are in calls, as data loaders do; both processes stay right.

``python -m tests.soak.forks SECONDS``
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

if __name__ == "__main__":
    os.environ.setdefault("NUMBA_NUM_THREADS", "4")

from dice_any.kernels.numba import team

from .threads import CALLS

CALLERS = 4
#: Seconds after which a child counts as hanging.
LONG = 60


def main(seconds: float) -> None:
    """Fork until the time is over; every child makes each of the calls, and forks once more."""
    for call in CALLS:
        for backend in ("numba", "reference"):
            call(backend)
    end = time.monotonic() + seconds
    errors: list[BaseException] = []
    made = 0

    def caller(number: int) -> None:
        nonlocal made
        while time.monotonic() < end and not errors:
            try:
                CALLS[number % len(CALLS)]("numba")
            except BaseException as error:
                errors.append(error)
            made += 1

    callers = [threading.Thread(target=caller, args=(number,)) for number in range(CALLERS)]
    for thread in callers:
        thread.start()
    forks = 0
    while time.monotonic() < end and not errors:
        child = os.fork()
        if not child:
            os._exit(_child())
        _, status = os.waitpid(child, 0)
        assert status == 0, f"a child ended with status {os.waitstatus_to_exitcode(status)}"
        forks += 1
        CALLS[forks % len(CALLS)]("numba")
    for thread in callers:
        thread.join(LONG)
    assert not any(thread.is_alive() for thread in callers), "a thread hangs"
    if errors:
        raise errors[0]
    print(
        f"forks: {forks}, and as many of their children, beside {made} calls of {CALLERS} threads",
    )
    assert forks


def _child(again: bool = True) -> int:
    """Return the exit status of a child: 0 if all is right."""
    signal.alarm(LONG)
    try:
        assert not team._team.helpers, "the threads of the parent are not this process's"
        for call in CALLS:
            call("numba")
        if again:
            grandchild = os.fork()
            if not grandchild:
                os._exit(_child(again=False))
            return os.waitpid(grandchild, 0)[1]
    except BaseException as error:
        print(f"in a child: {error!r}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    main(float(sys.argv[1]))
