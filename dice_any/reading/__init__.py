"""Read arguments: every check of metadata, and the `Task` that follows from it.

Messages have one form: "`name` must <rule>; got <fact>. <what to do>."
"""

from .arguments import (
    LARGEST,
    as_classes,
    check_choice,
    check_name,
    check_not_negative,
    class_name,
    cure_for_no_value,
    has_entries,
    is_real,
    read_axes,
    read_axis,
    read_bool,
    read_flag,
    read_integer,
    read_num_classes,
    read_number,
    refuse_squared,
    shown,
    size_power,
)
from .arrays import LIMIT, check_same_place, read_kind, read_library, read_shape
from .counted import MOST_COUNTED, read_count_arrays, read_matrix
from .cures import called, cure_for_dtype
from .distances import read_distances, trace_distances
from .guesses import cure_for_labels, cure_for_memberships
from .ids import are_collections, read_ids, read_set, read_total
from .ignored import read_ignoring
from .indices import Picked, read_index
from .keywords import (
    DEFAULTS,
    Average,
    Axis,
    Classes,
    ClassWeight,
    JointArguments,
    LossArguments,
    OverlapArguments,
    Regions,
    ScoreArguments,
    Smooth,
)
from .maps import read_maps
from .pairs import read_rows
from .regions import read_groups, read_regions, refuse_foreground
from .signatures import public
from .stored import KINDS, VERSION, read_counts_shape, read_stored
from .tasks import FORMS, read
from .values import raise_heavy, raise_invalid, raise_not_a_number, too_heavy
from .words import check_keywords

__all__ = [
    "DEFAULTS",
    "FORMS",
    "KINDS",
    "LARGEST",
    "LIMIT",
    "MOST_COUNTED",
    "VERSION",
    "Average",
    "Axis",
    "ClassWeight",
    "Classes",
    "JointArguments",
    "LossArguments",
    "OverlapArguments",
    "Picked",
    "Regions",
    "ScoreArguments",
    "Smooth",
    "are_collections",
    "as_classes",
    "called",
    "check_choice",
    "check_keywords",
    "check_name",
    "check_not_negative",
    "check_same_place",
    "class_name",
    "cure_for_dtype",
    "cure_for_labels",
    "cure_for_memberships",
    "cure_for_no_value",
    "has_entries",
    "is_real",
    "public",
    "raise_heavy",
    "raise_invalid",
    "raise_not_a_number",
    "read",
    "read_axes",
    "read_axis",
    "read_bool",
    "read_count_arrays",
    "read_counts_shape",
    "read_distances",
    "read_flag",
    "read_groups",
    "read_ids",
    "read_ignoring",
    "read_index",
    "read_integer",
    "read_kind",
    "read_library",
    "read_maps",
    "read_matrix",
    "read_num_classes",
    "read_number",
    "read_regions",
    "read_rows",
    "read_set",
    "read_shape",
    "read_stored",
    "read_total",
    "refuse_foreground",
    "refuse_squared",
    "shown",
    "size_power",
    "too_heavy",
    "trace_distances",
]
