"""PyTorch: inside of `torch.autocast` every public function gives the same result as outside."""

from __future__ import annotations

from typing import Any

import pytest

import dice_any
from dice_any.testing import kinds

torch = pytest.importorskip("torch")

CASTS = pytest.mark.parametrize("cast", ["bfloat16", "float16"])
LOGITS = [call for call in kinds.of_losses() if call.kind == "logits"]


def autocast(name: str) -> torch.autocast:
    return torch.autocast("cpu", dtype=getattr(torch, name))


def answers(call: kinds.Call) -> list[Any]:
    found = call.function(*map(torch.asarray, call.arrays), **call.options)
    return list(found) if isinstance(found, tuple) else [found]


def same(got: list[Any], expected: list[Any]) -> bool:
    return all(
        a.dtype == b.dtype and torch.equal(a.nan_to_num(9), b.nan_to_num(9))
        for a, b in zip(got, expected, strict=True)
    )


@CASTS
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("backend", [None, "reference"])
def test_every_function(cast: str, dtype: str, backend: str | None) -> None:
    for call in kinds.of_everything(dtype):
        call = call._replace(options={**call.options, "backend": backend})
        expected = answers(call)
        with autocast(cast):
            assert same(answers(call), expected), (call.name, call.kind)


def pulled(loss: Any, z: Any) -> list[Any]:
    z = z.clone().requires_grad_()
    value = loss(z)
    value.backward()
    return [value.detach(), z.grad]


@CASTS
@pytest.mark.parametrize("call", LOGITS, ids=lambda call: call.name)
def test_backward(cast: str, call: kinds.Call) -> None:
    z, y = map(torch.asarray, call.arrays)

    def loss(z: Any) -> Any:
        return call.function(z, y, **call.options)

    expected = pulled(loss, z)
    with autocast(cast):
        inside = pulled(loss, z)
        assert same(inside, expected)
        value = loss(leaf := z.clone().requires_grad_())
    value.backward()  # outside of autocast, as PyTorch recommends
    assert torch.equal(leaf.grad, expected[1])


@CASTS
@pytest.mark.parametrize("call", LOGITS, ids=lambda call: call.name)
def test_transformations(cast: str, call: kinds.Call) -> None:
    z, y = map(torch.asarray, call.arrays)

    def loss(z: Any) -> Any:
        return call.function(z, y, **call.options)

    def of_one(z: Any, y: Any) -> Any:
        return call.function(z[None], y[None], **call.options)

    def transformed() -> list[Any]:
        slope = torch.func.grad(loss)(z)
        _, tangent = torch.func.jvp(loss, (z,), (y[:, None] * 0.1 + z * 0,))
        return [slope, tangent, torch.vmap(of_one)(z, y), torch.vmap(torch.func.grad(of_one))(z, y)]

    expected = transformed()
    with autocast(cast):
        inside = transformed()
    for got, wanted in zip(inside, expected, strict=True):
        assert torch.allclose(got, wanted, rtol=1e-5, atol=1e-8)


@CASTS
@pytest.mark.parametrize("name", ["dice_loss", "wasserstein_dice_loss"])
def test_compiled(cast: str, name: str) -> None:
    call = next(call for call in LOGITS if call.name == name)
    z, y = map(torch.asarray, call.arrays)
    torch._dynamo.reset()

    def loss(z: Any) -> Any:
        return call.function(z, y, **call.options)

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    expected = pulled(loss, z)
    with autocast(cast):
        for got, wanted in zip(pulled(compiled, z), expected, strict=True):
            assert torch.allclose(got, wanted, rtol=1e-5, atol=1e-8)


def test_compiled_scores() -> None:
    torch._dynamo.reset()
    compiled = torch.compile(
        lambda x, y: dice_any.dice_score(dice_any.pairwise_overlap(x, y)),
        fullgraph=True,
        backend="aot_eager",
    )
    x, y = torch.rand(3, 900) > 0.5, torch.rand(4, 900) > 0.5
    expected = dice_any.dice_score(dice_any.pairwise_overlap(x, y))
    with autocast("float16"):
        assert torch.equal(compiled(x, y), expected)


def test_counts_beyond_half_precision() -> None:
    """bfloat16 cannot represent 1000 common elements exactly, and float16 cannot hold 70000."""
    x = torch.ones(2, 70_001, dtype=torch.bool)
    for cast in ("bfloat16", "float16"):
        with autocast(cast):
            assert dice_any.pairwise_overlap(x, x).intersection.tolist() == [[70_001, 70_001]] * 2
            assert (
                dice_any.jaccard_score(dice_any.pairwise_overlap(x, x)).tolist() == [[1.0, 1.0]] * 2
            )


def test_inside_of_an_export() -> None:
    call = next(call for call in LOGITS if call.name == "wasserstein_dice_loss")
    z, y = map(torch.asarray, call.arrays)

    class Model(torch.nn.Module):
        def forward(self, z: Any, y: Any) -> Any:
            return call.function(z, y, **call.options)

    with autocast("bfloat16"):
        exported = torch.export.export(Model(), (z, y)).module()
        assert torch.allclose(exported(z, y), Model()(z, y))
    assert torch.allclose(exported(z, y), Model()(z, y))


def test_meta_tensors() -> None:
    with autocast("bfloat16"):
        for call in LOGITS:
            z, y = (torch.asarray(array).to("meta") for array in call.arrays)
            assert call.function(z, y, **call.options).dtype == torch.float32


def test_several_devices_may_cast_at_once() -> None:
    x = torch.ones(1, 300, dtype=torch.bool)
    before = torch.is_autocast_enabled("xpu")
    torch.set_autocast_enabled("xpu", True)
    try:
        with autocast("bfloat16"):
            assert dice_any.pairwise_overlap(x, x).intersection.tolist() == [[300]]
            assert torch.is_autocast_enabled("xpu")
            assert torch.is_autocast_enabled("cpu")
    finally:
        torch.set_autocast_enabled("xpu", before)


def test_what_others_compute_is_cast_as_before() -> None:
    x = torch.rand(4, 4)
    with autocast("bfloat16"):
        dice_any.dice_loss(x, x > 0.5)
        assert (x @ x).dtype == torch.bfloat16


def test_two_kinds_of_devices_are_cast_and_all_is_compiled() -> None:
    """As in Lightning: autocast is on for the GPU and for the CPU at the same time."""
    x, y = torch.rand(2, 3, 8), torch.randint(0, 3, (2, 8))

    def loss(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return dice_any.dice_loss(x, y, class_axis=1, activation="softmax")

    right = loss(x, y)
    devices = [device for device in ("cpu", "cuda") if not torch.is_autocast_enabled(device)]
    try:
        for device in devices:
            torch.set_autocast_enabled(device, True)
        assert torch.equal(loss(x, y), right)
        compiled = torch.compile(loss, fullgraph=True)
        assert torch.allclose(compiled(x, y), right, rtol=1e-6)
        assert all(map(torch.is_autocast_enabled, devices))
    finally:
        for device in devices:
            torch.set_autocast_enabled(device, False)
