"""PyTorch: gradients in other arguments than the prediction, and transformations of one argument
beside others that stay as they are. Nothing that is followed may be overwritten.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.testing import every_loss, kinds, recipe
from dice_any.testing.every_loss import CALLS, loss, takes

torch = pytest.importorskip("torch")

FORMS = ("product", "squared", "minimum")
ACTIVATIONS = [None, "softmax", "sigmoid", "hinge"]
SHAPE, ELEMENTS = (2, 3, 4, 5), (2, 4, 5)
#: what else changes the operations
OPTIONS: tuple[dict[str, Any], ...] = (
    *({"form": form} for form in FORMS),
    {"axis": "space", "reduction": "sum"},
    {"average": "micro"},
    {"regions": [(1, 2), (2,), (0, 1)]},
)


def arguments(activation: str | None, soft: bool) -> dict[str, Any]:
    """Return prediction, target, weight and class weights in float64."""
    x = recipe.integers(11, SHAPE, 2**30) * 0.9 / 2**30 + 0.05
    if activation is None:  # those of a region add up to 1 at most
        x = x / x.sum(axis=1, keepdims=True)
    y: Any = recipe.labels(13, ELEMENTS, 3)
    if soft:
        y = recipe.integers(15, SHAPE, 2**30) * 0.4 / 2**30 + 0.1
    weight = recipe.memberships(17, (2, 1, 4, 5) if soft else ELEMENTS, "float64") + 0.1
    made = {
        "prediction": x if activation is None else 4 * x - 2,
        "target": y,
        "weight": weight,
        "class_weight": np.array([1.0, 0.5, 2.0]),
    }
    return {key: torch.asarray(array) for key, array in made.items()}


def accepted(name: str, activation: str | None, soft: bool) -> list[dict[str, Any]]:
    """Return the options that a loss accepts."""
    found = []
    for options in OPTIONS:
        kept = every_loss.options_for(name, options, np.zeros(1))
        if "regions" in options and (
            name == "wasserstein_dice_loss"
            or activation == "hinge"
            or (soft and activation == "sigmoid")
        ):
            continue
        found += [kept] * (kept not in found)
    return found


def slope(function: Callable[[Any], Any], at: Any, direction: Any) -> float:
    """Return a derivative by differences; only this argument changes."""
    step = 1e-6
    with torch.no_grad():
        ahead, behind = (function(at + s * direction) for s in (step, -step))
    return ((ahead - behind) / (2 * step)).item()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("argument", ["weight", "class_weight", "target"])
def test_only_one_argument_requires_a_gradient(
    argument: str, name: str, activation: str | None
) -> None:
    if not takes(name, activation):
        pytest.skip("the loss does not take it")
    if name == "lovasz_loss" and argument == "target":
        pytest.skip("the loss takes no soft target")
    kinds_of_target = (True,) if argument == "target" else (False, True)
    for soft in kinds_of_target[: 1 if name == "lovasz_loss" else 2]:
        given = arguments(activation, soft)
        direction = torch.asarray(recipe.memberships(19, given[argument].shape, "float64")) - 0.4
        for options in accepted(name, activation, soft):

            def of(value: Any, given: Any = given, options: Any = options) -> Any:
                """Compute the loss in the dtype of the argument."""
                others = {
                    key: array if array.dtype == torch.int64 else array.to(value.dtype)
                    for key, array in given.items()
                }
                x, y, *weights = (others | {argument: value}).values()
                weight, class_weight = weights
                return loss(name, activation=activation, **options)(
                    x, y, weight=weight, class_weight=class_weight
                )

            expected = slope(of, given[argument], direction)
            for dtype in (torch.float32, torch.float64):
                leaf = given[argument].to(dtype, copy=True).requires_grad_()
                of(leaf).backward()
                got = (leaf.grad.double() * direction).sum().item()
                precise = 1e-6 if dtype == torch.float64 else 1e-3
                case = options, soft, dtype
                assert got == pytest.approx(expected, rel=precise, abs=precise * 1e-2), case


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("soft", [False, True])
def test_all_arguments_require_a_gradient(soft: bool, name: str, activation: str | None) -> None:
    """As where one network weighs the elements that another is trained on."""
    if not takes(name, activation):
        pytest.skip("the loss does not take it")
    if name == "lovasz_loss" and soft:
        pytest.skip("the loss takes no soft target")
    given = arguments(activation, soft)
    if name == "wasserstein_dice_loss" and activation is None:
        given["prediction"] = given["prediction"].softmax(dim=1)
    direction = {
        key: torch.asarray(recipe.memberships(19, array.shape, "float64")) - 0.4
        for key, array in given.items()
        if array.dtype == torch.float64
    }
    if activation is None:  # memberships of an element keep adding up to 1
        direction["prediction"] -= direction["prediction"].mean(dim=1, keepdim=True)
    for options in accepted(name, activation, soft):

        def of(given: dict[str, Any], options: Any = options) -> Any:
            x, y, *weights = given.values()
            weight, class_weight = weights
            return loss(name, activation=activation, **options)(
                x, y, weight=weight, class_weight=class_weight
            )

        leaves = {key: given[key].clone().requires_grad_() for key in direction}
        of(given | leaves).backward()
        for key, leaf in leaves.items():
            expected = slope(
                lambda value, key=key, of=of: of(given | {key: value}), given[key], direction[key]
            )
            got = (leaf.grad * direction[key]).sum().item()
            assert got == pytest.approx(expected, rel=1e-6, abs=1e-8), (key, options)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("argument", ["weight", "class_weight", "target"])
def test_second_derivatives_in_one_argument(argument: str, name: str) -> None:
    if name == "lovasz_loss" and argument == "target":
        pytest.skip("the loss takes no soft target")
    given = arguments("softmax", argument == "target")

    def of(value: Any) -> Any:
        x, y, weight, class_weight = (given | {argument: value}).values()
        return loss(name, activation="softmax")(x, y, weight=weight, class_weight=class_weight)

    leaf = given[argument].clone().requires_grad_()
    assert torch.autograd.gradcheck(of, leaf)
    assert torch.autograd.gradgradcheck(of, leaf)


def test_large_arrays_too() -> None:
    """A kernel would be faster, and gives no such gradient."""
    x, y = torch.rand(2, 3, 200, 400), torch.randint(0, 3, (2, 200, 400))
    weight = torch.rand(2, 200, 400) + 0.1
    leaf = weight.clone().requires_grad_()
    dice_any.dice_loss(x, y, class_axis=1, weight=leaf).backward()
    small = torch.func.grad(lambda w: dice_any.dice_loss(x, y, class_axis=1, weight=w))(weight)
    assert torch.allclose(leaf.grad, small, rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("name", CALLS)
def test_class_weights_beside_the_prediction(name: str) -> None:
    """Both get their gradients; of exact sums, whose closed form covers the prediction only, it is
    an error.
    """
    given = arguments("softmax", soft=False)
    x, y, _, class_weight = given.values()
    averages = (None,) if name == "wasserstein_dice_loss" else (None, "micro")
    for average in averages:
        options = {} if average is None else {"average": average}
        run = partial(loss(name, activation="softmax", **options), x)
        direction = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)
        expected = slope(lambda w: run(y, class_weight=w), class_weight, direction)  # noqa: B023
        leaf, logits = class_weight.clone().requires_grad_(), x.clone().requires_grad_()
        loss(name, activation="softmax", **options)(logits, y, class_weight=leaf).backward()
        assert (leaf.grad * direction).sum().item() == pytest.approx(expected, rel=1e-6, abs=1e-8)
        alone = dice_any.value_and_grad(loss(name, activation="softmax", **options))
        closed = alone(x, y, class_weight=class_weight)[1]
        assert torch.allclose(logits.grad, closed, rtol=1e-9, atol=1e-15)
    if name == "lovasz_loss":
        return
    exact = loss(name, activation="softmax", exact=True)
    for prediction in (logits, x):  # also without a gradient of the prediction
        with pytest.raises(ValueError, match="`exact` must be None or False .* or a weight is dif"):
            exact(prediction, y, class_weight=leaf)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", CALLS)
def test_vmap_over_some_arguments(name: str, activation: str | None) -> None:
    """Predictions in a batch beside one label map, and the other way round."""
    if not takes(name, activation):
        pytest.skip("the loss does not take it")
    for soft, dtype in product((False, True), (torch.float32, torch.float64)):
        if soft and name == "lovasz_loss":
            continue
        given = arguments(activation, soft)
        x, y, w = (given[key] for key in ("prediction", "target", "weight"))
        x, w = x.to(dtype), w.to(dtype)
        stacks = [torch.stack([array, array.flip(-1)]) for array in (x, y.to(dtype) if soft else y)]
        stacks.append(torch.stack([w, w.flip(-1)]))
        for options in accepted(name, activation, soft)[::2]:
            run = loss(name, activation=activation, **options)
            closed = dice_any.value_and_grad(run)
            ways = (
                lambda x, y, w: run(x, y, weight=w),  # noqa: B023
                lambda x, y, w: closed(x, y, weight=w)[1],  # noqa: B023
                torch.func.grad(lambda x, y, w: run(x, y, weight=w)),  # noqa: B023
            )
            for way, places in product(ways, ((0, None, None), (None, 0, None), (None, None, 0))):
                batch = [
                    stack if place == 0 else stack[0]
                    for stack, place in zip(stacks, places, strict=True)
                ]
                got = torch.vmap(way, in_dims=places)(*batch)
                for i in range(2):
                    one = [
                        stack if place is None else stack[i]
                        for stack, place in zip(batch, places, strict=True)
                    ]
                    assert torch.allclose(got[i], way(*one), rtol=1e-4, atol=1e-7), (
                        options,
                        soft,
                        dtype,
                        places,
                    )


@pytest.mark.filterwarnings("ignore")  # PyTorch's about tracing
@pytest.mark.parametrize("exact", [None, True])
@pytest.mark.parametrize("activation", [None, "softmax", "sigmoid", "argmax"])
def test_traces_by_jit(activation: str | None, exact: bool | None) -> None:
    """There the lengths of an array are tensors."""
    for call in (*kinds.of_scores(), *kinds.of_losses()):
        is_loss = call.name.endswith("loss")
        if call.kind not in ("classes", "logits") or (exact and call.name == "lovasz_loss"):
            continue
        if (activation is None) != (call.kind == "classes"):
            continue
        if is_loss and (activation == "argmax" or not takes(call.name, activation)):
            continue
        options = {**call.options, "activation": activation}
        run = partial(call.function, **options, **({"exact": exact} if is_loss else {}))
        arrays = tuple(map(torch.asarray, call.arrays))
        traced = torch.jit.trace(lambda x, y: run(x, y), arrays, check_trace=False)  # noqa: B023
        others = tuple(array.flip(-1) for array in arrays)
        for given in (arrays, others):
            assert torch.allclose(traced(*given), run(*given), equal_nan=True), call.name


def _by_vmap(run: Callable[[Any], Any]) -> Any:
    return torch.vmap(run)(torch.tensor([1.0, 3.0], dtype=torch.float64)).sum() / 4


def _by_grad(run: Callable[[Any], Any]) -> Any:
    return torch.func.grad(run)(torch.tensor(2.0, dtype=torch.float64))


def _by_jvp(run: Callable[[Any], Any]) -> Any:
    two = torch.tensor(2.0, dtype=torch.float64)
    return torch.func.jvp(run, (two,), (torch.ones_like(two),))[1]


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("way", [_by_vmap, _by_grad, _by_jvp])
@pytest.mark.parametrize("name", CALLS)
def test_transformations_of_what_the_loss_is_multiplied_by(
    name: str, way: Callable[[Callable[[Any], Any]], Any]
) -> None:
    """The loss itself is differentiated by `backward`, as in the search for a loss's weight."""
    given = arguments("softmax", soft=False)
    function = loss(name, activation="softmax")
    prediction, again = (given["prediction"].clone().requires_grad_() for _ in range(2))
    right = function(prediction, given["target"])
    right.backward()
    got = way(lambda factor: factor * function(again, given["target"]))
    assert got.item() == pytest.approx(right.item(), rel=1e-12)
    got.backward()
    assert again.grad.numpy() == pytest.approx(prediction.grad.numpy(), rel=1e-10, abs=1e-14)
    if name == "lovasz_loss":
        return
    with pytest.raises(ValueError, match="`exact` must be None or False where .+ transforms"):
        way(lambda factor: factor * function(again, given["target"], exact=True))
    exact = way(lambda factor: factor * function(again.detach(), given["target"], exact=True))
    assert exact.item() == pytest.approx(right.item(), rel=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_transformations_beside_scores(form: str) -> None:
    given = arguments("softmax", soft=False)
    prediction, again = (given["prediction"].clone().requires_grad_() for _ in range(2))
    options: dict[str, Any] = {"class_axis": 1, "activation": "softmax", "exact": False}
    right = dice_any.dice_score(prediction, given["target"], form=form, **options).sum()
    right.backward()
    got = _by_vmap(
        lambda factor: (
            factor * dice_any.dice_score(again, given["target"], form=form, **options).sum()
        )
    )
    got.backward()
    assert again.grad.numpy() == pytest.approx(prediction.grad.numpy(), rel=1e-10, abs=1e-14)


@pytest.mark.parametrize("name", [name for name in CALLS if name != "lovasz_loss"])
def test_exact_losses_with_class_weights_compile(name: str) -> None:
    given = arguments("softmax", soft=False)
    x, y = given["prediction"], given["target"]
    for weights in (
        [1.0, 0.5, 2.0],
        (0, 1, 2),
        "square",
        "simple",
        "uniform",
        given["class_weight"],
    ):
        run = loss(name, activation="softmax", exact=True, class_weight=weights)
        torch._dynamo.reset()
        compiled = torch.compile(run, fullgraph=True, backend="eager")
        assert compiled(x, y).item() == pytest.approx(run(x, y).item(), rel=1e-12)
