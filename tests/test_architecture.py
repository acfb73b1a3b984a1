"""The rules of the code: allowed imports, the length of modules, what every public name needs."""

from __future__ import annotations

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import dice_any
from dice_any.testing.every_loss import CALLS

HOME = Path(dice_any.__file__).parent
ROOT = HOME.parent
PAGE = ROOT / "docs" / "architecture.md"
#: Packages inside of packages.
INNER = ("losses/objectives", "kernels/numba", "kernels/cuda")
#: The most lines of a module, by folder; tests contain tables of cases.
MOST_LINES = {"dice_any": 400, "benchmarks": 400, "examples": 400, "tests": 600}

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the sources lie elsewhere")


def modules() -> dict[str, Path]:
    """Return the modules of the package by their dotted names, without the package's own name."""
    found = {}
    for path in sorted(HOME.rglob("*.py")):
        parts = path.relative_to(HOME).with_suffix("").parts
        if parts[0] != "testing":
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(name: str) -> set[str]:
    """Return the modules of the package that a module imports anywhere."""
    path = MODULES[name]
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    package = [part for part in package if part]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            base = base + (node.module.split(".") if node.module else [])
            for alias in node.names:
                whole = ".".join([*base, alias.name])
                found.add(whole if whole in MODULES else ".".join(base))
    return found - {name}


def room(name: str) -> str:
    path = name.replace(".", "/")
    inner = [each for each in INNER if path == each or path.startswith(f"{each}/")]
    return inner[0] if inner else path.partition("/")[0] or "__init__"


def table() -> dict[str, list[str]]:
    """Return what each package may import, from the page, top to bottom."""
    rows = re.findall(r"^\| `([\w/]+)` \|.*\|([^|]*)\|$", PAGE.read_text(), re.MULTILINE)
    return {name: re.findall(r"`([\w/]+)`", allowed) for name, allowed in rows}


def test_imports_are_those_of_the_table() -> None:
    rooms = table()
    order = list(rooms)
    assert {room(name) for name in MODULES} == set(order)
    for name, allowed in rooms.items():
        assert all(order.index(other) > order.index(name) for other in allowed), f"{name} climbs"
    found: dict[str, set[str]] = {name: set() for name in rooms}
    for name in MODULES:
        found[room(name)] |= {room(other) for other in imported(name)} - {room(name)}
    assert {name: sorted(others) for name, others in found.items()} == {
        name: sorted(allowed) for name, allowed in rooms.items()
    }


def test_no_two_modules_import_each_other() -> None:
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> None:
        assert name not in path, " > ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in imported(name):
                walk(other, [*path, name])
            done.add(name)

    for name in MODULES:
        walk(name, [])


@pytest.mark.parametrize("folder", MOST_LINES)
def test_modules_are_short(folder: str) -> None:
    long = {
        str(path.relative_to(ROOT)): length
        for path in (ROOT / folder).rglob("*.py")
        if (length := len(path.read_text().splitlines())) > MOST_LINES[folder]
    }
    assert long == {}


# -- what a public name has -----------------------------------------------------------------------

FUNCTIONS = [name for name in dice_any.__all__ if inspect.isfunction(getattr(dice_any, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_docstring_has_every_section(name: str) -> None:
    function = getattr(dice_any, name)
    documentation = inspect.getdoc(function) or ""
    sections = re.findall(r"^(\w+)\n-+$", documentation, re.MULTILINE)
    needed = ["Returns", "Examples"]
    if inspect.signature(function).parameters:
        needed = ["Parameters", "Returns", "Raises", "Examples"]
    assert set(needed) <= set(sections)
    assert documentation.partition("\n\n")[0].endswith(".")
    if name.endswith(("_loss", "_score")):
        assert ".. math::" in documentation
        assert "References" in sections or name in PLAIN
        assert "Notes" in sections or "`empty`" in documentation


#: Ratios without a source.
PLAIN = {"accuracy_score", "precision_score", "recall_score", "specificity_score"}


@pytest.mark.parametrize("page", ["docs/definitions.md", "docs/api.md", "CHANGELOG.md"])
def test_every_public_name_has_its_line(page: str) -> None:
    text = (ROOT / page).read_text()
    words = set(re.findall(r"\w+", text))
    for family in re.findall(r"^\.\. family:: dice_any\.(\S+)$", text, re.MULTILINE):
        words |= set(import_module(f"dice_any.{family}").__all__)
    missing = [name for name in dice_any.__all__ if name not in words]
    if page == "docs/definitions.md":  # which is about scores and losses
        formulas = {*dice_any.scores.__all__, *dice_any.losses.__all__}
        missing = [name for name in missing if name in formulas]
    assert missing == []


def test_every_loss_is_in_the_tests_of_gradients_and_has_a_module() -> None:
    assert set(CALLS) == set(dice_any.losses.__all__)
    torch = pytest.importorskip("torch")
    modules = pytest.importorskip("dice_any.torch")
    wrapped = {
        cls.function.__name__
        for cls in vars(modules).values()
        if isinstance(cls, type) and issubclass(cls, torch.nn.Module) and hasattr(cls, "function")
    }
    assert wrapped == set(dice_any.losses.__all__)
