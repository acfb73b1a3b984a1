"""Objects that hold arrays but are none: each message names a fitting cure, and the cure works."""

from __future__ import annotations

import array
import collections
import ctypes
import io
import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.testing.advice import follow

P = np.array([[1, 1, 1, 0, 0], [0, 0, 1, 1, 0]], dtype=bool)
T = np.array([[1, 0, 0, 1, 0], [0, 0, 1, 0, 1]], dtype=bool)
DICE = 2 * 2 / (5 + 4)
LABELS_P, LABELS_T = P + 2 * np.roll(P, 1), T + 2 * np.roll(T, 1)
OF_LABELS = [
    2
    * int(((c == LABELS_P) & (c == LABELS_T)).sum())
    / int((c == LABELS_P).sum() + (c == LABELS_T).sum())
    for c in range(4)
]


def says(*parts: str) -> str:
    return ".*".join(re.escape(part) for part in parts)


# -- Python's own ----------------------------------------------------------------------------------


def flat(make: Callable[[list[float]], Any]) -> tuple[Any, Any]:
    return make(P.ravel().astype(float).tolist()), make(T.ravel().astype(float).tolist())


def c_array(numbers: list[float]) -> Any:
    return (ctypes.c_double * len(numbers))(*numbers)


def npz(values: np.ndarray) -> Any:
    buffer = io.BytesIO()
    np.savez(buffer, mask=values)
    buffer.seek(0)
    return np.load(buffer)


PYTHONS: dict[str, tuple[Any, Any]] = {
    "nested lists": (P.tolist(), T.tolist()),
    "tuples": (tuple(P.ravel().tolist()), tuple(T.ravel().tolist())),
    "numbers": flat(list),
    "deque": flat(collections.deque),
    "generator": flat(lambda numbers: (n for n in numbers)),
    "array.array": flat(lambda numbers: array.array("d", numbers)),
    "ctypes": flat(c_array),
    "memoryview": (memoryview(P), memoryview(T)),
    "bytes": (P.tobytes(), T.tobytes()),
    "bytearray": (bytearray(P), bytearray(T)),
    "dictionary": ({"out": P}, {"mask": T}),
    "NpzFile": (npz(P), npz(T)),
    "lists of arrays": (list(P), list(T)),
    "flatiter": (P.flat, T.flat),
}


@pytest.mark.parametrize("name", PYTHONS)
def test_pythons_own(name: str) -> None:
    prediction, target = PYTHONS[name]
    picks = ("numpy.stack(prediction)", "numpy.stack(target)") if name == "lists of arrays" else ()
    picks = ("masks of 0 and another number",) if name in ("bytes", "bytearray") else picks
    score = follow(dice_any.dice_score, prediction, target, picks=picks, given={})
    assert float(score) == pytest.approx(DICE)


WITHOUT_CODE = {
    "text": ("mask.nii.gz", says("got str", "Read the file, and pass the array that it holds")),
    "path": (pathlib.Path("mask.nii.gz"), says("Path. Read the file")),
    "ragged": (
        [[True], [True, False]],
        says("got list", "Pad its rows to one length", "`weight` of 0"),
    ),
    "list of names": (["a", "b"], says("got list", "Pass an array of numbers")),
    "set": ({1, 2}, says("got set", "`dice_any.set_overlap(a, b)`")),
    "function": (len, says("Call it, and pass what it returns")),
    "class": (np.ndarray, says("got type", "Pass an array of that class")),
    "dtype": (np.dtype(int), says("must be an array")),
    "complex": (1j, says("got complex", "real part or its absolute value")),
    "nothing": (None, says("Pass both arrays, or one `Overlap`")),
    "slice": (slice(1), says("must be an array", "got slice")),
    "nditer": (np.nditer(P), says("must be an array", "got numpy.nditer")),
}


@pytest.mark.parametrize("name", WITHOUT_CODE)
@pytest.mark.parametrize("function", [dice_any.dice_score, dice_any.overlap, dice_any.dice_loss])
def test_what_no_code_makes_an_array_of(function, name: str) -> None:
    value, message = WITHOUT_CODE[name]
    for arrays in ((value, P), (P, value)):
        with pytest.raises(TypeError, match=message):
            function(*arrays)


def test_an_overlap_in_place_of_an_array() -> None:
    counts = dice_any.overlap(P, T)
    for call in (
        lambda: dice_any.overlap(counts, T),
        lambda: dice_any.dice_score(P, counts),
        lambda: dice_any.pairwise_overlap(P, counts),
        lambda: dice_any.confusion_matrix(counts, counts, num_classes=2),
        lambda: dice_any.dice_loss(P, T, weight=counts),
        lambda: dice_any.lovasz_loss(P.astype(float), counts),
    ):
        with pytest.raises(
            TypeError,
            match=says("An overlap is summed already: pass it alone, to a score or a loss"),
        ):
            call()


