"""Losses for training: from arrays to a differentiable number.

Every loss is described by an objective (`objectives`). `pipeline` computes the loss, and
`value_and_grad` its gradient too. A module's `__all__` names the losses of its family.
"""

from . import centerline, compound, dice, jaccard, matthews, tversky, wasserstein
from .centerline import *
from .compound import *
from .dice import *
from .jaccard import *
from .matthews import *
from .tversky import *
from .wasserstein import *

__all__ = []
__all__ += centerline.__all__
__all__ += compound.__all__
__all__ += dice.__all__
__all__ += jaccard.__all__
__all__ += matthews.__all__
__all__ += tversky.__all__
__all__ += wasserstein.__all__
