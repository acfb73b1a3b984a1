"""Errors for unknown keywords: a spelling mistake, or the name in another package."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from .. import conventions
from .keywords import JointArguments, LossArguments, OverlapArguments, ScoreArguments

_SHARED = OverlapArguments.__annotations__.keys()
_OF_SCORES = (ScoreArguments.__annotations__.keys() | JointArguments.__annotations__) - _SHARED
_OF_LOSSES = LossArguments.__annotations__.keys() - _SHARED

#: Keywords of other packages, and what to write here instead.
ELSEWHERE: Mapping[str, str] = {
    "ignore_index": "Pass `ignore_label=`.",
    "ignored_index": "Pass `ignore_label=`.",
    "from_logits": "Pass `activation='softmax'` or `activation='sigmoid'` for logits.",
    "apply_softmax": "Pass `activation='softmax'`.",
    "softmax": "Pass `activation='softmax'`.",
    "sigmoid": "Pass `activation='sigmoid'`.",
    "other_act": "Apply it first, and pass memberships.",
    "apply_nonlin": "Pass `activation='softmax'` or `activation='sigmoid'`.",
    "include_background": "Pass `classes='foreground'` for False; True is the default.",
    "do_bg": "Pass `classes='foreground'` for False; True is the default.",
    "to_onehot_y": "Leave it out: a label map is taken as it is.",
    "sample_weight": "Pass `weight=`, one for each element.",
    "pixel_weight": "Pass `weight=`.",
    "mask": "Pass `weight=mask`.",
    "loss_mask": "Pass `weight=mask`.",
    "weights": "Pass `weight=` for elements; for classes pass `class_weight=` to a loss.",
    "class_weights": (
        "Pass `class_weight=` to a loss; scores of each class have `average='weighted'`."
    ),
    "squared_pred": "Pass `form='squared'` for True.",
    "jaccard": "Call `jaccard_loss` or `jaccard_score`.",
    "batch": "Pass `axis=None` for True and `axis='space'` for False.",
    "batch_dice": "Pass `axis=None` for True and `axis='space'` for False.",
    "per_image": "Pass `axis='space'` for True.",
    "reduce_batch": "Pass `axis=None` for True and `axis='space'` for False.",
    "smooth_nr": "Pass `smooth=(smooth_nr, smooth_dr)` to a loss.",
    "smooth_dr": "Pass `smooth=(smooth_nr, smooth_dr)` to a loss.",
    "eps": "Pass `smooth=` to a loss; scores have `empty=`.",
    "epsilon": "Pass `smooth=` to a loss; scores have `empty=`.",
    "zero_division": "Pass `empty=` to a score; losses have `smooth=`.",
    "zero_score_for_empty": "Pass `empty=` to a score; losses have `smooth=`.",
    "dim": "Pass `axis=`.",
    "dims": "Pass `axis=`.",
    "axes": "Pass `axis=`.",
    "channel_axis": "Pass `class_axis=`.",
    "channel_dim": "Pass `class_axis=`.",
    "labels": "Pass `classes=`.",
    "label": "Compare first: `prediction == label` and `target == label`.",
    "pos_label": "Compare first: `prediction == pos_label` and `target == pos_label`.",
    "threshold": "Compare first: `prediction > threshold`.",
    "n_classes": "Pass `num_classes=`.",
    "num_labels": "Pass `num_classes=`.",
    "mdmc_average": "Pass `axis='space'` for scores of each sample.",
    "input_format": "Leave it out: integers are label maps; else pass `class_axis=`.",
    "log_loss": "Call `log_dice_loss`.",
    "lambda_dice": "Pass `dice_weight=` to `dice_cross_entropy_loss` or `dice_focal_loss`.",
    "lambda_ce": "Pass `cross_entropy_weight=` to `dice_cross_entropy_loss`.",
    "lambda_focal": "Pass `focal_weight=` to `dice_focal_loss`.",
}
#: Every loss has at least one of these, and no score has any.
_LOSS = {"smooth", "absent"}
#: What a score of each class has instead of a keyword of losses.
_IN_SCORES: Mapping[str, str] = {
    "smooth": "A score has no smoothing: `empty=` says what an empty pair scores.",
    "reduction": "A score has `average=` over classes; reduce over samples with `mean`.",
    "class_weight": "A score of each class has `average='weighted'`.",
    "absent": "A score of each class has `empty=` and `empty_target=`.",
}
#: What a joint score has instead of a keyword of losses or of other scores.
_IN_JOINT: Mapping[str, str] = {
    "smooth": _IN_SCORES["smooth"],
    "reduction": "It is one number for all classes; reduce over samples with `mean`.",
    "class_weight": "It is one number for all classes; elements are weighed by `weight=`.",
    "absent": "It is one number for all classes; `empty=` says what it is of nothing.",
    "average": "It is one number for all classes already: leave it out.",
    "classes": (
        "It is one number for all classes. Leave it out, or choose classes of a score of each "
        "class, such as `recall_score`."
    ),
    "empty_target": "It is one number for all classes; `empty=` says what it is of nothing.",
}
ARRAYS = ("prediction", "target", "y_pred", "y_true", "preds", "input", "output")
_NONE: Mapping[str, str] = MappingProxyType({})


def check_keywords(
    function: Callable[..., Any],
    given: Mapping[str, Any],
    *,
    also: Iterable[str] = (),
    refused: Mapping[str, str] = _NONE,
) -> None:
    """Check that a function has the given keywords.

    A wrapper of the function has others `also`, and some are `refused` there, each with what to
    write instead.
    """
    parameters = inspect.signature(function).parameters.values()
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in refused]
    if not given.keys() <= {*known, *refused}:
        raise unknown_keyword(function.__name__, [*known, *also], given, refused)
    for name, cure in refused.items():
        if name in given:
            raise TypeError(f"`{name}` must be left out here; got one. {cure}")


def unknown_keyword(
    function: str,
    known: Iterable[str],
    given: Mapping[str, Any],
    refused: Mapping[str, str] = _NONE,
) -> TypeError:
    """Return the error of a call with a keyword that the function does not have.

    A cure never names a keyword that is `refused`: it is then what to write instead of that one.
    """
    known = tuple(known)
    every = (*known, *refused)
    name = next(name for name in given if name not in every)
    fact, cure = "an unknown one", ""
    near = get_close_matches(name, every, 1)
    if name in ARRAYS:
        fact = "one by name"
        cure = f"Pass the arrays by position: `{function}(prediction, target, ...)`."
    elif name in _OF_SCORES and "empty" in every:
        fact, cure = "one of scores of each class", _IN_JOINT[name]
    elif name in _OF_LOSSES and "empty" in every:
        fact, cure = "one of losses", (_IN_SCORES if "average" in every else _IN_JOINT)[name]
    elif name in _OF_SCORES and _LOSS.intersection(known):
        fact = "one of scores"
        cure = f"Losses have no `{name}`: `smooth` and `absent` decide there."
    elif name in _OF_SCORES | _OF_LOSSES:
        fact, cure = "one of scores and losses", "Pass it to one of these."
    else:
        cure = f"It has {', '.join(f'`{word}`' for word in known)}." if known else "It has none."
        if near:
            cure = f"Did you mean `{near[0]}`?"
        if name in ELSEWHERE:
            fact = "a word of another package"
            cure = ELSEWHERE[name] if _can_be_followed(ELSEWHERE[name], every) else cure
    instead = [refused[word] for word in re.findall(r"`(\w+)", cure) if word in refused]
    cure = instead[0] if instead else cure
    cure += _preset_meant(function, set(known), name, given)
    return TypeError(f"`{name}` must be an argument of `{function}`; got {fact}. {cure}")


def _can_be_followed(cure: str, known: Iterable[str]) -> bool:
    """Return whether the function has the keywords in a cure that are not said to be of others."""
    of_others = re.compile(" to a | to `|(scores|losses|class) have ")
    own = (part for part in cure.split("; ") if not of_others.search(part))
    return set(re.findall(r"`(\w+)=", "; ".join(own))) <= set(known)


def _preset_meant(function: str, known: set[str], name: str, given: Mapping[str, Any]) -> str:
    """Return which preset was unpacked, if any, and which preset of its package would be right."""
    presets = [each for each in vars(conventions).values() if isinstance(each, conventions.Preset)]
    unpacked = [each for each in presets if name in each and _is_in(each, given)]
    if not unpacked:
        return ""
    wrong = max(unpacked, key=len)
    right = [
        each
        for each in presets
        if each.package == wrong.package
        and each.keys() <= known
        and (function in each.functions or each.kind != wrong.kind)
    ]
    right.sort(key=lambda each: function not in each.functions)
    of = {"loss": "losses", "score": "scores"}[wrong.kind]
    if wrong.kind == ("loss" if _LOSS & known else "score"):
        of = ", ".join(f"`{each}`" for each in wrong.functions)
    cure = f"pass `**conventions.{right[0].name}`" if right else f"{wrong.package} has none of this"
    return f" `conventions.{wrong.name}` is of {of}; {cure}."


def _is_in(preset: conventions.Preset, given: Mapping[str, Any]) -> bool:
    """Return whether a preset was unpacked into a call: the same objects, not only equal ones."""
    return all(name in given and given[name] is value for name, value in preset.items())
