"""Tests beyond the conformance kit: the transformations of MLX, and whether the
plugins are found and used.
"""

import numpy as np
import pytest

import dice_any
from dice_any.arrays import load_library
from dice_any.testing import recipe
from dice_any.testing.capabilities import FEATURES

pytest.importorskip("dice_any_example", reason="this example is not installed")
import mlx.core as mx

X, Y = recipe.memberships(1, (2, 3, 40)), recipe.labels(3, (2, 40), 3)


LIBRARIES = ("lattice", "mlx", "blosc2")


def test_all_plugins_are_usable():
    found = {
        (backend.name, backend.module): backend for backend in dice_any.backends()
    }
    for name in LIBRARIES:
        assert found[name, name].usable, found[name, name].problem
        assert found[name, name].exact
    assert found["mask-count", "numpy"].usable


@pytest.mark.parametrize("name", LIBRARIES)
def test_limits_name_features_of_the_kit(name):
    assert set(load_library(name).limits) <= set(FEATURES)


def test_lattice_raises_an_error_at_once():
    import lattice

    with pytest.raises(ValueError, match="`prediction` must hold memberships in"):
        dice_any.dice_score(
            lattice.asarray([0.5, 2.0]), lattice.asarray([True, False])
        )


def test_lattice_sums_in_float32_on_its_small_device():
    import lattice

    small = lattice.Device("no_float64")
    x = lattice.asarray(X, dtype=lattice.float32, device=small)
    y = lattice.asarray(Y, device=small)
    score = dice_any.dice_score(x, y, class_axis=1, exact=False)
    assert score.dtype == lattice.float32
    expected = dice_any.dice_score(X, Y, class_axis=1)
    np.testing.assert_allclose([float(s) for s in score], expected, rtol=1e-5)


def test_the_user_gets_mlx_arrays_with_the_bits_of_numpy():
    score = dice_any.dice_score(mx.array(X), mx.array(Y), class_axis=1)
    assert isinstance(score, mx.array)
    assert score.tolist() == dice_any.dice_score(X, Y, class_axis=1).tolist()


def test_gradient_through_mlx():
    x, y = mx.array([0.5, 0.25, 1.0]), mx.array([True, False, True])
    # D = 2I / (X + Y) with I = 1.5, X = 1.75, Y = 2,
    # and dD/dx = (2y(X + Y) - 2I) / (X + Y)²
    expected = [-(2 * on * 3.75 - 3) / 3.75**2 for on in (1, 0, 1)]
    assert mx.grad(lambda p: dice_any.dice_loss(p, y, smooth=0))(
        x
    ).tolist() == pytest.approx(expected, rel=1e-6)


def test_nothing_is_computed_before_it_is_asked_for():
    """Inside `vmap` MLX raises if a value is read."""
    each = mx.vmap(lambda p, t: dice_any.dice_score(p, t, class_axis=0))(
        mx.array(X), mx.array(Y)
    )
    assert (
        each.tolist()
        == dice_any.dice_score(X, Y, class_axis=1, axis="space").tolist()
    )


def test_compiled():
    """Only for masks: MLX takes seconds to compile the longer code of exact sums."""
    x, y = (
        mx.array([True, True, True, False, False]),
        mx.array([True, False, False, True, False]),
    )
    assert mx.compile(dice_any.dice_score)(x, y).item() == 2 / 5


def test_the_kernel_is_used_where_it_accepts(monkeypatch):
    from dice_any_example import mask_count

    calls = []

    def overlap(*arguments):
        calls.append(1)
        return np.array([1, 3, 2, 5, 0, 0, 0])

    monkeypatch.setattr(mask_count, "overlap", overlap)
    x = np.array([True, True, True, False, False])
    y = np.array([True, False, False, True, False])
    assert float(dice_any.dice_score(x, y)) == 2 / 5
    # the kernel declines, so the reference computes it
    assert float(dice_any.dice_score(x, y, weight=np.ones(5))) == 2 / 5
    assert len(calls) == 1
    with pytest.raises(
        ValueError, match="'mask-count' declines: it takes no weight"
    ):
        dice_any.dice_score(x, y, weight=np.ones(5), backend="mask-count")


def test_chunks_of_blosc2_have_the_bits_of_numpy():
    import blosc2

    x, y = (blosc2.asarray(a, chunks=(1, *a.shape[1:])) for a in (X, Y))
    score = dice_any.dice_score(x, y, class_axis=1)
    assert score.tolist() == dice_any.dice_score(X, Y, class_axis=1).tolist()
    _, gradient = dice_any.value_and_grad(dice_any.dice_loss)(x, y, class_axis=1)
    assert isinstance(gradient, blosc2.NDArray)
    expected = dice_any.value_and_grad(dice_any.dice_loss)(X, Y, class_axis=1)[1]
    np.testing.assert_array_equal(gradient[...], expected)


def test_blosc2_sorts_whole_arrays_with_the_functions_of_numpy():
    import blosc2

    x, y = (blosc2.asarray(a, chunks=(1, *a.shape[1:])) for a in (X, Y))
    of_blosc2 = dice_any.lovasz_loss(x, y, class_axis=1)
    assert float(of_blosc2) == float(dice_any.lovasz_loss(X, Y, class_axis=1))
