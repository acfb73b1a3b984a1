"""Call compiled loops on arrays, and turn their output into sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...arrays.library import Array
from .. import scalars
from ..plan import Plan, View, ignored, plan
from ..task import ENTROPY, INTERSECTION, PREDICTION, ROWS, Task
from . import blocks, hard, team
from .blocks import Case
from .exact_gradient import build_exact_gradient
from .gradient import build_gradient
from .hosts import host_of
from .loops import loop as _loop
from .loops import named
from .memory import CODES, NO_ARRAY, build_label_loader, build_real_loader
from .sums import build_sums

ACTIVATIONS = {None: blocks.NONE, "sigmoid": blocks.SIGMOID, "softmax": blocks.SOFTMAX}
REALS = {"float32": np.float32, "float64": np.float64}
#: Numbers per block, so that the scratch memory of one thread stays in its cache; and elements per
#: block of a softmax, which passes over its block many times and must fit in the nearest cache.
LONGEST_BLOCK, SHORTEST_BLOCK = 2048, 64
SOFTMAX_BLOCK, EXACT_SOFTMAX_BLOCK = 192, 384
BLOCK_NUMBERS, LABEL_BLOCK, MASK_BLOCK = 2**14, 2**14, 2**16
#: Numbers per chunk: enough to be worth claiming.
CHUNK_NUMBERS, LABEL_CHUNK, MASK_CHUNK = 2**17, 2**19, 2**20
#: Pairs of words that a thread counts before Python can handle signals.
PAIR_ROUND = 2**28


# -- memberships and logits ------------------------------------------------------------------------


def sums(
    task: Task, prediction: Array, target: Array, weight: Array | None, kept: Array | None = None
) -> Array:
    """Return the sums of memberships or logits; fill `kept` with the memberships."""
    exact = task.kind == "exact"
    arrays = [prediction, target, weight] if kept is None else [prediction, target, weight, kept]
    work = _Work(task, arrays, _block(task), CHUNK_NUMBERS)
    out = work.zeros((ROWS, 3) if exact else (ROWS + 2,), np.int64 if exact else np.float64)
    case = _case(task)
    dtype = None if kept is None else task.dtypes[0]
    loop = _loop(build_sums, case, exact, dtype)
    work.run(loop, _loaders(case.real, case.labels), float(task.entropy or 0), out)
    return work.answer(out, task.leading_shape)


def room_to_keep(task: Task, prediction: Array) -> Array | None:
    """Return an array for memberships that become the gradient; None if they would not help or
    not fit.
    """
    host, exact = host_of(task.library), task.kind == "exact"
    useful = (
        task.entropy is None and not exact
        if task.activation == "sigmoid"
        else task.activation == "softmax" and not task.entropy
    )
    # exact memberships are rounded to float32 beside float32 logits, whether they are kept or not
    fit = task.dtypes[0] in REALS if exact else task.dtypes[0] == _case(task).real
    return host.empty_like(prediction) if useful and fit and host.is_native(prediction) else None


def gradient(
    task: Task,
    prediction: Array,
    target: Array,
    weight: Array | None,
    cotangent: Array,
    over: bool = False,
) -> Array:
    """Return the prediction's gradient; with `over`, it overwrites the kept memberships."""
    host = host_of(task.library)
    out = prediction if over else host.empty_like(prediction)
    work = _Work(task, [prediction, target, weight, out], _block(task), CHUNK_NUMBERS)
    slopes = np.zeros((work.plan.cells, work.classes, 3))
    rows = (
        (INTERSECTION, PREDICTION) if task.entropy is None else (INTERSECTION, PREDICTION, ENTROPY)
    )
    given = host.as_numpy(cotangent)
    for i, r in enumerate(rows):
        slopes[:, :, i] = given[r].reshape(work.plan.cells, work.classes)
    exact = task.kind == "exact"
    case = _case(task, wide=exact and task.activation is None)
    work.run(
        _loop(build_exact_gradient if exact else build_gradient, case, over),
        _loaders(case.real, case.labels),
        float(task.entropy or 0),
        slopes,
    )
    return host.with_dtype_of(out, prediction)


