"""One overlap over all processes: batch Dice of a batch that is spread over several machines."""

from __future__ import annotations

from typing import Any

from .sums import Overlap

__all__ = ["all_reduce"]


def all_reduce(overlap: Overlap, group: Any = None) -> Overlap:
    r"""Add the overlaps of all processes of torch.distributed; every process gets the sum.

    .. math:: S = \sum_r S_r

    where :math:`S_r` are the sums of process r. To train on Dice of the joined batch, pass ``exact=False`` to `overlap`, and
    the result to a loss.

    Parameters
    ----------
    overlap : Overlap
        Of PyTorch tensors, of the same shape, kind and form in every process.
    group : torch.distributed.ProcessGroup, optional
        The processes that take part; all by default.

    Returns
    -------
    Overlap
        The merged overlap, on each process's own device. Hard and exact sums are integers: the same bits whatever the
        number of processes. Plain sums carry a gradient.

    Raises
    ------
    TypeError
        If the overlap is not one of PyTorch tensors. With JAX use ``jax.lax.psum(overlap, axis_name)``: an overlap is a
        pytree, and may be summed leaf by leaf.

    Notes
    -----
    The gradient that flows back is the sum of every process's, so that after the averaging of DistributedDataParallel the
    gradient of each parameter is that of one process on the joined batch.

    Examples
    --------
    ::

        counts = dice_any.overlap(logits, labels, class_axis=1, activation="softmax", exact=False)
        loss = dice_any.dice_loss(dice_any.distributed.all_reduce(counts))
        loss.backward()
    """
    sums = overlap._sums
    if overlap._library.name != "torch":
        raise TypeError(
            f"`overlap` must hold PyTorch tensors; got those of {overlap._library.name}. "
            "In JAX use `jax.lax.psum(overlap, axis_name)`; elsewhere gather the overlaps and add them."
        )
    return overlap._with(_added(sums, group))


def _added(sums: Any, group: Any) -> Any:
    import torch
    import torch.distributed as dist

    class Sum(torch.autograd.Function):
        """Sum over processes; so is its gradient, since every process's loss depends on every process's sums."""

        @staticmethod
        def forward(ctx: Any, sums: Any) -> Any:
            total = sums.clone()
            dist.all_reduce(total, group=group)
            return total

        @staticmethod
        def backward(ctx: Any, cotangent: Any) -> Any:
            total = cotangent.clone()
            dist.all_reduce(total, group=group)
            return total

    return Sum.apply(sums)  # type: ignore[no-untyped-call]
