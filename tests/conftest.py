"""What runs in an environment of its own: `tests/bare` without any array library, and the packages that presets follow.

See the sessions `bare` and `parity`, which installs MONAI and the other packages together.
"""

from importlib.util import find_spec

collect_ignore = ["bare"]
if find_spec("monai") is None:
    collect_ignore_glob = ["parity/test_peer_*.py"]
