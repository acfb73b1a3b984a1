"""Metrics of torchmetrics: everything that torchmetrics does with a metric works with ours."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchmetrics")

import dice_any  # noqa: E402
from dice_any import conventions  # noqa: E402
from dice_any.interfaces.torchmetrics import OverlapMetric  # noqa: E402

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torchmetrics import MetricCollection
    from torchmetrics.classification import MulticlassF1Score
    from torchmetrics.segmentation import DiceScore

SCORES = {
    name: {"alpha": 0.3, "beta": 0.7} if name == "tversky_score" else {}
    for name in dice_any.scores.__all__
    if "_to_" not in name
}
P, T = torch.tensor([0, 1, 1, 2, 2, 2]), torch.tensor([0, 1, 2, 2, 1, 2])


def labels(seed: int, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return tuple(torch.randint(0, 3, shape, generator=draw) for _ in range(2))  # type: ignore[return-value]


def probabilities(seed: int, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    target = torch.randint(0, 3, (shape[0], *shape[1:]), generator=draw)
    return torch.rand(shape[0], 3, *shape[1:], generator=draw).softmax(1), target


# -- values --------------------------------------------------------------------------------------


def test_batches_are_one_count() -> None:
    metric = OverlapMetric(dice_any.dice_score, num_classes=3)
    found = [metric(P[:2], T[:2]), metric(P[2:], T[2:])]
    assert found[0].tolist()[:2] == [1, 1]
    assert found[0].isnan().tolist() == [False, False, True]  # no element of class 2
    assert found[1].tolist()[1:] == [0, float(Fraction(4, 6))]
    # I = 1, 1, 2; X = 1, 2, 3; Y = 1, 2, 3
    assert metric.compute().tolist() == [1, 0.5, float(Fraction(4, 6))]
    assert metric.overlap.tp.tolist() == [1, 1, 2]
    assert metric.overlap.fp.tolist() == [0, 1, 1]
    metric.reset()
    assert metric.overlap.total.tolist() == [0, 0, 0]
    metric.update(P[:2], T[:2])
    assert metric.compute().tolist()[:2] == [1, 1]


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("soft", [False, True])
def test_every_score(name: str, soft: bool) -> None:
    score = getattr(dice_any, name)
    batches = [(probabilities if soft else labels)(seed, 2 + seed, 5) for seed in range(3)]
    arguments = {"num_classes": 3, **({"class_axis": 1} if soft else {}), **SCORES[name]}
    metric = OverlapMetric(score, **arguments)
    for batch in batches:
        metric.update(*batch)
    whole = [torch.cat(arrays) for arrays in zip(*batches, strict=True)]
    assert torch.equal(metric.compute(), score(*whole, **arguments))


def test_memberships_without_classes() -> None:
    metric = OverlapMetric(dice_any.dice_score)
    metric.update(torch.tensor([0.5, 1.0]), torch.tensor([True, False]))
    metric.update(torch.tensor([0.5, 0.0]), torch.tensor([1.0, 0.5]))
    # I = ½ + ½, X = 2, Y = 2½
    assert float(metric.compute()) == float(Fraction(2, 1) / (2 + Fraction(5, 2)))
    mask = OverlapMetric(dice_any.jaccard_score)
    assert float(mask(P > 0, T > 1)) == float(Fraction(3, 5))


def test_weights_come_with_a_batch() -> None:
    metric = OverlapMetric(dice_any.recall_score)
    metric.update(torch.tensor([True, False]), torch.tensor([True, True]), torch.tensor([3, 1]))
    metric.update(torch.tensor([True]), torch.tensor([True]))
    assert float(metric.compute()) == 0.8


def test_the_mean_over_samples_is_that_of_torchmetrics() -> None:
    preset = dict(conventions.torchmetrics)
    ours = OverlapMetric(dice_any.dice_score, num_classes=3, **preset)
    theirs = DiceScore(num_classes=3, average="macro", input_format="index")
    for seed in range(6):
        prediction, target = labels(seed, 3, 4, 2)
        ours.update(prediction, target)
        theirs.update(prediction, target)
    assert float(ours.compute()) == pytest.approx(float(theirs.compute()), abs=1e-6)
    assert ours.overlap.shape == (18, 3)


def test_the_mean_over_samples_by_counting() -> None:
    metric = OverlapMetric(dice_any.dice_score, axis="space", num_classes=2)
    prediction = torch.tensor([[1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 0, 0, 0]])
    target = torch.tensor([[1, 0, 0, 1, 0], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]])
    metric.update(prediction[:1], target[:1])
    metric.update(prediction[1:], target[1:])
    background = (Fraction(2, 5) + 1 + Fraction(6, 7)) / 3
    foreground = (Fraction(2, 5) + Fraction(2, 3)) / 2  # the second sample has no foreground
    assert metric.compute().tolist() == pytest.approx([float(background), float(foreground)])


def test_the_order_of_samples_changes_no_bit() -> None:
    found = set()
    prediction, target = labels(3, 40, 7)
    for seed in range(5):
        order = torch.randperm(40, generator=torch.Generator().manual_seed(seed))
        metric = OverlapMetric(dice_any.dice_score, axis="space", num_classes=3, average="macro")
        for part in order.split(1 + 3 * seed):
            metric.update(prediction[part], target[part])
        found.add(float(metric.compute()))
    assert len(found) == 1


@pytest.mark.parametrize("axis", [None, "space"])
def test_without_data_the_score_is_nan(axis: str | None) -> None:
    metric = OverlapMetric(dice_any.dice_score, num_classes=3, axis=axis)
    with pytest.warns(UserWarning, match="before the ``update`` method"):
        assert metric.compute().isnan().tolist() == [True] * 3
    metric = OverlapMetric(dice_any.dice_score, axis=axis)
    with pytest.warns(UserWarning, match="before the ``update`` method"):
        assert bool(metric.compute().isnan())


def test_many_small_batches_lose_nothing() -> None:
    metric = OverlapMetric(dice_any.dice_score)
    third = torch.tensor([1 / 3], dtype=torch.float64)
    for _ in range(300):
        metric.update(third, third > 0)
    assert float(metric.overlap.intersection) == float(300 * Fraction(1 / 3))


# -- what torchmetrics does with a metric --------------------------------------------------------


@pytest.mark.parametrize("axis", [None, "space"])
def test_forward_is_the_batch_and_adds_it(axis: str | None) -> None:
    metric = OverlapMetric(dice_any.dice_score, num_classes=3, average="micro", axis=axis)
    other = metric.clone()
    for seed in range(4):
        batch = labels(seed, 2, 6)
        alone = OverlapMetric(dice_any.dice_score, num_classes=3, average="micro", axis=axis)
        alone.update(*batch)
        assert torch.equal(metric(*batch), alone.compute())
        other.update(*batch)
    assert torch.equal(metric.compute(), other.compute())
    assert metric.overlap == other.overlap


def test_a_collection_keeps_metrics_apart_whose_first_states_coincide() -> None:
    """The first batch has no ignored label and no element beyond the first sample's."""
    collection = MetricCollection(
        {
            "all": OverlapMetric(dice_any.dice_score, num_classes=3, average="micro"),
            "some": OverlapMetric(
                dice_any.dice_score, num_classes=3, average="micro", ignore_label=2
            ),
            "iou": OverlapMetric(dice_any.jaccard_score, num_classes=3, average="micro"),
        }
    )
    collection.update(torch.tensor([0, 1]), torch.tensor([0, 1]))
    collection.update(torch.tensor([0, 1]), torch.tensor([2, 1]))
    found = collection.compute()
    assert float(found["all"]) == 0.75
    assert float(found["some"]) == 1
    assert float(found["iou"]) == 0.6
    groups = sorted(sorted(names) for names in collection.compute_groups.values())
    assert groups == [["all", "iou"], ["some"]]  # Dice and Jaccard share their sums


