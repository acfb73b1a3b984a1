"""Arrays on several devices, or of several libraries, or without values: each is named. The
devices are those of array-api-strict, which needs no hardware.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any import Overlap

MAPS = np.array([0, 1, 2]), np.array([0, 1, 1])
BY_CLASS = dice_any.overlap(*MAPS, num_classes=3)


@pytest.fixture
def devices() -> tuple[Any, Any]:
    """Return an array each on two devices."""
    strict = pytest.importorskip("array_api_strict")
    names = ("CPU_DEVICE", "device1")
    first, second = (strict.asarray([0.5, 1.0], device=strict.Device(name)) for name in names)
    return first, second


def test_arrays_on_two_devices(devices: tuple[Any, Any]) -> None:
    here, there = devices
    with pytest.raises(ValueError, match="`target` must be on the same device as `prediction`; "):
        dice_any.overlap(here, there)
    with pytest.raises(ValueError, match="`weight` must be on the same device as `prediction`; "):
        dice_any.dice_score(here, here, weight=there)


def test_counts_on_two_devices(devices: tuple[Any, Any]) -> None:
    strict = pytest.importorskip("array_api_strict")
    here, there = (strict.astype(array, strict.int64) for array in devices)
    with pytest.raises(ValueError, match="`fp` must be on the device of `tp`, .*device1.*Move one"):
        Overlap.from_counts(tp=here, fp=there, fn=here)


def test_overlaps_on_two_devices(devices: tuple[Any, Any]) -> None:
    one, two = (dice_any.overlap(array, array) for array in devices)
    with pytest.raises(ValueError, match="overlaps to be stacked must be on one device; got .*dev"):
        Overlap.stack([one, two])
    with pytest.raises(ValueError, match="device1"):  # the library's own words
        one + two
    assert one == two
    assert one != two + two


def test_a_new_overlap_is_on_the_device_of_another(devices: tuple[Any, Any]) -> None:
    for array in devices:
        overlap = dice_any.overlap(array, array)
        for kind in ("hard", "exact", "plain"):
            zero = Overlap.zero(like=array, kind=kind)
            assert zero.intersection.device == array.device
            assert zero.to_dict()["sums"] == Overlap.zero(kind=kind).to_dict()["sums"]
        for like in (array, overlap):
            read = Overlap.from_dict(overlap.to_dict(), like=like)
            assert read.intersection.device == array.device
            assert read == overlap
        assert Overlap.zero(like=array, kind="exact") + overlap == overlap


def test_an_array_of_another_library(devices: tuple[Any, Any]) -> None:
    here, _ = devices
    with pytest.raises(TypeError, match="`target` must come from the same array library as `pre"):
        dice_any.overlap(np.ones(2), here)
    overlaps = [dice_any.overlap(array, array) for array in (here, np.ones(2))]
    with pytest.raises(TypeError, match="must come from one array library; got array_api_strict a"):
        Overlap.stack(overlaps)


def test_lazy_overlaps_are_not_compared() -> None:
    dask = pytest.importorskip("dask.array")
    lazy = dice_any.overlap(dask.ones(2), dask.ones(2))
    with pytest.raises(ValueError, match="`overlap` must hold values to be compared; got lazy"):
        assert lazy == lazy


def test_lazy_places_and_ids() -> None:
    dask = pytest.importorskip("dask.array")
    places = dask.from_array(np.array([0, 1]))
    with pytest.raises(TypeError, match="`index` must hold values, .*numpy; got lazy or traced in"):
        BY_CLASS[places]
    with pytest.raises(ValueError, match="`a` must have values at hand, .*of dask. Make it a plai"):
        dice_any.set_overlap(places, places)


def test_counts_of_unknown_length() -> None:
    ndonnx = pytest.importorskip("ndonnx")
    counts = ndonnx.argument(shape=("n",), dtype=ndonnx.int64)
    with pytest.raises(ValueError, match="`tp` must have a known shape; got .* Fix its lengths"):
        Overlap.from_counts(tp=counts, fp=counts, fn=counts)


def test_classes_of_a_set_without_classes() -> None:
    masks = np.array([True, False]), np.array([True, True])
    with pytest.raises(ValueError, match=r"`classes` must be None without .*; got \[0\]. Pass `cl"):
        dice_any.generalized_dice_score(*masks, classes=[0])
    with pytest.raises(ValueError, match="`classes` must be asked of an overlap by class; got one"):
        dice_any.overlap(*masks).select_classes([0])


@pytest.mark.parametrize("index", [["a"], [[0], ["a"]]])
def test_an_index_of_other_things(index: list[Any]) -> None:
    with pytest.raises(TypeError, match="got a list with str in it"):
        BY_CLASS[index]


@pytest.mark.parametrize("index", [[[0], [1, 2]], [0, [1]]])
def test_a_ragged_index(index: list[Any]) -> None:
    with pytest.raises(ValueError, match="must hold lists of one length on each level; got ragged"):
        BY_CLASS[index]


def test_columns_of_numbers_and_of_other_things() -> None:
    one = dice_any.overlap(np.array([True]), np.array([True]))
    assert one.to_table(scores={"fixed": lambda overlap: 0.25}) == {"fixed": [0.25]}
    for overlap, answer in ((BY_CLASS, 0.25), (one, "good")):
        with pytest.raises(TypeError, match="`scores` must return arrays; got .* of 'fixed'"):
            overlap.to_table(scores={"fixed": lambda overlap, answer=answer: answer})


def test_an_overlap_says_where_another_goes() -> None:
    strict = pytest.importorskip("array_api_strict")
    there = dice_any.overlap(strict.asarray([True]), strict.asarray([True]))
    moved = Overlap.from_dict(BY_CLASS.to_dict(), like=there)
    assert type(moved.tp) is type(strict.asarray([1]))
    assert moved.to_dict() == BY_CLASS.to_dict()


def test_ids_of_two_types() -> None:
    with pytest.raises(TypeError, match="`b` must have the dtype of `a`, int64; got int32. Conv"):
        dice_any.set_overlap(np.array([1, 2]), np.array([1, 2], dtype=np.int32))
