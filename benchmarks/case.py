"""A benchmark: contenders for one job, the right answer, and the targets of our contender."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

#: modules of this package with a function `cases(quick)`; the first line of the module's text is
#: its title
SUITES = (
    "hard", "exact", "logits", "losses", "network", "kernels", "small", "scaling", "chunks", "gpu",
)  # fmt: skip


@dataclass(frozen=True)
class Contender:
    """One way of doing the job.

    Attributes
    ----------
    run : callable
        The timed function. Returns a tuple of arrays or numbers, after they are computed.
    tolerance : float
        Largest relative error of an answer that still counts as agreeing.
    ratio, seconds, memory : float, optional
        Targets: time as a multiple of the first contender's, time of a call, bytes beyond the
        inputs.
    faster : mapping of str to float
        Targets: how many times faster than other contenders, by name.
    expected : callable, optional
        The right answer of a contender that solves the job by a formula of its own.
    timed : callable, optional
        Does the same as `run` and returns the seconds of the part that is measured, where that is
        not all of it.
    """

    run: Callable[[], Iterable[Any]]
    tolerance: float = 0.0
    ratio: float | None = None
    seconds: float | None = None
    memory: float | None = None
    faster: Mapping[str, float] = field(default_factory=dict)
    expected: Callable[[], list[float]] | None = None
    timed: Callable[[], float] | None = None


class Job(NamedTuple):
    """A case with its inputs made: their size in words, the contenders, the right answer, and the
    packages that are missing.
    """

    size: str
    contenders: dict[str, Contender]
    expected: Callable[[], list[float]] | None = None  # None if each contender has its own
    note: str = ""


@dataclass(frozen=True)
class Case:
    """One job; the other contenders are compared with the first one.

    `prepare` makes the inputs. The same name means the same work in quick and in full size.
    """

    name: str
    prepare: Callable[[], Job]
    libraries: tuple[str, ...] = ("numpy",)
    weigh: bool = True  # whether memory is measured; for tiny arrays it would be noise
    peers: tuple[str, ...] = ()  # packages that take part if they are installed
    #: returns another reason not to run, such as a missing GPU
    obstacle: Callable[[], str | None] = lambda: None

    def left_out(self) -> str | None:
        """Return why it cannot be run, or None if it can."""
        missing = [library for library in self.libraries if find_spec(library) is None]
        return f"{', '.join(missing)} not installed" if missing else self.obstacle()


def suite(name: str) -> Any:
    """Return the module of a suite."""
    return import_module(f".{name}", __package__)


def cases(name: str, quick: bool) -> list[Case]:
    """Return the cases of a suite."""
    return suite(name).cases(quick)


def find(name: str, case: str, quick: bool) -> Case:
    """Return one case of a suite."""
    return next(found for found in cases(name, quick) if found.name == case)


def answer(contender: Contender) -> list[float]:
    """Run once and return the numbers, flat."""
    return [float(number) for value in contender.run() for number in np.asarray(value).ravel()]


def check(job: Job) -> dict[str, float]:
    """Return every contender's largest relative error; raise if one exceeds its tolerance."""
    common = job.expected() if job.expected is not None else []
    errors = {}
    for name, contender in job.contenders.items():
        expected = common if contender.expected is None else contender.expected()
        wrong = [_error(got, right) for got, right in zip(answer(contender), expected, strict=True)]
        errors[name] = max(wrong)
        if errors[name] > contender.tolerance:
            raise AssertionError(
                f"{name} is wrong by {errors[name]:.2g}, relative; at most "
                f"{contender.tolerance:.2g} is right"
            )
    return errors


def _error(got: float, right: float) -> float:
    """Return the relative error, infinite for NaN, because comparisons with NaN show no error."""
    if got == right:
        return 0.0
    return abs(got - right) / abs(right) if right and got == got else math.inf
