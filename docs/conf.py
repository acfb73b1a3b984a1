"""Sphinx settings. `nox -s docs` builds the site; a warning is an error."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
# a clone builds its own documentation, whether or not it is installed
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from sphinx.util import logging  # noqa: E402

import dice_any  # noqa: E402

logger = logging.getLogger(__name__)

project = "dice_any"
author = "the dice_any developers"
copyright = author
release = version = dice_any.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx-mathjax-offline",  # formulas without another server
    "numpydoc",
    "families",
    "pictures",
    "support_table",
]
exclude_patterns = ["_build", "_generated"]

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3

default_role = "py:obj"
autodoc_typehints = "none"  # the docstrings name the types in the field's terms
# modules are documented even if the packages that they need are not installed
FOR = ("keras", "monai", "sklearn", "torch", "torchmetrics", "xarray")
autodoc_mock_imports = [name for name in FOR if find_spec(name) is None]
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"dice_any {dice_any.__version__}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
pygments_style = "friendly"


# what docstrings mean as it stands and reStructuredText takes for markup: |X|, *counts, and F. at
# the start of a line
PLAIN = re.compile(r"\|(?=\w)|(?<=\w)\||(?<![\w*])\*(?=\w+[,)])|(?<!\S)(?=[A-Z]\. )")
MARKUP = re.compile(r"(``.+?``|:\w+:`.+?`)")


def as_written(app, what, name, obj, options, lines):
    """Escape what docstrings do not mean as markup; they are written for a terminal."""
    for number, line in enumerate(lines):
        if "\\" not in line:  # else it is LaTeX
            parts = MARKUP.split(line)
            parts[::2] = [PLAIN.sub(r"\\\g<0>", part) for part in parts[::2]]
            lines[number] = "".join(parts)


def all_names(app, env):
    """Warn of a public name that is missing on the API page."""
    described = {name for name, *_ in env.get_domain("py").get_objects()}
    for name in dice_any.__all__:
        if f"dice_any.{name}" not in described:
            logger.warning("the public name %r is missing", name, location="api")


def setup(app):
    """Escape after numpydoc, which has put the sections in order."""
    app.connect("autodoc-process-docstring", as_written, priority=900)
    app.connect("env-check-consistency", all_names)
