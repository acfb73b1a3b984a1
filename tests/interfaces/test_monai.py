"""Against MONAI itself: the same arguments, the same numbers, the same gradients."""

from __future__ import annotations

import copy
import doctest
import importlib
import inspect
import itertools
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dice_any

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import monai.losses
    import monai.metrics
    from monai.data import MetaTensor, decollate_batch

    ours = importlib.import_module("dice_any.interfaces.monai")

SHAPES = ((3, 4, 9), (2, 3, 6, 5), (2, 4, 3, 4, 5), (1, 2, 7, 3))
ACTIVATIONS: tuple[dict[str, bool], ...] = ({"softmax": True}, {"sigmoid": True}, {})
#: arguments of all losses of overlap, and of the Dice loss only
COMMON = {
    "include_background": (True, False),
    "batch": (False, True),
    "reduction": ("mean", "sum", "none"),
    "smooth_nr": (1e-5, 0.0, 1.0),
    "smooth_dr": (1e-5, 2.0),
}
OPTIONS: dict[str, dict[str, tuple[Any, ...]]] = {
    "DiceLoss": COMMON
    | {
        "squared_pred": (False, True),
        "jaccard": (False, True),
        "soft_label": (False, True),
        "weight": (None, 0.5, "classes"),
        "ignore_index": (None, 1, 255),
    },
    "TverskyLoss": COMMON
    | {
        "alpha": (0.5, 0.3),
        "beta": (0.5, 1.2),
        "soft_label": (False, True),
        "ignore_index": (None, 1),
    },
    "GeneralizedDiceLoss": COMMON
    | {"w_type": ("square", "simple", "uniform"), "soft_label": (False, True)},
    "DiceCELoss": COMMON
    | {
        "reduction": ("mean", "sum"),
        "squared_pred": (False, True),
        "jaccard": (False, False, True),
        "weight": (None, None, "tensor"),
        "lambda_dice": (1.0, 0.3),
        "lambda_ce": (1.0, 0.0, 2.0),
        "label_smoothing": (0.0, 0.0, 0.1),
    },
    "DiceFocalLoss": COMMON
    | {
        "reduction": ("mean", "sum"),
        "jaccard": (False, False, True),
        "squared_pred": (False, True),
        "weight": (None, None, 0.5, "classes"),
        "gamma": (2.0, 0.5),
        "lambda_focal": (1.0, 0.25),
        "alpha": (None, None, 0.25),
    },
    "GeneralizedDiceFocalLoss": COMMON
    | {"reduction": ("mean", "sum"), "w_type": ("square", "simple"), "gamma": (2.0, 1.0)},
}
SEEDS = range(60)


def drawn(name: str, seed: int) -> tuple[dict[str, Any], Any, Any]:
    """Return random arguments of a loss, an input and a target; classes are absent from samples."""
    chance = np.random.default_rng([seed, len(name)])
    shape = SHAPES[seed % len(SHAPES)] if seed % 7 else (2, 1, 4, 5)
    classes = shape[1]
    given = {key: chance.choice(np.array(v, dtype=object)) for key, v in OPTIONS[name].items()}
    activation = ACTIVATIONS[seed % 3 if name == "DiceLoss" else seed % 2]
    given |= activation
    if classes == 1:
        given |= {"softmax": False, "include_background": True}
        given |= {} if name in ("DiceLoss", "TverskyLoss") else {"sigmoid": True}
    labels = chance.integers(0, max(classes - 1, 2), (shape[0], 1, *shape[2:]))
    labels[0, 0, 0] = classes - 1
    given["to_onehot_y"] = classes > 1 and bool(seed % 4)
    ignored = given.get("ignore_index")
    if ignored is not None and given["smooth_nr"] != given["smooth_dr"]:
        given["smooth_dr"] = given["smooth_nr"] or 1e-5  # a case all ignored: see its own test
        given["smooth_nr"] = given["smooth_dr"]
    if ignored == 255 and (given["to_onehot_y"] or classes == 1):
        labels[chance.random(labels.shape) < 0.2] = 255
    if given["to_onehot_y"] or classes == 1:
        target = labels.astype(np.float32)
        if classes == 1 and ignored is None:
            target = (target > 0).astype(np.float32)
        elif classes == 1:
            target[target > 1] = 255 if ignored == 255 else 1
    elif given.get("soft_label") and name != "GeneralizedDiceLoss":
        target = chance.random(shape)
        given |= {} if given.get("ignore_index") is None else {"ignore_index": None}
    else:
        target = (labels == np.arange(classes).reshape(1, -1, *[1] * (len(shape) - 2))).astype(
            float
        )
    kept = classes - (0 if given["include_background"] or classes == 1 else 1)
    if given.get("weight") == "classes":
        given["weight"] = chance.random(kept).tolist() if kept > 1 else 0.5
    elif given.get("weight") == "tensor":
        given["weight"] = torch.from_numpy(chance.random(classes)).float() if classes > 1 else None
    if classes == 1:
        given.pop("label_smoothing", None)
    values = chance.normal(size=shape) * 2
    if (not activation and classes != 1) or not (given.get("softmax") or given.get("sigmoid")):
        values = chance.random(shape)
    return given, torch.from_numpy(values).float(), torch.from_numpy(target).float()


