"""Labels and weights of samples as scikit-learn takes them: what is read, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..reading import class_name, shown
from .wording import refuse_masked


def refuse_masks(y_true: Any, y_pred: Any, sample_weight: Any) -> None:
    """Refuse masked arrays. Indicator matrices have no weight for each element."""
    for name, array, beside in (("prediction", y_pred, y_true), ("target", y_true, y_pred)):
        matrix = getattr(array, "ndim", 1) > 1
        refuse_masked(name, array, beside, cure="Drop the samples with masked elements" * matrix)
    refuse_masked("weight", sample_weight)


def read_weights(sample_weight: Any, samples: int) -> Any:
    """Return the weight of each sample."""
    if sample_weight is None:
        return None
    try:
        weight = np.asarray(sample_weight)
    except ValueError:  # rows of several lengths
        weight = np.asarray(None)
    if weight.shape not in ((samples,), (samples, 1)):
        got = f"shape {weight.shape}" if weight.ndim else class_name(sample_weight)
        raise (ValueError if weight.ndim else TypeError)(
            f"`sample_weight` must hold one number for each of {samples} samples; got {got}. Pass "
            "a list or a 1-D array."
        )
    if weight.dtype.kind not in "biuf":
        convert = "`numpy.asarray(sample_weight, dtype=float)`"
        raise TypeError(
            f"`sample_weight` must be boolean, integer or floating; got {weight.dtype}. Pass "
            f"{convert if weight.dtype == object else 'numbers'}."
        )
    wrong = np.count_nonzero(~((weight >= 0) & (weight < np.float64(2**31))))
    if wrong:
        raise ValueError(
            f"`sample_weight` must be non-negative and below 2**31; got other values at {wrong} "
            "samples. Clip or scale it."
        )
    if not np.any(weight):
        raise ValueError(
            "`sample_weight` must hold a number that is not 0; got none. Leave it out, or weigh "
            "what is to be scored."
        )
    return weight.reshape(-1)


def read_labels(labels: Any) -> list[Any]:
    """Return the labels that take part; none if all do."""
    if labels is None:
        return []
    refuse_masked("labels", labels, cure="Pass a list of those that are meant")
    given = labels.tolist() if hasattr(labels, "tolist") else labels
    if not isinstance(given, Sequence) or isinstance(given, (str, bytes, bytearray, memoryview)):
        raise TypeError(
            f"`labels` must be a sequence of labels; got {class_name(labels)}. Pass a list, for "
            "one label too."
        )
    if not given:
        raise ValueError("`labels` must hold one label or more; got none. Leave it out for all.")
    if not all(map(is_label, given)):
        raise TypeError(
            "`labels` must hold strings, Booleans or whole numbers; got others. Pass a list of "
            "labels as they are in `y_true` and `y_pred`."
        )
    return list(given)


def is_label(label: object) -> bool:
    if isinstance(label, (Integral, str, np.bool_)):
        return True
    return isinstance(label, Real) and float(label).is_integer()


def check_alike(labels: list[Any], present: list[Any]) -> None:
    """Check that the requested labels can occur among those that are present."""
    of_strings = any(isinstance(label, str) for label in present)
    if present and any(isinstance(label, str) != of_strings for label in labels):
        what = ("numbers", "strings")
        raise TypeError(
            f"`labels` must be {what[of_strings]}, as the labels of `y_true` and `y_pred` are; got "
            f"{what[not of_strings]}. Write them as they are there."
        )


def read_columns(labels: list[Any], number: int) -> list[int]:
    """Return labels as the numbers of columns of indicator matrices."""
    if any(isinstance(n, (str, bool, np.bool_)) or not 0 <= n < number for n in labels):
        raise ValueError(
            f"`labels` must be numbers of columns, 0 to {number - 1}, for indicator matrices; got "
            f"{shown(labels)}. Count from 0; for a mask of columns pass `numpy.flatnonzero(mask)`."
        )
    return [int(n) for n in labels]
