"""What pytest loads wherever dice_any is installed: where a command names the conformance kit, it
brings in the kit's plugin. Elsewhere it adds, changes and imports nothing.

It is no part of the package, all of which would be imported with it. A `conftest.py` in the kit
would not do: behind ``--pyargs`` pytest looks for one only after it has read the options.
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
