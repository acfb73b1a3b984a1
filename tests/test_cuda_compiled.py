"""The CUDA kernel through the compiler, without a GPU: the simulator runs Python and checks no
types.

The tests need numba-cuda's compiler (the libraries NVVM and NVRTC), but neither a GPU nor a driver.
"""

from __future__ import annotations

import os
import re
from types import SimpleNamespace

import numpy as np
import pytest

from dice_any.reading import read
from dice_any.testing import recipe

pytest.importorskip("numba_cuda")
if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
    pytest.skip("the compiler is simulated", allow_module_level=True)
try:
    from cuda import pathfinder

    for library in ("nvvm", "nvrtc"):
        pathfinder.load_nvidia_dynamic_lib(library)
except Exception as error:
    pytest.skip(f"no CUDA compiler: {str(error).partition(':')[0]}", allow_module_level=True)

import numba
from numba import cuda
from numba.cuda import dispatcher

from dice_any.kernels.cuda import labels, memory, run
from dice_any.kernels.task import ROWS

CAPABILITY = (8, 0)
SHAPE = (2, 3, 4, 5)
X, Y = recipe.memberships(1, SHAPE), recipe.memberships(3, SHAPE)
MASK, LABELS, WEIGHT = (
    recipe.masks(5, SHAPE),
    recipe.labels(7, (2, 4, 5), 3),
    recipe.memberships(9, (2, 4, 5)),
)
SOFTMAX, SIGMOID = (
    {"class_axis": 1, "activation": name, "exact": False} for name in ("softmax", "sigmoid")
)

#: name -> (prediction, target, weight, arguments)
TASKS = {
    "exact": (X, Y, None, {"exact": True, "axis": (0, 2)}),
    "exact, masked, minimum": (X, MASK, MASK, {"exact": True, "form": "minimum"}),
    "exact, integer weights": (
        X,
        LABELS,
        LABELS,
        {"exact": True, "class_axis": 1, "form": "squared"},
    ),
    "plain": (X, Y.astype(np.float64), None, {"exact": False}),
    "softmax": (X, LABELS, None, SOFTMAX),
    "softmax, float64 labels uint8": (
        X.astype(np.float64),
        LABELS.astype(np.uint8),
        None,
        {**SOFTMAX, "entropy": 0.0},
    ),
    "softmax, float16": (
        X.astype(np.float16),
        LABELS.astype(np.int32),
        WEIGHT,
        {**SOFTMAX, "entropy": 2.0},
    ),
    "softmax, memberships": (X, Y, WEIGHT[:, None], {**SOFTMAX, "entropy": 2.0, "form": "squared"}),
    "sigmoid": (X, LABELS, None, {**SIGMOID, "ignore_label": 1, "entropy": 2.0, "form": "minimum"}),
    "sigmoid, masks": (X, MASK, None, {**SIGMOID, "entropy": 0.0}),
    "masks": (MASK, ~MASK, None, {}),
    "masks, integer weights": (MASK, LABELS, LABELS.astype(np.uint16), {"class_axis": 1}),
    "labels": (LABELS, LABELS.astype(np.uint64), WEIGHT > 0.5, {"num_classes": 3, "axis": "space"}),
    "many labels": (LABELS, LABELS, None, {"num_classes": 5000}),
    "scores": (X, LABELS, None, {"class_axis": 1, "activation": "argmax"}),
}


class Host(memory.Simulated):
    """Arrays with the types of arrays on a GPU."""

    def flat(self, array, written=False):
        return super().flat(array, written=True)


class Compiler:
    """Replaces a kernel: compiles it for the arguments, and launches nothing."""

    def __init__(self, kernel, made):
        self.kernel, self.made = kernel, made

    def __getitem__(self, configuration):
        return self

    def __call__(self, *arguments):
        code, _ = cuda.compile_ptx(
            self.kernel.py_func, tuple(map(numba.typeof, arguments)), cc=CAPABILITY
        )
        self.made[self.kernel.py_func.__name__] = code


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found: dict[str, str] = {}
    built, spread = run._built, labels.spread
    monkeypatch.setattr(
        dispatcher, "get_current_device", lambda: SimpleNamespace(compute_capability=CAPABILITY)
    )
    monkeypatch.setattr(run, "_built", lambda *case: Compiler(built(*case), found))
    monkeypatch.setattr(labels, "spread", Compiler(spread, found))
    return found


@pytest.mark.parametrize("name", TASKS)
def test_it_compiles(made: dict[str, str], name: str) -> None:
    x, y, weight, arguments = TASKS[name]
    x, y, weight = (None if a is None else a.copy() for a in (x, y, weight))
    task = read(x, y, weight=weight, **arguments)[1]
    if all(task.labels):
        run.label_counts(Host(), task, x, y, weight)
        assert made.keys() == {"count_tiles", "spread"}
        assert "atom" in made["count_tiles"] or "red." in made["count_tiles"]
        run.label_pairs(Host(), task, x, y, weight)
    else:
        run.sums(Host(), task, x, y, weight)
        assert made.keys() == {"sum_tiles", "fold"}
    if "float" in task.dtypes[0] and not all(task.labels):
        run.gradient(Host(), task, x, y, weight, np.ones((ROWS + 2, 3)))
        assert "fill" in made
        if (
            task.activation is None
        ):  # the bits of the reference: no product is fused with an addition
            assert "fma" not in made["fill"]
    for code in made.values():
        assert ".visible .entry" in code
        # floating numbers are added in one order
        assert not re.search(r"\b(atom|red)\.\S*\.f(16|32|64)\b", code)
