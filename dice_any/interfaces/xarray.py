"""Scores over the named dimensions of xarray, aligned by their coordinates."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from ..counts import overlap
from ..reading import as_classes, class_name
from . import not_installed
from .arguments import Score, split, try_out

try:
    import xarray
    from xarray import DataArray
except ModuleNotFoundError as error:
    raise not_installed("xarray", "xarray", error) from error

__all__ = ["score"]

Dims = Hashable | Iterable[Hashable] | None
REFUSED = {
    "axis": "Pass `dim=`, by name.",
    "class_axis": "Pass `class_dim=`, by name.",
}


def score(
    function: Score,
    prediction: DataArray,
    target: DataArray,
    /,
    *,
    dim: Dims = None,
    class_dim: Hashable = "class",
    weight: DataArray | None = None,
    **arguments: Any,
) -> DataArray:
    r"""Score a prediction against a target, over dimensions that have names.

    .. math:: s_k = s\bigl(\{x_{ik}\}_i, \{y_{ik}\}_i\bigr)

    where s is the score, i runs over the coordinates of the dimensions `dim` and k over those of
    the others; :math:`x_{ik}` and :math:`y_{ik}` lie at the same coordinates.

    Parameters
    ----------
    function : function
        A score of this package, for example `dice_any.dice_score`.
    prediction, target : xarray.DataArray
        Boolean masks, memberships or label maps, as `dice_any.overlap` reads them, of the same
        dimensions in any order, and of the same coordinates in any order. The target may be a label
        map against a prediction with the dimension `class_dim`.
    dim : hashable or iterable of hashable, optional
        The dimensions that are summed; None: all but `class_dim`.
    class_dim : hashable, default 'class'
        The dimension of classes: of the prediction, if it has it, and of the result.
    weight : xarray.DataArray, optional
        Weight of each element, not negative: of the target's dimensions, or of some of them (the
        areas of the cells of a latitude, say).
    **arguments
        Others of the score: `num_classes`, `activation`, `average`, `classes`, `ignore_label`,
        `empty` and so on.

    Returns
    -------
    xarray.DataArray
        float64, named as the score, with the dimensions that were not summed and their coordinates;
        `class_dim` last, unless the score is one of all classes. Its coordinates are those of the
        prediction, or the numbers of the classes. Lazy if one of the arrays is (Dask).

    Raises
    ------
    TypeError
        If an array is no DataArray (choose one variable of a Dataset), or an argument is not one of
        the score.
    ValueError
        If dimensions or coordinates of the arrays differ, or if only one of them has coordinates
        along a dimension; nothing is broadcast, cut or filled. Otherwise as the score.
    ImportError
        On import of this module, where xarray is not installed.

    Notes
    -----
    Coordinates are compared exactly, as xarray does. Where values are missing (NaN) pass
    ``weight=target.notnull()``: what weighs nothing is not looked at.

    Examples
    --------
    >>> import dice_any
    >>> import numpy as np
    >>> import xarray
    >>> from dice_any.interfaces.xarray import score
    >>> days = {"day": ["Mon", "Tue"], "x": [10, 20, 30]}
    >>> forecast = xarray.DataArray([[1, 1, 0], [0, 1, 0]], days, ("day", "x")) > 0
    >>> radar = xarray.DataArray([[1, 1, 1], [0, 1, 0]], days, ("day", "x")) > 0
    >>> turned = radar[:, ::-1]  # the same field from right to left
    >>> score(dice_any.dice_score, forecast, turned, dim="x").to_series().to_dict()
    {'Mon': 0.8, 'Tue': 1.0}
    """
    of_overlap, of_score = split(function, arguments, REFUSED)
    arrays = {"prediction": prediction, "target": target, "weight": weight}
    for name, array in arrays.items():
        if not isinstance(array, DataArray) and not (name == "weight" and array is None):
            raise TypeError(_no_array(name, array))
    dims = tuple(prediction.dims)
    in_classes = class_dim in dims
    by_class = in_classes or of_overlap.get("num_classes") is not None
    elements = tuple(d for d in dims if d != class_dim)
    target = _aligned("target", target, prediction, elements if class_dim not in target.dims else dims)
    summed = _summed(dim, elements)
    if weight is not None:
        weight = _weight(weight, target)
    prediction, target, weight = _lazy_alike(prediction, target, weight)
    if in_classes:
        of_overlap |= {"class_axis": dims.index(class_dim)}
    counts = overlap(
        prediction.data,
        target.data,
        axis=tuple(dims.index(d) for d in summed),
        weight=None if weight is None else weight.data,
        **of_overlap,
    )
    found = function(counts, **of_score)
    kept = [d for d in elements if d not in summed]
    coords = _coordinates(prediction, target, set(kept))
    if by_class and found.ndim > len(kept):
        kept.append(class_dim)
        coords |= _classes(prediction, class_dim, counts.shape[-1], of_score.get("classes"))
    return DataArray(found, dims=kept, coords=coords, name=function.__name__)
