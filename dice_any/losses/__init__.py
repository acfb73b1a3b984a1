"""Losses: what training makes small. Arrays in, a differentiable number out.

Every loss describes itself by an objective (`objectives`); `pipeline` computes it, and
`value_and_grad` its gradient too.
"""

from .centerline import centerline_dice_loss
from .compound import dice_cross_entropy_loss, dice_focal_loss
from .dice import dice_loss, generalized_dice_loss, log_cosh_dice_loss, log_dice_loss
from .jaccard import jaccard_loss, lovasz_loss
from .matthews import matthews_loss
from .tversky import focal_tversky_loss, tversky_loss
from .wasserstein import wasserstein_dice_loss

__all__ = [
    "centerline_dice_loss",
    "dice_cross_entropy_loss",
    "dice_focal_loss",
    "dice_loss",
    "focal_tversky_loss",
    "generalized_dice_loss",
    "jaccard_loss",
    "log_cosh_dice_loss",
    "log_dice_loss",
    "lovasz_loss",
    "matthews_loss",
    "tversky_loss",
    "wasserstein_dice_loss",
]
