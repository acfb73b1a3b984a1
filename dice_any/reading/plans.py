"""A cache of what was read from the metadata of calls: training makes thousands of equal calls."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from ..arrays import UnknownLibraryError, library_of
from ..arrays.library import Array
from ..plugins import forgettable

#: The most calls that are remembered.
MOST = 512
#: Types that can be part of a key, with the type: 1 equals True, but is another argument.
PLAIN = frozenset({type(None), bool, int, float, str})

_kept: dict[Hashable, Any] = forgettable({})


def call_key(arrays: tuple[Array | None, ...], arguments: Mapping[str, Any]) -> Hashable | None:
    """Return a key that is equal for calls with the same metadata and arguments; None if there is
    no such key.
    """
    key: list[Hashable] = []
    for array in arrays:
        try:
            fact = "none" if array is None else library_of(array).metadata(array)
        except UnknownLibraryError:
            return None
        if fact is None:
            return None
        key.append(fact)
    for name, value in arguments.items():
        parts = value if type(value) is tuple else (value,)
        types = tuple(map(type, parts))
        if not PLAIN.issuperset(types):
            return None
        key.append((name, types, value))
    return tuple(key)


def recall(key: Hashable | None) -> Any:
    """Return what was kept for a call like this; None if nothing was."""
    return None if key is None else _kept.get(key)


def keep(key: Hashable | None, plan: Any) -> None:
    """Keep what was read for the next call like this.

    Threads may do so at the same time: what they read for one key is equal.
    """
    if key is None:
        return
    if len(_kept) >= MOST:
        _kept.clear()
    _kept[key] = plan
