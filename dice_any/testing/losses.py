"""The losses in groups, each with its required arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import dice_any

from . import every_loss
from .every_loss import CALLS

Loss = Callable[..., Any]

ALL: dict[str, Loss] = {
    name: partial(getattr(dice_any, name), **given) for name, given in CALLS.items()
}
#: losses of logits only
COMPOUND = {name: ALL[name] for name in every_loss.COMPOUND}
#: losses of the sums of an overlap
RATIOS = {name: ALL[name] for name in every_loss.OF_SUMS if name not in COMPOUND}
#: losses that need more than sums; their arrays are (samples, classes, two spatial axes)
OTHERS = {name: ALL[name] for name in ALL if name not in RATIOS and name not in COMPOUND}


def gradient_of(loss: Loss) -> Callable[..., tuple[Any, Any]]:
    """Return `value_and_grad` of a loss, which may have bound arguments."""
    return dice_any.value_and_grad(loss)
