"""``python -m tests.soak [--minutes N] [--seed N] [PART ...]``, each part in its own process."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

PARTS = ("leaks", "interrupts", "threads", "forks", "fuzz")
#: shares of the time for the parts that can run for any time
SHARES = {"threads": 0.1, "forks": 0.1, "fuzz": 0.6}
INTERRUPTS, CALLS = 400, 10_000
#: a crash must say where; forks beside threads are intended here, and need no warning
FLAGS = ("-W", "ignore", "-X", "faulthandler")


def main() -> int:
    """Run the parts; return how many of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("parts", nargs="*", default=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument(
        "--minutes",
        type=float,
        default=5.0,
        help="about how long all parts take together",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the calls drawn by chance")
    chosen = parser.parse_args()
    unknown = set(chosen.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    failed = 0
    for part in chosen.parts:
        began = time.monotonic()
        seconds = chosen.minutes * 60 * SHARES.get(part, 0)
        options = _options(part, seconds, chosen.seed, chosen.minutes)
        done = subprocess.run(
            [sys.executable, *FLAGS, "-m", f"tests.soak.{part}", *options],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            check=False,
        )
        verdict = "passed" if done.returncode == 0 else f"FAILED, exit status {done.returncode}"
        print(f"{part}: {verdict} in {time.monotonic() - began:.0f} s", flush=True)
        failed += done.returncode != 0
    return failed


def _options(part: str, seconds: float, seed: int, minutes: float) -> list[str]:
    if part == "leaks":
        return [str(CALLS)]
    if part == "interrupts":
        return [str(round(INTERRUPTS * max(1.0, minutes / 5)))]
    return [str(seconds), *([str(seed)] if part == "fuzz" else [])]


if __name__ == "__main__":
    sys.exit(main())
