"""Read two arrays as sets: every check of metadata, and the `Task` that follows from it."""

from __future__ import annotations

from ..arrays.library import Array, ArrayLibrary, elements
from ..kernels.task import Task
from . import cures
from .arguments import (
    check_choice,
    read_axes,
    read_axis,
    read_flag,
    read_label,
    read_num_classes,
    shown,
)
from .arrays import check_same_place, check_size, read_kind, read_library, read_shape, read_sum_kind
from .keywords import Axis

FORMS = ("product", "squared", "minimum")
ACTIVATIONS = (None, "sigmoid", "softmax", "argmax")


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
    """Check everything that does not depend on values, and describe the work."""
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
    kinds = read_kind(library, "prediction", prediction), read_kind(library, "target", target)
    _check_activation(activation, kinds[0], shape, class_axis)
    labels = (activation == "argmax" or kinds[0] == "integer", kinds[1] == "integer")
    if num_classes is not None:
        num_classes = read_num_classes(num_classes)
    dtypes = library.dtype_name(prediction.dtype), library.dtype_name(target.dtype)
    num_classes = _read_classes(
        library, kinds, dtypes, (shape, target_shape), class_axis, num_classes
    )
    axes = _read_axis(axis, len(shape), class_axis)
    check_size("prediction", elements(tuple(shape[a] for a in axes)))
    if ignore_label is not None:
        ignore_label = read_label("ignore_label", ignore_label)
        if not labels[1]:
            raise ValueError(
                "`ignore_label` must go with a target that is a label map; "
                f"got a {kinds[1]} target. Pass `weight=mask` to leave elements out."
            )
    weight_kind = "bool" if weight is None else read_weight(library, weight, target, target_shape)
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
        kind="hard" if hard else read_sum_kind(library, prediction, exact),
        entropy=entropy,
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
            f"`axis` must not hold the class axis {class_axis}; got {shown(axis)}. Leave it out. "
            "Classes are pooled by the `average='micro'` of losses and of scores of each class, or "
            "by `overlap(...).sum(axis=-1)`."
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
    return int(shape[class_axis])  # a trace by `torch.jit` has tensors for lengths


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
            "got None. For label maps pass `num_classes=`; for masks of 0 and another number "
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


def read_weight(
    library: ArrayLibrary, weight: Array, target: Array, target_shape: tuple[int, ...]
) -> str:
    check_same_place(library, "weight", weight, target)
    kind = read_kind(library, "weight", weight)
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
