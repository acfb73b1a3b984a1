"""Refused kinds of arrays: masked, structured, sparse, nested, of unknown shape."""

from __future__ import annotations

import collections
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.testing.advice import follow

P = np.array([[1, 1, 1, 0, 0], [0, 0, 1, 1, 0]], dtype=bool)


T = np.array([[1, 0, 0, 1, 0], [0, 0, 1, 0, 1]], dtype=bool)


DICE = 2 * 2 / (5 + 4)


LABELS_P, LABELS_T = P + 2 * np.roll(P, 1), T + 2 * np.roll(T, 1)
MASKED_P, MASKED_T = np.roll(P, 3), np.roll(T, 4) & ~np.roll(P, 2)
OF_LABELS = [
    2
    * int(((c == LABELS_P) & (c == LABELS_T)).sum())
    / int((c == LABELS_P).sum() + (c == LABELS_T).sum())
    for c in range(4)
]


def says(*parts: str) -> str:
    return ".*".join(re.escape(part) for part in parts)


def left(masked: np.ndarray) -> float:
    """Return the Dice coefficient of the elements that are not masked."""
    kept = ~masked
    return 2 * int((P & T & kept).sum()) / int((P & kept).sum() + (T & kept).sum())


def masked_arrays(library: str, both: bool) -> tuple[Any, Any]:
    if library == "torch":
        torch = pytest.importorskip("torch")
        masked = torch.masked.masked_tensor
        first = masked(torch.tensor(P * 1.0), torch.tensor(~MASKED_P))
        return first, masked(
            torch.tensor(T * 1.0), torch.tensor(~MASKED_T)
        ) if both else torch.tensor(T)
    first, second = np.ma.masked_array(P, MASKED_P), np.ma.masked_array(T, MASKED_T) if both else T
    if library == "numpy":
        return first, second
    da = pytest.importorskip("dask.array")
    return da.from_array(first, chunks=(1, 3)), da.from_array(second, chunks=(2, 2))


@pytest.mark.filterwarnings("ignore:The PyTorch API of MaskedTensors is in prototype stage")
@pytest.mark.parametrize("library", ["numpy", "dask", "torch"])
@pytest.mark.parametrize("both", [False, True])
def test_masked_arrays(library: str, both: bool) -> None:
    prediction, target = masked_arrays(library, both)
    for function in (
        dice_any.dice_score,
        dice_any.overlap,
        dice_any.dice_loss,
        dice_any.accuracy_score,
    ):
        with pytest.raises(TypeError, match="`prediction` must be a plain array"):
            function(prediction, target)
    score = follow(dice_any.dice_score, prediction, target, given={})
    assert float(score) == pytest.approx(left(MASKED_P | MASKED_T if both else MASKED_P))
    with pytest.raises(TypeError, match="`target` must be a plain array"):
        dice_any.dice_score(target if not both else follow_data(prediction), prediction)


@pytest.mark.filterwarnings("ignore:The PyTorch API of MaskedTensors is in prototype stage")
@pytest.mark.parametrize("library", ["numpy", "dask", "torch"])
def test_a_masked_weight(library: str) -> None:
    """What is masked is left out, whatever lies there; the others keep their weights."""
    weights = 1.0 + np.arange(P.size).reshape(P.shape)
    hidden = np.where(MASKED_P, np.nan, weights)
    prediction, target, weight = P, T, np.ma.masked_array(hidden, MASKED_P)
    if library == "torch":
        torch = pytest.importorskip("torch")
        prediction, target = torch.tensor(P), torch.tensor(T)
        weight = torch.masked.masked_tensor(torch.tensor(hidden), torch.tensor(~MASKED_P))
    if library == "dask":
        da = pytest.importorskip("dask.array")
        prediction, target, weight = (da.from_array(a) for a in (P, T, weight))
    with pytest.raises(
        TypeError, match="`weight` must be a plain array; got .*masked weighs nothing"
    ):
        dice_any.dice_score(prediction, target, weight=weight)
    kept = np.where(MASKED_P, 0.0, weights)
    expected = 2 * (kept * P * T).sum() / ((kept * P).sum() + (kept * T).sum())
    for function, sign in ((dice_any.dice_score, 1), (dice_any.dice_loss, -1)):
        given = {"weight": weight} | ({"smooth": 0} if sign < 0 else {})
        found = float(follow(function, prediction, target, given=given))
        assert found == pytest.approx(expected if sign > 0 else 1 - expected, rel=1e-6)


