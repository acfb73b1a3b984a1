"""Scores: how well a prediction agrees with a target, from arrays or from one `Overlap`.

Every function checks its own arguments and names its formula; `averages` does the rest. A module's
`__all__` names the scores of its family.
"""

from ..sums import SCORES
from . import conversions, detection, joint, similarity
from .conversions import *
from .detection import *
from .joint import *
from .similarity import *

__all__ = []
__all__ += detection.__all__
__all__ += joint.__all__
__all__ += similarity.__all__

# the tables of an `Overlap` find scores by their names; `sums` cannot import this package
SCORES.update({name: globals()[name] for name in __all__})

__all__ += conversions.__all__
