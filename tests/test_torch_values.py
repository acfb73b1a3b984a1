"""PyTorch: bits, threads, tiles, layouts and memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dice_any

torch = pytest.importorskip("torch")


def logits(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator, dtype=dtype)


def labels(*shape: int, classes: int = 3) -> torch.Tensor:
    return torch.randint(0, classes, shape, generator=torch.Generator().manual_seed(1))


def test_scores_and_exact_sums_carry_no_gradient() -> None:
    x = torch.rand(5, requires_grad=True)
    assert not dice_any.dice_score(x, x).requires_grad
    assert not dice_any.overlap(x, x).tp.requires_grad
    assert dice_any.overlap(x, x, exact=False).intersection.requires_grad


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_no_bit(threads: int) -> None:
    before = torch.get_num_threads()
    x, y = torch.rand(2, 300_000, generator=torch.Generator().manual_seed(2)).unbind()
    torch.set_num_threads(1)
    expected = dice_any.overlap(x, y).to_dict()
    try:
        torch.set_num_threads(threads)
        assert dice_any.overlap(x, y).to_dict() == expected
    finally:
        torch.set_num_threads(before)


def test_overlap_is_a_pytree() -> None:
    overlap = dice_any.overlap(torch.rand(2, 5), torch.rand(2, 5), axis=1)
    leaves, structure = torch.utils._pytree.tree_flatten(overlap)
    assert len(leaves) == 1
    assert torch.utils._pytree.tree_unflatten(leaves, structure).to_dict() == overlap.to_dict()


def test_vmap_may_return_overlaps_and_take_them() -> None:
    x, y = torch.rand(4, 3, 5), torch.randint(0, 3, (4, 5))
    whole = torch.vmap(lambda x, y: dice_any.overlap(x, y, class_axis=0))(x, y)
    expected = dice_any.overlap(x, y, class_axis=1, axis=2)
    assert whole.to_dict() == expected.to_dict()
    scores = torch.vmap(lambda part: dice_any.dice_score(part, average="macro"))(whole)
    assert scores.tolist() == dice_any.dice_score(expected, average="macro").tolist()


def test_square_roots_are_rounded_correctly() -> None:
    import math

    from dice_any.arrays import load_library

    values = (
        torch.rand(20_000, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 1e12
    )
    values = torch.cat(
        [values, torch.tensor([0.0, 1.0, 4.0, 2.0**100, 2.0**-100], dtype=torch.float64)]
    )
    assert load_library("torch").sqrt(values).tolist() == [
        math.sqrt(value) for value in values.tolist()
    ]


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("axis", [None, "space"])
def test_plain_sums_and_gradients_of_many_tiles(threads: int, axis: str | None) -> None:
    """Large enough for several tiles; expected values come from PyTorch's own operations, in
    float64.
    """
    z, y = logits(2, 3, 40, 50, 100).requires_grad_(), labels(2, 40, 50, 100)
    expected_z = z.detach().double().requires_grad_()
    p, t = expected_z.softmax(1), torch.nn.functional.one_hot(y, 3).movedim(-1, 1)
    axes = (0, 2, 3, 4) if axis is None else (2, 3, 4)
    expected = 1 - (2 * (p * t).sum(axes) + 1) / (p.sum(axes) + t.sum(axes) + 1)
    expected.mean().backward()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        loss = dice_any.dice_loss(
            z, y, class_axis=1, axis=axis, activation="softmax", backend="reference"
        )
        loss.backward()
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert torch.allclose(loss.double(), expected.mean(), rtol=1e-6, atol=0)
    assert torch.allclose(z.grad.double(), expected_z.grad, rtol=1e-4, atol=1e-12)
    with torch.inference_mode():
        value = dice_any.dice_loss(
            z.detach().clone(),
            y,
            class_axis=1,
            axis=axis,
            activation="softmax",
            backend="reference",
        )
    assert torch.allclose(value, loss, rtol=1e-6)


def test_a_mistake_in_a_tile_is_told() -> None:
    z, y = logits(1, 3, 800_000), labels(1, 800_000)
    y[0, -1] = 3
    threads = torch.get_num_threads()
    with pytest.raises(ValueError, match="`target` must hold labels"):
        dice_any.dice_loss(z, y, class_axis=1, activation="softmax", backend="reference")
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("length", [96, 100, 512, 1000, 4097])
def test_plain_sums_are_a_millionth_off_at_most(length: int) -> None:
    import math

    x = torch.rand(64, length, generator=torch.Generator().manual_seed(6)) ** 4
    for layout in (x, x.T):
        sums = dice_any.overlap(layout, layout > 0.5, exact=False, backend="reference")
        assert sums.prediction.item() == pytest.approx(math.fsum(x.flatten().tolist()), rel=1e-6)


@pytest.mark.parametrize("exact", [False, True])
def test_a_gradient_can_be_taken_twice_from_one_loss(exact: bool) -> None:
    """The first backward pass overwrites the memberships that the forward pass kept."""
    z, y = logits(2, 3, 60_000).requires_grad_(), labels(2, 60_000)
    given = {"class_axis": 1, "activation": "softmax", "exact": exact, "backend": "reference"}
    loss = dice_any.dice_loss(z, y, **given)
    first, second = (torch.autograd.grad(loss, z, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
    with torch.no_grad():
        z.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(loss, z)


@pytest.mark.parametrize("loss", [dice_any.dice_loss, dice_any.dice_cross_entropy_loss])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_classes_with_weights_of_their_own(activation: str, loss: Any) -> None:
    """Values of weight 0 may be NaN: a class by itself, or with softmax an element whose classes
    all have weight 0; as with NumPy.
    """
    torch.manual_seed(0)
    z, y = torch.randn(2, 3, 50), torch.softmax(torch.randn(2, 3, 50), 1)
    weight = (torch.rand(2, 3, 50) > 0.3).float()
    weight[:, :, :5] = 0.0
    nothing = weight == 0
    z[nothing if activation == "sigmoid" else nothing.all(1, keepdim=True).expand_as(z)] = float(
        "nan"
    )
    z.requires_grad_()
    options = {"class_axis": 1, "activation": activation, "backend": "reference"}
    value = loss(z, y, weight=weight, **options)
    gradient = torch.autograd.grad(value, z)[0]
    arrays = (a.detach().numpy() for a in (z, y))
    expected, slope = dice_any.value_and_grad(loss)(*arrays, weight=weight.numpy(), **options)
    assert np.isfinite(expected)
    assert np.isfinite(slope).all()
    assert value.item() == pytest.approx(float(expected), rel=1e-6)
    torch.testing.assert_close(gradient, torch.from_numpy(slope), rtol=1e-5, atol=1e-8)


LAYOUTS = {
    "channels last": lambda z: z.contiguous(memory_format=torch.channels_last),
    "every other pixel": lambda z: z.repeat_interleave(2, dim=3)[..., ::2],
    "the same for all samples": lambda z: z[:1].expand_as(z),
    "transposed": lambda z: z.transpose(2, 3).contiguous().transpose(2, 3),
}


@pytest.mark.parametrize(
    "loss", [dice_any.dice_loss, dice_any.dice_cross_entropy_loss, dice_any.matthews_loss]
)
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_layouts_have_one_gradient(layout: str, activation: str, loss: Any) -> None:
    torch.manual_seed(0)
    strange = LAYOUTS[layout](torch.randn(3, 4, 40, 50)).requires_grad_()
    plain = strange.detach().contiguous().requires_grad_()
    y = torch.randint(-1, 4, (3, 40, 50))
    values = [
        loss(z, y, class_axis=1, activation=activation, ignore_label=-1, backend="reference")
        for z in (strange, plain)
    ]
    gradients = torch.autograd.grad(values[0], strange)[0], torch.autograd.grad(values[1], plain)[0]
    torch.testing.assert_close(values[0], values[1], rtol=1e-6, atol=0)
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-9)
    assert gradients[0].is_contiguous(memory_format=torch.channels_last) == (
        layout == "channels last"
    )


@pytest.mark.parametrize("loss", ["dice_loss", "dice_cross_entropy_loss"])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_training_step_takes_the_memory_of_the_gradient(activation: str, loss: str) -> None:
    """Beyond the logits, forward and backward need the gradient and a few tiles: at most 1.3 times
    the logits.
    """
    import subprocess
    import sys

    code = f"""
