"""Signatures of public functions: the keywords that they show, and errors for other keywords."""

from __future__ import annotations

import inspect
import pickle
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any import conventions
from dice_any.reading import (
    DEFAULTS,
    JointArguments,
    LossArguments,
    OverlapArguments,
    ScoreArguments,
    read,
    words,
)

X, Y = np.array([0, 1, 1, 2]), np.array([0, 1, 2, 2])
FUNCTIONS = [name for name in dice_any.__all__ if inspect.isfunction(getattr(dice_any, name))]
LOSSES = dice_any.losses.__all__
CONVERSIONS = {"dice_to_jaccard", "jaccard_to_dice"}
JOINT = ["accuracy_score", "cohen_kappa", "generalized_dice_score", "matthews_correlation"]
SCORES = sorted(set(dice_any.scores.__all__) - CONVERSIONS - set(JOINT))
#: Keywords that a function does not use, each with a reason.
REFUSED = {
    "lovasz_loss": {"smooth", "form"},
    "centerline_dice_loss": {"form"},
    "wasserstein_dice_loss": {"form", "average", "regions"},
}
#: Defaults that differ between functions.
OWN = {
    "cosine_score": {"form": "squared"},
    "centerline_dice_loss": {"axis": "space"},
    "generalized_dice_loss": {"class_weight": "square"},
    "generalized_dice_score": {"class_weight": "square"},
}
SHARED = (
    dict.fromkeys(("overlap",), OverlapArguments)
    | dict.fromkeys(SCORES, ScoreArguments)
    | dict.fromkeys(JOINT, JointArguments)
    | dict.fromkeys(LOSSES, LossArguments)
)


def keywords(function: Any) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(function).parameters.values()
    assert all(p.kind is not p.VAR_KEYWORD for p in parameters)
    return {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}


@pytest.mark.parametrize("name", SHARED)
def test_every_keyword_stands_in_the_signature_with_its_default(name: str) -> None:
    shown = keywords(getattr(dice_any, name))
    expected = SHARED[name].__annotations__.keys() - REFUSED.get(name, set())
    assert expected <= shown.keys()
    for word in expected:
        default = OWN.get(name, {}).get(word, DEFAULTS[word])
        assert shown[word].default is default or shown[word].default == default


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_state_every_default(name: str) -> None:
    function = getattr(dice_any, name)
    documentation = inspect.getdoc(function) or ""
    for word, parameter in keywords(function).items():
        assert word in documentation
        if parameter.default is None or parameter.default is parameter.empty:
            continue
        entry = documentation.split(f"\n{word} : ")
        line = entry[1].partition("\n")[0] if len(entry) > 1 else documentation
        assert f"default {parameter.default!r}" in line or f"{word} {parameter.default!r}" in line


def test_reading_has_the_defaults_of_the_table() -> None:
    for word, parameter in keywords(read).items():
        if word in OverlapArguments.__annotations__:
            assert parameter.default == DEFAULTS[word]


def test_functions_keep_their_names_and_can_be_pickled() -> None:
    for name in FUNCTIONS:
        function = getattr(dice_any, name)
        assert function.__name__ == name
        assert pickle.loads(pickle.dumps(function)) is function


def refused(call: Callable[..., Any], message: str, error: type[Exception] = TypeError) -> None:
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)


#: Internal arguments, which must not be reached.
INSIDE = ("with_gradient", "entropy", "squared_form", "pooled", "objective", "arguments", "task")


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ("backends",)])
@pytest.mark.parametrize("word", [*INSIDE, "zzzzzz"])
def test_nothing_inside_can_be_reached(name: str, word: str) -> None:
    function = getattr(dice_any, name)
    arrays = [X, Y][: 1 if name in CONVERSIONS or name == "value_and_grad" else 2]
    refused(
        lambda: function(*arrays, **{word: 1}),
        f"`{word}` must be an argument of `{name}`; got an unknown one. ",
    )


