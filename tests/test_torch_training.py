"""Modules, deep supervision, and batch Dice over several processes."""

from __future__ import annotations

import copy
import doctest
import pickle
from functools import partial
from pathlib import Path

import pytest

import dice_any

torch = pytest.importorskip("torch")
modules = pytest.importorskip("dice_any.torch")


def example() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, 3, 8, 8, generator=generator), torch.randint(
        0, 3, (4, 8, 8), generator=generator
    )


MODULES = {
    "DiceLoss": (dice_any.dice_loss, {}),
    "JaccardLoss": (dice_any.jaccard_loss, {"axis": "space"}),
    "TverskyLoss": (dice_any.tversky_loss, {"alpha": 0.3, "beta": 0.7}),
    "FocalTverskyLoss": (dice_any.focal_tversky_loss, {"alpha": 0.3, "beta": 0.7, "gamma": 2.0}),
    "GeneralizedDiceLoss": (dice_any.generalized_dice_loss, {}),
    "LogDiceLoss": (dice_any.log_dice_loss, {}),
    "LogCoshDiceLoss": (dice_any.log_cosh_dice_loss, {}),
    "MatthewsLoss": (dice_any.matthews_loss, {}),
    "DiceCrossEntropyLoss": (dice_any.dice_cross_entropy_loss, {"cross_entropy_weight": 0.5}),
    "LovaszLoss": (dice_any.lovasz_loss, {"absent": "skip"}),
    "CenterlineDiceLoss": (dice_any.centerline_dice_loss, {"iterations": 1}),
    "WassersteinDiceLoss": (
        dice_any.wasserstein_dice_loss,
        {"distances": [[0, 1, 1], [1, 0, 0.5], [1, 0.5, 0]]},
    ),
    "DiceFocalLoss": (dice_any.dice_focal_loss, {"gamma": 1.0}),
}


@pytest.mark.parametrize("name", MODULES)
def test_module_is_its_function(name: str) -> None:
    function, arguments = MODULES[name]
    z, y = example()
    common = {"class_axis": 1, "activation": "softmax", **arguments}
    module = getattr(modules, name)(**common)
    assert torch.equal(module(z, y), function(z, y, **common))
    assert torch.equal(module(z, y, reduction="sum"), function(z, y, reduction="sum", **common))
    assert "activation='softmax'" in repr(module)


def test_every_loss_has_a_module() -> None:
    losses = {name for name in dice_any.__all__ if name.endswith("_loss")}
    assert {function.__name__ for function, _ in MODULES.values()} == losses


def test_class_weights_move_with_the_module() -> None:
    z, y = example()
    module = modules.DiceLoss(
        class_axis=1, activation="softmax", class_weight=torch.tensor([1.0, 2.0, 0.5])
    )
    assert module.to("meta").class_weight.device.type == "meta"
    module = modules.DiceLoss(
        class_axis=1, activation="softmax", class_weight=torch.tensor([1.0, 2.0, 0.5])
    )
    expected = dice_any.dice_loss(
        z, y, class_axis=1, activation="softmax", class_weight=[1.0, 2.0, 0.5]
    )
    assert torch.equal(module(z, y), expected)


def test_mistakes_are_told_when_the_module_is_made() -> None:
    with pytest.raises(
        TypeError, match="`smoothing` must be an argument of `dice_loss`; .* Known are .* smooth"
    ):
        modules.DiceLoss(smoothing=1)
    with pytest.raises(TypeError, match="`alpha` must be given to TverskyLoss"):
        modules.TverskyLoss(beta=0.5)


def test_a_module_that_becomes_half_keeps_its_arguments() -> None:
    z, y = example()
    weights = torch.tensor([1.0, 0.3, 0.7])
    module = modules.DiceLoss(
        class_axis=1, activation="softmax", class_weight=weights, weight=torch.rand(4, 8, 8)
    )
    expected = module(z, y)
    for change in (
        torch.nn.Module.half,
        torch.nn.Module.bfloat16,
        lambda m: m.to(torch.float16),
        torch.nn.Module.double,
    ):
        changed = change(copy.deepcopy(module))
        assert changed.class_weight.dtype == torch.float32
        assert torch.equal(changed(z, y), expected)
    assert torch.nn.Sequential(module).half()[0].class_weight.dtype == torch.float32
    assert module.to("meta").half().class_weight.device.type == "meta"


@pytest.mark.parametrize("name", MODULES)
def test_modules_travel(name: str) -> None:
    _, arguments = MODULES[name]
    z, y = example()
    module = getattr(modules, name)(
        class_axis=1, activation="softmax", class_weight=torch.tensor([1.0, 2.0, 0.5]), **arguments
    )
    expected = module(z, y)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(other(z, y), expected)
        assert repr(other) == repr(module)
    assert "class_weight=<tensor of shape (3,)>" in repr(module)
    assert module.state_dict() == {}
    assert torch.equal(module.eval()(z, y), expected)
    with pytest.raises(TypeError, match="positional"):
        module(z, y, None)


