"""The matrix of the Wasserstein Dice loss: what is taken, what is refused, and compilers, which
cannot read an array of it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.testing import recipe

MATRIX = [[0, 2, 1], [1, 0, 0.5], [1.5, 0.25, 0]]
X = recipe.integers(1, (2, 3, 5), 2**10).astype(np.float64) / 2**7
Y = recipe.labels(3, (2, 5), 3)
OPTIONS: dict[str, Any] = {"class_axis": 1, "activation": "softmax"}


def expected(x: np.ndarray = X, y: np.ndarray = Y, matrix: Any = MATRIX) -> float:
    """Return the loss by its definition."""
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    scaled = np.asarray(matrix, dtype=np.float64) / np.max(matrix)
    far = np.einsum("cl,nli->nci", scaled, p)
    own = np.take_along_axis(far, y[:, None], axis=1)[:, 0]
    agreement = ((y > 0) * (1 - own)).sum()
    return float(1 - (2 * agreement + 1) / (2 * agreement + own.sum() + 1))


def loss(distances: Any, **options: Any) -> float:
    return float(
        dice_any.wasserstein_dice_loss(X, Y, distances=distances, **{**OPTIONS, **options})
    )


# -- what is taken and what is refused -------------------------------------------------------------

ARRAY = np.array(MATRIX)
TAKEN: dict[str, Any] = {
    "list": MATRIX,
    "tuples": tuple(map(tuple, MATRIX)),
    "array": ARRAY,
    "column by column": np.asfortranarray(ARRAY),
    "float16": ARRAY.astype(np.float16),
    "list of arrays": list(ARRAY),
    "NumPy's numbers": [[np.float32(n) for n in row] for row in MATRIX],
    "arrays of one number": [[np.array(n) for n in row] for row in MATRIX],
    "fractions": [[Fraction(n) for n in row] for row in MATRIX],
}


@pytest.mark.parametrize("name", TAKEN)
def test_taken(name: str) -> None:
    assert loss(TAKEN[name]) == pytest.approx(expected(), rel=1e-12)


@pytest.mark.parametrize("matrix", [1 - np.eye(3, dtype=int), ~np.eye(3, dtype=bool)])
def test_integers_and_booleans(matrix: np.ndarray) -> None:
    right = pytest.approx(expected(matrix=1 - np.eye(3)), rel=1e-12)
    assert loss(matrix) == right
    assert loss(matrix.tolist()) == right


NUMBERS = "Pass a list of rows or a 2-D array, of real numbers."
REFUSED: dict[str, tuple[Any, str]] = {
    "strings": (
        [["0", "1", "1"], ["1", "0", "1"], ["1", "1", "0"]],
        f"`distances[0][0]` must be a number; got str. {NUMBERS}",
    ),
    "a string": ("far", f"`distances` must be a matrix of numbers; got str. {NUMBERS}"),
    "bytes": ([b"far"] * 3, f"`distances[0]` must be a row of numbers; got bytes. {NUMBERS}"),
    "nothing": (None, "`distances` must be a matrix of numbers; got NoneType."),
    "a number": (1.0, "`distances` must be a matrix of numbers; got float."),
    "a number of NumPy": (np.float64(1), "got numpy.float64. Pass `numpy.asarray(distances)`."),
    "a dictionary": ({0: MATRIX[0]}, "`distances` must be a matrix of numbers; got dict."),
    "one row": (MATRIX[0], "`distances[0]` must be a row of numbers; got int."),
    "rows of rows": ([MATRIX], "`distances[0][0]` must be a number; got list."),
    "decimals": (
        [[0, Decimal(1), 1], [1, 0, 1], [1, 1, 0]],
        "`distances[0][1]` must be a number; got decimal.Decimal.",
    ),
    "complex numbers": (
        [[0, 1, 1], [1j, 0, 1], [1, 1, 0]],
        "`distances[1][0]` must be a number; got complex.",
    ),
    "a complex array": (
        ARRAY * 1j,
        "`distances` must be a matrix of numbers; got an array of complex128. Pass its real part",
    ),
    "objects": (ARRAY.astype(object), "`distances` must be a matrix of numbers; got an array of"),
    "a row as an array": (
        ARRAY[0],
        "`distances` must be a matrix of numbers; got shape (3,). " + NUMBERS,
    ),
    "three axes": (ARRAY[None], "`distances` must be a matrix of numbers; got shape (1, 3, 3)."),
    "durations": (
        ARRAY.astype("m8[s]"),
        "`distances` must be a matrix of numbers; got an array of timedelta64[s]",
    ),
    "a duration": (
        [[0, np.timedelta64(1)], [1, 0]],
        "`distances[0][1]` must be a plain array; got numpy.timedelta64",
    ),
    "a masked array": (
        np.ma.masked_array(ARRAY, mask=ARRAY == 2),
        "`distances` must be a plain array; got numpy.MaskedArray. Pass "
        "`numpy.ma.filled(distances, 0)` where what is masked counts as 0.",
    ),
    "a masked array without a mask": (
        np.ma.masked_array(ARRAY),
        "`distances` must be a plain array; got numpy.MaskedArray.",
    ),
    "a masked row": (
        [np.ma.masked_array(ARRAY[0]), *ARRAY[1:]],
        "`distances[0]` must be a plain array; got numpy.MaskedArray. Pass "
        "`numpy.ma.filled(distances[0], 0)`",
    ),
    "a matrix": (
        ARRAY.view(np.matrix),
        "`distances` must be a plain array; got numpy.matrix. Pass `numpy.asarray(distances)`.",
    ),
    "a huge number": (
        [[0, 10**400, 1], [1, 0, 1], [1, 1, 0]],
        "`distances` must be finite and not negative; got another value. Check it.",
    ),
    "NaN": (ARRAY * np.nan, "`distances` must be finite and not negative"),
    "rows of two lengths": (
        [[0, 1, 1], [1, 0], [1, 1, 0]],
        "`distances` must have a row and a column for each of 3 classes; got 3 rows of [2, 3].",
    ),
    "no row": ([], "for each of 3 classes; got 0 rows of []."),
    "empty rows": ([[], [], []], "for each of 3 classes; got 3 rows of [0]."),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    given, message = REFUSED[name]
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        loss(given)


# -- PyTorch ---------------------------------------------------------------------------------------

COMPILER: dict[str, Any] = {"fullgraph": True, "backend": "aot_eager"}


@pytest.fixture
def matrices() -> dict[str, Any]:
    torch = pytest.importorskip("torch")
    return {
        "list": MATRIX,
        "tensor": torch.tensor(MATRIX),
        "parameter": torch.nn.Parameter(torch.tensor(MATRIX)),
        "NumPy": np.array(MATRIX),
    }


@pytest.mark.parametrize("name", ["list", "tensor", "parameter", "NumPy"])
def test_compiled_by_torch(matrices: dict[str, Any], name: str) -> None:
    torch = pytest.importorskip("torch")
    x, y, matrix = torch.tensor(X), torch.tensor(Y), matrices[name]
    run = partial(dice_any.wasserstein_dice_loss, **OPTIONS)
    held = torch.compile(lambda x: run(x, y, distances=matrix), **COMPILER)
    given = torch.compile(lambda x, matrix: run(x, y, distances=matrix), **COMPILER)
    exact = torch.compile(lambda x: run(x, y, distances=matrix, exact=True), **COMPILER)
    assert float(exact(x)) == pytest.approx(expected(), rel=1e-6)
    _, slope = dice_any.value_and_grad(run)(X, Y, distances=MATRIX)
    for function in (held, partial(given, matrix=matrix)):
        leaf = torch.tensor(X, requires_grad=True)
        value = function(leaf)
        value.backward()
        assert value.item() == pytest.approx(expected(), rel=1e-9)
        assert leaf.grad.numpy() == pytest.approx(slope, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ["list", "tensor", "parameter", "NumPy"])
def test_modules_read_it_when_they_are_made(matrices: dict[str, Any], name: str) -> None:
    torch, modules = pytest.importorskip("torch"), pytest.importorskip("dice_any.torch")
    x, y = torch.tensor(X), torch.tensor(Y)
    module = modules.WassersteinDiceLoss(distances=matrices[name], **OPTIONS)
    exported = torch.export.export(copy.deepcopy(module), (x, y)).module()
    for function in (module, torch.compile(module, **COMPILER), exported):
        assert float(function(x, y)) == pytest.approx(expected(), rel=1e-9)
    assert module.to("meta")(x.to("meta"), y.to("meta")).shape == ()


def test_modules_refuse_it_when_they_are_made() -> None:
    torch, modules = pytest.importorskip("torch"), pytest.importorskip("dice_any.torch")
    for given, message in (
        ([[0, 1], [1]], "a row and a column for each of 2 classes; got 2 rows of [1, 2]."),
        ([], "a row and a column for each of 1 classes; got 0 rows of []."),
        ([[1.0]], "`distances` must be 0 on the diagonal"),
        (torch.zeros(3, 3, device="meta"), "`distances` must have values; got an array without"),
    ):
        with pytest.raises((TypeError, ValueError), match=re.escape(message)):
            modules.WassersteinDiceLoss(distances=given, **OPTIONS)


def test_transformed_by_torch() -> None:
    torch = pytest.importorskip("torch")
    x, y, matrix = torch.tensor(X), torch.tensor(Y), torch.tensor(MATRIX)

    def run(matrix: Any, x: Any = x) -> Any:
        return dice_any.wasserstein_dice_loss(x, y, distances=matrix, **OPTIONS)

    both = torch.func.vmap(run)(torch.stack([matrix, matrix.T]))
    right = [expected(), expected(matrix=np.transpose(MATRIX))]
    assert both.tolist() == pytest.approx(right, rel=1e-6)
    meta = dice_any.wasserstein_dice_loss(
        *(a.to("meta") for a in (x, y)), distances=MATRIX, **OPTIONS
    )
    assert meta.device.type == "meta"
    with pytest.raises(ValueError, match="`distances` must not be differentiated"):
        torch.func.grad(run)(matrix)
    for given in (matrix.to("meta"), [*matrix[:2], matrix[2].to("meta")]):
        with pytest.raises(TypeError, match=r"`distances(\[2\])?` must have values; got an array"):
            run(given)


# -- JAX -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [False, True])
def test_compiled_by_jax(exact: bool) -> None:
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    x, y, matrix = jnp.asarray(X, dtype=jnp.float32), jnp.asarray(Y), jnp.asarray(MATRIX)
    run = partial(dice_any.wasserstein_dice_loss, **OPTIONS, exact=exact)
    right = pytest.approx(expected(), rel=1e-6)
    assert float(jax.jit(lambda x: run(x, y, distances=MATRIX))(x)) == right
    assert float(jax.jit(lambda x: run(x, y, distances=np.array(MATRIX)))(x)) == right
    assert float(jax.jit(lambda x: run(x, y, distances=jnp.asarray(MATRIX)))(x)) == right
    given = jax.jit(lambda x, matrix: run(x, y, distances=matrix))
    assert float(given(x, matrix)) == right
    _, slope = dice_any.value_and_grad(run)(X, Y, distances=MATRIX)
    for function in (jax.grad(given), jax.jit(jax.grad(given))):
        assert np.asarray(function(x, matrix)) == pytest.approx(slope, rel=1e-4, abs=1e-7)
    both = jax.vmap(given, in_axes=(None, 0))(x, jnp.stack([matrix, matrix.T]))
    assert both.tolist() == pytest.approx(
        [expected(), expected(matrix=np.transpose(MATRIX))], rel=1e-6
    )


def test_what_a_trace_cannot_check_is_nan() -> None:
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    x, y = jnp.asarray(X, dtype=jnp.float32), jnp.asarray(Y)
    run = jax.jit(
        lambda x, matrix: dice_any.wasserstein_dice_loss(x, y, distances=matrix, **OPTIONS)
    )
    right = np.array(MATRIX)
    wrong = [right + np.eye(3), -right, right * 0, np.where(right == 2, np.inf, right)]
    for matrix in (*wrong, np.where(right == 2, np.nan, right)):
        with pytest.raises(ValueError, match="`distances` must"):
            loss(matrix)
        assert np.isnan(run(x, jnp.asarray(matrix)))


def test_what_a_trace_can_check_is_an_error() -> None:
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    x, y, matrix = jnp.asarray(X, dtype=jnp.float32), jnp.asarray(Y), jnp.asarray(MATRIX)

    def run(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda m: dice_any.wasserstein_dice_loss(x, y, distances=change(m), **OPTIONS)

    for change, message in (
        (lambda m: m[:2], "a row and a column for each of 3 classes; got 2 rows of [3]."),
        (lambda m: m[0], "`distances` must be a matrix of numbers; got shape (3,)."),
        (lambda m: m * 1j, "`distances` must be a matrix of numbers; got an array of complex64."),
        (lambda m: [m[0], m[1], m[2]], "`distances[0]` must have values; got an array without any"),
    ):
        with pytest.raises((TypeError, ValueError), match=re.escape(message)):
            jax.jit(run(change))(matrix)
    with pytest.raises(ValueError, match="`distances` must not be differentiated, as a loss takes"):
        jax.grad(run(lambda m: m))(matrix)
    with pytest.raises(TypeError, match="`distances` must have values; got an array without any"):
        jax.jit(lambda m: dice_any.wasserstein_dice_loss(X, Y, distances=m, **OPTIONS))(matrix)
