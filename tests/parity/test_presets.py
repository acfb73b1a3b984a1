"""The presets themselves; no other package is needed."""

from __future__ import annotations

import copy
import doctest
import inspect
import math
import pickle
import re
import tomllib
from pathlib import Path

import pytest

import dice_any
from dice_any import conventions
from dice_any.conventions import Preset

PRESETS = [getattr(conventions, name) for name in conventions.__all__]
presets = pytest.mark.parametrize("preset", PRESETS, ids=conventions.__all__)


@presets
def test_a_preset_is_a_read_only_mapping(preset: Preset) -> None:
    assert getattr(conventions, preset.name) is preset
    with pytest.raises(TypeError, match="does not support item assignment"):
        preset["axis"] = None
    with pytest.raises(AttributeError, match=f"`conventions.{preset.name}` must stay as it is"):
        preset.name = "mine"
    with pytest.raises(AttributeError, match="must stay as it is; got no `functions`"):
        del preset.functions
    assert preset | {"backend": None} == {**preset, "backend": None}
    assert {"backend": None, "axis": 7} | preset == {"axis": 7, "backend": None, **preset}
    assert pickle.loads(pickle.dumps(preset)) is preset
    assert copy.deepcopy(preset) is preset


@presets
def test_a_preset_says_what_it_is_for(preset: Preset) -> None:
    """Every function that it names accepts it; no function of the other kind does."""
    known = {
        name: set(inspect.signature(getattr(dice_any, name)).parameters)
        for name in (*dice_any.losses.__all__, *dice_any.scores.__all__)
    }
    for name in preset.functions:
        assert set(preset) <= known[name]
        assert preset.kind == ("loss" if name.endswith("_loss") else "score")
    others = {"loss": dice_any.scores.__all__, "score": dice_any.losses.__all__}[preset.kind]
    assert not any(set(preset) <= known[name] for name in others)
    kind = {"loss": "losses", "score": "scores"}[preset.kind]
    shown = repr(preset)
    assert shown.startswith(f"<conventions.{preset.name}, of {kind}: {preset.functions[0]}")
    assert all(f"{name}={value!r}" in shown for name, value in preset.items())


@presets
def test_the_docstring_lists_it_with_its_functions(preset: Preset) -> None:
    entry = re.search(rf"^{preset.name}\n((?:    .*\n)+)", conventions.__doc__, re.MULTILINE)
    assert entry is not None
    assert [name for name in preset.functions if name not in entry[1]] == []


# -- the page --------------------------------------------------------------------------------------

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "conventions.md").read_text("utf-8")
#: preset -> the text below its heading
SECTIONS = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
#: Names of packages on the page that differ from those of their presets.
SPELT = {"segmentation-models-pytorch": "smp", "nnunetv2": "nnunet", "scikit-learn": "sklearn"}


def test_the_page_has_a_heading_for_each() -> None:
    assert sorted(SECTIONS) == conventions.__all__


@presets
def test_the_page_says_what_a_preset_is(preset: Preset) -> None:
    section = SECTIONS[preset.name].split("\n\n")
    functions = ", ".join(f"`{name}`" for name in preset.functions)
    assert (
        re.sub(r"\s+", " ", section[0])
        .strip()
        .startswith((f"{functions} is ", f"{functions} are "))
    )
    arguments = ", ".join(f"{name}={value!r}" for name, value in preset.items())
    assert section[1] == f"```text\n{arguments}\n```"


def test_the_page_has_the_versions_that_are_compared() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    pins = dict(
        line.split("==")
        for line in (*groups["parity"], *groups["parity-alone"])
        if isinstance(line, str) and "==" in line
    )
    versions = {SPELT.get(name, name).lower(): version for name, version in pins.items()}
    sections = re.findall(r"^## \S+\n\nVersion ([\d.]+)\.\n\n### `(\w+)`", PAGE, re.MULTILINE)
    assert {name: version for version, name in sections} == {
        preset.package: versions[preset.package] for preset in PRESETS
    }


# -- the module ------------------------------------------------------------------------------------


def test_two_of_a_package_are_two() -> None:
    assert conventions.monai != conventions.monai_batch
    assert conventions.monai == {"axis": "space", "smooth": 1e-5}
    assert conventions.monai | {"axis": None} == conventions.monai_batch
    assert math.isnan(conventions.nnunet_metric["empty"])
    with pytest.raises(TypeError, match="unsupported operand"):
        conventions.monai | None


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(
        AttributeError, match="no preset 'mona'; the presets are keras, .*, monai, "
    ):
        conventions.mona  # noqa: B018


def test_examples_run() -> None:
    assert doctest.testmod(conventions).failed == 0
