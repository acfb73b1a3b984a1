"""Regions of classes inside compilers, in modules, and differentiated twice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.testing import oracle, recipe

GROUPS = [(3, 1, 2), (1, 3), (3,)]
LOGITS = recipe.memberships(1, (5, 40), "float32") * 8 - 4
SHARES = recipe.memberships(3, (5, 40), "float32") / 8
LABELS = recipe.labels(2, 40, 5)
GIVEN: dict[str, Any] = {"class_axis": 0, "regions": GROUPS}


def expected(memberships: np.ndarray, form: str) -> list[oracle.Exact]:
    masks = [np.isin(LABELS, group) for group in GROUPS]
    return [oracle.exact_sums(x, y, form) for x, y in zip(memberships, masks, strict=True)]


@pytest.mark.parametrize("form", ["product", "squared", "minimum"])
@pytest.mark.parametrize("activation", ["softmax", None])
def test_jit_changes_no_bit(activation: str | None, form: str) -> None:
    jax = pytest.importorskip("jax")
    z = LOGITS if activation else SHARES
    given = {**GIVEN, "activation": activation, "form": form}
    if activation:
        x = oracle.softmax(z, GROUPS)
    else:
        parts = [[z[label].astype(np.float64) for label in sorted(group)] for group in GROUPS]
        x = np.stack([sum(own[1:], own[0]) for own in parts])
    with jax.enable_x64(True):
        compiled = jax.jit(lambda a, b: dice_any.overlap(a, b, **given))
        got = compiled(jax.numpy.asarray(z), jax.numpy.asarray(LABELS))
        assert oracle.overlap_sums(got) == expected(x, form)


def test_pytorch_compiles_scores_and_losses() -> None:
    torch = pytest.importorskip("torch")
    given = {**GIVEN, "activation": "softmax"}
    y = torch.asarray(LABELS)
    score = torch.compile(lambda a, b: dice_any.dice_score(a, b, **given), fullgraph=True)
    sums = [row.floats() for row in expected(oracle.softmax(LOGITS, GROUPS), "product")]
    assert score(torch.asarray(LOGITS), y).tolist() == [2 * i / (a + b) for i, a, b, _ in sums]
    run = torch.compile(
        lambda a, b: dice_any.dice_cross_entropy_loss(a, b, **given), fullgraph=True
    )
    z = torch.asarray(LOGITS).requires_grad_()
    run(z, y).backward()
    again = dice_any.value_and_grad(dice_any.dice_cross_entropy_loss)
    assert np.allclose(z.grad, again(LOGITS, LABELS, **given)[1], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("loss", [dice_any.jaccard_loss, dice_any.dice_focal_loss])
def test_second_derivatives(loss: Any) -> None:
    torch = pytest.importorskip("torch")
    z = torch.asarray(LOGITS[:, :8].astype(np.float64)).requires_grad_()
    given = {**GIVEN, "activation": "softmax"}
    y = torch.asarray(LABELS[:8])
    assert torch.autograd.gradgradcheck(lambda a: loss(a, y, **given), (z,))


def test_modules_of_pytorch_take_regions() -> None:
    torch = pytest.importorskip("torch")
    from dice_any.torch import DiceLoss

    z, y = torch.asarray(LOGITS), torch.asarray(LABELS)
    own = DiceLoss(class_axis=0, activation="softmax", regions=GROUPS, smooth=0)
    sums = [row.floats() for row in expected(oracle.softmax(LOGITS, GROUPS), "product")]
    losses = [1 - 2 * i / (a + b) for i, a, b, _ in sums]
    assert float(own(z, y)) == pytest.approx(sum(losses) / 3, rel=1e-6)


def test_tiles_of_a_large_array_have_the_bits_of_its_parts() -> None:
    """Tiles also compute the gradient if there are more regions than classes."""
    z = recipe.memberships(5, (2, 5, 200, 300), "float32") * 8 - 4
    y = recipe.labels(7, (2, 200, 300), 5)
    given: dict[str, Any] = {"class_axis": 1, "activation": "softmax"}
    whole = dice_any.overlap(z, y, regions=GROUPS, axis="space", **given)
    rows = [slice(i, i + 7) for i in range(0, 200, 7)]
    parts = [
        dice_any.overlap(z[:, :, row], y[:, row], regions=GROUPS, axis="space", **given)
        for row in rows
    ]
    assert whole == sum(parts)
    groups = [(1,), (2,), (3, 4), (0,), (0, 1), (1, 2, 3), (4,)]
    _, gradient = dice_any.value_and_grad(dice_any.dice_loss)(z, y, regions=groups, **given)
    p = np.exp(z.astype(np.float64))
    p /= p.sum(axis=1, keepdims=True)
    pull = np.zeros_like(p)
    for group in groups:
        x, t = p[:, list(group)].sum(axis=1), np.isin(y, group)
        above, below = 2 * (x * t).sum() + 1, x.sum() + t.sum() + 1
        slope = (2 * t * below - above) / below**2 / len(groups)
        pull[:, list(group)] -= slope[:, None]
    right = p * (pull - (p * pull).sum(axis=1, keepdims=True))
    assert np.allclose(gradient, right, rtol=1e-4, atol=1e-12)
