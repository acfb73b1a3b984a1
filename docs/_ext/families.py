"""``.. family:: dice_any.scores.joint`` documents each function that a module has in `__all__`."""

from __future__ import annotations

from importlib import import_module

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Family(SphinxDirective):
    """The functions of one module, under their public names."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the output of `autofunction` for each."""
        names = import_module(self.arguments[0]).__all__
        return self.parse_text_to_nodes(
            "\n\n".join(f".. autofunction:: dice_any.{name}" for name in names)
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("family", Family)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
