"""Lazy arrays whose chunks are not what the metadata says: every public function refuses each such
argument when it is computed, whatever is done with the array before its chunks are summed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

import dice_any
from dice_any import Overlap
from dice_any.arrays import load_library
from dice_any.testing import every_loss

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

Function = Callable[..., Any]
SOFT = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.125, 0.125, 0.75], [0.5, 0.5, 0.0]])
LABELS, OTHERS = np.array([0, 1, 2, 1]), np.array([0, 2, 2, 1])
MASKS = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1]], dtype=bool)
COUNTS, MATRIX = np.array([3, 1, 4, 1]), np.array([[3, 1, 0], [0, 4, 1], [2, 0, 5]])
WEIGHT, BY_CLASS = np.array([1.0, 0.5, 2.0, 1.0]), np.array([1.0, 0.5, 2.0])
GROUPS = [(0, 1), (1,), (2,)]

#: arguments that lead an array elsewhere before its chunks are summed
OPTIONS: dict[str, dict[str, Any]] = {
    "": {},
    "one label": {"ignore_label": 2},
    "labels": {"ignore_label": [2, 7]},
    "no such label": {"ignore_label": [7, 1 << 40]},
    "samples": {"axis": "space"},
    "regions": {"regions": GROUPS},
    "regions and labels": {"regions": GROUPS, "ignore_label": [2, 7]},
}
PAIRS = {"masks": (MASKS, MASKS), "memberships": (SOFT, SOFT), "both": (SOFT, MASKS)}


class Call(NamedTuple):
    """A call of a function with arrays, by position or by name, and other arguments."""

    function: Function
    arrays: tuple[np.ndarray, ...]
    named: dict[str, np.ndarray]
    arguments: dict[str, Any]

    def places(self) -> dict[int | str, np.ndarray]:
        return {**dict(enumerate(self.arrays)), **self.named}

    def __call__(self, given: dict[int | str, Any]) -> Any:
        arrays = [given[place] for place in range(len(self.arrays))]
        named = {name: given[name] for name in self.named}
        result = self.function(*arrays, **named, **self.arguments)
        return result.rows if isinstance(result, Overlap) else result


def overlaps() -> Iterator[tuple[str, Call]]:
    weight = {"weight": WEIGHT}
    for name, options in OPTIONS.items():
        for activation in (None, "sigmoid", "softmax", "argmax"):
            given = {"class_axis": 1, "activation": activation, **options}
            call = Call(dice_any.overlap, (SOFT, LABELS), weight, given)
            yield f"overlap, {activation}, {name}", call
        given = {"num_classes": 3, **options}
        yield f"overlap, maps, {name}", Call(dice_any.overlap, (LABELS, OTHERS), weight, given)
        if "regions" not in options:
            call = Call(dice_any.confusion_matrix, (LABELS, OTHERS), weight, given)
            yield f"confusion_matrix, {name}", call
    for name, arrays in PAIRS.items():
        weight = {"weight": WEIGHT[:, None]}
        yield f"overlap, {name}", Call(dice_any.overlap, arrays, weight, {})
        for form in ("product", "minimum"):
            for exact in (None, False):
                call = Call(dice_any.pairwise_overlap, arrays, {}, {"form": form, "exact": exact})
                yield f"pairwise_overlap, {name}, {form}, exact={exact}", call


def scores() -> Iterator[tuple[str, Call]]:
    for name in dice_any.__all__:
        if name.endswith(("_score", "_similarity", "_coefficient", "_correlation", "_kappa")):
            shares = {"alpha": 0.25, "beta": 0.5} if name == "tversky_score" else {}
            given = {"class_axis": 1, **shares}
            yield name, Call(getattr(dice_any, name), (SOFT, LABELS), {"weight": WEIGHT}, given)
    for dice in (WEIGHT / 2, WEIGHT[1]):
        for name in ("dice_to_jaccard", "jaccard_to_dice"):
            yield f"{name}, {dice.shape}", Call(getattr(dice_any, name), (dice,), {}, {})
    counts = dict.fromkeys(("tp", "fp", "fn", "tn"), COUNTS)
    yield "Overlap.from_counts", Call(Overlap.from_counts, (), counts, {})
    yield "Overlap.from_confusion_matrix", Call(Overlap.from_confusion_matrix, (MATRIX,), {}, {})


def losses() -> Iterator[tuple[str, Call]]:
    for name, required in every_loss.CALLS.items():
        loss, arrays = every_loss.loss(name, axis=None), (SOFT, LABELS)
        named = {"weight": WEIGHT, "class_weight": BY_CLASS}
        if name == "centerline_dice_loss":  # of elements along two axes
            loss = partial(loss, spatial_axes=(0, 2))
            arrays = tuple(np.stack([array, array], axis=-1) for array in arrays)
            named["weight"] = WEIGHT[:, None]
        if "distances" in required:
            named["distances"] = np.array(required["distances"])
        for activation in (None, "sigmoid", "softmax", "hinge"):
            for option in OPTIONS if name == "dice_loss" else ("regions and labels", "labels"):
                if not every_loss.takes(name, activation) or (
                    "regions" in option and (activation == "hinge" or "distances" in named)
                ):
                    continue
                given = {"activation": activation, **OPTIONS[option]}
                yield f"{name}, {activation}, {option}", Call(loss, arrays, named, given)
        call = Call(gradient_of(loss), arrays, named, {"activation": "softmax"})
        yield f"gradient of {name}", call
        if name in every_loss.OF_SUMS or "distances" in named:
            given = {"activation": "softmax", "exact": True}
            yield f"{name}, exact", Call(loss, arrays, named, given)


def gradient_of(loss: Function) -> Function:
    return lambda *arrays, **arguments: dice_any.value_and_grad(loss)(*arrays, **arguments)[1]


CALLS: dict[str, Call] = {**dict(overlaps()), **dict(scores()), **dict(losses())}


def chunked(values: np.ndarray) -> Any:
    return da.from_array(np.asarray(values), chunks=2)


def untrue(values: np.ndarray, make: Function) -> Any:
    """Return an array whose last chunks are not what it says."""
    lazy = chunked(values)
    told = {"dtype": lazy.dtype, "meta": np.empty((0,) * lazy.ndim, lazy.dtype)}
    if not lazy.ndim:
        return lazy.map_blocks(make, **told)
    return da.concatenate([lazy[:-1], lazy[-1:].map_blocks(make, **told)])


def masked(chunk: np.ndarray) -> Any:
    return np.ma.masked_array(chunk, mask=True)


def computed(value: Any) -> Any:
    return dask.compute(value, scheduler="synchronous")[0]


def refused(kind: str = "numpy.MaskedArray") -> Any:
    message = rf"`chunks` must be plain arrays of numpy or cupy; got {kind}\. .*`meta=`"
    return pytest.raises(TypeError, match=message)


@pytest.mark.parametrize("name", CALLS)
def test_each_array_is_refused_if_its_chunks_are_masked(name: str) -> None:
    call = CALLS[name]
    lazy = {place: chunked(values) for place, values in call.places().items()}
    expected = np.asarray(call(call.places()))
    np.testing.assert_allclose(computed(call(lazy)), expected, rtol=1e-12, atol=1e-15)
    for place, values in call.places().items():
        given = {**lazy, place: untrue(values, masked)}
        with refused():
            computed(call(given))


def with_chunks_of_nothing(values: np.ndarray) -> Any:
    """Return a lazy array as a filter leaves it, with chunks of length 0 on every axis."""
    lengths = [(0, n // 2, 0, n - n // 2, 0) for n in np.shape(values)]
    return da.from_array(np.asarray(values), chunks=tuple(lengths))


@pytest.mark.parametrize("name", CALLS)
def test_chunks_of_nothing_add_nothing(name: str) -> None:
    call = CALLS[name]
    places = call.places()
    whole = {place: da.from_array(np.asarray(a), chunks=-1) for place, a in places.items()}
    hollow = {place: with_chunks_of_nothing(a) for place, a in places.items()}
    expected = np.asarray(call(places))
    for given in ([whole | {place: hollow[place]} for place in places], [hollow]):
        for arrays in given:
            found = computed(call(arrays))
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_the_calls_are_those_of_every_function_and_every_array() -> None:
    #: these have no array of elements that may be lazy
    others = {"backends", "set_overlap", "value_and_grad"}
    for name in dice_any.__all__:
        function = getattr(dice_any, name)
        if name in others or not inspect.isfunction(function):
            continue
        calls = [call for key, call in CALLS.items() if key.partition(",")[0] == name]
        parameters = inspect.signature(function).parameters.values()
        arrays = [p for p in parameters if "Array" in str(p.annotation)]
        assert calls, name
        for call in calls:
            assert len(call.places()) >= len(arrays), name


def test_arrays_beside_an_overlap() -> None:
    counts = dice_any.overlap(chunked(SOFT), chunked(LABELS), class_axis=1, exact=False)
    samples = dice_any.overlap(chunked(MASKS), chunked(MASKS), axis="space")
    for name in every_loss.OF_SUMS:
        if name not in every_loss.COMPOUND:
            loss = partial(getattr(dice_any, name), **every_loss.CALLS[name])
            with refused():
                computed(loss(counts, class_weight=untrue(BY_CLASS, masked)))
    with refused():
        computed(samples[untrue(OTHERS, masked)].rows)


@pytest.mark.parametrize(
    "name", ["overlap, None, ", "pairwise_overlap, masks, product, exact=None", "dice_loss, exact"]
)
def test_cubed_keeps_no_masks(name: str) -> None:
    """It stores plain arrays. A chunk that is not yet stored is refused, or counts as it would be
    stored.
    """
    cubed = pytest.importorskip("cubed")
    call, spec = CALLS[name], cubed.Spec(allowed_mem="100MB")
    expected = np.asarray(call(call.places()))

    def stored(values: np.ndarray) -> Any:
        return cubed.from_array(values, chunks=2, spec=spec)

    lazy = {place: stored(values) for place, values in call.places().items()}
    for place, values in call.places().items():
        hidden = cubed.map_blocks(masked, stored(values), dtype=values.dtype)
        found, refusal = expected, None
        try:
            found = call({**lazy, place: hidden}).compute()
        except TypeError as error:
            refusal = str(error)
        assert refusal is None or "`chunks` must be plain arrays" in refusal
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


#: chunks of other libraries, and what they are called
FOREIGN: dict[str, tuple[Function, str]] = {
    "sparse": (lambda c: pytest.importorskip("sparse").COO.from_numpy(c), "sparse.COO"),
    "torch": (lambda c: pytest.importorskip("torch").as_tensor(c), "torch.Tensor"),
    "matrix": (np.asmatrix, "numpy.matrix"),
    "list": (lambda c: c.tolist(), "builtins.list"),
}
SOME = [
    "overlap, None, ",
    "overlap, sigmoid, regions and labels",
    "pairwise_overlap, masks, product, exact=None",
    "Overlap.from_counts",
    "Overlap.from_confusion_matrix",
    "dice_to_jaccard, (4,)",
    "wasserstein_dice_loss, None, labels",
]


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("name", SOME)
def test_each_array_is_refused_if_its_chunks_are_of_another_library(name: str, kind: str) -> None:
    call, (make, called) = CALLS[name], FOREIGN[kind]
    make(LABELS)
    lazy = {place: chunked(values) for place, values in call.places().items()}
    for place in lazy.keys() - {"distances"}:
        with refused(called):
            computed(call({**lazy, place: untrue(call.places()[place], make)}))


@pytest.mark.parametrize("dtype", ["bool", "int8", "float32", "complex64", "object"])
@pytest.mark.parametrize("name", SOME)
def test_each_array_is_refused_if_its_chunks_hold_another_kind_of_numbers(
    name: str, dtype: str
) -> None:
    call = CALLS[name]
    lazy = {place: chunked(values) for place, values in call.places().items()}
    for place in lazy.keys() - {"distances"}:
        values = call.places()[place]
        if np.dtype(dtype).kind == values.dtype.kind:
            continue
        kind = {"b": "bool", "i": "integer", "f": "floating"}[values.dtype.kind]
        given = {**lazy, place: untrue(values, lambda c: c.astype(dtype))}
        with pytest.raises(TypeError, match=f"`chunks` must be {kind}, .*; got .*`meta=`"):
            computed(call(given))


class Store:
    """Stored values, and the number of times that they were read."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.reads = values, 0
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim

    def __dask_tokenize__(self) -> int:
        return id(self)

    def __getitem__(self, index: Any) -> np.ndarray:
        values = self.values[index]
        self.reads += values.size  # Dask looks at nothing for the metadata
        return values


