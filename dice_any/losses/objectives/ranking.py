"""The Lovász extension of the Jaccard loss. See `lovasz_loss`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from ...arrays.library import Array, ArrayLibrary
from ...kernels import Task
from ...kernels.lovasz import LOSS, ROWS, lovasz_gradient, lovasz_sums
from ...kernels.memberships import widened
from ...kernels.vjp import align
from ...measuring import measure
from ...reading import raise_invalid, read
from .memberships import WrittenSets, plain_task, refuse_overlap, write_out
from .objective import LossCall, Slopes
from .reductions import Chosen, Terms, all_classes, choose
from .settings import Settings

WHY = "it ranks elements by their errors"


@dataclass(frozen=True)
class RankingObjective:
    """The sum of the sorted errors, each times its step of the Jaccard loss."""

    #: whether logits are ranked by their hinge errors
    hinge: bool
    entropy: None = None
    of_sums: bool = False

    def check(self, prediction: Any, arguments: Mapping[str, Any]) -> None:
        refuse_overlap(prediction, WHY)
        if self.hinge and arguments.get("regions") is not None:
            raise ValueError(
                "`regions` must be left out with `activation='hinge'`, as logits do not add up; "
                "got an argument. Pass a mask of each channel's region, or use 'softmax' or "
                "'sigmoid'."
            )
        if arguments.get("exact"):
            raise ValueError(
                "`exact` must be left out here, as errors are sorted, not summed in integers; got "
                "True. Drop it."
            )
        if arguments.get("backend") not in (None, "reference"):
            raise ValueError(
                "`backend` must be left out here, as only the reference sorts; got "
                f"{arguments['backend']!r}. Drop it."
            )

    def check_counts(self, kind: str, form: str, by_class: bool) -> None:
        """Accept every kind of sums."""

    def measure(self, call: LossCall) -> Terms:
        task, library = plain_task(call, WHY), call.library
        if library.kind(call.target.dtype) == "floating":
            raise TypeError(
                "`target` must be boolean or a label map in this loss, which ranks errors of "
                f"members and others; got {task.dtypes[1]}. Threshold it, or use the Jaccard loss "
                "in its minimum form."
            )
        make = _pooled if call.settings.average == "micro" else _by_class
        ranked = make(call, task, self.hinge)
        loss, size, total, *numbers = library.unstack(ranked.rows(self.hinge))
        invalid = library.stack(numbers)
        by_class = ranked.task.by_class
        raise_invalid(
            library, invalid, task, call.prediction, call.target, call.weight, by_class=by_class
        )
        return Terms(
            library,
            [loss],
            target=size,
            total=total,
            invalid=library.xp.sum(invalid, axis=0),
            by_class=by_class,
            settings=ranked.settings.with_counts(library, loss),
            gradient=partial(ranked.gradient, self.hinge),
        )

    def choose(self, terms: Terms) -> Chosen:
        return choose(terms)

    def losses(
        self, library: ArrayLibrary, rows: Sequence[Array], smooth: tuple[float, float]
    ) -> tuple[Array, Slopes]:
        return rows[0], lambda share: [share]


class _Ranked(NamedTuple):
    """The arrays to rank, and the way back to the gradient."""

    library: ArrayLibrary
    task: Task
    arrays: tuple[Array, Array, Array | None]
    settings: Settings
    sets: WrittenSets | None = None  # the source of the arrays

    def rows(self, hinge: bool) -> Array:
        """Return the rows of `lovasz_sums`, differentiable in the prediction."""
        library, task = self.library, self.task
        function = partial(lovasz_sums, hinge=hinge)
        run = partial(
            library.run_whole, function, task, leading=(ROWS,), trailing=task.trailing_shape
        )
        prediction, _, weight = self.arrays
        # the closed form covers the prediction only, and class weights may be in the weight
        closed = library.differentiable(prediction) and not library.differentiable(weight)
        if library.traced(*self.arrays) or not closed:
            return run(*self.arrays)
        # not a method: the graph would keep the object, and its arrays, as long as the loss lives
        backward, operations = (
            partial(_pull_at_rows, library, task, hinge),
            partial(function, task, library),
        )
        return library.with_gradient(run, backward, operations)(*self.arrays)

    def gradient(self, hinge: bool, slope: Array) -> Array:
        """Return the gradient in the caller's prediction."""
        gradient = _pull(self.library, self.task, hinge, *self.arrays, slope)
        return gradient if self.sets is None else self.sets.gradient(gradient)


def _pull(library: ArrayLibrary, task: Task, hinge: bool, *arrays: Array) -> Array:
    """Return the gradient in the ranked values; the last array is the derivative in each loss."""
    *ranked, slope = arrays
    function = partial(lovasz_gradient, hinge=hinge)
    return library.map_whole(function, task, *ranked, align(task, library, slope))


def _pull_at_rows(library: ArrayLibrary, task: Task, hinge: bool, *arrays: Array) -> Array:
    """Do the same from the derivatives in all rows."""
    return _pull(library, task, hinge, *arrays[:-1], arrays[-1][LOSS, ...])


def _by_class(call: LossCall, task: Task, hinge: bool) -> _Ranked:
    library = call.library
    if task.regions is None:
        arrays = widened(library, call.prediction), call.target, call.weight
        return _Ranked(library, task, arrays, call.settings)
    sets = write_out(call, task)
    written = sets.prediction, sets.target
    _, of_regions = read(*written, **sets.arguments, exact=False)
    return _Ranked(library, of_regions, (*written, sets.weight), call.settings, sets)


def _pooled(call: LossCall, task: Task, hinge: bool) -> _Ranked:
    """Rank the elements of all classes together: the class axis becomes an axis of elements, and
    class weights become weights of elements.
    """
    library = call.library
    xp = library.xp
    sets = write_out(call, task, of_memberships=not hinge)
    found = measure(sets.target, sets.target, exact=False, **sets.arguments).overlap
    _, _, sizes, total, invalid = found.as_float64()
    settings = call.settings.with_counts(library, sizes)
    apart = replace(settings, average=None, absent="count")
    chosen = choose(Terms(library, [], sizes, total, invalid, True, apart, sets.gradient))
    # 0 for classes that take no part
    weights = all_classes(library, chosen.weights, chosen, apart, task.trailing_shape[0])
    weight = xp.astype(align(task, library, weights), sets.prediction.dtype)
    if sets.weight is not None:
        weight = weight * xp.astype(sets.weight, weight.dtype)
    arrays = (sets.prediction, sets.target, xp.broadcast_to(weight, sets.target.shape))
    axis = tuple(sorted((*task.axis, task.class_axis or 0)))
    _, pooled = read(arrays[0], arrays[1], axis=axis, weight=arrays[2], exact=False)
    done = replace(settings, average=None, classes=None, class_weight=None, power=None)
    return _Ranked(library, pooled, arrays, done, sets)
