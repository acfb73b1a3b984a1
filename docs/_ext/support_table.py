"""Write ``_generated/support.md`` from `dice_any.testing.capabilities`, the source of the tests'
skips.
"""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

from dice_any.testing.capabilities import BACKENDS, FEATURES, limit


def table() -> str:
    """Return the support table: a row for each backend, a column for each feature, and the reasons
    below.
    """
    reasons: list[str] = []
    rows = []
    for backend in BACKENDS:
        cells = []
        for feature in FEATURES:
            reason = limit(backend, feature)
            if reason is None:
                cells.append("yes")
                continue
            if reason not in reasons:
                reasons.append(reason)
            cells.append(f"no ({reasons.index(reason) + 1})")
        rows.append([f"`{backend}`", *cells])
    lines = [_row(["", *FEATURES]), _row(["---"] * (len(FEATURES) + 1)), *map(_row, rows), ""]
    lines += [
        f"{number}. {reason[0].upper()}{reason[1:]}." for number, reason in enumerate(reasons, 1)
    ]
    lines += ["", "The columns:", ""]
    for feature, meaning in FEATURES.items():
        lines += [feature, f": {meaning[0].upper()}{meaning[1:]}.", ""]
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write(app: Sphinx) -> None:
    """Write the table before the pages are read; do not write the file if nothing changed."""
    path = Path(app.srcdir) / "_generated" / "support.md"
    path.parent.mkdir(exist_ok=True)
    text = table()
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
