"""Read two sets of element ids."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from ..arrays.library import Array, ArrayLibrary
from .arguments import class_name, read_integer, shown
from .arrays import check_same_place, read_library
from .cures import called, cure_for_dtype

#: The largest total of a merged overlap.
MOST = 2**62


def are_collections(a: Any, b: Any) -> bool:
    """Return whether the ids are in collections; False for arrays, which `read_ids` checks."""
    arrays = [hasattr(ids, "shape") for ids in (a, b)]
    if all(arrays):
        return False
    for name, ids in (("a", a), ("b", b)):
        if isinstance(ids, (str, bytes, bytearray, memoryview)):
            raise TypeError(
                "`a` and `b` must be collections of ids; got a string or bytes. Wrap it: `{'oak'}`."
            )
        if not isinstance(ids, Collection) and not hasattr(ids, "shape"):
            cure = f"Make a set of it: `set({name})`" if isinstance(ids, Iterable) else "Pass sets"
            raise TypeError(
                f"`{name}` must be a collection of ids or an array of them; got {class_name(ids)}. "
                f"{cure}."
            )
    if any(arrays):
        name = "a" if arrays[0] else "b"
        raise TypeError(
            f"`a` and `b` must both be collections or both be arrays; got {class_name(a)} and "
            f"{class_name(b)}. Make a set of the array: `set({name}.tolist())`."
        )
    return True


def read_set(name: str, ids: Collection[Any]) -> set[Any]:
    """Return the different ids of a collection."""
    # two tensors of one number are different keys of a set
    arrays = [kind for kind in set(map(type, ids)) if hasattr(kind, "__dlpack__")]
    if arrays:
        raise TypeError(
            f"`{name}` must hold ids that are compared by their values; got arrays of type "
            f"{arrays[0].__name__}. Pass `set(array.tolist())`, or the whole array."
        )
    try:
        return set(ids)
    except TypeError:
        raise TypeError(
            f"`{name}` must hold ids that can be hashed; got {class_name(ids)} of others. Pass "
            "numbers, strings or tuples."
        ) from None


def read_ids(a: Array, b: Array) -> ArrayLibrary:
    """Check two arrays of ids."""
    library = read_library("a", a, b)
    check_same_place(library, "b", b, a)
    for name, array in (("a", a), ("b", b)):
        if len(library.shape(array)) != 1 or library.kind(array.dtype) != "integer":
            axes, dtype = len(library.shape(array)), called(library, array.dtype)
            cure = "For masks use `overlap`; of other ids make sets"
            if library.kind(array.dtype) == "other":
                cure = cure_for_dtype(library, name, array.dtype)
            raise ValueError(
                f"`{name}` must be a 1-D array of integer ids; got {axes} axes of {dtype}. {cure}."
            )
        names = library.dtype_name(a.dtype), library.dtype_name(array.dtype)
        if names[0] != names[1]:
            raise TypeError(
                f"`b` must have the dtype of `a`, {names[0]}; got {names[1]}. Convert one of them."
            )
        if not library.at_hand(array):
            raise ValueError(
                f"`{name}` must have values at hand, because the number of different ids depends "
                f"on them; got a lazy, traced, sparse or device array of {library.name}. "
                "Make it a plain one on the host first."
            )
    return library


def read_total(total: Any, union: int) -> int:
    """Return the number of all elements."""
    number = read_integer("total", total)
    if number < union:
        raise ValueError(
            f"`total` must be at least the size of the union, {union}; got {shown(number)}. Count "
            "all candidates."
        )
    if number > MOST:
        raise ValueError(f"`total` must be at most 2**62; got {shown(number)}. Check it.")
    return number
