"""Compile ahead of the first call, by doing each kind of work once on a few numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..task import ROWS, Kind, Task
from . import run
from .loops import places

__all__ = ["WORKS", "places", "steps"]

SHAPE = (2, 3, 8)
LABELS = (2, 8)
#: A name for messages, and the function that triggers the compilation.
Step = tuple[str, Callable[[], Any]]


def _task(kind: Kind, prediction: Any, target: Any, weight: Any = None, **facts: Any) -> Task:
    arrays = prediction, target, weight
    described: dict[str, Any] = {
        "axis": tuple(range(prediction.ndim)),
        "class_axis": None,
        "num_classes": None,
        "labels": (False, False),
        "activation": None,
        "form": "product",
        "ignore_label": None,
        **facts,
    }
    return Task(
        library="numpy",
        device="cpu",
        shapes=tuple(None if a is None else a.shape for a in arrays),
        dtypes=tuple(None if a is None else a.dtype.name for a in arrays),
        kind=kind,
        **described,
    )


def _classes(form: str, labels: bool) -> dict[str, Any]:
    return {
        "axis": (0, 2),
        "class_axis": 1,
        "num_classes": 3,
        "labels": (False, labels),
        "form": form,
    }


def masks(dtype: str, form: str) -> Iterator[Step]:
    """Counts of two masks, and of every pair of rows."""
    x = np.zeros((2, 64), dtype=bool)
    for weight in (None, x):
        name = "counts" if weight is None else "counts where a weight is true"
        yield name, partial(run.counts, _task("hard", x, x, weight), x, x, weight)
    yield "counts of every pair", partial(run.bit_pairs, _task("hard", x, x), x, x)


def label_maps(dtype: str, form: str) -> Iterator[Step]:
    """Counts and joint counts of two label maps."""
    x, true = np.zeros(LABELS, dtype=np.uint8), np.ones(LABELS, dtype=bool)
    facts = {"num_classes": 3, "labels": (True, True)}
    for weight in (None, true):
        task = _task("hard", x, x, weight, **facts)
        behind = "" if weight is None else " where a weight is true"
        yield f"counts{behind}", partial(run.counts, task, x, x, weight)
        yield f"joint counts{behind}", partial(run.label_pairs, task, x, x, weight)


def scores(dtype: str, form: str) -> Iterator[Step]:
    """Counts of the class with the best score against a label map."""
    x, y = np.zeros(SHAPE, dtype=dtype), np.zeros(LABELS, dtype=np.uint8)
    facts = {**_classes(form, True), "labels": (True, True), "activation": "argmax"}
    task = _task("hard", x, y, **facts)
    yield "counts", partial(run.counts, task, x, y, None)


def memberships(dtype: str, form: str) -> Iterator[Step]:
    """Exact and plain sums of memberships and their gradients."""
    x, map_ = np.zeros(SHAPE, dtype=dtype), np.zeros(LABELS, dtype=np.uint8)
    for name, y, labels in (("memberships", x, False), ("a label map", map_, True)):
        for kind in ("exact", "plain"):
            task = _task(kind, x, y, **_classes(form, labels))
            yield f"{kind} sums against {name}", partial(run.sums, task, x, y, None)
            yield f"{kind} gradient against {name}", _gradient(task, x, y)


def logits(dtype: str, form: str) -> Iterator[Step]:
    """Sums and gradients of logits against a label map, with and without cross-entropy."""
    x, y = np.zeros(SHAPE, dtype=dtype), np.zeros(LABELS, dtype=np.uint8)
    for activation in ("softmax", "sigmoid"):
        facts = {**_classes(form, True), "activation": activation}
        for entropy in (None, 0.0):
            task = _task("plain", x, y, **facts, entropy=entropy)
            behind = activation if entropy is None else f"{activation}, cross-entropy"
            yield f"sums by {behind}", partial(run.sums, task, x, y, None)
            yield f"gradient by {behind}", _gradient(task, x, y)
            if run.room_to_keep(task, x) is None:
                continue
            yield f"training step by {behind}", partial(_step, task, x, y)
        task = replace(_task("plain", x, y, **facts), kind="exact")
        yield f"exact sums by {activation}", partial(run.sums, task, x, y, None)
        yield f"exact gradient by {activation}", _gradient(task, x, y)
        if run.room_to_keep(task, x) is not None:
            yield f"exact training step by {activation}", partial(_step, task, x, y)


def _gradient(task: Task, x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    return partial(run.gradient, task, x, y, None, np.zeros((ROWS + 2, 3)))


def _step(task: Task, x: np.ndarray, y: np.ndarray) -> None:
    kept = run.room_to_keep(task, x)
    run.sums(task, x, y, None, kept)
    run.gradient(task, kept, y, None, np.zeros((ROWS + 2, 3)), over=True)


WORKS: dict[str, Callable[[str, str], Iterator[Step]]] = {
    "masks": masks,
    "labels": label_maps,
    "scores": scores,
    "memberships": memberships,
    "logits": logits,
}


def steps(works: list[str], dtypes: list[str], forms: list[str]) -> Iterator[Step]:
    """Yield the steps to compile; work that is the same for several dtypes or forms comes once."""
    for work in works:
        # masks and label maps have no dtype of their own, and scores no form
        some_dtypes = dtypes[:1] if work in ("masks", "labels") else dtypes
        some_forms = forms if work in ("memberships", "logits") else forms[:1]
        for dtype in some_dtypes:
            for form in some_forms:
                known = [] if work in ("masks", "labels") else [dtype]
                known += [form] if some_forms is forms else []
                for name, compute in WORKS[work](dtype, form):
                    yield ", ".join([f"{work}: {name}", *known]), compute
