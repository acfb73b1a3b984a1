"""Keras itself, in a process for each backend, because Keras cannot change its backend later."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import dice_any

CHECKS = Path(__file__).with_name("keras_checks.py")
#: whether Keras is not installed
WITHOUT = find_spec("keras") is None


@pytest.mark.skipif(WITHOUT, reason="Keras is not installed")
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_on_a_backend(backend: str) -> None:
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "PYTHONPATH": os.pathsep.join(
            [str(Path(dice_any.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        ),
    }
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(CHECKS)],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    assert " passed" in run.stdout


def test_without_keras_the_cure_is_named() -> None:
    code = (
        "import sys; sys.modules['keras'] = None\nimport dice_any\nimport dice_any.interfaces.keras"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 1
    assert "`keras` must be installed for `dice_any.interfaces.keras`; got " in run.stderr
    assert "Run `pip install keras`" in run.stderr
