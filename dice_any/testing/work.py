"""Work for a kernel or a library: pieces that it accepts, chosen so that every pair of choices
occurs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from ..kernels.task import Task
from ..reading import read, read_rows
from . import recipe
from .adapters import Adapter

Choices = dict[str, Any]

FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("uint8", "int64", "int32", "int16", "int8", "uint16", "uint32", "uint64")
#: numbers of elements: one, a few, a thousand, and more than 16 bits can count
SPACES = {"few": (3, 7), "one": (1,), "thousand": (7, 11, 13), "2¹⁶ + 1": (2**16 + 1,)}
LARGE, LARGEST = (2**20 + 3,), (2**24 + 3,)
#: pieces with a larger array are left out, unless they are `LARGE` on purpose
MOST_NUMBERS = 2**18
CLASSES = (3, 2, 65, 300, 1000, 1)
LAYOUTS = ("plain", "strided", "reversed", "transposed", "broadcast")
WEIGHTS = (None, "bool", "uint8", "int64", "float32", "float64", "float16")

_COMMON: Choices = {
    "space": tuple(SPACES),
    "axis": ("all", "space", "first", "none"),
    "layout": LAYOUTS,
    "target layout": LAYOUTS,
    "weight": WEIGHTS,
    "weight shape": ("full", "row"),
    "invalid": ("none", "hidden", "prediction", "target", "weight"),
}
_LABELS: Choices = {"ignore": (None, 0, -1, 255, 2), "classes": CLASSES}
_SOFT: Choices = {"form": ("product", "squared", "minimum"), "exact": (True, False)}

#: kind of work -> its choices; half of all pieces have the first of each
FAMILIES: dict[str, Choices] = {
    "masks": {
        **_COMMON,
        "x": ("bool",),
        "y": ("bool",),
        "class axis": (None, 0, 1, -1),
        "classes": CLASSES,
    },
    "label maps": {**_COMMON, **_LABELS, "x": INTEGERS, "y": INTEGERS, "class axis": (None,)},
    "memberships": {
        **_COMMON,
        **_SOFT,
        "x": (*FLOATS, "bool"),
        "y": (*FLOATS, "bool"),
        "class axis": (None, 0, 1, -1),
        "classes": CLASSES,
    },
    "classes": {
        **_COMMON,
        **_LABELS,
        **_SOFT,
        "x": (*FLOATS, "bool"),
        "y": INTEGERS,
        "class axis": (1, 0, -1),
    },
    "logits": {
        **_COMMON,
        **_LABELS,
        **_SOFT,
        "x": FLOATS,
        "y": (*INTEGERS, *FLOATS, "bool"),
        "exact": (False, True),
        "class axis": (1, 0, -1),
        "activation": ("softmax", "sigmoid", "argmax"),
        "entropy": (None, 0.0, 2.0),
    },
    "pairs": {
        **_SOFT,
        "space": tuple(SPACES),
        "x": ("bool", *FLOATS),
        "y": ("bool", *FLOATS),
        "layout": LAYOUTS,
        "target layout": LAYOUTS,
        "invalid": ("none", "prediction", "target"),
        "rows": ((3, 4), (1, 1), (70, 2), (5, 130)),
    },
}
#: choices that a task does not show
UNSEEN = ("layout", "target layout", "invalid")
#: how many combinations of choices are drawn for each kind of work
POOL = 3000


class Work(NamedTuple):
    """Arrays, the numbers that they were made from, and the task."""

    family: str
    choices: Choices
    task: Task
    arrays: tuple[Any, Any, Any]
    values: tuple[np.ndarray, np.ndarray, np.ndarray | None]
    seed: int

    def __str__(self) -> str:
        usual = FAMILIES[self.family]
        said = {k: v for k, v in self.choices.items() if v != usual[k][0] or k in ("x", "y")}
        return f"{self.family} {said}"

    @property
    def valid(self) -> bool:
        """Whether all counted values are valid."""
        return self.choices["invalid"] in ("none", "hidden")


# -- choosing --------------------------------------------------------------------------------------


def drawn(family: str) -> Iterator[Choices]:
    """Yield choices. The first option of each is as frequent as all others together; in half of all
    cases the second dtype equals the first.
    """
    options = FAMILIES[family]
    numbers = recipe.integers(len(family), (POOL, len(options), 2), 2**30).tolist()
    for row in numbers:
        choices = {}
        for (name, values), (coin, number) in zip(options.items(), row, strict=True):
            usual = coin % 2 and name not in ("x", "classes")
            choices[name] = values[0] if usual else values[number % len(values)]
        if row[0][0] % 8 < 4 and choices["x"] in options["y"]:
            choices["y"] = choices["x"]
        yield choices


def covering(found: list[Choices], most: int) -> list[Choices]:
    """Return some of many choices; first those with the most new pairs."""
    met: set[Any] = set()
    chosen: list[Choices] = []
    left = found
    for enough in (40, 20, 10, 5, 2, 1):
        others = []
        for choices in left:
            pairs = set(combinations(choices.items(), 2)) - met
            if len(pairs) >= enough and len(chosen) < most:
                met |= pairs
                chosen.append(choices)
            else:
                others.append(choices)
        left = others
    return chosen


def accepted(
    family: str,
    backend: Adapter,
    accepts: Callable[[Task], Any],
    most: int,
    largest: int = MOST_NUMBERS,
) -> list[Choices]:
    """Return at most `most` choices of a kind of work that a kernel accepts. Only tasks are made,
    so no array is made for declined work.
    """
    dtypes = {name: backend.has(name) for name in (*FLOATS, *INTEGERS, "bool")}
    like = backend(np.zeros(1, dtype=np.float32))
    library = backend.library
    wide, device = library.has_float64(like), str(library.device(like) or "")
    found = []
    for choices in drawn(family):
        used = (choices["x"], choices["y"], choices.get("weight") or "bool")
        if not all(dtypes[name] for name in used) or (choices.get("exact") and not wide):
            continue
        shapes = shapes_of(family, choices)
        if shapes is None or max(math.prod(shape) for shape in shapes if shape) > largest:
            continue
        task = _task(family, choices, *(_stand_in(s, n) for s, n in zip(shapes, used, strict=True)))
        names = (*used[:2], choices.get("weight"))
        if task is None:
            continue
        if accepts(replace(task, library=library.name, device=device, dtypes=names)) is True:
            found.append(choices)
    if len(found) < 4 * most:  # a kernel that accepts little accepts all choices a task hides
        found += [
            {**choices, name: value}
            for choices in found[:most]
            for name in UNSEEN
            for value in FAMILIES[family][name]
        ]
    return covering(found, most)


def shapes_of(family: str, choices: Choices) -> tuple[Any, Any, Any] | None:
    """Return the shapes of prediction, target and weight; None if choices do not fit together."""
    space = choices["space"] if isinstance(choices["space"], tuple) else SPACES[choices["space"]]
    if family == "pairs":
        n, m = choices["rows"]
        length = math.prod(space)
        return ((n, length), (m, length), None) if n * m * length <= 2**16 else None
    elements = (2, *space) if choices["axis"] == "space" else space
    if choices["axis"] == "none" and math.prod(space) > 100:
        return None  # a count for each element
    class_axis = choices["class axis"]
    shape = target = elements
    if class_axis is not None:
        position = class_axis if class_axis >= 0 else len(elements)
        if position == 0 and choices["axis"] in ("space", "first"):
            return None
        position = min(position, len(elements))
        shape = (*elements[:position], choices["classes"], *elements[position:])
        target = elements if choices["y"] in INTEGERS else shape
    weight = None
    if choices["weight"] is not None:
        row = choices["weight shape"] == "row"
        weight = tuple(1 if row and a < len(target) - 1 else n for a, n in enumerate(target))
    return shape, target, weight


def _stand_in(shape: tuple[int, ...] | None, dtype: str) -> np.ndarray | None:
    if shape is None:
        return None
    return np.broadcast_to(np.zeros((), "float16" if dtype == "bfloat16" else dtype), shape)


def _task(family: str, choices: Choices, prediction: Any, target: Any, weight: Any) -> Task | None:
    """Read arrays as `overlap` does; None if that is an error."""
    try:
        if family == "pairs":
            options = {"form": choices["form"], "exact": choices["exact"]}
            task: Task = read_rows(prediction, target, **options)[1]
            return task
        return read(prediction, target, weight=weight, **_arguments(family, choices))[1]
    except (TypeError, ValueError):
        return None


def _arguments(family: str, choices: Choices) -> dict[str, Any]:
    labels = choices["y"] in INTEGERS
    activation = choices.get("activation")
    plain = choices.get("exact") is False
    class_axis = choices["class axis"]
    arguments: dict[str, Any] = {
        "axis": {"all": None, "space": "space", "first": 0, "none": ()}[choices["axis"]],
        "class_axis": class_axis,
        "num_classes": choices["classes"] if family == "label maps" else None,
        "activation": activation,
        "form": choices.get("form", "product"),
        "ignore_label": choices.get("ignore") if labels else None,
        "exact": choices.get("exact"),
    }
    if activation in ("softmax", "sigmoid") and plain:
        arguments["entropy"] = choices["entropy"]
    return arguments


# -- making ----------------------------------------------------------------------------------------


def made(family: str, choices: Choices, backend: Adapter, seed: int) -> Work | None:
    """Return work with values from `seed`; None if the library cannot have such arrays."""
    shapes = shapes_of(family, choices)
    if shapes is None:
        return None
    x = _values(family, choices, choices["x"], shapes[0], seed, "prediction")
    y = _values(family, choices, choices["y"], shapes[1], seed + 1, "target")
    weight = None
    if shapes[2] is not None:
        weight = _weight(choices, shapes[2], seed + 2)
        if choices["invalid"] == "hidden" and x.dtype.name in FLOATS and x.shape == weight.shape:
            x = np.where(weight == 0, np.asarray(np.nan, x.dtype), x)
    layouts = choices["layout"], choices["target layout"]
    x = _repeated(x) if layouts[0] == "broadcast" else x
    y = _repeated(y) if layouts[1] == "broadcast" else y
    arrays = (_laid(backend, x, layouts[0]), _laid(backend, y, layouts[1]), backend(weight))
    task = _task(family, choices, *arrays)
    return None if task is None else Work(family, choices, task, arrays, (x, y, weight), seed)


def _values(
    family: str, choices: Choices, dtype: str, shape: tuple[int, ...], seed: int, side: str
) -> np.ndarray:
    bad = recipe.integers(seed + 5, shape, 11) == 0 if choices["invalid"] == side else None
    if dtype == "bool":
        return recipe.masks(seed, shape)
    if dtype in INTEGERS:
        return _labels(choices, dtype, shape, seed, side, bad)
    values = recipe.memberships(seed, shape, dtype)
    coarse = np.round(values.astype(np.float32) * 4) / 4
    values = np.where(recipe.integers(seed + 6, shape, 3) == 0, coarse.astype(values.dtype), values)
    if family == "logits" and side == "prediction":
        values = (values.astype(np.float64) * 8 - 4).astype(values.dtype)
        return values if bad is None else np.where(bad, np.asarray(np.nan, values.dtype), values)
    if bad is not None:
        odd = np.asarray([1.5, -0.25, np.nan])[recipe.integers(seed + 7, shape, 3)]
        values = np.where(bad, odd.astype(values.dtype), values)
    return values


def _labels(
    choices: Choices, dtype: str, shape: tuple[int, ...], seed: int, side: str, bad: Any
) -> np.ndarray:
    limits = np.iinfo(dtype)
    labels = recipe.integers(seed, shape, min(choices["classes"], limits.max + 1))
    ignore = choices.get("ignore")
    if side == "target" and ignore is not None and limits.min <= ignore <= limits.max:
        labels = np.where(recipe.integers(seed + 3, shape, 5) == 0, ignore, labels)
    if bad is not None:
        below = -1 if limits.min else min(limits.max, choices["classes"] + 2)
        above = min(limits.max, choices["classes"])
        labels = np.where(bad, np.where(recipe.masks(seed + 4, shape), below, above), labels)
    return labels.astype(dtype)


def _weight(choices: Choices, shape: tuple[int, ...], seed: int) -> np.ndarray:
    dtype = choices["weight"]
    if dtype == "bool":
        return recipe.masks(seed, shape)
    if dtype in INTEGERS:
        weight, low = recipe.integers(seed, shape, 4), -1.0
    else:
        weight, low = recipe.memberships(seed, shape, dtype) * np.asarray(3, dtype), math.nan
    if choices["invalid"] == "weight" and dtype != "uint8":
        weight = np.where(recipe.integers(seed + 5, shape, 11) == 0, low, weight)
    return weight.astype(dtype)


def _repeated(values: np.ndarray) -> np.ndarray:
    return np.broadcast_to(values[:1], values.shape)


def _laid(backend: Adapter, values: np.ndarray, layout: str) -> Any:
    """Return the library's array of these values, with the chosen memory layout."""
    xp = backend.library.xp
    with backend.library.precision():
        try:
            if layout == "strided":
                between = np.stack([values, np.flip(values)], axis=-1)
                return backend(between.reshape(*values.shape[:-1], -1))[..., ::2]
            if layout == "reversed":
                return xp.flip(backend(np.flip(values, 0)), axis=0)
            if layout == "transposed":
                order = tuple(reversed(range(values.ndim)))
                return xp.permute_dims(backend(np.ascontiguousarray(values.transpose())), order)
            if layout == "broadcast":
                return xp.broadcast_to(backend(values[:1]), values.shape)
        except (AttributeError, NotImplementedError, TypeError, ValueError):
            pass  # not every library has every layout
    return backend(values)
