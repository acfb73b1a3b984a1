"""JAX's own strict settings: every call works under all of them, to the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.testing import every_loss
from dice_any.testing.calls import FIELDS, MAPS, SOFT, calls

jax = pytest.importorskip("jax")
jnp = jax.numpy

CALLS = {f"{n} {call.name}": call for n, call in enumerate(calls()) if call.weight is None}


@contextmanager
def strictly() -> Iterator[None]:
    with ExitStack() as settings:
        for setting in (
            jax.debug_nans(True),
            jax.debug_infs(True),
            jax.numpy_rank_promotion("raise"),
            jax.numpy_dtype_promotion("strict"),
        ):
            settings.enter_context(setting)
        yield


def check(function: Callable[..., Any], *arrays: Any) -> list[np.ndarray]:
    """Check that a call has the same results under the strict settings, and return them."""
    expected = [np.asarray(leaf) for leaf in jax.tree.leaves(function(*arrays))]
    with strictly():
        got = [np.asarray(leaf) for leaf in jax.tree.leaves(function(*arrays))]
        with pytest.raises(FloatingPointError):  # the user's own steps are still checked
            jnp.zeros(2) / jnp.zeros(2)
    assert [a.dtype for a in got] == [a.dtype for a in expected]
    assert all(map(np.array_equal, got, expected, [a.dtype.kind == "f" for a in got]))
    return got


@pytest.mark.parametrize("name", CALLS)
def test_every_call(name: str) -> None:
    call = CALLS[name]
    check(partial(call.function, **call.arguments), *(jnp.asarray(a) for a in call.arrays))


@pytest.mark.parametrize("name", every_loss.CALLS)
def test_automatic_differentiation(name: str) -> None:
    """The arrays are of types and ranks that differ."""
    x, y = jnp.asarray(SOFT[0], dtype=jnp.float16), jnp.asarray(SOFT[1], dtype=jnp.uint8)
    w = jnp.arange(1, 7, dtype=jnp.int16).reshape(1, 6, 1)
    weights = {"weight": w, "class_weight": jnp.asarray([1, 0, 2], dtype=jnp.int8)}
    loss = every_loss.loss(name, activation="softmax", axis="space", **weights)
    function = jax.value_and_grad(lambda x: loss(x, y))
    jitted = list(every_loss.CALLS).index(name) % 2
    assert all(np.isfinite(a).all() for a in check(jax.jit(function) if jitted else function, x))


def test_the_gradient_of_an_exact_loss() -> None:
    x, y = (jnp.asarray(a) for a in SOFT)
    loss = every_loss.loss("dice_loss", activation="softmax", exact=True)
    assert all(np.isfinite(a).all() for a in check(jax.value_and_grad(lambda x: loss(x, y)), x))


@pytest.mark.parametrize(
    "options", [{}, {"average": "macro"}, {"average": "weighted"}, {"average": "micro"}], ids=repr
)
def test_scores_and_losses_of_absent_classes(options: dict[str, Any]) -> None:
    """A score of nothing is NaN, of which a mean takes no notice."""
    labels = jnp.asarray([0, 0, 2, 2])
    got = check(lambda: dice_any.dice_score(labels, labels, num_classes=3, **options))[0]
    assert np.array_equal(got, [1, np.nan, 1] if not options else 1, equal_nan=True)
    one = check(lambda: dice_any.generalized_dice_loss(labels, labels, num_classes=3, smooth=0))
    assert one[0] == 0


def test_infinite_logits() -> None:
    x = jnp.asarray([[-np.inf, 1.0], [0.5, -np.inf], [2.0, 0.0]], dtype=jnp.float32)
    labels = jnp.asarray([2, 0])
    options = {"class_axis": 0, "activation": "softmax"}
    loss = every_loss.loss("dice_cross_entropy_loss", **options)
    check(dice_any.value_and_grad(loss), x, labels)
    check(partial(loss, exact=True), x, labels)


@pytest.mark.parametrize("dtypes", [("float32", "float64"), ("float64", "bfloat16")], ids=repr)
def test_dtypes_that_differ(dtypes: tuple[str, str]) -> None:
    """With x64, where none of them is converted on its way in."""
    own, other = dtypes
    with jax.enable_x64(True):
        x, y, w = (jnp.asarray(a, dtype=own) for a in (*FIELDS, FIELDS[1]))
        narrow, labels = y.astype(other), jnp.asarray(MAPS[0], dtype=jnp.int8)
        weight = w.astype(other)
        for exact in (False, True):
            check(lambda *a, exact=exact: dice_any.overlap(*a, exact=exact), x, narrow)
            check(
                lambda *a, exact=exact: dice_any.overlap(*a[:2], weight=a[2], exact=exact),
                x,
                y,
                weight,
            )
        check(lambda a, b: dice_any.overlap(a, b, form="minimum", exact=False), x, narrow)
        for name in ("dice_cross_entropy_loss", "dice_focal_loss"):
            loss = every_loss.loss(name, activation="sigmoid", weight=weight)
            check(jax.value_and_grad(loss), x, narrow)
        regions = partial(dice_any.dice_score, regions=[(1, 2), (2,)], weight=weight[:, 0])
        check(regions, labels, jnp.asarray(MAPS[1], dtype=jnp.uint8))


@pytest.mark.parametrize("function", [dice_any.dice_to_jaccard, dice_any.jaccard_to_dice])
def test_conversions(function: Callable[[Any], Any]) -> None:
    for values in ([0.25, np.nan, 1.0], [0, 1]):
        check(function, jnp.asarray(values))
