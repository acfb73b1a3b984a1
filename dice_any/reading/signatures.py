"""Signatures of public functions: their keywords with defaults, and errors for other keywords.

Functions share keywords (`keywords`), so they are written with ``**arguments``. `public` gives each
function a signature that shows every keyword with its default, and refuses other keywords.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, TypeVar

from .arguments import shown
from .keywords import DEFAULTS, OverlapArguments
from .sections import fill_sections
from .words import unknown_keyword

F = TypeVar("F", bound=Callable[..., Any])
#: The type variable that tells a type checker that the result has the type of an argument.
_ANY_ARRAY = re.compile(r"\bA\b")


def public(
    keywords: Any = None,
    *,
    refuses: Mapping[str, str] = MappingProxyType({}),
    answer: Callable[[Any], Any] | None = None,
    **defaults: Any,
) -> Callable[[F], F]:
    """Return a decorator that makes a function with ``**arguments`` public.

    `keywords` is the TypedDict of its arguments. The function `refuses` some of them, each with a
    reason. `defaults` are this function's own. The function gets a value for each keyword that is
    not one of `overlap`. With `answer`, the function only describes the computation, and `answer`
    computes it.
    """

    def decorate(function: F) -> F:
        signature = _signature(function, keywords, refuses, defaults)
        named = {p.name: p for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY}
        required = [name for name, p in named.items() if p.default is p.empty]
        arrays_needed = sum(
            p.kind is p.POSITIONAL_ONLY and p.default is p.empty
            for p in signature.parameters.values()
        )
        own = set(inspect.signature(function).parameters)
        filled = {
            name: p.default
            for name, p in named.items()
            if name not in own
            and (name in defaults or name not in OverlapArguments.__annotations__)
        }

        def described(*arrays: Any, **arguments: Any) -> Any:
            if not named.keys() >= arguments.keys():
                arguments = _without_refused(refuses, arguments)
            if not named.keys() >= arguments.keys():
                raise unknown_keyword(function.__name__, tuple(named), arguments)
            for name in required:
                if name not in arguments:
                    raise TypeError(
                        f"`{name}` must be given to `{function.__name__}`; got none. "
                        "It has no default."
                    )
            if len(arrays) < arrays_needed:  # the function says what it takes, or takes no Overlap
                arrays += (None,) * (arrays_needed - len(arrays))
            return function(*arrays, **{**filled, **arguments})

        if answer is None:
            shown = wraps(function)(described)
        else:
            compute = answer

            @wraps(function)
            def shown(*arrays: Any, **arguments: Any) -> Any:
                return compute(described(*arrays, **arguments))

            shown.described = described  # type: ignore[attr-defined]
        shown.__signature__ = signature  # type: ignore[attr-defined]
        shown.__doc__ = fill_sections(function.__doc__ or "", named)
        return shown  # type: ignore[return-value]

    return decorate


def _without_refused(refuses: Mapping[str, str], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments without the refused ones; raise unless these have their defaults."""
    for name in refuses.keys() & arguments.keys():
        value = arguments[name]
        default = DEFAULTS[name]
        same = isinstance(value, str) and isinstance(default, str) and value == default
        neutral = same or (value is None and default is None)
        if not neutral:
            raise ValueError(
                f"`{name}` must be left out here, as {refuses[name]}; got {shown(value)}. Drop it."
            )
    return {name: value for name, value in arguments.items() if name not in refuses}


def _signature(
    function: Callable[..., Any],
    keywords: Any,
    refuses: Mapping[str, str],
    defaults: Mapping[str, Any],
) -> inspect.Signature:
    """Return the signature of a function, with its ``**arguments`` replaced by the keywords."""
    own = inspect.signature(function)
    result = str(own.return_annotation)
    parameters = [
        p.replace(annotation=_ANY_ARRAY.sub("Array", str(p.annotation)))
        for p in own.parameters.values()
        if p.kind is not p.VAR_KEYWORD
    ]
    shared = {} if keywords is None else keywords.__annotations__
    for name, annotation in shared.items():
        if name in own.parameters or name in refuses:
            continue
        parameters.append(
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=defaults.get(name, DEFAULTS[name]),
                annotation=getattr(annotation, "__forward_arg__", annotation),
            )
        )
    return own.replace(parameters=parameters, return_annotation=_ANY_ARRAY.sub("Array", result))
