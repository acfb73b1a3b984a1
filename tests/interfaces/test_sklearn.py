"""scikit-learn's conventions, compared with scikit-learn's own numbers."""

from __future__ import annotations

import inspect
import pickle
import warnings
from functools import partial
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")
from scipy.sparse import csr_matrix
from sklearn import config_context, metrics
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.tree import DecisionTreeClassifier

import dice_any
from dice_any.interfaces.sklearn import metric, scorer

PAIRS = [
    (dice_any.dice_score, metrics.f1_score),
    (dice_any.jaccard_score, metrics.jaccard_score),
    (dice_any.precision_score, metrics.precision_score),
    (dice_any.recall_score, metrics.recall_score),
]
JOINT = [
    (dice_any.accuracy_score, metrics.accuracy_score, 0.0),
    (dice_any.matthews_correlation, metrics.matthews_corrcoef, 0.0),
    (dice_any.cohen_kappa, metrics.cohen_kappa_score, np.nan),
]


def same(
    score: Any,
    peer: Any,
    arrays: tuple[Any, Any],
    weight: np.ndarray | None,
    zero: float,
    **shared: Any,
) -> None:
    """Check that a score and its peer agree: equal numbers, or an error in both."""
    theirs = shared if score in [joint[0] for joint in JOINT] else {**shared, "zero_division": zero}

    def ours(*given: Any, **weights: Any) -> Any:
        return metric(score, zero_division=zero, **shared)(*given, **weights)

    answers = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call in (ours, partial(peer, **theirs)):
            try:
                answers.append(np.asarray(call(*arrays, sample_weight=weight)))
            except ValueError:
                answers.append(None)
    case = str((score.__name__, arrays, weight, zero, shared))
    if answers[1] is None:
        assert answers[0] is None, case
    else:
        assert answers[0] is not None, case
        np.testing.assert_allclose(*answers, rtol=1e-12, atol=1e-14, err_msg=case)


def some_zero(rng: np.random.Generator, peer: Any) -> float:
    """Return a value for 0/0; scikit-learn's Jaccard does not accept NaN."""
    return float([0, 1, np.nan][rng.integers(2 if peer is metrics.jaccard_score else 3)])


def some_weights(rng: np.random.Generator, length: int) -> np.ndarray | None:
    """Return no weights, or weights of which many are 0; if all are 0, both raise an error."""
    return None if rng.random() < 0.4 else rng.random(length) * (rng.random(length) < 0.7)


@pytest.mark.parametrize("seed", range(2))
def test_labels(seed: int) -> None:
    """One to five classes, with absent and only requested ones; also a single sample."""
    rng = np.random.default_rng(seed)
    names = np.array(["dog", "bee", "ant", "cat", "elk"])
    for _ in range(150):
        classes, length = int(rng.integers(1, 6)), int(rng.integers(1, 12))
        true, predicted = (rng.integers(0, classes, length) for _ in range(2))
        pool: list[Any] = [0, 1, 2, 7]
        if rng.random() < 0.3:
            true, predicted = names[true], names[predicted]
            pool = ["dog", "bee", "ant", "yak"]
        weight = some_weights(rng, length)
        labels = None
        if rng.random() < 0.4:
            labels = [pool[i] for i in rng.permutation(4)[: rng.integers(1, 4)]]
        average = [None, "macro", "micro", "weighted", "samples", "binary"][rng.integers(6)]
        if average == "binary":
            labels = None
        for score, peer in PAIRS:
            zero = some_zero(rng, peer)
            same(score, peer, (true, predicted), weight, zero, average=average, labels=labels)


