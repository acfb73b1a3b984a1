"""Load the kit's plugin, and leave out tests that need another environment: `tests/bare` without
any array library, `tests/distribution` with the wheel, and those with other packages.

See the sessions `bare`, `package`, `parity`, which installs MONAI and the other packages together,
and `tests(cuda-simulator)`.
"""

import inspect
import os
import re
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, EntryPoints
from importlib.util import find_spec

import pytest

pytest_plugins = ["dice_any.testing.plugin"]  # `--backend` and `dice_backend`
collect_ignore = ["bare", "distribution"]
if os.environ.get("NUMBA_ENABLE_CUDASIM") != "1":
    collect_ignore.append("test_cuda_simulated.py")
if find_spec("monai") is None:
    collect_ignore_glob = ["parity/test_peer_*.py"]

IMPORTS = re.compile(r"^(?:import|from|(?:\w+ = )?pytest\.importorskip).*", re.MULTILINE)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--naming",
        metavar="LIBRARY",
        action="append",
        help="run only tests that name this library; may be repeated",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that name none of the libraries of `--naming`; they need none of them."""
    libraries = config.getoption("--naming")
    if not libraries:
        return
    chosen = [item for item in items if any(word in _said_by(item) for word in libraries)]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
    items[:] = chosen


def _said_by(item: pytest.Item) -> str:
    """Return a test's name with its parameters, its code, and the imports of its module."""
    imports = IMPORTS.findall(inspect.getsource(item.module)) if hasattr(item, "module") else []
    code = inspect.getsource(item.function) if hasattr(item, "function") else ""
    return "\n".join([item.nodeid, code, *imports]).lower()


@pytest.fixture
def install(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable]:
    """Simulate installed entry points: (group, name, value in the test's module)."""
    from dice_any import plugins

    def put(*points: tuple[str, str, str]) -> None:
        found = EntryPoints(
            EntryPoint(name, value if ":" in value else f"{request.module.__name__}:{value}", group)
            for group, name, value in points
        )
        monkeypatch.setattr(plugins, "entry_points", lambda: found)
        plugins.forget()

    yield put
    monkeypatch.undo()
    plugins.forget()
