"""Deep supervision: outputs, targets and weights in all shapes that networks return."""

from __future__ import annotations

from functools import partial

import pytest

import dice_any

torch = pytest.importorskip("torch")
modules = pytest.importorskip("dice_any.torch")
interpolate = torch.nn.functional.interpolate


def outputs(*sizes: tuple[int, ...], classes: int = 3) -> list[torch.Tensor]:
    return [
        torch.randn(2, classes, *size, generator=torch.Generator().manual_seed(i))
        for i, size in enumerate(sizes)
    ]


def labels(*size: int) -> torch.Tensor:
    return torch.randint(0, 3, (2, *size), generator=torch.Generator().manual_seed(9))


def resized(target: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    """PyTorch's own nearest neighbour, for targets with or without a class axis."""
    channels = target if target.ndim == len(size) + 2 else target[:, None]
    new = interpolate(channels.to(torch.float64), size=size, mode="nearest-exact").to(target.dtype)
    return new if target.ndim == len(size) + 2 else new[:, 0]


def expected(loss, heads, target, **arguments) -> torch.Tensor:
    parts = [loss(head, resized(target, tuple(head.shape[2:])), **arguments) for head in heads]
    shares = [0.5**k for k in range(len(heads))]
    return sum(share * part for share, part in zip(shares, parts, strict=True)) / sum(shares)


@pytest.mark.parametrize(
    "sizes",
    [((8,), (4,), (3,)), ((8, 6), (4, 3), (3, 2)), ((8, 6, 5), (4, 3, 2), (5, 2, 3)), ((4,), (9,))],
)
@pytest.mark.parametrize("kind", ["labels", "masks", "memberships"])
def test_targets_are_resized_as_pytorch_does(sizes, kind: str) -> None:
    heads, y = outputs(*sizes), labels(*sizes[0])
    target = y if kind == "labels" else torch.nn.functional.one_hot(y, 3).movedim(-1, 1)
    target = (
        target.bool() if kind == "masks" else target.float() if kind == "memberships" else target
    )
    loss = modules.DiceLoss(class_axis=1, activation="softmax")
    assert torch.allclose(
        modules.DeepSupervision(loss)(heads, target), expected(loss, heads, target)
    )


@pytest.mark.parametrize("place", [1, -1, -2, 0])
@pytest.mark.parametrize("how", ["module", "call", "partial", "function"])
def test_the_class_axis_may_be_anywhere(place: int, how: str) -> None:
    heads, y = outputs((8, 6), (4, 3)), labels(8, 6)
    plain = modules.DiceLoss(class_axis=1, activation="softmax")
    right = expected(plain, heads, y)
    moved = [head.movedim(1, place) for head in heads]
    if place == 0:
        moved, y = [head[:1].movedim(1, 0) for head in heads], y[:1]
        right = expected(plain, [head[:1] for head in heads], y)
    arguments = {"class_axis": place, "activation": "softmax"}
    loss = {
        "module": modules.DiceLoss(**arguments),
        "call": modules.DiceLoss(activation="softmax"),
        "partial": partial(dice_any.dice_loss, **arguments),
        "function": dice_any.dice_loss,
    }[how]
    given = {"call": {"class_axis": place}, "function": arguments}.get(how, {})
    assert torch.allclose(modules.DeepSupervision(loss)(moved, y, **given), right)


def test_without_classes() -> None:
    heads = [torch.rand(2, n, n, generator=torch.Generator().manual_seed(n)) for n in (8, 4)]
    y = torch.rand(2, 8, 8, generator=torch.Generator().manual_seed(1)) > 0.5
    loss = modules.DiceLoss()
    small = interpolate(y[:, None].double(), size=(4, 4), mode="nearest-exact")[:, 0].bool()
    right = (loss(heads[0], y) + loss(heads[1], small) / 2) / 1.5
    assert torch.allclose(modules.DeepSupervision(loss)(heads, y), right)


def test_one_tensor_is_one_output() -> None:
    (head,), y = outputs((8, 6)), labels(8, 6)
    loss = modules.DiceLoss(class_axis=1, activation="softmax")
    for criterion in (
        modules.DeepSupervision(loss),
        modules.DeepSupervision(loss, weights=[1, 0.5, 0.25]),
    ):
        assert torch.equal(criterion(head, y), loss(head, y))
    assert torch.equal(modules.DeepSupervision(loss)([head], y), loss(head, y))


@pytest.mark.parametrize("kind", ["labels", "masks"])
@pytest.mark.parametrize("class_axis", [1, -3])
def test_a_stack_of_outputs_is_told_apart(kind: str, class_axis: int) -> None:
    """(samples, outputs, classes, height, width), as MONAI's DynUNet returns in training."""
    heads, y = outputs((8, 6), (8, 6), (8, 6)), labels(8, 6)
    target = y if kind == "labels" else torch.nn.functional.one_hot(y, 3).movedim(-1, 1).bool()
    criterion = modules.DeepSupervision(
        modules.DiceLoss(class_axis=class_axis, activation="softmax")
    )
    stack = torch.stack(heads, dim=1)
    with pytest.raises(
        ValueError,
        match=r"`predictions` must be one output that fits the target.*`predictions.unbind\(1\)`",
    ):
        criterion(stack, target)
    assert torch.allclose(
        criterion(stack.unbind(1), target), expected(criterion.loss, heads, target)
    )


def test_targets_and_weights_of_each_scale() -> None:
    heads, targets = outputs((8, 6), (4, 3)), [labels(8, 6), labels(4, 3)]
    pixels = [torch.rand(2, 8, 6) + 0.1, torch.rand(2, 4, 3) + 0.1]
    loss = modules.DiceLoss(class_axis=1, activation="softmax")
    criterion = modules.DeepSupervision(loss)
    right = (loss(heads[0], targets[0]) + loss(heads[1], targets[1]) / 2) / 1.5
    assert torch.allclose(criterion(heads, targets), right)
    right = (
        sum(
            s * loss(h, t, weight=w)
            for s, h, t, w in zip((1, 0.5), heads, targets, pixels, strict=True)
        )
        / 1.5
    )
    assert torch.allclose(criterion(heads, targets, weight=pixels), right)
    small = interpolate(pixels[0][:, None].double(), size=(4, 3), mode="nearest-exact")[
        :, 0
    ].float()
    right = (
        loss(heads[0], targets[0], weight=pixels[0]) + loss(heads[1], targets[1], weight=small) / 2
    ) / 1.5
    assert torch.allclose(criterion(heads, targets, weight=pixels[0]), right)
    one = torch.tensor([1.0, 0.0]).reshape(2, 1, 1)  # a weight for each sample is not resized
    assert torch.isfinite(criterion(heads, targets[0], weight=one))


def test_gradients_reach_every_output() -> None:
    heads = [head.requires_grad_() for head in outputs((8, 6), (4, 3))]
    modules.DeepSupervision(modules.DiceLoss(class_axis=1, activation="softmax"))(
        heads, labels(8, 6)
    ).backward()
    assert all(head.grad.abs().sum() > 0 for head in heads)


@pytest.mark.parametrize(
    ("given", "target", "error", "message"),
    [
        (
            {"out": torch.zeros(2, 3, 8, 6)},
            labels(8, 6),
            TypeError,
            "`predictions` must be a tensor or a list of tensors",
        ),
        ([None], labels(8, 6), TypeError, "`predictions` must hold tensors"),
        ([], labels(8, 6), ValueError, "`predictions` must hold at least one output"),
        (
            outputs((8, 6), (4, 3)),
            [labels(8, 6)],
            ValueError,
            "`target` must be one tensor, or one for each of 2 outputs",
        ),
        (
            outputs((8, 6)),
            labels(8, 6)[:1].repeat(3, 1, 1),
            ValueError,
            "`target` must have the prediction's shape without its class axis",
        ),
    ],
    ids=["dictionary", "nothing", "none", "too few targets", "samples"],
)
def test_what_does_not_fit(given, target, error, message: str) -> None:
    criterion = modules.DeepSupervision(modules.DiceLoss(class_axis=1, activation="softmax"))
    with pytest.raises(error, match=message):
        criterion(given, target)


@pytest.mark.parametrize("weights", [[0, 0], [-1, 1], [float("nan")]])
def test_weights_that_are_none(weights) -> None:
    with pytest.raises(ValueError, match="`weights"):
        modules.DeepSupervision(modules.DiceLoss(), weights=weights)
