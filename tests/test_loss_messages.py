"""Messages of losses about arguments that do not fit."""

from __future__ import annotations

import re

import numpy as np
import pytest

import dice_any

MASK = np.array([True, False, True])


SOFT = np.array([0.5, 0.0, 1.0])


LABELS = np.array([0, 1, 2])


BY_CLASS = np.full((3, 4), 0.25)


def says(*parts: str) -> str:
    """Return a pattern in which the parts follow each other."""
    return ".*".join(re.escape(part) for part in parts)


LOSSES = {
    "argmax": (
        {"activation": "argmax"},
        ValueError,
        says("`activation` must be", "'argmax', which has no gradient"),
    ),
    "smooth": ({"smooth": -1}, ValueError, says("`smooth` must be finite and at least 0; got -1")),
    "three smooths": (
        {"smooth": (1, 2, 3)},
        ValueError,
        says("`smooth` must be a number or a pair", "got 3 numbers"),
    ),
    "reduction": (
        {"reduction": "average"},
        ValueError,
        says("`reduction` must be one of 'mean', 'sum', 'none'; got"),
    ),
    "absent": (
        {"absent": "drop"},
        ValueError,
        says("`absent` must be one of 'count', 'zero', 'skip'; got 'drop'"),
    ),
    "average": (
        {"average": "macro"},
        ValueError,
        says("`average` must be one of None, 'micro'; got 'macro'"),
    ),
    "length": (
        {"class_weight": [1, 2]},
        ValueError,
        says("one weight for each of 3 classes; got shape (2,)"),
    ),
    "sign": (
        {"class_weight": [1, -2, 1]},
        ValueError,
        says("`class_weight[1]` must be finite and at least 0; got -2"),
    ),
    "name": (
        {"class_weight": "cube"},
        ValueError,
        says("`class_weight` must be one of 'square', 'simple', 'uniform'"),
    ),
    "array": (
        {"class_weight": np.array([1.0, np.nan, 1])},
        ValueError,
        says("`class_weight` must be finite, at least 0 and at most 2**100; got another value"),
    ),
    **{
        f"array of {name}": ({"class_weight": weight}, TypeError, says(fact))
        for name, weight, fact in (
            ("complex numbers", np.array([1 + 5j, 2, 3]), "floating; got complex128"),
            ("strings", np.array(["1", "2", "3"]), "floating; got str32"),
            ("dates", np.array(["2020"] * 3, dtype="M8[D]"), "floating; got datetime64[D]"),
            ("records", np.zeros(3, dtype=[("a", "f4")]), "floating; got void32"),
            ("objects", np.array([1, 2, 3], dtype=object), "floating; got object"),
            ("masked numbers", np.ma.array([1.0, 2, 3], mask=[0, 1, 0]), "got numpy.MaskedArray"),
        )
    },
    **{
        f"{type(weight).__name__}": (
            {"class_weight": weight},
            TypeError,
            says("`class_weight` must be a name, or numbers in a sequence or an array; got "),
        )
        for weight in (1.0, b"123", {0: 1.0, 1: 2.0, 2: 1.0}, {1.0, 2.0, 3.0})
    },
    "another library's array": (
        {"class_weight": pytest.importorskip("array_api_strict").ones(3)},
        TypeError,
        says("`class_weight` must come from the same array library as `prediction`"),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str) -> None:
    arguments, error, message = LOSSES[name]
    with pytest.raises(error, match=message):
        dice_any.dice_loss(BY_CLASS, BY_CLASS, class_axis=0, **arguments)


@pytest.mark.parametrize(
    "argument", [{"class_weight": [1]}, {"classes": [0]}, {"average": "micro"}]
)
def test_losses_without_classes(argument: dict) -> None:
    (name,) = argument
    with pytest.raises(
        ValueError, match=says(f"`{name}` must be None without classes to tell apart")
    ):
        dice_any.jaccard_loss(SOFT, SOFT, **argument)


def test_gamma() -> None:
    with pytest.raises(ValueError, match=says("`gamma` must be finite and at least 0; got -1")):
        dice_any.dice_focal_loss(BY_CLASS, BY_CLASS, class_axis=0, activation="softmax", gamma=-1)


@pytest.mark.parametrize("name", ["dice_weight", "cross_entropy_weight"])
def test_weights_of_the_two_parts(name: str) -> None:
    with pytest.raises(ValueError, match=says(f"`{name}` must be finite and at least 0; got -1")):
        dice_any.dice_cross_entropy_loss(
            BY_CLASS, BY_CLASS, class_axis=0, activation="softmax", **{name: -1}
        )


COUNTS = dice_any.overlap(BY_CLASS, BY_CLASS, class_axis=0)
DISTANCES = [[0, 1, 1], [1, 0, 0.5], [1, 0.5, 0]]
AREA = np.full((2, 3, 4, 5), 0.25)
#: loss, arrays, arguments, error
MORE_THAN_SUMS = {
    "probabilities": (
        dice_any.dice_cross_entropy_loss,
        (BY_CLASS, BY_CLASS),
        {"class_axis": 0},
        ValueError,
        says(
            "`activation` must be 'sigmoid' or 'softmax' in a compound loss", "got None", "logits"
        ),
    ),
    "overlap": (
        dice_any.dice_cross_entropy_loss,
        (COUNTS, None),
        {"activation": "softmax"},
        TypeError,
        says("`prediction` must be logits in a compound loss", "got an Overlap"),
    ),
    "ranked overlap": (
        dice_any.lovasz_loss,
        (COUNTS, None),
        {},
        TypeError,
        says("`prediction` must be an array here, as it ranks elements", "got an Overlap"),
    ),
    "smoothed ranks": (
        dice_any.lovasz_loss,
        (SOFT, MASK),
        {"smooth": 1},
        ValueError,
        says("`smooth` must be left out here", "got 1", "Drop it"),
    ),
    "form of ranks": (
        dice_any.lovasz_loss,
        (SOFT, MASK),
        {"form": "squared"},
        ValueError,
        says("`form` must be left out here, as this loss ranks errors", "got 'squared'"),
    ),
    "exact ranks": (
        dice_any.lovasz_loss,
        (SOFT, MASK),
        {"exact": True},
        ValueError,
        says("`exact` must be left out here, as errors are sorted"),
    ),
    "kernel of ranks": (
        dice_any.lovasz_loss,
        (SOFT, MASK),
        {"backend": "abacus"},
        ValueError,
        says("`backend` must be left out here, as only the reference sorts; got 'abacus'"),
    ),
    "soft ranks": (
        dice_any.lovasz_loss,
        (SOFT, SOFT),
        {},
        TypeError,
        says("`target` must be boolean or a label map in this loss", "got float64", "minimum form"),
    ),
    "ranked masks": (
        dice_any.lovasz_loss,
        (MASK, MASK),
        {},
        TypeError,
        says("`prediction` must be floating in this loss", "got bool"),
    ),
    "hinge elsewhere": (
        dice_any.dice_loss,
        (SOFT, MASK),
        {"activation": "hinge"},
        ValueError,
        says("`activation` must be one of None, 'sigmoid', 'softmax', 'argmax'; got 'hinge'"),
    ),
    "hinge of regions": (
        dice_any.lovasz_loss,
        (BY_CLASS, np.array([0, 1, 2, 1])),
        {"activation": "hinge", "class_axis": 0, "regions": [(1, 2)]},
        ValueError,
        says("`regions` must be left out with `activation='hinge'`", "logits do not add up"),
    ),
    "distances of regions": (
        dice_any.wasserstein_dice_loss,
        (BY_CLASS, np.array([0, 1, 2, 1])),
        {"distances": DISTANCES, "class_axis": 0, "regions": [(1, 2)]},
        ValueError,
        says("`regions` must be left out here, as this loss compares classes", "Drop it"),
    ),
    "pooled samples": (
        dice_any.centerline_dice_loss,
        (AREA, AREA),
        {"class_axis": 1, "axis": None},
        ValueError,
        says("`spatial_axes` must be given with `axis=None`", "spatial_axes=(2, 3)"),
    ),
    "one spatial axis": (
        dice_any.centerline_dice_loss,
        (BY_CLASS, BY_CLASS),
        {},
        ValueError,
        says("`spatial_axes` must be two or three", "got 1", "Axis 0 is taken for samples"),
    ),
    "axes not summed": (
        dice_any.centerline_dice_loss,
        (AREA, AREA),
        {"class_axis": 1, "spatial_axes": (0, 2)},
        ValueError,
        says("`spatial_axes` must be among the summed axes (2, 3); got (0, 2)"),
    ),
    "iterations": (
        dice_any.centerline_dice_loss,
        (AREA, AREA),
        {"class_axis": 1, "iterations": -1},
        ValueError,
        says("`iterations` must be at least 0 and at most 10000; got -1"),
    ),
    "form of skeletons": (
        dice_any.centerline_dice_loss,
        (AREA, AREA),
        {"class_axis": 1, "form": "minimum"},
        ValueError,
        says("`form` must be left out here, as clDice is made of products"),
    ),
    "no classes to compare": (
        dice_any.wasserstein_dice_loss,
        (SOFT, SOFT),
        {"distances": DISTANCES},
        ValueError,
        says("`class_axis` must be given, as this loss compares classes"),
    ),
    "one class apart": (
        dice_any.wasserstein_dice_loss,
        (BY_CLASS, BY_CLASS),
        {"distances": DISTANCES, "class_axis": 0, "activation": "sigmoid"},
        ValueError,
        says("`activation` must be 'softmax' or None here", "got 'sigmoid'"),
    ),
    "pooled already": (
        dice_any.wasserstein_dice_loss,
        (BY_CLASS, BY_CLASS),
        {"distances": DISTANCES, "class_axis": 0, "average": "micro"},
        ValueError,
        says("`average` must be left out here, as this loss is one ratio"),
    ),
    "distances of two": (
        dice_any.wasserstein_dice_loss,
        (BY_CLASS, BY_CLASS),
        {"distances": [[0, 1], [1, 0]], "class_axis": 0},
        ValueError,
        says("`distances` must have a row and a column for each of 3 classes; got 2 rows of [2]"),
    ),
    "far from itself": (
        dice_any.wasserstein_dice_loss,
        (BY_CLASS, BY_CLASS),
        {"distances": np.ones((3, 3)), "class_axis": 0},
        ValueError,
        says("`distances` must be 0 on the diagonal"),
    ),
    "negative distance": (
        dice_any.wasserstein_dice_loss,
        (BY_CLASS, BY_CLASS),
        {"distances": [[0, -1, 1], [1, 0, 1], [1, 1, 0]], "class_axis": 0},
        ValueError,
        says("`distances` must be finite and not negative"),
    ),
    "no distance": (
        dice_any.wasserstein_dice_loss,
        (BY_CLASS, BY_CLASS),
        {"distances": np.zeros((3, 3)), "class_axis": 0},
        ValueError,
        says("`distances` must tell classes apart"),
    ),
    "no matrix": (
        dice_any.wasserstein_dice_loss,
        (BY_CLASS, BY_CLASS),
        {"distances": "far", "class_axis": 0},
        TypeError,
        says("`distances` must be a matrix of numbers; got str"),
    ),
}


@pytest.mark.parametrize(
    "make",
    [
        lambda rows: rows,
        lambda rows: tuple(map(tuple, rows)),
        lambda rows: [np.array(row) for row in rows],
        np.array,
        lambda rows: np.array(rows) > 0,
        lambda rows: [[bool(number) for number in row] for row in rows],
    ],
)
def test_distances_of_any_kind(make) -> None:
    rows = [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    given = {"class_axis": 0, "smooth": 0}
    got = dice_any.wasserstein_dice_loss(BY_CLASS, BY_CLASS, distances=make(rows), **given)
    right = dice_any.wasserstein_dice_loss(BY_CLASS, BY_CLASS, distances=rows, **given)
    assert got == right


@pytest.mark.parametrize(
    ("argument", "kind"),
    [
        ({"class_weight": np.array([0, 1, 1], dtype="m8[s]")}, "timedelta64"),
        ({"class_weight": np.array([0, 1, 1], dtype="M8[s]")}, "datetime64"),
        ({"class_weight": np.array([0, 1, 1j])}, "complex128"),
        ({"class_weight": np.array(["0", "1", "1"])}, "str"),
    ],
)
def test_class_weights_of_no_numbers(argument: dict, kind: str) -> None:
    with pytest.raises(
        TypeError, match=says("`class_weight` must be boolean, integer or floating; got", kind)
    ):
        dice_any.dice_loss(BY_CLASS, BY_CLASS, class_axis=0, **argument)


@pytest.mark.parametrize("name", MORE_THAN_SUMS)
def test_losses_that_see_more_than_sums(name: str) -> None:
    loss, arrays, arguments, error, message = MORE_THAN_SUMS[name]
    with pytest.raises(error, match=message):
        loss(*arrays, **arguments)


class Table:
    """An array of a library that nobody knows."""

    dtype, shape, ndim = np.dtype("float64"), (3,), 1


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("name", ["target", "weight"])
def test_an_array_of_an_unknown_library_is_named(name: str, exact: bool) -> None:
    arrays = {"target": SOFT, "weight": SOFT} | {name: Table()}
    with pytest.raises(TypeError, match=says(f"`{name}`", "got", "Table")):
        dice_any.dice_loss(SOFT, arrays["target"], weight=arrays["weight"], exact=exact)
