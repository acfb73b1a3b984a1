"""Launch kernels on arrays. Nothing waits for the device: returned arrays are still being
computed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import cuda

from ...arrays.library import Array
from .. import scalars
from ..plan import Plan, View, ignored, plan
from ..task import ROWS, Task
from . import labels
from .elements import CROSS, FOCAL, MASK, NO_WEIGHT, NONE, NUMBERS, SIGMOID, SOFTMAX, Case
from .gradient import build_gradient
from .memory import Flat
from .sums import build_fold, build_sums, rows

ACTIVATIONS = {None: NONE, "sigmoid": SIGMOID, "softmax": SOFTMAX}
THREADS, EACH = 256, 16
#: With fewer blocks Numba warns of an idle device; more than fit the device at once take turns.
FEWEST_BLOCKS, MOST_BLOCKS = 128, 2**14
#: int32 numbers in the shared memory of a block: every device allows this many by default.
BLOCK_BINS = 48 * 1024 // 4

_compiled: dict[Any, Any] = {}


def available() -> bool:
    """Tell whether there is a device; a simulated one holds no arrays of these libraries."""
    return bool(cuda.is_available())


def sums(memory: Any, task: Task, prediction: Array, target: Array, weight: Array | None) -> Array:
    """Return the sums of masks, memberships or logits."""
    case = _case(task)
    places = rows(case)
    with memory.on(prediction) as stream:
        work = _Work(memory, task, [prediction, target, weight], THREADS * EACH)
        kind = "float64" if task.kind == "plain" else "int64"
        out = memory.zeros(
            (math.prod(task.leading_shape), work.cells, work.classes), kind, prediction
        )
        partials = memory.empty(
            (work.cells * work.classes * len(places) * work.parts,), kind, prediction
        )
        stretch = memory.flat(partials, written=True).stretch
        kernel = _built(build_sums, case)
        kernel[_blocks(work.tiles), THREADS, stream](
            *work.arguments, float(task.entropy or 0), stretch
        )
        numbers = work.cells * work.classes * len(places)
        kernel = _built(build_fold, getattr(np, kind), THREADS)
        kernel[_blocks(numbers), THREADS, stream](
            memory.flat(partials).stretch,
            work.sizes,
            places,
            memory.flat(out.reshape(-1), written=True).stretch,
        )
    return out.reshape((*task.leading_shape, *work.counts, *task.trailing_shape))


def gradient(
    memory: Any,
    task: Task,
    prediction: Array,
    target: Array,
    weight: Array | None,
    cotangent: Array,
) -> Array:
    """Return the prediction's gradient."""
    case = _case(task)
    with memory.on(prediction) as stream:
        out = memory.empty_like(prediction)
        work = _Work(memory, task, [prediction, target, weight, out], THREADS)
        slopes = memory.flat(memory.contiguous(cotangent).reshape(-1)).stretch
        kernel = _built(build_gradient, case)
        blocks = _blocks(-(-work.cells * work.elements // THREADS))
        kernel[blocks, THREADS, stream](
            *work.arguments, float(task.entropy or 0), slopes, work.flats[3].stretch
        )
    return out


def label_counts(
    memory: Any, task: Task, prediction: Array, target: Array, weight: Array | None
) -> Array:
    """Return the counts of two label maps."""
    with memory.on(prediction) as stream:
        return _count(memory, task, prediction, target, weight, stream, pairs=False)


def label_pairs(
    memory: Any, task: Task, prediction: Array, target: Array, weight: Array | None
) -> Array:
    """Return the joint counts of two label maps, (*counts, C + 1, C + 1).

    The last row and column count invalid labels.
    """
    with memory.on(prediction) as stream:
        return _count(memory, task, prediction, target, weight, stream, pairs=True)


def _count(
    memory: Any,
    task: Task,
    prediction: Array,
    target: Array,
    weight: Array | None,
    stream: Any,
    pairs: bool,
) -> Array:
    classes, side = task.classes, task.classes + 1
    bins = side**2 if pairs else 3 * classes + 3
    in_block = bins <= BLOCK_BINS
    # a tile is long compared with the bins that are cleared and added for it
    each = EACH * max(1, -(-bins // (THREADS * EACH))) if in_block else EACH
    work = _Work(memory, task, [prediction, target, weight], THREADS * each)
    out = memory.zeros(
        (*work.counts, side, side) if pairs else (ROWS, *work.counts, classes), "int64", prediction
    )
    stretch = memory.flat(out.reshape(-1), written=True).stretch
    scores = task.activation == "argmax"
    kernel = _built(
        labels.build_labels, pairs, in_block, work.dtypes, scores, weight is not None, each
    )
    kernel[_blocks(work.tiles), THREADS, stream, 4 * bins if in_block else 0](
        *work.arguments, stretch
    )
    if not pairs:
        labels.spread[_blocks(-(-3 * work.cells // THREADS)), THREADS, stream](work.sizes, stretch)
    return out


def _case(task: Task) -> Case:
    numbers = task.dtypes[2] not in (None, "bool")
    return Case(
        kind=task.kind,
        real="float64" if task.kind == "exact" or "float64" in task.dtypes[:2] else "float32",
        dtypes=_dtypes(task),
        activation=ACTIVATIONS[task.activation],
        labels=task.labels[1],
        form=scalars.FORMS[task.form],
        weighted=NUMBERS if numbers else MASK if task.dtypes[2] else NO_WEIGHT,
        entropy=0 if task.entropy is None else CROSS if task.entropy == 0 else FOCAL,
        threads=THREADS,
        each=EACH,
    )


def _dtypes(task: Task) -> tuple[str, str, str]:
    prediction, target, weight = (dtype or "bool" for dtype in task.dtypes)
    return prediction, target, weight


def _blocks(wanted: int) -> int:
    return max(FEWEST_BLOCKS, min(wanted, MOST_BLOCKS))


def _built(build: Any, *case: Any) -> Any:
    key = build, *case
    if key not in _compiled:
        _compiled[key] = build(*case)
    return _compiled[key]


class _Work:
    """One call: its arrays, their layout, and the tiles of the work, which depend on shapes
    only.
    """

    def __init__(self, memory: Any, task: Task, arrays: list[Array | None], tile: int) -> None:
        shape = task.shapes[0] or ()
        self.classes = task.classes if task.by_class else 1
        self.dtypes = _dtypes(task)
        self.counts = tuple(
            n for a, n in enumerate(shape) if a not in task.axis and a != task.class_axis
        )
        lacking = task.class_axis if task.labels[1] else None
        lacks = (None, lacking, lacking, None)
        # the prediction stands in for an array that is not given; nothing reads it then
        self.flats: list[Flat] = [
            memory.flat(arrays[0] if a is None else a, written=k == 3) for k, a in enumerate(arrays)
        ]
        views = [_view(task, *given) for given in zip(arrays, self.flats, lacks, strict=False)]
        layout: Plan = plan(task, shape, views)
        self.cells, self.elements = layout.cells, layout.elements
        self.parts = -(-self.elements // tile)
        self.tiles = self.cells * self.parts
        self.sizes = (self.cells, self.parts, self.elements, self.classes)
        self.arguments = (
            *(flat.stretch for flat in self.flats[:3]),
            tuple(flat.start for flat in self.flats),
            tuple(view.class_step for view in views),
            *_numbers(layout),
            self.sizes,
            ignored(task),
        )


def _view(task: Task, array: Array | None, flat: Flat, lacking: int | None) -> View:
    """Return the strides along the prediction's axes; 0 where the array is broadcast or lacks the
    axis.
    """
    if array is None:
        return View(0, 0, (0,) * len(task.shapes[0] or ()), 0)
    steps = [0 if n == 1 else s for n, s in zip(array.shape, flat.steps, strict=True)]
    if lacking is not None:
        steps.insert(lacking, 0)
    return View(0, 0, tuple(steps), 0 if task.class_axis is None else steps[task.class_axis])


def _numbers(layout: Plan) -> tuple[Any, ...]:
    lengths, cell_steps, summed, steps = (array.tolist() for array in layout)
    return tuple(lengths), tuple(map(tuple, cell_steps)), tuple(summed), tuple(map(tuple, steps))
