"""Authors of plugins depend on the page *Extending*: its tables must be complete."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import dice_any
from dice_any.arrays import ArrayLibrary
from dice_any.kernels import Task, protocol, reference
from dice_any.testing.capabilities import FEATURES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/extending.md").read_text()
#: modules for one library, which may call functions that others lack
OF_ONE_LIBRARY = {
    *("arrays/" + name for name in ("autograd.py", "cubed.py", "cupy.py", "dask.py", "jax.py")),
    *("arrays/" + name for name in ("ndonnx.py", "numpy.py", "sparse.py", "strict.py")),
    *("arrays/tiles.py", "arrays/torch.py", "torch/modules.py", "torch/deep_supervision.py"),
    "distributed/exchange.py",
}


def section(heading: str) -> str:
    """Return the text under a heading of the page."""
    (text,) = re.findall(rf"^#+ {re.escape(heading)}$(.*?)(?=^#+ |\Z)", PAGE, re.M | re.S)
    return text


def first_cells(heading: str) -> list[str]:
    """Return the code in the first cells of a table."""
    cells = re.findall(r"^\| (.*?) \|", section(heading), re.MULTILINE)
    return [code for cell in cells for code in re.findall(r"`(\w[\w ]*)", cell)]


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


def called_functions() -> set[str]:
    """Return the functions of a namespace `xp` that the package's modules call."""
    package = ROOT / "dice_any"
    found = set()
    for path in package.rglob("*.py"):
        name = path.relative_to(package).as_posix()
        if name in OF_ONE_LIBRARY or re.match(r"testing/|kernels/(numba|cuda)/", name):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                owner = ast.unparse(node.value)
                if owner == "xp" or owner.endswith(".xp"):
                    found.add(node.attr)
    return {name for name in found if not re.fullmatch(r"(float|int)\d+", name)}


def test_features() -> None:
    assert first_cells("Features of the kit") == list(FEATURES)


def test_members_of_a_kernel() -> None:
    parts = (protocol.Complete, protocol.Keeping)
    annotated = {name for part in parts for base in part.__mro__ for name in vars(base)}
    methods = {name for name in annotated if not name.startswith("_")}
    assert set(first_cells("Members of a kernel")) == methods | {"name", "protocol"}


def test_members_of_an_array_library() -> None:
    rows = re.findall(r"^\| .*? \| (.*) \|$", section("Members of an array library"), re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted(public(ArrayLibrary))


def test_functions_of_the_standard() -> None:
    (block,) = re.findall(r"```text\n(.*?)```", section("Functions of the standard"), re.DOTALL)
    assert block.split() == sorted(called_functions())


def test_fields_of_a_task() -> None:
    assert first_cells("The task") == [field.name for field in fields(Task)]


def test_the_page_links_the_example_and_shows_every_file_of_it() -> None:
    assert "https://github.com/dice-any/dice_any/tree/main/tests/plugin_example" in PAGE
    folder = ROOT / "tests/plugin_example/dice_any_example"
    for path in folder.glob("[!_]*.py"):
        assert f"plugin_example/dice_any_example/{path.name}\n" in PAGE


def test_code_fits_the_page() -> None:
    blocks = re.findall(r"^```[a-z]+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    shown = [ROOT / "docs" / path for path in re.findall(r"literalinclude} (\S+)", PAGE)]
    assert len(shown) == 6
    for code in (*blocks, *(path.read_text() for path in shown)):
        assert [line for line in code.splitlines() if len(line) > 85] == []


class Spy:
    """The reference under another name, which records the shapes of its arguments and results."""

    name = "spy"
    protocol = 1
    seen: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []

    def accepts(self, task):
        return True

    def overlap(self, task, *arrays):
        self.sums = reference.overlap(task, *arrays)
        return self.sums

    def overlap_vjp(self, task, *arrays):
        self.seen.append((task.kind, self.sums.shape, arrays[-1].shape))
        assert set(np.unique(np.nonzero(arrays[-1])[0])) <= {0, 1, 7}
        return reference.overlap_vjp(task, *arrays)


spy = Spy()
LOGITS, LABELS = np.linspace(-1, 1, 30).reshape(2, 3, 5), np.arange(10).reshape(2, 5) % 3


@pytest.mark.parametrize(
    ("loss", "exact", "kind", "sums", "cotangent"),
    [
        (dice_any.dice_loss, False, "plain", (7, 3), (7, 3)),
        (dice_any.dice_loss, True, "exact", (7, 3, 3), (7, 3)),
        (dice_any.dice_cross_entropy_loss, None, "plain", (9, 3), (9, 3)),
    ],
)
def test_rows_of_sums_and_of_cotangents(install, loss, exact, kind, sums, cotangent) -> None:
    install(("dice_any.kernels.numpy", "spy", "spy"))
    options = {} if exact is None else {"exact": exact}
    dice_any.value_and_grad(loss)(LOGITS, LABELS, class_axis=1, activation="softmax", **options)
    assert Spy.seen[-1] == (kind, sums, cotangent)
