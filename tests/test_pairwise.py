"""Every row of one matrix with every row of another: no rows, and rows longer than an overlap can
count.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import dice_any


@pytest.mark.parametrize("form", ["product", "squared", "minimum"])
@pytest.mark.parametrize("rows", [(0, 3), (2, 0)])
def test_no_pairs_keep_the_link_to_what_is_trained(form: str, rows: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    X, Y = torch.full((rows[0], 4), 0.5, requires_grad=True), torch.full((rows[1], 4), 0.5)  # noqa: N806
    overlap = dice_any.pairwise_overlap(X, Y, form=form, exact=False)
    loss = dice_any.dice_loss(overlap, reduction="sum")
    assert float(loss.detach()) == 0
    loss.backward()
    assert X.grad is not None
    assert not X.grad.any()
    shape = dice_any.dice_score(
        torch.compile(dice_any.pairwise_overlap, backend="eager")(X, Y, form=form)
    ).shape
    assert shape == rows


@pytest.mark.parametrize("exact", [None, False])
def test_no_pairs_in_a_trace(exact: bool | None) -> None:
    jax = pytest.importorskip("jax")
    X, Y = jax.numpy.zeros((0, 4)), jax.numpy.ones((3, 4))  # noqa: N806
    for arrays in ((X, Y), (Y, X), (X, X)):
        overlap = partial(dice_any.pairwise_overlap, exact=exact)
        score = jax.jit(lambda *rows: dice_any.dice_score(overlap(*rows)))(*arrays)  # noqa: B023
        assert score.shape == (len(arrays[0]), len(arrays[1]))


def test_rows_beyond_the_limit() -> None:
    """Broadcast views need no memory."""
    rows = np.broadcast_to(np.array(True), (2, 2**32))
    for X, Y in ((rows, rows), (rows[:1], rows[:0]), (np.broadcast_to(0.5, rows.shape), rows)):  # noqa: N806
        for arguments in ({}, {"exact": False}, {"form": "minimum"}, {"backend": "reference"}):
            with pytest.raises(
                ValueError, match=r"`X` must have fewer than 2\*\*32 elements .+; got 4294967296"
            ):
                dice_any.pairwise_overlap(X, Y, **arguments)


def test_tensors_beyond_the_limit() -> None:
    torch = pytest.importorskip("torch")
    rows = torch.tensor(True).expand(2, 2**32)
    with pytest.raises(ValueError, match=r"`X` must have fewer than 2\*\*32 elements"):
        dice_any.pairwise_overlap(rows, rows)
    with pytest.raises(ValueError, match=r"`prediction` must have fewer than 2\*\*32 elements"):
        dice_any.overlap(rows, rows)
