"""Small calls: where the calls themselves take the time, beside what a user would write or import.

Scores are of two masks, or of two label maps of 4 classes, with 64 × 64 elements. Steps are forward
and backward from float32 logits and integer labels in PyTorch, as in the suite of losses. This
package chooses the kernel by itself. "By hand" is the formula on counts, in the same library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

import dice_any

from .case import Case, Contender, Job
from .losses import DICE, DICE_ENTROPY, PER_CLASS, WITH_ENTROPY, Peer, step_job

SIDE, CLASSES = 64, 4
SHAPES = ((2, 3, 16, 16), (4, 3, 64, 64), (2, 4, 32, 32, 32))
#: seconds that a score may take
TARGETS = {
    ("masks", "numpy"): 25e-6,
    ("masks", "torch"): 60e-6,
    ("label maps", "numpy"): 60e-6,
    ("label maps", "torch"): 120e-6,
}
STEPS: dict[str, tuple[str, dict[str, Peer], Callable[..., Any], Any]] = {
    "Dice": ("MONAI DiceLoss", DICE, dice_any.dice_loss, PER_CLASS),
    "Dice + cross-entropy": (
        "MONAI DiceCELoss",
        DICE_ENTROPY,
        dice_any.dice_cross_entropy_loss,
        WITH_ENTROPY,
    ),
}


def cases(quick: bool) -> list[Case]:
    """Return the cases; quick and full sizes are the same."""
    scores = [
        Case(
            f"Dice of two {kind}, {library}",
            partial(_score, kind, library),
            (library,),
            weigh=False,
            peers=("torchmetrics",) if library == "torch" else (),
        )
        for kind, library in TARGETS
    ]
    steps = [
        Case(
            f"{name}, {_size(shape)}",
            partial(_step, name, shape),
            ("torch",),
            weigh=False,
            peers=("monai",),
        )
        for name in STEPS
        for shape in SHAPES
    ]
    return scores + steps


def _score(kind: str, library: str) -> Job:
    random = np.random.default_rng(0)
    of_masks = kind == "masks"
    x, y = random.integers(0, 2 if of_masks else CLASSES, (2, SIDE, SIDE))
    pair = (x > 0, y > 0) if of_masks else (x, y)
    arrays = pair if library == "numpy" else [import_module("torch").from_numpy(a) for a in pair]
    options = {} if of_masks else {"num_classes": CLASSES}

    def ours() -> Iterable[Any]:
        return (dice_any.dice_score(*arrays, **options),)

    contenders = {
        "by hand": Contender(_by_hand(kind, library, arrays), 1e-6),
        "dice_score": Contender(ours, seconds=TARGETS[kind, library]),
    }
    if library == "torch" and find_spec("torchmetrics"):
        contenders["torchmetrics"] = Contender(_torchmetrics(of_masks, arrays), 1e-6)
        contenders["dice_score"] = replace(contenders["dice_score"], faster={"torchmetrics": 1.0})
        contenders["dice_score"] = contenders.pop("dice_score")  # after its peers in the table

    def expected() -> list[float]:
        found = []
        for label in (1,) if of_masks else range(CLASSES):
            p = {i for i, value in enumerate(x.ravel().tolist()) if value == label}
            t = {i for i, value in enumerate(y.ravel().tolist()) if value == label}
            found.append(float(Fraction(2 * len(p & t), len(p) + len(t))))
        return found

    return Job(f"{SIDE} × {SIDE} elements", contenders, expected)


def _by_hand(kind: str, library: str, arrays: Any) -> Callable[[], Iterable[Any]]:
    x, y = arrays
    xp = import_module(library)

    def of_masks() -> Iterable[Any]:
        sizes = xp.count_nonzero(x) + xp.count_nonzero(y)
        return (2 * xp.count_nonzero(x & y) / sizes,)

    def of_labels() -> Iterable[Any]:
        joint = xp.bincount((CLASSES * y + x).reshape(-1), minlength=CLASSES**2)
        joint = joint.reshape(CLASSES, CLASSES)
        return (2 * joint.diagonal() / (joint.sum(0) + joint.sum(1)),)

    return of_masks if kind == "masks" else of_labels


def _torchmetrics(of_masks: bool, arrays: Any) -> Callable[[], Iterable[Any]]:
    functional = import_module("torchmetrics.functional")
    x, y = arrays
    if of_masks:
        return lambda: (functional.classification.binary_f1_score(x, y),)
    return lambda: (functional.classification.multiclass_f1_score(x, y, CLASSES, average="none"),)


def _step(name: str, shape: tuple[int, ...]) -> Job:
    peer, peers, function, formula = STEPS[name]

    def load() -> Any:
        return partial(function, class_axis=1, activation="softmax")

    job = step_job({peer: peers[peer], function.__name__: Peer(load, formula)}, shape)
    ours = job.contenders[function.__name__]
    if peer in job.contenders:
        job.contenders[function.__name__] = replace(ours, ratio=1.0)
    return job


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
