"""Read one argument that is no array: a number, a name, axes, classes."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from contextlib import suppress
from numbers import Real
from typing import Any

from ..arrays import UnknownLibraryError, library_of
from ..arrays.library import can_compute

#: The largest weight or smoothing. Larger numbers have no use, and sums times this stay finite.
LARGEST = 2.0**100
#: The most classes. The labels of a map with more are probably not class numbers.
MOST_CLASSES = 2**24


def class_name(value: object) -> str:
    """Return the name of a value's class, with its package."""
    cls = type(value)
    if cls.__module__ == "builtins":
        return cls.__qualname__
    return f"{cls.__module__.partition('.')[0]}.{cls.__qualname__}"


def shown(value: object) -> str:
    """Return a value as it is shown in a message: short ones in full, never the contents of an
    array.
    """
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, str):
        return repr(str(value)) if len(value) <= 60 else f"a string of {len(value)} characters"
    if isinstance(value, int):
        bits = value.bit_length()
        return str(int(value)) if bits <= 64 else f"an integer of {bits} bits"
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, (tuple, list)) and len(value) <= 8:
        inside = ", ".join(map(shown, value))
        if isinstance(value, list):
            return f"[{inside}]"
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    return class_name(value)


def has_entries(values: object) -> bool:
    """Tell whether values can be listed, unlike a string or an array without axes."""
    try:
        return bool(iter(values)) and not isinstance(values, (str, bytes, bytearray))  # type: ignore[call-overload]
    except TypeError:
        return False


# -- numbers -------------------------------------------------------------------------------------


def is_real(value: object) -> bool:
    """Tell whether a value is a real number. Of NumPy's, durations are said to be integers."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return getattr(getattr(value, "dtype", None), "kind", "f") in "iuf"


def cure_for_no_value(value: Any) -> str:
    """Return what to do, as the end of a message, about an array whose values nobody can read."""
    try:
        library = library_of(value)
    except UnknownLibraryError:
        return ""
    if can_compute(library, value):
        return ""
    return (
        " It has no value to read here: pass one of Python's, which a compiled function closes "
        "over or takes as a static argument."
    )


def _cure_for_number(name: str, value: Any) -> str:
    """Return what to pass instead of something that is no number, as the end of a message."""
    cure = cure_for_no_value(value)
    if cure or not hasattr(value, "__float__"):
        return cure
    with suppress(UnknownLibraryError):
        library = library_of(value)
        kind = library.kind(value.dtype)
        if library.shape(value) or kind not in ("bool", "integer", "floating"):
            return ""
    return f" Pass `float({name})`."


def read_integer(name: str, value: object) -> int:
    """Return an integer, or raise `TypeError`."""
    if type(value) is int:
        return value
    # PyTorch accepts one boolean as an integer, sparse a fraction, both an array of one number
    dtype = str(getattr(value, "dtype", "int")).rpartition(".")[2]
    whole = dtype.startswith(("int", "uint")) and not isinstance(value, bool)
    if whole and getattr(value, "shape", ()) == ():
        with suppress(Exception):  # an array without values has errors of its own
            return operator.index(value)  # type: ignore[arg-type]
    cure = cure_for_no_value(value)
    raise TypeError(f"`{name}` must be an integer; got {class_name(value)}.{cure}")


def read_number(name: str, value: object) -> float:
    """Return a real number, which may be infinite or NaN, or raise."""
    if type(value) is float:
        return value
    if not is_real(value):
        cure = _cure_for_number(name, value)
        raise TypeError(f"`{name}` must be a number; got {class_name(value)}.{cure}")
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        raise ValueError(f"`{name}` must fit a float64; got {shown(value)}.") from None


def check_not_negative(**numbers: object) -> None:
    """Check that numbers are finite, at least 0 and not too large to multiply sums by."""
    for name, value in numbers.items():
        number = read_number(name, value)
        if not 0 <= number < float("inf"):
            raise ValueError(f"`{name}` must be finite and at least 0; got {shown(value)}.")
        if number > LARGEST:
            raise ValueError(f"`{name}` must be at most 2**100; got {shown(value)}.")


def read_flag(name: str, value: object) -> bool | None:
    """Return None, True or False."""
    return None if value is None else read_bool(name, value, "None, True or False")


def read_bool(name: str, value: object, choices: str = "True or False") -> bool:
    """Return True or False: 0 and 1 are numbers, NumPy's booleans are booleans."""
    if value is True or value is False:
        return value
    cls = type(value)
    if cls.__module__ == "numpy" and cls.__name__ in ("bool", "bool_"):
        return bool(value)
    cure = cure_for_no_value(value)
    raise TypeError(f"`{name}` must be {choices}; got {class_name(value)}.{cure}")


