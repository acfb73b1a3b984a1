"""Every loss, differentiated in all ways of JAX: once, twice, and where that must be an error."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.testing import every_loss, recipe
from dice_any.testing.every_loss import CALLS, loss, takes

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")

PRECISION = {"float64": 1e-12, "float32": 2e-5, "float16": 3e-3, "bfloat16": 2e-2}
#: one dtype for each loss, besides float32
OTHER = dict(zip(CALLS, ["float64", "bfloat16", "float16"] * 5, strict=False))


def slopes(given: Callable[..., Any], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return dice_any.value_and_grad(given)(x, y, backend="reference")[1]


def check(
    got: Any, expected: np.ndarray, dtype: str, *where: object, along: np.ndarray | None = None
) -> None:
    """Compare slopes, or their sum `along` a direction; the tolerance is for each term."""
    scale = max(abs(expected).max(), 1e-2) * (1.0 if along is None else float(abs(along).sum()))
    got = np.asarray(got).astype(np.float64)
    assert got == pytest.approx(expected, rel=0, abs=PRECISION[dtype] * scale), (dtype, *where)


@pytest.mark.parametrize("activation", [None, "softmax", "sigmoid", "hinge"])
@pytest.mark.parametrize("name", CALLS)
def test_slopes_at_the_ends(name: str, activation: str | None) -> None:
    """Finite, and equal to the closed form in float64: all cases at once, mapped and compiled."""
    if not takes(name, activation):
        pytest.skip("the loss does not take it")
    given = loss(
        name, activation=activation, **({"gamma": 0.5} if name == "dice_focal_loss" else {})
    )
    cases = {
        case: both
        for case, both in every_loss.ends(name, activation).items()
        if both[0].shape[0] > 1
    }
    expected = {case: slopes(given, *both) for case, both in cases.items()}
    dtypes = ["float32", OTHER[name]] if activation == "softmax" else ["float32"]
    for dtype in dtypes:
        with jax.enable_x64(dtype == "float64"):
            x = jnp.asarray(np.stack([both[0] for both in cases.values()]), dtype=dtype)
            y = jnp.asarray(np.stack([both[1] for both in cases.values()]))
            for each, case in zip(jax.jit(jax.vmap(jax.grad(given)))(x, y), cases, strict=True):
                check(each, expected[case], dtype, case)


@pytest.mark.parametrize("name", CALLS)
def test_ways_to_the_same_slopes(name: str) -> None:
    """Eager, compiled, forward, and of one element."""
    given = loss(name, activation="softmax")
    cases = every_loss.ends(name, "softmax")
    compiled = jax.jit(jax.grad(given))
    tangent = jax.jit(lambda x, y, v: jax.jvp(lambda x: given(x, y), (x,), (v,))[1])
    for case in ("off", "T = 1", "lost margin"):
        x, y = cases[case]
        expected = slopes(given, x, y)
        x, y = jnp.asarray(x, dtype="float32"), jnp.asarray(y)
        if case == "off":
            check(jax.grad(given)(x, y), expected, "float32", case, "eager")
        check(compiled(x, y), expected, "float32", case, "compiled")
        v = recipe.memberships(5, x.shape)
        along = np.asarray((expected * v).sum())
        check(tangent(x, y, v), along, "float32", case, "forward", along=v)
    x, y = cases["one sure element"]
    check(
        compiled(jnp.asarray(x, dtype="float32"), jnp.asarray(y)),
        slopes(given, x, y),
        "float32",
        "one element",
    )


@pytest.mark.parametrize("gamma", [0, 0.1, 0.5, 1, 2])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_focal_slopes(activation: str, gamma: float) -> None:
    """A power below 1 has an infinite slope where the prediction is right."""
    given = loss("dice_focal_loss", activation=activation, gamma=gamma)
    gradient = jax.jit(jax.grad(given))
    for case, (x, y) in every_loss.ends("dice_focal_loss", activation).items():
        if x.shape[0] > 1:
            check(
                gradient(jnp.asarray(x, dtype="float32"), jnp.asarray(y)),
                slopes(given, x, y),
                "float32",
                case,
            )


# -- second derivatives ----------------------------------------------------------------------------


def bent(name: str, activation: str | None, **options: Any) -> tuple[Any, ...]:
    """Return a loss, its arguments, a direction, and the Hessian's product with it, from
    differences of the closed form's slopes.
    """
    shape = (2, 3, 3, 4)
    x = recipe.integers(81, shape, 2**20) * 0.9 / 2**20 + 0.05
    x = (x if activation is None else 4 * x - 2).astype(np.float32).astype(np.float64)
    y, v = recipe.labels(83, (2, 3, 4), 3, "int32"), recipe.memberships(85, shape, "float64") - 0.5
    v = v.astype(np.float32).astype(np.float64)
    given = loss(name, activation=activation, **options)
    closed = dice_any.value_and_grad(given)
    ahead, behind = (closed(x + s * v, y)[1] for s in (1e-6, -1e-6))
    return (lambda x: given(x, jnp.asarray(y))), x, v, (ahead - behind) / 2e-6


def by_hessian(f: Callable[..., Any], x: Any, v: Any) -> Any:
    return jnp.tensordot(jax.hessian(f)(x), v, v.ndim)


SECOND: dict[str, Callable[..., Any]] = {
    "jvp of grad": lambda f, x, v: jax.jvp(jax.grad(f), (x,), (v,))[1],
    "grad of grad": lambda f, x, v: jax.grad(lambda x: (jax.grad(f)(x) * v).sum())(x),
    "grad of jvp": lambda f, x, v: jax.grad(lambda x: jax.jvp(f, (x,), (v,))[1])(x),
    "jvp of jvp": lambda f, x, v: jax.jvp(lambda x: jax.jvp(f, (x,), (v,))[1], (x,), (v,))[1],
}


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_second_derivatives(name: str, x64: bool) -> None:
    if x64 and list(CALLS).index(name) % 3:
        pytest.skip("every third will do")
    function, x, v, expected = bent(name, "softmax", class_weight="square")
    precision = (1e-6 if x64 else 1e-4) * abs(expected).max()
    with jax.enable_x64(x64):
        x, v = (jnp.asarray(a, dtype="float64" if x64 else "float32") for a in (x, v))
        results = jax.jit(lambda x, v: [way(function, x, v) for way in SECOND.values()])(x, v)
        for way, got in zip(SECOND, results, strict=True):
            wanted = (expected * np.asarray(v)).sum() if way == "jvp of jvp" else expected
            assert np.asarray(got) == pytest.approx(wanted, rel=1e-4, abs=precision), way


@pytest.mark.parametrize(
    "name", ["dice_loss", "dice_focal_loss", "matthews_loss", "generalized_dice_loss"]
)
def test_hessians(name: str) -> None:
    """Eager, mapped over unit vectors, at the user's precision; and of memberships."""
    for activation in ("sigmoid", None) if name == "dice_loss" else ("sigmoid",):
        options = {"class_weight": [1.0, 0.5, 2.0], "average": "micro", "axis": "space"}
        function, x, v, expected = bent(name, activation, **options)
        x, v = (jnp.asarray(a, dtype="float32") for a in (x, v))
        ways = (
            {"hessian": by_hessian, "eager": SECOND["grad of grad"]}
            if name == "dice_loss"
            else {"hessian": by_hessian}
        )
        for way, differentiate in ways.items():
            got = np.asarray(differentiate(function, x, v))
            assert got == pytest.approx(expected, rel=0, abs=1e-4 * abs(expected).max()), way