def binary(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """Return two labels of some type, and one of them, or another one, as the label to find."""
    length = int(rng.integers(1, 9))
    true, predicted = (rng.integers(0, 2, length) for _ in range(2))
    kind = rng.integers(6)
    if kind == 0:
        names = np.array(["no", "yes"])
        return names[true], names[predicted], ["no", "yes", "maybe"][rng.integers(3)]
    if kind == 1:
        return 2 * true - 1, 2 * predicted - 1, [1, -1][rng.integers(2)]
    if kind == 2:
        return true > 0, predicted > 0, True
    if kind == 3:
        return true.tolist(), predicted.astype(float), 1
    if kind == 4:
        return true[:, None], predicted, 0
    return true, 2 * predicted, 1  # three labels: an error, or zeros alone


@pytest.mark.parametrize("seed", range(2))
def test_two_labels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(150):
        true, predicted, positive = binary(rng)
        weight = some_weights(rng, len(true))
        zero = float(rng.integers(2))
        for score, peer in PAIRS:
            same(score, peer, (true, predicted), weight, zero, pos_label=positive)
        for score, peer, undefined in JOINT:
            same(score, peer, (true, predicted), weight, undefined)


@pytest.mark.parametrize("sparse", [False, True])
def test_indicator_matrices(sparse: bool) -> None:
    rng = np.random.default_rng(7)
    for _ in range(250):
        shape = int(rng.integers(1, 9)), int(rng.integers(2, 5))
        true, predicted = (rng.integers(0, 2, shape) for _ in range(2))
        if sparse:
            true, predicted = csr_matrix(true), csr_matrix(predicted)
        average = [None, "macro", "micro", "weighted", "samples", "binary"][rng.integers(6)]
        labels = None
        if rng.random() < 0.4 and average != "binary":
            labels = rng.permutation(shape[1])[: rng.integers(1, shape[1])].tolist()
        weight = some_weights(rng, shape[0])
        for score, peer in PAIRS:
            zero = some_zero(rng, peer)
            same(score, peer, (true, predicted), weight, zero, average=average, labels=labels)


def test_f_beta_and_other_scores() -> None:
    true, predicted = [0, 1, 1, 2, 2, 2], [1, 1, 0, 2, 2, 0]
    ours = metric(dice_any.f_score, beta=2.0, average="macro")(true, predicted)
    assert ours == pytest.approx(metrics.fbeta_score(true, predicted, beta=2.0, average="macro"))
    # class 2: tp 2, fp 0, fn 1
    tversky = metric(dice_any.tversky_score, alpha=1, beta=0.5, average=None)
    assert tversky(true, predicted)[2] == 0.8
    # all 3 of class 0's complement but the two that were taken for it: tn = 3, fp = 2
    assert metric(dice_any.specificity_score, pos_label=0)(np.equal(true, 0) * 1, [1] * 6) == 1.0
    generalized = metric(dice_any.generalized_dice_score, class_weight="uniform")
    assert generalized(true, predicted) == pytest.approx(3 / 6)
    chosen = metric(dice_any.generalized_dice_score, class_weight="uniform", labels=[1, 2])
    assert chosen(true, predicted) == pytest.approx(2 * 3 / (2 + 2 + 2 + 3))


def test_the_order_is_scikit_learns() -> None:
    true, predicted = [1, 0, 0, 1, 0], [1, 1, 1, 0, 0]
    assert metric(dice_any.precision_score)(true, predicted) == pytest.approx(1 / 3)
    assert metric(dice_any.recall_score)(true, predicted) == 0.5
    # the reason for this interface
    true, predicted = np.asarray(true) > 0, np.asarray(predicted) > 0
    wrong = make_scorer(dice_any.precision_score)

    class Fixed(DummyClassifier):
        def predict(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's name
            return predicted

    model = Fixed().fit(np.zeros((5, 1)), true)
    assert wrong(model, np.zeros((5, 1)), true) == 0.5


def test_exactly_the_same_for_a_sample_twice_and_a_weight_of_two() -> None:
    true, predicted = ["a", "b", "b", "c"], ["a", "b", "c", "b"]
    score = metric(dice_any.jaccard_score, average="macro")
    twice = score([*true, "b", "c"], [*predicted, "c", "b"])
    assert score(true, predicted, sample_weight=[1, 1, 2, 2]) == twice
    assert score(true, predicted, sample_weight=[1.0, 1.0, 2.0, 2.0]) == twice


def test_there_is_no_warning_of_an_empty_class() -> None:
    with pytest.warns(UndefinedMetricWarning):
        metrics.f1_score([0, 0], [0, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metric(dice_any.dice_score)([0, 0], [0, 0]) == 0
        assert np.isnan(metric(dice_any.dice_score, zero_division=np.nan)([0, 0], [0, 0]))


def test_columns_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"true": ["a", "b", "b"], "predicted": ["a", "b", "a"]})
    found = metric(dice_any.dice_score, pos_label="b")(frame.true, frame.predicted)
    assert found == pytest.approx(2 / 3)


def test_types_of_answers() -> None:
    assert type(metric(dice_any.dice_score)([0, 1], [1, 1])) is float
    assert metric(dice_any.dice_score, average=None)([0, 1], [1, 1]).shape == (2,)


# -- what scikit-learn does with it --------------------------------------------------------------


def test_signature_name_and_pickle() -> None:
    made = metric(dice_any.f_score, beta=0.5, pos_label="b")
    assert list(inspect.signature(made).parameters) == ["y_true", "y_pred", "sample_weight"]
    assert made.__name__ == "f_score"
    assert repr(made) == "<f_score of (y_true, y_pred)>"
    assert "f_score" in repr(scorer(dice_any.f_score, beta=0.5))
    again = pickle.loads(pickle.dumps(made))
    assert again(["a", "b", "b"], ["b", "b", "b"]) == made(["a", "b", "b"], ["b", "b", "b"])


def test_cross_validation_gives_scikit_learns_numbers() -> None:
    data, y = load_iris(return_X_y=True)
    found = cross_validate(
        DecisionTreeClassifier(random_state=0),
        data,
        y,
        scoring={
            "ours": scorer(dice_any.dice_score, average="macro"),
            "theirs": "f1_macro",
            "precision": scorer(dice_any.precision_score, average="macro"),
            "their precision": "precision_macro",
        },
        n_jobs=2,  # by pickles
    )
    np.testing.assert_allclose(found["test_ours"], found["test_theirs"], rtol=1e-12)
    np.testing.assert_allclose(found["test_precision"], found["test_their precision"], rtol=1e-12)


def test_a_grid_search_finds_the_same() -> None:
    data, y = make_multilabel_classification(n_samples=60, n_classes=3, random_state=0)
    searches = [
        GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 3, 6]}, scoring=s)
        for s in (
            scorer(dice_any.jaccard_score, average="samples", zero_division=0.0),
            make_scorer(metrics.jaccard_score, average="samples", zero_division=0.0),
        )
    ]
    found = [search.fit(data, y).cv_results_["mean_test_score"] for search in searches]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


