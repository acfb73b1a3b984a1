"""Read two matrices whose rows are sets."""

from __future__ import annotations

from ..arrays.library import Array, ArrayLibrary
from ..kernels.task import Task
from .arguments import check_choice, read_flag
from .arrays import check_same_place, check_size, read_kind, read_library, read_shape, read_sum_kind
from .tasks import FORMS


def read_rows(
    X: Array,  # noqa: N803
    Y: Array,  # noqa: N803
    *,
    form: str,
    exact: bool | None,
) -> tuple[ArrayLibrary, Task, Array, Array]:
    """Check the two matrices of `pairwise_overlap`, and describe the work of one row.

    Also return the matrices to compute with.
    """
    check_choice("form", form, FORMS)
    exact = read_flag("exact", exact)
    library = read_library("X", X, Y)
    check_same_place(library, "Y", Y, X)
    x, y = (
        read_shape(library, name, array, may_be_empty=True) for name, array in (("X", X), ("Y", Y))
    )
    if len(x) != 2 or len(y) != 2 or x[1] != y[1]:
        raise ValueError(
            f"`X` and `Y` must be matrices with rows of one length; got shapes {x} and {y}. "
            "Flatten each set to a row: `masks.reshape(len(masks), -1)`."
        )
    if x[1] == 0:
        raise ValueError(
            f"`X` and `Y` must have at least one column; got shapes {x} and {y}. Check them."
        )
    check_size("X", x[1])
    kinds = read_kind(library, "X", X), read_kind(library, "Y", Y)
    if "integer" in kinds:
        raise TypeError(
            "`X` and `Y` must be boolean or floating; got integers. Compare first: `X == 1` or `X "
            "> 0`."
        )
    hard = kinds == ("bool", "bool")
    task = Task(
        library=library.name,
        device=str(library.device(X) or ""),
        shapes=(x, y, None),
        dtypes=(library.dtype_name(X.dtype), library.dtype_name(Y.dtype), None),
        axis=(1,),
        class_axis=None,
        num_classes=None,
        labels=(False, False),
        activation=None,
        form=form,
        ignore_label=None,
        kind="hard" if hard else read_sum_kind(library, X, exact),
    )
    return library, task, library.vetted(X), library.vetted(Y)
