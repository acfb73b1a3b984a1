"""Read two arrays as sets: every check of metadata, and the `Task` that follows from it."""

from __future__ import annotations

from ..arrays import UnknownLibraryError, library_of
from ..arrays.library import Array, ArrayLibrary, Masked, elements
from ..kernels.task import Kind, Task
from . import cures, objects
from .arguments import (
    check_choice,
    class_name,
    read_axes,
    read_axis,
    read_flag,
    read_label,
    read_num_classes,
    shown,
)
from .keywords import Axis

FORMS = ("product", "squared", "minimum")
ACTIVATIONS = (None, "sigmoid", "softmax", "argmax")
#: One call counts fewer elements, and less total weight, than this; merged overlaps hold up to 2⁶².
LIMIT = 2**32


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
    check_choice("form", form, FORMS)
    check_choice("activation", activation, ACTIVATIONS)
    exact = read_flag("exact", exact)
    library = read_library("prediction", prediction, target)
    check_same_place(library, "target", target, prediction)
    shape, target_shape = (
        read_shape(library, "prediction", prediction),
        read_shape(library, "target", target),
    )
    if class_axis is not None:
        class_axis = read_axis("class_axis", class_axis, len(shape))
    kinds = _kind(library, "prediction", prediction), _kind(library, "target", target)
    _check_activation(activation, kinds[0], shape, class_axis)
    labels = (activation == "argmax" or kinds[0] == "integer", kinds[1] == "integer")
    if num_classes is not None:
        num_classes = read_num_classes(num_classes)
    dtypes = library.dtype_name(prediction.dtype), library.dtype_name(target.dtype)
    num_classes = _read_classes(
        library, kinds, dtypes, (shape, target_shape), class_axis, num_classes
    )
    axes = _read_axis(axis, len(shape), class_axis)
    _check_size("prediction", elements(tuple(shape[a] for a in axes)))
    if ignore_label is not None:
        ignore_label = read_label("ignore_label", ignore_label)
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
        dtypes=(*dtypes, None if weight is None else library.dtype_name(weight.dtype)),
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


# -- arrays --------------------------------------------------------------------------------------


def read_library(name: str, array: Array, beside: Array | None = None) -> ArrayLibrary:
    """Return the library of an array, or raise `TypeError` saying what to pass instead.

    `beside` is the array that it is to be compared with: a cure makes what fits it.
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


def _kind(library: ArrayLibrary, name: str, array: Array) -> str:
    kind = library.kind(array.dtype)
    if kind not in ("bool", "integer", "floating"):
        cure = cures.cure_for_dtype(library, name, array.dtype)
        raise TypeError(
            f"`{name}` must be boolean, integer or floating; got "
            f"{library.dtype_name(array.dtype)}. {cure}."
        )
    return kind


def _check_size(name: str, counted: int) -> None:
    if counted >= LIMIT:
        raise ValueError(
            f"`{name}` must have fewer than 2**32 elements to each count; got {counted}. "
            "Compute the overlaps of parts and add the results."
        )


# -- arguments -----------------------------------------------------------------------------------


def _read_axis(axis: Axis, ndim: int, class_axis: int | None) -> tuple[int, ...]:
    """Return the summed axes, sorted, in the prediction's numbering."""
    if axis is None:
        return tuple(a for a in range(ndim) if a != class_axis)
    if isinstance(axis, str):
        if axis != "space":
            raise ValueError(
                "`axis` must be None, an integer, a tuple of integers or 'space'; got "
                f"{shown(axis)}."
            )
        if class_axis == 0 or ndim == 0:
            raise ValueError(
                "`axis='space'` must find the samples on axis 0; got "
                + ("classes there. Name the axes." if ndim else "no axes. Pass `axis=None`.")
            )
        return tuple(a for a in range(1, ndim) if a != class_axis)
    numbers = read_axes("axis", axis, ndim)
    if class_axis in numbers:
        raise ValueError(
            f"`axis` must not hold the class axis {class_axis}; got {shown(axis)}. "
            "To pool the classes use `average='micro'`."
        )
    return numbers


def _check_activation(
    activation: str | None, kind: str, shape: tuple[int, ...], class_axis: int | None
) -> None:
    if activation is None:
        return
    if kind != "floating":
        raise TypeError(
            f"`activation` must go with a floating prediction; got a {kind} one. Pass "
            "`activation=None`."
        )
    if activation == "sigmoid":
        return
    if class_axis is None:
        raise ValueError(
            f"`class_axis` must be given with `activation={activation!r}`; got None. Name the axis "
            "of classes."
        )
    if shape[class_axis] == 1:
        raise ValueError(
            f"`activation={activation!r}` must have two classes or more to choose from; "
            "got a class axis of length 1. For one channel use `activation='sigmoid'`."
        )


def _read_classes(
    library: ArrayLibrary,
    kinds: tuple[str, str],
    dtypes: tuple[str, str],
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    class_axis: int | None,
    num_classes: int | None,
) -> int | None:
    """Check that kinds and shapes fit together.

    Return the number of classes if the counts are by class.
    """
    shape, target_shape = shapes
    if kinds[0] == "integer":
        return _read_label_maps(library, kinds, dtypes, shapes, class_axis, num_classes)
    if kinds[1] == "integer":
        _check_labels_beside_classes(library, kinds, dtypes, shapes, class_axis)
    elif shape != target_shape:
        _refuse_shapes(library, kinds, shapes, class_axis)
    if class_axis is None:
        if num_classes is not None:
            raise ValueError(
                f"`num_classes` must go with label maps or a class axis; got {num_classes} for "
                f"memberships without one. {cures.cure_for_no_labels(library, kinds)}."
            )
        return None
    if num_classes not in (None, shape[class_axis]):
        raise ValueError(
            f"`num_classes` must equal the length of the class axis, {shape[class_axis]}; "
            f"got {num_classes}. Leave it out, or check `class_axis`."
        )
    return shape[class_axis]


