"""ONNX: onnxruntime computes the graphs of PyTorch's exporter and of ndonnx to the same bits.

An export takes seconds, so many calls are in one graph. Each case is a function of arrays, their
values, and the expected result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.testing import oracle, recipe

ort = pytest.importorskip("onnxruntime")
pytestmark = [
    # warnings of PyTorch's exporter itself
    pytest.mark.filterwarnings(
        "ignore:`isinstance.treespec, LeafSpec.` is deprecated:FutureWarning"
    ),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

Case = tuple[Callable[..., Any], Sequence[np.ndarray], Sequence[Any]]


def by_torch(
    function: Callable[..., Any], arrays: Sequence[np.ndarray], optimize: bool = False
) -> list[np.ndarray]:
    """Export a function of tensors, and run it on these values, without optimising, which would
    take most of the time.
    """
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")

    class Model(torch.nn.Module):
        def forward(self, tensors: list[Any]) -> Any:
            return function(*tensors)

    program = torch.onnx.export(
        Model().eval(),
        ([torch.asarray(array) for array in arrays],),
        dynamo=True,
        verbose=False,
        optimize=optimize,
    )
    return run(program.model_proto.SerializeToString(), arrays)


def by_ndonnx(function: Callable[..., Any], arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Write a function of arrays as a graph, and run it on these values."""
    ndx = pytest.importorskip("ndonnx")
    inputs = {
        f"in_{i}": ndx.argument(shape=array.shape, dtype=getattr(ndx, array.dtype.name))
        for i, array in enumerate(arrays)
    }
    outputs = function(*inputs.values())
    model = ndx.build(inputs, {f"out_{i}": output for i, output in enumerate(outputs)})
    return run(model.SerializeToString(), arrays)