# -- where a derivative would be silently 0 --------------------------------------------------------

EXACT = [
    "dice_loss",
    "jaccard_loss",
    "matthews_loss",
    "centerline_dice_loss",
    "wasserstein_dice_loss",
    "dice_cross_entropy_loss",
]


def exact_loss(name: str) -> Callable[..., Any]:
    """Return an exact loss of probabilities, or of logits if it takes nothing else."""
    return loss(name, exact=True, activation="softmax" if name in every_loss.COMPOUND else None)


def scanned(f: Callable[..., Any], x: Any) -> Any:
    return jax.grad(
        lambda x: jax.lax.scan(lambda total, each: (total + f(each), None), 0.0, x[None])[0]
    )(x)


FOLLOWED = {
    "grad": lambda f, x: jax.grad(f)(x),
    "vjp": lambda f, x: jax.vjp(f, x)[1](jnp.ones_like(f(x)))[0],
    "jit of grad": lambda f, x: jax.jit(jax.grad(f))(x),
    "grad of jit": lambda f, x: jax.grad(jax.jit(f))(x),
    "vmap of grad": lambda f, x: jax.vmap(jax.grad(f))(x[None])[0],
    "grad of vmap": lambda f, x: jax.grad(lambda x: jax.vmap(f)(x[None]).sum())(x),
    "grad of checkpoint": lambda f, x: jax.grad(jax.checkpoint(f))(x),
    "grad of scan": scanned,
}
FORBIDDEN = {
    "hessian": lambda f, x: jax.hessian(f)(x),
    "grad of grad": SECOND["grad of grad"],
    "grad of jit of grad": lambda f, x, v: SECOND["grad of grad"](jax.jit(f), x, v),
}
THROUGH = {
    "grad": FOLLOWED["grad"],
    "jvp": lambda f, x: jax.jvp(f, (x,), (x,)),
    "grad of jit": FOLLOWED["grad of jit"],
    "vmap of grad": FOLLOWED["vmap of grad"],
    "hessian": FORBIDDEN["hessian"],
}


