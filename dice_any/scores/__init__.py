"""Scores: how well a prediction agrees with a target, from arrays or from one `Overlap`.

Every function checks what is its own, names its formula, and leaves the rest to `averages`.
"""

from ..sums import SCORES
from .conversions import dice_to_jaccard, jaccard_to_dice
from .detection import f_score, precision_score, recall_score, specificity_score
from .joint import accuracy_score, cohen_kappa, generalized_dice_score, matthews_correlation
from .similarity import (
    cosine_score,
    dice_score,
    jaccard_score,
    overlap_coefficient,
    tversky_score,
    volume_similarity,
)

__all__ = [
    "accuracy_score",
    "cohen_kappa",
    "cosine_score",
    "dice_score",
    "dice_to_jaccard",
    "f_score",
    "generalized_dice_score",
    "jaccard_score",
    "jaccard_to_dice",
    "matthews_correlation",
    "overlap_coefficient",
    "precision_score",
    "recall_score",
    "specificity_score",
    "tversky_score",
    "volume_similarity",
]

# the tables of an `Overlap`, which stands below, ask for scores by their names
CONVERSIONS = ("dice_to_jaccard", "jaccard_to_dice")
SCORES.update({name: globals()[name] for name in __all__ if name not in CONVERSIONS})
