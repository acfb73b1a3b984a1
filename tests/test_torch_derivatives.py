"""Every loss, differentiated in all ways of PyTorch: once, twice, and where it must be an error."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.testing import every_loss, recipe
from dice_any.testing.every_loss import CALLS, loss, takes

torch = pytest.importorskip("torch")
forward_ad = pytest.importorskip("torch.autograd.forward_ad")
autograd, func = torch.autograd, torch.func

ACTIVATIONS = [None, "softmax", "sigmoid", "hinge"]
PRECISION = {torch.float64: 1e-12, torch.float32: 2e-5, torch.float16: 3e-3, torch.bfloat16: 2e-2}


def backward(function: Callable[..., Any], x: Any) -> Any:
    x = x.clone().requires_grad_()
    function(x).backward()
    return x.grad


def forward(function: Callable[..., Any], x: Any) -> Any:
    """Return the gradient from forward-mode differentiation of each element at once."""
    return func.jacfwd(function)(x)


FIRST = {
    "backward": backward,
    "grad": lambda function, x: func.grad(function)(x),
    "vjp": lambda function, x: func.vjp(function, x)[1](torch.ones((), dtype=function(x).dtype))[0],
    "jacfwd": forward,
    "vmap": lambda function, x: torch.vmap(func.grad(function))(x[None])[0],
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_slopes_at_the_ends(name: str, activation: str | None) -> None:
    """Each way is finite, and equals the closed form in float64."""
    if not takes(name, activation):
        pytest.skip("the loss does not take it")
    for gamma in (0.1, 0.5, 1, 2) if name == "dice_focal_loss" else (None,):
        given = loss(name, activation=activation, **({} if gamma is None else {"gamma": gamma}))
        for case, (x, y) in every_loss.ends(name, activation).items():
            expected = dice_any.value_and_grad(given)(x, y, backend="reference")[1]
            target = torch.asarray(y)
            for dtype, precision in PRECISION.items():
                prediction = torch.asarray(x).to(dtype)

                def function(x: Any, given: Any = given, target: Any = target) -> Any:
                    return given(x, target)

                for way, differentiate in FIRST.items():
                    if way == "jacfwd" and dtype in (torch.float16, torch.bfloat16):
                        continue  # the unit vectors make temporaries that take long to round
                    got = differentiate(function, prediction).detach().double().numpy()
                    scale = max(abs(expected).max(), 1e-2)
                    assert got == pytest.approx(expected, rel=0, abs=precision * scale), (
                        case,
                        dtype,
                        way,
                        gamma,
                    )


@pytest.mark.parametrize(
    "name", ["dice_focal_loss", "dice_cross_entropy_loss", "matthews_loss", "lovasz_loss"]
)
def test_compiled_slopes_at_the_ends(name: str) -> None:
    given = loss(
        name, activation="softmax", **({"gamma": 0.5} if name == "dice_focal_loss" else {})
    )
    torch._dynamo.reset()
    compiled = torch.compile(given, fullgraph=True, backend="aot_eager")
    for case, (x, y) in every_loss.ends(name, "softmax").items():
        if x.shape[0] == 1:
            continue  # the same code, compiled again
        expected = dice_any.value_and_grad(given)(x, y, backend="reference")[1]
        prediction = torch.asarray(x.astype(np.float32)).requires_grad_()
        compiled(prediction, torch.asarray(y)).backward()
        scale = max(abs(expected).max(), 1e-2)
        assert prediction.grad.numpy() == pytest.approx(expected, rel=0, abs=2e-5 * scale), case


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_many_predictions_of_one_target(name: str, exact: bool) -> None:
    """And one prediction of many targets: `vmap` writes into no array that is not mapped."""
    if exact and name == "lovasz_loss":
        pytest.skip("it has no exact form")
    many = torch.asarray(recipe.memberships(91, (3, 2, 3, 4, 4), "float64"))
    many = many / many.sum(dim=2, keepdim=True)
    labels = torch.asarray(recipe.labels(93, (3, 2, 4, 4), 3))
    pairs = list(zip(many, labels, strict=True))
    for activation in filter(partial(takes, name), (None, "softmax", "sigmoid")):
        given = loss(name, activation=activation, exact=exact or None)
        both = dice_any.value_and_grad(given)
        for x, y, axes in ((many, labels[0], (0, None)), (many[0], labels, (None, 0))):
            each = [both(x, label) if axes[0] is None else both(z, y) for z, label in pairs]
            values, slopes = torch.vmap(both, in_dims=axes)(x, y)
            assert torch.allclose(torch.vmap(given, in_dims=axes)(x, y), values, rtol=1e-6)
            assert torch.allclose(values, torch.stack([v for v, _ in each]), rtol=1e-6)
            assert torch.allclose(slopes, torch.stack([s for _, s in each]), rtol=1e-5, atol=1e-9)


def test_the_closed_form_compiled() -> None:
    x, y = every_loss.ends("dice_loss", "softmax")["some"]
    both = dice_any.value_and_grad(loss("dice_loss", activation="softmax"))
    torch._dynamo.reset()
    found = torch.compile(both, fullgraph=True, backend="aot_eager")(*map(torch.asarray, (x, y)))
    for got, expected in zip(found, both(x, y, backend="reference"), strict=True):
        assert got.numpy() == pytest.approx(expected, rel=1e-9, abs=1e-12)


# -- second derivatives ----------------------------------------------------------------------------


def product(hessian: Any, v: Any) -> Any:
    with torch.autocast("cpu", enabled=False):
        return torch.tensordot(hessian, v, v.ndim)


def by_meta_learning(function: Callable[..., Any], x: Any, v: Any) -> Any:
    """An outer step differentiates an inner one."""
    x = x.clone().requires_grad_()
    (gradient,) = autograd.grad(function(x), x, create_graph=True)
    return autograd.grad((gradient * v).sum(), x)[0]


def by_dual_numbers(function: Callable[..., Any], x: Any, v: Any) -> Any:
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x.clone().requires_grad_(), v)
        (gradient,) = autograd.grad(function(dual), dual, create_graph=True)
        return forward_ad.unpack_dual(gradient).tangent


def by_forward_over_forward(function: Callable[..., Any], x: Any, v: Any) -> Any:
    return func.jvp(func.jacfwd(function), (x,), (v,))[1]


SECOND: dict[str, Callable[..., Any]] = {
    "hvp": lambda f, x, v: autograd.functional.hvp(f, x, v)[1],
    "vhp": lambda f, x, v: autograd.functional.vhp(f, x, v)[1],
    "hessian": lambda f, x, v: product(autograd.functional.hessian(f, x), v),
    "vectorized": lambda f, x, v: product(autograd.functional.hessian(f, x, vectorize=True), v),
    "forward mode": lambda f, x, v: product(
        autograd.functional.hessian(f, x, vectorize=True, outer_jacobian_strategy="forward-mode"), v
    ),
    "meta-learning": by_meta_learning,
    "dual numbers": by_dual_numbers,
    "func.hessian": lambda f, x, v: product(func.hessian(f)(x), v),
    "jvp of grad": lambda f, x, v: func.jvp(func.grad(f), (x,), (v,))[1],
    "vjp of grad": lambda f, x, v: func.vjp(func.grad(f), x)[1](v)[0],
    "grad of grad": lambda f, x, v: func.grad(lambda x: (func.grad(f)(x) * v).sum())(x),
    "jacrev of jacrev": lambda f, x, v: product(func.jacrev(func.jacrev(f))(x), v),
    "jvp of jacfwd": by_forward_over_forward,
}
CURVED: tuple[dict[str, Any], ...] = (
    {},
    {"class_weight": "square", "axis": "space"},
    {"average": "micro", "class_weight": [1.0, 0.5, 2.0], "smooth": 0.25},
    {"form": "squared", "ignore_label": 1, "reduction": "sum"},
    {"form": "minimum", "weight": True, "absent": "skip"},
)


def bent(name: str, activation: str | None, options: dict[str, Any]) -> tuple[Any, ...]:
    """Return a loss, its arguments, a direction, and the Hessian's product with it, from
    differences of the closed form's slopes.
    """
    shape = (2, 3, 3, 4)
    x = recipe.integers(81, shape, 2**30) * 0.9 / 2**30 + 0.05
    x = x if activation is None else 4 * x - 2
    y, v = recipe.labels(83, (2, 3, 4), 3), recipe.memberships(85, shape, "float64") - 0.5
    options = every_loss.options_for(name, options, y)
    weight = options.pop("weight", None)
    if name == "wasserstein_dice_loss" and activation is None:
        x, v = x / x.sum(axis=1, keepdims=True), v - v.mean(axis=1, keepdims=True)
    given = loss(name, activation=activation, **options)
    slopes = dice_any.value_and_grad(given)
    step = 1e-6
    ahead, behind = (slopes(x + s * v, y, weight=weight)[1] for s in (step, -step))
    target = torch.asarray(y)
    held = None if weight is None else torch.asarray(weight)

    def function(x: Any) -> Any:
        return given(x, target, weight=held)

    return function, torch.asarray(x), torch.asarray(v), (ahead - behind) / (2 * step)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", CALLS)
def test_second_derivatives(name: str, activation: str | None) -> None:
    if not takes(name, activation):
        pytest.skip("the loss does not take it")
    for options in CURVED:
        function, x, v, expected = bent(name, activation, options)
        straight = (expected == 0).all()
        assert not straight or (name == "lovasz_loss" and activation in (None, "hinge"))
        ways = SECOND if not options else ("meta-learning", "vectorized", "jvp of grad")
        for way in ways:
            if straight and way in ("meta-learning", "dual numbers"):
                continue  # PyTorch says that a constant does not require grad
            got = SECOND[way](function, x, v).detach().numpy()
            assert got == pytest.approx(expected, rel=0, abs=1e-6 * abs(expected).max()), (
                way,
                options,
            )


def check_inside_of_autocast(function: Callable[..., Any], x: Any, v: Any, largest: float) -> None:
    """Second derivatives are those outside: nothing that is recorded may be computed in half
    precision.
    """
    for way, differentiate in SECOND.items():
        right = differentiate(function, x, v).detach().numpy()
        for cast in (torch.bfloat16, torch.float16):
            with torch.autocast("cpu", dtype=cast):
                got = differentiate(function, x, v).detach().numpy()
            assert got == pytest.approx(right, rel=0, abs=1e-6 * largest), way


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", CALLS)
def test_second_derivatives_inside_of_autocast(name: str, activation: str | None) -> None:
    if not takes(name, activation):
        pytest.skip("the loss does not take it")
    function, x, v, expected = bent(name, activation, {"axis": "space"})
    if (expected == 0).all():
        pytest.skip("the loss has no second derivative")
    x, v, largest = x.float(), v.float(), float(abs(expected).max())
    check_inside_of_autocast(function, x, v, largest)
    right = by_meta_learning(function, x, v)
    assert right.numpy() == pytest.approx(expected, rel=0, abs=1e-4 * largest)
    inside, outside = (torch.autocast("cpu", torch.bfloat16, enabled) for enabled in (True, False))
    for contexts in itertools.product((inside, outside), repeat=3):
        leaf = x.clone().requires_grad_()
        with contexts[0]:
            value = function(leaf)
        with contexts[1]:
            (gradient,) = autograd.grad(value, leaf, create_graph=True)
        with contexts[2]:
            (got,) = autograd.grad((gradient * v).sum(), leaf)
        assert torch.allclose(got, right, rtol=0, atol=1e-6 * largest)


@pytest.mark.parametrize("form", ["product", "squared", "minimum"])
def test_second_derivatives_of_scores_inside_of_autocast(form: str) -> None:
    x, y, v = torch.rand(3, 20), torch.rand(4, 20), torch.rand(3, 20)

    def of_pairs(x: Any) -> Any:
        overlap = dice_any.pairwise_overlap(x, y, exact=False, form=form)
        return dice_any.jaccard_score(overlap).sum()

    def of_rows(x: Any) -> Any:
        return dice_any.dice_score(x, y[:3], axis=1, exact=False, form=form).sum()

    for function in (of_pairs, of_rows):
        largest = abs(func.jvp(func.grad(function), (x,), (v,))[1]).max().item()
        check_inside_of_autocast(function, x, v, largest)


def test_second_derivatives_of_a_soft_target_too() -> None:
    shape = (2, 3, 4)
    x, t, _, _ = (
        torch.asarray(recipe.memberships(seed, shape, "float64") * 0.8 + 0.1)
        for seed in (1, 2, 3, 4)
    )
    for name in every_loss.OF_SUMS:
        if name in every_loss.COMPOUND:
            continue
        given = loss(name)
        assert autograd.gradgradcheck(
            given, (x.clone().requires_grad_(), t.clone().requires_grad_())
        )
        assert autograd.gradgradcheck(lambda x: given(x, t), x.clone().requires_grad_())  # noqa: B023


def test_a_step_through_a_step() -> None:
    """MAML: the outer gradient of a loss after one inner step, against differences."""
    y = torch.asarray(recipe.labels(91, (2, 4, 5), 3))
    images = torch.asarray(recipe.memberships(93, (2, 2, 4, 5), "float64"))
    weights = torch.asarray(recipe.memberships(95, (3, 2), "float64"))

    def outer(weights: Any) -> Any:
        def cost(weights: Any) -> Any:
            logits = torch.einsum("kc,nchw->nkhw", weights, images)
            return dice_any.dice_cross_entropy_loss(logits, y, class_axis=1, activation="softmax")

        (slope,) = autograd.grad(cost(weights), weights, create_graph=True)
        return cost(weights - 0.5 * slope)

    assert autograd.gradcheck(outer, weights.clone().requires_grad_())
    assert autograd.gradgradcheck(outer, weights.clone().requires_grad_())


@pytest.mark.parametrize("backend", ["reference", "numba"])
def test_second_derivatives_of_many_tiles(backend: str) -> None:
    """Sums in tiles and sums by a kernel have the same second derivatives."""
    if backend == "numba":
        pytest.importorskip("numba")
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 60_000, generator=generator, dtype=torch.float64)
    v = torch.randn(2, 3, 60_000, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 3, (2, 60_000), generator=generator)

    def function(x: Any) -> Any:
        return dice_any.dice_loss(x, y, class_axis=1, activation="softmax", backend=backend)

    expected = func.jvp(
        func.grad(lambda x: dice_any.dice_loss(x, y, class_axis=1, activation="softmax")),
        (x,),
        (v,),
    )[1]
    assert torch.allclose(by_meta_learning(function, x, v), expected, rtol=1e-9, atol=1e-18)


def test_a_step_without_a_graph_is_the_closed_form() -> None:
    """Nothing is recomputed without a second derivative."""
    z, y = torch.randn(1, 3, 9, dtype=torch.float64), torch.randint(0, 3, (1, 9))
    expected = dice_any.value_and_grad(dice_any.dice_loss)(
        z, y, class_axis=1, activation="softmax"
    )[1]
    seen = []
    library = dice_any.arrays.library_of(z)
    softmax = library.softmax
    leaf = z.clone().requires_grad_()
    value = dice_any.dice_loss(leaf, y, class_axis=1, activation="softmax")
    try:
        library.softmax = lambda *a: seen.append(1) or softmax(*a)
        value.backward()
    finally:
        del library.softmax
    assert torch.allclose(leaf.grad, expected, rtol=1e-12, atol=1e-18)
    assert not seen


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


def dual_loss(function: Callable[..., Any], x: Any) -> Any:
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(function(forward_ad.make_dual(x, x))).tangent


def backward_twice(function: Callable[..., Any], x: Any) -> None:
    x = x.clone().requires_grad_()
    autograd.grad(function(x), x, create_graph=True)


def jacobian(function: Callable[..., Any], x: Any) -> None:
    """Compute all rows of a Jacobian at once."""
    autograd.functional.jacobian(function, x, vectorize=True)


FORBIDDEN = {
    **{way: differentiate for way, differentiate in FIRST.items() if way != "backward"},
    "create_graph": backward_twice,
    "jacobian": jacobian,
    "jvp": lambda f, x: func.jvp(f, (x,), (x,)),
    "dual numbers": dual_loss,
    "grad of vmap": lambda f, x: func.grad(lambda x: torch.vmap(f)(x[None]).sum())(x),
    "vmap of a leaf": lambda f, x: torch.vmap(f)(x.clone()[None].requires_grad_()),
    "compiled grad": lambda f, x: torch.compile(func.grad(f), backend="aot_eager")(x),
    "compiled jvp": lambda f, x: torch.compile(
        lambda x: func.jvp(f, (x,), (x,)), backend="aot_eager"
    )(x),
    "compiled leaf": lambda f, x: torch.compile(f, backend="aot_eager")(x.clone().requires_grad_()),
}


def test_an_exact_loss_is_differentiated_in_closed_form() -> None:
    z, y = torch.randn(2, 3, 4, 5) * 4, torch.randint(0, 3, (2, 4, 5))
    for name in every_loss.CALLS:
        if name == "lovasz_loss":
            continue
        given = loss(name, exact=True, activation="softmax", axis="space")
        for reduction in ("mean", "sum", "none"):
            closed = partial(given, reduction="mean" if reduction == "mean" else "sum")
            value, expected = dice_any.value_and_grad(closed)(z, y)
            leaf = z.clone().requires_grad_()
            got = given(leaf, y, reduction=reduction)
            got.sum().backward()
            if name in every_loss.COMPOUND and reduction == "none":  # a mean over the classes
                plain = z.clone().requires_grad_()
                given(plain, y, exact=False, reduction=reduction).sum().backward()
                assert torch.allclose(leaf.grad, plain.grad, rtol=1e-4, atol=1e-7)
                continue
            assert torch.equal(leaf.grad, expected), (name, reduction)
            if reduction != "none":
                assert torch.equal(got, value)


def test_an_exact_loss_of_what_was_changed_has_no_gradient() -> None:
    z, y = torch.randn(2, 3, 4, 5, requires_grad=True), torch.randint(0, 3, (2, 4, 5))
    changed = z * 1.0
    value = dice_any.dice_loss(changed, y, class_axis=1, activation="softmax", exact=True)
    changed.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


@pytest.mark.parametrize("way", FORBIDDEN)
@pytest.mark.parametrize("name", EXACT)
def test_an_exact_loss_has_no_silent_gradient(name: str, way: str) -> None:
    if way.startswith("compiled") and name != "dice_loss":
        pytest.skip("the same code")
    x, y = torch.rand(2, 3, 4, 5, dtype=torch.float64), torch.randint(0, 3, (2, 4, 5))
    given = exact_loss(name)
    torch._dynamo.reset()
    with pytest.raises(
        ValueError, match=r"`exact` must be None or False .* got True\. .* `value_and_grad`"
    ):
        FORBIDDEN[way](lambda x: given(x, y), x)
    soft = torch.rand(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    with pytest.raises(ValueError, match="`exact` must be None or False"):
        given(x, soft)


@pytest.mark.parametrize("argument", ["weight", "class_weight"])
@pytest.mark.parametrize("name", EXACT)
def test_weights_of_an_exact_loss_have_no_silent_gradient(name: str, argument: str) -> None:
    x, y = torch.rand(2, 3, 4, 5, dtype=torch.float64).softmax(1), torch.randint(0, 3, (2, 4, 5))
    weight = torch.full((2, 4, 5) if argument == "weight" else (3,), 0.5, dtype=torch.float64)
    given = exact_loss(name)
    for leaf in (x, x.clone().requires_grad_()):
        with pytest.raises(ValueError, match="`exact` must be None or False .* or a weight is"):
            given(leaf, y, **{argument: weight.clone().requires_grad_()})
        with pytest.raises(ValueError, match="`exact` must be None or False"):
            func.grad(lambda w, leaf=leaf: given(leaf, y, **{argument: w}))(weight)
    leaf = x.clone().requires_grad_()
    given(leaf, y, **{argument: weight}).backward()
    assert torch.equal(leaf.grad, dice_any.value_and_grad(given)(x, y, **{argument: weight})[1])


@pytest.mark.parametrize("name", EXACT)
def test_an_exact_loss_that_nobody_differentiates(name: str) -> None:
    x, y = torch.rand(2, 3, 4, 5, dtype=torch.float64).softmax(1), torch.randint(0, 3, (2, 4, 5))
    given = exact_loss(name)
    value = given(x, y)
    with torch.no_grad():
        assert torch.equal(given(x.clone().requires_grad_(), y), value)
    assert torch.equal(given(x.clone().requires_grad_().detach(), y), value)
    each = torch.vmap(lambda x, y: given(x[None], y[None]))(x, y)
    assert torch.allclose(
        each, torch.stack([given(a[None], b[None]) for a, b in zip(x, y, strict=True)])
    )
    closed = dice_any.value_and_grad(given)
    assert torch.equal(closed(x.clone().requires_grad_(), y)[0], value)
    plain = dice_any.value_and_grad(partial(given, exact=False))(x, y)[1]
    close = 1e-7 if name in every_loss.COMPOUND else 1e-9  # an activation by integers, or none
    assert torch.allclose(closed(x, y)[1], plain, rtol=close, atol=1e-15)


def test_metrics_of_what_is_trained_stay_allowed() -> None:
    """A score or an overlap beside the loss gets no gradient, and does not affect the loss's."""
    x, y = torch.rand(2, 3, 4, 5, dtype=torch.float64), torch.randint(0, 3, (2, 4, 5))

    def step(x: Any) -> Any:
        score = dice_any.dice_score(x, y, class_axis=1, average="macro")
        counts = dice_any.overlap(x, y, class_axis=1)
        return dice_any.dice_loss(x, y, class_axis=1), (score, counts.tp)

    gradient, (score, _) = func.grad(step, has_aux=True)(x)
    assert torch.equal(score, dice_any.dice_score(x, y, class_axis=1, average="macro"))
    leaf = x.clone().requires_grad_()
    step(leaf)[0].backward()
    assert torch.allclose(leaf.grad, gradient)


@pytest.mark.parametrize("way", ["grad", "jacfwd", "vmap", "hessian"])
def test_nobody_differentiates_through_the_closed_form(way: str) -> None:
    x, y = torch.rand(2, 3, 4, 5), torch.randint(0, 3, (2, 4, 5))
    closed = dice_any.value_and_grad(dice_any.dice_loss)
    message = "must not be differentiated through `value_and_grad`.* detach them"
    with pytest.raises(ValueError, match=message):  # noqa: PT012
        if way == "hessian":
            func.jacrev(lambda x: closed(x, y, class_axis=1)[1])(x)
        else:
            FIRST[way](lambda x: closed(x, y, class_axis=1)[0], x)
