"""Every byte but 0 is true: a view of other bytes, such as a mask of 0 and 255, may hold any."""

from __future__ import annotations

import numpy as np
import pytest

import dice_any
from dice_any import losses, scores

from . import oracle, recipe
from .adapters import Adapter
from .calls import JOINT, RANKED, REQUIRED
from .test_hard import by_hand, counts, stacked

pytestmark = pytest.mark.dice_feature("hard")
#: other bytes of a true element: the lowest bit may be 0, and so may all but the highest
TRUE = np.array([255, 2, 1, 128, 254, 1, 16], dtype=np.uint8)


@pytest.fixture(autouse=True)
def _reads_bytes(dice_backend: Adapter) -> None:
    if dice_backend.library.name == "jax":
        pytest.skip("JAX itself takes such an array for another: its own sum of it is wrong")


def odd(mask: np.ndarray) -> np.ndarray:
    """Return an equal mask with arbitrary bytes for true elements."""
    order = np.arange(mask.size).reshape(mask.shape) % TRUE.size
    return np.where(mask, TRUE[order], np.uint8(0)).view(np.bool_)


@pytest.mark.parametrize("shape", [(1,), (7,), (8,), (5, 7), (3, 1003), (2, 3, 70_000)])
def test_masks(dice_backend: Adapter, shape: tuple[int, ...]) -> None:
    x, y = recipe.masks(1, shape), recipe.masks(2, shape)
    assert counts(dice_backend, odd(x), odd(y)) == by_hand(x, y)
    assert counts(dice_backend, x, odd(y)) == by_hand(x, y)


@pytest.mark.parametrize("step", [2, -1, -3])
def test_masks_that_are_not_contiguous(dice_backend: Adapter, step: int) -> None:
    if step < 0 and dice_backend.library.name in ("torch", "cubed"):
        pytest.skip(f"{dice_backend.library.name} takes no slice that goes backwards")
    x, y = recipe.masks(3, (3, 999)), recipe.masks(4, (3, 999))
    arrays = (dice_backend(odd(a))[:, ::step] for a in (x, y))
    try:
        got = dice_any.overlap(*arrays, axis=1, **dice_backend.options)
    except ValueError as error:
        if dice_backend.options and str(error).startswith("`backend` must"):
            pytest.skip(str(error))
        raise
    for sample in range(3):
        part = by_hand(x[sample, ::step], y[sample, ::step])
        assert {name: dice_backend.values(getattr(got, name))[sample] for name in part} == part


def test_masks_by_class(dice_backend: Adapter) -> None:
    x, y = recipe.masks(5, (2, 3, 40)), recipe.masks(6, (2, 3, 40))
    expected = stacked([by_hand(x[:, c], y[:, c]) for c in range(3)])
    assert counts(dice_backend, odd(x), odd(y), class_axis=1) == expected


def test_masks_against_a_label_map(dice_backend: Adapter) -> None:
    x, y = recipe.masks(7, (2, 3, 40)), recipe.labels(8, (2, 40), 3, "uint8")
    expected = stacked([by_hand(x[:, c], y == c) for c in range(3)])
    assert counts(dice_backend, odd(x), y, class_axis=1) == expected


@pytest.mark.dice_feature("weight")
@pytest.mark.parametrize("shape", [(4, 903), (1, 903)])
def test_weights_of_masks(dice_backend: Adapter, shape: tuple[int, int]) -> None:
    x, y, w = recipe.masks(9, (4, 903)), recipe.masks(10, (4, 903)), recipe.masks(11, shape)
    kept = np.broadcast_to(w, x.shape)
    assert counts(dice_backend, odd(x), odd(y), weight=odd(w)) == by_hand(x[kept], y[kept])


@pytest.mark.dice_feature("weight")
def test_weights_of_label_maps(dice_backend: Adapter) -> None:
    x, y, w = (
        recipe.labels(12, (4, 90), 3),
        recipe.labels(13, (4, 90), 3),
        recipe.masks(14, (4, 90)),
    )
    expected = stacked([by_hand(x[w] == c, y[w] == c) for c in range(3)])
    assert counts(dice_backend, x, y, num_classes=3, weight=odd(w)) == expected
    matrix = dice_backend.call(dice_any.confusion_matrix, x, y, num_classes=3, weight=odd(w))
    assert dice_backend.values(matrix).tolist() == [
        [int(((y == t) & (x == p) & w).sum()) for p in range(3)] for t in range(3)
    ]


