"""The pytest plugin of the conformance kit: the option ``--backend`` and the fixture
``dice_backend``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .adapters import Adapter


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("dice_any").addoption(
        "--backend",
        action="append",
        default=[],
        metavar="NAME",
        help=(
            "array library or kernel to run dice_any's conformance kit on (may be repeated; "
            "default numpy)"
        ),
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "dice_backend" in metafunc.fixturenames:
        names = metafunc.config.getoption("--backend") or ["numpy"]
        metafunc.parametrize("dice_backend", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def dice_backend(request: pytest.FixtureRequest) -> Adapter:
    """Return the adapter of a backend; one that was asked for and is missing fails."""
    from .adapters import adapter

    try:
        return adapter(request.param)
    except (ImportError, LookupError) as error:
        pytest.fail(f"the backend {request.param!r} cannot be used: {error}", pytrace=False)


@pytest.fixture(autouse=True)
def _dice_feature(request: pytest.FixtureRequest) -> Iterator[None]:
    """Skip a test that is marked with a feature its backend lacks, and say why.

    Else run it where float64 and int64 exist: JAX rounds its answers for a caller who has not
    enabled them, and the kit compares bits.
    """
    if "dice_backend" not in request.fixturenames:
        yield
        return
    from .capabilities import limit

    backend = request.getfixturevalue("dice_backend")
    features = [
        name for marker in request.node.iter_markers("dice_feature") for name in marker.args
    ]
    reasons = [reason for name in features if (reason := limit(backend.name, name))]
    if reasons:
        pytest.skip(f"{backend.name}: {reasons[0]}")
    with backend.library.precision():
        yield


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "dice_feature(*names): features of `capabilities` that the test needs"
    )
