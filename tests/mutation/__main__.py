"""Mutation tests: `nox -s mutants`, or `python -m tests.mutation formulas limbs`.

Each mutant is one changed operator, number, condition or returned value of a module that computes
numbers. A test has to fail; a mutant that survives and that `survivors.toml` does not explain is an
error. `python -m tests.mutation --list formulas` shows mutants, `--only 41` takes those of one
line.

Why this and no library: mutmut leaves out module levels, lambdas and every decorated function,
which are all scores, all losses and the properties of `Overlap`. cosmic-ray writes the changes into
the clone, one at a time, and starts Python and imports NumPy for each. Here the changed module is
compiled in a fork of one process that has imported what does not change, so that a mutant takes a
second or two.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np  # noqa: F401 - before the forks
import pytest

from .mutants import Mutant, mutants, mutated

ROOT = Path(__file__).resolve().parents[2]
EXPLAINED = Path(__file__).with_name("survivors.toml")
KIT = "dice_any/testing/test_{}.py"
#: tests of the kit that take seconds, and of what is not numbers
LEFT_OUT = (
    "two_to_the_31 or counts_beyond_float32 or long_sums or many_equal_terms or large_masks or "
    "calls_do_not_add_up"
)
#: group -> (modules, tests that meet their numbers first)
GROUPS = {
    "formulas": (["formulas.py"], ["tests/test_formulas.py", "golden", "scores"]),
    "limbs": (["kernels/limbs.py"], ["tests/test_limbs.py", "golden", "exact"]),
    "scores": (["scores/*.py"], ["tests/test_averages.py", "scores", "conversions"]),
    "losses": (["losses/*.py"], ["losses", "gradients", "compound", "every_loss"]),
    "objectives": (
        ["losses/objectives/*.py"],
        ["losses", "every_loss", "compound", "lovasz", "wasserstein", "centerline"],
    ),
    "sums": (
        ["sums/*.py"],
        ["tests/test_rows.py", "tests/test_overlap_value.py", "overlap_is_a_value"],
    ),
}
#: the rest of the kit, a run of pytest each: a mutant that one kills does not wait for the others
KIT_REST = {
    "sums": "golden exact overlap_of_counts overlap_is_a_value overlap_of_others overlap_storage",
    "losses": "losses gradients compound wasserstein lovasz centerline exact_losses",
    "every loss": "every_loss loss_ends",
    "scores": "scores conversions invalid nothing one_channel values sets confusion",
    "regions": "regions region_losses regions_of_classes",
    "odd": "hard booleans advice odd_arguments odd_arrays",
}
#: our own tests that look at numbers or messages
OURS = [
    "overlap_collections",
    "places",
    "rows",
    "averages",
    "formulas",
    "limbs",
    "overlap_value",
    "pairwise",
    "score_messages",
    "loss_formulas",
    "loss_messages",
    "loss_arguments",
    "messages",
]
#: what other libraries alone reach: automatic differentiation, and values that nobody may look at
OTHERS = {
    "torch": [
        "golden",
        "every_loss",
        "gradients",
        "exact_losses",
        "compound",
        "centerline",
        "lovasz",
    ],
    "dask": ["golden", "overlap_of_counts", "nothing"],
    "jax": ["golden", "exact", "exact_losses", "overlap_is_a_value"],
}


class Stage(NamedTuple):
    """One run of pytest, which a mutant meets if it has survived those before."""

    name: str
    arguments: list[str]


def stages(group: str, others: bool) -> Iterator[Stage]:
    """Return the runs of a group, the fastest first."""
    first = GROUPS[group][1]
    yield Stage("first", [name if "/" in name else KIT.format(name) for name in first])
    for stage, words in KIT_REST.items():
        yield Stage(stage, [KIT.format(name) for name in words.split() if name not in first])
    if others:
        yield Stage("ours", [f"tests/test_{name}.py" for name in OURS])
        for library, names in OTHERS.items():
            yield Stage(library, [*map(KIT.format, names), f"--backend={library}"])


class Changed(importlib.abc.MetaPathFinder, importlib.machinery.SourceFileLoader):
    """Imports one module changed."""

    def __init__(self, mutant: Mutant) -> None:
        parts = mutant.path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        super().__init__(name, str(mutant.path))
        self.mutant = mutant

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def get_code(self, fullname: str) -> Any:
        return compile(mutated(self.mutant.path, self.mutant.number), self.path, "exec")


def start(stage: Stage, mutant: Mutant | None) -> int:
    """Start a fork that tests a mutant, or the package as it is; return its number."""
    number = os.fork()
    if number:
        return number
    os.setsid()
    with open(os.devnull, "w") as nowhere:
        for stream in (1, 2):
            os.dup2(nowhere.fileno(), stream)
    if mutant is not None:
        sys.meta_path.insert(0, Changed(mutant))
    sys.path.insert(0, str(ROOT))
    # what is not needed here takes longer than many a test: other plugins, messages for asserts
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    options = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-k", f"not ({LEFT_OUT})"]
    with contextlib.suppress(BaseException):
        os._exit(int(pytest.main([*options, "-p", "dice_any.testing.plugin", *stage.arguments])))
    os._exit(70)


def run(stage: Stage, tested: Iterable[Mutant | None], limit: float, jobs: int) -> Iterator[Any]:
    """Test mutants, so many at once; return each with the code that pytest ended with, None if it
    took too long.
    """
    waiting, running = iter(tested), {}
    while True:
        for mutant in islice(waiting, jobs - len(running)):
            running[start(stage, mutant)] = mutant, time.monotonic() + limit
        if not running:
            return
        for number, (mutant, end) in list(running.items()):
            done, status = os.waitpid(number, os.WNOHANG)
            if done:
                del running[number]
                yield mutant, os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                os.killpg(number, signal.SIGKILL)
                os.waitpid(number, 0)
                del running[number]
                yield mutant, None
        time.sleep(0.02)


def survivors(stage: Stage, tested: list[Mutant], jobs: int) -> list[Mutant]:
    """Return the mutants that a stage does not kill."""
    began = time.monotonic()
    ((_, code),) = run(stage, [None], 600, 1)
    took = time.monotonic() - began
    if code != 0:
        raise SystemExit(f"the tests of stage {stage.name} fail without a mutant: code {code}")
    alive = []
    began = time.monotonic()
    for count, (mutant, code) in enumerate(run(stage, tested, 5 * took + 20, jobs), 1):
        if code == 0:
            alive.append(mutant)
        rate = (time.monotonic() - began) / count
        print(
            f"\r  {stage.name}: {count} of {len(tested)}, {len(alive)} alive, {rate:.2f} s each ",
            end="",
            flush=True,
        )
    print(f"(all tests {took:.1f} s)")
    for mutant in sorted(alive):
        print(f"    {mutant.line}: {mutant.change}    {mutant.source}")
    return sorted(alive)


def explained() -> dict[tuple[str, str, str], str]:
    """Return the mutants that change nothing that a test could see, and why."""
    entries = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))["survivor"]
    return {
        ((ROOT / entry["module"]).as_posix(), entry["line"], change): entry["why"]
        for entry in entries
        for change in entry["changes"]
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("groups", nargs="*", help=f"some of {', '.join(GROUPS)}; default all")
    parser.add_argument("--list", action="store_true", help="show mutants, test none")
    parser.add_argument("--only", type=int, help="line; with a single module in a group")
    parser.add_argument("--module", help="part of a module's path")
    parser.add_argument("--jobs", type=int, default=2, help="tested at once")
    parser.add_argument(
        "--others", action="store_true", help="our own tests and other libraries too"
    )
    chosen = parser.parse_args()
    os.chdir(ROOT)
    left, reasons = [], explained()
    for group in chosen.groups or GROUPS:
        paths = [
            path for glob in GROUPS[group][0] for path in sorted(ROOT.glob(f"dice_any/{glob}"))
        ]
        found = [
            mutant
            for path in paths
            if chosen.module is None or chosen.module in path.as_posix()
            for mutant in mutants(path)
            if chosen.only in (None, mutant.line)
        ]
        known = [mutant for mutant in found if mutant.key in reasons]
        tested = [mutant for mutant in found if mutant.key not in reasons]
        print(f"{group}: {len(found)} mutants, {len(known)} explained")
        if chosen.list:
            left += tested
            continue
        for stage in stages(group, chosen.others):
            tested = survivors(stage, tested, chosen.jobs) if tested else []
        left += tested
    for mutant in left:
        place = mutant.path.relative_to(ROOT)
        print(f"{place}:{mutant.line}: {mutant.change}    in  {mutant.source}")
    if chosen.list:
        return 0
    print(f"{len(left)} unexplained survivors")
    return 1 if left else 0


if __name__ == "__main__":
    raise SystemExit(main())
