"""The pages of docs/from/, run with the packages that they describe."""

from __future__ import annotations

import doctest
import re
from importlib.metadata import version
from pathlib import Path

import peers
import pytest

pytestmark = pytest.mark.filterwarnings("ignore")

HOME = Path(peers.__file__).parents[2] / "docs" / "from"
#: page -> its package, as it is installed
PACKAGES = {
    "monai": "monai",
    "nnunet": "nnunetv2",
    "sklearn": "scikit-learn",
    "smp": "segmentation-models-pytorch",
    "torchmetrics": "torchmetrics",
}
#: The two numbers that a page prints: theirs, ours.
PAIR = re.compile(r"^(-?\d+\.\d{4}) (-?\d+\.\d{4})$", re.MULTILINE)


def test_every_page_is_run() -> None:
    assert {path.stem for path in HOME.glob("*.md")} == {*PACKAGES, "index"}


@pytest.mark.parametrize("name", PACKAGES)
def test_page(name: str) -> None:
    """The examples print the output on the page, with the version on the page."""
    page = HOME / f"{name}.md"
    results = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert results.failed == 0
    text = page.read_text("utf-8")
    assert re.search(r"^With \S+ ([\d.]+)\.", text, re.MULTILINE)[1] == version(PACKAGES[name])
    pairs = PAIR.findall(text)
    assert len(pairs) >= text.count(":.4f} {") > 0
    assert [pair for pair in pairs if pair[0] != pair[1]] == []
