"""Small calls: what was read is kept for the next call like it, and NumPy computes for PyTorch what
is not done on whole arrays. Only the time may differ.
"""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.arrays import load_library
from dice_any.reading import plans
from dice_any.testing import kinds, recipe
from dice_any.testing.every_loss import CALLS, loss, takes

LOGITS = (recipe.memberships(1, (2, 3, 4, 5), "float64") * 8 - 4).astype(np.float32)
LABELS = recipe.labels(3, (2, 4, 5), 3, "int64")


# -- what is kept ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"exact": True}, {"exact": 1}),
        ({"axis": (0, 1)}, {"axis": (0, True)}),
        ({"axis": 1}, {"axis": True}),
        ({"class_axis": 1}, {"class_axis": 1.0}),
        ({"class_axis": 1}, {"class_axis": True}),
    ],
)
def test_equal_numbers_of_other_types_are_other_calls(first: dict, second: dict) -> None:
    """For a dictionary, 1 equals True. A value is refused even after an equal one was accepted."""
    x = recipe.memberships(1, (2, 3, 4))
    dice_any.overlap(x, x, **first)
    with pytest.raises(TypeError):
        dice_any.overlap(x, x, **second)


def test_calls_that_differ_are_not_taken_for_one_another() -> None:
    x, y = recipe.labels(1, 40, 4, "uint8"), recipe.labels(2, 40, 4, "uint8")
    for _ in range(2):
        for label in (None, 0, 3):
            counted = [(p, t) for p, t in zip(x.tolist(), y.tolist(), strict=True) if t != label]
            tp = [sum(p == t == c for p, t in counted) for c in range(4)]
            found = dice_any.overlap(x, y, num_classes=4, ignore_label=label)
            assert found.tp.tolist() == tp
        with pytest.raises(ValueError, match="must hold labels from 0 to 2"):
            dice_any.overlap(x, y, num_classes=3)
        assert dice_any.overlap(x > 1, y > 1).by_class is False
        with pytest.raises(TypeError, match="got complex128"):
            dice_any.overlap(x.astype(complex), y)


def test_what_is_kept_is_bounded() -> None:
    for size in range(1, plans.MOST + 50):
        mask = np.ones(size, dtype=bool)
        assert int(dice_any.overlap(mask, mask).tp) == size
    assert len(plans._kept) <= plans.MOST


def test_threads_share_what_is_kept() -> None:
    def count(size: int) -> int:
        mask = np.ones(size % 40 + 1, dtype=bool)
        return int(dice_any.overlap(mask, mask).tp)

    plans._kept.clear()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(count, range(2000))) == [size % 40 + 1 for size in range(2000)]


