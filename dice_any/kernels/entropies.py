"""Cross-entropy and its focal form, summed beside an overlap.

    softmax   E = Σ w·t·f(p)                        over the elements, for each class
    sigmoid   E = Σ w·(t·f(p) + (1 − t)·f(1 − p))
    f(p) = (1 − p)^γ·(−ln p),   γ = 0 is cross-entropy

p is the membership, t the target's, w the weight. Beside E stands what a mean divides by: Σ w·t, or Σ w by sigmoid.
"""

from __future__ import annotations

from ..arrays.library import Array, ArrayLibrary
from .activations import Activated
from .blocks import Block, weighed
from .masks import class_last
from .memberships import sum_plainly, widen
from .task import Task


def entropy_sums(task: Task, library: ArrayLibrary, block: Block, activated: Activated) -> Array:
    """Return the rows of entropy and of its weight."""
    xp = library.xp
    shape = activated.membership.shape
    target = _floating_target(task, library, block)
    terms = target * _gain(task, library, activated.log)
    if activated.log_complement is not None:
        terms = terms + (1.0 - target) * _gain(task, library, activated.log_complement)
    shares = target if activated.log_complement is None else xp.ones_like(target)
    terms, shares = (weighed(task, library, block, values) for values in (terms, shares))
    gain, share = (sum_plainly(library, xp.broadcast_to(values, shape), task.axis) for values in (terms, shares))
    return class_last(task, library, library.stack([0.0 - gain, share]), lead=1)


def entropy_slope(task: Task, library: ArrayLibrary, block: Block, activated: Activated, slope: Array) -> Array:
    """Return what each logit contributes, where `slope` is the derivative in E.

    dE/dz_k = w·(t_k·s_k·g(p_k) − p_k·Σ_c t_c·s_c·g(p_c)) by softmax, w·s·(t·g(p)·(1 − p) − (1 − t)·g(1 − p)·p) by sigmoid,
    where g is the slope of f in ln p.
    """
    target = _floating_target(task, library, block)
    pull = weighed(task, library, block, _times_cost_slope(task, library, slope, target, activated.log))
    p = activated.membership
    if activated.log_complement is None:
        pull -= p * library.xp.sum(pull, axis=task.class_axis, keepdims=True)
        return pull
    push = _times_cost_slope(task, library, slope, 1.0 - target, activated.log_complement)
    return pull * (1.0 - p) - weighed(task, library, block, push) * p


def _floating_target(task: Task, library: ArrayLibrary, block: Block) -> Array:
    if library.kind(block.target.dtype) == "bool":
        return library.xp.astype(block.target, widen(task, library, block.prediction).dtype)
    return widen(task, library, block.target)


def _gain(task: Task, library: ArrayLibrary, log: Array) -> Array:
    """−f, from ln p."""
    return log if task.entropy == 0 else _rest(library, log) ** task.entropy * log


def _times_cost_slope(task: Task, library: ArrayLibrary, slope: Array, target: Array, log: Array) -> Array:
    """slope·target·df/d ln p, where df/d ln p = γ·p·(1 − p)^(γ − 1)·ln p − (1 − p)^γ."""
    xp = library.xp
    if task.entropy == 0:
        return -slope * target
    rest = _rest(library, log)
    power = rest**task.entropy
    # (1 − p)^(γ − 1)·ln p goes to −(1 − p)^γ at p = 1, where it cannot be divided
    some = rest > 0
    quotient = xp.where(some, log / xp.where(some, rest, xp.ones_like(rest)), -xp.ones_like(rest))
    return slope * target * (power * (task.entropy * xp.exp(log) * quotient - 1.0))


def _rest(library: ArrayLibrary, log: Array) -> Array:
    """1 − p, to the last digits where p is almost 1."""
    return -library.xp.expm1(log)
