"""The built site in a browser, in a wide and a narrow window; `nox -s site`.

Pictures of the pages are stored beside the site.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api")

SITE = Path(os.environ.get("DICE_ANY_SITE", "docs/_build/html"))
SCREENS = SITE.parent / "screens"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
DESK, PHONE = 1400, 400
#: made by Sphinx, not by us
FOREIGN = ("genindex.html", "py-modindex.html", "search.html")
#: elements wider than their place that do not scroll by themselves; in a wide window none scroll
TOO_WIDE = """wide => {
  const column = document.querySelector('article').getBoundingClientRect();
  const name = e => e.tagName.toLowerCase() + ': ' + e.innerText.trim().slice(0, 70);
  const blocks = [...document.querySelectorAll('article pre, article .table-wrapper')];
  const whole = [...document.querySelectorAll('article img, article pre, article .table-wrapper')];
  return [
    ...(wide ? blocks.filter(e => e.scrollWidth > e.clientWidth + 2).map(name) : []),
    ...whole.filter(e => e.getBoundingClientRect().right > column.right + 2).map(name),
    ...(document.documentElement.scrollWidth > window.innerWidth + 1 ? ['the page itself'] : []),
  ];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if program is None:
        pytest.fail(f"needs one of {', '.join(CHROMIUM)} on the path: apt install chromium")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("width", [DESK, PHONE])
@pytest.mark.parametrize("page", [name for name in PAGES if name not in FOREIGN])
def test_nothing_leaves_its_column(browser: Any, page: str, width: int) -> None:
    view = browser.new_page(viewport={"width": width, "height": 900})
    asked: list[str] = []
    view.on("request", lambda request: asked.append(request.url))
    view.goto((SITE / page).absolute().as_uri())
    view.wait_for_function("!window.MathJax || MathJax.startup.promise.then(() => true)")
    wrong = view.evaluate(TOO_WIDE, width == DESK)
    SCREENS.mkdir(exist_ok=True)
    picture = SCREENS / f"{page.removesuffix('.html').replace('/', '-')}-{width}.png"
    view.screenshot(path=str(picture), full_page=True)
    view.close()
    assert wrong == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
