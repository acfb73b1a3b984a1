"""Deep supervision: the losses of outputs at several resolutions."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.testing.test_odd_arguments import odd_values
from dice_any.testing.test_odd_arrays import problem

torch = pytest.importorskip("torch")
modules = pytest.importorskip("dice_any.torch")
deep_supervision = pytest.importorskip("dice_any.torch.deep_supervision")


def example() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, 3, 8, 8, generator=generator), torch.randint(
        0, 3, (4, 8, 8), generator=generator
    )


SOFTMAX = {"class_axis": 1, "activation": "softmax"}


def outputs(*lengths: int) -> list[torch.Tensor]:
    return [torch.randn(4, 3, n, n, generator=torch.Generator().manual_seed(n)) for n in lengths]


def weighted_mean(
    losses: list[torch.Tensor], weights: tuple[float, ...] = (1, 0.5, 0.25)
) -> torch.Tensor:
    return sum(loss * w for loss, w in zip(losses, weights, strict=True)) / sum(weights)


def resized(target: torch.Tensor, *shape: int) -> torch.Tensor:
    """Resize the last axes as PyTorch does, with samples and classes first."""
    front = target.shape[: target.ndim - len(shape)]
    rows = target.reshape(1, -1, *target.shape[target.ndim - len(shape) :])
    rows = rows if target.is_floating_point() else rows.float()
    return (
        torch.nn.functional.interpolate(rows, size=shape, mode="nearest-exact")
        .reshape(*front, *shape)
        .to(target.dtype)
    )


def test_deep_supervision() -> None:
    _, y = example()
    loss = modules.DiceLoss(**SOFTMAX)
    predictions = outputs(8, 4, 2)
    halves = y[:, 1::2, 1::2], y[:, 2::4, 2::4]  # the nearest to the middle of each larger pixel
    expected = weighted_mean(
        [loss(p, target) for p, target in zip(predictions, (y, *halves), strict=True)]
    )
    criterion = modules.DeepSupervision(loss)
    assert torch.equal(criterion(predictions, y), expected)
    assert torch.equal(criterion(tuple(predictions), y), expected)
    assert torch.equal(criterion(predictions, [y, *halves]), expected)
    one_hot = torch.nn.functional.one_hot(y, 3).movedim(-1, 1).bool()
    assert torch.allclose(criterion(predictions, one_hot), expected)
    assert torch.equal(
        modules.DeepSupervision(loss, weights=[1, 0.5, 0.25])(predictions, y), expected
    )
    assert torch.equal(pickle.loads(pickle.dumps(criterion))(predictions, y), expected)


def test_one_tensor_is_one_output() -> None:
    z, y = example()
    loss = modules.DiceLoss(**SOFTMAX)
    assert torch.equal(modules.DeepSupervision(loss)(z, y), loss(z, y))
    assert torch.equal(modules.DeepSupervision(loss, weights=[1, 1, 1])(z, y), loss(z, y))
    weight = torch.rand(4, 8, 8)
    assert torch.equal(
        modules.DeepSupervision(loss)(z, y, weight=weight), loss(z, y, weight=weight)
    )


LOSSES = {
    "module": modules.DiceLoss(**SOFTMAX),
    "function": partial(dice_any.dice_loss, **SOFTMAX),
    "argument of the call": dice_any.dice_loss,
    "another's": lambda z, y, **options: torch.nn.functional.cross_entropy(z, y),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_stack_of_outputs_is_refused(name: str) -> None:
    _, y = example()
    stack = torch.stack(outputs(8, 8), dim=1)
    options = SOFTMAX if name == "argument of the call" else {}
    criterion = modules.DeepSupervision(LOSSES[name])
    message = (
        r"got a tensor of shape \(4, 2, 3, 8, 8\) for a target of shape \(4, 8, 8\)\. "
        r".*`predictions\.unbind\(1\)`"
    )
    with pytest.raises(ValueError, match=message):
        criterion(stack, y, **options)
    heads = stack.unbind(1)
    expected = weighted_mean([LOSSES[name](head, y, **options) for head in heads], (1, 0.5))
    assert torch.allclose(criterion(heads, y, **options), expected)


def test_a_stack_is_refused_beside_a_target_of_memberships() -> None:
    stack = torch.rand(4, 2, 3, 8, 8)
    with pytest.raises(
        ValueError, match=r"`predictions\.unbind\(1\)`, and a label map must be of integers"
    ):
        modules.DeepSupervision(modules.DiceLoss(class_axis=1))(stack, stack[:, 0] > 0.5)
    with pytest.raises(ValueError, match="unbind"):  # without classes
        modules.DeepSupervision(modules.DiceLoss())(torch.rand(4, 2, 8, 8), torch.rand(4, 8, 8))


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("kind", ["labels", "memberships"])
@pytest.mark.parametrize("number", [int, np.int64, np.uint8, np.array, torch.tensor])
@pytest.mark.parametrize("class_axis", [0, 1, -1, None])
def test_the_class_axis_may_be_anywhere_or_nowhere(
    class_axis: int | None, number: Callable[[int], Any], kind: str, ndim: int
) -> None:
    if class_axis is None and kind == "labels":
        pytest.skip("label maps have classes")
    if number is not int and class_axis in (None, -1):
        pytest.skip("no number, or none of this type")
    generator = torch.Generator().manual_seed(ndim)
    sizes, coarse = (9, 6, 4)[:ndim], (4, 6, 2)[:ndim]
    front = (2,) if class_axis is None else (2, 3)
    fine, rough = (torch.rand(*front, *size, generator=generator) for size in (sizes, coarse))
    if kind == "labels":
        target = torch.randint(0, 3, (2, *sizes), generator=generator)
    else:
        target = torch.rand(*front, *sizes, generator=generator)
    small = resized(target, *coarse)

    def placed(array: torch.Tensor) -> torch.Tensor:
        return (
            array.movedim(1, class_axis)
            if class_axis is not None and array.ndim == fine.ndim
            else array
        )

    fine, rough, target, small = map(placed, (fine, rough, target, small))
    options: dict[str, Any] = {"class_axis": class_axis, "activation": "sigmoid"}
    if class_axis is not None:
        options["class_axis"] = number(class_axis)
    expected = weighted_mean(
        [dice_any.dice_loss(fine, target, **options), dice_any.dice_loss(rough, small, **options)],
        (1, 0.5),
    )
    for criterion, given in (
        (modules.DeepSupervision(modules.DiceLoss(**options)), {}),
        (modules.DeepSupervision(partial(dice_any.dice_loss, **options)), {}),
        (modules.DeepSupervision(dice_any.dice_loss), options),
        (modules.DeepSupervision(modules.DiceLoss(class_axis=3)), options),  # the call's overrides
    ):
        assert torch.equal(criterion([fine, rough], target, **given), expected)


def test_classes_in_front_without_samples() -> None:
    loss = modules.DiceLoss(class_axis=0, activation="softmax")
    z, y = torch.rand(3, 8, 6), torch.randint(0, 3, (8, 6))
    small = z[:, ::2, ::2]
    expected = weighted_mean([loss(z, y), loss(small, resized(y, 4, 3))], (1, 0.5))
    assert torch.equal(modules.DeepSupervision(loss)([z, small], y), expected)


@pytest.mark.parametrize("old", [2, 3, 7, 16, 31, 49])
def test_nearest_is_that_of_interpolate(old: int) -> None:
    target = torch.arange(old)[None]
    for new in range(1, 60):
        for dtype in (torch.int64, torch.uint8, torch.float16, torch.float32, torch.float64):
            given = target.to(dtype)
            assert torch.equal(
                deep_supervision._nearest(given, torch.zeros(1, 3, new), 1), resized(given, new)
            )


@pytest.mark.parametrize(
    "dtype",
    [torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.int32, torch.bool],
)
def test_targets_of_every_type_are_resized(dtype: torch.dtype) -> None:
    target = torch.arange(12).reshape(1, 12).remainder(2).to(dtype)
    got = deep_supervision._nearest(target, torch.zeros(1, 2, 4), 1)
    assert got.dtype == dtype
    assert got.tolist() == target[:, 1::3].tolist()


def test_pixel_weights_follow_the_target() -> None:
    _, y = example()
    loss = modules.DiceLoss(**SOFTMAX)
    predictions, weight = outputs(8, 4), torch.rand(4, 8, 8)
    small = weight[:, 1::2, 1::2]
    expected = weighted_mean(
        [
            loss(predictions[0], y, weight=weight),
            loss(predictions[1], y[:, 1::2, 1::2], weight=small),
        ],
        (1, 0.5),
    )
    criterion = modules.DeepSupervision(loss)
    assert torch.equal(criterion(predictions, y, weight=weight), expected)
    assert torch.equal(criterion(predictions, y, weight=[weight, small]), expected)
    rows = torch.rand(4, 1, 1)  # one for each sample, whatever the resolution
    expected = weighted_mean(
        [loss(predictions[0], y, weight=rows), loss(predictions[1], y[:, 1::2, 1::2], weight=rows)],
        (1, 0.5),
    )
    assert torch.equal(criterion(predictions, y, weight=rows), expected)


def test_an_output_of_weight_zero_is_left_out() -> None:
    _, y = example()
    predictions = outputs(8, 4)
    predictions[1] = predictions[1] * torch.nan
    loss = modules.DiceLoss(**SOFTMAX)
    assert torch.equal(
        modules.DeepSupervision(loss, weights=[2, 0])(predictions, y), loss(predictions[0], y)
    )


def test_samples_are_never_resized() -> None:
    _, y = example()
    with pytest.raises(ValueError, match="`target` must have the prediction's shape"):
        modules.DeepSupervision(modules.DiceLoss(**SOFTMAX))(
            [*outputs(8), torch.rand(2, 3, 4, 4)], y
        )


class Other:
    pass


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        (
            {"out": torch.rand(4, 3, 8, 8)},
            r"got a dict\. Choose its outputs: `\[outputs\[name\], \.\.\.\]`",
        ),
        (Other(), r"must be a tensor or a list of tensors; got a Other\. Pass a list"),
        ((z for z in outputs(8)), r"got a generator\. Pass a list"),
        ([torch.rand(4, 3, 8, 8), None], r"must hold tensors; got a NoneType among them"),
        ([[torch.rand(4, 3, 8, 8)]], r"must hold tensors; got a list among them"),
        ([torch.rand(4, 3, 8, 8).numpy()], r"must hold tensors; got a ndarray among them"),
    ],
)
def test_what_is_no_list_of_outputs(predictions: object, message: str) -> None:
    _, y = example()
    with pytest.raises(
        TypeError, match=f"`predictions` {message}" if message.startswith("must") else message
    ):
        modules.DeepSupervision(modules.DiceLoss(**SOFTMAX))(predictions, y)


def test_mistakes_of_deep_supervision() -> None:
    z, y = example()
    loss = modules.DiceLoss(**SOFTMAX)
    criterion = modules.DeepSupervision(loss)
    with pytest.raises(ValueError, match="`predictions` must be as many as the weights, 2; got 3"):
        modules.DeepSupervision(loss, weights=[1, 1])(outputs(8, 4, 2), y)
    with pytest.raises(ValueError, match="`predictions` must hold at least one output; got none"):
        criterion([], y)
    with pytest.raises(
        TypeError,
        match=r"`target` must be a tensor beside one output; got a list\. .*`target\[0\]`",
    ):
        criterion(z, [y, y])
    with pytest.raises(
        ValueError, match="`target` must be one tensor, or one for each of 2 outputs; got 3"
    ):
        criterion(outputs(8, 4), [y, y, y])
    with pytest.raises(
        TypeError, match="`target` must be a tensor or a list of tensors; got a ndarray"
    ):
        criterion(outputs(8, 4), y.numpy())
    with pytest.raises(
        ValueError, match="`weight` must be one tensor, or one for each of 2 outputs; got 1"
    ):
        criterion(outputs(8, 4), y, weight=[y])
    with pytest.raises(
        TypeError, match="`loss` must be a function or a module; got the class DiceLoss"
    ):
        modules.DeepSupervision(modules.DiceLoss)
    with pytest.raises(TypeError, match="`loss` must be a function or a module; got a str"):
        modules.DeepSupervision("dice")


class Adapter:
    """Makes tensors, for `odd_values`."""

    def __call__(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values)


WEIGHTS: dict[str, tuple[Any, str]] = {
    "negative": ([1, -1], r"`weights\[1\]` must be finite and at least 0; got -1\."),
    "NaN": ([1, float("nan")], r"`weights\[1\]` must be finite and at least 0; got nan\."),
    "infinite": ([float("inf"), 1], r"`weights\[0\]` must be finite and at least 0; got inf\."),
    "too large": ([10**400, 1], r"`weights\[0\]` must fit a float64; got an integer of 1329 bits"),
    "large": ([1e300, 1], r"`weights\[0\]` must be at most 2\*\*100; got 1e\+300\."),
    "nothing": ([None, 1], r"`weights\[0\]` must be a number; got NoneType\."),
    "complex": ([1j, 1], r"`weights\[0\]` must be a number; got complex\."),
    "text in a list": (["a", 1], r"`weights\[0\]` must be a number; got str\."),
    "boolean": ([True, 1], r"`weights\[0\]` must be a number; got bool\. Pass `float\(weights"),
    "durations": ([np.timedelta64(1), 1], r"`weights\[0\]` must be a number; got numpy.timedelta"),
    "tensor of two": ([torch.ones(2), 1], r"`weights\[0\]` must be a number; got torch.Tensor\."),
    "on no device": (torch.ones(2, device="meta"), r"`weights\[0\]` .+ no value to read here"),
    "all 0": ([0, 0], "`weights` must be positive for some output; got none that is"),
    "empty": ([], "`weights` must be positive for some output; got none that is"),
    "number": (1, "`weights` must be a sequence of numbers; got int"),
    "text": ("12", "`weights` must be a sequence of numbers; got str"),
    "bytes": (b"12", "`weights` must be a sequence of numbers; got bytes"),
    "dictionary": ({1: 2}, "`weights` must be a sequence of numbers; got dict"),
    "set": ({1, 2}, "`weights` must be a sequence of numbers; got set"),
    "tensor without axes": (
        torch.tensor(1.0),
        "`weights` must be a sequence of numbers; got torch",
    ),
    "array without axes": (np.array(1.0), "`weights` must be a sequence of numbers; got numpy"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_what_are_no_weights(name: str) -> None:
    weights, message = WEIGHTS[name]
    with pytest.raises((TypeError, ValueError), match=message):
        modules.DeepSupervision(modules.DiceLoss(), weights=weights)


def test_odd_weights() -> None:
    """Every odd value is refused in the usual form, or taken as numbers."""
    taken = set()
    for odd, value in odd_values(Adapter()).items():
        said = problem(modules.DeepSupervision, modules.DiceLoss(), weights=value)
        assert said in (None, "is taken"), odd
        taken |= {odd} if said else set()
    generated = {"generator", "range", "list", "numbers", "array", "integers", "(0.5, 1)"}
    assert taken == {"None"} | generated


@pytest.mark.parametrize(
    "weights",
    [
        (1, 0.5),
        np.array([1, 0.5]),
        torch.tensor([1, 0.5], requires_grad=True),
        [torch.tensor(1), 0.5],
        [Fraction(1), Fraction(1, 2)],
    ],
)
def test_weights_of_any_sequence(weights: Any) -> None:
    assert modules.DeepSupervision(modules.DiceLoss(), weights=weights).weights == [1.0, 0.5]


def test_what_is_left_out() -> None:
    criterion = modules.DeepSupervision(modules.DiceLoss(**SOFTMAX))
    counts = dice_any.overlap(*(torch.ones(3),) * 2)
    for call, message in (
        (
            lambda: criterion(outputs(8)[0]),
            "`target` must be a tensor .*; got a NoneType. Pass one",
        ),
        (lambda: criterion(outputs(8, 4)), "`target` must be an array .*; got NoneType"),
        (lambda: criterion(counts), "`predictions` must be a tensor or a list of tensors; got"),
    ):
        with pytest.raises(TypeError, match=message):
            call()


def test_deep_supervision_compiles_and_is_differentiated() -> None:
    _, y = example()
    criterion = modules.DeepSupervision(modules.DiceLoss(**SOFTMAX))
    torch._dynamo.reset()
    compiled = torch.compile(criterion, fullgraph=True, backend="aot_eager")
    leaves = [[z.requires_grad_() for z in outputs(8, 4)] for _ in range(2)]
    values = [function(zs, y) for function, zs in zip((criterion, compiled), leaves, strict=True)]
    for value in values:
        value.backward()
    assert torch.allclose(*values)
    for a, b in zip(*leaves, strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-7)
