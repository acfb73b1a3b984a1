"""MONAI's losses and metrics, computed here: only the import of a training script changes.

Each class is a subclass of MONAI's that computes its numbers here. Arguments, attributes, buffers
and `isinstance` are MONAI's, and so are the numbers, to 1e-6. There are two differences: labels
stay labels, so no one-hot target is built; and a target or prediction out of range is an error,
where MONAI returns a number.
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
