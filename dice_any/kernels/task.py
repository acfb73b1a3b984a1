"""The description of one piece of work, as kernels see it: metadata only, never values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Rows of the sums that a kernel returns, along their first axis.
INTERSECTION, PREDICTION, TARGET, TOTAL = range(4)
#: Behind the four sums stands how many values of each argument were invalid, and behind those what
#: `Task.entropy` asks for.
INVALID_PREDICTION, INVALID_TARGET, INVALID_WEIGHT, ENTROPY, ENTROPY_WEIGHT = range(4, 9)
#: The rows of a task without entropy.
ROWS = 7

#: What sums are held in.
Kind = Literal["hard", "exact", "plain"]


@dataclass(frozen=True)
class Task:
    """What `overlap` is to compute.

    Attributes
    ----------
    library : str
        Top-level module of the arrays' library.
    device : str
        Device of the arrays, as the library prints it; ``""`` where it has none.
    shapes, dtypes : tuple
        Of prediction, target and weight (None where there is none); dtypes by the standard's names.
    axis : tuple of int
        Summed axes in the prediction's numbering, sorted, never the class axis.
    class_axis : int or None
        The prediction's axis of classes.
    num_classes : int or None
        Number of classes, if the counts are by class (the length of the class axis, where there is
        one).
    labels : tuple of bool
        Whether prediction and target are label maps (after `activation`).
    activation : {None, "sigmoid", "softmax", "argmax"}
    form : {"product", "squared", "minimum"}
    ignore_label : int or None
    kind : {"hard", "exact", "plain"}
        What is returned: an int64 array of shape (7, *counts); int64 limbs (7, 3, *counts) in units
        of 1, 2⁻³¹ and 2⁻⁶² that need not be carried; or a floating array (7, *counts). The seven
        rows are intersection, prediction, target, total, and the number of invalid values of the
        prediction, of the target and of the weight (in exact sums the first limb of these).
        `counts` are the axes that are left, the class axis last. Values of elements that take no
        part are never invalid; a label that is, is so for every class.
    entropy : float or None
        The focusing power γ of the cross-entropy that is wanted in the same pass (0: none of it),
        as two more rows of a plain result: Σ w·t·(1 − p)^γ·(−ln p) and what a mean divides it by, Σ
        w·t; by sigmoid both with the complement, Σ w·(t·(1 − p)^γ·(−ln p) + (1 − t)·p^γ·(−ln(1 −
        p))) and Σ w. None: no such rows.
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
        """The summed axes in the numbering of the elements: the prediction's axes without the class
        axis.
        """
        if self.class_axis is None:
            return self.axis
        return tuple(a - (a > self.class_axis) for a in self.axis)

    @property
    def leading_shape(self) -> tuple[int, ...]:
        """The shape of the sums in front of the counts: rows, and limbs where they are exact."""
        if self.kind == "exact":
            return (ROWS, 3)
        return (ROWS,) if self.entropy is None else (ROWS + 2,)

    @property
    def trailing_shape(self) -> tuple[int, ...]:
        """The shape of the sums behind the axes that are kept: regions, else classes, where there
        are any.
        """
        if self.regions is not None:
            return (len(self.regions),)
        return (self.classes,) if self.by_class else ()

    @property
    def can_be_invalid(self) -> bool:
        """Whether values could be invalid: all but masks without numbers as weights."""
        return (
            any(self.labels)
            or self.kind != "hard"
            or self.dtypes[2] not in (None, "bool")
            or bool(self.activation)
        )

    @property
    def limits_weight(self) -> bool:
        """Whether sums are integers that too much weight could make wrap."""
        return self.kind != "plain" and self.dtypes[2] not in (None, "bool")

    @property
    def weighs_classes_apart(self) -> bool:
        """Whether the classes of an element have weights of their own, so that some of them may
        take no part.
        """
        shape = self.shapes[2]
        apart = self.class_axis is not None and not self.labels[1] and shape is not None
        return apart and shape[self.class_axis] > 1  # type: ignore[index]