def compared(loss: Any, x: Any, y: Any) -> tuple[Any, Any]:
    x = x.clone().requires_grad_()
    value = loss(x, y)
    value.sum().backward()
    return value.detach(), x.grad


@pytest.mark.filterwarnings("ignore:single channel prediction")
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", OPTIONS)
def test_losses_are_those_of_monai(name: str, seed: int) -> None:
    given, x, y = drawn(name, seed)
    theirs = compared(getattr(monai.losses, name)(**given), x, y)
    got = compared(getattr(ours, name)(**given), x, y)
    assert got[0].shape == theirs[0].shape
    assert got[0].dtype == theirs[0].dtype
    scale = max(1.0, float(theirs[0].abs().max()))
    assert torch.allclose(got[0], theirs[0], rtol=0, atol=1e-6 * scale), given
    scale = max(1.0, float(theirs[1].abs().max()))
    assert torch.allclose(got[1], theirs[1], rtol=1e-4, atol=1e-6 * scale), given
    assert float(theirs[1].abs().max()) > 0 or given.get("soft_label")


@pytest.mark.parametrize("name", OPTIONS)
def test_a_loss_is_one_of_monais(name: str) -> None:
    mine, theirs = getattr(ours, name), getattr(monai.losses, name)
    assert issubclass(mine, theirs)
    assert inspect.signature(mine) == inspect.signature(theirs)
    loss, other = mine(sigmoid=True), theirs(sigmoid=True)
    assert loss.state_dict().keys() == other.state_dict().keys()
    copied = copy.deepcopy(loss).half()
    x = torch.tensor([[[0.5, -1.0, 2.0], [1.0, 0.0, -2.0]]])
    y = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]])
    assert torch.equal(copied(x, y), loss(x, y))


@pytest.mark.parametrize("name", OPTIONS)
def test_other_activations_are_refused(name: str) -> None:
    with pytest.raises(
        ValueError,
        match=r"`other_act` must be None here, .*; got a function. Apply it to the output: "
        r"`loss\(act\(output\), target\)`",
    ):
        getattr(ours, name)(other_act=torch.tanh)


@pytest.mark.parametrize("arguments", [{"sigmoid": True, "softmax": True}, {"reduction": "median"}])
def test_what_monai_refuses_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="more than 1 of|not a valid LossReduction"):
        ours.DiceLoss(**arguments)


