"""Compare the results of a kernel, or of an array library, with the right ones."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..arrays import library_of
from ..kernels import answers, reference
from ..kernels.task import ENTROPY, INTERSECTION, PREDICTION, Task
from . import recipe
from .adapters import Adapter
from .differences import difference, numbers, same
from .work import FAMILIES, LARGE, LARGEST, Choices, Work, accepted, made

#: the parts that a kernel may have
PARTS = ("overlap", "overlap_vjp", "overlap_keeping", "confusion_matrix", "pairwise")
THREADS = 8
#: the choices for which a compiler may have to compile again
PROGRAM = ("x", "y", "weight", "form", "exact", "activation", "entropy")


class Budget(NamedTuple):
    """How much is compared."""

    #: the most pieces of work of each kind, and the most numbers of an array
    most: int = 45
    numbers: int = 2**18
    classes: int = 1000
    rows: int = 1000
    #: at least this many pieces get their own dtypes and options, even if a kernel compiles for
    #: each. After `seconds`, the others repeat earlier ones, and may take four times as long
    least: int = 10
    seconds: float = 10.0
    large: bool = True  # as well as more elements than 2²⁰ and 2²⁴
    threads: bool = True


@dataclass
class Subject:
    """The two sides of a comparison: a kernel and the reference on the same arrays, or the
    reference on a library's arrays and on NumPy's.
    """

    backend: Adapter
    kernel: Any = None
    #: (part, kind of work) -> how often it was compared
    compared: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: parts that are not used for the arrays' library
    without: frozenset[str] = frozenset()
    #: classes of a confusion matrix: a library without histograms needs a mask for each cell
    most_classes: int = 1000

    @property
    def asked(self) -> Any:
        return reference if self.kernel is None else self.kernel

    def has(self, part: str) -> bool:
        return hasattr(self.asked, part) and part not in self.without

    def accepts(self, task: Task) -> Any:
        return self.asked.accepts(task)

    def report(self) -> str:
        """Return how much was compared, with a line for each part."""
        lines = [f"{self.backend.name}:"]
        for part in PARTS:
            kinds = {kind: n for (p, kind), n in self.compared.items() if p == part}
            if kinds:
                numbers = ", ".join(f"{n} of {kind}" for kind, n in sorted(kinds.items()))
                lines.append(f"  {part}: {numbers}")
        return "\n".join(lines)


def problems(
    subject: Subject, budget: Budget | None = None, families: Iterable[str] = FAMILIES
) -> Iterator[str]:
    """Yield the faults of a kernel or a library; nothing if all is right."""
    budget = budget or Budget()
    done = dict[str, list[Choices]]()
    for family in families:
        done[family] = []
        yield from of_family(subject, family, budget, done[family])
    if budget.large:
        for family, found in done.items():
            yield from of_large(subject, family, found)
    if budget.threads and subject.kernel is not None:
        yield from of_threads(subject, done)


def of_family(subject: Subject, family: str, budget: Budget, done: list[Choices]) -> Iterator[str]:
    """Yield the faults in one kind of work; the compared choices are added to `done`."""
    start, own = time.monotonic(), 0
    for number, choices in enumerate(choose(subject, family, budget)):
        passed = time.monotonic() - start
        if passed > 4 * budget.seconds and own >= budget.least:
            return
        if passed > budget.seconds and own >= budget.least:
            like = done[number % own]
            choices = {k: like[k] if k in PROGRAM else v for k, v in choices.items()}
        else:
            own += 1
        done.append(choices)
        yield from compare(subject, family, choices, 10 * number + 1)


def choose(subject: Subject, family: str, budget: Budget) -> list[Choices]:
    """Return the choices of a kind of work that are compared."""
    if family == "pairs" and not subject.has("pairwise"):
        return []

    def accepts(task: Task) -> Any:
        if (task.num_classes or 1) > budget.classes:
            return "too many classes"
        if family == "pairs" and any(shape[0] > budget.rows for shape in task.shapes if shape):
            return "too many rows"
        best_of = task.activation == "argmax" and not task.labels[1]
        if subject.backend.library.name == "sparse" and best_of:
            return "pydata/sparse cannot add a last axis, and loses one of length 1"
        return subject.accepts(task)

    return accepted(family, subject.backend, accepts, budget.most, budget.numbers)


def never_exercised(subject: Subject) -> list[str]:
    """Return the parts that exist but that no work uses, as far as the tasks show."""
    kinds = {family: choose(subject, family, Budget(most=12)) for family in FAMILIES}
    if not any(kinds.values()):
        return ["it accepts nothing"]
    reached = {
        part
        for family, found in kinds.items()
        for choices in found
        for part in PARTS
        if concerns(part, family, choices)
    }
    return [
        f"its part `{part}` is never asked: it accepts no work that needs it"
        for part in PARTS
        if subject.has(part) and part not in reached
    ]


def of_large(subject: Subject, family: str, found: list[Choices]) -> Iterator[str]:
    """Yield the faults with many elements: more than 2²⁰, and for cheap work more than 2²⁴."""
    usual = {"axis": "all", "layout": "plain", "target layout": "plain", "space": LARGE}
    plain = [c for c in found if c["invalid"] == "none" and family != "pairs"]
    by_kind = {
        tuple(c.get(k) for k in ("form", "exact", "activation", "entropy")): c for c in plain[::-1]
    }
    for number, choices in enumerate(by_kind.values()):
        large = {**choices, **usual, "classes": min(choices["classes"], 2)}
        yield from compare(subject, family, large, 7001 + number, again=False)
    for choices in plain:
        if family in ("masks", "label maps") and choices["weight"] is None:
            largest = {**choices, **usual, "space": LARGEST, "class axis": None}
            yield from compare(subject, family, largest, 9001, again=False)
            return


def compare(
    subject: Subject, family: str, choices: Choices, seed: int, *, again: bool = True
) -> Iterator[str]:
    """Yield the faults in one piece of work."""
    with subject.backend.library.precision():
        work = made(family, choices, subject.backend, seed)
        if work is None or subject.accepts(work.task) is not True:
            return
        other = made(family, choices, subject.backend, seed + 5) if again else None
        for part in PARTS if again or subject.kernel is not None else ("overlap",):
            matrix = part == "confusion_matrix" and choices.get("classes", 1) > subject.most_classes
            if subject.has(part) and concerns(part, family, choices) and not matrix:
                fault = _try(partial(_compare_part, subject, part, work, other))
                if fault is None and again:
                    fault = _changed(subject, work)
                if fault is not None:
                    yield f"{part} of {work}: {fault}"
                    return


def concerns(part: str, family: str, choices: Choices) -> bool:
    """Return whether a part may be called for this work."""
    if (family == "pairs") != (part == "pairwise"):
        return False
    if part == "confusion_matrix":
        return family == "label maps"
    if part in ("overlap_vjp", "overlap_keeping"):
        soft = "float" in choices["x"] and choices.get("activation") != "argmax"
        return soft and choices["invalid"] == "none"
    return True


def _try(function: Callable[[], str | None]) -> str | None:
    try:
        with np.errstate(all="ignore"):  # NaN is part of the work
            return function()
    except Exception as error:
        return f"it raised {error!r}"


def _compare_part(subject: Subject, part: str, work: Work, other: Work | None) -> str | None:
    answer = _answer(subject.asked, part, work)
    fault = _form(part, work, answer)
    if fault is not None:
        return f"must return {fault}"
    subject.compared[part, work.family] += 1
    before = [numbers(array) for array in answer]
    fault = difference(part, work, before, _expected(subject, part, work))
    if fault is not None or other is None:
        return fault
    after = [numbers(array) for array in _answer(subject.asked, part, other)]
    fault = difference(part, other, after, _expected(subject, part, other))
    if fault is not None:
        return f"{fault}, in a second call"
    if any(not same(old, numbers(array)) for old, array in zip(before, answer, strict=True)):
        return "its answer has changed by a second call"
    return None


def _answer(kernel: Any, part: str, work: Work) -> list[Any]:
    """Return the arrays that a part returns: sums before gradients."""
    task, (prediction, target, weight) = work.task, work.arrays
    if part == "pairwise":
        return [kernel.pairwise(task, prediction, target)]
    if part == "confusion_matrix":
        return list(kernel.confusion_matrix(task, prediction, target, weight))
    if part == "overlap":
        return [kernel.overlap(task, prediction, target, weight)]
    slopes = _cotangent(work)
    if part == "overlap_vjp":
        return [kernel.overlap_vjp(task, prediction, target, weight, slopes)]
    sums, kept = kernel.overlap_keeping(task, prediction, target, weight)
    if kept is None:
        return [sums]
    return [sums, kernel.overlap_vjp_over(task, kept, target, weight, slopes)]


def _expected(subject: Subject, part: str, work: Work) -> list[np.ndarray]:
    """Return the expected result; for plain sums, which round, from the same numbers in float64."""
    task, arrays = work.task, list(work.arrays)
    if subject.kernel is None:
        arrays = list(work.values)
        task = replace(task, library="numpy", device="cpu")
    first = arrays[0]
    library = library_of(first)
    if task.kind == "plain" and library.kind(first.dtype) == "floating":
        wide = library.widest(first)
        arrays[0] = library.xp.astype(first, wide)
        task = replace(task, dtypes=(library.dtype_name(arrays[0].dtype), *task.dtypes[1:]))
    same = work._replace(task=task, arrays=(arrays[0], arrays[1], arrays[2]))
    if part != "overlap_keeping":
        return [numbers(array) for array in _answer(reference, part, same)]
    parts = ("overlap", "overlap_vjp")
    return [numbers(array) for p in parts for array in _answer(reference, p, same)]


def _cotangent(work: Work) -> Any:
    """Return slopes in the sums, as a loss has them: only those of intersection, prediction and
    entropy differ from 0.
    """
    task, first = work.task, work.arrays[0]
    rows = task.leading_shape[0]
    shape = (rows, *answers.counts_shape(task))
    slopes = recipe.memberships(work.seed + 8, shape, "float64") - 0.5
    used = [INTERSECTION, PREDICTION, *([ENTROPY] if task.entropy is not None else [])]
    slopes[[row for row in range(rows) if row not in used]] = 0
    library = library_of(first)
    return library.constant(slopes.tolist(), library.widest(first), first)


def _form(part: str, work: Work, answer: list[Any]) -> str | None:
    task, first = work.task, work.arrays[0]
    if part == "pairwise":
        return answers.fault_of_pairs(task, first, work.arrays[1], answer[0])
    if part == "confusion_matrix":
        return answers.fault_of_matrix(task, first, tuple(answer))
    fault = None
    if part != "overlap_vjp":
        fault = answers.fault_of_sums(task, first, answer[0])
    if fault is None and (part == "overlap_vjp" or len(answer) > 1):
        fault = answers.fault_of_gradient(first, answer[-1])
    return fault


def _changed(subject: Subject, work: Work) -> str | None:
    """Return a fault if one of the arguments was written into."""
    for name, array, values in zip(
        ("prediction", "target", "weight"), work.arrays, work.values, strict=True
    ):
        if values is None:
            continue
        now = numbers(array).astype(np.float64)
        if not np.array_equal(now, values.astype(np.float64), equal_nan=True):
            return f"it has written into the {name}"
    return None


# -- threads ---------------------------------------------------------------------------------------


def of_threads(subject: Subject, chosen: dict[str, list[Choices]]) -> Iterator[str]:
    """Yield the faults when eight threads call at once, each for different work."""
    for family, found in chosen.items():
        plain = [c for c in found if c["invalid"] == "none"]
        for choices in sorted(plain, key=lambda c: len(str(c["space"])))[-1:]:
            fault = _try(partial(_together, subject, family, choices))
            if fault is not None:
                yield f"{family} in threads: {fault}"
                return


def _together(subject: Subject, family: str, choices: Choices) -> str | None:
    with subject.backend.library.precision():
        tried = [made(family, choices, subject.backend, 100 + 10 * i) for i in range(THREADS)]
        works = [work for work in tried if work is not None and subject.accepts(work.task) is True]
        parts = [part for part in PARTS if subject.has(part) and concerns(part, family, choices)]
        expected = [[_expected(subject, part, work) for part in parts] for work in works]
    faults: list[str] = []
    start = threading.Barrier(max(len(works), 1))

    def ask(i: int) -> None:
        start.wait()
        with subject.backend.library.precision():
            for _ in range(3):
                for number, part in enumerate(parts):
                    answer = [numbers(a) for a in _answer(subject.asked, part, works[i])]
                    fault = difference(part, works[i], answer, expected[i][number])
                    if fault is not None:
                        faults.append(f"{part} of {works[i]}: {fault}")

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [
            threading.Thread(
                target=lambda i=i: faults.extend(filter(None, [_try(partial(ask, i))]))
            )
            for i in range(len(works))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    return next(filter(None, faults), None)
