"""Build loops when they are first needed, and log when a caller waits for the compiler."""

from __future__ import annotations

import logging
import time
from typing import Any

from numba.core import event

#: The logger; messages have the level INFO.
LOG = logging.getLogger("dice_any")

_compiled: dict[Any, Any] = {}
#: compiled function -> its name in messages
_names: dict[Any, str] = {}


def loop(build: Any, *case: Any) -> Any:
    """Return ``build(*case)``, cached for the process."""
    key = build, *case
    if key not in _compiled:
        name = f"{build.__module__.rpartition('.')[2]}.{build.__name__}{case}"
        start = time.perf_counter()
        built = build(*case)
        if hasattr(built, "address") and not built.cache_hits:  # C functions are compiled at once
            _say_done(name, time.perf_counter() - start, built._cache.cache_path)
        _compiled[key] = named(built, name)
    return _compiled[key]


def named(compiled: Any, name: str) -> Any:
    """Register the name of a compiled function for the log, and return the function."""
    if not hasattr(compiled, "address"):
        _names[compiled] = name
    return compiled


def place_of(compiled: Any) -> str:
    """Return the folder where Numba caches the machine code of a loop."""
    return str(compiled.stats.cache_path)


def places() -> list[str]:
    """Return the cache folders of the loops that were built in this process."""
    found = {place_of(compiled) for compiled in _names}
    return sorted(found)


class _Teller(event.Listener):  # type: ignore[misc,unused-ignore]
    """Logs the loops that Numba compiles; loading from its cache triggers no event.

    Functions that are inlined into a loop trigger events too, which are not logged.
    """

    def __init__(self) -> None:
        self._begun: dict[Any, float] = {}

    def on_start(self, event: Any) -> None:
        compiled = event.data["dispatcher"]
        if compiled in _names:
            self._begun[compiled] = time.perf_counter()
            LOG.info(
                "Numba compiles %s, which takes seconds, once on this machine.", _names[compiled]
            )

    def on_end(self, event: Any) -> None:
        compiled = event.data["dispatcher"]
        start = self._begun.pop(compiled, None)
        if start is not None:
            _say_done(_names[compiled], time.perf_counter() - start, place_of(compiled))


def _say_done(name: str, seconds: float, place: str) -> None:
    LOG.info("Numba compiled %s in %.1f s; kept in %s.", name, seconds, place)


event.register("numba:compile", _Teller())
