"""Golden sums: inputs from a recipe and expected integers from `fractions`, to check any build on
any machine to the bit.

``python -m dice_any.testing.golden`` writes the file again. Its numbers are computed without the
package.
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
#: The classes of a case from logits, along axis 0.
CLASSES = 3
ACTIVATIONS = {"softmax": oracle.softmax, "sigmoid": oracle.sigmoid}


def inputs(case: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return prediction, target and weight of a case."""
    seed = case["seed"]

    def make(kind: str, seed: int) -> np.ndarray:
        return recipe.masks(seed, SIZE) if kind == "bool" else recipe.memberships(seed, SIZE, kind)

    weight = make(case["weight"], seed + 4) * np.float32(3) if case["weight"] else None
    if case["activation"]:
        logits = recipe.memberships(seed, (CLASSES, SIZE), "float64") * 24 - 12
        labels = recipe.labels(seed + 2, SIZE, CLASSES, case["target"])
        return logits.astype(case["prediction"]), labels, weight
    return make(case["prediction"], seed), make(case["target"], seed + 2), weight


def options(case: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `overlap` for a case, without its arrays."""
    found = {"form": case["form"]}
    if case["activation"]:
        found |= {"activation": case["activation"], "class_axis": 0}
    return found


def expected(case: dict[str, Any]) -> list[oracle.Exact]:
    """Return the sums of each count of a case of the file."""
    return [oracle.Exact(*map(int, row)) for row in case["sums"]]


def cases() -> Iterator[dict[str, Any]]:
    """Yield every case, without its expected sums."""
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
            "activation": None,
        }
    for seed, (activation, dtype, weight) in enumerate(
        product(ACTIVATIONS, ["float16", "float32", "float64"], [None, "float32"])
    ):
        yield {
            "seed": 10 * seed + 1001,
            "prediction": dtype,
            "target": "int32",
            "form": "product",
            "weight": weight,
            "activation": activation,
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
        if case["activation"]:
            members = ACTIVATIONS[case["activation"]](prediction)
            pairs = [(members[c], target == c) for c in range(CLASSES)]
        else:
            pairs = [(prediction, target)]
        sums = [oracle.exact_sums(x, y, case["form"], weight) for x, y in pairs]
        computed.append({**case, "sums": [[str(value) for value in row] for row in sums]})
    return computed


if __name__ == "__main__":
    FILE.write_text("[\n" + ",\n".join(json.dumps(case) for case in compute()) + "\n]\n")
