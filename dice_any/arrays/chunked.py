"""Map a block function over the chunks of a lazy library, so that only small integer sums are
sent between workers.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .library import Array, ArrayLibrary, BlockFunction, Masked, UnknownLibraryError

#: Set by the package: chunks are arrays of another library.
library_of: Any = None

#: Returns the sums of one chunk, or None to let the caller compute them with `run`.
ChunkFunction = Callable[..., Array | None]

#: the supported libraries for chunks
HOSTED = ("numpy", "cupy")
CURE = "Convert them where they are made, or name their kind there by `meta=`."


class ChunkedLibrary(ArrayLibrary):
    """A lazy library of chunks, with a `blockwise` like Dask's."""

    in_chunks = True
    blockwise: Callable[..., Array]

    def device(self, array: Array) -> Any:
        return None  # only the workers know the device of the chunks

    def has_values(self, array: Array) -> bool:
        return False

    def compute(self, array: Array, **options: Any) -> Array:
        return array.compute(**options)

    def tolist(self, array: Array) -> Any:
        return array.compute().tolist()

    def run(
        self,
        function: BlockFunction,
        task: Any,
        *arrays: Array | None,
        leading: tuple[int, ...],
        trailing: tuple[int, ...],
        whole: bool = False,
        chunk_sums: ChunkFunction | None = None,
    ) -> Array:
        prediction: Array = arrays[0]
        class_axis = task.class_axis
        present = [_pieces(a, task, prediction.ndim, whole) for a in arrays if a is not None]
        every = tuple(range(prediction.ndim))
        elements = tuple(a for a in every if a != class_axis)
        # index names are numbers, because Dask sorts them
        before = tuple(range(-len(leading), 0))
        behind = tuple(range(len(every), len(every) + len(trailing)))
        gone = tuple(a for a in every if a in task.axis or a == class_axis)
        parts = self.blockwise(
            _chunk_sums,
            (*before, *every, *behind),
            *(item for a in present for item in (a, every if a.ndim == len(every) else elements)),
            new_axes=dict(zip((*before, *behind), (*leading, *trailing), strict=True)),
            adjust_chunks={a: (lambda n: 1) for a in gone},
            dtype=self.xp.float64 if task.kind == "plain" else self.xp.int64,
            function=function,
            task=task,
            leading=leading,
            gone=gone,
            trailing=trailing,
            whole=whole,
            chunk_sums=chunk_sums,
        )
        return (
            self.xp.sum(parts, axis=tuple(len(leading) + a for a in gone), dtype=parts.dtype)
            if gone
            else parts
        )

    def run_whole(
        self, function: BlockFunction, task: Any, *arrays: Array | None, **layout: Any
    ) -> Array:
        return self.run(function, task, *arrays, whole=True, **layout)

    def map_whole(self, function: BlockFunction, task: Any, *arrays: Array | None) -> Array:
        return self.map(function, task, *arrays, whole=True)

    def map(
        self, function: BlockFunction, task: Any, *arrays: Array | None, whole: bool = False
    ) -> Array:
        first: Array = arrays[0]
        every = tuple(range(first.ndim))
        elements = tuple(a for a in every if a != task.class_axis)
        present = [_pieces(a, task, len(every), whole) for a in arrays if a is not None]
        pairs = [(a, every if a.ndim == len(every) else elements) for a in present]
        return self.blockwise(
            _chunk_map,
            every,
            *(item for pair in pairs for item in pair),
            dtype=first.dtype,
            function=function,
            task=task,
            missing=tuple(i for i, a in enumerate(arrays) if a is None),
            whole=whole,
        )


def _pieces(array: Array, task: Any, ndim: int, whole: bool) -> Array:
    """Rechunk the array so that the class axis is one chunk, because a block needs all classes.

    If `whole`, the summed axes become one chunk too.
    """
    if array.ndim == ndim:
        axes: tuple[int, ...] = () if task.class_axis is None else (task.class_axis,)
        axes += task.axis if whole else ()
    else:  # an array without the class axis
        axes = task.element_axis if whole else ()
    return array.rechunk({a: array.shape[a] for a in axes}) if axes else array


def _library_of_chunks(*chunks: Array | None) -> ArrayLibrary:
    """Return the library of the chunks; it may differ from the metadata of the lazy array."""
    libraries: list[ArrayLibrary] = []
    for chunk in chunks:
        if chunk is None:
            continue
        with suppress(UnknownLibraryError):
            library = library_of(chunk)
            if library.name in HOSTED:
                refusal = library.refusal(chunk)
                # what was reduced to one number may be a scalar, which is no array
                if refusal is None or (chunk.ndim == 0 and not isinstance(refusal, Masked)):
                    libraries.append(library)
                    continue
        called = f"{type(chunk).__module__.partition('.')[0]}.{type(chunk).__qualname__}"
        raise TypeError(
            f"`chunks` must be plain arrays of {' or '.join(HOSTED)}; got {called}. {CURE}"
        )
    return libraries[0]


def plain_chunk(chunk: Array, *, kind: str) -> Array:
    """Return a chunk if it is a plain array of the kind of numbers that its lazy array has."""
    library = _library_of_chunks(chunk)
    if library.kind(chunk.dtype) != kind:
        raise TypeError(
            f"`chunks` must be {kind}, as the dtype of their array is; got "
            f"{library.dtype_name(chunk.dtype)}. {CURE}"
        )
    return chunk


def _chunk_map(
    *arrays: Array, function: BlockFunction, task: Any, missing: tuple[int, ...], whole: bool
) -> Array:
    library = _library_of_chunks(*arrays)
    full: list[Array | None] = list(arrays)
    for i in missing:
        full.insert(i, None)
    with library.precision():
        return (library.map_whole if whole else library.map)(function, task, *full)


def _chunk_sums(
    prediction: Array,
    target: Array,
    weight: Array | None = None,
    *,
    function: BlockFunction,
    task: Any,
    leading: tuple[int, ...],
    gone: tuple[int, ...],
    trailing: tuple[int, ...],
    whole: bool,
    chunk_sums: ChunkFunction | None,
) -> Array:
    """Return one chunk's sums, with every axis in `gone` kept at length 1 so that chunks can be
    concatenated.
    """
    library = _library_of_chunks(prediction, target, weight)
    with library.precision():
        sums = None if chunk_sums is None else chunk_sums(task, library, prediction, target, weight)
        if sums is None:
            run = library.run_whole if whole else library.run
            sums = run(
                function, task, prediction, target, weight, leading=leading, trailing=trailing
            )
        for a in gone:
            sums = library.xp.expand_dims(sums, axis=len(leading) + a)
    return sums
