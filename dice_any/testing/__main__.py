"""``python -m dice_any.testing [NAME ...]``: a line for each backend, for bug reports."""

from __future__ import annotations

import argparse
import platform
import sys

from .. import __version__, overlap
from ..registry import backends
from .capabilities import BACKENDS, limit

try:
    from . import golden, oracle
    from .adapters import Adapter, adapter
except ModuleNotFoundError as missing:
    sys.exit(
        f"`{missing.name}` must be installed to check a backend; got none. "
        f"Run `pip install {missing.name}`."
    )


def check(backend: Adapter) -> tuple[int, int, int]:
    """Return how many golden cases have the expected bits, have other bits, and cannot be run."""
    right = wrong = left_out = 0
    for case in golden.read():
        x, y, weight = golden.inputs(case)
        if not all(backend.has(case[name]) for name in ("prediction", "target")):
            left_out += 1
            continue
        try:
            weight = backend(weight)
            got = overlap(
                backend(x), backend(y), weight=weight, **golden.options(case), **backend.options
            )
        except ValueError:
            if not backend.options:
                raise
            left_out += 1  # declined by the kernel
            continue
        equal = oracle.overlap_sums(got) == golden.expected(case)
        right, wrong = right + equal, wrong + (not equal)
    return right, wrong, left_out


def main(names: list[str]) -> int:
    """Check the backends of these names, or all that can be used; return the exit status."""
    print(f"dice_any {__version__}, Python {platform.python_version()}, {platform.platform()}")
    listed = {backend.module: backend for backend in backends() if backend.kind == "arrays"}
    usable = [
        backend
        for backend in backends()
        if backend.kind == "kernel" and backend.module != "*" and backend.usable
    ]
    pairs = [(kernel.name, module) for kernel in usable for module in kernel.modules]
    first = dict(reversed(pairs))
    kernels = [name if first[name] == module else f"{name}-{module}" for name, module in pairs]
    exact = [name for name in BACKENDS if not limit(name, "exact") and name != "torch-cuda"]
    failed = False
    for name in names or [
        *exact,
        *(module for module in listed if module not in BACKENDS.values()),
        *kernels,
    ]:
        known = listed.get(BACKENDS.get(name, name))
        version = f"{known.version} on {known.device}" if known and known.usable else ""
        if known and not known.usable and not names:
            print(f"{name:18} left out: {known.problem}")
            continue
        try:
            right, wrong, left_out = check(adapter(name))
        except Exception as error:
            print(f"{name:18} FAIL {error!r} {version}")
            failed = True
            continue
        failed = failed or wrong > 0 or right == 0
        verdict = "FAIL" if wrong or not right else "pass"
        print(
            f"{name:18} {verdict} {right} sums to the bit, {wrong} not, {left_out} left out; "
            f"{version}"
        )
    return int(failed)


def _names() -> list[str]:
    parser = argparse.ArgumentParser(
        prog="python -m dice_any.testing",
        description="Compare exact sums with the expected bits, and print a line for each backend.",
        epilog="The whole conformance kit: pytest --pyargs dice_any.testing --backend NAME",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="an array library or a kernel; default: all that can be used",
    )
    names: list[str] = parser.parse_args().names
    return names


if __name__ == "__main__":
    sys.exit(main(_names()))
