"""PyTorch: autograd, torch.func, torch.compile, export and meta tensors."""

from __future__ import annotations

from functools import partial

import pytest

import dice_any
from dice_any import conventions

torch = pytest.importorskip("torch")

LOSSES = {
    "dice": dice_any.dice_loss,
    "jaccard": dice_any.jaccard_loss,
    "tversky": lambda *a, **k: dice_any.tversky_loss(*a, alpha=0.3, beta=0.7, **k),
}


DISTANCES = [[0, 1, 1], [1, 0, 0.5], [1, 0.5, 0]]
#: losses that need more than the sums of an overlap, for logits (N, 3, H, W)
OTHERS = {
    "cross-entropy": partial(dice_any.dice_cross_entropy_loss, activation="softmax"),
    "focal": partial(dice_any.dice_focal_loss, activation="sigmoid", gamma=1.5),
    "lovasz": partial(dice_any.lovasz_loss, activation="softmax"),
    "lovasz, pooled": partial(
        dice_any.lovasz_loss, activation="softmax", average="micro", class_weight="simple"
    ),
    "hinge": partial(dice_any.lovasz_loss, activation="hinge"),
    "centerline": partial(dice_any.centerline_dice_loss, activation="softmax", iterations=1),
    "wasserstein": partial(
        dice_any.wasserstein_dice_loss, activation="softmax", distances=DISTANCES
    ),
}


def logits(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator, dtype=dtype)


