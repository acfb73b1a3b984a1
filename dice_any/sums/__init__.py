"""`Overlap`: the sums that everything in this field is computed from."""

from .overlap import Overlap, _restore

# pickles name `_restore` here
__all__ = ["Overlap", "_restore"]
