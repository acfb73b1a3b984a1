"""Combine overlaps over all processes: the Dice of a batch that is spread over several machines,
or a table of all cases.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from .arrays import UnknownLibraryError
from .arrays.library import ArrayLibrary
from .measuring import Measured
from .reading import FORMS, KINDS, class_name, shown
from .sums import Overlap
from .sums.rows import INVALID

__all__ = ["all_reduce", "gather"]

#: the dtypes of plain sums that processes can exchange
FLOATING = ("float64", "float32", "float16", "bfloat16")


def all_reduce(overlap: Overlap, group: Any = None) -> Overlap:
    r"""Add the overlaps of all processes of torch.distributed; every process gets the sum.

    .. math:: S = \sum_r S_r

    where :math:`S_r` are the sums of process r. To train on Dice of the joined batch, pass
    ``exact=False`` to `overlap`, and the result to a loss.

    Parameters
    ----------
    overlap : Overlap
        An overlap of PyTorch tensors with the same shape, kind and form in every process (hard and
        exact mix, as with ``+``). A process without data passes ``Overlap.zero()``, which adopts
        the shape of the others.
    group : torch.distributed.ProcessGroup, optional
        The processes that take part; all by default.

    Returns
    -------
    Overlap
        The merged overlap, on each process's own device. Hard and exact sums are integers, with the
        same bits for any number of processes. Plain sums carry a gradient.

    Raises
    ------
    TypeError
        If the overlap does not hold PyTorch tensors. With JAX use ``jax.lax.psum(overlap,
        axis_name)``: an overlap is a pytree and may be summed leaf by leaf.
    ValueError
        On every process, if some overlaps differ in kind, form, shape, classes or dtype, or do not
        hold PyTorch tensors with values.

    Notes
    -----
    The processes first compare their overlaps' metadata in one small exchange, so that none is left
    waiting for another. The backward pass sums the gradients of all processes. So after the
    averaging of DistributedDataParallel, each parameter has the gradient of one process on the
    joined batch.

    Examples
    --------
    ::

        counts = dice_any.overlap(logits, labels, class_axis=1, activation="softmax", exact=False)
        loss = dice_any.dice_loss(dice_any.distributed.all_reduce(counts))
        loss.backward()
    """
    every = _facts_of_all(overlap, group)
    facts, common = every[_rank(group)], _agreement(every)
    return common.overlap_of(_added(_fitted(overlap, facts, common, group), group))


def gather(overlap: Overlap, group: Any = None) -> Overlap:
    r"""Concatenate the cases of all processes; every process gets all of them.

    .. math:: S = (S_0, S_1, \dots)

    where :math:`S_r` are the sums of process r, one per case; each process may have any number of
    cases. Use the result for the table of an evaluation on several processes, or for a bootstrap
    over its cases.

    Parameters
    ----------
    overlap : Overlap
        An overlap of PyTorch tensors whose first axis is the cases, as with ``axis="space"``. The
        other axes, kind and form are the same in every process (hard and exact mix). A process
        without cases passes ``Overlap.zero()``.
    group : torch.distributed.ProcessGroup, optional
        The processes that take part; all by default.

    Returns
    -------
    Overlap
        The cases of all processes in the order of their ranks, on each process's own device,
        without a gradient.

    Raises
    ------
    TypeError
        If the overlap does not hold PyTorch tensors, and there are no other processes.
    ValueError
        On every process, if some overlaps have no axis of cases, differ in kind, form, classes,
        dtype or the shape of a case, or do not hold PyTorch tensors with values.

    Notes
    -----
    A `DistributedSampler` repeats cases until all processes have equally many, so a table contains
    some twice. `gather` needs no padding: give each process every n-th case.

    Examples
    --------
    ::

        counts = dice_any.overlap(labels, reference, num_classes=4, axis="space")
        scores = dice_any.dice_score(dice_any.distributed.gather(counts))  # a row for each case
    """
    import torch
    import torch.distributed as dist

    every = _facts_of_all(overlap, group)
    _check_tensors(every)
    for rank, facts in enumerate(every):
        if not facts.nothing and len(facts.shape) == facts.by_class:
            raise ValueError(
                "overlaps to be gathered must have an axis of cases; got the shape "
                f'{facts.shape} in process {rank}. Pass `axis="space"` to `overlap`.'
            )
    lengths = [0 if facts.nothing else facts.shape[0] for facts in every]
    cases = [facts._replace(shape=facts.shape[1:], differentiable=False) for facts in every]
    common, longest = _agreement(cases), max(lengths)
    if common.nothing:
        return overlap
    common = common._replace(shape=(longest, *common.shape))
    mine = _fitted(overlap, every[_rank(group)], common, group).detach()
    axis = mine.ndim - len(common.shape)
    if longest:
        padding = list(mine.shape)
        padding[axis] = longest - mine.shape[axis]
        mine = torch.cat([mine, mine.new_zeros(padding)], dim=axis).contiguous()
        parts = [torch.empty_like(mine) for _ in lengths]
        dist.all_gather(parts, mine, group=group)
        parts = [part.narrow(axis, 0, n) for part, n in zip(parts, lengths, strict=True)]
        mine = torch.cat(parts, dim=axis)
    return common.overlap_of(mine)


def joining(group: Any) -> Callable[[Measured], Measured]:
    """Return a function that joins the sums and the gradient of a loss with other processes.

    `group` is a process group, or ``"world"``: all processes.
    """
    group = None if isinstance(group, str) and group == "world" else group

    def join(found: Measured) -> Measured:
        shape, by_class = found.overlap.shape, found.overlap.by_class
        if len(shape) > by_class:
            raise ValueError(
                "`axis` must sum over samples beside `group=`, as sample 0 of one process is not "
                f"sample 0 of another; got counts of shape {shape}. Leave `axis` out, or `group`: "
                "the losses of samples are averaged with the gradients."
            )
        every = _facts_of_all(found.overlap, group)
        facts, common = every[_rank(group)], _agreement(every)
        overlap = common.overlap_of(_added(_fitted(found.overlap, facts, common, group), group))
        entropy, vjp = found.entropy, found.vjp
        if entropy is not None:
            entropy = _added(_followed(entropy, common), group)
        if vjp is not None:
            vjp = _pulled_by_all(vjp, group)
        return found._replace(overlap=overlap, entropy=entropy, vjp=vjp)

    return join


def _pulled_by_all(vjp: Callable[[Any], Any], group: Any) -> Callable[[Any], Any]:
    """Return a backward pass from the joined sums, on which the losses of all processes depend."""
    return lambda cotangent: vjp(_added(cotangent, group))


def _facts_of_all(overlap: Any, group: Any) -> list[_Facts]:
    """Return the facts about the overlap of each process."""
    import torch.distributed as dist

    facts = _Facts.of(overlap)
    if not (dist.is_available() and dist.is_initialized()):
        if facts.library != "torch":
            raise TypeError(_foreign(facts.library))
        if facts.problem:
            raise ValueError(facts.problem)
        raise ValueError(
            "`group` must be of processes that talk to each other; got none. "
            "Call `torch.distributed.init_process_group` first."
        )
    every: list[Any] = [None] * dist.get_world_size(group)
    dist.all_gather_object(every, facts, group=group)
    return every


def _rank(group: Any) -> int:
    import torch.distributed as dist

    return int(dist.get_rank(group))


class _Facts(NamedTuple):
    """The properties that must agree between processes."""

    library: str
    kind: str
    form: str
    by_class: bool
    shape: tuple[int, ...]
    dtype: str
    differentiable: bool
    #: a hard zero without axes, which has no shape of its own
    nothing: bool
    #: why tensors cannot be added; "" if they can
    problem: str = ""

    @classmethod
    def of(cls, overlap: Any) -> _Facts:
        """Return the facts about an overlap.

        There is no error here: the others must be told, or they would wait.
        """
        no_facts = cls(type(overlap).__name__, "", "", False, (), "", False, False)
        if not isinstance(overlap, Overlap):
            return no_facts
        try:
            return cls._of_sums(overlap)
        except UnknownLibraryError:
            return no_facts._replace(library=class_name(overlap._held))
        except Exception as error:
            return no_facts._replace(library="torch", problem=str(error) or repr(error))

    @classmethod
    def _of_sums(cls, overlap: Overlap) -> _Facts:
        library, sums = overlap._library, overlap.rows
        if library.name == "torch":
            _check_sums(library, sums, overlap)
        plain_zero = overlap.kind == "hard" and overlap.shape == () and library.at_hand(sums)
        return cls(
            library.name,
            overlap.kind,
            overlap.form,
            overlap.by_class,
            overlap.shape,
            library.dtype_name(sums.dtype),
            library.name == "torch" and library.differentiable(sums),
            plain_zero and not library.xp.any(sums != 0),
        )

    def overlap_of(self, sums: Any) -> Overlap:
        return Overlap(sums, kind=self.kind, form=self.form, by_class=self.by_class)._with(sums)  # type: ignore[arg-type]


def _foreign(library: str) -> str:
    return (
        f"`overlap` must hold PyTorch tensors; got those of {library}. "
        "In JAX use `jax.lax.psum(overlap, axis_name)`; elsewhere gather the overlaps and add them."
    )


def _check_sums(library: ArrayLibrary, sums: Any, overlap: Overlap) -> None:
    """Check that tensors are sums of their kind, because an exchange of others may never end."""
    if sums.device.type == "meta":  # as of a model that is not yet in memory
        raise ValueError(
            "`overlap` must hold values; got a tensor on the device meta. Compute it on another."
        )
    rows = (INVALID + 1, 3) if overlap.kind == "exact" else (INVALID + 1,)
    numbers = FLOATING if overlap.kind == "plain" else ("int64",)
    name = library.dtype_name(sums.dtype)
    if (
        overlap.kind not in KINDS
        or overlap.form not in FORMS
        or tuple(sums.shape[: len(rows)]) != rows
        or name not in numbers
        or library.refusal(sums) is not None
    ):
        raise ValueError(
            f"`overlap` must hold sums in rows; got {name} of shape {tuple(sums.shape)} as sums of "
            f"the kind {shown(overlap.kind)} and the form {shown(overlap.form)}. Pass what "
            "`overlap` returned."
        )


def _check_tensors(every: list[_Facts]) -> None:
    """Check that every process brings tensors, or nothing; else the error is the same on all."""
    for rank, facts in enumerate(every):
        if facts.problem:
            raise ValueError(f"{facts.problem} That was in process {rank}.")
        if not facts.nothing and facts.library != "torch":
            raise ValueError(
                "overlaps to be added must hold PyTorch tensors in every process; got those of "
                f"{facts.library} in process {rank}. A process without data passes "
                "`Overlap.zero()`."
            )


def _agreement(every: list[_Facts]) -> _Facts:
    """Return the properties of the sum, or raise the same error on every process."""
    _check_tensors(every)
    bringing = {rank: facts for rank, facts in enumerate(every) if not facts.nothing}
    if not bringing:
        return every[0]
    kinds = {facts.kind for facts in bringing.values()}
    soft = {rank: facts for rank, facts in bringing.items() if facts.kind != "hard"}
    if "plain" in kinds and len(kinds) > 1:
        raise _differ(
            "kind",
            "be all plain, or all hard or exact",
            bringing,
            "Compute all with the same `exact=`.",
        )
    if len({facts.form for facts in soft.values()}) > 1:
        raise _differ("form", "have one form", soft, "Compute all with the same `form=`.")
    zero = (
        "A process without data passes `Overlap.zero()`, or `Overlap.zero(like=..., "
        "num_classes=...)` of their shape."
    )
    if len({facts.shape for facts in bringing.values()}) > 1:
        raise _differ("shape", "have one shape", bringing, zero)
    if len({facts.by_class for facts in bringing.values()}) > 1:
        raise _differ("by_class", "be all by class or none", bringing, zero)
    if len({facts.dtype for facts in bringing.values()}) > 1:
        raise _differ("dtype", "have one dtype", bringing, "Convert the predictions.")
    lead = next(iter((soft or bringing).values()))
    kind = "exact" if "exact" in kinds else lead.kind
    return lead._replace(kind=kind, differentiable=any(facts.differentiable for facts in every))


def _differ(field: str, rule: str, facts: dict[int, _Facts], cure: str) -> ValueError:
    found = {rank: getattr(fact, field) for rank, fact in facts.items()}
    parts = ", ".join(f"{value!r} in process {rank}" for rank, value in found.items())
    return ValueError(f"overlaps to be added must {rule}; got {parts}. {cure}")


def _fitted(overlap: Overlap, facts: _Facts, common: _Facts, group: Any) -> Any:
    """Return this process's sums in the common layout."""
    import torch
    import torch.distributed as dist

    if facts.nothing:
        device = "cuda" if dist.get_backend(group) == "nccl" else "cpu"
        like = overlap.rows if facts.library == "torch" else torch.zeros(1, device=device)
        sums = Overlap.zero(common.shape, like=like, kind=common.kind).rows  # type: ignore[arg-type]
    else:
        sums = overlap.rows_as(common.kind)  # type: ignore[arg-type]
    return _followed(sums, common)


def _followed(sums: Any, common: _Facts) -> Any:
    """Return sums that either all processes or none differentiate: a backward pass must run on all
    of them, or some would wait for others.
    """
    if common.differentiable and not sums.requires_grad:
        return sums.detach().requires_grad_()
    return sums


def _added(sums: Any, group: Any) -> Any:
    return _sum_function().apply(sums, group)


@cache
def _sum_function() -> Any:
    import torch
    import torch.distributed as dist

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

    return Sum
