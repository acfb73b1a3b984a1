"""`Overlap`: the sums from which all scores and losses are computed."""

from .overlap import Overlap
from .table import SCORES

__all__ = ["SCORES", "Overlap"]
