"""Read the index of an overlap's counts: integers, slices, and an array of integers."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

from ..arrays import UnknownLibraryError, library_of
from ..arrays.library import Array, ArrayLibrary
from .arguments import class_name, is_real, shown
from .arrays import read_library
from .cures import called, cure_for_dtype

PARTS = "`index` must hold integers, slices, `...` and at most one array of integers"


class Picked(NamedTuple):
    """Places along an axis, in their new order."""

    axis: int
    #: numbers from 0, checked; or an array of the overlap's library whose values are not at hand
    places: list[int] | Array
    #: of the axes that replace this one; () if it is selected away
    shape: tuple[int, ...]


class Index(NamedTuple):
    """An index of counts, read. Axes are numbered as they are after the items are applied."""

    #: integers from 0, slices that step forwards and at most one ellipsis
    items: tuple[Any, ...]
    backwards: tuple[int, ...]
    picked: Picked | None
    #: whether the last axis is selected away
    drops_last: bool


def read_index(library: ArrayLibrary, index: Any, shape: tuple[int, ...], by_class: bool) -> Index:
    """Return an index of counts of an overlap of `library`."""
    index = index if isinstance(index, tuple) else (index,)
    index = tuple(_number_of(library, item) if _is_lone(item) else item for item in index)
    for item in index:
        if not (item is Ellipsis or _is_integer(item) or _is_slice(item) or _is_many(item)):
            raise TypeError(
                f"{PARTS}; got {class_name(item)}. To choose classes use `select_classes`."
            )
    if sum(map(_is_many, index)) > 1:
        raise TypeError(f"{PARTS}; got several. Index twice.")
    dots = sum(item is Ellipsis for item in index)
    named = len(index) - dots
    if named > len(shape) or dots > 1:
        raise IndexError(
            f"`index` must name at most {len(shape)} axes, with one `...`; got {named} and {dots}."
        )
    items: list[Any] = []
    backwards, picked, drops = [], None, False
    axis = kept = 0
    for item in index:
        if item is Ellipsis:
            axis, kept = axis + len(shape) - named, kept + len(shape) - named
            items.append(item)
            drops = drops and named == len(shape)
            continue
        if _is_integer(item):
            items.append(_read_place(item, axis, shape[axis]))
            drops = True
        elif _is_slice(item):
            forwards, turned = _forwards(item, shape[axis])
            items.append(forwards)
            backwards += [kept] * turned
            kept, drops = kept + 1, False
        else:
            items.append(slice(None))
            places, lengths = _read_places(library, item)
            if isinstance(places, list):
                places = [_read_place(place, axis, shape[axis]) for place in places]
            picked = Picked(kept, places, lengths)
            if by_class and axis == len(shape) - 1 and len(picked.shape) > 1:
                raise ValueError(
                    "`index` must leave one axis of classes; got an array of "
                    f"{len(picked.shape)} axes for it. Pass one of one axis."
                )
            kept, drops = kept + 1, not picked.shape
        axis += 1
    if not dots:
        items.append(...)
    return Index(tuple(items), tuple(backwards), picked, drops and axis == len(shape))


def _read_place(item: Any, axis: int, length: int) -> int:
    if not -length <= item < length:
        raise IndexError(
            f"`index` must be in [-{length}, {length}) on axis {axis}; got {shown(int(item))}."
        )
    return int(item) % length


def _forwards(item: slice, length: int) -> tuple[slice, bool]:
    """Return the slice that selects the same forwards, because PyTorch has no negative steps."""
    if item.step is not None and item.step == 0:
        raise ValueError("`index` must step by a number other than 0; got 0. Leave the step out.")
    taken = range(*item.indices(length))
    if taken.step > 0 or not taken:
        return slice(taken.start, taken.stop, taken.step) if taken else slice(0, 0), False
    return slice(taken[-1], taken[0] + 1, -taken.step), True


def _read_places(library: ArrayLibrary, item: Any) -> tuple[list[int] | Array, tuple[int, ...]]:
    """Return integers, and the shape of their array; the array itself if it is of `library` and
    its values are not at hand.
    """
    if isinstance(item, list):
        return _flat(item)
    other = _integers_of(item)
    shape = other.shape(item)
    if other is library and not library.at_hand(item):
        return library.vetted(item), shape
    if not other.has_values(item):
        raise TypeError(
            f"`index` must hold values, or come from the library of the overlap, "
            f"{library.name}; got lazy or traced integers of {other.name}. Compute them first."
        )
    return list(other.tolist(other.xp.reshape(item, (-1,)))), shape


def _flat(item: list[Any]) -> tuple[list[int], tuple[int, ...]]:
    """Return the integers of nested lists, and their shape."""
    if not any(isinstance(part, list) for part in item):
        for part in item:
            if not _is_integer(part):
                raise TypeError(f"{PARTS}; got a list with {class_name(part)} in it.")
        return item, (len(item),)
    parts = [_flat(part if isinstance(part, list) else [part]) for part in item]
    if len({shape for _, shape in parts}) > 1 or not all(isinstance(part, list) for part in item):
        raise ValueError(
            "`index` must hold lists of one length on each level; got ragged ones. Index one list "
            "after the other."
        )
    return [place for places, _ in parts for place in places], (len(item), *parts[0][1])


def _is_lone(item: Any) -> bool:
    """Tell whether an item is an array without axes, which stands for a number."""
    return hasattr(item, "dtype") and getattr(item, "shape", None) == () and not _is_integer(item)


def _number_of(library: ArrayLibrary, item: Any) -> Any:
    """Return the integer in an array without axes; the array if it is of `library` and its value
    is not at hand.
    """
    places, _ = _read_places(library, item)
    return places[0] if isinstance(places, list) else places


def _integers_of(item: Any) -> ArrayLibrary:
    try:
        library = library_of(item)
    except UnknownLibraryError:
        raise TypeError(f"{PARTS}; got {class_name(item)}. Pass `list(index)`.") from None
    kind = library.kind(item.dtype)
    if kind != "integer":
        cure = cure_for_dtype(library, "index", item.dtype)
        if kind == "bool":
            cure = "Pass the places that are true, `numpy.flatnonzero(index)`"
        raise TypeError(f"{PARTS}; got one of {called(library, item.dtype)}. {cure}.")
    read_library("index", item)  # refuses masked arrays, and others that are not plain
    shape = library.shape(item)
    if None in shape or any(n != n for n in shape):
        raise ValueError(f"`index` must have a known shape; got {shape}. Fix its lengths first.")
    return library


def _is_many(item: Any) -> bool:
    if isinstance(item, list) or _is_integer(item):  # NumPy's integers have a shape too
        return isinstance(item, list)
    return hasattr(item, "shape") and hasattr(item, "dtype")


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and is_real(value)


def _is_slice(value: Any) -> bool:
    parts = (value.start, value.stop, value.step) if isinstance(value, slice) else (value,)
    return isinstance(value, slice) and all(part is None or _is_integer(part) for part in parts)
