"""Every score preset against the package of its name, on label maps and masks."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from peers import (
    CLASSES,
    IGNORED,
    SimpleITK,
    evaluate_predictions,
    label_maps,
    monai,
    one_hot,
    scipy,
    sklearn,
    smp_metrics,
    torch,
    torchmetrics,
)

import dice_any
from dice_any import conventions

pytestmark = pytest.mark.filterwarnings("ignore")
Tensor = torch.Tensor
SEEDS = range(3)


def pair(seed: int, *, ignoring: bool = False) -> tuple[Tensor, Tensor]:
    """Return a prediction that is right in about half of the pixels, and a target; the prediction
    also finds class 3 in samples that have none, and the last class is in neither.
    """
    target = label_maps(seed, ignoring=ignoring)
    generator = np.random.default_rng(seed + 100)
    keep = torch.from_numpy(generator.random(target.shape) < 0.5)
    noise = torch.from_numpy(generator.integers(0, CLASSES - 1, target.shape))
    return torch.where(keep & (target != IGNORED), target, noise), target


def close(ours: object, theirs: object, tolerance: float = 1e-6) -> None:
    assert np.allclose(np.asarray(ours), np.asarray(theirs), rtol=0, atol=tolerance, equal_nan=True)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("score", "metric"),
    [
        (dice_any.dice_score, monai.metrics.DiceMetric),
        (dice_any.jaccard_score, monai.metrics.MeanIoU),
    ],
)
def test_monai_metric(score: Callable[..., Tensor], metric: type, seed: int) -> None:
    x, y = pair(seed)
    of_samples = score(x, y, num_classes=CLASSES, **conventions.monai_metric)
    theirs = metric()
    theirs(one_hot(x), one_hot(y))
    close(of_samples.nanmean(), theirs.aggregate())
    of_classes = score(x, y, num_classes=CLASSES, **conventions.monai_metric | {"average": None})
    close(of_classes, metric(reduction="none")(one_hot(x), one_hot(y)))
    counting = {"empty": 1.0, "empty_target": None, "average": None}
    of_classes = score(x, y, num_classes=CLASSES, **conventions.monai_metric | counting)
    close(of_classes, metric(reduction="none", ignore_empty=False)(one_hot(x), one_hot(y)))
    x, y = pair(seed, ignoring=True)
    of_classes = score(
        x,
        y,
        num_classes=CLASSES,
        ignore_label=IGNORED,
        **conventions.monai_metric | {"average": None},
    )
    close(of_classes, metric(reduction="none", ignore_index=IGNORED)(one_hot(x), one_hot(y)))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["square", "simple", "uniform"])
def test_monai_generalized(seed: int, kind: str) -> None:
    x, y = pair(seed)
    ours = dice_any.generalized_dice_score(
        x, y, num_classes=CLASSES, **conventions.monai_generalized | {"class_weight": kind}
    )
    theirs = monai.metrics.GeneralizedDiceScore(weight_type=kind)
    close(ours, theirs(one_hot(x).float(), one_hot(y).float())[:, 0])
    if kind == "square":
        assert conventions.monai_generalized["class_weight"] == kind
        theirs = monai.metrics.GeneralizedDiceScore()
        theirs(one_hot(x).float(), one_hot(y).float())
        close(ours.mean(), theirs.aggregate())
        nothing = torch.zeros(2, CLASSES, 4, 4)
        ours = dice_any.generalized_dice_score(
            nothing.bool(), nothing.bool(), class_axis=1, **conventions.monai_generalized
        )
        close(ours, theirs(nothing, nothing)[:, 0])
        close(ours, [1, 1])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("ignored", [None, IGNORED])
@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("dice_score", "f1_score"),
        ("jaccard_score", "iou_score"),
        ("precision_score", "precision"),
        ("recall_score", "recall"),
        ("specificity_score", "specificity"),
    ],
)
def test_smp_metric(name: str, metric: str, ignored: int | None, seed: int) -> None:
    x, y = pair(seed, ignoring=ignored is not None)
    counts = smp_metrics.get_stats(
        x, y, mode="multiclass", num_classes=CLASSES, ignore_index=ignored
    )
    ours = getattr(dice_any, name)(
        x, y, num_classes=CLASSES, ignore_label=ignored, **conventions.smp_metric
    )
    close(ours, getattr(smp_metrics, metric)(*counts))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("ignored", [None, IGNORED])
def test_nnunet_metric(ignored: int | None, seed: int) -> None:
    x, y = pair(seed, ignoring=ignored is not None)

    class Reader:
        def read_seg(self, array: np.ndarray) -> tuple[np.ndarray, dict[str, object]]:
            return array, {}

    arguments = {"num_classes": CLASSES, "ignore_label": ignored, **conventions.nnunet_metric}
    for key, score in (("Dice", dice_any.dice_score), ("IoU", dice_any.jaccard_score)):
        ours = score(x, y, **arguments)
        for n in range(len(x)):
            results = evaluate_predictions.compute_metrics(
                y[n].numpy(), x[n].numpy(), Reader(), [1, 2, 3, 4], ignored
            )
            close(ours[n], [results["metrics"][c][key] for c in (1, 2, 3, 4)])


@pytest.mark.parametrize("seed", SEEDS)
def test_torchmetrics(seed: int) -> None:
    x, y = pair(seed)
    theirs = torchmetrics.functional.segmentation
    arguments = {"num_classes": CLASSES, "input_format": "index"}
    ours = {"num_classes": CLASSES, **conventions.torchmetrics}
    close(dice_any.dice_score(x, y, **ours), theirs.dice_score(x, y, **arguments))
    close(dice_any.jaccard_score(x, y, **ours), theirs.mean_iou(x, y, **arguments))
    absent = {"average": None, "empty": -1.0}
    close(
        dice_any.jaccard_score(x, y, **ours | absent),
        theirs.mean_iou(x, y, per_class=True, **arguments),
    )
    for average in ("micro", "weighted"):
        close(
            dice_any.dice_score(x, y, **ours | {"average": average}),
            theirs.dice_score(x, y, average=average, **arguments),
        )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("average", [None, "macro", "micro", "weighted"])
def test_sklearn(seed: int, average: str | None) -> None:
    """For label maps, and for ignored pixels as weights, the numbers with `labels=`; for masks the
    defaults.
    """
    x, y = (a.numpy().ravel() for a in pair(seed))
    weight = np.random.default_rng(seed).random(x.shape) < 0.7
    arguments = {"labels": range(CLASSES), "average": average, "sample_weight": weight}
    ours = {"num_classes": CLASSES, "average": average, "weight": weight, **conventions.sklearn}
    for name, metric in (
        ("dice_score", sklearn.metrics.f1_score),
        ("jaccard_score", sklearn.metrics.jaccard_score),
        ("precision_score", sklearn.metrics.precision_score),
        ("recall_score", sklearn.metrics.recall_score),
    ):
        score = getattr(dice_any, name)
        close(score(x, y, **ours), metric(y, x, **arguments), 1e-12)
        for label in range(CLASSES):  # the last one is in neither
            close(
                score(x == label, y == label, **conventions.sklearn),
                metric(y == label, x == label),
                1e-12,
            )
    if average == "macro":  # the default leaves out what occurs in neither, as `empty=nan` does
        close(
            dice_any.dice_score(x, y, **ours | {"empty": math.nan, "weight": None}),
            sklearn.metrics.f1_score(y, x, average=average),
        )
    nothing = np.zeros(4, bool)
    close(
        dice_any.matthews_correlation(nothing, nothing, **conventions.sklearn),
        sklearn.metrics.matthews_corrcoef(nothing, nothing),
    )


def test_weighted_averages_of_a_target_without_the_classes() -> None:
    """All weights are 0: scikit-learn uses the plain mean, and a false positive has the score 0."""
    x, y = np.array([1, 1, 2, 0, 2]), np.zeros(5, int)
    ours = {"num_classes": 3, "average": "weighted", "classes": [1, 2], **conventions.sklearn}
    theirs = {"labels": [1, 2], "average": "weighted"}
    for name, metric in (
        ("dice_score", sklearn.metrics.f1_score),
        ("jaccard_score", sklearn.metrics.jaccard_score),
        ("precision_score", sklearn.metrics.precision_score),
        ("recall_score", sklearn.metrics.recall_score),
    ):
        assert float(getattr(dice_any, name)(x, y, **ours)) == metric(y, x, **theirs) == 0
    of_torchmetrics = torchmetrics.functional.classification
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    arguments = {"num_classes": 3, "average": "weighted", "ignore_index": 0}
    assert of_torchmetrics.multiclass_f1_score(x, y, **arguments) == 0
    assert of_torchmetrics.multiclass_jaccard_index(x, y, **arguments).isnan()  # 0 is ours


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("average", [None, "macro", "micro", "weighted"])
def test_torchmetrics_classification(seed: int, average: str | None) -> None:
    """The numbers of `torchmetrics.classification`, which returns 0 for 0/0 and leaves classes in
    neither array out of its macro average.
    """
    theirs = torchmetrics.functional.classification
    x, y = (a.ravel() for a in pair(seed))
    arguments = {"num_classes": CLASSES, "average": average}
    ours = arguments | {"empty": math.nan if average == "macro" else 0.0}
    for name, metric in (
        ("dice_score", theirs.multiclass_f1_score),
        ("jaccard_score", theirs.multiclass_jaccard_index),
        ("precision_score", theirs.multiclass_precision),
        ("recall_score", theirs.multiclass_recall),
        ("specificity_score", theirs.multiclass_specificity),
    ):
        if average == "macro" and name == "specificity_score":
            continue  # where the class is in neither array it is 1, and left out there
        close(getattr(dice_any, name)(x, y, **ours), metric(x, y, **arguments))
    for name, metric in (
        ("matthews_correlation", theirs.multiclass_matthews_corrcoef),
        ("cohen_kappa", theirs.multiclass_cohen_kappa),
    ):
        close(getattr(dice_any, name)(x, y, num_classes=CLASSES), metric(x, y, CLASSES))


def test_matthews_correlation_of_constant_predictions() -> None:
    """0/0 is 0 in scikit-learn; in torchmetrics it is 1 if all is right and -1 if all is wrong."""
    everything, some = np.ones(6, bool), np.array([1, 0, 1, 0, 0, 1], bool)
    theirs = torchmetrics.functional.classification.binary_matthews_corrcoef
    for x, y, of_torchmetrics in (
        (everything, some, 0),
        (~everything, some, 0),
        (some, everything, 0),
        (some, ~everything, 0),
        (everything, everything, 1),
        (~everything, ~everything, 1),
        (everything, ~everything, -1),
        (~everything, everything, -1),
    ):
        ours = float(dice_any.matthews_correlation(x, y, **conventions.sklearn))
        assert ours == sklearn.metrics.matthews_corrcoef(y, x) == 0
        assert math.isnan(dice_any.matthews_correlation(x, y))
        got = theirs(*(torch.from_numpy(a.astype(np.int64)) for a in (x, y)))
        assert float(got) == of_torchmetrics


@pytest.mark.parametrize("label", range(CLASSES))
def test_scipy(label: int) -> None:
    """The last class is in neither: NaN and 0."""
    distance = scipy.spatial.distance
    x, y = ((a == label).numpy().ravel() for a in pair(0))
    w = np.random.default_rng(0).random(x.shape) < 0.7
    close(1 - dice_any.dice_score(x, y, **conventions.scipy), distance.dice(x, y), 1e-12)
    close(
        1 - dice_any.jaccard_score(x, y, **conventions.scipy_jaccard), distance.jaccard(x, y), 1e-12
    )
    close(
        1 - dice_any.dice_score(x, y, weight=w, **conventions.scipy),
        distance.dice(x, y, w.astype(float)),
        1e-12,
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_simpleitk(seed: int) -> None:
    x, y = (a.numpy().astype(np.uint8) for a in pair(seed))
    theirs = SimpleITK.LabelOverlapMeasuresImageFilter()
    theirs.Execute(SimpleITK.GetImageFromArray(x), SimpleITK.GetImageFromArray(y))
    ours = {"num_classes": CLASSES, **conventions.simpleitk}
    close(dice_any.dice_score(x, y, **ours), theirs.GetDiceCoefficient(), 1e-12)
    close(dice_any.jaccard_score(x, y, **ours), theirs.GetJaccardCoefficient(), 1e-12)
    close(dice_any.recall_score(x, y, **ours), 1 - theirs.GetFalseNegativeError(), 1e-12)
    close(dice_any.precision_score(x, y, **ours), 1 - theirs.GetFalseDiscoveryRate(), 1e-12)
    empty = np.zeros((4, 4), np.uint8)
    image = SimpleITK.GetImageFromArray(empty)
    theirs.Execute(image, image)
    assert dice_any.dice_score(empty, empty, **ours) == theirs.GetDiceCoefficient() == math.inf
    assert (
        theirs.GetJaccardCoefficient() == np.finfo(np.float64).max
    )  # not inf: the preset cannot say both
