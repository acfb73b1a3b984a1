"""Tables: to the terminal, and as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from textwrap import fill

import rich.box
from rich.console import Console
from rich.table import Table as RichTable

import dice_any

from .case import Contender
from .instructions import instruction_sets
from .timing import Spread

HEADERS = ("", "time", "ratio", "memory", "error", "target")
ROUNDING = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


@dataclass
class Table:
    """The contenders of one case."""

    title: str
    size: str = ""
    note: str = ""
    rows: list[tuple[str, ...]] = field(default_factory=list)
    #: each target in words, and whether it is met
    verdicts: list[tuple[str, bool]] = field(default_factory=list)
    seconds: dict[str, Spread] = field(default_factory=dict)

    def add(
        self,
        name: str,
        contender: Contender,
        seconds: Spread,
        ratio: Spread,
        memory: int | None,
        error: float,
        speedups: Mapping[str, Spread],
    ) -> None:
        """Add a contender's row; `speedups` are over the contenders in its `faster` targets."""
        promises = (
            (ratio.median, contender.ratio, "{:g}×".format),
            (seconds.median, contender.seconds, show_seconds),
            (memory, contender.memory, show_bytes),
        )
        verdicts = [
            (f"≤ {show(most)}", value <= most)
            for value, most, show in promises
            if value is not None and most is not None
        ]
        verdicts += [
            (
                f"≥ {least:g}× faster than {other} ({_short(speedups[other].median)}×)",
                speedups[other].median >= least,
            )
            for other, least in contender.faster.items()
        ]
        self.seconds[name] = seconds
        self.verdicts += [(f"{name} {text}", met) for text, met in verdicts]
        self.rows.append(
            (
                name,
                show_seconds(seconds.median),
                f"{_short(ratio.median)}× ({_short(ratio.low)}–{_short(ratio.high)})",
                "–" if memory is None else show_bytes(memory),
                f"{error:.0e}" if error else "0",
                ", ".join(f"{text} {'met' if met else 'missed'}" for text, met in verdicts),
            )
        )

    def show(self, console: Console) -> None:
        """Print to the terminal."""
        heading = ": ".join(filter(None, (self.title, self.size)))
        table = RichTable(
            title=heading,
            title_justify="left",
            title_style="bold",
            box=rich.box.SIMPLE_HEAD,
            collapse_padding=True,
        )
        for i, header in enumerate(HEADERS):
            table.add_column(
                header, justify="left" if i in (0, len(HEADERS) - 1) else "right", no_wrap=True
            )
        for *cells, promises in self.rows:
            promises = promises.replace("missed", "[bold red]missed[/]").replace(
                "met", "[green]met[/]"
            )
            table.add_row(*cells, promises.replace(", ", "\n"))
        console.print(table if self.rows else f"[bold]{self.title}[/]")
        if self.note:
            console.print(self.note)

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [f"## {self.title}", ""]
        if self.size:
            lines += [f"{self.size}.", ""]
        if self.rows:
            lines += [_line(HEADERS), _line(["---", *["---:"] * (len(HEADERS) - 2), "---"])]
            lines += map(_line, self.rows)
            lines.append("")
        if self.note:
            lines += [self.note, ""]
        return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _short(number: float) -> str:
    return f"{number:.{2 if number < 10 else 1 if number < 100 else 0}f}"


def show_seconds(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    unit, size = next(((unit, size) for unit, size in ROUNDING if seconds >= size), ROUNDING[-1])
    return f"{seconds / size:.3g} {unit}"


def show_bytes(number: float) -> str:
    """Return an amount of memory in megabytes, with tenths if it is below ten."""
    megabytes = number / 1e6
    return f"{megabytes:.1f} MB" if megabytes < 10 and megabytes % 1 else f"{megabytes:.0f} MB"


def draw(tables: Sequence[Table], title: str, path: Path) -> None:
    """Draw every contender's median time and quartiles, a panel for each case."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tables = [table for table in tables if table.seconds]
    heights = [len(table.seconds) + 1.2 for table in tables]
    figure = Figure(figsize=(9, 0.33 * sum(heights) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(tables), squeeze=False, gridspec_kw={"height_ratios": heights})[
        :, 0
    ]
    for panel, table in zip(panels, tables, strict=True):
        names, spreads = list(table.seconds), list(table.seconds.values())
        unit, size = next(
            (u, s) for u, s in ROUNDING if max(spread.median for spread in spreads) >= s
        )
        middles = [spread.median / size for spread in spreads]
        below = [(spread.median - spread.low) / size for spread in spreads]
        above = [(spread.high - spread.median) / size for spread in spreads]
        colours = [
            "tab:orange" if "kernel" in name else "tab:blue" if is_ours(name) else "0.7"
            for name in names
        ]
        panel.barh(
            names,
            middles,
            xerr=(below, above),
            color=colours,
            error_kw={"ecolor": "0.3", "capsize": 2},
        )
        panel.invert_yaxis()
        panel.set_title(": ".join(filter(None, (table.title, table.size))), fontsize=9, loc="left")
        panel.set_xlabel(unit, fontsize=8, loc="right", labelpad=-2)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    explained = f"{' '.join(title.split()).rstrip('.')} (median, quartiles; orange, blue: dice_any)"
    figure.suptitle(fill(explained, 100), fontsize=10)
    figure.savefig(path, dpi=100)


def is_ours(name: str) -> bool:
    """Tell whether a contender is this package."""
    return name.partition("(")[0].partition(",")[0] in {*dice_any.__all__, "dice_any"}


# -- where and how ---------------------------------------------------------------------------------


def machine(libraries: Iterable[str]) -> str:
    """Return the date, the processor and the versions, one line each."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f", load {os.getloadavg()[0]:.1f} when started" if hasattr(os, "getloadavg") else ""
    versions = [f"Python {platform.python_version()}", f"dice_any {dice_any.__version__}"]
    versions += [f"{name} {_version(name)}" for name in sorted(libraries)]
    return "\n".join(
        (
            f"- {datetime.now(UTC):%Y-%m-%d}, {platform.system()}",
            f"- {', '.join([_processor(), *instruction_sets()])}; {cores} cores{load}",
            f"- {', '.join(versions)}",
        )
    )


def _processor() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _version(name: str) -> str:
    if find_spec(name) is None:
        return "not installed"
    try:
        return version(name)
    except PackageNotFoundError:  # it can be imported, but is not an installed distribution
        return "of unknown version"


HOW = """\
Contenders are timed in turn, A B C A B C …, {rounds} rounds, each library with its own
default number of threads. In each turn the first call is not timed; then calls are timed for at
least {shortest} s. Times are medians. Ratios to the first contender are computed within each round:
median (quartiles). Memory is the peak beyond the inputs, in a process of its own. Error is the
largest relative error against an independent computation; every contender had to pass that check
first. A case that Numba compiles is timed twice: for the host's instructions, and for those that
most processors have (`x86-64-v3`: AVX2). Targets are for both.
"""