def test_weights_are_routed() -> None:
    data, y = load_iris(return_X_y=True)
    weight = np.random.default_rng(0).random(len(y))
    model = LogisticRegression(max_iter=200)
    with config_context(enable_metadata_routing=True):
        model.set_fit_request(sample_weight=False)
        found = [
            cross_val_score(
                model,
                data,
                y,
                scoring=s.set_score_request(sample_weight=True),
                params={"sample_weight": weight},
            )
            for s in (
                scorer(dice_any.dice_score, average="macro"),
                make_scorer(metrics.f1_score, average="macro"),
            )
        ]
    plain = cross_val_score(model, data, y, scoring=scorer(dice_any.dice_score, average="macro"))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)
    assert not np.allclose(found[0], plain, rtol=1e-6)


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "arguments", "error", "message"),
    [
        (dice_any.dice_loss, {}, TypeError, "`score` must be a score of this package; got `dice"),
        (
            metrics.f1_score,
            {},
            TypeError,
            "be a score of this package; got `f1_score`",
        ),
        (
            dice_any.dice_score,
            {"empty": 0.0},
            TypeError,
            "`empty` must be left out here; got one. Pass `zero_division=`.",
        ),
        (dice_any.dice_score, {"classes": [1]}, TypeError, "Pass `labels=`."),
        (dice_any.dice_score, {"num_classes": 3}, TypeError, "The labels are read from the data"),
        (dice_any.dice_score, {"weight": [1]}, TypeError, "Pass `sample_weight=` to the metric"),
        (
            dice_any.dice_score,
            {"average": "mean"},
            ValueError,
            "`average` must be one of 'binary', 'macro'",
        ),
        (
            dice_any.dice_score,
            {"zero_division": "warn"},
            TypeError,
            "`zero_division` must be a number; got str.",
        ),
        (
            dice_any.accuracy_score,
            {"average": "macro"},
            ValueError,
            "`average` must be left out of `accuracy_score`, which is of all labels together",
        ),
        (dice_any.cohen_kappa, {"labels": [1]}, ValueError, "`labels` must be left out of"),
        (dice_any.cohen_kappa, {"pos_label": 0}, ValueError, "`pos_label` must be left out of"),
        (
            dice_any.dice_score,
            {"labels": [1]},
            ValueError,
            "`labels` must be left out of the score of one label; got some. Pass an `average`",
        ),
        (dice_any.dice_score, {"smooth": 1}, TypeError, "one of losses. Pass `zero_division=`."),
        (dice_any.tversky_score, {"alpha": 1}, TypeError, "`beta` must be given"),
    ],
)
def test_what_is_refused_when_it_is_made(
    score: Any, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    for make in (metric, scorer):
        with pytest.raises(error) as caught:
            make(score, **arguments)
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "arrays", "message"),
    [
        ({}, ([0, 1, 2], [0, 1, 2]), "for 3 labels; got 'binary'"),
        (
            {},
            (["a", "b"], ["a", "a"]),
            "must be one of the labels; got 1, which is none",
        ),
        ({"average": "samples"}, ([0, 1], [0, 1]), "That is for indicator matrices"),
        ({}, ([[0, 1], [1, 1]], [[0, 1], [1, 0]]), "for indicator matrices; got 'binary'"),
        ({}, ([0, 1], [0.25, 0.75]), "got continuous. For probabilities compare first"),
        ({}, ([0, 1], [0, 1, 1]), "inconsistent numbers of samples"),
    ],
)
def test_what_is_refused_when_it_is_called(
    arguments: dict[str, Any], arrays: tuple[Any, Any], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        metric(dice_any.dice_score, **arguments)(*arrays)
    assert message in str(caught.value)


def test_scores_without_averages_are_refused_for_matrices() -> None:
    with pytest.raises(ValueError, match="score that has averages"):
        metric(dice_any.accuracy_score)(np.eye(2, dtype=int), np.eye(2, dtype=int))
