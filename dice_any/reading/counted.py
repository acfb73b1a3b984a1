"""Read counts that were made elsewhere."""

from __future__ import annotations

from typing import Any

from ..arrays import load_library
from ..arrays.library import Array, ArrayLibrary
from .arguments import class_name, read_bool, read_integer, shown
from .arrays import read_library
from .cures import called, cure_for_dtype

#: The largest count, also of merged overlaps.
MOST_COUNTED = 2**62


def read_count_arrays(by_class: object, **counts: Any) -> tuple[ArrayLibrary, list[Array]]:
    """Return the library of some counts, and the counts: arrays of one shape, or numbers."""
    by_class = read_bool("by_class", by_class)
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
    arrays = [name for name, count in counts.items() if not _is_number(count)]
    first = next((name for name in arrays if getattr(counts[name], "shape", ())), arrays[0])
    library = read_library(first, counts[first])
    filled = f"Pass `{library.public}.zeros_like({first}) + {{code}}`."
    shape, device = library.shape(counts[first]), library.device(counts[first])
    for name, array in counts.items():
        if _is_number(array):
            read_integer(name, array)
            raise TypeError(
                f"`{name}` must be an array, as `{first}` is one; got {class_name(array)}. "
                + filled.replace("{code}", name if type(array) is int else f"int({name})")
            )
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
                + (
                    "Nothing is broadcast."
                    if library.shape(array)
                    else filled.replace("{code}", name)
                )
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
    if kind == "integer":
        return
    cure = cure_for_dtype(library, name, array.dtype)
    if kind == "floating":
        cure = f"Convert whole numbers: `{library.cast_code(name, 'int64', rounded=True)}`"
        whole = _are_whole(library, array)
        if whole is None:
            cure = f"{cure}; of others pass the counts, before a division"
        elif not whole:
            cure = (
                "Pass the counts as they were before a division; sums of memberships or of "
                "floating weights come from `overlap`"
            )
    elif kind == "bool":
        cure = f"Pass `{library.cast_code(name, 'int64')}`"
    raise TypeError(f"`{name}` must hold integers; got {called(library, array.dtype)}. {cure}.")


def _are_whole(library: ArrayLibrary, array: Array) -> bool | None:
    """Tell whether floating numbers are whole; None if they cannot be read."""
    if not library.at_hand(array):
        return None
    with library.precision():
        xp = library.xp
        numbers = xp.astype(array, library.widest(array))
        return bool(xp.all(xp.isfinite(numbers) & (numbers == xp.round(numbers))))


def _check_lengths(name: str, shape: tuple[int, ...]) -> None:
    if None in shape:
        raise ValueError(
            f"`{name}` must have a known shape; got {shape}. Fix its lengths before the call."
        )
