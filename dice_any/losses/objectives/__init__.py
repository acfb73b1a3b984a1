"""The part of each loss that is specific to it: its measurement, its formula, its gradient."""

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
