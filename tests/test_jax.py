"""JAX: eager and jitted, with and without x64, and its transformations."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

import dice_any
from dice_any.testing import oracle, recipe

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")

X = recipe.memberships(1, (2, 3, 40))
Y = recipe.labels(3, (2, 40), 3, "int32")


def loss(x, y):
    return dice_any.dice_loss(x, y, class_axis=1, activation="softmax", axis="space")


@pytest.fixture
def wide():
    """Results are float64 with the bits of NumPy."""
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("score", [dice_any.dice_score, dice_any.jaccard_score])
def test_jit_changes_no_bit(score, x64: bool) -> None:
    with jax.enable_x64(x64):
        x, y = jnp.asarray(X), jnp.asarray(Y)
        compiled = jax.jit(lambda x, y: score(x, y, class_axis=1, average="macro"))(x, y)
        own = jnp.float64 if x64 else jnp.float32  # one rounding of the common bits
        assert compiled.dtype == own
        assert compiled == score(X, Y, class_axis=1, average="macro").astype(own)
        assert compiled == score(x, y, class_axis=1, average="macro")


@pytest.mark.usefixtures("wide")
def test_constants_change_no_bit() -> None:
    """XLA divides by a constant in its own way."""
    x, y = recipe.masks(1, (60, 21)), recipe.masks(3, (60, 21))
    a, b = jnp.asarray(x), jnp.asarray(y)
    defined = {
        "dice_score": lambda i, x, y: Fraction(2 * i, x + y),
        "jaccard_score": lambda i, x, y: Fraction(i, x + y - i),
        "precision_score": lambda i, x, y: Fraction(i, x),
        "recall_score": lambda i, x, y: Fraction(i, y),
        "specificity_score": lambda i, x, y: Fraction(21 - x - y + i, 21 - y),
        "accuracy_score": lambda i, x, y: Fraction(21 - x - y + 2 * i, 21),
        "volume_similarity": lambda i, x, y: Fraction(2 * min(x, y), x + y),
        "overlap_coefficient": lambda i, x, y: Fraction(i, min(x, y)),
    }
    scores = {name: getattr(dice_any, name) for name in defined}
    got = jax.jit(lambda: {name: score(a, b, axis=1) for name, score in scores.items()})()
    rows = [part.sum(axis=1).tolist() for part in (x & y, x, y)]
    for name, of in defined.items():
        assert got[name].tolist() == [float(of(*row)) for row in zip(*rows, strict=True)], name


def test_the_users_precision_stays_as_it_was() -> None:
    dice_any.dice_score(jnp.asarray(X), jnp.asarray(Y), class_axis=1)
    assert jnp.asarray(1.0).dtype == jnp.float32


def test_overlap_passes_through_jit() -> None:
    result = jax.jit(lambda x, y: dice_any.overlap(x, y, class_axis=1))(
        jnp.asarray(X), jnp.asarray(Y)
    )
    expected = [oracle.exact_sums(X[:, c], c == Y) for c in range(3)]
    assert oracle.overlap_sums(result) == expected
    assert oracle.overlap_sums(jax.jit(lambda a: a + a)(result))[0].target == 2 * expected[0].target


@pytest.mark.usefixtures("wide")
def test_jitted_label_maps_count_beyond_int32_sums() -> None:
    y = jnp.asarray(Y)
    score = jax.jit(lambda a, b: dice_any.dice_score(a, b, num_classes=3))(y, jnp.flip(y, 1))
    assert score.tolist() == dice_any.dice_score(Y, Y[:, ::-1], num_classes=3).tolist()


@pytest.mark.parametrize("name", ["dice_loss", "dice_cross_entropy_loss"])
def test_a_gradient_keeps_its_arguments_only(name: str) -> None:
    z, y = jnp.asarray(X, dtype=jnp.float32), jnp.asarray(Y)
    loss = partial(getattr(dice_any, name), class_axis=1, activation="softmax")
    _, back = jax.vjp(lambda z: loss(z, y), z)
    kept = [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(back) if leaf.size >= z.size]
    assert kept == [z.unsafe_buffer_pointer()]


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((2, 3, 8192), "space"),
        ((4099,), None),
        ((3, 5, 7, 64), None),
        ((2, 100, 3), (0, 2)),
        ((6, 4, 4), (1, 2)),
        ((65536,), None),
    ],
)
def test_rows_change_no_sum(shape: tuple[int, ...], axis) -> None:
    """For any split of an array into rows, exact sums have NumPy's bits, jitted and eager."""
    x, y = (recipe.memberships(seed, shape) for seed in (5, 7))
    expected = dice_any.overlap(x, y, axis=axis).to_dict()
    summed = partial(dice_any.overlap, axis=axis)
    assert summed(jnp.asarray(x), jnp.asarray(y)).to_dict() == expected
    assert jax.jit(summed)(jnp.asarray(x), jnp.asarray(y)).to_dict() == expected


