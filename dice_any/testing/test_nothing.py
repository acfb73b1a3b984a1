"""Overlaps without counts: an image without detections, a batch without images, a selection without
classes.
"""

from __future__ import annotations

import numpy as np
import pytest

import dice_any
from dice_any import Overlap

from .adapters import Adapter
from .capabilities import limit

BY_CLASS = {
    "dice_score": {},
    "jaccard_score": {},
    "tversky_score": {"alpha": 1, "beta": 0.5},
    "f_score": {"beta": 2},
    "precision_score": {},
    "recall_score": {},
    "specificity_score": {},
    "volume_similarity": {},
    "overlap_coefficient": {},
    "cosine_score": {},
}
JOINT = {
    "accuracy_score": {},
    "matthews_correlation": {},
    "cohen_kappa": {},
    "generalized_dice_score": {},
}
LOSSES = {
    "dice_loss": {},
    "jaccard_loss": {},
    "tversky_loss": {"alpha": 1, "beta": 0.5},
    "focal_tversky_loss": {"alpha": 1, "beta": 0.5},
    "generalized_dice_loss": {},
    "log_dice_loss": {},
    "log_cosh_dice_loss": {},
    "matthews_loss": {},
}
ROWS = [(0, 3), (2, 0), (0, 0)]
FORMS = ("product", "squared", "minimum")
KINDS = ["bool", "float32", "float64"]


#: for libraries where every shape costs a compilation or a graph, one case for each code path
ON_SLOW_BACKENDS = ("dice_score", "cohen_kappa", "generalized_dice_score")
ON_SLOW_BACKENDS += ("dice_loss", "generalized_dice_loss", "matthews_loss")


@pytest.fixture(autouse=True)
def _has_arrays_of_nothing(dice_backend: Adapter, request: pytest.FixtureRequest) -> None:
    if dice_backend.name == "cubed":
        pytest.skip("cubed has no arrays without elements")
    name = request.node.callspec.params.get("name")
    few = {"jax": ON_SLOW_BACKENDS, "dask": ON_SLOW_BACKENDS, "ndonnx": ()}.get(dice_backend.name)
    if name is not None and few is not None and name not in few:
        pytest.skip(
            f"{dice_backend.name}: few stand for all, as each shape is compiled or drawn anew"
        )


@pytest.mark.dice_feature("pairwise")
@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("rows", ROWS)
def test_matrices_without_rows(dice_backend: Adapter, rows: tuple[int, int], dtype: str) -> None:
    if not dice_backend.has(dtype):
        pytest.skip(f"has no {dtype}")

    def pairs(n: int, m: int, form: str, exact: bool | None) -> Overlap:
        arrays = (dice_backend(np.ones((length, 5), dtype=dtype)) for length in (n, m))
        return dice_any.pairwise_overlap(*arrays, form=form, exact=exact, **dice_backend.options)

    for form in FORMS[-1:] if dice_backend.name == "ndonnx" else FORMS:
        for exact in (None, False):
            nothing, some = pairs(*rows, form, exact), pairs(1, 1, form, exact)
            assert nothing.shape == nothing.tp.shape == (nothing + nothing).shape == rows
            assert (nothing.kind, nothing.form, nothing.by_class) == (some.kind, some.form, False)
            assert nothing._library is some._library
            assert dice_any.dice_score(nothing).shape == rows
    for axis in (0, 1):
        folded = nothing.sum(axis=axis)
        assert dice_backend.values(folded.total).tolist() == [0] * rows[1 - axis]
        assert np.isnan(dice_backend.values(dice_any.dice_score(folded))).all()


@pytest.mark.dice_feature("pairwise")
@pytest.mark.parametrize("dtype", KINDS)
def test_matrices_without_columns_are_refused(dice_backend: Adapter, dtype: str) -> None:
    if not dice_backend.has(dtype):
        pytest.skip(f"has no {dtype}")
    rows = dice_backend(np.ones((2, 0), dtype=dtype))
    with pytest.raises(ValueError, match="`X` and `Y` must have at least one column; got shapes"):
        dice_any.pairwise_overlap(rows, rows)