def test_torchmetrics_merges_its_own_such_metrics() -> None:
    """The fault that the test above excludes; if this fails, remove the note from the page."""
    collection = MetricCollection(
        {
            "all": MulticlassF1Score(3, average="micro"),
            "some": MulticlassF1Score(3, average="micro", ignore_index=2),
        }
    )
    collection.update(torch.tensor([0, 1]), torch.tensor([0, 1]))
    collection.update(torch.tensor([0, 1]), torch.tensor([2, 1]))
    assert float(collection.compute()["some"]) == 0.75  # 1 by itself


def test_a_kernel_or_exactness_by_name_sums_the_same() -> None:
    names = {
        OverlapMetric(dice_any.dice_score, num_classes=3, **arguments)._state
        for arguments in ({}, {"backend": "reference"}, {"exact": True}, {"form": "product"})
    }
    assert len(names) == 1


@pytest.mark.parametrize("axis", [None, "space"])
def test_pickling_cloning_and_merging(axis: str | None) -> None:
    metric = OverlapMetric(dice_any.f_score, beta=2.0, num_classes=3, axis=axis)
    metric.update(*labels(0, 3, 5))
    other = pickle.loads(pickle.dumps(metric))
    assert torch.equal(other.compute(), metric.compute())
    other.update(*labels(1, 3, 5))
    metric.merge_state(other)
    expected = OverlapMetric(dice_any.f_score, beta=2.0, num_classes=3, axis=axis)
    for seed in (0, 0, 1):
        expected.update(*labels(seed, 3, 5))
    assert torch.equal(metric.overlap.sum(axis=0).tp, expected.overlap.sum(axis=0).tp)