# -- what other packages hold arrays in ------------------------------------------------------------


def of_scipy(
    name: str, values: Callable[[np.ndarray], np.ndarray]
) -> Callable[[], tuple[Any, Any]]:
    def make() -> tuple[Any, Any]:
        cls = getattr(pytest.importorskip("scipy.sparse"), name)
        return cls(values(P)), cls(values(T))

    return make


def xarrays(lazy: bool = False) -> tuple[Any, Any]:
    """Return one raster north-up and one south-up, with axes in different orders."""
    xarray = pytest.importorskip("xarray")
    dims, rows = ("y", "x"), {"y": [10.0, 20.0], "x": range(5)}
    prediction = xarray.DataArray(P, dims=dims, coords=rows)
    target = (
        xarray.DataArray(T, dims=dims, coords=rows)
        .isel(y=slice(None, None, -1))
        .transpose("x", "y")
    )
    if lazy:
        pytest.importorskip("dask.array")
        return prediction.chunk({"y": -1, "x": -1}), target.chunk({"y": -1, "x": -1})
    return prediction, target


def xarray_dataset() -> tuple[Any, Any]:
    return tuple(array.to_dataset(name="mask") for array in xarrays())  # type: ignore[return-value]


def nibabel_images() -> tuple[Any, Any]:
    """Return images whose labels are read as floating numbers with rounding errors."""
    nibabel = pytest.importorskip("nibabel")
    images = []
    for labels in (LABELS_P, LABELS_T):
        image = nibabel.Nifti1Image(labels.astype(np.float64), np.eye(4))
        image.header.set_data_dtype(np.uint8)
        images.append(nibabel.Nifti1Image.from_bytes(image.to_bytes()))
    return images[0], images[1]


def sitk_images() -> tuple[Any, Any]:
    sitk = pytest.importorskip("SimpleITK")
    return tuple(sitk.GetImageFromArray(m.astype(np.uint8)) for m in (LABELS_P, LABELS_T))  # type: ignore[return-value]


def pillow_images() -> tuple[Any, Any]:
    image = pytest.importorskip("PIL.Image")
    return tuple(image.fromarray(m * np.uint8(255)) for m in (P, T))  # type: ignore[return-value]


def zarrs() -> tuple[Any, Any]:
    zarr = pytest.importorskip("zarr")
    return zarr.array(P), zarr.array(T)


def hdf5() -> tuple[Any, Any]:
    h5py = pytest.importorskip("h5py")
    file = h5py.File("memory", "w", driver="core", backing_store=False)
    return file.create_dataset("p", data=P), file.create_dataset("t", data=T)


def pandas_frames() -> tuple[Any, Any]:
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(P), pandas.DataFrame(T)


def pandas_series() -> tuple[Any, Any]:
    pandas = pytest.importorskip("pandas")
    return pandas.Series(P.ravel()), pandas.Series(T.ravel())


def polars_frames(lazy: bool = False) -> tuple[Any, Any]:
    polars = pytest.importorskip("polars")
    frames = polars.DataFrame(P.tolist(), orient="row"), polars.DataFrame(T.tolist(), orient="row")
    return tuple(frame.lazy() for frame in frames) if lazy else frames  # type: ignore[return-value]


def arrow() -> tuple[Any, Any]:
    pyarrow = pytest.importorskip("pyarrow")
    return pyarrow.array(P.ravel()), pyarrow.array(T.ravel())


def quantities() -> tuple[Any, Any]:
    pint = pytest.importorskip("pint")
    unit = pint.UnitRegistry().dimensionless
    return P.astype(float) * unit, T.astype(float) * unit


def dask_frames() -> tuple[Any, Any]:
    frames = pytest.importorskip("dask.dataframe", exc_type=ImportError)
    pandas = pytest.importorskip("pandas")
    return tuple(frames.from_pandas(pandas.DataFrame(m), npartitions=1) for m in (P, T))  # type: ignore[return-value]


def delayed() -> tuple[Any, Any]:
    dask = pytest.importorskip("dask")
    return dask.delayed(P), dask.delayed(T)


