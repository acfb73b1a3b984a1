"""Scores as metrics of torchmetrics, whose state is exact integers."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from ..arrays import library_of
from ..counts import overlap
from ..reading import DEFAULTS
from ..scores.averages import mean_of_numbers
from ..sums import Overlap
from . import not_installed
from .arguments import Score, count_classes, split, try_out
from .wording import check_tensor

try:
    import torch
    from torchmetrics import Metric
    from torchmetrics.utilities import dim_zero_cat
except ModuleNotFoundError as error:
    raise not_installed("torchmetrics", "torchmetrics", error) from error

__all__ = ["OverlapMetric"]

#: The arguments of `torchmetrics.Metric`.
OF_TORCHMETRICS = (
    "compute_on_cpu",
    "compute_with_cache",
    "dist_sync_fn",
    "dist_sync_on_step",
    "distributed_available_fn",
    "process_group",
    "sync_on_compute",
)
REFUSED = {"weight": "Pass it with each batch: `metric.update(prediction, target, weight=weight)`."}
BELOW_ZERO = ("cohen_kappa", "matthews_correlation")


class OverlapMetric(Metric):
    r"""A score over all batches and processes, as a metric of torchmetrics.

    .. math:: m = s\Bigl(\sum_b O_b\Bigr), \qquad \text{with } \texttt{axis="space"}: \quad
        m = \frac{1}{n} \sum_i s(O_i)

    where s is the score, :math:`O_b` the overlap of batch b and :math:`O_i` that of sample i; the
    mean is over the n samples whose score is not NaN.

    Parameters
    ----------
    score : function
        A score of this package, for example `dice_any.dice_score`.
    **arguments
        Those of the score, except `weight`: `num_classes`, `class_axis`, `activation`, `average`,
        `ignore_label` and so on; and those of `torchmetrics.Metric` (`dist_sync_on_step`,
        `process_group`, ...). With `class_axis`, `num_classes` is required, because a process
        without data has to know it. `axis` is None (one score of all elements) or ``"space"`` (the
        mean of the samples' scores); `exact` is None or True.

    Attributes
    ----------
    overlap : Overlap
        The sums of this process, or of all processes while synchronised. Other scores of it cost
        nothing. With ``axis="space"`` its first axis is the samples.

    Returns
    -------
    Tensor
        ``metric(prediction, target)`` returns the score of one batch, and ``compute()`` that of all
        batches: float64, on the device of the metric, without axes, or with an axis of classes if
        the score is not averaged over them. NaN without data.

    Raises
    ------
    TypeError, ValueError
        As the score and `overlap`, when the metric is made or at its first batch. Also if sums
        cannot be exact (``exact=False``, a device without float64).
    ImportError
        On import of this module, where torchmetrics is not installed.

    Notes
    -----
    The sums are integers and add up to the same bits in any order, in batches of any size and on
    any number of processes. So does the mean over samples, which adds sorted numbers. In a
    `MetricCollection`, metrics of the same sums share them. Metrics with different arguments of
    `overlap` do not, even if their first batches have equal sums. `set_dtype` does not change the
    integers.

    Examples
    --------
    >>> import dice_any
    >>> import torch
    >>> from dice_any.interfaces.torchmetrics import OverlapMetric
    >>> metric = OverlapMetric(dice_any.dice_score, num_classes=3, average="macro")
    >>> metric.update(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 1, 2]))
    >>> metric.update(torch.tensor([0, 0]), torch.tensor([0, 2]))
    >>> round(float(metric.compute()), 4)
    0.6556
    >>> metric.overlap.tp.tolist()
    [2.0, 1.0, 1.0]
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    plot_upper_bound = 1.0

    def __init__(self, score: Score, **arguments: Any) -> None:
        own = {name: arguments.pop(name) for name in OF_TORCHMETRICS if name in arguments}
        super().__init__(**own)
        self.score = score
        self.arguments, self._of_score = split(score, arguments, REFUSED, also=OF_TORCHMETRICS)
        self._check(self.arguments)
        self._form = self.arguments.get("form", "product")
        self._num_classes = count_classes(self.arguments)
        self._by_sample = self.arguments.get("axis") is not None
        try_out(score, self._num_classes, self._of_score)
        # torchmetrics merges metrics whose states have the same name and equal values
        self._state = f"sums_{_digest(self.arguments)}"
        if self._by_sample:
            self.add_state(self._state, [], dist_reduce_fx="cat")
        else:
            self.add_state(self._state, self._nothing(), dist_reduce_fx="sum")

    @staticmethod
    def _check(arguments: dict[str, Any]) -> None:
        axis, exact = arguments.get("axis"), arguments.get("exact")
        if axis is not None and not (isinstance(axis, str) and axis == "space"):
            raise ValueError(
                "`axis` must be None, for one score of all elements, or 'space', for the mean of "
                "the samples' scores; got others. Choose one."
            )
        if exact is False:
            raise ValueError(
                "`exact` must be None or True here, as the state is integers; got False. Drop it."
            )
        sized = arguments.get("num_classes") is not None or arguments.get("regions") is not None
        if arguments.get("class_axis") is not None and not sized:
            raise ValueError(
                "`num_classes` must be given beside `class_axis`, as the state has a place for "
                "each class from the start; got None. Pass the length of that axis."
            )

    def _nothing(self, *samples: int) -> torch.Tensor:
        """Return empty sums: the counts' axes first, then rows and limbs."""
        classes = () if self._num_classes is None else (int(self._num_classes),)
        return torch.zeros((*samples, *classes, 5, 3), dtype=torch.int64, device=self.device)

    @property
    def overlap(self) -> Overlap:
        """The sums so far."""
        sums = getattr(self, self._state)
        if self._by_sample and isinstance(sums, list):
            sums = dim_zero_cat(sums) if sums else self._nothing(0)
        return Overlap(
            sums,
            kind="exact",
            form=self._form,
            by_class=self._num_classes is not None,
            rows_last=True,
        )

    def update(
        self, prediction: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None = None
    ) -> None:
        """Add a batch; `weight` is the weight of each element, as in `dice_any.overlap`."""
        check_tensor("prediction", prediction, target)
        check_tensor("target", target, prediction)
        if weight is not None:
            check_tensor("weight", weight, target)
        counts = overlap(prediction, target, weight=weight, **self.arguments)
        if counts.kind == "plain":
            raise ValueError(
                "`prediction` must be on a device with float64, where sums are exact; got one on "
                f"{prediction.device}. Pass `prediction.cpu()` and `target.cpu()`."
            )
        sums = torch.movedim(counts.rows_as("exact"), (0, 1), (-2, -1))
        if self._by_sample:
            getattr(self, self._state).append(sums)
        else:  # limbs are below 2³¹: no overflow before billions of batches
            setattr(self, self._state, getattr(self, self._state) + sums)

    def compute(self) -> torch.Tensor:
        """Return the score of all batches."""
        scores: torch.Tensor = self.score(self.overlap, **self._of_score)
        return _mean_of_samples(scores) if self._by_sample else scores

    def _sync_dist(self, *arguments: Any, **options: Any) -> None:
        """Gather the states. A process without samples contributes an empty integer tensor;
        torchmetrics would use a floating one.
        """
        if self._by_sample and not getattr(self, self._state):
            setattr(self, self._state, [self._nothing(0)])
        super()._sync_dist(*arguments, **options)

    @property
    def plot_lower_bound(self) -> float:  # type: ignore[override]
        """The smallest possible value of the score."""
        return -1.0 if self.score.__name__ in BELOW_ZERO else 0.0

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot `val`, one result of `compute` or a list of them (what `compute` returns by
        default), with matplotlib; returns figure and axes.
        """
        figure, axes = self._plot(val, ax)
        if ax is None and hasattr(axes, "set_title"):
            axes.set_title(self.score.__name__)
        return figure, axes

    def set_dtype(self, dst_type: Any) -> OverlapMetric:
        """Change nothing: the sums are integers."""
        return self

    def extra_repr(self) -> str:
        shown = self.arguments | self._of_score
        return ", ".join([self.score.__name__, *(f"{k}={v!r}" for k, v in shown.items())])


def _digest(arguments: dict[str, Any]) -> str:
    """Return a name for the sums; the choice of a kernel does not change it."""
    said = sorted(
        (name, repr(value))
        for name, value in arguments.items()
        if name not in ("backend", "exact") and repr(value) != repr(DEFAULTS[name])
    )
    return sha256(repr(said).encode()).hexdigest()[:16]


def _mean_of_samples(scores: torch.Tensor) -> torch.Tensor:
    """Return the mean over axis 0 of the values that are not NaN. They are sorted first, so that
    the order of samples does not change a bit.
    """
    ordered = torch.sort(scores, dim=0).values
    return mean_of_numbers(library_of(ordered), torch.movedim(ordered, 0, -1))  # type: ignore[no-any-return]
