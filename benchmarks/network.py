"""In training: the step of a loss between the passes of a network, beside the same step alone.

A step is the loss and its gradient in the network's output, with softmax, against a label map. The
network is two convolutions with 8 channels between them, in PyTorch with its own number of threads.
Only the step is timed: a forward pass comes before it, and a backward pass after it. "Alone" is the
step on the same output, again and again. Losses and their formulas are those of the suite of
losses.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from .case import Case, Contender, Job
from .losses import DICE, DICE_ENTROPY, TOLERANCE, Loss, Peer, expected_step, load

Tensor = Any
CHANNELS = 8


class Network(NamedTuple):
    """A network with its input and its labels, and the elements of the gradient to check."""

    layers: Any
    image: Tensor
    labels: Tensor
    places: np.ndarray


def cases(quick: bool) -> list[Case]:
    """Return the cases."""
    volume, image = ((24,) * 3, (64, 64)) if quick else ((96,) * 3, (512, 512))
    return [
        Case(
            f"{name}, {inputs}",
            partial(_job, peers, samples, classes, space),
            ("torch",),
            weigh=False,
            peers=("monai", "numba"),
        )
        for name, peers in (("Dice", DICE), ("Dice + cross-entropy", DICE_ENTROPY))
        for inputs, (samples, classes, space) in {
            "2 volumes, 4 classes": (2, 4, volume),
            "8 images, 21 classes": (8, 21, image),
        }.items()
    ]


def _job(peers: dict[str, Peer], samples: int, classes: int, space: tuple[int, ...]) -> Job:
    network = _network(samples, classes, space)
    output = network.layers(network.image).detach()
    words = ("kernel", "reference", "MONAI")  # in this order: times are multiples of the kernel's
    chosen = {name: peers[name] for word in words for name in peers if word in name}
    contenders = {}
    loaded, note = load(chosen)
    for name, loss in loaded.items():
        expected = partial(
            expected_step, chosen[name].formula, output.numpy(), network.labels.numpy(),
            network.places,
        )  # fmt: skip
        for ending, between in ((", alone", output), ("", None)):
            step = partial(_step, network, loss, between)
            contenders[name + ending] = Contender(
                lambda step=step: step()[1],
                TOLERANCE,
                expected=expected,
                timed=lambda step=step: step()[0],
            )
    return Job(f"{' × '.join(map(str, output.shape))} logits", contenders, note=note)


def _network(samples: int, classes: int, space: tuple[int, ...]) -> Network:
    import torch

    torch.manual_seed(0)
    convolution = getattr(torch.nn, f"Conv{len(space)}d")
    layers = torch.nn.Sequential(
        convolution(1, CHANNELS, 3, padding=1),
        torch.nn.ReLU(),
        convolution(CHANNELS, classes, 3, padding=1),
    )
    places = np.random.default_rng(0).integers(0, samples * classes * int(np.prod(space)), 8)
    return Network(
        layers,
        torch.randn(samples, 1, *space),
        torch.randint(0, classes, (samples, *space)),
        places,
    )


def _step(network: Network, loss: Loss, output: Tensor | None) -> tuple[float, Iterable[Tensor]]:
    """Return the seconds of a step, with the loss and some of its gradient; without `output`, the
    network computes it and is differentiated.
    """
    passed = network.layers(network.image) if output is None else output
    logits = passed.detach().requires_grad_()
    start = perf_counter()
    value = loss(logits, network.labels)
    value.backward()
    seconds = perf_counter() - start
    if output is None:
        network.layers.zero_grad()
        passed.backward(logits.grad)
    return seconds, (value.detach(), logits.grad.view(-1)[network.places])
