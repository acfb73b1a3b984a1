"""The CUDA kernel on NumPy's arrays in Numba's simulator of a GPU: a plugin for pytest, and for
`test_cuda`.

    NUMBA_ENABLE_CUDASIM=1 PYTHONPATH=tests pytest -p cuda_simulator --pyargs dice_any.testing
    --backend cuda-numpy

The simulator runs each thread of a GPU as a Python thread, so arrays and blocks are small here.
"""

from __future__ import annotations

import os
import sys
import threading
from types import SimpleNamespace

from dice_any.arrays.library import elements
from dice_any.kernels import loading
from dice_any.kernels.cuda.kernel import Kernel
from dice_any.plugins import Plugin

ENABLED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
MOST_ELEMENTS = 600


class Simulated(Kernel):
    """Sizes that a simulator can compute in a short time."""

    def accepts(self, task):
        size = max(elements(shape) for shape in task.shapes if shape is not None)
        if size * (task.num_classes or 1) > 4 * MOST_ELEMENTS or size > MOST_ELEMENTS:
            return f"{size} elements are too many for the simulator"
        return super().accepts(task)


class Allocations(dict):
    """The shared arrays of a simulated block. Without this, two threads that request one at the
    same time would get different arrays.
    """

    lock = threading.Lock()

    def get(self, line):
        self.lock.acquire()
        found = super().get(line)
        if found is not None:
            self.lock.release()
        return found

    def __setitem__(self, line, array):
        super().__setitem__(line, array)
        self.lock.release()


KERNEL = Simulated("numpy")

if ENABLED:
    from numba.cuda.simulator import kernelapi

    from dice_any.kernels.cuda import run, sums

    class Shared(kernelapi.FakeCUDAShared):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self._allocations = Allocations()

    kernelapi.FakeCUDAShared = Shared

    # several blocks of several threads with several elements each, in unusual numbers
    run.THREADS, run.EACH, run.FEWEST_BLOCKS, run.MOST_BLOCKS, sums.GROUPS = 6, 5, 1, 3, 2
    # the simulator's main thread only checks whether the others are done: switch to them sooner
    sys.setswitchinterval(1e-5)
    PLUGIN = Plugin("numpy", "cuda", "dice_any", SimpleNamespace(load=lambda: KERNEL))
    loading.BUILTIN.append(PLUGIN)
    loading.built_in("numpy").append(PLUGIN)


def pytest_configure(config):
    # arithmetic modulo 2⁶⁴ is intended; the simulated threads use NumPy's numbers, which warn of it
    config.addinivalue_line("filterwarnings", "ignore:overflow encountered:RuntimeWarning")