def test_a_jitted_exact_sum_writes_no_terms_to_memory() -> None:
    x = jnp.zeros(2**16)
    for arguments in ({}, {"form": "squared"}, {"weight": x}):
        compiled = jax.jit(lambda x, y: dice_any.overlap(x, y, **arguments)).lower(x, x).compile()  # noqa: B023
        assert compiled.memory_analysis().temp_size_in_bytes < x.nbytes / 10


def test_gradient_against_finite_differences() -> None:
    with jax.enable_x64(True):
        z, y = jnp.asarray(X.astype(np.float64)), jnp.asarray(Y)
        gradient = np.asarray(jax.grad(loss)(z, y))
        step = 1e-6
        for index in ((0, 0, 0), (1, 2, 39), (0, 1, 7)):
            shift = np.zeros(X.shape)
            shift[index] = step
            slope = (loss(z + shift, y) - loss(z - shift, y)) / (2 * step)
            assert gradient[index] == pytest.approx(float(slope), abs=1e-8)


def test_transformations() -> None:
    z, y = jnp.asarray(X), jnp.asarray(Y)
    assert loss(z, y).dtype == jnp.float32
    eager, compiled = jax.grad(loss)(z, y), jax.jit(jax.grad(loss))(z, y)
    assert eager.dtype == jnp.float32
    assert np.allclose(eager, compiled, atol=1e-8)
    _, tangent = jax.jvp(lambda z: loss(z, y), (z,), (jnp.ones_like(z),))
    assert abs(float(tangent)) < 1e-6  # softmax does not see a constant
    each = jax.vmap(lambda x, y: dice_any.dice_score(x, y, class_axis=0))(z, y)
    expected = dice_any.dice_score(X, Y, class_axis=1, axis=2).astype("float32")
    assert each.tolist() == expected.tolist()


@pytest.mark.parametrize("form", ["hard", "exact", "plain"])
def test_overlaps_go_in_and_out_of_transformations(form: str) -> None:
    """An axis that a transformation adds or removes is one of the counts."""
    z, y = jnp.asarray(X), jnp.asarray(Y)
    given = {"class_axis": 0} | ({"exact": form == "exact"} if form != "hard" else {})

    def count(z, y):
        return dice_any.overlap(z > 0.5 if form == "hard" else z, y, **given)

    expected = [count(a, b) for a, b in zip(z, y, strict=True)]
    whole = jax.vmap(count)(z, y)
    assert whole.shape == (len(y), 3)
    assert [part.to_dict() for part in whole] == [part.to_dict() for part in expected]
    scores = jax.vmap(dice_any.jaccard_score)(whole)
    assert np.asarray(scores).tolist() == [
        np.asarray(dice_any.jaccard_score(part)).tolist() for part in expected
    ]

    def step(total, sample):
        found = count(*sample)
        return total + found, found

    start = dice_any.Overlap.zero(like=expected[0])
    total, each = jax.jit(lambda start, z, y: jax.lax.scan(step, start, (z, y)))(start, z, y)
    assert total.to_dict() == sum(expected).to_dict()
    assert each.to_dict() == whole.to_dict()
    # a value that only passes through is not changed
    assert jax.tree.map(lambda leaf: leaf, whole)._held is whole._held
    assert jax.eval_shape(count, z[0], y[0]).shape == (3,)
    assert copy.copy(jax.eval_shape(jax.vmap(count), z, y)).shape == whole.shape
    for other in (pickle.loads(pickle.dumps(part)) for part in (whole, expected[0], total)):
        assert type(other.tp) is type(whole.tp)
    assert pickle.loads(pickle.dumps(whole)).to_dict() == whole.to_dict()


