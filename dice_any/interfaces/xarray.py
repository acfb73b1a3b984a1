"""Scores over the named dimensions of xarray, aligned by their coordinates."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from ..counts import overlap
from ..reading import as_classes, class_name
from . import not_installed
from .arguments import Score, count_classes, split, try_out
from .wording import wording

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
OWN = ("dim", "class_dim")
#: this module's words for ours
WORDS = {
    "axis": "dim",
    "class_axis": "class_dim",
    "got None. Name the axis of classes": "got none in the prediction. Name that of its classes",
}


def score(
    score: Score,
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
    the others; :math:`x_{ik}` and :math:`y_{ik}` are at the same coordinates.

    Parameters
    ----------
    score : function
        A score of this package, for example `dice_any.dice_score`.
    prediction, target : xarray.DataArray
        Boolean masks, memberships or label maps, as `dice_any.overlap` reads them. They have the
        same dimensions and the same coordinates, each in any order. If the prediction has the
        dimension `class_dim`, the target may be a label map.
    dim : hashable or iterable of hashable, optional
        The dimensions that are summed; None: all but `class_dim`.
    class_dim : hashable, default 'class'
        The name of the dimension of classes, in the result and, if it has one, in the prediction.
    weight : xarray.DataArray, optional
        Non-negative weight of each element, with all or some of the target's dimensions (for
        example the areas of the cells of a latitude).
    **arguments
        More arguments of the score: `num_classes`, `activation`, `average`, `classes`,
        `ignore_label`, `empty` and so on.

    Returns
    -------
    xarray.DataArray
        float64, with the name of the score, the dimensions that were not summed and their
        coordinates. `class_dim` is last, unless the score is one number for all classes. Its
        coordinates are those of the prediction, or the numbers of the classes; with `regions` the
        names of the regions, or their numbers. Lazy if one of the arrays is (Dask).

    Raises
    ------
    TypeError
        If an array is no DataArray (choose one variable of a Dataset), or if the score does not
        have an argument.
    ValueError
        If dimensions or coordinates of the arrays differ, or if only one of them has coordinates
        along a dimension; nothing is broadcast, cut or filled. Also as the score.
    ImportError
        On import of this module, where xarray is not installed.

    Notes
    -----
    Coordinates are compared exactly, as xarray does. If values are missing (NaN), pass
    ``weight=target.notnull()``: elements of weight 0 are not checked.

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
    of_overlap, of_score = split(score, arguments, REFUSED, also=OWN)
    if not isinstance(class_dim, Hashable):
        raise TypeError(
            f"`class_dim` must be the name of a dimension; got {class_name(class_dim)}. Pass one."
        )
    for name, array in (("prediction", prediction), ("target", target)):
        _check_array(name, array)
    dims = tuple(prediction.dims)
    elements = tuple(d for d in dims if d != class_dim)
    target = _aligned("target", target, prediction, dims if class_dim in target.dims else elements)
    if weight is not None:
        weight = _spread("weight", weight, target)
    prediction, target, weight = _lazy_alike(prediction, target, weight)
    by_class = {}
    if class_dim in dims:
        by_class = {"num_classes": prediction.sizes[class_dim]}
        of_overlap |= {"class_axis": dims.index(class_dim)}
    summed = _read_dims(dim, elements)
    with wording(WORDS):
        try_out(score, count_classes(of_overlap | by_class), of_score)
        counts = overlap(
            prediction.data,
            target.data,
            axis=tuple(dims.index(d) for d in summed),
            weight=None if weight is None else weight.data,
            **of_overlap,
        )
        found = score(counts, **of_score)
    kept = [d for d in elements if d not in summed]
    coords = _shared_coordinates(prediction, target, set(kept))
    if len(found.shape) > len(kept):
        chosen = of_score.get("classes")
        length = counts.shape[-1]
        numbers = list(range(length)) if chosen is None else as_classes(chosen, length)
        regions = of_overlap.get("regions")
        if regions is None:
            coords |= _class_coordinates(prediction, class_dim, numbers)
        else:
            names = list(regions)
            named = isinstance(regions, Mapping)
            coords[class_dim] = [names[n] for n in numbers] if named else numbers
        kept.append(class_dim)
    return DataArray(found, coords, kept, name=score.__name__)


def _check_array(name: str, array: object) -> None:
    if isinstance(array, DataArray):
        return
    cure = f"Name its dimensions: `xarray.DataArray({name}, dims=...)`"
    if isinstance(array, xarray.Dataset):
        cure = f"Choose one of its variables: `{name}[{next(iter(array), 'name')!r}]`"
    raise TypeError(f"`{name}` must be an xarray.DataArray; got {class_name(array)}. {cure}.")


def _read_dims(dim: Dims, elements: tuple[Hashable, ...]) -> list[Hashable]:
    """Return the dimensions that are summed."""
    if dim is None:
        return list(elements)
    if isinstance(dim, str) or not isinstance(dim, Iterable):
        dim = [dim]
    given = list(dim)
    for d in given:
        if d not in elements:
            raise ValueError(
                f"`dim` must name dimensions of the elements, {elements}; got {d!r}. Classes are "
                "averaged by `average=`."
            )
    if len(set(given)) < len(given):
        raise ValueError(f"`dim` must name each dimension once; got {given}. Drop what is twice.")
    return given


def _aligned(name: str, array: DataArray, like: DataArray, dims: tuple[Hashable, ...]) -> DataArray:
    """Return an array with the prediction's order of dimensions, and of coordinates along them."""
    if set(array.dims) != set(dims):
        raise ValueError(
            f"`{name}` must have the dimensions {dims}; got {array.dims}. Nothing is broadcast: "
            "select what belongs together."
        )
    for d in dims:
        array = _along(name, array, like, d)
    return array.transpose(*dims)