@pytest.mark.dice_feature("pairwise")
def test_rows(dice_backend: Adapter) -> None:
    x, y = recipe.masks(15, (3, 203)), recipe.masks(16, (4, 203))
    got = dice_backend.call(dice_any.pairwise_overlap, odd(x), odd(y))
    assert dice_backend.values(got.tp).tolist() == [[int((a & b).sum()) for b in y] for a in x]
    assert dice_backend.values(got.fp).tolist() == [[int((a & ~b).sum()) for b in y] for a in x]


@pytest.mark.dice_feature("exact", "weight")
@pytest.mark.parametrize("form", ["product", "squared", "minimum"])
@pytest.mark.parametrize("mask", ["prediction", "target", "weight", "all but the prediction"])
def test_beside_memberships(dice_backend: Adapter, form: str, mask: str) -> None:
    soft, other, m = recipe.memberships(17, 403), recipe.memberships(19, 403), recipe.masks(21, 403)
    given: dict[str, tuple] = {
        "prediction": (m, soft, None),
        "target": (soft, m, None),
        "weight": (soft, other, m),
        "all but the prediction": (soft, m, m[::-1]),
    }
    x, y, w = given[mask]
    bytes_ = [odd(a) if a is not None and a.dtype == bool else a for a in (x, y, w)]
    got = dice_backend.call(dice_any.overlap, *bytes_[:2], form=form, weight=bytes_[2])
    assert oracle.overlap_sums(got) == [oracle.exact_sums(x, y, form, w)]


@pytest.mark.dice_feature("averages")
@pytest.mark.parametrize("name", [name for name in scores.__all__ if "_to_" not in name])
def test_scores(dice_backend: Adapter, name: str) -> None:
    x, y = recipe.masks(23, (2, 3, 50)), recipe.masks(24, (2, 3, 50))
    arguments = {
        **REQUIRED.get(name, {}),
        "class_axis": 1,
        **({} if name in JOINT else {"average": "macro"}),
    }
    score = getattr(scores, name)
    got = dice_backend.call(score, odd(x), odd(y), **arguments)
    expected = dice_backend.call(score, x, y, **arguments)
    assert dice_backend.bits(got) == dice_backend.bits(expected)


@pytest.mark.dice_feature("loss", "averages", "closed form", "weight")
@pytest.mark.parametrize("name", losses.__all__)
def test_losses_and_gradients(dice_backend: Adapter, name: str) -> None:
    if name in RANKED:
        _skip_unless_ranked(dice_backend)
    z, y = recipe.memberships(25, (2, 3, 6, 5)), recipe.masks(27, (2, 3, 6, 5))
    w = recipe.masks(28, (2, 3, 6, 5))
    w[:] = w[:, :1]  # of elements, not of classes
    arguments = {"class_axis": 1, "activation": "softmax", **REQUIRED.get(name, {})}
    gradient = dice_any.value_and_grad(getattr(losses, name))
    answers = []
    for change in (odd, np.copy):
        value, slope = dice_backend.call(gradient, z, change(y), weight=change(w), **arguments)
        answers.append((dice_backend.bits(value), dice_backend.bits(slope)))
    assert answers[0] == answers[1]


def _skip_unless_ranked(backend: Adapter) -> None:
    from .capabilities import limit

    reason = limit(backend.name, "ranked")
    if reason:
        pytest.skip(reason)


def test_large_masks(dice_backend: Adapter) -> None:
    """Large enough for the kernels that are chosen by size."""
    if dice_backend.library.name not in ("numpy", "torch"):
        pytest.skip("a kernel for other libraries is asked for by name only")
    size = 2**24 + 5
    x, y = np.arange(size) % 3 == 1, np.arange(size) % 5 < 2
    bytes_ = [odd(a) for a in (x, y)]
    expected = by_counting(x, y)
    assert counts(dice_backend, *bytes_) == expected
    kept = np.arange(size) % 7 < 3
    assert counts(dice_backend, *bytes_, weight=odd(kept)) == by_counting(x[kept], y[kept])
    assert counts(dice_backend, bytes_[0][::2], bytes_[1][::2]) == by_counting(x[::2], y[::2])


def by_counting(x: np.ndarray, y: np.ndarray) -> dict[str, int]:
    tp, both = int((x & y).sum()), int((x | y).sum())
    return {"tp": tp, "fp": int(x.sum()) - tp, "fn": int(y.sum()) - tp, "tn": x.size - both}