def test_a_process_may_begin_with_an_overlap_from_another() -> None:
    overlap = dice_any.overlap(jnp.asarray(X), jnp.asarray(Y), class_axis=1)
    code = f"""
import pickle, jax, dice_any
overlap = pickle.loads(bytes.fromhex({pickle.dumps(overlap).hex()!r}))
print(jax.jit(dice_any.dice_score)(overlap).tolist())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == f"{dice_any.dice_score(overlap).tolist()}\n"


@pytest.mark.parametrize("classes", [3, 90])
@pytest.mark.parametrize("weighted", [False, True])
def test_an_element_is_invalid_once_an_argument(classes: int, weighted: bool) -> None:
    x, y = recipe.labels(11, 30, 3, "int32"), recipe.labels(12, 30, 3, "int32")
    x[3] = y[3] = y[5] = classes
    weight = jnp.full(30, 7) if weighted else None
    count = jax.jit(partial(dice_any.overlap, num_classes=classes))
    assert set(count(jnp.asarray(x), jnp.asarray(y), weight=weight).invalid.tolist()) == {1 + 2}


def test_an_overlap_of_numpy_is_not_narrowed_unseen() -> None:
    there = dice_any.overlap(X, Y, class_axis=1)
    moved = dice_any.Overlap.from_dict(there.to_dict(), like=jnp.zeros(1))
    with pytest.raises(
        TypeError, match=r"must keep its counts in int64; got int32.*`Overlap\.from_dict"
    ):
        jax.jit(dice_any.dice_score)(there)
    expected = dice_any.dice_score(there).astype("float32").tolist()
    assert jax.jit(dice_any.dice_score)(moved).tolist() == expected


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("classes", [3, 80])
def test_the_best_of_scores_inside_jit(classes: int) -> None:
    scores, labels = recipe.memberships(7, (2, classes, 30)), recipe.labels(9, (2, 30), classes)
    scores[0, :, 3] = 0.5  # equal ones
    score = partial(dice_any.dice_score, class_axis=1, activation="argmax", axis=2, average="micro")
    assert (
        jax.jit(score)(jnp.asarray(scores), jnp.asarray(labels)).tolist()
        == score(scores, labels).tolist()
    )
    scores[1, 2, 4] = np.nan
    assert np.isnan(jax.jit(score)(jnp.asarray(scores), jnp.asarray(labels))).tolist() == [
        False,
        True,
    ]


def test_gradients_of_chosen_and_weighed_classes() -> None:
    """At JAX's own precision, against the slopes of a formula that is written out here."""
    z, y = jnp.asarray(X), jnp.asarray(Y)
    weight = jnp.asarray([1.0, 2.0, 0.5])

    def written_out(z):
        p = jax.nn.softmax(z, axis=1)
        losses = []
        for label in (2, 0):
            x, hit = p[:, label], y == label
            losses.append(1 - (2 * (x * hit).sum() + 1) / (x.sum() + hit.sum() + 1))
        return (0.5 * losses[0] + losses[1]) / 1.5

    def ours(z):
        return dice_any.dice_loss(
            z, y, class_axis=1, activation="softmax", classes=(2, 0), class_weight=weight
        )

    def of_an_overlap(z):
        chosen = dice_any.overlap(
            z, y, class_axis=1, activation="softmax", exact=False
        ).select_classes((2, 0))
        return dice_any.dice_loss(chosen, class_weight=[0.5, 1.0])

    expected = np.asarray(jax.grad(written_out)(z))
    assert np.abs(expected).max() > 1e-3
    for loss in (ours, of_an_overlap):
        for gradient in (jax.grad(loss)(z), jax.jit(jax.grad(loss))(z)):
            assert np.allclose(gradient, expected, rtol=1e-4, atol=1e-7)


DISTANCES = [[0, 1, 1], [1, 0, 0.5], [1, 0.5, 0]]
LOSSES = {
    "dice": dice_any.dice_loss,
    "generalized": dice_any.generalized_dice_loss,
    "matthews": dice_any.matthews_loss,
    "cross-entropy": dice_any.dice_cross_entropy_loss,
    "focal": dice_any.dice_focal_loss,
    "lovasz": dice_any.lovasz_loss,
    "centerline": dice_any.centerline_dice_loss,
    "wasserstein": partial(dice_any.wasserstein_dice_loss, distances=DISTANCES),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    "options", [{}, {"classes": "foreground", "class_weight": "simple", "absent": "skip"}]
)
def test_every_loss_is_differentiated_at_the_users_precision(name: str, options: dict) -> None:
    """Automatic differentiation, backward and forward, against the closed form of
    `value_and_grad`; `test_jax_derivatives` does it eagerly too.
    """
    z, y = jnp.asarray(X.reshape(2, 3, 5, 8) * 4 - 2), jnp.asarray(Y.reshape(2, 5, 8))
    function, bound = (
        getattr(LOSSES[name], "func", LOSSES[name]),
        getattr(LOSSES[name], "keywords", {}),
    )
    arguments = {"class_axis": 1, "activation": "softmax", **bound, **options}

    def loss(z):
        return function(z, y, **arguments)

    _, closed = dice_any.value_and_grad(function)(z, y, **arguments)
    assert np.abs(closed).max() > 1e-4
    gradient = jax.jit(jax.grad(loss))(z)
    assert gradient.dtype == jnp.float32
    assert np.allclose(gradient, closed, rtol=1e-4, atol=1e-7)
    _, tangent = jax.jit(lambda z, v: jax.jvp(loss, (z,), (v,)))(z, closed)
    assert float(tangent) == pytest.approx(float((closed**2).sum()), rel=1e-4)
    of_one = jax.jit(lambda z, y: function(z[None], y[None], **arguments))
    each = jax.jit(jax.vmap(of_one))(z, y)
    assert np.allclose(each, [of_one(a, b) for a, b in zip(z, y, strict=True)], rtol=1e-5)


