"""Gradients in closed form: of any loss, on every library, with or without automatic
differentiation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..arrays.library import Array
from ..reading import class_name, public, read_library
from ..sums import Overlap
from .pipeline import evaluate_with_gradient

__all__ = ["value_and_grad"]


@public()
def value_and_grad(loss: Callable[..., Any], /) -> Callable[..., tuple[Array, Array]]:
    r"""Return a function that computes a loss and its gradient in the prediction.

    .. math::
        \frac{\partial L}{\partial x_i} = w_i \left(
        \frac{\partial L}{\partial I} \frac{\partial I}{\partial x_i}
        + \frac{\partial L}{\partial X} \frac{\partial X}{\partial x_i} \right)

    in closed form, where L is the loss, I and X are the sums of the overlap (see `overlap`),
    :math:`x_i` is the membership of element i in the predicted set and :math:`w_i` its weight. For
    logits, the derivative of the activation follows. No automatic differentiation is used.

    Parameters
    ----------
    loss : function
        A loss of this package, with arguments bound by name or without (`functools.partial`), or a
        module of `dice_any.torch`.

    Returns
    -------
    function
        ``f(prediction, target, **arguments) -> (value, gradient)``, which takes the arguments of
        the loss. The gradient has the prediction's shape, dtype and library; it is lazy if the
        prediction is.

    Raises
    ------
    TypeError
        If `loss` is no loss of this package, or (when called) the prediction is no floating array.
    ValueError
        When called with ``reduction="none"``: only a number has a gradient. When a transformation
        of JAX or `torch.func` differentiates through it: its results are constants.

    Notes
    -----
    The gradient is finite everywhere: empty pairs and ignored elements have gradient 0. At a tie in
    the minimum form, the derivative of the minimum is ½. Integer weights and `class_weight` from
    sizes are constants.

    Examples
    --------
    >>> import numpy as np
    >>> from dice_any import dice_loss, value_and_grad
    >>> prediction, target = np.array([0.5, 1.0, 0.5]), np.array([True, True, False])
    >>> value, gradient = value_and_grad(dice_loss)(prediction, target, smooth=0)
    >>> float(value), gradient.tolist()
    (0.25, [-0.3125, -0.3125, 0.1875])
    """
    described, bound = _unbind(loss)

    def value_and_gradient(
        prediction: Array, target: Array = None, /, **arguments: Any
    ) -> tuple[Array, Array]:
        if isinstance(prediction, Overlap):
            raise TypeError(
                "`prediction` must be an array to have a gradient; got an Overlap. Pass the arrays "
                "that it sums."
            )
        library = read_library("prediction", prediction)
        if library.kind(prediction.dtype) != "floating":
            name = library.dtype_name(prediction.dtype)
            raise TypeError(
                f"`prediction` must be floating to have a gradient; got {name}. Pass probabilities "
                "or logits."
            )
        arguments = {**bound, **arguments}
        if arguments.get("reduction") == "none":
            raise ValueError(
                "`reduction` must be 'mean' or 'sum' for a gradient; got 'none'. Weigh and sum it "
                "yourself."
            )
        return evaluate_with_gradient(described(prediction, target, **arguments))

    return value_and_gradient


def _unbind(loss: Any) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the function that describes a loss, and the arguments that are bound to it by name."""
    bound: dict[str, Any] = {}
    while isinstance(loss, partial) or hasattr(loss, "as_partial"):
        if isinstance(loss, type):
            raise TypeError(
                f"`loss` must be a loss, or a module that is one; got the class {loss.__name__}. "
                f"Make the module first: `{loss.__name__}(...)`."
            )
        if not isinstance(loss, partial):  # a module
            loss = loss.as_partial()
        if loss.args:
            raise TypeError(
                f"`loss` must have its arguments bound by name; got {len(loss.args)} bound by "
                "position. Prediction and target are given to what `value_and_grad` returns."
            )
        loss, bound = loss.func, {**loss.keywords, **bound}
    described = getattr(loss, "described", None)
    if described is None:
        name = getattr(loss, "__name__", None)
        got = f"`{name}`" if isinstance(name, str) else class_name(loss)
        raise TypeError(
            "`loss` must be a loss of this package, or a `functools.partial` of one; got "
            f"{got}. Use your library's own differentiation."
        )
    return described, bound
