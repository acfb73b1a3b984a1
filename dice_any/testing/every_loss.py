"""Every loss with its required arguments, for tests of all losses, including future ones.

`CALLS` must name each loss in `losses.__all__`; `test_every_loss` checks that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .. import losses
from . import recipe

DISTANCES = [[0, 1, 1], [1, 0, 0.5], [1, 0.5, 0]]
#: name -> arguments for memberships or logits of three classes along axis 1, followed by two axes
CALLS: dict[str, dict[str, Any]] = {
    "dice_loss": {},
    "jaccard_loss": {},
    "tversky_loss": {"alpha": 0.3, "beta": 0.8},
    "focal_tversky_loss": {"alpha": 0.3, "beta": 0.8},
    "generalized_dice_loss": {},
    "log_dice_loss": {},
    "log_cosh_dice_loss": {},
    "matthews_loss": {},
    "dice_cross_entropy_loss": {"cross_entropy_weight": 0.5},
    "dice_focal_loss": {"focal_weight": 0.5},
    "lovasz_loss": {},
    "centerline_dice_loss": {"iterations": 1},
    "wasserstein_dice_loss": {"distances": DISTANCES},
}
#: of logits only
COMPOUND = ("dice_cross_entropy_loss", "dice_focal_loss")
#: refuse the squared form
NOT_SQUARED = ("tversky_loss", "focal_tversky_loss", "matthews_loss")
#: have a form and may be smoothed, in the usual way
OF_SUMS = tuple(name for name in CALLS if name[:3] not in ("lov", "cen", "was"))


def loss(name: str, **arguments: Any) -> Callable[..., Any]:
    """Return a loss with its arguments bound."""
    return partial(getattr(losses, name), **{"class_axis": 1, **CALLS[name], **arguments})


def takes(name: str, activation: str | None) -> bool:
    """Return whether a loss accepts an activation."""
    if activation is None:
        return name not in COMPOUND
    if activation == "hinge":
        return name == "lovasz_loss"
    return name != "wasserstein_dice_loss" or activation == "softmax"


# -- arguments -------------------------------------------------------------------------------------

#: how losses become one number
REDUCTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"reduction": "sum", "class_weight": [1.0, 0.5, 2.0]},
    {"average": "micro", "class_weight": "simple"},
    {"absent": "skip", "classes": [2, 1], "smooth": (0.5, 0.25)},
    {"absent": "zero", "smooth": 0},
)
#: and what else changes a slope
OPTIONS: tuple[dict[str, Any], ...] = (
    *REDUCTIONS,
    {"axis": "space", "class_weight": "square"},
    {"form": "squared"},
    {"form": "minimum"},
    {"ignore_label": 1},
    {"weight": True},
)


#: backends that compile each task, or are many times slower: there a loss gets some of the options
SLOW = ("jax", "dask", "cubed", "ndonnx", "cupy", "cuda", "numba")


def share(options: Sequence[Any], name: str, backend: str, parts: int = 4) -> Sequence[Any]:
    """Return all options. On a slow backend return the first and a part of the others, a different
    part for each loss, so that the losses together get all of them.
    """
    if not backend.startswith(SLOW):
        return options
    first = list(CALLS).index(name) % parts
    return [options[0], *options[1:][first::parts]]


def options_for(name: str, options: dict[str, Any], target: np.ndarray) -> dict[str, Any]:
    """Return the options that a loss accepts; a weight is made for the target."""
    options = dict(options)
    if options.get("weight") is True:
        options["weight"] = recipe.memberships(45, target.shape, "float64") + 0.1
    if name in NOT_SQUARED and options.get("form") == "squared":
        del options["form"]
    refused = {
        "lovasz_loss": ("form", "smooth"),
        "centerline_dice_loss": ("form",),
        "wasserstein_dice_loss": ("form", "average"),
    }
    return {key: value for key, value in options.items() if key not in refused.get(name, ())}


# -- the ends of the number line -------------------------------------------------------------------


def cast(values: np.ndarray, dtype: str) -> np.ndarray:
    """Return values in a dtype; bfloat16 is from ml_dtypes."""
    if dtype == "bfloat16":
        import ml_dtypes  # type: ignore[import-not-found,unused-ignore]

        return values.astype(ml_dtypes.bfloat16)
    return values.astype(dtype)


def ends(name: str, activation: str | None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return predictions and targets for which slopes overflow, vanish or tie, in numbers that
    every floating type holds. Predictions have the shape (2, 3, 4, 4), except one of one element.
    """
    shape, elements = (2, 3, 4, 4), (2, 4, 4)
    labels = recipe.labels(71, elements, 3)
    own = np.stack([labels == c for c in range(3)], axis=1)
    nothing = np.zeros(shape, dtype=bool)
    order = np.argsort(recipe.integers(73, 96, 2**30)).reshape(shape)
    if activation is None:
        x = (order + 1) / 128  # no two are equal
        half = np.full(shape, 0.5)
        if name == "wasserstein_dice_loss":  # memberships that add up to 1
            x = np.concatenate(
                [x[:, :1] / 2, 0.5 - x[:, :1] / 2, np.full((2, 1, 4, 4), 0.5)], axis=1
            )
            return {
                "some": (x, own),
                "T = 1": (own * 1.0, own),
                "all wrong": (np.roll(own, 1, axis=1) * 1.0, own),
                "one class": (half * np.array([0, 2, 0])[:, None, None], own),
                "one element": (x[:1, :, :1, :1], own[:1, :, :1, :1]),
            }
        return {
            "some": (x, own),
            "T = 1": (own * 1.0, own),
            "p = 0": (nothing * 1.0, own),
            "p = 1": (nothing + 1.0, own),
            "all wrong": (1.0 - own, own),
            "empty": (x, nothing),
            "full": (x, ~nothing),
            "empty pair": (nothing * 1.0, nothing),
            "full pair": (nothing + 1.0, ~nothing),
            "equal": (half, own),
            "one element": (x[:1, :, :1, :1], own[:1, :, :1, :1]),
        }
    # in a class, no two are equal or opposite, and all differ in distance from other classes
    n = np.stack(
        [
            np.argsort(recipe.integers(75 + c, elements, 2**30), axis=None).reshape(elements)
            for c in range(3)
        ]
    )
    z = np.stack([(4 * n[0] - 61) / 32, (8 * n[1] - 123) / 1024, (8 * n[2] - 125) / 128], axis=1)
    sure = np.where(own, 8192.0, -8192.0)
    off = np.where(np.arange(3)[:, None, None] == 2, -np.inf, z)
    high = np.where(np.arange(3)[:, None, None] == 0, 128.0, z)
    # a softmax margin and a logit at which 1 − p is lost
    lost = np.where(own, 16.75, 0.0), np.where(own, 88.0, -88.0)
    cases = {
        "some": (z, own),
        "T = 1": (sure, own),
        "all wrong": (-sure, own),
        "huge": (z * 8192, own),
        "one class high": (high, own),
        "lost margin": (lost[0], own),
        "lost logit": (lost[1], own),
        "equal": (z * 0, own),
        "one element": (z[:1, :, :1, :1], own[:1, :, :1, :1]),
        "one sure element": (sure[:1, :, :1, :1], own[:1, :, :1, :1]),
    }
    if activation != "hinge":
        cases["off"] = (off, np.stack([labels == 0, labels != 0, nothing[:, 0]], axis=1))
    if activation == "sigmoid":
        cases |= {
            "empty": (z, nothing),
            "full": (z, ~nothing),
            "empty pair": (nothing - 8192.0, nothing),
            "full pair": (nothing + 8192.0, ~nothing),
            "empty pair of none": (np.where(nothing, z, -np.inf), nothing),
        }
    return cases
