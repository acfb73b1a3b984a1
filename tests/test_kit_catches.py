"""The kit finds faults: each of these is put into a kernel, small or large, or into an array
library.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dice_any import arrays
from dice_any.kernels import reference
from dice_any.testing import comparison, recipe
from dice_any.testing.adapters import Adapter, adapter
from dice_any.testing.comparison import Budget, Subject

NUMPY = adapter("numpy")
QUICK = Budget(most=30, seconds=1e9)


def kernel(**parts: Any) -> SimpleNamespace:
    """Return a kernel that accepts everything, and does as the reference except for some parts."""
    names = ("overlap", "overlap_vjp", "confusion_matrix", "pairwise")
    usual = {name: getattr(reference, name) for name in names}
    return SimpleNamespace(**{"name": "k", "accepts": lambda task: True, **usual, **parts})


def only(accepts: Callable[[Any], Any], **parts: Any) -> SimpleNamespace:
    """Return a kernel with the reference's sums and these parts only."""
    return SimpleNamespace(name="k", accepts=accepts, **{"overlap": reference.overlap, **parts})


# -- what is accepted ------------------------------------------------------------------------------


def bytes_only(task: Any) -> bool | str:
    """Two label maps of bytes, all summed."""
    fits = task.dtypes == ("uint8", "uint8", None) and len(task.axis) == len(task.shapes[0])
    return (fits and task.ignore_label is None and task.kind == "hard") or "bytes only"


def masks_only(task: Any) -> bool | str:
    fits = task.dtypes == ("bool", "bool", None) and not task.by_class
    return (fits and len(task.axis) == len(task.shapes[0])) or "masks only"


def plain_only(task: Any) -> bool | str:
    fits = task.kind == "plain" and task.activation is None and task.dtypes[2] is None
    fits = fits and task.dtypes[:2] == ("float32", "float32") and not task.by_class
    return (fits and task.form == "product") or "plain sums only"


def softmax_only(task: Any) -> bool | str:
    return (task.activation == "softmax" and task.dtypes[0] == "float32") or "softmax only"


# -- faults of kernels -----------------------------------------------------------------------------


def after(part: str, change: Callable[..., Any]) -> Callable[..., Any]:
    """Return a part of the reference whose answer ``change(answer, task, *arrays)`` changes."""
    original = getattr(reference, part)
    return lambda task, *arrays: change(original(task, *arrays), task, *arrays)


def sums(change: Callable[..., Any]) -> Callable[..., Any]:
    """Return the reference's `overlap`, whose sums `change` changes in place."""

    def changed(answer: np.ndarray, task: Any, *arrays_: Any) -> np.ndarray:
        change(answer[:, 0] if task.kind == "exact" else answer, task, *arrays_)
        return answer

    return after("overlap", changed)


def where(condition: Callable[..., Any]) -> Callable[..., Any]:
    """Return sums whose intersection is wrong by one for the tasks of a condition."""

    def off(rows: np.ndarray, task: Any, *arrays_: Any) -> None:
        if condition(task, *arrays_):
            rows[0] += 1

    return sums(off)


def before(change: Callable[..., tuple[Any, ...]]) -> Callable[..., Any]:
    """Return the sums of arrays that were changed before."""

    def overlap(task: Any, x: Any, y: Any, w: Any) -> Any:
        return reference.overlap(task, *change(task, x, y, w))

    return overlap


def gradient(change: Callable[..., Any]) -> Callable[..., Any]:
    return after("overlap_vjp", change)


def elements(task: Any) -> int:
    return int(np.prod(task.shapes[0]))


def set_row(row: int, value: int) -> Callable[..., None]:
    def change(rows: np.ndarray, *_: Any) -> None:
        rows[row] = value

    return change


def wrapped(bits: int) -> Callable[..., Any]:
    def change(rows: np.ndarray, task: Any, *_: Any) -> None:
        if task.kind == "hard":
            rows[...] %= 2**bits

    return sums(change)


def doubled(rows: np.ndarray, *_: Any) -> None:
    rows[0] *= 2


def without_last(task: Any, x: Any, y: Any, w: Any) -> tuple[Any, ...]:
    x = x.copy()
    x.reshape(-1)[-1] = 0
    return x, y, w


def as_signed(task: Any, x: Any, y: Any, w: Any) -> tuple[Any, ...]:
    x, y = (a.view(np.int8) if a.dtype == np.uint8 else a for a in (x, y))
    return x, y, w


def without_strides(task: Any, x: Any, y: Any, w: Any) -> tuple[Any, ...]:
    base = x
    while isinstance(base.base, np.ndarray):
        base = base.base
    flat = base.reshape(-1)[: x.size] if base.size >= x.size else x
    return flat.reshape(x.shape).astype(x.dtype), y, w


