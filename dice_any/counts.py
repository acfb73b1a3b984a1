"""Count how two arrays overlap. This is the only expensive step; scores and losses are algebra on
its result.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

from .arrays import library_of, load_library
from .arrays.library import Array, elements
from .kernels import optional_part, reference, select
from .kernels.limbs import limbs_to_float64
from .kernels.pairs import no_pairs
from .measuring import measure, raise_bad_values, rows_of_overlap
from .reading import (
    Axis,
    Regions,
    are_collections,
    public,
    raise_heavy,
    raise_invalid,
    read_ids,
    read_maps,
    read_rows,
    read_set,
    read_total,
)
from .sums import Overlap

#: The most numbers in all confusion matrices of a call: 8 GiB.
MOST_CELLS = 2**30

__all__ = ["Overlap", "confusion_matrix", "overlap", "pairwise_overlap", "set_overlap"]


@public()
def overlap(
    prediction: Array,
    target: Array,
    /,
    *,
    class_axis: int | None = None,
    axis: Axis = None,
    num_classes: int | None = None,
    activation: Literal["sigmoid", "softmax", "argmax"] | None = None,
    form: Literal["product", "squared", "minimum"] = "product",
    ignore_label: int | Sequence[int] | None = None,
    regions: Regions = None,
    weight: Array | None = None,
    exact: bool | None = None,
    backend: str | None = None,
) -> Overlap:
    r"""Sum the overlap of a predicted set X and a target set Y.

    .. math::
        I = \sum_i w_i\, x_i y_i, \qquad X = \sum_i w_i\, x_i, \qquad Y = \sum_i w_i\, y_i,
        \qquad N = \sum_i w_i

    over the elements i, where :math:`x_i, y_i \in [0, 1]` are the memberships of element i in X and
    in Y and :math:`w_i` its weight (1 without `weight`). With masks these are the counts :math:`|X
    \cap Y|`, :math:`|X|`, :math:`|Y|` and the number of elements.

    Parameters
    ----------
    prediction, target : array
        Two arrays of one library on one device, read by their dtypes:

        ==============================  =============================  ==================
        prediction                      target                         read as
        ==============================  =============================  ==================
        bool                            bool                           two masks
        floating or bool                floating or bool, same shape   memberships in [0, 1]
        floating or bool, `class_axis`  integer, without that axis     classes, a label map
        integer                         integer                        two label maps
        ==============================  =============================  ==================

        Two label maps need `num_classes`. Nothing is broadcast.
    class_axis : int, optional
        The prediction's axis of classes (channels). The counts then have the classes as their last
        axis.
    axis : int, tuple of int, "space" or None
        Axes of the prediction that are summed into each count. None: all but `class_axis`.
        ``"space"``: all but axis 0 (samples) and `class_axis`.
    num_classes : int, optional
        Number of classes of two label maps, whose labels are 0, 1, ..., `num_classes` - 1. With
        `regions` the number of labels; the default is the number of channels, if these are classes,
        and otherwise the largest label in a group plus 1.
    activation : {None, "sigmoid", "softmax", "argmax"}
        How the prediction becomes memberships; softmax and argmax (hard labels from scores) run
        over `class_axis`.
    form : {"product", "squared", "minimum"}
        ``"product"`` as above. ``"squared"``: :math:`X = \sum x_i^2`, :math:`Y = \sum y_i^2`
        (V-Net). ``"minimum"``: :math:`I = \sum \min(x_i, y_i)`, the right form for soft labels: the
        score is best if X = Y. For masks all three agree.
    ignore_label : int or sequence of int, optional
        Elements with this label (or one of these) in the target label map are ignored; it may be
        outside the classes.
    regions : sequence of label groups or mapping from names to groups, optional
        Makes the last axis of the counts regions instead of classes, in this order. A group is a
        label or a sequence of labels; groups may overlap, and labels in none are background. It
        needs two label maps, or a `class_axis` whose channels are classes: then a region's
        membership is the sum of its classes', in float64 from the smallest label on (masks are
        joined), also in a target by class. With ``activation="sigmoid"`` each channel is a region,
        and the target is a label map.
    weight : array, optional
        Non-negative weight of each element (bool, integer or floating), with as many axes as the
        target, each of its length or 1. Elements of weight 0 are ignored. It gets no gradient.
    exact : bool, optional
        Sum memberships in integers (None: wherever float64 exists), for the same bits on every
        library; no gradient. False: plain floating sums, which carry gradients.
    backend : str, optional
        Name of a kernel, or ``"reference"``. None chooses one. The choice never changes a bit of an
        exact result.

    Returns
    -------
    Overlap
        In the arrays' library, on their device, lazy if they are. int64 counts for masks and label
        maps; exact or plain sums for memberships.

    Raises
    ------
    TypeError
        If an argument is not an array, the libraries differ, or a dtype cannot be read.
    ValueError
        If shapes, devices, axes or other arguments do not fit; if an array has no element; and, if
        values can be read (NumPy, PyTorch and eager JAX on the CPU), if a label is out of range or
        a membership is NaN or outside [0, 1]. Otherwise such results are NaN.
    LookupError
        If `backend` is unknown or does not load.

    References
    ----------
    L. R. Dice, "Measures of the amount of ecologic association between species", Ecology 26, 1945.
    F. Milletari, N. Navab, S.-A. Ahmadi, "V-Net", 3DV 2016 (the squared form).

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import overlap
    >>> prediction = np.array([[1, 1, 0], [2, 0, 0]])
    >>> target = np.array([[1, 0, 0], [2, 2, 0]])
    >>> counts = overlap(prediction, target, num_classes=3)
    >>> counts.tp.tolist(), counts.fp.tolist(), counts.fn.tolist()
    ([2, 1, 1], [1, 1, 0], [1, 0, 1])
    """
    return measure(
        prediction,
        target,
        class_axis=class_axis,
        axis=axis,
        num_classes=num_classes,
        activation=activation,
        form=form,
        ignore_label=ignore_label,
        regions=regions,
        weight=weight,
        exact=exact,
        backend=backend,
    ).overlap


@public()
def confusion_matrix(
    prediction: Array,
    target: Array,
    /,
    *,
    num_classes: int,
    axis: Axis = None,
    ignore_label: int | Sequence[int] | None = None,
    weight: Array | None = None,
    backend: str | None = None,
) -> Array:
    r"""Count how often each target label meets each predicted label.

    .. math:: M_{tp} = \sum_i w_i\, [y_i = t]\,[x_i = p]

    where :math:`x_i` and :math:`y_i` are the predicted and the target label of element i and
    :math:`w_i` its weight. Rows are target labels, columns predicted labels, as in scikit-learn.

    Parameters
    ----------
    prediction, target : array of integers
        Two label maps of one shape, with labels 0, 1, ..., `num_classes` - 1.
    num_classes : int
        Number of classes C.
    axis : int, tuple of int, "space" or None
        Axes summed into each count; None: all. The other axes come before those of the matrices.
    ignore_label : int or sequence of int, optional
        Elements with this target label, or one of these, are ignored.
    weight : array, optional
        Non-negative weight of each element (bool, integer or floating), with as many axes as the
        target, each of its length or 1.
    backend : str, optional
        Name of a kernel, or ``"reference"``.

    Returns
    -------
    array of int64, shape (..., C, C)
        In the arrays' library, on their device, lazy if they are. float64 where the weight is
        floating: sums of integer limbs, rounded once (float32 on a device without float64).

    Raises
    ------
    TypeError, ValueError, LookupError
        As `overlap`; also if there are so many classes that the matrices would need more than 8
        GiB. If values cannot be read, elements with a label out of range are in no cell: the sum of
        a matrix of counts is less than the number of elements, and a matrix of floating weights is
        NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import confusion_matrix
    >>> confusion_matrix(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2]), num_classes=3).tolist()
    [[1, 0, 0], [1, 1, 0], [0, 1, 0]]
    """
    library, task, prediction, target, weight = read_maps(
        prediction,
        target,
        axis=axis,
        num_classes=num_classes,
        ignore_label=ignore_label,
        weight=weight,
    )
    cells = elements(tuple(n for a, n in enumerate(task.shapes[0] or ()) if a not in task.axis))
    if cells * task.classes**2 > MOST_CELLS:
        raise ValueError(
            f"`num_classes` must leave room for the matrices, {MOST_CELLS:,} numbers; got "
            f"{cells:,} of {task.classes:,} × {task.classes:,}. Relabel to fewer classes, or take "
            "sums by class from `overlap`."
        )
    with library.precision():
        kernel = select(task, backend, library.traced(prediction, target, weight))
        compute = optional_part(kernel, "confusion_matrix", backend, reference.confusion_matrix)
        matrix, invalid = compute(task, prediction, target, weight)
        answer = library_of(matrix)
        xp, exact = answer.xp, task.kind == "exact"
        raise_invalid(answer, invalid, task, prediction, target, weight, by_class=False)
        if task.limits_weight:
            raise_heavy(answer, xp.sum(matrix[0, ...] if exact else matrix, axis=(-2, -1)))
        matrix = limbs_to_float64(answer, matrix) if exact else matrix
        if task.kind != "hard" and not answer.at_hand(matrix):
            bad = xp.sum(invalid, axis=0)[..., None, None] > 0
            matrix = xp.where(bad, xp.full_like(matrix, float("nan")), matrix)
    return answer.deliver(matrix)


@public()
def pairwise_overlap(
    X: Array,  # noqa: N803 - the field's name for a matrix of samples
    Y: Array,  # noqa: N803
    /,
    *,
    form: Literal["product", "squared", "minimum"] = "product",
    exact: bool | None = None,
    backend: str | None = None,
) -> Overlap:
    r"""Sum the overlap of every row of X with every row of Y.

    .. math::
        I_{ij} = \sum_k X_{ik} Y_{jk}, \qquad |X_i| = \sum_k X_{ik}, \qquad |Y_j| = \sum_k Y_{jk}

    where :math:`X_{ik}` is the membership of element k in the i-th set (a bit of a fingerprint, a
    pixel of a mask). The other forms change the terms as in `overlap`.

    Parameters
    ----------
    X : array of bool or floating, shape (n, d)
        The predicted sets, one per row.
    Y : array of bool or floating, shape (m, d)
        The target sets, one per row. Without rows (an image without detections) there are no
        pairs, and the overlap has no counts.
    form : {"product", "squared", "minimum"}
        How soft memberships are summed; see `overlap`.
    exact : bool, optional
        Sum soft memberships in integers (None: wherever float64 exists). False uses a matrix
        product, which is faster but does not give the same bits everywhere. Bool rows are counted
        exactly, by a matrix product.
    backend : str, optional
        Name of a kernel, or ``"reference"``.

    Returns
    -------
    Overlap
        Of shape (n, m), in the arrays' library.

    Raises
    ------
    TypeError, ValueError, LookupError
        As `overlap`; also if X or Y is not a matrix, if their rows differ in length, or if a
        row has 2³² elements or none.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import dice_score, pairwise_overlap
    >>> X = np.array([[True, True, False], [False, False, True]])
    >>> Y = np.array([[True, False, False], [False, True, True], [True, True, True]])
    >>> dice_score(pairwise_overlap(X, Y)).round(3).tolist()
    [[0.667, 0.5, 0.8], [0.0, 0.667, 0.5]]
    """
    library, task, X, Y = read_rows(X, Y, form=form, exact=exact)  # noqa: N806
    with library.precision():
        kernel = select(task, backend, library.traced(X, Y))
        compute = optional_part(kernel, "pairwise", backend, reference.pairwise)
        if 0 in (task.shapes[0] or ()) or 0 in (task.shapes[1] or ()):
            compute = no_pairs  # no work for a kernel
        if task.kind != "plain":
            X, Y = library.detach(X), library.detach(Y)  # noqa: N806
        sums = compute(task, X, Y)
        answer = library_of(sums)
        if task.shapes[0][0] and task.shapes[1][0]:  # type: ignore[index]
            raise_bad_values(answer, task, sums, X, Y, None, pairs=True)
        return Overlap.of_sums(
            answer, rows_of_overlap(answer, task, sums), task.kind, form, by_class=False
        )


@public()
def set_overlap(
    a: Collection[Any] | Array, b: Collection[Any] | Array, /, *, total: int | None = None
) -> Overlap:
    r"""Count the overlap of two sets of element ids, as Dice defined it.

    .. math:: I = |A \cap B|, \qquad X = |A|, \qquad Y = |B|

    Parameters
    ----------
    a, b : collection of hashable ids, or 1-D array of integers
        The predicted and the target set. Repeated ids count once. Both are collections, or both are
        arrays of one library.
    total : int, optional
        Number of elements that could have been in either set; :math:`|A \cup B|` by default. Only
        scores that use true negatives depend on it.

    Returns
    -------
    Overlap
        Hard, without axes; in the arrays' library, or NumPy's for collections.

    Raises
    ------
    TypeError
        If only one is an array, if the arrays' libraries differ, if a collection is a string, or if
        ids are not hashable.
    ValueError
        If an array is not 1-D, or `total` is smaller than :math:`|A \cup B|` or larger than 2⁶².
        Also for arrays without values (traced, Dask), because the number of distinct ids depends on
        values.

    References
    ----------
    L. R. Dice, "Measures of the amount of ecologic association between species", Ecology 26, 1945.

    Examples
    --------
    >>> from dice_any import dice_score, set_overlap
    >>> float(dice_score(set_overlap({"oak", "ash", "elm"}, {"oak", "pine"})))
    0.4
    """
    if are_collections(a, b):
        first, second = read_set("a", a), read_set("b", b)
        sizes = len(first & second), len(first), len(second)
        library, like = load_library("numpy"), None
    else:
        library = read_ids(a, b)
        xp, like = library.xp, a
        first, second = (library.on_all_devices(xp.unique_values, ids) for ids in (a, b))
        union = xp.unique_values(xp.concat([first, second])).shape[0]
        sizes = first.shape[0] + second.shape[0] - union, first.shape[0], second.shape[0]
    union = sizes[1] + sizes[2] - sizes[0]
    total = union if total is None else read_total(total, union)
    with library.precision():
        rows = [*sizes, total, 0]
        like = library.xp.zeros(1) if like is None else like
        sums = library.constant(rows, library.xp.int64, like)
        return Overlap.of_sums(library, sums, "hard", "product", by_class=False)
