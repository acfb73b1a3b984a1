"""Errors of an interface name its own arguments, whatever the core calls them."""

from __future__ import annotations

import importlib
import inspect
import itertools
import re
import warnings
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.interfaces.wording import NO_WEIGHTS, reworded
from dice_any.reading import LossArguments, OverlapArguments, ScoreArguments
from dice_any.reading.words import ELSEWHERE

OF_SCORES = ScoreArguments.__annotations__.keys() | OverlapArguments.__annotations__
LOSS_WORDS = LossArguments.__annotations__.keys() - OF_SCORES


def keywords(message: str) -> set[str]:
    """Return the keywords that a message tells to pass."""
    return {word for code in codes(message) for word in re.findall(r"\b(\w+)=(?!=)", code)}


def names(message: str) -> set[str]:
    """Return the variables and arguments that a message names in code."""
    code = " ; ".join(re.sub(r"'[^']*'|\"[^\"]*\"", "", code) for code in codes(message))
    return set(re.findall(r"(?<![\w.])[a-z_]\w*", code))


def codes(message: str) -> list[str]:
    # what is meant for a function of `dice_any` itself is no argument here
    return re.findall(r"`([^`]*)`", message.replace(NO_WEIGHTS, ""))


def load(package: str, interface: str) -> Any:
    pytest.importorskip(package)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(f"dice_any.interfaces.{interface}")


WORDS = {"weight": "sample_weight", "f='a'": "a=True", "classes": "labels", "Do it": "Leave it"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("`weight` must", "`sample_weight` must"),
        ("Pass `weight=mask`.", "Pass `sample_weight=mask`."),
        ("Pass `weight[:, None] > 0`", "Pass `sample_weight[:, None] > 0`"),
        ("`weight` of weight in `a.weight`", "`sample_weight` of weight in `a.weight`"),
        ("`class_weight`, `weights`, `'weight'`", "`class_weight`, `weights`, `'weight'`"),
        ("`f='a'`, `f='ab'`", "`a=True`, `f='ab'`"),
        ("`classes` and `weight`", "`labels` and `sample_weight`"),
        ("Do it, `Do`", "Leave it, `Do`"),
        ("nothing", "nothing"),
    ],
)
def test_words_are_replaced_in_code_only(ours: str, theirs: str) -> None:
    assert reworded(ours, WORDS) == theirs
    assert reworded(theirs, WORDS) == theirs
    assert reworded(ours, {}) == ours


@pytest.mark.parametrize(
    ("package", "home", "table"),
    [
        ("sklearn", "sklearn", "WORDS"),
        ("xarray", "xarray", "WORDS"),
        ("monai", "monai.reading", "OF_LOSSES"),
        ("monai", "monai.reading", "OF_METRICS"),
    ],
)
def test_an_error_may_pass_an_interface_twice(package: str, home: str, table: str) -> None:
    """As in a MONAI loss within a loss: no word of theirs is one of ours."""
    load(package, package)
    words = getattr(importlib.import_module(f"dice_any.interfaces.{home}"), table)
    for theirs in words.values():
        assert reworded(f"`{theirs}`", words) == f"`{theirs}`"


# -- MONAI -----------------------------------------------------------------------------------------


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(4).random(shape)


def wrong_pairs() -> dict[str, tuple[Any, Any]]:
    """Inputs and targets of which one is wrong, for two cases of three channels."""
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(numbers(2, 3, 4)).float()
    labels = torch.tensor([[[0, 1, 2, 1]], [[2, 2, 1, 0]]])
    one_hot = torch.cat([labels == c for c in range(3)], dim=1).float()
    nan = torch.full_like(x, torch.nan)
    return {
        "above 1": (9 * x, one_hot),
        "NaN": (nan, one_hot),
        "NaN with labels": (nan, labels),
        "a target above 1": (x, 2.5 * one_hot),
        "a target of 255": (x, 255 * one_hot),
        "a target of NaN": (x, nan),
        "a label": (x, labels + 3),
        "a negative label": (x, labels - 1),
        "a label in floating numbers": (x, labels + 3.0),
        "shapes": (x, one_hot[..., :2]),
        "cases": (x, one_hot[:1]),
        "axes": (x, one_hot[..., None]),
        "an axis": (x[0, 0], one_hot[0, 0]),
        "complex": (x * 1j, one_hot),
        "a complex target": (x, one_hot * 1j),
        "Booleans": (x > 0.5, one_hot),
        "nothing": (x[:0], one_hot[:0]),
        "one channel of 255": (x[:, :1], 255.0 * labels),
        "one channel of labels": (x[:, :1], labels),
        "NumPy": (x.numpy(), one_hot.numpy()),
        "NumPy's input": (x.numpy(), one_hot),
        "NumPy's target": (x, one_hot.numpy()),
        "lists": (x.tolist(), one_hot.tolist()),
        "None": (None, None),
        "no target": (x, None),
        "a path": ("x.nii.gz", one_hot),
        "masked": (np.ma.array(x.numpy()), one_hot),
        "a masked target": (x, np.ma.array(one_hot.numpy())),
        "sparse": (x.to_sparse(), one_hot),
    }


