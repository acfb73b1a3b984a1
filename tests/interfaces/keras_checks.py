"""The checks that `test_keras.py` runs in a process for each backend of Keras."""

from __future__ import annotations

import doctest
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import dice_any
import dice_any.interfaces.keras as ours
from dice_any import conventions

#: NumPy 2 warns about the way in which Keras converts tensors of PyTorch
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
BACKEND = os.environ["KERAS_BACKEND"]
CLASSES = 3
SOFTMAX = {"class_axis": -1, "activation": "softmax"}


def batch(seed: int = 0, samples: int = 4) -> tuple[Any, Any]:
    """Logits (N, H, W, C) and labels (N, H, W), with the last class in one sample only."""
    chance = np.random.default_rng(seed)
    labels = chance.integers(0, CLASSES - 1, (samples, 6, 5))
    labels[0, 0] = CLASSES - 1
    return chance.normal(size=(samples, 6, 5, CLASSES)).astype(np.float32), labels


def number(value: Any) -> float:
    return float(keras.ops.convert_to_numpy(value))


def one_hot(labels: Any) -> Any:
    return (labels[..., None] == np.arange(CLASSES)).astype(np.float32)


def test_the_backend_is_the_one_asked_for() -> None:
    assert keras.backend.backend() == BACKEND


@pytest.mark.parametrize("form", ["labels", "float labels", "labels with a channel", "one-hot"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("dice_loss", {}),
        ("jaccard_loss", {"smooth": 0.5, "classes": "foreground"}),
        ("tversky_loss", {"alpha": 0.3, "beta": 0.7}),
        ("generalized_dice_loss", {}),
        ("dice_cross_entropy_loss", {"class_weight": [1.0, 2.0, 0.5]}),
        ("lovasz_loss", {}),
    ],
)
def test_a_loss_is_that_of_the_function(name: str, arguments: dict[str, Any], form: str) -> None:
    if (name, form) == ("lovasz_loss", "one-hot"):
        pytest.skip("it takes no memberships as a target")
    z, y = batch()
    forms = {
        "labels": y,
        "float labels": y.astype(np.float32),
        "labels with a channel": y[..., None],
        "one-hot": one_hot(y),
    }
    expected = getattr(dice_any, name)(z, y, **SOFTMAX, **arguments)
    for given in (name, getattr(dice_any, name)):
        loss = ours.Loss(given, **SOFTMAX, **arguments)
        assert number(loss(forms[form], z)) == pytest.approx(float(expected), rel=2e-6)
        assert loss.name == name


def test_losses_of_samples_are_weighed() -> None:
    z, y = batch()
    weights = np.array([1.0, 0.0, 2.0, 0.5])
    for name in ("dice_loss", "jaccard_loss"):
        each = [
            float(getattr(dice_any, name)(z[n : n + 1], y[n : n + 1], **SOFTMAX)) for n in range(4)
        ]
        for reduction, expected in (
            ("sum_over_batch_size", np.dot(weights, each) / 4),
            ("sum", np.dot(weights, each)),
            ("mean_with_sample_weight", np.dot(weights, each) / weights.sum()),
        ):
            loss = ours.Loss(name, reduction=reduction, axis="space", **SOFTMAX)
            got = number(loss(y, z, sample_weight=weights))
            assert got == pytest.approx(expected, rel=1e-5)
        loss = ours.Loss(name, reduction=None, axis="space", **SOFTMAX)
        assert keras.ops.convert_to_numpy(loss(y, z)) == pytest.approx(np.array(each), rel=1e-5)


def test_classes_that_are_skipped_leave_the_mean_of_their_sample() -> None:
    z, y = batch()
    arguments = {"absent": "skip", "smooth": 0, **SOFTMAX}
    each = [float(dice_any.dice_loss(z[n : n + 1], y[n : n + 1], **arguments)) for n in range(4)]
    loss = ours.Loss("dice_loss", axis="space", **arguments)
    assert number(loss(y, z)) == pytest.approx(np.mean(each), rel=1e-5)