def labels(*shape: int, classes: int = 3) -> torch.Tensor:
    return torch.randint(0, classes, shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("form", ["product", "minimum", "squared"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"activation": "softmax", "axis": "space"},
        {"activation": "sigmoid", "smooth": 0, "class_weight": "square"},
        {"activation": "softmax", "average": "micro", "class_weight": [1.0, 0.5, 2.0]},
        {"activation": "softmax", "ignore_label": 1, "absent": "skip", "classes": [0, 2]},
    ],
    ids=lambda options: ",".join(options) or "plain",
)
def test_gradients(name: str, form: str, options: dict) -> None:
    if name == "tversky" and form == "squared":
        pytest.skip("refused")
    z = logits(2, 3, 5, dtype=torch.float64)
    if "activation" not in options:
        z = torch.sigmoid(z)
    z.requires_grad_()
    y = labels(2, 5)
    assert torch.autograd.gradcheck(
        lambda z: LOSSES[name](z, y, class_axis=1, form=form, **options), z
    )


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"axis": "space", "ignore_label": 1, "classes": [2, 0], "absent": "skip"},
        {"reduction": "sum", "class_weight": [1.0, 0.5, 2.0], "weight": True},
    ],
    ids=["plain", "ignored", "weighted"],
)
def test_gradients_of_the_others(name: str, options: dict) -> None:
    loss, options = OTHERS[name], dict(options)
    z, y = logits(2, 3, 4, 5, dtype=torch.float64).requires_grad_(), labels(2, 4, 5)
    if options.pop("weight", False):
        options["weight"] = torch.rand(
            2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(6)
        )
    assert torch.autograd.gradcheck(lambda z: loss(z, y, class_axis=1, **options), z)
    (expected,) = torch.autograd.grad(loss(z, y, class_axis=1, **options), z)
    closed = dice_any.value_and_grad(loss.func)(z, y, class_axis=1, **{**loss.keywords, **options})[
        1
    ]
    assert torch.allclose(closed, expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_gradients_of_the_others_are_finite_where_nothing_is(name: str, dtype: torch.dtype) -> None:
    for scale, target, options in (
        (1, torch.full((2, 4, 5), 9), {"ignore_label": 9}),
        (1e4, labels(2, 4, 5), {}),
        (1e4, torch.zeros(2, 4, 5, dtype=torch.int64), {}),
    ):
        z = (logits(2, 3, 4, 5) * scale).to(dtype).requires_grad_()
        loss = OTHERS[name](z, target, class_axis=1, **options)
        (gradient,) = torch.autograd.grad(loss, z)
        assert torch.isfinite(loss)
        assert loss.dtype == torch.float32
        assert torch.isfinite(gradient).all()
        assert gradient.dtype == dtype


@pytest.mark.parametrize("name", OTHERS)
def test_transformations_of_the_others(name: str) -> None:
    z, y = logits(2, 3, 4, 5), labels(2, 4, 5)

    def loss(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return OTHERS[name](z, y, class_axis=1)

    expected = torch.func.grad(loss)(z, y)
    torch._dynamo.reset()  # it counts what it compiled for the others
    traced = z.clone().requires_grad_()
    torch.compile(loss, fullgraph=True, dynamic=True, backend="aot_eager")(traced, y).backward()
    assert torch.allclose(traced.grad, expected, atol=1e-7)
    each = torch.vmap(torch.func.grad(lambda z, y: loss(z[None], y[None])))(z, y)
    alone = [torch.func.grad(loss)(a[None], b[None])[0] for a, b in zip(z, y, strict=True)]
    assert torch.allclose(each, torch.stack(alone), atol=1e-7)
    _, tangent = torch.func.jvp(lambda z: loss(z, y), (z,), (expected,))
    assert torch.allclose(tangent, (expected**2).sum(), rtol=1e-4)
    assert loss(z.to("meta"), y.to("meta")).device.type == "meta"

    class Model(torch.nn.Module):
        def forward(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return loss(z, y)

    assert torch.allclose(torch.export.export(Model(), (z, y)).module()(z, y), loss(z, y))


@pytest.mark.parametrize("scale", [1, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_gradients_are_finite_where_nothing_is(
    activation: str, dtype: torch.dtype, scale: float
) -> None:
    z = (logits(2, 3, 6) * scale).to(dtype).requires_grad_()
    y = torch.full((2, 6), 9)
    for target, options in ((y, {"ignore_label": 9}), (torch.zeros_like(y), {})):
        loss = dice_any.dice_loss(
            z, target, class_axis=1, activation=activation, smooth=0, **options
        )
        (gradient,) = torch.autograd.grad(loss, z)
        assert torch.isfinite(loss)
        assert torch.isfinite(gradient).all()
        assert loss.dtype == torch.float32
    nothing = torch.zeros(4, requires_grad=True)
    (gradient,) = torch.autograd.grad(
        dice_any.dice_loss(nothing, nothing.detach(), smooth=0), nothing
    )
    assert gradient.tolist() == [0, 0, 0, 0]


def test_nan_at_ignored_elements_harms_no_gradient() -> None:
    z, y = logits(1, 3, 6), labels(1, 6)
    z[:, :, 2] = torch.nan
    y[:, 2] = 255
    z.requires_grad_()
    loss = dice_any.dice_loss(z, y, class_axis=1, activation="softmax", ignore_label=255)
    (gradient,) = torch.autograd.grad(loss, z)
    assert torch.isfinite(gradient).all()
    assert (gradient[:, :, 2] == 0).all()


def test_minimum_form_at_a_tie_pulls_by_half() -> None:
    x = torch.tensor([0.5, 0.2], dtype=torch.float64, requires_grad=True)
    overlap = dice_any.overlap(
        x, torch.tensor([0.5, 0.9], dtype=torch.float64), form="minimum", exact=False
    )
    (gradient,) = torch.autograd.grad(overlap.intersection, x)
    assert gradient.tolist() == [0.5, 1.0]


COMPILED = {
    "loss": lambda z, y: dice_any.dice_loss(z, y, class_axis=1, activation="softmax", axis="space"),
    "hard score": lambda z, y: dice_any.dice_score(
        z, y, class_axis=1, activation="argmax", average="macro"
    ),
    "soft score": lambda z, y: dice_any.jaccard_score(
        torch.sigmoid(z), torch.sigmoid(2 * z), class_axis=1
    ),
    "label maps": lambda z, y: dice_any.recall_score(y, y.flip(0), num_classes=3),
    "preset": lambda z, y: dice_any.dice_loss(
        z, y, class_axis=1, activation="softmax", **conventions.monai
    ),
    "preset, overridden": lambda z, y: dice_any.dice_loss(
        z, y, class_axis=1, activation="softmax", **conventions.monai | {"axis": None}
    ),
}


@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize("dynamic", [False, True])
def test_compile(name: str, dynamic: bool) -> None:
    function = COMPILED[name]
    compiled = torch.compile(function, fullgraph=True, dynamic=dynamic, backend="aot_eager")
    for size in (6, 7):
        z, y = logits(2, 3, size, size), labels(2, size, size)
        assert torch.equal(compiled(z, y), function(z, y))


@pytest.mark.parametrize("made", ["torch.Tensor.requires_grad_", "torch.nn.Parameter"])
def test_compile_backward_in_a_fresh_process(made: str) -> None:
    """All look-ups of the first call must be traceable too; a parameter's class has a metaclass."""
    import subprocess
    import sys

    code = (
        "import torch, dice_any, warnings; warnings.simplefilter('ignore')\n"
        "f = lambda z, y: dice_any.dice_loss(z, y, class_axis=1, activation='softmax')\n"
        f"z, y = {made}(torch.zeros(1, 2, 4)), torch.tensor([[0, 1, 1, 0]])\n"
        "torch.compile(f, fullgraph=True, backend='aot_eager')(z, y).backward()\n"
        "c = z.grad.clone(); z.grad = None; f(z, y).backward()\n"
        "print(torch.allclose(c, z.grad, atol=1e-7))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        == "True\n"
    )


def test_export() -> None:
    class Model(torch.nn.Module):
        def forward(self, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return COMPILED["loss"](z, y)

    z, y = logits(2, 3, 4, 4), labels(2, 4, 4)
    assert torch.equal(torch.export.export(Model(), (z, y)).module()(z, y), COMPILED["loss"](z, y))


def test_vmap_and_functional_gradients() -> None:
    z, y = logits(4, 3, 5), labels(4, 5)

    def loss(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return dice_any.dice_loss(z, y, class_axis=0, activation="softmax")

    each = torch.vmap(torch.func.grad(loss))(z, y)
    assert torch.allclose(
        each, torch.stack([torch.func.grad(loss)(a, b) for a, b in zip(z, y, strict=True)])
    )
    _, tangent = torch.func.jvp(lambda z: loss(z, y[0]), (z[0],), (torch.ones(3, 5),))
    assert abs(tangent) < 1e-6  # softmax does not see a constant
    scores = torch.vmap(lambda z, y: dice_any.dice_score(z > 0, y > 0))(z[:, 0], y)
    assert torch.equal(scores, dice_any.dice_score(z[:, 0] > 0, y > 0, axis="space"))


def test_meta_tensors_have_shapes_only() -> None:
    z = torch.empty(2, 3, 5, device="meta")
    assert dice_any.dice_score(z, z, class_axis=1, axis="space").shape == (2, 3)
    assert dice_any.dice_loss(z, z, class_axis=1).device.type == "meta"


def test_devices_must_agree() -> None:
    with pytest.raises(
        ValueError, match="`target` must be on the same device as `prediction`; got meta and cpu"
    ):
        dice_any.dice_score(torch.zeros(3), torch.zeros(3, device="meta"))


def test_autocast() -> None:
    z, y = logits(2, 3, 5), labels(2, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = dice_any.dice_loss(z, y, class_axis=1, activation="softmax")
    assert loss.dtype == torch.float32
    assert torch.equal(loss, dice_any.dice_loss(z, y, class_axis=1, activation="softmax"))
