"""JAX: eager or traced. float64 and int64 come from a local x64 context, so the user's settings
do not change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any

from . import jax_rules
from .library import Array, Axes, BlockFunction, NumPyLike

#: On the CPU, XLA sums integers along contiguous rows twice as fast as it sums a whole array, so
#: rows are summed first.
SHORTEST_ROW, LONGEST_ROW = 64, 1024


class Jax(NumPyLike):
    protocol = 1

    public = "jax.numpy"

    def __init__(self) -> None:
        super().__init__("jax", "jax.numpy")
        import jax
        import numpy as np

        self._jax = jax
        self._numpy: Any = np
        self._nn: Any = jax.nn
        self._registered: set[type] = set()
        self._forbidding = jax_rules.forbidding(jax)
        self._summing = jax_rules.summing(self, jax, self._sum_at_once)
        self._power = jax_rules.powering(self, jax)
        self._lowest = jax_rules.minimum(self, jax)
        self._compiled = jax.jit(
            lambda function, task, *arrays: function(task, self, *arrays), static_argnums=(0, 1)
        )

    def is_array(self, value: Any) -> bool:
        return isinstance(value, self._jax.Array)

    def kind(self, dtype: Any) -> str:
        # a PRNG key has a dtype that neither NumPy nor the standard knows
        return super().kind(dtype) if isinstance(dtype, self._numpy.dtype) else "other"

    def cast_code(self, expression: str, dtype: str, *, rounded: bool = False) -> str:
        # asking for int64 warns if x64 is off
        dtype = "int32" if dtype == "int64" else dtype
        return super().cast_code(expression, dtype, rounded=rounded)

    def traced(self, *arrays: Array | None) -> bool:
        return any(isinstance(array, self._jax.core.Tracer) for array in arrays)

    def is_tracer(self, value: Any) -> bool:
        return self.traced(value)

    def cure_for_narrowed(self, dtype: str) -> str:
        if dtype not in ("int32", "uint32"):
            return super().cure_for_narrowed(dtype)
        return (
            "JAX narrows NumPy's numbers on their way into a transformation: move the overlap "
            "first, by `Overlap.from_dict(overlap.to_dict(), like=array)`"
        )

    def at_hand(self, array: Array) -> bool:
        if self.traced(array):
            return False
        return all(device.platform == "cpu" for device in array.devices())

    def device(self, array: Array) -> Any:
        # a tracer has no device yet and a sharded array has several; the compiler checks both
        if self.traced(array) or len(array.devices()) != 1:
            return None
        return next(iter(array.devices()))

    def precision(self) -> AbstractContextManager[Any]:
        jax, config = self._jax, self._jax.config
        wide: AbstractContextManager[Any] = jax.enable_x64(True)
        if not (
            config.jax_debug_nans
            or config.jax_debug_infs
            or config.jax_numpy_rank_promotion != "allow"
            or config.jax_numpy_dtype_promotion != "standard"
        ):
            return wide
        # The caller's checks are not for the steps in here, which select from NaN and infinity,
        # broadcast and promote. What comes out is checked by the caller's next operation.
        unchecked = ExitStack()
        for setting in (
            wide,
            jax.debug_nans(False),
            jax.debug_infs(False),
            jax.numpy_rank_promotion("allow"),
            jax.numpy_dtype_promotion("standard"),
        ):
            unchecked.enter_context(setting)
        return unchecked

    def deliver(self, array: Array) -> Array:
        # without x64 the caller's next operation on a 64-bit array warns or fails
        xp = self.xp
        wide: bool = self._jax.config.jax_enable_x64  # type: ignore[attr-defined,unused-ignore]
        if wide or array.dtype not in (xp.float64, xp.int64):
            return array
        with self.precision():
            if array.dtype == xp.float64:
                return xp.astype(array, xp.float32)
            if self.at_hand(array) and bool(xp.any((array >= 2**31) | (array < -(2**31)))):
                raise ValueError(
                    "counts must be below 2**31 without x64; got more. Call inside "
                    "`jax.enable_x64(True)`, or set `jax_enable_x64`."
                )
            return xp.astype(array, xp.int32)

    def with_closed_form(
        self,
        forward: Callable[..., Array],
        both: Callable[..., tuple[Array, Callable[[Array], Array]]],
        message: str,
        *arrays: Array,
    ) -> Array:
        if not self.traced(*arrays):
            return forward(*arrays)
        value = self._jax.custom_vjp(forward)

        def pull(arrays: tuple[Array, ...], cotangent: Array) -> tuple[Array | None, ...]:
            first = self._forbidding(arrays[0], message)
            return (both(first, *arrays[1:])[1](cotangent), *(None for _ in arrays[1:]))

        value.defvjp(lambda *arrays: (forward(*arrays), arrays), pull)
        return value(*arrays)

    def detach(self, array: Array) -> Array:
        return self._jax.lax.stop_gradient(array)

    def forbid_gradient(self, array: Array, message: str, *, eager: bool = True) -> Array:
        return self._forbidding(array, message) if self.traced(array) else array

    # Differentiated arrays are split without slices or gathers. JAX differentiates outside of the
    # context `precision`, where the zeros that their backward passes start from would not be
    # float64.

    def split(self, array: Array, lengths: Sequence[int]) -> list[Array]:
        return list(self._jax.lax.split(array, lengths))

    def halves(self, array: Array) -> tuple[Array, Array | None, Array]:
        half = array.shape[-1] // 2
        lengths = (half, 1, half) if array.shape[-1] % 2 else (half, half)
        front, *middle, back = self._jax.lax.split(array, lengths, array.ndim - 1)
        return front, middle[0] if middle else None, back

    def unstack(self, array: Array) -> list[Array]:
        return list(self.xp.unstack(array))

    def only(self, array: Array) -> Array:
        return self.xp.squeeze(array, axis=-1)

    def take(self, array: Array, numbers: Sequence[int]) -> Array:
        parts = self._jax.lax.split(array, (1,) * array.shape[-1], array.ndim - 1)
        return self.xp.concatenate([parts[number] for number in numbers], axis=-1)

    def power(self, base: Array, exponent: float) -> Array:
        return self._power(base, exponent)

    def lowest(self, array: Array) -> Array:
        return self._lowest(array)

    def clip(self, values: Array) -> Array:
        return self.xp.clip(values, 0.0, 1.0)

    def argmax(self, scores: Array, axis: Any) -> Array:
        # not `jnp.argmax`: its int64 becomes int32 in a function that the caller compiles without
        # x64
        lax, xp = self._jax.lax, self.xp
        if scores.dtype != xp.float64 or not self.traced(scores):
            return lax.argmax(scores, axis, xp.int32)
        # `lax.argmax` creates its initial value without x64 too
        numbers = lax.broadcasted_iota(xp.int32, scores.shape, axis)
        start = xp.float64(-math.inf), xp.int32(scores.shape[axis])
        return lax.reduce((scores, numbers), start, _larger, (axis,))[1]

    def softmax(self, z: Array, axis: Any) -> Array:
        return self._along_last(self._nn.softmax, z, axis)

    def log_softmax(self, z: Array, axis: Any) -> Array:
        return self._along_last(self._nn.log_softmax, z, axis)

    def _along_last(self, function: Callable[..., Array], z: Array, axis: int) -> Array:
        if self._jax.default_backend() != "cpu":
            return function(z, axis=axis)
        # on the CPU, XLA reduces along the last axis in half the time, transposes included
        return self.xp.moveaxis(function(self.xp.moveaxis(z, axis, -1), axis=-1), -1, axis)

    def sum_integers(self, arrays: Sequence[Array], axis: Axes) -> list[Array]:
        return self._sum_at_once(arrays, axis, self.xp.int64(0))

    def sum_together(self, arrays: Sequence[Array], axis: Axes) -> list[Array]:
        wide = [self.xp.astype(array, self.xp.float64) for array in arrays]
        return list(self._summing(axis, *wide))

    def _sum_at_once(self, arrays: Sequence[Array], axis: Axes, zero: Array) -> list[Array]:
        """Sum arrays of one shape and type by one reduction: XLA then reads their inputs once and
        writes no intermediate array to memory.
        """
        reduce = partial(
            self._jax.lax.reduce,
            init_values=(zero,) * len(arrays),
            computation=_add_each,
        )
        # if an array is sharded over devices, rows may be sharded too; then row sums, not only the
        # sums per device, would be sent between devices
        if self._jax.default_backend() == "cpu" and self._jax.device_count() == 1:
            arrays, row = self._rows(arrays, axis)
            if row:
                arrays, axis = (
                    reduce(tuple(arrays), dimensions=row),
                    tuple(a for a in axis if a not in row),
                )
        return list(reduce(tuple(arrays), dimensions=axis))

    def _rows(self, arrays: Sequence[Array], axis: Axes) -> tuple[Sequence[Array], Axes]:
        """Return arrays with the same sums over `axis`, and the last axes to be summed first as
        rows; () for none.
        """
        shape = arrays[0].shape
        row = _row(shape, axis)
        if row != axis or not axis:
            return arrays, row
        last, length = len(shape) - 1, math.gcd(shape[-1], LONGEST_ROW)
        if len(axis) > 1 or length < SHORTEST_ROW:
            return arrays, ()
        return [self.xp.reshape(array, (*shape[:last], -1, length)) for array in arrays], (
            last + 1,
        )

    def count(self, mask: Array, axis: Axes) -> Array:
        return self.xp.sum(mask, axis=axis, dtype=self.xp.int64)

    def bincount(self, codes: Array, length: int, weights: Array | None) -> Array:
        return (
            self.xp.zeros(length, dtype=self.xp.int64)
            .at[codes]
            .add(1 if weights is None else weights, mode="drop")
        )

    def arange(self, stop: int, like: Array) -> Array:
        return self.xp.arange(stop, dtype=self.xp.int64)

    def constant(self, values: Any, dtype: Any, like: Array) -> Array:
        return self.xp.asarray(values, dtype=dtype)

    def tolist(self, array: Array) -> Any:
        return array.tolist()

    def run(
        self,
        function: BlockFunction,
        task: Any,
        *arrays: Array | None,
        leading: tuple[int, ...],
        trailing: tuple[int, ...],
    ) -> Array:
        if any(a is not None and (self.traced(a) or self.device(a) is None) for a in arrays):
            # The caller's compiler decides, and knows how arrays are sharded. The backward pass
            # keeps only the arguments and recomputes everything else. If both passes are compiled
            # together, XLA may keep more: forbidding that made a training step 50 % slower.
            whole = partial(function, task, self)
            if task.kind == "plain":
                whole = self._jax.checkpoint(whole, prevent_cse=False)
            return self.on_all_devices(whole, *arrays)
        return self._compiled(function, task, *arrays)

    def run_whole(
        self,
        function: BlockFunction,
        task: Any,
        *arrays: Array | None,
        leading: tuple[int, ...],
        trailing: tuple[int, ...],
    ) -> Array:
        return self.on_all_devices(partial(function, task, self), *arrays)

    def map(self, function: BlockFunction, task: Any, *arrays: Array | None) -> Array:
        spread = self._jax.typeof(arrays[0]).sharding.spec
        return self._in_mesh(partial(function, task, self), arrays, spread)

    def map_whole(self, function: BlockFunction, task: Any, *arrays: Array | None) -> Array:
        return self.map(function, task, *arrays)

    def on_all_devices(self, function: Callable[..., Array], *arrays: Array | None) -> Array:
        return self._in_mesh(function, arrays, self._jax.sharding.PartitionSpec())

    def _in_mesh(
        self, function: Callable[..., Array], arrays: tuple[Array | None, ...], spread: Any
    ) -> Array:
        """Call `function`; the axes of its result are spread over the mesh as `spread` says.

        In a mesh of explicit axes, JAX's default, each operation has to know how its result is
        spread. Histograms, sorts and matrix products do not, so in here the compiler decides.
        """
        meshes = (self._jax.typeof(a).sharding.mesh for a in arrays if a is not None)
        mesh = next((mesh for mesh in meshes if mesh.explicit_axes), None)
        if mesh is None:
            return function(*arrays)
        sharding = self._jax.sharding
        result = sharding.NamedSharding(mesh, spread)
        return sharding.auto_axes(function, axes=mesh.explicit_axes, out_sharding=result)(*arrays)

    def scan(
        self,
        step: Callable[[Any, Any], tuple[Any, Any]],
        state: Any,
        results: Any = None,
        *,
        length: int,
        reverse: bool = False,
    ) -> tuple[Any, Any]:
        if not self.traced(*state):  # each call would be compiled anew
            return super().scan(step, state, results, length=length, reverse=reverse)
        # XLA takes minutes for ten steps that are written one after the other
        return self._jax.lax.scan(  # type: ignore[no-any-return,unused-ignore]
            step, state, results, length=length, reverse=reverse
        )

    def pack(self, array: Array) -> Any:
        # JAX pickles through NumPy, but unpickles 64 bits as 32 outside of the x64 context
        return (
            self._numpy.asarray(array)
            if isinstance(array, self._jax.Array) and not self.traced(array)
            else array
        )

    def unpack(self, packed: Any) -> Array:
        if not isinstance(packed, self._numpy.ndarray):
            return packed
        with self.precision():
            return self.xp.asarray(packed)

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


def _row(shape: tuple[int, ...], axis: Axes) -> Axes:
    """Return the fewest trailing axes that form a row long enough to be summed first; () if they
    are not all in `axis`.
    """
    length, row = 1, len(shape)
    while length < SHORTEST_ROW and row - 1 in axis:
        row -= 1
        length *= shape[row]
    return tuple(range(row, len(shape))) if length >= SHORTEST_ROW else ()


def _larger(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the larger of two (value, index) pairs; the one with the lower index if equal."""
    from jax import lax

    first = (a[0] > b[0]) | ((a[0] == b[0]) & (a[1] < b[1]))
    return lax.select(first, a[0], b[0]), lax.select(first, a[1], b[1])


def _add_each(sums: tuple[Array, ...], values: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(a + b for a, b in zip(sums, values, strict=True))


library = Jax()
