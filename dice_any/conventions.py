"""Presets: the defaults of other packages, in the arguments of this one.

Each is a `Preset`: a read-only mapping of keyword arguments that knows which functions it is for.
The caller still describes the arrays (`class_axis`, `num_classes`, `activation`). Override a preset
as you would a dictionary: ``**conventions.monai | {"axis": None}``.

A preset for losses has a keyword that no score has (`smooth` or `absent`). A preset for scores has
one that no loss has (`empty` or `empty_target`). So a preset in a call of the other kind is an
error, which names the right preset.

monai
    dice_loss: monai.losses.DiceLoss; DiceCELoss by dice_cross_entropy_loss, DiceFocalLoss of
    sigmoid by dice_focal_loss
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
monai_matthews
    matthews_loss: monai.losses.MCCLoss
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
    dice_score, jaccard_score, precision_score, recall_score, specificity_score:
    segmentation_models_pytorch.metrics.f1_score, iou_score, precision, recall, specificity
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
    dice_score, jaccard_score, precision_score, recall_score, matthews_correlation:
    sklearn.metrics.f1_score, jaccard_score, ... of masks or given labels=
scipy
    dice_score: 1 - scipy.spatial.distance.dice
scipy_jaccard
    jaccard_score: 1 - scipy.spatial.distance.jaccard
simpleitk
    dice_score, jaccard_score, precision_score, recall_score:
    SimpleITK.LabelOverlapMeasuresImageFilter, over all labels

The page "Conventions" of the documentation lists the compared versions, and the results that no
preset can reproduce.

Examples
--------
>>> import numpy as np
>>> from dice_any import conventions, dice_loss, dice_score
>>> conventions.monai  # doctest: +NORMALIZE_WHITESPACE
<conventions.monai, of losses: dice_loss, dice_cross_entropy_loss, dice_focal_loss;
axis='space', smooth=1e-05>
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
>>> dice_score(prediction, target, num_classes=3, **conventions.monai)  # doctest: +ELLIPSIS
Traceback (most recent call last):
TypeError: `smooth` ... `conventions.monai` is of losses; pass `**conventions.monai_metric`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NoReturn


class Preset(Mapping[str, Any]):
    """Keyword arguments that give a package's numbers, and the functions they are for; immutable.

    Attributes
    ----------
    name : str
        Its name in `dice_any.conventions`.
    package : str
        The package: its name up to the first underscore.
    kind : {'loss', 'score'}
        The kind of its functions.
    functions : tuple of str
        The functions whose numbers were compared with the package's; the first one is the main one.
    """

    __slots__ = ("_arguments", "functions", "name")

    name: str
    functions: tuple[str, ...]
    _arguments: dict[str, Any]

    def __init__(self, name: str, functions: str, /, **arguments: Any) -> None:
        for slot, value in (
            ("name", name),
            ("functions", tuple(functions.split())),
            ("_arguments", arguments),
        ):
            object.__setattr__(self, slot, value)

    @property
    def package(self) -> str:
        return self.name.partition("_")[0]

    @property
    def kind(self) -> Literal["loss", "score"]:
        return "loss" if self.functions[0].endswith("_loss") else "score"

    def __getitem__(self, name: str) -> Any:
        return self._arguments[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arguments)

    def __len__(self) -> int:
        return len(self._arguments)

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self, **other} if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**other, **self} if isinstance(other, Mapping) else NotImplemented

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.items())
        plural = {"loss": "losses", "score": "scores"}[self.kind]
        return f"<conventions.{self.name}, of {plural}: {', '.join(self.functions)}; {arguments}>"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"`conventions.{self.name}` must stay as it is; got a new `{name}`.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"`conventions.{self.name}` must stay as it is; got no `{name}`.")

    def __reduce__(self) -> str:
        return self.name  # pickled and copied by its name in this module


# MONAI: one ratio for each sample and class, their plain mean; a target without the class still
# counts
monai = Preset(
    "monai", "dice_loss dice_cross_entropy_loss dice_focal_loss", axis="space", smooth=1e-5
)
monai_batch = Preset("monai_batch", "dice_loss", axis=None, smooth=1e-5)
# its jaccard=True is (2I + s)/(2·union + s): the textbook form with half the smoothing
monai_jaccard = Preset("monai_jaccard", "jaccard_loss", axis="space", smooth=5e-6)
monai_tversky = Preset(
    "monai_tversky", "tversky_loss", axis="space", smooth=1e-5, alpha=0.5, beta=0.5
)
# all channels of a sample in one ratio; MONAI adds 1e-4 to the denominator of the harmonic mean,
# which has no equivalent here
monai_centerline = Preset(
    "monai_centerline",
    "centerline_dice_loss",
    axis="space",
    average="micro",
    smooth=1.0,
    iterations=3,
)
monai_wasserstein = Preset("monai_wasserstein", "wasserstein_dice_loss", axis="space", smooth=1e-5)
# MONAI adds 1e-5 under the root, to a product of four sums, which has no equivalent here
monai_matthews = Preset("monai_matthews", "matthews_loss", axis="space", smooth=0.0)
# a sample without the class is left out whatever was predicted there
monai_metric = Preset(
    "monai_metric",
    "dice_score jaccard_score",
    axis="space",
    average="macro",
    empty_target=float("nan"),
)
monai_generalized = Preset(
    "monai_generalized", "generalized_dice_score", axis="space", class_weight="square", empty=1.0
)

# segmentation-models-pytorch: the whole batch at once; the loss of a class without target is 0 and
# still counts in the mean
smp = Preset("smp", "dice_loss jaccard_loss", axis=None, smooth=0.0, form="minimum", absent="zero")
smp_tversky = Preset(
    "smp_tversky",
    "tversky_loss",
    axis=None,
    smooth=0.0,
    form="minimum",
    absent="zero",
    alpha=0.5,
    beta=0.5,
)
# the classes in the batch; without an ignored label this is the paper's mean too
smp_lovasz = Preset("smp_lovasz", "lovasz_loss", axis=None, absent="skip")
# counts for each image
smp_metric = Preset(
    "smp_metric",
    "dice_score jaccard_score precision_score recall_score specificity_score",
    axis="space",
    empty=1.0,
)

# nnU-Net: its loss is the negative Dice, so ours is theirs + 1
nnunet = Preset(
    "nnunet", "dice_loss dice_cross_entropy_loss", axis="space", smooth=1e-5, classes="foreground"
)
nnunet_batch = Preset("nnunet_batch", "dice_loss", axis=None, smooth=1e-5, classes="foreground")
nnunet_metric = Preset(
    "nnunet_metric",
    "dice_score jaccard_score",
    axis="space",
    classes="foreground",
    empty=float("nan"),
)

# kornia: epsilon in the denominator only
kornia = Preset("kornia", "dice_loss", axis="space", average="micro", smooth=(0.0, 1e-8))
kornia_macro = Preset(
    "kornia_macro", "dice_loss tversky_loss", axis="space", absent="skip", smooth=(0.0, 1e-8)
)

# Keras: one ratio for everything; if both sets are empty, the loss is 1
keras = Preset("keras", "dice_loss", axis=None, average="micro", smooth=(0.0, 1e-7))
keras_tversky = Preset(
    "keras_tversky",
    "tversky_loss",
    axis=None,
    average="micro",
    smooth=(0.0, 1e-7),
    alpha=0.5,
    beta=0.5,
)

# optax: (I + 1)/(I + fp/2 + fn/2 + 1), which is (2I + 2)/(X + Y + 2)
optax = Preset("optax", "dice_loss", axis="space", smooth=2.0)
optax_tversky = Preset(
    "optax_tversky", "tversky_loss", axis="space", smooth=1.0, alpha=0.5, beta=0.5
)

# metrics only
torchmetrics = Preset(
    "torchmetrics", "dice_score jaccard_score", axis="space", average="macro", empty=float("nan")
)
sklearn = Preset(
    "sklearn",
    "dice_score jaccard_score precision_score recall_score matthews_correlation",
    empty=0.0,
)
scipy = Preset("scipy", "dice_score", empty=float("nan"))
scipy_jaccard = Preset("scipy_jaccard", "jaccard_score", empty=1.0)
simpleitk = Preset(
    "simpleitk",
    "dice_score jaccard_score precision_score recall_score",
    average="micro",
    classes="foreground",
    empty=float("inf"),
)

__all__ = sorted(name for name, value in globals().items() if isinstance(value, Preset))


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(
        f"module {__name__!r} has no preset {name!r}; the presets are {', '.join(__all__)}."
    )