def counts(backend: Adapter, kind: str) -> Overlap:
    """Return the overlap of two samples and three classes."""
    if kind == "hard":
        labels = backend(np.array([[0, 1, 2, 2], [0, 0, 1, 1]]))
        return dice_any.overlap(labels, labels, num_classes=3, axis=1, **backend.options)
    soft = backend(np.full((2, 3, 4), 0.25, dtype=np.float32))
    exact = None if kind == "exact" else False
    return dice_any.overlap(soft, soft, class_axis=1, axis=2, exact=exact, **backend.options)


@pytest.mark.dice_feature("averages")
@pytest.mark.parametrize("kind", ["hard", "exact", "plain"])
@pytest.mark.parametrize("name", [*BY_CLASS, *JOINT])
def test_scores_of_no_counts(dice_backend: Adapter, name: str, kind: str) -> None:
    score, arguments = getattr(dice_any, name), {**BY_CLASS, **JOINT}[name]
    whole = counts(dice_backend, kind)

    def scored(overlap: Overlap, **more: object) -> np.ndarray:
        result = score(overlap, **arguments, **more)
        return dice_backend.values(result).reshape(result.shape)  # lists lose the shape (0, 3)

    averages = (None, "macro", "micro", "weighted") if name in BY_CLASS else (None,)
    for average in averages:
        more = {"average": average} if name in BY_CLASS else {}
        pooled = average is not None or name in JOINT
        assert scored(whole[0:0], **more).shape == ((0,) if pooled else (0, 3))
        assert scored(whole[0:0, 1], **({} if pooled else more)).shape == (0,)
        no_class = scored(whole[:, 0:0], **more)
        assert no_class.shape == ((2,) if pooled else (2, 0))
        assert np.isnan(no_class).all()
        for_nothing = scored(whole[:, 0:0], empty=0.5, **more)
        if average == "micro" or name in JOINT:  # a pooled score has a denominator, which is 0
            assert for_nothing.tolist() == [0.5, 0.5]
        if average != "weighted":
            assert scored(whole[0:0].sum(), empty=0.5, **more).tolist() in (0.5, [0.5] * 3)


@pytest.mark.dice_feature("averages", "loss")
@pytest.mark.parametrize("kind", ["hard", "exact", "plain"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_no_counts(dice_backend: Adapter, name: str, kind: str) -> None:
    loss, arguments, whole = getattr(dice_any, name), LOSSES[name], counts(dice_backend, kind)
    for nothing in (whole[0:0], whole[:, 0:0]):
        for reduction in ("mean", "sum"):
            assert (
                dice_backend.values(loss(nothing, **arguments, reduction=reduction)).tolist() == 0.0
            )


@pytest.mark.dice_feature("averages")
def test_names_of_classes_where_there_is_none(dice_backend: Adapter) -> None:
    nothing = counts(dice_backend, "hard")[:, 0:0]
    with pytest.raises(ValueError, match="`classes='foreground'` must leave a class; got none"):
        dice_any.dice_score(nothing, classes="foreground")
    with pytest.raises(
        ValueError, match="`classes` must be left out where there is no class; got some"
    ):
        dice_any.dice_score(nothing, classes=[0])


def test_arrays_of_nothing_are_refused(dice_backend: Adapter) -> None:
    nothing = dice_backend(np.zeros((0, 4), dtype=bool))
    with pytest.raises(
        ValueError, match=r"`prediction` must have at least one element; got shape \(0, 4\)"
    ):
        dice_any.dice_score(nothing, nothing)
    if limit(dice_backend.name, "loss") is None:
        with pytest.raises(ValueError, match="`prediction` must have at least one element"):
            dice_any.dice_loss(nothing, nothing)