@pytest.mark.parametrize("name", [*SOME, "dice_loss, softmax, ", "gradient of dice_loss"])
def test_looking_at_chunks_adds_no_reading_and_hardly_a_task(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = CALLS[name]
    stores = {p: Store(values) for p, values in call.places().items() if p != "distances"}

    def tasks() -> int:
        lazy = {p: da.from_array(store, chunks=(2, 3)[: store.ndim]) for p, store in stores.items()}
        result = call({**call.places(), **lazy})
        computed(result)
        return len(dict(dask.optimize(result)[0].dask))

    looking = tasks()
    assert {p: store.reads for p, store in stores.items()} == {
        p: store.values.size for p, store in stores.items()
    }
    monkeypatch.setattr(type(load_library("dask")), "vetted", lambda library, array: array)
    assert looking == tasks(), "Dask fuses looking with reading"


#: lengths of the axis of cases and of its chunks, of two overlaps; cubed itself joins others in a
#: wrong order, or fails
UNLIKE = {
    "alike": ((4, 2), (4, 2)),
    "one": ((4, 4), (4, 2)),
    "odd": ((4, 3), (4, 2)),
    "many": ((4, 1), (4, 3)),
    "longer": ((2, 2), (5, 3)),
}


@pytest.mark.parametrize("kinds", [("hard", "hard"), ("exact", "hard"), ("plain", "plain")])
@pytest.mark.parametrize("name", UNLIKE)
def test_cubed_joins_overlaps_of_other_chunks(name: str, kinds: tuple[str, str]) -> None:
    cubed = pytest.importorskip("cubed")
    spec = cubed.Spec(allowed_mem="100MB")
    overlaps, counted = [], []
    for kind, (cases, chunk), start in zip(kinds, UNLIKE[name], (0, 7), strict=True):
        masks = [(np.arange(5 * cases) * step + start) % 7 < 3 for step in (3, 4)]
        arrays = [
            cubed.from_array(
                mask.reshape(cases, 5).astype(bool if kind == "hard" else float),
                chunks=(chunk, 5),
                spec=spec,
            )
            for mask in masks
        ]
        counted.append((masks[0] & masks[1]).reshape(cases, 5).sum(axis=1).tolist())
        exact = {"exact": False} if kind == "plain" else {}
        overlaps.append(dice_any.overlap(*arrays, axis=1, **exact))
    joined = Overlap.concat(overlaps)
    assert np.asarray(joined.tp.compute()).tolist() == counted[0] + counted[1]
    if name != "longer":
        stacked = Overlap.stack(overlaps, axis=1)
        assert np.asarray(stacked.tp.compute()).tolist() == [*map(list, zip(*counted, strict=True))]
