"""A kernel of a plugin whose fault shows in the middle of the work: the reference takes over, and
what was done before does not count. An interrupt passes through wherever a plugin is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any import arrays, kernels, plugins
from dice_any.arrays import load_library
from dice_any.kernels import loading, reference
from dice_any.kernels.guarded import Guarded, Kept
from dice_any.kernels.task import Task
from dice_any.testing import recipe

X, Y = recipe.memberships(1, (4, 16)), recipe.memberships(3, (4, 16))
MASKS = recipe.masks(1, (4, 16)), recipe.masks(2, (4, 16))
MAPS = recipe.labels(1, (4, 16), 3), recipe.labels(2, (4, 16), 3)


def task(kind: str, **facts: Any) -> Task:
    usual = {
        "library": "numpy",
        "device": "cpu",
        "shapes": ((4, 16), (4, 16), None),
        "dtypes": ("float32", "float32", None),
        "axis": (0, 1),
        "class_axis": None,
        "num_classes": None,
        "labels": (False, False),
        "activation": None,
        "form": "product",
        "ignore_label": None,
    }
    return Task(kind=kind, **usual | facts)


def refuse(*arguments: Any) -> Any:
    raise AssertionError("the kernel is out, and was asked")


def guarded(*, out: bool, **parts: Callable[..., Any]) -> tuple[Guarded, list[str]]:
    """Return a kernel in its guard, in which a fault has been found already if `out`."""
    faults = ["an earlier one"] if out else []
    names = ("overlap", "overlap_vjp", "overlap_keeping", "overlap_vjp_over", "confusion_matrix")
    usual = dict.fromkeys((*names, "pairwise"), refuse) if out else {}
    kernel = SimpleNamespace(name="frail", accepts=lambda task: True, **usual | parts)
    return Guarded(kernel, "'frail'", False, faults), faults


def test_a_kernel_that_is_out_computes_nothing_more() -> None:
    """A fault may show between the choice of a kernel and its call."""
    frail, _ = guarded(out=True)
    plain, slopes = task("plain"), np.ones((3,), dtype=np.float32)
    of_maps = task("hard", dtypes=("uint8", "uint8", None), num_classes=3, labels=(True, True))
    pairs = task("hard", dtypes=("bool", "bool", None), axis=(1,))
    assert not frail.takes(plain)
    expected = reference.overlap(plain, X, Y, None)
    assert np.array_equal(frail.overlap(plain, X, Y, None), expected)
    sums, kept = frail.overlap_keeping(plain, X, Y, None)
    assert np.array_equal(sums, expected)
    assert kept is None
    slopes = np.asarray([1.0, 2.0], dtype=np.float64)
    gradient = reference.overlap_vjp(plain, X, Y, None, slopes)
    assert np.array_equal(frail.overlap_vjp(plain, X, Y, None, slopes), gradient)
    over = frail.overlap_vjp_over(plain, Kept(np.zeros(1), X), Y, None, slopes)
    assert np.array_equal(over, gradient)
    for found, right in zip(
        frail.confusion_matrix(of_maps, *MAPS, None),
        reference.confusion_matrix(of_maps, *MAPS, None),
        strict=True,
    ):
        assert np.array_equal(found, right)
    assert np.array_equal(frail.pairwise(pairs, *MASKS), reference.pairwise(pairs, *MASKS))


@pytest.mark.parametrize("answer", [None, (1, 2, 3), [1, 2]])
def test_what_keeps_returns_two_values(answer: Any) -> None:
    frail, faults = guarded(out=False, overlap_keeping=lambda *arguments: answer)
    plain = task("plain")
    sums, kept = frail.overlap_keeping(plain, X, Y, None)
    assert kept is None
    assert np.array_equal(sums, reference.overlap(plain, X, Y, None))
    assert faults[0].startswith(
        f"The kernel 'frail' must return from `overlap_keeping` two values; got {type(answer)}"
    )


def test_nothing_is_kept_of_sums_that_are_wrong() -> None:
    """Its memberships would be no better."""
    frail, faults = guarded(out=False, overlap_keeping=lambda *arguments: (np.zeros(3), X))
    plain = task("plain")
    sums, kept = frail.overlap_keeping(plain, X, Y, None)
    assert kept is None
    assert np.array_equal(sums, reference.overlap(plain, X, Y, None))
    assert "must return float64 of shape (7,); got float64 of shape (3,)" in faults[0]


def test_a_matrix_that_finds_invalid_labels_where_there_are_none() -> None:
    of_maps = task("hard", dtypes=("uint8", "uint8", None), num_classes=3, labels=(True, True))
    matrix, invalid = reference.confusion_matrix(of_maps, *MAPS, None)
    assert not invalid.any()
    frail, faults = guarded(
        out=False, confusion_matrix=lambda *arguments: (matrix * 0, invalid + 1)
    )
    found, none = frail.confusion_matrix(of_maps, *MAPS, None)
    assert np.array_equal(found, matrix)
    assert not none.any()
    assert "must count as invalid what the reference finds to be so" in faults[0]
    # labels that are invalid are the caller's fault, and no reason to distrust a kernel
    wrong = MAPS[0] + 3
    right = reference.confusion_matrix(of_maps, wrong, MAPS[1], None)
    honest, faults = guarded(out=False, confusion_matrix=reference.confusion_matrix)
    for found, expected in zip(
        honest.confusion_matrix(of_maps, wrong, MAPS[1], None), right, strict=True
    ):
        assert np.array_equal(found, expected)
    assert right[1].any()
    assert faults == []


def test_nothing_speaks_of_invalid_values_where_there_is_no_count() -> None:
    assert not kernels.answers.speaks_of_invalid(np.zeros((3, 0), dtype=np.int64))
    assert kernels.answers.speaks_of_invalid(np.asarray([0, 1]))


def test_sums_on_another_device_are_no_answer() -> None:
    strict = pytest.importorskip("array_api_strict")
    first, second = strict.Device("CPU_DEVICE"), strict.Device("device1")
    here, there = (strict.ones((7,), device=device) for device in (first, second))
    assert kernels.answers.fault(here, here, (7,), "float64") is None
    said = kernels.answers.fault(here, there, (7,), "float64")
    assert said is not None
    assert said.startswith("an array on ")
    assert "device1" in said.partition("; got one on ")[2]


def interrupted(*arguments: Any) -> Any:
    raise KeyboardInterrupt


def test_an_interrupt_while_a_plugin_loads_is_nobodys_fault(install, monkeypatch) -> None:
    install(("dice_any.kernels.numpy", "late", "late"), ("dice_any.arrays.shelf", "s", "shelf"))
    monkeypatch.setattr(EntryPoint, "load", interrupted)
    with pytest.raises(KeyboardInterrupt):
        arrays.load_library("shelf")
    (plugin,) = loading.installed("numpy")
    with pytest.raises(KeyboardInterrupt):
        loading.load(plugin)
    monkeypatch.undo()
    assert loading.load(plugin).problem is None  # nothing was kept of it


def test_an_interrupt_of_a_list_of_backends(install, monkeypatch) -> None:
    monkeypatch.setattr(load_library("numpy"), "default_device", interrupted)
    with pytest.raises(KeyboardInterrupt):
        dice_any.backends()
    monkeypatch.undo()
    install(("dice_any.kernels.numpy", "late", "late"))
    late.problem = interrupted
    with pytest.raises(KeyboardInterrupt):
        dice_any.backends()
    late.problem = lambda: "it is late"
    assert [line.problem for line in dice_any.backends() if line.name == "late"] == ["it is late"]


late = SimpleNamespace(
    name="late", protocol=1, accepts=lambda task: "it is late", overlap=reference.overlap
)


def shelf() -> None:
    """Stands for an array plugin; it is never called."""


def test_a_host_may_ask_for_installed_plugins(install) -> None:
    install(("dice_any.kernels.numpy", "late", "late"))
    before = list(plugins._installed_are_used)
    try:
        plugins.use_installed(False)
        assert "late" not in [line.name for line in dice_any.backends()]
        plugins.use_installed()
        assert "late" in [line.name for line in dice_any.backends()]
    finally:
        plugins._installed_are_used[:] = before
        plugins.forget()
