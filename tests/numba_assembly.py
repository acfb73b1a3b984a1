"""The machine code of the Numba kernel's loops: which of them the compiler vectorised.

As a script, it compiles for the instructions that the environment names (`NUMBA_CPU_NAME`), or for
another processor whose triple is its argument, and prints a report. The compiled code is not
called. Debugging information tells from which line of the sources a loop came.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FILE = re.compile(r'\s*\.file\s+(\d+)\s+"([^"]*)"(?:\s+"([^"]*)")?')
LINE = re.compile(r"\s+\.loc\s+(\d+)\s+(\d+)")
#: A loop computes in vectors if one line in so many names one: what handles the remaining elements
#: one by one may keep something of the other loops in a few.
AMONG = 20
LABEL = re.compile(r"(\.L\w+):")
#: jumps of x86 and of 64-bit ARM, conditional or not
JUMP = re.compile(r"\s+(?:j\w+|b|b\.\w+|cbn?z|tbn?z)\s+(?:.*,\s*)?(\.L\w+)\s*$")
VECTOR = re.compile(r"%[yz]mm\d|\bv\d+\.(?:16b|8h|4s|2d)|\bq\d+\b")
#: Conversions of one number between integer and floating. An unpacked vector needs four of them;
#: one or two convert a length, once in some hundred elements.
UNPACKED = 4
SCALAR = re.compile(r"\s+v?(?:cvtt?s[sd]2u?si|cvtu?si2s[sd])\w*\s|\s+fcvtz[su]\s+[wx]\d")

#: A part of the work that `python -m dice_any.kernels` compiles; it includes all loops.
CASES = {
    "masks: counts where a weight is true",
    "masks: counts of every pair",
    "labels: counts where a weight is true",
    "labels: joint counts",
    "scores: counts",
    "memberships: exact sums against memberships",
    "memberships: exact sums against a label map",
    "logits: training step by softmax, cross-entropy",
    "logits: sums by sigmoid, cross-entropy",
    "logits: exact sums by softmax",
    "logits: exact gradient by softmax",
}

Loop = tuple[str, int, int]  # the name of a file, and its first and last line


def inner_loops(folder: Path, names: list[str]) -> dict[Loop, str]:
    """Return the loops over elements in the sources, each with the name of its function.

    They are the innermost loops, and by convention they run over `i` or `k`.
    """
    found = {}
    for name in names:
        tree = ast.parse((folder / name).read_text())
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in ast.walk(function):
                inner = isinstance(node, ast.For) and not any(
                    isinstance(part, ast.For) for each in node.body for part in ast.walk(each)
                )
                if inner and ast.unparse(node.target) in ("i", "k"):
                    end = node.end_lineno or node.lineno
                    found[name, node.body[0].lineno, end] = function.name
    return found


def machine_loops(assembly: str) -> Iterator[tuple[set[tuple[str, int]], bool, bool]]:
    """Yield the innermost loops: their source lines, whether they compute in vectors, and whether
    they convert one number at a time.
    """
    code = assembly.splitlines()
    files, labels, jumps = {}, {}, []
    for number, text in enumerate(code):
        if match := FILE.match(text):
            files[match[1]] = Path(match[3] or match[2]).name
        elif match := LABEL.match(text):
            labels[match[1]] = number
        elif (match := JUMP.match(text)) and labels.get(match[1], number) < number:
            jumps.append((labels[match[1]], number))
    for start, end in jumps:
        if any(start <= a and b <= end and (a, b) != (start, end) for a, b in jumps):
            continue
        body = code[start : end + 1]
        lines = {(files[m[1]], int(m[2])) for text in body if (m := LINE.match(text))}
        yield (
            lines,
            sum(map(bool, map(VECTOR.search, body))) * AMONG > len(body),
            sum(map(bool, map(SCALAR.match, body))) >= UNPACKED,
        )


class Compiler:
    """Replaces a loop: compiles it for the arguments, and runs nothing."""

    def __init__(self, built: Any) -> None:
        self.built = built

    @property
    def address(self) -> int:
        return 1

    def __call__(self, *arguments: Any) -> None:
        from numba import typeof

        self.built.compile(tuple(map(typeof, arguments)))


def compiled() -> Iterator[tuple[str, str]]:
    """Compile some work, and more that has weights; yield names and assembly."""
    import numpy as np

    from dice_any.kernels.numba import ahead, hard, run, team

    made: dict[Any, Compiler] = {}
    build: Callable[..., Any] = run._loop

    def loop(*key: Any) -> Compiler:
        if key not in made:
            made[key] = Compiler(build(*key))
        return made[key]

    run._loop = loop
    pairs = hard.count_pairs
    hard.count_pairs = made.setdefault(("count_pairs",), Compiler(pairs))
    run.named = lambda built, name: built
    team.together = lambda share, chunks, each=0: share(0, 0)
    for name, compute in ahead.steps(list(ahead.WORKS), ["float32"], ["product"]):
        if name.partition(", float32")[0] in CASES:
            compute()
    x, weight = np.zeros(ahead.SHAPE, dtype=np.float32), np.zeros(ahead.SHAPE, dtype=np.float32)
    for kind, activation, entropy in (
        ("plain", "softmax", 2.0),
        ("plain", "sigmoid", 0.0),
        ("exact", None, None),
    ):
        facts = {**ahead._classes("minimum", False), "activation": activation, "entropy": entropy}
        task = ahead._task(kind, x, x, weight, **facts)
        run.sums(task, x, x, weight)
        run.gradient(task, x, x, weight, np.zeros((9, 3)))
    for key, each in made.items():
        name = " ".join(str(getattr(part, "__name__", part)) for part in key)
        if hasattr(each.built, "inspect_asm"):
            for assembly in each.built.inspect_asm().values():
                yield name, assembly
        else:
            yield name, each.built._library.get_asm_str()


def report(triple: str | None) -> dict[str, dict[str, list[int]]]:
    """Return, for each compiled function and each of its loops in the sources, the number of its
    machine loops with vectors, with single numbers, and with single conversions.
    """
    import llvmlite.binding as llvm

    if triple is not None:
        llvm.initialize_all_targets()
        llvm.initialize_all_asmprinters()
        llvm.get_process_triple = lambda: triple
    from dice_any.kernels import numba as home

    folder = Path(home.__file__).parent
    sources = inner_loops(folder, [path.name for path in sorted(folder.glob("*.py"))])
    found: dict[str, dict[str, list[int]]] = {}
    for name, assembly in compiled():
        counts: dict[str, list[int]] = {}
        for lines, vector, scalar in machine_loops(assembly):
            for (file, first, last), function in sources.items():
                if any(f == file and first <= line <= last for f, line in lines):
                    entry = counts.setdefault(f"{file}:{first} {function}", [0, 0, 0])
                    entry[0] += vector
                    entry[1] += not vector
                    entry[2] += vector and scalar
        found[name] = counts
    return found


if __name__ == "__main__":
    print(json.dumps(report(sys.argv[1] if len(sys.argv) > 1 else None)))
