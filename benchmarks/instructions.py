"""Run a case with the host's instructions, and with those that most processors have."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

from .case import Case

Result = TypeVar("Result")

#: The instructions that Numba compiles for, and the environment variables that choose them.
HOST, AVX2 = "host", "x86-64-v3"
ENVIRONMENT = {HOST: {}, AVX2: {"NUMBA_CPU_NAME": AVX2, "NUMBA_CPU_FEATURES": ""}}
#: Names of instruction sets, by the system's words for them.
NAMES = {"avx2": "AVX2", "avx512f": "AVX-512", "asimd": "NEON", "sve": "SVE"}


def targets(case: Case) -> tuple[str, ...]:
    """Return the targets that a case is compiled for: only the host if nothing is compiled, or if
    the host cannot run the other target.
    """
    numba = "numba" in (*case.libraries, *case.peers) and find_spec("numba") is not None
    if not numba or "AVX2" not in instruction_sets():
        return (HOST,)
    return HOST, AVX2


def compiled_for(target: str, function: Callable[..., Result], *arguments: object) -> Result:
    """Call a function in a process whose Numba compiles for a target; for the host, in this one."""
    if target == HOST:
        return function(*arguments)
    with (
        patch.dict(os.environ, ENVIRONMENT[target]),
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process,
    ):
        return process.submit(function, *arguments).result()


def instruction_sets() -> list[str]:
    """Return the vector instructions of the processor, if the system lists them."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return []
    lines = (line for line in text.splitlines() if line.startswith(("flags", "Features")))
    words = set(next(lines, "").split())
    return [name for word, name in NAMES.items() if word in words] or [platform.machine()]
