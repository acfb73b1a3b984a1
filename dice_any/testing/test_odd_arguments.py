"""Every argument of every function with about fifty odd values: a clear error or a right result.

An error has the usual form and prints no array; a result is that of the plain Python value.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any import Overlap

from .adapters import Adapter

FORM = re.compile(r"`[^`]+`.* must .+; got .+\.", re.DOTALL)
SECRET = 0.123456

#: odd value -> the plain value that it means, if that is another one
PLAIN: dict[str, Any] = {
    "numpy.True_": True,
    "numpy.False_": False,
    "numpy.int64": 1,
    "numpy.float32": 0.5,
    "fraction": 0.5,
    "numpy.str_": "macro",
    "list": (0, 1),
    "range": (0, 1),
    "0-d integer": 1,
}


def odd_values(backend: Adapter) -> dict[str, Any]:
    """Return values that users might pass by mistake."""
    return {
        "None": None,
        "True": True,
        "False": False,
        "numpy.True_": np.True_,
        "numpy.False_": np.False_,
        "0": 0,
        "1": 1,
        "-1": -1,
        "2": 2,
        "7": 7,
        "2**70": 2**70,
        "10**400": 10**400,
        "-10**5000": -(10**5000),
        "0.0": 0.0,
        "1.0": 1.0,
        "0.5": 0.5,
        "-1.5": -1.5,
        "1e308": 1e308,
        "inf": math.inf,
        "-inf": -math.inf,
        "nan": math.nan,
        "numpy.float32": np.float32(0.5),
        "numpy.int64": np.int64(1),
        "decimal": Decimal("0.5"),
        "fraction": Fraction(1, 2),
        "large fraction": Fraction(10**400),
        "complex": 0.5 + 1j,
        "space": "space",
        "macro": "macro",
        "foreground": "foreground",
        "square": "square",
        "reference": "reference",
        "nonsense": "nonsense",
        "empty string": "",
        "numpy.str_": np.str_("macro"),
        "numpy.bytes_": np.bytes_(b"1"),
        "numpy.void": np.void(b"1"),
        "numpy.complex64": np.complex64(1),
        "numpy.datetime64": np.datetime64(1, "s"),
        "numpy.timedelta64": np.timedelta64(1),
        "days": np.timedelta64(3, "D"),
        "no time": np.timedelta64("NaT"),
        "durations": [np.timedelta64(0), np.timedelta64(1), np.timedelta64(1)],
        "bytes": b"\x00\x01",
        "bytearray": bytearray(b"\x00"),
        "()": (),
        "(0,)": (0,),
        "(0, 0)": (0, 0),
        "(0.5, 1)": (0.5, 1),
        "list": [0, 1],
        "range": range(2),
        "numbers": [0.5, 0.25, 0.25],
        "names": ["a", "b"],
        "nested": [[0, 1, 1], [1, 0, 1], [1, 1, 0]],
        "set": {0},
        "dict": {"a": 1},
        "generator": (i for i in (0, 1)),
        "object": object(),
        "function": len,
        "ellipsis": ...,
        "slice": slice(1),
        "overlap": Overlap.zero((2,)),
        "array": backend(np.array([SECRET, 0.5, 0.75], dtype=np.float32)),
        "integers": backend(np.array([0, 1])),
        "0-d number": backend(np.array(SECRET, dtype=np.float32)),
        "0-d integer": backend(np.array(1)),
        "0-d boolean": backend(np.array(True)),
        "no element": backend(np.zeros(0, dtype=np.float32)),
    }


#: backends on which only refused values are tried
SLOW = ("cubed", "ndonnx", "numba", "numba-torch", "cuda", "cuda-torch")
INTEGERS = {"0", "1", "-1", "2", "7", "numpy.int64", "0-d integer"}
NUMBERS = {"0", "1", "2", "7", "2**70", "0.0", "0.5", "1.0"}
NUMBERS |= {"numpy.float32", "numpy.int64", "fraction"}
ANY_NUMBER = NUMBERS | {"-1", "-1.5", "1e308", "inf", "-inf", "nan"}
#: keyword -> the values that it accepts, some only in some functions
TAKEN: dict[str, set[str]] = {
    "class_axis": {"None", *INTEGERS},
    "axis": {"None", "space", "()", "(0,)", "list", "range", *INTEGERS},
    "num_classes": {"None", *INTEGERS},
    "activation": {"None"},
    "form": set(),
    "ignore_label": {"None", "()", "(0,)", "(0, 0)", "list", "range", *INTEGERS},
    "regions": {"None", "(0,)", "(0, 0)", "list", "range", "nested", "dict"},
    "weight": {"None", "array"},
    "exact": {"None", "True", "False", "numpy.True_", "numpy.False_"},
    "backend": {"None", "reference"},
    "average": {"None", "macro", "numpy.str_"},
    "classes": {"None", "foreground", "(0,)", "(0, 0)", "list", "range"},
    "empty": ANY_NUMBER,
    "empty_target": {"None", *ANY_NUMBER},
    "alpha": NUMBERS,
    "beta": NUMBERS,
    "gamma": NUMBERS,
    "smooth": NUMBERS | {"(0, 0)", "(0.5, 1)", "list"},
    "class_weight": {"None", "square", "numbers", "array"},
    "absent": set(),
    "reduction": set(),
    "dice_weight": NUMBERS,
    "cross_entropy_weight": NUMBERS,
    "focal_weight": NUMBERS,
    "iterations": {"0", "1", "2", "7", "numpy.int64", "0-d integer"},
    "spatial_axes": {"None", "list", "range"},
    "distances": {"nested"},
    "total": {"None", "7"},
}
OF_OVERLAP = ("class_axis", "axis", "num_classes", "activation", "form", "ignore_label", "weight")
OF_OVERLAP += ("regions", "exact", "backend")
OF_LOSS = (*OF_OVERLAP, "smooth", "class_weight", "classes", "average", "absent", "reduction")
OF_SCORE = (*OF_OVERLAP, "average", "classes", "empty", "empty_target")
OF_JOINT = (*OF_OVERLAP, "empty")

SOFT = np.array(
    [[SECRET, 0.75, 0.0], [0.5, 0.25, 0.25], [0.25, 0.0, 0.75], [1.0, 0.5, 0.5]], dtype=np.float32
)
LOGITS = np.linspace(-3, 3, 12, dtype=np.float32).reshape(4, 3)
LABELS, OTHERS = np.array([0, 1, 2, 2]), np.array([0, 2, 2, 1])
AREA = np.linspace(0, 1, 2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
BY_CLASS = {"class_axis": 1}
DISTANCES = [[0, 1, 1], [1, 0, 0.5], [1, 0.5, 0]]
#: name -> arrays, arguments, the keywords that are tried
SCORES: dict[str, Any] = {
    "overlap": ((SOFT, SOFT), BY_CLASS, OF_OVERLAP),
    "confusion_matrix": (
        (LABELS, OTHERS),
        {"num_classes": 3},
        ("axis", "num_classes", "ignore_label", "weight", "backend"),
    ),
    "pairwise_overlap": ((SOFT, SOFT), {}, ("form", "exact", "backend")),
    "set_overlap": ((LABELS[:3], OTHERS[:2]), {}, ("total",)),
    "tversky_score": (
        (SOFT, SOFT),
        BY_CLASS | {"alpha": 1, "beta": 0},
        (*OF_SCORE, "alpha", "beta"),
    ),
    "f_score": ((SOFT, SOFT), BY_CLASS, (*OF_SCORE, "beta")),
    "generalized_dice_score": ((SOFT, SOFT), BY_CLASS, (*OF_JOINT, "class_weight", "classes")),
    **dict.fromkeys(
        ("accuracy_score", "matthews_correlation", "cohen_kappa"),
        ((SOFT, SOFT), BY_CLASS, OF_JOINT),
    ),
    **dict.fromkeys(
        (
            *("dice_score", "jaccard_score", "precision_score", "recall_score"),
            *("specificity_score", "volume_similarity", "overlap_coefficient", "cosine_score"),
        ),
        ((LABELS, OTHERS), {"num_classes": 3}, OF_SCORE),
    ),
}
SOFTMAX = BY_CLASS | {"activation": "softmax"}
LOSSES: dict[str, Any] = {
    **dict.fromkeys(
        ("dice_loss", "jaccard_loss", "generalized_dice_loss", "log_dice_loss"),
        ((SOFT, LABELS), BY_CLASS, OF_LOSS),
    ),
    **dict.fromkeys(("log_cosh_dice_loss", "matthews_loss"), ((SOFT, SOFT), BY_CLASS, OF_LOSS)),
    "tversky_loss": ((SOFT, SOFT), BY_CLASS | {"alpha": 1, "beta": 0}, (*OF_LOSS, "alpha", "beta")),
    "focal_tversky_loss": (
        (SOFT, SOFT),
        BY_CLASS | {"alpha": 1, "beta": 0},
        (*OF_LOSS, "alpha", "beta", "gamma"),
    ),
    "dice_cross_entropy_loss": (
        (LOGITS, LABELS),
        SOFTMAX,
        (*OF_LOSS, "dice_weight", "cross_entropy_weight"),
    ),
    "dice_focal_loss": (
        (LOGITS, LABELS),
        SOFTMAX,
        (*OF_LOSS, "gamma", "dice_weight", "focal_weight"),
    ),
    "lovasz_loss": ((SOFT, LABELS), BY_CLASS, OF_LOSS),
    "centerline_dice_loss": (
        (AREA, AREA > 0.5),
        BY_CLASS,
        (*OF_LOSS, "iterations", "spatial_axes"),
    ),
    "wasserstein_dice_loss": (
        (SOFT, LABELS),
        BY_CLASS | {"distances": DISTANCES},
        (*OF_LOSS, "distances"),
    ),
}


def answer(backend: Adapter, function: Any, arrays: Any, arguments: dict[str, Any]) -> Any:
    """Return a result or the error."""
    try:
        return function(*arrays, **arguments)
    except (TypeError, ValueError, LookupError) as error:
        return error


def bits(backend: Adapter, given: Any) -> Any:
    """Return the numbers of a result."""
    return given.to_dict() if isinstance(given, Overlap) else backend.bits(given)


def keywords_to_try(backend: Adapter, name: str) -> list[str]:
    """Return all keywords if calls are fast, else those that no earlier function has."""
    if backend.name == "ndonnx" and name not in ("overlap", "confusion_matrix", "pairwise_overlap"):
        pytest.skip("ndonnx: writing so many graphs takes minutes")
    cases = {**SCORES, **LOSSES}
    tried: set[str] = set()
    if backend.name not in ("numpy", "torch"):
        for before in list(cases)[: list(cases).index(name)]:
            tried |= set(cases[before][2])
    return [keyword for keyword in cases[name][2] if keyword not in tried]


def check(backend: Adapter, name: str) -> None:
    """Try every odd value for every keyword."""
    function = getattr(dice_any, name)
    arrays, arguments, keywords = {**SCORES, **LOSSES}[name]
    if "backend" in keywords:
        arguments = backend.options | arguments
    arrays = [backend(a) for a in arrays]
    problems = []
    for keyword in keywords_to_try(backend, name):
        for odd, value in odd_values(backend).items():
            if backend.name in SLOW and odd in TAKEN[keyword]:
                continue
            given = answer(backend, function, arrays, arguments | {keyword: value})
            called = f"{name}({keyword}={odd})"
            if isinstance(given, Exception):
                if not FORM.fullmatch(str(given)):
                    problems.append(f"{called}: {type(given).__name__}: {str(given)[:200]}")
                if "0.1234" in str(given):
                    problems.append(f"{called} prints an array: {given}")
            elif odd not in TAKEN[keyword]:
                problems.append(f"{called} is taken")
            elif odd in PLAIN:
                plain = arguments | {keyword: PLAIN[odd]}
                expected = answer(backend, function, arrays, plain)
                if bits(backend, given) != bits(backend, expected):
                    problems.append(f"{called} differs from {PLAIN[odd]!r}")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("name", SCORES)
def test_scores(dice_backend: Adapter, name: str) -> None:
    check(dice_backend, name)


@pytest.mark.dice_feature("loss")
@pytest.mark.parametrize("name", LOSSES)
def test_losses(dice_backend: Adapter, name: str) -> None:
    check(dice_backend, name)
