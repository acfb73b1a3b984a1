"""Every public function on every kind of input that it accepts, for tests of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .. import counts, losses, scores
from ..losses.gradients import value_and_grad
from . import recipe
from .every_loss import CALLS

CLASSES = 3

#: The required arguments of scores.
OF_SCORES: dict[str, dict[str, Any]] = {
    "tversky_score": {"alpha": 0.3, "beta": 0.8},
    "f_score": {"beta": 2},
}
SCORES: dict[str, Callable[..., Any]] = {
    name: partial(getattr(scores, name), **OF_SCORES.get(name, {}))
    for name in scores.__all__
    if "_to_" not in name
}
LOSSES: dict[str, Callable[..., Any]] = {
    name: partial(getattr(losses, name), **given) for name, given in CALLS.items()
}

#: kinds of input, as `inputs` makes them
KINDS = ("masks", "label maps", "memberships", "classes", "logits")
#: losses that do not accept every kind
KINDS_OF = {
    "centerline_dice_loss": ("classes", "logits"),
    "dice_cross_entropy_loss": ("logits",),
    "dice_focal_loss": ("logits",),
    "generalized_dice_loss": ("label maps", "classes", "logits"),
    "lovasz_loss": ("classes", "logits"),
    "wasserstein_dice_loss": ("classes", "logits"),
}


class Call(NamedTuple):
    """A public function, and what it may be called with."""

    name: str  # of the function
    kind: str  # of the input
    function: Callable[..., Any]
    arrays: tuple[np.ndarray, ...]
    options: dict[str, Any]


def inputs(
    kind: str, dtype: str = "float32", seed: int = 1
) -> tuple[tuple[np.ndarray, np.ndarray], dict[str, Any]]:
    """Return prediction, target and the options that describe them. Axis 0 is samples, axis 1
    classes.
    """
    samples, *space = shape = (2, 5, 6)
    y = recipe.labels(seed + 1, shape, CLASSES)
    if kind == "masks":
        return (recipe.masks(seed, shape), recipe.masks(seed + 1, shape)), {}
    if kind == "label maps":
        return (recipe.labels(seed, shape, CLASSES), y), {"num_classes": CLASSES}
    if kind == "memberships":
        return (
            recipe.memberships(seed, shape, dtype),
            recipe.memberships(seed + 2, shape, dtype),
        ), {}
    x = recipe.memberships(seed, (samples, CLASSES, *space), dtype)
    if kind == "classes":
        return (x, y), {"class_axis": 1}
    return (x * np.asarray(8, dtype=x.dtype) - np.asarray(4, dtype=x.dtype), y), {
        "class_axis": 1,
        "activation": "softmax",
    }


def of_scores(dtype: str = "float32") -> Iterator[Call]:
    """Yield every score on every kind of input."""
    for name, function in SCORES.items():
        for kind in KINDS:
            yield Call(name, kind, function, *inputs(kind, dtype))


def of_losses(dtype: str = "float32") -> Iterator[Call]:
    """Yield every loss on every kind of input that it accepts."""
    for name, function in LOSSES.items():
        for kind in KINDS_OF.get(name, KINDS):
            arrays, options = inputs(kind, dtype)
            yield Call(name, kind, function, arrays, {**options, "axis": "space"})


def of_gradients(dtype: str = "float32") -> Iterator[Call]:
    """Yield the closed form of every loss of a floating prediction; it returns a value and a
    gradient.
    """
    for call in of_losses(dtype):
        if call.arrays[0].dtype.kind not in "bi":
            bound = getattr(call.function, "keywords", {})
            function = value_and_grad(getattr(call.function, "func", call.function))
            yield call._replace(
                name=f"value_and_grad({call.name})", function=partial(function, **bound)
            )


def of_counts(dtype: str = "float32") -> Iterator[Call]:
    """Yield the functions that make overlaps and matrices; an overlap is represented by its true
    positives and false negatives.
    """

    def errors(function: Callable[..., Any], *arrays: Any, **options: Any) -> tuple[Any, Any]:
        overlap = function(*arrays, **options)
        return overlap.tp, overlap.fn

    for kind in KINDS:
        yield Call("overlap", kind, partial(errors, counts.overlap), *inputs(kind, dtype))
    yield Call("confusion_matrix", "label maps", counts.confusion_matrix, *inputs("label maps"))
    for kind in ("masks", "memberships"):
        arrays, _ = inputs(kind, dtype)
        rows = arrays[0].reshape(6, -1), arrays[1].reshape(6, -1)[:5]
        for options in ({},) if kind == "masks" else ({}, {"exact": False}):
            yield Call(
                "pairwise_overlap", kind, partial(errors, counts.pairwise_overlap), rows, options
            )


def of_everything(dtype: str = "float32") -> Iterator[Call]:
    """Yield every public function of two arrays on every kind of input that it accepts."""
    yield from of_scores(dtype)
    yield from of_losses(dtype)
    yield from of_gradients(dtype)
    yield from of_counts(dtype)
