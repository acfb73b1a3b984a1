"""The brain of all examples, the MNI152 template of 1 mm in nilearn's wheel, and its pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patches import Patch
from nilearn.datasets import load_mni152_gm_template, load_mni152_template, load_mni152_wm_template

TISSUES = ("CSF", "grey matter", "white matter")
BACKGROUND, CSF, GREY, WHITE = range(4)  # labels, and places on the class axis of memberships
NUM_CLASSES = 1 + len(TISSUES)

# colours that the colour-blind can distinguish: Paul Tol's
TISSUE_COLOURS = dict(zip(TISSUES, ("#4477AA", "#BB5566", "#DDAA33"), strict=True))


@dataclass(frozen=True)
class Atlas:
    """A brain and its reference, on one grid: x to the right, y forward, z up."""

    t1: np.ndarray  # brightness in [0, 1]; 0 outside the brain
    probabilities: np.ndarray  # of TISSUES, along the first axis
    labels: np.ndarray  # the most probable tissue of each voxel


def load_atlas() -> Atlas:
    """Read the MNI152 template; all of the brain that is neither grey nor white matter is CSF."""
    loaders = load_mni152_template, load_mni152_gm_template, load_mni152_wm_template
    t1, grey, white = (load(resolution=1).get_fdata(dtype=np.float32) for load in loaders)
    brain = t1 > 0
    csf = np.where(
        brain, np.clip(1 - grey - white, 0, 1), 0
    )  # clipped: rounding leaves -1e-8 here and there
    probabilities = np.stack([csf, grey, white])
    labels = np.where(brain, CSF + probabilities.argmax(axis=0), BACKGROUND)
    return Atlas(t1, probabilities, labels.astype(np.uint8))


def draw_panel(
    axes: Axes, title: str, t1: np.ndarray, numbers: np.ndarray, colours: dict[str, str]
) -> None:
    """Paint the numbers 1, 2, ... over the image in these colours, with a legend below it."""
    axes.set_title(title, color="white", fontsize=15)
    axes.axis("off")
    axes.imshow(t1, cmap="gray", vmin=0, vmax=1.1, origin="lower")
    palette = np.array([to_rgba("none"), *map(to_rgba, colours.values())])
    axes.imshow(palette[numbers], origin="lower")
    patches = [Patch(color=colour, label=name) for name, colour in colours.items()]
    axes.legend(
        handles=patches,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        frameon=False,
        labelcolor="white",
    )
