"""Draw the pictures of the pages into ``_generated``. The package computes every number in them
from the drawn arrays.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from sphinx.application import Sphinx

from dice_any import dice_loss, dice_score, overlap

PREDICTION, TARGET, BOTH, NEITHER = "#4c9be8", "#f2a541", "#3f8f5b", "#f4f4f4"
COLOURS = ListedColormap([NEITHER, PREDICTION, TARGET, BOTH])
WIDTH = 7.2  # inches
SETTINGS = {"default": {}, "empty=1": {"empty": 1}, "empty_target=nan": {"empty_target": np.nan}}


def disc(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> np.ndarray:
    """Return the mask of a disc."""
    rows, columns = np.indices(shape)
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def show(axes: Axes, prediction: np.ndarray, target: np.ndarray) -> None:
    """Draw two masks as a grid of elements."""
    axes.pcolormesh(
        prediction + 2 * target, cmap=COLOURS, vmin=0, vmax=3, edgecolors="white", linewidth=1.2
    )
    axes.set_aspect("equal")
    axes.invert_yaxis()
    axes.axis("off")


def sets() -> Figure:
    """The sets X and Y, their intersection, and their scores."""
    prediction = disc((11, 17), (5, 6.3), 4.6)
    target = disc((11, 17), (5.4, 10), 4.2)
    counts = overlap(prediction, target)
    figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    show(left, prediction, target)
    right.axis("off")
    right.legend(
        handles=[
            Patch(color=BOTH, label=f"I = |X∩Y| = {int(counts.tp)}   true positives"),
            Patch(color=PREDICTION, label=f"X − I = {int(counts.fp)}   false positives"),
            Patch(color=TARGET, label=f"Y − I = {int(counts.fn)}   false negatives"),
        ],
        loc="upper left",
        frameon=False,
        title="prediction X, target Y",
        alignment="left",
    )
    dice = float(dice_score(counts))
    right.text(
        0.04,
        0.12,
        "Dice = 2I / (X + Y)\n"
        f"= 2·{int(counts.tp)} / ({int(counts.prediction)} + {int(counts.target)}) = {dice:.3f}",
        transform=right.transAxes,
        fontsize=11,
    )
    return figure


def smooth() -> Figure:
    """The Dice loss of a half-found set, against its size."""
    figure, axes = _plot("size of the target (elements)", "Dice loss")
    sizes = 2 ** np.arange(1, 15)
    pairs = [(np.arange(size) < size // 2, np.ones(size, bool)) for size in sizes]
    for value in (0, 1, 10, 100):
        losses = [float(dice_loss(*pair, smooth=value)) for pair in pairs]
        axes.plot(sizes, losses, marker="o", markersize=3, label=f"smooth={value}")
    axes.set_xscale("log", base=2)
    axes.set_ylim(0, 0.4)
    axes.set_title("Half of the target is found, and nothing else", fontsize=10)
    axes.legend(frameon=False)
    return figure


def form() -> Figure:
    """The Dice score against a target of half memberships, in each form."""
    figure, axes = _plot("predicted membership x of every element", "Dice score")
    values = np.linspace(0, 1, 101)
    target = np.full(8, 0.4)
    for name in ("product", "squared", "minimum"):
        scores = [
            float(dice_score(np.full(8, value), target, form=name, empty=0)) for value in values
        ]
        axes.plot(values, scores, label=f'form="{name}"')
    axes.axvline(0.4, color="grey", linestyle=":", linewidth=1)
    axes.text(0.41, 0.03, "the target, y = 0.4", color="grey", fontsize=9)
    axes.set_title("Soft target: which prediction scores best?", fontsize=10)
    axes.legend(frameon=False)
    return figure


def empty() -> Figure:
    """The Dice score where a set is empty, for several settings."""
    nothing, something = np.zeros((4, 4), bool), disc((4, 4), (1.5, 1.5), 1.2)
    cases = {
        "both empty": (nothing, nothing),
        "only the target empty": (something, nothing),
        "only the prediction empty": (nothing, something),
    }
    figure = Figure(figsize=(WIDTH, 2.6), layout="constrained")
    for axes, (title, pair) in zip(figure.subplots(1, 3), cases.items(), strict=True):
        show(axes, *pair)
        axes.set_title(title, fontsize=10)
        scores = {name: float(dice_score(*pair, **words)) for name, words in SETTINGS.items()}
        lines = [f"{name}: {score:g}" for name, score in scores.items()]
        axes.text(
            0.5,
            -0.06,
            "\n".join(lines),
            transform=axes.transAxes,
            ha="center",
            va="top",
            fontsize=9,
        )
    return figure


def _plot(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


PICTURES = (sets, smooth, form, empty)


def write(app: Sphinx) -> None:
    """Draw all pictures."""
    folder = Path(app.srcdir) / "_generated"
    folder.mkdir(exist_ok=True)
    for picture in PICTURES:
        picture().savefig(folder / f"{picture.__name__}.svg", metadata={"Date": None})


def setup(app: Sphinx) -> dict[str, bool]:
    """Draw before pages are read."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
