"""Every loss, with the arguments that it cannot do without: what tests that go over all losses go
over.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import dice_any

Loss = Callable[..., Any]

#: losses of the sums of an overlap
RATIOS: dict[str, Loss] = {
    "dice": dice_any.dice_loss,
    "jaccard": dice_any.jaccard_loss,
    "tversky": partial(dice_any.tversky_loss, alpha=0.3, beta=0.8),
    "focal tversky": partial(dice_any.focal_tversky_loss, alpha=0.3, beta=0.8, gamma=1.5),
    "generalized": dice_any.generalized_dice_loss,
    "log": dice_any.log_dice_loss,
    "log-cosh": dice_any.log_cosh_dice_loss,
    "matthews": dice_any.matthews_loss,
}
#: losses of logits only
COMPOUND: dict[str, Loss] = {
    "cross-entropy": partial(dice_any.dice_cross_entropy_loss, cross_entropy_weight=0.5),
    "focal": partial(dice_any.dice_focal_loss, gamma=1.5),
}
#: losses that look at more than sums; arrays of theirs are (samples, classes, two spatial axes)
OTHERS: dict[str, Loss] = {
    "lovasz": dice_any.lovasz_loss,
    "centerline": partial(dice_any.centerline_dice_loss, iterations=1),
    "wasserstein": partial(
        dice_any.wasserstein_dice_loss, distances=[[0, 1, 1], [1, 0, 0.5], [1, 0.5, 0]]
    ),
}
ALL = {**RATIOS, **COMPOUND, **OTHERS}


def gradient_of(loss: Loss) -> Callable[..., tuple[Any, Any]]:
    """Return `value_and_grad` of a loss that may have arguments bound to it."""
    if isinstance(loss, partial):
        return partial(dice_any.value_and_grad(loss.func), **loss.keywords)
    return dice_any.value_and_grad(loss)
