"""Memory access of compiled loops: addresses and strides, one block of elements at a time.

Loops take addresses instead of arrays, so one compiled loop serves every layout of NumPy and
PyTorch, read-only or not. A block that is contiguous and has the right type is used in place. Any
other block is converted and copied to scratch memory that stays in cache. So the computing loops
see only contiguous rows of one type.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, njit, types
from numba.extending import intrinsic

#: The code of a dtype is its index in this list.
CODES = [
    *("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
    *("float16", "bfloat16", "float32", "float64"),
]
INT8, INT16, INT32, FLOAT16, BFLOAT16, FLOAT32, FLOAT64 = (
    CODES.index(name)
    for name in ("int8", "int16", "int32", "float16", "bfloat16", "float32", "float64")
)

#: The code of an array that is not given.
NO_ARRAY = -1

# Arguments of a loop: `place` has these rows, one per array,
X_ARRAY, Y_ARRAY, W_ARRAY, OUT_ARRAY = range(4)
# and these columns. `sizes` are (ticket to stop at, chunks of a cell, elements of a chunk, elements
# of a cell, classes, elements of a block, whether a label is ignored, that label). The others are
# the lengths and strides of a `Plan`.
ADDRESS, CODE, CLASS_STEP = range(3)


def computed_in(dtype: str) -> tuple[Any, int]:
    """Return the type that a loop computes in, and its code; memory of that code needs no
    conversion.
    """
    return (np.float32, FLOAT32) if dtype == "float32" else (np.float64, FLOAT64)


def _stamp() -> str:
    """Return a digest of all sources that loops are built from.

    Numba reuses cached code if the file of the loop itself is unchanged. A loop that closes over
    this digest has it in its cache key, so it is recompiled when a function that it calls changes.
    """
    here = Path(__file__).parent
    try:
        return sha256(
            b"".join(
                path.read_bytes()
                for path in (
                    *sorted(here.glob("*.py")),
                    here.parent / "scalars.py",
                    here.parent / "exponentials.py",
                )
            )
        ).hexdigest()
    except OSError:  # a package without source files does not change
        return ""


STAMP = _stamp()
INLINE = {"forceinline": True, "error_model": "numpy"}


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def pointer(typingctx: Any, address: Any, dtype: Any) -> Any:
    """Convert an integer address to a pointer to numbers of this type."""
    target = types.CPointer(dtype.instance_type)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(target))

    return target(types.intp, dtype), codegen


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def claim(typingctx: Any, address: Any) -> Any:
    """Return the number at this address and add 1 to it, atomically."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        counter = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", counter, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(types.intp), codegen


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def ones(typingctx: Any, number: Any) -> Any:
    """Count the bits that are set."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), codegen


@njit(**INLINE)
def row(address: Any, length: Any, dtype: Any) -> Any:
    """Return the numbers from this address on, as a contiguous array."""
    return carray(pointer(address, dtype), length)


@njit(**INLINE)
def offset(number: Any, shape: Any, strides: Any) -> Any:
    """Return the offset of the element with this number from the first element."""
    place = 0
    for d in range(shape.size - 1, 0, -1):
        rest = number // shape[d]
        place += (number - rest * shape[d]) * strides[d]
        number = rest
    return place + number * strides[0]


@njit(**INLINE)
def lies_straight(first: Any, n: Any, shape: Any, strides: Any, itemsize: Any) -> Any:
    """Tell whether these elements are contiguous."""
    return strides[-1] == itemsize and first % shape[-1] + n <= shape[-1]


@njit(**INLINE)
def from_half(bits: Any, brain: Any) -> Any:
    """Convert the bits of a float16 or bfloat16 to float32."""
    if brain:
        return np.int32(np.int32(bits) << 16).view(np.float32)
    magnitude = np.int32(np.int32(bits & 0x7FFF) << 13)
    number = magnitude.view(np.float32) * np.float32(2.0**112)
    whole = np.int32(
        np.float32(number).view(np.int32) | (0x7F800000 if (bits & 0x7C00) == 0x7C00 else 0)
    )
    return np.int32(whole | (np.int32(bits & 0x8000) << 16)).view(np.float32)


@njit(**INLINE)
def to_half(value: Any, brain: Any) -> Any:
    """Return the bits of the float16 or bfloat16 nearest to a float32."""
    bits = np.float32(value).view(np.uint32)
    sign = (bits >> 16) & 0x8000
    magnitude = np.int64(bits & 0x7FFFFFFF)
    if brain:
        rounded = (magnitude + 0x7FFF + ((magnitude >> 16) & 1)) >> 16
        half = 0x7FC0 if magnitude > 0x7F800000 else rounded
    elif magnitude >= 0x477FF000:  # rounds to infinity, is infinite, or NaN
        half = 0x7E00 if magnitude > 0x7F800000 else 0x7C00
    elif magnitude < 0x38800000:  # a denormal: adding ½ rounds at the right place
        shifted = np.int32(magnitude).view(np.float32) + np.float32(0.5)
        half = np.int64(np.float32(shifted).view(np.int32)) - 0x3F000000
    else:
        half = (magnitude - 0x38000000 + 0xFFF + ((magnitude >> 13) & 1)) >> 13
    return np.uint16(half | sign)


# -- loading and storing: compiled once each, and called through their addresses -------------------
# A normal call would inline the function, with its loops for a dozen types, into every loop.


@intrinsic  # type: ignore[untyped-decorator,unused-ignore]
def call(typingctx: Any, function: Any, arguments: Any) -> Any:
    """Call the C function at this address with integer arguments."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        integers = [builder.extract_value(args[1], i) for i in range(len(arguments))]
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * len(integers))
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), integers)
        return context.get_dummy_value()

    return types.none(types.intp, arguments), codegen