# -- deep supervision ------------------------------------------------------------------------------

SOFTMAX = {"class_axis": 1, "activation": "softmax"}


def outputs(*lengths: int) -> list[torch.Tensor]:
    return [torch.randn(4, 3, n, n, generator=torch.Generator().manual_seed(n)) for n in lengths]


def weighted_mean(
    losses: list[torch.Tensor], weights: tuple[float, ...] = (1, 0.5, 0.25)
) -> torch.Tensor:
    return sum(loss * w for loss, w in zip(losses, weights, strict=True)) / sum(weights)


def resized(target: torch.Tensor, *shape: int) -> torch.Tensor:
    """Resize the last axes as PyTorch does, with samples and classes in front."""
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
@pytest.mark.parametrize("class_axis", [0, 1, -1, None])
def test_the_class_axis_may_be_anywhere_or_nowhere(
    class_axis: int | None, kind: str, ndim: int
) -> None:
    if class_axis is None and kind == "labels":
        pytest.skip("label maps have classes")
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
    options = {"class_axis": class_axis, "activation": "sigmoid"}
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
                modules._nearest(given, torch.zeros(1, 3, new), 1), resized(given, new)
            )


@pytest.mark.parametrize(
    "dtype",
    [torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.int8, torch.int32, torch.bool],
)
def test_targets_of_every_type_are_resized(dtype: torch.dtype) -> None:
    target = torch.arange(12).reshape(1, 12).remainder(2).to(dtype)
    got = modules._nearest(target, torch.zeros(1, 2, 4), 1)
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
    for weights in ([1, -1], [0, 0], [1, float("nan")], [float("inf"), 1], []):
        with pytest.raises(
            ValueError, match="`weights` must be finite, not negative and not all 0"
        ):
            modules.DeepSupervision(loss, weights=weights)


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


def test_examples_in_docstrings_run() -> None:
    result = doctest.testmod(modules)
    assert result.attempted > 0
    assert result.failed == 0


def network() -> torch.nn.Module:
    torch.manual_seed(3)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Tanh(), torch.nn.Conv2d(4, 3, 1)
    ).double()


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(4, 1, 6, 6, generator=generator).double(), torch.randint(
        0, 3, (4, 6, 6), generator=generator
    )


def one_process(rank: int, folder: str) -> None:
    """Half of the batch on each of two processes."""
    import torch.distributed as dist

    from dice_any.distributed import all_reduce

    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    images, labels = (part.chunk(2)[rank] for part in batch())
    model = torch.nn.parallel.DistributedDataParallel(network())
    counts = dice_any.overlap(
        model(images), labels, class_axis=1, activation="softmax", exact=False
    )
    loss = dice_any.dice_loss(all_reduce(counts), class_weight="square")
    loss.backward()
    hard = dice_any.overlap(labels, labels.flip(0), num_classes=3)
    exact = dice_any.overlap(images.clamp(0, 1), images > 0.5)
    gradients = [parameter.grad for parameter in model.parameters()]
    torch.save(
        {
            "loss": loss.detach(),
            "gradients": gradients,
            "hard": all_reduce(hard).to_dict(),
            "exact": all_reduce(exact).to_dict(),
        },
        Path(folder) / f"{rank}.pt",
    )
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore")
def test_two_processes_are_one_on_the_joined_batch(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(one_process, args=(str(tmp_path),), nprocs=2)
    images, labels = batch()
    model = network()
    counts = dice_any.overlap(
        model(images), labels, class_axis=1, activation="softmax", exact=False
    )
    loss = dice_any.dice_loss(counts, class_weight="square")
    loss.backward()
    halves = labels.chunk(2)
    hard = sum(dice_any.overlap(half, half.flip(0), num_classes=3) for half in halves).to_dict()
    exact = dice_any.overlap(images.clamp(0, 1), images > 0.5).to_dict()
    for rank in range(2):
        got = torch.load(tmp_path / f"{rank}.pt")
        assert torch.allclose(got["loss"], loss, rtol=1e-12)
        for ours, theirs in zip(got["gradients"], model.parameters(), strict=True):
            assert torch.allclose(ours, theirs.grad, rtol=1e-9, atol=1e-14)
        assert got["hard"] == hard
        assert got["exact"] == exact


def test_other_libraries_are_told_what_to_do() -> None:
    numpy = pytest.importorskip("numpy")
    from dice_any.distributed import all_reduce

    with pytest.raises(
        TypeError,
        match=r"`overlap` must hold PyTorch tensors; got those of numpy. In JAX use `jax.lax.psum",
    ):
        all_reduce(dice_any.overlap(numpy.array([True]), numpy.array([True])))
