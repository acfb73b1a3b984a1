"""The kit's plugin, and what runs in an environment of its own: `tests/bare` without any array
library, `tests/distribution` with the wheel, and the packages that presets follow.

See the sessions `bare`, `package`, `parity`, which installs MONAI and the other packages together,
and `tests(cuda-simulator)`.
"""

import os
from importlib.util import find_spec

pytest_plugins = ["dice_any.testing.plugin"]  # `--backend` and `dice_backend`
collect_ignore = ["bare", "distribution"]
if os.environ.get("NUMBA_ENABLE_CUDASIM") != "1":
    collect_ignore.append("test_cuda_simulated.py")
if find_spec("monai") is None:
    collect_ignore_glob = ["parity/test_peer_*.py"]
