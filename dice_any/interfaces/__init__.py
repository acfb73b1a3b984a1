"""The conventions of other packages: each module here follows those of one package. Import it
separately, because it needs that package.
"""

from __future__ import annotations


def not_installed(package: str, interface: str, error: ImportError) -> ImportError:
    """Return the error of an interface whose package is missing; `package` is what pip calls it."""
    return ImportError(
        f"`{package}` must be installed for `dice_any.interfaces.{interface}`; got "
        f"{str(error) or type(error).__name__!r}. Run `pip install {package}`.",
        name=error.name,
    )