def read_num_classes(num_classes: object) -> int:
    """Return the number of classes."""
    number = read_integer("num_classes", num_classes)
    if number < 1:
        raise ValueError(f"`num_classes` must be at least 1; got {shown(number)}.")
    if number > MOST_CLASSES:
        raise ValueError(
            f"`num_classes` must be at most 2**24; got {shown(number)}. Number the labels that "
            "occur: 0, 1, 2 and so on."
        )
    return number


def read_label(name: str, label: object) -> int:
    """Return a label, which must fit int64 or uint64."""
    number = read_integer(name, label)
    if not -(2**63) <= number < 2**64:
        raise ValueError(
            f"`{name}` must be an int64 or uint64; got {shown(number)}. Relabel the target."
        )
    return number


# -- names ---------------------------------------------------------------------------------------


def check_name(name: str, value: object) -> None:
    """Check that a value can be compared with names."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"`{name}` must be None or a name; got {class_name(value)}.")


def check_choice(name: str, value: object, choices: Sequence[str | None]) -> None:
    """Check that a value is one of some names."""
    # only names are compared: an array has no truth value, and `0 in (None, False)` is true
    if (value is None or isinstance(value, str)) and value in choices:
        return
    error = ValueError if isinstance(value, str) else TypeError
    raise error(f"`{name}` must be one of {', '.join(map(repr, choices))}; got {shown(value)}.")


# -- axes and classes ----------------------------------------------------------------------------


def read_axis(name: str, value: object, ndim: int) -> int:
    """Return the number of an axis, counted from 0."""
    number = read_integer(name, value)
    if not -ndim <= number < ndim:
        raise ValueError(
            f"`{name}` must be in [-{ndim}, {ndim}) for {ndim} axes; got {shown(number)}."
        )
    return number % ndim


def read_axes(name: str, axis: object, ndim: int) -> tuple[int, ...]:
    """Return axes as sorted numbers from 0."""
    axes = tuple(axis) if isinstance(axis, (tuple, list, range)) else (axis,)
    try:
        numbers = tuple(sorted(read_axis(name, a, ndim) for a in axes))
    except TypeError:
        cure = max(map(cure_for_no_value, axes), default="")
        raise TypeError(
            f"`{name}` must be an integer or a tuple of integers; got {shown(axis)}.{cure}"
        ) from None
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"`{name}` must name each axis once; got {shown(axes)}.")
    return numbers


def as_classes(classes: object, length: int) -> list[int]:
    """Return the numbers of the classes that take part."""
    if isinstance(classes, str):
        if classes != "foreground":
            raise ValueError(
                "`classes` must be a sequence of class numbers or 'foreground'; got "
                f"{shown(classes)}."
            )
        if length < 2:
            have = "one class only" if length else "none"
            raise ValueError(
                f"`classes='foreground'` must leave a class; got {have}. Leave it out."
            )
        return list(range(1, length))
    if not isinstance(classes, Sequence) or isinstance(classes, (bytes, bytearray, memoryview)):
        cure = cure_for_no_value(classes) or " Pass a list or a tuple, for one class too."
        raise TypeError(
            "`classes` must be a sequence of class numbers or 'foreground'; "
            f"got {class_name(classes)}.{cure}"
        )
    numbers = [read_integer("classes", number) for number in classes]
    if length == 0:
        raise ValueError("`classes` must be left out where there is no class; got some. Drop it.")
    if not numbers or not all(0 <= number < length for number in numbers):
        outside = [number for number in numbers if not 0 <= number < length]
        raise ValueError(
            f"`classes` must name one or more of the classes 0 to {length - 1}; got "
            f"{shown(outside[:8])}."
        )
    return numbers


def size_power(class_weight: object) -> int:
    """Return the power of the target's size in the denominator of a named class weight."""
    powers = {"square": 2, "simple": 1, "uniform": 0}
    check_choice("class_weight", class_weight, tuple(powers))
    return powers[str(class_weight)]


def refuse_squared(kind: str, form: str) -> None:
    """Refuse squared sums where they have no meaning."""
    if form == "squared" and kind != "hard":
        raise ValueError(
            "`form` must be 'product' or 'minimum' here, as squared sums can push the result out "
            "of range; got 'squared'. The squared form belongs to Dice, Jaccard, cosine and "
            "generalized Dice."
        )
