"""Cures: the last sentence of messages about arrays says what to do, for what was passed.

The code in a cure can be used as it is, and it never leads to a wrong number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..arrays.library import ArrayLibrary, Axes

Shapes = tuple[Axes, Axes]
Kinds = tuple[str, str]
INT, BOOL = "int64", "bool"
NAMES = ("prediction", "target")

# -- shapes and kinds that do not fit ------------------------------------------------------------


def without(shape: Axes, axis: int) -> Axes:
    """Return a shape without one axis."""
    return shape[:axis] + shape[axis + 1 :]


def cure_for_shapes(
    library: ArrayLibrary, kinds: Kinds, shapes: Shapes, class_axis: int | None
) -> str:
    """Return how to make two arrays with different shapes fit."""
    if class_axis is None:
        cures = _fit_without_classes(library, kinds, shapes)
    else:
        cures = _fit_to_classes(library, kinds, shapes, class_axis)
    cure = next(cures, None)
    if cure is not None:
        return cure
    if class_axis is not None and kinds[1] == "integer":
        return f"The prediction has shape {shapes[0]} and `class_axis={class_axis}`"
    return "Nothing is broadcast: index, reshape or broadcast one of them yourself if that is meant"


def _fit_to_classes(
    library: ArrayLibrary, kinds: Kinds, shapes: Shapes, class_axis: int
) -> Iterator[str]:
    shape, target_shape = shapes
    rest, classes = without(shape, class_axis), shape[class_axis]
    if target_shape == rest and classes == 1:
        yield f"Pass `{_new_axis(library, 'target', class_axis)}`, which has a class axis too"
    elif target_shape == rest:
        yield from _as_label_map(library, kinds[1], "target", classes)
    elif target_shape == shape:
        yield f"For one-hot or indicator arrays pass `{library.cast_code('target', BOOL)}`"
    for a in extra_axes(target_shape, rest):
        if target_shape[a] == 1:
            code = _drop_axis(library, "target", a)
            yield from _as_label_map(library, kinds[1], code, classes)
    if kinds[1] == "integer":
        yield from (f"It fits `class_axis={a}`" for a in extra_axes(*shapes) if shape[a] > 1)


def _as_label_map(
    library: ArrayLibrary, kind: str, code: str, classes: int, arguments: str = ""
) -> Iterator[str]:
    """Yield how a target without a class axis becomes a label map."""
    if kind == "integer":
        yield f"Pass `{code}`{arguments}"
    elif kind == "floating":
        yield f"A label map must be integers: pass `{labels_code(library, code, kind)}`{arguments}"
    elif classes == 2:
        labels = labels_code(library, code, kind)
        yield f"A mask of the second of two classes is `{labels}`{arguments}"


def _fit_without_classes(library: ArrayLibrary, kinds: Kinds, shapes: Shapes) -> Iterator[str]:
    shape, target_shape = shapes
    for a in extra_axes(target_shape, shape):
        if target_shape[a] == 1:
            yield f"Pass `{_drop_axis(library, 'target', a)}`"
        elif kinds[0] == "integer":
            yield _labels_of_one_hot(library, kinds[1], a)
    extra = extra_axes(shape, target_shape)
    for a in extra:
        if shape[a] == 1:
            yield f"Pass `{_new_axis(library, 'target', a)}`"
    named = f"`class_axis={extra[0]}`" if len(extra) == 1 else "`class_axis=`"
    if extra and kinds[0] == "integer":
        code = library.cast_code("prediction", BOOL)
        yield f"For one-hot or indicator arrays pass `{code}` and {named}"
    if extra:
        yield from _as_label_map(library, kinds[1], "target", shape[extra[0]], f" and {named}")
    for a in _lone_axes(shape, target_shape):
        code = _drop_axis(library, "target", a)
        for cure in _as_label_map(library, kinds[1], code, shape[a], f" and `class_axis={a}`"):
            yield f"Nothing is broadcast. {cure}, if it is a label map"


def cure_for_label_target(library: ArrayLibrary, shapes: Shapes) -> str:
    """Return what to do about an integer target beside memberships without a class axis."""
    shape, target_shape = shapes
    if shape == target_shape:
        return (
            "Write which label is meant, `target == 1`, or `target > 0` for a mask of 0 and "
            "another number; one-hot masks pass as `target > 0` with `class_axis=`"
        )
    extra = extra_axes(shape, target_shape)
    axes = [a for a in extra if shape[a] > 1]
    if axes:
        named = f"`class_axis={axes[0]}`" if len(axes) == 1 else "`class_axis=`"
        return f"For a label map beside memberships by class pass {named}"
    if extra:
        code = _new_axis(library, "target", extra[0])
        return f"Write which label is meant: `{code} == 1`"
    for a in extra_axes(target_shape, shape):
        if target_shape[a] == 1:
            code = _drop_axis(library, "target", a)
            return f"Write which label is meant, in the prediction's shape: `{code} == 1`"
    for a in _lone_axes(shape, target_shape):
        code = _drop_axis(library, "target", a)
        return f"For a label map beside memberships by class pass `{code}` and `class_axis={a}`"
    return f"Nor does its shape {target_shape} fit the prediction's, {shape}: check both"


def cure_for_maps(library: ArrayLibrary, kinds: Kinds, shapes: Shapes) -> str:
    """Return how two arrays become label maps of one shape."""
    codes = []
    for name, kind, shape, other in zip(NAMES, kinds, shapes, reversed(shapes), strict=True):
        extra = extra_axes(shape, other)
        if extra and shape[extra[0]] == 1:
            codes.append(f"`{labels_code(library, _drop_axis(library, name, extra[0]), kind)}`")
        elif extra:
            ways = " or ".join(f"`{_argmax(library, name, kind, a)}`" for a in extra)
            codes.append(ways + ", along its classes" * (len(extra) > 1))
        elif kind != "integer":
            codes.append(f"`{labels_code(library, name, kind)}`")
    if shapes[0] != shapes[1] and not any(map(extra_axes, shapes, reversed(shapes))):
        return f"Nor do their shapes fit, {shapes[0]} and {shapes[1]}: check both"
    either = shapes[0] == shapes[1] and "integer" not in kinds
    of_classes = "; of one-hot arrays or scores by class the `argmax`" * either
    return f"Pass {' and '.join(codes)}{of_classes}"


def cure_for_one_channel(library: ArrayLibrary, shapes: Shapes, class_axis: int) -> str:
    """Return how one channel is compared with one label."""
    if shapes[0] == shapes[1]:
        return "Say which label is meant: `target == 1`"
    target = _new_axis(library, "target", class_axis)
    prediction = _drop_axis(library, "prediction", class_axis)
    return (
        f"Say which label is meant: `{target} == 1`; or pass `{prediction}` and `target == 1`, "
        "without `class_axis`"
    )


def cure_for_labels_beside_memberships(
    library: ArrayLibrary, kind: str, shapes: Shapes, class_axis: int | None
) -> str:
    """Return what to do about an integer prediction beside a target that is boolean or floating."""
    shape, target_shape = shapes
    if class_axis is not None:
        return f"For one-hot or indicator arrays pass `{library.cast_code('prediction', BOOL)}`"
    for a in extra_axes(target_shape, shape):
        if target_shape[a] == 1:
            return (
                "Write which label is meant, `prediction == 1`, and pass "
                f"`{_drop_axis(library, 'target', a)}`"
            )
        return _labels_of_one_hot(library, kind, a)
    if kind == "floating":
        labels = labels_code(library, "target", kind)
        return (
            "Write which label is meant, `prediction == 1`; if both are label maps pass "
            f"`{labels}` and `num_classes=`"
        )
    return (
        "Write which label is meant: `prediction == 1`, or `prediction > 0` for a mask of 0 and "
        "another number"
    )


def _labels_of_one_hot(library: ArrayLibrary, kind: str, axis: int) -> str:
    code = _argmax(library, "target", kind, axis)
    return f"If the target is one-hot pass its labels, `{code}`, and `num_classes=`"


def _argmax(library: ArrayLibrary, name: str, kind: str, axis: int) -> str:
    code = name if kind != "bool" else library.cast_code(name, INT)
    return f"{library.public}.argmax({code}, axis={axis})"


def cure_for_one_hot_integers(library: ArrayLibrary, shapes: Shapes, class_axis: int) -> str:
    """Return what to do about integers with a class axis."""
    prediction, target = (library.cast_code(name, BOOL) for name in ("prediction", "target"))
    if shapes[1] == without(shapes[0], class_axis):
        return f"For a one-hot or indicator prediction pass `{prediction}`"
    return (
        f"For one-hot or indicator arrays pass `{prediction}` and `{target}`; for label maps leave "
        "it out"
    )


def cure_for_no_labels(library: ArrayLibrary, kinds: Kinds) -> str:
    """Return what to do about a number of classes beside memberships."""
    pairs = zip(("prediction", "target"), kinds, strict=True)
    codes = " and ".join(f"`{labels_code(library, name, kind)}`" for name, kind in pairs)
    return f"Leave it out; or, if both are label maps, pass integers: {codes}"


def cure_for_weight(library: ArrayLibrary, shape: Axes, target_shape: Axes) -> str:
    """Return how to make a weight fit its target."""
    lone = [a for a in range(len(shape)) if shape[a] == 1]
    for a in lone:
        if _broadcasts(without(shape, a), target_shape):
            return f"Pass `{_drop_axis(library, 'weight', a)}`"
    for a in range(len(target_shape)):
        if _broadcasts((*shape[:a], 1, *shape[a:]), target_shape):
            return f"Pass `{_new_axis(library, 'weight', a)}`"
    return "Index, reshape or broadcast it yourself"


def _broadcasts(shape: Axes, target_shape: Axes) -> bool:
    return len(shape) == len(target_shape) and all(
        n in (1, m) for n, m in zip(shape, target_shape, strict=True)
    )


def extra_axes(longer: Axes, shorter: Axes) -> list[int]:
    """Return the axes of a shape that can each be dropped to make it equal to the shorter one."""
    return [a for a in range(len(longer)) if without(longer, a) == shorter]


def _lone_axes(shape: Axes, other: Axes) -> list[int]:
    """Return the axis that has length 1 in the other shape, if the rest are equal."""
    if len(shape) != len(other):
        return []
    unequal = [a for a, (n, m) in enumerate(zip(shape, other, strict=True)) if n != m]
    return unequal if len(unequal) == 1 and other[unequal[0]] == 1 else []


def _drop_axis(library: ArrayLibrary, name: str, axis: int) -> str:
    return f"{name}[{':, ' * axis}0{library.index_rest}]"


def _new_axis(library: ArrayLibrary, name: str, axis: int) -> str:
    return f"{name}[{':, ' * axis}None{library.index_rest}]"


def labels_code(library: ArrayLibrary, code: str, kind: str) -> str:
    """Return code for a label map as integers; labels from files may have a rounding error."""
    if kind == "integer":
        return code
    return library.cast_code(code, INT, rounded=kind == "floating")


def called(library: ArrayLibrary, dtype: Any) -> str:
    """Return the name of a dtype, and why it is refused if the name sounds like another."""
    name = library.dtype_name(dtype)
    return f"{name}, of less than a byte" if _is_narrow(library, dtype) else name


def _is_narrow(library: ArrayLibrary, dtype: Any) -> bool:
    """Tell whether integers are too narrow to compute with."""
    return library.kind(dtype) == "other" and library.dtype_name(dtype).startswith(("int", "uint"))


def cure_for_dtype(library: ArrayLibrary, name: str, dtype: Any) -> str:
    """Return what to do about a dtype that is neither boolean nor integer nor real floating."""
    name_of_dtype = library.dtype_name(dtype)
    fields = getattr(dtype, "names", None)
    if library.kind(dtype) == "complex":
        return "Pass its real part or its absolute value"
    if fields:
        return f"Pass one of its fields: `{name}[{fields[0]!r}]`"
    if name_of_dtype.startswith("object"):
        return f"Convert it: `{library.cast_code(name, 'float64')}`"
    if name_of_dtype.startswith("key"):
        return f"Draw an array with it: `jax.random.uniform({name}, shape)`"
    if name_of_dtype.startswith("str"):
        return f"Compare it with a name (`{name} == 'name'`), or number the names"
    if library.name == "torch":
        return "It packs several numbers into each byte: unpack them first"
    if _is_narrow(library, dtype):
        return f"Pass `{library.cast_code(name, 'int8')}`"
    return "Convert it to one of these"
