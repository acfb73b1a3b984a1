"""All interfaces: none is imported with the package, and a missing package is named."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: interface -> the package that it imports first, and its name for pip
PACKAGES = {
    "sklearn": ("sklearn", "scikit-learn"),
    "torchmetrics": ("torchmetrics", "torchmetrics"),
    "xarray": ("xarray", "xarray"),
}


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_package_imports_no_interface() -> None:
    modules = [module for module, _ in PACKAGES.values()]
    code = (
        "import sys, dice_any, dice_any.interfaces\n"
        f"print([name for name in {modules} if name in sys.modules])\n"
        "print([name for name in sys.modules if name.startswith('dice_any.interfaces.')])"
    )
    assert run(code) == "[]\n[]"


@pytest.mark.parametrize("interface", PACKAGES)
def test_a_missing_package_is_named_with_the_cure(interface: str) -> None:
    if interface == "torchmetrics":
        pytest.importorskip("torch")
    module, package = PACKAGES[interface]
    code = (
        "import sys, dice_any\n"
        f"sys.modules[{module!r}] = None\n"
        "try:\n"
        f"    import dice_any.interfaces.{interface}\n"
        "except ImportError as error:\n"
        "    print(error, error.name.partition('.')[0])"
    )
    said = run(code)
    start = f"`{package}` must be installed for `dice_any.interfaces.{interface}`; got "
    assert said.startswith(start)
    assert said.endswith(f"Run `pip install {package}`. {module}")


def test_pytorch_is_missing() -> None:
    code = (
        "import sys, dice_any\n"
        "sys.modules['torch'] = None\n"
        "try:\n"
        "    import dice_any.interfaces.torchmetrics\n"
        "except ImportError as error:\n"
        "    print(error)"
    )
    assert run(code).startswith("`torchmetrics` must be installed for ")