# -- what is lent ----------------------------------------------------------------------------------


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture
def alone(torch: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that makes PyTorch compute a call by itself."""

    def call(function: Any, *arrays: Any, **options: Any) -> Any:
        with monkeypatch.context() as context:
            context.setattr(type(load_library("torch")), "lends", lambda *_: False)
            return function(*arrays, **options)

    return call


def slope(function: Any, x: Any, y: Any, cotangent: Any = None) -> tuple[Any, Any]:
    x = x.detach().clone().requires_grad_()
    value = function(x, y)
    value.backward(None if cotangent is None else cotangent(value))
    return value.detach(), x.grad


CASES = [
    (name, activation, options)
    for name in CALLS
    for activation in (None, "softmax", "sigmoid")
    if takes(name, activation)
    for options in (
        {},
        {"reduction": "none", "axis": "space"},
        {"class_weight": [1.0, 0.5, 2.0], "reduction": "sum"},
        {"classes": "foreground", "absent": "skip"},
    )
    if not (name == "wasserstein_dice_loss" and options)
]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize(("name", "activation", "options"), CASES)
def test_losses_and_slopes(
    torch: Any, alone: Any, name: str, activation: str | None, options: dict, dtype: str
) -> None:
    """The gradients are PyTorch's own, also if each entry of the result has another cotangent."""
    given = loss(name, activation=activation, **options)
    x = LOGITS if activation else recipe.memberships(1, LOGITS.shape)
    x, y = torch.from_numpy(x).to(getattr(torch, dtype)), torch.from_numpy(LABELS)

    def uneven(value: Any) -> Any:
        return (torch.arange(1.0, value.numel() + 1).reshape(value.shape) - 1.5).to(value.dtype)

    value, gradient = slope(given, x, y, uneven)
    expected, expected_gradient = alone(slope, given, x, y, uneven)
    assert value.dtype == expected.dtype
    assert gradient.dtype == x.dtype
    off = {"float16": 2e-3, "float32": 1e-5, "float64": 1e-11}[dtype]
    assert torch.allclose(value, expected, rtol=off, atol=off)
    assert torch.allclose(gradient, expected_gradient, rtol=off, atol=off)


@pytest.mark.parametrize(
    "call", list(kinds.of_scores()), ids=lambda call: f"{call.name}-{call.kind}"
)
def test_scores(torch: Any, alone: Any, call: Any) -> None:
    """The bits and the dtype are the same."""
    arrays = [torch.from_numpy(array) for array in call.arrays]
    got = call.function(*arrays, **call.options)
    right = alone(call.function, *arrays, **call.options)
    assert isinstance(got, torch.Tensor)
    assert got.dtype == right.dtype
    assert torch.equal(torch.nan_to_num(got, nan=-1.0), torch.nan_to_num(right, nan=-1.0))


SEEN = {
    "bad labels": (LOGITS, LABELS + 2, {"activation": "softmax"}),
    "no memberships": (LOGITS, LABELS, {}),
    "NaN logits in a score": (LOGITS * np.float32("nan"), LABELS, {"activation": "softmax"}),
    "bad weight": (LOGITS, LABELS, {"activation": "softmax", "weight": LABELS - 1.0}),
}


@pytest.mark.parametrize("case", SEEN)
@pytest.mark.parametrize("function", [dice_any.dice_loss, dice_any.dice_score])
def test_errors_are_said_in_words_of_pytorch(
    torch: Any, alone: Any, function: Any, case: str
) -> None:
    x, y, options = SEEN[case]
    options = {n: torch.from_numpy(o) if n == "weight" else o for n, o in options.items()}
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def said(call: Any) -> str:
        try:
            return repr(call())
        except ValueError as error:
            return str(error)

    got = said(lambda: function(x, y, class_axis=1, **options))
    assert got == said(lambda: alone(function, x, y, class_axis=1, **options))
    assert "numpy" not in got


def test_class_weights_of_pytorch(torch: Any) -> None:
    """A tensor gives the bits of a list, unless it is differentiated itself."""
    x, y = torch.from_numpy(LOGITS), torch.from_numpy(LABELS)
    weight = torch.tensor([1.0, 0.5, 2.0])

    def given(x: Any, y: Any, weight: Any) -> Any:
        return dice_any.dice_loss(x, y, class_axis=1, activation="softmax", class_weight=weight)

    listed = slope(lambda x, y: given(x, y, weight.tolist()), x, y)
    tensor = slope(lambda x, y: given(x, y, weight), x, y)
    assert all(map(torch.equal, tensor, listed))
    given(x, y, weight.requires_grad_()).backward()
    assert weight.grad is not None
    with pytest.raises(TypeError, match="got numpy and torch"):
        given(x, y, np.ones(3))


def test_what_autograd_can_ask_for(torch: Any, alone: Any) -> None:
    def given(x: Any, y: Any) -> Any:
        return dice_any.dice_cross_entropy_loss(x, y, class_axis=1, activation="softmax")

    y = torch.from_numpy(LABELS)
    x = torch.from_numpy(LOGITS).requires_grad_()
    value = given(x, y)
    (first,) = torch.autograd.grad(value, x, retain_graph=True)
    (again,) = torch.autograd.grad(value, x, retain_graph=True)
    assert torch.equal(first, again)
    (bent,) = torch.autograd.grad(value, x, create_graph=True)
    (second,) = torch.autograd.grad((bent * bent.detach()).sum(), x)

    def by_pytorch() -> Any:
        (bent,) = torch.autograd.grad(given(x, y), x, create_graph=True)
        return torch.autograd.grad((bent * bent.detach()).sum(), x)[0]

    assert second.abs().max() > 1e-5
    assert torch.allclose(second, alone(by_pytorch), rtol=1e-4, atol=1e-8)
    with torch.no_grad():
        x.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


def test_a_loss_that_is_kept_keeps_no_array_after_its_way_back(torch: Any) -> None:
    x = torch.from_numpy(LOGITS).clone()
    logits = x.requires_grad_() * 1.0
    value = dice_any.dice_loss(logits, torch.from_numpy(LABELS), class_axis=1, activation="softmax")
    value.backward()
    held = weakref.ref(logits)
    del logits
    gc.collect()
    assert held() is None
    assert value.requires_grad


def test_tensors_that_numpy_cannot_have(torch: Any) -> None:
    """Half precision without a NumPy dtype, subclasses, and tensors inside transformations."""
    y = torch.from_numpy(LABELS)
    x = torch.from_numpy(LOGITS)
    given = {"class_axis": 1, "activation": "softmax"}
    right = dice_any.dice_loss(x, y, **given)
    assert dice_any.dice_loss(x.bfloat16(), y, **given).item() == pytest.approx(right.item(), 1e-2)

    class Tagged(torch.Tensor):
        pass

    tagged = dice_any.dice_loss(x.as_subclass(Tagged), y, **given)
    assert tagged.item() == pytest.approx(right.item(), 1e-6)
    mapped = torch.func.vmap(lambda x, y: dice_any.dice_loss(x[None], y[None], **given))(x, y)
    single = [dice_any.dice_loss(a[None], b[None], **given) for a, b in zip(x, y, strict=True)]
    assert torch.allclose(mapped, torch.stack(single))
    flipped = torch.conj(torch.complex(x, x)).imag  # its memory holds the negative
    assert flipped.is_neg()
    assert dice_any.dice_loss(flipped, y, **given).item() == pytest.approx(
        dice_any.dice_loss(-x, y, **given).item(), 1e-6
    )
