"""Train a small U-Net to tell the tissues of a brain apart, in plain JAX, with Dice in the loss and
as the score.

It learns from axial slices of the MNI152 template, from nilearn's wheel, and is scored on a slab of
slices that it never saw::

    python examples/train_jax.py            # a minute or two on two cores
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
from training import BATCH, CLASS_WEIGHT, Report, Slices, load_split, read_plan

from dice_any import Overlap, dice_cross_entropy_loss, overlap

WIDTHS = (8, 16, 32)  # channels at full, half and quarter resolution

Parameters = dict[str, Any]


def kernel(key: jax.Array, channels: int, width: int, size: int = 3) -> jax.Array:
    """Return the weights of a convolution, scaled so that a ReLU's output varies as much as its
    input (He).
    """
    return (
        jax.random.normal(key, (size, size, channels, width))
        * (2 / (size * size * channels)) ** 0.5
    )


def block(key: jax.Array, channels: int, width: int) -> list[Parameters]:
    """Return the parameters of two convolutions, each with a normalisation."""
    return [
        {"kernel": kernel(k, before, width), "scale": jnp.ones(width), "shift": jnp.zeros(width)}
        for k, before in zip(jax.random.split(key), (channels, width), strict=True)
    ]


def initial(key: jax.Array) -> Parameters:
    """Return the parameters of a U-Net, which has an output at each of its resolutions."""
    keys = iter(jax.random.split(key, 10))
    fine, middle, coarse = WIDTHS
    return {
        "down": [
            block(next(keys), *sides) for sides in ((1, fine), (fine, middle), (middle, coarse))
        ],
        "widen": [
            kernel(next(keys), *sides, size=2) for sides in ((coarse, middle), (middle, fine))
        ],
        "up": [block(next(keys), *sides) for sides in ((2 * middle, middle), (2 * fine, fine))],
        "heads": [
            {
                "kernel": kernel(next(keys), width, NUM_CLASSES, size=1),
                "shift": jnp.zeros(NUM_CLASSES),
            }
            for width in (coarse, middle, fine)
        ],
    }


LAYOUT = ("NHWC", "HWIO", "NHWC")


def convolve(x: jax.Array, weights: jax.Array, stride: int = 1) -> jax.Array:
    """Convolve (samples, rows, columns, channels) with (rows, columns, channels, width)."""
    return jax.lax.conv_general_dilated(
        x, weights, (stride, stride), "SAME", dimension_numbers=LAYOUT
    )


def normalise(x: jax.Array, groups: int = 4) -> jax.Array:
    """Give each group of channels mean 0 and variance 1, slice by slice."""
    grouped = x.reshape(*x.shape[:-1], groups, -1)
    return jax.nn.standardize(grouped, axis=(1, 2, 4)).reshape(x.shape)


def apply(layers: list[Parameters], x: jax.Array, stride: int = 1) -> jax.Array:
    """Apply a block; its first convolution may halve the resolution."""
    for layer in layers:
        x = normalise(convolve(x, layer["kernel"], stride))
        x, stride = jax.nn.relu(x * layer["scale"] + layer["shift"]), 1
    return x


@jax.jit
def network(parameters: Parameters, images: jax.Array) -> list[jax.Array]:
    """Return the logits at each resolution, the finest first: (slices, rows, columns, classes)."""
    x, skips = images[..., None], []
    for layers in parameters["down"]:
        x = apply(layers, x, stride=2 if skips else 1)
        skips.append(x)
    features = [x]
    for weights, layers, skip in zip(
        parameters["widen"], parameters["up"], skips[-2::-1], strict=True
    ):
        doubled = jax.lax.conv_transpose(x, weights, (2, 2), "SAME", dimension_numbers=LAYOUT)
        x = apply(layers, jnp.concatenate([skip, doubled], axis=-1))
        features.append(x)
    outputs = [
        convolve(x, head["kernel"]) + head["shift"]
        for x, head in zip(features, parameters["heads"], strict=True)
    ]
    return outputs[::-1]


def loss_of(parameters: Parameters, images: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the training loss: the mean of the losses at each resolution, with less weight for
    coarser ones.
    """
    choices = {
        "class_axis": -1,
        "activation": "softmax",
        "classes": "foreground",
        "class_weight": CLASS_WEIGHT,
    }
    total = weights = 0.0
    for k, logits in enumerate(network(parameters, images)):
        step = 2**k
        coarse = labels[
            :, step // 2 :: step, step // 2 :: step
        ]  # the nearest label, so that labels stay labels
        total += dice_cross_entropy_loss(logits, coarse, **choices) / step
        weights += 1 / step
    return total / weights


def evaluate(parameters: Parameters, slices: Slices) -> tuple[Overlap, np.ndarray]:
    """Return the overlap of all slices, summed over batches, and the predicted labels."""
    counts, predictions = [], []
    for images, labels in slices.batches(BATCH):
        logits = network(parameters, images)[0]
        counts.append(overlap(logits, jnp.asarray(labels), class_axis=-1, activation="argmax"))
        predictions.append(np.asarray(logits.argmax(axis=-1)))
    return sum(counts), np.concatenate(predictions)


def main() -> int:
    """Train; return 1 if the score of the held-out slices is too low."""
    plan = read_plan(__doc__.partition("\n")[0])
    split = load_split(plan.every)
    order = np.random.default_rng(0)

    parameters = initial(jax.random.key(0))
    optimiser = optax.adam(
        optax.cosine_decay_schedule(1e-2, plan.epochs * split.training.steps(BATCH))
    )
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
            for images, labels in split.training.batches(BATCH, order):
                parameters, state, loss = step(parameters, state, images, labels)
                losses.append(float(loss))
            counts, prediction = evaluate(parameters, split.held_out)
            report.add(counts, losses)
    return report.finish(split, prediction)


if __name__ == "__main__":
    sys.exit(main())
