"""The Numba kernel beyond the conformance kit: memory layouts, threads, and when it is chosen."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import dice_any
from dice_any import kernels
from dice_any.kernels import reference
from dice_any.reading import read
from dice_any.testing import oracle, recipe

pytest.importorskip("numba")
from dice_any.kernels.numba import run, team

KERNEL = kernels.load_kernel(next(plugin for plugin in kernels.BUILTIN if plugin.module == "numpy"))
Z, Y = (
    recipe.memberships(1, (2, 3, 70, 40)) * np.float32(12) - np.float32(6),
    recipe.labels(3, (2, 70, 40), 3),
)
Y[:, ::7] = 255
W = recipe.memberships(5, (2, 70, 40))
LAYOUTS = {
    "contiguous": lambda a: a,
    "fortran": np.asfortranarray,
    "reversed": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "every other": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "swapped bytes": lambda a: a.astype(a.dtype.newbyteorder()),
    "unaligned": lambda a: _unaligned(a),
}
TASKS = {
    "softmax": {"activation": "softmax"},
    "sigmoid": {"activation": "sigmoid"},
    "cross-entropy": {"activation": "softmax", "entropy": 0.0},
    "focal": {"activation": "softmax", "entropy": 2.0},
    "focal sigmoid": {"activation": "sigmoid", "entropy": 1.5},
    "weighted": {"activation": "softmax", "weight": W, "entropy": 2.0},
    "squared": {"activation": "softmax", "form": "squared", "weight": W, "entropy": 0.0},
    "squared sigmoid": {"activation": "sigmoid", "form": "squared"},
}


def _unaligned(array: np.ndarray) -> np.ndarray:
    raw = np.zeros(array.nbytes + 1, dtype=np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def described(prediction, target, weight=None, entropy=None, exact=False, **arguments):
    task = read(prediction, target, weight=weight, exact=exact, **arguments)[1]
    return replace(task, entropy=entropy)


def cotangent(task, sums):
    return np.asarray(recipe.memberships(9, sums.shape, "float64")) - 0.5


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("class_axis", [1, 3])
@pytest.mark.parametrize("axis", ["space", None])
def test_sums_and_gradients_of_logits(name: str, class_axis: int, axis: str | None) -> None:
    """Against the reference in float64, from the same numbers."""
    options = dict(TASKS[name])
    z = np.ascontiguousarray(np.moveaxis(Z, 1, class_axis))
    weight = options.pop("weight", None)
    options |= {"class_axis": class_axis, "axis": axis, "ignore_label": 255}
    task, wide = (described(a, Y, weight=weight, **options) for a in (z, z.astype(np.float64)))
    sums, expected = (
        KERNEL.overlap(task, z, Y, weight),
        reference.overlap(wide, z.astype(np.float64), Y, weight),
    )
    np.testing.assert_allclose(sums, expected, rtol=1e-6)
    slopes = cotangent(task, sums)
    gradient = KERNEL.overlap_vjp(task, z, Y, weight, slopes)
    expected = reference.overlap_vjp(wide, z.astype(np.float64), Y, weight, slopes)
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(gradient, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["softmax", "focal", "focal sigmoid"])
def test_memberships_as_targets_of_logits(name: str) -> None:
    options = {**TASKS[name], "class_axis": 1}
    z, y = Z.astype(np.float64), recipe.memberships(11, Z.shape, "float64")
    task = described(z, y, **options)
    sums = KERNEL.overlap(task, z, y, None)
    np.testing.assert_allclose(sums, reference.overlap(task, z, y, None), rtol=1e-12)
    slopes = cotangent(task, sums)
    expected = reference.overlap_vjp(task, z, y, None, slopes)
    np.testing.assert_allclose(
        KERNEL.overlap_vjp(task, z, y, None, slopes), expected, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_change_no_bit(layout: str) -> None:
    lay = LAYOUTS[layout]
    p = recipe.memberships(13, (5, 6, 130))
    y = recipe.labels(15, (5, 130), 6, "int16")
    hard = recipe.masks(17, p.shape)
    labels = recipe.labels(19, p.shape, 6, "uint32")
    for x, t, options in (
        (p, y, {"class_axis": 1}),
        (p, p[::-1].copy(), {"axis": (0, 2)}),
        (hard, ~hard, {"axis": 1}),
        (labels, labels[::-1].copy(), {"num_classes": 6, "axis": "space"}),
    ):
        expected = dice_any.overlap(x, t, backend="reference", **options).to_dict()
        got = dice_any.overlap(lay(x), lay(t), backend="numba", **options)
        assert got.to_dict() == expected
    z = lay(Z)
    gradient = run.gradient(
        described(z, Y, class_axis=1, activation="softmax", ignore_label=255),
        z,
        Y,
        None,
        np.ones((5, 3)),
    )
    task = described(Z, Y, class_axis=1, activation="softmax", ignore_label=255)
    np.testing.assert_array_equal(gradient, run.gradient(task, Z, Y, None, np.ones((5, 3))))


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_memberships_that_are_kept_lead_to_the_same_gradient(name: str, layout: str) -> None:
    options = dict(TASKS[name])
    z, weight = LAYOUTS[layout](Z), options.pop("weight", None)
    task = described(z, Y, weight=weight, class_axis=1, ignore_label=255, **options)
    sums, kept = KERNEL.overlap_keeping(task, z, Y, weight)
    np.testing.assert_array_equal(sums, KERNEL.overlap(task, z, Y, weight))
    # the slope of a focal entropy needs a logarithm that memberships no longer hold
    assert (kept is None) == (bool(task.entropy) or layout == "swapped bytes")
    if kept is not None:
        slopes = cotangent(task, sums)
        gradient = KERNEL.overlap_vjp_over(task, kept, Y, weight, slopes)
        assert gradient is kept
        np.testing.assert_array_equal(gradient, KERNEL.overlap_vjp(task, z, Y, weight, slopes))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_memberships_are_kept_unrounded_or_not_at_all(dtype: str) -> None:
    z = Z.astype(dtype)
    task = described(z, Y, class_axis=1, ignore_label=255, activation="softmax")
    kept = KERNEL.overlap_keeping(task, z, Y, None)[1]
    assert (kept is None) == (dtype == "float16")
    targets = recipe.memberships(11, Z.shape, "float64")
    task = described(z, targets, class_axis=1, activation="softmax")
    assert (KERNEL.overlap_keeping(task, z, targets, None)[1] is None) == (dtype != "float64")


def test_a_broadcast_array_of_more_terms_than_a_float32_counts() -> None:
    n, value = 2**24 + 3, np.float32(0.7)
    x = np.broadcast_to(value, (n,))
    expected = [
        n * oracle.quantum(term) for term in (float(value) ** 2, float(value), float(value), 1.0)
    ]
    assert oracle.overlap_sums(dice_any.overlap(x, x, backend="numba")) == [oracle.Exact(*expected)]
    mask = np.broadcast_to(True, (n,))
    assert dice_any.overlap(mask, mask, backend="numba").to_dict()["sums"] == [n, n, n, n, 0]


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
)
def test_label_maps_of_every_type(dtype: str) -> None:
    x, y = recipe.labels(21, (3, 1001), 5, dtype), recipe.labels(23, (3, 1001), 5, dtype)
    y[:, :400] = 4  # also long runs
    y[:, 7] = np.iinfo(dtype).max
    keep = y != np.iinfo(dtype).max
    got = dice_any.overlap(
        x, y, num_classes=5, ignore_label=int(np.iinfo(dtype).max), backend="numba"
    )
    sets = [((x == c) & keep, (y == c) & keep) for c in range(5)]
    rows = got.to_dict()["sums"]
    assert rows[:3] == [
        [int((a & b).sum()) for a, b in sets],
        [int(a.sum()) for a, _ in sets],
        [int(b.sum()) for _, b in sets],
    ]
    assert rows[3:] == [[int(keep.sum())] * 5, [0] * 5]
    matrix = dice_any.confusion_matrix(
        x, y, num_classes=5, ignore_label=int(np.iinfo(dtype).max), backend="numba"
    )
    assert matrix.tolist() == [
        [int(((y == t) & (x == p)).sum()) for p in range(5)] for t in range(5)
    ]


def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    z = np.tile(Z, (1, 1, 20, 10))
    y = np.tile(Y, (1, 20, 10))
    task = described(z, y, class_axis=1, activation="softmax", ignore_label=255, entropy=0.0)
    answers = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(team, "size", lambda threads=threads: threads)
        monkeypatch.setattr(team, "_team", team._Team())
        answers.append(
            (run.sums(task, z, y, None), run.gradient(task, z, y, None, np.ones((9, 3))))
        )
    for sums, gradient in answers[1:]:
        np.testing.assert_array_equal(sums, answers[0][0])
        np.testing.assert_array_equal(gradient, answers[0][1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_process_that_forks_still_computes() -> None:
    code = (
        "import os, sys, numpy as np, dice_any\n"
        "x = np.ones(2**22, dtype=bool)\n"
        "def call(): assert dice_any.overlap(x, x, backend='numba').to_dict()['sums'][0] == 2**22\n"
        "call()\n"
        "child = os.fork()\n"
        "if not child: call(); os._exit(0)\n"
        "sys.exit(os.waitpid(child, 0)[1])\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)


def test_not_finite_logits_reach_the_loss() -> None:
    z, y = Z.copy(), recipe.labels(25, (2, 70, 40), 3)
    z[0, 1, 3, 4] = np.nan
    assert np.isnan(dice_any.dice_loss(z, y, class_axis=1, activation="softmax", backend="numba"))
    z[:, 1] = -np.inf  # an excluded class has membership 0 everywhere
    z[0, 0, 3, 4] = 0
    sums = run.sums(described(z, y, class_axis=1, activation="softmax"), z, y, None)
    assert sums[1, 1] == 0.0


def test_a_small_call_does_not_import_numba() -> None:
    code = (
        "import sys, numpy as np, dice_any\n"
        "x = np.ones((64, 64), dtype=np.float32)\n"
        "dice_any.dice_score(x, x > 0); dice_any.dice_loss(x, x)\n"
        "assert 'numba' not in sys.modules\n"
        "x = np.ones(2**20, dtype=np.float32)\n"
        "dice_any.dice_score(x, x)\n"
        "assert 'numba' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_choice_depends_on_size() -> None:
    large, small = np.zeros(2**20, dtype=np.float32), np.zeros(2**10, dtype=np.float32)
    assert kernels.select(described(large, large, exact=True), None).name == KERNEL.name
    assert kernels.select(described(small, small, exact=True), None) is reference
    assert kernels.select(described(small, small, exact=True), "numba").name == KERNEL.name
    assert kernels.select(described(large, large, exact=True), None, recorded=True) is reference
    assert "too few" in KERNEL.worthwhile(described(small, small))


def test_many_middling_calls_of_one_kind_are_worth_it_together() -> None:
    numba = importlib.import_module("dice_any.kernels.numba.kernel")
    kernel, size = numba.Kernel("numpy"), numba.ENOUGH_AGAIN
    calls = numba.ENOUGH_TOGETHER // size

    def taken(size: int, dtype: str, exact: bool = True) -> bool:
        array = np.zeros(size, dtype=dtype)
        return kernel.worthwhile(described(array, array, exact=exact)) is True

    assert [taken(size, "float32") for _ in range(calls)] == [False] * (calls - 1) + [True]
    assert taken(size, "float32")
    assert not taken(size - 1, "float32")
    assert not taken(size, "float64")  # other code has to be compiled
    masks = [taken(size, "bool") for _ in range(calls + 1)]
    assert not any(masks)  # NumPy itself is as fast
    # the size alone decides for plain sums, whose last bits depend on the kernel
    plain = [taken(numba.ENOUGH_PLAIN - 1, "float32", exact=False) for _ in range(2 * calls + 2)]
    assert not any(plain)


DECLINED = {
    "integer weights": (np.ones(3, bool), np.ones(3, bool), {"weight": np.ones(3, int)}),
    "label maps with floating weights": (
        np.zeros(3, int),
        np.zeros(3, int),
        {"num_classes": 2, "weight": np.ones(3)},
    ),
    "masks of classes against a label map": (
        np.ones((2, 3), bool),
        np.zeros(3, int),
        {"class_axis": 0},
    ),
    "only the reference adds classes up to regions": (
        np.full((3, 4), 0.25),
        np.zeros(4, int),
        {"class_axis": 0, "regions": [(1, 2), 0]},
    ),
}


@pytest.mark.parametrize("reason", DECLINED)
def test_what_is_declined_says_why(reason: str) -> None:
    x, y, arguments = DECLINED[reason]
    with pytest.raises(ValueError, match=f"'numba' declines: .*{reason}"):
        dice_any.overlap(x, y, backend="numba", **arguments)
    dice_any.overlap(x, y, **arguments)


def test_half_precision_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    y = torch.asarray(recipe.labels(27, (2, 70, 40), 3))
    for dtype in (torch.float16, torch.bfloat16):
        z = torch.asarray(Z).to(dtype).requires_grad_()
        dice_any.dice_loss(z, y, class_axis=1, activation="softmax", backend="numba").backward()
        wide = z.detach().to(torch.float64).requires_grad_()
        dice_any.dice_loss(
            wide, y, class_axis=1, activation="softmax", backend="reference"
        ).backward()
        assert z.grad.dtype == dtype
        # half a unit in the last place of the type, and its smallest numbers
        torch.testing.assert_close(
            z.grad.to(torch.float64),
            wide.grad,
            rtol=2.0 ** -(8 if dtype is torch.bfloat16 else 11),
            atol=3e-8,
        )


def test_a_view_that_negates_is_read_as_it_is_meant() -> None:
    """The imaginary part of a conjugate shares the memory of the numbers that it negates."""
    torch = pytest.importorskip("torch")
    z, y = torch.asarray(Z), torch.asarray(recipe.labels(27, (2, 70, 40), 3))
    gradients = []
    for logits in (torch.complex(z, -z).conj().imag, z.clone()):
        logits.requires_grad_()
        dice_any.dice_loss(
            logits, y, class_axis=1, activation="softmax", backend="numba"
        ).backward()
        gradients.append(logits.grad)
    torch.testing.assert_close(*gradients, rtol=0, atol=0)


def test_gradients_of_pytorch_pass_its_own_check() -> None:
    torch = pytest.importorskip("torch")
    z = torch.asarray(Z[:, :, :4, :5]).to(torch.float64).requires_grad_()
    y = torch.asarray(recipe.labels(29, (2, 4, 5), 3))

    def loss(z):
        return dice_any.dice_loss(
            z, y, class_axis=1, activation="softmax", axis="space", backend="numba"
        )

    assert torch.autograd.gradcheck(loss, (z,))


def test_tensors_without_memory_go_to_the_reference() -> None:
    torch = pytest.importorskip("torch")
    from torch._subclasses import FakeTensorMode

    with FakeTensorMode():
        z, y = torch.zeros((1, 2, 2**20)), torch.zeros((1, 2**20), dtype=torch.int64)
        loss = dice_any.dice_loss(z, y, class_axis=1, activation="softmax")
    assert loss.shape == ()


def test_a_softmax_that_some_classes_take_no_part_in_is_declined() -> None:
    """The kernel has one weight for each element."""
    z, t = np.zeros((2, 3, 40), dtype=np.float32), np.full((2, 3, 40), 0.5, dtype=np.float32)
    with pytest.raises(
        ValueError, match="declines: a softmax over classes with weights of their own"
    ):
        dice_any.overlap(
            z, t, class_axis=1, activation="softmax", weight=t, exact=False, backend="numba"
        )
