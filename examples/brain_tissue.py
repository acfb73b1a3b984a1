"""Segment a brain, score it with every array library installed here, and get the same bits from all
of them.

The brain is the MNI152 template, 8.7 million voxels of 1 mm. The wheel of nilearn contains it, so
nothing is downloaded. Two thresholds split its T1 image into tissues. The result is scored against
the atlas of tissue probabilities::

    python examples/brain_tissue.py

prints the scores of each library, and the loss and the gradient at the start of a training. It
shows which form of Dice suits probabilities, and draws the compared images. The exit status is 1 if
any library differs from NumPy in a single bit.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table
from scipy.ndimage import find_objects
from skimage.filters import threshold_multiotsu
from tissue import (
    BACKGROUND,
    CSF,
    GREY,
    NUM_CLASSES,
    TISSUE_COLOURS,
    TISSUES,
    WHITE,
    Atlas,
    draw_panel,
    load_atlas,
)

from dice_any import backends, dice_loss, dice_score, jaccard_score, overlap, value_and_grad

Array = Any  # of any library
SLAB = np.s_[..., 64:80]  # 16 mm, for the gradient: one number for each voxel and tissue


# -- the segmentation ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Segmentation:
    """The segmentation of the same brain from its T1 image only."""

    labels: np.ndarray
    memberships: np.ndarray  # how much of each voxel belongs to each label, along the first axis
    logits: np.ndarray  # of a slab: the output of a network that knows only brightness


def segment(t1: np.ndarray) -> Segmentation:
    """Split a brain into tissues by brightness, with the two thresholds of multi-Otsu.

    For soft memberships, a voxel with a brightness between the means of two tissues is a mixture of
    both, in linear proportion. This is a simple model of the partial-volume effect. A logit falls
    with the squared distance from a tissue's mean.
    """
    brain = t1 > 0
    thresholds = threshold_multiotsu(t1[brain], classes=len(TISSUES))
    labels = np.where(brain, CSF + np.digitize(t1, thresholds), BACKGROUND)
    means = [t1[labels == tissue].mean() for tissue in (CSF, GREY, WHITE)]
    mixture = [np.where(brain, np.interp(t1, means, pure), 0) for pure in np.eye(len(TISSUES))]
    slab = t1[SLAB]
    logits = [np.where(slab > 0, -20.0, 20.0), *(-100 * (slab - mean) ** 2 for mean in means)]
    return Segmentation(
        labels.astype(np.uint8),
        np.stack([~brain, *mixture]).astype(np.float32),
        np.stack(logits).astype(np.float32),
    )


# -- the same bits from every library --------------------------------------------------------------


def evaluate(labels: Array, memberships: Array, reference: Array) -> tuple[Array, Array, Array]:
    """Return Dice, Jaccard and Dice loss of each tissue; the code is the same for all libraries."""
    counts = overlap(
        labels, reference, num_classes=NUM_CLASSES
    )  # one pass over the voxels serves both scores
    sums = overlap(memberships, reference, class_axis=0)  # exact, although of floating numbers
    return (
        dice_score(counts, classes="foreground"),
        jaccard_score(counts, classes="foreground"),
        dice_loss(sums, classes="foreground", reduction="none"),
    )


def differentiate(logits: Array, reference: Array) -> tuple[Array, Array]:
    """Return the Dice loss of logits, and its gradient in them."""
    return value_and_grad(dice_loss)(
        logits, reference, class_axis=0, activation="softmax", classes="foreground", exact=True
    )


def to_library(module: str, **options: Any) -> Callable[[np.ndarray], Array]:
    """Return a library's `asarray`, which is imported when it is first called."""
    return lambda volume: import_module(module).asarray(volume, **options)


def to_torch(volume: np.ndarray) -> Array:
    """Return a tensor, on the GPU if there is one."""
    import torch

    return torch.asarray(volume, device="cuda" if torch.cuda.is_available() else "cpu")


