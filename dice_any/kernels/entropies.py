"""Cross-entropy and its focal form, summed in the same pass as an overlap.

    softmax   E = Σ w·t·f(p)                        over the elements, for each class
    sigmoid   E = Σ w·(t·f(p) + (1 − t)·f(1 − p))
    f(p) = (1 − p)^γ·(−ln p),   γ = 0 is cross-entropy

p is the predicted membership, t the target's, w the weight. With E comes the divisor of its mean:
Σ w·t for softmax, Σ w for sigmoid. If t is 0 its term is 0, even for a logit of −∞: 0·ln 0 = 0.
"""

from __future__ import annotations

from ..arrays.halving import halving_sum_along
from ..arrays.library import Array, ArrayLibrary
from . import exact_entropies
from .activations import Activated, whole
from .blocks import Block, weighed
from .masks import class_last
from .memberships import sum_plainly, widen
from .task import TARGET, TOTAL, Task

INFINITY = float("inf")


def entropy_sums(
    task: Task, library: ArrayLibrary, block: Block, activated: Activated, sums: Array
) -> Array:
    """Return the rows of an entropy; `sums` are those of the overlap."""
    if task.kind == "exact":
        return exact_entropies.entropy_sums(task, library, block, activated, sums)
    xp = library.xp
    target = _floating_target(task, library, block)
    log, rest, finite = activated.log, activated.log_complement, _are_finite(library, activated)
    terms = _times(library, target, _gain(task, library, log, rest), finite)
    if rest is not None:
        terms = terms + _times(library, 1.0 - target, _gain(task, library, rest, log), finite)
    gain = _sum(task, library, weighed(task, library, block, terms), activated)
    rows = library.unstack(sums)
    hard = library.kind(block.target.dtype) == "bool"
    if rest is not None:
        share = rows[TOTAL]
    elif task.regions is None and (task.form != "squared" or hard):
        share = rows[TARGET]
    else:
        share = _sum(task, library, weighed(task, library, block, target), activated)
    both = library.stack([0.0 - gain, xp.astype(share, gain.dtype, copy=False)])
    if task.regions is None:
        return both
    # of all classes, beside each region
    both = xp.sum(both, axis=-1, keepdims=True)
    return xp.broadcast_to(both, (*both.shape[:-1], len(task.regions)))


def _sum(task: Task, library: ArrayLibrary, terms: Array, activated: Activated) -> Array:
    terms = library.xp.broadcast_to(terms, activated.membership.shape)
    return class_last(task, library, sum_plainly(library, terms, task.axis), leading=0)


def entropy_slope(
    task: Task, library: ArrayLibrary, block: Block, activated: Activated, slope: Array
) -> Array:
    """Return the gradient with respect to each logit; `slope` (s) is the derivative in E.

    Softmax: dE/dz_k = w·(t_k·s_k·g(p_k) − p_k·Σ_c t_c·s_c·g(p_c)), where g = df/d ln p.
    Sigmoid: dE/dz = w·s·(t·h(p) − (1 − t)·h(1 − p)), h(p) = (1 − p)^γ·(γ·p·ln p − (1 − p)).
    """
    xp, p, log, rest = library.xp, activated.membership, activated.log, activated.log_complement
    target = _floating_target(task, library, block)
    softmax = task.activation == "softmax"
    if task.entropy == 0:  # g = −1 and h(p) = p − 1
        pull = -slope * target if softmax else slope * (p - target)
    elif task.kind == "exact":
        pull = slope * exact_entropies.focal_pull(task, library, activated, target)
    else:
        if not _are_finite(library, activated):
            log, rest = (None if each is None else _clamped(library, each) for each in (log, rest))
        if rest is None:
            pull = slope * target * _slope_in_log(task, library, log)
        else:
            q = 1.0 - p
            up, down = (
                _slope_in_logit(task, library, *s) for s in ((p, q, log, rest), (q, p, rest, log))
            )
            pull = slope * (target * up - (1.0 - target) * down)
    pull = weighed(task, library, block, pull)
    if not softmax:
        return pull
    if task.kind == "exact":
        rest = p * halving_sum_along(library, pull, task.class_axis or 0)
        pull = pull * whole(task, library, p)
    else:
        rest = p * xp.sum(pull, axis=task.class_axis, keepdims=True)
    if library.traced(rest):  # see `membership_sums`
        return pull - rest
    pull -= rest
    return pull


