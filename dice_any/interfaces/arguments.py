"""Separate the arguments of `overlap` from those of the score, for all interfaces of scores."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from .. import scores
from ..arrays.library import Array
from ..reading import DEFAULTS, OverlapArguments, check_keywords, class_name, read_groups
from ..sums import Overlap
from .wording import wording

Score = Callable[..., Array]


def check_score(score: object) -> None:
    """Check that something is one of the package's scores."""
    name = getattr(score, "__name__", "")
    if name in scores.__all__ and getattr(scores, name) is score and takes(score, "empty"):
        return
    got = f"`{name}`" if name else class_name(score)
    raise TypeError(
        f"`score` must be a score of this package; got {got}. Pass the function itself, for "
        "example `dice_any.dice_score`."
    )


def takes(score: Any, keyword: str) -> bool:
    """Tell whether a score has a keyword."""
    return keyword in inspect.signature(score).parameters


def split(
    score: Score,
    arguments: Mapping[str, Any],
    refused: Mapping[str, str],
    *,
    also: Iterable[str] = (),
    words: Mapping[str, str] = MappingProxyType({}),
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments of `overlap` (with the score's own defaults) and those of the score.

    `refused` are keywords that the interface sets itself, each with what to write instead; `also`
    are its own, and `words` its names for ours.
    """
    check_score(score)
    with wording({ours: theirs for ours, theirs in words.items() if ours not in arguments}):
        check_keywords(score, arguments, also=also, refused=refused)
    shared = OverlapArguments.__annotations__
    own = {
        name: parameter.default
        for name, parameter in inspect.signature(score).parameters.items()
        if name in shared and parameter.default is not DEFAULTS[name]
    }
    of_overlap = own | {name: value for name, value in arguments.items() if name in shared}
    return of_overlap, {name: value for name, value in arguments.items() if name not in shared}


def count_classes(arguments: Mapping[str, Any]) -> int | None:
    """Return the number of regions or classes that arguments of `overlap` state; None if none."""
    regions = arguments.get("regions")
    return arguments.get("num_classes") if regions is None else len(read_groups(regions))


def try_out(score: Score, num_classes: int | None, arguments: Mapping[str, Any]) -> None:
    """Call a score with an empty overlap, so that it refuses wrong arguments early."""
    score(Overlap.zero(num_classes=num_classes), **arguments)