#: library -> (from NumPy's volumes, to NumPy's scores); Dask does all of its work in the latter
CONVERTERS: dict[str, tuple[Callable[[np.ndarray], Array], Callable[[Array], np.ndarray]]] = {
    "numpy": (np.asarray, np.asarray),
    "torch": (to_torch, lambda scores: scores.numpy(force=True)),
    "jax": (to_library("jax.numpy"), np.asarray),
    "cupy": (to_library("cupy"), lambda scores: scores.get()),
    "dask": (to_library("dask.array", chunks=64), lambda scores: scores.compute()),
    "array_api_strict": (to_library("array_api_strict"), np.asarray),
}


@dataclass(frozen=True)
class Measurement:
    """The results of one library."""

    library: str
    device: str
    values: np.ndarray  # Dice, Jaccard and loss by tissue: (3, 3), float64
    loss: np.ndarray  # of the logits
    gradient: np.ndarray
    seconds: float

    @property
    def numbers(self) -> list[np.ndarray]:
        """All numbers of the result."""
        return [self.values, self.loss, self.gradient]

    def differing(self, other: Measurement) -> int:
        """Return how many numbers differ from another library's, even if only in the last bit."""
        pairs = zip(self.numbers, other.numbers, strict=True)
        return sum(np.count_nonzero(bits_of(one) != bits_of(another)) for one, another in pairs)


def bits_of(numbers: np.ndarray) -> np.ndarray:
    """Return floating numbers as the integers that have their bits."""
    return np.atleast_1d(numbers).view(f"i{numbers.itemsize}")


def fingerprint(numbers: np.ndarray) -> str:
    """Return a short text that changes if any bit changes."""
    return sha256(np.ascontiguousarray(numbers)).hexdigest()[:8]


def measure(library: str, atlas: Atlas, segmentation: Segmentation) -> Measurement:
    """Evaluate on the arrays of one library; the time is that of the first call, with any
    compilation.
    """
    to_array, to_numpy = CONVERTERS[library]
    volumes = segmentation.labels, segmentation.memberships, atlas.labels
    arrays = [to_array(volume) for volume in volumes]
    slabs = [to_array(volume) for volume in (segmentation.logits, atlas.labels[SLAB])]
    start = time.perf_counter()
    # JAX rounds its results to float32 if x64 is off; compare float64, which all libraries compute
    with import_module("jax").enable_x64(True) if library == "jax" else nullcontext():
        values = np.stack([to_numpy(scores) for scores in evaluate(*arrays)])
        loss, gradient = (to_numpy(answer) for answer in differentiate(*slabs))
    seconds = time.perf_counter() - start
    device = str(getattr(arrays[0], "device", "cpu")).lower()  # each library writes it differently
    return Measurement(
        library, "cuda" if "cuda" in device else "cpu", values, loss, gradient, seconds
    )


def compare_libraries(
    console: Console, atlas: Atlas, segmentation: Segmentation
) -> list[Measurement]:
    """Print a line for each library, NumPy first; for a library that is left out, the reason."""
    table = Table(
        *("library", *(Column(name, no_wrap=True) for name in ("Dice", "Jaccard", "Dice loss"))),
        *("from logits", "gradient", "seconds", "bits"),
        title=f"Segmentation against atlas: {', '.join(TISSUES)}",
        box=SIMPLE_HEAD,
    )
    measured: list[Measurement] = []
    left_out: list[str] = []
    for backend in backends():
        if backend.kind != "arrays":
            continue
        if not backend.usable or backend.name not in CONVERTERS:
            left_out.append(
                f"{backend.name}: {backend.problem or 'this example does not convert to it'}"
            )
            continue
        with console.status(backend.name):
            result = measure(backend.name, atlas, segmentation)
        measured.append(result)
        differing = result.differing(measured[0])
        table.add_row(
            f"{backend.name} {backend.version}" + ", on a GPU" * (result.device == "cuda"),
            *(" ".join(f"{value:.3f}".removeprefix("0") for value in row) for row in result.values),
            f"{result.loss:.9f}",
            fingerprint(result.gradient),
            f"{result.seconds:5.1f}",
            f"{differing} differ" if differing else "identical",
        )
    console.print(table)
    console.print(
        f"The gradient is {measured[0].gradient.size:,} numbers of float32, from the logits of a "
        "slab; its letters are a digest of their bits.",
        style="dim",
    )
    for reason in left_out:
        console.print(f"Left out, {reason}", style="dim", markup=False)
    return measured


