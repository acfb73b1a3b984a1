"""Load the listed plugins as kernels, and record why others cannot be used."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NamedTuple

from ..plugins import KERNELS, Plugin, forgettable, plugins, shown, wrong_protocol
from . import reference
from .guarded import Guarded

#: The required parts of a kernel, and the further ones of a kernel that keeps memberships between
#: the forward and the backward pass.
NEEDED, NEEDED_TO_KEEP = (
    ("name", "accepts", "overlap"),
    ("overlap_keeping", "overlap_vjp_over", "overlap_vjp"),
)


class _BuiltIn:
    """An entry point for a kernel of this package, which is not installed as a real one."""

    def __init__(self, name: str, module: str) -> None:
        self.name, self.module = name, module

    def load(self) -> Any:
        # a light import: Numba itself is imported when an array is large enough
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
#: Names reserved on every library, so that they mean the same everywhere.
TAKEN = {reference.name, *(plugin.name for plugin in BUILTIN)}


class Loaded(NamedTuple):
    """The result of loading a plugin: the kernel, two wrappers for it, and what is wrong with it.

    A problem is kept as text. An exception that is raised again would keep every frame of its
    traceback alive, and with the frames the arrays of every caller.
    """

    kernel: Any
    problem: str | None
    chosen: Any = None  # for callers who leave the choice to us
    asked: Any = None  # for callers who ask for it by name
    faults: list[str] = []


_loaded: dict[tuple[str, str, str], Loaded] = forgettable({})
_installed: dict[str, list[Plugin]] = forgettable({})


def kernel_plugins() -> list[Plugin]:
    """Return all kernels but the reference: the installed ones, then the built-in ones."""
    return [*plugins(KERNELS), *BUILTIN]


def installed(module: str) -> list[Plugin]:
    """Return the installed kernels for this library's arrays, in the order they are tried."""
    found = _installed.get(module)
    if found is None:
        found = _installed[module] = [p for p in plugins(KERNELS) if p.module == module]
    return found


def built_in(module: str) -> list[Plugin]:
    """Return the built-in kernels for this library's arrays."""
    return _BUILT_IN.get(module, [])


def registered(module: str) -> list[Plugin]:
    """Return the kernels for the arrays of this library, in the order they are tried."""
    return [*installed(module), *built_in(module)]


def load_kernel(plugin: Plugin) -> Any:
    """Return the kernel of a plugin; `LookupError` if it does not load or lacks a required
    part.
    """
    loaded = load(plugin)
    if loaded.problem is not None:
        raise LookupError(loaded.problem)
    return loaded.kernel


def load(plugin: Plugin) -> Loaded:
    """Load a plugin, once per process."""
    key = plugin.module, plugin.name, plugin.distribution
    loaded = _loaded.get(key)
    if loaded is None:
        loaded = _loaded[key] = _load(plugin)
    return loaded


def problem_of(plugin: Plugin) -> str | None:
    """Return why a kernel cannot be used, or the faults found in it; None if there are none."""
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
        except ModuleNotFoundError as error:  # its message says what to install
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
        except BaseException as error:  # an import may raise SystemExit, a skipped test or a panic
            problem = f"does not load: {shown(error)}"
    return Loaded(None, f"The kernel {label} {problem}. Mend or uninstall it.")


def _clash(plugin: Plugin) -> str | None:
    """Return which other kernel has the same name; None if there is none."""
    if plugin.name in TAKEN:
        return f"has a name that is taken: {plugin.name!r} is one of this package"
    others = [other for other in installed(plugin.module) if other.name == plugin.name]
    return "has a name that another installed kernel has too" if len(others) > 1 else None


def _lack(plugin: Plugin, kernel: Any) -> str | None:
    """Return which required part a kernel lacks; None if it has all."""
    if isinstance(kernel, type):
        return "is a class; the entry point must name an instance of it"
    needed = NEEDED + (NEEDED_TO_KEEP if hasattr(kernel, NEEDED_TO_KEEP[0]) else ())
    missing = [part for part in needed if not hasattr(kernel, part)]
    if missing:
        return f"has no {' and no '.join(missing)}"
    if kernel.name != plugin.name:
        return f"calls itself {shown(kernel.name)}"
    return wrong_protocol(kernel)
