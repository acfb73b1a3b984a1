"""Read two arrays as sets: every check of metadata, and the `Task` that follows from it.

Messages have one form: "`name` must <rule>; got <fact>. <what to do>."
"""

from __future__ import annotations

import numbers as numbers_abc
import operator
from collections.abc import Sequence
from typing import Literal, TypedDict

from .arrays import UnknownLibraryError, library_of
from .arrays.library import Array, ArrayLibrary, elements
from .kernels.task import Task

FORMS = ("product", "squared", "minimum")
ACTIVATIONS = ("sigmoid", "softmax", "argmax")
#: One call counts fewer elements, and less total weight, than this; merged overlaps hold up to 2⁶².
LIMIT = 2**32

Axis = int | Sequence[int] | Literal["space"] | None


class OverlapArguments(TypedDict, total=False):
    """The keyword arguments of `overlap`, which every score and loss takes too."""

    class_axis: int | None
    axis: Axis
    num_classes: int | None
    activation: Literal["sigmoid", "softmax", "argmax"] | None
    form: Literal["product", "squared", "minimum"]
    ignore_label: int | None
    weight: Array | None
    exact: bool | None
    backend: str | None


def read(
    prediction: Array,
    target: Array,
    *,
    class_axis: int | None = None,
    axis: Axis = None,
    num_classes: int | None = None,
    activation: str | None = None,
    form: str = "product",
    ignore_label: int | None = None,
    weight: Array | None = None,
    exact: bool | None = None,
    entropy: float | None = None,
) -> tuple[ArrayLibrary, Task]:
    """Check everything that can be told without looking at values, and describe the work."""
    if form not in FORMS:
        raise ValueError(f"`form` must be one of {_choices(FORMS)}; got {form!r}.")
    if activation is not None and activation not in ACTIVATIONS:
        raise ValueError(f"`activation` must be None or one of {_choices(ACTIVATIONS)}; got {activation!r}.")
    library = read_library("prediction", prediction)
    _same_place(library, "target", target, prediction)
    shape, target_shape = read_shape(library, "prediction", prediction), read_shape(library, "target", target)
    if class_axis is not None:
        class_axis = _axis("class_axis", class_axis, len(shape))
    kinds = _kind(library, "prediction", prediction), _kind(library, "target", target)
    _check_activation(activation, kinds[0], shape, class_axis)
    labels = (activation == "argmax" or kinds[0] == "integer", kinds[1] == "integer")
    num_classes = _read_classes(library, prediction, target, kinds, shape, target_shape, class_axis, num_classes)
    axes = _read_axis(axis, len(shape), class_axis)
    counted = elements(tuple(shape[a] for a in axes))
    if counted >= LIMIT:
        raise ValueError(
            f"`prediction` must have fewer than 2**32 elements to each count; got {counted}. "
            "Compute `overlap` of parts and add the results."
        )
    if ignore_label is not None:
        ignore_label = read_integer("ignore_label", ignore_label)
        if not labels[1]:
            raise ValueError(
                "`ignore_label` must go with a target that is a label map; "
                f"got a {kinds[1]} target. Pass `weight=mask` to leave elements out."
            )
    weight_kind = "bool" if weight is None else _read_weight(library, weight, target, target_shape)
    hard = "floating" not in (kinds[1], weight_kind) and (kinds[0] != "floating" or labels[0])
    return library, Task(
        library=library.name,
        device=str(library.device(prediction) or ""),
        shapes=(shape, target_shape, None if weight is None else library.shape(weight)),
        dtypes=(
            library.dtype_name(prediction.dtype),
            library.dtype_name(target.dtype),
            None if weight is None else library.dtype_name(weight.dtype),
        ),
        axis=axes,
        class_axis=class_axis,
        num_classes=num_classes,
        labels=labels,
        activation=activation,
        form=form,
        ignore_label=ignore_label,
        kind="hard" if hard else _sum_kind(library, prediction, exact),
        entropy=entropy,
    )


# -- arrays ------------------------------------------------------------------------------------------------------------


