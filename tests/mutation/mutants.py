"""What is changed: one operator, number, condition or returned value of a module at a time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

COMPARED = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
BOOLEAN = {ast.And: ast.Or, ast.Or: ast.And}
#: expressions that have mutants of their own, which a negation would only repeat
NEGATED = (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Constant)
#: fields that say what a type checker reads
UNREAD = ("annotation", "returns")


class Mutant(NamedTuple):
    """One change of one module."""

    path: Path
    number: int
    line: int
    source: str  # the line
    change: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What stays the same if lines above are added or removed."""
        return self.path.as_posix(), self.source, self.change


def mutants(path: Path) -> list[Mutant]:
    """Return all mutants of a module."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    return [
        Mutant(path, number, line, lines[line - 1].strip(), change)
        for number, (line, change) in enumerate(_changes(ast.parse(text)))
    ]


def mutated(path: Path, number: int) -> ast.Module:
    """Return the module with one change."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for place, _ in enumerate(_changes(tree)):
        if place == number:  # a change lasts until the next one is asked for
            return ast.fix_missing_locations(tree)
    raise LookupError(f"{path} has no mutant {number}")


def _changes(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Make each change in the tree, tell its line and what it is, and take it back."""
    for node in _nodes(tree):
        for field, new in _new_values(node):
            old = getattr(node, field)
            setattr(node, field, new)
            yield node.lineno, f"{_shown(old, node)} -> {_shown(new, node)}"
            setattr(node, field, old)


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Go through what is run: no annotations, and nothing that only a type checker sees."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in UNREAD:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _nodes(child)


def _new_values(node: ast.AST) -> Iterator[tuple[str, object]]:
    """Return the mutants of one node: a field and its new value."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            new = COMPARED[type(operator)]()
            yield "ops", [*node.ops[:place], new, *node.ops[place + 1 :]]
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in ARITHMETIC:
        yield "op", ARITHMETIC[type(node.op)]()
    elif isinstance(node, ast.BoolOp):
        yield "op", BOOLEAN[type(node.op)]()
    elif isinstance(node, ast.UnaryOp):
        # `not not x`, `+x`, and `~~x`: what was inverted no longer is
        yield "operand", ast.UnaryOp(node.op, node.operand)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "value", not node.value
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield "value", node.value + 1
    elif isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, NEGATED):
        yield "test", ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.Return) and not (
        node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None)
    ):
        yield "value", ast.Constant(None)


def _shown(value: object, node: ast.AST) -> str:
    if isinstance(value, list):
        return " ".join(type(operator).__name__ for operator in value)
    if isinstance(value, ast.expr):
        return ast.unparse(value)
    if isinstance(value, ast.AST):
        return type(value).__name__
    return repr(value)