def test_the_presets_are_what_keras_has() -> None:
    z, y = batch()
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(z))
    for name, theirs, preset in (
        ("dice_loss", keras.losses.Dice(), conventions.keras),
        ("tversky_loss", keras.losses.Tversky(), conventions.keras_tversky),
    ):
        loss = ours.Loss(name, class_axis=-1, **preset)
        expected = number(theirs(one_hot(y), probabilities))
        assert number(loss(y, probabilities)) == pytest.approx(expected, abs=1e-6)


def test_masks_without_a_class_axis() -> None:
    z, y = batch()
    masks, p = (y > 0)[..., None].astype(np.float32), 1 / (1 + np.exp(-z[..., :1]))
    sizes = 2 * (p * masks).sum(), p.sum() + masks.sum()
    got = number(ours.Loss("dice_loss", smooth=0)(masks, p))
    assert got == pytest.approx(1 - sizes[0] / sizes[1], rel=1e-5)


# -- metrics --------------------------------------------------------------------------------------


def test_a_metric_is_that_of_all_batches_to_the_bit() -> None:
    z, y = batch(1, 12)
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(z))
    expected = np.float32(dice_any.dice_score(probabilities, y, class_axis=-1, average="macro"))
    for order in ([slice(0, 5), slice(5, 12)], [slice(7, 12), slice(0, 1), slice(1, 7)]):
        metric = ours.Metric("dice_score", num_classes=3, class_axis=-1, average="macro")
        for part in order:
            metric.update_state(y[part].astype(np.float32), probabilities[part])
        assert np.float32(number(metric.result())) == expected
        metric.reset_state()
        assert np.isnan(number(metric.result()))


# Keras's own metric requests 64 bits from JAX
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
def test_a_metric_is_keras_mean_iou() -> None:
    z, y = batch(2)
    metric = ours.Metric(
        "jaccard_score", num_classes=3, class_axis=-1, activation="argmax", average="macro"
    )
    of_labels = ours.Metric("jaccard_score", num_classes=3, average="macro")
    theirs = keras.metrics.MeanIoU(num_classes=3, sparse_y_pred=False)
    for part in (slice(0, 3), slice(3, 4)):
        metric.update_state(y[part], z[part])
        of_labels.update_state(y[part], z[part].argmax(-1))
        theirs.update_state(y[part], z[part])
    assert number(metric.result()) == pytest.approx(number(theirs.result()), abs=1e-6)
    assert number(of_labels.result()) == number(metric.result())


def test_thresholds_weights_and_classes() -> None:
    z, y = batch(3)
    masks = (y > 0)[..., None].astype(np.float32)
    metric = ours.Metric("recall_score", threshold=0.25)
    hit = (z[..., :1] >= 0.25) & (masks > 0)
    assert number(metric(masks, z[..., :1])) == pytest.approx(hit.sum() / masks.sum(), rel=1e-6)
    metric.reset_state()
    weights = np.array([0, 2, 1, 3])
    metric.update_state(masks, z[..., :1], sample_weight=weights)
    w = weights[:, None, None, None]
    assert number(metric.result()) == pytest.approx((hit * w).sum() / (masks * w).sum(), rel=1e-6)
    arguments = {"num_classes": 3, "class_axis": -1, "activation": "argmax"}
    for classes, labels in ((None, [0, 1, 2]), ("foreground", [1, 2]), ([2, 0], [2, 0])):
        given = arguments if classes is None else arguments | {"classes": classes}
        metric = ours.Metric(dice_any.dice_score, name="dice", **given)
        metric.update_state(y, z)
        for label, score in metric.result().items():
            a, b = z.argmax(-1) == int(label[-1]), y == int(label[-1])
            assert number(score) == pytest.approx(2 * (a & b).sum() / (a.sum() + b.sum()), rel=1e-6)
        assert list(metric.result()) == [f"dice_{label}" for label in labels]


