"""The CUDA kernel without a GPU: it is listed, says why it cannot be used, and harms no call."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import dice_any
from dice_any import kernels
from dice_any.kernels.cuda.kernel import Kernel
from dice_any.reading import read
from dice_any.testing import capabilities

KERNEL = Kernel("torch")
KERNEL._problem.append(None)  # as if there were a GPU


def described(*shapes, dtypes=("float32", "int64", None), **arguments):
    arrays = [
        None if dtype is None else np.zeros(shape, dtype)
        for shape, dtype in zip(shapes, dtypes, strict=False)
    ]
    arrays += [None] * (3 - len(arrays))
    task = read(*arrays[:2], weight=arrays[2], **arguments)[1]
    return replace(task, library="torch", device="cuda:0")


def test_it_is_for_arrays_on_a_gpu_only() -> None:
    task = described((2, 3, 4), (2, 4), class_axis=1, activation="softmax", exact=False)
    assert KERNEL.accepts(task) is True
    assert (
        KERNEL.accepts(replace(task, device="cpu"))
        == "it computes on NVIDIA GPUs; the arrays are on cpu"
    )
    assert "too few" in KERNEL.worthwhile(task)
    assert KERNEL.worthwhile(replace(task, shapes=((2, 3, 2**20), (2, 2**20), None))) is True
    many = replace(task, shapes=((2**20, 3, 4), (2**20, 4), None), axis=(2,))
    assert KERNEL.worthwhile(many) == "4 elements a sum are too few for a block of threads"


#: a part of the reason -> a task
DECLINED = {
    "exact sums of logits": described(
        (2, 3, 4), (2, 4), class_axis=1, activation="softmax", exact=True
    ),
    "label maps with numbers as weights": described(
        (2, 4), (2, 4), (2, 4), dtypes=("int64", "int64", "float32"), num_classes=3
    ),
    "labels against masks": described(
        (2, 3, 4), (2, 3, 4), dtypes=("float32", "bool"), class_axis=1, activation="argmax"
    ),
    "weights of their own": described(
        (2, 3, 4),
        (2, 3, 4),
        (2, 3, 4),
        dtypes=("float32",) * 3,
        class_axis=1,
        activation="softmax",
        exact=False,
    ),
    "it does not know float8": replace(
        described((3,), (3,), dtypes=("float32", "bool")), dtypes=("float8", "bool", None)
    ),
}


@pytest.mark.parametrize("reason", DECLINED)
def test_what_is_declined_says_why(reason: str) -> None:
    assert reason in KERNEL.accepts(DECLINED[reason])


def test_the_kit_hands_it_tensors_on_the_gpu() -> None:
    names = {plugin.module: plugin for plugin in kernels.BUILTIN if plugin.name == "cuda"}
    assert {module: capabilities.host(plugin) for module, plugin in names.items()} == {
        "cupy": "cupy",
        "torch": "torch-cuda",
    }
    assert capabilities.kernel("cuda") is names["cupy"]
    assert capabilities.kernel("cuda-torch") is names["torch"]
    assert capabilities.limit("cuda-torch", "errors") == capabilities.limit("torch-cuda", "errors")


def test_backends_says_why_it_cannot_be_used() -> None:
    lines = [line for line in dice_any.backends() if line.name == "cuda"]
    assert {module for line in lines for module in line.modules} == {"cupy", "torch"}
    for line in lines:
        assert (
            line.usable
            or "CUDA" in line.problem
            or "numba-cuda" in line.problem
            or "turned off" in line.problem
        )


def test_without_numba_cuda_everything_else_works() -> None:
    pytest.importorskip("torch")
    code = (
        "import importlib.util as util; find = util.find_spec\nutil.find_spec = lambda name, "
        "*rest: None if name in ('numba_cuda', 'numba') else find(name, *rest)\nimport torch, "
        "dice_any\nx = torch.ones(2**20)\nassert dice_any.dice_score(x, x) == 1\n"
        "print([line.problem for line in dice_any.backends() if line.name == 'cuda'])\n"
        "dice_any.dice_score(x, x, backend='cuda')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "numba-cuda is not installed: pip install 'dice_any[cuda]'" in done.stdout, done.stderr
    assert "LookupError" in done.stderr


def test_tensors_of_the_host_never_reach_it() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("numba_cuda")
    x = torch.ones(8)
    with pytest.raises(
        ValueError, match="'cuda' declines: it computes on NVIDIA GPUs; the arrays are on cpu"
    ):
        dice_any.dice_score(x, x, backend="cuda")
