"""JAX: eager or traced; float64 and int64 through its local x64 context, so the user's settings stay as they are."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from .library import Array, ArrayLibrary, Axes


class Jax(ArrayLibrary):
    def __init__(self) -> None:
        super().__init__("jax", "jax.numpy")
        import jax

        self._jax = jax
        self._registered: set[type] = set()

    def traced(self, array: Array) -> bool:
        return isinstance(array, self._jax.core.Tracer)

    def at_hand(self, array: Array) -> bool:
        if self.traced(array):
            return False
        return all(device.platform == "cpu" for device in array.devices())

    def device(self, array: Array) -> Any:
        # a tracer has no device yet, a sharded array has several: the compiler checks those itself
        if self.traced(array) or len(array.devices()) != 1:
            return None
        return next(iter(array.devices()))

    def precision(self) -> AbstractContextManager[Any]:
        return self._jax.enable_x64(True)  # type: ignore[no-any-return]

    def detach(self, array: Array) -> Array:
        return self._jax.lax.stop_gradient(array)

    def count(self, mask: Array, axis: Axes) -> Array:
        return self.xp.sum(mask, axis=axis, dtype=self.xp.int64)

    def bincount(self, codes: Array, length: int, weights: Array | None) -> Array:
        return self.xp.zeros(length, dtype=self.xp.int64).at[codes].add(1 if weights is None else weights, mode="drop")

    def arange(self, stop: int, like: Array) -> Array:
        return self.xp.arange(stop, dtype=self.xp.int64)

    def constant(self, values: Any, dtype: Any, like: Array) -> Array:
        return self.xp.asarray(values, dtype=dtype)

    def tolist(self, array: Array) -> Any:
        return array.tolist()

    def register(self, cls: type) -> None:
        if cls not in self._registered:
            self._registered.add(cls)
            self._jax.tree_util.register_pytree_node(
                cls,
                lambda value: value.tree_flatten(),
                lambda context, leaves: cls.tree_unflatten(context, leaves),  # type: ignore[attr-defined]
            )

    def default_device(self) -> str:
        return str(self._jax.devices()[0])


library = Jax()
