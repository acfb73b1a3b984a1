"""JAX with x64 off: results that the caller's next operation can use, rounded once from those of
the other libraries, without a warning.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.testing import every_loss, kinds, recipe

jax = pytest.importorskip("jax")
jnp = jax.numpy

CALLS = {f"{call.name} of {call.kind}": call for call in kinds.of_everything("float32")}


def values(answer: object) -> list[np.ndarray]:
    """Return the numbers of a result: an array, a pair or an overlap."""
    if isinstance(answer, tuple):
        return [np.asarray(part) for part in answer]
    if isinstance(answer, dice_any.Overlap):
        names = ("intersection", "prediction", "target", "total", "tp", "fp", "fn", "tn", "invalid")
        return [np.asarray(getattr(answer, name)) for name in names]
    return [np.asarray(answer)]


@pytest.mark.parametrize("name", CALLS)
def test_answers_are_rounded_once(name: str) -> None:
    """Each is the float32 nearest to JAX's result with x64, or the same number as int32."""
    call = CALLS[name]
    arrays = [jnp.asarray(a) for a in call.arrays]
    assert not jax.config.jax_enable_x64
    narrow = values(call.function(*arrays, **call.options))
    with jax.enable_x64(True):
        wide = values(call.function(*(jnp.asarray(a) for a in call.arrays), **call.options))
    for got, right in zip(narrow, wide, strict=True):
        assert got.dtype in (np.float32, np.int32)
        if right.dtype == np.float64:
            assert np.array_equal(got, right.astype(np.float32), equal_nan=True)
        else:
            assert np.array_equal(got, right)


def use(answer: jax.Array) -> None:
    """Use scores as users do, without a warning: warnings are errors here."""
    answer = jnp.atleast_1d(answer)
    _ = (
        answer * 2,
        answer + 1,
        answer.sum(),
        answer.mean(),
        answer.argmin(),
        answer.argmax(-1),
        answer[0],
        answer / 3,
    )
    _ = (
        jnp.stack([answer, answer]),
        jnp.diag(answer.ravel()),
        jnp.sort(answer),
        jnp.nanmean(answer),
        repr(answer),
    )
    jax.jit(lambda a: a.sum() * 2)(answer)


@pytest.mark.parametrize(
    "name", [*CALLS, *(f"{name}, plain" for name in CALLS if name.startswith("dice_score"))]
)
def test_the_next_line_can_use_them(name: str) -> None:
    call = CALLS[name.removesuffix(", plain")]
    options = {**call.options, "exact": False} if name.endswith(", plain") else call.options
    answer = call.function(*(jnp.asarray(a) for a in call.arrays), **options)
    if isinstance(answer, dice_any.Overlap):
        for part in (answer.intersection, answer.tp, answer.fp, answer.fn, answer.tn, answer.total):
            use(part)
        use(dice_any.dice_score(answer))
        return
    for part in answer if isinstance(answer, tuple) else (answer,):
        use(part)


#: every other call, so that functions and kinds of arrays take turns: to compile takes a second
IN_TURN = [name for name in list(CALLS)[::2] if "value_and_grad" not in name]


@pytest.mark.parametrize("name", IN_TURN)
def test_compiled(name: str) -> None:
    call = CALLS[name]
    arrays = [jnp.asarray(a) for a in call.arrays]
    eager = values(call.function(*arrays, **call.options))
    compiled = jax.jit(lambda *given: call.function(*given, **call.options))(*arrays)
    for got, right in zip(values(compiled), eager, strict=True):
        assert got.dtype == right.dtype
        assert got == pytest.approx(right, rel=1e-6, nan_ok=True)


def test_an_overlap_keeps_its_integers() -> None:
    x = jnp.asarray([0.7, 0.1, 0.3])
    overlap = dice_any.overlap(x, x)
    with jax.enable_x64(True):
        assert (
            overlap.to_dict()
            == dice_any.overlap(jnp.asarray(np.asarray(x)), jnp.asarray(np.asarray(x))).to_dict()
        )
        assert dice_any.dice_score(overlap).dtype == jnp.float64
    assert dice_any.dice_score(overlap).dtype == jnp.float32


def test_counts_that_int32_does_not_hold() -> None:
    mask = jnp.ones(4, dtype=bool)
    weight = jnp.full(4, 2**30, dtype=jnp.uint32)
    labels = jnp.zeros(3, dtype=jnp.int32)
    with pytest.raises(
        ValueError, match=r"counts must be below 2\*\*31 without x64; got more.*jax.enable_x64"
    ):
        dice_any.confusion_matrix(labels, labels, num_classes=2, weight=weight[:3])
    counts = dice_any.overlap(mask, mask, weight=jnp.full(4, 2**29, dtype=jnp.uint32))
    with pytest.raises(ValueError, match=r"counts must be below 2\*\*31 without x64"):
        _ = counts.tp
    with jax.enable_x64(True):
        assert int(counts.tp) == 2**31


