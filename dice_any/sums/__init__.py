"""`Overlap`: the sums that everything in this field is computed from."""

from .overlap import Overlap
from .table import SCORES

__all__ = ["SCORES", "Overlap"]
