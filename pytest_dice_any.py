"""A pytest plugin that is loaded wherever dice_any is installed. If a command names the conformance
kit, it loads the kit's plugin. In all other runs it adds, changes and imports nothing.

It is not part of the package, because pytest would then import the whole package. A `conftest.py`
in the kit would be too late: with ``--pyargs`` pytest finds it only after it has read the options.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

#: the kit, a module or a test in it, by its name or its path
KIT = re.compile(r"(.*\.)?dice_any\.testing([.:].*)?", re.DOTALL)


def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    if any(KIT.fullmatch(argument.replace(os.sep, ".")) for argument in args):
        early_config.pluginmanager.import_plugin("dice_any.testing.plugin")
