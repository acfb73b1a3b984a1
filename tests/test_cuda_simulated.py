"""The CUDA kernel in Numba's simulator, beyond the conformance kit: its results against the
reference.
"""

from __future__ import annotations

import ctypes
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from cuda_simulator import KERNEL

from dice_any.arrays import load_library
from dice_any.kernels import limbs, reference
from dice_any.kernels.cuda import memory, run
from dice_any.reading import read
from dice_any.testing import recipe

NUMPY = load_library("numpy")
pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")

SHAPE = (2, 3, 4, 5)
X, Y = recipe.memberships(1, SHAPE), recipe.memberships(3, SHAPE)
MASK = recipe.masks(5, SHAPE)
Z = (X - np.float32(0.5)) * np.float32(12)
LABELS = recipe.labels(7, (2, 4, 5), 3)
WRONG = np.where(LABELS == 0, -1, LABELS)
WEIGHT = recipe.memberships(9, (2, 4, 5)) * np.float32(3)
INVALID = np.where(recipe.masks(11, SHAPE), X, np.float32(np.nan))
INVALID[0, 0, 0] = 1.5
BAD_WEIGHT = np.where(recipe.masks(13, (2, 4, 5)), WEIGHT, np.float32(-1))

#: name -> (prediction, target, weight, arguments)
TASKS = {
    "two arrays": (X, Y, None, {}),
    "kept axes": (X, Y, None, {"axis": (0, 2)}),
    "classes first": (X, Y, None, {"class_axis": 1, "axis": (2, 3)}),
    "classes last": (X, Y, None, {"class_axis": 3}),
    "classes between kept axes": (X, Y, None, {"class_axis": 2, "axis": (0,)}),
    "a mask as target": (X, MASK, None, {"class_axis": 1}),
    "a mask as prediction": (MASK, Y, None, {}),
    "float64": (recipe.memberships(15, SHAPE, "float64"), Y, None, {"axis": (3,)}),
    "a label map": (X, LABELS, None, {"class_axis": 1}),
    "ignored": (X, LABELS, None, {"class_axis": 1, "ignore_label": 1, "axis": (2, 3)}),
    "ignored out of range": (X, WRONG.astype(np.int8), None, {"class_axis": 1, "ignore_label": -1}),
    "labels out of range": (X, WRONG, None, {"class_axis": 1}),
    "weights": (X, LABELS, WEIGHT, {"class_axis": 1, "ignore_label": 2}),
    "weights of one sample": (X, Y, WEIGHT[:1, None], {"class_axis": 1}),
    "weights of each class": (
        X,
        Y,
        recipe.memberships(17, SHAPE),
        {"class_axis": 1, "axis": "space"},
    ),
    "integer weights": (X, Y, recipe.integers(19, SHAPE, 2**31), {"axis": (1, 3)}),
    "a mask as weight": (X, LABELS, recipe.masks(21, (2, 4, 5)), {"class_axis": 1}),
    "weights out of range": (X, LABELS, BAD_WEIGHT, {"class_axis": 1}),
}


def described(prediction, target, weight, entropy=None, **arguments):
    return replace(read(prediction, target, weight=weight, **arguments)[1], entropy=entropy)


def both(prediction, target, weight, **arguments):
    """Return the kernel's sums and the reference's."""
    task = described(prediction, target, weight, **arguments)
    assert KERNEL.accepts(task) is True
    answers = [kernel.overlap(task, prediction, target, weight) for kernel in (KERNEL, reference)]
    if task.kind == "exact":
        answers = [limbs.carry(NUMPY, sums) for sums in answers]
    assert answers[0].shape == answers[1].shape
    return answers


