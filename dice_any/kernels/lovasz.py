"""The Lovász extension of the Jaccard index: sorted errors, each times its increment of the
Jaccard loss.

    L = Σ_k e_(k)·g_k,   e_(1) ≥ e_(2) ≥ …,   g_k = J_k − J_(k−1),   J_k = 1 − (Y − Σ_{j≤k} w·t) /
    (Y + Σ_{j≤k} w·(1 − t))

J_k is the Jaccard loss of a prediction that is wrong in exactly the k elements with the largest
errors. The errors are |t − p| for memberships, or the hinge max(0, 1 − z·(2t − 1)) for logits. The
slopes g depend on the order of the errors only, so they change only at ties.
"""

from __future__ import annotations

from typing import NamedTuple

from ..arrays.library import Array, ArrayLibrary
from .activations import activate, through_activation
from .blocks import invalid_labels, read_block
from .masks import Invalid, by_argument, counted_invalid, counted_only
from .memberships import valid_memberships, valid_weight
from .task import Task

#: Rows of `lovasz_sums`; INVALID is the first of three rows that count the invalid values of
#: prediction, target and weight.
LOSS, TARGET_SIZE, TOTAL_SIZE, INVALID = range(4)
ROWS = INVALID + len(Invalid._fields)


class _Errors(NamedTuple):
    """The errors, one row per count: the summed axes are flattened into one last axis."""

    membership: Array  # with the prediction's axes, like the two below
    target: Array
    error: Array
    sorted: Array  # rows, like all below
    slopes: Array  # g, in the order of `sorted`
    order: Array  # the index in its row that each came from
    size: Array  # Y
    total: Array  # N
    invalid: list[Array]  # numbers of invalid values of prediction, target and weight


def lovasz_sums(
    task: Task,
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    weight: Array | None,
    *,
    hinge: bool,
) -> Array:
    """Return the loss, the target's size, the total and the three numbers of invalid values of
    each count, (6, *counts).
    """
    errors = _sorted_errors(task, library, prediction, target, weight, hinge)
    loss = library.xp.sum(errors.sorted * errors.slopes, axis=-1)
    rest = (errors.size, errors.total, *errors.invalid)
    return library.stack([loss, *(library.xp.astype(row, loss.dtype) for row in rest)])


def lovasz_gradient(
    task: Task,
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    weight: Array | None,
    slope: Array,
    *,
    hinge: bool,
) -> Array:
    """Return the gradient with respect to the prediction, in its dtype.

    `slope` is the aligned derivative with respect to each loss.
    """
    xp = library.xp
    errors = _sorted_errors(task, library, prediction, target, weight, hinge)
    in_place = xp.argsort(errors.order, axis=-1)  # the inverse of a permutation
    pull = _from_rows(
        task, library, xp.take_along_axis(errors.slopes, in_place, axis=-1), errors.error.shape
    )
    one = xp.ones_like(errors.membership)
    toward = xp.where(errors.target, -one, one)
    if hinge:
        toward = xp.where(errors.error > 0, toward, xp.zeros_like(one))
    gradient = xp.astype(slope, one.dtype) * xp.astype(pull, one.dtype) * toward
    return xp.astype(
        through_activation(task, library, errors.membership, gradient), prediction.dtype, copy=False
    )


def _sorted_errors(
    task: Task,
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    weight: Array | None,
    hinge: bool,
) -> _Errors:
    xp = library.xp
    block = read_block(task, library, prediction, target, weight)
    t = block.target
    p = activate(task, library, block.prediction).membership
    invalid = invalid_labels(task, library, target, None)
    if not hinge:
        p, bad = valid_memberships(task, library, p, activated=task.activation is not None)
        invalid = invalid._replace(prediction=bad)
    if hinge:
        error = 1.0 - xp.where(t, p, -p)
        error = xp.where(error > 0, error, xp.zeros_like(error))
    else:
        error = xp.where(t, 1.0 - p, p)
    weights = xp.ones_like(p)
    if block.weight is not None and library.kind(block.weight.dtype) != "bool":
        weights, bad = valid_weight(task, library, block.weight)
        invalid = invalid._replace(weight=bad)
    if block.counted is not None:  # ignored elements add nothing to the index: slope 0
        weights = counted_only(library, block.counted, xp.broadcast_to(weights, p.shape))
    e, t_rows, w = (
        _to_rows(task, library, xp.broadcast_to(a, p.shape)) for a in (error, t, weights)
    )
    order = xp.argsort(-library.detach(e), axis=-1, stable=True)
    slopes, size, total = _jaccard_slopes(
        library, *(xp.take_along_axis(a, order, axis=-1) for a in (t_rows, w))
    )
    masks = counted_invalid(library, p.shape, invalid, block.counted)
    found = {
        name: library.count(_to_rows(task, library, mask), (slopes.ndim - 1,))
        for name, mask in masks.items()
    }
    numbers = by_argument(found, xp.zeros_like(size, dtype=xp.int64))
    in_order = xp.take_along_axis(e, order, axis=-1)
    return _Errors(p, t, error, in_order, slopes, order, size, total, numbers)


def _jaccard_slopes(library: ArrayLibrary, t: Array, w: Array) -> tuple[Array, Array, Array]:
    """Return each element's increment of the Jaccard loss, the size of the target and the
    total.
    """
    xp = library.xp
    w = xp.astype(w, library.widest(w))
    zero = xp.zeros_like(w)
    inside, outside = (
        xp.cumulative_sum(part, axis=-1) for part in (xp.where(t, w, zero), xp.where(t, zero, w))
    )
    size = inside[..., -1:]
    union = size + outside
    empty = union == 0
    loss = 1.0 - (size - inside) / xp.where(empty, xp.ones_like(union), union)
    loss = xp.where(empty, zero, loss)
    slopes = loss - xp.concat([zero[..., :1], loss[..., :-1]], axis=-1)
    return slopes, size[..., 0], union[..., -1]


def _row_order(task: Task) -> tuple[int, ...]:
    """Return the prediction's axes reordered: those of the counts first (classes last among them),
    then the summed ones.
    """
    ndim = len(task.shapes[0] or ())
    kept = tuple(a for a in range(ndim) if a not in task.axis and a != task.class_axis)
    return (*kept, *(() if task.class_axis is None else (task.class_axis,)), *task.axis)


def _to_rows(task: Task, library: ArrayLibrary, values: Array) -> Array:
    values = library.xp.permute_dims(values, _row_order(task))
    return library.xp.reshape(values, (*values.shape[: values.ndim - len(task.axis)], -1))


def _from_rows(task: Task, library: ArrayLibrary, rows: Array, shape: tuple[int, ...]) -> Array:
    order = _row_order(task)
    back = tuple(order.index(a) for a in range(len(order)))
    return library.xp.permute_dims(library.xp.reshape(rows, tuple(shape[a] for a in order)), back)
