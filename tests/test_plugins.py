"""The two kinds of plugin: found once, loaded late, and without effect on calls of others."""

from __future__ import annotations

from types import SimpleNamespace

import array_api_compat.numpy as compat
import numpy as np
import pytest

import dice_any
from dice_any import arrays, kernels
from dice_any.arrays.library import ArrayLibrary
from dice_any.kernels import reference
from dice_any.testing import oracle, recipe
from dice_any.testing.capabilities import limit
from dice_any.testing.plugin import _wrong_limits

X, Y = recipe.memberships(1, 64), recipe.memberships(3, 64)


class Kernel:
    """A right kernel that counts its calls."""

    name = "counting"
    protocol = 1
    calls = 0

    def accepts(self, task: kernels.Task) -> bool | str:
        return True if task.form == "product" else f"the form {task.form!r} is not covered"

    def overlap(self, task, prediction, target, weight):
        type(self).calls += 1
        return reference.overlap(task, prediction, target, weight)


class WrongKernel(Kernel):
    """Wrong by one unit of 2⁻⁶² in the intersection."""

    name = "wrong"

    def overlap(self, task, prediction, target, weight):
        sums = reference.overlap(task, prediction, target, weight)
        sums[0, 2] += 1
        return sums


class KeepingKernel(Kernel):
    """Keeps the prediction for the backward pass, unless it has no axes."""

    name = "keeping"

    def overlap_keeping(self, task, prediction, target, weight):
        return self.overlap(
            task, prediction, target, weight
        ), prediction.copy() if prediction.size > 1 else None

    def overlap_vjp_over(self, task, kept, target, weight, cotangent):
        kept[...] = reference.overlap_vjp(task, kept, target, weight, cotangent)
        return kept

    def overlap_vjp(self, task, prediction, target, weight, cotangent):
        assert prediction.size == 1
        return reference.overlap_vjp(task, prediction, target, weight, cotangent)


class HoardingKernel(Kernel):
    """Keeps something from which it cannot compute the gradient."""

    name = "hoarding"
    overlap_keeping = KeepingKernel.overlap_keeping


class Shelf(ArrayLibrary):
    """An array library of this test."""

    protocol = 1

    def __init__(self) -> None:
        super().__init__("shelf", np)


counting, wrong, keeping, hoarding, nameless = (
    Kernel(),
    WrongKernel(),
    KeepingKernel(),
    HoardingKernel(),
    object(),
)


def test_a_kernel_that_accepts_takes_the_work(install) -> None:
    install(("dice_any.kernels.numpy", "counting", "counting"))
    before = Kernel.calls
    assert oracle.overlap_sums(dice_any.overlap(X, Y)) == [oracle.exact_sums(X, Y)]
    assert Kernel.calls == before + 1
    dice_any.overlap(X, Y, backend="reference")
    dice_any.overlap(X, Y, form="minimum")  # declined, so the reference computes it
    assert Kernel.calls == before + 1


def test_a_forced_kernel_that_declines_says_why(install) -> None:
    install(("dice_any.kernels.numpy", "counting", "counting"))
    with pytest.raises(ValueError, match="'counting' declines: the form 'minimum' is not covered"):
        dice_any.overlap(X, Y, form="minimum", backend="counting")


