"""Losses: forward and backward from float32 logits and integer labels, beside other packages, on
the CPU.

Each contender runs with softmax and its default formula; the formulas differ in smoothing and in
what is averaged. The loss and eight elements of the gradient were compared with that formula,
computed by NumPy in float64. "Written out" is the formula as one writes it by hand in PyTorch, also
under `torch.compile`. "Reference" is this package on PyTorch's operations alone, and "kernel" its
Numba loops. In JAX this package is compared with its formula written out. Memory
includes the gradient, which every contender needs. kornia accepts only images, so it gets the same
numbers, reshaped.
"""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import dice_any

from . import report
from .case import Case, Contender, Job
from .report import Table

Tensor = Any
Loss = Callable[[Tensor, Tensor], Tensor]
#: the error that float32 sums and a float32 softmax may cause in a gradient, which is a difference
#: (smp's error is the largest, a thousandth)
TOLERANCE = 5e-3
PEERS = ("kornia", "monai", "nnunetv2", "numba", "segmentation_models_pytorch")


class Formula(NamedTuple):
    """Offset + the mean over groups of 1 − (2I + a)/(X + Y + b), + the mean cross-entropy if it is
    added.
    """

    smooth: tuple[float, float]
    #: the sums of one ratio: of each "sample and class", of each "class", or of each "sample"
    group: str
    offset: float = 0.0
    background: bool = True
    entropy: bool = False


class Peer(NamedTuple):
    """A contender: a function that makes its loss, and the formula of that loss."""

    load: Callable[[], Loss]
    formula: Formula


def cases(quick: bool) -> list[Case]:
    """Return the cases."""
    volume, image = ((24,) * 3, (64, 64)) if quick else ((96,) * 3, (512, 512))
    shapes = {
        "2 volumes, 4 classes": (2, 4, *volume),
        "1 volume, 32 classes": (1, 32, *volume),
        "8 images, 21 classes": (8, 21, *image),
    }
    torch = [
        Case(f"{name}, {inputs}", partial(step_job, contenders, shape), ("torch",), peers=PEERS)
        for name, contenders in (("Dice", DICE), ("Dice + cross-entropy", DICE_ENTROPY))
        for inputs, shape in shapes.items()
    ]
    jax = [
        Case(
            f"{name}, 2 volumes, 4 classes, JAX jitted",
            partial(_jax_job, entropy, (2, 4, *volume)),
            ("jax",),
            peers=("optax",),
        )
        for name, entropy in (("Dice", False), ("Dice + cross-entropy", True))
    ]
    return torch + jax


def draw(tables: Sequence[Table], title: str, path: Path) -> None:
    """Draw all times; and, for the first page, each peer's time as a multiple of the kernel's."""
    report.draw(tables, title, path)
    medians = {
        table.title: {name: spread.median for name, spread in table.seconds.items()}
        for table in tables
    }
    draw_ratios(medians, path.with_name(f"{path.stem}-ratios.png"))


