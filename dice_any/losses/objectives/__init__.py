"""The losses, each as what it measures, what follows and how a slope goes back."""

from .distances import DistanceObjective
from .entropy import Entropy
from .ranking import RankingObjective
from .ratios import (
    DICE,
    JACCARD,
    LOG_COSH,
    MATTHEWS,
    NEGATIVE_LOG,
    RatioObjective,
    focal,
    linear,
)
from .skeletons import SkeletonObjective

__all__ = [
    "DICE",
    "JACCARD",
    "LOG_COSH",
    "MATTHEWS",
    "NEGATIVE_LOG",
    "DistanceObjective",
    "Entropy",
    "RankingObjective",
    "RatioObjective",
    "SkeletonObjective",
    "focal",
    "linear",
]
