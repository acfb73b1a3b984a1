"""Threads that share the chunks of one call.

A chunk is claimed by an atomic count (`memory.claim`) inside compiled code that has let go of Python's lock, so a thread
that the machine holds up delays nobody. The caller works too: with every helper busy elsewhere the call still ends.

Numba's own threading layers are not used: one of them aborts when two threads call at once, another when a process
forks after its first call, and data loaders do both.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_helpers: ThreadPoolExecutor | None = None


def _forget() -> None:
    """A fork copies the executor, but none of its threads."""
    global _helpers
    _helpers = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def size() -> int:
    """Return the number of threads: what Numba says, which is ``NUMBA_NUM_THREADS`` or the number of cores."""
    from numba import config

    return int(vars(config)["NUMBA_NUM_THREADS"])


def together(work: Callable[..., Any], arguments: tuple[Any, ...], chunks: int) -> None:
    """Call ``work(*arguments)`` on the calling thread and on as many others as there are chunks for."""
    global _helpers
    helpers = min(size(), chunks) - 1
    if helpers < 1:
        work(*arguments)
        return
    if _helpers is None:
        _helpers = ThreadPoolExecutor(max(size() - 1, 1), thread_name_prefix="dice_any")
    waiting = [_helpers.submit(work, *arguments) for _ in range(helpers)]
    try:
        work(*arguments)
    finally:
        for helper in waiting:
            if not helper.cancel():
                helper.result()
