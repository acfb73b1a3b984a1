"""Create overlaps: empty ones, from existing counts, and from other overlaps."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Self

from ..arrays import library_of, load_library
from ..arrays.library import Array
from ..kernels.task import Kind
from ..reading import (
    FORMS,
    KINDS,
    check_choice,
    class_name,
    read_axis,
    read_count_arrays,
    read_counts_shape,
    read_library,
    read_matrix,
    read_num_classes,
)
from .counted import raise_bad_counts, rows_of_counts, rows_of_matrix
from .joining import agreement, check_devices, check_shapes, most_special
from .lazy import Lazy
from .rows import Rows


class Making(Lazy):
    """Sums with the constructors that need no arrays of elements."""

    __slots__ = ()

    @classmethod
    def zero(
        cls,
        shape: tuple[int, ...] = (),
        *,
        like: Array | Rows | None = None,
        num_classes: int | None = None,
        kind: Kind = "hard",
        form: str = "product",
    ) -> Self:
        """Return an empty overlap (all sums 0), to start a stream.

        Parameters
        ----------
        shape : tuple of int
            Shape of the counts without the class axis.
        like : array or Overlap, optional
            Determines the library and device; NumPy by default. An overlap also determines shape,
            kind, form and classes.
        num_classes : int, optional
            Length of the class axis, if the counts are by class.
        kind : {"hard", "exact", "plain"}
            A hard zero merges with hard and with exact overlaps.
        form : {"product", "squared", "minimum"}
            Form of the memberships to come; it does not matter for a hard zero.
        """
        if isinstance(like, Rows):
            library = like._library
            with library.precision():
                sums = library.xp.zeros_like(like.rows)
                return cls.of_sums(library, sums, like.kind, like.form, like.by_class)
        check_choice("kind", kind, KINDS)
        check_choice("form", form, FORMS)
        counts = read_counts_shape(shape)
        if num_classes is not None:
            counts = (*counts, read_num_classes(num_classes))
        library = load_library("numpy") if like is None else read_library("like", like)
        with library.precision():
            xp = library.xp
            like = xp.zeros(1) if like is None else like
            dtype = xp.int64 if kind != "plain" else library.widest(like)
            shape = (5, 3, *counts) if kind == "exact" else (5, *counts)
            sums = library.answer(library.zeros(shape, dtype, like))
            return cls.of_sums(library_of(sums), sums, kind, form, num_classes is not None)

    @classmethod
    def from_counts(
        cls,
        *,
        tp: Array | int,
        fp: Array | int,
        fn: Array | int,
        tn: Array | int | None = None,
        by_class: bool = False,
    ) -> Self:
        """Return the hard overlap of existing counts.

        Parameters
        ----------
        tp, fp, fn : array of integers, or int
            True positives, false positives and false negatives: arrays of one library and one
            shape, or numbers.
        tn : array of integers, or int, optional
            True negatives. Without them the total is ``tp + fp + fn``, and scores that use true
            negatives are meaningless, or an error if the totals of classes differ.
        by_class : bool
            Whether the last axis is classes.

        Raises
        ------
        TypeError
            If counts are not integers, or belong to several libraries.
        ValueError
            If shapes or devices differ; if values can be read, and a count is negative or a total
            above 2⁶². If they cannot, the scores of such counts are NaN.

        Examples
        --------
        >>> from dice_any import Overlap, dice_score
        >>> float(dice_score(Overlap.from_counts(tp=2, fp=1, fn=1, tn=6)))
        0.6666666666666666
        """
        counts = {"tp": tp, "fp": fp, "fn": fn, **({} if tn is None else {"tn": tn})}
        library, arrays = read_count_arrays(by_class, **counts)
        with library.precision():
            rows = library.on_all_devices(partial(rows_of_counts, library), *arrays)
            sums = library.answer(rows)
            library = library_of(sums)
            raise_bad_counts(
                library,
                sums,
                f"`{'`, `'.join(counts)}` must not be negative, and add up to at most 2**62",
            )
            return cls.of_sums(library, sums, "hard", "product", bool(by_class))

    @classmethod
    def from_confusion_matrix(cls, matrix: Array) -> Self:
        """Return the hard overlap by class of confusion matrices.

        Parameters
        ----------
        matrix : array of integers, shape (..., C, C)
            Counts by target label (rows) and predicted label (columns), as `confusion_matrix` and
            scikit-learn return them. Leading axes are kept.

        Raises
        ------
        TypeError
            If the matrix does not hold integers.
        ValueError
            If it is not square; if values can be read, and a count is negative or a total above
            2⁶². If they cannot, the scores of such counts are NaN.

        Examples
        --------
        >>> import numpy as np
        >>> from dice_any import Overlap
        >>> counts = Overlap.from_confusion_matrix(np.array([[5, 1, 0], [0, 2, 2], [0, 0, 3]]))
        >>> counts.tp.tolist(), counts.fp.tolist(), counts.fn.tolist()
        ([5, 2, 3], [0, 1, 2], [1, 2, 0])
        """
        library, matrix = read_matrix(matrix)
        with library.precision():
            rows = library.on_all_devices(partial(rows_of_matrix, library), matrix)
            sums = library.answer(rows)
            library = library_of(sums)
            raise_bad_counts(
                library, sums, "`matrix` must not be negative, and add up to at most 2**62"
            )
            return cls.of_sums(library, sums, "hard", "product", by_class=True)

    @classmethod
    def stack(cls, overlaps: Iterable[Rows], axis: int = 0) -> Self:
        """Stack overlaps along a new axis of the counts.

        Parameters
        ----------
        overlaps : iterable of Overlap
            One or more, of one array library and shape. Hard and exact ones mix, and become exact.
        axis : int
            The position of the new axis in the result. The class axis stays last.

        Raises
        ------
        TypeError
            If one is no overlap, or libraries or kinds differ.
        ValueError
            If there is none, or shapes, forms or devices differ, or the axis is out of range.

        Examples
        --------
        >>> from dice_any import Overlap
        >>> Overlap.stack([Overlap.zero(num_classes=3), Overlap.zero(num_classes=3)]).shape
        (2, 3)
        """
        listed = _read_overlaps(overlaps, "stacked")
        check_shapes(listed, "stacked")
        first = listed[0]
        axis = read_axis("axis", axis, len(first.shape) + 1)
        if first.by_class and axis == len(first.shape):
            raise ValueError(
                f"`axis` must leave the classes last; got {axis} for {axis + 1} axes. Pass a "
                "smaller one."
            )
        return cls._joined(listed, "stacked", axis, new=True)

    @classmethod
    def concat(cls, overlaps: Iterable[Rows], axis: int = 0) -> Self:
        """Concatenate overlaps along an existing axis of the counts.

        Parameters
        ----------
        overlaps : iterable of Overlap
            One or more, of one array library, and of one shape but for the length of `axis`. Hard
            and exact ones mix, and become exact.
        axis : int
            The axis. Along the class axis, the classes of all overlaps follow one another.

        Raises
        ------
        TypeError
            If one is no overlap, or libraries or kinds differ.
        ValueError
            If there is none, or shapes, forms or devices differ, or the axis is out of range.

        Examples
        --------
        >>> from dice_any import Overlap
        >>> Overlap.concat([Overlap.zero((2,)), Overlap.zero((3,))]).shape
        (5,)
        """
        listed = _read_overlaps(overlaps, "joined")
        if not listed[0].shape:
            raise ValueError(
                "overlaps to be joined must have an axis; got counts without one. Use "
                "`Overlap.stack`."
            )
        axis = read_axis("axis", axis, len(listed[0].shape))
        check_shapes(listed, "joined", axis)
        return cls._joined(listed, "joined", axis, new=False)

    @classmethod
    def _joined(cls, overlaps: list[Rows], verb: str, axis: int, *, new: bool) -> Self:
        joint = agreement(overlaps, verb)
        check_devices(overlaps, verb)
        library, kind, form, by_class = joint
        special: Any = most_special([cls, *map(type, overlaps)])
        with library.precision():
            sums = [overlap.rows_as(kind) for overlap in overlaps]
            axis += 2 if kind == "exact" else 1
            join = library.stack if new else library.xp.concat
            return special.of_sums(library, join(sums, axis=axis), kind, form, by_class)  # type: ignore[no-any-return]


def _read_overlaps(overlaps: Any, verb: str) -> list[Rows]:
    """Return one or more overlaps."""
    try:
        listed = list(overlaps)
    except TypeError:
        listed = [overlaps]
        if isinstance(overlaps, Rows):
            raise TypeError(
                "`overlaps` must be several; got an Overlap without axes. Pass a list."
            ) from None
    for overlap in listed:
        if not isinstance(overlap, Rows):
            raise TypeError(
                f"`overlaps` must be Overlaps to be {verb}; got {class_name(overlap)}. Pass a list "
                "of what `overlap` returned."
            )
    if not listed:
        raise ValueError(
            f"`overlaps` must be one or more to be {verb}; got none. The overlap of nothing is "
            "`Overlap.zero(...)`."
        )
    return listed
