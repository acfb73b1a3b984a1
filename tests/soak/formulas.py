"""Losses by float64 NumPy, one line each, without the package.

Arrays are (N, C, E) for memberships and targets, (N, E) for weights; sums are (N, C) or, over the
samples too, (C,).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def activated(z: np.ndarray, activation: str | None) -> np.ndarray:
    """Return memberships."""
    if activation == "softmax":
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
    return 1 / (1 + np.exp(-z)) if activation == "sigmoid" else z


def sums(
    p: np.ndarray,
    t: np.ndarray,
    w: np.ndarray,
    form: str,
    pooled: bool,
) -> tuple[np.ndarray, ...]:
    """Return I, X, Y and N of each class, by sample or over all of them."""
    axis = (0, 2) if pooled else 2
    w = np.broadcast_to(w[:, None], p.shape)
    both = np.minimum(p, t) if form == "minimum" else p * t
    sizes = (p * p, t * t) if form == "squared" else (p, t)
    return tuple((term * w).sum(axis=axis) for term in (both, *sizes, np.ones_like(p)))


Ratio = Callable[..., np.ndarray]


def dice(i: Any, x: Any, y: Any, n: Any, a: float, b: float, **_: Any) -> Any:
    return (2 * i + a) / (x + y + b)


def jaccard(i: Any, x: Any, y: Any, n: Any, a: float, b: float, **_: Any) -> Any:
    return (i + a) / (x + y - i + b)


def tversky(
    i: Any,
    x: Any,
    y: Any,
    n: Any,
    a: float,
    b: float,
    alpha: float,
    beta: float,
    **_: Any,
) -> Any:
    return (i + a) / (i + alpha * (x - i) + beta * (y - i) + b)


def matthews(i: Any, x: Any, y: Any, n: Any, a: float, b: float, **_: Any) -> Any:
    return (n * i - x * y + a) / (np.sqrt(x * (n - x) * y * (n - y)) + b)


#: name -> ratio, and the loss as a function of it
RATIOS: dict[str, tuple[Ratio, Callable[..., Any]]] = {
    "dice_loss": (dice, lambda r, **_: 1 - r),
    "jaccard_loss": (jaccard, lambda r, **_: 1 - r),
    "tversky_loss": (tversky, lambda r, **_: 1 - r),
    "focal_tversky_loss": (tversky, lambda r, gamma, **_: np.maximum(1 - r, 0) ** gamma),
    "log_dice_loss": (dice, lambda r, **_: -np.log(r)),
    "log_cosh_dice_loss": (dice, lambda r, **_: np.log(np.cosh(1 - r))),
    "matthews_loss": (matthews, lambda r, **_: 1 - r),
}


def ratio_loss(
    name: str,
    s: tuple[np.ndarray, ...],
    smooth: tuple[float, float],
    v: np.ndarray | None,
    **how: Any,
) -> float:
    """Return a loss of sums: the mean or the sum over classes and samples, or of pooled classes."""
    ratio, outer = RATIOS[name]
    classes = how.get("classes")
    s = tuple(row[..., classes] for row in s) if classes is not None else s
    v = np.ones(s[0].shape[-1]) if v is None else v if classes is None else v[classes]
    if how.get("average") == "micro":
        s, v = tuple((row * v).sum(axis=-1, keepdims=True) for row in s), np.ones(1)
    losses = outer(ratio(*s, *smooth, **how), **how)
    v = np.broadcast_to(v, losses.shape)
    return float((v * losses).sum() / (1 if how.get("reduction") == "sum" else v.sum()))


def generalized_dice(s: tuple[np.ndarray, ...], smooth: tuple[float, float]) -> float:
    """Return micro Dice with weights 1/Y², the largest 1; an absent class gets the largest."""
    i, x, y, _ = s
    present = y > 0
    smallest = np.where(present, y, np.inf).min(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        v = np.where(present, np.where(present, smallest, 1) / np.where(present, y, 1), 1.0) ** 2
    top, bottom = (2 * v * i).sum(axis=-1) + smooth[0], (v * (x + y)).sum(axis=-1) + smooth[1]
    return float((1 - top / bottom).mean())


def entropy(
    z: np.ndarray,
    t: np.ndarray,
    w: np.ndarray,
    activation: str,
    gamma: float,
    v: np.ndarray | None,
) -> float:
    """Return the mean cross-entropy, or its focal form."""
    p = activated(z, activation)
    v = np.ones(p.shape[1]) if v is None else v
    share = np.broadcast_to(w[:, None], p.shape) * v.reshape(1, -1, 1)
    if activation == "softmax":
        return float((share * t * (1 - p) ** gamma * -np.log(p)).sum() / (share * t).sum())
    terms = t * (1 - p) ** gamma * -np.log(p) + (1 - t) * p**gamma * -np.log(1 - p)
    return float((share * terms).sum() / share.sum())


def lovasz(p: np.ndarray, t: np.ndarray, w: np.ndarray, pooled: bool) -> float:
    """Return the mean over classes of Σ e_(k)·(J_k − J_(k−1)), errors in descending order."""
    cells = [(p[:, c].ravel(), t[:, c].ravel(), w.ravel()) for c in range(p.shape[1])]
    if not pooled:
        cells = [(p[n, c], t[n, c], w[n]) for n in range(len(p)) for c in range(p.shape[1])]
    losses = []
    for x, y, u in cells:
        order = np.argsort(-np.abs(y - x), kind="stable")
        e, y, u = np.abs(y - x)[order], y[order], u[order]
        size = (u * y).sum()
        union = size + np.cumsum(u * (1 - y))
        jump = np.where(union > 0, 1 - (size - np.cumsum(u * y)) / np.where(union > 0, union, 1), 0)
        losses.append((e * np.diff(jump, prepend=0.0)).sum())
    return float(np.mean(losses))


def wasserstein(
    p: np.ndarray,
    t: np.ndarray,
    w: np.ndarray,
    smooth: tuple[float, float],
    pooled: bool,
    distances: np.ndarray,
) -> float:
    """Return the generalised Wasserstein Dice loss of labels; class 0 is not rewarded."""
    far = np.einsum("ncE,cl,nlE->nE", t, distances / distances.max(), p)
    inside = (t[:, 1:].sum(axis=1) * (1 - far) * w).sum(axis=1)
    distance = (far * w).sum(axis=1)
    if pooled:
        inside, distance = inside.sum(keepdims=True), distance.sum(keepdims=True)
    return float((1 - (2 * inside + smooth[0]) / (2 * inside + distance + smooth[1])).mean())
