"""The pytest plugin of the conformance kit: the option ``--backend`` and the fixture
``dice_backend``.

``pytest --pyargs dice_any.testing`` loads it. For your own tests that use the fixture, load it with
``-p dice_any.testing.plugin``, or in their topmost ``conftest.py`` with
``pytest_plugins = ["dice_any.testing.plugin"]``.
"""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from .adapters import Adapter

#: the most lines of the summary of skips
MOST_REASONS = 30


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


def pytest_configure(config: pytest.Config) -> None:
    """Refuse backends that cannot be used, once, before any test is collected."""
    config.addinivalue_line(
        "markers", "dice_feature(*names): features of `capabilities` that the test needs"
    )
    problems = [line for name in _names(config) for line in _problem(name)]
    if problems:
        raise pytest.UsageError("\n".join(problems))


def _names(config: pytest.Config) -> list[str]:
    return config.getoption("--backend") or ["numpy"]


def _problem(name: str) -> list[str]:
    """Return why a backend cannot be used; an empty list if it can."""
    try:
        from .adapters import adapter

        adapter(name)([True])
    except Exception as error:
        fact = str(error.args[0]) if error.args else type(error).__name__
        return [
            f"`--backend` must name an array library or kernel that can be used; got {name!r}: "
            f"{fact.rstrip('.')}. Install it, or name another."
        ]
    return _wrong_limits(name)


def _wrong_limits(name: str) -> list[str]:
    """Return the fault in the limits of a plugin's library; an empty list if there is none."""
    from .capabilities import stated_limits

    try:
        stated_limits(name)
    except (TypeError, ValueError) as error:
        return [str(error)]
    return []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "dice_backend" in metafunc.fixturenames:
        names = _names(metafunc.config)
        metafunc.parametrize("dice_backend", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def dice_backend(request: pytest.FixtureRequest) -> Adapter:
    """Return the adapter of a requested backend."""
    from .adapters import adapter

    return adapter(request.param)


def _backend(item: pytest.Item) -> str | None:
    """Return the name of the backend of a test; None for tests without one."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("dice_backend") if callspec else None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that is marked with a feature that its backend lacks, with the reason."""
    backend = _backend(item)
    if backend is None:
        return
    from .capabilities import limit

    for marker in item.iter_markers("dice_feature"):
        for feature in marker.args:
            reason = limit(backend, feature)
            if reason:
                pytest.skip(f"{backend}: {reason}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test with float64 and int64: JAX rounds its results for a caller who has not enabled
    them, and the kit compares bits.
    """
    backend = _backend(item)
    context: AbstractContextManager[object] = nullcontext()
    if backend is not None:
        from .adapters import adapter

        context = adapter(backend).library.precision()
    with context:
        return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the number of skips for each reason."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in skipped
        if isinstance(report.longrepr, tuple)
    )
    if not reasons:
        return
    terminalreporter.section("skipped, by reason")
    for reason, number in reasons.most_common(MOST_REASONS):
        terminalreporter.write_line(f"{number:6} {reason}")
    rest = dict(reasons.most_common()[MOST_REASONS:])
    if rest:
        terminalreporter.write_line(
            f"{sum(rest.values()):6} for {len(rest)} more reasons; `-rs` lists all"
        )
