"""What each array library can do: the source of the support table in the docs, and of the skips in
the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from ..arrays import BUILTIN, load_library
from ..kernels import kernel_plugins
from ..plugins import ARRAYS, Plugin, plugins

#: feature -> what it means
FEATURES = {
    "hard": "masks, label maps and confusion matrices, counted in integers",
    "exact": "soft memberships, summed exactly",
    "activation": "sigmoid, softmax and argmax of logits",
    "weight": "weights and ignored labels",
    "errors": "invalid values raise an error at once (elsewhere the result is NaN)",
    "loss": "losses",
    "gradient": "automatic differentiation of losses",
    "closed form": "`value_and_grad` of losses, with or without automatic differentiation",
    "ranked": "losses that look at more than sums: Lovász, centre-line Dice, Wasserstein Dice",
    "compiled": "inside the library's own compiler",
    "lazy": "nothing is computed before it is asked for",
    "sets": "`set_overlap` of arrays of ids",
    "averages": "averages over any number of classes",
    "pairwise": "`pairwise_overlap`",
    "values": "overlaps made of counts and matrices, and indexed by arrays",
    "regions": "groups of labels, and several labels to ignore",
}

#: backend of the tests -> top-level module of the arrays
BACKENDS = {
    "numpy": "numpy",
    "torch": "torch",
    "torch-cuda": "torch",
    "cupy": "cupy",
    "jax": "jax",
    "dask": "dask",
    "strict": "array_api_strict",
    "strict-no-float64": "array_api_strict",
    "sparse": "sparse",
    "ndonnx": "ndonnx",
    "cubed": "cubed",
}

#: (kernel, module) -> the backend whose arrays the kernel is for, if it is not the first of the
#: module
HOSTS = {("cuda", "torch"): "torch-cuda"}

#: libraries that are slow with many elements; in the others the kit counts more than float32 can
SMALL = {"sparse", "ndonnx", "cubed"}

_EAGER = "computes at once"
_NO_AUTODIFF = "has no automatic differentiation"
_NO_COMPILER = "has no compiler"
_LATER = "values are not at hand when the call returns"

#: (backend, feature) -> why not
LIMITS = {
    **{(name, "lazy"): _EAGER for name in BACKENDS if name not in ("dask", "ndonnx", "cubed")},
    **{
        (name, "gradient"): _NO_AUTODIFF
        for name in BACKENDS
        if name not in ("torch", "torch-cuda", "jax")
    },
    **{
        (name, "compiled"): _NO_COMPILER
        for name in BACKENDS
        if name not in ("torch", "torch-cuda", "jax", "ndonnx")
    },
    **{(name, "errors"): _LATER for name in ("torch-cuda", "cupy", "dask", "ndonnx", "cubed")},
    **{(name, "sets"): _LATER for name in ("torch-cuda", "cupy", "dask", "ndonnx", "cubed")},
    ("sparse", "sets"): "cannot list different values of an array without many zeros",
    (
        "sparse",
        "closed form",
    ): "the gradient of a sparse array is dense; an error says to pass a dense one",
    ("sparse", "ranked"): "they rank or draw what is dense; an error says to pass a dense array",
    (
        "cubed",
        "averages",
    ): "cannot slice what it has concatenated from unequal chunks (odd numbers of classes)",
    ("strict-no-float64", "exact"): "the device has no float64; sums are plain float32",
}


def kernel(name: str) -> Plugin | None:
    """Return the kernel for a name of the kit: its own name, with ``-module`` for arrays of a
    module other than its first.
    """
    found = kernel_plugins()
    own = next((plugin for plugin in found if plugin.name == name), None)
    return own or next(
        (plugin for plugin in found if f"{plugin.name}-{plugin.module}" == name), None
    )


def host(plugin: Plugin) -> str:
    """Return the backend whose arrays a kernel is for."""
    names = [name for name, module in BACKENDS.items() if module == plugin.module]
    return HOSTS.get((plugin.name, plugin.module), names[0] if names else plugin.module)


def limit(backend: str, feature: str) -> str | None:
    """Return why a backend cannot do something; None if it can.

    A library from a plugin states that in ``limits``. A kernel has the limits of its arrays.
    """
    if feature not in FEATURES:
        raise KeyError(f"unknown feature {feature!r}")
    if backend not in BACKENDS:
        plugin = kernel(backend)
        if plugin and feature == "values":
            return "a kernel has no part in what follows from sums"
        backend = host(plugin) if plugin else backend
        if _is_taught(backend):
            return stated_limits(backend).get(feature)
    return LIMITS.get((backend, feature))


def _is_taught(backend: str) -> bool:
    """Return whether a backend's arrays belong to a plugin's library."""
    return backend not in BUILTIN and any(plugin.module == backend for plugin in plugins(ARRAYS))


def stated_limits(backend: str) -> Mapping[str, str]:
    """Return a plugin library's ``limits``; raise `TypeError` or `ValueError` if these are not
    features of the kit with reasons.
    """
    if not _is_taught(backend):
        return {}
    limits = getattr(load_library(backend), "limits", {})
    if not isinstance(limits, Mapping):
        raise TypeError(
            f"`limits` of {backend} must map features of the kit to reasons; got a "
            f"{type(limits).__name__}. Write a dictionary."
        )
    for feature, reason in limits.items():
        if feature not in FEATURES:
            near = get_close_matches(str(feature), FEATURES, 1)
            cure = f"Write {near[0]!r}." if near else f"Features are {', '.join(FEATURES)}."
            raise ValueError(
                f"`limits` of {backend} must name features of the kit; got {feature!r}. {cure}"
            )
        if not (isinstance(reason, str) and reason.strip()):
            raise ValueError(
                f"`limits` of {backend} must say why {feature!r} is missing; got {reason!r}. "
                "Write a sentence, which the kit prints beside what it skips."
            )
    return limits
