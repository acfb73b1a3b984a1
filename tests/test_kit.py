"""The conformance kit in other projects: its effects on their runs of pytest, and its messages.

The package may be installed or not. So these tests do not use entry points, but load the plugin by
name. The session `package` uses them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dice_any

HOME = Path(dice_any.__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(HOME)}
GUEST = ("-p", "pytest_dice_any", "-p", "no:cacheprovider")


def python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True)


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return python("-m", "pytest", *GUEST, *arguments, cwd=cwd)


def test_elsewhere_nothing_is_added_or_imported(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser): parser.addoption('--backend', dest='backend')"
    )
    (tmp_path / "test_theirs.py").write_text(
        "import sys\n"
        "def test_theirs(request):\n"
        "    assert request.config.getoption('backend') == 'parallel'\n"
        "    assert request.config.pluginmanager.has_plugin('pytest_dice_any')\n"
        "    assert not request.config.pluginmanager.has_plugin('dice_any.testing.plugin')\n"
        "    assert [name for name in sys.modules if name.startswith('dice_any')] == []\n"
    )
    done = run("--backend", "parallel", "test_theirs.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "kit",
    [
        ("--pyargs", "dice_any.testing"),
        ("--pyargs", "dice_any.testing.test_golden"),
        ("--pyargs", "dice_any.testing.test_golden::test_golden_sums"),
        (str(HOME / "dice_any" / "testing" / "test_golden.py"),),
    ],
)
def test_the_kit_brings_its_plugin(kit: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*kit, "--backend=numpy", "-k", "golden", "--collect-only", "-q", cwd=tmp_path)
    assert "::test_golden_sums[numpy-" in done.stdout, done.stdout + done.stderr


def test_names_that_look_like_the_kit_do_not() -> None:
    import pytest_dice_any

    names = (
        "dice_any.testing_more",
        "my_dice_any.testing",
        "dice_any",
        "tests/dice_any_testing.py",
    )
    assert [name for name in names if pytest_dice_any.KIT.fullmatch(name)] == []


def test_backends_that_cannot_be_used_are_one_error(tmp_path: Path) -> None:
    wrong = ("--backend=numpy", "--backend=abacus", "--backend=slide-rule")
    done = run("--pyargs", "dice_any.testing", *wrong, cwd=tmp_path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 2
    for line, name in zip(lines, ("abacus", "slide-rule"), strict=True):
        assert re.fullmatch(
            r"(ERROR: )?`--backend` must name an array library or kernel that can be used; "
            rf"got '{name}': no array library or kernel of that name; known are .*\. "
            r"Install it, or name another\.",
            line,
        )


def test_a_test_without_backend_is_left_alone_and_skips_are_summed_up(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "import pytest\n"
        "def test_alone(request): assert request.fixturenames == ['request']\n"
        "@pytest.mark.dice_feature('lazy')\n"
        "def test_lazy(dice_backend): assert False\n"
        "@pytest.mark.parametrize('number', range(3))\n"
        "def test_here(number): pytest.skip('for a reason')\n"
        "def test_there(dice_backend): pytest.skip('for a reason')\n"
        "def test_all(dice_backend): assert dice_backend.name == 'numpy'\n"
    )
    done = run("-p", "dice_any.testing.plugin", cwd=tmp_path)
    assert "2 passed, 5 skipped" in done.stdout, done.stdout + done.stderr
    assert "skipped, by reason" in done.stdout
    assert "     4 for a reason\n     1 numpy: computes at once\n" in done.stdout


def without(module: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the short report where a module is missing."""
    code = (
        f"import runpy, sys; sys.modules['{module}'] = None; sys.argv[1:] = {list(arguments)}; "
        "runpy.run_module('dice_any.testing', run_name='__main__', alter_sys=True)"
    )
    return python("-c", code, cwd=cwd)


def test_the_short_report_needs_no_pytest(tmp_path: Path) -> None:
    done = without("pytest", "numpy", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "numpy              pass 42 sums to the bit" in done.stdout


def test_the_short_report_says_what_to_install(tmp_path: Path) -> None:
    done = without("numpy", "numpy", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "`numpy` must be installed to check a backend; got none. Run `pip install numpy`.\n"
    )


def test_the_short_report_has_help(tmp_path: Path) -> None:
    done = python("-m", "dice_any.testing", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "usage: python -m dice_any.testing [-h] [NAME ...]" in done.stdout
