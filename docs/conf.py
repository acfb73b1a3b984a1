"""Sphinx settings. `nox -s docs` builds the site; a warning is an error."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
# a clone builds its own documentation, whether or not it is installed
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from dice_any import __version__  # noqa: E402

project = "dice_any"
author = "the dice_any developers"
copyright = author
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "numpydoc",
    "support_table",
]
exclude_patterns = ["_build", "_generated"]

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3

default_role = "py:obj"
autodoc_typehints = "none"  # the docstrings say it in the field's words
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"dice_any {__version__}"
html_copy_source = False
pygments_style = "friendly"
