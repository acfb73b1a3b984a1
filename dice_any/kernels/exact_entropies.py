"""Cross-entropy and its focal form in exact sums: the formulas of `entropies`, with logarithms and
powers in integers.

A term is a product, and no product is added to another before the sum, so that no compiler can fuse
any. Where a cost −ln p is infinite, its term is counted instead.
"""

from __future__ import annotations

from typing import Any

from ..arrays.library import Array, ArrayLibrary
from .activations import Activated
from .blocks import Block, weighed
from .exponentials import INFINITE
from .limbs import limbs_to_float64, sum_exactly, whole_numbers
from .masks import class_last
from .memberships import valid_memberships, valid_weight, widen
from .task import ENTROPY, ENTROPY_INFINITE, TARGET, TOTAL, Task

#: Where 1 − p is smaller, ln p / (1 − p) is a power series: a division would magnify the error of
#: the logarithm.
NEAR = 2.0**-6


def entropy_sums(
    task: Task, library: ArrayLibrary, block: Block, activated: Activated, sums: Array
) -> Array:
    """Return the rows of an entropy, (3, limbs, *counts); `sums` are those of the overlap."""
    if block.weight is not None and library.kind(block.weight.dtype) != "bool":
        weight, _ = valid_weight(task, library, block.weight)
        block = block._replace(weight=weight)
    xp, target = library.xp, block.target
    hard = library.kind(target.dtype) == "bool"
    if not hard:
        target, _ = valid_memberships(task, library, widen(task, library, target))
    log, focus = activated.log, activated.focus
    rest, other = activated.log_complement, activated.focus_complement
    if rest is None:
        found = [_term(library, block, target, log, focus)]
    elif hard:  # each element has one of both terms
        focus = None if focus is None else xp.where(target, focus, other)
        found = [_term(library, block, None, xp.where(target, log, rest), focus)]
    else:
        found = [
            _term(library, block, target, log, focus),
            _term(library, block, 1.0 - target, rest, other),
        ]
    terms, infinite = map(list, zip(*found, strict=True))
    sides = len(terms)

    rows = library.unstack(sums)
    share = None
    if rest is not None:
        share = rows[TOTAL]
    elif task.regions is None and (task.form != "squared" or hard):
        share = rows[TARGET]
    else:
        floating = xp.astype(target, xp.float64, copy=False)
        terms.append(xp.broadcast_to(floating, activated.membership.shape))

    terms = [weighed(task, library, block, term) for term in terms]
    limbs, counts = sum_exactly(library, terms, infinite, task.axis, weighted=True)
    lost = class_last(task, library, whole_numbers(library, counts), leading=2)
    limbs = class_last(task, library, limbs, leading=2)
    entropy, lost = (xp.sum(part, axis=0, dtype=xp.int64) for part in (limbs[:sides, ...], lost))
    entropies = library.stack([entropy, limbs[sides, ...] if share is None else share, lost])
    if task.regions is None:
        return entropies
    # of all classes, beside each region
    entropies = xp.sum(entropies, axis=-1, keepdims=True, dtype=xp.int64)
    return xp.broadcast_to(entropies, (*entropies.shape[:-1], len(task.regions)))


def _term(
    library: ArrayLibrary, block: Block, share: Array | None, log: Any, focus: Array | None
) -> tuple[Array, Array]:
    """Return t·(1 − p)^γ·(−ln p), or 0 where that is infinite, and the mask of the latter; t is
    the `share`, None if it is 1.
    """
    xp = library.xp
    infinite = log <= -INFINITE
    cost = xp.where(infinite, xp.zeros_like(log), -log)
    if focus is not None:
        cost = focus * cost
    if share is None:
        takes_part, term = xp.ones_like(infinite), cost
    elif library.kind(share.dtype) == "bool":
        takes_part = xp.broadcast_to(share, cost.shape)
        term = xp.where(takes_part, cost, xp.zeros_like(cost))
    else:
        takes_part, term = share > 0, share * cost
    if block.counted is not None:
        takes_part = xp.logical_and(takes_part, block.counted)
    return term, xp.logical_and(infinite, takes_part)


def entropy_to_float64(library: ArrayLibrary, rows: Array, invalid: Array) -> Array:
    """Round the rows of an entropy to its sum and its divisor: (2, *counts), NaN where something
    is invalid.
    """
    xp = library.xp
    entropy, share = (limbs_to_float64(library, rows[row, ...]) for row in range(2))
    entropy = xp.where(
        rows[ENTROPY_INFINITE - ENTROPY, 0, ...] > 0, xp.full_like(entropy, float("inf")), entropy
    )
    nan = xp.full_like(entropy, float("nan"))
    return library.stack([xp.where(invalid > 0, nan, row) for row in (entropy, share)])


def focal_pull(task: Task, library: ArrayLibrary, activated: Activated, target: Array) -> Array:
    """Return what `entropies.entropy_slope` multiplies by the slope: t·g(p) with softmax, and
    t·h(p) − (1 − t)·h(1 − p) with sigmoid.
    """
    gamma, p, log, focus = task.entropy, activated.membership, activated.log, activated.focus
    q = 1.0 - p
    if activated.log_complement is None:
        return target * (focus * (gamma * p * _log_over_complement(library, log, q) - 1.0))
    up = focus * (gamma * p * log - q)
    down = activated.focus_complement * (gamma * q * activated.log_complement - p)
    return target * up - (1.0 - target) * down


def _log_over_complement(library: ArrayLibrary, log: Array, q: Array) -> Array:
    """Return ln p / q, where q = 1 − p: −(1 + q/2 + q²/3 + …), which is −1 at p = 1."""
    xp = library.xp
    near = q < NEAR
    series = -1.0 - q * (1.0 / 2.0 + q * (1.0 / 3.0 + q * 0.25))
    return xp.where(near, series, log / xp.where(near, xp.ones_like(q), q))
