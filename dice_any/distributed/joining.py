"""Losses of the joined batches of all processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.distributed as dist

from ..measuring import Measured
from .exchange import added, eagerly, facts_of_all, followed, is_together, read_group, total
from .facts import Facts, agreement

Join = Callable[[Measured], Measured]


@eagerly
def joined(group: Any, compute: Callable[[Join], Any]) -> Any:
    """Return the result of `compute`, which gets a function that joins the sums and the gradient of
    a loss with other processes.

    An error before they meet is told to the others, which would wait. `group` is a process group,
    or ``"world"``: all processes.
    """
    group, met = read_group(group), False

    def join(found: Measured) -> Measured:
        nonlocal met
        shape, by_class = found.overlap.shape, found.overlap.by_class
        if len(shape) > by_class:
            raise ValueError(
                "`axis` must sum over samples beside `group=`, as sample 0 of one process is not "
                f"sample 0 of another; got counts of shape {shape}. Leave `axis` out, or `group`: "
                "the losses of samples are averaged with the gradients."
            )
        facts = Facts.of(found.overlap)
        facts = facts._replace(differentiable=facts.differentiable or found.vjp is not None)
        met = True
        every = facts_of_all(facts, group)
        common = agreement(every)
        overlap = total(found.overlap, every, common, group)
        entropy, vjp = found.entropy, found.vjp
        if entropy is not None:
            entropy = added(followed(entropy, common), group)
        if vjp is not None:
            vjp = _pulled_by_all(vjp, group)
        return found._replace(overlap=overlap, entropy=entropy, vjp=vjp)

    try:
        return compute(join)
    except Exception as error:
        if not met and is_together():
            told = Facts.of_error(error)
            dist.all_gather_object([None] * dist.get_world_size(group), told, group=group)
        raise


def _pulled_by_all(vjp: Callable[[Any], Any], group: Any) -> Callable[[Any], Any]:
    """Return a backward pass from the joined sums, on which the losses of all processes depend."""
    return lambda cotangent: vjp(added(cotangent, group))
