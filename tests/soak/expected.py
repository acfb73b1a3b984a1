"""The expected results of random calls, counted in integers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from dice_any.testing import oracle

from . import formulas
from .draw import COMPOUND, INTEGERS, RANKED, Draw


def said(value: Any) -> Any:
    """Return an argument for a message, without an array's contents."""
    return (value.dtype.name, value.shape) if isinstance(value, np.ndarray) else value


class Cells:
    """The counts of an array: the indices of the elements of each, with the classes last."""

    def __init__(self, shape: tuple[int, ...], class_axis: int | None, axis: Any) -> None:
        axis = tuple(a for a in range(len(shape)) if a != class_axis) if axis is None else axis
        kept = [a for a in range(len(shape)) if a not in axis and a != class_axis]
        kept += [] if class_axis is None else [class_axis]
        self.shape, self.kept = shape, kept

    def __iter__(self) -> Any:
        for place in itertools.product(*(range(self.shape[a]) for a in self.kept)):
            at = dict(zip(self.kept, place, strict=True))
            yield tuple(at.get(a, slice(None)) for a in range(len(self.shape)))


def spread_weights(w: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(np.float64(1) if w is None else w.astype(np.float64), shape)


def exact_sums(
    x: np.ndarray,
    y: np.ndarray,
    form: str,
    w: np.ndarray | None,
    cells: Cells,
    i: Any,
) -> oracle.Exact:
    return oracle.exact_sums(
        np.asarray(x[i]), np.asarray(y[i]), form, spread_weights(w, cells.shape)[i]
    )


class LossCase:
    """One loss of logits or memberships against a label map, and its expected value."""

    def __init__(self, draw: Draw, name: str) -> None:
        self.name = name
        bounds = ((1, 4), (2, 5), (8, 60))
        n, self.classes, length = (int(draw.chance.integers(*between)) for between in bounds)
        length = max(length, 2 * self.classes)
        dtype = draw.one_of(["float32", "float64"])
        self.activation = draw.one_of([None, "softmax", "sigmoid"])
        if name in COMPOUND:
            self.activation = draw.one_of(["softmax", "sigmoid"])
        if name == "wasserstein_dice_loss":
            self.activation = "softmax"
        self.z = (draw.chance.random((n, self.classes, length)) * 0.9 + 0.05).astype(dtype)
        if self.activation:
            self.z = (self.z * 12 - 6).astype(dtype)
        y = np.concatenate(
            [np.arange(self.classes), draw.labels((length - self.classes,), self.classes, "int64")],
        )
        self.y = np.stack([draw.chance.permutation(y) for _ in range(n)]).astype(
            draw.one_of(INTEGERS),
        )
        self.w = np.ones((n, length))
        self.arguments: dict[str, Any] = {"class_axis": 1, "activation": self.activation}
        if draw.happens(0.4):
            weight = (draw.chance.random((n, length)) * 2).astype("float32")
            weight[:, :3] *= draw.chance.integers(0, 2, (n, 3))  # zeros among them
            self.w, self.arguments["weight"] = weight.astype(np.float64), weight
        if draw.happens(0.3):
            self.arguments["ignore_label"] = 100
            ignored = np.zeros(length, dtype=bool)
            ignored[-2:] = True
            self.y[:, ignored] = 100
            self.w = self.w * ~ignored
        self._choose(draw)
        self.said = {
            "arguments": {k: v for k, v in self.arguments.items() if k != "weight"},
            "dtype": dtype,
        }

    def _choose(self, draw: Draw) -> None:
        name, arguments = self.name, self.arguments
        self.pooled = not draw.happens(0.5)
        if not self.pooled:
            arguments["axis"] = "space"
        self.smooth = draw.one_of([(1.0, 1.0), (0.3, 0.3), (0.5, 0.001)])
        self.form, self.v, self.how = "product", None, {}
        if name == "matthews_loss":
            self.smooth = (0.0, 0.0)
        if name not in ("lovasz_loss",):
            arguments["smooth"] = self.smooth
        forms = {"tversky_loss", "focal_tversky_loss", "matthews_loss", *RANKED}
        if name not in RANKED:
            self.form = arguments["form"] = draw.one_of(
                ["product", "minimum", *(() if name in forms else ("squared",))],
            )
        if name in ("tversky_loss", "focal_tversky_loss"):
            self.how = {"alpha": 0.3, "beta": 0.8}
        if name in ("focal_tversky_loss", "dice_focal_loss"):
            self.how["gamma"] = draw.one_of([0.75, 1.5, 2.0])
        if name == "wasserstein_dice_loss":
            distances = draw.chance.integers(1, 5, (self.classes, self.classes)).astype(np.float64)
            np.fill_diagonal(distances, 0)
            self.distances = distances
            arguments["distances"] = distances.tolist()
        arguments |= self.how
        if name in RANKED or name == "generalized_dice_loss":
            return
        if draw.happens(0.3):
            self.v = draw.chance.random(self.classes) + 0.1
            arguments["class_weight"] = self.v.tolist()
        if draw.happens(0.3):
            arguments["classes"] = "foreground"
            self.how["classes"] = list(range(1, self.classes))
        if name not in COMPOUND:
            if draw.happens(0.3):
                arguments["average"] = self.how["average"] = "micro"
            if draw.happens(0.2):
                arguments["reduction"] = self.how["reduction"] = "sum"

    def expected(self, z: np.ndarray) -> float:
        """Return the loss of these logits in float64."""
        t = (self.y[:, None] == np.arange(self.classes, dtype=np.int64).reshape(1, -1, 1)).astype(
            np.float64,
        )
        p = formulas.activated(z, self.activation)
        if self.name == "lovasz_loss":
            return formulas.lovasz(p, t, self.w, self.pooled)
        if self.name == "wasserstein_dice_loss":
            return formulas.wasserstein(p, t, self.w, self.smooth, self.pooled, self.distances)
        sums = formulas.sums(p, t, self.w, self.form, self.pooled)
        if self.name == "generalized_dice_loss":
            return formulas.generalized_dice(sums, self.smooth)
        if self.name in formulas.RATIOS:
            return formulas.ratio_loss(self.name, sums, self.smooth, self.v, **self.how)
        gamma = self.how.get("gamma", 0.0)
        overlap = formulas.ratio_loss("dice_loss", sums, self.smooth, self.v, **self.how)
        return overlap + formulas.entropy(z, t, self.w, str(self.activation), gamma, self.v)