def run(model: bytes, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    session = ort.InferenceSession(model)
    # in_0, in_1, ... or tensors_0, tensors_1, ...; an input that no output needs may be missing
    feeds = {node.name: arrays[int(node.name.rpartition("_")[2])] for node in session.get_inputs()}
    answers: list[np.ndarray] = session.run(None, feeds)
    return answers


EXPORTERS = pytest.mark.parametrize("export", [by_torch, by_ndonnx])


def run_all(export: Any, cases: dict[str, Case]) -> dict[str, list[np.ndarray]]:
    """Return the results of all cases, from one graph."""

    def everything(*arrays: Any) -> list[Any]:
        left = iter(arrays)
        answers = [function(*(next(left) for _ in given)) for function, given, _ in cases.values()]
        return list(chain.from_iterable(a if isinstance(a, tuple) else (a,) for a in answers))

    flat = iter(
        export(everything, list(chain.from_iterable(given for _, given, _ in cases.values())))
    )
    return {name: [next(flat) for _ in expected] for name, (_, _, expected) in cases.items()}


def limbs(*arrays: Any, **options: Any) -> Any:
    """Return the sums of an exact overlap, (*counts, 5, 3): only a small graph."""
    x, y, *weight = arrays
    overlap = dice_any.overlap(x, y, weight=weight[0] if weight else None, **options)
    return overlap.tree_flatten()[0][0]


def as_limbs(sums: Sequence[oracle.Exact]) -> list[list[list[int]]]:
    rows = [
        [[units >> 62, units >> 31 & 2**31 - 1, units & 2**31 - 1] for units in each]
        for each in sums
    ]
    return [[*row, [0, 0, 0]] for row in rows]  # nothing is invalid


def sum_cases() -> dict[str, Case]:
    cases: dict[str, Case] = {}
    for dtype, form in (("float16", "product"), ("float32", "squared"), ("float64", "minimum")):
        x, y = recipe.memberships(1, (2, 90), dtype), recipe.memberships(3, (2, 90), dtype)
        sums = [oracle.exact_sums(a, b, form) for a, b in zip(x, y, strict=True)]
        cases[f"{form} form of {dtype}"] = (
            partial(limbs, form=form, axis=1),
            (x, y),
            [as_limbs(sums)],
        )
    x, y = recipe.memberships(5, (3, 80)), recipe.labels(7, 80, 3)
    w = recipe.memberships(9, 80) * np.float32(1000)
    by_class = zip(x, oracle.by_class(3, y), strict=True)
    sums = [oracle.exact_sums(a, mask, weight=w) for a, mask in by_class]
    cases["weights"] = partial(limbs, class_axis=0), (x, y, w), [as_limbs(sums)]
    return cases


def score_cases() -> dict[str, Case]:
    x, y = np.full(8, 0.7, dtype=np.float32), np.ones(8, dtype=np.float32)
    i, a, b, _ = oracle.exact_sums(x, y).floats()
    assert round(2 * i / (a + b), 4) == 0.8235
    cases: dict[str, Case] = {"eight equal terms": (dice_any.dice_score, (x, y), [2 * i / (a + b)])}
    # a carry of negative limbs: ONNX and Python divide integers of different signs differently
    x, y = recipe.memberships(1, 90, "float64"), recipe.memberships(3, 90, "float64")
    sums = oracle.exact_sums(x, y)
    false_negatives = oracle.Exact(sums.target - sums.intersection, 0, 0, 0).floats()[0]
    cases["a difference"] = lambda x, y: dice_any.overlap(x, y).fn, (x, y), [false_negatives]
    return cases


def pair_cases() -> dict[str, Case]:
    x, y = recipe.memberships(19, (1, 30)), recipe.memberships(21, (2, 30))
    sums = [[oracle.exact_sums(a, b, "minimum").floats()[0] for b in y] for a in x]
    soft = lambda x, y: dice_any.pairwise_overlap(x, y, form="minimum").intersection  # noqa: E731
    masks = recipe.masks(17, (3, 70)), recipe.masks(18, (2, 70))
    counts = masks[0].astype(int) @ masks[1].T.astype(int)
    hard = lambda x, y: dice_any.pairwise_overlap(x, y).intersection  # noqa: E731
    return {"soft rows": (soft, (x, y), [sums]), "masks": (hard, masks, [counts.tolist()])}


def hard_cases() -> dict[str, Case]:
    cases: dict[str, Case] = {}
    x, y, w = (recipe.labels(seed, (6, 40), 4) for seed in (11, 13, 15))
    for weighted in (False, True):
        matrix = np.zeros((4, 4), dtype=np.int64)
        np.add.at(matrix, (y.ravel(), x.ravel()), (w if weighted else np.ones_like(w)).ravel())
        i, a, b = matrix.diagonal(), matrix.sum(axis=0), matrix.sum(axis=1)

        def both(x: Any, y: Any, w: Any = None) -> Any:
            matrix = dice_any.confusion_matrix(x, y, num_classes=4, weight=w)
            return dice_any.jaccard_score(x, y, num_classes=4, weight=w), matrix

        arrays = (x, y, w) if weighted else (x, y)
        cases[f"label maps, weighted {weighted}"] = (
            both,
            arrays,
            [(i / (a + b - i)).tolist(), matrix.tolist()],
        )

    x, y = recipe.masks(17, (3, 70)), recipe.masks(18, (3, 70))
    score = 2 * int((x & y).sum()) / int(x.sum() + y.sum())
    cases["masks"] = dice_any.dice_score, (x, y), [score]
    z, y = recipe.memberships(23, (5, 60)), recipe.labels(25, 60, 5)
    accuracy = float((z.argmax(axis=0) == y).mean())
    argmax = partial(dice_any.dice_score, class_axis=0, activation="argmax", average="micro")
    cases["hard labels from scores"] = argmax, (z, y), [accuracy]
    return cases


@EXPORTERS
@pytest.mark.parametrize("kind", [sum_cases, score_cases, pair_cases, hard_cases])
def test_bits(export: Any, kind: Callable[[], dict[str, Case]]) -> None:
    cases = kind()
    for name, got in run_all(export, cases).items():
        assert [answer.tolist() for answer in got] == list(cases[name][2]), name


def test_an_optimized_graph() -> None:
    case = score_cases()["eight equal terms"]
    (got,) = by_torch(lambda *arrays: [case[0](*arrays)], case[1], optimize=True)
    assert float(got) == case[2][0]


@EXPORTERS
def test_plain_sums_and_losses(export: Any) -> None:
    x, y = recipe.memberships(27, (3, 50)), recipe.labels(29, 50, 3)
    losses, scores = [], []
    for a, mask in zip(x.astype(np.float64), oracle.by_class(3, y), strict=True):
        i, size = math.fsum(a[mask]), math.fsum(a) + mask.sum()
        losses.append(1 - (2 * i + 1) / (size + 1))
        scores.append(2 * i / size)
    cases: dict[str, Case] = {
        "plain loss": (partial(dice_any.dice_loss, class_axis=0), (x, y), [math.fsum(losses) / 3]),
        "exact loss": (
            partial(dice_any.dice_loss, class_axis=0, exact=True),
            (x, y),
            [math.fsum(losses) / 3],
        ),
        "plain score": (partial(dice_any.dice_score, class_axis=0, exact=False), (x, y), [scores]),
    }
    for name, (got,) in run_all(export, cases).items():
        assert got.tolist() == pytest.approx(cases[name][2][0], rel=1e-6), name


@EXPORTERS
def test_sums_beyond_53_bits(export: Any) -> None:
    """Runtimes add integers in float64, which cannot hold the sum of four million 31-bit terms."""
    n = 17 << 18
    x = 1 - np.arange(1, n + 1, dtype=np.float64) * 2.0**-27
    x[::2] -= 2.0**-53
    units = n * 2**62 - n * (n + 1) // 2 * 2**35 - n // 2 * 2**9

    factors = (1, 4) if export is by_torch else (4,)  # ndonnx infers the shape of each operation

    def sums(x: Any, w: Any) -> Any:
        return tuple(limbs(x, x) if factor == 1 else limbs(x, x, w) for factor in factors)

    for got, factor in zip(export(sums, (x, np.full(1, 4.0))), factors, strict=True):
        whole, mid, low = got[1].tolist()
        assert whole * 2**62 + mid * 2**31 + low == units * factor