def batch(classes: int = 3) -> tuple[Any, Any]:
    chance = np.random.default_rng(5)
    logits = torch.from_numpy(chance.normal(size=(2, classes, 4, 5))).float()
    return logits, torch.from_numpy(chance.integers(0, classes, (2, 1, 4, 5)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int32", "int64", "bool"])
def test_labels_of_every_dtype(dtype: str) -> None:
    logits, labels = batch(2)
    loss = ours.DiceCELoss(to_onehot_y=True, softmax=True)
    expected = monai.losses.DiceCELoss(to_onehot_y=True, softmax=True)(logits, labels)
    got = loss(logits, labels.to(getattr(torch, dtype)))
    assert float(got) == pytest.approx(float(expected), abs=1e-6)


def test_meta_tensors_are_taken_and_plain_ones_come_back() -> None:
    logits, labels = batch()
    loss = ours.DiceLoss(to_onehot_y=True, softmax=True)
    given = MetaTensor(logits, affine=torch.eye(4)), MetaTensor(labels.float())
    value = loss(*given)
    assert type(value) is torch.Tensor
    assert torch.equal(value, loss(logits, labels))
    metric = ours.DiceMetric(num_classes=3)
    scores = metric(MetaTensor(labels.flip(0)), given[1])
    assert type(scores) is torch.Tensor
    assert torch.equal(scores, ours.DiceMetric(num_classes=3)(labels.flip(0), labels))


def test_a_network_is_trained_at_several_resolutions() -> None:
    """By MONAI's own wrapper, which resizes the labels."""
    outputs = [batch()[0], batch()[0][..., ::2, ::2]]
    given = {"to_onehot_y": True, "softmax": True}
    losses = [
        monai.losses.DeepSupervisionLoss(home.DiceCELoss(**given))(outputs, batch()[1].float())
        for home in (ours, monai.losses)
    ]
    assert float(losses[0]) == pytest.approx(float(losses[1]), abs=1e-6)


def test_an_input_in_half_precision_does_not_overflow() -> None:
    x = torch.ones(1, 1, 512, 512, dtype=torch.float16)
    assert torch.isnan(monai.losses.DiceLoss()(x, x))
    assert float(ours.DiceLoss()(x, x)) == pytest.approx(0, abs=1e-6)


def test_a_case_of_which_everything_is_ignored_costs_nothing() -> None:
    """MONAI's loss depends on the smoothing: 1 − a / b."""
    logits, labels = batch()
    labels[1] = 9
    given = {"to_onehot_y": True, "softmax": True, "ignore_index": 9, "reduction": "none"}
    loss = ours.DiceLoss(**given, smooth_nr=1.0, smooth_dr=2.0)(logits, labels)
    theirs = monai.losses.DiceLoss(**given, smooth_nr=1.0, smooth_dr=2.0)(logits, labels)
    assert torch.allclose(loss[0], theirs[0], atol=1e-6)
    assert theirs[1].ravel().tolist() == [0.5] * 3
    assert loss[1].ravel().tolist() == [0.0] * 3


REFUSED: dict[str, tuple[Any, str]] = {
    "no activation": (
        lambda x, y: ours.DiceLoss(to_onehot_y=True)(x, y),
        "`input` must hold memberships in .*; got .* For logits pass `softmax=True`, or "
        "`sigmoid=True` if classes overlap",
    ),
    "no one-hot": (
        lambda x, y: ours.DiceLoss(softmax=True)(x, y),
        r"`target` must have the shape of the input, \(2, 3, 4, 5\); got \(2, 1, 4, 5\). For "
        r"labels of shape \(N, 1, ...\) pass `to_onehot_y=True`",
    ),
    "no channel": (
        lambda x, y: ours.DiceLoss(softmax=True, to_onehot_y=True)(x, y[:, 0]),
        r"`target` must have one channel of labels; got shape \(2, 4, 5\). Pass `target\[",
    ),
    "fractions": (
        lambda x, y: ours.DiceLoss(softmax=True, to_onehot_y=True)(x, y + 0.5),
        "`target` must hold whole numbers, as labels are; got others. Resample label maps with",
    ),
    "a label too high": (
        lambda x, y: ours.DiceLoss(softmax=True, to_onehot_y=True)(x, y + 1),
        "`target` must",
    ),
    "a mask of 255": (
        lambda x, y: ours.DiceLoss(sigmoid=True)(x[:, :1], 255 * (y > 0).long()),
        "`target` must",
    ),
    "class weights": (
        lambda x, y: ours.DiceLoss(softmax=True, to_onehot_y=True, weight=[1.0, 2.0])(x, y),
        "`weight` must hold one number for each of 3 classes that take part; got 2",
    ),
    "a negative weight": (
        lambda x, y: ours.DiceLoss(softmax=True, to_onehot_y=True, weight=-1.0)(x, y),
        "`weight` must not be negative",
    ),
    "a soft prediction": (
        lambda x, y: ours.DiceMetric()(x.softmax(1), y),
        "`y_pred` must be binary, or labels with `num_classes=`; got other numbers. Threshold it",
    ),
    "one axis": (
        lambda x, y: ours.DiceMetric()(y[:, 0, 0], y),
        "`y_pred` must have a batch, a channel and a spatial axis; got 2 axes",
    ),
}


def one_hot(y: Any, number: int) -> Any:
    return torch.cat([y == c for c in range(3)], dim=1).float() * number


REFUSED |= {
    "a mask of 255 with a label to ignore": (
        lambda x, y: ours.DiceLoss(sigmoid=True, ignore_index=1)(x, one_hot(y, 255)),
        "`target` must hold memberships in .*For a mask compare: `target > 0`",
    ),
    "no number with a label to ignore": (
        lambda x, y: ours.DiceMetric(ignore_index=1)(one_hot(y, 1), one_hot(y, 1) * torch.nan),
        "`y` must hold memberships",
    ),
    "no batch": (
        lambda x, y: ours.DiceLoss(sigmoid=True)(x[0, 0, 0], y[0, 0, 0]),
        r"`input` must have a batch and a channel axis; got shape \(5,\). Pass `input\[None, No",
    ),
    "a target without a batch": (
        lambda x, y: ours.DiceMetric()(one_hot(y, 1), y[0, 0, 0]),
        "`y` must have a batch and a channel axis, as `y_pred`; got 1 axes",
    ),
    "fewer targets than cases": (
        lambda x, y: ours.DiceMetric(num_classes=3)(list(y), list(y)[:1]),
        "`y` must hold as many cases as `y_pred`, 2; got 1. Pass the target of each case",
    ),
    "classes beside a background": (
        lambda x, y: ours.OverlapMetric(dice_any.dice_score, include_background=False, classes=[1]),
        "`classes` must be left out beside `include_background=False`, which .*Pass one of both",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_input_is_refused(name: str) -> None:
    call, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        call(*batch())


def test_what_is_no_integer_is_refused() -> None:
    logits, labels = batch()
    for given in ({"to_onehot_y": True}, {}):
        target = labels if given else one_hot(labels, 1)
        with pytest.raises(TypeError, match="`ignore_index` must be an integer; got str"):
            ours.DiceLoss(softmax=True, ignore_index="1", **given)(logits, target)
    for name, given in (("ignore_index", {"num_classes": 3}), ("num_classes", {})):
        with pytest.raises(TypeError, match=f"`{name}` must be an integer; got str"):
            ours.DiceMetric(**{name: "1"}, **given)(labels, labels)


def test_complex_numbers_are_refused_on_both_sides() -> None:
    """The real part alone is no answer; PyTorch would take it."""
    logits, labels = batch()
    members = one_hot(labels, 1)
    for name, x, y in (("input", logits * 1j, members), ("target", logits, members * 1j)):
        with pytest.raises(TypeError, match=f"`{name}` must be boolean, integer or floating; got"):
            ours.DiceLoss(sigmoid=name == "target")(x, y)


def test_integers_are_memberships_on_both_sides() -> None:
    """As in MONAI; Booleans as a target with a label to ignore too."""
    labels = batch()[1]
    members = one_hot(labels, 1)
    for x, y in ((members.long(), members.flip(0)), (members.long(), members.flip(0).int())):
        expected = monai.losses.DiceLoss()(members, members.flip(0))
        assert float(ours.DiceLoss()(x, y)) == pytest.approx(float(expected), abs=1e-6)
    given = {"ignore_index": 1, "smooth_nr": 1e-5}
    expected = monai.losses.DiceLoss(**given)(members, members.flip(0))
    got = ours.DiceLoss(**given)(members, members.flip(0).bool())
    assert float(got) == pytest.approx(float(expected), abs=1e-6)


def test_a_loss_compiles_without_a_break() -> None:
    logits, labels = batch()
    loss = ours.DiceCELoss(to_onehot_y=True, softmax=True)
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    assert float(compiled(logits, labels)) == pytest.approx(float(loss(logits, labels)), abs=1e-6)


# -- metrics --------------------------------------------------------------------------------------

REDUCTIONS = ("mean", "sum", "mean_batch", "sum_batch", "mean_channel", "sum_channel", "none")


def cases(seed: int, classes: int) -> tuple[Any, Any]:
    """Label maps (N, 1, H, W), the last class in one case only."""
    chance = np.random.default_rng([seed, 77])
    x, y = chance.integers(0, classes - 1, (2, 4, 1, 6, 5))
    x[0, 0, 0], y[0, 0, 0], y[1] = classes - 1, classes - 1, 0
    return torch.from_numpy(x), torch.from_numpy(y)


def channels(labels: Any, classes: int) -> Any:
    return torch.cat([labels == c for c in range(classes)], dim=1).float()


def both(name: str, given: dict[str, Any], x: Any, y: Any) -> None:
    mine, theirs = getattr(ours, name)(**given), getattr(monai.metrics, name)(**given)
    for metric in (mine, theirs):
        assert isinstance(metric, monai.metrics.CumulativeIterationMetric)
    for start in (0, 2):
        scores, expected = (
            metric(x[start : start + 2], y[start : start + 2]) for metric in (mine, theirs)
        )
        assert scores.dtype == expected.dtype
        assert torch.allclose(scores, expected, atol=1e-6, rtol=0, equal_nan=True)
    ends = mine.aggregate(), theirs.aggregate()
    if isinstance(ends[1], dict):
        assert ends[0] == ends[1]
        return
    pairs = zip(*ends, strict=True) if isinstance(ends[1], tuple) else [ends]
    for got, expected in pairs:
        assert torch.allclose(got, expected, atol=1e-6, rtol=0, equal_nan=True)
    mine.reset()
    assert len(mine) == 0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_dice_metric_is_that_of_monai(reduction: str, seed: int) -> None:
    x, y = cases(seed, 4)
    for background, empty, not_nans in itertools.product((True, False), repeat=3):
        given = {
            "include_background": background,
            "ignore_empty": empty,
            "get_not_nans": not_nans,
            "reduction": reduction,
        }
        both("DiceMetric", given, channels(x, 4), channels(y, 4))
        both("DiceMetric", given, channels(x, 4), y.float())
        both("DiceMetric", given | {"num_classes": 4}, x, y)
        both("DiceMetric", given | {"num_classes": 4}, x, channels(y, 4))
        both("DiceMetric", given | {"num_classes": 4, "ignore_index": 1}, x, y)
        both("DiceMetric", given | {"ignore_index": 1}, channels(x, 4), channels(y, 4))
        both("MeanIoU", given, channels(x, 4), channels(y, 4))
        both("MeanIoU", given | {"ignore_index": 1}, channels(x, 4), channels(y, 4))
    masks = (x > 0).float(), (y > 0).float()
    both("DiceMetric", {"reduction": reduction}, *masks)
    both("DiceMetric", {"reduction": reduction, "include_background": False}, *masks)
    both("MeanIoU", {"reduction": reduction, "ignore_empty": False}, *masks)
    for weight in ("square", "simple", "uniform"):
        given = {"reduction": reduction, "weight_type": weight}
        both("GeneralizedDiceScore", given, channels(x, 4), channels(y, 4))
        given["include_background"] = False
        both("GeneralizedDiceScore", given, channels(x, 4), channels(y, 4))


@pytest.mark.filterwarnings("ignore:Voronoi")
def test_soft_targets_names_and_components() -> None:
    x, y = cases(1, 3)
    soft = torch.rand(4, 3, 6, 5, generator=torch.Generator().manual_seed(1))
    both("DiceMetric", {}, channels(x, 3), soft)
    named = {"reduction": "mean_batch", "return_with_label": ["wall", "pool", "rest"]}
    both("DiceMetric", named, channels(x, 3), channels(y, 3))
    named["return_with_label"] = True
    both("DiceMetric", named | {"num_classes": 3, "include_background": False}, x, y)
    pytest.importorskip("scipy")
    two = channels((x > 0).long(), 2), channels((y > 0).long(), 2)
    both("DiceMetric", {"per_component": True}, *two)


def test_decollated_lists() -> None:
    x, y = cases(3, 3)
    metric, theirs = ours.DiceMetric(), monai.metrics.DiceMetric()
    pairs = MetaTensor(channels(x, 3)), MetaTensor(channels(y, 3))
    lists = [decollate_batch(pair) for pair in pairs]
    assert torch.allclose(
        metric(y_pred=lists[0], y=lists[1]), theirs(y_pred=lists[0], y=lists[1]), equal_nan=True
    )
    assert metric.aggregate().item() == pytest.approx(theirs.aggregate().item(), abs=1e-6)


@pytest.mark.parametrize("background", [True, False])
def test_every_score_is_a_metric(background: bool) -> None:
    """Recall and precision as in MONAI's confusion matrix metric; accuracy by counting."""
    x, y = cases(2, 3)
    for score, name in ((dice_any.recall_score, "recall"), (dice_any.precision_score, "precision")):
        given = {"include_background": background, "reduction": "mean_batch"}
        metric = ours.OverlapMetric(score, num_classes=3, **given)
        theirs = monai.metrics.ConfusionMatrixMetric(metric_name=name, compute_sample=True, **given)
        metric(x, y)
        theirs(channels(x, 3), channels(y, 3))
        assert torch.allclose(metric.aggregate(), theirs.aggregate()[0], atol=1e-6)
    metric = ours.OverlapMetric(dice_any.accuracy_score, num_classes=3, get_not_nans=True)
    assert metric(x, y).shape == (4, 1)
    value, counted = metric.aggregate()
    assert float(value) == pytest.approx(int((x == y).sum()) / x.numel(), abs=1e-6)
    assert float(counted) == 4
    with pytest.raises(TypeError, match="`betta` must be an argument of `f_score`"):
        ours.OverlapMetric(dice_any.f_score, betta=2)


def test_classes_of_a_metric() -> None:
    """They are counted from 0, however many the first batch has."""
    x, y = cases(2, 4)
    expected = [int(((x == c) & (y == c)).sum()) for c in (3, 1)]
    sizes = [int((x == c).sum() + (y == c).sum()) for c in (3, 1)]
    for given, pair in (({"num_classes": 4}, (x, y)), ({}, (channels(x, 4), channels(y, 4)))):
        pooled = [torch.cat(list(array), dim=-1)[None] for array in pair]
        metric = ours.OverlapMetric(dice_any.dice_score, classes=[3, 1], **given)
        scores = metric(*pooled)[0]
        for got, both_have, size in zip(scores, expected, sizes, strict=True):
            assert float(got) == pytest.approx(2 * both_have / size, abs=1e-6)
    with pytest.raises(ValueError, match="`classes` must name one or more of the classes 0 to 3"):
        ours.OverlapMetric(dice_any.dice_score, classes=[4], num_classes=4)


def test_a_score_has_its_own_form_for_soft_targets() -> None:
    """Cosine: I / √(Σx² Σy²) = (0.5 + 0.25) / √(2 · 0.3125)."""
    metric = ours.OverlapMetric(dice_any.cosine_score)
    got = metric(torch.tensor([[[1.0, 1.0, 0.0]]]), torch.tensor([[[0.5, 0.25, 0.0]]]))
    assert float(got) == pytest.approx(0.75 / (2 * 0.3125) ** 0.5, abs=1e-6)


# -- the module -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["losses", "metrics"])
def test_examples_in_docstrings_run(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"dice_any.interfaces.monai.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


def test_every_class_is_documented() -> None:
    for name in ours.__all__:
        documentation = inspect.getdoc(getattr(ours, name)) or ""
        assert "Parameters\n----------" in documentation
        assert "Examples\n--------" in documentation
        if name != "OverlapMetric":
            theirs = getattr(monai.losses, name, None) or getattr(monai.metrics, name)
            for word in inspect.signature(theirs).parameters:
                assert word in documentation


def test_without_monai_the_cure_is_named() -> None:
    code = (
        "import sys; sys.modules['monai'] = None\n"
        "import dice_any\n"
        "assert not {'monai', 'torch'} & {m for m, v in sys.modules.items() if v}\n"
        "import dice_any.interfaces.monai"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 1
    assert "`monai` must be installed for `dice_any.interfaces.monai`; got " in run.stderr
    assert "Run `pip install monai`" in run.stderr


PAGE = Path(dice_any.__file__).parents[1] / "docs" / "interfaces" / "monai.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the sources lie elsewhere")
def test_the_page_runs() -> None:
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted > 20
    assert result.failed == 0
