"""On a GPU: the CUDA kernel beside the reference, MONAI and a copy in the device's memory.

A copy reads and writes every byte once, so code that only reads could take half as long. Times
include waiting for the device; memory is not measured.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import dice_any
from dice_any import conventions

from .case import Case, Contender, Job
from .exact import integer_sums

Array = Any
SMOOTH = 1e-5  # MONAI's


class Library(NamedTuple):
    """How an array library takes part."""

    to_array: Callable[[np.ndarray], Array]
    copy: Callable[[Array, Array], Any]
    wait: Callable[[], Any]
    to_host: Callable[[Array], np.ndarray]


def _torch() -> Library:
    import torch

    return Library(
        lambda values: torch.from_numpy(values).to("cuda"),
        lambda out, array: out.copy_(array),
        torch.cuda.synchronize,
        lambda array: array.cpu().numpy(),
    )


def _cupy() -> Library:
    import cupy

    if (torch := sys.modules.get("torch")) is not None:
        torch.cuda.empty_cache()  # CuPy cannot use memory that PyTorch keeps from the last case
    from cupy import cuda

    return Library(
        cupy.asarray, cupy.copyto, lambda: cuda.get_current_stream().synchronize(), cupy.asnumpy
    )


def no_gpu(module: str) -> str | None:
    """Say why a library cannot compute on a GPU here."""
    lines = (line for line in dice_any.backends() if line.kind == "kernel")
    return next(line.problem for line in lines if line.name == "cuda" and module in line.modules)


def cases(quick: bool) -> list[Case]:
    """Return the cases."""
    size = 2**24 if quick else 2**28
    shape = (2, 4, 64, 64, 64) if quick else (2, 4, 192, 192, 192)
    return [
        _case("Exact soft sums, PyTorch", partial(_soft, _torch, size), ("torch",)),
        _case("Exact soft sums, CuPy", partial(_soft, _cupy, size), ("cupy",)),
        _case(
            "Logits and labels, PyTorch: Dice loss and its gradient",
            partial(_training, shape),
            ("torch", "monai"),
        ),
        _case(
            "Logits and labels, CuPy: Dice loss and its gradient",
            partial(_gradient, shape),
            ("cupy",),
        ),
    ]


def _case(name: str, prepare: Callable[[], Job], libraries: tuple[str, ...]) -> Case:
    return Case(
        name,
        prepare,
        (*libraries, "numba_cuda"),
        weigh=False,
        obstacle=partial(no_gpu, libraries[0]),
    )


def _soft(open_library: Callable[[], Library], size: int) -> Job:
    library = open_library()
    random = np.random.default_rng(0)
    values = [random.random(size, dtype=np.float32) for _ in "xy"]
    x, y = (library.to_array(v) for v in values)
    outs = [library.to_array(v) for v in values]
    right = integer_sums(*values)

    def copy() -> list[float]:
        library.copy(outs[0], x)
        library.copy(outs[1], y)
        library.wait()
        return right  # a copy has no answer of its own

    def ours(backend: str, exact: bool = True) -> list[np.ndarray]:
        counts = dice_any.overlap(x, y, exact=exact, backend=backend)
        return [
            library.to_host(sums)
            for sums in (counts.intersection, counts.prediction, counts.target)
        ]

    return Job(
        f"{size:,} pairs of float32",
        {
            "copying both": Contender(copy),
            "overlap, reference": Contender(partial(ours, "reference")),
            "overlap, kernel": Contender(partial(ours, "cuda")),
            "overlap(exact=False), reference": Contender(
                partial(ours, "reference", False), tolerance=1e-6
            ),
            "overlap(exact=False), kernel": Contender(partial(ours, "cuda", False), tolerance=1e-6),
        },
        lambda: right,
    )


def _logits(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, float]:
    """Return logits, labels, and the Dice loss of them in float64."""
    random = np.random.default_rng(0)
    z = random.standard_normal(shape, dtype=np.float32)
    y = random.integers(0, shape[1], (shape[0], *shape[2:]))
    ratios = []
    for sample, labels in zip(z, y, strict=True):
        p = np.exp(sample.astype(np.float64))
        p /= p.sum(axis=0)
        for c, membership in enumerate(p):
            both, sizes = (
                membership[labels == c].sum(),
                membership.sum() + np.count_nonzero(labels == c),
            )
            ratios.append((2 * both + SMOOTH) / (sizes + SMOOTH))
    return z, y, float(1 - np.mean(ratios))


def _training(shape: tuple[int, ...]) -> Job:
    import torch
    from monai.losses import DiceLoss

    values, labels, right = _logits(shape)
    z, y = torch.from_numpy(values).to("cuda").requires_grad_(), torch.from_numpy(labels).to("cuda")
    out = torch.empty_like(z)
    monai = DiceLoss(softmax=True, to_onehot_y=True)

    def copy() -> list[float]:
        out.copy_(z.detach())
        torch.cuda.synchronize()
        return [right]

    def step(loss: Callable[[], Any]) -> list[float]:
        z.grad = None
        value = loss()
        value.backward()
        torch.cuda.synchronize()
        return [value.item()]

    def ours(backend: str) -> Any:
        return dice_any.dice_loss(
            z, y, class_axis=1, activation="softmax", backend=backend, **conventions.monai
        )

    return Job(
        f"{' × '.join(map(str, shape))} logits of float32, labels of int64",
        {
            "copying the logits": Contender(copy),
            "MONAI": Contender(partial(step, lambda: monai(z, y[:, None])), tolerance=1e-4),
            "dice_loss, reference": Contender(
                partial(step, partial(ours, "reference")), tolerance=1e-5
            ),
            "dice_loss, kernel": Contender(partial(step, partial(ours, "cuda")), tolerance=1e-5),
        },
        lambda: [right],
    )


def _gradient(shape: tuple[int, ...]) -> Job:
    library = _cupy()
    values, labels, right = _logits(shape)
    z, y, out = (library.to_array(v) for v in (values, labels, values))
    function = dice_any.value_and_grad(dice_any.dice_loss)

    def copy() -> list[float]:
        library.copy(out, z)
        library.wait()
        return [right]

    def ours(backend: str) -> list[np.ndarray]:
        value, _ = function(
            z, y, class_axis=1, activation="softmax", backend=backend, **conventions.monai
        )
        library.wait()
        return [library.to_host(value)]

    return Job(
        f"{' × '.join(map(str, shape))} logits of float32, labels of int64",
        {
            "copying the logits": Contender(copy),
            "value_and_grad, reference": Contender(partial(ours, "reference"), tolerance=1e-5),
            "value_and_grad, kernel": Contender(partial(ours, "cuda"), tolerance=1e-5),
        },
        lambda: [right],
    )
