"""The expected results, by counting and by `fractions`: slow, simple, and without the package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import floor
from math import log as log_of
from typing import NamedTuple

import numpy as np

UNIT = 2**62


class Exact(NamedTuple):
    """The four sums of one count, each in units of 2⁻⁶²."""

    intersection: int
    prediction: int
    target: int
    total: int

    def floats(self) -> tuple[float, float, float, float]:
        """Return the sums rounded once."""
        i, x, y, n = (float(Fraction(value, UNIT)) for value in self)
        return i, x, y, n


def quantum(term: float) -> int:
    """Return one float64 term in units of 2⁻⁶²; smaller bits are dropped."""
    return floor(Fraction(term) * UNIT)


def terms(x: float, y: float, form: str) -> tuple[float, float, float]:
    """Return the terms of intersection, prediction and target in float64."""
    if form == "minimum":
        return min(x, y), x, y
    if form == "squared":
        return x * y, x * x, y * y
    return x * y, x, y


def exact_sums(
    prediction: np.ndarray,
    target: np.ndarray,
    form: str = "product",
    weight: np.ndarray | None = None,
) -> Exact:
    """Sum the memberships of two arrays of one shape."""
    weights = np.broadcast_to(np.float64(1) if weight is None else weight, target.shape)
    sums = [0, 0, 0, 0]
    for x, y, w in zip(prediction.ravel(), target.ravel(), weights.ravel(), strict=True):
        if w == 0:
            continue
        for row, term in enumerate((*terms(float(x), float(y), form), 1.0)):
            sums[row] += quantum(term * float(w))
    return Exact(*sums)


#: 2ᵍ in units of 2⁻³¹ by Horner's rule, the highest power first: part of the contract.
POLYNOMIAL = (3875, 30979, 332330, 2862627, 20654963, 119194142, 515882497, 1488522236, 2**31)


def shrunk(distance: float, bits: int = 50) -> int:
    """Return e⁻ᵈ, d ≥ 0, in units of 2⁻ᵇⁱᵗˢ, by the contract's integer steps."""
    exponent = int(min(distance, 42.0) * (2.0**32 / log_of(2.0)))
    whole = -(-exponent // 2**32)
    fraction = whole * 2**32 - exponent
    value = 0
    for coefficient in POLYNOMIAL:
        value = value * fraction // 2**32 + coefficient
    return (value << (bits - 31)) >> whole


def softmax(logits: np.ndarray, groups: Sequence[Sequence[int]] | None = None) -> np.ndarray:
    """Return memberships in float64 of logits with classes along axis 0; with groups of classes,
    their integers are added.
    """
    classes = logits.shape[0]
    groups = [(label,) for label in range(classes)] if groups is None else groups
    bits = 50 - max(classes.bit_length() - 12, 0)
    columns = logits.astype(np.float64).reshape(classes, -1).T
    found = []
    for column in columns.tolist():
        parts = [shrunk(max(column) - z, bits) for z in column]
        share = 1.0 / float(sum(parts))
        found.append([float(sum(parts[label] for label in group)) * share for group in groups])
    return np.array(found).T.reshape(len(groups), *logits.shape[1:])


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return memberships in float64."""
    found = []
    for z in logits.astype(np.float64).ravel().tolist():
        part = shrunk(abs(z))
        share = 1.0 / float(2**50 + part)
        found.append(float(2**50 if z >= 0 else part) * share)
    return np.array(found).reshape(logits.shape)


#: ln(1 + f)/f in units of 2⁻³¹ by Horner's rule: part of the contract.
LOG_POLYNOMIAL = (
    -2689906, 19167588, -63995325, 136371434, -216505109, 287837053, -353149774, 428713889,
    -536793370, 715823849, -1073741738, 2147483650,
)  # fmt: skip


def log_ratio(value: int, bits: int = 50) -> float:
    """Return ln(v·2⁻ᵇⁱᵗˢ), by the contract's integer steps."""
    power = value.bit_length() - 1
    fraction = (value << 32 >> power) - 2**32
    log = 0
    for coefficient in LOG_POLYNOMIAL:
        log = log * fraction // 2**32 + coefficient
    log = log * fraction // 2**32
    return ((log << 9) + (power - bits) * round(log_of(2.0) * 2**40)) / 2**40


class Cost(NamedTuple):
    """−ln p of a membership p, and (1 − p)^γ."""

    cost: float
    focus: float


def costs_of_softmax(logits: Sequence[float], gamma: float) -> list[Cost]:
    """Return the cost of each class of one element."""
    top = max(logits)
    parts = [shrunk(top - z) for z in logits]
    whole = sum(parts)
    return [
        Cost((top - z) + log_ratio(whole), _focus(whole - part, whole, gamma))
        for z, part in zip(logits, parts, strict=True)
    ]


def costs_of_sigmoid(logit: float, gamma: float) -> tuple[Cost, Cost]:
    """Return the cost of a membership and that of its complement."""
    part, one = shrunk(abs(logit)), 2**50
    rest = log_ratio(one + part)
    near, far = (
        Cost(rest, _focus(part, one + part, gamma)),
        Cost(abs(logit) + rest, _focus(one, one + part, gamma)),
    )
    return (near, far) if logit >= 0 else (far, near)


def _focus(part: int, whole: int, gamma: float) -> float:
    """Return (part / whole)^γ."""
    if gamma == 0:
        return 1.0
    if part == 0:
        return 0.0
    return shrunk(max(log_ratio(whole) - log_ratio(part), 0.0) * gamma) * 2.0**-50


def by_class(classes: int, target: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the mask of each class of a label map."""
    for label in range(classes):
        yield target == label


def overlap_sums(overlap: object) -> list[Exact]:
    """Return the sums an `Overlap` carries, flat over its counts, in units of 2⁻⁶²."""
    data = overlap.to_dict()  # type: ignore[attr-defined]
    sums = np.asarray(data["sums"], dtype=object)
    if data["kind"] == "hard":
        rows = sums.reshape(5, -1) * UNIT
    else:
        limbs = sums.reshape(5, 3, -1)
        rows = limbs[:, 0] * UNIT + limbs[:, 1] * 2**31 + limbs[:, 2]
    return [Exact(*(int(value) for value in column[:4])) for column in rows.T]
