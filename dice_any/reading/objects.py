"""What to pass instead of objects that are no arrays, or arrays that cannot be summed.

Nothing is imported to find out what an object is: the module of its class tells that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ..arrays import UnknownLibraryError, library_of
from ..arrays.library import Array, ArrayLibrary, Axes, Masked

# -- things that are no arrays -------------------------------------------------------------------


def cure_for_object(name: str, value: Any, beside: Any = None) -> str:
    """Return what to pass instead of something that is no array of a known library.

    The suggested code makes an array that fits `beside`, the other array.
    """
    fit = partial(_fit, _known(beside))
    if value is None:
        return "Pass both arrays, or one `Overlap` to a score or a loss"
    if hasattr(type(value), "by_class"):
        return "An overlap is summed already: pass it alone, to a score or a loss"
    for module in _modules(value):
        if module in OF_MODULE:
            return OF_MODULE[module](fit, name, value, beside)
    if isinstance(value, (set, frozenset)):
        return "Sets of ids are compared by `dice_any.set_overlap(a, b)`"
    if isinstance(value, Mapping):
        return f"Pass one of its arrays: `{name}[{_likely_key(value)!r}]`"
    if isinstance(value, (list, tuple)):
        return _cure_for_list(fit, name, value)
    if isinstance(value, complex):
        return "Pass its real part or its absolute value, as an array"
    if isinstance(value, (bool, int, float, range)):
        return f"Make one first, for example `{fit(name, of_numpy=False)}`"
    if isinstance(value, (str, os.PathLike)):
        return "Read the file, and pass the array that it holds"
    if isinstance(value, (bytes, bytearray)):
        return f"Make an array of its bytes, `{fit(_bytes(name))}`, and reshape it"
    if _is_buffer(value):
        return f"Make one first: `{fit(f'numpy.asarray({name})')}`"
    if isinstance(value, type):
        return "Pass an array of that class"
    if callable(value):
        return "Call it, and pass what it returns"
    if isinstance(value, (Sequence, Iterator)):
        return f"Make one first, for example `{fit(f'list({name})', of_numpy=False)}`"
    if hasattr(value, "__dlpack__"):
        return f"Hand it over by DLPack: `{fit(f'numpy.from_dlpack({name})')}`"
    return "Pass the array inside it (often `.data`, `.values` or `.magnitude`)"


def _modules(value: Any) -> list[str]:
    return [base.__module__.partition(".")[0] for base in type(value).__mro__]


def _known(value: Any) -> ArrayLibrary | None:
    try:
        return library_of(value)
    except UnknownLibraryError:
        return None


def _fit(library: ArrayLibrary | None, code: str, of_numpy: bool = True) -> str:
    """Return code for an array of this library, from code for an array of NumPy or for a list."""
    if library is not None and library.name != "numpy":
        return library.array_code(code)
    return code if of_numpy else f"numpy.asarray({code})"


def _bytes(name: str) -> str:
    return f'numpy.frombuffer({name}, dtype="uint8")'


def _is_buffer(value: Any) -> bool:
    try:
        memoryview(value)
    except TypeError:
        return False
    return True


def _likely_key(value: Mapping[Any, Any]) -> Any:
    """Return the key of the prediction in a model's output, or the first key."""
    return next((key for key in ("out", "logits") if key in value), next(iter(value), "name"))


def _cure_for_list(fit: Callable[..., str], name: str, values: Any) -> str:
    leaf = values
    while isinstance(leaf, (list, tuple)) and leaf:
        leaf = leaf[0]
    library = _known(leaf)
    if library is not None and getattr(leaf, "shape", ()) != ():
        cure = f"Pass `{name}[0]` or another of its arrays; or all of them as one, "
        cure += f"`{library.public}.stack({name})`, where they have one shape"
        of_network = "; the outputs of a network go to `dice_any.torch.DeepSupervision`"
        return cure + of_network * (library.name == "torch")
    if library is None and not isinstance(leaf, (list, tuple, bool, int, float)):
        return "Pass an array of numbers"
    if _shape(values) is None:
        return "Pad its rows to one length, and give the padding a `weight` of 0"
    return f"Make one first, for example `{fit(name, of_numpy=False)}`"


def _shape(values: Any) -> Axes | None:
    """Return the shape of nested lists; None if they are ragged."""
    if not isinstance(values, (list, tuple)):
        return ()
    shapes = {_shape(value) for value in values} or {()}
    first = shapes.pop()
    return None if shapes or first is None else (len(values), *first)


def _template(template: str, code: str = "") -> Callable[..., str]:
    """Return a cure whose ``{code}`` makes an array of NumPy's."""

    def cure(fit: Callable[..., str], name: str, value: Any, beside: Any) -> str:
        made = fit(code.replace("{name}", name))
        return template.replace("{code}", f"`{made}`").replace("{name}", name)

    return cure


def _of_xarray(fit: Callable[..., str], name: str, value: Any, beside: Any) -> str:
    for each, holder in ((name, value), ("target" if name == "prediction" else name, beside)):
        if isinstance(holder, Mapping):
            return f"Choose one variable of a Dataset: `{each}[{next(iter(holder), 'name')!r}]`"
    lazy = ', dask="allowed"' * bool(getattr(value, "chunks", None))
    return (
        "Its array alone does not know its coordinates. Call a score as "
        "`dice_any.interfaces.xarray.score(function, prediction, target)`, a loss as `xarray."
        f"apply_ufunc(function, prediction, target, input_core_dims=[{name}.dims] * 2, "
        f'join="left"{lazy})`'
    )