def tail_of_gradient(g: np.ndarray, *_: Any) -> np.ndarray:
    g = g.copy()
    g.reshape(-1)[4096:] *= 1.01
    return g


def ties(g: np.ndarray, task: Any, x: Any, y: Any, *rest: Any) -> np.ndarray:
    if task.form != "minimum" or x.shape != y.shape or task.activation is not None:
        return g
    return np.where(x.astype(float) == y.astype(float), np.zeros_like(g), g)


def uncounted_pairs(answer: Any, *_: Any) -> Any:
    return answer[0], answer[1] * 0


def writing(task: Any, x: Any, y: Any, w: Any) -> np.ndarray:
    answer = reference.overlap(task, x, y, w)
    x.flags.writeable = True
    x.reshape(-1)[:1] = 0
    return answer


class Scratch:
    """Sums in memory that all calls share."""

    def __init__(self, per_call: bool) -> None:
        self.per_call, self.room = per_call, {}

    def overlap(self, task: Any, *arrays_: Any) -> np.ndarray:
        answer = reference.overlap(task, *arrays_)
        room = self.room.setdefault(answer.shape, np.empty_like(answer))
        room[...] = answer
        if not self.per_call:
            return room
        time.sleep(1e-4)  # other threads may write now
        return room.copy()


class Forgetful:
    """Keeps the gradient's memory from the previous call."""

    def keeping(self, task: Any, x: Any, y: Any, w: Any) -> Any:
        return reference.overlap(task, x, y, w), x

    def over(self, task: Any, kept: Any, y: Any, w: Any, slopes: Any) -> Any:
        return reference.overlap_vjp(task, kept, y, w, slopes) * 2


def one_thread_at_a_time() -> Callable[..., Any]:
    busy = threading.Lock()

    def overlap(task: Any, *arrays_: Any) -> Any:
        if not busy.acquire(blocking=False):
            raise RuntimeError("busy")
        try:
            time.sleep(1e-4)
            return reference.overlap(task, *arrays_)
        finally:
            busy.release()

    return overlap


def no_part(task: Any, *_: Any) -> Any:
    raise AssertionError


NARROW = {
    "bytes, signed": only(bytes_only, overlap=before(as_signed)),
    "bytes, intersection doubled": only(bytes_only, overlap=sums(doubled)),
    "bytes, the last skipped": only(bytes_only, overlap=before(without_last)),
    "bytes, invalid labels uncounted": only(bytes_only, overlap=sums(set_row(4, 0))),
    "bytes, strides ignored": only(bytes_only, overlap=before(without_strides)),
    "bytes, counts in 16 bits": only(bytes_only, overlap=wrapped(16)),
    "bytes, wrong above 200 classes": only(
        bytes_only, overlap=where(lambda t, *_: t.num_classes > 200)
    ),
    "bytes, a matrix transposed": only(
        bytes_only,
        confusion_matrix=after(
            "confusion_matrix", lambda a, *_: (np.swapaxes(a[0], -1, -2).copy(), a[1])
        ),
    ),
    "masks, counts in 16 bits": only(masks_only, overlap=wrapped(16)),
    "masks, counts in float32": only(
        masks_only,
        overlap=after("overlap", lambda a, *_: a.astype(np.float32).astype(np.int64)),
    ),
    "masks, strides ignored": only(masks_only, overlap=before(without_strides)),
    "masks, a part that is never asked": only(masks_only, overlap_vjp=no_part),
    "plain, gradient doubled": only(plain_only, overlap_vjp=gradient(lambda g, *_: g * 2)),
    "plain, float32 sums": only(
        plain_only, overlap=after("overlap", lambda a, *_: a.astype(np.float32))
    ),
    "plain, float64 gradient": only(
        plain_only, overlap_vjp=gradient(lambda g, *_: g.astype(np.float64))
    ),
    "plain, a hundred thousandth off": only(
        plain_only, overlap=after("overlap", lambda a, *_: a * (1 + 1e-5))
    ),
    "softmax, gradient doubled": only(softmax_only, overlap_vjp=gradient(lambda g, *_: g * 2)),
    "softmax, target doubled": only(
        softmax_only,
        overlap=after(
            "overlap",
            lambda a, *_: (
                a * np.array([1, 1, 2, *[1] * 6])[: len(a)].reshape(-1, *[1] * (a.ndim - 1))
            ),
        ),
    ),
    "nothing is accepted": only(lambda task: "no"),
}

