"""Which kernel answers? The registry of everything that can compute the sums of an overlap.

A kernel is any object with a `name`, ``accepts(task)`` and ``overlap(task, prediction, target,
weight)``; optionally ``overlap_vjp``, ``confusion_matrix``, ``pairwise`` and ``worthwhile``. The
reference is one of them, and the one the others are held to.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Protocol

from ..arrays.library import Array
from ..plugins import KERNELS, Plugin, plugins
from . import reference
from .round_trip import RoundTrip
from .task import Task

__all__ = [
    "Kernel",
    "RoundTrip",
    "Task",
    "kernel_plugins",
    "load_kernel",
    "optional_part",
    "registered",
    "select",
    "switched_off",
]

#: What a kernel must have, and what one that keeps something between the sums and the gradient must
#: have besides.
NEEDED, NEEDED_TO_KEEP = (
    ("name", "accepts", "overlap"),
    ("overlap_keeping", "overlap_vjp_over", "overlap_vjp"),
)
#: The environment variable that turns all kernels off when it names the reference.
SWITCH = "DICE_ANY_KERNEL"


class Kernel(Protocol):
    """What a kernel must offer."""

    name: str

    def accepts(self, task: Task) -> bool | str:
        """Return True, or a sentence saying why this task is declined; looks at metadata only."""

    def overlap(self, task: Task, prediction: Array, target: Array, weight: Array | None) -> Array:
        """Return the raw sums, laid out as `Task` says."""

    # and perhaps overlap_vjp(task, prediction, target, weight, cotangent): the prediction's
    # gradient overlap_keeping and overlap_vjp_over: the sums and the gradient of one training step,
    # see `RoundTrip` confusion_matrix(task, prediction, target, weight), pairwise(task, X, Y)
    # worthwhile(task): True, or a sentence saying why not to choose it unasked; comes before
    # `accepts`


class _BuiltIn:
    """The kernels that come with the package are listed here, as entry points would list them."""

    def __init__(self, name: str, module: str) -> None:
        self.name, self.module = name, module

    def load(self) -> Any:
        # light: Numba itself is imported when an array is worth it
        if self.name == "cuda":
            from .cuda import load
        else:
            from .numba import load
        return load(self.module)


BUILTIN = [
    Plugin(module, name, "dice_any", _BuiltIn(name, module))
    for module, name in (
        ("numpy", "numba"),
        ("torch", "numba"),
        ("cupy", "cuda"),
        ("torch", "cuda"),
    )
]

_loaded: dict[tuple[str, str, str], _Loaded] = {}
_switch: list[bool] = []


def kernel_plugins() -> list[Plugin]:
    """Return all kernels but the reference: the installed ones, then those that come with the
    package.
    """
    return [*plugins(KERNELS), *BUILTIN]


def registered(module: str) -> list[Plugin]:
    """Return the kernels for the arrays of this library, in the order they are tried."""
    return [plugin for plugin in kernel_plugins() if plugin.module == module]


def switched_off() -> bool:
    """Tell whether the environment turns kernels off for this process."""
    if not _switch:
        value = os.environ.get(SWITCH, "")
        if value not in ("", reference.name):
            raise ValueError(
                f"`{SWITCH}` must be unset or 'reference', which turns kernels off; got {value!r}. "
                "To ask for one kernel pass `backend=`."
            )
        _switch.append(bool(value))
    return _switch[0]


class _Loaded(NamedTuple):
    """What came of loading a plugin.

    A problem is kept as a sentence. An exception that is raised again hangs every frame that it
    passes on its traceback, and with the frames the arrays of every caller.
    """

    kernel: Any
    problem: str | None


def load_kernel(plugin: Plugin) -> Any:
    """Return the kernel of a plugin; `LookupError` if it does not load or lacks what a kernel
    needs.
    """
    kernel, problem = _load(plugin)
    if problem is not None:
        raise LookupError(problem)
    return kernel


def _load(plugin: Plugin) -> _Loaded:
    """Load a plugin, once in a process."""
    key = plugin.module, plugin.name, plugin.distribution
    loaded = _loaded.get(key)
    if loaded is None:
        kernel, problem = _try_to_load(plugin)
        if any(
            other.name == plugin.name and other != plugin for other in registered(plugin.module)
        ):
            problem = "has a name that another installed kernel has too"
        if problem is not None:
            problem = f"The kernel {plugin.label} {problem}. Mend or uninstall it."
        loaded = _loaded[key] = _Loaded(None if problem else kernel, problem)
    return loaded


def _try_to_load(plugin: Plugin) -> _Loaded:
    try:
        kernel = plugin.entry_point.load()
        called = getattr(kernel, "name", plugin.name)
        needed = NEEDED + (NEEDED_TO_KEEP if hasattr(kernel, NEEDED_TO_KEEP[0]) else ())
        missing = [part for part in needed if not hasattr(kernel, part)]
    except Exception as error:
        return _Loaded(None, f"does not load: {error!r}")
    if missing:
        return _Loaded(kernel, f"has no {' and no '.join(missing)}")
    return _Loaded(kernel, None if called == plugin.name else f"calls itself {called!r}")


def optional_part(kernel: Any, part: str, backend: str | None, default: Any) -> Any:
    """Return a part that kernels need not have, or the reference's; a kernel asked for by name must
    have it.
    """
    if not hasattr(kernel, part) and backend is not None:
        raise ValueError(
            f"`backend` must be able to do the work; {backend!r} has no {part}. "
            "Pass `backend=None` to choose among those that can."
        )
    return getattr(kernel, part, default)


def select(task: Task, backend: str | None, recorded: bool = False) -> Any:
    """Return the kernel for this task: the one asked for, or the first that accepts it.

    While a compiler or an automatic differentiation records the call (`recorded`), the reference is
    what it can see through.
    """
    if backend is not None and not isinstance(backend, str):
        raise TypeError(
            f"`backend` must be None or the name of a kernel; got {type(backend).__name__}."
        )
    if backend == reference.name or (backend is None and recorded):
        return reference
    if backend is None and switched_off():
        return reference
    found = registered(task.library)
    if backend is None:
        for plugin in found:
            kernel, problem = _load(plugin)
            if problem is not None:
                continue  # `backends()` says it; who did not ask for the kernel is not stopped
            worthwhile = getattr(kernel, "worthwhile", None)
            if (worthwhile is None or worthwhile(task) is True) and kernel.accepts(task) is True:
                return kernel
        return reference
    for plugin in found:
        if plugin.name == backend:
            if switched_off():
                raise ValueError(
                    f"`backend` must be None or 'reference' where `{SWITCH}=reference` turns "
                    f"kernels off; got {backend!r}. Unset the variable."
                )
            kernel = load_kernel(plugin)
            answer = kernel.accepts(task)
            if answer is True:
                return kernel
            raise ValueError(
                f"`backend` must accept the work; {backend!r} declines: {answer}. "
                'Pass `backend=None` to choose among those that accept, or `backend="reference"`.'
            )
    known = ", ".join(
        repr(name) for name in ["reference", *sorted({plugin.name for plugin in found})]
    )
    raise LookupError(
        f"`backend` must name a kernel for {task.library} arrays; got {backend!r}. Known here: "
        f"{known}. `dice_any.backends()` lists all of them."
    )