import resource, torch, dice_any
torch.manual_seed(0)
def step(z, y):
    dice_any.{loss}(z, y, class_axis=1, activation={activation!r}, backend="reference").backward()
step(torch.randn(1, 4, 64, 64, requires_grad=True), torch.zeros(1, 64, 64, dtype=torch.int64))
z = torch.randn(2, 8, 160, 160, 64, requires_grad=True)
y = torch.randint(0, 8, (2, 160, 160, 64), dtype=torch.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
step(z, y)
extra = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
print(extra / (z.numel() * 4))
"""
    ratio = float(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
    )
    assert ratio <= 1.3


def test_a_logit_of_zero_is_pulled() -> None:
    """A head that starts at zero must learn, also if automatic differentiation includes the
    sigmoid.
    """
    y = torch.tensor([True, False, True])

    def loss(z: torch.Tensor) -> torch.Tensor:
        return dice_any.dice_loss(z, y, activation="sigmoid")

    expected = dice_any.value_and_grad(dice_any.dice_loss)(torch.zeros(3), y, activation="sigmoid")[
        1
    ]
    assert (expected != 0).all()
    assert torch.allclose(torch.func.grad(loss)(torch.zeros(3)), expected)


def test_vmap_over_the_target_alone() -> None:
    x, y = (
        torch.rand(4, 40_000, generator=torch.Generator().manual_seed(5)),
        torch.rand(3, 4, 40_000),
    )
    mapped = torch.func.vmap(lambda y: dice_any.dice_score(x, y, axis=1))(y)
    assert torch.equal(mapped, torch.stack([dice_any.dice_score(x, each, axis=1) for each in y]))
