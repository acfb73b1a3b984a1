"""One overlap over processes: overlaps that fit are added to the same bits, others give the same
error in every process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

import dice_any
from dice_any import Overlap

torch = pytest.importorskip("torch")
if not torch.distributed.is_available():
    pytest.skip("PyTorch was built without torch.distributed", allow_module_level=True)

WORLD = 3


def soft(seed: int, **arguments) -> Overlap:
    x, y = (
        torch.rand(4, 3, 7, generator=torch.Generator().manual_seed(seed + k)).double()
        for k in (0, 50)
    )
    return dice_any.overlap(x, y, class_axis=1, **arguments)


def hard(seed: int, classes: int = 3) -> Overlap:
    x, y = (
        torch.randint(0, classes, (4, 7), generator=torch.Generator().manual_seed(seed + k))
        for k in (0, 50)
    )
    return dice_any.overlap(x, y, num_classes=classes)


#: name -> the overlap of each process; with a string, the error that every process raises
CASES: dict[str, tuple[Callable[[int], object], str | None]] = {
    "exact": (soft, None),
    "hard": (hard, None),
    "plain": (lambda rank: soft(rank, exact=False), None),
    "hard beside exact": (lambda rank: soft(rank) if rank else hard(rank), None),
    "hard, another form": (lambda rank: soft(rank, form="squared") if rank else hard(rank), None),
    "zero beside exact": (lambda rank: soft(rank) if rank != 1 else Overlap.zero(), None),
    "zero beside plain": (
        lambda rank: soft(rank, exact=False) if rank != 1 else Overlap.zero(),
        None,
    ),
    "zero of tensors": (
        lambda rank: hard(rank) if rank != 2 else Overlap.zero(like=torch.zeros(1)),
        None,
    ),
    "zeros of their shape": (
        lambda rank: soft(rank) if rank else Overlap.zero(like=torch.zeros(1), num_classes=3),
        None,
    ),
    "zeros only": (lambda rank: Overlap.zero(like=torch.zeros(1), num_classes=3), None),
    "nothing only": (lambda rank: Overlap.zero(), None),
    "forms": (
        lambda rank: soft(rank, form="squared" if rank else "product"),
        "overlaps to be added must have one form; got 'product' in process 0, 'squared' in "
        "process 1",
    ),
    "plain forms": (
        lambda rank: soft(rank, exact=False, form="minimum" if rank else "product"),
        "overlaps to be added must have one form; got 'product' in process 0, 'minimum' in "
        "process 1",
    ),
    "kinds": (
        lambda rank: soft(rank, exact=rank == 1),
        "overlaps to be added must be all plain, or all hard or exact; got 'plain' in process 0, "
        "'exact' in process 1",
    ),
    "hard beside plain": (
        lambda rank: soft(rank, exact=False) if rank else hard(rank),
        "overlaps to be added must be all plain, or all hard or exact; got 'hard' in process 0",
    ),
    "shapes": (
        lambda rank: hard(rank, 3 + rank),
        r"overlaps to be added must have one shape; got \(3,\) in process 0, \(4,\) in process 1"
        r".*Overlap.zero\(like=",
    ),
    "samples": (
        lambda rank: soft(rank, axis="space") if rank else soft(rank),
        r"overlaps to be added must have one shape; got \(3,\) in process 0, \(4, 3\) in process 1",
    ),
    "classes": (
        lambda rank: (
            hard(rank)
            if rank
            else dice_any.overlap(torch.ones(3, 2) > 0, torch.ones(3, 2) > 0, axis=1)
        ),
        "overlaps to be added must be all by class or none; got False in process 0, True in "
        "process 1",
    ),
    "another library": (
        lambda rank: hard(rank) if rank else dice_any.overlap(np.array([True]), np.array([True])),
        "overlaps to be added must hold PyTorch tensors in every process; got those of numpy in "
        "process 0",
    ),
    "no overlap": (
        lambda rank: hard(rank) if rank else None,
        "overlaps to be added must hold PyTorch tensors in every process; got those of NoneType "
        "in process 0",
    ),
}


def numpy_overlap(*shape: int, **arguments) -> Overlap:
    return dice_any.overlap(np.ones(shape, bool), np.ones(shape, bool), **arguments)


def cases(**arguments) -> Overlap:
    return dice_any.overlap(*(torch.ones(4, 3, dtype=torch.bool),) * 2, axis=1, **arguments)


def holding(sums, **facts) -> Overlap:
    return Overlap(sums, **{"kind": "hard", "form": "product", "by_class": False, **facts})


def narrowed() -> Overlap:
    """Return what is left of an overlap when a batch is sent to the device by `half()`."""
    leaves, context = cases().tree_flatten()
    return Overlap.tree_unflatten(context, [leaf.half() for leaf in leaves])


ROWS = torch.zeros(5, 4, dtype=torch.int64)
FOREIGN = "must hold PyTorch tensors in every process; got those of {}"
UNREADABLE = r"`overlap` must hold sums in rows; got {}"
#: name -> what a process may pass by mistake, and the error in every process
ODD: dict[str, tuple[Callable[[], object], str]] = {
    "number": (lambda: 5, FOREIGN.format("int")),
    "nothing": (lambda: None, FOREIGN.format("NoneType")),
    "string": (lambda: "overlap", FOREIGN.format("str")),
    "tensor": (lambda: ROWS, FOREIGN.format("Tensor")),
    "list": (lambda: [cases()], FOREIGN.format("list")),
    "class": (lambda: Overlap, FOREIGN.format("type")),
    "NumPy, no axes": (lambda: numpy_overlap(4), FOREIGN.format("numpy")),
    "NumPy, classes": (lambda: numpy_overlap(4, 2, class_axis=1), FOREIGN.format("numpy")),
    "NumPy, cases": (lambda: numpy_overlap(4, 2, axis=1), FOREIGN.format("numpy")),
    "NumPy, zeros": (lambda: Overlap.zero((4,)), FOREIGN.format("numpy")),
    "NumPy, exact zero": (lambda: Overlap.zero(kind="exact"), FOREIGN.format("numpy")),
    "NumPy, plain zero": (lambda: Overlap.zero(kind="plain"), FOREIGN.format("numpy")),
    "sums of none": (lambda: holding(None), FOREIGN.format("NoneType")),
    "narrowed": (narrowed, "`overlap` must keep its counts in int64; got float16"),
    "meta": (lambda: holding(ROWS.to("meta")), "`overlap` must hold values; got .* device meta"),
    "meta, no axes": (lambda: holding(ROWS[:, 0].to("meta")), "`overlap` must hold values"),
    "sparse": (lambda: holding(ROWS.to_sparse()), UNREADABLE.format("int64")),
    "sparse, no axes": (lambda: holding(ROWS[:, 0].to_sparse()), UNREADABLE.format("int64")),
    "float8": (
        lambda: holding(ROWS.to(torch.float8_e5m2), kind="plain"),
        UNREADABLE.format("float8_e5m2"),
    ),
    "floating counts": (lambda: holding(ROWS.double()), UNREADABLE.format("float64")),
    "three rows": (lambda: holding(ROWS[:3]), UNREADABLE.format(r"int64 of shape \(3, 4\)")),
    "no rows": (lambda: holding(ROWS[0, 0]), UNREADABLE.format(r"int64 of shape \(\)")),
    "no limbs": (lambda: holding(ROWS, kind="exact"), UNREADABLE.format(".* the kind 'exact'")),
    "kind": (lambda: holding(ROWS, kind="soft"), UNREADABLE.format(".* the kind 'soft'")),
    "form": (lambda: holding(ROWS, form=lambda: 0), UNREADABLE.format(".* the form .*function")),
}
#: which processes pass it; the others pass four cases
PASSING = ((0,), (1,), (0, 1, 2))
FUNCTIONS = ("all_reduce", "gather")


class Special(Overlap):
    """A subclass with the same constructor."""

    __slots__ = ()


GROUP = r"`group` must be 'world', for all processes, or a process group of .*; got {}\. `torch"
#: name -> what is no group of processes, and its error
GROUPS: dict[str, tuple[object, str]] = {
    "another string": ("all", "ValueError: " + GROUP.format("'all'")),
    "ranks": ([0, 1], "TypeError: " + GROUP.format(r"\[0, 1\]")),
    "number": (0, "TypeError: " + GROUP.format("0")),
    "flag": (True, "TypeError: " + GROUP.format("True")),
    "tensor": (torch.zeros(2), "TypeError: " + GROUP.format("torch.Tensor")),
}


def process(rank: int, folder: str) -> None:
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meet",
        rank=rank,
        world_size=WORLD,
        timeout=timedelta(seconds=60),
    )
    found = {}
    for name, (bring, _) in ODD.items():
        for function in FUNCTIONS:
            for passing in PASSING:
                mine = bring() if rank in passing else cases()
                try:
                    getattr(dice_any.distributed, function)(mine)
                except Exception as error:
                    found[f"{name}, {function}, {passing}"] = f"{type(error).__name__}: {error}"
    groups = {name: group for name, (group, _) in GROUPS.items()}
    groups |= {"of others": dist.new_group([0]), "world": "world"}
    for function in FUNCTIONS:
        for name, group in groups.items():
            try:
                got = getattr(dice_any.distributed, function)(cases(), group)
                found[f"{name}, {function}"] = got.to_dict()
            except Exception as error:
                found[f"{name}, {function}"] = f"{type(error).__name__}: {error}"
        mine = Special(cases().rows, kind="hard", form="product", by_class=False)
        got = getattr(dice_any.distributed, function)(mine)
        found[f"class, {function}"] = type(got).__name__
    for name, (bring, _) in CASES.items():
        mine = bring(rank)
        before = mine.to_dict() if isinstance(mine, Overlap) else None
        try:
            found[name] = dice_any.distributed.all_reduce(mine).to_dict()
        except ValueError as error:
            found[name] = str(error)
        assert before == (mine.to_dict() if isinstance(mine, Overlap) else None)
    # one process has nothing to differentiate, and one has no data: in the backward pass no process
    # waits for another
    x = torch.linspace(0.1, 0.9, 6, dtype=torch.float64).requires_grad_(rank == 0)
    mine = Overlap.zero() if rank == 2 else dice_any.overlap(x, torch.ones(6).double(), exact=False)
    dice_any.dice_loss(dice_any.distributed.all_reduce(mine), smooth=0).backward()
    found["gradient"] = x.grad.tolist() if rank == 0 else None
    Path(folder, f"{rank}.json").write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    folder = tmp_path_factory.mktemp("processes")
    torch.multiprocessing.spawn(process, args=(str(folder),), nprocs=WORLD)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(WORLD)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_all_processes_agree(answers: list[dict[str, object]], name: str) -> None:
    bring, message = CASES[name]
    got = [answer[name] for answer in answers]
    assert got[0] == got[1] == got[2]
    if message is not None:
        with pytest.raises(ValueError, match=message):
            raise ValueError(got[0])
        return
    parts = [bring(rank) for rank in range(WORLD)]
    real = [part for part in parts if not (part.kind == "hard" and part.shape == ())]
    expected = (
        sum(real[1:], real[0]).to_dict() if real else Overlap.zero(like=torch.zeros(1)).to_dict()
    )
    if expected["kind"] != "plain":
        assert got[0] == expected
        return
    for ours, theirs in zip(got[0].pop("sums"), expected.pop("sums"), strict=True):
        assert [float.fromhex(v) for v in ours] == pytest.approx(
            [float.fromhex(v) for v in theirs], rel=1e-15
        )
    assert got[0] == expected


@pytest.mark.filterwarnings("ignore")
def test_no_process_waits_on_the_way_back(answers: list[dict[str, object]]) -> None:
    """Dice of two times the same six elements against ones: L = 1 − 2I/(X + 12), I = X = 2S.

    dL/dx = −2/(X + 12) + 2I/(X + 12)², and the loss of every process adds to the gradient.
    """
    total = sum(0.1 + 0.16 * k for k in range(6))
    slope = -24 / (2 * total + 12) ** 2 * 3
    assert answers[0]["gradient"] == pytest.approx([slope] * 6, rel=1e-9)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_in_one_process_is_an_error_in_all(
    answers: list[dict[str, object]], name: str, function: str
) -> None:
    for passing in PASSING:
        errors = [str(answer[f"{name}, {function}, {passing}"]) for answer in answers]
        assert errors[0] == errors[1] == errors[2]
        assert re.match(f"ValueError: .*{ODD[name][1]}", errors[0]), errors[0]
        assert f"in process {passing[0]}." in errors[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_groups(answers: list[dict[str, object]], function: str) -> None:
    for rank, answer in enumerate(answers):
        for name, (_, message) in GROUPS.items():
            assert re.match(message, str(answer[f"{name}, {function}"]))
        # in each of four cases three elements are in both sets
        both = [9] * 4 if function == "all_reduce" else [3] * 12
        assert answer[f"world, {function}"]["sums"][0] == both
        of_others = answer[f"of others, {function}"]
        if rank == 0:
            assert of_others["sums"][0] == [3] * 4
        else:
            assert "`group` must be of processes with this one among them; got one of" in of_others


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_subclass_stays(answers: list[dict[str, object]], function: str) -> None:
    assert [answer[f"class, {function}"] for answer in answers] == ["Special"] * WORLD


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_without_processes(name: str, function: str) -> None:
    bring, message = ODD[name]
    alone = message.replace(" in every process", "")
    with pytest.raises((TypeError, ValueError), match=alone):
        getattr(dice_any.distributed, function)(bring())


def test_without_processes() -> None:
    with pytest.raises(
        ValueError, match="`group` must be of processes that talk to each other; got none"
    ):
        dice_any.distributed.all_reduce(hard(0))