def follow_data(masked: Any) -> Any:
    """Return the data of a masked array."""
    if hasattr(masked, "get_data"):
        return masked.get_data()
    return masked.data if isinstance(masked, np.ndarray) else masked.map_blocks(np.ma.getdata)


WEIGHT = 1 + np.arange(P.size).reshape(P.shape) % 3


def weighed(weight: np.ndarray) -> float:
    """Return the Dice coefficient of weighed elements."""
    return 2 * float((P * T * weight).sum()) / float(((P * 1 + T) * weight).sum())


def make(library: str, values: np.ndarray, masked: np.ndarray | None = None) -> Any:
    """Return an array of a library, masked if there is a mask of what is."""
    if library == "torch":
        torch = pytest.importorskip("torch")
        tensor = torch.tensor(values)
        return (
            tensor if masked is None else torch.masked.masked_tensor(tensor, ~torch.tensor(masked))
        )
    array = values if masked is None else np.ma.masked_array(values, masked)
    if library == "numpy":
        return array
    return pytest.importorskip("dask.array").from_array(array, chunks=(1, 3))


@pytest.mark.filterwarnings("ignore:The PyTorch API of MaskedTensors is in prototype stage")
@pytest.mark.parametrize("dtype", ["bool", "int64", "float64"])
@pytest.mark.parametrize("library", ["numpy", "dask", "torch"])
def test_masked_weights(library: str, dtype: str) -> None:
    values = WEIGHT.astype(dtype)
    given = {"weight": make(library, values, MASKED_P)}
    x, y = make(library, P), make(library, T)
    with pytest.raises(TypeError, match="`weight` must be a plain array"):
        dice_any.dice_score(x, y, **given)
    score = follow(dice_any.dice_score, x, y, given=given)
    assert float(score) == pytest.approx(weighed(values * ~MASKED_P), rel=1e-15)


@pytest.mark.filterwarnings("ignore:The PyTorch API of MaskedTensors is in prototype stage")
@pytest.mark.parametrize("place", ["prediction", "target", "both"])
@pytest.mark.parametrize("library", ["numpy", "dask", "torch"])
def test_masked_arrays_beside_a_weight(library: str, place: str) -> None:
    """What the message says to pass as a weight is multiplied by the weight that there is."""
    masks = {"prediction": (MASKED_P, None), "target": (None, MASKED_T)}
    masks["both"] = MASKED_P, MASKED_T
    pair = [make(library, a, mask) for a, mask in zip((P, T), masks[place], strict=True)]
    weight = make(library, WEIGHT)
    with pytest.raises(TypeError, match="times a weight of your own") as caught:
        dice_any.dice_score(*pair, weight=weight)
    codes = re.findall("`([^`]*)`", str(caught.value).partition("; got ")[2])
    scope = {"numpy": np, "prediction": pair[0], "target": pair[1]}
    if library == "dask":
        scope["dask"] = pytest.importorskip("dask")
    made = dict(zip(("prediction", "target"), pair, strict=True))
    for code in codes:
        if "=" not in code:
            made[next(name for name in made if name in code)] = eval(code, scope)
    valid = eval(next(code for code in codes if "=" in code).partition("=")[2], scope)
    score = dice_any.dice_score(*made.values(), weight=valid * weight)
    masked = sum(mask * 1 for mask in masks[place] if mask is not None) > 0
    assert float(score) == pytest.approx(weighed(WEIGHT * ~masked), rel=1e-15)


