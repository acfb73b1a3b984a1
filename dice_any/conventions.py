"""Presets: the defaults of other packages, in the arguments of this one.

Each is a read-only mapping of keyword arguments. What the arrays are (`class_axis`, `num_classes`,
`activation`) stays with the caller. A preset is overridden as a dictionary is:
``**conventions.monai | {"axis": None}``.

monai
    dice_loss: monai.losses.DiceLoss; DiceCELoss by dice_cross_entropy_loss
monai_batch
    dice_loss: monai.losses.DiceLoss(batch=True)
monai_jaccard
    jaccard_loss: monai.losses.DiceLoss(jaccard=True)
monai_tversky
    tversky_loss: monai.losses.TverskyLoss
monai_centerline
    centerline_dice_loss: monai.losses.SoftclDiceLoss
monai_wasserstein
    wasserstein_dice_loss: monai.losses.GeneralizedWassersteinDiceLoss
monai_metric
    dice_score, jaccard_score: monai.metrics.DiceMetric and MeanIoU, for each sample
monai_generalized
    generalized_dice_score: monai.metrics.GeneralizedDiceScore, for each sample
smp
    dice_loss, jaccard_loss: segmentation_models_pytorch.losses.DiceLoss and JaccardLoss
smp_tversky
    tversky_loss: segmentation_models_pytorch.losses.TverskyLoss
smp_lovasz
    lovasz_loss: segmentation_models_pytorch.losses.LovaszLoss("multiclass")
smp_metric
    dice_score, jaccard_score, ...: segmentation_models_pytorch.metrics.f1_score, iou_score, ...
nnunet
    dice_loss: 1 + the Dice term of nnU-Net's trainer; 1 + its Dice and cross-entropy by
    dice_cross_entropy_loss
nnunet_batch
    dice_loss: the same with batch_dice, the default of its 2d configuration
nnunet_metric
    dice_score, jaccard_score: nnU-Net's evaluation, for each case and class
kornia
    dice_loss: kornia.losses.dice_loss
kornia_macro
    dice_loss, tversky_loss: kornia.losses.dice_loss(average="macro") and tversky_loss, one
    sample
keras
    dice_loss: keras.losses.dice
keras_tversky
    tversky_loss: keras.losses.tversky
optax
    dice_loss: optax.losses.dice_loss, averaged over samples
optax_tversky
    tversky_loss: the same, in the form in which it takes alpha and beta
torchmetrics
    dice_score, jaccard_score: torchmetrics.functional.segmentation.dice_score and mean_iou
sklearn
    dice_score, jaccard_score, ...: sklearn.metrics.f1_score, jaccard_score, ... of masks or
    given labels=
scipy
    dice_score: 1 - scipy.spatial.distance.dice
scipy_jaccard
    jaccard_score: 1 - scipy.spatial.distance.jaccard
simpleitk
    dice_score, jaccard_score: SimpleITK.LabelOverlapMeasuresImageFilter, over all labels

The page "Conventions" of the documentation lists the versions compared, and what no preset can
reproduce.

Examples
--------
>>> import numpy as np
>>> from dice_any import conventions, dice_loss, dice_score
>>> dict(conventions.monai)
{'axis': 'space', 'smooth': 1e-05}
>>> conventions.monai | {"axis": None}
{'axis': None, 'smooth': 1e-05}
>>> prediction, target = np.array([[[0.75, 0.25], [0.25, 0.75]]]), np.array([[0, 0]])
>>> for preset in (conventions.monai, conventions.smp, conventions.optax):
...     print(round(float(dice_loss(prediction, target, class_axis=1, **preset)), 4))
0.6667
0.1667
0.2667
>>> prediction, target = np.array([[0, 1]]), np.array([[0, 0]])
>>> dice_score(prediction, target, num_classes=3, **conventions.monai_metric).round(4).tolist()
[0.6667]
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, NoReturn

Preset = MappingProxyType[str, Any]


def _preset(**arguments: Any) -> Preset:
    return MappingProxyType(arguments)


# MONAI: one ratio for each sample and class, their plain mean; a target without the class still
# counts
monai = _preset(axis="space", smooth=1e-5)
monai_batch = _preset(axis=None, smooth=1e-5)
# its jaccard=True is (2I + s)/(2·union + s): the textbook form with half the smoothing
monai_jaccard = _preset(axis="space", smooth=5e-6)
monai_tversky = _preset(axis="space", smooth=1e-5, alpha=0.5, beta=0.5)
# all channels of a sample in one ratio; it adds 1e-4 to the denominator of the harmonic mean, which
# nothing here does
monai_centerline = _preset(axis="space", average="micro", smooth=1.0, iterations=3)
monai_wasserstein = _preset(axis="space", smooth=1e-5)
# a sample without the class is left out whatever was predicted there
monai_metric = _preset(axis="space", average="macro", empty_target=float("nan"))
monai_generalized = _preset(axis="space", class_weight="square", empty=1.0)

# segmentation-models-pytorch: the whole batch at once; a class without target costs 0 and still
# divides the mean
smp = _preset(axis=None, smooth=0.0, form="minimum", absent="zero")
smp_tversky = _preset(axis=None, smooth=0.0, form="minimum", absent="zero", alpha=0.5, beta=0.5)
# the classes that the batch has; without an ignored label that is also the paper's
smp_lovasz = _preset(axis=None, absent="skip")
# its counts are those of each image
smp_metric = _preset(axis="space", empty=1.0)

# nnU-Net: its loss is the negative Dice, so ours is theirs + 1
nnunet = _preset(axis="space", smooth=1e-5, classes="foreground")
nnunet_batch = _preset(axis=None, smooth=1e-5, classes="foreground")
nnunet_metric = _preset(axis="space", classes="foreground")

# kornia: epsilon in the denominator only
kornia = _preset(axis="space", average="micro", smooth=(0.0, 1e-8))
kornia_macro = _preset(axis="space", absent="skip", smooth=(0.0, 1e-8))

# Keras: one ratio for everything; both empty costs 1
keras = _preset(axis=None, average="micro", smooth=(0.0, 1e-7))
keras_tversky = _preset(axis=None, average="micro", smooth=(0.0, 1e-7), alpha=0.5, beta=0.5)

# optax: (I + 1)/(I + fp/2 + fn/2 + 1), which is (2I + 2)/(X + Y + 2)
optax = _preset(axis="space", smooth=2.0)
optax_tversky = _preset(axis="space", smooth=1.0, alpha=0.5, beta=0.5)

# metrics only
torchmetrics = _preset(axis="space", average="macro")
sklearn = _preset(empty=0.0)
scipy = _preset(empty=float("nan"))
scipy_jaccard = _preset(empty=1.0)
simpleitk = _preset(average="micro", classes="foreground", empty=float("inf"))

__all__ = sorted(name for name, value in globals().items() if isinstance(value, MappingProxyType))


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(
        f"module {__name__!r} has no preset {name!r}; the presets are {', '.join(__all__)}."
    )
