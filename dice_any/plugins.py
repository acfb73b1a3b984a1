"""Find plugins: installed entry points in the groups ``dice_any.arrays.<module>`` and
``dice_any.kernels.<module>``.

Installed packages are scanned once, when a plugin could first matter, and nothing is imported to
find out: the group name holds the top-level module of the arrays that the plugin is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

ARRAYS, KERNELS = "dice_any.arrays.", "dice_any.kernels."

_found: dict[str, list[Plugin]] = {}


class EntryPoint(Protocol):
    """What is needed of an entry point."""

    def load(self) -> Any:
        """Import and return what it points to."""


@dataclass(frozen=True)
class Plugin:
    """An installed entry point, or one that is listed in the package itself, not yet loaded."""

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


def entry_points() -> EntryPoints:
    """Return all entry points of installed packages; the module that reads them takes half the
    package's import time.
    """
    import importlib.metadata

    return importlib.metadata.entry_points()  # type: ignore[return-value,unused-ignore]


def _scan() -> None:
    found: dict[str, list[Plugin]] = {ARRAYS: [], KERNELS: []}
    installed = entry_points()
    for group in installed.groups:
        for prefix, plugins_found in found.items():
            if group.startswith(prefix):
                for entry_point in installed.select(group=group):
                    distribution = (
                        entry_point.dist.name if entry_point.dist else "an unknown distribution"
                    )
                    plugins_found.append(
                        Plugin(
                            group.removeprefix(prefix), entry_point.name, distribution, entry_point
                        )
                    )
    for plugins_found in found.values():
        plugins_found.sort(key=lambda plugin: (plugin.module, plugin.name, plugin.distribution))
    _found.update(found)


def forget() -> None:
    """Forget what was found, so that the next call scans again (after an installation in a running
    process).
    """
    _found.clear()
