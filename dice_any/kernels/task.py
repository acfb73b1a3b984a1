"""The description of one computation for kernels: metadata only, never values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Rows of the sums that a kernel returns, along their first axis.
INTERSECTION, PREDICTION, TARGET, TOTAL = range(4)
#: After the four sums come the numbers of invalid values of each argument, and after those the rows
#: that `Task.entropy` asks for.
INVALID_PREDICTION, INVALID_TARGET, INVALID_WEIGHT, ENTROPY, ENTROPY_WEIGHT = range(4, 9)
#: of exact sums only: the number of infinite terms
ENTROPY_INFINITE = 9
#: The rows of a task without entropy.
ROWS = 7

#: Dtypes of a prediction beside which all numbers are computed in float64.
WIDE = ("float64", "float96", "float128", "longdouble")

#: How sums are stored.
Kind = Literal["hard", "exact", "plain"]


@dataclass(frozen=True)
class Task:
    """The description of what `overlap` computes.

    Attributes
    ----------
    library : str
        Top-level module of the arrays' library.
    device : str
        Device of the arrays, as the library prints it; ``""`` if it has none.
    shapes, dtypes : tuple
        Of prediction, target and weight (None without a weight); dtypes by the standard's names.
    axis : tuple of int
        Summed axes of the prediction, sorted, never the class axis.
    class_axis : int or None
        The prediction's axis of classes.
    num_classes : int or None
        Number of classes, if the counts are by class (the length of the class axis, if there is
        one).
    labels : tuple of bool
        Whether prediction and target are label maps (after `activation`).
    activation : {None, "sigmoid", "softmax", "argmax"}
    form : {"product", "squared", "minimum"}
    ignore_label : int or None
    kind : {"hard", "exact", "plain"}
        The format of the result: an int64 array of shape (7, *counts); int64 limbs (7, 3, *counts)
        in units of 1, 2⁻³¹ and 2⁻⁶², which need not be carried; or a floating array (7, *counts).
        The seven rows are intersection, prediction, target, total, and the numbers of invalid
        values of the prediction, the target and the weight (in exact sums in their first limb).
        `counts` are the axes that are not summed, the class axis last. Values of ignored elements
        are never invalid. An invalid label is counted as invalid for every class.
    entropy : float or None
        The focusing power γ of a cross-entropy to compute in the same pass (0: no focusing). The
        result then has two more rows: the sum Σ w·t·(1 − p)^γ·(−ln p) and the divisor of its
        mean, Σ w·t. With sigmoid both include the complement:
        Σ w·(t·(1 − p)^γ·(−ln p) + (1 − t)·p^γ·(−ln(1 − p))) and Σ w. In an exact result infinite
        terms are not in the sum; a third row has their number. None: no such rows.
    regions : tuple of tuple of int, or None
        Groups of classes whose memberships are added up: the counts have them in place of classes.
        The entropy is that of the classes, all of it beside each region. Only the reference is
        given such a task.
    """

    library: str
    device: str
    shapes: tuple[tuple[int, ...] | None, ...]
    dtypes: tuple[str | None, ...]
    axis: tuple[int, ...]
    class_axis: int | None
    num_classes: int | None
    labels: tuple[bool, bool]
    activation: str | None
    form: str
    ignore_label: int | None
    kind: Kind
    entropy: float | None = None
    regions: tuple[tuple[int, ...], ...] | None = None

    @property
    def by_class(self) -> bool:
        """Whether the last axis of the counts is classes, or regions."""
        return self.num_classes is not None

    @property
    def classes(self) -> int:
        """The number of classes, where there are some: of a region's too."""
        if self.num_classes is None:
            raise ValueError("the counts of this task are not by class")
        return self.num_classes

    @property
    def element_axis(self) -> tuple[int, ...]:
        """The summed axes of an array that has the prediction's axes without the class axis."""
        if self.class_axis is None:
            return self.axis
        return tuple(a - (a > self.class_axis) for a in self.axis)

    @property
    def leading_shape(self) -> tuple[int, ...]:
        """The leading shape of the sums, before the counts: rows, and limbs if exact."""
        rows = ROWS + self.entropy_rows
        return (rows, 3) if self.kind == "exact" else (rows,)

    @property
    def entropy_rows(self) -> int:
        """The number of rows of an entropy."""
        if self.entropy is None:
            return 0
        return 3 if self.kind == "exact" else 2

    @property
    def trailing_shape(self) -> tuple[int, ...]:
        """The shape of the sums behind the axes that are kept: regions, else classes, where there
        are any.
        """
        if self.regions is not None:
            return (len(self.regions),)
        return (self.classes,) if self.by_class else ()

    @property
    def is_wide(self) -> bool:
        """Whether all numbers are computed in float64, even those of narrower arguments."""
        return self.kind == "exact" or self.dtypes[0] in WIDE

    @property
    def can_be_invalid(self) -> bool:
        """Whether values can be invalid. Masks cannot, unless they have numbers as weights."""
        return (
            any(self.labels)
            or self.kind != "hard"
            or self.dtypes[2] not in (None, "bool")
            or bool(self.activation)
        )

    @property
    def limits_weight(self) -> bool:
        """Whether sums are integers that could overflow if weights are too large."""
        return self.kind != "plain" and self.dtypes[2] not in (None, "bool")

    @property
    def weighs_classes_apart(self) -> bool:
        """Whether weights differ by class, so that some classes of an element may be ignored."""
        shape = self.shapes[2]
        apart = self.class_axis is not None and not self.labels[1] and shape is not None
        return apart and shape[self.class_axis] > 1  # type: ignore[index]
