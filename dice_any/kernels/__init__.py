"""Select the kernel that computes the sums of an overlap.

`protocol` defines the required and the optional parts of a kernel. The reference is a kernel too,
and all others must reproduce its bits.
"""

from __future__ import annotations

import os
from typing import Any

from ..plugins import MISNAMED, PROTOCOL, forgettable, plugins
from . import reference
from .loading import (
    BUILTIN,
    built_in,
    installed,
    kernel_plugins,
    load,
    load_kernel,
    problem_of,
    registered,
)
from .protocol import Choosy, Differentiating, Keeping, Kernel, Pairing, Tabulating
from .round_trip import RoundTrip
from .task import Task

__all__ = [
    "BUILTIN",
    "PROTOCOL",
    "Choosy",
    "Differentiating",
    "Keeping",
    "Kernel",
    "Pairing",
    "RoundTrip",
    "Tabulating",
    "Task",
    "kernel_plugins",
    "load_kernel",
    "optional_part",
    "problem_of",
    "registered",
    "select",
    "switched_off",
]

#: The environment variable that turns all kernels off when it names the reference.
SWITCH = "DICE_ANY_KERNEL"
#: Number of tasks for which the chosen installed kernel is cached.
MOST_CHOICES = 1024
#: Why a kernel declines whatever it accepts otherwise.
NO_REGIONS = "only the reference adds classes up to regions"


_switch: list[bool] = []
#: task -> the installed kernel that accepts it; None if all decline
_chosen: dict[Task, Any] = forgettable({})


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


def optional_part(kernel: Any, part: str, backend: str | None, default: Any) -> Any:
    """Return an optional part of a kernel, or `default` (the reference's) if it has none.

    A kernel that was asked for by name must have the part.
    """
    if not hasattr(kernel, part) and backend is not None:
        raise ValueError(
            f"`backend` must be able to do the work; {backend!r} has no {part}. "
            "Pass `backend=None` to choose among those that can."
        )
    return getattr(kernel, part, default)


def select(task: Task, backend: str | None, recorded: bool = False) -> Any:
    """Return the kernel for this task: the one asked for, or the first that accepts it.

    While a compiler or automatic differentiation records the call (`recorded`), the reference is
    used, because it consists of operations that can be traced.
    """
    if backend is not None and not isinstance(backend, str):
        raise TypeError(
            f"`backend` must be None or the name of a kernel; got {type(backend).__name__}."
        )
    if backend == reference.name or (backend is None and recorded):
        return reference
    if backend is not None:
        return _asked(task, backend)
    return reference if switched_off() else _choose(task)


def _choose(task: Task) -> Any:
    """Return the first kernel that accepts the task; a faulty kernel raises no error here."""
    if task.regions is not None:
        return reference
    if installed(task.library):
        taken = _choose_installed(task)
        if taken is not None:
            return taken
    for plugin in built_in(task.library):
        kernel = load(plugin).chosen
        if kernel is None:
            continue  # `backends()` says why
        worthwhile = getattr(kernel, "worthwhile", None)
        if (worthwhile is None or worthwhile(task) is True) and kernel.accepts(task) is True:
            return kernel
    return reference


def _choose_installed(task: Task) -> Any:
    """Return the first installed kernel that accepts a task.

    Kernels look at the task only, so each is asked once per distinct task.
    """
    taken = _chosen.get(task, _chosen)  # `_chosen` itself means: not cached
    if taken is None or (taken is not _chosen and not taken.is_out()):
        return taken
    usable = (load(plugin).chosen for plugin in installed(task.library))
    taken = next((kernel for kernel in usable if kernel is not None and kernel.takes(task)), None)
    if len(_chosen) >= MOST_CHOICES:
        _chosen.clear()
    _chosen[task] = taken
    return taken


def _asked(task: Task, backend: str) -> Any:
    """Return the kernel with this name, or raise an error that says why it cannot do the work."""
    # built-in kernels come first: their names are reserved
    for plugin in (*built_in(task.library), *installed(task.library)):
        if plugin.name != backend:
            continue
        if switched_off():
            raise ValueError(
                f"`backend` must be None or 'reference' where `{SWITCH}=reference` turns "
                f"kernels off; got {backend!r}. Unset the variable."
            )
        load_kernel(plugin)
        kernel = load(plugin).asked
        answer = kernel.accepts(task) if task.regions is None else NO_REGIONS
        if answer is True:
            return kernel
        raise ValueError(
            f"`backend` must accept the work; {backend!r} declines: {answer}. "
            'Pass `backend=None` to choose among those that accept, or `backend="reference"`.'
        )
    known = ", ".join(
        repr(name)
        for name in [
            "reference",
            *sorted({plugin.name for plugin in registered(task.library)}),
        ]
    )
    elsewhere = [p for p in (*kernel_plugins(), *plugins(MISNAMED)) if p.name == backend]
    where = "".join(f" The kernel {p.label} is installed for {p.module!r}." for p in elsewhere)
    raise LookupError(
        f"`backend` must name a kernel for {task.library} arrays; got {backend!r}. Known here: "
        f"{known}.{where} `dice_any.backends()` lists all of them."
    )
