"""Golden sums: inputs by recipe, expected integers by `fractions`, to check any build on any
machine to the bit.

``python -m dice_any.testing.golden`` writes the file anew; nothing of the package has a part in its
numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from . import oracle, recipe

FILE = Path(__file__).with_name("golden.json")
SIZE = 96


def inputs(case: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return prediction, target and weight of a case."""
    seed = case["seed"]

    def make(kind: str, seed: int) -> np.ndarray:
        return recipe.masks(seed, SIZE) if kind == "bool" else recipe.memberships(seed, SIZE, kind)

    weight = make(case["weight"], seed + 4) * np.float32(3) if case["weight"] else None
    return make(case["prediction"], seed), make(case["target"], seed + 2), weight


def cases() -> Iterator[dict[str, Any]]:
    """Yield every case, without what is expected."""
    kinds = [
        ("float16", "float16"),
        ("float32", "float32"),
        ("float64", "float32"),
        ("float32", "bool"),
        ("bool", "bool"),
    ]
    forms = ["product", "squared", "minimum"]
    for seed, ((prediction, target), form, weight) in enumerate(
        product(kinds, forms, [None, "float32"])
    ):
        yield {
            "seed": 10 * seed + 1,
            "prediction": prediction,
            "target": target,
            "form": form,
            "weight": weight,
        }


def read() -> list[dict[str, Any]]:
    """Return the cases of the file, with their expected sums in units of 2⁻⁶²."""
    stored: list[dict[str, Any]] = json.loads(FILE.read_text())
    return stored


def compute() -> list[dict[str, Any]]:
    """Return the cases with their expected sums, computed now; integers as text, because JSON
    readers round them.
    """
    computed = []
    for case in cases():
        prediction, target, weight = inputs(case)
        sums = oracle.exact_sums(prediction, target, case["form"], weight)
        computed.append({**case, "sums": [str(value) for value in sums]})
    return computed


if __name__ == "__main__":
    FILE.write_text("[\n" + ",\n".join(json.dumps(case) for case in compute()) + "\n]\n")
