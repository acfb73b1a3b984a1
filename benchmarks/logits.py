"""From logits: a step whose bits are the same everywhere, beside the plain one.

The loss is Dice, in one case plus cross-entropy. A step is the loss and its gradient in the logits,
with softmax, against a label map. Exact steps compute the exponential in integers; the backward
pass reads the memberships that the forward pass kept, except in JAX. The reference uses one core in
NumPy and for PyTorch; plain steps of PyTorch, JAX and the kernel use all cores. "MONAI" is its
`DiceLoss`; making its one-hot target is not timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

import dice_any

from .case import Case, Contender, Job

Array = Any
Step = Callable[[], tuple[Any, Any]]
#: how many elements of the gradient are compared: the first ones, of the first class
SHOWN = 64
#: the relative error of float32 in a gradient whose terms nearly cancel
TOLERANCE = 1e-3


def cases(quick: bool) -> list[Case]:
    """Return the cases."""
    side = 32 if quick else 96
    return [
        Case("NumPy", partial(_numpy, side)),
        Case("NumPy, with cross-entropy", partial(_compound, side)),
        Case("PyTorch, CPU", partial(_torch, side, "reference"), ("torch",)),
        Case("JAX, CPU, jitted", partial(_jax, side), ("jax",)),
        Case(
            "Numba kernel, PyTorch's tensors",
            partial(_torch, side, "numba"),
            ("torch", "numba"),
            peers=("monai",),
        ),
    ]


def _inputs(side: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    logits = random.normal(size=(2, 4, side, side, side)).astype(np.float32) * 3
    return logits, random.integers(0, 4, (2, side, side, side))


def step(
    logits: Array,
    labels: Array,
    exact: bool,
    backend: str | None,
    loss: Callable[..., Array] = dice_any.dice_loss,
) -> tuple[Array, Array]:
    """Return the loss and its gradient in closed form."""
    return dice_any.value_and_grad(loss)(
        logits, labels, class_axis=1, activation="softmax", exact=exact, backend=backend
    )


def _job(
    logits: np.ndarray,
    labels: np.ndarray,
    steps: dict[str, Step],
    targets: dict[str, Any],
    formula: Callable[[np.ndarray, np.ndarray], list[float]] | None = None,
) -> Job:
    def shown(run: Step) -> Iterable[Any]:
        value, gradient = run()
        return value, np.asarray(gradient).reshape(-1)[:SHOWN]

    contenders = {
        name: Contender(partial(shown, run), TOLERANCE, **(targets if name == "exact" else {}))
        for name, run in steps.items()
    }
    size = f"{logits.size:,} logits of float32, 4 classes"
    return Job(size, contenders, partial(formula or by_formula, logits, labels))


def _memberships(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z = logits.astype(np.float64)
    shrunk = np.exp(z - z.max(axis=1, keepdims=True))
    p = shrunk / shrunk.sum(axis=1, keepdims=True)
    return p, labels[:, None] == np.arange(4)[:, None, None, None]


def by_compound_formula(logits: np.ndarray, labels: np.ndarray) -> list[float]:
    """Return the same plus the mean of −ln p of each label."""
    p, y = _memberships(logits, labels)
    value, *gradient = by_formula(logits, labels)
    cost = -np.log(p[y]).mean()
    slope = ((p - y) / labels.size).reshape(-1)[:SHOWN]
    return [value + cost, *(np.asarray(gradient) + slope)]


def by_formula(logits: np.ndarray, labels: np.ndarray) -> list[float]:
    """Return the mean over classes of 1 − (2I + 1) / (X + Y + 1), and its gradient, in float64."""
    p, y = _memberships(logits, labels)
    elements = (0, 2, 3, 4)
    both, size, total = ((v.sum(axis=elements, keepdims=True)) for v in (p * y, p, p * 0 + y))
    bottom = size + total + 1.0
    ratio = (2.0 * both + 1.0) / bottom
    slope = -(2.0 * y - ratio) / bottom
    # samples are summed in one count, so the mean is over classes only
    value = 1.0 - ratio.mean()
    slope = slope / ratio.size
    gradient = p * (slope - (slope * p).sum(axis=1, keepdims=True))
    return [value, *gradient.reshape(-1)[:SHOWN]]


def _numpy(side: int) -> Job:
    logits, labels = _inputs(side)
    steps = {
        name: partial(step, logits, labels, exact, "reference")
        for name, exact in (("plain", False), ("exact", True))
    }
    return _job(logits, labels, steps, {"ratio": 2.5, "memory": 1.3 * logits.nbytes})


def _compound(side: int) -> Job:
    logits, labels = _inputs(side)
    loss = dice_any.dice_cross_entropy_loss
    steps = {
        name: partial(step, logits, labels, exact, "reference", loss)
        for name, exact in (("plain", False), ("exact", True))
    }
    return _job(logits, labels, steps, {}, by_compound_formula)


def _torch(side: int, backend: str) -> Job:
    import torch

    logits, labels = _inputs(side)
    z, y = torch.from_numpy(logits), torch.from_numpy(labels)

    def run(exact: bool) -> tuple[Any, Any]:
        leaf = z.detach().requires_grad_()
        value = dice_any.dice_loss(
            leaf, y, class_axis=1, activation="softmax", exact=exact, backend=backend
        )
        value.backward()
        return value.item(), leaf.grad

    steps: dict[str, Step] = {"plain": partial(run, False), "exact": partial(run, True)}
    targets: dict[str, Any] = {"ratio": 2.5, "memory": 1.3 * logits.nbytes}
    if backend == "numba":
        targets["ratio"] = 2.0
        monai = _monai(z, y)
        if monai is not None:
            steps["MONAI, plain"] = monai
            targets["faster"] = {"MONAI, plain": 1.0}
    return _job(logits, labels, steps, targets)


def _monai(z: Any, y: Any) -> Step | None:
    """Return MONAI's step of the same loss; None if it is not installed."""
    try:
        from monai.losses import DiceLoss
    except ImportError:
        return None
    import torch

    one_hot = torch.nn.functional.one_hot(y, 4).movedim(-1, 1).float()
    loss = DiceLoss(softmax=True, batch=True, smooth_nr=1.0, smooth_dr=1.0)

    def run() -> tuple[Any, Any]:
        leaf = z.detach().requires_grad_()
        value = loss(leaf, one_hot)
        value.backward()
        return value.item(), leaf.grad

    return run


def _jax(side: int) -> Job:
    import jax

    logits, labels = _inputs(side)
    z, y = jax.numpy.asarray(logits), jax.numpy.asarray(labels.astype(np.int32))

    def compiled(exact: bool) -> Step:
        def loss(z: Any, y: Any) -> Any:
            return dice_any.dice_loss(z, y, class_axis=1, activation="softmax", exact=exact)

        run = jax.jit(jax.value_and_grad(loss))
        return lambda: jax.block_until_ready(run(z, y))

    return _job(logits, labels, {"plain": compiled(False), "exact": compiled(True)}, {"ratio": 2.0})
