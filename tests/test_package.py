"""The package as a whole: the cost of the import, docstring examples, and vendored copies."""

from __future__ import annotations

import doctest
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dice_any

HOME = Path(dice_any.__file__).parent
DOCUMENTED = sorted(
    ".".join(path.relative_to(HOME.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in HOME.rglob("*.py")
    if "\n    >>> " in path.read_text()
    and not {"torch", "interfaces"} & set(path.relative_to(HOME).parts)
)


def test_import_loads_no_array_library() -> None:
    code = "import sys, dice_any; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {
        "numpy",
        "torch",
        "jax",
        "dask",
        "cupy",
        "sparse",
        "array_api_strict",
        "numba",
    } & set(loaded)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_examples_in_docstrings_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", dice_any.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    documentation = getattr(dice_any, name).__doc__
    assert documentation
    assert "{" not in documentation.replace("{None", "").split("\n\n")[0]
    if name != "Backend":
        assert "Examples" in documentation
    assert "parameters}" not in documentation
    assert "returns}" not in documentation


def test_a_vendored_copy_works_under_another_name(tmp_path: Path) -> None:
    shutil.copytree(HOME, tmp_path / "host" / "_vendored")
    (tmp_path / "host" / "__init__.py").touch()
    code = (
        "import numpy as np, host._vendored as d\n"
        "print(float(d.dice_score(np.array([True, True]), np.array([True, False]))))\n"
        "import sys; assert 'dice_any' not in sys.modules"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "."},
    )
    assert float(run.stdout) == pytest.approx(2 / 3)


@pytest.mark.parametrize("name", ["_gradients", "losses", "torch_numpy", "testing_kernels"])
def test_a_vendored_copy_may_have_any_name(tmp_path: Path, name: str) -> None:
    """Also under a name with names of our own modules. Gradients and pickles work there."""
    shutil.copytree(HOME, tmp_path / "host" / name)
    (tmp_path / "host" / "__init__.py").touch()
    code = (
        f"import numpy as np, pickle, host.{name} as d\n"
        "from functools import partial\n"
        "x, y = np.array([0.25, 1.0]), np.array([True, False])\n"
        "value, slope = d.value_and_grad(partial(d.dice_loss, smooth=0))(x, y)\n"
        "again = pickle.loads(pickle.dumps(d.overlap(x, y)))\n"
        "print(value, *slope, d.dice_score(again))\n"
        "import sys; assert 'dice_any' not in sys.modules"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "."},
    )
    ratio = 0.5 / 2.25  # 2I / (X + Y); its slope in x is (2y − ratio) / (X + Y)
    expected = [1 - ratio, -(2 - ratio) / 2.25, ratio / 2.25, ratio]
    assert [float(number) for number in run.stdout.split()] == pytest.approx(expected)


def test_a_vendored_copy_uses_installed_plugins_only_if_its_host_says_so(tmp_path: Path) -> None:
    shutil.copytree(HOME, tmp_path / "host" / "_vendored")
    (tmp_path / "host" / "__init__.py").touch()
    (tmp_path / "thing-1.dist-info").mkdir()
    (tmp_path / "thing-1.dist-info" / "entry_points.txt").write_text(
        "[dice_any.kernels.numpy]\nthing = thing:kernel\n"
    )
    (tmp_path / "thing-1.dist-info" / "METADATA").write_text("Name: thing\nVersion: 1\n")
    code = (
        "from host import _vendored as d\n"
        "from host._vendored import plugins\n"
        "def names(): return [line.name for line in d.backends()]\n"
        "print('thing' in names(), end=' ')\n"
        "plugins.use_installed()\n"
        "print('thing' in names(), end=' ')\n"
        "plugins.use_installed(False)\n"
        "print('thing' in names(), end=' ')\n"
        "import dice_any; print('thing' in [line.name for line in dice_any.backends()])"
    )
    (tmp_path / "dice_any").symlink_to(HOME)
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": "."},
    )
    assert run.stdout.split() == ["False", "True", "False", "True"]


def test_the_package_imports_itself_relatively() -> None:
    sources = [path for path in HOME.rglob("*.py") if "testing" not in path.parts]
    lines = [line for path in sources for line in path.read_text().splitlines()]
    assert [line for line in lines if line.startswith(("import dice_any", "from dice_any"))] == []


def test_a_large_call_makes_no_large_temporary() -> None:
    import tracemalloc

    x = np.zeros((256, 256, 256), dtype=bool)
    labels = np.zeros((256, 256, 64), dtype=np.uint8)
    soft = np.zeros((256, 256, 32), dtype=np.float32)
    dice_any.dice_score(x[:2], x[:2])
    for call in (
        lambda: dice_any.overlap(x, x),
        lambda: dice_any.overlap(labels, labels, num_classes=118),
        lambda: dice_any.overlap(soft, soft),
    ):
        call()  # the first call imports or compiles a kernel
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 5 * 2**20


def test_the_golden_file_is_what_fractions_give() -> None:
    from dice_any.testing import golden

    assert golden.read() == golden.compute()


def test_the_short_report_passes_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    from dice_any.testing.__main__ import main

    assert main(["numpy"]) == 0
    assert (
        "numpy              pass 42 sums to the bit, 0 not, 0 left out" in capsys.readouterr().out
    )
    assert main(["abacus"]) == 1
    assert "abacus             FAIL LookupError" in capsys.readouterr().out


def test_the_tests_of_all_go_over_all() -> None:
    from dice_any.testing import kinds

    conversions = {"dice_to_jaccard", "jaccard_to_dice"}
    assert set(kinds.SCORES) == set(dice_any.scores.__all__) - conversions
    assert set(kinds.LOSSES) == set(dice_any.losses.__all__)
    named = {
        call.name.removeprefix("value_and_grad(").removesuffix(")")
        for call in kinds.of_everything()
    }
    counts = {"overlap", "confusion_matrix", "pairwise_overlap"}
    assert named == set(kinds.SCORES) | set(kinds.LOSSES) | counts


def test_the_version_and_the_changelog_agree() -> None:
    text = (Path(__file__).parents[1] / "CHANGELOG.md").read_text()
    heading, below = re.findall(r"^## (.*)\n\n(.*)$", text, re.MULTILINE)[0]
    release, dev, _ = dice_any.__version__.partition(".dev")
    assert re.fullmatch(r"\d+\.\d+\.\d+", release)
    if dev:
        assert heading == "[Unreleased]"
        assert below == f"What {release} will hold."
    else:
        assert re.fullmatch(rf"\[{re.escape(release)}\] - \d{{4}}-\d\d-\d\d", heading)