def test_the_state_travels_in_a_state_dict() -> None:
    metric = OverlapMetric(dice_any.dice_score, num_classes=3)
    metric.persistent(True)
    metric.update(P, T)
    other = OverlapMetric(dice_any.dice_score, num_classes=3)
    other.persistent(True)
    other.load_state_dict(metric.state_dict())
    assert other.overlap == metric.overlap


@pytest.mark.parametrize("axis", [None, "space"])
def test_moves_and_dtypes_leave_integers(axis: str | None) -> None:
    metric = OverlapMetric(dice_any.dice_score, class_axis=1, num_classes=3, axis=axis)
    metric.update(*probabilities(0, 2, 9))
    before = metric.overlap
    metric.half().double().set_dtype(torch.float16).to(torch.float32)
    assert metric.overlap == before
    assert metric.overlap.rows.dtype == torch.int64
    metric.to("meta")
    assert metric.overlap.rows.device.type == "meta"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu() -> None:
    metric = OverlapMetric(dice_any.dice_score, class_axis=1, num_classes=3)
    prediction, target = probabilities(0, 2, 9)
    metric.update(prediction, target)
    there = OverlapMetric(dice_any.dice_score, class_axis=1, num_classes=3).to("cuda")
    there.update(prediction.cuda(), target.cuda())
    assert there.compute().device.type == "cuda"
    assert torch.equal(there.compute().cpu(), metric.compute())
    with pytest.raises(RuntimeError, match="to\\(device\\)"):
        there.update(prediction, target)


def test_plot() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    metric = OverlapMetric(dice_any.dice_score, num_classes=3, average="macro")
    values = [metric(*labels(seed, 2, 5)) for seed in range(3)]
    _, axes = metric.plot()
    assert axes.get_title() == "dice_score"
    _, axes = metric.plot(values)
    (line,) = [line for line in axes.get_lines() if len(line.get_xdata()) == 3]
    assert line.get_ydata().tolist() == [float(value) for value in values]
    assert metric.plot_lower_bound == 0
    assert OverlapMetric(dice_any.matthews_correlation).plot_lower_bound == -1
    matplotlib.pyplot.close("all")


def test_what_it_says_of_itself() -> None:
    metric = OverlapMetric(dice_any.f_score, beta=2.0, num_classes=3)
    assert repr(metric) == "OverlapMetric(f_score, num_classes=3, beta=2.0)"
    assert metric.higher_is_better
    assert not metric.is_differentiable


# -- processes -----------------------------------------------------------------------------------

WORLD = 2


