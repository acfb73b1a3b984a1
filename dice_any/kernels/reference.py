"""The reference kernel, in Array API operations. It is always available, and every other kernel
must reproduce its bits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..arrays import library_of
from ..arrays.library import Array, ArrayLibrary, BlockFunction
from .activations import Activated, activate, keepable, keeps_while_summing
from .blocks import counted_mask, hard_labels, invalid_labels, read_counted
from .entropies import entropy_sums
from .labels import block_pairs, label_sums, split_pairs
from .masks import Invalid, mask_sums
from .memberships import either, membership_sums, valid_in_regions
from .pairs import pair_sums
from .task import ENTROPY, INTERSECTION, PREDICTION, WIDE, Task
from .vjp import align, block_gradient, region_gradient, slopes_by_region

name = "reference"
protocol = 1


def accepts(task: Task) -> bool | str:
    """Accept every task."""
    return True


def overlap(task: Task, prediction: Array, target: Array, weight: Array | None) -> Array:
    """Return the sums of whole arrays, in the layout that `Task` describes."""
    return _sums(block_sums, task, prediction, target, weight)


def _sums(function: BlockFunction, task: Task, prediction: Array, *others: Array | None) -> Array:
    return library_of(prediction).run(
        function,
        task,
        prediction,
        *others,
        leading=task.leading_shape,
        trailing=task.trailing_shape,
    )


def overlap_vjp(
    task: Task, prediction: Array, target: Array, weight: Array | None, cotangent: Array
) -> Array:
    """Return the prediction's gradient from the derivatives with respect to the sums.

    `cotangent` has the layout of the sums. Only the sums of intersection, prediction and entropy
    depend on the prediction.
    """
    gradient, slopes = _gradient(task, cotangent)
    return library_of(prediction).map(gradient, task, prediction, target, weight, *slopes)


def _gradient(task: Task, cotangent: Array) -> tuple[Callable[..., Array], list[Array]]:
    """Return what makes the gradient of a block, and the slopes that it takes."""
    library = library_of(cotangent)  # sparse arrays have dense sums
    rows = (
        (INTERSECTION, PREDICTION) if task.entropy is None else (INTERSECTION, PREDICTION, ENTROPY)
    )
    slopes = [align(task, library, cotangent[row, ...]) for row in rows]
    if task.regions is None:
        return block_gradient, slopes
    return region_gradient, slopes_by_region(task, library, slopes)


def overlap_keeping(
    task: Task, prediction: Array, target: Array, weight: Array | None
) -> tuple[Array, Array | None]:
    """Return the sums, and the array from which `overlap_vjp_over` computes the gradient.

    That array is None if nothing is worth keeping.
    """
    library = library_of(prediction)
    function: BlockFunction
    arrays: tuple[Array | None, ...]
    if keeps_while_summing(task):
        # beside half precision the memberships would take more memory than the gradient
        fits = task.dtypes[0] in ("float32", *WIDE)
        kept = library.room_like(prediction) if fits else None
        function, arrays = block_sums, (prediction, target, weight, kept)
    else:
        kept = keepable(task, library, prediction)
        function, arrays = partial(block_sums, kept=True), (kept, target, weight)
    if kept is None:
        return overlap(task, prediction, target, weight), None
    return _sums(function, task, *arrays), kept


def overlap_vjp_over(
    task: Task, kept: Array, target: Array, weight: Array | None, cotangent: Array
) -> Array:
    """Do the same as `overlap_vjp`, overwriting the array that `overlap_keeping` kept."""
    gradient, slopes = _gradient(task, cotangent)
    run = library_of(kept).map_over
    return run(partial(gradient, kept=True), task, kept, target, weight, *slopes)


def confusion_matrix(
    task: Task, prediction: Array, target: Array, weight: Array | None
) -> tuple[Array, Array]:
    """Return the confusion matrices of two label maps, and the numbers of invalid values.

    The matrices have the shape (*kept, C, C), or (3, *kept, C, C) for exact limbs. The numbers of
    invalid values of prediction, target and weight have the shape (3, *kept).
    """
    library, side = library_of(prediction), task.classes + 1
    exact = task.kind == "exact"
    joint = library.run(
        block_pairs,
        task,
        prediction,
        target,
        weight,
        leading=(3,) if exact else (),
        trailing=(side + 1, side),
    )
    matrix, invalid = split_pairs(task, library_of(joint), joint if exact else joint[None, ...])
    return (matrix if exact else matrix[0, ...]), invalid


def pairwise(task: Task, X: Array, Y: Array) -> Array:  # noqa: N803
    """Return the sums of every pair of rows, (*leading, n, m)."""
    return library_of(X).on_all_devices(partial(pair_sums, overlap, task), X, Y)


def block_sums(
    task: Task,
    library: ArrayLibrary,
    prediction: Array,
    target: Array,
    weight: Array | None,
    room: Array | None = None,
    *,
    kept: bool = False,
) -> Array:
    """Return the sums of one block, and write its memberships to the `room` for them; if `kept`,
    the prediction is the result of `keepable`.
    """
    counted = counted_mask(task, library, target, weight)  # with the axes of the target
    unreadable = None  # where argmax meets a NaN
    if task.activation == "argmax":
        prediction, unreadable = hard_labels(task, library, prediction)
    if all(task.labels) and task.regions is None:
        return label_sums(task, library, prediction, target, counted, weight, unreadable)

    block = read_counted(
        task, library, prediction, target, counted, weight, factors=task.kind == "plain"
    )
    activated = Activated(block.prediction)
    if task.activation in ("sigmoid", "softmax"):
        activated = activate(task, library, block.prediction, block.counted, kept=kept, room=room)
    invalid = invalid_labels(task, library, target, unreadable)
    x, y = activated.membership, block.target
    if task.regions is not None:
        x, y, invalid = _of_regions(task, library, activated, y, invalid)
    add = (
        mask_sums
        if task.kind == "hard"
        else partial(
            membership_sums, from_labels=task.labels[1], may_overwrite=block.target_is_ours
        )
    )
    sums = add(task, library, x, y, block.counted, block.weight, invalid)
    if task.entropy is None:
        return sums
    return library.xp.concat([sums, entropy_sums(task, library, block, activated, sums)])


def _of_regions(
    task: Task, library: ArrayLibrary, activated: Activated, target: Array, invalid: Invalid
) -> tuple[Array, Array, Invalid]:
    """Return both sets with regions in place of classes, which are invalid where one of their
    classes is.
    """
    x, bad_x = activated.regions, None
    if x is None:
        x, bad_x = valid_in_regions(task, library, activated.membership)
    y, bad_y = valid_in_regions(task, library, target)
    bad = either(invalid.prediction, bad_x), either(invalid.target, bad_y)
    return x, y, invalid._replace(prediction=bad[0], target=bad[1])