def gradients(prediction, target, weight, wide=True, **arguments):
    """Return the kernel's gradient, and the reference's of the same numbers in float64."""
    task = described(prediction, target, weight, exact=False, **arguments)
    slopes = (
        recipe.memberships(23, reference.overlap(task, prediction, target, weight).shape, "float64")
        - 0.5
    )
    got = KERNEL.overlap_vjp(task, prediction, target, weight, slopes)
    assert (got.shape, got.dtype) == (prediction.shape, prediction.dtype)
    prediction = prediction.astype(np.float64)
    task = described(prediction, target, weight, exact=False, **arguments)
    return got, reference.overlap_vjp(task, prediction, target, weight, slopes)


@pytest.mark.parametrize("form", ["product", "squared", "minimum"])
@pytest.mark.parametrize("name", TASKS)
def test_memberships(name: str, form: str) -> None:
    x, y, weight, arguments = TASKS[name]
    got, expected = both(x, y, weight, form=form, exact=True, **arguments)
    np.testing.assert_array_equal(got, expected)
    got, expected = both(x, y, weight, form=form, exact=False, **arguments)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    if x.dtype != bool:
        got, expected = gradients(x, y, weight, form=form, **arguments)
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6 * np.max(np.abs(expected)))


def test_what_is_invalid_is_counted() -> None:
    got, expected = both(INVALID, Y, None, class_axis=1, exact=True)
    assert expected[4].any()
    np.testing.assert_array_equal(got, expected)
    got, expected = both(INVALID, Y, None, class_axis=1, exact=False)
    assert expected[4].any()
    np.testing.assert_allclose(got, expected, rtol=1e-6)


#: name -> (target, weight, arguments)
LOGITS = {
    "plain": (LABELS, None, {}),
    "ignored": (LABELS, None, {"ignore_label": 0, "axis": "space"}),
    "weights": (LABELS, np.where(LABELS == 1, np.float32(0), WEIGHT), {"ignore_label": 2}),
    "memberships": (Y, None, {"axis": (2, 3)}),
    "masks": (MASK, None, {}),
}


@pytest.mark.parametrize("entropy", [None, 0.0, 2.0])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("name", LOGITS)
def test_logits(name: str, activation: str, entropy: float | None) -> None:
    y, weight, arguments = LOGITS[name]
    form = {"plain": "product", "ignored": "squared"}.get(name, "minimum")
    arguments = {
        **arguments,
        "class_axis": 1,
        "activation": activation,
        "form": form,
        "entropy": entropy,
    }
    got, _ = both(Z, y, weight, exact=False, **arguments)
    _, expected = both(Z.astype(np.float64), y, weight, exact=False, **arguments)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-7)
    got, expected = gradients(Z, y, weight, **arguments)
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_logits_of_float64_with_the_classes_last(activation: str) -> None:
    z = np.ascontiguousarray(np.moveaxis(Z, 1, -1)).astype(np.float64)
    arguments = {"class_axis": -1, "activation": activation, "entropy": 2.0}
    got, expected = both(z, LABELS, None, exact=False, **arguments)
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    got, expected = gradients(z, LABELS, None, **arguments)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_what_is_ignored_may_be_anything() -> None:
    z = Z.copy()
    z[:, :, 1] = np.nan
    y = LABELS.copy()
    y[:, 1] = 99
    arguments = {"class_axis": 1, "activation": "softmax", "ignore_label": 99, "entropy": 0.0}
    got, _ = both(z, y, None, exact=False, **arguments)
    rest = np.delete(z, 1, axis=2), np.delete(y, 1, axis=1)
    np.testing.assert_allclose(got, both(*rest, None, exact=False, **arguments)[1], rtol=1e-6)
    gradient, _ = gradients(z, y, None, **arguments)
    assert not gradient[:, :, 1].any()
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(dtype: str) -> None:
    if dtype == "bfloat16":
        dtype = pytest.importorskip("ml_dtypes").bfloat16
    z = Z.astype(dtype)
    arguments = {"class_axis": 1, "activation": "softmax"}
    got, _ = both(z, LABELS, None, exact=False, **arguments)
    _, expected = both(z.astype(np.float64), LABELS, None, exact=False, **arguments)
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    got, expected = gradients(z, LABELS, None, **arguments)
    bits = 11 if dtype == "float16" else 8
    np.testing.assert_allclose(got.astype(np.float64), expected, rtol=2.0**-bits, atol=2.0**-24)