def batches_of(rank: int, world: int, case: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    make = probabilities if case.startswith("soft") else labels
    every = [make(seed, 2, 11) for seed in range(5)]
    if case.endswith("nothing"):  # all data are in the first process
        return every if rank == 0 else []
    return every[rank::world]


CASES = {
    "hard": {"num_classes": 3},
    "soft": {"num_classes": 3, "class_axis": 1},
    "soft, by sample": {"num_classes": 3, "class_axis": 1, "axis": "space"},
    "hard, by sample": {"num_classes": 3, "axis": "space", "average": "macro"},
    "hard, nothing": {"num_classes": 3},
    "hard, by sample, nothing": {"num_classes": 3, "axis": "space"},
}


def process(rank: int, store: str, folder: str) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=WORLD
    )
    warnings.simplefilter("ignore")
    found = {}
    for case, arguments in CASES.items():
        metric = OverlapMetric(dice_any.dice_score, **arguments)
        for batch in batches_of(rank, WORLD, case):
            metric.update(*batch)
        before = metric.overlap
        values = [float(v).hex() for v in metric.compute().reshape(-1)]
        assert metric.overlap == before  # only its own sums after `compute`
        found[case] = values
    Path(folder, f"{rank}.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="no torch.distributed")
def test_processes_get_the_bits_of_one(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_torchmetrics as t; "
        "t.process(int(sys.argv[2]), *sys.argv[3:])"
    )
    here = str(Path(__file__).parent)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, here, str(rank), str(tmp_path / "store"), str(tmp_path)]
        )
        for rank in range(WORLD)
    ]
    assert [each.wait(timeout=120) for each in running] == [0] * WORLD
    for case, arguments in CASES.items():
        alone = OverlapMetric(dice_any.dice_score, **arguments)
        for batch in batches_of(0, 1, case):
            alone.update(*batch)
        expected = [float(v).hex() for v in alone.compute().reshape(-1)]
        for rank in range(WORLD):
            assert json.loads((tmp_path / f"{rank}.json").read_text())[case] == expected


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "arguments", "error", "message"),
    [
        (
            dice_any.dice_loss,
            {},
            TypeError,
            "`score` must be a score of this package; got `dice_loss`. Pass the function itself",
        ),
        (dice_any.dice_to_jaccard, {}, TypeError, "`score` must be a score of this package"),
        ("dice", {}, TypeError, "`score` must be a score of this package; got str."),
        (
            dice_any.dice_score,
            {"weight": torch.ones(3)},
            TypeError,
            "`weight` must be left out here; got one. Pass it with each batch",
        ),
        (
            dice_any.dice_score,
            {"class_axis": 1},
            ValueError,
            "`num_classes` must be given beside `class_axis`",
        ),
        (dice_any.dice_score, {"axis": 1}, ValueError, "`axis` must be None, for one score"),
        (dice_any.dice_score, {"axis": (0, 1)}, ValueError, "`axis` must be None, for one score"),
        (dice_any.dice_score, {"exact": False}, ValueError, "`exact` must be None or True here"),
        (
            dice_any.dice_score,
            {"num_class": 3},
            TypeError,
            "`num_class` must be an argument of `dice_score`; got an unknown one",
        ),
        (
            dice_any.dice_score,
            {"zero_division": 0},
            TypeError,
            "`zero_division` must be an argument of `dice_score`; got a word of another package. "
            "Pass `empty=` to a score",
        ),
        (
            dice_any.dice_score,
            {**conventions.monai},
            TypeError,
            "`conventions.monai` is of losses; pass `**conventions.monai_metric`.",
        ),
        (
            dice_any.dice_score,
            {"sample_weight": 1},
            TypeError,
            "Pass it with each batch: `metric.update(prediction, target, weight=weight)`.",
        ),
        (
            dice_any.dice_score,
            {"dist_sync_on_stp": True},
            TypeError,
            "Did you mean `dist_sync_on_step`?",
        ),
        (
            dice_any.dice_score,
            {"regions": 5},
            TypeError,
            "`regions` must be a sequence of groups of labels",
        ),
        (dice_any.tversky_score, {"alpha": 1}, TypeError, "`beta` must be given"),
        (dice_any.dice_score, {"average": "macro"}, ValueError, "`average` must be None without"),
        (dice_any.dice_score, {"num_classes": 0}, ValueError, "`num_classes` must be at least 1"),
    ],
)
def test_what_is_refused_when_it_is_made(
    score: object, arguments: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        OverlapMetric(score, **arguments)
    assert message in str(caught.value)


def test_a_wrong_batch_adds_nothing() -> None:
    metric = OverlapMetric(dice_any.dice_score, num_classes=3)
    metric.update(P, T)
    before = metric.overlap
    with pytest.raises(ValueError, match="must have one shape|shape"):
        metric.update(P[:3], T)
    with pytest.raises(ValueError, match="label"):
        metric.update(P + 3, T)
    assert metric.overlap == before


X = torch.tensor([True, True, False])
MASKED = np.ma.array([True, True, False], mask=[0, 1, 0])
NO_TENSORS: dict[str, tuple[tuple[object, ...], str]] = {
    "NumPy": (
        (X.numpy(), X.numpy()),
        "`prediction` must be a tensor of PyTorch; got numpy.ndarray. Pass `torch.tensor(pred",
    ),
    "NumPy's target": (
        (X, X.numpy()),
        "`target` must be a tensor of PyTorch; got numpy.ndarray. Pass `torch.tensor(target)`",
    ),
    "NumPy's weight": (
        (X, X, np.ones(3)),
        "`weight` must be a tensor of PyTorch; got numpy.ndarray. Pass `torch.tensor(weight)`",
    ),
    "a list": (([True], X), "got list. Make one first, for example `torch.tensor(prediction)`"),
    "no target": ((X, None), "`target` must be a tensor of PyTorch; got None. Pass both arrays."),
    "masked": ((MASKED, X), "`prediction` must be a plain array; got numpy.MaskedArray. Pass"),
    "a masked target": ((X, MASKED), "`target` must be a plain array; got numpy.MaskedArray."),
    "a masked weight": ((X, X, MASKED), "`weight` must be a plain array; got numpy.MaskedArray."),
}


@pytest.mark.parametrize("axis", [None, "space"])
@pytest.mark.parametrize("name", NO_TENSORS)
def test_what_is_no_tensor_is_refused(name: str, axis: str | None) -> None:
    arrays, message = NO_TENSORS[name]
    metric = OverlapMetric(dice_any.dice_score, axis=axis)
    with pytest.raises(TypeError) as caught:
        metric.update(*arrays)
    assert message in str(caught.value)


def test_without_float64_the_cure_is_named() -> None:
    class Elsewhere(OverlapMetric):
        pass

    metric = Elsewhere(dice_any.dice_score)
    metric.arguments["exact"] = False  # as on a device without float64
    with pytest.raises(ValueError, match=r"`prediction` must be on a device with float64.*cpu\(\)"):
        metric.update(torch.tensor([0.5]), torch.tensor([1.0]))


REGIONS = {"whole": (1, 2, 3), "core": (1, 3)}


def test_regions_are_the_places_of_the_state() -> None:
    one, other = torch.tensor([[0, 1, 2, 3, 3, 0]]), torch.tensor([[1, 1, 2, 2, 3, 0]])
    metric = OverlapMetric(dice_any.dice_score, regions=REGIONS)
    metric.update(one, other)
    metric.update(other, one)
    for place, labels in enumerate(REGIONS.values()):
        a, b = (sum(array == label for label in labels) for array in (one, other))
        dice = 2 * 2 * int((a * b).sum()) / (2 * int(a.sum() + b.sum()))
        assert float(metric.compute()[place]) == dice
    logits = torch.tensor([[[1.0, -1.0, 2.0], [0.5, 0.0, -2.0]]])
    labels = torch.tensor([[1, 0, 2]])
    metric = OverlapMetric(dice_any.dice_score, regions=REGIONS, class_axis=1, activation="sigmoid")
    metric.update(logits, labels)
    p = 1 / (1 + np.exp(-logits[0].numpy().astype(np.float64)))
    masks = np.array([[1, 0, 1], [1, 0, 0]])
    expected = 2 * (p * masks).sum(1) / (p.sum(1) + masks.sum(1))
    assert metric.compute().numpy() == pytest.approx(expected, rel=1e-7)
