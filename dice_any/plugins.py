"""Find plugins: installed entry points in the groups ``dice_any.arrays.<module>`` and
``dice_any.kernels.<module>``.

Installed packages are scanned once, when a plugin could first matter. The scan imports nothing,
because the group name contains the top-level module of the arrays that the plugin is for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.machinery import PathFinder
from typing import Any, Protocol, TypeVar

#: The version of the plugin interface, which plugins state as their attribute `protocol`. It
#: increases when the calls to plugins, or the required results, change.
PROTOCOL = 1

ARRAYS, KERNELS = "dice_any.arrays.", "dice_any.kernels."
#: Prefix of entry point groups with a wrong name; the module of such a plugin is the whole group.
MISNAMED = "dice_any"

Cache = TypeVar("Cache", bound=dict[Any, Any])

_found: dict[str, list[Plugin]] = {}
_caches: list[dict[Any, Any]] = [_found]
#: A vendored copy does not use installed plugins unless its host asks for them.
_installed_are_used: list[bool] = [__package__ == "dice_any"]
_scan_problem: list[str] = []


class EntryPoint(Protocol):
    """The required parts of an entry point."""

    def load(self) -> Any:
        """Import and return the object that it points to."""


@dataclass(frozen=True)
class Plugin:
    """An entry point, installed or listed in the package itself, that is not loaded yet."""

    module: str
    name: str
    distribution: str
    entry_point: EntryPoint

    @property
    def label(self) -> str:
        return f"{self.name!r} of {self.distribution}"


def plugins(group: str) -> list[Plugin]:
    """Return the plugins whose group starts with `group`, sorted by module, name and
    distribution.
    """
    if not _found:
        _scan()
    return _found[group]


def use_installed(yes: bool = True) -> None:
    """Set whether installed plugins are used. The default is yes, but no for a copy of the package
    that is vendored under another name.

    >>> from dice_any.plugins import use_installed
    >>> use_installed()
    """
    _installed_are_used[:] = [yes]
    forget()


def scan_problem() -> str | None:
    """Return why installed packages could not be scanned; None if they could."""
    plugins(ARRAYS)
    return _scan_problem[0] if _scan_problem else None


def entry_points() -> Iterable[Any]:
    """Return the entry points of installed packages in our groups or in misnamed ones.

    Importing `importlib.metadata` takes half the package's import time, and reading all entry
    points takes ten times as long as checking the files for a mention of this package.
    """
    if not _could_be_any():
        return ()
    import importlib.metadata

    found = importlib.metadata.entry_points()
    ours = [group for group in found.groups if group.partition(".")[0] == MISNAMED]
    return [point for group in ours for point in found.select(group=group)]


def forget() -> None:
    """Clear the found and loaded plugins, so that the next call scans again (after an installation
    in a running process).
    """
    for cache in _caches:
        cache.clear()


def forgettable(cache: Cache) -> Cache:
    """Register a cache that depends on plugins, so that `forget` clears it; return it."""
    _caches.append(cache)
    return cache


def shown(value: Any) -> str:
    """Return a value or an error on one short line, even if its class fails to print it."""
    try:
        text = " ".join(repr(value).split())
    except Exception:
        text = type(value).__name__
    return text if len(text) <= 200 else text[:199] + "…"


def wrong_protocol(plugin: Any) -> str | None:
    """Return what is wrong if a plugin does not state the protocol of this version; else None."""
    stated = getattr(plugin, "protocol", None)
    if type(stated) is int and stated == PROTOCOL:
        return None
    fact = "none" if stated is None else shown(stated)
    return (
        f"must state the protocol that it keeps to, {PROTOCOL} in this version; got {fact}. "
        f'Compare it with the page "Extending", then write `protocol = {PROTOCOL}` in it'
    )


def _scan() -> None:
    found: dict[str, list[Plugin]] = {ARRAYS: [], KERNELS: [], MISNAMED: []}
    _scan_problem.clear()
    try:
        for entry_point in entry_points() if _installed_are_used[0] else ():
            group = str(entry_point.group)
            prefix = next((p for p in (ARRAYS, KERNELS) if group.startswith(p)), MISNAMED)
            module = group if prefix == MISNAMED else group.removeprefix(prefix)
            plugin = Plugin(module, str(entry_point.name), _distribution(entry_point), entry_point)
            found[prefix].append(plugin)
    except Exception as error:  # in the metadata of some package
        _scan_problem.append(f"installed packages cannot be looked through: {shown(error)}")
    for plugins_found in found.values():
        plugins_found.sort(key=lambda plugin: (plugin.module, plugin.name, plugin.distribution))
    _found.update(found)


def _distribution(entry_point: Any) -> str:
    try:
        return str(entry_point.dist.name)
    except Exception:  # created by hand, or with broken metadata
        return "an unknown distribution"


def _could_be_any() -> bool:
    """Tell whether any installed distribution may have entry points for this package."""
    if any(f is not PathFinder and hasattr(f, "find_distributions") for f in sys.meta_path):
        return True
    return any(_mentioned(str(path) or ".") for path in sys.path)


def _mentioned(folder: str) -> bool:
    """Tell whether a distribution in a folder of `sys.path` may have entry points for us."""
    try:
        names = os.listdir(folder)
    except NotADirectoryError:  # an archive: not checked
        return True
    except OSError:
        return False
    if folder.lower().endswith(".egg"):
        return True
    for name in names:
        if name.lower().endswith((".dist-info", ".egg-info")):
            try:
                with open(os.path.join(folder, name, "entry_points.txt"), "rb") as file:
                    if b"[dice_any" in file.read():
                        return True
            except OSError:  # most have none
                continue
    return False
