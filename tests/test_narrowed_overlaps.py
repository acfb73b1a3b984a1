"""`.half()` and torchmetrics' `set_dtype` convert everything, also the counts of an overlap to
floating numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any import Overlap

P, T = (
    np.array([[1, 1, 0, 0], [0, 1, 1, 1]], dtype=bool),
    np.array([[1, 0, 0, 1], [0, 1, 1, 0]], dtype=bool),
)

USES: dict[str, Callable[[Overlap], Any]] = {
    "score": dice_any.dice_score,
    "average": lambda overlap: dice_any.accuracy_score(overlap),
    "loss": dice_any.dice_loss,
    "sum": lambda overlap: overlap + overlap,
    "fold": lambda overlap: overlap.sum(),
    "index": lambda overlap: overlap[0],
    "size": lambda overlap: overlap.tp,
    "dictionary": lambda overlap: overlap.to_dict(),
    "comparison": lambda overlap: overlap == overlap,
}


@pytest.mark.parametrize("exact", [None, "memberships"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32"])
@pytest.mark.parametrize("use", USES)
def test_tensors(use: str, dtype: str, exact: str | None) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils import _pytree

    arrays = (torch.tensor(m) if exact is None else torch.tensor(m * 0.5) for m in (P, T))
    overlap = dice_any.overlap(*arrays, axis=1)
    converted = _pytree.tree_map(lambda leaf: leaf.to(getattr(torch, dtype)), overlap)
    message = f"`overlap` must keep its counts in int64; got {dtype}. Leave integers out"
    with pytest.raises(TypeError, match=re.escape(message)) as caught:
        USES[use](converted)
    assert "JAX" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["float16", "float32", "int32"])
@pytest.mark.parametrize("use", USES)
def test_jax_arrays(use: str, dtype: str) -> None:
    jax = pytest.importorskip("jax")
    overlap = dice_any.overlap(jax.numpy.asarray(P), jax.numpy.asarray(T), axis=1)
    converted = jax.tree.map(lambda leaf: leaf.astype(dtype), overlap)
    with pytest.raises(
        TypeError, match=f"`overlap` must keep its counts in int64; got {dtype}"
    ) as caught:
        USES[use](converted)
    assert ("JAX narrows" in str(caught.value)) == (dtype == "int32")


def test_plain_sums_may_be_converted() -> None:
    torch = pytest.importorskip("torch")
    from torch.utils import _pytree

    overlap = dice_any.overlap(torch.tensor(P * 0.5), torch.tensor(T * 0.5), exact=False)
    converted = _pytree.tree_map(lambda leaf: leaf.float(), overlap)
    assert float(dice_any.dice_score(converted)) == pytest.approx(
        float(dice_any.dice_score(overlap))
    )