#: name -> (prediction, target, weight, arguments)
HARD = {
    "masks": (MASK, ~MASK | (X > 0.5), None, {}),
    "masks of classes": (MASK, X > 0.5, None, {"class_axis": 1, "axis": (0, 3)}),
    "masks against labels": (MASK, LABELS, None, {"class_axis": 1, "ignore_label": 1}),
    "masked": (MASK, X > 0.5, Y > 0.5, {"axis": "space"}),
    "integer weights": (MASK, X > 0.5, recipe.integers(25, SHAPE, 9), {}),
    "weights out of range": (MASK, X > 0.5, recipe.integers(25, SHAPE, 9) - 4, {}),
    "labels": (recipe.labels(27, (2, 4, 5), 4), LABELS, None, {"num_classes": 3, "axis": "space"}),
    "labels ignored": (
        recipe.labels(27, (2, 4, 5), 4),
        LABELS,
        MASK[:, 0],
        {"num_classes": 4, "ignore_label": 2},
    ),
    "labels both wrong": (WRONG, WRONG, None, {"num_classes": 2}),
    "scores": (
        np.where(X > 0.9, np.float32(np.nan), Z),
        LABELS,
        None,
        {"class_axis": 1, "activation": "argmax"},
    ),
    "scores that are equal": (
        np.round(Z / 4),
        LABELS,
        None,
        {"class_axis": 1, "activation": "argmax"},
    ),
}


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "global"])
@pytest.mark.parametrize("name", HARD)
def test_counts(monkeypatch: pytest.MonkeyPatch, name: str, shared: bool) -> None:
    """With and without a block's shared memory."""
    if not shared:
        monkeypatch.setattr(run, "BLOCK_BINS", 0)
    x, y, weight, arguments = HARD[name]
    got, expected = both(x, y, weight, **arguments)
    assert got.dtype == np.int64
    np.testing.assert_array_equal(got, expected)
    if not name.startswith("labels"):
        return
    task = described(x, y, weight, **arguments)
    got, expected = (kernel.confusion_matrix(task, x, y, weight) for kernel in (KERNEL, reference))
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
)
def test_labels_of_every_type(dtype: str) -> None:
    y = LABELS.astype(dtype)
    y[0, 0] = np.iinfo(dtype).max
    got, _ = both(X, y, None, class_axis=1, exact=True, ignore_label=int(np.iinfo(dtype).max))
    keep = y != np.iinfo(dtype).max
    for c in range(3):
        assert got[2, 0, c] == int(((y == c) & keep).sum())
        assert got[3, 0, c] == int(keep.sum())


LAYOUTS = {
    "fortran": np.asfortranarray,
    "reversed": lambda a: np.ascontiguousarray(a[::-1, ..., ::-1])[::-1, ..., ::-1],
    "every other": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "turned": lambda a: np.ascontiguousarray(a.T).T,
    "read-only": lambda a: _read_only(a),
}


def _read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_change_no_bit(layout: str) -> None:
    lay = LAYOUTS[layout]
    arguments = {"class_axis": 1, "axis": (0, 3), "exact": True}
    expected, _ = both(X, Y, None, **arguments)
    np.testing.assert_array_equal(both(lay(X), Y, None, **arguments)[0], expected)
    np.testing.assert_array_equal(both(X, lay(Y), None, **arguments)[0], expected)
    arguments = {"class_axis": 1, "activation": "softmax", "ignore_label": 1}
    expected, _ = gradients(Z, LABELS, None, **arguments)
    np.testing.assert_array_equal(gradients(lay(Z), lay(LABELS), None, **arguments)[0], expected)


