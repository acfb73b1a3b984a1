"""Adapters: the kit passes NumPy's values to a backend, and reads its results."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import library_of, load_library
from ..arrays.library import Array, ArrayLibrary
from ..kernels import load_kernel
from ..plugins import ARRAYS, plugins
from .capabilities import BACKENDS, host, kernel


@dataclass(frozen=True)
class Adapter:
    """One backend under test."""

    name: str
    library: ArrayLibrary
    make: Callable[[np.ndarray], Array]
    #: passed to every call: ``backend=`` for a kernel
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self, values: Any) -> Array:
        """Return the backend's array of these values; None stays None."""
        if values is None:
            return None
        values = np.asarray(values)
        with self.library.precision():
            made = self.make(values)
        if library_of(made) is not self.library:
            raise AssertionError(
                f"`asarray` of {self.library.name} must make its arrays; got "
                f"{type(made).__module__}.{type(made).__qualname__}. Tests of those prove nothing."
            )
        if self.library.shape(made) != values.shape:
            raise AssertionError(
                f"`asarray` of {self.library.name} must keep the shape; got "
                f"{self.library.shape(made)} of {values.shape}. Make it do so."
            )
        return made

    def has(self, dtype: str) -> bool:
        """Return whether the library has arrays of this dtype."""
        if dtype in ("bool", "float32"):
            return True
        try:
            made = self(np.zeros(1, dtype=dtype))
        except (TypeError, ValueError, AttributeError):
            return False
        return self.library.dtype_name(made.dtype) == dtype

    def values(self, array: Array) -> np.ndarray:
        """Return a result's values."""
        with self.library.precision():
            return np.asarray(self.library.tolist(array))

    def bits(self, array: Array) -> list[str]:
        """Return a result's values, flat, to the last bit."""
        return [float.hex(float(value)) for value in self.values(array).ravel()]

    def call(self, function: Callable[..., Any], *arrays: Any, **arguments: Any) -> Any:
        """Call a public function on the backend's arrays. If a kernel declines the work, the test
        is skipped with the reason.
        """
        if arguments.get("weight") is not None:
            arguments["weight"] = self(arguments["weight"])
        try:
            with (
                self.library.precision()
            ):  # JAX returns the caller's precision, but bits are compared in float64
                return function(*(self(a) for a in arrays), **arguments, **self.options)
        except ValueError as error:
            if self.options and str(error).startswith("`backend` must"):
                import pytest  # here, because the short report does not need it

                pytest.skip(str(error))
            raise


def adapter(name: str) -> Adapter:
    """Return the adapter of a library, one of its devices, or a kernel; raise `LookupError` for an
    unknown name.
    """
    if name in MAKERS:
        library = load_library(BACKENDS[name])
        return Adapter(name, library, MAKERS[name](library))
    if name in {plugin.module for plugin in plugins(ARRAYS)}:
        library = load_library(name)
        return Adapter(name, library, _from_lists(library))
    plugin = kernel(name)
    if plugin is not None:
        load_kernel(plugin)
        arrays = adapter(host(plugin))
        return Adapter(name, arrays.library, arrays.make, {"backend": plugin.name})
    raise LookupError(
        f"no array library or kernel of that name; known are {', '.join(sorted(MAKERS))} and "
        "plugins"
    )


def _from_lists(library: ArrayLibrary) -> Callable[[np.ndarray], Array]:
    """Make arrays of a library that the kit has no code for."""

    def make(values: np.ndarray) -> Array:
        dtype = getattr(library.xp, _name(values))
        try:  # much faster, if it accepts NumPy's arrays
            made = library.xp.asarray(values, dtype=dtype)
            # a mask may have bytes other than 0 and 1, which some libraries do not read as true
            fits = library_of(made) is library and made.dtype == dtype
            if fits and values.dtype != bool:
                return made
        except Exception:
            pass
        return library.xp.asarray(values.tolist(), dtype=dtype)

    return make


def _name(values: np.ndarray) -> str:
    return "bool" if values.dtype.name == "bool" else values.dtype.name


def _numpy(library: ArrayLibrary) -> Callable[[np.ndarray], Array]:
    def make(values: np.ndarray) -> Array:
        values = values.copy()
        values.flags.writeable = False  # no function may write into the caller's arrays
        return values

    return make


def _torch(library: ArrayLibrary) -> Callable[[np.ndarray], Array]:
    torch = library.xp

    def make(values: np.ndarray) -> Array:
        if values.dtype.name == "bfloat16":
            return torch.asarray(values.astype(np.float32)).to(torch.bfloat16)
        return torch.asarray(values.copy())

    return make


def _torch_cuda(library: ArrayLibrary) -> Callable[[np.ndarray], Array]:
    make = _torch(library)
    return lambda values: make(values).to("cuda")


def _asarray(library: ArrayLibrary) -> Callable[[np.ndarray], Array]:
    return lambda values: library.xp.asarray(values)


def _dask(library: ArrayLibrary) -> Callable[[np.ndarray], Array]:
    import dask.array as da

    # odd chunks, so that their boundaries differ from those in the arrays' structure
    return lambda values: da.from_array(
        values, chunks=tuple(max(n // 2, 1) + (n > 2) for n in values.shape)
    )


def _cubed(library: ArrayLibrary) -> Callable[[np.ndarray], Array]:
    return lambda values: library.xp.asarray(
        values, chunks=tuple(max(n // 2, 1) + (n > 2) for n in values.shape)
    )


def _strict(library: ArrayLibrary) -> Callable[[np.ndarray], Array]:
    return lambda values: library.xp.asarray(values)


def _strict_no_float64(library: ArrayLibrary) -> Callable[[np.ndarray], Array]:
    device = library.xp.Device("no_float64")

    def make(values: np.ndarray) -> Array:
        if values.dtype == np.float64:
            values = values.astype(np.float32)
        return library.xp.asarray(values, device=device)

    return make


def _sparse(library: ArrayLibrary) -> Callable[[np.ndarray], Array]:
    return lambda values: library.xp.COO.from_numpy(values)


def strictly(name: str) -> AbstractContextManager[Any]:
    """Return the context in which array-api-strict forbids what lazy libraries cannot do."""
    if not name.startswith("strict"):
        return nullcontext()
    import array_api_strict

    flags: AbstractContextManager[Any] = array_api_strict.ArrayAPIStrictFlags(
        boolean_indexing=False, data_dependent_shapes=False
    )
    return flags


MAKERS: dict[str, Callable[[ArrayLibrary], Callable[[np.ndarray], Array]]] = {
    "numpy": _numpy,
    "torch": _torch,
    "torch-cuda": _torch_cuda,
    "cupy": _asarray,
    "jax": _asarray,
    "dask": _dask,
    "strict": _strict,
    "strict-no-float64": _strict_no_float64,
    "sparse": _sparse,
    "ndonnx": _asarray,
    "cubed": _cubed,
}
