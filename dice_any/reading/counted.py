"""Read counts that were made elsewhere."""

from __future__ import annotations

from typing import Any

from ..arrays import load_library
from ..arrays.library import Array, ArrayLibrary
from .arguments import class_name, read_integer, shown
from .arrays import read_library

#: The largest count, also of merged overlaps.
MOST_COUNTED = 2**62


def read_count_arrays(by_class: object, **counts: Any) -> tuple[ArrayLibrary, list[Array]]:
    """Return the library of some counts, and the counts: arrays of one shape, or numbers."""
    if not isinstance(by_class, bool):
        raise TypeError(f"`by_class` must be True or False; got {class_name(by_class)}.")
    if all(_is_number(count) for count in counts.values()):
        library = load_library("numpy")
        numbers = [_read_number(name, count) for name, count in counts.items()]
        arrays = [library.xp.asarray(number, dtype=library.xp.int64) for number in numbers]
    else:
        library = _check_arrays(counts)
        arrays = [library.vetted(count) for count in counts.values()]
    if by_class and not library.shape(arrays[0]):
        raise ValueError(
            "`by_class` must be False of counts without axes; got True. Pass arrays, the classes "
            "last."
        )
    return library, arrays


def _is_number(value: Any) -> bool:
    return (
        not getattr(value, "shape", ())
        and not isinstance(value, (list, tuple))
        and (isinstance(value, (int, float)) or type(value).__module__ == "numpy")
    )


def _read_number(name: str, value: Any) -> int:
    number = read_integer(name, value)
    if not 0 <= number <= MOST_COUNTED:
        raise ValueError(f"`{name}` must be from 0 to 2**62; got {shown(number)}.")
    return number


def _check_arrays(counts: dict[str, Any]) -> ArrayLibrary:
    names = list(counts)
    first = names[0]
    library = read_library(first, counts[first])
    shape, device = library.shape(counts[first]), library.device(counts[first])
    for name, array in counts.items():
        other = read_library(name, array, counts[first])
        if other is not library:
            raise TypeError(
                f"`{name}` must come from the same array library as `{first}`; got {other.name} "
                f"and {library.name}. Convert one of them."
            )
        check_integers(library, name, array)
        if library.shape(array) != shape:
            raise ValueError(
                f"`{name}` must have the shape of `{first}`, {shape}; got {library.shape(array)}. "
                "Nothing is broadcast."
            )
        if library.device(array) != device:
            raise ValueError(
                f"`{name}` must be on the device of `{first}`, {device}; got "
                f"{library.device(array)}. Move one of them."
            )
    _check_lengths(first, shape)
    return library


def read_matrix(matrix: Any) -> tuple[ArrayLibrary, Array]:
    """Return the library of confusion matrices, and the matrices to compute with."""
    library = read_library("matrix", matrix)
    check_integers(library, "matrix", matrix)
    shape = library.shape(matrix)
    _check_lengths("matrix", shape)
    if len(shape) < 2 or shape[-1] != shape[-2] or not shape[-1]:
        raise ValueError(
            "`matrix` must have a row and a column for each class, as its last two axes; got shape "
            f"{shape}. Rows are target labels, columns predicted ones."
        )
    return library, library.vetted(matrix)


def check_integers(library: ArrayLibrary, name: str, array: Array) -> None:
    """Check that an array holds integers."""
    kind = library.kind(array.dtype)
    if kind != "integer":
        cure = f" Convert whole numbers: `{library.cast_code(name, 'int64', rounded=True)}`."
        raise TypeError(
            f"`{name}` must hold integers; got {library.dtype_name(array.dtype)}."
            + cure * (kind == "floating")
        )


def _check_lengths(name: str, shape: tuple[int, ...]) -> None:
    if None in shape:
        raise ValueError(
            f"`{name}` must have a known shape; got {shape}. Fix its lengths before the call."
        )
