"""The Numba kernel turned off by the environment, and missing."""

from __future__ import annotations

import os
import subprocess
import sys

SWITCHED = """
import numpy as np, dice_any
x = np.ones(2**20, dtype=np.float32)
{call}
"""


def switched(value: str, call: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "DICE_ANY_KERNEL": value}
    return subprocess.run(
        [sys.executable, "-c", SWITCHED.format(call=call)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_environment_turns_kernels_off() -> None:
    call = (
        "import sys; dice_any.dice_score(x, x); assert 'numba' not in sys.modules\n"
        "try: dice_any.dice_score(x, x, backend='numba')\n"
        "except ValueError as error: print(error)\n"
        "print([line.problem for line in dice_any.backends() if line.name == 'numba'])"
    )
    done = switched("reference", call)
    assert done.returncode == 0, done.stderr
    assert (
        "`backend` must be None or 'reference' where `DICE_ANY_KERNEL=reference` turns kernels off"
        in done.stdout
    )
    assert "['is turned off by DICE_ANY_KERNEL=reference']" in done.stdout
    assert (
        "`DICE_ANY_KERNEL` must be unset or 'reference'"
        in switched("numba", "dice_any.dice_score(x, x)").stderr
    )


def test_without_numba_everything_else_works() -> None:
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "import importlib.util as util; find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'numba' else find(name, *rest)\n"
        "import numpy as np, dice_any\n"
        "x = np.ones(2**20, dtype=np.float32)\n"
        "assert dice_any.dice_score(x, x) == 1\n"
        "print([line.problem for line in dice_any.backends() if line.name == 'numba'][0])\n"
        "dice_any.dice_score(x, x, backend='numba')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "Numba is not installed: pip install 'dice_any[numba]'" in done.stdout
    assert "LookupError" in done.stderr
