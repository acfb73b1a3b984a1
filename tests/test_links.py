"""Links that Sphinx does not check: those of pages outside docs/, and full addresses.

The build of the documentation warns if a page, a heading or a picture below docs/ is missing.
Nothing here uses a network.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "docs/*/*.md")
    for path in ROOT.glob(pattern)
    if not path.parent.name.startswith("_")
)
#: The addresses of files of the repository, up to the path.
OURS = re.compile(
    r"https://(?:github\.com/dice-any/dice_any/(?:blob|tree|raw)"
    r"|raw\.githubusercontent\.com/dice-any/dice_any)/main/"
)
LINK = re.compile(
    r"\]\(<?([^()\s>]+(?:\([^()\s]*\)[^()\s]*)?)>?(?:\s+\"[^\"]*\")?\)|<(https?://[^>]*)>"
)

pytestmark = pytest.mark.skipif(not (ROOT / "docs").exists(), reason="the sources lie elsewhere")


def prose(page: Path) -> str:
    """Return a page without its code."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "code", text)


def links(text: str) -> list[str]:
    return [first or second for first, second in LINK.findall(text)]


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub and MyST give to the headings of a page."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        number = sum(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", each) is not None for each in found)
        found.add(f"{slug}-{number}" if number else slug)
    return found


def broken(link: str, page: Path) -> str | None:
    """Return the fault of a link on a page outside docs/, or of a full address."""
    ours = OURS.match(link)
    parts = urlsplit(link)
    if parts.scheme and not ours:
        if parts.scheme not in ("https", "mailto"):
            return "is not https"
        if parts.scheme == "https" and not re.fullmatch(r"([a-z\d-]+\.)+[a-z]{2,}", parts.netloc):
            return "has no host"
        return None
    if ours:
        path, _, anchor = link[ours.end() :].partition("#")
        target = ROOT / path
    else:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
    if not target.exists():
        return "leads to no file"
    if anchor and anchor not in anchors(target):
        return "leads to no heading"
    return None


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    found = links(prose(page))
    if name.startswith("docs/"):
        found = [link for link in found if urlsplit(link).scheme]
    wrong = {link: reason for link in found if (reason := broken(link, page))}
    assert wrong == {}


def test_addresses_of_the_project_lead_somewhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    page = ROOT / "README.md"
    assert {link: broken(link, page) for link in project["urls"].values()} == dict.fromkeys(
        project["urls"].values()
    )


def test_readme_works_on_an_index_page() -> None:
    """On a package index there are no other files, so all links and pictures are full addresses."""
    found = links(prose(ROOT / "README.md"))
    assert found
    assert [link for link in found if not link.startswith(("https://", "#"))] == []


def test_what_is_wrong_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One `two`, three\n\n## Same\n\n## Same\n\n```\n# none\n```\n")
    base = "https://github.com/dice-any/dice_any/blob/main/"
    for link, reason in (
        ("#one-two-three", None),
        ("#same-1", None),
        ("#same-2", "leads to no heading"),
        ("#none", "leads to no heading"),
        ("page.md#same", None),
        ("other.md", "leads to no file"),
        (f"{base}README.md", None),
        (f"{base}docs/nowhere.md", "leads to no file"),
        (f"{base}docs/contract.md#nothing", "leads to no heading"),
        ("http://arxiv.org/", "is not https"),
        ("https://arxiv/abs/1", "has no host"),
        ("https://doi.org/10.1016/S0031-3203(99)00099-9", None),
    ):
        assert broken(link, page) == reason, link
    assert links('[a](b.md) ![c](d_(e).png) <https://f.org> [g](<h.md> "i")') == [
        "b.md",
        "d_(e).png",
        "https://f.org",
        "h.md",
    ]
