"""Shared by the training examples: slices of the MNI152 brain, some of them held out, and a report
of a run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from matplotlib.figure import Figure
from rich.bar import Bar
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table
from scipy.ndimage import find_objects
from tissue import TISSUE_COLOURS, TISSUES, draw_panel, load_atlas

from dice_any import Overlap, dice_score

# -- the data --------------------------------------------------------------------------------------

#: axial slices of 1 mm that are never used in training: a slab through the ventricles and the deep
#: grey matter
HELD_OUT = range(64, 88)
#: slices beside the slab that are not used at all, because neighbours are nearly copies
GAP = 8
#: a U-Net halves twice, so sides are cut to a multiple of this
MULTIPLE = 8
#: slices in a step; the sums of Dice run over all of them, so a slice without a tissue does no harm
BATCH = 4
#: of background and TISSUES: CSF, a thin rim and the ventricles, is 3 % of the pixels, and would
#: otherwise be learned last
CLASS_WEIGHT = (0.2, 1.0, 0.3, 0.3)


@dataclass(frozen=True)
class Slices:
    """Axial slices in a stack: images for a network, and the label of each pixel."""

    images: np.ndarray  # (slices, rows, columns), float32
    labels: np.ndarray  # of the same shape, uint8

    def steps(self, size: int) -> int:
        """Return how many batches there are."""
        return -(-len(self.images) // size)

    def batches(
        self, size: int, order: np.random.Generator | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield every slice once, shuffled if a generator is given."""
        places = np.arange(len(self.images))
        if order is not None:
            order.shuffle(places)
        for start in range(0, len(places), size):
            chosen = places[start : start + size]
            yield self.images[chosen], self.labels[chosen]


@dataclass(frozen=True)
class Split:
    """Slices of one brain, for training and for scores."""

    training: Slices
    held_out: Slices
    brightness: np.ndarray  # of the held-out slices, not normalised, for pictures


def load_split(every: int) -> Split:
    """Cut the brain into slices, of which training takes one in `every`."""
    atlas = load_atlas()
    (window,) = find_objects((atlas.t1 > 0).astype(int))
    *sides, depth = window
    sides = [
        slice(side.start, side.start + -(-(side.stop - side.start) // MULTIPLE) * MULTIPLE)
        for side in sides
    ]
    t1, labels = (
        np.ascontiguousarray(volume[*sides].transpose(2, 1, 0))
        for volume in (atlas.t1, atlas.labels)
    )

    places = np.arange(depth.start, depth.stop)
    seen = places[(places < HELD_OUT.start - GAP) | (places >= HELD_OUT.stop + GAP)][::every]
    brain = t1[seen][t1[seen] > 0]  # the held-out slices do not affect their normalisation
    images = (t1 - brain.mean()) / brain.std()
    slab = slice(HELD_OUT.start, HELD_OUT.stop)
    return Split(Slices(images[seen], labels[seen]), Slices(images[slab], labels[slab]), t1[slab])


# -- how long, and how good ------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """How long to train, and the Dice that is required at the end."""

    epochs: int
    every: int  # one in this many slices is used
    required: float
    out: Path


def read_plan(description: str) -> Plan:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--quick", action="store_true", help="a few steps on fewer slices: does it learn at all?"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo-output"), help="the folder for pictures"
    )
    options = parser.parse_args()
    if options.quick:
        return Plan(epochs=4, every=3, required=0.5, out=options.out)
    return Plan(epochs=8, every=1, required=0.85, out=options.out)


@dataclass(frozen=True)
class Epoch:
    """The results of an epoch; epoch 0 is before any training."""

    seconds: float
    loss: float  # mean over the epoch's steps
    dice: tuple[float, ...]  # of TISSUES, on the held-out slices
    macro: float


