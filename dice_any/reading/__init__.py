"""Read arguments: every check of metadata, and the `Task` that follows from it.

Messages have one form: "`name` must <rule>; got <fact>. <what to do>."
"""

from .arguments import (
    as_classes,
    check_choice,
    check_name,
    check_not_negative,
    class_name,
    read_axes,
    read_flag,
    read_integer,
    read_num_classes,
    read_number,
    shown,
)
from .cures import cure_for_labels, cure_for_memberships
from .ids import are_collections, read_ids, read_set, read_total
from .stored import KINDS, read_counts_shape, read_index, read_stored
from .tasks import (
    FORMS,
    LIMIT,
    Axis,
    OverlapArguments,
    read,
    read_library,
    read_rows,
    read_shape,
)

__all__ = [
    "FORMS",
    "KINDS",
    "LIMIT",
    "Axis",
    "OverlapArguments",
    "are_collections",
    "as_classes",
    "check_choice",
    "check_name",
    "check_not_negative",
    "class_name",
    "cure_for_labels",
    "cure_for_memberships",
    "read",
    "read_axes",
    "read_counts_shape",
    "read_flag",
    "read_ids",
    "read_index",
    "read_integer",
    "read_library",
    "read_num_classes",
    "read_number",
    "read_rows",
    "read_set",
    "read_shape",
    "read_stored",
    "read_total",
    "shown",
]
