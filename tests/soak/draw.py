"""Random numbers, shapes and layouts."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import formulas

INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
COMPOUND = ("dice_cross_entropy_loss", "dice_focal_loss")
RANKED = ("lovasz_loss", "wasserstein_dice_loss")
LOSSES = (*formulas.RATIOS, "generalized_dice_loss", *COMPOUND, *RANKED)


class DeclinedError(Exception):
    """A kernel declines this work, or a library cannot do it."""


class Draw:
    """A random generator, and the arrays made with it."""

    def __init__(self, seed: int, number: int) -> None:
        self.chance = np.random.default_rng([seed, number])

    def one_of(self, choices: Any) -> Any:
        choices = list(choices)
        return choices[int(self.chance.integers(len(choices)))]

    def often(self, shares: dict[str, int]) -> str:
        names = list(shares)
        weights = np.array([shares[name] for name in names], dtype=np.float64)
        return str(self.chance.choice(names, p=weights / weights.sum()))

    def happens(self, share: float) -> bool:
        return bool(self.chance.random() < share)

    def shape(self, most: int, axes: int) -> tuple[int, ...]:
        lengths = [int(self.chance.integers(1, 7)) for _ in range(axes)]
        while np.prod(lengths) < most and self.happens(0.7):
            lengths[int(self.chance.integers(axes))] *= 2
        return tuple(lengths)

    def masks(self, shape: tuple[int, ...], odd: bool = False) -> np.ndarray:
        mask = self.chance.random(shape) < self.one_of([0.0, 0.1, 0.5, 0.9, 1.0])
        if not odd:
            return mask
        bytes_ = self.chance.choice(np.array([1, 2, 128, 255], dtype=np.uint8), shape)
        return np.where(mask, bytes_, np.uint8(0)).view(np.bool_)

    def memberships(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        values = self.chance.random(shape)
        special = self.chance.integers(0, 12, shape)
        values = np.where(special == 0, 0.0, np.where(special == 1, 1.0, values))
        values = np.where(special == 2, values * 10.0 ** -self.chance.integers(1, 22), values)
        return np.minimum(values.astype(dtype), np.array(1, dtype=dtype))

    def labels(self, shape: tuple[int, ...], classes: int, dtype: str) -> np.ndarray:
        return self.chance.integers(0, classes, shape).astype(dtype)

    def sets(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Return masks or memberships in some memory layout."""
        return self.layout(self.masks(shape) if dtype == "bool" else self.memberships(shape, dtype))

    def layout(self, array: np.ndarray) -> np.ndarray:
        """Return the same values in another memory layout."""
        order = self.one_of(["C", "F", "every other"])
        if order == "every other" and array.ndim:
            return np.repeat(array, 2, axis=-1)[..., ::2]
        return np.array(array, order="F" if order == "F" else "C")
