"""Every loss with what it cannot be called without: for tests that mean all of them, also the next.

`CALLS` must name each one in `losses.__all__`; `test_every_loss` holds it to that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .. import losses

DISTANCES = [[0, 1, 1], [1, 0, 0.5], [1, 0.5, 0]]
#: name -> arguments for memberships or logits of three classes along axis 1, with two axes behind
CALLS: dict[str, dict[str, Any]] = {
    "dice_loss": {},
    "jaccard_loss": {},
    "tversky_loss": {"alpha": 0.3, "beta": 0.8},
    "focal_tversky_loss": {"alpha": 0.3, "beta": 0.8},
    "generalized_dice_loss": {},
    "log_dice_loss": {},
    "log_cosh_dice_loss": {},
    "matthews_loss": {},
    "dice_cross_entropy_loss": {"cross_entropy_weight": 0.5},
    "dice_focal_loss": {"focal_weight": 0.5},
    "lovasz_loss": {},
    "centerline_dice_loss": {"iterations": 1},
    "wasserstein_dice_loss": {"distances": DISTANCES},
}
#: of logits only
COMPOUND = ("dice_cross_entropy_loss", "dice_focal_loss")
#: refuse the squared form
NOT_SQUARED = ("tversky_loss", "focal_tversky_loss", "matthews_loss")
#: have a form and may be smoothed, in the usual way
OF_SUMS = tuple(name for name in CALLS if name[:3] not in ("lov", "cen", "was"))


def loss(name: str, **arguments: Any) -> Callable[..., Any]:
    """Return a loss with its arguments bound."""
    return partial(getattr(losses, name), **{"class_axis": 1, **CALLS[name], **arguments})


def takes(name: str, activation: str | None) -> bool:
    """Tell whether a loss knows what to do with an activation."""
    if activation is None:
        return name not in COMPOUND
    return name != "wasserstein_dice_loss" or activation == "softmax"
