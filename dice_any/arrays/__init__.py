"""Which library is this array from? The only place in the package that asks.

`library_of` answers from the array's class alone and imports nothing the caller has not imported:
an array of a library can only exist where that library is already loaded.
"""

from __future__ import annotations

from collections.abc import Callable

from ..plugins import ARRAYS, Plugin, plugins
from .library import Array, ArrayLibrary

__all__ = [
    "BUILTIN",
    "Array",
    "ArrayLibrary",
    "UnknownLibraryError",
    "candidates",
    "library_of",
    "load_library",
]

# Import statements, and modules that make their library as they load: torch.compile can run the one
# and need not trace the other, so that even the first call of a process may be a compiled one.


def _numpy() -> ArrayLibrary:
    from .numpy import library

    return library


def _torch() -> ArrayLibrary:
    from .torch import library

    return library


def _jax() -> ArrayLibrary:
    from .jax import library

    return library


def _cupy() -> ArrayLibrary:
    from .cupy import library

    return library


def _dask() -> ArrayLibrary:
    from .dask import library

    return library


def _strict() -> ArrayLibrary:
    from .strict import library

    return library


def _sparse() -> ArrayLibrary:
    from .sparse import library

    return library


def _ndonnx() -> ArrayLibrary:
    from .ndonnx import library

    return library


def _cubed() -> ArrayLibrary:
    from .cubed import library

    return library


#: top-level module of the arrays -> what loads the library that knows them
BUILTIN: dict[str, Callable[[], ArrayLibrary]] = {
    "numpy": _numpy,
    "torch": _torch,
    "jax": _jax,
    "jaxlib": _jax,  # where the class of JAX's arrays lives
    "cupy": _cupy,
    "dask": _dask,
    "array_api_strict": _strict,
    "sparse": _sparse,
    "ndonnx": _ndonnx,
    "cubed": _cubed,
}


#: names by which a namespace of the standard is told from one that is called so (MLX has no `bool`)
STANDARD = ("bool", "isdtype", "astype", "permute_dims")


class UnknownLibraryError(LookupError):
    """The object is not an array of any known library."""


_of_class: dict[type, ArrayLibrary] = {}
_from_plugins: dict[str, ArrayLibrary] = {}


def library_of(array: Array) -> ArrayLibrary:
    """Return the library of an array; `UnknownLibraryError` if none is known."""
    library = _of_class.get(type(array))
    if library is None:
        library = _find_library(array)
        _of_class[type(array)] = library
    return library


def _find_library(array: Array) -> ArrayLibrary:
    modules = [base.__module__.partition(".")[0] for base in type(array).__mro__]
    known = next((module for module in modules if module in BUILTIN), None)
    if known is None:  # only now are installed plugins looked for: the scan is slow
        known = next((module for module in modules if candidates(module)), None)
    if known is not None:
        library = load_library(known)
        if library.is_array(array):
            return library
        raise UnknownLibraryError(f"{modules[0]}.{type(array).__qualname__} is no array")
    if hasattr(array, "__array_namespace__") and not isinstance(array, type):
        namespace = array.__array_namespace__()  # nobody taught us this library
        if all(hasattr(namespace, name) for name in STANDARD):
            return ArrayLibrary(modules[0], namespace)
    raise UnknownLibraryError(
        f"no array library is known for {modules[0]}.{type(array).__qualname__}"
    )


def load_library(module: str) -> ArrayLibrary:
    """Return what knows the library with this top-level module: built in, or from a plugin."""
    if module in BUILTIN:
        return BUILTIN[module]()
    if module not in _from_plugins:
        _from_plugins[module] = _from_plugin(module)
    return _from_plugins[module]


def _from_plugin(module: str) -> ArrayLibrary:
    found = candidates(module)
    if len(found) > 1:
        labels = ", ".join(plugin.label for plugin in found)
        raise LookupError(
            f"Several plugins teach the array library {module!r}: {labels}. Uninstall all but one."
        )
    try:
        return found[0].entry_point.load()()  # type: ignore[no-any-return]
    except Exception as error:
        raise LookupError(
            f"The array plugin {found[0].label} does not load: {error!r}. Mend or uninstall it."
        ) from error


def candidates(module: str) -> list[Plugin]:
    """Return the installed plugins that say they know this library."""
    return [plugin for plugin in plugins(ARRAYS) if plugin.module == module]