def test_gradients_are_finite_where_nothing_is() -> None:
    nothing = jnp.zeros(5)
    assert jax.grad(lambda x: dice_any.dice_loss(x, nothing, smooth=0))(nothing).tolist() == [0] * 5
    z = jnp.asarray(X).at[:, :, 3].set(jnp.nan)
    y = jnp.asarray(Y).at[:, 3].set(255)
    ignored = jax.grad(
        lambda z: dice_any.jaccard_loss(z, y, class_axis=1, activation="softmax", ignore_label=255)
    )(z)
    assert np.isfinite(ignored).all()


def test_invalid_values_inside_jit_give_nan() -> None:
    x = jnp.asarray(X).at[0, 1, 0].set(2.0)
    scores = jax.jit(lambda x, y: dice_any.dice_score(x, y, class_axis=1))(x, jnp.asarray(Y))
    assert np.isnan(scores).tolist() == [False, True, False]
    with pytest.raises(ValueError, match="memberships"):
        dice_any.dice_score(x, jnp.asarray(Y), class_axis=1)


def _on_two_devices(code: str) -> str:
    """Run code in a process of its own that has two devices, and return what it prints."""
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_psum_over_devices_is_the_whole_batch() -> None:
    """Overlaps are pytrees: `psum` adds them leaf by leaf, exactly."""
    code = """
import jax, jax.numpy as jnp, numpy as np, dice_any
from functools import partial
from jax.sharding import PartitionSpec as P
from dice_any.testing import recipe
jax.config.update("jax_enable_x64", True)
mesh = jax.make_mesh((2,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
x, y = recipe.memberships(1, (4, 3, 20)), recipe.labels(3, (4, 20), 3, "int32")

@jax.jit
@partial(jax.shard_map, mesh=mesh, in_specs=(P("batch"), P("batch")), out_specs=P())
def score(x, y):
    return dice_any.dice_score(jax.lax.psum(dice_any.overlap(x, y, class_axis=1), "batch"))

got = np.asarray(score(jnp.asarray(x), jnp.asarray(y)))
print(got.tolist() == dice_any.dice_score(x, y, class_axis=1).tolist())
"""
    assert _on_two_devices(code) == "True\n"


def test_of_a_sharded_array_only_sums_travel() -> None:
    """One exact sum of each limb and device, for any distributed axis, with the bits of NumPy."""
    code = """
import re
import jax, numpy as np, dice_any
from jax.sharding import NamedSharding, PartitionSpec as P
from dice_any.testing import recipe
jax.config.update("jax_enable_x64", True)
mesh = jax.make_mesh((2,), ("spread",), axis_types=(jax.sharding.AxisType.Auto,))
first, last = P("spread"), P(None, "spread")
for shape, spread in (((192,), first), ((2048,), first), ((100, 256), last), ((6, 70), first)):
    x, y = (recipe.memberships(seed, shape) for seed in (1, 3))
    arrays = [jax.device_put(a, NamedSharding(mesh, spread)) for a in (x, y)]
    compiled = jax.jit(dice_any.dice_score).lower(*arrays).compile()
    moves = "all-gather|all-reduce|collective-permute|all-to-all"
    travels = re.findall(rf"= \\w+\\[([0-9,]*)\\]\\S* (?:{moves})", compiled.as_text())
    most = max(int(np.prod([int(n) for n in lengths.split(",") if n])) for lengths in travels)
    print(most <= 2, float(compiled(*arrays)) == float(dice_any.dice_score(x, y)))
"""
    assert _on_two_devices(code) == "True True\n" * 4


