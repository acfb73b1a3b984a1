"""Dice, Jaccard, related scores and their losses, for any array library, with the same bits in all
of them.
"""

from . import conventions
from . import distributed as distributed
from .counts import Overlap, confusion_matrix, overlap, pairwise_overlap, set_overlap
from .losses import (
    centerline_dice_loss,
    dice_cross_entropy_loss,
    dice_focal_loss,
    dice_loss,
    focal_tversky_loss,
    generalized_dice_loss,
    jaccard_loss,
    log_cosh_dice_loss,
    log_dice_loss,
    lovasz_loss,
    matthews_loss,
    tversky_loss,
    wasserstein_dice_loss,
)
from .losses.gradients import value_and_grad
from .registry import Backend, backends
from .scores import (
    accuracy_score,
    cohen_kappa,
    cosine_score,
    dice_score,
    dice_to_jaccard,
    f_score,
    generalized_dice_score,
    jaccard_score,
    jaccard_to_dice,
    matthews_correlation,
    overlap_coefficient,
    precision_score,
    recall_score,
    specificity_score,
    tversky_score,
    volume_similarity,
)

__version__ = "0.1.0.dev0"

__all__ = [
    "Backend",
    "Overlap",
    "accuracy_score",
    "backends",
    "centerline_dice_loss",
    "cohen_kappa",
    "confusion_matrix",
    "conventions",
    "cosine_score",
    "dice_cross_entropy_loss",
    "dice_focal_loss",
    "dice_loss",
    "dice_score",
    "dice_to_jaccard",
    "f_score",
    "focal_tversky_loss",
    "generalized_dice_loss",
    "generalized_dice_score",
    "jaccard_loss",
    "jaccard_score",
    "jaccard_to_dice",
    "log_cosh_dice_loss",
    "log_dice_loss",
    "lovasz_loss",
    "matthews_correlation",
    "matthews_loss",
    "overlap",
    "overlap_coefficient",
    "pairwise_overlap",
    "precision_score",
    "recall_score",
    "set_overlap",
    "specificity_score",
    "tversky_loss",
    "tversky_score",
    "value_and_grad",
    "volume_similarity",
    "wasserstein_dice_loss",
]
