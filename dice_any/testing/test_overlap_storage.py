"""`Overlap` to and from dictionaries, and the empty overlap."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from dice_any import Overlap

from .adapters import Adapter
from .overlaps import KINDS, counts, stored


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, dice_backend: Adapter) -> str:
    return request.param


HARD = {"version": 1, "kind": "hard", "form": "product", "by_class": True}
HARD["sums"] = [[1, 2], [2, 2], [3, 2], [9, 9], [0, 0]]
EXACT = {"version": 1, "kind": "exact", "form": "product", "by_class": False}
EXACT["sums"] = [[1, 0, 0], [2, 5, 0], [3, 0, 7], [9, 0, 0], [0, 0, 0]]
PLAIN = {"version": 1, "kind": "plain", "form": "squared", "by_class": False}
PLAIN["sums"] = ["0x1.8000000000000p+0", "nan", "inf", "0x0.0p+0", "-0x0.0p+0"]


def hard(first: Any) -> dict[str, Any]:
    return HARD | {"sums": [[1, first], *HARD["sums"][1:]]}


def plain(first: Any) -> dict[str, Any]:
    return PLAIN | {"sums": [first, *PLAIN["sums"][1:]]}


STORED = {
    "no dictionary": (
        [],
        TypeError,
        "`data` must be a dictionary that `to_dict` wrote; got list. .*json.loads",
    ),
    "text": (json.dumps(HARD), TypeError, "`data` must be a dictionary .+; got str"),
    "nothing": (
        {},
        ValueError,
        "`data` must hold what `to_dict` wrote; got no by_class, form, kind, sums",
    ),
    "kind": (
        HARD | {"kind": "soft"},
        ValueError,
        "`kind` must be one of 'hard', 'exact', 'plain'; got 'soft'",
    ),
    "no kind": (HARD | {"kind": None}, TypeError, "`kind` must be one of .+; got None"),
    "list as kind": (HARD | {"kind": ["hard"]}, TypeError, "`kind` must be one of"),
    "form": (HARD | {"form": "cubed"}, ValueError, "`form` must be one of .+; got 'cubed'"),
    "number as form": (HARD | {"form": 0}, TypeError, "`form` must be one of .+; got 0"),
    "by_class": (
        HARD | {"by_class": "yes"},
        TypeError,
        "`by_class` must be True or False; got str",
    ),
    "number as by_class": (
        HARD | {"by_class": 1},
        TypeError,
        "`by_class` must be True or False; got int",
    ),
    "four rows": (
        HARD | {"sums": HARD["sums"][:4]},
        ValueError,
        r"`sums` must have the shape .+; got \(4, 2\)",
    ),
    "no row": (HARD | {"sums": []}, ValueError, r"`sums` must have the shape .+; got \(0,\)"),
    "a number": (HARD | {"sums": 3}, ValueError, r"`sums` must have the shape .+; got \(\)"),
    "later version": (
        HARD | {"version": 2},
        ValueError,
        "`version` must be at most 1, the latest that this dice_any reads; got 2. Update dice_any",
    ),
    "no such version": (HARD | {"version": 0}, ValueError, "`version` must be at least 1; got 0"),
    "version by name": (
        HARD | {"version": "1.0"},
        TypeError,
        "`version` must be an integer; got str",
    ),
    "no sums": (HARD | {"sums": None}, ValueError, r"`sums` must have the shape"),
    "no class axis": (
        HARD | {"sums": [1, 2, 3, 9, 0]},
        ValueError,
        "with a class axis if `by_class`",
    ),
    "ragged": (
        HARD | {"sums": [[1, 2], [2, 2], [3], [9, 9], [0, 0]]},
        ValueError,
        "nested lists of one length",
    ),
    "mixed depth": (
        HARD | {"sums": [[1, 2], 2, 3, 9, 0]},
        ValueError,
        "nested lists of one length",
    ),
    "no limbs": (
        HARD | {"kind": "exact"},
        ValueError,
        r"`sums` must have the shape \(5, 3, '...'\) for exact",
    ),
    "limbs of hard sums": (
        EXACT | {"kind": "plain"},
        TypeError,
        "`sums` must hold numbers as `float.hex` writes",
    ),
    "fraction": (hard(2.5), TypeError, "must hold integers; got float"),
    "whole float": (hard(1.0), TypeError, "must hold integers; got float"),
    "NaN": (hard(math.nan), TypeError, "must hold integers; got float"),
    "boolean": (hard(True), TypeError, "must hold integers; got bool"),
    "string": (hard("1"), TypeError, "must hold integers; got str"),
    "null": (hard(None), TypeError, "must hold integers; got NoneType"),
    "2**70": (
        hard(2**70),
        ValueError,
        "numbers of int64; got an integer of 71 bits",
    ),
    "negative": (hard(-2), ValueError, "`sums` must not be negative"),
    "decimal": (
        plain("0.5"),
        TypeError,
        "as `float.hex` writes them; got str",
    ),
    "float": (
        plain(0.5),
        TypeError,
        "as `float.hex` writes them; got float",
    ),
    "no number": (plain("0xyz"), TypeError, "as `float.hex` writes them"),
}


@pytest.mark.parametrize("name", STORED)
def test_what_was_not_stored_so(dice_backend: Adapter, name: str) -> None:
    data, error, message = STORED[name]
    with pytest.raises(error, match=message):
        stored(dice_backend, data)


@pytest.mark.parametrize("data", [HARD, EXACT, PLAIN], ids=["hard", "exact", "plain"])
def test_what_was_stored(dice_backend: Adapter, data: dict[str, Any]) -> None:
    if data is EXACT and dice_backend.name == "strict-no-float64":
        pytest.skip("the device has no float64")
    assert stored(dice_backend, json.loads(json.dumps(data))).to_dict() == data


def test_data_without_a_version_is_of_the_first(dice_backend: Adapter) -> None:
    data = {key: value for key, value in HARD.items() if key != "version"}
    assert stored(dice_backend, data).to_dict() == HARD


def test_invalid_counts_may_be_negative(dice_backend: Adapter) -> None:
    """If an element was invalid, the sums have no meaning, and are stored unchanged."""
    data = HARD | {"sums": [[1, 2], [2, 2], [3, -2], [9, 9], [0, 1]]}
    assert stored(dice_backend, data).to_dict() == data


# -- zero ------------------------------------------------------------------------------------------


ZEROS = {
    "a number": (
        {"shape": 3},
        TypeError,
        r"`shape` must be a tuple of integers; got int. For one axis pass `\(n,\)`",
    ),
    "a fraction": ({"shape": (0.5,)}, TypeError, "`shape` must be an integer; got float"),
    "negative": (
        {"shape": (-1,)},
        ValueError,
        r"`shape` must hold lengths of at least 0, .+; got \(-1,\)",
    ),
    "huge": ({"shape": (2**20, 2**20)}, ValueError, r"of fewer than 2\*\*32 counts"),
    "name": ({"shape": "3"}, TypeError, "`shape` must be a tuple of integers; got str"),
    "kind": ({"kind": 0}, TypeError, "`kind` must be one of 'hard', 'exact', 'plain'; got 0"),
    "form": ({"form": None}, TypeError, "`form` must be one of"),
    "classes": ({"num_classes": 0}, ValueError, "`num_classes` must be at least 1; got 0"),
    "classes by name": (
        {"num_classes": "3"},
        TypeError,
        "`num_classes` must be an integer; got str",
    ),
    "like a list": ({"like": [1, 2]}, TypeError, "`like` must be an array of a library"),
}


@pytest.mark.parametrize("name", ZEROS)
def test_what_zero_does_not_take(name: str) -> None:
    arguments, error, message = ZEROS[name]
    with pytest.raises(error, match=message):
        Overlap.zero(**arguments)


def test_a_zero_merges_with_what_it_is_like(dice_backend: Adapter, kind: str) -> None:
    whole = counts(dice_backend, kind)
    like = dice_backend(np.zeros(1, dtype=np.float32))
    zeros = [
        Overlap.zero(like=whole),
        Overlap.zero((2,), num_classes=3, like=like, kind=whole.kind),
    ]
    if whole.kind != "plain":
        zeros.append(Overlap.zero((2,), num_classes=3, like=like))
    for zero in zeros:
        assert (zero + whole).to_dict() == (whole + zero).to_dict() == whole.to_dict()


def test_the_form_of_a_sum_does_not_depend_on_the_order(dice_backend: Adapter) -> None:
    for form in ("squared", "minimum"):
        masks, more = counts(dice_backend, "hard", form=form), counts(dice_backend, "hard")
        assert (masks + more).form == (more + masks).form == form
