"""The rows of sums that an `Overlap` stores, and the sizes computed from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ..arrays import library_of
from ..arrays.library import Array, ArrayLibrary, can_compute
from ..kernels.limbs import carry, to_float64
from ..kernels.task import INTERSECTION, PREDICTION, TARGET, TOTAL, Kind

#: The row after the four sums: the number of invalid values of all arguments.
INVALID = TOTAL + 1


class Rows:
    """Sums of sets in rows: intersection, prediction, target, total, and number of invalid values.

    An immutable value that stores one array. Rows, and limbs of exact sums, are its first axes, or
    its last ones if a transformation of JAX or PyTorch created it.
    """

    __slots__ = ("_held", "_rows_last", "by_class", "form", "kind")

    if TYPE_CHECKING:  # type checkers would consider slots assignable

        @property
        def kind(self) -> Kind: ...
        @property
        def form(self) -> str: ...
        @property
        def by_class(self) -> bool: ...

    _held: Array
    # whether the array came from a transformation: (*counts, 5); exact: (*counts, 5, 3)
    _rows_last: bool

    def __init__(
        self, sums: Array, *, kind: Kind, form: str, by_class: bool, rows_last: bool = False
    ) -> None:
        object.__setattr__(self, "_held", sums)
        object.__setattr__(self, "_rows_last", rows_last)
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "form", form)
        object.__setattr__(self, "by_class", by_class)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("an Overlap is immutable")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("an Overlap is immutable")

    @classmethod
    def of_sums(
        cls, library: ArrayLibrary, sums: Array, kind: Kind, form: str, by_class: bool
    ) -> Self:
        """Create an overlap from a kernel's raw sums."""
        library.register(cls)
        return cls(
            carry(library, sums) if kind == "exact" else sums,
            kind=kind,
            form=form,
            by_class=by_class,
        )

    @property
    def rows(self) -> Array:
        """The rows: (5, *counts); exact: limbs, (5, 3, *counts)."""
        return self._turn(-self._row_axes, 0) if self._rows_last else self._held

    def _with(self, sums: Array, by_class: bool | None = None) -> Self:
        """Return an overlap of the same kind and form with other sums."""
        by_class = self.by_class if by_class is None else by_class
        return self.of_sums(library_of(sums), sums, self.kind, self.form, by_class)

    def rows_as(self, kind: Kind) -> Array:
        """Return the sums in the layout of `kind`: hard counts as exact sums without fraction."""
        if kind == self.kind:
            return self.rows
        library = self._library
        zeros = library.xp.zeros_like(self.rows)
        return library.stack([self.rows, zeros, zeros], axis=1)

    @property
    def _row_axes(self) -> int:
        """The number of axes that do not belong to the counts."""
        return 2 if self.kind == "exact" else 1

    def _turn(self, start: int, end: int) -> Array:
        """Return the stored array with rows and limbs moved from one end of the axes to the
        other.
        """
        library = library_of(self._held)
        with library.precision():
            if self.kind != "plain" and self._held.dtype != library.xp.int64:
                name = library.dtype_name(self._held.dtype)
                cure = library.cure_for_narrowed(name)
                raise TypeError(f"`overlap` must keep its counts in int64; got {name}. {cure}.")
            return library.xp.moveaxis(
                self._held, *(tuple(range(e, e + self._row_axes)) for e in (start, end))
            )

    @property
    def _library(self) -> ArrayLibrary:
        return library_of(self._held)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the counts, the class axis (if `by_class`) last."""
        shape = tuple(self._held.shape)
        return shape[: -self._row_axes] if self._rows_last else shape[self._row_axes :]

    @property
    def intersection(self) -> Array:
        """Sum of |X∩Y|; int64 if hard, else float64."""
        return self._combine({INTERSECTION: 1})

    @property
    def prediction(self) -> Array:
        """Sum of |X|."""
        return self._combine({PREDICTION: 1})

    @property
    def target(self) -> Array:
        """Sum of |Y|."""
        return self._combine({TARGET: 1})

    @property
    def total(self) -> Array:
        """Number of counted elements, or their total weight."""
        return self._combine({TOTAL: 1})

    @property
    def tp(self) -> Array:
        """True positives: |X∩Y|."""
        return self.intersection

    @property
    def fp(self) -> Array:
        """False positives: |X| − |X∩Y|."""
        return self._combine({PREDICTION: 1, INTERSECTION: -1})

    @property
    def fn(self) -> Array:
        """False negatives: |Y| − |X∩Y|."""
        return self._combine({TARGET: 1, INTERSECTION: -1})

    @property
    def tn(self) -> Array:
        """True negatives: total − |X| − |Y| + |X∩Y|."""
        return self._combine({TOTAL: 1, PREDICTION: -1, TARGET: -1, INTERSECTION: 1})

    @property
    def invalid(self) -> Array:
        """Number of invalid elements for which an error could not be raised at once."""
        library = self._library
        with library.precision():
            row = self.rows[INVALID, 0, ...] if self.kind == "exact" else self.rows[INVALID, ...]
            row = library.xp.astype(row, library.xp.int64)
        return library.deliver(row)

    def _combine(self, signs: dict[int, int]) -> Array:
        """Add rows with signs; exact rows are added in integers and rounded once."""
        library = self._library
        with library.precision():
            rows = library.unstack(self.rows)
            total: Any = sum(sign * rows[row] for row, sign in signs.items())
            total = (
                self._rounded(library, total[None, ...])[0, ...]
                if self.kind == "exact"
                else total + 0
            )
        return library.deliver(total)

    def _rounded(self, library: ArrayLibrary, limbs: Array) -> Array:
        limbs = carry(library, limbs)
        return to_float64(library, (limbs[:, 0, ...], limbs[:, 1, ...], limbs[:, 2, ...]))

    def as_float64(self) -> tuple[Array, Array, Array, Array, Array]:
        """Return intersection, prediction, target and total rounded to float64, and the number of
        invalid elements.

        Call it inside the library's precision context. Plain sums are returned unchanged.
        """
        library = self._library
        sums, xp = self.rows, library.xp
        if self.kind == "exact":
            # a transformation may have added overlaps leaf by leaf (a psum) without carrying limbs
            floats = self._rounded(library, sums[:INVALID, ...])
            invalid = sums[INVALID, 0, ...]
        else:
            floats = xp.astype(sums, library.widest(sums), copy=False)
            invalid = sums[INVALID, ...]
        intersection, prediction, target, total, *_ = library.unstack(floats)
        return intersection, prediction, target, total, invalid


def check_values(library: ArrayLibrary, held: Array, verb: str) -> None:
    """Check that the sums have values, or can be computed."""
    if not can_compute(library, held):
        raise ValueError(
            f"`overlap` must hold values to be {verb}; got traced or meta sums of {library.name}. "
            "Do it outside of the trace."
        )
