"""MONAI's losses and metrics, computed here: change the import, and a training script runs on.

Each class is MONAI's own with another way from arrays to numbers. Arguments, attributes, buffers
and `isinstance` are MONAI's, and so are the numbers, to 1e-6. What differs is told apart: labels
stay labels, so that no one-hot target is built; a target or a prediction out of range is an error,
where MONAI answers with a number.
"""

from .. import not_installed

try:
    import monai
    import torch
except ImportError as error:
    raise not_installed("monai", "monai", error) from error

from .losses import (
    DiceCELoss,
    DiceFocalLoss,
    DiceLoss,
    GeneralizedDiceFocalLoss,
    GeneralizedDiceLoss,
    TverskyLoss,
)
from .metrics import DiceMetric, GeneralizedDiceScore, MeanIoU, OverlapMetric

__all__ = [
    "DiceCELoss",
    "DiceFocalLoss",
    "DiceLoss",
    "DiceMetric",
    "GeneralizedDiceFocalLoss",
    "GeneralizedDiceLoss",
    "GeneralizedDiceScore",
    "MeanIoU",
    "OverlapMetric",
    "TverskyLoss",
]

del monai, torch
