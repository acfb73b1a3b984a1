"""`Overlap` is an immutable value that can be merged, folded, selected and stored."""

from __future__ import annotations

import copy
import json
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest

import dice_any
from dice_any import Overlap, overlap
from dice_any.arrays import load_library
from dice_any.kernels.limbs import carry, to_float64
from dice_any.testing import oracle, recipe


def soft(seed: int, **arguments) -> Overlap:
    shape = (2, 3, 4)
    return overlap(
        recipe.memberships(seed, shape),
        recipe.memberships(seed + 50, shape),
        class_axis=1,
        axis=2,
        **arguments,
    )


def test_golden_asymmetric_case() -> None:
    counts = overlap(np.array([1, 1, 1, 0, 0], dtype=bool), np.array([1, 0, 0, 1, 0], dtype=bool))
    assert (counts.tp, counts.fp, counts.fn, counts.tn) == (1, 2, 1, 1)
    assert dice_any.tversky_score(counts, alpha=1, beta=0) == 1 / 3
    assert dice_any.tversky_score(counts, alpha=0, beta=1) == 1 / 2


def test_it_cannot_be_changed() -> None:
    counts = overlap(np.array([True]), np.array([True]))
    with pytest.raises(AttributeError, match="immutable"):
        counts.kind = "plain"
    with pytest.raises(AttributeError, match="immutable"):
        del counts.form


@pytest.mark.parametrize("exact", [None, False])
def test_copies_pickles_and_dictionaries_keep_every_bit(exact) -> None:
    value = soft(1, exact=exact)
    travelled = Overlap.from_dict(json.loads(json.dumps(value.to_dict())))
    for other in (copy.deepcopy(value), pickle.loads(pickle.dumps(value)), travelled):
        assert other.to_dict() == value.to_dict()


def test_dictionary_with_something_missing() -> None:
    with pytest.raises(
        ValueError, match="`data` must hold what `to_dict` wrote; got no form, sums"
    ):
        Overlap.from_dict({"kind": "hard", "by_class": False})


def test_indexing_keeps_track_of_the_class_axis() -> None:
    value = soft(2)
    assert value.shape == (2, 3)
    assert value[0].shape == (3,)
    assert value[0].by_class
    assert not value[0, 1].by_class
    assert not value[..., 1].by_class
    assert value[..., 1].shape == (2,)
    assert value[:, 1:].shape == (2, 2)
    assert value[:, 1:].by_class
    assert value[1, ..., 2].shape == ()
    assert float(value[1, 2].tp) == float(value.tp[1, 2])
    assert value[[0, 1, 0]].shape == (3, 3)
    assert value[[0, 1, 0]].by_class
    assert value[..., [2, 0]].by_class
    assert not value[[0, 1], 2].by_class


def test_iterating_over_samples_ends() -> None:
    assert sum(list(soft(3))).to_dict() == soft(3).sum().to_dict()


def test_an_overlap_of_one_count_has_no_length() -> None:
    with pytest.raises(TypeError, match="has no length"):
        len(soft(4)[0, 0])


def test_folding() -> None:
    value = soft(5)
    assert value.sum().shape == (3,)
    assert value.sum(axis=-1).shape == (2,)
    assert not value.sum(axis=-1).by_class
    assert value.sum(axis=(0, 1)).to_dict() == (value[0] + value[1]).sum(axis=0).to_dict()
    with pytest.raises(ValueError, match=r"`axis` must be in \[-2, 2\)"):
        value.sum(axis=2)


def test_a_stream_starts_at_zero() -> None:
    stream = Overlap.zero(num_classes=3)
    for seed in range(4):
        stream += soft(seed).sum()
    assert stream.to_dict() == sum(soft(seed) for seed in range(4)).sum().to_dict()
    assert (
        Overlap.zero(like=stream).to_dict()["sums"]
        == (np.asarray(stream.to_dict()["sums"]) * 0).tolist()
    )


def test_empty_zero_has_no_score() -> None:
    assert np.isnan(dice_any.dice_score(Overlap.zero()))