IDS = np.ma.masked_array([3, 5, 8, 9], [False, True, False, False])
CASES = dice_any.overlap(P, T, axis=1)
#: argument -> call with it, its masked value, and what the cure leads to
OTHERS: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "X": (
        lambda rows: dice_any.dice_score(dice_any.pairwise_overlap(rows, T)),
        np.ma.masked_array(P, MASKED_P),
        dice_any.dice_score(dice_any.pairwise_overlap(P & ~MASKED_P, T)),
    ),
    "a": (
        lambda a: dice_any.set_overlap(a, np.array([8, 5])).to_dict(),
        IDS,
        dice_any.set_overlap({3, 8, 9}, {8, 5}).to_dict(),
    ),
    "index": (
        lambda index: CASES[index].to_dict(),
        np.ma.masked_array([1, 1, 0], [False, True, False]),
        CASES[[1, 0]].to_dict(),
    ),
    "like": (
        lambda like: dice_any.Overlap.zero(like=like).to_dict(),
        IDS,
        dice_any.Overlap.zero().to_dict(),
    ),
    "dice": (
        dice_any.dice_to_jaccard,
        np.ma.masked_array([0.4, 0.5], [False, True]),
        np.array([0.25, np.nan]),
    ),
    "tp": (
        lambda tp: dice_any.Overlap.from_counts(tp=tp, fp=np.ones(4, int), fn=np.ones(4, int)).tp,
        IDS,
        np.array([3, 0, 8, 9]),
    ),
    "matrix": (
        lambda matrix: dice_any.Overlap.from_confusion_matrix(matrix).tp,
        np.ma.masked_array([[1, 2], [3, 4]], [[False, False], [True, False]]),
        np.array([1, 4]),
    ),
    "class_weight": (
        lambda class_weight: dice_any.dice_loss(
            CASES_BY_CLASS, smooth=0, class_weight=class_weight
        ),
        np.ma.masked_array([2.0, 1.0], [False, True]),
        np.array(1 - 2 * 2 / (5 + 4)),
    ),
    "distances": (
        lambda distances: dice_any.wasserstein_dice_loss(
            np.stack([~P, P], axis=1) * 1.0, T * 1, class_axis=1, distances=distances
        ),
        np.ma.masked_array([[0, 1], [7, 0.0]], [[False, False], [True, False]]),
        dice_any.wasserstein_dice_loss(
            np.stack([~P, P], axis=1) * 1.0, T * 1, class_axis=1, distances=[[0, 1], [0, 0]]
        ),
    ),
}
CASES_BY_CLASS = dice_any.overlap(
    np.stack([P, ~P], axis=1), np.stack([T, ~T], axis=1), class_axis=1
)


@pytest.mark.parametrize("name", OTHERS)
def test_masked_arrays_elsewhere(name: str) -> None:
    call, masked, expected = OTHERS[name]
    with pytest.raises(TypeError, match=says(f"`{name}` must be a plain array")) as caught:
        call(masked)
    code = re.findall("`([^`]*)`", str(caught.value))[1]
    np.testing.assert_equal(call(eval(code, {"numpy": np, name: masked})), expected)


def test_structured_and_other_dtypes() -> None:
    record = np.zeros(P.shape, dtype=[("mask", bool), ("score", float)])
    record["mask"] = P
    score = follow(dice_any.dice_score, record, T, given={})
    assert float(score) == pytest.approx(DICE)
    score = follow(dice_any.dice_score, record.view(np.recarray), T, given={})
    assert float(score) == pytest.approx(DICE)
    assert float(follow(dice_any.dice_score, P.astype(object), T, given={})) == pytest.approx(DICE)
    names = np.where(P, "name", "other")
    assert float(follow(dice_any.dice_score, names, T, given={})) == pytest.approx(DICE)
    for dtype, cure in {
        "complex64": "real part",
        "datetime64[s]": "Convert it to one of these",
        "timedelta64[s]": "Convert it to one of these",
        "S3": "Convert it",
        "V4": "Convert it",
    }.items():
        with pytest.raises(
            TypeError, match=says("`target` must be boolean, integer or floating; got", cure)
        ):
            dice_any.dice_score(P, np.zeros(P.shape, dtype=dtype))


# -- PyTorch ---------------------------------------------------------------------------------------


