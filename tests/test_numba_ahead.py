"""Loops compiled before the first call, and the log while a call waits for the compiler."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba")

CALL = """
import logging
import numpy as np
import dice_any
logging.basicConfig(level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
x = np.arange(64) % 3 > 0
print(dice_any.overlap(x, ~x, backend="numba").to_dict()["sums"])
"""


def run(folder: Path, *command: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, check=False
    )


def test_what_was_compiled_ahead_is_not_compiled_again(tmp_path: Path) -> None:
    first = run(tmp_path / "empty", "-c", CALL)
    assert first.stdout == "[0, 42, 22, 64, 0]\n"
    lines = [line for line in first.stderr.splitlines() if "dice_any INFO" in line]
    assert len(lines) == 2
    assert "Numba compiles hard.build_masks(False,), which takes seconds" in lines[0]
    assert "Numba compiled hard.build_masks(False,) in " in lines[1]
    assert f"kept in {tmp_path / 'empty'}" in lines[1]

    ahead = run(tmp_path / "full", "-m", "dice_any.kernels", "--works", "masks")
    assert ahead.returncode == 0, ahead.stderr
    assert "masks: counts where a weight is true\n" in ahead.stdout
    assert f"kept in:\n  {tmp_path / 'full'}" in ahead.stdout
    later = run(tmp_path / "full", "-c", CALL)
    assert later.stdout == first.stdout
    assert "dice_any INFO" not in later.stderr


def test_a_work_that_is_not_known_is_told() -> None:
    done = run(Path("unused"), "-m", "dice_any.kernels", "--works", "mask")
    assert done.returncode == 2
    assert "invalid choice: 'mask' (choose from" in done.stderr


def test_without_numba_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "import importlib.util as util; find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'numba' else find(name, *rest)\n"
        "from dice_any.kernels.__main__ import main\n"
        "sys.exit(main([]))\n"
    )
    done = run(tmp_path, "-c", code)
    assert done.returncode == 1
    assert "Nothing was compiled. Numba is not installed: pip install 'dice_any[numba]'" in (
        done.stderr
    )


def test_what_fails_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    from dice_any.kernels import __main__ as ahead
    from dice_any.kernels.numba import run as loops

    def broken(*_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(loops, "counts", broken)
    assert ahead.main(["--works", "scores", "--dtypes", "float64"]) == 1
    assert "scores: counts, float64: failed, OSError: no room" in capsys.readouterr().err


def test_every_work_is_on_offer() -> None:
    from dice_any.kernels import __main__ as command
    from dice_any.kernels.numba import ahead

    assert tuple(ahead.WORKS) == command.WORKS
    float32 = [name for name, _ in ahead.steps([*command.WORKS], ["float32"], ["product"])]
    both = [name for name, _ in ahead.steps([*command.WORKS], ["float32", "float64"], ["product"])]
    assert len(set(both)) == len(both) > len(float32)
    assert {name.partition(":")[0] for name in float32} == set(command.WORKS)
