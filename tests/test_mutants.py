"""The tool that changes operators: what it changes, and that explained survivors still exist."""

from __future__ import annotations

import ast
from pathlib import Path

from mutation.__main__ import GROUPS, ROOT, explained
from mutation.mutants import mutants, mutated

SOURCE = '''"""A docstring with 1 + 1."""
if TYPE_CHECKING:
    import nothing
def f(a: "1 + 1", b=2) -> "3":
    if a and not b < 1:
        return -a * b
'''


def test_each_mutant_has_one_change(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(SOURCE)
    found = mutants(module)
    assert [(mutant.line, mutant.change) for mutant in found] == [
        (4, "2 -> 3"),
        (5, "And -> Or"),
        (5, "b < 1 -> not b < 1"),
        (5, "Lt -> LtE"),
        (5, "1 -> 2"),
        (6, "-a * b -> None"),
        (6, "Mult -> Div"),
        (6, "a -> -a"),
    ]
    before = ast.unparse(ast.parse(SOURCE)).splitlines()
    for mutant in found:
        after = ast.unparse(mutated(module, mutant.number)).splitlines()
        assert [n for n, pair in enumerate(zip(before, after, strict=True)) if len(set(pair)) > 1]
        assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


def test_explained_survivors_exist() -> None:
    known = {
        mutant.key
        for patterns, _ in GROUPS.values()
        for pattern in patterns
        for path in (ROOT / "dice_any").glob(pattern)
        for mutant in mutants(path)
    }
    assert [key for key in explained() if key not in known] == []
