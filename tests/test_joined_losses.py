"""Two processes, each with half of the batch: modules with ``group=`` and `gather` give the result
of one process on the whole batch.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any import Overlap

torch = pytest.importorskip("torch")
modules = pytest.importorskip("dice_any.torch")
if not torch.distributed.is_available():
    pytest.skip("PyTorch was built without torch.distributed", allow_module_level=True)

SOFTMAX = {"class_axis": 1, "activation": "softmax"}
SIGMOID = {"class_axis": 1, "activation": "sigmoid"}
#: module, its arguments
LOSSES: dict[str, tuple[Any, dict[str, Any]]] = {
    "Dice": (modules.DiceLoss, SOFTMAX),
    "Dice, exact": (modules.DiceLoss, SOFTMAX | {"exact": True}),
    "Dice, ignoring": (modules.DiceLoss, SOFTMAX | {"ignore_label": 2, "classes": "foreground"}),
    "Jaccard": (modules.JaccardLoss, SIGMOID | {"absent": "skip"}),
    "Tversky": (modules.TverskyLoss, SOFTMAX | {"alpha": 0.3, "beta": 0.7, "smooth": 0}),
    "focal Tversky": (
        modules.FocalTverskyLoss,
        SOFTMAX | {"alpha": 0.3, "beta": 0.7, "gamma": 0.75},
    ),
    "generalized Dice": (modules.GeneralizedDiceLoss, SOFTMAX),
    "log-Dice": (modules.LogDiceLoss, SOFTMAX | {"form": "squared"}),
    "log-cosh Dice": (modules.LogCoshDiceLoss, SOFTMAX | {"average": "micro"}),
    "Matthews": (modules.MatthewsLoss, SOFTMAX),
    "with cross-entropy": (modules.DiceCrossEntropyLoss, SOFTMAX | {"ignore_label": 1}),
    "with weighed cross-entropy": (
        modules.DiceCrossEntropyLoss,
        SOFTMAX | {"class_weight": [1.0, 2.0, 0.5], "cross_entropy_weight": 3.0},
    ),
    "with weights from sizes": (
        modules.DiceCrossEntropyLoss,
        SOFTMAX | {"class_weight": "simple"},
    ),
    "with binary cross-entropy": (modules.DiceCrossEntropyLoss, SIGMOID),
    "with exact cross-entropy": (
        modules.DiceCrossEntropyLoss,
        SOFTMAX | {"exact": True, "class_weight": [1.0, 2.0, 0.5]},
    ),
    "with focal loss": (modules.DiceFocalLoss, SOFTMAX | {"gamma": 1.5}),
}
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "samples": (
        lambda: modules.DiceLoss(group="world", axis="space", **SOFTMAX)(*batch()),
        r"`axis` must sum over samples beside `group=`, .* got counts of shape \(5, 3\)",
    ),
    "ranks": (
        lambda: modules.LovaszLoss(group="world", **SOFTMAX),
        "`group` must be None in LovaszLoss, as errors are ranked within one process; got one",
    ),
    "a function": (
        lambda: dice_any.value_and_grad(modules.DiceLoss(group="world")),
        "`group` must be None in a module whose function is taken; got one",
    ),
    "no cases": (
        lambda: dice_any.distributed.gather(hard(0)),
        r"overlaps to be gathered must have an axis of cases; got the shape \(3,\) in process 0. "
        'Pass `axis="space"`',
    ),
    "other cases": (
        lambda: dice_any.distributed.gather(hard(0, axis="space", num_classes=rank() + 3)),
        r"overlaps to be added must have one shape; got \(3,\) in process 0, \(4,\) in process 1",
    ),
}


def alone(**bad: Any) -> Callable[[int], Any]:
    """Return a call in which the second process alone has other arguments."""

    def call(rank: int) -> Any:
        logits, labels = (mine(array, rank) for array in batch())
        given: dict[str, Any] = {"prediction": logits.softmax(1).requires_grad_(), "target": labels}
        given |= {"exact": False, "group": "world"} | {k: bad[k] for k in bad if rank or k in BOTH}
        prediction, target, group = (given.pop(k) for k in ("prediction", "target", "group"))
        make = modules.DiceCrossEntropyLoss if "activation" in given else modules.DiceLoss
        return make(group=group, class_axis=1)(prediction, target, **given)

    return call


#: arguments that are the same in both processes
BOTH = ("exact", "activation")
PART = torch.full((3, 3, 6), 0.25, dtype=torch.float64)
LABELS = torch.ones(3, 6, dtype=torch.int64)
#: what one process does wrong, before the processes meet, and the error in both
TOLD: dict[str, tuple[Callable[[int], Any], str]] = {
    "NaN": (
        alone(prediction=PART * torch.nan),
        r"`prediction` must hold memberships in \[0, 1\]; got 54 values outside or NaN",
    ),
    "NaN, exact": (
        alone(prediction=(PART * torch.nan).requires_grad_(), exact=True),
        "`prediction` must hold memberships in .* got 54 values",
    ),
    "labels": (alone(target=LABELS * 255), "`target` must hold labels from 0 to 2; got 18 outside"),
    "labels beside logits": (
        alone(target=LABELS * 255, activation="softmax"),
        "`target` must hold labels from 0 to 2; got 18 outside",
    ),
    "shape": (alone(target=LABELS[:2]), r"`target` must have .*; got \(2, 6\)"),
    "type": (alone(target=LABELS.tolist()), "`target` must be an array of .*; got list"),
    "weight": (alone(weight=LABELS * -1.0), "`weight` must be non-negative .* at 18 elements"),
    "keyword": (alone(smoth=1), "`smoth` must be an argument of `dice_loss`"),
    "no samples": (
        alone(prediction=PART[:0], target=LABELS[:0]),
        r"`prediction` must have at least one element; got shape \(0, 3, 6\)",
    ),
    "overlap": (
        alone(prediction=Overlap.zero(), target=None),
        "`class_axis`, `exact` must be left out beside an Overlap",
    ),
    "samples": (alone(axis="space"), "`axis` must sum over samples beside `group=`"),
}
#: calls that no process may wait for
EQUAL: dict[str, tuple[Callable[[int], Any], str]] = {
    "exact, not differentiated in one": (
        alone(prediction=PART, exact=True),
        "overlaps to be added must be differentiated in all processes or in none, beside "
        "`exact=True`; got True in process 0, False in process 1. Pass `exact=False`",
    ),
    "transformed": (
        lambda rank: torch.func.grad(lambda z: modules.DiceLoss(group="world")(z, z > 0))(PART),
        "`group` must be None, .* inside a transformation of `torch.func`; got a call there",
    ),
}


def rank() -> int:
    return int(torch.distributed.get_rank())


def batch() -> tuple[Any, Any]:
    """Logits of five samples, and labels; one label is not in the second half."""
    chance = np.random.default_rng(3)
    labels = chance.integers(0, 3, (5, 6))
    labels[2:][labels[2:] == 1] = 0
    return torch.from_numpy(chance.normal(size=(5, 3, 6))), torch.from_numpy(labels)


def mine(array: Any, rank: int) -> Any:
    """The first process has two samples, the second three."""
    return array[:2] if rank == 0 else array[2:]


def hard(seed: int, cases: int = 2, **arguments: Any) -> Overlap:
    x, y = np.random.default_rng(seed).integers(0, 3, (2, cases, 7))
    return dice_any.overlap(
        torch.from_numpy(x), torch.from_numpy(y), **({"num_classes": 3} | arguments)
    )


def soft(seed: int, cases: int, **arguments: Any) -> Overlap:
    x, y = np.random.default_rng(seed).random((2, cases, 3, 7))
    return dice_any.overlap(
        torch.from_numpy(x), torch.from_numpy(y), class_axis=1, axis="space", **arguments
    )


#: what each of two processes gathers
TABLES: dict[str, Callable[[int], Overlap]] = {
    "hard": lambda rank: hard(rank, 2 + 3 * rank, axis="space"),
    "exact": lambda rank: soft(rank, 4 - 3 * rank),
    "plain": lambda rank: soft(rank, 1 + rank, exact=False),
    "hard beside exact": lambda rank: soft(1, 2) if rank else hard(0, 3, axis="space"),
    "nothing beside exact": lambda rank: soft(1, 2) if rank else Overlap.zero(),
    "nothing": lambda rank: Overlap.zero(like=torch.zeros(1)),
    "no cases": lambda rank: hard(0, 1, axis="space")[:0],
    "no cases beside some": lambda rank: hard(0, 3, axis="space")[: 3 * rank],
}


def step_of_overlaps(logits: Any, labels: Any) -> Any:
    counts = dice_any.overlap(logits, labels, exact=False, **SOFTMAX)
    return dice_any.dice_loss(dice_any.distributed.all_reduce(counts))


#: steps of a training to compile
STEPS: dict[str, Callable[..., Any]] = {
    "module": modules.DiceLoss(group="world", **SOFTMAX),
    "exact module": modules.DiceLoss(group="world", exact=True, **SOFTMAX),
    "all_reduce": step_of_overlaps,
}


def process(rank: int, folder: str) -> None:
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meet",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=60),
    )
    found: dict[str, Any] = {}
    for name, (module, arguments) in LOSSES.items():
        logits, labels = (mine(array, rank) for array in batch())
        logits.requires_grad_()
        loss = module(group="world", **arguments)(logits, labels)
        loss.backward()
        found[name] = loss.detach(), logits.grad
    for name, bring in TABLES.items():
        found[f"table of {name}"] = dice_any.distributed.gather(bring(rank)).to_dict()
    for name, (call, _) in REFUSED.items():
        try:
            found[f"refused {name}"] = call()
        except ValueError as error:
            found[f"refused {name}"] = str(error)
    for name, (told, _) in (TOLD | EQUAL).items():
        try:
            told(rank)
        except (TypeError, ValueError) as error:
            found[f"told {name}"] = str(error)
    first = modules.DiceLoss(group=dist.new_group([0]), **SOFTMAX)
    if rank == 0:
        found["group"] = first(*(mine(array, 0) for array in batch()))
    for name, step in STEPS.items():
        logits, labels = (mine(array, rank) for array in batch())
        for way in (step, torch.compile(step, backend="eager")):
            loss = way(logits.requires_grad_(), labels)
            (slope,) = torch.autograd.grad(loss, logits)
            found.setdefault(f"compiled {name}", []).append((loss.detach(), slope))
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("processes")
    torch.multiprocessing.spawn(process, args=(str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LOSSES)
def test_a_joined_loss_is_that_of_the_joined_batch(
    answers: list[dict[str, Any]], name: str
) -> None:
    """The gradient of each process is that of two losses; DistributedDataParallel halves it."""
    module, arguments = LOSSES[name]
    logits, labels = batch()
    logits.requires_grad_()
    loss = module(**arguments)(logits, labels)
    loss.backward()
    for rank in range(2):
        value, gradient = answers[rank][name]
        assert torch.allclose(value, loss, rtol=1e-12)
        assert torch.allclose(gradient / 2, mine(logits.grad, rank), rtol=1e-9, atol=1e-15)
        if arguments.get("exact"):
            assert torch.equal(value, loss)
            assert torch.equal(gradient / 2, mine(logits.grad, rank))


@pytest.mark.filterwarnings("ignore")
def test_a_joined_loss_is_no_mean_of_losses(answers: list[dict[str, Any]]) -> None:
    """Dice of sums is not a mean of Dice; a group of one process joins nothing."""
    losses = [modules.DiceLoss(**SOFTMAX)(*(mine(a, rank) for a in batch())) for rank in range(2)]
    assert abs(float(answers[0]["Dice"][0]) - float(sum(losses)) / 2) > 1e-3
    assert torch.equal(answers[0]["group"], losses[0])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TABLES)
def test_gathered_cases_are_those_of_all_processes(
    answers: list[dict[str, Any]], name: str
) -> None:
    got = [Overlap.from_dict(answer[f"table of {name}"]) for answer in answers]
    assert got[0] == got[1]
    parts = [TABLES[name](rank) for rank in range(2)]
    cases = [case for part in parts if part.shape for case in part]
    assert len(got[0]) == len(cases) if cases or name == "no cases" else got[0].shape == ()
    for ours, theirs in zip(got[0] if got[0].shape else [], cases, strict=True):
        for row in ("intersection", "prediction", "target", "total"):
            assert getattr(ours, row).tolist() == getattr(theirs, row).tolist()


def test_gathered_counts_are_counted() -> None:
    """A set counted by hand: the true positives of each class in each case."""
    x, y = np.random.default_rng(1).integers(0, 3, (2, 5, 7))
    counted = [[int(((x[n] == c) & (y[n] == c)).sum()) for c in range(3)] for n in range(5)]
    assert hard(1, 5, axis="space").tp.tolist() == counted
    assert Fraction(sum(map(sum, counted)), 35) == Fraction(int((x == y).sum()), 35)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(answers: list[dict[str, Any]], name: str) -> None:
    for answer in answers:
        assert re.search(REFUSED[name][1], str(answer[f"refused {name}"]))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TOLD)
def test_what_goes_wrong_in_one_process_is_told_to_the_other(
    answers: list[dict[str, Any]], name: str
) -> None:
    waiting, failing = (str(answer[f"told {name}"]) for answer in answers)
    assert re.match(TOLD[name][1], failing)
    assert waiting == f"{failing} That was in process 1."


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", EQUAL)
def test_what_is_the_same_error_in_both(answers: list[dict[str, Any]], name: str) -> None:
    for answer in answers:
        assert re.match(EQUAL[name][1], str(answer[f"told {name}"]))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", STEPS)
def test_a_compiled_step_leaves_the_exchange_out(answers: list[dict[str, Any]], name: str) -> None:
    for answer in answers:
        (loss, slope), (compiled, compiled_slope) = answer[f"compiled {name}"]
        assert torch.allclose(compiled, loss, rtol=1e-12)
        assert torch.allclose(compiled_slope, slope, rtol=1e-9, atol=1e-15)


def test_without_processes() -> None:
    message = "`group` must be of processes that talk to each other; got none"
    with pytest.raises(ValueError, match=message):
        modules.DiceLoss(group="world", **SOFTMAX)(*batch())
    with pytest.raises(ValueError, match=message):
        dice_any.distributed.gather(hard(0, axis="space"))
