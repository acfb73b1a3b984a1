"""The standard's own checker: eager, on the host, one of its devices without float64."""

from __future__ import annotations

from .library import Array, ArrayLibrary


class Strict(ArrayLibrary):
    protocol = 1

    def __init__(self) -> None:
        super().__init__("array_api_strict")

    def at_hand(self, array: Array) -> bool:
        return True

    def has_float64(self, array: Array) -> bool:
        return str(array.device) != "no_float64" and "no_float64" not in repr(array.device)


library = Strict()