def test_the_state_holds_more_than_32_bits() -> None:
    """Counts of 2³³ + 5 stay exact; they are set as Keras would load them."""
    metric = ours.Metric("dice_score")
    words = np.zeros((2, 5, 3), dtype=np.int32)
    words[:, :4, 0] = [[5] * 4, [2] * 4]
    metric.words.assign(words)
    masks = np.array([[1.0, 1.0, 0.0]], dtype=np.float32)
    metric.update_state(masks, masks[:, ::-1].copy())
    whole = [limbs[0] for limbs in metric._overlap().to_dict()["sums"][:4]]
    assert whole == [2**33 + 5 + added for added in (1, 2, 2, 3)]
    words[:, :4, 0] = [[-1] * 4, [0] * 4]  # 2³² − 1, whose low word is that of −1
    metric.words.assign(words)
    metric.update_state(masks, masks)
    assert metric._overlap().to_dict()["sums"][2][0] == 2**32 - 1 + 2


# -- models ---------------------------------------------------------------------------------------


def model() -> Any:
    keras.utils.set_random_seed(1)
    network = keras.Sequential([keras.Input((6, 5, 1)), keras.layers.Conv2D(CLASSES, 1)])
    arguments = {"num_classes": 3, "class_axis": -1, "activation": "argmax"}
    network.compile(
        optimizer=keras.optimizers.SGD(5.0),
        loss=ours.Loss("dice_loss", smooth=(0.0, 1e-3), **SOFTMAX),
        metrics=[
            ours.Metric("dice_score", average="macro", empty=0.0, **arguments),
            ours.Metric("jaccard_score", classes="foreground", **arguments),
        ],
    )
    return network


