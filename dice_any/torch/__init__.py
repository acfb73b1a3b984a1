"""The losses as PyTorch modules, for code that keeps its criterion in a model.

Each takes the arguments of its function in `dice_any` and passes them on; arguments of a call
override those of the module. With torch.distributed, ``group="world"`` (or a process group) makes a
loss that is a function of an overlap the loss of the joined batches of all processes.
"""

from . import modules
from .deep_supervision import DeepSupervision as DeepSupervision
from .modules import *

__all__ = ["DeepSupervision"]
__all__ += modules.__all__