MISFITS = [
    (
        lambda: soft(1) + soft(1, exact=False),
        TypeError,
        "must all be plain or all be hard or exact; got exact and plain",
    ),
    (
        lambda: soft(1) + soft(1, form="minimum"),
        ValueError,
        "must have one form; got 'product' and 'minimum'",
    ),
    (
        lambda: soft(1) + soft(1)[0],
        ValueError,
        r"equal shapes and classes; got \(2, 3\) and \(3,\)",
    ),
    (lambda: soft(1) + 1, TypeError, "unsupported operand"),
    (lambda: 1 + soft(1), TypeError, "unsupported operand"),
]


@pytest.mark.parametrize(("add", "error", "message"), MISFITS)
def test_what_does_not_merge(add, error, message) -> None:
    with pytest.raises(error, match=message):
        add()


def test_repr_tells_what_it_is_and_no_values() -> None:
    assert repr(soft(1)) == "<Overlap of shape (2, 3), by class: exact sums, product form, numpy>"


def test_sets() -> None:
    counts = dice_any.set_overlap(["oak", "ash", "oak"], {"oak", "pine"}, total=9)
    assert (counts.tp, counts.fp, counts.fn, counts.tn) == (1, 1, 1, 6)


LIMBS = [
    (0, 0, 0),
    (0, 0, 1),
    (1, 0, 1),
    (2**32 - 1, 2**31 - 1, 2**31 - 1),
    (2**32, 0, 1),
    (2**53 + 1, 0, 0),
    (2**53 + 1, 0, 1),
    (2**53 + 1, 1, 0),
    (2**62 - 1, 2**31 - 1, 1),
    (-1, 2**31 - 1, 2**31 - 1),
    (-(2**40), 5, 0),
    (2**21 + 1, 2**30, 1),
]


@pytest.mark.parametrize(
    "limbs",
    [*LIMBS, *zip(*(recipe.integers(s, 300, 2**31).tolist() for s in (1, 2, 3)), strict=True)],
)
def test_limbs_are_rounded_to_the_nearest_float(limbs: tuple[int, int, int]) -> None:
    library = load_library("numpy")
    array = np.asarray(limbs, dtype=np.int64)[None, :, None]
    got = to_float64(library, tuple(carry(library, array)[:, i] for i in range(3)))
    value = limbs[0] * oracle.UNIT + limbs[1] * 2**31 + limbs[2]
    assert float(got[0, 0]) == float(Fraction(value, oracle.UNIT))


def test_adding_leaf_by_leaf_loses_no_carry() -> None:
    """A psum over a pytree adds limbs without carrying them."""
    parts = [np.zeros((5, 3), dtype=np.int64) for _ in "ab"]
    parts[0][:], parts[1][:] = (2**31, 3071, 2**30), (2**31, 0, 2**30)
    for part in parts:
        part[4] = 0  # nothing invalid
    a, b = (Overlap(part, kind="exact", form="product", by_class=False) for part in parts)
    raw = Overlap.tree_unflatten(a.tree_flatten()[1], [parts[0] + parts[1]])
    assert raw.to_dict() == (a + b).to_dict()
    assert float(raw.target).hex() == float((a + b).target).hex()
    assert dice_any.recall_score(raw) == dice_any.recall_score(a + b)


def test_generalized_dice_is_the_same_as_score_and_as_loss() -> None:
    x, y = np.array([0, 1, 1, 1, 1, 2, 2, 2]), np.array([0, 1, 1, 1, 1, 1, 1, 1])
    counts = overlap(x, y, num_classes=3)
    loss = dice_any.dice_loss(
        counts, classes="foreground", average="micro", class_weight="square", smooth=0
    )
    # class 1: I = 4, X = 4, Y = 7; class 2 is absent, X = 3, with the same weight: 2·4 / (11 + 3)
    assert float(loss) == pytest.approx(1 - 4 / 7)
    assert float(dice_any.generalized_dice_score(counts, classes="foreground")) == pytest.approx(
        4 / 7
    )