def _along(name: str, array: DataArray, like: DataArray, d: Hashable) -> DataArray:
    """Return an array whose coordinates along one dimension are in the order of another's."""
    beside = "prediction" if name == "target" else "target"
    both = f"{beside}, {name} = xarray.align({beside}, {name}, join='inner')"
    known = [d in each.indexes for each in (array, like)]
    if known[0] != known[1]:
        having, lacking = (name, beside) if known[0] else (beside, name)
        raise ValueError(
            f"`{name}` must have coordinates along {d!r} where `{beside}` has them; got some of "
            f"`{having}` alone. Give them to `{lacking}`, or, if both lie in one order, pass "
            f"`{having}.drop_vars({d!r})`."
        )
    if array.sizes[d] != like.sizes[d]:
        cure = f"Take what both have: `{both}`" if known[0] else "Select what belongs together"
        raise ValueError(
            f"`{name}` must be as long as `{beside}` along {d!r}, {like.sizes[d]}; got "
            f"{array.sizes[d]}. {cure}."
        )
    if not known[0] or array.indexes[d].equals(like.indexes[d]):
        return array
    own, wanted = array.indexes[d], like.indexes[d]
    places = own.get_indexer(wanted) if own.is_unique and wanted.is_unique else None
    if places is None:
        raise ValueError(
            f"`{name}` must have the coordinates of `{beside}` along {d!r}; got others, of which "
            "some come twice. Bring both into one order first."
        )
    if (places < 0).any():
        raise ValueError(
            f"`{name}` must have the coordinates of `{beside}` along {d!r}; got others at "
            f"{int((places < 0).sum())} of {len(places)}. Take what both have, `{both}`, or "
            "`reindex` with a tolerance."
        )
    return array.isel({d: places})


def _spread(name: str, weight: DataArray, target: DataArray) -> DataArray:
    """Return a weight with all dimensions of the target, of length 1 where it had none."""
    _check_array(name, weight)
    if not set(weight.dims) <= set(target.dims):
        raise ValueError(
            f"`{name}` must have dimensions of the target, {target.dims}; got {weight.dims}. "
            "Select or sum the others first."
        )
    for d in weight.dims:
        weight = _along(name, weight, target, d)
    lacking = [d for d in target.dims if d not in weight.dims]
    return weight.expand_dims(lacking).transpose(*target.dims)


def _lazy_alike(*arrays: DataArray | None) -> list[Any]:
    """Return arrays that are all in chunks if one is, because libraries cannot be mixed."""
    lead = next((a for a in arrays if a is not None and a.chunks is not None), None)
    if lead is None:
        return list(arrays)
    return [
        array
        if array is None or array.chunks is not None
        else array.chunk(
            {d: c for d, c in lead.chunksizes.items() if array.sizes.get(d) == lead.sizes[d]}
        )
        for array in arrays
    ]


def _shared_coordinates(
    prediction: DataArray, target: DataArray, kept: set[Hashable]
) -> dict[Hashable, Any]:
    """Return the coordinates of the result; a scalar one is kept if both arrays have it."""
    return {
        name: values
        for name, values in prediction.coords.items()
        if set(values.dims) <= kept
        and (values.dims or values.equals(target.coords.get(name, values)))
    }


def _class_coordinates(
    prediction: DataArray, class_dim: Hashable, numbers: list[int]
) -> dict[Hashable, Any]:
    """Return the prediction's coordinates of some classes; if it has none, their numbers."""
    of_classes = {
        name: values.isel({class_dim: numbers})
        for name, values in prediction.coords.items()
        if values.dims == (class_dim,)
    }
    return of_classes or {class_dim: numbers}