@pytest.mark.parametrize("jitted", [False, True])
def test_argmax_of_float64_scores(jitted: bool) -> None:
    values = np.array(
        [[0.1, 0.9, -np.inf, 2.0], [0.7, 0.9, -np.inf, 1.0], [0.2, 0.3, -np.inf, 2.0]]
    )
    with jax.enable_x64(True):
        scores = jnp.asarray(values)
    labels = jnp.asarray([1, 0, 0, 2])
    function = lambda z: dice_any.overlap(z, labels, class_axis=0, activation="argmax").tp  # noqa: E731
    got = (jax.jit(function) if jitted else function)(scores)
    best = values.argmax(axis=0)
    assert got.tolist() == [int(((best == c) & (np.asarray(labels) == c)).sum()) for c in range(3)]


SHAPES = [(), (3,)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["masks", "memberships", "plain", "labels"])
@pytest.mark.parametrize("how", ["eager", "jit", "vmap", "jit of vmap"])
def test_arrays_without_axes(shape: tuple[int, ...], kind: str, how: str) -> None:
    """Nothing is summed, or axes are all mapped over."""
    rng = np.random.default_rng(0)
    x, y = (rng.random(shape, dtype=np.float32) for _ in "xy")
    options: dict[str, object] = {"axis": ()} if how in ("eager", "jit") else {}
    if kind == "masks":
        x, y = x > 0.5, y > 0.5
    if kind == "labels":
        x, y, options = (x * 3).astype(int), (y * 3).astype(int), {**options, "num_classes": 3}
    if kind == "plain":
        options["exact"] = False
    function = lambda a, b: dice_any.dice_score(a, b, **options)  # noqa: E731
    if "vmap" in how:
        for _ in shape:
            function = jax.vmap(function)
    if "jit" in how:
        function = jax.jit(function)
    got = np.asarray(function(jnp.asarray(x), jnp.asarray(y)))
    right = dice_any.dice_score(np.asarray(x), np.asarray(y), **{**options, "axis": ()})
    assert got == pytest.approx(right.astype(np.float32), nan_ok=True)


@pytest.mark.parametrize("how", ["eager", "jit", "vmap", "jit of vmap"])
@pytest.mark.parametrize("name", ["dice_to_jaccard", "jaccard_to_dice"])
def test_conversions(name: str, how: str) -> None:
    """0 and 1 may be integers; a float64 array comes from a call with x64."""
    function = getattr(dice_any, name)
    if "vmap" in how:
        function = jax.vmap(function)
    if "jit" in how:
        function = jax.jit(function)
    for dtype in (jnp.int32, jnp.uint8, jnp.float16, jnp.float32, jnp.float64):
        with jax.enable_x64(dtype == jnp.float64):
            ends = jnp.asarray([0, 1], dtype=dtype)
        got = function(ends)
        assert got.dtype == (jnp.float16 if dtype == jnp.float16 else jnp.float32)
        assert got.tolist() == [0, 1]
        use(got)
        if how == "eager":
            use(function(ends[1]))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("activation", [None, "sigmoid", "softmax"])
@pytest.mark.parametrize("weights", [None, "square"])
@pytest.mark.parametrize("name", every_loss.CALLS)
def test_checkpoints_and_loops_are_differentiated(
    name: str, weights: str | None, activation: str | None
) -> None:
    """Their operations are differentiated after the call, where float64 has no name."""
    if not every_loss.takes(name, activation):
        pytest.skip("the loss does not take it")
    x = recipe.memberships(3, (1, 3, 3, 4), "float32")
    x = x * 4 - 2 if activation else (x + 0.1) / (x + 0.1).sum(axis=1, keepdims=True)
    y = recipe.labels(5, (1, 3, 4), 3)
    way = recipe.memberships(7, x.shape, "float32") - 0.5
    way -= way.mean(axis=1, keepdims=True)  # memberships of an element keep adding up to 1
    run = every_loss.loss(name, activation=activation, class_weight=weights)
    both, step = dice_any.value_and_grad(run), 1e-6
    wide = x.astype(np.float64)
    _, expected = both(wide, y)
    ends = [both(wide + sign * step * way, y)[1] for sign in (1, -1)]
    bent = (ends[0] - ends[1]) / (2 * step)

    labels, x, way = jnp.asarray(y.astype(np.int32)), jnp.asarray(x), jnp.asarray(way)
    again = jax.checkpoint(lambda x: run(x, labels))

    def loop(x: Any) -> Any:
        total, _ = jax.lax.scan(lambda sum, _: (sum + run(x, labels), None), 0.0, length=2)
        return total / 2

    for function in (again, loop):
        assert np.asarray(jax.grad(function)(x)) == pytest.approx(expected, rel=1e-4, abs=1e-6)
    _, second = jax.jvp(jax.grad(again), (x,), (way,))
    nested = jax.grad(jax.checkpoint(lambda x: (jax.grad(again)(x) * way).sum()))(x)
    most = abs(bent).max()
    for got in (second, nested):
        assert np.asarray(got) == pytest.approx(bent, rel=1e-3, abs=1e-4 * most + 1e-6)