def _block(task: Task) -> int:
    if task.activation == "softmax":
        return EXACT_SOFTMAX_BLOCK if task.kind == "exact" else SOFTMAX_BLOCK
    classes = task.classes if task.class_axis is not None else 1
    return min(max(BLOCK_NUMBERS // classes // 64 * 64, SHORTEST_BLOCK), LONGEST_BLOCK)


def _case(task: Task, wide: bool = False) -> Case:
    """Return the compile-time constants; float32 numbers of exact sums are widened singly."""
    wide = wide or "float64" in task.dtypes[:2]
    if task.kind == "exact":
        # logits become float64 memberships, of the type that those beside them must have
        beside_logits = task.activation is not None and not task.labels[1]
        wide = wide or beside_logits or task.dtypes[2] not in (None, "bool", "float32")
    return Case(
        real="float64" if wide else "float32",
        activation=ACTIVATIONS[task.activation],
        labels=task.labels[1],
        form=scalars.FORMS[task.form],
        weighted=task.dtypes[2] is not None or task.ignore_label is not None,
        entropy=0 if task.entropy is None else blocks.CROSS if task.entropy == 0 else blocks.FOCAL,
    )


# -- masks and label maps --------------------------------------------------------------------------


def counts(task: Task, prediction: Array, target: Array, weight: Array | None) -> Array:
    """Return the counts of masks or label maps."""
    weighted = weight is not None
    if not any(task.labels):
        work = _Work(
            task, [prediction, target, weight], MASK_BLOCK, MASK_CHUNK, class_is_counted=True
        )
        out = work.zeros((ROWS,), np.int64)
        work.run(_loop(hard.build_masks, weighted), (0, 0), out)
        return work.answer(out, task.leading_shape)
    work = _Work(task, [prediction, target, weight], *_label_block(task))
    out = work.zeros((ROWS,), np.int64)
    work.run(
        _loop(hard.build_labels, _scores(task), weighted, False), _loaders(_scores(task), True), out
    )
    return work.answer(out, task.leading_shape)


def label_pairs(task: Task, prediction: Array, target: Array, weight: Array | None) -> Array:
    """Return the joint counts of two label maps, (*counts, C + 1, C + 1).

    The last row and column count invalid labels.
    """
    side = task.classes + 1
    work = _Work(task, [prediction, target, weight], LABEL_BLOCK, max(LABEL_CHUNK, 16 * side**2))
    out = np.zeros(
        (work.chunks, side + 1, side), dtype=np.int64
    )  # one more row for ignored elements
    work.run(_loop(hard.build_labels, None, weight is not None, True), _loaders(None, True), out)
    joint = out.reshape(work.plan.cells, work.parts, side + 1, side).sum(axis=1)[:, :side]
    joint = np.ascontiguousarray(joint).reshape(*work.counts, side, side)
    return work.host.from_numpy(joint)


def bit_pairs(task: Task, X: Array, Y: Array) -> Array:  # noqa: N803
    """Return the counts of every pair of rows of two boolean matrices."""
    host = host_of(task.library)
    rows = [host.as_numpy(array) for array in (X, Y)]
    length = rows[0].shape[1]
    packed = []
    for array in rows:
        words = np.zeros((len(array), -(-length // 64) * 8), dtype=np.uint8)
        words[:, : -(-length // 8)] = np.packbits(array, axis=1)
        packed.append(words.view(np.uint64))
    sizes = [np.count_nonzero(array, axis=1).astype(np.int64) for array in rows]
    out = np.empty((ROWS, len(rows[0]), len(rows[1])), dtype=np.int64)

    loop: Any = named(hard.count_pairs, "hard.count_pairs")

    def share(ticket: int, stop: int) -> None:
        loop(ticket, stop, *packed, *sizes, length, out)

    numbers = max(packed[1].size, 1)  # numbers that each row is counted against
    team.together(share, len(rows[0]), each=max(team.ROUND, PAIR_ROUND // numbers))
    return host.from_numpy(out)


def _scores(task: Task) -> str | None:
    if task.activation != "argmax":
        return None
    return "float64" if task.dtypes[0] == "float64" else "float32"


def _label_block(task: Task) -> tuple[int, int]:
    """Return the lengths of a block and of a chunk; a block is long compared with the histograms
    that it fills.
    """
    return max(LABEL_BLOCK, 4 * task.classes), max(LABEL_CHUNK, 16 * task.classes)


# -- shared by all ---------------------------------------------------------------------------------


class _Work:
    """One call: its arrays, their layout, and the chunks of the work.

    Chunks depend on shapes only and their sums are added in order, so the number of threads does
    not change a bit.
    """

    def __init__(
        self,
        task: Task,
        arrays: list[Array | None],
        block: int,
        chunk: int,
        class_is_counted: bool = False,
    ) -> None:
        shape = task.shapes[0] or ()
        by_class = task.class_axis is not None and not class_is_counted
        self.task = task
        self.host = host_of(task.library)
        self.classes = task.classes if by_class or all(task.labels) else 1
        self.counts = tuple(
            n for a, n in enumerate(shape) if a not in task.axis and a != task.class_axis
        )
        self.held: list[Array] = []  # keeps memory alive while compiled code may read it
        lacking = task.class_axis if task.labels[1] else None
        lacks = (None, lacking, lacking, None)
        self.views = [self._view(array, lack) for array, lack in zip(arrays, lacks, strict=False)]
        self.plan = plan(task, shape, self.views, class_is_counted)
        length = max(chunk // (self.classes if by_class else 1) // block, 1) * block
        self.parts = math.ceil(self.plan.elements / length)
        self.chunks = self.plan.cells * self.parts
        self.sizes = (self.parts, length, self.plan.elements, self.classes, block, *ignored(task))

    def zeros(self, rows: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return zeros for the sums of each chunk."""
        return np.zeros((self.chunks, self.classes, *rows), dtype=dtype)

    def run(self, loop: Any, loaders: tuple[int, int], *rest: Any) -> None:
        """Call a loop on all chunks; the last of `rest` is `out`."""
        place = np.array([view[:2] + view[3:] for view in self.views], dtype=np.int64)
        *numbers, out = rest
        layout: Plan = self.plan
        arguments = (*numbers, place, *layout, out)

        def share(ticket: int, stop: int) -> None:  # closes over `self`: keeps arrays alive
            loop(loaders, ticket, (stop, *self.sizes), *arguments)

        team.together(share, self.chunks)

    def answer(self, out: np.ndarray, leading: tuple[int, ...]) -> Array:
        """Add the chunks of each cell, and move the rows to the front."""
        rows = out.reshape(self.plan.cells, self.parts, *out.shape[1:]).sum(axis=1)
        rows = np.moveaxis(
            rows.reshape(*rows.shape[:2], *out.shape[2:]), range(2, rows.ndim), range(rows.ndim - 2)
        )
        shape = (*leading, *self.counts, *self.task.trailing_shape)
        rows = np.ascontiguousarray(rows[: leading[0]]).reshape(shape)
        return self.host.from_numpy(rows)

    def _view(self, array: Array | None, lacking: int | None) -> View:
        if array is None:
            return View(0, NO_ARRAY, (0,) * len(self.task.shapes[0] or ()), 0)
        array, address, strides, name = self.host.locate(array)
        self.held.append(array)
        steps = [0 if n == 1 else s for n, s in zip(array.shape, strides, strict=True)]
        if lacking is not None:
            steps.insert(lacking, 0)
        class_axis = self.task.class_axis
        return View(
            address, CODES.index(name), tuple(steps), 0 if class_axis is None else steps[class_axis]
        )


def _loaders(real: str | None, labels: bool) -> tuple[int, int]:
    """Return the addresses of the loaders of numbers and of labels.

    An address is 0 if the task has none of these, so that the loader is not compiled.
    """
    return (
        0 if real is None else _loop(build_real_loader, REALS[real]).address,
        _loop(build_label_loader).address if labels else 0,
    )
