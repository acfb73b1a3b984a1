"""Add the overlaps of all processes, or put their cases together."""

from __future__ import annotations

from typing import Any

from ..sums import Overlap
from .facts import Facts, foreign


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
    group : torch.distributed.ProcessGroup or "world", optional
        The processes that take part, this one among them; all by default.

    Returns
    -------
    Overlap
        The merged overlap, on each process's own device. Hard and exact sums are integers, with the
        same bits for any number of processes. Plain sums carry a gradient.

    Raises
    ------
    TypeError
        If the overlap does not hold PyTorch tensors. With JAX use ``jax.lax.psum(overlap,
        axis_name)``: an overlap is a pytree and may be summed leaf by leaf. If `group` is no group.
    ValueError
        If there are no processes to talk to, or this one is none of the group.
        On every process, if some overlaps differ in kind, form, shape, classes or dtype, or do not
        hold PyTorch tensors with values.

    Notes
    -----
    The processes first compare their overlaps' metadata in one small exchange, so that none is left
    waiting for another. The backward pass sums the gradients of all processes. So after the
    averaging of DistributedDataParallel, each parameter has the gradient of one process on the
    joined batch. A compiler leaves the exchange out (``fullgraph=True`` is an error).

    Examples
    --------
    ::

        counts = dice_any.overlap(logits, labels, class_axis=1, activation="softmax", exact=False)
        loss = dice_any.dice_loss(dice_any.distributed.all_reduce(counts))
        loss.backward()
    """
    result: Overlap = _exchange(overlap).sum_of_all(overlap, group)
    return result


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
    group : torch.distributed.ProcessGroup or "world", optional
        The processes that take part, this one among them; all by default.

    Returns
    -------
    Overlap
        The cases of all processes in the order of their ranks, on each process's own device,
        without a gradient.

    Raises
    ------
    TypeError
        If the overlap does not hold PyTorch tensors, and there are no other processes. If `group`
        is no group.
    ValueError
        If there are no processes to talk to, or this one is none of the group.
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
    result: Overlap = _exchange(overlap).cases_of_all(overlap, group)
    return result


def _exchange(overlap: Any) -> Any:
    """Return the module that needs PyTorch."""
    try:
        from . import exchange
    except ModuleNotFoundError:
        raise TypeError(foreign(Facts.of(overlap).library)) from None
    return exchange
