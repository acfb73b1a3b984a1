"""The contents of the wheel and the sdist in the folder `DICE_ANY_DIST`; see session `package`."""

from __future__ import annotations

import os
import re
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

DIST = Path(os.environ["DICE_ANY_DIST"])
ROOT = Path(__file__).parents[2]
SOURCES = {
    str(path.relative_to(ROOT))
    for folder in ("dice_any", "tests", "docs", "benchmarks", "examples")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".md", ".toml", ".json", ".png", ".txt", ".typed"}
    and not {"_build", "_generated", "build"} & set(path.parts)
    and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
} | {path.name for path in ROOT.glob("*.py")}


def only(pattern: str) -> Path:
    (found,) = DIST.glob(pattern)
    return found


@pytest.fixture(scope="module")
def wheel() -> set[str]:
    with zipfile.ZipFile(only("*.whl")) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def sdist() -> set[str]:
    with tarfile.open(only("*.tar.gz")) as archive:
        files = [member.name for member in archive.getmembers() if member.isfile()]
    return {name.partition("/")[2] for name in files}


@pytest.fixture(scope="module")
def metadata() -> Message:
    with zipfile.ZipFile(only("*.whl")) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_is_the_package_and_nothing_else(wheel: set[str]) -> None:
    code = {name for name in wheel if ".dist-info/" not in name}
    package = {name for name in SOURCES if name.startswith("dice_any/")}
    assert code == package | {"pytest_dice_any.py"}
    about = {name.partition(".dist-info/")[2] for name in wheel - code}
    assert about == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


@pytest.mark.parametrize(
    "name",
    [
        "dice_any/py.typed",
        "dice_any/testing/golden.json",
        "dice_any/testing/plugin.py",
        "dice_any/testing/test_golden.py",
        "dice_any/kernels/numba/__init__.py",
    ],
)
def test_what_users_need_is_in_both(name: str, wheel: set[str], sdist: set[str]) -> None:
    assert name in wheel
    assert name in sdist


def test_the_sdist_has_every_source(sdist: set[str]) -> None:
    assert sdist >= SOURCES
    assert sdist >= {
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "README.md",
        "noxfile.py",
        "pyproject.toml",
        "tests/plugin_example/pyproject.toml",
        "docs/training-torch-curve.png",
    }


def test_the_sdist_has_nothing_that_was_made(sdist: set[str]) -> None:
    made = re.compile(r"__pycache__|\.py[co]$|\.nox|_build/|_generated/|demo-output|cache/|\.egg")
    assert [name for name in sdist if made.search(name)] == []


def test_versions_of_python_are_those_that_are_tried(metadata: Message) -> None:
    noxfile = (ROOT / "noxfile.py").read_text()
    (tried,) = re.findall(r"^PYTHONS = \((.*)\)$", noxfile, re.MULTILINE)
    versions = [
        classifier.rpartition(" ")[2]
        for classifier in metadata.get_all("Classifier", [])
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", classifier)
    ]
    assert versions == re.findall(r'"(.*?)"', tried)
    assert metadata["Requires-Python"] == f">={versions[0]}"


def test_an_index_page_can_follow_every_link(metadata: Message) -> None:
    text = metadata.get_payload()
    assert isinstance(text, str)
    links = re.findall(r"\]\((.*?)\)", text)
    assert links
    repository = dict(line.split(", ") for line in metadata.get_all("Project-URL", []))[
        "Repository"
    ]
    pages = f"{repository}/blob/main/"
    pictures = f"{repository.replace('github.com', 'raw.githubusercontent.com')}/main/"
    for link in links:
        assert link.startswith("https://")
        own = link.removeprefix(pages).removeprefix(pictures)
        assert link.startswith(pictures) == link.endswith(".png")
        assert own.startswith("https://") or (ROOT / own).is_file(), f"{link} leads nowhere"
