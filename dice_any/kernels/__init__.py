"""Which kernel answers? The registry of everything that can compute the sums of an overlap.

A kernel is any object with a `name`, ``accepts(task)`` and ``overlap(task, prediction, target, weight)``; optionally
``overlap_vjp``, ``confusion_matrix`` and ``pairwise``. The reference is one of them, and the one the others are held to.
"""

from __future__ import annotations

from typing import Any, Protocol

from ..arrays.library import Array
from ..plugins import KERNELS, Plugin, plugins
from . import reference
from .task import Task

__all__ = ["Kernel", "Task", "load_kernel", "optional_part", "registered", "select"]


class Kernel(Protocol):
    """What a kernel must offer."""

    name: str

    def accepts(self, task: Task) -> bool | str:
        """Return True, or a sentence saying why this task is declined; looks at metadata only."""

    def overlap(self, task: Task, prediction: Array, target: Array, weight: Array | None) -> Array:
        """Return the raw sums, laid out as `Task` says."""


_loaded: dict[str, Any] = {}


def registered(module: str) -> list[Plugin]:
    """Return the kernels for the arrays of this library, in the order they are tried."""
    return [plugin for plugin in plugins(KERNELS) if plugin.module == module]


def load_kernel(plugin: Plugin) -> Any:
    """Return the kernel of a plugin; `LookupError` if it does not load or lacks what a kernel needs."""
    key = f"{plugin.module}:{plugin.label}"
    if key not in _loaded:
        try:
            kernel = plugin.entry_point.load()
            called = getattr(kernel, "name", plugin.name)
            missing = [part for part in ("name", "accepts", "overlap") if not hasattr(kernel, part)]
            problem = f"has no {' and no '.join(missing)}" if missing else None
            problem = problem or (None if called == plugin.name else f"calls itself {called!r}")
        except Exception as error:
            kernel, problem = None, f"does not load: {error!r}"
        if any(other.name == plugin.name and other != plugin for other in registered(plugin.module)):
            problem = "has a name that another installed kernel has too"
        _loaded[key] = LookupError(f"The kernel {plugin.label} {problem}. Mend or uninstall it.") if problem else kernel
    kernel = _loaded[key]
    if isinstance(kernel, LookupError):
        raise kernel
    return kernel


def optional_part(kernel: Any, part: str, backend: str | None, default: Any) -> Any:
    """Return a part that kernels need not have, or the reference's; a kernel asked for by name must have it."""
    if not hasattr(kernel, part) and backend is not None:
        raise ValueError(
            f"`backend` must be able to do the work; {backend!r} has no {part}. "
            "Pass `backend=None` to choose among those that can."
        )
    return getattr(kernel, part, default)


def select(task: Task, backend: str | None, recorded: bool = False) -> Any:
    """Return the kernel for this task: the one asked for, or the first that accepts it.

    While a compiler or an automatic differentiation records the call (`recorded`), the reference is what it can see
    through.
    """
    if backend == reference.name or (backend is None and recorded):
        return reference
    found = registered(task.library)
    if backend is None:
        for plugin in found:
            try:
                kernel = load_kernel(plugin)
            except LookupError:  # reported by `backends()`; it must not break a call that did not ask for it
                continue
            if kernel.accepts(task) is True:
                return kernel
        return reference
    for plugin in found:
        if plugin.name == backend:
            kernel = load_kernel(plugin)
            answer = kernel.accepts(task)
            if answer is True:
                return kernel
            raise ValueError(
                f"`backend` must accept the work; {backend!r} declines: {answer}. "
                'Pass `backend=None` to choose among those that accept, or `backend="reference"`.'
            )
    known = ", ".join(repr(name) for name in ["reference", *sorted({plugin.name for plugin in found})])
    raise LookupError(
        f"`backend` must name a kernel for {task.library} arrays; got {backend!r}. Known here: {known}. "
        "`dice_any.backends()` lists all of them."
    )
