"""Read the other sources of an overlap: what `to_dict` wrote, and shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from .arguments import check_choice, class_name, read_bool, read_integer, shown
from .arrays import LIMIT
from .tasks import FORMS

KINDS = ("hard", "exact", "plain")
KEYS = ("kind", "form", "by_class", "sums")
#: The version of the format that `to_dict` writes.
VERSION = 1
ROWS, LIMBS = 5, 3


def read_stored(data: Any) -> Any:
    """Return the sums that `to_dict` wrote, as nested lists of numbers."""
    if not isinstance(data, Mapping):
        raise TypeError(
            f"`data` must be a dictionary that `to_dict` wrote; got {class_name(data)}. Read JSON "
            "with `json.loads` first."
        )
    _check_version(data.get("version", VERSION))
    missing = [key for key in KEYS if key not in data]
    if missing:
        raise ValueError(
            f"`data` must hold what `to_dict` wrote; got no {', '.join(sorted(missing))}."
        )
    kind, by_class, sums = data["kind"], data["by_class"], data["sums"]
    check_choice("kind", kind, KINDS)
    check_choice("form", data["form"], FORMS)
    by_class = read_bool("by_class", by_class)
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


def _check_version(version: Any) -> None:
    number = read_integer("version", version)
    if number < 1:
        raise ValueError(f"`version` must be at least 1; got {shown(number)}.")
    if number > VERSION:
        raise ValueError(
            f"`version` must be at most {VERSION}, the latest that this dice_any reads; got "
            f"{shown(number)}. Update dice_any to what wrote it, or later."
        )


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
    # `float.fromhex` would read "0.5" as five sixteenths
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