class Report:
    """A table that grows during training, and at the end the pictures and the result."""

    def __init__(self, library: str, plan: Plan) -> None:
        self.library, self.plan = library, plan
        self.epochs: list[Epoch] = []
        self.console = Console()
        if not self.console.is_terminal:
            self.console.width = 120  # a log file has no width
        self.table = Table(
            *("epoch", "seconds", "loss", *TISSUES, "mean Dice", ""),
            title=f"{library}: Dice of slices held out",
            box=SIMPLE_HEAD,
        )
        self.live = Live(self.table, console=self.console)

    def __enter__(self) -> Report:
        self.start = time.perf_counter()
        self.live.start()
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.stop()
        if not self.console.is_terminal:
            self.console.print()  # a live table may end without ending its line

    def add(self, counts: Overlap, losses: list[float] | None = None) -> None:
        """Score the held-out slices from their overlap, of any library."""
        epoch = Epoch(
            seconds=time.perf_counter() - self.start,
            loss=float(np.mean(losses)) if losses else np.nan,
            dice=tuple(map(float, dice_score(counts, classes="foreground"))),
            macro=float(dice_score(counts, classes="foreground", average="macro")),
        )
        self.table.add_row(
            str(len(self.epochs)),
            f"{epoch.seconds:5.1f}",
            f"{epoch.loss:.3f}" if losses else "",
            *(f"{dice:.3f}" for dice in epoch.dice),
            f"{epoch.macro:.3f}",
            Bar(size=1, begin=0, end=epoch.macro, width=30),
        )
        self.epochs.append(epoch)
        self.live.refresh()

    def finish(self, split: Split, prediction: np.ndarray) -> int:
        """Save the pictures; return 1 if the held-out slices did not reach what the plan
        requires.
        """
        self.plan.out.mkdir(parents=True, exist_ok=True)
        name = self.library.lower()
        curve, picture = (self.plan.out / f"train-{name}-{what}.png" for what in ("curve", "slice"))
        draw_curve(curve, self.library, self.epochs)
        draw_slice(picture, self.library, split, prediction)
        self.console.print(f"Pictures: {curve}, {picture}", soft_wrap=True)
        first, last = self.epochs[0].macro, self.epochs[-1].macro
        learned = last >= self.plan.required
        self.console.print(
            f"Mean Dice of the tissues went from {first:.3f} to {last:.3f}; {self.plan.required} "
            "is required.",
            style="bold green" if learned else "bold red",
        )
        return 0 if learned else 1


# -- pictures --------------------------------------------------------------------------------------


def draw_curve(path: Path, library: str, epochs: list[Epoch]) -> None:
    """Save the loss of training and the Dice of held-out slices, by epoch."""
    figure = Figure(
        figsize=(9, 3.8), layout="constrained"
    )  # without pyplot, which would need a display
    left, right = figure.subplots(1, 2)
    figure.suptitle(f"A small U-Net on MNI152 slices, {library}")
    steps = range(len(epochs))
    left.plot(steps, [epoch.loss for epoch in epochs], color="black", marker="o", markersize=4)
    left.set(title="training", xlabel="epoch", ylabel="loss", ylim=(0, None))
    for tissue, dice in zip(
        TISSUES, zip(*(epoch.dice for epoch in epochs), strict=True), strict=True
    ):
        right.plot(
            steps, dice, color=TISSUE_COLOURS[tissue], marker="o", markersize=4, label=tissue
        )
    macro = [epoch.macro for epoch in epochs]
    right.plot(
        steps, macro, color="black", linestyle="--", label=f"mean, {macro[-1]:.3f} at the end"
    )
    right.set(title="held-out slices", xlabel="epoch", ylabel="Dice", ylim=(0, 1))
    right.legend(loc="lower right", frameon=False)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        for line in axes.lines:
            line.set_clip_on(False)
        axes.set_xlim(0, len(epochs) - 1)
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.savefig(path, dpi=110)


def draw_slice(path: Path, library: str, split: Split, prediction: np.ndarray) -> None:
    """Save the middle held-out slice: the image, the atlas, the prediction, and the places where
    these two differ.
    """
    middle = len(prediction) // 2
    t1, reference, predicted = (
        split.brightness[middle],
        split.held_out.labels[middle],
        prediction[middle],
    )
    panels = (
        (f"held-out slice, z = {HELD_OUT[middle]}", np.zeros_like(reference), {}),
        ("reference", reference, TISSUE_COLOURS),
        (f"predicted, {library}", predicted, TISSUE_COLOURS),
        (
            f"{np.mean(reference != predicted):.1%} of pixels differ",
            reference != predicted,
            {"differ": "#D55E00"},
        ),
    )
    figure = Figure(figsize=(14, 5.6), facecolor="black")
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.16, top=0.92, wspace=0.03)
    for axes, (title, numbers, colours) in zip(
        figure.subplots(1, len(panels)), panels, strict=True
    ):
        draw_panel(axes, title, t1, np.asarray(numbers, dtype=int), colours)
    figure.savefig(path, dpi=100)
