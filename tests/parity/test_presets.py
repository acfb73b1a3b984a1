"""The presets themselves; no other package is needed."""

from __future__ import annotations

import doctest
from types import MappingProxyType

import pytest

from dice_any import conventions
from dice_any.reading import LossArguments, ScoreArguments

ARGUMENTS = {
    *LossArguments.__annotations__,
    *ScoreArguments.__annotations__,
    "alpha",
    "beta",
    "iterations",
}


@pytest.mark.parametrize("name", conventions.__all__)
def test_a_preset_is_a_read_only_mapping_of_our_arguments(name: str) -> None:
    preset = getattr(conventions, name)
    assert isinstance(preset, MappingProxyType)
    assert set(preset) <= ARGUMENTS
    with pytest.raises(TypeError, match="does not support item assignment"):
        preset["axis"] = None
    assert preset | {"backend": None} == {**preset, "backend": None}
    assert f"\n{name}\n    " in conventions.__doc__


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(
        AttributeError, match="no preset 'mona'; the presets are keras, .*, monai, "
    ):
        conventions.mona  # noqa: B018


def test_examples_run() -> None:
    assert doctest.testmod(conventions).failed == 0
