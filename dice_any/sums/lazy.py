"""Overlaps of lazy arrays, which Dask treats as one of its collections.

The overlap delegates Dask's protocol to its array, including the optimisation. So overlaps and
arrays that are computed together are optimised together, and data is read once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from ..kernels.task import Kind
from .rows import Rows, check_values
from .travelling import Travelling, restore

Facts = tuple[Kind, str, bool, bool]


class Lazy(Travelling):
    """Sums that may be lazy."""

    __slots__ = ()

    def compute(self, **options: Any) -> Self:
        """Compute the overlap of Dask or cubed arrays; return any other unchanged.

        The result is in the library of the chunks (NumPy). `options` go to the array's own
        ``compute``. To compute an overlap together with arrays, and read the data once, use
        ``dask.compute(overlap, array)``.

        Raises
        ------
        ValueError
            Inside a trace, where there are no values.
        """
        library = self._library
        computed = library.compute(self._held, **options)
        if computed is not self._held:
            return self._holding(computed)
        check_values(library, computed, "computed")
        return self

    def persist(self, **options: Any) -> Self:
        """Compute the sums into memory but keep the lazy library; return any other overlap
        unchanged.
        """
        return self._holding(self._library.persist(self._held, **options))

    def _holding(self, held: Any) -> Self:
        return restore(held, *self._facts(), None, type(self))  # type: ignore[return-value]

    def _facts(self) -> Facts:
        return self.kind, self.form, self.by_class, self._rows_last

    # -- the protocol of Dask's collections --------------------------------------------------------

    def __dask_graph__(self) -> Any:
        graph = getattr(self._held, "__dask_graph__", None)
        return None if graph is None else graph()  # None: not a collection

    def __dask_keys__(self) -> Any:
        return self._held.__dask_keys__()

    def __dask_layers__(self) -> Any:
        return self._held.__dask_layers__()

    def __dask_tokenize__(self) -> Any:
        from dask.base import normalize_token

        return normalize_token((type(self), self._held, *self._facts()))

    @property
    def __dask_optimize__(self) -> Any:
        return self._held.__dask_optimize__

    @property
    def __dask_scheduler__(self) -> Any:
        return self._held.__dask_scheduler__

    def __dask_postcompute__(self) -> tuple[Callable[..., Rows], tuple[Any, ...]]:
        finish, arguments = self._held.__dask_postcompute__()
        return _of_results, (finish, arguments, self._facts(), type(self))

    def __dask_postpersist__(self) -> tuple[Callable[..., Rows], tuple[Any, ...]]:
        rebuild, arguments = self._held.__dask_postpersist__()
        return _of_graph, (rebuild, arguments, self._facts(), type(self))


def _of_results(
    results: Any, finish: Any, arguments: tuple[Any, ...], facts: Facts, cls: type[Rows]
) -> Rows:
    return restore(finish(results, *arguments), *facts, None, cls)


def _of_graph(
    graph: Any,
    rebuild: Any,
    arguments: tuple[Any, ...],
    facts: Facts,
    cls: type[Rows],
    *,
    rename: Any = None,
) -> Rows:
    array = rebuild(graph, *arguments, **({} if rename is None else {"rename": rename}))
    return restore(array, *facts, None, cls)
