"""Read one array: its library, its place, its shape and the kind of its numbers."""

from __future__ import annotations

from ..arrays import UnknownLibraryError, library_of
from ..arrays.library import Array, ArrayLibrary, Masked
from ..kernels.task import Kind
from . import cures, objects
from .arguments import class_name

#: One call counts fewer elements, and less total weight, than this; merged overlaps hold up to 2⁶².
LIMIT = 2**32


def read_library(name: str, array: Array, beside: Array | None = None) -> ArrayLibrary:
    """Return the library of an array, or raise `TypeError` saying what to pass instead.

    `beside` is the other array of the call; the suggested code fits it.
    """
    try:
        library = library_of(array)
    except UnknownLibraryError:
        raise TypeError(
            f"`{name}` must be an array of a library that follows the Array API standard; "
            f"got {class_name(array)}. {objects.cure_for_object(name, array, beside)}."
        ) from None
    refusal = library.refusal(array)
    if refusal is not None:
        cure = (
            objects.cure_for_masked(name, array, refusal, beside)
            if isinstance(refusal, Masked)
            else refusal.replace("{name}", name)
        )
        raise TypeError(f"`{name}` must be a plain array; got {class_name(array)}. {cure}.")
    return library


def check_same_place(library: ArrayLibrary, name: str, array: Array, prediction: Array) -> None:
    """Check that an array is of the prediction's library, and on its device."""
    other = read_library(name, array, prediction)
    if other is not library:
        raise TypeError(
            f"`{name}` must come from the same array library as `prediction`; "
            f"got {other.name} and {library.name}. Convert one of them."
        )
    devices = library.device(prediction), library.device(array)
    if None not in devices and devices[0] != devices[1]:
        raise ValueError(
            f"`{name}` must be on the same device as `prediction`; got {devices[1]} and "
            f"{devices[0]}. Move one of them."
        )


def read_shape(
    library: ArrayLibrary, name: str, array: Array, *, may_be_empty: bool = False
) -> tuple[int, ...]:
    """Return the shape of an array that has known lengths and at least one element."""
    shape = library.shape(array)
    if None in shape:
        raise ValueError(
            f"`{name}` must have a known shape; got {shape}. Fix its lengths before the call."
        )
    if 0 in shape and not may_be_empty:
        raise ValueError(
            f"`{name}` must have at least one element; got shape {shape}. To start an empty sum, "
            "use `Overlap.zero(...)`."
        )
    return shape


def read_kind(library: ArrayLibrary, name: str, array: Array) -> str:
    kind = library.kind(array.dtype)
    if kind not in ("bool", "integer", "floating"):
        cure = cures.cure_for_dtype(library, name, array.dtype)
        raise TypeError(
            f"`{name}` must be boolean, integer or floating; got "
            f"{cures.called(library, array.dtype)}. {cure}."
        )
    return kind


def check_size(name: str, counted: int) -> None:
    if counted >= LIMIT:
        raise ValueError(
            f"`{name}` must have fewer than 2**32 elements to each count; got {counted}. "
            "Compute the overlaps of parts and add the results."
        )


def read_sum_kind(library: ArrayLibrary, prediction: Array, exact: bool | None) -> Kind:
    if library.has_float64(prediction):
        return "plain" if exact is False else "exact"
    if exact:
        raise ValueError(
            "`exact` must be None or False where there is no float64; got True on device "
            f"{library.device(prediction)}. Move the arrays to a device that has it."
        )
    return "plain"
