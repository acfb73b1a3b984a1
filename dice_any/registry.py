"""What can answer a call here, and what cannot, and why."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from .arrays import BUILTIN, candidates, load_library
from .kernels import SWITCH, kernel_plugins, load_kernel, reference, switched_off
from .plugins import ARRAYS, plugins


@dataclass(frozen=True)
class Backend:
    """One line of `backends`.

    Attributes
    ----------
    name : str
        Of the array library, or of the kernel.
    kind : {"arrays", "kernel"}
    module : str
        Top-level module of the arrays it is for; ``"*"`` for every library's.
    version : str or None
        Of the array library.
    device : str or None
        Where new arrays of the library land.
    exact : bool or None
        Whether soft memberships can be summed exactly there. Kernels are held to the same bits.
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


def backends() -> list[Backend]:
    """List every array library and kernel known here, and why those that cannot be used cannot.

    Libraries that are installed are imported to find out, so this takes seconds; nothing else in
    the package does so.

    Returns
    -------
    list of Backend
        Array libraries first (built in, then from plugins), then kernels.

    Examples
    --------
    >>> from dice_any import backends
    >>> [backend.name for backend in backends() if backend.kind == "kernel"][0]
    'reference'
    """
    modules = [module for module in BUILTIN if module != "jaxlib"]
    modules += sorted({plugin.module for plugin in plugins(ARRAYS)} - set(modules))
    return [*(_array_library(module) for module in modules), *_kernels()]


def _array_library(module: str) -> Backend:
    if find_spec(module) is None:
        return Backend(module, "arrays", module, problem="is not installed")
    try:
        library = load_library(module)
        device = library.default_device()
    except Exception as error:
        return Backend(module, "arrays", module, problem=str(error) or repr(error))
    problem = None
    if module in BUILTIN and candidates(module):
        labels = ", ".join(plugin.label for plugin in candidates(module))
        problem = f"is built in; the plugin {labels} is not used"
    with library.precision():
        exact = library.has_float64(library.xp.zeros(1))
    return Backend(module, "arrays", module, library.version, device, exact, problem)


def _kernels() -> list[Backend]:
    found = [Backend(reference.name, "kernel", "*", exact=True)]
    for plugin in kernel_plugins():
        try:
            kernel = load_kernel(plugin)
            problem = kernel.problem() if hasattr(kernel, "problem") else None
        except LookupError as error:
            problem = str(error)
        if switched_off():
            problem = f"is turned off by {SWITCH}=reference"
        found.append(Backend(plugin.name, "kernel", plugin.module, exact=True, problem=problem))
    return found