def _floating_target(task: Task, library: ArrayLibrary, block: Block) -> Array:
    if library.kind(block.target.dtype) == "bool":
        return library.xp.astype(block.target, widen(task, library, block.prediction).dtype)
    return widen(task, library, block.target)


def _are_finite(library: ArrayLibrary, activated: Activated) -> bool:
    return library.are_finite(activated.log) if activated.finite is None else activated.finite


def _times(library: ArrayLibrary, target: Array, gain: Array, finite: bool) -> Array:
    """t·ln p, which is 0 if t = 0 and p = 0. Testing t alone would lose the gradient in t."""
    xp = library.xp
    if not finite:
        lost = (gain == -INFINITY) & (target == 0)
        gain = xp.where(lost, xp.zeros_like(gain), gain)
    return target * gain


def _gain(task: Task, library: ArrayLibrary, log: Array, rest: Array | None) -> Array:
    """−f, from ln p and, for a sigmoid, ln(1 − p)."""
    if task.entropy == 0:
        return log
    if not (library.traced(log) or library.differentiable(log)):
        return _focus(task, library, log, rest) * log
    # differentiating the product would give 0·∞ at p = 0, where −f is ln p
    xp = library.xp
    finite = log > -INFINITY
    some = xp.where(finite, log, xp.zeros_like(log))
    return xp.where(finite, _focus(task, library, some, rest) * some, log)


def _focus(task: Task, library: ArrayLibrary, log: Array, rest: Array | None) -> Array:
    """(1 − p)^γ."""
    xp, gamma = library.xp, task.entropy or 0.0
    if rest is not None:
        return xp.exp(gamma * rest)
    base = _complement(library, log)
    if not (library.traced(log) or library.differentiable(log)):
        return base**gamma
    # the derivative of a power below 1 is infinite at 0, where it is multiplied by ln 1
    some = base > 0
    power = xp.where(some, base, xp.ones_like(base)) ** gamma
    return xp.where(some, power, xp.zeros_like(base))


def _slope_in_log(task: Task, library: ArrayLibrary, log: Array) -> Array:
    """G = df/d ln p = γ·p·(1 − p)^(γ − 1)·ln p − (1 − p)^γ."""
    xp = library.xp
    rest = _complement(library, log)
    power = rest**task.entropy
    # (1 − p)^(γ − 1)·ln p tends to −(1 − p)^γ at p = 1, where dividing by 1 − p is impossible
    some = rest > 0
    quotient = xp.where(some, log / xp.where(some, rest, xp.ones_like(rest)), -xp.ones_like(rest))
    return power * (task.entropy * xp.exp(log) * quotient - 1.0)


def _slope_in_logit(
    task: Task, library: ArrayLibrary, p: Array, q: Array, log: Array, rest: Array
) -> Array:
    """h, the derivative of f in the logit of a sigmoid p; q = 1 − p."""
    return library.xp.exp(task.entropy * rest) * (task.entropy * p * log - q)


def _clamped(library: ArrayLibrary, log: Array) -> Array:
    """Clamp a logarithm to a finite value, so that its product with 0 is 0."""
    xp = library.xp
    return xp.maximum(log, xp.full_like(log, xp.finfo(log.dtype).min / 4))


def _complement(library: ArrayLibrary, log: Array) -> Array:
    """1 − p, accurate even if p is almost 1."""
    return -library.xp.expm1(log)