def _of_scipy(fit: Callable[..., str], name: str, value: Any, beside: Any) -> str:
    if not hasattr(value, "toarray"):
        return "Pass an array"
    dense = fit(f"{name}.toarray()")
    if getattr(value.dtype, "kind", "") in "iu":
        return f"Pass `{dense} > 0` if its numbers mark members; `{dense}` if they are labels"
    return f"Pass `{dense}`; its `.data` does not say where its numbers are"


def _of_nibabel(fit: Callable[..., str], name: str, value: Any, beside: Any) -> str:
    code = f"numpy.asarray({name}{'.dataobj' * hasattr(value, 'dataobj')})"
    labels = f'{code}.round().astype("int64")'
    return (
        f"Pass its voxels, once both images have one affine: labels as `{fit(labels)}`, "
        f"memberships as `{fit(code)}`"
    )


def _of_storage(fit: Callable[..., str], name: str, value: Any, beside: Any) -> str:
    """Zarr, h5py and netCDF4: arrays that are in a file, and groups of them."""
    if not hasattr(value, "dtype"):
        return f"Choose one of its arrays: `{name}[...]` with its name"
    lazy = f", or `dask.array.from_array({name})` where it is large"
    return f"Read it: `{fit(name + '[...]')}`{lazy}"


def _of_polars(fit: Callable[..., str], name: str, value: Any, beside: Any) -> str:
    lazy = ".collect()" * hasattr(value, "collect")
    return f"Pass `{fit(f'{name}{lazy}.to_numpy()')}`"


def _of_dask(fit: Callable[..., str], name: str, value: Any, beside: Any) -> str:
    if hasattr(type(value), "to_dask_array"):
        return f"Pass `{name}.to_dask_array(lengths=True)`"
    return f"Pass what it computes, `{name}.compute()`, or a `dask.array`"


_numpy_method = _template("Pass {code}", "{name}.numpy()")
_asarray = _template("Pass {code}", "numpy.asarray({name})")
#: top-level module of a class -> what to pass instead of its objects
OF_MODULE: dict[str, Callable[..., str]] = {
    "xarray": _of_xarray,
    "scipy": _of_scipy,
    "nibabel": _of_nibabel,
    "SimpleITK": _template(
        "Pass its voxels, {code}, once both images lie on one grid",
        "SimpleITK.GetArrayViewFromImage({name})",
    ),
    "itk": _template(
        "Pass its voxels, {code}, once both images lie on one grid",
        "itk.array_view_from_image({name})",
    ),
    "zarr": _of_storage,
    "h5py": _of_storage,
    "netCDF4": _of_storage,
    "PIL": _template(
        "Pass its pixels, {code}; compare those of a mask: `> 0`",
        "numpy.asarray({name})",
    ),
    "pandas": _template(
        "Pass {code}, the rows of both in one order (`reindex_like` brings them there)",
        "{name}.to_numpy()",
    ),
    "polars": _of_polars,
    "pyarrow": _asarray,
    "tensorflow": _numpy_method,
    "paddle": _numpy_method,
    "tinygrad": _numpy_method,
    "mlx": _asarray,
    "mxnet": _template("Pass {code}", "{name}.asnumpy()"),
    "pint": _template("Pass its numbers, `{name}.magnitude`"),
    "dask": _of_dask,
    "jax": _template("Pass an array; this describes one, and holds no values"),
    "cv2": _template("Pass {code}", "{name}.get()"),
}


# -- arrays of a kind that is refused ------------------------------------------------------------


def cure_for_masked(name: str, array: Array, masked: Masked, beside: Any = None) -> str:
    """Return what to pass instead of a masked array: a weight can leave out the same elements."""
    data, valid, filled = (code.replace("{name}", name) for code in masked)
    if name not in ("prediction", "target"):
        cure = MASKED.get(name, "Pass `{zeros}` where what is masked counts as 0")
        zeros, nans = (filled.replace("{fill}", fill) for fill in ("0", 'float("nan")'))
        return cure.format(name=name, data=data, valid=valid, zeros=zeros, nans=nans)
    library = _known(beside)
    other = None if library is None else library.refusal(beside)
    if getattr(beside, "shape", None) != array.shape and name == "prediction":
        return f"Pass `{data}`, and a `weight` that is 0 where elements are masked"
    if isinstance(other, Masked):
        pairs = (("prediction", masked), ("target", other))
        valid = " & ".join(each.valid.replace("{name}", called) for called, each in pairs)
        data = "` and `".join(each.data.replace("{name}", called) for called, each in pairs)
    return (
        f"Pass `{data}`, and `weight={valid}`, times a weight of your own if there is one, to "
        "leave the masked elements out"
    )


#: argument -> what to pass instead of a masked one, where no weight can leave elements out
MASKED = {
    "weight": "Pass `{zeros}`, as what is masked weighs nothing",
    "like": "Pass `{data}`",
    **dict.fromkeys(
        ("X", "Y"),
        "Pass `{zeros}` where what is masked belongs to no set; to leave it out, sum each pair by "
        "`overlap` with a `weight`",
    ),
    **dict.fromkeys(("a", "b", "index"), "Pass `{data}[{valid}]`, what is not masked"),
    **dict.fromkeys(("dice", "jaccard"), "Pass `{nans}`, as NaN stays NaN"),
}