def test_a_mesh_of_explicit_axes() -> None:
    """In JAX's own kind of mesh, where operations must say how results are spread, each kind of
    work has the results that it has without a mesh.
    """
    code = """
import contextlib
import jax, numpy as np, dice_any
from functools import partial
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from dice_any.testing import oracle, recipe
jax.config.update("jax_enable_x64", True)
mesh = jax.make_mesh((2,), ("d",), axis_types=(AxisType.Explicit,))
x, y = recipe.memberships(1, (4, 3, 8)), recipe.labels(3, (4, 8), 3, "int32")
maps, masks = recipe.labels(5, (4, 8), 3, "int32"), recipe.masks(7, (4, 8))
soft, flat = {"class_axis": 1, "activation": "softmax"}, x[:, 0]
matrix = np.zeros((3, 3), dtype=np.int64)
np.add.at(matrix, (y, maps), 1)
counts = np.arange(1, 17).reshape(4, 4)

def of_counts(tp):
    overlap = dice_any.Overlap.from_counts(tp=tp, fp=tp, fn=tp, by_class=True)
    return dice_any.dice_score(overlap[1:3], average="macro", classes=[1, 0])

def pairs(a, b):
    return dice_any.pairwise_overlap(a, b, form="minimum").intersection

def gradient(z, y, loss=dice_any.dice_loss, exact=True):
    return dice_any.value_and_grad(loss)(z, y, **soft, exact=exact)[1]

ranked = partial(gradient, loss=dice_any.lovasz_loss, exact=None)
calls = [
    (lambda *maps: dice_any.confusion_matrix(*maps, num_classes=3), (maps, y), matrix),
    (lambda *maps: dice_any.overlap(*maps, regions=[(1, 2)]).tp, (maps, y),
     [matrix[1:, 1:].sum()]),
    (lambda x, y: dice_any.dice_score(x, y, class_axis=1, activation="argmax", average="micro"),
     (x, y), np.mean(x.argmax(axis=1) == y)),
    (lambda x, y: dice_any.overlap(x, y, class_axis=1).intersection, (x, y),
     [oracle.exact_sums(x[:, c], c == y).floats()[0] for c in range(3)]),
    (pairs, (flat, flat), [[oracle.exact_sums(a, b, "minimum").floats()[0] for b in flat]
                           for a in flat]),
    (pairs, (masks, masks), masks.astype(int) @ masks.astype(int).T),
    (of_counts, (counts,), [0.5, 0.5]),
    (lambda m: dice_any.Overlap.from_confusion_matrix(m).fn, (counts,),
     counts.sum(axis=1) - counts.diagonal()),
    (gradient, (x, y), gradient(x, y)),
    (ranked, (x, y), ranked(x, y)),
]
for n, (function, arrays, expected) in enumerate(calls):
    for last, context, run in (
        (False, contextlib.nullcontext(), function), (True, jax.set_mesh(mesh), jax.jit(function)),
    ):
        spread = [P(*[None] * (a.ndim - 1), "d") if last else P("d") for a in arrays]
        given = [jax.device_put(a, NamedSharding(mesh, s)) for a, s in zip(arrays, spread)]
        with context:
            got = run(*given)
        equal = np.allclose if function is ranked else np.array_equal
        if not equal(got, expected):
            print(n, spread, got, expected)
        if function in (gradient, ranked):
            assert got.sharding.is_equivalent_to(given[0].sharding, got.ndim)
with jax.set_mesh(mesh):
    x, y, ids = (jax.device_put(a, NamedSharding(mesh, P("d"))) for a in (x, y, counts[0] // 2))
    slopes = jax.grad(lambda z: dice_any.dice_loss(z, y, **soft, exact=True))(x)
    assert np.array_equal(slopes, calls[-2][-1])
    assert int(dice_any.set_overlap(ids, ids).tp) == 3
"""
    assert _on_two_devices(code) == ""


@pytest.mark.parametrize("differentiated", [False, True])
def test_a_compiler_meets_one_step_of_a_skeleton(differentiated: bool) -> None:
    """XLA takes minutes for a program in which ten steps are written one after the other."""

    def operations(iterations: int) -> int:
        loss = partial(dice_any.centerline_dice_loss, class_axis=1, iterations=iterations)
        traced = jax.make_jaxpr(jax.grad(loss) if differentiated else loss)
        return len(traced(jnp.ones((1, 2, 4, 4)) / 2, jnp.zeros((1, 4, 4), int)).eqns)

    assert operations(2) == operations(50)