@pytest.mark.parametrize("name", EXACT)
def test_an_exact_loss_is_differentiated_in_closed_form(name: str) -> None:
    """Eager, to the bit; compiled, a product and a sum may be one operation."""
    z, y = exact_pair()
    ways = FOLLOWED if name == "dice_loss" else {"grad": FOLLOWED["grad"]}
    reductions = ("mean", "sum", "none") if name == "dice_loss" else ("mean", "none")
    for reduction in reductions[:1] if name in every_loss.COMPOUND else reductions:
        given = loss(name, exact=True, activation="softmax", axis="space")
        expected = dice_any.value_and_grad(partial(given, reduction="sum"))(z, y)[1]
        if reduction == "mean":
            expected = dice_any.value_and_grad(given)(z, y)[1]

        reduced = partial(given, reduction=reduction)

        def function(x: Any, reduced: Callable[..., Any] = reduced) -> Any:
            return reduced(x, jnp.asarray(y)).sum()

        some = ways if reduction == "mean" else {"grad": ways["grad"]}
        for way, differentiate in some.items():
            got = np.asarray(differentiate(function, jnp.asarray(z)))
            assert got == pytest.approx(expected, rel=1e-6, abs=1e-7 * float(abs(expected).max()))
            if way == "grad" and name in every_loss.OF_SUMS:
                assert np.array_equal(got, expected)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_an_exact_loss_whose_class_weights_are_an_argument_too(dtype: str) -> None:
    """The rule for the derivative of a compiled function closes over nothing of the trace."""
    z, y = exact_pair()
    given = loss("dice_loss", exact=True, activation="softmax")
    weights = np.array([3, 1, 2], dtype=dtype)
    expected = dice_any.value_and_grad(given)(z, y, class_weight=weights)[1]
    function = jax.jit(lambda z, weights: given(z, jnp.asarray(y), class_weight=weights))
    for gradient in (jax.grad(function), jax.jit(jax.grad(function))):
        got = np.asarray(gradient(jnp.asarray(z), jnp.asarray(weights)))
        assert got == pytest.approx(expected, rel=1e-6, abs=1e-7 * float(abs(expected).max()))


@pytest.mark.parametrize("name", EXACT)
def test_an_exact_loss_has_no_silent_gradient(name: str) -> None:
    x, y = (jnp.asarray(array) for array in exact_pair())
    given = loss(name, exact=True, activation="softmax")
    for way, differentiate in FORBIDDEN.items():
        arguments = (lambda x: given(x, y), x, *([x] if "grad" in way else []))
        with pytest.raises(
            ValueError, match=r"`exact` must be None or False .* got True\. .* `value_and_grad`"
        ):
            differentiate(*arguments)
    with pytest.raises(TypeError, match="forward-mode"):  # JAX's own words
        jax.jvp(lambda x: given(x, y), (x,), (x,))
    with pytest.raises(ValueError, match="`exact` must be None or False"):
        jax.grad(lambda target: given(x, target))(jax.nn.softmax(x, axis=1))