BROKEN = {
    "does not load": ("missing_value", "does not load: AttributeError"),
    "lacks its parts": ("nameless", "has no name and no accepts and no overlap"),
    "lacks the way back": ("hoarding", "has no overlap_vjp_over and no overlap_vjp"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_kernel_breaks_only_who_asks_for_it(install, name: str) -> None:
    value, cause = BROKEN[name]
    install(("dice_any.kernels.numpy", "broken", value))
    assert dice_any.dice_score(X, X > 0) > 0
    with pytest.raises(LookupError, match=f"The kernel 'broken' of .* {cause}"):
        dice_any.dice_score(X, Y, backend="broken")
    line = next(line for line in dice_any.backends() if line.name == "broken")
    assert not line.usable
    assert cause in line.problem


def test_two_kernels_of_one_name(install, monkeypatch) -> None:
    install(
        ("dice_any.kernels.numpy", "counting", "counting"),
        ("dice_any.kernels.numpy", "counting", "wrong"),
    )
    # two distributions may have an entry point of the same name
    assert dice_any.overlap(X, Y).to_dict() == dice_any.overlap(X, Y, backend="reference").to_dict()
    with pytest.raises(LookupError, match="has a name that another installed kernel has too"):
        dice_any.overlap(X, Y, backend="counting")


def test_an_unknown_kernel_lists_the_known_ones(install) -> None:
    install(
        ("dice_any.kernels.numpy", "counting", "counting"),
        ("dice_any.kernels.torch", "other", "counting"),
    )
    with pytest.raises(
        LookupError, match=r"got 'abacus'. Known here: 'reference', 'counting', 'numba'\."
    ):
        dice_any.overlap(X, Y, backend="abacus")


def test_the_kit_catches_a_wrong_kernel(install) -> None:
    """One unit of 2⁻⁶² in a sum does not change any score, but is still found."""
    install(("dice_any.kernels.numpy", "wrong", "wrong"))
    from dice_any.testing import adapters, test_exact

    backend = adapters.adapter("wrong")
    with pytest.raises(AssertionError):
        test_exact.test_every_form_and_type(backend, "float32", "product")
    assert dice_any.dice_score(X, Y, backend="wrong") == dice_any.dice_score(
        X, Y, backend="reference"
    )


def test_an_array_library_is_taught_by_a_plugin(install) -> None:
    install(("dice_any.arrays.shelf", "shelf", "Shelf"))
    taught = arrays.load_library("shelf")
    assert isinstance(taught, Shelf)


def test_array_plugins_that_are_broken_or_double(install) -> None:
    install(("dice_any.arrays.shelf", "shelf", "missing_value"))
    with pytest.raises(
        LookupError, match="The array plugin 'shelf' of .* does not load: AttributeError"
    ):
        arrays.load_library("shelf")
    install(("dice_any.arrays.shelf", "one", "Shelf"), ("dice_any.arrays.shelf", "two", "Shelf"))
    with pytest.raises(
        LookupError, match="Several plugins teach the array library 'shelf': 'one' of .*, 'two' of"
    ):
        arrays.load_library("shelf")


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"lazy": "computes at once"}, []),
        ({}, []),
        (
            {"gradients": "has none"},
            [
                "`limits` of shelf must name features of the kit; got 'gradients'. Write "
                "'gradient'.",
            ],
        ),
        (
            {"lazy": ""},
            [
                "`limits` of shelf must say why 'lazy' is missing; got ''. Write a sentence, which "
                "the kit prints beside what it skips.",
            ],
        ),
        (
            ["lazy"],
            [
                "`limits` of shelf must map features of the kit to reasons; got a list. Write a "
                "dictionary.",
            ],
        ),
    ],
)
def test_limits_of_a_library_name_features_and_reasons(
    install, monkeypatch, limits: object, said: list[str]
) -> None:
    install(("dice_any.arrays.shelf", "shelf", "Shelf"))
    monkeypatch.setattr(Shelf, "limits", limits, raising=False)
    assert _wrong_limits("shelf") == said
    assert _wrong_limits("numpy") == []
    if not said:
        assert limit("shelf", "lazy") == limits.get("lazy")


def test_a_plugin_for_a_built_in_library_is_reported(install) -> None:
    install(("dice_any.arrays.numpy", "mine", "Shelf"))
    lines = {line.name: line for line in dice_any.backends()}
    assert "is built in; the plugin 'mine' of" in lines["mine"].problem
    assert lines["numpy"].usable
    assert dice_any.dice_score(X, Y) > 0


def test_a_library_that_keeps_to_the_standard_needs_no_plugin() -> None:
    class Stranger:
        """An array of a library that the package has no code for."""

        __module__ = "stranger.core"

        def __array_namespace__(self, api_version=None):
            return compat

    library = arrays.library_of(Stranger())
    assert library.name == "stranger"
    assert library.xp is compat


def test_a_namespace_without_the_standards_functions_is_none() -> None:
    class Almost:
        """Like MLX's arrays, whose namespace lacks a few functions."""

        __module__ = "almost.core"

        def __array_namespace__(self, api_version=None):
            return SimpleNamespace(sum=np.sum)

    with pytest.raises(
        TypeError, match="`prediction` must be an array of a library that follows the Array API"
    ):
        dice_any.dice_score(Almost(), Almost())


def test_a_forced_kernel_without_the_part_says_so(install) -> None:
    install(("dice_any.kernels.numpy", "counting", "counting"))
    rows = recipe.masks(1, (2, 9))
    dice_any.pairwise_overlap(rows, rows)  # no kernel is named: the reference computes it
    with pytest.raises(ValueError, match="'counting' has no pairwise"):
        dice_any.pairwise_overlap(rows, rows, backend="counting")


@pytest.mark.parametrize("size", [1, 64])
def test_a_kernel_may_make_the_gradient_of_what_it_kept(install, size: int) -> None:
    install(("dice_any.kernels.numpy", "keeping", "keeping"))
    with_gradient = dice_any.value_and_grad(dice_any.dice_loss)
    value, gradient = with_gradient(X[:size], Y[:size], backend="keeping")
    expected = with_gradient(X[:size], Y[:size], backend="reference")
    assert value == expected[0]
    np.testing.assert_array_equal(gradient, expected[1])


def test_a_kernel_under_another_name_is_broken(install) -> None:
    install(("dice_any.kernels.numpy", "swift", "counting"))
    with pytest.raises(LookupError, match="calls itself 'counting'"):
        dice_any.overlap(X, Y, backend="swift")
