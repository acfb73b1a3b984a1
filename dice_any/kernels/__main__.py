"""Compile the loops for the CPU before the first call: `python -m dice_any.kernels`."""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module

from .loading import BUILTIN, load

WORKS = ("masks", "labels", "scores", "memberships", "logits")
DTYPES = ("float32", "float64")
FORMS = ("product", "squared", "minimum")


def main(arguments: list[str] | None = None) -> int:
    """Compile what the command line names; return 0, or 1 if something failed."""
    options = _parser().parse_args(arguments)
    loaded = load(next(plugin for plugin in BUILTIN if plugin.name == "numba"))
    problem = loaded.problem or loaded.kernel.problem()
    if problem is not None:
        print(f"Nothing was compiled. {problem}", file=sys.stderr)
        return 1
    # imported by name, as kernels are loaded: this package does not depend on its built-in kernels
    ahead = import_module(".numba.ahead", __package__)
    begun, failed, number = time.perf_counter(), 0, 0
    for name, compute in ahead.steps(options.works, options.dtypes, options.forms):
        start, number = time.perf_counter(), number + 1
        try:
            compute()
        except Exception as error:
            failed += 1
            print(f"{name}: failed, {type(error).__name__}: {error}", file=sys.stderr)
        else:
            print(f"{time.perf_counter() - start:6.1f} s  {name}", flush=True)
    print(f"{number} works in {time.perf_counter() - begun:.1f} s; kept in:")
    print(*(f"  {place}" for place in ahead.places()), sep="\n")
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dice_any.kernels",
        description="Compile the Numba kernel's loops and keep them, so that no first call waits. "
        "Run it as the user, on the kind of processor, and with the NUMBA_ variables, that the "
        "calls will have.",
    )
    parser.add_argument(
        "--works",
        nargs="+",
        choices=WORKS,
        default=list(WORKS),
        metavar="WORK",
        help=f"of {', '.join(WORKS)}; default: all",
    )
    parser.add_argument(
        "--dtypes",
        nargs="+",
        choices=DTYPES,
        default=["float32"],
        metavar="DTYPE",
        help="of the prediction: float32 (the default; half precision is computed in it) or "
        "float64",
    )
    parser.add_argument(
        "--forms",
        nargs="+",
        choices=FORMS,
        default=["product"],
        metavar="FORM",
        help=f"of {', '.join(FORMS)}; default: product",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
