"""Docstring sections that many functions share; each is written once and filled in."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping

from .keywords import OverlapArguments

#: The first line of an entry in a list of parameters.
_ENTRY = re.compile(r"(?P<name>\w+) : ")
_ALWAYS = ("prediction", "target")

_PAIR = """\
prediction : array or Overlap
    The predicted set (see `overlap` for how arrays are read), or the overlap of both sets.
target : array
    The target set; left out beside an `Overlap`."""
_ARGUMENTS = "{arguments of overlap}"
_AVERAGE = """\
average : {None, "macro", "micro", "weighted"}
    Over the classes: none; mean of the classes that have a score; pooled sums; mean weighted by the
    target's sizes.
classes : sequence of int or "foreground", optional
    The classes that take part, in this order; ``"foreground"`` is all but 0. With `regions` these
    are numbers of regions; then ``"foreground"`` is refused, because no region is background.
empty : float
    The score where its denominator is 0. Averages leave NaN out.
empty_target : float, optional
    The score where only the target is empty; None: that of the formula."""
_EMPTY = """\
empty : float
    The score where its denominator is 0."""
_HEAD = "Parameters\n----------\n"
_LOSS = """\
smooth : float or pair of float
    Laplace smoothing s: added to numerator and denominator, or one number for each.
class_weight : sequence of float, array or {"square", "simple", "uniform"}, optional
    Non-negative weights, one for every class of the class axis; or a name: 1/Y², 1/Y or 1, where Y
    is the target's size, scaled so that the largest is 1 (an absent class gets the largest). A mean
    divides by the sum of weights. With `regions`, one weight for each region.
classes : sequence of int or "foreground", optional
    The classes that take part, in this order; ``"foreground"`` is all but 0. With `regions` these
    are numbers of regions; then ``"foreground"`` is refused, because no region is background.
average : {None, "micro"}
    None: the formula for each class. ``"micro"``: first pool the sums over the classes, times
    `class_weight`.
absent : {"count", "zero", "skip"}
    The loss of a class without target: that of the formula; 0, but still counted in the mean; left
    out of the mean. Where nothing is left, the loss is 0.
reduction : {"mean", "sum", "none"}
    Of the losses times their weights. A count without counted elements adds nothing to any of
    these.
"""[:-1]

SECTIONS = {
    "score parameters": _HEAD + "\n".join([_PAIR, _AVERAGE, _ARGUMENTS]),
    "more score parameters": "\n".join([_PAIR, _AVERAGE, _ARGUMENTS]),
    "joint parameters": _HEAD + "\n".join([_PAIR, _EMPTY, _ARGUMENTS]),
    "more joint parameters": "\n".join([_PAIR, _EMPTY, _ARGUMENTS]),
    "score returns": """\
Returns
-------
array of float64
    Scores with the shape of the counts: the axes that were not summed, with the classes last unless
    they were averaged. In the arrays' library, on their device, lazy if they are. float32 on a
    device without float64. NaN where an input was invalid and no error could be raised at once.""",
    "joint returns": """\
Returns
-------
array of float64
    One score for the classes together, with the shape of the counts without the class axis. In the
    arrays' library, on their device, lazy if they are. NaN where an input was invalid and no error
    could be raised at once.""",
    "score raises": """\
Raises
------
TypeError, ValueError, LookupError
    As `overlap`; `ValueError` also for an average or classes without a class axis.""",
    "loss parameters": _HEAD + "\n".join([_PAIR, _LOSS, _ARGUMENTS]),
    "more loss parameters": "\n".join([_PAIR, _LOSS, _ARGUMENTS]),
    "more compound parameters": f"""\
prediction : array
    Logits (see `overlap` for how arrays are read).
target : array
    A label map, masks or memberships.
activation : {{"softmax", "sigmoid"}}
    How the logits become memberships. With ``"sigmoid"`` each class is separated from the rest by
    itself.
{_LOSS}
{_ARGUMENTS}""",
    "field parameters": f"""\
prediction : array
    Probabilities or, with `activation`, logits (see `overlap` for how arrays are read).
target : array
    A label map, or masks of the prediction's shape.
{_LOSS}
{_ARGUMENTS}""",
    "compound returns": """\
Returns
-------
array
    The loss, without axes unless ``reduction="none"``, which keeps those of the counts without the
    class axis. In the arrays' library, on their device, lazy if they are; in the prediction's
    dtype, at least float32. Differentiable by PyTorch and JAX, more than once. With `exact`
    differentiable once, as any loss. NaN where a label was out of range and no error could be
    raised at once; infinite where an element has a class whose logit is −∞.""",
    "loss returns": """\
Returns
-------
array
    The loss, without axes unless ``reduction="none"``, which keeps those of the counts. In the
    arrays' library, on their device, lazy if they are; in the prediction's dtype, at least float32
    (float64 for masks and overlaps). Differentiable by PyTorch and JAX, more than once. With
    `exact` differentiable once, in the prediction, by ``backward`` and `jax.grad`, with the bits of
    `value_and_grad`. NaN where a label was out of range and no error could be raised at once.""",
    "loss raises": """\
Raises
------
TypeError, ValueError, LookupError
    As `overlap`, except that NaN logits give NaN. `ValueError` also for ``activation="argmax"``,
    which has no gradient, for a negative `smooth`, and for class arguments without a class axis or
    of the wrong length.""",
}


def fill_sections(docstring: str, keywords: Mapping[str, inspect.Parameter]) -> str:
    """Return a docstring with its ``{named sections}`` filled.

    The shared sections describe more keywords than a function may have; the others are left out.
    Each keyword gets its default.
    """
    lines = []
    for line in inspect.cleandoc(docstring).split("\n"):
        if not line.startswith("{"):
            lines.append(line)
            continue
        told, filled = True, SECTIONS[line.strip("{}")]
        filled = filled.replace(_ARGUMENTS, _arguments_of_overlap(keywords))
        for shared in filled.split("\n"):
            entry = _ENTRY.match(shared)
            if entry:
                told = entry["name"] in keywords or entry["name"] in _ALWAYS
            elif not shared.startswith(" "):
                told = True
            if told:
                lines.append(shared)
    return "\n".join(_with_default(line, keywords) for line in lines)


def _arguments_of_overlap(keywords: Mapping[str, inspect.Parameter]) -> str:
    """Return the entry of the parameters that `overlap` explains, with their defaults."""
    names = [name for name in OverlapArguments.__annotations__ if name in keywords]
    others = [
        f"{name} {keywords[name].default!r}" for name in names if keywords[name].default is not None
    ]
    defaults = f"{', '.join(others)}, the others None" if others else "None"
    return f"{', '.join(names)} : optional\n    As in `overlap`. Defaults: {defaults}."


def _with_default(line: str, keywords: Mapping[str, inspect.Parameter]) -> str:
    entry = _ENTRY.match(line) if " : " in line else None
    parameter = keywords.get(entry["name"]) if entry else None
    if parameter is None or parameter.default is parameter.empty:
        return line
    if ", optional" in line and parameter.default is None:
        return line
    return f"{line}, default {parameter.default!r}"
