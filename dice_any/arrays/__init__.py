"""Find the library that an array belongs to. No other part of the package asks this.

`library_of` looks at the array's class only and imports no library that the caller has not
imported: an array can only exist where its library is already loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ..plugins import ARRAYS, PROTOCOL, Plugin, forgettable, plugins, shown, wrong_protocol
from . import chunked
from .library import Array, ArrayLibrary, UnknownLibraryError

__all__ = [
    "BUILTIN",
    "PROTOCOL",
    "Array",
    "ArrayLibrary",
    "UnknownLibraryError",
    "candidates",
    "library_of",
    "load_library",
]

# Each loader is a plain import statement, and each module creates its library at import.
# torch.compile can run an import and does not trace the module body, so even the first call in a
# process may be compiled.


def _numpy() -> ArrayLibrary:
    from .numpy import library

    return library


def _torch() -> ArrayLibrary:
    from .torch import library

    return library


def _jax() -> ArrayLibrary:
    from .jax import library

    return library


def _cupy() -> ArrayLibrary:  # pragma: no cover - needs a GPU
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


#: top-level module of the array class -> loader of its `ArrayLibrary`
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


#: names that a real namespace of the standard has (MLX claims the standard but lacks `bool`)
STANDARD = ("bool", "isdtype", "astype", "permute_dims")


#: modules that no plugin can add: every class inherits from some class of Python's own modules
NOT_TAUGHT = {*sys.stdlib_module_names, __package__.partition(".")[0]}


_of_class: dict[type, ArrayLibrary] = forgettable({})
#: module -> its library, or the reason why its plugin cannot be used
_from_plugins: dict[str, ArrayLibrary | str] = forgettable({})


def library_of(array: Array) -> ArrayLibrary:
    """Return the library of an array; `UnknownLibraryError` if none is known."""
    library = _of_class.get(type(array))
    if library is None:
        library = _find_library(array)
        _of_class[type(array)] = library
    return library


def _find_library(array: Array) -> ArrayLibrary:
    # a slice: Dynamo cannot go through the tuple itself if the class has a metaclass of its own, as
    # `torch.nn.Parameter` has
    bases = type(array).__mro__[:]
    modules = [base.__module__.partition(".")[0] for base in bases]
    known = next((module for module in modules if module in BUILTIN), None)
    broken = None
    if known is None:  # look for installed plugins only now: the scan is slow
        taught = (module for module in modules if module not in NOT_TAUGHT and candidates(module))
        known = next(taught, None)
        broken = None if known is None else plugin_problem(known)
    if known is not None and broken is None:
        library = load_library(known)
        if library.is_array(array):
            return library
        raise UnknownLibraryError(f"{modules[0]}.{type(array).__qualname__} is no array")
    if hasattr(array, "__array_namespace__") and not isinstance(array, type):
        namespace = array.__array_namespace__()  # neither built in nor from a plugin
        if all(hasattr(namespace, name) for name in STANDARD):
            return ArrayLibrary(modules[0], namespace)
    if broken is not None:
        raise LookupError(broken)
    raise UnknownLibraryError(
        f"no array library is known for {modules[0]}.{type(array).__qualname__}"
    )


chunked.library_of = library_of


def load_library(module: str) -> ArrayLibrary:
    """Return the `ArrayLibrary` for a top-level module, built in or from a plugin."""
    if module in BUILTIN:
        return BUILTIN[module]()
    library = _from_plugin(module)
    if isinstance(library, str):
        raise LookupError(library)
    return library


def plugin_problem(module: str) -> str | None:
    """Return the reason why the plugin for a library cannot be used; None if it can."""
    library = _from_plugin(module)
    return library if isinstance(library, str) else None


def _from_plugin(module: str) -> ArrayLibrary | str:
    """Load the plugin for a library, once per process."""
    library = _from_plugins.get(module)
    if library is None:
        library = _from_plugins[module] = _load(module, candidates(module))
    return library


def _load(module: str, found: list[Plugin]) -> ArrayLibrary | str:
    labels = ", ".join(plugin.label for plugin in found)
    if len(found) > 1:
        return (
            f"Several plugins teach the array library {module!r}: {labels}. Uninstall all but one."
        )
    if module in NOT_TAUGHT:
        return (
            f"The array plugin {labels} must be for a library of arrays; got {module!r}, which is "
            "none. Mend or uninstall it."
        )
    try:
        library = found[0].entry_point.load()()
        problem = _lack(module, library)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # an import may raise SystemExit, a skipped test or a panic
        problem = f"does not load: {shown(error)}"
    if problem is None:
        return library  # type: ignore[no-any-return,unused-ignore]
    return f"The array plugin {labels} {problem}. Mend or uninstall it."


def _lack(module: str, library: Any) -> str | None:
    """Return the requirement that a plugin's library does not meet; None if it meets all."""
    if not isinstance(library, ArrayLibrary):
        fact = f"one that gives an object of type {type(library).__name__}"
        return f"must load a callable that gives an `ArrayLibrary`; got {fact}"
    if library.name != module:
        return f"must call its library {module!r}, as its group does; got {shown(library.name)}"
    return wrong_protocol(library)


def candidates(module: str) -> list[Plugin]:
    """Return the installed plugins registered for this library."""
    return [plugin for plugin in plugins(ARRAYS) if plugin.module == module]