def _read_label_maps(
    library: ArrayLibrary,
    kinds: tuple[str, str],
    dtypes: tuple[str, str],
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    class_axis: int | None,
    num_classes: int | None,
) -> int:
    """Return the number of classes of two label maps."""
    if kinds[1] != "integer":
        cure = cures.cure_for_labels_beside_memberships(library, kinds[1], shapes, class_axis)
        raise TypeError(
            f"`prediction` must be boolean or floating beside a {kinds[1]} target; got "
            f"{dtypes[0]}. {cure}."
        )
    if class_axis is not None:
        raise ValueError(
            "`class_axis` must be None for two label maps, which have no such axis; "
            f"got {class_axis}. {cures.cure_for_one_hot_integers(library, shapes, class_axis)}."
        )
    if shapes[0] != shapes[1]:
        _refuse_shapes(library, kinds, shapes, class_axis)
    if num_classes is None:
        raise ValueError(
            f"`num_classes` must be given for two integer arrays ({dtypes[0]}, {dtypes[1]}); "
            "got None. For label maps pass `num_classes=`; for masks of 0 and 1, or of 0 and 255, "
            "pass `prediction > 0` and `target > 0`; "
            "for one-hot arrays `prediction > 0`, `target > 0` and `class_axis=`; "
            "for one label pass `prediction == 1` and `target == 1`."
        )
    return num_classes


def _check_labels_beside_classes(
    library: ArrayLibrary,
    kinds: tuple[str, str],
    dtypes: tuple[str, str],
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    class_axis: int | None,
) -> None:
    """Check a label map beside memberships."""
    shape, target_shape = shapes
    if class_axis is None:
        raise ValueError(
            f"`target` must be boolean or floating beside a {kinds[0]} prediction without a class "
            f"axis; got {dtypes[1]}. {cures.cure_for_label_target(library, shapes)}."
        )
    rest = cures.without(shape, class_axis)
    if shape[class_axis] == 1 and target_shape in (rest, shape):
        raise ValueError(
            "`target` must be boolean or floating beside a class axis of length 1, as a map of "
            f"one class says nothing; got {dtypes[1]}. "
            f"{cures.cure_for_one_channel(library, shapes, class_axis)}."
        )
    if target_shape != rest:
        raise ValueError(
            f"`target` must have the prediction's shape without its class axis, {rest}; got "
            f"{target_shape}. {cures.cure_for_shapes(library, kinds, shapes, class_axis)}."
        )


def _refuse_shapes(
    library: ArrayLibrary,
    kinds: tuple[str, str],
    shapes: tuple[tuple[int, ...], tuple[int, ...]],
    class_axis: int | None,
) -> None:
    raise ValueError(
        f"`target` must have the prediction's shape {shapes[0]}; got {shapes[1]}. "
        f"{cures.cure_for_shapes(library, kinds, shapes, class_axis)}."
    )


def _read_weight(
    library: ArrayLibrary, weight: Array, target: Array, target_shape: tuple[int, ...]
) -> str:
    check_same_place(library, "weight", weight, target)
    kind = _kind(library, "weight", weight)
    shape = library.shape(weight)
    if len(shape) != len(target_shape) or any(
        w not in (1, n) for w, n in zip(shape, target_shape, strict=True)
    ):
        raise ValueError(
            "`weight` must have as many axes as the target, each of its length or 1; "
            f"got {shape} for {target_shape}. "
            f"{cures.cure_for_weight(library, shape, target_shape)}."
        )
    return kind


def _sum_kind(library: ArrayLibrary, prediction: Array, exact: bool | None) -> Kind:
    if library.has_float64(prediction):
        return "plain" if exact is False else "exact"
    if exact:
        raise ValueError(
            "`exact` must be None or False where there is no float64; got True on device "
            f"{library.device(prediction)}. Move the arrays to a device that has it."
        )
    return "plain"


# -- other shapes of input -----------------------------------------------------------------------


def read_rows(
    X: Array,  # noqa: N803
    Y: Array,  # noqa: N803
    *,
    form: str,
    exact: bool | None,
) -> tuple[ArrayLibrary, Task]:
    """Check the two matrices of `pairwise_overlap`, and describe the work of one row."""
    check_choice("form", form, FORMS)
    exact = read_flag("exact", exact)
    library = read_library("X", X, Y)
    check_same_place(library, "Y", Y, X)
    x, y = (
        read_shape(library, name, array, may_be_empty=True) for name, array in (("X", X), ("Y", Y))
    )
    if len(x) != 2 or len(y) != 2 or x[1] != y[1]:
        raise ValueError(
            f"`X` and `Y` must be matrices with rows of one length; got shapes {x} and {y}. "
            "Flatten each set to a row: `masks.reshape(len(masks), -1)`."
        )
    if x[1] == 0:
        raise ValueError(
            f"`X` and `Y` must have at least one column; got shapes {x} and {y}. Check them."
        )
    _check_size("X", x[1])
    kinds = _kind(library, "X", X), _kind(library, "Y", Y)
    if "integer" in kinds:
        raise TypeError(
            "`X` and `Y` must be boolean or floating; got integers. Compare first: `X == 1` or `X "
            "> 0`."
        )
    hard = kinds == ("bool", "bool")
    return library, Task(
        library=library.name,
        device=str(library.device(X) or ""),
        shapes=(x, y, None),
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
