"""Sets of element ids: the number of different ids depends on values, so lazy libraries cannot
compute it.
"""

from __future__ import annotations

import numpy as np
import pytest

import dice_any

from . import oracle
from .adapters import Adapter


@pytest.mark.dice_feature("sets")
def test_arrays_of_ids(dice_backend: Adapter) -> None:
    result = dice_any.set_overlap(
        dice_backend(np.array([3, 1, 4, 1, 5])), dice_backend(np.array([5, 9, 2, 6, 5, 3]))
    )
    assert oracle.overlap_sums(result) == [oracle.Exact(*(n * oracle.UNIT for n in (2, 4, 5, 7)))]


def test_lazy_arrays_are_refused(dice_backend: Adapter) -> None:
    from .capabilities import limit

    if limit(dice_backend.name, "sets") is None:
        pytest.skip("values are at hand")
    ids = dice_backend(np.array([3, 1, 4]))
    with pytest.raises(ValueError, match="`a` must have values at hand"):
        dice_any.set_overlap(ids, ids)