@pytest.mark.parametrize("name", SHARED)
def test_near_misses_are_named(name: str) -> None:
    function = getattr(dice_any, name)
    for slip, meant in (
        ("clas_axis", "class_axis"),
        ("num_class", "num_classes"),
        ("ignore_labels", "ignore_label"),
        ("wieght", "weight"),
        ("activations", "activation"),
    ):
        refused(
            lambda slip=slip: function(X, Y, **{slip: 1}),
            f"`{slip}` must be an argument of `{name}`; got an unknown one. "
            f"Did you mean `{meant}`?",
        )


ELSEWHERE = {
    "ignore_index": "`ignore_label=`",
    "zero_division": "`empty=`",
    "from_logits": "`activation='softmax'`",
    "include_background": "`classes='foreground'`",
    "to_onehot_y": "a label map is taken as it is",
    "sample_weight": "`weight=`",
}


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("word", ELSEWHERE)
def test_words_of_other_packages_name_ours(name: str, word: str) -> None:
    refused(
        lambda: getattr(dice_any, name)(X, Y, num_classes=3, **{word: 1}),
        f"`{word}` must be an argument of `{name}`; got a word of another package. ",
    )
    if word == "include_background" and "classes" not in keywords(getattr(dice_any, name)):
        return  # it cannot be passed here
    refused(
        lambda: getattr(dice_any, name)(X, Y, num_classes=3, **{word: 1}),
        ELSEWHERE[word],
    )


#: every keyword here, and every word of another package
WORDS = {word for name in FUNCTIONS for word in keywords(getattr(dice_any, name))}
WORDS |= words.ELSEWHERE.keys()
#: what a part of a cure says of others -> the keywords that those have
OTHERS = {
    "to a loss": LossArguments.__annotations__,
    "losses have": LossArguments.__annotations__,
    "to a score": JointArguments.__annotations__,
    "scores have": JointArguments.__annotations__,
    "scores of each class have": ScoreArguments.__annotations__,
    **{f"to `{name}`": keywords(getattr(dice_any, name)) for name in LOSSES},
}


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "backends"])
def test_a_cure_for_a_keyword_names_what_can_be_passed(name: str) -> None:
    function = getattr(dice_any, name)
    arrays = [X, Y][: 1 if name in CONVERSIONS or name == "value_and_grad" else 2]
    own, refusals = keywords(function), REFUSED.get(name, set())
    for word in sorted(WORDS - own.keys() - refusals):
        with pytest.raises(TypeError) as caught:
            function(*arrays, **{word: 1})
        fact, _, cure = str(caught.value).partition("; got ")[2].partition(". ")
        assert cure.endswith((".", "?"))
        if fact == "one of losses":
            assert word in LossArguments.__annotations__.keys() - ScoreArguments.__annotations__
        for part in re.split(r"[;.:] ", cure):
            has = next((others for said, others in OTHERS.items() if said in part), own)
            assert set(re.findall(r"`(\w+)=", part)) <= has.keys(), (word, cure)


@pytest.mark.parametrize("name", [*SCORES, *JOINT])
def test_words_of_losses_on_scores(name: str) -> None:
    own = {"alpha": 1, "beta": 1} if name == "tversky_score" else {}
    own = {"beta": 1} if name == "f_score" else own
    score = partial(getattr(dice_any, name), X, Y, num_classes=3, **own)
    refused(lambda: score(smooth=1), "got one of losses. A score has no smoothing: `empty=`")
    meant = {"generalized_dice_score": "pass `**conventions.monai_generalized`."}
    meant |= dict.fromkeys(set(JOINT) - set(meant), "monai has none of this.")
    cure = meant.get(name, "pass `**conventions.monai_metric`.")
    refused(lambda: score(**conventions.monai), f"`conventions.monai` is of losses; {cure}")
    if name in SCORES:
        refused(lambda: score(**conventions.nnunet), "pass `**conventions.nnunet_metric`.")
        refused(lambda: score(**conventions.optax), "is of losses; optax has none of this.")


@pytest.mark.parametrize("name", LOSSES)
def test_words_of_scores_on_losses(name: str) -> None:
    refused(
        lambda: getattr(dice_any, name)(X > 0, Y > 0, empty=0.0),
        f"`empty` must be an argument of `{name}`; got one of scores. Losses have no `empty`: "
        "`smooth` and `absent` decide there.",
    )


