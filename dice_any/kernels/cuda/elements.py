"""One element on the GPU: its offset in memory, and how it is read and written."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import config, cuda
from numba.cuda import libdevice

from .. import scalars

NONE, SIGMOID, SOFTMAX = range(3)
CROSS, FOCAL = 1, 2
NO_WEIGHT, MASK, NUMBERS = range(3)

narrow = scalars.compiled(cuda.jit(device=True))
wide = scalars.compiled(cuda.jit(device=True), wide=True)


def build_product(real: Any) -> Any:
    """Return a multiplication that always rounds: GPU compilers would fuse it with a following
    addition, which changes the bits.
    """
    if config.ENABLE_CUDASIM:
        return lambda a, b: a * b
    multiply = libdevice.dmul_rn if real is np.float64 else libdevice.fmul_rn

    @cuda.jit(device=True)
    def product(a: Any, b: Any) -> Any:
        return multiply(a, b)

    return product


class Case(NamedTuple):
    """The compile-time constants of a kernel."""

    kind: str
    real: str
    dtypes: tuple[str, str, str]
    activation: int
    labels: bool
    form: int
    weighted: int
    #: 0: none; 1: cross-entropy; 2: focal
    entropy: int
    threads: int
    each: int


@cuda.jit(device=True)
def offset(number: Any, shape: Any, steps: Any) -> Any:
    """Return the offset of the element with this number from the first element."""
    place = 0
    for d in range(len(shape) - 1, 0, -1):
        rest = number // shape[d]
        place += (number - rest * shape[d]) * steps[d]
        number = rest
    return place + number * steps[0]


@cuda.jit(device=True)
def read_label(labels: Any, at: Any, classes: Any, ignored: Any) -> Any:
    """Return the class number, `classes` for an invalid label, `classes` + 1 for an ignored one."""
    label = np.int64(labels[at])
    if ignored[0] and label == ignored[1]:
        return classes + 1
    return label if (label >= 0) and (label < classes) else np.int64(classes)


def build_reader(dtype: str, real: Any) -> Any:
    """Return a function that reads a number as a `real`."""
    if dtype == "bfloat16":

        @cuda.jit(device=True)
        def read(array: Any, at: Any) -> Any:
            return real(np.int32(np.int32(array[at]) << 16).view(np.float32))

    elif dtype == "float16":

        @cuda.jit(device=True)
        def read(array: Any, at: Any) -> Any:
            return real(np.float32(array[at]))

    elif dtype == "bool":

        @cuda.jit(device=True)
        def read(array: Any, at: Any) -> Any:
            return real(1) if array[at] != 0 else real(0)

    else:

        @cuda.jit(device=True)
        def read(array: Any, at: Any) -> Any:
            return real(array[at])

    return read


def build_writer(dtype: str) -> Any:
    """Return a function that writes a number."""
    if dtype == "bfloat16":

        @cuda.jit(device=True)
        def write(array: Any, at: Any, value: Any) -> None:
            bits = np.int64(np.float32(value).view(np.int32))
            rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16  # to nearest, ties to even
            array[at] = np.int16(rounded if value == value else 0x7FC0)

    elif dtype == "float16":

        @cuda.jit(device=True)
        def write(array: Any, at: Any, value: Any) -> None:
            array[at] = np.float16(np.float32(value))

    else:

        @cuda.jit(device=True)
        def write(array: Any, at: Any, value: Any) -> None:
            array[at] = value

    return write


def build_softmax(read: Any, exp: Any, real: Any) -> Any:
    """Return a function that computes an element's largest logit z and Σ exp(z_c − z) over its
    classes.
    """

    @cuda.jit(device=True)
    def softmax(x: Any, at: Any, step: Any, classes: Any) -> Any:
        top = read(x, at)
        for c in range(1, classes):
            z = read(x, at + c * step)
            top = z if z > top else top
        total = real(0.0)
        for c in range(classes):
            total += exp(read(x, at + c * step) - top)
        return top, total

    return softmax