def test_numpy_takes_overlaps_as_the_values_that_they_are() -> None:
    counts = dice_any.overlap(np.array([[0, 1, 2]] * 2), np.array([[0, 2, 2]] * 2), num_classes=3)
    many = [counts, counts + counts]
    assert np.sum(many) == sum(many, start=np.int64(0)) == counts + counts + counts
    for array in (np.array(many), np.asarray(many, dtype=object), np.stack(many)):
        assert array.shape == (2,)
        assert array.tolist() == many
    assert np.asarray(counts).item() is counts
    for numbers in (np.zeros(3), np.zeros(2), np.float64(1), np.int64(0)):
        assert (counts == numbers) is False
        assert (numbers == counts) is False
        assert (counts != numbers) is True
        with pytest.raises(TypeError):
            counts + numbers
    with pytest.raises(TypeError, match="`overlap` must stay an object in an array; got dtype fl"):
        np.asarray(counts, dtype="float64")


def test_what_indexes() -> None:
    for index in ("tumour", True):
        with pytest.raises(TypeError, match="select_classes"):
            soft(1)[index]
    assert soft(1)[np.int64(1)].to_dict() == soft(1)[1].to_dict()


def test_selected_classes() -> None:
    value = dice_any.overlap(
        np.array([0, 1, 1, 2, 2, 2]), np.array([0, 1, 1, 2, 2, 0]), num_classes=3
    )
    assert value.select_classes((2, 0)).tp.tolist() == [2, 1]
    assert value.select_classes("foreground").tp.tolist() == [2, 2]
    for classes in ((), (3,), (-1,)):
        with pytest.raises(
            ValueError, match="`classes` must name one or more of the classes 0 to 2"
        ):
            value.select_classes(classes)


def test_a_perfect_label_map_correlates_perfectly() -> None:
    for seed in range(50):
        y = recipe.labels(seed, 31, 3)
        assert float(dice_any.matthews_correlation(y, y, num_classes=3)) == 1.0


def test_a_few_elements_of_a_million_million_correlate_as_they_do() -> None:
    """N² is 10²⁴ here, of which a float64 holds 16 digits; φ depends on the last ones."""
    n, tp, fp, fn = 10**12, 2, 1, 3
    tn = n - tp - fp - fn
    spread = Fraction((tp + fp) * (tn + fn) * (tp + fn) * (tn + fp))
    correlation = (tp * tn - fp * fn) / math.sqrt(spread)
    kappa = Fraction(2 * (tp * tn - fp * fn), (tp + fp) * (fp + tn) + (tp + fn) * (fn + tn))
    masks = {
        "kind": "hard",
        "form": "product",
        "by_class": False,
        "sums": [tp, tp + fp, tp + fn, n, 0],
    }
    labels = {
        **masks,
        "by_class": True,
        "sums": [[tn, tp], [tn + fn, tp + fp], [tn + fp, tp + fn], [n, n], [0, 0]],
    }
    for counts in (masks, labels):
        value = dice_any.Overlap.from_dict(counts, like=np.zeros(1))
        assert float(dice_any.matthews_correlation(value)) == pytest.approx(correlation, rel=1e-15)
        assert float(dice_any.cohen_kappa(value)) == pytest.approx(float(kappa), rel=1e-15)
        loss = dice_any.matthews_loss(value, smooth=0.0)
        assert float(loss) == pytest.approx(1 - correlation, rel=1e-15)


def test_what_weighs_nothing_may_be_infinite() -> None:
    y = np.array([0, 1, 1])
    assert dice_any.dice_score(y, y, num_classes=3, average="weighted", empty=float("inf")) == 1.0


def test_ids_of_two_types_are_refused() -> None:
    with pytest.raises(TypeError, match="`b` must have the dtype of `a`, int64; got uint64"):
        dice_any.set_overlap(np.array([1]), np.array([1], dtype=np.uint64))


def test_value_and_grad_wants_a_loss() -> None:
    with pytest.raises(TypeError, match="`loss` must be a loss of this package"):
        dice_any.value_and_grad(dice_any.dice_score)


def test_unknown_kinds_and_forms_are_refused() -> None:
    with pytest.raises(
        ValueError, match="`form` must be one of 'product', 'squared', 'minimum'; got 'banana'"
    ):
        Overlap.zero(kind="exact", form="banana")
    with pytest.raises(
        ValueError, match="`kind` must be one of 'hard', 'exact', 'plain'; got 'banana'"
    ):
        Overlap.from_dict(soft(1).to_dict() | {"kind": "banana"})
