"""Scaling: time against the number of elements, of classes and of threads.

Exact sums of two float32 arrays of memberships are compared with three plain sums of the same
arrays: `(x * y).sum()`, `x.sum()` and `y.sum()`. `overlap` chooses its kernel by itself. A step is
forward and backward of Dice with softmax from 2²² float32 logits in PyTorch, in 2 to 1000 classes.
It is compared with the formula written out, also compiled by `torch.compile`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import dice_any

from .case import Case, Contender, Job
from .exact import FLOAT32_SUMS, integer_sums
from .losses import PER_CLASS, Peer, step_job
from .report import Table, is_ours

#: exponents of 2
ELEMENTS, QUICK_ELEMENTS = (10, 13, 16, 19, 22, 25, 28), (10, 16)
CLASSES, QUICK_CLASSES = (2, 4, 16, 64, 256, 1000), (2, 16)
LOGITS, OF_THREADS = 22, 25


def cases(quick: bool) -> list[Case]:
    """Return the cases."""
    smaller = 6 if quick else 0
    sums = [
        Case(f"Exact sums, 2^{power} pairs", partial(_sums, power), ("numba", "torch"), weigh=False)
        for power in (QUICK_ELEMENTS if quick else ELEMENTS)
    ]
    steps = [
        Case(
            f"Dice step, {classes} classes",
            partial(_step, classes, LOGITS - smaller),
            ("torch", "numba"),
            weigh=False,
        )
        for classes in (QUICK_CLASSES if quick else CLASSES)
    ]
    threads = Case(
        f"Threads, 2^{OF_THREADS} pairs",
        partial(_threads, OF_THREADS - smaller),
        ("numba",),
        weigh=False,
    )
    return [*sums, *steps, threads]


def _pairs(power: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.random(2**power, dtype=np.float32) for _ in "xy"]


def _sums(power: int) -> Job:
    import torch

    values = _pairs(power)
    tensors = [torch.from_numpy(each) for each in values]

    def plain(x: Any, y: Any) -> Iterable[Any]:
        return (x * y).sum(), x.sum(), y.sum()

    return Job(
        f"{2**power:,} pairs",
        {
            "three plain sums, NumPy": Contender(partial(plain, *values), FLOAT32_SUMS),
            "three plain sums, PyTorch": Contender(partial(plain, *tensors), FLOAT32_SUMS),
            "overlap": Contender(partial(_overlap, *values)),
        },
        partial(integer_sums, *values),
    )


def _overlap(x: np.ndarray, y: np.ndarray, backend: str | None = None) -> Iterable[Any]:
    counts = dice_any.overlap(x, y, backend=backend)
    return counts.intersection, counts.prediction, counts.target


def _threads(power: int) -> Job:
    from dice_any.kernels.numba import team

    values = _pairs(power)

    def alone() -> Iterable[Any]:
        with team.alone():
            return _overlap(*values, backend="numba")

    every = f"overlap, {team.size()} threads"
    return Job(
        f"{2**power:,} pairs",
        {
            "overlap, 1 thread": Contender(alone),
            every: Contender(partial(_overlap, *values, backend="numba")),
        },
        partial(integer_sums, *values),
    )


def _step(classes: int, power: int) -> Job:
    peers = {"written out": Peer(partial(_written_out, classes), PER_CLASS)}
    if shutil.which("c++"):  # `torch.compile` needs it
        peers["written out, torch.compile"] = Peer(partial(_compiled, classes), PER_CLASS)
    peers["dice_loss"] = Peer(_dice_loss, PER_CLASS)
    return step_job(peers, (1, classes, 2**power // classes))


def _dice_loss() -> Callable[..., Any]:
    return partial(dice_any.dice_loss, class_axis=1, activation="softmax")


def _written_out(classes: int) -> Callable[..., Any]:
    import torch

    def loss(z: Any, y: Any) -> Any:
        p = torch.softmax(z, 1)
        t = torch.nn.functional.one_hot(y, classes).movedim(-1, 1).to(z.dtype)
        both, prediction, target = (v.sum(dim=(0, 2)) for v in (p * t, p, t))
        return 1.0 - ((2 * both + 1) / (prediction + target + 1)).mean()

    return loss


def _compiled(classes: int) -> Callable[..., Any]:
    import torch

    return torch.compile(_written_out(classes))  # type: ignore[no-any-return]


# -- the picture -----------------------------------------------------------------------------------


def draw(tables: Sequence[Table], title: str, path: Path) -> None:
    """Draw the time per element against elements, and the time of a step against classes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2)
    _lines(panels[0], tables, r"Exact sums, 2\^(\d+) pairs", "pairs", "ns for each pair", True)
    _lines(panels[1], tables, r"Dice step, (\d+) classes", "classes", "ms for 2²² logits", False)
    figure.suptitle(title.rstrip("."), fontsize=10)
    figure.savefig(path, dpi=100)


def _lines(
    panel: Any, tables: Sequence[Table], pattern: str, label: str, unit: str, of_each: bool
) -> None:
    """Draw a line for each contender, dashed where it is compiled for other instructions."""
    from matplotlib.ticker import LogLocator

    lines: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for table in tables:
        if not (found := re.match(pattern, table.title)):
            continue
        number = 2.0 ** int(found[1]) if of_each else float(found[1])
        target = table.title[found.end() :].strip(", ")
        for name, seconds in table.seconds.items():
            if target and not is_ours(name):
                continue  # Numba compiles no part of it
            time = seconds.median / number * 1e9 if of_each else seconds.median * 1e3
            lines.setdefault((name, target), []).append((number, time))
    panel.set_prop_cycle(color=["tab:blue", "tab:green"])  # orange is this package
    for (name, target), points in lines.items():
        panel.plot(
            *zip(*points, strict=True),
            marker="o",
            markersize=3,
            linestyle="--" if target else "-",
            color="tab:orange" if is_ours(name) else None,
            label=", ".join(filter(None, (name, target))),
        )
    panel.set_xscale("log", base=2)
    panel.set_yscale("log")
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter("{x:g}")
    panel.minorticks_off()
    panel.set_xlabel(label, fontsize=9)
    panel.set_ylabel(unit, fontsize=9)
    panel.tick_params(labelsize=8)
    panel.legend(fontsize=7)
