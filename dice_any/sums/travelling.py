"""Serialise overlaps as dictionaries and pickles, and pass them through transformations of JAX and
PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Self

from ..arrays import UnknownLibraryError, library_of, load_library
from ..arrays.library import Array
from ..kernels.limbs import carry
from ..kernels.task import Kind
from ..reading import VERSION, read_library, read_stored
from .rows import Rows, check_values


class Travelling(Rows):
    """Sums that can be serialised and transformed."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the overlap as built-in types that JSON stores without losing a bit (a lazy one
        is computed).

        The format is version 1: ``version``; ``kind``, ``form`` and ``by_class``, the attributes of
        these names; and ``sums``, nested lists of the five rows intersection, prediction, target,
        total and number of invalid elements, each in the shape of the counts. Hard sums are
        integers. Exact ones are three integers a, b and c for each row, in nested lists
        between the rows and the counts, with 0 ≤ b, c < 2³¹: the sum is a + b/2³¹ + c/2⁶². Plain
        ones are strings, as ``float.hex`` writes them.

        Examples
        --------
        >>> import numpy as np
        >>> import dice_any
        >>> masks = np.array([True, True, False]), np.array([True, False, False])
        >>> dice_any.overlap(*masks).to_dict()["sums"]
        [1, 2, 1, 3, 0]
        """
        with self._library.precision():
            library = self._library
            check_values(library, self._held, "written")
            sums = library.tolist(carry(library, self.rows) if self.kind == "exact" else self.rows)
        if self.kind == "plain":
            sums = _deep(float.hex, sums)
        facts = {"kind": self.kind, "form": self.form, "by_class": self.by_class}
        return {"version": VERSION, **facts, "sums": sums}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, like: Array | Rows | None = None) -> Self:
        """Return the overlap that `to_dict` wrote, in the library and on the device of `like`
        (NumPy by default).

        Data without ``version`` is read as version 1; a later version is an error.
        """
        sums = read_stored(data)
        if isinstance(like, Rows):
            like = like.rows
        library = load_library("numpy") if like is None else read_library("like", like)
        xp = library.xp
        with library.precision():
            like = xp.zeros(1) if like is None else like
            dtype = library.widest(like) if data["kind"] == "plain" else xp.int64
            array = library.answer(library.constant(sums, dtype, like))
            facts = data["kind"], data["form"], bool(data["by_class"])
            return cls.of_sums(library_of(array), array, *facts)

    def __reduce__(self) -> tuple[Any, ...]:
        packed, packer = self._held, None
        with suppress(UnknownLibraryError):  # a transformation may store any object there
            library = library_of(self._held)
            packed = library.pack(self._held)
            packer = library.name if packed is not self._held else None
        made_by = (packed, self.kind, self.form, self.by_class, self._rows_last, packer, type(self))
        return restore, made_by

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def tree_flatten(self) -> tuple[list[Array], tuple[str, str, bool]]:
        """Return the array that transformations of JAX and PyTorch work on, and the static data.

        An axis that a transformation adds or removes at the front is an axis of the counts.
        """
        leaf = self._held if self._rows_last else self._turn(0, -self._row_axes)
        return [leaf], (self.kind, self.form, self.by_class)

    @classmethod
    def tree_unflatten(cls, context: Any, leaves: Any) -> Self:
        """Rebuild an overlap; the leaf may be any object of a transformation, unchecked."""
        kind, form, by_class = context
        (leaf,) = leaves
        return cls(leaf, kind=kind, form=form, by_class=by_class, rows_last=True)


def restore(
    sums: Any,
    kind: Kind,
    form: str,
    by_class: bool,
    rows_last: bool,
    packer: str | None,
    cls: type[Rows],
) -> Rows:
    """Return an overlap after unpickling or after its Dask array was computed."""
    sums = sums if packer is None else load_library(packer).unpack(sums)
    with suppress(UnknownLibraryError):  # in a process without any overlap so far
        library_of(sums).register(cls)
    return cls(sums, kind=kind, form=form, by_class=by_class, rows_last=rows_last)


def _deep(function: Any, values: Any) -> Any:
    return (
        [_deep(function, value) for value in values]
        if isinstance(values, list)
        else function(values)
    )
