"""One or more calls of every public function on arrays, for tests that apply to every call."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import dice_any
from dice_any import losses, scores

from ..sums import Overlap
from . import recipe
from .every_loss import CALLS, COMPOUND
from .kinds import OF_SCORES

#: what a call needs
REQUIRED: dict[str, dict[str, Any]] = OF_SCORES | {
    name: given | ({"activation": "softmax"} if name in COMPOUND else {})
    for name, given in CALLS.items()
}
RANKED = ("lovasz_loss", "centerline_dice_loss", "wasserstein_dice_loss")
JOINT = ("accuracy_score", "matthews_correlation", "cohen_kappa", "generalized_dice_score")
#: public names that take no arrays
WITHOUT_ARRAYS = {"Backend", "Overlap", "backends", "conventions", "value_and_grad"}

SHAPE, ELEMENTS = (2, 3, 6, 5), (2, 6, 5)
MASKS = (recipe.masks(1, SHAPE), recipe.masks(2, SHAPE))
SOFT = (recipe.memberships(3, SHAPE), recipe.labels(5, ELEMENTS, 3))
MAPS = (recipe.labels(7, ELEMENTS, 3), recipe.labels(9, ELEMENTS, 3))
FIELDS = (recipe.memberships(11, SHAPE), recipe.memberships(13, SHAPE))
ROWS = (recipe.masks(15, (3, 20)), recipe.masks(17, (4, 20)))
SOFT_ROWS = (recipe.memberships(19, (4, 20)), recipe.memberships(21, (4, 20)))
WEIGHT = recipe.memberships(23, ELEMENTS)
BAD_MAP = MAPS[0] + 7


@dataclass(frozen=True)
class Call:
    """A call of one public function: its name, the arrays, and the other arguments."""

    name: str
    function: Callable[..., Any]
    arrays: tuple[np.ndarray, ...]
    arguments: dict[str, Any] = field(default_factory=dict)
    #: the features of `capabilities` that it needs
    features: tuple[str, ...] = ()
    weight: np.ndarray | None = None
    #: whether a kernel can do it
    takes_backend: bool = True


def _score_calls() -> list[Call]:
    found = []
    for name in scores.__all__:
        function, given = getattr(scores, name), REQUIRED.get(name, {})
        if name in ("dice_to_jaccard", "jaccard_to_dice"):
            found.append(Call(name, function, (FIELDS[0],), takes_backend=False))
            continue
        average = {} if name in JOINT else {"average": "macro"}
        found += [
            Call(name, function, MASKS, given, ("hard",)),
            Call(
                name,
                function,
                MAPS,
                {**given, **average, "num_classes": 3},
                ("hard", "averages"),
            ),
            Call(name, function, SOFT, {**given, "class_axis": 1, "axis": "space"}, ("averages",)),
            Call(name, function, SOFT, {**given, "class_axis": 1}, ("weight", "averages"), WEIGHT),
        ]
    return found


def _loss_calls() -> list[Call]:
    found = []
    for name in losses.__all__:
        function, given = getattr(losses, name), {"class_axis": 1, **REQUIRED.get(name, {})}
        features = ("loss", "averages", *(("ranked",) if name in RANKED else ()))
        found.append(Call(name, function, SOFT, given, features))
        found.append(Call(name, function, SOFT, given, (*features, "weight"), WEIGHT))
        gradient = dice_any.value_and_grad(function)
        found.append(Call(name, gradient, SOFT, given, (*features, "closed form")))
        activation = given if "activation" in given else {**given, "activation": "softmax"}
        found.append(
            Call(
                name,
                gradient,
                SOFT,
                {**activation, "ignore_label": 1},
                (*features, "closed form", "weight"),
            )
        )
    return found


def _overlap_operations(prediction: Any, target: Any, **arguments: Any) -> list[Any]:
    one = dice_any.overlap(prediction, target, **arguments)
    other = one + Overlap.zero(like=one)
    rows = ("intersection", "prediction", "target", "total", "tp", "fp", "fn", "tn")
    parts = [getattr(one, row) for row in rows]
    return [
        *parts,
        sum([one, other]),
        one.sum(),
        one[0],
        one.select_classes([2, 0]),
        copy.copy(one),
        one.invalid,
        repr(one),
    ]


def _travelling_overlap(prediction: Any, target: Any, **arguments: Any) -> list[Any]:
    one = dice_any.overlap(prediction, target, **arguments)
    return [Overlap.from_dict(one.to_dict(), like=prediction), pickle.loads(pickle.dumps(one))]


def _zero(prediction: Any) -> Overlap:
    return Overlap.zero((2,), like=prediction, num_classes=3, kind="exact")


def calls() -> list[Call]:
    """Return calls of every public function that takes arrays."""
    overlap, by_class = dice_any.overlap, {"class_axis": 1, "axis": "space"}
    return [
        *_score_calls(),
        *_loss_calls(),
        Call("overlap", overlap, MASKS, {}, ("hard",)),
        Call("overlap", overlap, FIELDS, {"form": "minimum"}),
        Call("overlap", overlap, SOFT, {**by_class, "activation": "sigmoid"}, ("activation",)),
        Call(
            "overlap",
            overlap,
            SOFT,
            {**by_class, "activation": "softmax", "exact": False},
            ("activation",),
        ),
        Call(
            "overlap",
            overlap,
            SOFT,
            {**by_class, "activation": "argmax"},
            ("activation", "hard"),
        ),
        Call("Overlap", _overlap_operations, SOFT, by_class, ("averages",)),
        Call(
            "Overlap",
            _overlap_operations,
            MAPS,
            {"num_classes": 3, "axis": "space"},
            ("hard", "averages"),
        ),
        Call("Overlap", _travelling_overlap, SOFT, by_class, ("errors",)),
        Call("Overlap", _zero, FIELDS[:1], takes_backend=False),
        Call("confusion_matrix", dice_any.confusion_matrix, MAPS, {"num_classes": 3}, ("hard",)),
        Call("pairwise_overlap", dice_any.pairwise_overlap, ROWS, {}, ("pairwise", "hard")),
        Call("pairwise_overlap", dice_any.pairwise_overlap, SOFT_ROWS, {}, ("pairwise",)),
        Call(
            "pairwise_overlap",
            dice_any.pairwise_overlap,
            SOFT_ROWS,
            {"exact": False},
            ("pairwise",),
        ),
        Call(
            "set_overlap",
            dice_any.set_overlap,
            (MAPS[0][0, 0], MAPS[1][0, 0]),
            {},
            ("sets",),
            takes_backend=False,
        ),
    ]


def refused() -> list[Call]:
    """Return calls that raise an error; some do so only if values are at hand."""
    labels, maps = {"num_classes": 3}, (BAD_MAP, MAPS[1])
    soft = {"class_axis": 1}
    gradient = dice_any.value_and_grad
    return [
        Call("score of labels out of range", dice_any.dice_score, maps, labels, ("hard",)),
        Call("matrix of labels out of range", dice_any.confusion_matrix, maps, labels, ("hard",)),
        Call(
            "loss of labels out of range",
            dice_any.dice_loss,
            (SOFT[0], BAD_MAP),
            soft,
            ("loss",),
        ),
        Call(
            "gradient of labels out of range",
            gradient(dice_any.jaccard_loss),
            (SOFT[0], BAD_MAP),
            soft,
            ("closed form",),
        ),
        Call(
            "ranks of labels out of range",
            dice_any.lovasz_loss,
            (SOFT[0], BAD_MAP),
            soft,
            ("ranked",),
        ),
        Call("memberships out of range", dice_any.dice_score, (FIELDS[0] + 3, FIELDS[1])),
        Call(
            "rows out of range",
            dice_any.pairwise_overlap,
            (SOFT_ROWS[0] + 3, SOFT_ROWS[1]),
            {},
            ("pairwise",),
        ),
        Call("negative weights", dice_any.dice_score, SOFT, soft, ("weight",), WEIGHT - 2),
        Call("shapes that differ", dice_any.dice_score, (FIELDS[0], FIELDS[1][:1])),
        Call("a loss of shapes that differ", dice_any.log_dice_loss, (FIELDS[0], FIELDS[1][:1])),
        Call("labels without classes", dice_any.overlap, MAPS),
        Call("a gradient of labels", gradient(dice_any.dice_loss), MAPS, labels, ("loss",)),
        Call(
            "an unknown kernel",
            dice_any.dice_score,
            FIELDS,
            {"backend": "nonesuch"},
            takes_backend=False,
        ),
        Call(
            "a kernel's loss",
            dice_any.dice_loss,
            FIELDS,
            {"backend": "nonesuch"},
            takes_backend=False,
        ),
        Call("rows of integers", dice_any.pairwise_overlap, MAPS, {}, ("pairwise",)),
        Call("ids of two axes", dice_any.set_overlap, MAPS, takes_backend=False),
        Call(
            "classes that are none",
            dice_any.dice_loss,
            SOFT,
            {**soft, "classes": [5]},
            ("loss",),
        ),
        Call(
            "a matrix of no distances",
            dice_any.wasserstein_dice_loss,
            SOFT,
            {**soft, "distances": [[0]]},
            ("ranked",),
        ),
        Call("ranks of soft targets", dice_any.lovasz_loss, FIELDS, soft, ("ranked",)),
        Call("a skeleton without axes", dice_any.centerline_dice_loss, FIELDS, soft, ("ranked",)),
        Call("an average without classes", dice_any.dice_score, FIELDS, {"average": "macro"}),
    ]
