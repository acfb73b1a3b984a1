"""Losses and metrics of Keras 3, on its PyTorch and JAX backends.

Keras passes the target first, and labels as float32. These classes swap the order and convert the
labels back to integers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import not_installed

try:
    import keras
except ImportError as error:
    raise not_installed("keras", "keras", error) from error

from .. import losses, scores
from ..arrays import library_of
from ..counts import overlap
from ..losses.pipeline import evaluate
from ..reading import OverlapArguments, read_axis, read_number
from ..sums import Overlap
from .arguments import count_classes
from .wording import NO_WEIGHTS, refuse_masked, wording

__all__ = ["Loss", "Metric"]

#: the words of Keras for ours; its weight of a loss is of samples
OF_LOSSES = {
    "prediction": "y_pred",
    "target": "y_true",
    "Pass `weight=mask`": "Call the function itself with `weight=mask`",
}
OF_METRICS = {"prediction": "y_pred", "target": "y_true", "weight": "sample_weight"}

#: backends whose tensors are counted here
BACKENDS = ("torch", "jax", "numpy")
WORD = 1 << 32


@keras.saving.register_keras_serializable(package="dice_any")
class Loss(keras.losses.Loss):
    """A loss of this package as one of Keras.

    Parameters
    ----------
    loss : function or str
        A loss of this package, or its name: `dice_any.dice_loss`, or "dice_loss".
    reduction : {"sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none"}
        How Keras reduces the losses of samples, if each sample has one (``axis="space"``); default
        "sum_over_batch_size", their mean.
    name : str, optional
        The name of the function by default.
    dtype : str, optional
        The dtype in which Keras passes the arrays; float32 by default.
    **arguments
        Those of the loss, except `weight`: `class_axis`, `activation`, `smooth` and so on. Keras's
        `sample_weight` is of samples.

    Raises
    ------
    TypeError
        If `loss` is no loss of this package, or if it does not have an argument.
    ValueError
        If the backend of Keras is neither PyTorch nor JAX, and where the loss itself raises: on
        PyTorch's CPU a value out of range is an error, elsewhere it is NaN.

    Notes
    -----
    Call it with ``y_true`` and ``y_pred``. If there is a class axis, a target without it, or with a
    class axis of length 1, is a label map in any dtype. By default one ratio is computed for the
    whole batch, so a `sample_weight` scales the loss; with ``axis="space"`` it weights the losses
    of samples. In compound losses the cross-entropy is that of the batch, the same for each sample.

    A saved model finds the class if this module was imported.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any.interfaces.keras import Loss
    >>> loss = Loss("dice_loss", class_axis=-1, smooth=0)
    >>> labels = np.array([[0, 0, 1]])
    >>> probabilities = np.array([[[0.5, 0.5], [1.0, 0.0], [0.25, 0.75]]])
    >>> round(float(loss(labels, probabilities)), 4)  # (1 − 3/3.75 + 1 − 1.5/2.25) / 2
    0.2667
    """

    def __init__(
        self,
        loss: Callable[..., Any] | str,
        *,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **arguments: Any,
    ) -> None:
        self.function = _function("loss", loss, losses)
        super().__init__(name=name or self.function.__name__, reduction=reduction, dtype=dtype)
        self.arguments = _plain(arguments, f"Weigh samples in each call. {NO_WEIGHTS}.")
        self.function.described(None, None, **self.arguments)  # refuses wrong arguments early

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the loss, reduced, of a target and a prediction."""
        with wording(OF_METRICS):
            refuse_masked("weight", sample_weight)
        with wording(OF_LOSSES):
            for name, array in (("prediction", y_pred), ("target", y_true)):
                refuse_masked(name, array, cure=NO_WEIGHTS)
            return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss, or one for each sample."""
        target = _target(y_true, y_pred, self.arguments.get("class_axis"))
        asked = self.function.described(y_pred, target, **self.arguments)
        return evaluate(asked._replace(by_sample=True))

    def get_config(self) -> dict[str, Any]:
        """Return the configuration of the loss, with the function by name."""
        made_of = {"loss": self.function.__name__, "dtype": self.dtype, **self.arguments}
        return {**super().get_config(), **made_of}


@keras.saving.register_keras_serializable(package="dice_any")
class Metric(keras.metrics.Metric):
    """A score of this package as a metric of Keras: the score of the sums of all batches.

    Parameters
    ----------
    score : function or str
        A score of this package, or its name: `dice_any.dice_score`, or "dice_score".
    num_classes : int, optional
        Number of classes; needed with `class_axis`, as Keras makes the state before it sees a
        batch. Without a class axis prediction and target are label maps.
    threshold : float, optional
        Turns the prediction into a mask of the values that are at least this.
    name : str, optional
        The name of the function by default.
    dtype : str, optional
        Dtype of the result; float32 by default.
    **arguments
        Those of the score, except `axis` and `weight`: `class_axis`, ``activation="argmax"``,
        `average` and so on.

    Raises
    ------
    TypeError
        If `score` is no score of this package, or if it does not have an argument.
    ValueError
        If the backend of Keras is neither PyTorch nor JAX, `num_classes` is missing, or an argument
        is not supported.

    Notes
    -----
    The state is the exact integers of an overlap, in words of 32 bits. So the score of an epoch is
    that of all its elements, with the same bits for any batches in any order. The result is a
    number, or without an `average` a dictionary with one number for each class, ``"dice_score_2"``.
    `sample_weight` holds weights of samples or elements.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any.interfaces.keras import Metric
    >>> arguments = {"num_classes": 2, "class_axis": -1, "activation": "argmax"}
    >>> metric = Metric("jaccard_score", average="macro", **arguments)
    >>> labels = np.array([[0, 0, 1, 1]])
    >>> scores = np.array([[[2.0, 1.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]])
    >>> round(float(metric(labels, scores)), 4)  # (1/2 + 2/3) / 2
    0.5833
    """

    def __init__(
        self,
        score: Callable[..., Any] | str,
        *,
        num_classes: int | None = None,
        threshold: float | None = None,
        name: str | None = None,
        dtype: Any = None,
        **arguments: Any,
    ) -> None:
        function = _function("score", score, scores)
        super().__init__(name=name or function.__name__, dtype=dtype)
        self.function = function
        self.num_classes = num_classes
        self.threshold = None if threshold is None else read_number("threshold", threshold)
        self.arguments = _plain(arguments, "Pass it with each batch, as `sample_weight`.")
        if "axis" in arguments:
            raise ValueError(
                "`axis` must be left out of a metric, which adds up all elements of all batches; "
                "got an argument. For a score of each case use the function itself on what "
                "`model.predict` returns."
            )
        self._length = count_classes({**arguments, "num_classes": num_classes})
        if arguments.get("class_axis") is not None and self._length is None:
            raise ValueError(
                "`num_classes` must be given beside `class_axis`, as the state is made before the "
                "first batch; got None. Pass the length of the class axis."
            )
        of_overlap = OverlapArguments.__annotations__.keys() & arguments.keys()
        self._of_overlap = {word: self.arguments[word] for word in of_overlap}
        self._of_score = {
            word: value for word, value in self.arguments.items() if word not in of_overlap
        }
        self._form = self.arguments.get("form", "product")
        nothing = Overlap.zero(num_classes=self._length, kind="exact", form=self._form)
        function(nothing, **self._of_score)  # refuses wrong arguments early
        self.words = self.add_variable(
            shape=(2, *nothing.rows.shape), initializer="zeros", dtype="int32", name="words"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        with wording(OF_METRICS):
            refuse_masked("prediction", y_pred, y_true)
            refuse_masked("target", y_true, y_pred)
            refuse_masked("weight", sample_weight)
            counts = self._sums(y_true, y_pred, sample_weight)
            self.words.assign(_words(self._overlap() + counts))

    def _sums(self, y_true: Any, y_pred: Any, sample_weight: Any) -> Overlap:
        """Return the overlap of a batch."""
        ops = keras.ops
        y_true, y_pred = (ops.convert_to_tensor(array) for array in (y_true, y_pred))
        if self.threshold is not None:
            y_pred = y_pred >= self.threshold
        given = dict(self._of_overlap)
        if self.num_classes is not None:
            given["num_classes"] = self.num_classes
        class_axis = given.get("class_axis")
        if class_axis is None and self._length is not None:
            y_true, y_pred = ops.cast(y_true, "int32"), ops.cast(y_pred, "int32")
        target = _target(y_true, y_pred, class_axis)
        if sample_weight is not None:
            weight = ops.convert_to_tensor(sample_weight)
            trailing = (1,) * (len(target.shape) - len(weight.shape))
            given["weight"] = ops.reshape(weight, (*weight.shape, *trailing))
        return overlap(ops.stop_gradient(y_pred), target, **given)

    def result(self) -> Any:
        """Return the score so far, or those of the classes by name."""
        score = keras.ops.cast(self.function(self._overlap(), **self._of_score), self.dtype)
        if not score.shape:
            return score
        classes = self._of_score.get("classes", range(score.shape[0]))
        if isinstance(classes, str):
            classes = range(1, score.shape[0] + 1)
        return {f"{self.name}_{label}": score[place] for place, label in enumerate(classes)}

    def get_config(self) -> dict[str, Any]:
        """Return the configuration of the metric, with the function by name."""
        own = {"num_classes": self.num_classes, "threshold": self.threshold, **self.arguments}
        return {**super().get_config(), "score": self.function.__name__, **own}

    def _overlap(self) -> Overlap:
        """Return the overlap so far."""
        words = keras.ops.convert_to_tensor(self.words)
        library = library_of(words)
        with library.precision():
            xp = library.xp
            low, high = library.unstack(xp.astype(words, xp.int64))
            rows = high * WORD + xp.where(low < 0, low + WORD, low)
            by_class = self._length is not None
            return Overlap.of_sums(library, rows, "exact", self._form, by_class)


def _words(counts: Overlap) -> Any:
    """Return exact sums as two words of 32 bits each, which every backend of Keras supports."""
    library = library_of(counts.rows)
    with library.precision():
        xp, rows = library.xp, counts.rows_as("exact")
        high = rows // WORD
        low = rows - high * WORD
        low = xp.where(low >= WORD // 2, low - WORD, low)
        return xp.astype(library.stack([low, high]), xp.int32)


def _function(what: str, given: Any, home: Any) -> Any:
    """Return a function of this package, from itself or from its name."""
    backend = keras.backend.backend()
    if backend not in BACKENDS:
        raise ValueError(
            f"Keras must run on PyTorch or JAX here; got {backend!r}. Set the environment variable "
            "KERAS_BACKEND before Keras is imported."
        )
    name: Any = given if isinstance(given, str) else getattr(given, "__name__", None)
    known = [word for word in home.__all__ if "_to_" not in word]
    function = getattr(home, name) if name in known else None
    if function is None or (not isinstance(given, str) and given is not function):
        raise TypeError(
            f"`{what}` must be a {what} of this package or its name; got {given!r}. Known are "
            f"{', '.join(known)}."
        )
    return function


def _plain(arguments: Mapping[str, Any], instead: str) -> dict[str, Any]:
    """Return the arguments in a form that a configuration can store. A weight comes with a batch;
    what to do `instead` is the cure.
    """
    for word in ("weight", "sample_weight"):
        if arguments.get(word) is not None:
            raise TypeError(f"`{word}` must be left out here; got one. {instead}")
    return {
        word: value.tolist() if hasattr(value, "tolist") else value
        for word, value in arguments.items()
    }


def _target(y_true: Any, y_pred: Any, class_axis: int | None) -> Any:
    """Return the target in the format of this package: an integer label map if there are classes
    and it has no class axis.
    """
    if class_axis is None:
        return y_true
    shape = tuple(y_pred.shape)
    place = read_axis("class_axis", class_axis, len(shape))
    if len(y_true.shape) == len(shape) and y_true.shape[place] == 1 != shape[place]:
        y_true = keras.ops.squeeze(y_true, axis=place)
    labels = len(y_true.shape) == len(shape) - 1
    return keras.ops.cast(y_true, "int32") if labels else y_true
