"""Counts of masks and label maps; the order of additions does not matter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from .memory import (
    ADDRESS,
    CLASS_STEP,
    CODE,
    INLINE,
    STAMP,
    W_ARRAY,
    X_ARRAY,
    Y_ARRAY,
    claim,
    computed_in,
    lies_straight,
    load_labels,
    load_real,
    offset,
    ones,
    row,
)

# rows of a chunk's counts
I, X, Y, N, BAD_X, BAD_Y, BAD_W = range(7)  # noqa: E741


# -- masks -----------------------------------------------------------------------------------------


@njit(**INLINE)
def load_bytes(scratch: Any, n: Any, address: Any, first: Any, shape: Any, strides: Any) -> Any:
    """Return `n` contiguous bytes: in place, or gathered in `scratch`."""
    if lies_straight(first, n, shape, strides, 1):
        return address + offset(first, shape, strides)
    inner, done = shape[-1], 0
    while done < n:
        number = first + done
        part = min(n - done, inner - number % inner)
        start = address + offset(number, shape, strides)
        for i in range(part):
            scratch[done + i] = row(start + i * strides[-1], 1, np.uint8)[0]
        done += part
    return scratch.ctypes.data


@njit(**INLINE)
def truth(word: Any) -> Any:
    """Set the highest bit of each nonzero byte: a view as booleans may hold any byte."""
    low = np.uint64(0x7F7F7F7F7F7F7F7F)
    return (((word & low) + low) | word) & ~low


@njit(**INLINE)
def count_bytes(counts: Any, x: Any, y: Any, w: Any, weighted: Any, one: Any) -> None:
    """Count true bytes, one or eight at a time (`one`)."""
    both, sum_x, sum_y, total = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
    for i in range(x.size):
        a, b = truth(np.uint64(x[i])), truth(np.uint64(y[i]))
        if weighted:
            c = truth(np.uint64(w[i]))
            a, b = a & c, b & c
            total += ones(c)
        both += ones(a & b)
        sum_x += ones(a)
        sum_y += ones(b)
    counts[I] += np.int64(both)
    counts[X] += np.int64(sum_x)
    counts[Y] += np.int64(sum_y)
    counts[N] += np.int64(total) if weighted else x.size * one


def build_masks(weighted: bool) -> Any:
    """Return the compiled loop that counts two masks; if `weighted`, only where a third is true."""
    stamp = STAMP

    @njit(cache=True, nogil=True, error_model="numpy")
    def count_masks(
        loaders: Any,
        ticket: Any,
        sizes: Any,
        place: Any,
        lengths: Any,
        cell_steps: Any,
        summed: Any,
        steps: Any,
        out: Any,
    ) -> None:
        _stamp = stamp
        chunks, parts, length, elements, _, block, _, _ = sizes
        scratch = np.empty((3, block), np.uint8)
        while True:
            chunk = claim(ticket)
            if chunk >= chunks:
                return
            cell = chunk // parts
            first = (chunk - cell * parts) * length
            last = min(first + length, elements)
            counts = out[chunk, 0]
            while first < last:
                n = min(block, last - first)
                x = load_bytes(
                    scratch[0],
                    n,
                    place[X_ARRAY, ADDRESS] + offset(cell, lengths, cell_steps[0]),
                    first,
                    summed,
                    steps[0],
                )
                y = load_bytes(
                    scratch[1],
                    n,
                    place[Y_ARRAY, ADDRESS] + offset(cell, lengths, cell_steps[1]),
                    first,
                    summed,
                    steps[1],
                )
                w = x
                if weighted:
                    w = load_bytes(
                        scratch[2],
                        n,
                        place[W_ARRAY, ADDRESS] + offset(cell, lengths, cell_steps[2]),
                        first,
                        summed,
                        steps[2],
                    )
                words, rest = n // 8, n % 8
                count_bytes(
                    counts,
                    row(x, words, np.uint64),
                    row(y, words, np.uint64),
                    row(w, words, np.uint64),
                    weighted,
                    8,
                )
                done = words * 8
                count_bytes(
                    counts, row(x + done, rest, np.uint8), row(y + done, rest, np.uint8),
                    row(w + done, rest, np.uint8),
                    weighted, 1,
                )  # fmt: skip
                first += n

    return count_masks


@njit(cache=True, nogil=True, error_model="numpy")
def count_pairs(
    ticket: Any, stop: Any, x: Any, y: Any, sizes_x: Any, sizes_y: Any, length: Any, out: Any
) -> None:  # fmt: skip
    """Count every row of words of one matrix with every row of the other."""
    while True:
        i = claim(ticket)
        if i >= stop:
            return
        a = x[i]
        for j in range(y.shape[0]):
            b, both = y[j], np.uint64(0)
            for k in range(a.size):
                both += ones(a[k] & b[k])
            out[I, i, j] = np.int64(both)
        for j in range(y.shape[0]):
            out[X, i, j] = sizes_x[i]
            out[Y, i, j] = sizes_y[j]
            out[N, i, j] = length
            out[BAD_X, i, j] = out[BAD_Y, i, j] = out[BAD_W, i, j] = 0


# -- label maps ------------------------------------------------------------------------------------


@njit(**INLINE)
def best_classes(
    marks: Any, best: Any, scratch: Any, loaders: Any, classes: Any, n: Any, code: Any, native: Any,
    address: Any, step: Any,
    first: Any, shape: Any, strides: Any, real: Any,
) -> None:  # fmt: skip
    """Fill `marks` with the class of the largest score (the first if equal); `classes` if a score
    is NaN.
    """
    straight = code == native and lies_straight(first, n, shape, strides, scratch.itemsize)
    for c in range(classes):
        at = address + c * step + offset(first, shape, strides)
        if not straight:
            load_real(loaders, scratch, n, code, address + c * step, first, shape, strides)
            at = scratch.ctypes.data
        scores = row(at, n, real)
        number, none = np.int32(c), np.int32(classes)
        if c == 0:
            for i in range(n):
                best[i] = scores[i]
                marks[i] = none if scores[i] != scores[i] else number
            continue
        for i in range(n):
            v, old, mark = scores[i], best[i], marks[i]
            # an earlier NaN keeps its mark: nothing compares greater
            better = (v > old) | (v != v)
            own = none if v != v else number
            marks[i] = own if better else mark
            best[i] = v if better else old


@njit(**INLINE)
def count_labels(counts: Any, x: Any, y: Any, seen_x: Any, seen_y: Any, classes: Any) -> None:
    """Count two rows of marks.

    Four histograms take turns, because each addition to a single one would wait for the last. The
    upper half of a count of `seen_x` counts the elements that agree with the target.
    """
    skipped = np.int32(classes + 1)
    seen_x[:] = 0
    seen_y[:] = 0
    bad_x, bad_y = 0, 0
    agree = np.uint64(2**32 + 1)
    whole = x.size - x.size % 4
    for i in range(0, whole, 4):
        for k in range(4):
            b = y[i + k]
            a = skipped if b == skipped else x[i + k]
            seen_x[k, np.uint32(a)] += agree if a == b else np.uint64(1)
            seen_y[k, np.uint32(b)] += np.uint64(1)
    for i in range(whole, x.size):
        b = y[i]
        a = skipped if b == skipped else x[i]
        seen_x[0, np.uint32(a)] += agree if a == b else np.uint64(1)
        seen_y[0, np.uint32(b)] += np.uint64(1)
    low = np.uint64(2**32 - 1)
    for c in range(classes + 2):
        both, sum_x, sum_y = 0, 0, 0
        for k in range(4):
            both += np.int64(seen_x[k, c] >> np.uint64(32))
            sum_x += np.int64(seen_x[k, c] & low)
            sum_y += np.int64(seen_y[k, c])
        if c < classes:
            counts[c, I] += both
            counts[c, X] += sum_x
            counts[c, Y] += sum_y
        elif c == classes:
            bad_x, bad_y = sum_x, sum_y
    total = x.size - np.int64(
        seen_y[0, classes + 1] + seen_y[1, classes + 1] + seen_y[2, classes + 1]
                              + seen_y[3, classes + 1])  # fmt: skip
    for c in range(classes):
        counts[c, N] += total
        counts[c, BAD_X] += bad_x
        counts[c, BAD_Y] += bad_y


@njit(**INLINE)
def count_label_pairs(counts: Any, x: Any, y: Any) -> None:
    """Count pairs of marks, rows = target."""
    for i in range(x.size):
        counts[np.uint32(y[i]), np.uint32(x[i])] += 1


def build_labels(scores: str | None, weighted: bool, pairs: bool) -> Any:
    """Return the compiled loop that counts two label maps; with `scores`, the first is the argmax
    of scores.
    """
    stamp = STAMP
    real, native = computed_in("float64" if scores == "float64" else "float32")
    argmax = scores is not None

    @njit(cache=True, nogil=True, error_model="numpy")
    def count_maps(
        loaders: Any,
        ticket: Any,
        sizes: Any,
        place: Any,
        lengths: Any,
        cell_steps: Any,
        summed: Any,
        steps: Any,
        out: Any,
    ) -> None:
        _stamp = stamp
        chunks, parts, length, elements, classes, block, ignoring, ignored = sizes
        x, y, bytes_ = (
            np.empty(block, np.int32),
            np.empty(block, np.int32),
            np.empty(block, np.uint8),
        )
        best, scratch = np.empty(block, real), np.empty(block, real)
        seen_x = np.empty((4, 1 if pairs else classes + 2), np.uint64)
        seen_y = np.empty((4, 1 if pairs else classes + 2), np.uint64)
        while True:
            chunk = claim(ticket)
            if chunk >= chunks:
                return
            cell = chunk // parts
            first = (chunk - cell * parts) * length
            last = min(first + length, elements)
            x_at = place[X_ARRAY, ADDRESS] + offset(cell, lengths, cell_steps[0])
            y_at = place[Y_ARRAY, ADDRESS] + offset(cell, lengths, cell_steps[1])
            while first < last:
                n = min(block, last - first)
                if argmax:
                    best_classes(
                        x, best, scratch, loaders, classes, n, place[X_ARRAY, CODE], native, x_at,
                        place[X_ARRAY, CLASS_STEP],
                        first, summed, steps[0],
                        real,
                    )  # fmt: skip
                else:
                    load_labels(
                        loaders,
                        x,
                        n,
                        place[X_ARRAY, CODE],
                        x_at,
                        first,
                        summed,
                        steps[0],
                        classes,
                        0,
                        0,
                    )
                load_labels(
                    loaders,
                    y,
                    n,
                    place[Y_ARRAY, CODE],
                    y_at,
                    first,
                    summed,
                    steps[1],
                    classes,
                    ignoring,
                    ignored,
                )
                if weighted:
                    at = load_bytes(
                        bytes_,
                        n,
                        place[W_ARRAY, ADDRESS] + offset(cell, lengths, cell_steps[2]),
                        first,
                        summed,
                        steps[2],
                    )
                    w = row(at, n, np.uint8)
                    for i in range(n):
                        mark = y[i]
                        y[i] = mark if w[i] else np.int32(classes + 1)
                if pairs:
                    count_label_pairs(out[chunk], x[:n], y[:n])
                else:
                    count_labels(out[chunk], x[:n], y[:n], seen_x, seen_y, classes)
                first += n

    return count_maps
