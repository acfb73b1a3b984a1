"""From the plugins that are listed to kernels that can be asked, and what is wrong with the
others.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from ..plugins import KERNELS, Plugin, forgettable, plugins, shown, wrong_protocol
from . import reference
from .guarded import Guarded

#: What a kernel must have, and what one that keeps something between the sums and the gradient must
#: have besides.
NEEDED, NEEDED_TO_KEEP = (
    ("name", "accepts", "overlap"),
    ("overlap_keeping", "overlap_vjp_over", "overlap_vjp"),
)


class _BuiltIn:
    """The kernels that come with the package are listed here, as entry points would list them."""

    def __init__(self, name: str, module: str) -> None:
        self.name, self.module = name, module

    def load(self) -> Any:
        # light: Numba itself is imported when an array is worth it
        return import_module(f".{self.name}", __package__).load(self.module)


BUILTIN = [
    Plugin(module, name, "dice_any", _BuiltIn(name, module))
    for module, name in (
        ("numpy", "numba"),
        ("torch", "numba"),
        ("cupy", "cuda"),
        ("torch", "cuda"),
    )
]
_BUILT_IN = {
    module: [plugin for plugin in BUILTIN if plugin.module == module]
    for module in {plugin.module for plugin in BUILTIN}
}
#: Names that are ours on every library, so that what they mean is the same everywhere.
TAKEN = {reference.name, *(plugin.name for plugin in BUILTIN)}


class Loaded(NamedTuple):
    """What came of loading a plugin: a kernel as it is, how it is asked, and what is wrong with it.

    A problem is kept as a sentence. An exception that is raised again hangs every frame that it
    passes on its traceback, and with the frames the arrays of every caller.
    """

    kernel: Any
    problem: str | None
    chosen: Any = None  # for who leaves the choice to us
    asked: Any = None  # for who asks for it by name
    faults: list[str] = []


_loaded: dict[tuple[str, str, str], Loaded] = forgettable({})
_installed: dict[str, list[Plugin]] = forgettable({})


def kernel_plugins() -> list[Plugin]:
    """Return all kernels but the reference: the installed ones, then those that come with the
    package.
    """
    return [*plugins(KERNELS), *BUILTIN]


def installed(module: str) -> list[Plugin]:
    """Return the installed kernels for the arrays of this library, in the order they are tried."""
    found = _installed.get(module)
    if found is None:
        found = _installed[module] = [p for p in plugins(KERNELS) if p.module == module]
    return found


def built_in(module: str) -> list[Plugin]:
    """Return the kernels for the arrays of this library that come with the package."""
    return _BUILT_IN.get(module, [])


def registered(module: str) -> list[Plugin]:
    """Return the kernels for the arrays of this library, in the order they are tried."""
    return [*installed(module), *built_in(module)]


def load_kernel(plugin: Plugin) -> Any:
    """Return the kernel of a plugin; `LookupError` if it does not load or lacks what a kernel
    needs.
    """
    loaded = load(plugin)
    if loaded.problem is not None:
        raise LookupError(loaded.problem)
    return loaded.kernel


def load(plugin: Plugin) -> Loaded:
    """Load a plugin, once in a process."""
    key = plugin.module, plugin.name, plugin.distribution
    loaded = _loaded.get(key)
    if loaded is None:
        loaded = _loaded[key] = _load(plugin)
    return loaded


def problem_of(plugin: Plugin) -> str | None:
    """Say why a kernel cannot be used, or what was found to be wrong with it; None if nothing."""
    loaded = load(plugin)
    if loaded.problem is not None or loaded.faults:
        return loaded.problem or loaded.faults[0]
    try:
        problem = loaded.kernel.problem() if hasattr(loaded.kernel, "problem") else None
        return None if problem is None else str(problem)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return f"The kernel {plugin.label} cannot tell whether it can be used: {shown(error)}."


def _load(plugin: Plugin) -> Loaded:
    if plugin in BUILTIN:
        try:
            kernel = plugin.entry_point.load()
        except ModuleNotFoundError as error:  # which says what to install
            return Loaded(None, str(error))
        return Loaded(kernel, None, kernel, kernel)
    problem, label = _clash(plugin), plugin.label
    if problem is None:
        try:
            kernel = plugin.entry_point.load()
            problem = _lack(plugin, kernel)
            if problem is None:
                faults: list[str] = []
                chosen, asked = (
                    Guarded(kernel, label, by_name, faults) for by_name in (False, True)
                )
                return Loaded(kernel, None, chosen, asked, faults)
        except KeyboardInterrupt:
            raise
        except ModuleNotFoundError as error:
            name = shown(error.name or str(error))
            return Loaded(
                None,
                f"The kernel {label} needs {name}, which is not installed. Install it, or "
                f"uninstall {plugin.distribution}.",
            )
        except BaseException as error:  # a module may end in SystemExit, a skipped test or a panic
            problem = f"does not load: {shown(error)}"
    return Loaded(None, f"The kernel {label} {problem}. Mend or uninstall it.")


def _clash(plugin: Plugin) -> str | None:
    """Say whose name a kernel has too."""
    if plugin.name in TAKEN:
        return f"has a name that is taken: {plugin.name!r} is one of this package"
    others = [other for other in installed(plugin.module) if other.name == plugin.name]
    return "has a name that another installed kernel has too" if len(others) > 1 else None


def _lack(plugin: Plugin, kernel: Any) -> str | None:
    """Say what a kernel has not that it must have."""
    if isinstance(kernel, type):
        return "is a class; the entry point must name an instance of it"
    needed = NEEDED + (NEEDED_TO_KEEP if hasattr(kernel, NEEDED_TO_KEEP[0]) else ())
    missing = [part for part in needed if not hasattr(kernel, part)]
    if missing:
        return f"has no {' and no '.join(missing)}"
    if kernel.name != plugin.name:
        return f"calls itself {shown(kernel.name)}"
    return wrong_protocol(kernel)