#: the function that makes the objects, which advice to follow, the result
HOLDERS: dict[str, tuple[Callable[[], tuple[Any, Any]], tuple[str, ...], Any]] = {
    "sparse booleans": (of_scipy("csr_array", lambda m: m), (), DICE),
    "sparse floating numbers": (of_scipy("coo_array", lambda m: m * 1.0), (), DICE),
    "sparse halves": (of_scipy("csc_matrix", lambda m: m * 0.5), (), 4 * 0.25 / (9 * 0.5)),
    "sparse indicators": (of_scipy("csr_matrix", lambda m: m * 1), ("mark members",) * 2, DICE),
    "sparse labels": (
        of_scipy("lil_array", lambda m: m + 2 * np.roll(m, 1)),
        ("labels",) * 2,
        OF_LABELS,
    ),
    "xarray": (xarrays, (), DICE),
    "lazy xarray": (lambda: xarrays(lazy=True), (), DICE),
    "xarray dataset": (xarray_dataset, (), DICE),
    "nibabel": (nibabel_images, (), OF_LABELS),
    "SimpleITK": (sitk_images, (), OF_LABELS),
    "Pillow": (pillow_images, ("masks of",), DICE),
    "Zarr": (zarrs, (), DICE),
    "HDF5": (hdf5, (), DICE),
    "pandas frame": (pandas_frames, (), DICE),
    "pandas series": (pandas_series, (), DICE),
    "Polars frame": (polars_frames, (), DICE),
    "lazy Polars frame": (lambda: polars_frames(lazy=True), (), DICE),
    "Arrow": (arrow, (), DICE),
    "Pint": (quantities, (), DICE),
    "Dask frame": (dask_frames, (), DICE),
    "delayed": (delayed, (), DICE),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_objects_that_hold_arrays(name: str) -> None:
    make, picks, expected = HOLDERS[name]
    prediction, target = make()
    with pytest.raises(TypeError, match=r"`prediction` must be .+; got .+\.") as caught:
        dice_any.dice_score(prediction, target)
    assert "(often" not in str(caught.value)
    score = follow(dice_any.dice_score, prediction, target, picks=picks, given={}, num_classes=4)
    assert np.asarray(score) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("lazy", [False, True])
def test_xarrays_are_told_of_their_interface(lazy: bool) -> None:
    """Scores have an interface that aligns; losses use xarray's own function."""
    prediction, target = xarrays(lazy=lazy)
    with pytest.raises(TypeError, match=r"`dice_any\.interfaces\.xarray\.score\(function, pred"):
        dice_any.dice_score(prediction, target)
    x, y = (array.astype(float) for array in (prediction, target))
    loss = follow(dice_any.dice_loss, x, y, given={"smooth": 0})
    assert float(loss) == pytest.approx(1 - DICE)


@pytest.mark.parametrize("library", ["torch", "jax.numpy", "dask.array"])
@pytest.mark.parametrize("name", ["xarray", "Zarr", "pandas frame", "sparse booleans"])
def test_beside_arrays_of_other_libraries(name: str, library: str) -> None:
    """The array made from an object fits the other array."""
    xp = pytest.importorskip(library)
    if name == "xarray":
        pytest.skip("an xarray beside a tensor has no coordinates to bring it to")
    make, _, _ = HOLDERS[name]
    target = xp.asarray(T)
    score = follow(dice_any.dice_score, make()[0], target, given={})
    assert float(score) == pytest.approx(DICE)
    score = follow(dice_any.dice_score, xp.asarray(P), make()[1], given={})
    assert float(score) == pytest.approx(DICE)
    for values in (P.tolist(), P.ravel().tolist()):
        score = follow(dice_any.dice_score, values, xp.reshape(target, np.shape(values)), given={})
        assert float(score) == pytest.approx(DICE)


def fake(module: str, name: str, **attributes: Any) -> Any:
    return type(name, (), {"__module__": module, **attributes})()


FAKES = {
    "TensorFlow": (fake("tensorflow.python.framework.ops", "EagerTensor"), "`prediction.numpy()`"),
    "Paddle": (fake("paddle.base", "Tensor"), "`prediction.numpy()`"),
    "MXNet": (fake("mxnet.ndarray", "NDArray"), "`prediction.asnumpy()`"),
    "MLX": (fake("mlx.core", "array"), "`numpy.asarray(prediction)`"),
    "SimpleITK": (
        fake("SimpleITK.SimpleITK", "Image"),
        "`SimpleITK.GetArrayViewFromImage(prediction)`",
    ),
    "ITK": (fake("itk.itkImagePython", "itkImageUC2"), "`itk.array_view_from_image(prediction)`"),
    "Pillow": (fake("PIL.PngImagePlugin", "PngImageFile"), "`numpy.asarray(prediction)`"),
    "netCDF4": (fake("netCDF4._netCDF4", "Variable", dtype=np.dtype(bool)), "`prediction[...]`"),
    "HDF5 group": (fake("h5py._hl.group", "Group"), "Choose one of its arrays"),
    "OpenCV": (fake("cv2", "UMat"), "`prediction.get()`"),
    "by DLPack": (fake("somewhere", "Tensor", __dlpack__=None), "`numpy.from_dlpack(prediction)`"),
    "unknown": (fake("somewhere", "Wrapper"), "Pass the array inside it"),
}


@pytest.mark.parametrize("name", FAKES)
def test_objects_of_packages_that_are_not_here(name: str) -> None:
    value, cure = FAKES[name]
    with pytest.raises(TypeError, match=says("`prediction` must be an array", cure)):
        dice_any.dice_score(value, value)
