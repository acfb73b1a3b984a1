"""Check the results of a kernel: metadata only, so that a check takes microseconds."""

from __future__ import annotations

from math import prod
from typing import Any

from ..arrays import UnknownLibraryError, library_of
from ..arrays.library import Array, ArrayLibrary
from ..plugins import shown
from .task import INVALID_PREDICTION, INVALID_WEIGHT, Task

Shape = tuple[int, ...]


def kept_shape(task: Task) -> Shape:
    """Return the lengths of the prediction's axes that are neither summed nor the class axis."""
    shape = task.shapes[0] or ()
    return tuple(n for a, n in enumerate(shape) if a not in (*task.axis, task.class_axis))


def counts_shape(task: Task) -> Shape:
    """Return the shape of the counts, the classes last."""
    return (*kept_shape(task), *task.trailing_shape)


def fault_of_sums(task: Task, like: Array, sums: Any) -> str | None:
    """Return how the sums of a task differ from the required format; None if they do not."""
    return fault(like, sums, (*task.leading_shape, *counts_shape(task)), _sum_dtype(task, like))


def fault_of_pairs(task: Task, X: Array, Y: Array, sums: Any) -> str | None:  # noqa: N803
    """Do the same for the sums of all pairs of rows."""
    shape = (*task.leading_shape, X.shape[0], Y.shape[0])
    return fault(X, sums, shape, _sum_dtype(task, X))


def fault_of_gradient(prediction: Array, gradient: Any) -> str | None:
    """Do the same for the gradient of a prediction."""
    library = library_of(prediction)
    shape, dtype = library.shape(prediction), library.dtype_name(prediction.dtype)
    return fault(prediction, gradient, shape, dtype)


def fault_of_matrix(task: Task, like: Array, answer: Any) -> str | None:
    """Do the same for confusion matrices and the numbers of invalid values."""
    if not isinstance(answer, tuple) or len(answer) != 2:
        return f"two arrays, the matrices and the numbers of invalid values; got {_kind(answer)}"
    kept, limbs = kept_shape(task), (3,) if task.kind == "exact" else ()
    shape = (*limbs, *kept, task.classes, task.classes)
    return fault(like, answer[0], shape, _sum_dtype(task, like)) or fault(
        like, answer[1], (3, *kept), "int64"
    )


def invalid_rows(task: Task, sums: Array) -> Array:
    """Return the rows that count the invalid values of each argument."""
    whole = sums[:, 0, ...] if task.kind == "exact" else sums
    return whole[INVALID_PREDICTION : INVALID_WEIGHT + 1, ...]


def speaks_of_invalid(invalid: Array) -> bool:
    """Tell whether values can be read and a kernel has reported invalid values."""
    answer = library_of(invalid)
    if prod(answer.shape(invalid)) == 0 or not answer.at_hand(invalid):
        return False
    return bool(answer.xp.any(invalid > 0))


def _sum_dtype(task: Task, like: Array) -> str:
    if task.kind != "plain":
        return "int64"
    return "float64" if library_of(like).has_float64(like) else "float32"


def fault(like: Array, array: Any, shape: Shape, dtype: str) -> str | None:
    """Return the required and the actual shape and dtype of an array; None if they agree."""
    library = library_of(like)
    try:
        other = library_of(array)
    except UnknownLibraryError:
        return f"an array of {library.name}; got {_kind(array)}"
    if other is not library and other is not answering(library, like):
        return f"an array of {library.name}; got one of {other.name}"
    found = other.shape(array), other.dtype_name(array.dtype)
    if found != (shape, dtype):
        return f"{dtype} of shape {shape}; got {found[1]} of shape {found[0]}"
    devices = library.device(like), other.device(array)
    if other is library and None not in devices and devices[0] != devices[1]:
        return f"an array on {devices[0]}; got one on {devices[1]}"
    return None


def answering(library: ArrayLibrary, like: Array) -> ArrayLibrary:
    """Return the library of the sums: for sparse arrays the one of dense arrays."""
    return library_of(library.answer(library.zeros((1,), library.xp.int64, like)))


def _kind(value: Any) -> str:
    return shown(value) if value is None else f"an object of type {type(value).__name__}"
