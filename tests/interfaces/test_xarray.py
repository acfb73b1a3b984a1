"""Scores over named dimensions: aligned, lazy, and with coordinates in the result."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations
from typing import Any

import numpy as np
import pytest

pytest.importorskip("xarray")
import xarray as xr

import dice_any
from dice_any.interfaces.xarray import score

DIMS = ("time", "y", "x")
SIZES = {"time": 3, "y": 4, "x": 5}
COORDS = {
    "time": np.array(["2026-01-01", "2026-01-02", "2026-01-05"], dtype="datetime64[ns]"),
    "y": [50.5, 51.5, 52.5, 53.5],
    "x": [10, 20, 30, 40, 50],
}


def fields(seed: int = 0, labels: int = 3, **coords: Any) -> tuple[xr.DataArray, xr.DataArray]:
    rng = np.random.default_rng(seed)
    shape = tuple(SIZES.values())
    return tuple(  # type: ignore[return-value]
        xr.DataArray(rng.integers(0, labels, shape), COORDS | coords, DIMS) for _ in range(2)
    )


def dice(prediction: np.ndarray, target: np.ndarray) -> float:
    """Count by hand."""
    both = int(np.sum(prediction & target))
    return float(Fraction(2 * both, int(prediction.sum()) + int(target.sum())))


def test_a_score_at_each_of_the_kept_coordinates() -> None:
    prediction, target = fields()
    found = score(dice_any.dice_score, prediction > 0, target > 0, dim=("y", "x"))
    assert found.dims == ("time",)
    assert found.name == "dice_score"
    assert found.dtype == np.float64
    assert found.time.equals(prediction.time)
    for day in prediction.time:
        masks = (a.sel(time=day).values > 0 for a in (prediction, target))
        assert float(found.sel(time=day)) == dice(*masks)


def test_all_dimensions_by_default() -> None:
    prediction, target = fields()
    found = score(dice_any.dice_score, prediction > 0, target > 0)
    assert found.dims == ()
    assert float(found) == dice(prediction.values > 0, target.values > 0)
    every = score(dice_any.dice_score, prediction > 0, target > 0, dim=DIMS)
    assert found.identical(every)


@pytest.mark.parametrize("dims", list(permutations(DIMS)))
def test_the_order_of_dimensions_is_of_no_matter(dims: tuple[str, ...]) -> None:
    prediction, target = fields()
    expected = score(dice_any.jaccard_score, prediction, target, dim="x", num_classes=3)
    found = score(
        dice_any.jaccard_score, prediction, target.transpose(*dims), dim="x", num_classes=3
    )
    assert found.identical(expected)
    turned = score(
        dice_any.jaccard_score, prediction.transpose(*dims), target, dim="x", num_classes=3
    )
    assert turned.dims[-1] == "class"
    assert turned.transpose(*expected.dims).identical(expected)


@pytest.mark.parametrize("lazy", [False, True])
def test_coordinates_are_brought_together(lazy: bool) -> None:
    prediction, target = fields()
    expected = score(dice_any.dice_score, prediction, target, dim=("y", "x"), num_classes=3)
    shuffled = target.isel(x=[3, 0, 4, 2, 1], y=slice(None, None, -1), time=[2, 0, 1])
    if lazy:
        pytest.importorskip("dask")
        shuffled = shuffled.chunk(time=1, x=2)
    found = score(dice_any.dice_score, prediction, shuffled, dim=("y", "x"), num_classes=3)
    assert found.identical(expected)
    by_place = dice_any.dice_score(
        prediction.values, target.isel(x=[3, 0, 4, 2, 1]).values, num_classes=3
    )
    assert not np.array_equal(by_place, expected.mean("time").values)


def test_a_multi_index_is_one_too() -> None:
    prediction, target = (a.stack(cell=("y", "x")) for a in fields())
    expected = score(dice_any.dice_score, prediction, target, dim="time", num_classes=3)
    found = score(dice_any.dice_score, prediction, target[:, ::-1], dim="time", num_classes=3)
    assert found.identical(expected)
    assert found.unstack("cell").sizes == {"class": 3, "y": 4, "x": 5}


def test_arrays_without_coordinates_have_one_order() -> None:
    prediction, target = (xr.DataArray(a.values, dims=DIMS) for a in fields())
    found = score(dice_any.dice_score, prediction > 0, target > 0, dim="x")
    assert found.dims == ("time", "y")
    assert len(found.coords) == 0


# -- classes --------------------------------------------------------------------------------------


def test_classes_of_label_maps_come_back() -> None:
    prediction, target = fields()
    found = score(dice_any.dice_score, prediction, target, dim=("y", "x"), num_classes=3)
    assert found.dims == ("time", "class")
    assert found["class"].values.tolist() == [0, 1, 2]
    for k in range(3):
        assert found[1].sel({"class": k}) == dice(prediction.values[1] == k, target.values[1] == k)
    tissue = score(
        dice_any.dice_score,
        prediction,
        target,
        class_dim="tissue",
        num_classes=3,
        classes="foreground",
    )
    assert tissue.tissue.values.tolist() == [1, 2]
    chosen = score(dice_any.dice_score, prediction, target, num_classes=3, classes=[2, 0])
    assert chosen["class"].values.tolist() == [2, 0]
    assert float(chosen[0]) == dice(prediction.values == 2, target.values == 2)


@pytest.mark.parametrize("place", range(3))
def test_names_of_classes_are_kept(place: int) -> None:
    rng = np.random.default_rng(1)
    memberships = xr.DataArray(
        rng.random((2, 3, 4)) > 0.5,
        {"case": ["a", "b"], "class": ["sky", "sea", "land"], "color": ("class", [7, 8, 9])},
        ("case", "class", "x"),
    )
    target = xr.DataArray(rng.integers(0, 3, (2, 4)), {"case": ["a", "b"]}, ("case", "x"))
    order = [d for d in ("case", "x") if d]
    order.insert(place, "class")
    found = score(
        dice_any.dice_score,
        memberships.transpose(*order),
        target,
        dim="x",
        classes=[2, 1],
    )
    assert found.dims == ("case", "class")
    assert found["class"].values.tolist() == ["land", "sea"]
    assert found.color.values.tolist() == [9, 8]
    for case in "ab":
        for k, name in enumerate(("sky", "sea", "land")):
            if k:
                prediction = memberships.sel({"case": case, "class": name}).values
                assert float(found.sel({"case": case, "class": name})) == dice(
                    prediction, target.sel(case=case).values == k
                )


def test_classes_of_both_arrays_are_aligned() -> None:
    rng = np.random.default_rng(1)
    names = {"class": ["sky", "sea", "land"]}
    prediction, target = (xr.DataArray(rng.random((3, 9)), names, ("class", "x")) for _ in range(2))
    expected = score(dice_any.dice_score, prediction, target)
    found = score(dice_any.dice_score, prediction, target[[2, 0, 1]].transpose())
    assert found.identical(expected)
    assert found["class"].values.tolist() == names["class"]


def test_averages_and_joint_scores_have_no_classes() -> None:
    prediction, target = fields()
    for found in (
        score(dice_any.dice_score, prediction, target, dim="x", num_classes=3, average="macro"),
        score(dice_any.matthews_correlation, prediction, target, dim="x", num_classes=3),
    ):
        assert found.dims == ("time", "y")
    names = [name for name in dice_any.scores.__all__ if "_to_" not in name]
    for name in names:
        own = {"alpha": 0.25, "beta": 1.0} if name == "tversky_score" else {}
        function = getattr(dice_any, name)
        found = score(function, prediction, target, dim=("y", "x"), num_classes=3, **own)
        direct = function(prediction.values, target.values, axis=(1, 2), num_classes=3, **own)
        np.testing.assert_array_equal(found.values, direct)
        soft = prediction / 4, target / 4
        np.testing.assert_array_equal(
            score(function, *soft, dim="y", **own).values,
            function(*(a.values for a in soft), axis=1, **own),
        )


@pytest.mark.parametrize("classes", [None, [2, 0]])
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("soft", [True, False])
def test_regions_have_their_own_names(soft: bool, named: bool, classes: Any) -> None:
    """Also where there are more of them than classes; those of the classes would be wrong."""
    rng = np.random.default_rng(6)
    groups = {"all": (1, 2), "core": (2,), "rim": (1,), "any": (0, 1, 2)}
    prediction, target = (xr.DataArray(rng.integers(0, 3, 40), dims="x") for _ in range(2))
    arguments: dict[str, Any] = {"num_classes": 3}
    given = prediction
    if soft:
        given = (prediction == xr.DataArray(range(3), {"class": ["sky", "sea", "land"]}, "class")).T
        arguments = {}
    found = score(
        dice_any.dice_score,
        given,
        target,
        regions=groups if named else list(groups.values()),
        classes=classes,
        **arguments,
    )
    places = range(4) if classes is None else classes
    assert found["class"].values.tolist() == [list(groups)[n] if named else n for n in places]
    for value, place in zip(found.values, places, strict=True):
        masks = (np.isin(a.values, list(groups.values())[place]) for a in (prediction, target))
        assert value == dice(*masks)


# -- weights --------------------------------------------------------------------------------------


def test_a_weight_may_have_fewer_dimensions() -> None:
    prediction, target = (a > 0 for a in fields())
    area = np.cos(np.deg2rad(prediction.y))
    found = score(dice_any.dice_score, prediction, target, weight=area[::-1])
    whole = area.broadcast_like(target).transpose(*DIMS).values
    both = (prediction & target).values
    sizes = [float(np.sum(whole[a])) for a in (both, prediction.values, target.values)]
    assert float(found) == pytest.approx(2 * sizes[0] / (sizes[1] + sizes[2]), rel=1e-12)


def test_what_is_missing_weighs_nothing() -> None:
    prediction, target = (a / 2 for a in fields())
    missing = target.where(target.x != 30)
    found = score(dice_any.dice_score, prediction, missing, dim="x", weight=missing.notnull())
    expected = score(
        dice_any.dice_score, *(a.drop_sel(x=30) for a in (prediction, target)), dim="x"
    )
    assert found.identical(expected)


def test_a_weight_of_label_maps_has_no_classes() -> None:
    rng = np.random.default_rng(2)
    memberships = xr.DataArray(rng.random((3, 5)), dims=("class", "x"))
    labels, weight = (xr.DataArray(rng.integers(0, 3, 5), dims="x") for _ in range(2))
    found = score(dice_any.dice_score, memberships, labels, weight=weight)
    direct = dice_any.dice_score(
        memberships.values, labels.values, class_axis=0, weight=weight.values
    )
    np.testing.assert_array_equal(found.values, direct)


# -- coordinates ----------------------------------------------------------------------------------


def test_other_coordinates_are_kept_where_they_fit() -> None:
    prediction, target = fields(
        station=(("y", "x"), np.arange(20).reshape(4, 5)), week=("time", [1, 1, 2]), run=3
    )
    found = score(dice_any.dice_score, prediction > 0, target > 0, dim=("y", "x"))
    assert set(found.coords) == {"time", "week", "run"}
    other = score(
        dice_any.dice_score, prediction > 0, (target > 0).assign_coords(run=4), dim="time"
    )
    assert set(other.coords) == {"x", "y", "station"}


# -- Dask -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("soft", [False, True])
def test_lazy(chunked: tuple[bool, bool], soft: bool) -> None:
    dask = pytest.importorskip("dask")
    prediction, target = (a / 2 if soft else a for a in fields())
    arguments: dict[str, Any] = {} if soft else {"num_classes": 3}
    arguments |= {"dim": ("y", "time"), "weight": abs(prediction.y)}
    expected = score(dice_any.dice_score, prediction, target, **arguments)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("computed before it was asked for")

    with dask.config.set(scheduler=refuse):
        lazy = [
            a.chunk(time=1, x=2) if c else a
            for a, c in zip((prediction, target), chunked, strict=True)
        ]
        found = score(dice_any.dice_score, *lazy, **arguments)
        assert found.chunks is not None
    assert found.compute().identical(expected)


# -- errors ---------------------------------------------------------------------------------------


def test_others_at_some_coordinates() -> None:
    prediction, target = fields()
    moved = target.assign_coords(x=[10, 20, 30, 40, 51])
    with pytest.raises(
        ValueError,
        match=r"`target` must have the coordinates of `prediction` along 'x'; got others at 1 of 5"
        r".*`prediction, target = xarray.align\(prediction, target, join='inner'\)`",
    ) as caught:
        score(dice_any.dice_score, prediction, moved, num_classes=3)
    scope = {"xarray": xr, "prediction": prediction, "target": moved}
    exec(str(caught.value).split("`")[5], scope)  # the cure cures
    found = score(dice_any.dice_score, scope["prediction"], scope["target"], num_classes=3)
    cropped = (a.values[..., :4] for a in (prediction, target))
    np.testing.assert_array_equal(found, dice_any.dice_score(*cropped, num_classes=3))


def test_only_one_has_coordinates() -> None:
    prediction, target = fields()
    with pytest.raises(
        ValueError,
        match=r"`target` must have coordinates along 'x' where `prediction` has them; got some of "
        r"`prediction` alone.*pass `prediction.drop_vars\('x'\)`",
    ):
        score(dice_any.dice_score, prediction, target.drop_vars("x"), num_classes=3)
    with pytest.raises(ValueError, match=r"pass `target.drop_vars\('y'\)`"):
        score(dice_any.dice_score, prediction.drop_vars("y"), target, num_classes=3)
    found = score(
        dice_any.dice_score, *(a.drop_vars("x") for a in (prediction, target)), num_classes=3
    )
    assert found.identical(score(dice_any.dice_score, prediction, target, num_classes=3))


P, T = fields()


@pytest.mark.parametrize(
    ("arrays", "arguments", "error", "message"),
    [
        ((P.values, T), {}, TypeError, "`prediction` must be an xarray.DataArray; got "),
        (
            (P, T.to_dataset(name="mask")),
            {},
            TypeError,
            "Choose one of its variables: `target['mask']`.",
        ),
        (
            (P, T.isel(time=0)),
            {},
            ValueError,
            "`target` must have the dimensions ('time', 'y', 'x'); got ('y', 'x'). Nothing is",
        ),
        ((P, T.isel(x=slice(3))), {}, ValueError, "must be as long as `prediction` along 'x', 5;"),
        (
            (P.drop_vars("x"), T.drop_vars("x").isel(x=slice(3))),
            {},
            ValueError,
            "got 3. Select what belongs together.",
        ),
        (
            (P.assign_coords(x=[1, 1, 2, 3, 4]), T.assign_coords(x=[1, 1, 2, 4, 3])),
            {},
            ValueError,
            "some come twice",
        ),
        ((P, T), {"dim": "z"}, ValueError, "`dim` must name dimensions of the elements"),
        (
            (P, T),
            {"dim": ["x", "x"]},
            ValueError,
            "`dim` must name each dimension once; got ['x', '",
        ),
        (
            (P, T),
            {"class_dim": ["x"]},
            TypeError,
            "`class_dim` must be the name of a dimension; got",
        ),
        ((P, T), {"regions": 5}, TypeError, "`regions` must be a sequence of groups of labels"),
        ((P, T), {"dims": "x"}, TypeError, "got a word of another package. Pass `dim=`, by name."),
        ((P, T), {"clas_dim": "x"}, TypeError, "Did you mean `class_dim`?"),
        (
            (P, T),
            {"classes": [3]},
            ValueError,
            "`classes` must name one or more of the classes 0 to",
        ),
        (
            (P / 2, T > 0),
            {"activation": "softmax", "num_classes": None},
            ValueError,
            "`class_dim` must be given with `activation='softmax'`; got none in the prediction.",
        ),
        (
            (P, T),
            {"num_classes": None},
            ValueError,
            "for one-hot arrays `prediction > 0`, `target > 0` and `class_dim=`",
        ),
        ((P, T), {"dim": ["x", "class"]}, ValueError, "got 'class'. Classes are averaged by"),
        ((P, T), {"weight": np.ones(3)}, TypeError, "`weight` must be an xarray.DataArray"),
        (
            (P, T),
            {"weight": xr.DataArray(np.ones(3), dims="z")},
            ValueError,
            "`weight` must have dimensions of the target, ('time', 'y', 'x'); got ('z',)",
        ),
        (
            (P, T),
            {"weight": xr.DataArray(np.ones(5), {"x": range(5)}, "x")},
            ValueError,
            "`weight` must have the coordinates of `target` along 'x'; got others at 5 of 5",
        ),
        ((P, T), {"axis": 1}, TypeError, "`axis` must be left out here; got one. Pass `dim=`"),
        ((P, T), {"class_axis": 1}, TypeError, "Pass `class_dim=`, by name."),
        ((P, T), {"num_class": 3}, TypeError, "Did you mean `num_classes`?"),
        ((P, T), {"num_classes": 2}, ValueError, "label"),
        ((P / 2, T / 2), {"average": "macro"}, ValueError, "`average` must be None without"),
    ],
)
def test_what_is_refused(
    arrays: tuple[Any, Any], arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    given = {"num_classes": 3} if "num_class" not in arguments else {}
    given = {} if "average" in arguments else given
    with pytest.raises(error) as caught:
        score(dice_any.dice_score, *arrays, **{**given, **arguments})
    assert message in str(caught.value)


def test_masked_elements_are_missing_values() -> None:
    """xarray makes them NaN, which is no membership, no label and no weight."""
    masked = xr.DataArray(np.ma.array([1.0, 1.0, 0.0], mask=[0, 1, 0]), dims="x")
    plain = xr.DataArray([1.0, 0.0, 0.0], dims="x")
    for arrays, weight in (
        ((masked, plain), None),
        ((plain, masked), None),
        ((plain, plain), masked),
    ):
        with pytest.raises(
            ValueError, match="must .*; got 1 values outside or NaN|got other values"
        ):
            score(dice_any.dice_score, *arrays, weight=weight)
    found = score(dice_any.dice_score, masked, plain, weight=masked.notnull())
    assert float(found) == 1
    pytest.importorskip("dask")
    assert np.isnan(score(dice_any.dice_score, masked.chunk(x=2), plain))


def test_losses_are_refused() -> None:
    with pytest.raises(TypeError, match="`score` must be a score of this package; got `dice_loss`"):
        score(dice_any.dice_loss, P > 0, T > 0)
