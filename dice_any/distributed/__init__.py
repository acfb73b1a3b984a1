"""Combine overlaps over all processes: the Dice of a batch that is spread over several machines,
or a table of all cases.
"""

from .overlaps import all_reduce, gather

__all__ = ["all_reduce", "gather"]
