"""The keyword arguments that public functions share, and the default of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, TypedDict

from ..arrays.library import Array

Axis = int | Sequence[int] | Literal["space"] | None
Average = Literal["macro", "micro", "weighted"] | None
Classes = Sequence[int] | Literal["foreground"] | None
ClassWeight = Sequence[float] | Array | Literal["square", "simple", "uniform"] | None
Group = int | Sequence[int]
Regions = Sequence[Group] | Mapping[str, Group] | None
Smooth = float | tuple[float, float]


class OverlapArguments(TypedDict, total=False):
    """The keyword arguments of `overlap`, which every score and loss accepts too."""

    class_axis: int | None
    axis: Axis
    num_classes: int | None
    activation: Literal["sigmoid", "softmax", "argmax"] | None
    form: Literal["product", "squared", "minimum"]
    ignore_label: int | Sequence[int] | None
    regions: Regions
    weight: Array | None
    exact: bool | None
    backend: str | None


class JointArguments(OverlapArguments, total=False):
    """The keyword arguments of a score of all classes together."""

    empty: float


class ScoreArguments(JointArguments, total=False):
    """The keyword arguments of a score of each class."""

    average: Average
    classes: Classes
    empty_target: float | None


class LossArguments(OverlapArguments, total=False):
    """The keyword arguments of a loss."""

    smooth: Smooth
    class_weight: ClassWeight
    classes: Classes
    average: Literal["micro"] | None
    absent: Literal["count", "zero", "skip"]
    reduction: Literal["mean", "sum", "none"]


DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "class_axis": None,
        "axis": None,
        "num_classes": None,
        "activation": None,
        "form": "product",
        "ignore_label": None,
        "regions": None,
        "weight": None,
        "exact": None,
        "backend": None,
        "empty": float("nan"),
        "average": None,
        "classes": None,
        "empty_target": None,
        "smooth": 1.0,
        "class_weight": None,
        "absent": "count",
        "reduction": "mean",
    }
)