def read_library(name: str, array: Array) -> ArrayLibrary:
    """Return the library of an array, or raise `TypeError` saying what to pass instead."""
    try:
        library = library_of(array)
    except UnknownLibraryError:
        found = _class_name(array)
        if isinstance(array, (list, tuple, set, frozenset, range, int, float, complex, str)):
            cure = f"Make one first, for example `numpy.asarray({name})`"
        elif array is None:
            cure = "Pass both arrays, or one `Overlap`"
        else:
            cure = "Pass the array inside it (often `.data`, `.values` or `.magnitude`)"
        raise TypeError(
            f"`{name}` must be an array of a library that follows the Array API standard; got {found}. {cure}."
        ) from None
    refusal = library.refusal(array)
    if refusal is not None:
        raise TypeError(f"`{name}` must be a plain array; got {_class_name(array)}. {refusal}.")
    return library


def _class_name(value: object) -> str:
    cls = type(value)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__.partition('.')[0]}.{cls.__qualname__}"


def _same_place(library: ArrayLibrary, name: str, array: Array, prediction: Array) -> None:
    other = read_library(name, array)
    if other is not library:
        raise TypeError(
            f"`{name}` must come from the same array library as `prediction`; got {other.name} and {library.name}. "
            "Convert one of them."
        )
    devices = library.device(prediction), library.device(array)
    if None not in devices and devices[0] != devices[1]:
        raise ValueError(
            f"`{name}` must be on the same device as `prediction`; got {devices[1]} and {devices[0]}. Move one of them."
        )


def read_shape(library: ArrayLibrary, name: str, array: Array) -> tuple[int, ...]:
    """Return the shape of an array that has known lengths and at least one element."""
    shape = library.shape(array)
    if None in shape:
        raise ValueError(f"`{name}` must have a known shape; got {shape}. Fix its lengths before the call.")
    if 0 in shape:
        raise ValueError(
            f"`{name}` must have at least one element; got shape {shape}. To start an empty sum, use `Overlap.zero(...)`."
        )
    return shape


def _kind(library: ArrayLibrary, name: str, array: Array) -> str:
    kind = library.kind(array.dtype)
    if kind not in ("bool", "integer", "floating"):
        cure = "Pass its real part or its absolute value" if kind == "complex" else "Convert it to one of these"
        raise TypeError(f"`{name}` must be boolean, integer or floating; got {library.dtype_name(array.dtype)}. {cure}.")
    return kind


# -- arguments ---------------------------------------------------------------------------------------------------------


def _choices(values: tuple[str, ...]) -> str:
    return ", ".join(repr(value) for value in values)


def read_integer(name: str, value: object) -> int:
    """Return an integer, or raise `TypeError`."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"`{name}` must be an integer; got {_class_name(value)}.") from None


def _axis(name: str, value: object, ndim: int) -> int:
    number = read_integer(name, value)
    if not -ndim <= number < ndim:
        raise ValueError(f"`{name}` must be in [-{ndim}, {ndim}) for {ndim} axes; got {number}.")
    return number % ndim


def _read_axis(axis: Axis, ndim: int, class_axis: int | None) -> tuple[int, ...]:
    """Return the summed axes, sorted, in the prediction's numbering."""
    if axis is None:
        return tuple(a for a in range(ndim) if a != class_axis)
    if isinstance(axis, str):
        if axis != "space":
            raise ValueError(f"`axis` must be None, an integer, a tuple of integers or 'space'; got {axis!r}.")
        if class_axis == 0 or ndim == 0:
            raise ValueError(
                "`axis='space'` must find the samples on axis 0; got "
                + ("classes there. Name the axes." if ndim else "an array without axes. Pass `axis=None`.")
            )
        return tuple(a for a in range(1, ndim) if a != class_axis)
    numbers = read_axes("axis", axis, ndim)
    if class_axis in numbers:
        raise ValueError(
            f"`axis` must not hold the class axis {class_axis}; got {axis}. To pool the classes use `average='micro'`."
        )
    return numbers


def read_axes(name: str, axis: int | Sequence[int], ndim: int) -> tuple[int, ...]:
    """Return axes as sorted numbers from 0."""
    axes = tuple(axis) if isinstance(axis, Sequence) else (axis,)
    numbers = tuple(sorted(_axis(name, a, ndim) for a in axes))
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"`{name}` must name each axis once; got {axes}.")
    return numbers