@njit(error_model="numpy")
def straighten(raw: Any, address: Any, n: Any, itemsize: Any, step: Any) -> Any:
    """Return the address of `n` contiguous numbers: in place, or copied to `raw`."""
    if step == itemsize:
        return address
    start = raw.ctypes.data
    if itemsize == 1:
        for i in range(n):
            row(start + i, 1, np.uint8)[0] = row(address + i * step, 1, np.uint8)[0]
    elif itemsize == 2:
        for i in range(n):
            row(start + i * 2, 1, np.uint16)[0] = row(address + i * step, 1, np.uint16)[0]
    elif itemsize == 4:
        for i in range(n):
            row(start + i * 4, 1, np.uint32)[0] = row(address + i * step, 1, np.uint32)[0]
    else:
        for i in range(n):
            row(start + i * 8, 1, np.uint64)[0] = row(address + i * step, 1, np.uint64)[0]
    return start


@njit(error_model="numpy")
def itemsize_of(code: Any) -> Any:
    if code <= INT8:
        return 1
    if code <= INT16 or code in (FLOAT16, BFLOAT16):
        return 2
    return 4 if code <= INT32 or code == FLOAT32 else 8


@njit(**INLINE)
def copy(out: Any, values: Any) -> None:
    for i in range(out.size):
        out[i] = values[i]


@njit(**INLINE)
def copy_truth(out: Any, values: Any) -> None:
    for i in range(out.size):
        out[i] = values[i] != 0  # a boolean view of other memory may hold any byte


@njit(**INLINE)
def copy_half(out: Any, bits: Any, brain: Any) -> None:
    for i in range(out.size):
        out[i] = from_half(bits[i], brain)


def build_real_loader(real: Any) -> Any:
    """Return the address of a function that fills a row of `real` with elements of any type."""
    stamp = STAMP

    @cfunc(types.void(*[types.int64] * 8), cache=True, error_model="numpy")
    def fill_real(
        out: Any,
        length: Any,
        code: Any,
        address: Any,
        first: Any,
        shape_at: Any,
        strides_at: Any,
        dims: Any,
    ) -> None:
        _stamp = stamp
        shape, strides = row(shape_at, dims, np.int64), row(strides_at, dims, np.int64)
        step, inner, done = strides[-1], shape[-1], 0
        itemsize = itemsize_of(code)
        raw = np.empty(0 if step == itemsize else length, np.uint64)
        while done < length:
            number = first + done
            n = min(length - done, inner - number % inner)
            at = straighten(raw, address + offset(number, shape, strides), n, itemsize, step)
            part = row(out, length, real)[done : done + n]
            if code == FLOAT64:
                copy(part, row(at, n, np.float64))
            elif code == FLOAT32:
                copy(part, row(at, n, np.float32))
            elif code >= 9:
                copy_half(part, row(at, n, np.uint16), code == 10)
            elif code == 8:
                copy(part, row(at, n, np.int64))
            elif code == 7:
                copy(part, row(at, n, np.uint64))
            elif code == 6:
                copy(part, row(at, n, np.int32))
            elif code == 5:
                copy(part, row(at, n, np.uint32))
            elif code == 4:
                copy(part, row(at, n, np.int16))
            elif code == 3:
                copy(part, row(at, n, np.uint16))
            elif code == 2:
                copy(part, row(at, n, np.int8))
            elif code == 1:
                copy(part, row(at, n, np.uint8))
            else:
                copy_truth(part, row(at, n, np.uint8))
            done += n

    return fill_real


