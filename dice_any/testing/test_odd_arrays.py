"""Odd objects instead of arrays, in every place of every function: an error in the usual form."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any import Overlap

from .adapters import Adapter
from .capabilities import limit
from .test_odd_arguments import FORM, LOSSES, SCORES, SECRET, odd_values

#: arrays, or None where that is allowed
ARRAYS = {"array", "integers", "0-d number", "0-d integer", "0-d boolean", "no element"}
CONVERSIONS = {
    "dice_to_jaccard": {
        "0",
        "1",
        "0.0",
        "1.0",
        "0.5",
        "nan",
        "numpy.float32",
        "numpy.int64",
        "decimal",
    },
}
CONVERSIONS["dice_to_jaccard"] |= {"fraction"} | ARRAYS
CONVERSIONS["jaccard_to_dice"] = CONVERSIONS["dice_to_jaccard"]


def problem(function: Any, *arrays: Any, **arguments: Any) -> str | None:
    """Return the fault of an error, or that it is missing."""
    try:
        function(*arrays, **arguments)
    except (TypeError, ValueError, LookupError) as error:
        if not FORM.fullmatch(str(error)):
            return f"{type(error).__name__}: {str(error)[:200]}"
        return f"prints an array: {error}" if str(SECRET)[:6] in str(error) else None
    return "is taken"


def odd_arrays(backend: Adapter) -> dict[str, Any]:
    """Return values that are no arrays of the backend, and arrays that cannot be read."""
    odd = {name: value for name, value in odd_values(backend).items() if name not in ARRAYS}
    odd["object array"] = np.array([None, SECRET], dtype=object)
    odd["array of names"] = np.array(["a", "b"])
    odd["dates"] = np.array(["2020-01-01"], dtype="datetime64[D]")
    odd["array of durations"] = np.array([0, 1, 1], dtype="timedelta64[s]")
    odd["records"] = np.zeros(2, dtype=[("mask", bool)])
    odd["masked"] = np.ma.masked_array([SECRET, 1.0], [True, False])
    for dtype in ("complex64", "complex128"):
        if backend.has(dtype):
            odd[dtype] = backend(np.full((4, 3), SECRET, dtype=dtype))
    return odd


@pytest.mark.parametrize("name", [*SCORES, *LOSSES])
def test_places_of_arrays(dice_backend: Adapter, name: str) -> None:
    feature = (
        "ranked"
        if name in ("lovasz_loss", "centerline_dice_loss", "wasserstein_dice_loss")
        else "loss"
    )
    if name in LOSSES and limit(dice_backend.name, feature):
        pytest.skip(f"{dice_backend.name}: {limit(dice_backend.name, feature)}")
    function = getattr(dice_any, name)
    values, arguments, keywords = {**SCORES, **LOSSES}[name]
    arrays = [dice_backend(a) for a in values]
    problems = {}
    for odd, value in odd_arrays(dice_backend).items():
        if not (odd == "overlap" and name in {**SCORES, **LOSSES}):
            problems[f"prediction={odd}"] = problem(function, value, arrays[1], **arguments)
        problems[f"target={odd}"] = problem(function, arrays[0], value, **arguments)
        problems[f"both={odd}"] = problem(function, value, value, **arguments)
        if "weight" in keywords and value is not None:
            problems[f"weight={odd}"] = problem(function, *arrays, **arguments, weight=value)
    if name == "set_overlap":
        collections = {
            "durations",
            "()",
            "(0,)",
            "(0, 0)",
            "(0.5, 1)",
            "list",
            "range",
            "numbers",
            "names",
            "set",
            "dict",
        }
        problems = {k: v for k, v in problems.items() if k.removeprefix("both=") not in collections}
    wrong = {k: v for k, v in problems.items() if v is not None}
    assert not wrong, "\n".join(f"{name}({k}): {v}" for k, v in wrong.items())


@pytest.mark.dice_feature("closed form")
@pytest.mark.parametrize("name", ["dice_loss", "dice_cross_entropy_loss"])
def test_places_of_arrays_with_a_gradient(dice_backend: Adapter, name: str) -> None:
    function = dice_any.value_and_grad(getattr(dice_any, name))
    values, arguments, _ = LOSSES[name]
    arrays = [dice_backend(a) for a in values]
    for odd, value in odd_arrays(dice_backend).items():
        assert problem(function, value, arrays[1], **arguments) is None, odd
        assert problem(function, arrays[0], value, **arguments) is None, odd


@pytest.mark.parametrize("name", CONVERSIONS)
def test_conversions(dice_backend: Adapter, name: str) -> None:
    for odd, value in odd_values(dice_backend).items():
        if odd not in CONVERSIONS[name]:
            assert problem(getattr(dice_any, name), value) is None, odd


@pytest.mark.parametrize("method", ["sum", "select_classes", "from_dict", "zero"])
def test_methods_of_overlaps(dice_backend: Adapter, method: str) -> None:
    labels = dice_backend(np.array([[0, 1, 2, 2], [0, 0, 1, 1]]))
    counts = dice_any.overlap(labels, labels, num_classes=3, axis=1)
    taken = {
        "sum": {
            "None",
            "0",
            "1",
            "-1",
            "numpy.int64",
            "0-d integer",
            "()",
            "(0,)",
            "list",
            "range",
        },
        "select_classes": {"foreground", "(0,)", "(0, 0)", "list", "range"},
        "from_dict": set(),
        "zero": {"()", "(0,)", "(0, 0)", "list"},
    }
    for odd, value in odd_values(dice_backend).items():
        if odd not in taken[method]:
            assert problem(getattr(counts, method), value) is None, odd
        if method == "zero" and odd not in ("None", "overlap", *ARRAYS):
            assert problem(Overlap.zero, like=value) is None, odd


def test_names_and_indices(dice_backend: Adapter) -> None:
    """Names of a table, and an index of counts: taken, or refused in the usual form."""
    labels = dice_backend(np.array([[0, 1, 2, 2], [0, 0, 1, 1]]))
    counts = dice_any.overlap(labels, labels, num_classes=3, axis=1)
    for odd, value in odd_arrays(dice_backend).items():
        for keyword in ("cases", "classes", "scores"):
            assert problem(counts.to_table, **{keyword: value}) in (None, "is taken"), odd
        assert problem(counts.__getitem__, value) in (None, "is taken"), odd
    for odd in ("numpy.timedelta64", "durations", "numpy.True_", "masked"):
        assert problem(counts.__getitem__, odd_arrays(dice_backend)[odd]) is None, odd


@pytest.mark.parametrize("dtype", ["int4", "uint4"])
def test_integers_of_less_than_a_byte(dice_backend: Adapter, dtype: str) -> None:
    """They are said to be that, and the cure gives integers that are taken."""
    narrow = getattr(pytest.importorskip("ml_dtypes"), dtype)
    if dice_backend.name not in ("numpy", "jax"):
        pytest.skip(f"{dice_backend.name} has none")
    x = dice_backend(np.array([1, 1, 0]).astype(narrow))
    y, eye = dice_backend(np.array([1, 0, 0], dtype=np.int8)), dice_backend(np.eye(3) > 0)
    soft, apart = (
        dice_backend(np.array(v, dtype=np.float32)) for v in ([[0.5] * 3] * 2, [[0, 1], [1, 0]])
    )
    places: dict[str, Any] = {
        "prediction": lambda v: dice_any.dice_score(v, y, num_classes=2),
        "target": lambda v: dice_any.dice_score(y, v, num_classes=2),
        "weight": lambda v: dice_any.dice_score(y > 0, y > 0, weight=v),
        "fp": lambda v: Overlap.from_counts(tp=y, fp=v, fn=y).fp,
        "matrix": lambda v: Overlap.from_confusion_matrix(v[:, None] * v).tp,
        "a": lambda v: dice_any.set_overlap(v, y).tp,
        "dice": dice_any.dice_to_jaccard,
        "index": lambda v: Overlap.zero((3,), like=y)[v].tp,
        "class_weight": lambda v: dice_any.dice_loss(eye, eye, class_axis=0, class_weight=v),
        "distances": lambda v: dice_any.wasserstein_dice_loss(
            soft, y, class_axis=0, distances=apart.astype(v.dtype)
        ),
    }
    for name, call in places.items():
        with pytest.raises((TypeError, ValueError), match=", of less than a byte. P") as caught:
            call(x)
        said = re.findall("`([^`]*)`", str(caught.value))
        assert said[0] == name
        assert said[-1] == f'{name}.astype("int8")'
        assert np.isfinite(dice_backend.values(call(x.astype("int8")))).all()


def test_what_is_added(dice_backend: Adapter) -> None:
    counts = dice_any.overlap(*(dice_backend(np.array([True, False])),) * 2)
    for odd, value in odd_values(dice_backend).items():
        if odd in ("0", "overlap", "0-d boolean", *ARRAYS):
            continue
        with pytest.raises((TypeError, ValueError)):
            _ = counts + value
        if odd not in ("0.0",):
            with pytest.raises((TypeError, ValueError)):
                _ = value + counts