def torch_kinds() -> dict[str, Callable[[Any, np.ndarray], Any]]:
    def quantized(torch: Any, values: np.ndarray) -> Any:
        return torch.quantize_per_tensor(
            torch.tensor(values, dtype=torch.float32), 1.0, 0, torch.quint8
        )

    return {
        "COO": lambda torch, values: torch.tensor(values * 1.0).to_sparse(),
        "CSR": lambda torch, values: torch.tensor(values * 1.0).to_sparse_csr(),
        "CSC": lambda torch, values: torch.tensor(values * 1.0).to_sparse_csc(),
        "boolean COO": lambda torch, values: torch.tensor(values).to_sparse(),
        "quantized": quantized,
        "mkldnn": lambda torch, values: torch.tensor(values, dtype=torch.float32).to_mkldnn(),
    }


@pytest.mark.filterwarnings(
    "ignore:Sparse CS. tensor support is in beta state", "ignore:.*quantiz.*"
)
@pytest.mark.parametrize("name", torch_kinds())
def test_tensors_of_other_layouts(name: str) -> None:
    torch = pytest.importorskip("torch")
    make = torch_kinds()[name]
    try:
        prediction, target = make(torch, P), make(torch, T)
    except (RuntimeError, AttributeError) as error:
        pytest.skip(f"PyTorch has none here: {error}")
    for function in (
        dice_any.dice_score,
        dice_any.dice_loss,
        dice_any.overlap,
        dice_any.pairwise_overlap,
    ):
        with pytest.raises(TypeError, match="must be a plain array; got torch"):
            function(prediction, target)
    assert float(follow(dice_any.dice_score, prediction, target, given={})) == pytest.approx(DICE)
    with pytest.raises(TypeError, match="`weight` must be a plain array; got torch"):
        dice_any.dice_score(torch.tensor(P), torch.tensor(T), weight=target)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype stage")
