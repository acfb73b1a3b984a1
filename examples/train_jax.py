"""Train a small U-Net to tell the tissues of a brain apart, in plain JAX, with Dice as loss and as score.

It learns from axial slices of the MNI152 template, which nilearn carries in its wheel, and is judged by a slab of slices
that it never saw::

    python examples/train_jax.py            # two minutes on two cores
    python examples/train_jax.py --quick    # does it learn at all?

The exit status is 1 if it did not.
"""

from __future__ import annotations

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from tissue import NUM_CLASSES
from training import Report, Slices, load_split, read_plan

from dice_any import Overlap, dice_loss, overlap

WIDTHS = (8, 16, 32)  # channels at full, half and quarter resolution

Parameters = dict[str, Any]


def kernel(key: jax.Array, channels: int, width: int, size: int = 3) -> jax.Array:
    """Return the weights of a convolution, scaled so that a ReLU's output varies as much as its input (He)."""
    return jax.random.normal(key, (size, size, channels, width)) * (2 / (size * size * channels)) ** 0.5


def block(key: jax.Array, channels: int, width: int) -> list[Parameters]:
    """Return the parameters of two convolutions, each with a normalisation."""
    return [
        {"kernel": kernel(k, before, width), "scale": jnp.ones(width), "shift": jnp.zeros(width)}
        for k, before in zip(jax.random.split(key), (channels, width), strict=True)
    ]


def initial(key: jax.Array) -> Parameters:
    """Return the parameters of a U-Net."""
    keys = iter(jax.random.split(key, 6))
    fine, middle, coarse = WIDTHS
    return {
        "down": [block(next(keys), *sides) for sides in ((1, fine), (fine, middle), (middle, coarse))],
        "up": [block(next(keys), *sides) for sides in ((coarse + middle, middle), (middle + fine, fine))],
        "head": {"kernel": kernel(next(keys), fine, NUM_CLASSES, size=1), "shift": jnp.zeros(NUM_CLASSES)},
    }


def convolve(x: jax.Array, weights: jax.Array, stride: int = 1) -> jax.Array:
    """Convolve (samples, rows, columns, channels) with (rows, columns, channels, width)."""
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, weights, (stride, stride), "SAME", dimension_numbers=layout)


def apply(layers: list[Parameters], x: jax.Array, stride: int = 1) -> jax.Array:
    """Apply a block: convolve, normalise each channel of each slice, and cut off below 0. The first may halve the sides."""
    for layer in layers:
        x = convolve(x, layer["kernel"], stride)
        x = jax.nn.standardize(x, axis=(1, 2)) * layer["scale"] + layer["shift"]
        x, stride = jax.nn.relu(x), 1
    return x


def network(parameters: Parameters, images: jax.Array) -> jax.Array:
    """Return logits, (slices, rows, columns, classes): down to a quarter of the resolution and up again."""
    x, skips = images[..., None], []
    for layers in parameters["down"]:
        x = apply(layers, x, stride=2 if skips else 1)
        skips.append(x)
    for layers, skip in zip(parameters["up"], skips[-2::-1], strict=True):
        doubled = x.repeat(2, axis=1).repeat(2, axis=2)
        x = apply(layers, jnp.concatenate([skip, doubled], axis=-1))
    return convolve(x, parameters["head"]["kernel"]) + parameters["head"]["shift"]


def loss_of(parameters: Parameters, images: jax.Array, labels: jax.Array) -> jax.Array:
    """Return what training makes small."""
    logits = network(parameters, images)
    return dice_loss(logits, labels, class_axis=-1, activation="softmax", classes="foreground")


def evaluate(parameters: Parameters, slices: Slices) -> tuple[Overlap, np.ndarray]:
    """Return the overlap of all slices, summed over batches, and the predicted labels."""
    counts, predictions = [], []
    for images, labels in slices.batches(8):
        logits = jax.jit(network)(parameters, images)
        counts.append(overlap(logits, jnp.asarray(labels), class_axis=-1, activation="argmax"))
        predictions.append(np.asarray(logits.argmax(axis=-1)))
    return sum(counts), np.concatenate(predictions)


def main() -> int:
    """Train; return 1 if the held-out slices say that nothing much was learned."""
    plan = read_plan(__doc__.partition("\n")[0])
    split = load_split(plan.every)
    order = np.random.default_rng(0)

    parameters = initial(jax.random.key(0))
    optimiser = optax.adam(optax.cosine_decay_schedule(1e-2, plan.epochs * 7))
    state = optimiser.init(parameters)

    @jax.jit
    def step(parameters, state, images, labels):
        loss, slopes = jax.value_and_grad(loss_of)(parameters, images, labels)
        updates, state = optimiser.update(slopes, state)
        return optax.apply_updates(parameters, updates), state, loss

    with Report("JAX", plan) as report:
        counts, prediction = evaluate(parameters, split.held_out)
        report.add(counts)
        for _ in range(plan.epochs):
            losses = []
            for images, labels in split.training.batches(8, order):
                parameters, state, loss = step(parameters, state, images, labels)
                losses.append(float(loss))
            counts, prediction = evaluate(parameters, split.held_out)
            report.add(counts, losses)
    return report.finish(split, prediction)


if __name__ == "__main__":
    sys.exit(main())
