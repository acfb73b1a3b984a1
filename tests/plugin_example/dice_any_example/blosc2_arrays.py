"""blosc2: compressed, in chunks. Nothing is computed on them: what a chunk holds becomes NumPy's,
and sums are answered in NumPy's arrays.
"""

from __future__ import annotations

from types import SimpleNamespace

import blosc2
import numpy as np

from dice_any.arrays import ArrayLibrary, load_library


def astype(array, dtype, copy=True):
    return np.astype(array if isinstance(array, np.ndarray) else array[...], dtype, copy=copy)


#: NumPy's functions, but arrays are made by blosc2
namespace = SimpleNamespace(
    **{
        **vars(np),
        "asarray": lambda values, dtype=None: blosc2.asarray(np.asarray(values, dtype=dtype)),
        "zeros": blosc2.zeros,
        "astype": astype,
    }
)
WHOLE = "it looks at whole arrays; convert them by `array[...]`"


class Blosc2(ArrayLibrary):
    protocol = 1  # of dice_any, that this is written for
    #: feature of the conformance kit -> why blosc2 lacks it
    limits = {
        "pairwise": WHOLE,
        "ranked": WHOLE,
        "sets": WHOLE,
        "gradient": "has no automatic differentiation",
        "compiled": "has no compiler",
        "lazy": "computes at once",
    }

    def __init__(self):
        super().__init__("blosc2", namespace)

    def device(self, array):
        return "cpu"

    def constant(self, values, dtype, like):
        return np.asarray(values, dtype=dtype)

    def tolist(self, array):
        return array[...].tolist()

    def run(self, function, task, *arrays, lead, tail):
        """Add the sums of slabs as thick as a chunk; of what cannot be cut on the first axis, make
        one.
        """
        prediction, numpy = arrays[0], load_library("numpy")
        if 0 not in task.axis or task.class_axis == 0:
            whole = [_slab(array, 0, None) for array in arrays]
            return numpy.run(function, task, *whole, lead=lead, tail=tail)
        step, total = prediction.chunks[0], None
        for start in range(0, prediction.shape[0], step):
            blocks = [_slab(array, start, step) for array in arrays]
            part = numpy.run(function, task, *blocks, lead=lead, tail=tail)
            total = part if total is None else total + part
        return total

    def map(self, function, task, *arrays):
        blocks = [_slab(array, 0, None) for array in arrays]
        return blosc2.asarray(load_library("numpy").map(function, task, *blocks))

    @property
    def version(self):
        return blosc2.__version__


def _slab(array, start, step):
    """Return a slab of an array as NumPy's; what has the length 1 there belongs to each."""
    if array is None or isinstance(array, np.ndarray):
        return array
    if step is None or not array.shape or array.shape[0] == 1:
        return array[...]
    return array[start : start + step]