def test_a_model_is_trained_saved_and_loaded(tmp_path: Path) -> None:
    _, y = batch(4, 8)
    x = y[..., None].astype(np.float32) + np.random.default_rng(1).normal(size=(8, 6, 5, 1)) / 9
    network = model()
    history = network.fit(x, y, batch_size=4, epochs=12, verbose=0, validation_data=(x, y)).history
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    assert {"dice_score", "jaccard_score_1", "jaccard_score_2"} < history.keys()
    labels = network.predict(x, verbose=0).argmax(-1)
    end = network.evaluate(x, y, batch_size=3, verbose=0, return_dict=True)
    score = dice_any.dice_score(labels, y, num_classes=3, average="macro", empty=0.0)
    assert end["dice_score"] == pytest.approx(float(score), abs=1e-6)
    network.fit(x, y, sample_weight=np.ones(8), epochs=1, verbose=0)

    end = network.evaluate(x, y, verbose=0, return_dict=True)
    network.save(tmp_path / "model.keras")
    np.savez(tmp_path / "batch.npz", x=x, y=y)
    code = (
        "import json, keras, numpy as np, dice_any.interfaces.keras\n"
        "network = keras.saving.load_model('model.keras')\n"
        "with np.load('batch.npz') as f: x, y = f['x'], f['y']\n"
        "print(json.dumps(network.evaluate(x, y, verbose=0, return_dict=True)))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(dice_any.__file__).parents[1])}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    loaded = json.loads(run.stdout.splitlines()[-1])
    assert loaded == pytest.approx(end, rel=1e-6)


def test_a_step_is_the_gradient_of_the_function() -> None:
    """One step of gradient descent of rate 1 moves the weights by the gradient."""
    _, y = batch(5)
    x = np.random.default_rng(2).normal(size=(4, 6, 5, 1)).astype(np.float32)
    network = model()
    network.compile(optimizer=keras.optimizers.SGD(1.0), loss=ours.Loss("dice_loss", **SOFTMAX))
    kernel, bias = (np.array(w) for w in network.get_weights())
    logits = (x * kernel[0, 0] + bias).astype(np.float64)
    _, gradient = dice_any.value_and_grad(dice_any.dice_loss)(logits, y, **SOFTMAX)
    network.fit(x, y, batch_size=4, epochs=1, verbose=0)
    moved = np.array(network.get_weights()[1])
    assert bias - moved == pytest.approx(gradient.sum((0, 1, 2)), rel=1e-3, abs=1e-6)


def test_configurations_travel_through_json() -> None:
    z, y = batch()
    given = {"class_weight": np.array([1.0, 2.0, 0.5]), "smooth": (0.0, 1.0), "axis": "space"}
    loss = ours.Loss("dice_loss", reduction="sum", name="mine", **SOFTMAX, **given)
    metric = ours.Metric(
        dice_any.tversky_score, alpha=0.25, beta=0.75, num_classes=3, class_axis=-1, average="macro"
    )
    for thing in (loss, metric):
        config = json.loads(json.dumps(keras.saving.serialize_keras_object(thing)))
        back = keras.saving.deserialize_keras_object(config)
        assert type(back) is type(thing)
        assert back.get_config() | {"smooth": 0} == thing.get_config() | {"smooth": 0}
        back = type(thing).from_config(json.loads(json.dumps(thing.get_config())))
        p = keras.ops.softmax(z) if thing is metric else z
        assert number(back(y, p)) == number(thing(y, p))


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "a score": (
        lambda: ours.Loss("dice_score"),
        TypeError,
        "`loss` must be a loss of this package or its name; got 'dice_score'. Known are",
    ),
    "a loss": (
        lambda: ours.Metric(dice_any.dice_loss),
        TypeError,
        "`score` must be a score of this package or its name; got <function dice_loss",
    ),
    "a loss of Keras": (
        lambda: ours.Loss(keras.losses.dice),
        TypeError,
        "`loss` must be a loss of this package",
    ),
    "a slip": (
        lambda: ours.Loss("dice_loss", smoth=1),
        TypeError,
        "`smoth` must be an argument of `dice_loss`; got an unknown one. Did you mean `smooth`",
    ),
    "another slip": (
        lambda: ours.Metric("dice_score", averag="macro"),
        TypeError,
        "`averag` must be an argument of `dice_score`",
    ),
    "no alpha": (
        lambda: ours.Loss("tversky_loss", beta=1),
        TypeError,
        "`alpha` must be given to `tversky_loss`",
    ),
    "a weight of a loss": (
        lambda: ours.Loss("dice_loss", weight=np.ones(3)),
        TypeError,
        "`weight` must be left out here; got one. Weigh samples in each call. To leave elements "
        "out call the function of `dice_any` itself, with `weight=`",
    ),
    "a weight of a metric": (
        lambda: ours.Metric("dice_score", weight=np.ones(3)),
        TypeError,
        "`weight` must be left out here; got one. Pass it with each batch, as `sample_weight`",
    ),
    "a weight in the words of Keras": (
        lambda: ours.Metric("dice_score", sample_weight=np.ones(3)),
        TypeError,
        "`sample_weight` must be left out here; got one. Pass it with each batch, as",
    ),
    "no regions": (
        lambda: ours.Metric("dice_score", regions=5),
        TypeError,
        "`regions` must be a sequence of groups of labels",
    ),
    "no threshold": (
        lambda: ours.Metric("dice_score", threshold="0.5"),
        TypeError,
        "`threshold` must be a number; got str",
    ),
    "no axis": (
        lambda: ours.Loss("dice_loss", class_axis="last")(batch()[1], batch()[0]),
        TypeError,
        "`class_axis` must be an integer; got str",
    ),
    "samples": (
        lambda: ours.Metric("dice_score", axis="space"),
        ValueError,
        "`axis` must be left out of a metric, which adds up all elements of all batches",
    ),
    "no number of classes": (
        lambda: ours.Metric("dice_score", class_axis=-1),
        ValueError,
        "`num_classes` must be given beside `class_axis`, as the state is made before the first",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_had_is_refused(name: str) -> None:
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        call()


def test_another_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    with pytest.raises(
        ValueError,
        match="Keras must run on PyTorch or JAX here; got 'tensorflow'. Set the environment",
    ):
        ours.Loss("dice_loss")


def test_what_is_out_of_range_is_no_number() -> None:
    z, y = batch()
    loss = ours.Loss("dice_loss", class_axis=-1)
    if BACKEND == "torch":
        with pytest.raises(ValueError, match="`y_pred` must hold memberships in"):
            loss(y, z)
    else:
        with pytest.raises(ValueError, match="`y_pred` must hold memberships in"):
            loss(y, z)
        import jax

        assert np.isnan(number(jax.jit(loss)(y, z)))


SOFT, MASK = np.array([[0.5, 1.0, 0.25]]), np.array([[1.0, 1.0, 0.0]])
#: what an error says, in the words of Keras
SAID: dict[str, tuple[Any, str]] = {
    "a target of 255": (
        lambda: ours.Loss("dice_loss")(255 * MASK, SOFT),
        "`y_true` must hold memberships in .*For a mask compare: `y_true > 0`",
    ),
    "a label": (
        lambda: ours.Metric("dice_score", num_classes=2)(2 * MASK, MASK),
        "`y_true` must hold labels from 0 to 1; got 2 outside",
    ),
    "shapes": (
        lambda: ours.Metric("dice_score")(MASK[:, :2], SOFT),
        "`y_true` must have the prediction's shape",
    ),
    "a weight": (
        lambda: ours.Metric("dice_score")(MASK, SOFT, sample_weight=-MASK),
        r"`sample_weight` must be non-negative and below 2\*\*31; got other values at 2 elements",
    ),
    "a mask to ignore, in a metric": (
        lambda: ours.Metric("dice_score", ignore_label=1)(MASK, SOFT),
        "`ignore_label` must go with .*Pass `sample_weight=mask` to leave elements out",
    ),
    "a mask to ignore, in a loss": (
        lambda: ours.Loss("dice_loss", ignore_label=1)(MASK, SOFT),
        "`ignore_label` must go with .*Call the function itself with `weight=mask` to leave",
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_errors_use_the_words_of_keras(name: str) -> None:
    call, message = SAID[name]
    with pytest.raises(ValueError, match=message):
        call()


def test_masked_arrays_are_refused() -> None:
    """Keras would drop the mask. The cure of a metric leaves the masked elements out."""
    soft, mask = np.ma.array(SOFT, mask=[[0, 1, 0]]), np.ma.array(MASK, mask=[[0, 0, 1]])
    loss, metric = ours.Loss("dice_loss"), ours.Metric("dice_score")
    for name, pair in (
        ("y_pred", (MASK, soft)),
        ("y_true", (mask, SOFT)),
        ("y_pred", (mask, soft)),
    ):
        for call in (loss, metric):
            with pytest.raises(TypeError, match=f"`{name}` must be a plain array; got") as caught:
                call(*pair)
        y_true, y_pred = pair
        scope = {"numpy": np, "y_true": y_true, "y_pred": y_pred}
        pieces = str(caught.value).split("`")
        weight = eval(next(p for p in pieces if p.startswith("sample_weight="))[14:], scope)
        data = [np.ma.getdata(array) for array in pair]
        x, y = (array[weight] for array in (data[1], data[0]))
        metric.reset_state()
        got = number(metric(*data, sample_weight=weight))
        assert got == pytest.approx(2 * (x * y).sum() / (x.sum() + y.sum()), rel=1e-6)
        metric.reset_state()
    for call in (ours.Loss("dice_loss", axis="space"), metric):
        with pytest.raises(TypeError, match="`sample_weight` must be a plain array; got"):
            call(MASK, SOFT, sample_weight=np.ma.array([1.0], mask=[1]))


def test_examples_in_docstrings_run() -> None:
    result = doctest.testmod(ours)
    assert result.attempted > 0
    assert result.failed == 0
    for cls in (ours.Loss, ours.Metric):
        for word in inspect.signature(cls).parameters:
            assert word in (inspect.getdoc(cls) or "")


PAGE = Path(dice_any.__file__).parents[1] / "docs" / "interfaces" / "keras.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the sources lie elsewhere")
def test_the_page_runs() -> None:
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted > 10
    assert result.failed == 0


def test_regions_are_the_places_of_the_state() -> None:
    regions = {"whole": (1, 2, 3), "core": (1, 3)}
    one, other = np.array([[0, 1, 2, 3, 3, 0]]), np.array([[1, 1, 2, 2, 3, 0]])
    metric = ours.Metric("dice_score", regions=regions)
    metric.update_state(other, one)
    for place, labels in enumerate(regions.values()):
        a, b = np.isin(one, labels), np.isin(other, labels)
        dice = 2 * (a & b).sum() / (a.sum() + b.sum())
        assert number(metric.result()[f"dice_score_{place}"]) == pytest.approx(dice, rel=1e-6)
