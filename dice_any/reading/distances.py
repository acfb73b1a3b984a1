"""Read the distances between classes, the matrix of the Wasserstein Dice loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..arrays.library import Array, ArrayLibrary, can_compute
from ..kernels.distances import Matrix
from .arguments import class_name, is_real
from .arrays import read_library
from .cures import called, cure_for_dtype

#: what has so many axes
WHAT = ("a number", "a row of numbers", "a matrix of numbers")
CURE = "Pass a list of rows or a 2-D array, of real numbers."
CONSTANT = (
    "`distances` must not be differentiated, as a loss takes them as constants; got an array that "
    "a transformation follows. Differentiate in the prediction only."
)
ROWS = (list, tuple)
PLAIN = {float, int}


def read_distances(distances: Any, classes: int | None = None) -> Matrix:
    """Return the matrix as Python numbers, scaled so that the largest is 1.

    If the number of classes is not known yet, the matrix has to be square.
    """
    plain = isinstance(distances, ROWS) and all(isinstance(row, ROWS) for row in distances)
    if not (plain and PLAIN.issuperset({type(number) for row in distances for number in row})):
        distances = _listed("distances", distances, 2)
    _check_shape(len(distances), [len(row) for row in distances], classes)
    try:
        rows = [[float(number) for number in row] for row in distances]
    except OverflowError:
        rows = [[math.inf]]
    if not all(0 <= number < math.inf for row in rows for number in row):
        raise ValueError(
            "`distances` must be finite and not negative; got another value. Check it."
        )
    if any(row[c] for c, row in enumerate(rows)):
        raise ValueError(
            "`distances` must be 0 on the diagonal; got another number. A class is not far from "
            "itself."
        )
    largest = max(map(max, rows))
    if largest == 0:
        raise ValueError(
            "`distances` must tell classes apart; got zeros only. Use 1 for the classes farthest "
            "apart."
        )
    return tuple(tuple(number / largest for number in row) for row in rows)


def trace_distances(
    library: ArrayLibrary, distances: Any, classes: int, prediction: Array
) -> Matrix:
    """Do the same inside of a compiler or a transformation, where an array may have no values: it
    remains an array, of NaN if its numbers turn out to be wrong.
    """
    if library.traced():  # PyTorch's compiler follows the arrays of NumPy too
        distances = library.constant(distances, None, prediction)
        distances = library.detach(library.forbid_gradient(distances, CONSTANT, eager=False))
    own = read_library("distances", distances, prediction)
    if own.has_values(distances):
        return read_distances(distances, classes)
    places = own.device(distances), library.device(prediction)
    if own is not library or (None not in places and places[0] != places[1]):
        raise _without_values("distances")
    _check_array("distances", own, distances, 2)
    rows, columns = own.shape(distances)
    _check_shape(rows, [columns], classes)
    xp = library.xp
    distances = library.vetted(distances)
    matrix = library.constant(distances, library.widest(prediction), prediction)
    matrix = library.forbid_gradient(matrix, CONSTANT, eager=False)
    one = [[float(row == column) for column in range(classes)] for row in range(classes)]
    diagonal = library.constant(one, matrix.dtype, prediction) == 1
    right = (matrix >= 0) & (matrix < math.inf) & ((matrix == 0) | ~diagonal)
    scaled = matrix / xp.max(matrix)  # NaN if all are 0
    return xp.where(xp.all(right), scaled, xp.full_like(scaled, math.nan))


def _listed(name: str, value: Any, ndim: int) -> Any:
    """Return numbers, in nested lists of so many levels, from arrays and sequences."""
    number = isinstance(value, bool) or is_real(value)
    if number and ndim == 0:
        return value
    if hasattr(value, "shape") and not number:
        library = read_library(name, value)
        _check_array(name, library, value, ndim)
        if not can_compute(library, value):
            raise _without_values(name)
        return library.tolist(library.vetted(value))
    if ndim == 0 or not isinstance(value, Sequence) or isinstance(value, (str, bytes, bytearray)):
        raise TypeError(f"`{name}` must be {WHAT[ndim]}; got {class_name(value)}. {CURE}")
    return [_listed(f"{name}[{i}]", inside, ndim - 1) for i, inside in enumerate(value)]


def _without_values(name: str) -> TypeError:
    return TypeError(
        f"`{name}` must have values; got an array without any, as in a compiled function or on the "
        "meta device. Make a list of rows outside of that."
    )


def _check_array(name: str, library: ArrayLibrary, array: Array, ndim: int) -> None:
    """Check that an array has real numbers and so many axes."""
    if library.kind(array.dtype) not in ("bool", "integer", "floating"):
        fact, cure = called(library, array.dtype), cure_for_dtype(library, name, array.dtype)
        raise TypeError(f"`{name}` must be {WHAT[ndim]}; got an array of {fact}. {cure}.")
    if len(library.shape(array)) != ndim:
        raise ValueError(f"`{name}` must be {WHAT[ndim]}; got shape {library.shape(array)}. {CURE}")


def _check_shape(rows: int, columns: list[int], classes: int | None) -> None:
    """Check that there is a row and a column for each class."""
    classes = max(rows, 1) if classes is None else classes
    if rows != classes or any(number != classes for number in columns):
        raise ValueError(
            f"`distances` must have a row and a column for each of {classes} classes; got {rows} "
            f"rows of {sorted(set(columns))}. Row c holds the distances from target class c."
        )