@pytest.mark.parametrize("argument", ["weight", "class_weight"])
@pytest.mark.parametrize("name", EXACT)
def test_weights_of_an_exact_loss(name: str, argument: str) -> None:
    """They may be traced, and have no silent gradient."""
    x, y = (jnp.asarray(array) for array in exact_pair())
    weight = jnp.ones((2, 4, 5) if argument == "weight" else 3) * 0.5
    given = loss(name, exact=True, activation="softmax")

    def function(x: Any, weight: Any) -> Any:
        return given(x, y, **{argument: weight})

    for numbers in (1, (0, 1)):
        with pytest.raises(ValueError, match="`exact` must be None or False .* or a weight is"):
            jax.grad(function, argnums=numbers)(x, weight)
    if name == "dice_loss":
        closed = dice_any.value_and_grad(given)(x, y, **{argument: weight})[1]
        for way in (jax.grad(function), jax.jit(jax.grad(function)), jax.grad(jax.jit(function))):
            assert np.allclose(way(x, weight), closed, rtol=1e-5, atol=1e-8)


def exact_pair() -> tuple[np.ndarray, np.ndarray]:
    z = (recipe.memberships(1, (2, 3, 4, 5), "float64") * 8 - 4).astype(np.float32)
    return z, recipe.labels(3, (2, 4, 5), 3)


@pytest.mark.parametrize("name", EXACT)
def test_an_exact_loss_that_nobody_differentiates(name: str) -> None:
    x, y = recipe.memberships(1, (2, 3, 4, 5), "float64"), recipe.labels(3, (2, 4, 5), 3)
    x = (x / x.sum(axis=1, keepdims=True)).astype(np.float32)
    given = exact_loss(name)
    expected, gradient = dice_any.value_and_grad(given)(x, y)
    x, y = jnp.asarray(x), jnp.asarray(y)
    assert float(given(x, y)) == pytest.approx(float(expected), rel=1e-6)
    assert float(jax.jit(given)(x, y)) == pytest.approx(float(expected), rel=1e-6)
    each = jax.vmap(lambda x, y: given(x[None], y[None]))(x, y)
    assert np.allclose(each, [given(a[None], b[None]) for a, b in zip(x, y, strict=True)])
    for closed in (dice_any.value_and_grad(given), jax.jit(dice_any.value_and_grad(given))):
        assert np.allclose(closed(x, y)[1], gradient, rtol=1e-5, atol=1e-8)


def test_metrics_of_what_is_trained_stay_allowed() -> None:
    """A score or an overlap beside the loss gets no gradient, and does not affect the loss's."""
    x, y = jnp.asarray(recipe.memberships(1, (2, 3, 20))), jnp.asarray(recipe.labels(3, (2, 20), 3))

    def step(x: Any) -> Any:
        score = dice_any.dice_score(x, y, class_axis=1, average="macro")
        return dice_any.dice_loss(x, y, class_axis=1), (score, dice_any.overlap(x, y, class_axis=1))

    gradient, (score, counts) = jax.jit(jax.grad(step, has_aux=True))(x)
    assert np.allclose(gradient, jax.grad(lambda x: step(x)[0])(x), atol=1e-8)
    assert float(score) == float(dice_any.dice_score(counts, average="macro"))


@pytest.mark.parametrize("way", THROUGH)
def test_nobody_differentiates_through_the_closed_form(way: str) -> None:
    x, y = jnp.asarray(recipe.memberships(1, (2, 3, 20))), jnp.asarray(recipe.labels(3, (2, 20), 3))
    closed = dice_any.value_and_grad(dice_any.dice_loss)
    with pytest.raises(
        ValueError, match="must not be differentiated through `value_and_grad`.* detach them"
    ):
        THROUGH[way](lambda x: closed(x, y, class_axis=1)[0], x)
    with pytest.raises(ValueError, match="must not be differentiated through `value_and_grad`"):
        jax.jacfwd(lambda x: closed(x, y, class_axis=1)[1])(x)
