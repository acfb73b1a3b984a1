"""Losses that need more than the sums of an overlap, against other packages."""

from __future__ import annotations

from functools import partial

import pytest
from peers import (
    CLASSES,
    IGNORED,
    compound_losses,
    dice,
    label_maps,
    logits,
    monai,
    one_hot,
    smp_losses,
    torch,
)

import dice_any
from dice_any import conventions

pytestmark = pytest.mark.filterwarnings("ignore")

SOFTMAX = {"class_axis": 1, "activation": "softmax"}
SIGMOID = {"class_axis": 1, "activation": "sigmoid"}
DISTANCES = torch.tensor(
    [
        [0.0, 1, 1, 1, 1],
        [1, 0, 0.5, 0.5, 0.5],
        [1, 0.5, 0, 0.25, 0.5],
        [1, 0.5, 0.25, 0, 0.5],
        [1, 0.5, 0.5, 0.5, 0],
    ]
)


def both(ours: object, theirs: object, tolerance: float = 1e-6) -> None:
    assert float(ours) == pytest.approx(float(theirs), abs=tolerance, rel=tolerance)


# -- Dice and cross-entropy ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.5, 2.0)])
def test_monai_dice_and_cross_entropy(seed: int, weights: tuple[float, float]) -> None:
    z, y = logits(seed), label_maps(seed)
    theirs = monai.losses.DiceCELoss(
        to_onehot_y=True, softmax=True, lambda_dice=weights[0], lambda_ce=weights[1]
    )
    arguments = {
        "dice_weight": weights[0],
        "cross_entropy_weight": weights[1],
        **SOFTMAX,
        **conventions.monai,
    }
    both(dice_any.dice_cross_entropy_loss(z, y, **arguments), theirs(z, y[:, None]), 2e-6)


def test_monai_dice_and_cross_entropy_of_masks() -> None:
    z, target = logits(0), one_hot(label_maps(0)) | one_hot(label_maps(7))
    theirs = monai.losses.DiceCELoss(sigmoid=True)
    ours = partial(dice_any.dice_cross_entropy_loss, **SIGMOID, **conventions.monai)
    both(ours(z[:, :1], target[:, :1]), theirs(z[:, :1], target[:, :1].float()), 2e-6)
    # for several channels its Dice loss uses the sigmoid and its cross-entropy the softmax
    dice_part = monai.losses.DiceLoss(sigmoid=True)(z, target.float())
    softmax_part = torch.nn.functional.cross_entropy(z, target.float())
    both(theirs(z, target.float()), dice_part + softmax_part)
    binary_part = torch.nn.functional.binary_cross_entropy_with_logits(z, target.float())
    both(ours(z, target), dice_part + binary_part, 2e-6)


