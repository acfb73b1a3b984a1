"""Cases where a package returns a value that is not meaningful, or that a preset cannot reproduce:
both values, side by side.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from peers import (
    CLASSES,
    SimpleITK,
    compound_losses,
    dice,
    jnp,
    keras,
    kornia,
    label_maps,
    logits,
    monai,
    optax,
    smp_losses,
    smp_metrics,
    torch,
    torchmetrics,
)

import dice_any
from dice_any import conventions, dice_loss, dice_score, generalized_dice_loss, tversky_loss

pytestmark = pytest.mark.filterwarnings("ignore")


def is_(value: object, expected: float) -> None:
    assert float(value) == pytest.approx(expected, abs=1e-4)


# -- MONAI -----------------------------------------------------------------------------------------


def test_monai_broadcasts_shapes_to_a_dice_above_1() -> None:
    x, y = torch.ones(1, 1, 1, 16, 16), torch.ones(1, 1, 12, 16, 16)
    is_(monai.metrics.compute_dice(x, y), 24 / 13)
    with pytest.raises(ValueError, match="Nothing is broadcast"):
        dice_score(x, y)


def test_monai_mask_enters_the_intersection_twice() -> None:
    sure, half = torch.ones(1, 1, 8, 8), torch.full((1, 1, 8, 8), 0.5)
    is_(monai.losses.MaskedDiceLoss()(sure, sure, half), 0.5)
    is_(dice_loss(sure, sure, weight=half, **conventions.monai), 0.0)


def test_monai_mask_of_labels_makes_background() -> None:
    """A masked label becomes 0 before the one-hot encoding, and 0 is a class."""
    z = torch.tensor([[[-20.0, 20.0], [20.0, -20.0]]])  # class 1, then class 0
    y, mask = torch.tensor([[1, 1]]), torch.tensor([[1, 0]])  # wrong only where it is masked
    theirs = monai.losses.MaskedDiceLoss(softmax=True, to_onehot_y=True)
    is_(theirs(z, y[:, None], mask[:, None].float()), 0.5)
    is_(
        dice_loss(z, y, class_axis=1, activation="softmax", weight=mask, **conventions.monai),
        0.0,
    )


def test_monai_weighs_classes_without_dividing_by_the_weights() -> None:
    z, y = logits(0), label_maps(0)
    weights = [2.0] * CLASSES
    plain = monai.losses.DiceLoss(softmax=True, to_onehot_y=True)(z, y[:, None])
    weighted = monai.losses.DiceLoss(softmax=True, to_onehot_y=True, weight=weights)(z, y[:, None])
    ours = dice_loss(
        z, y, class_axis=1, activation="softmax", class_weight=weights, **conventions.monai
    )
    is_(weighted, 2 * float(plain))
    is_(ours, float(plain))


def test_monai_generalized_loss_of_nothing_is_0_and_its_smoothing_drowns_large_classes() -> None:
    everything, nothing = torch.ones(1, 2, 8, 8), torch.zeros(1, 2, 8, 8)
    is_(monai.losses.GeneralizedDiceLoss()(everything, nothing), 0.0)
    is_(generalized_dice_loss(everything, nothing, class_axis=1, axis="space", smooth=1e-5), 1.0)
    # wrong everywhere, two classes of a million elements: 1e-5 beside weights of 1e-12
    wrong = torch.zeros(1, 2, 2000, 1000)
    wrong[:, 0, :1000] = wrong[:, 1, 1000:] = 1
    is_(monai.losses.GeneralizedDiceLoss()(wrong, wrong.flip(1)), 1 - 1e-5 / 1.4e-5)
    is_(generalized_dice_loss(wrong, wrong.flip(1), class_axis=1, axis="space", smooth=1e-5), 1.0)


def test_monai_generalized_loss_without_smoothing_is_ours() -> None:
    z, y = logits(0), label_maps(0)
    theirs = monai.losses.GeneralizedDiceLoss(
        softmax=True, to_onehot_y=True, smooth_nr=0, smooth_dr=0
    )(z, y[:, None])
    ours = generalized_dice_loss(z, y, class_axis=1, activation="softmax", axis="space", smooth=0)
    assert float(ours) == pytest.approx(float(theirs), abs=1e-6)


def test_monai_calls_a_metric_of_nothing_0() -> None:
    nothing = torch.zeros(2, 3, 8, 8)
    metric = monai.metrics.DiceMetric()
    metric(nothing, nothing)
    is_(metric.aggregate(), 0.0)
    ours = dice_score(nothing.bool(), nothing.bool(), class_axis=1, **conventions.monai_metric)
    assert ours.isnan().all()


# -- several at once -------------------------------------------------------------------------------


def test_half_precision_overflows() -> None:
    sure = torch.ones(1, 1, 512, 512, dtype=torch.float16)
    for theirs in (
        monai.losses.DiceLoss()(sure, sure),
        smp_losses.DiceLoss("multilabel", from_logits=False)(sure, sure),
        keras.losses.dice(sure, sure),
    ):
        assert theirs.isnan()
    for preset in (conventions.monai, conventions.smp, conventions.keras):
        is_(dice_loss(sure, sure, class_axis=1, **preset), 0.0)


def test_smp_everything_predicted_for_an_empty_target_is_free() -> None:
    everything, nothing = torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 8, 8)
    is_(smp_losses.DiceLoss("multilabel", from_logits=False)(everything, nothing), 0.0)
    is_(dice_loss(everything, nothing, class_axis=1, **conventions.smp), 0.0)
    is_(dice_loss(everything, nothing, class_axis=1, **conventions.smp | {"absent": "count"}), 1.0)


def test_a_soft_target_is_not_its_own_best_prediction() -> None:
    """Two classes of membership ½ everywhere, prediction equal to the target: loss ½ in four
    packages.
    """
    soft, z = torch.full((1, 2, 8, 8), 0.5), torch.zeros(1, 2, 8, 8)
    nnunet = dice.MemoryEfficientSoftDiceLoss(torch.sigmoid, ddp=False, smooth=1e-5)(z, soft)
    last = jnp.zeros((1, 8, 8, 2)), jnp.full((1, 8, 8, 2), 0.5)
    for theirs, tolerance in (
        (monai.losses.DiceLoss(softmax=True)(z, soft), 1e-4),
        (1 + nnunet, 1e-4),
        (keras.losses.dice(soft, soft), 1e-4),
        (optax.losses.dice_loss(*last)[0], 0.02),
    ):
        assert float(theirs) == pytest.approx(0.5, abs=tolerance)
    for preset in (conventions.monai, conventions.keras, conventions.optax):
        is_(dice_loss(soft, soft, class_axis=1, **preset | {"form": "minimum"}), 0.0)
    is_(monai.losses.DiceLoss(soft_label=True)(soft, soft), 0.0)  # has to be asked for


# -- one each --------------------------------------------------------------------------------------


def test_keras_tversky_has_alpha_and_beta_swapped() -> None:
    x, y = torch.tensor([1.0, 1, 1, 0, 0]), torch.tensor([1.0, 0, 0, 1, 0])
    is_(keras.losses.tversky(y, x, alpha=1, beta=0), 1 / 2)
    is_(tversky_loss(x, y, alpha=1, beta=0, smooth=(0, 1e-7)), 2 / 3)


def test_smp_weighted_macro_of_a_perfect_prediction_is_one_over_the_classes() -> None:
    labels = torch.arange(CLASSES).repeat(2, 3, 1)
    counts = smp_metrics.get_stats(labels, labels, mode="multiclass", num_classes=CLASSES)
    is_(
        smp_metrics.f1_score(*counts, reduction="macro", class_weights=[1.0] * CLASSES), 1 / CLASSES
    )
    is_(
        dice_score(
            labels, labels, num_classes=CLASSES, average="macro", **conventions.smp_metric
        ).mean(),
        1.0,
    )


def test_optax_refuses_probabilities_of_labels_that_overlap() -> None:
    x = jnp.full((1, 4, 4, 2), 0.75)
    with pytest.raises(ValueError, match="sum to 1"):
        optax.losses.dice_loss(x, jnp.ones_like(x), apply_softmax=False)
    is_(dice_loss(x, jnp.ones_like(x), class_axis=-1, **conventions.optax), 1 - 26 / 30)


def test_torchmetrics_generalized_dice_depends_on_the_order_of_samples() -> None:
    target = label_maps(0)
    prediction = torch.randint(0, CLASSES, target.shape, generator=torch.manual_seed(0))
    order = torch.tensor([2, 0, 3, 1])

    def theirs(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        function = torchmetrics.functional.segmentation.generalized_dice_score
        return function(x, y, num_classes=CLASSES, input_format="index")

    def ours(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return dice_any.generalized_dice_score(x, y, num_classes=CLASSES, axis="space")

    assert (
        theirs(prediction, target)[order] - theirs(prediction[order], target[order])
    ).abs().max() > 0.01
    assert torch.equal(ours(prediction, target)[order], ours(prediction[order], target[order]))
    present = torch.arange(CLASSES).repeat(4, 3, 1)  # every class everywhere: the same number
    shifted = torch.where(
        torch.rand(present.shape, generator=torch.manual_seed(0)) < 0.3,
        (present + 1) % CLASSES,
        present,
    )
    assert torch.allclose(theirs(shifted, present).double(), ours(shifted, present), atol=1e-6)


def test_kornia_macro_averages_samples_whose_classes_differ_in_number() -> None:
    z, y = logits(0), label_maps(0)
    arguments = {"class_axis": 1, "activation": "softmax", **conventions.kornia_macro}
    theirs = kornia.losses.dice_loss(z, y, average="macro")
    of_samples = [float(dice_loss(z[n : n + 1], y[n : n + 1], **arguments)) for n in range(len(z))]
    is_(theirs, sum(of_samples) / len(z))
    assert abs(float(dice_loss(z, y, **arguments)) - float(theirs)) > 0.001


def test_nnunet_ends_at_minus_1() -> None:
    sure = torch.tensor([[[[20.0, -20.0]], [[-20.0, 20.0]]]])
    y = torch.tensor([[[[0, 1]]]])
    soft_dice = {"smooth": 1e-5, "do_bg": False, "ddp": False}
    is_(
        compound_losses.DC_and_CE_loss(soft_dice, {}, dice_class=dice.MemoryEfficientSoftDiceLoss)(
            sure, y
        ),
        -1.0,
    )
    is_(dice_loss(sure, y[:, 0], class_axis=1, activation="softmax", **conventions.nnunet), 0.0)


def test_simpleitk_calls_a_label_of_neither_image_0() -> None:
    image = np.zeros((4, 4), np.uint8)
    theirs = SimpleITK.LabelOverlapMeasuresImageFilter()
    theirs.Execute(SimpleITK.GetImageFromArray(image), SimpleITK.GetImageFromArray(image))
    is_(theirs.GetDiceCoefficient(1), 0.0)
    assert theirs.GetDiceCoefficient() == math.inf
    assert np.isnan(dice_score(image, image, num_classes=2)[1])