# -- which Dice for probabilities ------------------------------------------------------------------


def compare_forms(console: Console, atlas: Atlas) -> None:
    """Print the Dice score of each tissue's probabilities with themselves, in every form."""
    table = Table("form", *TISSUES, title="Dice of the atlas with itself", box=SIMPLE_HEAD)
    for form in ("product", "squared", "minimum"):
        scores = dice_score(atlas.probabilities, atlas.probabilities, class_axis=0, form=form)
        table.add_row(form, *(f"{score:.3f}" for score in scores))
    console.print(table)
    console.print(
        "A soft label is equal to itself, and the product form denies it: a voxel that is half "
        "grey matter counts as 0.5 · 0.5 = 0.25. The minimum form is right for soft labels, as it "
        "counts 0.5 and keeps Σp, the volume of the tissue, as the size of a set, where the "
        "squared form has Σp²."
    )


# -- the picture -----------------------------------------------------------------------------------

AXIAL = 72  # through the anterior commissure, where deep grey matter is nearly as bright as white

# colours that the colour-blind can distinguish: Okabe and Ito's
AGREEMENT_COLOURS = {
    "multi-Otsu only (FP)": "#D55E00",
    "atlas only (FN)": "#F0E442",
    "both (TP)": "#009E73",
}


def draw(path: Path, atlas: Atlas, segmentation: Segmentation, grey_dice: float) -> None:
    """Save one slice: the image, the atlas, the segmentation, and where the two agree on grey
    matter.
    """
    (window,) = find_objects((atlas.t1[..., AXIAL] > 0).astype(int))
    t1, reference, labels = (
        volume[..., AXIAL][window].T for volume in (atlas.t1, atlas.labels, segmentation.labels)
    )
    agreement = (labels == GREY) + 2 * (reference == GREY)  # 1, 2, 3, in the order of the colours
    panels = (
        ("MNI152 T1", np.zeros_like(labels), {}),
        ("atlas", reference, TISSUE_COLOURS),
        ("multi-Otsu", labels, TISSUE_COLOURS),
        (f"grey matter, volume Dice {grey_dice:.3f}", agreement, AGREEMENT_COLOURS),
    )
    figure = Figure(
        figsize=(14, 5.6), facecolor="black"
    )  # without pyplot, which would need a display
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.16, top=0.92, wspace=0.03)
    for axes, (title, numbers, colours) in zip(
        figure.subplots(1, len(panels)), panels, strict=True
    ):
        draw_panel(axes, title, t1, numbers, colours)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


# --------------------------------------------------------------------------------------------------


def main() -> int:
    """Run the example; return 1 if any library differs from NumPy."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--output", type=Path, default=Path("demo-output/brain_tissue.png"), help="the picture"
    )
    path = parser.parse_args().output
    # PyTorch's threads wait by spinning; on a busy machine that takes the cores they wait for
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    console = Console()
    if not console.is_terminal:
        console.width = 120  # a log file has no width

    atlas = load_atlas()
    segmentation = segment(atlas.t1)
    measured = compare_libraries(console, atlas, segmentation)
    compare_forms(console, atlas)
    draw(path, atlas, segmentation, grey_dice=measured[0].values[0, GREY - CSF])
    console.print(f"Picture: {path}", soft_wrap=True)

    differ = [result.library for result in measured if result.differing(measured[0])]
    if differ:
        console.print(f"Other bits than NumPy's from {', '.join(differ)}.", style="bold red")
        return 1
    console.print(f"All {len(measured)} backends gave identical bits.", style="bold green")
    return 0


if __name__ == "__main__":
    sys.exit(main())