def test_the_number_of_blocks_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = {"class_axis": 1, "activation": "softmax", "entropy": 0.0, "exact": False}
    expected, _ = both(Z, LABELS, WEIGHT, **arguments)
    for blocks in (1, 7):
        monkeypatch.setattr(run, "MOST_BLOCKS", blocks)
        np.testing.assert_array_equal(both(Z, LABELS, WEIGHT, **arguments)[0], expected)


def test_broadcast_arrays_and_one_element() -> None:
    x = np.broadcast_to(np.float32(0.7), (4, 50))
    got, expected = both(x, x, None, axis=1, exact=True)
    np.testing.assert_array_equal(got, expected)
    one = np.ones((), np.float32)
    got, expected = both(one, one, None, exact=True)
    np.testing.assert_array_equal(got, expected)


# -- PyTorch's tensors, by the code that hands a GPU's memory over ---------------------------------


def _memory(stretch, sync):
    """Return the numbers that a CUDA array interface points to, here in the memory of the host."""
    assert sync is False
    interface = stretch.__cuda_array_interface__
    dtype, (length,), (address, _) = (
        np.dtype(interface["typestr"]),
        interface["shape"],
        interface["data"],
    )
    assert "stream" not in interface
    numbers = (ctypes.c_char * (length * dtype.itemsize)).from_address(address)
    numbers.owner = stretch  # Numba's arrays too keep alive what they were made of
    return np.frombuffer(numbers, dtype=dtype)


@pytest.fixture
def torch_memory(monkeypatch: pytest.MonkeyPatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(memory.cuda, "as_cuda_array", _memory, raising=False)
    seam = memory.Torch()
    monkeypatch.setattr(seam, "on", lambda tensor: nullcontext(0))
    return torch, seam


@pytest.mark.parametrize(
    "name", ["a label map", "weights", "classes between kept axes", "a mask as target"]
)
def test_memory_of_tensors(torch_memory, name: str) -> None:
    torch, seam = torch_memory
    x, y, weight, arguments = TASKS[name]
    task = described(x, y, weight, exact=True, **arguments)
    tensors = [None if a is None else torch.asarray(a.copy()) for a in (x, y, weight)]
    got = run.sums(seam, task, tensors[0].mT.contiguous().mT, *tensors[1:])
    assert got.dtype == torch.int64
    expected = limbs.carry(NUMPY, reference.overlap(task, x, y, weight))
    np.testing.assert_array_equal(limbs.carry(NUMPY, got.numpy()), expected)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_gradients_of_tensors(torch_memory, dtype: str) -> None:
    torch, seam = torch_memory
    z = torch.asarray(Z).to(getattr(torch, dtype)).requires_grad_()
    task = replace(
        described(Z, LABELS, None, class_axis=1, activation="softmax", exact=False),
        dtypes=(dtype, "int64", None),
    )
    slopes = torch.asarray(recipe.memberships(29, (5, 3), "float64"))
    got = run.gradient(seam, task, z, torch.asarray(LABELS), None, slopes.T.contiguous().T)
    assert (got.dtype, got.shape, got.requires_grad) == (z.dtype, z.shape, False)
    wide = z.detach().to(torch.float64).numpy()
    task = described(wide, LABELS, None, class_axis=1, activation="softmax", exact=False)
    expected = reference.overlap_vjp(task, wide, LABELS, None, slopes.numpy())
    rtol = {"float32": 2e-5, "float16": 2.0**-11, "bfloat16": 2.0**-8}[dtype]
    np.testing.assert_allclose(got.to(torch.float64).numpy(), expected, rtol=rtol, atol=1e-6)


def test_label_maps_of_tensors(torch_memory) -> None:
    torch, seam = torch_memory
    x, y, weight, arguments = HARD["labels"]
    task = described(x, y, weight, **arguments)
    got = run.label_counts(seam, task, torch.asarray(x), torch.asarray(y), None)
    np.testing.assert_array_equal(got.numpy(), reference.overlap(task, x, y, None))
