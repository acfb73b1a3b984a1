"""Follow the advice in a message, to check that it helps."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

CODE = re.compile(r"`([^`]+)`")
NAMES = ("prediction", "target", "weight")


class Modules(dict[str, Any]):
    """Names for code in messages; a module is imported when it is named."""

    def __missing__(self, name: str) -> Any:
        return getattr(builtins, name) if hasattr(builtins, name) else import_module(name)


def follow(
    function: Callable[..., Any],
    prediction: Any,
    target: Any,
    *,
    picks: tuple[str, ...] = (),
    given: dict[str, Any],
    **open_numbers: Any,
) -> Any:
    """Call a function, and follow the advice in its errors until it returns.

    If a message names several ways, take the one that contains the next of `picks`, else the first.
    `open_numbers` are the numbers to pass where a message leaves them to the reader.
    """
    values = {"prediction": prediction, "target": target}
    arguments = dict(given)
    left, said = list(picks), []
    for _ in range(5):
        try:
            answer = function(values["prediction"], values["target"], **arguments)
        except (TypeError, ValueError) as error:
            said.append(str(error))
        else:
            assert not left, f"nobody said {left}: {said}"
            return answer
        advice = said[-1].partition("; got ")[2].partition(". ")[2]
        calls = re.findall(r"`([\w.]+)\.(\w+)(\(function, .*?\))`", advice)
        if calls:  # the first for a score, the last for a loss
            of_loss = function.__name__.endswith("_loss")
            module, name, given_to = calls[-1 if of_loss else 0]
            call, called = getattr(import_module(module), name), function
            if of_loss:
                called = partial(called, **arguments)
            else:
                call = partial(call, **arguments)
            return eval(f"call{given_to}", Modules(values, call=call, function=called))
        ways = re.split(r"; (?:or |if |so )?|, or (?=`)|, (?=`\w+\[)| or (?=`)", advice)
        way = next((way for way in ways if left and left[0] in way), None)
        if way is None:
            way = ways[0]
        else:
            left.pop(0)
        assert _do(way, values, arguments, open_numbers, function), f"nothing to do in {said[-1]!r}"
    raise AssertionError(f"no end of errors: {said}")


def _do(
    way: str,
    values: dict[str, Any],
    arguments: dict[str, Any],
    open_numbers: dict[str, Any],
    function: Any,
) -> bool:
    done = False
    if "without `class_axis`" in way or "leave it out" in way.lower():
        arguments.pop("class_axis" if "class_axis" in arguments else "num_classes", None)
        done = True
    new = {}
    for code in CODE.findall(way):
        scope = Modules(values, **arguments)
        keyword = re.fullmatch(r"(\w+)=(.*)", code)
        if keyword:
            name, written = keyword.groups()
            arguments[name] = eval(written, scope) if written else open_numbers[name]
            done = True
            continue
        name = next((name for name in NAMES if re.search(rf"\b{name}\b", code)), None)
        if name is not None and code not in NAMES:
            new[name] = eval(code, scope)
            done = True
    if "weight" in new:
        arguments["weight"] = new.pop("weight")
    values |= new
    return done
