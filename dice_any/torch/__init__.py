"""The losses as PyTorch modules, for code that keeps its criterion in a model.

Each takes the arguments of its function in `dice_any` and passes them on; arguments of a call
override those of the module. With torch.distributed, ``group="world"`` (or a process group) makes a
loss that is a function of an overlap the loss of the joined batches of all processes.
"""

from .deep_supervision import DeepSupervision
from .modules import (
    CenterlineDiceLoss,
    DiceCrossEntropyLoss,
    DiceFocalLoss,
    DiceLoss,
    FocalTverskyLoss,
    GeneralizedDiceLoss,
    JaccardLoss,
    LogCoshDiceLoss,
    LogDiceLoss,
    LovaszLoss,
    MatthewsLoss,
    TverskyLoss,
    WassersteinDiceLoss,
)

__all__ = [
    "CenterlineDiceLoss",
    "DeepSupervision",
    "DiceCrossEntropyLoss",
    "DiceFocalLoss",
    "DiceLoss",
    "FocalTverskyLoss",
    "GeneralizedDiceLoss",
    "JaccardLoss",
    "LogCoshDiceLoss",
    "LogDiceLoss",
    "LovaszLoss",
    "MatthewsLoss",
    "TverskyLoss",
    "WassersteinDiceLoss",
]