@pytest.mark.parametrize("ignoring", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_nnunet_dice_and_cross_entropy(seed: int, ignoring: bool) -> None:
    z, y = logits(seed), label_maps(seed, ignoring=ignoring)
    ignored = IGNORED if ignoring else None
    theirs = compound_losses.DC_and_CE_loss(
        {"smooth": 1e-5, "do_bg": False, "batch_dice": False, "ddp": False},
        {},
        ignore_label=ignored,
        dice_class=dice.MemoryEfficientSoftDiceLoss,
    )(z, y[:, None])
    both(
        dice_any.dice_cross_entropy_loss(
            z, y, ignore_label=ignored, **SOFTMAX, **conventions.nnunet
        )
        - 1,
        theirs,
        2e-6,
    )


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("classes", [None, [0.5, 1.0, 2.0, 1.0, 1.0]])
def test_cross_entropy_alone(seed: int, classes: list[float] | None) -> None:
    z, y = logits(seed), label_maps(seed, ignoring=True)
    weight = None if classes is None else torch.tensor(classes)
    theirs = torch.nn.functional.cross_entropy(z, y, weight=weight, ignore_index=IGNORED)
    ours = partial(
        dice_any.dice_cross_entropy_loss, dice_weight=0, ignore_label=IGNORED, class_weight=classes
    )
    both(ours(z, y, **SOFTMAX), theirs, 2e-6)


# -- Dice and focal loss ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_monai_dice_and_focal(seed: int) -> None:
    z, y = logits(seed), label_maps(seed)
    theirs = monai.losses.DiceFocalLoss(to_onehot_y=True, sigmoid=True)(z, y[:, None])
    both(dice_any.dice_focal_loss(z, y, **SIGMOID, **conventions.monai), theirs, 2e-6)
    ours = partial(dice_any.dice_focal_loss, z, y, **SOFTMAX, **conventions.monai)
    # its softmax focal loss is a mean over elements and classes, though an element has one class
    focal = monai.losses.FocalLoss(to_onehot_y=True, use_softmax=True)(z, y[:, None])
    both(ours(dice_weight=0, focal_weight=1 / CLASSES), focal, 2e-6)
    # and it combines the Dice of softmax with a focal loss of sigmoid
    theirs = monai.losses.DiceFocalLoss(to_onehot_y=True, softmax=True)(z, y[:, None])
    of_sigmoid = monai.losses.FocalLoss(to_onehot_y=True)(z, y[:, None])
    both(theirs, ours(focal_weight=0) + of_sigmoid, 2e-6)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_smp_focal(gamma: float) -> None:
    z, target = logits(0), one_hot(label_maps(0)) | one_hot(label_maps(7))
    theirs = smp_losses.FocalLoss("multilabel", gamma=gamma)(z, target.float())
    both(dice_any.dice_focal_loss(z, target, gamma=gamma, dice_weight=0, **SIGMOID), theirs, 2e-6)


# -- Lovász ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ignoring", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_smp_lovasz_softmax(seed: int, ignoring: bool) -> None:
    z, y = logits(seed), label_maps(seed, ignoring=ignoring)
    theirs = smp_losses.LovaszLoss("multiclass", ignore_index=IGNORED if ignoring else None)(z, y)
    known = {"ignore_label": IGNORED} if ignoring else {}
    both(dice_any.lovasz_loss(z, y, **known, **SOFTMAX, **conventions.smp_lovasz), theirs, 2e-6)


def test_smp_lovasz_hinge() -> None:
    z, y = logits(0)[:, 0], label_maps(0) > 0
    theirs = smp_losses.LovaszLoss("binary")(z, y.long())
    both(dice_any.lovasz_loss(z, y, activation="hinge"), theirs, 2e-6)
    theirs = smp_losses.LovaszLoss("binary", per_image=True)(z, y.long())
    both(dice_any.lovasz_loss(z, y, activation="hinge", axis="space"), theirs, 2e-6)


def test_gradients_of_lovasz() -> None:
    y = label_maps(0)
    a, b = logits(0).requires_grad_(), logits(0).requires_grad_()
    dice_any.lovasz_loss(a, y, **SOFTMAX, **conventions.smp_lovasz).backward()
    smp_losses.LovaszLoss("multiclass")(b, y).backward()
    assert torch.allclose(a.grad, b.grad, rtol=1e-4, atol=1e-7)


# -- centre-line Dice ------------------------------------------------------------------------------


@pytest.mark.parametrize("iterations", [0, 3])
@pytest.mark.parametrize("seed", range(3))
def test_monai_centerline(seed: int, iterations: int) -> None:
    z, y = logits(seed), label_maps(seed)
    theirs = monai.losses.SoftclDiceLoss(
        iter_=iterations, softmax=True, to_onehot_y=True, smooth=1e-9
    )(z, y[:, None])
    preset = conventions.monai_centerline | {"iterations": iterations}
    both(dice_any.centerline_dice_loss(z, y, **SOFTMAX, **preset), theirs, 2e-6)


def test_monai_centerline_default_adds_to_the_harmonic_mean() -> None:
    z, y = logits(0), label_maps(0)
    theirs = monai.losses.SoftclDiceLoss(softmax=True, to_onehot_y=True)(z, y[:, None])
    ours = dice_any.centerline_dice_loss(z, y, **SOFTMAX, **conventions.monai_centerline)
    assert 0 < float(theirs) - float(ours) < 1e-4


def test_monai_centerline_of_volumes() -> None:
    generator = torch.Generator().manual_seed(0)
    z, y = (
        torch.randn(2, 1, 5, 6, 7, generator=generator),
        torch.rand(2, 1, 5, 6, 7, generator=generator) < 0.6,
    )
    theirs = monai.losses.SoftclDiceLoss(sigmoid=True, smooth=1e-9)(z, y.float())
    both(
        dice_any.centerline_dice_loss(z, y, **SIGMOID, **conventions.monai_centerline), theirs, 2e-6
    )


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_monai_dice_and_centerline(seed: int, alpha: float) -> None:
    """Its compound loss is a sum of two losses, both with the smoothing of the second."""
    z, y = logits(seed), label_maps(seed)
    theirs = monai.losses.SoftDiceclDiceLoss(
        softmax=True, to_onehot_y=True, alpha=alpha, smooth=1e-9
    )(z, y[:, None])
    plain = dice_any.dice_loss(z, y, **SOFTMAX, **conventions.monai | {"smooth": 1.0})
    of_lines = dice_any.centerline_dice_loss(z, y, **SOFTMAX, **conventions.monai_centerline)
    both((1 - alpha) * plain + alpha * of_lines, theirs, 2e-6)


# -- masks, generalized Dice, Matthews -------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_monai_masked(seed: int) -> None:
    """A mask of 0 and 1 is a weight, where the target is one-hot."""
    z, y = logits(seed), label_maps(seed)
    mask = torch.rand(y.shape, generator=torch.manual_seed(seed)) < 0.7
    theirs = monai.losses.MaskedDiceLoss(softmax=True)
    a, b = z.clone().requires_grad_(), z.clone().requires_grad_()
    ours = dice_any.dice_loss(a, y, weight=mask, **SOFTMAX, **conventions.monai)
    expected = theirs(b, one_hot(y).float(), mask[:, None].float())
    both(ours, expected)
    ours.backward()
    expected.backward()
    assert torch.allclose(a.grad, b.grad, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kind", ["square", "simple", "uniform"])
@pytest.mark.parametrize("seed", range(3))
def test_monai_generalized_sample_by_sample(seed: int, kind: str) -> None:
    """Its smoothing is added to sums whose largest weight is that of the smallest class present.
    Our largest weight is 1, so the smoothing must be scaled.
    """
    z, y = logits(seed), label_maps(seed)
    theirs = monai.losses.GeneralizedDiceLoss(
        softmax=True, to_onehot_y=True, w_type=kind, reduction="none"
    )(z, y[:, None])
    for n in range(len(z)):
        sizes = torch.bincount(y[n].ravel())
        smallest = float(sizes[sizes > 0].min())
        smooth = 1e-5 * {"square": smallest**2, "simple": smallest, "uniform": 1.0}[kind]
        ours = dice_any.generalized_dice_loss(
            z[n : n + 1],
            y[n : n + 1],
            axis="space",
            smooth=smooth,
            class_weight=kind,
            **SOFTMAX,
        )
        both(ours, theirs[n])


@pytest.mark.parametrize("seed", range(3))
def test_monai_matthews(seed: int) -> None:
    z, y = logits(seed), label_maps(seed)
    a, b = z.clone().requires_grad_(), z.clone().requires_grad_()
    ours = dice_any.matthews_loss(a, y, **SOFTMAX, **conventions.monai_matthews)
    theirs = monai.losses.MCCLoss(softmax=True, to_onehot_y=True)(b, y[:, None])
    both(ours, theirs)
    if (
        seed < 2
    ):  # the logits of seed 2 are too large: a product of four float32 sums loses its last digits
        ours.backward()
        theirs.backward()
        assert torch.allclose(a.grad, b.grad, rtol=1e-3, atol=1e-6)


def test_monai_matthews_of_constant_predictions() -> None:
    """The loss of a collapsed batch is 1; if everything is right it is 0, if all is wrong 1."""
    everything = torch.ones(1, 1, 2, 3)
    some = torch.tensor([[[[1.0, 0, 1], [0, 0, 1]]]])
    theirs = monai.losses.MCCLoss()
    for x, y, expected in (
        (everything, some, 1),
        (1 - everything, some, 1),
        (some, everything, 1),
        (some, 1 - everything, 1),
        (everything, everything, 0),
        (1 - everything, 1 - everything, 0),
        (everything, 1 - everything, 1),
        (some, some, 0),
        (1 - some, some, 2),
    ):
        ours = dice_any.matthews_loss(x, y, class_axis=1, **conventions.monai_matthews)
        assert float(ours) == expected
        assert float(theirs(x, y)) == pytest.approx(expected, abs=1e-6)


# -- generalised Wasserstein Dice ------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_monai_wasserstein(seed: int) -> None:
    z, y = logits(seed), label_maps(seed)
    theirs = monai.losses.GeneralizedWassersteinDiceLoss(DISTANCES)(z, y[:, None])
    preset = conventions.monai_wasserstein
    both(
        dice_any.wasserstein_dice_loss(z, y, distances=DISTANCES, **SOFTMAX, **preset), theirs, 2e-6
    )


@pytest.mark.parametrize("seed", range(2))
def test_gradients_of_wasserstein(seed: int) -> None:
    y = label_maps(seed)
    a, b = logits(seed).requires_grad_(), logits(seed).requires_grad_()
    preset = conventions.monai_wasserstein
    dice_any.wasserstein_dice_loss(a, y, distances=DISTANCES, **SOFTMAX, **preset).backward()
    monai.losses.GeneralizedWassersteinDiceLoss(DISTANCES)(b, y[:, None]).backward()
    assert torch.allclose(a.grad, b.grad, rtol=1e-4, atol=1e-7)