def _check_activation(activation: str | None, kind: str, shape: tuple[int, ...], class_axis: int | None) -> None:
    if activation is None:
        return
    if kind != "floating":
        raise TypeError(f"`activation` must go with a floating prediction; got a {kind} one. Pass `activation=None`.")
    if activation == "sigmoid":
        return
    if class_axis is None:
        raise ValueError(f"`class_axis` must be given with `activation={activation!r}`; got None. Name the axis of classes.")
    if shape[class_axis] == 1:
        raise ValueError(
            f"`activation={activation!r}` must have two classes or more to choose from; got a class axis of length 1. "
            "For one channel use `activation='sigmoid'`."
        )


def _read_classes(
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    kinds: tuple[str, ...],
    shape: tuple[int, ...],
    target_shape: tuple[int, ...],
    class_axis: int | None,
    num_classes: int | None,
) -> int | None:
    """Check that kinds and shapes fit together, and return the number of classes if the counts are by class."""
    dtypes = tuple(library.dtype_name(a.dtype) for a in (prediction, target))
    if num_classes is not None:
        num_classes = read_integer("num_classes", num_classes)
        if num_classes < 1:
            raise ValueError(f"`num_classes` must be at least 1; got {num_classes}.")
    if kinds[0] == "integer" and kinds[1] != "integer":
        raise TypeError(
            f"`prediction` must be boolean or floating beside a {kinds[1]} target; got {dtypes[0]}. "
            "Write which labels are meant: `prediction == 1` or `prediction > 0`."
        )
    if kinds == ("integer", "integer"):
        _equal_shapes(shape, target_shape)
        if class_axis is not None:
            raise ValueError(
                "`class_axis` must be None for two label maps, which have no such axis; "
                f"got {class_axis}. Pass `num_classes=` instead."
            )
        if num_classes is None:
            raise ValueError(
                f"`num_classes` must be given for two integer arrays ({dtypes[0]}, {dtypes[1]}); got None. For label maps "
                "pass `num_classes=`; for one class compare first: `mask == 1` or `mask > 0`."
            )
        return num_classes
    if kinds[1] == "integer":
        if class_axis is None:
            raise ValueError(
                f"`target` must be boolean or floating beside a {kinds[0]} prediction without a class axis; got "
                f"{dtypes[1]}. Write which labels are meant (`target == 1`, `target > 0`), or pass `class_axis=`."
            )
        rest = shape[:class_axis] + shape[class_axis + 1 :]
        if target_shape != rest:
            raise ValueError(
                f"`target` must have the prediction's shape without its class axis, {rest}; got {target_shape}. "
                f"The prediction has shape {shape} and `class_axis={class_axis}`."
            )
    else:
        _equal_shapes(shape, target_shape)
    if class_axis is None:
        if num_classes is not None:
            raise ValueError(
                f"`num_classes` must go with label maps or a class axis; got {num_classes} for memberships "
                "without one. Leave it out, or pass `class_axis=`."
            )
        return None
    if num_classes not in (None, shape[class_axis]):
        raise ValueError(
            f"`num_classes` must equal the length of the class axis, {shape[class_axis]}; got {num_classes}. "
            "Leave it out, or check `class_axis`."
        )
    return shape[class_axis]


def _equal_shapes(shape: tuple[int, ...], target_shape: tuple[int, ...]) -> None:
    if shape != target_shape:
        raise ValueError(
            f"`target` must have the prediction's shape {shape}; got {target_shape}. "
            "Nothing is broadcast: index, reshape or broadcast one of them yourself if that is meant."
        )


def _read_weight(library: ArrayLibrary, weight: Array, target: Array, target_shape: tuple[int, ...]) -> str:
    _same_place(library, "weight", weight, target)
    kind = _kind(library, "weight", weight)
    shape = library.shape(weight)
    if len(shape) != len(target_shape) or any(w not in (1, n) for w, n in zip(shape, target_shape, strict=True)):
        raise ValueError(
            f"`weight` must have as many axes as the target, each of its length or 1; got {shape} for {target_shape}. "
            "Reshape it."
        )
    return kind