OWN_PRESETS = {
    "dice_loss": ("monai", "smp", "nnunet"),
    "jaccard_loss": ("monai_jaccard", "smp", "nnunet"),
    "tversky_loss": ("monai_tversky", "smp_tversky", "nnunet"),
    "lovasz_loss": (None, "smp_lovasz", None),
}


@pytest.mark.parametrize("name", OWN_PRESETS)
def test_presets_of_scores_on_losses(name: str) -> None:
    """The preset for this loss, or one of its package that the loss accepts."""
    for wrong, right in zip(
        ("monai_metric", "smp_metric", "nnunet_metric"), OWN_PRESETS[name], strict=True
    ):
        preset = getattr(conventions, wrong)
        end = f"pass `**conventions.{right}`." if right else f"{preset.package} has none of this."
        refused(
            partial(getattr(dice_any, name), X > 0, Y > 0, **preset),
            f"`conventions.{wrong}` is of scores; {end}",
        )


def test_presets_of_another_loss_or_score() -> None:
    refused(
        lambda: dice_any.dice_loss(X > 0, Y > 0, **conventions.monai_tversky),
        "`conventions.monai_tversky` is of `tversky_loss`; pass `**conventions.monai`.",
    )
    refused(
        lambda: dice_any.jaccard_score(X, Y, num_classes=3, **conventions.monai_generalized),
        "is of `generalized_dice_score`; pass `**conventions.monai_metric`.",
    )
    refused(
        lambda: dice_any.log_dice_loss(X > 0, Y > 0, **conventions.smp_tversky),
        "`conventions.smp_tversky` is of `tversky_loss`; smp has none of this.",
    )


def test_what_only_looks_like_a_preset_is_none() -> None:
    """`empty=0.0` is the whole preset of scikit-learn, but also what any user may write."""
    with pytest.raises(TypeError) as caught:
        dice_any.dice_loss(X > 0, Y > 0, empty=0.0)
    assert "conventions" not in str(caught.value)


def test_arrays_go_by_position() -> None:
    refused(
        lambda: dice_any.dice_score(prediction=X, target=Y, num_classes=3),
        "`prediction` must be an argument of `dice_score`; got one by name. Pass the arrays by "
        "position: `dice_score(prediction, target, ...)`.",
    )


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "backends"])
def test_missing_arrays(name: str) -> None:
    """An error of the usual form; a score or a loss of sums takes one overlap."""
    function = getattr(dice_any, name)
    own = {"alpha": 1, "beta": 1, "num_classes": 3, "distances": [[0, 1], [1, 0]]}
    given = {word: own[word] for word in keywords(function) if word in own}
    form = re.compile(r"`\w+` must .+; got .+\.")
    several = name not in CONVERSIONS and name != "value_and_grad"
    for arrays in ((), (X,)) if several else ((),):
        with pytest.raises((TypeError, ValueError)) as caught:
            function(*arrays, **given)
        assert form.fullmatch(str(caught.value)), caught.value


def test_what_has_no_default_must_be_given() -> None:
    refused(
        lambda: dice_any.tversky_loss(X, Y, alpha=1),
        "`beta` must be given to `tversky_loss`; got none. It has no default.",
    )


def test_forwarded_defaults_are_taken() -> None:
    """A wrapper that passes on every keyword of a signature changes nothing."""
    x, y = np.array([[0.5, 1.0, 0.0]]), np.array([[True, True, False]])
    for name in (*SCORES, *LOSSES):
        if name in ("wasserstein_dice_loss", "generalized_dice_loss", "tversky_score", "f_score"):
            continue
        function = getattr(dice_any, name)
        shown = keywords(function)
        given = {
            word: p.default for word, p in shown.items() if p.default is not inspect.Parameter.empty
        } | {"alpha": 1, "beta": 1, "activation": "sigmoid", "axis": None}
        given = {word: value for word, value in given.items() if word in shown}
        if name == "centerline_dice_loss":
            x, y = np.array([[[0.5, 1.0, 0.0]]]), np.array([[[True, True, False]]])
            given["spatial_axes"] = (1, 2)
        assert np.isfinite(function(x, y, **given))
