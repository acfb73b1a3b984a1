"""The package as users have it: installed from the wheel, away from its sources, beside others.

The session `package` copies this file, the README and the consumer to another folder, and runs it
on each installed Python.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points, version
from importlib.util import find_spec
from pathlib import Path

import dice_any

HERE = Path(__file__).parent
#: of the conformance kit, in seconds
LIGHT = "test_golden or test_scores or test_gradients"


def python(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    env = {**os.environ, "PYTHONPATH": str(path)} if path else None
    return subprocess.run(command, cwd=HERE, env=env, capture_output=True, text=True)


def pytest(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    return python("-m", "pytest", "-p", "no:cacheprovider", *arguments, path=path)


def test_the_wheel_is_what_is_imported() -> None:
    assert "site-packages" in Path(dice_any.__file__).parts
    assert (Path(dice_any.__file__).parent / "py.typed").is_file()
    assert version("dice_any") == dice_any.__version__


def test_the_example_of_the_readme_prints_what_it_says() -> None:
    example = re.findall(r"```python\n(.*?)```", (HERE / "README.md").read_text(), re.DOTALL)[0]
    done = python("-c", example)
    assert done.returncode == 0, done.stderr
    promised = re.findall(r"^print\(.*\)  # (.*)$", example, re.MULTILINE)
    assert len(promised) > 2
    assert done.stdout.splitlines() == promised


def test_the_short_report() -> None:
    done = python("-m", "dice_any.testing", "numpy")
    assert done.returncode == 0, done.stderr
    assert " pass " in done.stdout


def test_the_kit_with_nothing_else_said() -> None:
    done = pytest("--pyargs", "dice_any.testing", "--backend", "numpy", "-k", LIGHT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d{3} passed", done.stdout)


def test_types_are_those_that_a_consumer_sees() -> None:
    done = python("-m", "mypy", "--strict", "--config-file=", "consumer.py")
    assert done.stdout == "Success: no issues found in 1 source file\n", done.stdout + done.stderr


def test_one_thing_is_registered_with_pytest() -> None:
    ours = [point.value for point in entry_points(group="pytest11") if "dice_any" in point.value]
    assert ours == ["pytest_dice_any"]


def test_networkx_runs_its_own_tests(tmp_path: Path) -> None:
    """PyTorch requires networkx, which has its own ``--backend``: ours must not be added there."""
    (tmp_path / "look.py").write_text(
        "import sys\n"
        "def pytest_terminal_summary(terminalreporter):\n"
        "    config = terminalreporter.config\n"
        "    installed = config.pluginmanager.has_plugin('dice_any')\n"
        "    ours = [name for name in sys.modules if name.startswith('dice_any')]\n"
        "    print('installed:', installed, 'modules:', ours)\n"
        "    print('their option:', config.getoption('--backend'))\n"
    )
    spec = find_spec("networkx")
    assert spec is not None
    assert spec.origin is not None
    theirs = Path(spec.origin).parent / "classes" / "tests" / "test_graph.py"
    done = pytest("-p", "look", str(theirs), path=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d\d passed", done.stdout)
    assert "installed: True modules: []\ntheir option: None\n" in done.stdout