@pytest.mark.parametrize("layout", ["strided", "jagged"])
def test_nested_tensors(layout: str) -> None:
    torch = pytest.importorskip("torch")
    rows = [torch.tensor(row[: 3 + i] * 1.0) for i, row in enumerate(P)]
    nested = torch.nested.nested_tensor(rows, layout=getattr(torch, layout))
    with pytest.raises(
        TypeError,
        match=says("Pass its tensors one by one, `prediction.unbind()`, and add the overlaps"),
    ):
        dice_any.dice_score(nested, nested)
    assert (
        float(dice_any.dice_score(sum(dice_any.overlap(row, row) for row in nested.unbind()))) == 1
    )


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_tensors(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(P).to(getattr(torch, dtype))
    for function in (dice_any.dice_score, dice_any.dice_loss, dice_any.pairwise_overlap):
        with pytest.raises(
            TypeError,
            match=f"must be boolean, integer or floating; got {dtype}. Pass its real part",
        ):
            function(tensor, tensor)


def test_outputs_of_a_network() -> None:
    torch = pytest.importorskip("torch")
    p, t = torch.tensor(P * 1.0), torch.tensor(T)
    for outputs in ([p, p[:, ::2]], (p, p)):
        with pytest.raises(
            TypeError, match=says("`prediction[0]`", "`torch.stack(prediction)`", "DeepSupervision")
        ):
            dice_any.dice_loss(outputs, t)
        assert float(follow(dice_any.dice_score, outputs, t, given={})) == pytest.approx(DICE)
    with pytest.raises(TypeError, match=says("got collections.OrderedDict", "`prediction['out']`")):
        dice_any.dice_loss(collections.OrderedDict(aux=p, out=p), t)
    with pytest.raises(TypeError, match=says("got torch.Linear", "Call it")):
        dice_any.dice_loss(torch.nn.Linear(1, 1), t)


# -- JAX -------------------------------------------------------------------------------------------


def test_keys_of_random_numbers() -> None:
    jax = pytest.importorskip("jax")
    key = jax.random.key(0)
    for function in (dice_any.dice_score, dice_any.dice_loss, dice_any.overlap):
        with pytest.raises(
            TypeError,
            match=says("must be boolean, integer or floating; got key<fry>", "Draw an array"),
        ):
            function(key, key)
    shape = jax.ShapeDtypeStruct((2, 5), bool)
    with pytest.raises(TypeError, match=says("got jax.ShapeDtypeStruct", "holds no values")):
        dice_any.dice_score(shape, shape)


# -- Dask ------------------------------------------------------------------------------------------


def dask_kinds() -> dict[str, Callable[[Any, np.ndarray], Any]]:
    def scipy_chunks(da: Any, values: np.ndarray) -> Any:
        sparse = pytest.importorskip("scipy.sparse").csr_matrix(values * 1.0)
        return da.from_array(sparse, chunks=(1, 5), asarray=False)

    def sparse_chunks(da: Any, values: np.ndarray) -> Any:
        sparse = pytest.importorskip("sparse").COO.from_numpy(values)
        return da.from_array(sparse, chunks=(2, 2), asarray=False)

    def xarray_chunks(da: Any, values: np.ndarray) -> Any:
        xarray = pytest.importorskip("xarray")
        plain = da.from_array(values, chunks=(1, 5))
        return da.Array(plain.dask, plain.name, plain.chunks, meta=xarray.DataArray(values[:0]))

    return {
        "matrices": lambda da, values: da.from_array(
            np.asmatrix(values * 1.0), chunks=(1, 3), asarray=False
        ),
        "SciPy's sparse": scipy_chunks,
        "sparse": sparse_chunks,
        "objects": lambda da, values: da.from_array(values.astype(object), chunks=(1, 3)),
        "structures": lambda da, values: da.from_array(
            values.astype([("mask", bool)]), chunks=(1, 3)
        ),
        "names": lambda da, values: da.from_array(np.where(values, "name", "no"), chunks=(1, 3)),
    }


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("name", dask_kinds())
def test_chunks_of_what_is_refused(name: str) -> None:
    da = pytest.importorskip("dask.array")
    make = dask_kinds()[name]
    prediction, target = make(da, P), make(da, T)
    for function in (
        dice_any.dice_score,
        dice_any.dice_loss,
        dice_any.overlap,
        dice_any.pairwise_overlap,
    ):
        with pytest.raises(
            TypeError, match=r"must be (a plain array|boolean, integer or floating); got .+\."
        ):
            function(prediction, target)
    plain = da.from_array(T, chunks=(2, 5))
    for second in (target, plain):
        score = follow(dice_any.dice_score, prediction, second, given={})
        assert float(score) == pytest.approx(DICE)


def test_lengths_that_nobody_knows() -> None:
    da = pytest.importorskip("dask.array")
    some = da.from_array(P.ravel(), chunks=4)
    unknown = some[some]
    with pytest.raises(
        TypeError, match=says("`prediction` must be a plain array", "compute_chunk_sizes()")
    ):
        dice_any.dice_score(unknown, unknown)
    assert float(dice_any.dice_score(unknown.compute_chunk_sizes(), unknown)) == 1


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("what", ["masked", "matrix", "scipy", "torch", "xarray"])
def test_chunks_that_are_not_what_they_were_said_to_be(what: str) -> None:
    """A delayed function may return other arrays than Dask was told: that shows when it is
    computed.
    """
    dask = pytest.importorskip("dask")
    da = pytest.importorskip("dask.array")
    make = {
        "masked": lambda m: np.ma.masked_array(m, MASKED_P),
        "matrix": np.asmatrix,
        "scipy": lambda m: pytest.importorskip("scipy.sparse").csr_matrix(m),
        "torch": lambda m: pytest.importorskip("torch").asarray(m),
        "xarray": lambda m: pytest.importorskip("xarray").DataArray(m),
    }[what]
    make(P)
    told = [da.from_delayed(dask.delayed(make)(m), shape=m.shape, dtype=bool) for m in (P, T)]
    plain = da.from_array(T, chunks=P.shape)
    calls = [
        lambda *arrays: dice_any.dice_score(*arrays),
        lambda *arrays: dice_any.dice_loss(*arrays),
    ]
    if what != "torch":  # its tensors have no `astype`
        calls.append(lambda *arrays: dice_any.dice_score(arrays[0].astype(float), arrays[1]))
        calls.append(
            lambda *arrays: dice_any.confusion_matrix(
                *(a.astype("int8") for a in arrays), num_classes=2
            )
        )
    for call in calls:
        for second in (told[1], plain):
            with pytest.raises(
                TypeError, match=r"`chunks` must be plain arrays of .*; got .*meta="
            ):
                call(told[0], second).compute()