def draw_ratios(medians: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Draw the median times of each case as multiples of the kernel's."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    rows = {title: times for title, times in medians.items() if _of_kernel(times)}
    if not rows:
        return
    figure = Figure(figsize=(9, 0.28 * len(rows) + 1.2), layout="constrained")
    FigureCanvasAgg(figure)
    panel = figure.subplots()
    marks: dict[str, str] = {}
    for row, times in enumerate(rows.values()):
        kernel = _of_kernel(times)
        for name, seconds in times.items():
            label, colour = name if "written" in name else name.partition(" ")[0], "0.45"
            if report.is_ours(name):
                label = "dice_any (orange: kernel)"
                colour = "tab:orange" if name == kernel else "tab:blue"
            mark = marks.setdefault(label, "osv^DPX*<>"[len(marks) % 10])
            panel.plot(seconds / times[kernel], row, mark, color=colour, markersize=6)
    panel.axvline(1, color="tab:orange", linewidth=1)
    panel.set_yticks(range(len(rows)), list(rows), fontsize=8)
    panel.invert_yaxis()
    panel.set_xscale("log", base=2)
    panel.set_xticks([1, 2, 4, 8, 16], ["1×", "2×", "4×", "8×", "16×"])
    panel.set_xlabel("time of a step, as a multiple of the kernel's", fontsize=8)
    panel.spines[["top", "right"]].set_visible(False)
    handles = [
        Line2D([], [], marker=mark, linestyle="", color="0.45", label=name)
        for name, mark in marks.items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    figure.savefig(path, dpi=100)


def _of_kernel(names: Iterable[str]) -> str:
    """Return the name of the contender that the Numba kernel computes, "" for none."""
    return next((name for name in names if name.endswith(", kernel")), "")


# -- contenders; each package is imported when its loss is made ------------------------------------


def _monai(name: str) -> Loss:
    loss = getattr(import_module("monai.losses"), name)(softmax=True, to_onehot_y=True)
    return lambda z, y: loss(z, y[:, None])


def _kornia() -> Loss:
    loss = import_module("kornia.losses").dice_loss
    return lambda z, y: loss(z.flatten(2, -2), y.flatten(1, -2))


def _smp() -> Loss:
    name = "segmentation_models_pytorch"
    if (
        name not in sys.modules
    ):  # its `__init__` imports packages that the losses do not need, such as torchvision
        spec = find_spec(name)
        if spec is None:
            raise ImportError(name)
        package = types.ModuleType(name)
        package.__path__, package.__spec__ = list(spec.submodule_search_locations or ()), spec
        sys.modules[name] = package
    return import_module(f"{name}.losses").DiceLoss("multiclass")  # type: ignore[no-any-return]


def _nnunet() -> Loss:
    import torch

    loss = import_module("nnunetv2.training.loss.dice").MemoryEfficientSoftDiceLoss
    return loss(apply_nonlin=lambda z: torch.softmax(z, 1), ddp=False)  # type: ignore[no-any-return]


def _nnunet_entropy() -> Loss:
    dice = import_module("nnunetv2.training.loss.dice").MemoryEfficientSoftDiceLoss
    arguments = {
        "smooth": 1e-5,
        "do_bg": False,
        "batch_dice": False,
        "ddp": False,
    }  # those of its trainer
    loss = import_module("nnunetv2.training.loss.compound_losses").DC_and_CE_loss(
        arguments, {}, dice_class=dice
    )
    return lambda z, y: loss(z, y[:, None])


def _written_out(entropy: bool, compiled: bool) -> Loss:
    import torch
    from torch.nn.functional import cross_entropy, one_hot

    def loss(z: Tensor, y: Tensor) -> Tensor:
        p, t = torch.softmax(z, 1), one_hot(y, z.shape[1]).movedim(-1, 1).to(z.dtype)
        space = [axis for axis in range(z.ndim) if axis != 1]
        both, prediction, target = (p * t).sum(space), p.sum(space), t.sum(space)
        dice = 1 - ((2 * both + 1) / (prediction + target + 1)).mean()
        return dice + cross_entropy(z, y) if entropy else dice

    return torch.compile(loss) if compiled else loss


def _ours(function: Callable[..., Tensor], backend: str) -> Loss:
    known = {
        plugin.name
        for plugin in dice_any.backends()
        if {"torch", "*"} & {*plugin.modules} and plugin.problem is None
    }
    if backend not in known:
        raise ImportError(backend)
    return partial(function, class_axis=1, activation="softmax", backend=backend)


PER_CLASS = Formula((1.0, 1.0), "class")
WITH_ENTROPY = PER_CLASS._replace(entropy=True)
DICE = {
    "MONAI DiceLoss": Peer(partial(_monai, "DiceLoss"), Formula((1e-5, 1e-5), "sample and class")),
    "kornia dice_loss": Peer(_kornia, Formula((0.0, 1e-8), "sample")),
    "smp DiceLoss": Peer(_smp, Formula((0.0, 0.0), "class")),
    "nnU-Net dice": Peer(_nnunet, Formula((1.0, 1.0), "sample and class", offset=-1.0)),
    "written out": Peer(partial(_written_out, False, False), PER_CLASS),
    "written out and compiled": Peer(partial(_written_out, False, True), PER_CLASS),
    "dice_loss, reference": Peer(partial(_ours, dice_any.dice_loss, "reference"), PER_CLASS),
    "dice_loss, kernel": Peer(partial(_ours, dice_any.dice_loss, "numba"), PER_CLASS),
}
TRAINER = Formula((1e-5, 1e-5), "sample and class", offset=-1.0, background=False, entropy=True)
DICE_ENTROPY = {
    "MONAI DiceCELoss": Peer(
        partial(_monai, "DiceCELoss"), Formula((1e-5, 1e-5), "sample and class", entropy=True)
    ),
    "nnU-Net DC_and_CE_loss": Peer(_nnunet_entropy, TRAINER),
    "written out": Peer(partial(_written_out, True, False), WITH_ENTROPY),
    "written out and compiled": Peer(partial(_written_out, True, True), WITH_ENTROPY),
    "dice_cross_entropy_loss, reference": Peer(
        partial(_ours, dice_any.dice_cross_entropy_loss, "reference"), WITH_ENTROPY
    ),
    "dice_cross_entropy_loss, kernel": Peer(
        partial(_ours, dice_any.dice_cross_entropy_loss, "numba"), WITH_ENTROPY
    ),
}


# -- the job ---------------------------------------------------------------------------------------


def load(peers: Mapping[str, Peer]) -> tuple[dict[str, Loss], str]:
    """Return the losses of the packages that are installed, and a note on the others."""
    loaded, missing = {}, []
    for name, peer in peers.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # other packages give warnings on import
                loaded[name] = peer.load()
        except ImportError:
            missing.append(name)
    return loaded, f"Not installed: {', '.join(missing)}." if missing else ""


def step_job(peers: dict[str, Peer], shape: tuple[int, ...]) -> Job:
    import torch

    z, y, picked = _inputs(shape)
    logits, labels, places = (
        torch.from_numpy(z).requires_grad_(),
        torch.from_numpy(y),
        torch.from_numpy(picked),
    )
    contenders: dict[str, Contender] = {}
    loaded, note = load(peers)
    for name, loss in loaded.items():
        expected = partial(expected_step, peers[name].formula, z, y, picked)
        least = _target(name, classes=shape[1])
        faster = {other: least for other in contenders if least and ", " not in other}
        contenders[name] = Contender(
            partial(_step, loss, logits, labels, places),
            TOLERANCE,
            expected=expected,
            faster=faster,
        )
    return Job(f"{' × '.join(map(str, shape))} logits", contenders, note=note)


def _inputs(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return logits, labels and the indices of the gradient elements that are checked."""
    random = np.random.default_rng(0)
    z = random.standard_normal(shape, dtype=np.float32)
    return z, random.integers(0, shape[1], (shape[0], *shape[2:])), random.integers(0, z.size, 8)


def _jax_job(entropy: bool, shape: tuple[int, ...]) -> Job:
    """Return the job that compares the formula written out, optax's loss and ours, under XLA."""
    import jax

    jnp, nn = jax.numpy, jax.nn
    z, y, picked = _inputs(shape)
    logits, labels = jnp.asarray(z), jnp.asarray(y, dtype=jnp.int32)
    space = tuple(a for a in range(z.ndim) if a != 1)

    def written_out(z: Tensor, y: Tensor) -> Tensor:
        p, t = nn.softmax(z, axis=1), nn.one_hot(y, shape[1], axis=1)
        both, prediction, target = (v.sum(axis=space) for v in (p * t, p, t))
        dice = 1.0 - ((2 * both + 1) / (prediction + target + 1)).mean()
        return dice - (nn.log_softmax(z, axis=1) * t).sum(axis=1).mean() if entropy else dice

    ours, formula = (
        (dice_any.dice_cross_entropy_loss, WITH_ENTROPY)
        if entropy
        else (dice_any.dice_loss, PER_CLASS)
    )
    #: each with its formula and its target: time as a multiple of that of the formula written out
    losses: dict[str, tuple[Loss, Formula, float | None]] = {
        "written out": (written_out, formula, None),
        ours.__name__: (partial(ours, class_axis=1, activation="softmax"), formula, 2.0),
    }
    if not entropy and find_spec("optax") is not None:
        optax_loss = import_module("optax.losses").dice_loss

        def optax(z: Tensor, y: Tensor) -> Tensor:
            return optax_loss(jnp.moveaxis(z, 1, -1), nn.one_hot(y, shape[1])).mean()

        losses["optax dice_loss"] = (optax, Formula((2.0, 2.0), "sample and class"), None)

    def step(compiled: Callable[..., tuple[Tensor, Tensor]]) -> Iterable[Tensor]:
        value, gradient = jax.block_until_ready(compiled(logits, labels))
        return value, np.asarray(gradient).reshape(-1)[
            picked
        ]  # a view: the arrays are in the CPU's memory

    return Job(
        f"{' × '.join(map(str, shape))} logits",
        {
            name: Contender(
                partial(step, jax.jit(jax.value_and_grad(loss))),
                TOLERANCE,
                ratio=most,
                expected=partial(expected_step, formula, z, y, picked),
            )
            for name, (loss, formula, most) in losses.items()
        },
    )


def _target(name: str, *, classes: int) -> float | None:
    """Return the target: how many times faster than every peer a contender should be."""
    loss, _, backend = name.partition(", ")
    if backend == "reference":
        return 1.0
    if backend == "kernel":
        few, many = (3.5, 4.0) if loss == "dice_loss" else (5.0, 8.0)
        return few if classes < 8 else many
    return None


def _step(loss: Loss, logits: Tensor, labels: Tensor, places: Tensor) -> Iterable[Tensor]:
    logits.grad = None
    value = loss(logits, labels)
    value.backward()
    return value.detach(), logits.grad.view(-1)[places]


def expected_step(
    formula: Formula, z: np.ndarray, y: np.ndarray, picked: np.ndarray
) -> list[float]:
    """Return the loss and the picked gradients in float64, one sample at a time."""
    samples, classes = z.shape[:2]
    z, y = z.reshape(samples, classes, -1), y.reshape(samples, -1)
    both, prediction, target = np.zeros((3, samples, classes))
    entropy = 0.0
    for n in range(samples):
        p = _softmax(z[n].astype(np.float64))
        right = p[y[n], np.arange(y.shape[1])]
        both[n] = np.bincount(y[n], right, minlength=classes)
        prediction[n], target[n] = p.sum(axis=1), np.bincount(y[n], minlength=classes)
        entropy -= np.log(right).sum() / y.size
    axis = {"sample and class": (), "class": (0,), "sample": (1,)}[formula.group]
    chosen = slice(0 if formula.background else 1, None)
    i, x, t = (sums[:, chosen].sum(axis=axis, keepdims=True) for sums in (both, prediction, target))
    top, bottom = 2 * i + formula.smooth[0], x + t + formula.smooth[1]
    value = formula.offset + (1 - top / bottom).mean() + formula.entropy * entropy
    slope_i, slope_x = np.zeros((2, samples, classes))
    slope_i[:, chosen], slope_x[:, chosen] = -2 / bottom / top.size, top / bottom**2 / top.size
    n, c, k = np.unravel_index(picked, z.shape)
    p = np.stack([_softmax(z[a, :, b].astype(np.float64)) for a, b in zip(n, k, strict=True)])
    hot = np.eye(classes)[y[n, k]]
    slope = slope_i[n] * hot + slope_x[n]
    gradient = (
        p * (slope - (slope * p).sum(axis=1, keepdims=True)) + formula.entropy * (p - hot) / y.size
    )
    return [value, *gradient[np.arange(len(picked)), c]]


def _softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)
