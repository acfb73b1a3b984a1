"""Sum the chunks of lazy arrays by kernels: those for NumPy arrays also serve Dask and cubed."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from ..arrays import library_of
from ..arrays.library import Array, ArrayLibrary
from . import reference
from .limbs import carry
from .task import Task


def overlap(task: Task, prediction: Array, target: Array, weight: Array | None) -> Array:
    """Return the sums of lazy arrays; each chunk is summed by a kernel, if one accepts it."""
    library: Any = library_of(prediction)
    sums: Array = library.run(
        reference.block_sums,
        task,
        prediction,
        target,
        weight,
        leading=task.leading_shape,
        trailing=task.trailing_shape,
        chunk_sums=chunk_sums,
    )
    return sums


def chunk_sums(
    task: Task, library: ArrayLibrary, prediction: Array, target: Array, weight: Array | None
) -> Array | None:
    """Return the sums of one chunk by a kernel; None if no kernel accepts it.

    The scheduler's threads already occupy the cores, so a kernel uses only the calling thread.
    """
    from . import select  # not at the top: the package imports this module's neighbours

    arrays = prediction, target, weight
    dtypes = tuple(None if a is None else library.dtype_name(a.dtype) for a in arrays)
    if dtypes != task.dtypes:  # chunks that differ from the metadata of the lazy array
        return None
    shapes = tuple(None if a is None else tuple(a.shape) for a in arrays)
    device = str(library.device(prediction) or "")
    of_chunk = replace(task, library=library.name, device=device, shapes=shapes)
    kernel = select(of_chunk, None)
    if kernel is reference:
        return None
    with getattr(kernel, "alone", nullcontext)():
        sums: Array = kernel.overlap(of_chunk, prediction, target, weight)
    # so that adding the limbs of many chunks does not overflow
    return carry(library, sums) if task.kind == "exact" else sums
