"""With array-api-compat only: nothing may import an array library, because none is installed."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

import dice_any

ARRAY_LIBRARIES = ["numpy", "torch", "jax", "cupy", "dask", "sparse", "array_api_strict"]


def test_no_array_library_is_installed() -> None:
    assert [name for name in ARRAY_LIBRARIES if find_spec(name)] == []


def test_import_loads_nothing_but_the_helper() -> None:
    code = "import sys, dice_any; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not set(output) & set(ARRAY_LIBRARIES)
    assert "array_api_compat" not in output or find_spec("array_api_compat")


def test_a_list_is_told_what_to_do() -> None:
    with pytest.raises(
        TypeError,
        match=r"`prediction` must be an array of a library that follows the Array API .* got list",
    ):
        dice_any.dice_score([True, False], [True, True])


def test_collections_need_numpy_and_say_so() -> None:
    with pytest.raises(ImportError, match="numpy"):
        dice_any.set_overlap({1, 2}, {2})


def test_backends_are_listed_as_not_installed() -> None:
    listed = {backend.name: backend for backend in dice_any.backends()}
    assert listed["numpy"].problem == "is not installed"
    assert listed["reference"].usable


def test_the_short_report_says_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dice_any.testing"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        "`numpy` must be installed to check a backend; got none. Run `pip install numpy`.\n"
    )