@njit(**INLINE)
def read_labels(
    out: Any, labels: Any, wide: Any, classes: Any, ignoring: Any, ignored: Any
) -> None:
    """Convert labels to marks: the class number, `classes` for a label out of range, `classes` + 1
    for an ignored one.
    """
    limit, skipped = wide(classes), wide(ignored)
    outside, ignored_mark = np.int32(classes), np.int32(classes + 1)
    for i in range(out.size):
        label = wide(labels[i])
        found = np.int32(label) if (label >= wide(0)) & (label < limit) else outside
        out[i] = ignored_mark if ignoring & (label == skipped) else found


def build_label_loader() -> Any:
    """Return the address of a function that fills a row of int32 with marks.

    `ignoring` tells whether the label type can hold `ignored`. A uint64 label beyond int64 becomes
    negative, which is out of range too. Labels of 8 and 16 bits are compared in 32 bits, so a
    vector holds twice as many.
    """
    stamp = STAMP

    @cfunc(types.void(*[types.int64] * 11), cache=True, error_model="numpy")
    def fill_labels(
        out: Any, length: Any, code: Any, address: Any, first: Any, shape_at: Any, strides_at: Any,
        dims: Any,
        classes: Any, ignoring: Any, ignored: Any,
    ) -> None:  # fmt: skip
        _stamp = stamp
        shape, strides = row(shape_at, dims, np.int64), row(strides_at, dims, np.int64)
        step, inner, done = strides[-1], shape[-1], 0
        itemsize, skip = itemsize_of(code), ignoring != 0
        raw = np.empty(0 if step == itemsize else length, np.uint64)
        while done < length:
            number = first + done
            n = min(length - done, inner - number % inner)
            at = straighten(raw, address + offset(number, shape, strides), n, itemsize, step)
            part = row(out, length, np.int32)[done : done + n]
            if code >= 7:
                read_labels(part, row(at, n, np.int64), np.int64, classes, skip, ignored)
            elif code == 6:
                read_labels(part, row(at, n, np.int32), np.int32, classes, skip, ignored)
            elif code == 5:
                read_labels(part, row(at, n, np.uint32), np.int64, classes, skip, ignored)
            elif code == 4:
                read_labels(part, row(at, n, np.int16), np.int32, classes, skip, ignored)
            elif code == 3:
                read_labels(part, row(at, n, np.uint16), np.int32, classes, skip, ignored)
            elif code == 2:
                read_labels(part, row(at, n, np.int8), np.int32, classes, skip, ignored)
            else:
                read_labels(part, row(at, n, np.uint8), np.int32, classes, skip, ignored)
            done += n

    return fill_labels


@njit(**INLINE)
def load_real(
    loaders: Any, out: Any, n: Any, code: Any, address: Any, first: Any, shape: Any, strides: Any
) -> None:
    call(
        loaders[0],
        (
            out.ctypes.data,
            n,
            code,
            address,
            first,
            shape.ctypes.data,
            strides.ctypes.data,
            shape.size,
        ),
    )


@njit(**INLINE)
def load_labels(
    loaders: Any, out: Any, n: Any, code: Any, address: Any, first: Any, shape: Any, strides: Any,
    classes: Any,
    ignoring: Any, ignored: Any,
) -> None:  # fmt: skip
    call(
        loaders[1],
        (out.ctypes.data, n, code, address, first, shape.ctypes.data, strides.ctypes.data,
        shape.size, classes, ignoring,
         ignored),
    )  # fmt: skip


@njit(error_model="numpy")
def scatter(values: Any, code: Any, address: Any, first: Any, shape: Any, strides: Any) -> None:
    """Write the elements from `first` on."""
    step, inner, done = strides[-1], shape[-1], 0
    straight = step == itemsize_of(code)
    while done < values.size:
        number = first + done
        start = address + offset(number, shape, strides)
        n = min(values.size - done, inner - number % inner)
        part = values[done : done + n]
        if code == FLOAT64:
            if straight:  # a loop of its own, in vector instructions
                copy(row(start, n, np.float64), part)
            else:
                for i in range(n):
                    row(start + i * step, 1, np.float64)[0] = part[i]
        elif code == FLOAT32:
            if straight:
                copy(row(start, n, np.float32), part)
            else:
                for i in range(n):
                    row(start + i * step, 1, np.float32)[0] = part[i]
        else:
            for i in range(n):
                row(start + i * step, 1, np.uint16)[0] = to_half(np.float32(part[i]), code == 10)
        done += n
