"""From arrays to compiled loops, and from what they leave to sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...arrays.library import Array
from .. import scalars
from ..task import ENTROPY, INTERSECTION, PREDICTION, Task
from . import soft, team
from .memory import CODES, build_label_loader, build_real_loader
from .plan import View, plan
from .soft import NO_ARRAY, Case

ACTIVATIONS = {None: soft.NONE, "sigmoid": soft.SIGMOID, "softmax": soft.SOFTMAX}
#: Scratch of one thread stays in its cache: so many numbers for the memberships of a block.
BLOCK_NUMBERS, LONGEST_BLOCK, SHORTEST_BLOCK = 2**14, 2048, 64
#: Elements of a chunk, times classes.
CHUNK_NUMBERS = 2**17

REALS = {"float32": np.float32, "float64": np.float64}

_compiled: dict[Any, Any] = {}


def sums(module: str, task: Task, prediction: Array, target: Array, weight: Array | None) -> Array:
    """Return the sums of memberships or logits."""
    exact = task.kind == "exact"
    views, _held = _views(module, task, prediction, target, weight)
    layout = plan(task, task.shapes[0] or (), views)
    classes = task.classes if task.by_class and task.class_axis is not None else 1
    sizes, chunks, parts = _sizes(task, layout, classes)
    out = np.zeros((chunks, classes, 5, 3) if exact else (chunks, classes, 7), dtype=np.int64 if exact else np.float64)
    loop = _loop(soft.build_sums, _case(task), exact)
    _run(loop, sizes, task, layout, views, out, chunks)
    rows = out.reshape(layout.cells, parts, *out.shape[1:]).sum(axis=1)
    rows = np.moveaxis(rows, (2, 3), (0, 1)) if exact else np.moveaxis(rows[..., : task.lead[0]], 2, 0)
    kept = tuple(n for a, n in enumerate(task.shapes[0] or ()) if a not in task.axis and a != task.class_axis)
    tail = (classes,) if task.by_class else ()
    return _back(module, np.ascontiguousarray(rows).reshape(*task.lead, *kept, *tail))


def gradient(module: str, task: Task, prediction: Array, target: Array, weight: Array | None, cotangent: Array) -> Array:
    """Return the prediction's gradient."""
    views, held = _views(module, task, prediction, target, weight)
    out = np.empty_like(prediction) if module == "numpy" else _torch().empty_like(prediction)
    views.append(_view(module, out, task, None, held))
    layout = plan(task, task.shapes[0] or (), views)
    classes = task.classes if task.class_axis is not None else 1
    slopes = np.zeros((layout.cells, classes, 3))
    rows = (INTERSECTION, PREDICTION) if task.entropy is None else (INTERSECTION, PREDICTION, ENTROPY)
    given = np.asarray(cotangent if module == "numpy" else cotangent.detach().numpy())
    for i, r in enumerate(rows):
        slopes[:, :, i] = given[r].reshape(layout.cells, classes)
    sizes, chunks, _ = _sizes(task, layout, classes)
    _run(_loop(soft.build_gradient, _case(task)), sizes, task, layout, views, slopes, chunks)
    return out


def _run(loop: Any, sizes: Any, task: Task, layout: Any, views: list[View], out: Any, chunks: int) -> None:
    place = np.zeros((4, 3), dtype=np.int64)
    place[:, 1] = NO_ARRAY
    for i, view in enumerate(views):
        place[i] = view.address, view.code, view.class_step
    ticket = np.zeros(1, dtype=np.int64)
    kept_steps, steps = (
        np.stack([*strides, *[np.zeros_like(strides[0])] * (4 - len(strides))])
        for strides in (layout.kept_strides, layout.summed_strides)
    )
    loaders = tuple(
        _loop(build, *of).address
        for build, of in ((build_real_loader, (REALS[_case(task).real],)), (build_label_loader, ()))
    )
    power = float(task.entropy or 0)
    arguments = (
        loaders, ticket.ctypes.data, sizes, power, place, layout.kept, kept_steps, layout.summed, steps, out
    )  # fmt: skip
    team.together(loop, arguments, chunks)


def _sizes(task: Task, layout: Any, classes: int) -> tuple[tuple[int, ...], int, int]:
    block = min(max(BLOCK_NUMBERS // classes // 64 * 64, SHORTEST_BLOCK), LONGEST_BLOCK)
    length = max(CHUNK_NUMBERS // classes // block, 1) * block
    parts = math.ceil(layout.elements / length)
    limits = np.iinfo(task.dtypes[1]) if task.ignore_label is not None and task.labels[1] else None
    ignoring = limits is not None and limits.min <= task.ignore_label <= limits.max  # type: ignore[operator]
    ignored = np.uint64(task.ignore_label & (2**64 - 1)).astype(np.int64) if ignoring else 0  # type: ignore[operator]
    chunks = layout.cells * parts
    return (chunks, parts, length, layout.elements, classes, block, int(ignoring), int(ignored)), chunks, parts


def _case(task: Task) -> Case:
    wide = "float64" in task.dtypes[:2]
    entropy = 0 if task.entropy is None else soft.CROSS if task.entropy == 0 else soft.FOCAL
    return Case(
        real="float64" if wide or (task.kind == "exact" and task.dtypes[2] not in (None, "bool", "float32")) else "float32",
        activation=ACTIVATIONS[task.activation],
        labels=task.labels[1],
        form=scalars.FORMS[task.form],
        weighted=task.dtypes[2] is not None or task.ignore_label is not None,
        entropy=entropy,
    )


def _loop(build: Any, *case: Any) -> Any:
    key = build, *case
    if key not in _compiled:
        _compiled[key] = build(*case)
    return _compiled[key]


def _views(
    module: str, task: Task, prediction: Array, target: Array, weight: Array | None
) -> tuple[list[View], list[Array]]:
    held: list[Array] = []
    lacking = task.class_axis if task.labels[1] else None
    views = [_view(module, prediction, task, None, held), _view(module, target, task, lacking, held)]
    if weight is not None:
        views.append(_view(module, weight, task, lacking, held))
    else:
        views.append(View(0, NO_ARRAY, (0,) * len(task.shapes[0] or ()), 0))
    return views, held


def _view(module: str, array: Array, task: Task, lacking: int | None, held: list[Array]) -> View:
    """Look at an array; what must stay alive goes into `held`."""
    if module == "numpy":
        if not (array.flags.aligned and array.dtype.isnative):
            array = array.astype(array.dtype.newbyteorder("="))
        address, strides, code = array.__array_interface__["data"][0], array.strides, array.dtype.name
    else:
        array = array.detach()
        size = array.element_size()
        address, strides = array.data_ptr(), tuple(s * size for s in array.stride())
        code = str(array.dtype).rpartition(".")[2]
    held.append(array)
    steps = [0 if n == 1 else s for n, s in zip(array.shape, strides, strict=True)]
    if lacking is not None:
        steps.insert(lacking, 0)
    class_step = 0 if task.class_axis is None else steps[task.class_axis]
    return View(address, CODES.index(code), tuple(steps), class_step)


def _torch() -> Any:
    import torch

    return torch


def _back(module: str, sums: np.ndarray) -> Array:
    return sums if module == "numpy" else _torch().from_numpy(sums)
