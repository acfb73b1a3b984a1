"""Exact steps of reference and kernels, on NumPy and PyTorch: a gradient from memberships that the
forward pass kept has the bits of the gradient that computes them again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dice_any import kernels
from dice_any.arrays import library_of
from dice_any.kernels import reference
from dice_any.kernels.limbs import carry
from dice_any.reading import read_ignoring, read_regions
from dice_any.testing import recipe

#: an odd number of elements, so that blocks end in half a vector of float64
CLASSES, SHAPE = 3, (3, 45, 41)
Y = recipe.labels(3, SHAPE, CLASSES)
SOFT = recipe.memberships(4, (SHAPE[0], CLASSES, *SHAPE[1:]))
BY_ELEMENT, BY_CLASS = recipe.memberships(5, SHAPE), recipe.memberships(6, SOFT.shape)
BY_ELEMENT[:, ::5], BY_CLASS[:, 1, ::4], BY_CLASS[:, :, 7] = 0, 0, 0
#: the kernels that keep, and the library of the arrays
KERNELS = ["reference numpy", "reference torch", "numba numpy", "numba torch"]
#: what is asked for, beside softmax, and whether memberships are kept for it
ASKED: dict[str, tuple[dict[str, Any], bool]] = {
    "product": ({}, True),
    "squared": ({"form": "squared"}, True),
    "minimum": ({"form": "minimum"}, True),
    "each case": ({"axis": "space"}, True),
    "ignored labels": ({"ignore_label": 1}, True),
    "weights": ({"weight": BY_ELEMENT}, True),
    "soft targets": ({"target": SOFT}, True),
    "soft targets in float64": ({"target": SOFT.astype(np.float64)}, True),
    "soft targets, minimum": ({"target": SOFT, "form": "minimum"}, True),
    "weights by class": ({"target": SOFT, "weight": BY_CLASS}, True),
    "regions": ({"regions": ((0, 1), (1, 2)), "form": "squared"}, True),
    "cross-entropy": ({"entropy": 0.0, "weight": BY_ELEMENT}, True),
    "focal": ({"entropy": 2.0}, False),
    "sigmoid": ({"activation": "sigmoid"}, False),
}
LAYOUTS = {
    "contiguous": lambda a: a,
    "classes last": lambda a: np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1),
    "every other": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
}


def logits(dtype: str) -> np.ndarray:
    """Return logits with memberships from 2⁻⁵⁰ to all but 1, and below, where they are 0."""
    z = recipe.memberships(1, SOFT.shape, "float64") * 80 - 40
    z[:, 2, ::9] = -np.inf
    return z.astype(dtype)


def described(z: np.ndarray, **arguments: Any) -> tuple[Any, ...]:
    """Return the task of NumPy's arrays, and the arrays."""
    given = {"class_axis": 1, "activation": "softmax", "exact": True, **arguments}
    target = given.pop("target", Y)
    reader = read_regions if "regions" in given else read_ignoring
    _, task, *arrays = reader(z, target, **given)
    return task, *arrays


def numpy_of(array: Any) -> np.ndarray:
    return np.asarray(array)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("name", KERNELS)
def test_the_same_bits(name: str, asked: str, dtype: str, layout: str) -> None:
    which, module = name.split()
    arguments, keeps = ASKED[asked]
    z = LAYOUTS[layout](logits(dtype))
    task, *arrays = described(z, **arguments)
    kernel = reference
    if which == "numba":
        pytest.importorskip("numba")
        kernel = kernels.load_kernel(
            next(plugin for plugin in kernels.BUILTIN if plugin.module == module)
        )
        accepted = kernel.accepts(replace(task, library=module)) is True
        if task.regions is not None or not accepted:  # no kernel is asked about regions
            pytest.skip("the kernel leaves it to the reference")
    # by the reference, on whole arrays of NumPy
    plain = np.ascontiguousarray(arrays[0]), *arrays[1:]
    expected = carry(library_of(z), reference.overlap(task, *plain))
    slopes = recipe.memberships(9, expected.shape[:1] + expected.shape[2:], "float64") - 0.5
    gradient = reference.overlap_vjp(task, *plain, slopes)
    given = arrays
    if module == "torch":
        torch = pytest.importorskip("torch")
        task = replace(task, library="torch")
        given = [None if a is None else torch.from_numpy(a) for a in arrays]
        slopes = torch.from_numpy(slopes)

    sums, kept = kernel.overlap_keeping(task, *given)
    assert (kept is not None) == (keeps and dtype != "float16")
    assert np.array_equal(numpy_of(carry(library_of(sums), sums)), expected)
    again = kernel.overlap_vjp(task, *given, slopes)
    assert np.array_equal(numpy_of(again), gradient)
    if kept is not None:
        over = kernel.overlap_vjp_over(task, kept, *given[1:], slopes)
        assert np.shares_memory(numpy_of(over), numpy_of(kept))
        assert np.array_equal(numpy_of(over), gradient)
        assert numpy_of(over).dtype == z.dtype
