"""What was read from the metadata of a call, kept for the next call like it: training makes
thousands of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from ..arrays import UnknownLibraryError, library_of
from ..arrays.library import Array
from ..plugins import forgettable

#: Calls that are remembered.
MOST = 512
#: Types whose values tell calls apart, with the type: 1 equals True, and is another argument.
PLAIN = frozenset({type(None), bool, int, float, str})

_kept: dict[Hashable, Any] = forgettable({})


def call_key(arrays: tuple[Array | None, ...], arguments: Mapping[str, Any]) -> Hashable | None:
    """Return what two calls share if all that can be told without values is the same; None where
    that cannot be said.
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

    Threads may do so at once: what two of them have read for one key is the same.
    """
    if key is None:
        return
    if len(_kept) >= MOST:
        _kept.clear()
    _kept[key] = plan