PAIRS = (
    "above 1", "NaN", "NaN with labels", "a target above 1", "a target of 255", "a target of NaN",
    "a label", "a negative label", "a label in floating numbers", "shapes", "cases", "axes",
    "an axis", "complex", "a complex target", "Booleans", "nothing", "one channel of 255",
    "one channel of labels", "NumPy", "NumPy's input", "NumPy's target", "lists", "None",
    "no target", "a path", "masked", "a masked target", "sparse",
)  # fmt: skip
#: what no loss can compute
NEVER = PAIRS[PAIRS.index("NumPy") :]
LOSSES = (
    "DiceLoss",
    "TverskyLoss",
    "GeneralizedDiceLoss",
    "DiceCELoss",
    "DiceFocalLoss",
    "GeneralizedDiceFocalLoss",
)
#: our words that MONAI's losses and metrics do not have
NOT_IN_LOSSES = {
    "prediction", "activation", "ignore_label", "class_axis", "num_classes", "classes", "smooth",
    "form", "axis", "exact", "dice_weight", "cross_entropy_weight", "focal_weight",
}  # fmt: skip
NOT_IN_METRICS = {
    "prediction", "target", "activation", "ignore_label", "class_axis", "smooth", "axis", "weight",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:single channel prediction")
@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_monai(name: str, pair: str) -> None:
    cls = getattr(load("monai", "monai"), name)
    given = wrong_pairs()[pair]
    known = set(inspect.signature(cls).parameters)
    refused = 0
    ways = itertools.product(
        ({}, {"sigmoid": True}, {"softmax": True}),
        ({}, {"to_onehot_y": True}),
        ({}, {"ignore_index": 1}, {"smooth_nr": -1.0}, {"smooth_dr": -1.0}),
    )
    for way in ways:
        arguments = {key: value for each in way for key, value in each.items()}
        if not arguments.keys() <= known:
            continue
        try:
            cls(**arguments)(*given)
        except RuntimeError:  # PyTorch's own, from MONAI's one-hot and cross-entropy
            assert pair not in NEVER
        except (TypeError, ValueError, AssertionError) as error:
            refused += 1
            said = str(error)
            assert not names(said) & NOT_IN_LOSSES, said
            assert keywords(said) <= known, said
        else:
            assert pair not in NEVER
    assert refused


METRICS = {
    "DiceMetric": ({}, {"num_classes": 3}, {"ignore_index": 1}),
    "MeanIoU": ({},),  # with `ignore_index` it is MONAI's own
    "GeneralizedDiceScore": ({},),
    "OverlapMetric": ({}, {"num_classes": 3}, {"ignore_index": 1}),
}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("name", METRICS)
def test_metrics_of_monai(name: str, pair: str) -> None:
    cls = getattr(load("monai", "monai"), name)
    whole = wrong_pairs()[pair]
    first = (dice_any.dice_score,) if name == "OverlapMetric" else ()
    known = set(inspect.signature(cls).parameters)
    ways = [whole]
    if all(hasattr(array, "shape") and len(array) for array in whole):
        ways.append(tuple(list(array) for array in whole))  # a list of cases
    refused = 0
    for arguments, arrays in itertools.product(METRICS[name], ways):
        try:
            cls(*first, **arguments)(*arrays)
        except (TypeError, ValueError) as error:
            refused += 1
            said = str(error)
            assert not names(said) & NOT_IN_METRICS, said
            assert keywords(said) <= known | {"mode"}, said
        else:
            assert pair not in NEVER
    assert refused or pair == "Booleans"


# -- keywords of other packages, and slips ---------------------------------------------------------


def metric_of_sklearn(**arguments: Any) -> Any:
    return load("sklearn", "sklearn").metric(dice_any.dice_score, **arguments)


def score_of_xarray(**arguments: Any) -> Any:
    module = load("xarray", "xarray")
    array = module.DataArray([True], dims="x")
    return module.score(dice_any.dice_score, array, array, **arguments)


def metric_of_torchmetrics(**arguments: Any) -> Any:
    return load("torchmetrics", "torchmetrics").OverlapMetric(dice_any.dice_score, **arguments)


def metric_of_monai(**arguments: Any) -> Any:
    return load("monai", "monai").OverlapMetric(dice_any.dice_score, **arguments)


#: how to make each, and where its refused keywords are
SCORES: dict[str, tuple[Any, str]] = {
    "sklearn": (metric_of_sklearn, "sklearn"),
    "xarray": (score_of_xarray, "xarray"),
    "torchmetrics": (metric_of_torchmetrics, "torchmetrics"),
    "monai": (metric_of_monai, "monai.metrics"),
}


@pytest.mark.parametrize("interface", SCORES)
def test_cures_lead_to_no_refused_argument(interface: str) -> None:
    make, home = SCORES[interface]
    load(interface, interface)
    module = importlib.import_module(f"dice_any.interfaces.{home}")
    refused = module.REFUSED
    own = {*getattr(module, "OWN", ()), *getattr(module, "OF_TORCHMETRICS", ()), "num_classes"}
    slips = [name + "s" for name in refused]
    for word in {*ELSEWHERE, *LOSS_WORDS, *slips} - own - refused.keys():
        with pytest.raises(TypeError) as caught:
            make(**{word: 1})
        said = str(caught.value)
        assert said.startswith(f"`{word}` must be an argument of `dice_score`; got ")
        for cure in refused.values():
            said = said.replace(cure, "")
        assert not keywords(said) & refused.keys(), said
        assert not re.search(rf"Did you mean `({'|'.join(refused)})`", said), said
        assert not names(said) & words_of(module).keys() - {word}, said
    for name, cure in refused.items():
        with pytest.raises(TypeError) as caught:
            make(**{name: 1})
        assert str(caught.value) == f"`{name}` must be left out here; got one. {cure}"


def words_of(module: Any) -> dict[str, str]:
    return getattr(module, "WORDS", getattr(module, "OF_METRICS", {}))
