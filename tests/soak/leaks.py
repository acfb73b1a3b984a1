"""Thousands of calls with new arrays: the memory of the process does not grow with them.

``python -m tests.soak.leaks NUMBER``
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import dice_any
from dice_any import kernels
from dice_any.kernels import loading
from dice_any.testing.adapters import Adapter, adapter

#: Elements: a megabyte of float32, too small for a kernel to be chosen.
SIZE = 2**18
#: The most that all calls together may add, in MB: some allocators keep freed memory for a while.
MOST = 64.0
SIDE = 512


def resident() -> float:
    """Return the memory of this process in MB."""
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * 4096 / 1e6


def inputs(backend: Adapter, number: int) -> dict[str, Any]:
    """Return new arrays, different for each call."""
    soft = np.full((2, 4, SIZE // 8), 0.5, dtype=np.float32)
    soft[0, 0, number % 1000] = 0.25
    labels = np.zeros((2, SIZE // 8), dtype=np.uint8)
    labels[:, number % 1000 :] = 1
    masks = labels.astype(bool)
    given = {"soft": soft, "labels": labels, "masks": masks}
    return {name: backend(array) for name, array in given.items()}


def _training_step(a: dict[str, Any], **options: Any) -> Any:
    z = a["soft"].requires_grad_()
    loss = dice_any.dice_cross_entropy_loss(
        z,
        a["labels"],
        class_axis=1,
        activation="softmax",
        **options,
    )
    loss.backward()
    return loss


def _refused(a: dict[str, Any], **options: Any) -> None:
    for wrong in (
        {"class_axis": 1, "classes": [7]},
        {"class_axis": 0},
        {"class_axis": 1, "backend": "nonesuch"},
    ):
        try:
            dice_any.dice_loss(a["soft"], a["labels"], **{**options, **wrong})
        except (TypeError, ValueError, LookupError):
            continue
        raise AssertionError(f"{wrong} was taken")


def _ask(name: str, *arrays: str, gradient: bool = False, **arguments: Any) -> Callable[..., Any]:
    function = getattr(dice_any, name)
    function = dice_any.value_and_grad(function) if gradient else function
    return lambda a, **options: function(*(a[n] for n in arrays), **arguments, **options)


CALLS: dict[str, Callable[..., Any]] = {
    "masks": _ask("dice_score", "masks", "masks"),
    "label maps": _ask("dice_score", "labels", "labels", num_classes=4),
    "memberships": _ask("jaccard_score", "soft", "labels", class_axis=1),
    "matrix": _ask("confusion_matrix", "labels", "labels", num_classes=4),
    "rows": _ask("pairwise_overlap", "masks", "masks"),
    "loss": _ask("dice_loss", "soft", "labels", class_axis=1, activation="softmax"),
    "gradient": _ask(
        "dice_loss",
        "soft",
        "labels",
        class_axis=1,
        activation="softmax",
        gradient=True,
    ),
    "focal": _ask(
        "dice_focal_loss",
        "soft",
        "labels",
        class_axis=1,
        activation="softmax",
        gradient=True,
    ),
    "refused": _refused,
}


def grow(backend: Adapter, number: int) -> tuple[int, float]:
    """Make calls on new arrays; return their number, and the growth of memory in MB."""
    calls = list(CALLS.values())
    if backend.library.name == "torch":
        calls.append(_training_step)
    done, before = 0, 0.0
    for i in range(number + 2 * len(calls)):
        if i == 2 * len(calls):
            gc.collect()
            before = resident()
        calls[i % len(calls)](inputs(backend, i), **backend.options)
        done += i >= 2 * len(calls)
        if before and resident() - before > 20 * MOST:
            break
    gc.collect()
    return done, resident() - before


def main(number: int) -> None:
    """Divide the calls among libraries and kernels, and repeat them without any kernel."""
    shares = {"numpy": 0.3, "torch": 0.3, "numba": 0.1, "numba-torch": 0.1, "jax": 0.02}
    total, most = 0, 0.0
    for state in ("as installed", "not importable"):
        if state == "not importable":
            kernels._chosen.clear()
            loading._loaded.clear()
            loading._BuiltIn.load = _fail  # type: ignore[method-assign]
            shares = {"numpy": 0.09, "torch": 0.09}
        for name, share in shares.items():
            done, grown = grow(adapter(name), round(number * share))
            print(f"leaks: {name}, kernels {state}: {done} calls, {grown:+.1f} MB", flush=True)
            total, most = total + done, max(most, grown)
    print(f"leaks: {total} calls made, {most:.1f} MB grown at most", flush=True)
    assert most < MOST, "memory grows with the number of calls"


def _fail(self: Any) -> None:
    raise ModuleNotFoundError("it is not installed")


if __name__ == "__main__":
    main(int(sys.argv[1]))
