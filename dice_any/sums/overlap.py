"""`Overlap`: the sums that everything in this field is computed from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from numbers import Integral
from typing import Any

from ..arrays import UnknownLibraryError, library_of, load_library
from ..arrays.library import Array, ArrayLibrary
from ..kernels.limbs import carry
from ..kernels.task import Kind
from ..reading import (
    FORMS,
    KINDS,
    as_classes,
    check_choice,
    read_axes,
    read_counts_shape,
    read_index,
    read_library,
    read_num_classes,
    read_stored,
)
from .rows import Rows


class Overlap(Rows):
    r"""The sums of an overlap: :math:`|X \cap Y|`, :math:`|X|`, :math:`|Y|` and the number of
    elements.

    An immutable value made by `overlap`, `pairwise_overlap` or `set_overlap`. Every score is a
    function of it, and ``+`` merges the overlaps of batches, chunks or processes. Hard and exact
    overlaps are held in integers, so that merging has no order: any tree of additions gives the
    same bits.

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
        On merging with something that is no overlap, of another array library, or of another kind
        (hard and exact mix).
    ValueError
        On merging different shapes or forms; nothing is broadcast.

    Notes
    -----
    An overlap also carries the number of invalid elements (NaN, or outside their range) where an
    error could not be raised at once; scores are NaN there. To transformations of JAX and PyTorch
    it is one array whose first axes are those of the counts: `vmap` and `scan` may take and return
    overlaps. One call counts fewer than 2³² elements; merged overlaps hold up to 2⁶².

    ``==`` compares kind, form, `by_class`, shape and the bits of the sums, as ``to_dict`` writes
    them: NaN equals NaN, and 0.0 is not −0.0. Overlaps of two array libraries are not equal; those
    that are lazy or traced are an error, as is an overlap in place of a condition (``if
    overlap:``). Overlaps are not hashable. A subclass that keeps the constructor is kept by all
    that makes one overlap of others, by pickle and as a pytree; in a sum the more special class is.

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

    def __reduce__(self) -> tuple[Any, ...]:
        packed, packer = self._held, None
        with suppress(UnknownLibraryError):  # a transformation may have put anything there
            library = library_of(self._held)
            packed = library.pack(self._held)
            packer = library.name if packed is not self._held else None
        made_by = (packed, self.kind, self.form, self.by_class, self._rows_last, packer, type(self))
        return _restore, made_by

    def __copy__(self) -> Overlap:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Overlap:
        return self

    @classmethod
    def zero(
        cls,
        shape: tuple[int, ...] = (),
        *,
        like: Array | Overlap | None = None,
        num_classes: int | None = None,
        kind: Kind = "hard",
        form: str = "product",
    ) -> Overlap:
        """Return the overlap of nothing, to start a stream.

        Parameters
        ----------
        shape : tuple of int
            Shape of the counts without classes.
        like : array or Overlap, optional
            Whose library and device to use; NumPy's by default. An overlap also gives shape, kind,
            form and classes.
        num_classes : int, optional
            Length of the class axis, if the counts are by class.
        kind : {"hard", "exact", "plain"}
            A hard zero merges with hard and with exact overlaps.
        form : {"product", "squared", "minimum"}
            Form of the memberships to come; of no matter for a hard zero.
        """
        if isinstance(like, Overlap):
            library = like._library
            with library.precision():
                sums = library.xp.zeros_like(like.rows)
                return cls.of_sums(library, sums, like.kind, like.form, like.by_class)
        _check(kind, form)
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

    def __iter__(self) -> Iterator[Overlap]:
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

    def _with(self, sums: Array, by_class: bool | None = None) -> Overlap:
        """Return an overlap of the same kind and form with other sums."""
        by_class = self.by_class if by_class is None else by_class
        return self.of_sums(library_of(sums), sums, self.kind, self.form, by_class)

    def __add__(self, other: object) -> Overlap:
        if not isinstance(other, Overlap):
            return NotImplemented
        self._check_mergeable(other)
        library = self._library
        with library.precision():
            # masks are the same in every form, so that only the form of what is not hard has to be
            # kept
            soft = max(
                self, other, key=lambda overlap: (overlap.kind != "hard", FORMS.index(overlap.form))
            )
            cls = type(other) if isinstance(other, type(self)) else type(self)
            sums = self.rows_as(soft.kind) + other.rows_as(soft.kind)
            return cls.of_sums(library, sums, soft.kind, soft.form, soft.by_class)

    def __radd__(self, other: object) -> Overlap:
        if isinstance(other, int) and other is not False and other == 0:  # the start of sum()
            return self
        return NotImplemented

    def _check_mergeable(self, other: Overlap) -> None:
        libraries = self._library, other._library
        if libraries[0] is not libraries[1]:
            raise TypeError(
                f"overlaps to be added must come from one array library; got {libraries[0].name} "
                f"and {libraries[1].name}. Move one with `Overlap.from_dict(other.to_dict(), "
                "like=array)`."
            )
        kinds = {self.kind, other.kind}
        if "plain" in kinds and len(kinds) == 2:
            raise TypeError(
                "overlaps to be added must both be plain or both be hard or exact; got "
                f"{self.kind} and {other.kind}. Compute both with the same `exact=`."
            )
        if self.shape != other.shape or self.by_class != other.by_class:
            raise ValueError(
                f"overlaps to be added must have equal shapes and classes; got {self.shape} and "
                f"{other.shape}, by class {self.by_class} and {other.by_class}. Nothing is "
                "broadcast."
            )
        if self.form != other.form and "hard" not in kinds:
            raise ValueError(
                f"overlaps to be added must have one form; got {self.form!r} and {other.form!r}."
            )

    def rows_as(self, kind: Kind) -> Array:
        """Return the sums laid out for `kind`: hard counts are exact sums without fraction."""
        if kind == self.kind:
            return self.rows
        library = self._library
        zeros = library.xp.zeros_like(self.rows)
        return library.stack([self.rows, zeros, zeros], axis=1)

    def sum(self, axis: int | Sequence[int] | None = None) -> Overlap:
        """Fold axes of the counts into one overlap; all of them but the class axis by default.

        Folding the last axis of an overlap by class pools the classes.
        """
        ndim = len(self.shape)
        axes = tuple(range(ndim - self.by_class)) if axis is None else read_axes("axis", axis, ndim)
        library = self._library
        with library.precision():
            sums = self.rows
            if axes:
                sums = library.xp.sum(
                    sums, axis=tuple(a + self._row_axes for a in axes), dtype=sums.dtype
                )
            return self._with(sums, self.by_class and ndim - 1 not in axes)

    def __getitem__(self, index: Any) -> Overlap:
        """Select counts by integers, slices and ``...``; as for an array, an integer drops its
        axis.
        """
        index, backwards = read_index(index, self.shape)
        if not any(i is Ellipsis for i in index):
            index = (*index, Ellipsis)
        named = [i for i in index if i is not Ellipsis]
        on_last = (
            index[-1]
            if index[-1] is not Ellipsis
            else named[-1]
            if len(named) == len(self.shape) > 0
            else ...
        )
        lead = (slice(None),) * self._row_axes
        library = self._library
        with library.precision():
            sums = self.rows[(*lead, *index)]
            if backwards:
                sums = library.xp.flip(sums, axis=tuple(a + self._row_axes for a in backwards))
            if 0 in sums.shape and not library.has_values(sums):
                # chunks of nothing: Dask takes them for some operations only
                sums = library.zeros(tuple(sums.shape), sums.dtype, sums)
            return self._with(sums, self.by_class and not isinstance(on_last, Integral))

    def select_classes(self, classes: Sequence[int] | str) -> Overlap:
        """Return the overlap of some classes, in the order of their numbers; ``"foreground"`` is
        all but 0.
        """
        if not self.by_class:
            raise ValueError(
                "`classes` must be asked of an overlap by class; got one without a class axis. "
                "Pass `class_axis=` or `num_classes=` to `overlap`."
            )
        library = self._library
        with library.precision():
            return self._with(library.take(self.rows, as_classes(classes, self.shape[-1])))

    # -- travelling --------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return the overlap as built-in types that JSON holds without losing a bit (a lazy one is
        computed).

        Counts and limbs are integers; plain sums are hexadecimal floating numbers.
        """
        with self._library.precision():
            library = self._library
            sums = library.tolist(carry(library, self.rows) if self.kind == "exact" else self.rows)
        if self.kind == "plain":
            sums = _deep(float.hex, sums)
        return {"kind": self.kind, "form": self.form, "by_class": self.by_class, "sums": sums}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, like: Array | Overlap | None = None) -> Overlap:
        """Return the overlap that `to_dict` wrote, in the library and on the device of `like`
        (NumPy's by default).
        """
        sums = read_stored(data)
        if isinstance(like, Overlap):
            like = like.rows
        library = load_library("numpy") if like is None else read_library("like", like)
        xp = library.xp
        with library.precision():
            like = xp.zeros(1) if like is None else like
            dtype = library.widest(like) if data["kind"] == "plain" else xp.int64
            array = library.constant(sums, dtype, like)
            return cls.of_sums(library, array, data["kind"], data["form"], data["by_class"])

    def tree_flatten(self) -> tuple[list[Array], tuple[str, str, bool]]:
        """Return the one array that transformations of JAX and PyTorch work on, and what they leave
        alone.

        An axis that a transformation puts first, or takes from there, is an axis of the counts.
        """
        leaf = self._held if self._rows_last else self._turn(0, -self._row_axes)
        return [leaf], (self.kind, self.form, self.by_class)

    @classmethod
    def tree_unflatten(cls, context: Any, leaves: Any) -> Overlap:
        """Rebuild an overlap; the leaf may be anything that a transformation puts there, and is not
        looked at here.
        """
        kind, form, by_class = context
        (leaf,) = leaves
        return cls(leaf, kind=kind, form=form, by_class=by_class, rows_last=True)

    def __repr__(self) -> str:
        classes = ", by class" if self.by_class else ""
        library = getattr(type(self._held), "__module__", "").partition(".")[0]
        return (
            f"<Overlap of shape {self.shape}{classes}: {self.kind} sums, {self.form} form, "
            f"{library}>"
        )


def _restore(
    sums: Any,
    kind: Kind,
    form: str,
    by_class: bool,
    rows_last: bool,
    packer: str | None,
    cls: type[Overlap] = Overlap,
) -> Overlap:
    sums = sums if packer is None else load_library(packer).unpack(sums)
    with suppress(UnknownLibraryError):  # in a process that has made no overlap yet
        library_of(sums).register(cls)
    return cls(sums, kind=kind, form=form, by_class=by_class, rows_last=rows_last)


def _same_bits(library: ArrayLibrary, a: Overlap, b: Overlap) -> bool:
    """Tell whether two overlaps of one library, kind and shape hold the same sums."""
    if not all(library.has_values(overlap._held) for overlap in (a, b)):
        raise ValueError(
            "`overlap` must hold values to be compared; got lazy or traced sums of "
            f"{library.name}. Compute both first, `Overlap.from_dict(overlap.to_dict())`, outside "
            "of a trace."
        )
    with library.precision():
        xp = library.xp
        x, y = (carry(library, o.rows) if o.kind == "exact" else o.rows for o in (a, b))
        if library.device(x) != library.device(y):
            return bool(a.to_dict() == b.to_dict())
        return library.same_numbers(x, y) if a.kind == "plain" else bool(xp.all(x == y))


def _check(kind: str, form: str) -> None:
    check_choice("kind", kind, KINDS)
    check_choice("form", form, FORMS)


def _deep(function: Any, values: Any) -> Any:
    return (
        [_deep(function, value) for value in values]
        if isinstance(values, list)
        else function(values)
    )
