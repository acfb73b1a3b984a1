"""Random calls, on every library of this machine and every kernel for its processor.

Counts and exact sums are compared with Python's integers, scores with one division of these, losses
with float64, and gradients with differences of the float64 loss. ``python -m tests.soak.fuzz
SECONDS SEED`` draws the same calls again for the same seed. Two more arguments, FIRST and NUMBER,
select NUMBER calls from the call FIRST on.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections import Counter
from typing import Any

if __name__ == "__main__":
    os.environ.setdefault("NUMBA_NUM_THREADS", "3")

import numpy as np

import dice_any
from dice_any.testing import oracle
from dice_any.testing.adapters import Adapter, adapter
from dice_any.testing.capabilities import limit

from .draw import INTEGERS, LOSSES, RANKED, DeclinedError, Draw
from .expected import Cells, LossCase, exact_sums, said, spread_weights

#: how often each library is drawn; lazy and compiling ones are slow
BACKENDS = {
    **{"numpy": 8, "torch": 8, "numba": 8, "numba-torch": 8, "strict": 3, "strict-no-float64": 1},
    **{"jax": 2, "dask": 1, "sparse": 1, "ndonnx": 1, "cubed": 1},
}
KINDS = {
    "masks": 4,
    "maps": 4,
    "memberships": 6,
    "against labels": 4,
    "rows": 2,
    "ids": 1,
    "loss": 10,
}


# -- one call ------------------------------------------------------------------------------------


class Fuzz:
    """The calls of one seed, and their results."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.backends = {name: adapter(name) for name in BACKENDS}
        self.made: Counter[str] = Counter()
        self.compared: Counter[str] = Counter()
        self.declined: Counter[str] = Counter()

    def run(self, number: int) -> None:
        """Draw one call, make it, and compare the result."""
        draw = Draw(self.seed, number)
        backend, kind = self.backends[draw.often(BACKENDS)], draw.often(KINDS)
        self.said: dict[str, Any] = {"backend": backend.name, "kind": kind}
        try:
            getattr(self, "_" + kind.replace(" ", "_"))(draw, backend)
        except DeclinedError:
            self.declined[backend.name] += 1
        except BaseException:
            print(
                f"fuzz: seed {self.seed}, call {number}: {self.said}",
                file=sys.stderr,
                flush=True,
            )
            raise
        else:
            self.compared[kind] += 1
            self.made[backend.name] += 1

    def call(
        self,
        backend: Adapter,
        function: Any,
        *arrays: Any,
        features: tuple[str, ...] = (),
        **arguments: Any,
    ) -> Any:
        """Call a function, and check that it did not write into its arguments."""
        self.said |= {
            "function": getattr(function, "__name__", function),
            "arrays": [(a.dtype.name, a.shape) for a in arrays],
            **{name: said(value) for name, value in arguments.items()},
        }
        if any(limit(backend.name, feature) for feature in features):
            raise DeclinedError
        weight = arguments.get("weight")
        if not all(backend.has(a.dtype.name) for a in (*arrays, weight) if a is not None):
            raise DeclinedError
        given = [backend(a) for a in arrays]
        if weight is not None:
            arguments["weight"] = backend(weight)
        try:
            answer = function(*given, **arguments, **backend.options)
        except ValueError as error:
            if backend.options and str(error).startswith("`backend` must"):
                raise DeclinedError from None
            raise
        if backend.library.name in ("numpy", "torch"):
            for array, values in zip(given, arrays, strict=True):
                now, before = np.asarray(array).tobytes(), np.ascontiguousarray(values).tobytes()
                assert now == before, "an argument was written into"
        return answer

    def weight(
        self,
        draw: Draw,
        shape: tuple[int, ...],
        kinds: tuple[str, ...],
    ) -> np.ndarray | None:
        kind = draw.one_of((None, None, *kinds))
        if kind is None:
            return None
        shape = tuple(1 if draw.happens(0.2) else n for n in shape)
        if kind == "bool":
            return draw.masks(shape)
        if kind == "integer":
            return draw.chance.integers(0, 4, shape).astype(draw.one_of(INTEGERS))
        return (draw.memberships(shape, kind) * np.array(3, dtype=kind)).astype(kind)

    # -- counts -----------------------------------------------------------------------------------

    def _masks(self, draw: Draw, backend: Adapter) -> None:
        shape = draw.shape(4000, int(draw.chance.integers(1, 5)))
        odd = backend.library.name != "jax" and draw.happens(0.3)
        x, y = (draw.masks(shape, odd) for _ in range(2))
        x, y = (x, y) if odd else (draw.layout(x), draw.layout(y))
        class_axis, axis = self._axes(draw, len(shape))
        w = self.weight(draw, shape, ("bool", "integer"))
        got = self.call(
            backend,
            dice_any.overlap,
            x,
            y,
            class_axis=class_axis,
            axis=axis,
            weight=w,
            features=("hard",),
        )
        cells = Cells(shape, class_axis, axis)
        bools = [a.astype(np.uint8) != 0 for a in (x, y)]
        self._same_sums(got, [exact_sums(*bools, "product", w, cells, i) for i in cells])
        self._same_scores(backend, got)

    def _maps(self, draw: Draw, backend: Adapter) -> None:
        shape = draw.shape(3000, int(draw.chance.integers(1, 4)))
        classes, dtype = draw.one_of([1, 2, 3, 7, 40]), draw.one_of(INTEGERS)
        dtypes = (dtype, draw.one_of([dtype, draw.one_of(INTEGERS)]))
        x, y = (draw.layout(draw.labels(shape, classes, d)) for d in dtypes)
        ignored = draw.one_of([None, None, 0, classes, 100])
        if ignored is not None:
            y[draw.chance.random(shape) < 0.2] = ignored
        w = self.weight(draw, shape, ("bool", "integer"))
        _, axis = self._axes(draw, len(shape), by_class=False)
        given = {"num_classes": classes, "axis": axis, "ignore_label": ignored, "weight": w}
        cells = Cells(shape, None, axis)
        weights = spread_weights(w, shape) * (y != ignored if ignored is not None else 1)
        if draw.happens(0.3):
            got = self.call(backend, dice_any.confusion_matrix, x, y, features=("hard",), **given)
            matrices = backend.values(got).reshape(-1, classes, classes)
            for i, matrix in zip(cells, matrices, strict=True):
                for t, p in itertools.product(range(classes), repeat=2):
                    count = int((weights * (y == t) * (x == p))[i].sum())
                    assert matrix[t, p] == count, "another confusion matrix"
            return
        got = self.call(backend, dice_any.overlap, x, y, features=("hard", "averages"), **given)
        both = itertools.product(cells, range(classes))
        expected = [exact_sums(x == c, y == c, "product", weights, cells, i) for i, c in both]
        self._same_sums(got, expected)
        self._same_scores(backend, got)

    def _rows(self, draw: Draw, backend: Adapter) -> None:
        n, m, length = (int(draw.chance.integers(1, most)) for most in (5, 5, 300))
        form = draw.one_of(["product", "squared", "minimum"])
        soft = draw.happens(0.5)
        dtype = draw.one_of(["float32", "float64"])
        shapes = ((n, length), (m, length))
        x, y = (draw.memberships(s, dtype) if soft else draw.masks(s) for s in shapes)
        got = self.call(
            backend,
            dice_any.pairwise_overlap,
            x,
            y,
            form=form,
            features=("pairwise", "exact"),
        )
        self._same_sums(got, [oracle.exact_sums(a, b, form) for a in x for b in y])

    def _ids(self, draw: Draw, backend: Adapter) -> None:
        a, b = (draw.labels((int(draw.chance.integers(1, 60)),), 50, "int32") for _ in range(2))
        if limit(backend.name, "sets") or backend.options:
            raise DeclinedError
        got = self.call(backend, dice_any.set_overlap, a, b, features=("sets",))
        first, second = set(a.tolist()), set(b.tolist())
        counts = (len(first & second), len(first), len(second), len(first | second))
        self._same_sums(got, [oracle.Exact(*(n * oracle.UNIT for n in counts))])

    # -- exact sums -------------------------------------------------------------------------------

    def _memberships(self, draw: Draw, backend: Adapter) -> None:
        shape = draw.shape(700, int(draw.chance.integers(1, 4)))
        kinds = [("float16", "float32", "float64"), ("float16", "float32", "float64", "bool")]
        if draw.happens(0.5):
            kinds.reverse()
        dtypes = [draw.one_of(kind) for kind in kinds]
        x, y = (draw.sets(shape, dtype) for dtype in dtypes)
        class_axis, axis = self._axes(draw, len(shape))
        form, w = (
            draw.one_of(["product", "squared", "minimum"]),
            self.weight(draw, shape, ("bool", "integer", "float32")),
        )
        given = {"class_axis": class_axis, "axis": axis, "form": form, "weight": w}
        got = self.call(backend, dice_any.overlap, x, y, features=("exact", "weight"), **given)
        cells = Cells(shape, class_axis, axis)
        self._same_sums(got, [exact_sums(x, y, form, w, cells, i) for i in cells])
        self._same_scores(backend, got)

    def _against_labels(self, draw: Draw, backend: Adapter) -> None:
        shape, classes = draw.shape(300, int(draw.chance.integers(1, 4))), draw.one_of([2, 3, 5])
        class_axis = int(draw.chance.integers(len(shape) + 1))
        form, dtype = (
            draw.one_of(["product", "squared", "minimum"]),
            draw.one_of(["float16", "float32", "float64", "bool"]),
        )
        full = (*shape[:class_axis], classes, *shape[class_axis:])
        best = dtype != "bool" and draw.happens(0.3)
        x = draw.layout(draw.masks(full) if dtype == "bool" else draw.memberships(full, dtype))
        y = draw.layout(draw.labels(shape, classes, draw.one_of(INTEGERS)))
        ignored = draw.one_of([None, 1, 100])
        if ignored is not None:
            y[draw.chance.random(shape) < 0.2] = ignored
        w = self.weight(draw, shape, ("bool", "integer", *(() if best else ("float32",))))
        axis = None if draw.happens(0.5) or class_axis == 0 else "space"
        given = {
            "class_axis": class_axis,
            "axis": axis,
            "form": form,
            "ignore_label": ignored,
            "weight": w,
        }
        if best:
            given |= {"activation": "argmax", "form": "product"}
        got = self.call(
            backend,
            dice_any.overlap,
            x,
            y,
            features=("exact", "weight", "averages"),
            **given,
        )
        cells = Cells(shape, None, None if axis is None else tuple(range(1, len(shape))))
        weights = spread_weights(w, shape) * (y != ignored if ignored is not None else 1)
        by_class = np.moveaxis(x, class_axis, 0)
        found = by_class.argmax(axis=0)
        expected = []
        for i in cells:
            for c in range(classes):
                xs = (found == c) if best else by_class[c]
                expected.append(exact_sums(xs, y == c, given["form"], weights, cells, i))
        self._same_sums(got, expected)
        self._same_scores(backend, got)

    def _axes(self, draw: Draw, ndim: int, by_class: bool = True) -> tuple[int | None, Any]:
        class_axis = None
        if by_class and ndim > 1 and draw.happens(0.4):
            class_axis = int(draw.chance.integers(ndim))
        free = [a for a in range(ndim) if a != class_axis]
        if draw.happens(0.5):
            return class_axis, None
        chosen = tuple(a for a in free if draw.happens(0.6))
        return class_axis, chosen or (free[0],)

    def _same_sums(self, got: Any, expected: list[oracle.Exact]) -> None:
        assert oracle.overlap_sums(got) == expected, "other sums"

    def _same_scores(self, backend: Adapter, overlap: Any) -> None:
        """Compare scores with one float64 division of the sums, which are rounded once."""
        rows = np.array([sums.floats() for sums in oracle.overlap_sums(overlap)]).T
        i, x, y, n = rows
        with np.errstate(invalid="ignore", divide="ignore"):
            expected = {
                "dice_score": 2 * i / (x + y),
                "jaccard_score": i / ((x + y) - i),
                "precision_score": i / x,
                "recall_score": i / y,
                "specificity_score": ((n - y) - (x - i)) / (n - y),
                "overlap_coefficient": i / np.minimum(x, y),
            }
        for name, scores in expected.items():
            squared = overlap.form == "squared" and overlap.kind != "hard"
            if squared and name not in ("dice_score", "jaccard_score"):
                continue
            answer = getattr(dice_any, name)(overlap)
            got = backend.values(answer).ravel()
            if backend.name == "strict-no-float64":
                np.testing.assert_allclose(got, scores, rtol=1e-6)
                continue
            wanted = scores.astype(
                backend.library.dtype_name(answer.dtype),
            )  # JAX may hold no float64
            assert np.array_equal(got, wanted, equal_nan=True), f"another {name}"

    # -- losses -----------------------------------------------------------------------------------

    def _loss(self, draw: Draw, backend: Adapter) -> None:
        name = draw.one_of(LOSSES)
        case = LossCase(draw, name)
        self.said |= {"loss": name, **case.said}
        features = (
            "loss",
            "activation",
            "averages",
            "weight",
            *(("ranked",) if name in RANKED else ()),
        )
        loss = getattr(dice_any, name)
        expected = case.expected(case.z.astype(np.float64))
        value = self.call(backend, loss, case.z, case.y, features=features, **case.arguments)
        # JAX delivers float32 to those who have no x64
        wide = backend.library.dtype_name(value.dtype) == "float64"
        precise = case.z.dtype == np.float64 and wide
        close = {"rtol": 1e-9, "atol": 1e-11} if precise else {"rtol": 3e-5, "atol": 3e-6}
        if backend.name == "strict-no-float64":
            close = {"rtol": 2e-4, "atol": 2e-5}
        np.testing.assert_allclose(float(backend.values(value)), expected, **close)
        if limit(backend.name, "closed form"):
            return
        value, gradient = self.call(
            backend,
            dice_any.value_and_grad(loss),
            case.z,
            case.y,
            **case.arguments,
        )
        np.testing.assert_allclose(float(backend.values(value)), expected, **close)
        self._same_slope(case, draw, backend.values(gradient).astype(np.float64))
        if backend.library.name == "torch":
            import torch

            z = backend(case.z).requires_grad_()
            given = {**case.arguments, "weight": backend(case.arguments.get("weight"))}
            loss(z, backend(case.y), **given, **backend.options).backward()
            assert isinstance(z.grad, torch.Tensor)
            self._same_slope(case, draw, z.grad.numpy().astype(np.float64))

    def _same_slope(self, case: LossCase, draw: Draw, gradient: np.ndarray) -> None:
        """Compare a gradient with a difference of the float64 loss along a random direction."""
        assert np.isfinite(gradient).all(), "a gradient that is not finite"
        direction, step = draw.chance.random(case.z.shape) - 0.5, 1e-6
        z = case.z.astype(np.float64)
        ahead, behind = (case.expected(z + s * direction) for s in (step, -step))
        slope, scale = (ahead - behind) / (2 * step), np.abs(gradient * direction).sum()
        tolerance = (1e-6 if case.z.dtype == np.float64 else 1e-3) * scale + 1e-9
        got = float((gradient * direction).sum())
        assert abs(got - slope) < tolerance + 1e-7, "another gradient"


def main(seconds: float, seed: int, first: int = 0, most: int = sys.maxsize) -> None:
    """Draw calls until the time is over."""
    fuzz, end, number = Fuzz(seed), time.monotonic() + seconds, first
    while time.monotonic() < end and number - first < most:
        fuzz.run(number)
        number += 1
    by_kind = ", ".join(f"{kind} {n}" for kind, n in sorted(fuzz.compared.items()))
    by_backend = ", ".join(f"{name} {n}" for name, n in sorted(fuzz.made.items()))
    print(f"fuzz: seed {seed}: {sum(fuzz.made.values())} calls compared, 0 wrong ({by_kind})")
    print(f"fuzz: by backend: {by_backend}; declined {sum(fuzz.declined.values())}", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), *map(int, sys.argv[2:]))
