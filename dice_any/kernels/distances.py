"""The distance of each element's prediction from each class, and its gradient.

    q_c = Σ_l M_cl·p_l,   M_cl the distance from target class c to predicted class l

q_c is the cost of moving the predicted memberships p to class c: the Wasserstein distance between
the prediction and a target of class c.
"""

from __future__ import annotations

from typing import Any

from ..arrays.library import Array, ArrayLibrary
from .activations import activate, through_activation
from .blocks import read_block
from .task import Task

#: rows: target class; columns: predicted class. A tuple of tuples of numbers, or an array inside of
#: a compiler
Matrix = Any


def class_distances(
    task: Task,
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    weight: Array | None,
    *,
    matrix: Matrix,
) -> Array:
    """Return q of one block, in the prediction's dtype."""
    p = _memberships(task, library, prediction, target, weight)
    return library.xp.astype(_multiply(task, library, matrix, p), prediction.dtype, copy=False)


def class_distances_gradient(
    task: Task,
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    weight: Array | None,
    cotangent: Array,
    *,
    matrix: Matrix,
) -> Array:
    """Return the gradient with respect to the prediction, in its dtype."""
    xp = library.xp
    p = _memberships(task, library, prediction, target, weight)
    traced = not isinstance(matrix, tuple)
    transposed = xp.permute_dims(matrix, (1, 0)) if traced else tuple(zip(*matrix, strict=True))
    gradient = _multiply(task, library, transposed, xp.astype(cotangent, p.dtype, copy=False))
    return xp.astype(through_activation(task, library, p, gradient), prediction.dtype, copy=False)


def _memberships(
    task: Task, library: ArrayLibrary, prediction: Array, target: Array, weight: Array | None
) -> Array:
    """Return p; the distance from one class depends on the memberships of all classes."""
    block = read_block(task, library, prediction, target, weight, together=True)
    return activate(task, library, block.prediction).membership


def _multiply(task: Task, library: ArrayLibrary, matrix: Matrix, values: Array) -> Array:
    """Multiply the class axis by a matrix."""
    xp = library.xp
    if library.differentiable(values) and not library.traced(values):
        # recorded for a second derivative, whose backward pass runs in the caller's own context:
        # there `torch.autocast` may multiply float32, but never float64, in half precision
        values = xp.astype(values, library.widest(values))
    constant = library.constant(matrix, values.dtype, values)
    product = xp.tensordot(
        constant, values, axes=((1,), (task.class_axis,))
    )  # the classes come first
    axis = task.class_axis or 0
    return xp.permute_dims(product, (*range(1, axis + 1), 0, *range(axis + 1, product.ndim)))
