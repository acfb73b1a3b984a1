"""Counts of label maps, which threads may add in any order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import cuda, types

from .elements import build_reader, offset, read_label

INT32 = types.int32


def build_labels(
    pairs: bool, in_block: bool, dtypes: tuple[str, str, str], scores: bool, masked: bool, each: int
) -> Any:
    """Return the kernel that counts two label maps; with `scores`, the first is the argmax of
    scores.

    The bins of a cell are I, X and Y of each class, the total and the invalid labels of each map;
    or all pairs of labels, rows = target. If the bins fit, a thread block counts a tile in its
    shared memory first.
    """
    read_x = build_reader(dtypes[0], np.float64 if dtypes[0] == "float64" else np.float32)

    @cuda.jit(device=True)
    def best(x: Any, at: Any, step: Any, classes: Any) -> Any:
        """Return the class of the largest score (the first if equal); `classes` if a score is
        NaN.
        """
        top, mark = read_x(x, at), np.int64(0)
        for c in range(classes):
            v = read_x(x, at + c * step)
            if v != v:
                return np.int64(classes)
            if v > top:
                top, mark = v, np.int64(c)
        return mark

    @cuda.jit(device=True)
    def place(number: Any, cell: Any, cells: Any, classes: Any) -> Any:
        """Return the place of a bin in the sums."""
        if pairs:
            return cell * (classes + 1) * (classes + 1) + number
        row, c = number // classes, number % classes
        if number >= 3 * classes:  # shared by all classes, held by the first until `spread`
            row, c = number - 3 * classes + 3, 0
        return (row * cells + cell) * classes + c

    @cuda.jit
    def count_tiles(
        x: Any, y: Any, w: Any, starts: Any, class_steps: Any, lengths: Any, cell_steps: Any,
        summed: Any, steps: Any,
        sizes: Any, ignored: Any, out: Any,
    ) -> None:  # fmt: skip
        bins = cuda.shared.array(0, INT32)
        cells, parts, elements, classes = sizes
        lane, threads, side = cuda.threadIdx.x, cuda.blockDim.x, classes + 1
        length = side * side if pairs else 3 * classes + 3
        for tile in range(cuda.blockIdx.x, cells * parts, cuda.gridDim.x):
            cell = tile // parts
            first = (tile - cell * parts) * (threads * each) + lane
            x_at = starts[0] + offset(cell, lengths, cell_steps[0])
            y_at = starts[1] + offset(cell, lengths, cell_steps[1])
            w_at = starts[2] + offset(cell, lengths, cell_steps[2])
            if in_block:
                for number in range(lane, length, threads):
                    bins[number] = 0
                cuda.syncthreads()
            total, bad_x, bad_y = np.int64(0), np.int64(0), np.int64(0)
            for k in range(each):
                i = first + k * threads
                counted = i < elements
                b = np.int64(0)
                if counted and masked:
                    counted = bool(w[w_at + offset(i, summed, steps[2])])
                if counted:
                    b = read_label(y, y_at + offset(i, summed, steps[1]), classes, ignored)
                    counted = b != side
                if counted:
                    at = x_at + offset(i, summed, steps[0])
                    a = (
                        best(x, at, class_steps[0], classes)
                        if scores
                        else read_label(x, at, classes, (0, 0))
                    )
                    total += 1
                    bad_x += np.int64(a == classes)
                    bad_y += np.int64(b == classes)
                    for part in range(1 if pairs else 3):
                        number = b * side + a
                        there = True
                        if not pairs:
                            number = part * classes + (b if part == 2 else a)
                            there = a < classes if part < 2 else b < classes
                            there = there and (part > 0 or a == b)
                        if there and in_block:
                            cuda.atomic.add(bins, number, np.int32(1))
                        elif there:
                            cuda.atomic.add(out, place(number, cell, cells, classes), np.int64(1))
            if not pairs:
                for part in range(3):
                    number, found = (
                        3 * classes + part,
                        total if part == 0 else bad_x if part == 1 else bad_y,
                    )
                    if found != 0 and in_block:
                        cuda.atomic.add(bins, number, np.int32(found))
                    elif found != 0:
                        cuda.atomic.add(out, place(number, cell, cells, classes), found)
            if in_block:
                cuda.syncthreads()
                for number in range(lane, length, threads):
                    if bins[number] != 0:
                        cuda.atomic.add(
                            out, place(number, cell, cells, classes), np.int64(bins[number])
                        )
                cuda.syncthreads()

    return count_tiles


@cuda.jit
def spread(sizes: Any, out: Any) -> None:
    """Copy the total and the numbers of invalid labels from the first class to all classes."""
    cells, _, _, classes = sizes
    for number in range(cuda.grid(1), 3 * cells, cuda.gridsize(1)):
        at = (3 * cells + number) * classes
        for c in range(1, classes):
            out[at + c] = out[at]
