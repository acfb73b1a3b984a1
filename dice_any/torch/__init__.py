"""The losses as PyTorch modules, for code that keeps its criterion in a model.

Each takes the arguments of its function in `dice_any` and hands them on; arguments of a call
override those of the module. Where torch.distributed runs, ``group="world"``, or a process group,
makes of those that are functions of an overlap the loss of all processes' batches joined.
"""

from . import modules
from .deep_supervision import DeepSupervision as DeepSupervision
from .modules import *

__all__ = ["DeepSupervision"]
__all__ += modules.__all__
