"""Modules, deep supervision, and batch Dice over several processes."""

from __future__ import annotations

import copy
import doctest
import importlib
import pickle
from pathlib import Path

import pytest

import dice_any
from dice_any import conventions

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
        TypeError, match="`smoothing` must be an argument of `dice_loss`; .* Did you mean `smooth`"
    ):
        modules.DiceLoss(smoothing=1)
    with pytest.raises(TypeError, match="is of scores; pass `\\*\\*conventions.nnunet`."):
        modules.DiceLoss(class_axis=1, **conventions.nnunet_metric)
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


def test_examples_in_docstrings_run() -> None:
    result = doctest.testmod(importlib.import_module("dice_any.torch.deep_supervision"))
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
