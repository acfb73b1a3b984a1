"""Read what an overlap is made of besides arrays: what `to_dict` wrote, shapes and indices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from numbers import Integral
from typing import Any

from .arguments import check_choice, class_name, read_integer, shown
from .arrays import LIMIT
from .tasks import FORMS

KINDS = ("hard", "exact", "plain")
KEYS = ("kind", "form", "by_class", "sums")
ROWS, LIMBS = 5, 3


def read_stored(data: Any) -> Any:
    """Return the sums that `to_dict` wrote, as nested lists of numbers."""
    if not isinstance(data, Mapping):
        raise TypeError(
            f"`data` must be a dictionary that `to_dict` wrote; got {class_name(data)}. Read JSON "
            "with `json.loads` first."
        )
    missing = [key for key in KEYS if key not in data]
    if missing:
        raise ValueError(
            f"`data` must hold what `to_dict` wrote; got no {', '.join(sorted(missing))}."
        )
    kind, by_class, sums = data["kind"], data["by_class"], data["sums"]
    check_choice("kind", kind, KINDS)
    check_choice("form", data["form"], FORMS)
    if not isinstance(by_class, bool):
        raise TypeError(f"`by_class` must be True or False; got {class_name(by_class)}.")
    shape = _shape(sums)
    lead = (ROWS, LIMBS) if kind == "exact" else (ROWS,)
    if shape[: len(lead)] != lead or len(shape) < len(lead) + by_class:
        raise ValueError(
            f"`sums` must have the shape {(*lead, '...')} for {kind} sums, with a class axis if "
            f"`by_class`; got {shape}. Store what `to_dict` wrote as it is."
        )
    if kind == "plain":
        return _each(_read_hexadecimal, sums)
    _each(_check_int64, sums)
    rows = [_flat(row[0] if kind == "exact" else row) for row in sums]
    if any(min(counts) < 0 and not counts[-1] for counts in zip(*rows, strict=True)):
        raise ValueError(
            "`sums` must not be negative; got a count below 0. Store what `to_dict` wrote."
        )
    return sums


def _shape(values: Any) -> tuple[int, ...]:
    """Return the shape of nested lists."""
    if not isinstance(values, (list, tuple)):
        return ()
    shapes = {_shape(value) for value in values} or {()}
    if len(shapes) > 1:
        raise ValueError(
            "`sums` must be nested lists of one length on each level; got ragged ones. Store what "
            "`to_dict` wrote as it is."
        )
    return (len(values), *shapes.pop())


def _each(function: Any, values: Any) -> Any:
    return (
        [_each(function, v) for v in values]
        if isinstance(values, (list, tuple))
        else function(values)
    )


def _flat(values: Any) -> list[Any]:
    if not isinstance(values, (list, tuple)):
        return [values]
    return [number for value in values for number in _flat(value)]


def _check_int64(value: Any) -> None:
    if type(value) is not int:
        raise TypeError(
            f"`sums` must hold integers; got {class_name(value)}. Store what `to_dict` wrote."
        )
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"`sums` must hold numbers of int64; got {shown(value)}. Add up less.")


def _read_hexadecimal(value: Any) -> float:
    # "0.5" would be read as five sixteenths
    if isinstance(value, str) and (value in ("nan", "inf", "-inf") or "0x" in value):
        with suppress(ValueError, OverflowError):
            return float.fromhex(value)
    raise TypeError(
        f"`sums` must hold numbers as `float.hex` writes them; got {class_name(value)}. Store what "
        "`to_dict` wrote."
    )


def read_counts_shape(shape: Any) -> tuple[int, ...]:
    """Return the shape of counts."""
    if not isinstance(shape, (tuple, list)):
        raise TypeError(
            f"`shape` must be a tuple of integers; got {class_name(shape)}. For one axis pass "
            "`(n,)`."
        )
    lengths = tuple(read_integer("shape", length) for length in shape)
    if any(length < 0 for length in lengths) or math.prod(lengths) >= LIMIT:
        raise ValueError(
            "`shape` must hold lengths of at least 0, of fewer than 2**32 counts; got "
            f"{shown(lengths)}."
        )
    return lengths


def read_index(index: Any, shape: tuple[int, ...]) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    """Return an index of counts, and the axes of its result that are to be reversed.

    It holds integers from 0, slices that step forwards and at most one ellipsis.
    """
    index = index if isinstance(index, tuple) else (index,)
    for item in index:
        if item is not Ellipsis and not _is_integer(item) and not _is_slice(item):
            raise TypeError(
                f"`index` must hold integers, slices and `...`; got {class_name(item)}. "
                "To choose classes use `select_classes`."
            )
    dots = sum(item is Ellipsis for item in index)
    named = len(index) - dots
    if named > len(shape) or dots > 1:
        raise IndexError(
            f"`index` must name at most {len(shape)} axes, with one `...`; got {named} and {dots}."
        )
    items: list[Any] = []
    reversed_axes = []
    axis = kept = 0
    for item in index:
        if item is Ellipsis:
            axis, kept = axis + len(shape) - named, kept + len(shape) - named
            items.append(item)
            continue
        if _is_integer(item):
            items.append(_read_place(item, axis, shape[axis]))
        else:
            forwards, backwards = _forwards(item, shape[axis])
            items.append(forwards)
            reversed_axes += [kept] * backwards
            kept += 1
        axis += 1
    return tuple(items), tuple(reversed_axes)


def _read_place(item: Any, axis: int, length: int) -> int:
    if not -length <= item < length:
        raise IndexError(
            f"`index` must be in [-{length}, {length}) on axis {axis}; got {shown(int(item))}."
        )
    return int(item) % length


def _forwards(item: slice, length: int) -> tuple[slice, bool]:
    """Return the slice that takes the same forwards, as PyTorch steps no other way."""
    if item.step is not None and item.step == 0:
        raise ValueError("`index` must step by a number other than 0; got 0. Leave the step out.")
    taken = range(*item.indices(length))
    if taken.step > 0 or not taken:
        return slice(taken.start, taken.stop, taken.step) if taken else slice(0, 0), False
    return slice(taken[-1], taken[0] + 1, -taken.step), True


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_slice(value: Any) -> bool:
    parts = (value.start, value.stop, value.step) if isinstance(value, slice) else (value,)
    return isinstance(value, slice) and all(part is None or _is_integer(part) for part in parts)
