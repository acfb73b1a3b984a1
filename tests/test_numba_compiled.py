"""The Numba kernel's loops as machine code: all computing loops use vectors, also with only AVX2,
and on 64-bit ARM.

These tests compile everything again, with debugging information, which takes two minutes for each
processor. Only the session `compiled` runs them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")
if os.environ.get("DICE_ANY_COMPILED") != "1":
    pytest.skip("`nox -s compiled` compiles for other processors", allow_module_level=True)

#: functions whose loops process one element at a time on any processor, and why
ONE_BY_ONE = {
    "count_labels": "a histogram adds at a place that depends on the element",
    "count_label_pairs": "a histogram",
    "load_bytes": "elements do not lie behind one another",
    "straighten": "elements do not lie behind one another",
    "copy": "elements do not lie behind one another, in some of its loops",
    "scatter": "elements are written apart",
}
#: what does so on one processor only
ONE_BY_ONE_ON = {
    "64-bit ARM": {
        "exact_softmax": "an exponential by products of 32-bit numbers into 64 bits, of which its"
        " vectors hold two: the compiler finds that these do not pay",
    },
}
#: processor -> Numba's settings for it, and its triple if it is not of this machine's type
PROCESSORS = {
    "this one": ({}, None),
    "x86-64-v3": ({"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": ""}, None),
    "64-bit ARM": (
        {"NUMBA_CPU_NAME": "neoverse-n1", "NUMBA_CPU_FEATURES": ""},
        "aarch64-unknown-linux-gnu",
    ),
}


@pytest.mark.parametrize("processor", PROCESSORS)
def test_what_computes_computes_in_vectors(processor: str, tmp_path: Path) -> None:
    settings, triple = PROCESSORS[processor]
    script = Path(__file__).with_name("numba_assembly.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), *([triple] if triple else [])],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            **settings,
            "NUMBA_DEBUGINFO": "1",
            "NUMBA_CACHE_DIR": str(tmp_path),
        },
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    vectors: set[str] = set()
    scalar: dict[str, str] = {}
    for compiled, loops in json.loads(done.stdout).items():
        for loop, (in_vectors, in_single, with_conversions) in loops.items():
            name = loop.rpartition(" ")[2]
            if in_vectors and not with_conversions:
                vectors.add(name)
            elif in_single or with_conversions:
                scalar[loop] = compiled
    known = ONE_BY_ONE | ONE_BY_ONE_ON.get(processor, {})
    alone = {loop: by for loop, by in scalar.items() if loop.rpartition(" ")[2] not in known}
    assert alone == {}
    # the report includes the important loops
    assert {"add_exact", "add_plain", "softmax", "exact_softmax", "are_members"} <= vectors