def _sum_kind(library: ArrayLibrary, prediction: Array, exact: bool | None) -> str:
    if exact not in (None, True, False):
        raise TypeError(f"`exact` must be None, True or False; got {_class_name(exact)}.")
    if library.has_float64(prediction):
        return "plain" if exact is False else "exact"
    if exact:
        raise ValueError(
            f"`exact` must be None or False where there is no float64; got True on device {library.device(prediction)}. "
            "Move the arrays to a device that has it."
        )
    return "plain"


# -- other shapes of input ---------------------------------------------------------------------------------------------


def read_rows(X: Array, Y: Array, *, form: str, exact: bool | None) -> tuple[ArrayLibrary, Task]:  # noqa: N803
    """Check the two matrices of `pairwise_overlap`, and describe the work of one row."""
    if form not in FORMS:
        raise ValueError(f"`form` must be one of {_choices(FORMS)}; got {form!r}.")
    library = read_library("X", X)
    _same_place(library, "Y", Y, X)
    shapes = tuple(read_shape(library, name, array) for name, array in (("X", X), ("Y", Y)))
    if len(shapes[0]) != 2 or len(shapes[1]) != 2 or shapes[0][1] != shapes[1][1]:
        raise ValueError(
            f"`X` and `Y` must be matrices with rows of one length; got shapes {shapes[0]} and {shapes[1]}. "
            "Flatten each set to a row: `masks.reshape(len(masks), -1)`."
        )
    kinds = [_kind(library, name, array) for name, array in (("X", X), ("Y", Y))]
    if "integer" in kinds:
        raise TypeError("`X` and `Y` must be boolean or floating; got integers. Compare first: `X == 1` or `X > 0`.")
    hard = kinds == ["bool", "bool"]
    return library, Task(
        library=library.name,
        device=str(library.device(X) or ""),
        shapes=(*shapes, None),
        dtypes=(library.dtype_name(X.dtype), library.dtype_name(Y.dtype), None),
        axis=(1,),
        class_axis=None,
        num_classes=None,
        labels=(False, False),
        activation=None,
        form=form,
        ignore_label=None,
        kind="hard" if hard else _sum_kind(library, X, exact),
    )


def read_ids(a: Array, b: Array) -> ArrayLibrary:
    """Check the two arrays of ids of `set_overlap`."""
    library = read_library("a", a)
    _same_place(library, "b", b, a)
    for name, array in (("a", a), ("b", b)):
        if array.ndim != 1 or _kind(library, name, array) != "integer":
            raise ValueError(
                f"`{name}` must be a 1-D array of integer ids; got {array.ndim} axes of {library.dtype_name(array.dtype)}. "
                "For masks use `overlap`."
            )
        if array.dtype != a.dtype:
            names = library.dtype_name(a.dtype), library.dtype_name(array.dtype)
            raise TypeError(f"`b` must have the dtype of `a`, {names[0]}; got {names[1]}. Convert one of them.")
        if not library.at_hand(array):
            raise ValueError(
                f"`{name}` must have values at hand, because the number of different ids depends on them; "
                f"got a lazy, traced, sparse or device array of {library.name}. Make it a plain one on the host first."
            )
    return library


def as_classes(classes: Sequence[int] | str, length: int) -> list[int]:
    """Return the numbers of the classes that take part."""
    if isinstance(classes, str):
        if classes != "foreground":
            raise ValueError(f"`classes` must be a sequence of class numbers or 'foreground'; got {classes!r}.")
        if length == 1:
            raise ValueError("`classes='foreground'` must leave a class; got one class only. Leave it out.")
        return list(range(1, length))
    if not isinstance(classes, Sequence):
        raise TypeError(
            f"`classes` must be a sequence of class numbers or 'foreground'; got {_class_name(classes)}. "
            "Pass a list or a tuple, for one class too."
        )
    numbers = [read_integer("classes", number) for number in classes]
    if not numbers or not all(0 <= number < length for number in numbers):
        raise ValueError(f"`classes` must name one or more of the classes 0 to {length - 1}; got {numbers}.")
    return numbers


def check_not_negative(**numbers: object) -> None:
    """Check that numbers are finite and at least 0."""
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, numbers_abc.Real):
            raise TypeError(f"`{name}` must be a number; got {_class_name(value)}.")
        if not 0 <= float(value) < float("inf"):
            raise ValueError(f"`{name}` must be finite and at least 0; got {value!r}.")
