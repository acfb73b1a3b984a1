"""`Overlap`: the sums from which all scores and losses are computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any, Self

from ..arrays.library import ArrayLibrary
from ..kernels.limbs import carry, sum_counts
from ..reading import as_classes, read_axes, read_index
from .joining import agreement, check_shapes, most_special
from .making import Making
from .picking import pick
from .table import Score, table_of


class Overlap(Making):
    r"""The sums of an overlap: :math:`|X \cap Y|`, :math:`|X|`, :math:`|Y|` and the number of
    elements.

    An immutable value, created by `overlap`, `pairwise_overlap` or `set_overlap`, or from existing
    counts. Every score is a function of it, and ``+`` merges the overlaps of batches, chunks or
    processes. Hard and exact overlaps are stored as integers, so the order of merging does not
    matter: any tree of additions gives the same bits.

    Attributes
    ----------
    kind : {"hard", "exact", "plain"}
        Counts in int64; sums of memberships in integer limbs; or plain floating sums, which carry
        gradients.
    form : {"product", "squared", "minimum"}
        How memberships were summed. Hard counts are the same in every form.
    by_class : bool
        Whether the last axis is classes.

    Raises
    ------
    TypeError
        On merging with an object that is not an overlap, or an overlap of another array library or
        kind (hard and exact mix).
    ValueError
        On merging different shapes or forms; nothing is broadcast.

    Notes
    -----
    An overlap also stores the number of invalid elements (NaN, or out of range) if an error could
    not be raised at once; its scores are NaN then. Transformations of JAX and PyTorch see one array
    whose first axes are those of the counts: `vmap` and `scan` can take and return overlaps. One
    call counts fewer than 2³² elements; merged overlaps hold up to 2⁶².

    ``==`` compares kind, form, `by_class`, shape and the bits of the sums, as ``to_dict`` writes
    them: NaN equals NaN, and 0.0 is not −0.0. Overlaps of two array libraries are not equal.
    Comparing lazy or traced overlaps is an error, and so is an overlap as a condition (``if
    overlap:``). Overlaps are not hashable. A subclass with the same constructor is preserved by
    operations that combine overlaps, by pickle and as a pytree; a sum has the most derived class.

    Examples
    --------
    >>> import numpy as np
    >>> import dice_any
    >>> morning = dice_any.overlap(np.array([True, True, False]), np.array([True, False, False]))
    >>> evening = dice_any.overlap(np.array([True, False]), np.array([True, True]))
    >>> day = morning + evening
    >>> int(day.tp), int(day.fp), int(day.fn), int(day.tn)
    (2, 1, 1, 1)
    >>> float(dice_any.jaccard_score(day))
    0.5
    """

    __slots__ = ()

    #: Operators of NumPy's arrays and numbers leave the answer to those of an overlap.
    __array_ufunc__ = None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """Return a NumPy array of one object, so that NumPy holds an overlap as the value that it
        is, and does not take its counts apart.
        """
        import numpy as np

        if dtype is not None and np.dtype(dtype).kind != "O":
            raise TypeError(
                f"`overlap` must stay an object in an array; got dtype {dtype}. Take its sizes, "
                "for example `overlap.tp`, or a score."
            )
        box = np.empty((), dtype=object)
        box[()] = self
        return box

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("an Overlap without axes has no length")
        return self.shape[0]

    def __bool__(self) -> bool:
        raise TypeError(
            "`overlap` must not stand for true or false; got one as a condition. Ask what is "
            "meant, for example `overlap.total > 0` or `overlap is not None`."
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Overlap):
            return NotImplemented
        facts = ((o.kind, o.form, o.by_class, o.shape) for o in (self, other))
        library = self._library
        return (
            len(set(facts)) == 1 and library is other._library and _same_bits(library, self, other)
        )

    __hash__ = None  # type: ignore[assignment]

    # -- merging and selecting ---------------------------------------------------------------------

    def __add__(self, other: object) -> Overlap:
        if not isinstance(other, Overlap):
            return NotImplemented
        both = (self, other)
        library, kind, form, by_class = agreement(both, "added")
        check_shapes(both, "added")
        cls = most_special([type(self), type(other)])
        with library.precision():
            sums = self.rows_as(kind) + other.rows_as(kind)
            return cls.of_sums(library, sums, kind, form, by_class)

    def __radd__(self, other: object) -> Overlap:
        # the start of `sum`
        if other is not False and isinstance(other, Integral) and other == 0:
            return self
        return NotImplemented

    def sum(self, axis: int | Sequence[int] | None = None) -> Self:
        """Sum over axes of the counts; by default over all but the class axis.

        Summing over the class axis pools the classes.
        """
        ndim = len(self.shape)
        axes = tuple(range(ndim - self.by_class)) if axis is None else read_axes("axis", axis, ndim)
        library = self._library
        with library.precision():
            sums = self.rows
            folded = tuple(a + self._row_axes for a in axes)
            if axes and self.kind == "plain":
                sums = library.xp.sum(sums, axis=folded, dtype=sums.dtype)
            elif axes:
                sums = sum_counts(library, sums, folded)
            return self._with(sums, self.by_class and ndim - 1 not in axes)

    def __getitem__(self, index: Any) -> Self:
        """Select counts by integers, slices, ``...`` and an array of integers, which may contain
        repetitions.

        As for an array, an integer drops its axis. The axes of an array of integers (or nested
        lists) replace the axis that it indexes: ``overlap[rng.integers(n, size=(1000, n))]`` draws
        a thousand bootstrap samples of n cases. At most one array is allowed; along the class axis
        it must be 1-D. If its values cannot be read, indices out of range give NaN.
        """
        library = self._library
        items, backwards, picked, drops_last = read_index(library, index, self.shape, self.by_class)
        lead = (slice(None),) * self._row_axes
        with library.precision():
            sums = self.rows[(*lead, *items)]
            if backwards:
                sums = library.xp.flip(sums, axis=tuple(a + self._row_axes for a in backwards))
            if picked is not None:
                sums = pick(library, sums, self._row_axes, picked)
            if 0 in sums.shape and not library.has_values(sums):
                # chunks of nothing: Dask takes them for some operations only
                sums = library.zeros(tuple(sums.shape), sums.dtype, sums)
            return self._with(sums, self.by_class and not drops_last)

    def select_classes(self, classes: Sequence[int] | str) -> Self:
        """Return the overlap of some classes, in the order given; ``"foreground"`` is all but 0."""
        if not self.by_class:
            raise ValueError(
                "`classes` must be asked of an overlap by class; got one without a class axis. "
                "Pass `class_axis=` or `num_classes=` to `overlap`."
            )
        library = self._library
        with library.precision():
            return self._with(library.take(self.rows, as_classes(classes, self.shape[-1])))

    def to_table(
        self,
        *,
        cases: Sequence[Any] | None = None,
        classes: Sequence[Any] | None = None,
        scores: Sequence[str | Score] | Mapping[str, str | Score] | None = None,
    ) -> dict[str, list[Any]]:
        """Return columns with one row per case and class, in the format that pandas, polars and
        rich accept.

        Parameters
        ----------
        cases : sequence, optional
            Names of the cases (the axis of the counts that is not the class axis); 0, 1, 2 and so
            on by default. An overlap without that axis is one case.
        classes : sequence, optional
            Names of the classes; their positions by default.
        scores : sequence, or mapping from names of columns, optional
            Names of scores (``"dice_score"``) or sizes (``"tp"``), or functions of an overlap; by
            default ``"dice_score"``, ``"jaccard_score"``, ``"precision_score"`` and
            ``"recall_score"``; for soft squared sums only the first two. Bind arguments with
            ``functools.partial``.

        Returns
        -------
        dict of str to list
            ``"case"`` if there are cases, ``"class"`` if there are classes, then a column for each
            score. Values are Python numbers; the score of an empty set stays NaN. A lazy overlap is
            computed once.

        Raises
        ------
        TypeError, ValueError
            If there are several axes beside that of classes, names do not fit the counts, a score
            is unknown, needs arguments, or gives one number for all classes.

        Examples
        --------
        >>> from dice_any import Overlap
        >>> counts = Overlap.from_counts(tp=2, fp=1, fn=1)
        >>> counts.to_table(cases=["monday"], scores=["tp", "jaccard_score"])
        {'case': ['monday'], 'tp': [2], 'jaccard_score': [0.5]}
        """
        return table_of(self, cases, classes, scores)

    def __repr__(self) -> str:
        classes = ", by class" if self.by_class else ""
        library = getattr(type(self._held), "__module__", "").partition(".")[0]
        return (
            f"<Overlap of shape {self.shape}{classes}: {self.kind} sums, {self.form} form, "
            f"{library}>"
        )


def _same_bits(library: ArrayLibrary, a: Overlap, b: Overlap) -> bool:
    """Tell whether two overlaps of one library, kind and shape hold the same sums."""
    if not all(library.has_values(overlap._held) for overlap in (a, b)):
        raise ValueError(
            "`overlap` must hold values to be compared; got lazy or traced sums of "
            f"{library.name}. Compute both first, `overlap.compute()`, outside of a trace."
        )
    with library.precision():
        xp = library.xp
        x, y = (carry(library, o.rows) if o.kind == "exact" else o.rows for o in (a, b))
        if library.device(x) != library.device(y):
            return bool(a.to_dict() == b.to_dict())
        return library.same_numbers(x, y) if a.kind == "plain" else bool(xp.all(x == y))
