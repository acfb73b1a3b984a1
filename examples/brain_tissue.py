"""Segment a brain, score it with every array library installed here, and get the same bits from all of them.

The brain is the MNI152 template, 8.7 million voxels of 1 mm, which nilearn carries in its wheel: nothing is downloaded.
Two thresholds split its T1 image into tissues, and the atlas of tissue probabilities says how well that went::

    python examples/brain_tissue.py

prints the scores of each library, shows which form of Dice suits probabilities, and draws what was compared. The exit
status is 1 if any library differs from NumPy in a single bit.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from nilearn.datasets import load_mni152_gm_template, load_mni152_template, load_mni152_wm_template
from rich.console import Console
from rich.table import Table
from scipy.ndimage import find_objects
from skimage.filters import threshold_multiotsu

from dice_any import backends, dice_loss, dice_score, jaccard_score, overlap

TISSUES = ("CSF", "grey matter", "white matter")
BACKGROUND, CSF, GREY, WHITE = range(4)  # labels, and places on the class axis of memberships

Array = Any  # of whichever library


# -- the data ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Atlas:
    """A brain and what is known of it, on one grid: x to the right, y forward, z up."""

    t1: np.ndarray  # brightness in [0, 1]; 0 outside the brain
    probabilities: np.ndarray  # of TISSUES, along the first axis
    labels: np.ndarray  # the most probable tissue of each voxel


@dataclass(frozen=True)
class Segmentation:
    """What the T1 image alone says about the same brain."""

    labels: np.ndarray
    memberships: np.ndarray  # how much of each voxel belongs to each label, along the first axis


def load_atlas() -> Atlas:
    """Read the MNI152 template; whatever is neither grey nor white matter inside the brain is CSF."""
    loaders = load_mni152_template, load_mni152_gm_template, load_mni152_wm_template
    t1, grey, white = (load(resolution=1).get_fdata(dtype=np.float32) for load in loaders)
    brain = t1 > 0
    probabilities = np.stack([np.where(brain, 1 - grey - white, 0), grey, white])
    labels = np.where(brain, CSF + probabilities.argmax(axis=0), BACKGROUND)
    return Atlas(t1, probabilities, labels.astype(np.uint8))


def segment(t1: np.ndarray) -> Segmentation:
    """Split a brain into tissues by brightness, with the two thresholds of multi-Otsu.

    For soft memberships, a voxel whose brightness lies between the means of two tissues is taken for a mixture of both,
    in linear proportion: the partial-volume effect at its simplest.
    """
    brain = t1 > 0
    thresholds = threshold_multiotsu(t1[brain], classes=len(TISSUES))
    labels = np.where(brain, CSF + np.digitize(t1, thresholds), BACKGROUND)
    means = [t1[labels == tissue].mean() for tissue in (CSF, GREY, WHITE)]
    mixture = [np.where(brain, np.interp(t1, means, pure), 0) for pure in np.eye(len(TISSUES))]
    return Segmentation(labels.astype(np.uint8), np.stack([~brain, *mixture]).astype(np.float32))


# -- the same bits from every library ----------------------------------------------------------------------------------


def evaluate(labels: Array, memberships: Array, reference: Array) -> tuple[Array, Array, Array]:
    """Return Dice, Jaccard and Dice loss of each tissue. Nothing here depends on the library."""
    counts = overlap(labels, reference, num_classes=4)  # the one pass over the voxels; both scores are algebra on it
    sums = overlap(memberships, reference, class_axis=0)  # floating memberships, yet summed exactly
    return (
        dice_score(counts, classes="foreground"),
        jaccard_score(counts, classes="foreground"),
        dice_loss(sums, classes="foreground", reduction="none"),
    )


def to_torch(volume: np.ndarray) -> Array:
    import torch

    return torch.asarray(volume, device="cuda" if torch.cuda.is_available() else "cpu")


def to_jax(volume: np.ndarray) -> Array:
    import jax.numpy

    return jax.numpy.asarray(volume)


def to_cupy(volume: np.ndarray) -> Array:
    import cupy

    return cupy.asarray(volume)


def to_dask(volume: np.ndarray) -> Array:
    import dask.array

    return dask.array.from_array(volume, chunks=64)


def to_strict(volume: np.ndarray) -> Array:
    import array_api_strict

    return array_api_strict.asarray(volume)


#: library -> (how volumes get in, how scores come out); Dask does all of its work on the way out
CONVERTERS: dict[str, tuple[Callable[[np.ndarray], Array], Callable[[Array], np.ndarray]]] = {
    "numpy": (np.asarray, np.asarray),
    "torch": (to_torch, lambda scores: scores.numpy(force=True)),
    "jax": (to_jax, np.asarray),
    "cupy": (to_cupy, lambda scores: scores.get()),
    "dask": (to_dask, lambda scores: scores.compute()),
    "array_api_strict": (to_strict, np.asarray),
}


@dataclass(frozen=True)
class Measurement:
    """What one library answered."""

    values: np.ndarray  # Dice, Jaccard and loss by tissue, (3, 3) float64
    device: str
    seconds: float

    def differing(self, other: Measurement) -> int:
        """Return how many values differ from another library's, if only in the last bit."""
        return np.count_nonzero(self.values.view(np.int64) != other.values.view(np.int64))


def measure(library: str, *volumes: np.ndarray) -> Measurement:
    """Evaluate on the arrays of one library; the time is that of a first call, with any compilation."""
    to_library, to_numpy = CONVERTERS[library]
    arrays = [to_library(volume) for volume in volumes]
    start = time.perf_counter()
    values = np.stack([to_numpy(scores) for scores in evaluate(*arrays)])
    seconds = time.perf_counter() - start
    device = str(getattr(arrays[0], "device", "cpu")).lower()  # every library spells it its own way
    return Measurement(values, "cuda" if "cuda" in device else "cpu", seconds)


def compare_libraries(console: Console, atlas: Atlas, segmentation: Segmentation) -> tuple[np.ndarray, bool]:
    """Print a line for each library; return NumPy's Dice scores, and whether all libraries have the same bits."""
    table = Table("library", "device", title="T1 against atlas, CSF, grey and white matter", title_justify="left")
    for name in ("Dice", "Jaccard", "Dice loss", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("bits")
    measured: dict[str, Measurement] = {}
    left_out: list[str] = []
    for backend in backends():
        if backend.kind != "arrays":
            continue
        if not backend.usable or backend.name not in CONVERTERS:
            left_out.append(f"{backend.name}: {backend.problem or 'is not converted to here'}")
            continue
        with console.status(backend.name):
            result = measure(backend.name, segmentation.labels, segmentation.memberships, atlas.labels)
        measured[backend.name] = result
        differing = result.differing(measured["numpy"])  # which `backends` lists first
        table.add_row(
            f"{backend.name} {backend.version}",
            result.device,
            *("  ".join(f"{value:.3f}" for value in row) for row in result.values),
            f"{result.seconds:.1f}",
            f"{differing} of {result.values.size} differ" if differing else "identical",
        )
    console.print(table)
    for reason in left_out:
        console.print(f"Left out, {reason}", style="dim")
    differ = [name for name, result in measured.items() if result.differing(measured["numpy"])]
    verdict = f"{', '.join(differ)} gave other bits than NumPy" if differ else "gave identical bits"
    return measured["numpy"].values[0], not differ
