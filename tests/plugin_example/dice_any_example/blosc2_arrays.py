"""blosc2 holds compressed chunks. NumPy's functions compute the sums of each chunk,
so the sums are arrays of NumPy.
"""

from __future__ import annotations

from types import SimpleNamespace

import blosc2
import numpy as np

from dice_any.arrays import ArrayLibrary, load_library


def asarray(values, dtype=None):
    return blosc2.asarray(np.asarray(values, dtype=dtype))


def astype(array, dtype, copy=True):
    array = array if isinstance(array, np.ndarray) else array[...]
    return np.astype(array, dtype, copy=copy)


#: NumPy's functions, but arrays are made by blosc2
namespace = SimpleNamespace(
    **{
        **vars(np),
        "asarray": asarray,
        "zeros": blosc2.zeros,
        "astype": astype,
    }
)
WHOLE = "it looks at whole arrays; convert them by `array[...]`"


class Blosc2(ArrayLibrary):
    protocol = 1  # of the plugins of dice_any
    #: feature of the conformance kit -> why blosc2 lacks it
    limits = {
        "pairwise": WHOLE,
        "ranked": "the centre-line loss would mix NumPy's arrays with blosc2's",
        "sets": WHOLE,
        "values": "its counts are NumPy's arrays; so are those that make an overlap",
        "regions": "expressions of many comparisons are too deep for it",
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

    def run(self, function, task, *arrays, leading, trailing):
        """Cut the arrays along axis 0 into slabs as thick as a chunk, and add the
        sums of the slabs. An axis 0 that is not summed is not cut.
        """
        prediction, numpy = arrays[0], load_library("numpy")
        if 0 not in task.axis:  # also if axis 0 is the class axis
            return numpy.run(
                function,
                task,
                *_whole(arrays),
                leading=leading,
                trailing=trailing,
            )
        step, total = prediction.chunks[0], None
        for start in range(0, prediction.shape[0], step):
            blocks = [_slab(array, start, step) for array in arrays]
            part = numpy.run(
                function,
                task,
                *blocks,
                leading=leading,
                trailing=trailing,
            )
            total = part if total is None else total + part
        return total

    def map(self, function, task, *arrays):
        return blosc2.asarray(
            load_library("numpy").map(function, task, *_whole(arrays))
        )

    def run_whole(self, function, task, *arrays, leading, trailing):
        return load_library("numpy").run_whole(
            function,
            task,
            *_whole(arrays),
            leading=leading,
            trailing=trailing,
        )

    def map_whole(self, function, task, *arrays):
        return blosc2.asarray(
            load_library("numpy").map_whole(function, task, *_whole(arrays))
        )

    @property
    def version(self):
        return blosc2.__version__


def _whole(arrays):
    return [_slab(array, 0, None) for array in arrays]


def _slab(array, start, step):
    """Return a slab as an array of NumPy. An axis of length 1 is never cut."""
    if array is None or isinstance(array, np.ndarray):
        return array
    if step is None or not array.shape or array.shape[0] == 1:
        return array[...]
    return array[start : start + step]