WIDE = {
    "wrong above 1,000 elements": kernel(overlap=where(lambda t, *_: elements(t) > 1000)),
    "wrong above 65,536 elements": kernel(overlap=where(lambda t, *_: elements(t) > 65536)),
    "wrong above a million": kernel(overlap=where(lambda t, *_: elements(t) > 10**6)),
    "wrong above 64 classes": kernel(overlap=where(lambda t, *_: (t.num_classes or 0) > 64)),
    "wrong above 200 classes": kernel(overlap=where(lambda t, *_: (t.num_classes or 0) > 200)),
    "wrong for one element": kernel(overlap=where(lambda t, *_: elements(t) == 1)),
    "a tail of the gradient": kernel(overlap_vjp=gradient(tail_of_gradient)),
    "a negative ignored label": kernel(
        overlap=where(lambda t, *_: t.ignore_label is not None and t.ignore_label < 0)
    ),
    "ties of the minimum": kernel(overlap_vjp=gradient(ties)),
    "scratch shared between calls": kernel(overlap=Scratch(False).overlap),
    "scratch shared between threads": kernel(overlap=Scratch(True).overlap),
    "one thread at a time": kernel(overlap=one_thread_at_a_time()),
    "invalid counts of a matrix": kernel(
        confusion_matrix=after("confusion_matrix", uncounted_pairs)
    ),
    "invalid predictions": kernel(overlap=sums(set_row(4, 0))),
    "invalid targets": kernel(overlap=sums(set_row(5, 0))),
    "invalid weights": kernel(overlap=sums(set_row(6, 0))),
    "it writes into the prediction": kernel(overlap=writing),
    "a smaller dtype": kernel(overlap=after("overlap", lambda a, *_: a.astype("int32"))),
    "a row too few": kernel(overlap=after("overlap", lambda a, *_: a[:-1])),
    "a list": kernel(overlap=after("overlap", lambda a, *_: a.tolist())),
    "the last limb": kernel(
        overlap=after(
            "overlap",
            lambda a, t, *_: (
                a
                + (t.kind == "exact")
                * np.eye(
                    1,
                    a.size,
                    2 * (a.size // a.shape[0]) // 3 if t.kind == "exact" else 0,
                    dtype=a.dtype,
                ).reshape(a.shape)
            ),
        )
    ),
    "wrong in the squared form": kernel(overlap=where(lambda t, *_: t.form == "squared")),
    "wrong by sigmoid": kernel(overlap=where(lambda t, *_: t.activation == "sigmoid")),
    "wrong for half precision": kernel(overlap=where(lambda t, *_: "float16" in t.dtypes[:2])),
    "wrong for integer weights": kernel(overlap=where(lambda t, *_: t.dtypes[2] == "int64")),
    "wrong for weights in a row": kernel(
        overlap=where(lambda t, *_: t.shapes[2] is not None and t.shapes[2] != t.shapes[1])
    ),
    "wrong where classes come last": kernel(
        overlap=where(
            lambda t, *_: t.class_axis is not None and t.class_axis == len(t.shapes[0]) - 1
        )
    ),
    "wrong where nothing is summed": kernel(overlap=where(lambda t, *_: not t.axis)),
    "wrong for what is broadcast": kernel(overlap=where(lambda t, x, *_: 0 in x.strides)),
    "wrong for what is reversed": kernel(overlap=where(lambda t, x, *_: min(x.strides) < 0)),
    "wrong for a transposed target": kernel(
        overlap=where(
            lambda t, x, y, w: y.ndim > 1 and not y.flags.c_contiguous and (y.flags.f_contiguous)
        )
    ),
    "the focal sum": kernel(
        overlap=after(
            "overlap",
            lambda a, t, *_: (
                a
                if not t.entropy
                else a * (1 + 1e-3 * (np.arange(len(a)) == 7)).reshape(-1, *[1] * (a.ndim - 1))
            ),
        )
    ),
    "pairs beyond 64 rows": kernel(
        pairwise=after(
            "pairwise",
            lambda a, t, *_: (
                a + (t.shapes[0][0] > 64) * np.eye(1, a.size, dtype=a.dtype).reshape(a.shape)
            ),
        )
    ),
    "what was kept": kernel(overlap_keeping=Forgetful().keeping, overlap_vjp_over=Forgetful().over),
    "it raises": kernel(overlap=where(lambda t, *_: 1 / 0)),
}


def first_problem(subject: Subject, budget: Budget) -> str | None:
    lacks = comparison.never_exercised(subject)
    return lacks[0] if lacks else next(comparison.problems(subject, budget), None)


@pytest.mark.parametrize("name", [*NARROW, *WIDE])
def test_the_kit_catches_a_fault_of_a_kernel(name: str) -> None:
    planted = {**NARROW, **WIDE}[name]
    assert first_problem(Subject(NUMPY, planted), QUICK) is not None


RIGHT = {
    "everything": kernel(),
    "bytes": only(bytes_only, confusion_matrix=reference.confusion_matrix),
    "masks": only(masks_only),
    "plain": only(plain_only, overlap_vjp=reference.overlap_vjp),
    "softmax": only(softmax_only, overlap_vjp=reference.overlap_vjp),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_kernel_that_is_right_has_no_problem(name: str) -> None:
    subject = Subject(NUMPY, RIGHT[name])
    assert first_problem(subject, QUICK) is None
    assert subject.report().count("\n") == sum(subject.has(part) for part in comparison.PARTS)
    assert sum(subject.compared.values()) > 20


# -- faults of array libraries ---------------------------------------------------------------------


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Subject]:
    """Treat array-api-strict's arrays as those of a library with some changed functions."""
    strict = pytest.importorskip("array_api_strict")
    from dice_any.arrays.strict import Strict

    def put(methods: dict[str, Any], **functions: Any) -> Subject:
        library = type("Planted", (Strict,), methods)()
        library.xp = SimpleNamespace(**{**vars(strict), **functions})
        monkeypatch.setitem(arrays._of_class, type(strict.asarray(0)), library)
        return Subject(Adapter("planted", library, library.xp.asarray))

    return put


def _of(name: str, change: Callable[..., Any]) -> Callable[[Any], dict[str, Any]]:
    """Return a changed function of the standard."""
    return lambda strict: {name: change(strict, getattr(strict, name))}


def _small_sum(strict: Any, total: Any) -> Any:
    def add(array: Any, **options: Any) -> Any:
        narrow = strict.asarray(np.asarray(array).astype(np.float32))
        dtype = options.pop("dtype", array.dtype)
        return strict.astype(total(narrow, **options), dtype)

    return add


LIBRARIES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "sums in float32": _of("sum", _small_sum),
    "sums in half precision": _of(
        "sum",
        lambda s, f: (
            lambda a, **o: f(
                s.asarray(np.asarray(a).astype(np.float16).astype(np.asarray(a).dtype)), **o
            )
        ),
    ),
    "exp of seven digits": _of("exp", lambda s, f: lambda a: f(a) * (1 + 1e-5)),
    "floor is one below": _of("floor", lambda s, f: lambda a: f(a) - 1),
    "where is turned": _of("where", lambda s, f: lambda c, a, b: f(c, b, a)),
    "the last of equals": _of(
        "argmax",
        lambda s, f: lambda a, axis: a.shape[axis] - 1 - f(s.flip(a, axis=axis), axis=axis),
    ),
    "axes forgotten": _of("sum", lambda s, f: lambda a, axis=None, **o: f(a, **o)),
    "products in float16": _of(
        "matmul",
        lambda s, f: (
            lambda a, b: s.astype(
                s.asarray(np.asarray(a).astype(np.float16) @ np.asarray(b).astype(np.float16)),
                a.dtype,
            )
        ),
    ),
}
METHODS: dict[str, dict[str, Any]] = {
    "a count too many": {
        "count": lambda self, m, axis: arrays.ArrayLibrary.count(self, m, axis) + 1
    },
    "clips at one half": {
        "clip": lambda self, v: self.xp.minimum(v, self.xp.full_like(v, 0.5)),
    },
}


@pytest.mark.parametrize("name", [*LIBRARIES, *METHODS])
def test_the_kit_catches_a_fault_of_a_library(taught: Any, name: str) -> None:
    strict = pytest.importorskip("array_api_strict")
    functions = LIBRARIES[name](strict) if name in LIBRARIES else {}
    subject = taught(METHODS.get(name, {}), **functions)
    budget = Budget(most=20, numbers=2**13, classes=65, seconds=1e9, threads=False)
    assert next(comparison.problems(subject, budget), None) is not None


def test_arrays_of_another_library_are_caught() -> None:
    strict = pytest.importorskip("array_api_strict")
    library = arrays.library_of(strict.asarray(0))
    with pytest.raises(AssertionError, match="must make its arrays; got numpy.ndarray"):
        Adapter("planted", library, lambda values: values)(np.zeros(3))
    with pytest.raises(AssertionError, match="must keep the shape"):
        Adapter("planted", library, lambda values: strict.asarray(values.ravel()))(np.zeros((2, 2)))


def test_at_least_forty_faults_are_planted() -> None:
    assert len(NARROW) + len(WIDE) + len(LIBRARIES) + len(METHODS) >= 60
    assert recipe.masks(1, 3).dtype == bool
