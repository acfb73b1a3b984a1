"""Errors in the words of the other package, and arrays that a conversion would change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..arrays import UnknownLibraryError, library_of
from ..arrays.library import Masked
from ..reading import class_name, read_library

#: what to do about a masked array where elements have no weight
NO_WEIGHTS = "To leave elements out call the function of `dice_any` itself, with `weight=`"
CODE = re.compile(r"`[^`]*`")


@contextmanager
def wording(words: Mapping[str, str]) -> Iterator[None]:
    """Let errors of this package name arguments as another package does: `words`, ours to theirs.

    Ours are whole words within the code in a message, or, if they hold a space, parts of it.
    """
    try:
        yield
    except (TypeError, ValueError, LookupError) as error:
        if error.args and isinstance(error.args[0], str):
            error.args = (reworded(error.args[0], words), *error.args[1:])
        raise


def reworded(message: str, words: Mapping[str, str]) -> str:
    """Return a message of this package in the words of another one."""
    in_code = []
    for ours in sorted(words, key=len, reverse=True):
        if " " in ours:
            message = message.replace(ours, words[ours])
        else:
            in_code.append(re.escape(ours))
    if not in_code:
        return message
    found = re.compile(rf"(?<![\w.'])({'|'.join(in_code)})(?![\w'])")
    return CODE.sub(lambda code: found.sub(lambda word: words[word[0]], code[0]), message)


def refuse_masked(name: str, array: Any, beside: Any = None, *, cure: str = "") -> None:
    """Refuse a masked array, as `overlap` does, before a conversion drops its mask.

    `beside` is the other array, and `cure` what to do instead of passing a weight.
    """
    try:
        library = library_of(array)
    except UnknownLibraryError:
        return
    if isinstance(library.refusal(array), Masked):
        if cure:
            raise TypeError(f"`{name}` must be a plain array; got {class_name(array)}. {cure}.")
        read_library(name, array, beside)


def check_tensor(name: str, array: Any, beside: Any = None) -> None:
    """Check that something is a tensor of PyTorch; `beside` is the other array."""
    if array is None:
        raise TypeError(f"`{name}` must be a tensor of PyTorch; got None. Pass both arrays.")
    library = read_library(name, array, beside)
    if library.name != "torch":
        code = name if library.name == "numpy" else f"numpy.asarray({name})"
        raise TypeError(
            f"`{name}` must be a tensor of PyTorch; got {class_name(array)}. Pass "
            f"`torch.tensor({code})`."
        )
