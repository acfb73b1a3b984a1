"""List the backends that can be used here, and those that cannot, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any, Literal

from .arrays import BUILTIN, candidates, library_of, load_library
from .kernels import SWITCH, kernel_plugins, problem_of, reference, switched_off
from .plugins import ARRAYS, MISNAMED, Plugin, plugins, scan_problem, shown

#: common abbreviation of a module -> its name
SHORT = {"np": "numpy", "jnp": "jax", "jaxlib": "jax", "da": "dask", "cp": "cupy", "mx": "mlx"}
#: columns of the table -> the function that computes the text
COLUMNS: dict[str, Callable[[Backend], Any]] = {
    "name": lambda line: line.name,
    "kind": lambda line: line.kind,
    "arrays of": lambda line: line.module,
    "version": lambda line: line.version or "",
    "device": lambda line: line.device or "",
    "exact": lambda line: {True: "yes", False: "no", None: ""}[line.exact],
    "problem": lambda line: line.problem or "",
}


@dataclass(frozen=True)
class Backend:
    """One line of `backends`.

    Attributes
    ----------
    name : str
        Name of the array library, the kernel, or a plugin that cannot be used.
    kind : {"arrays", "kernel"}
    module : str
        Top-level module of the arrays it is for, or several, as in ``"numpy, torch"``; ``"*"`` for
        every library.
    version : str or None
        Version of the array library.
    device : str or None
        Device where new arrays of the library are created.
    exact : bool or None
        Whether soft memberships can be summed exactly. Kernels must give the same bits.
    problem : str or None
        Why it cannot be used; None if it can.
    """

    name: str
    kind: Literal["arrays", "kernel"]
    module: str
    version: str | None = None
    device: str | None = None
    exact: bool | None = None
    problem: str | None = None

    @property
    def usable(self) -> bool:
        """Whether it can be used."""
        return self.problem is None

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules of `module`, one by one."""
        return tuple(self.module.split(", "))


class Backends(list[Backend]):
    """A list of backends that is displayed as a table."""

    def __repr__(self) -> str:
        rows = [list(COLUMNS), *([str(text(line)) for text in COLUMNS.values()] for line in self)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )


def backends() -> list[Backend]:
    """List every known array library and kernel, with the reason if it cannot be used.

    This imports all installed libraries, so it takes seconds; nothing else in the package does so.

    Returns
    -------
    list of Backend
        Array libraries first (built in, then from plugins), then kernels, then unusable plugins. It
        is displayed as a table.

    Examples
    --------
    >>> from dice_any import backends
    >>> [backend.name for backend in backends() if backend.kind == "kernel"][0]
    'reference'
    """
    built_in = [module for module in BUILTIN if module != "jaxlib"]
    taught = sorted({plugin.module for plugin in plugins(ARRAYS)} - set(BUILTIN))
    found = [_array_library(module) for module in (*built_in, *taught)]
    found += [_hidden(plugin) for plugin in plugins(ARRAYS) if plugin.module in BUILTIN]
    return Backends([*found, *_kernels(), *_unreachable()])


def _array_library(module: str) -> Backend:
    line = Backend(module, "arrays", module)
    labels = ", ".join(plugin.label for plugin in candidates(module))
    if not _is_installed(module):
        of = f"; the array plugin {labels} is for it" if labels and module not in BUILTIN else ""
        return replace(line, problem=f"is not installed{of}")
    try:
        library = load_library(module)
        with library.precision():
            zeros = library.xp.zeros(1)
            exact = bool(library.has_float64(zeros))
            problem = None if module in BUILTIN else _not_found(module, library, zeros, labels)
        version, device = str(library.version), str(library.default_device())
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if isinstance(error, LookupError) and str(error):
            return replace(line, problem=str(error))
        problem = shown(error) if not labels else f"The array plugin {labels}: {shown(error)}"
        return replace(line, problem=problem)
    return Backend(module, "arrays", module, version, device, exact, problem)


def _not_found(module: str, library: Any, zeros: Any, labels: str) -> str | None:
    """Return why a plugin's library is not found from its own arrays; None if it is."""
    try:
        other = library_of(zeros)
    except LookupError:
        other = None
    if other is library:
        return None
    modules = [base.__module__.partition(".")[0] for base in type(zeros).__mro__]
    if module in modules:
        name = "another library" if other is None else other.name
        return (
            f"The array plugin {labels} is not used: its arrays are arrays of {name} too, which is "
            "built in. Make them a class of their own"
        )
    if other is not None and (other.name in BUILTIN or candidates(other.name)):
        return None  # its results are arrays of another library
    return (
        f"The array plugin {labels} is not found from its arrays, which are of {modules[0]!r}. "
        f"Name its group `{ARRAYS}{modules[0]}`"
    )


def _hidden(plugin: Plugin) -> Backend:
    problem = f"is built in; the plugin {plugin.label} is not used"
    return Backend(
        plugin.name,
        "arrays",
        plugin.module,
        problem=f"The array library {plugin.module!r} {problem}",
    )


def _kernels() -> list[Backend]:
    lines = [Backend(reference.name, "kernel", "*", exact=True)]
    for plugin in kernel_plugins():
        problem = _switch_problem() or problem_of(plugin) or _no_arrays(plugin)
        line = Backend(plugin.name, "kernel", plugin.module, exact=True, problem=problem)
        same = [
            i
            for i, other in enumerate(lines)
            if replace(other, module=line.module) == line and line.module not in other.modules
        ]
        if same:  # one kernel for the arrays of several libraries
            other = lines[same[0]]
            lines[same[0]] = replace(other, module=f"{other.module}, {line.module}")
        else:
            lines.append(line)
    return lines


def _switch_problem() -> str | None:
    try:
        return f"is turned off by {SWITCH}=reference" if switched_off() else None
    except ValueError as error:
        return str(error)


def _no_arrays(plugin: Plugin) -> str | None:
    """Return a problem if no arrays of a kernel's library can exist here; else None."""
    module = plugin.module
    if module in BUILTIN and module != "jaxlib":
        return None
    known = [*BUILTIN, *(other.module for other in plugins(ARRAYS))]
    if module not in SHORT and (module in known or _is_installed(module)):
        return None
    top = module.partition(".")[0]
    near = SHORT.get(top) or next(iter(get_close_matches(top, known, 1)), None)
    cure = f" Did you mean `dice_any.kernels.{near}`?" if near else " Mend or uninstall it."
    return (
        f"The kernel {plugin.label} is for arrays of {module!r}, a library that is not here.{cure}"
    )


def _unreachable() -> list[Backend]:
    """Return lines about entry points in misnamed groups, and about a failed scan."""
    lines = []
    for plugin in plugins(MISNAMED):
        parts = plugin.module.split(".")
        seam = next(
            iter(get_close_matches((*parts, "")[1], ("kernels", "arrays"), 1, 0.5)), "arrays"
        )
        kind: Literal["arrays", "kernel"] = "kernel" if seam == "kernels" else "arrays"
        rest = parts[2] if len(parts) > 2 else "<module>"
        problem = (
            f"The plugin {plugin.label} is in the group {plugin.module!r}, which is never "
            f"searched. Did you mean `dice_any.{seam}.{rest}`?"
        )
        lines.append(Backend(plugin.name, kind, plugin.module, problem=problem))
    if scan_problem() is not None:
        lines.append(Backend("plugins", "kernel", "*", problem=scan_problem()))
    return lines


def _is_installed(module: str) -> bool:
    """Tell whether a top-level module can be imported."""
    try:
        return bool(module) and "." not in module and find_spec(module) is not None
    except (ImportError, ValueError):
        return False
