"""Tables of plain numbers, one row per case and class."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from ..arrays import UnknownLibraryError, library_of
from ..reading import class_name, has_entries, shown
from .rows import Rows

Score = Callable[..., Any]

#: The scores by name; the package `scores`, a higher layer, registers its functions here.
SCORES: dict[str, Score] = {}
SIZES = ("tp", "fp", "fn", "tn", "intersection", "prediction", "target", "total", "invalid")
DEFAULT = ("dice_score", "jaccard_score", "precision_score", "recall_score")


def table_of(overlap: Any, cases: Any, classes: Any, scores: Any) -> dict[str, list[Any]]:
    """Return the columns of an overlap's table."""
    columns = _read_scores(overlap, scores)
    shape = overlap.shape
    lengths = shape[:-1] if overlap.by_class else shape
    if len(lengths) > 1:
        raise ValueError(
            "`overlap` must have one axis of cases to be a table; got counts of shape "
            f"{shape}{', by class' * overlap.by_class}. Fold the others by `overlap.sum(axis=...)`."
        )
    if classes is not None and not overlap.by_class:
        raise ValueError(
            "`classes` must be None of an overlap without classes; got names. Leave them out."
        )
    named = _read_names("cases", cases, *lengths or (1,))
    kinds = _read_names("classes", classes, shape[-1] if overlap.by_class else 1)
    table: dict[str, list[Any]] = {}
    if lengths or cases is not None:
        table["case"] = [name for name in named for _ in kinds]
    if overlap.by_class:
        table["class"] = kinds * len(named)
    overlap = overlap.compute()
    with overlap._library.precision():
        for name, score in columns.items():
            table[name] = _numbers(name, score(overlap), shape)
    return table


def _read_names(argument: str, names: Any, length: int) -> list[Any]:
    """Return the names of rows."""
    if names is None:
        return list(range(length))
    if not has_entries(names) or isinstance(names, Mapping):
        raise TypeError(
            f"`{argument}` must be a sequence of names; got {class_name(names)}. Pass a list."
        )
    # numbers of NumPy and pandas become Python numbers
    listed = list(names.tolist() if hasattr(names, "tolist") else names)
    if len(listed) != length:
        raise ValueError(
            f"`{argument}` must name each of the {length}; got {len(listed)} names. Pass as many, "
            "or leave them out."
        )
    return listed


def _read_scores(overlap: Rows, scores: Any) -> dict[str, Score]:
    """Return the functions to compute, by column name."""
    if scores is None:
        sharp = overlap.form != "squared" or overlap.kind == "hard"
        scores = DEFAULT if sharp else DEFAULT[:2]
    if not has_entries(scores):
        raise TypeError(
            "`scores` must be a sequence of scores, or a mapping from names of columns to them; "
            f"got {class_name(scores)}. Pass a list, for one score too."
        )
    named = scores.items() if isinstance(scores, Mapping) else ((_name(s), s) for s in scores)
    columns = {}
    for name, score in named:
        if name in columns or name in ("case", "class"):
            raise ValueError(
                f"`scores` must give each column a name of its own; got {shown(name)} "
                f"{'twice' if name in columns else 'which is taken'}. Pass a mapping from names."
            )
        columns[name] = _read_score(score)
    return columns


def _name(score: Any) -> str:
    name = score if isinstance(score, str) else getattr(score, "__name__", None)
    if name is None and callable(score):
        raise ValueError(
            f"`scores` must have names; got a {class_name(score)} without one. Pass a mapping: "
            '`{"column": function}`.'
        )
    return str(name)


def _read_score(score: Any) -> Score:
    if callable(score):
        return score  # type: ignore[no-any-return]
    if not isinstance(score, str):
        raise TypeError(
            f"`scores` must hold names and functions of an overlap; got {class_name(score)}."
        )
    if score in SIZES:
        return attrgetter(score)
    if score not in SCORES:
        raise ValueError(
            f"`scores` must hold names of scores or sizes; got {shown(score)}. They are "
            f"{', '.join((*SCORES, *SIZES))}."
        )
    parameters = inspect.signature(SCORES[score]).parameters.values()
    needed = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if needed:
        arguments = ", ".join(f"{name}=..." for name in needed)
        raise ValueError(
            f"`scores` must hold names of scores that need no arguments; got {shown(score)}. Pass "
            f'a mapping: `{{"{score}": functools.partial(dice_any.{score}, {arguments})}}`.'
        )
    return SCORES[score]


def _numbers(name: str, values: Any, shape: tuple[int, ...]) -> list[Any]:
    """Return the numbers of a column."""
    try:
        library = library_of(values)
    except UnknownLibraryError:
        if isinstance(values, (bool, int, float)) and not shape:
            return [values]
        raise TypeError(
            f"`scores` must return arrays; got {class_name(values)} of {shown(name)}."
        ) from None
    if library.shape(values) != shape:
        raise ValueError(
            f"`scores` must give a number for each count, of shape {shape}; got shape "
            f"{library.shape(values)} of {shown(name)}. Leave it out: it is of all classes, or "
            "averages them."
        )
    numbers = library.tolist(library.xp.reshape(values, (-1,)))
    return list(numbers)
