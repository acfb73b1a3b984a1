"""What processes of torch.distributed exchange."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from ..reading import shown
from ..sums import Overlap
from .facts import Facts, agreement, check_tensors, foreign

F = TypeVar("F", bound=Callable[..., Any])


def eagerly(function: F) -> F:
    """Let PyTorch's compiler leave out a function, because it cannot trace an exchange of objects,
    and refuse transformations, which cannot do one.
    """

    @wraps(function)
    def run(*arguments: Any) -> Any:
        if torch._C._are_functorch_transforms_active():
            raise ValueError(
                "`group` must be None, and overlaps be exchanged elsewhere, inside a "
                "transformation of `torch.func`; got a call there. Differentiate with `backward`."
            )
        if torch.compiler.is_compiling():
            return torch.compiler.disable(function)(*arguments)
        return function(*arguments)

    return run  # type: ignore[return-value]


@eagerly
def sum_of_all(overlap: Any, group: Any) -> Overlap:
    """Return the sum of the overlaps of all processes."""
    group = read_group(group)
    every = facts_of_all(Facts.of(overlap), group)
    return total(overlap, every, agreement(every), group)


@eagerly
def cases_of_all(overlap: Any, group: Any) -> Overlap:
    """Return the overlaps of all processes, joined along the axis of cases."""
    group = read_group(group)
    every = facts_of_all(Facts.of(overlap), group)
    check_tensors(every)
    for rank, facts in enumerate(every):
        if not facts.nothing and len(facts.shape) == facts.by_class:
            raise ValueError(
                "overlaps to be gathered must have an axis of cases; got the shape "
                f'{facts.shape} in process {rank}. Pass `axis="space"` to `overlap`.'
            )
    lengths = [0 if facts.nothing else facts.shape[0] for facts in every]
    cases = [facts._replace(shape=facts.shape[1:], differentiable=False) for facts in every]
    common, longest = agreement(cases), max(lengths)
    if common.nothing:
        return overlap  # type: ignore[no-any-return]
    common = common._replace(shape=(longest, *common.shape))
    mine = _fitted(overlap, every[dist.get_rank(group)], common, group).detach()
    axis = mine.ndim - len(common.shape)
    if longest:
        padding = list(mine.shape)
        padding[axis] = longest - mine.shape[axis]
        mine = torch.cat([mine, mine.new_zeros(padding)], dim=axis).contiguous()
        parts = [torch.empty_like(mine) for _ in lengths]
        dist.all_gather(parts, mine, group=group)
        parts = [part.narrow(axis, 0, n) for part, n in zip(parts, lengths, strict=True)]
        mine = torch.cat(parts, dim=axis)
    return common.overlap_of(mine, type(overlap))


def read_group(group: Any) -> Any:
    """Return a process group that holds this process; None stands for all processes."""
    if group is None or (isinstance(group, str) and group == "world"):
        return None
    if not dist.is_available() or isinstance(group, dist.ProcessGroup):
        return group
    if group is dist.GroupMember.NON_GROUP_MEMBER:  # what `new_group` returns to the others
        raise ValueError(
            "`group` must be of processes with this one among them; got one of others. Call it in "
            "the processes of the group only."
        )
    raise (ValueError if isinstance(group, str) else TypeError)(
        "`group` must be 'world', for all processes, or a process group of torch.distributed; got "
        f"{shown(group)}. `torch.distributed.new_group(ranks)` makes one."
    )


def facts_of_all(facts: Facts, group: Any) -> list[Facts]:
    """Return the facts about the overlap of each process."""
    if not is_together():
        if facts.library != "torch":
            raise TypeError(foreign(facts.library))
        if facts.problem:
            raise ValueError(facts.problem)
        raise ValueError(
            "`group` must be of processes that talk to each other; got none. "
            "Call `torch.distributed.init_process_group` first."
        )
    every: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(every, facts, group=group)
    return every


def is_together() -> bool:
    """Tell whether there are other processes to talk to."""
    return bool(dist.is_available() and dist.is_initialized())


def total(overlap: Overlap, every: list[Facts], common: Facts, group: Any) -> Overlap:
    """Return the sum of the overlaps of all processes, which agree."""
    mine = _fitted(overlap, every[dist.get_rank(group)], common, group)
    return common.overlap_of(added(mine, group), type(overlap))


def _fitted(overlap: Overlap, facts: Facts, common: Facts, group: Any) -> Any:
    """Return this process's sums in the common layout."""
    if facts.nothing:
        device = "cuda" if dist.get_backend(group) == "nccl" else "cpu"
        like = overlap.rows if facts.library == "torch" else torch.zeros(1, device=device)
        sums = Overlap.zero(common.shape, like=like, kind=common.kind).rows  # type: ignore[arg-type]
    else:
        sums = overlap.rows_as(common.kind)  # type: ignore[arg-type]
    return followed(sums, common)


def followed(sums: Any, common: Facts) -> Any:
    """Return plain sums that either all processes or none differentiate: a backward pass must run
    on all of them, or some would wait for others.
    """
    if common.differentiable and common.kind == "plain" and not sums.requires_grad:
        return sums.detach().requires_grad_()
    return sums


def added(sums: Any, group: Any) -> Any:
    return Sum.apply(sums, group)


class Sum(torch.autograd.Function):
    """Sum over processes. Its gradient is summed too, because every process's loss depends on
    every process's sums.
    """

    @staticmethod
    def forward(ctx: Any, sums: Any, group: Any) -> Any:
        ctx.group = group
        total = sums.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, cotangent: Any) -> Any:
        total = cotangent.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=ctx.group)
        return total, None
