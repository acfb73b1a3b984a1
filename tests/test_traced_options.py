"""Options that a transformation or a compiler traces: they have no value, which the error says; as
constants they work.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any.testing.test_odd_arguments import LOSSES, SCORES

#: keyword -> a value that can be traced
TRACED: dict[str, Any] = {
    **dict.fromkeys(("alpha", "beta", "gamma", "smooth", "empty", "empty_target"), 0.5),
    **dict.fromkeys(("dice_weight", "cross_entropy_weight", "focal_weight"), 0.5),
    **dict.fromkeys(("class_axis", "ignore_label", "iterations"), 1),
    **dict.fromkeys(("axis", "classes", "spatial_axes"), 0),
    "num_classes": 3,
    "exact": False,
    "total": 7,
}
#: those whose constant is in a sequence
LISTED = {"classes": lambda v: [v], "spatial_axes": lambda v: [v + 2, v + 3]}
CASES = [
    (name, keyword)
    for name, (_, _, keywords) in {**SCORES, **LOSSES}.items()
    for keyword in keywords
    if keyword in TRACED and name != "set_overlap" and (name, keyword) != ("lovasz_loss", "smooth")
]
#: keyword -> a function whose arrays it goes with
FIRST = {keyword: name for name, keyword in reversed(CASES)}
FIRST |= {"ignore_label": "dice_score", "num_classes": "dice_score"}
SAYS = r"no value to read here: .* closes over or takes as a static argument\."


def arrays_of(name: str) -> tuple[list[Any], dict[str, Any]]:
    values, arguments, _ = {**SCORES, **LOSSES}[name]
    return list(values), {k: v for k, v in arguments.items() if k != "backend"}


def numbers(answer: Any) -> Any:
    return answer.rows if isinstance(answer, dice_any.Overlap) else answer


@pytest.mark.parametrize(("name", "keyword"), CASES)
def test_traced_by_jax(name: str, keyword: str) -> None:
    jax = pytest.importorskip("jax")
    function = getattr(dice_any, name)
    arrays, arguments = arrays_of(name)

    def call(x: Any, y: Any, value: Any) -> Any:
        return numbers(function(x, y, **arguments | {keyword: value}))

    value = TRACED[keyword]
    given = jax.numpy.asarray(value)
    arrays = [jax.numpy.asarray(a) for a in arrays]
    for transformed, traced in (
        (jax.jit(call), given),
        (jax.vmap(call, (None, None, 0)), given[None]),
    ):
        with pytest.raises(TypeError, match=rf"`{keyword}[^`]*` must .+; got .+{SAYS}"):
            transformed(*arrays, traced)
    if FIRST[keyword] != name:  # compiling takes long
        return
    value = LISTED.get(keyword, lambda v: v)(value)
    closed = jax.jit(lambda x, y: call(x, y, value))(*arrays)
    static = jax.jit(call, static_argnums=2)(
        *arrays, tuple(value) if isinstance(value, list) else value
    )
    assert np.array_equal(closed, static, equal_nan=True)


@pytest.mark.parametrize("keyword", ["smooth", "class_weight", "classes", "regions"])
def test_traced_within_a_list(keyword: str) -> None:
    jax = pytest.importorskip("jax")
    arrays, arguments = arrays_of("dice_loss")
    make = {
        "smooth": lambda v: (0, v),
        "class_weight": lambda v: [1, v, 1],
        "classes": lambda v: [0, v],
        "regions": lambda v: [0, (v,)],
    }[keyword]

    def call(x: Any, y: Any, value: Any) -> Any:
        return dice_any.dice_loss(x, y, **arguments | {keyword: make(value)})

    with pytest.raises(TypeError, match=rf"`{keyword}[^`]*` must .+; got .+{SAYS}"):
        jax.jit(call)(*map(jax.numpy.asarray, arrays), 1)
    assert np.isfinite(jax.jit(lambda x, y: call(x, y, 1))(*map(jax.numpy.asarray, arrays)))


@pytest.mark.parametrize(("name", "keyword"), CASES)
def test_tensors_without_a_value(name: str, keyword: str) -> None:
    """On the meta device nothing has one."""
    torch = pytest.importorskip("torch")
    arrays, arguments = arrays_of(name)
    value = torch.tensor(TRACED[keyword], device="meta")
    with pytest.raises(TypeError, match=rf"`{keyword}[^`]*` must .+; got torch.Tensor.+{SAYS}"):
        getattr(dice_any, name)(*map(torch.asarray, arrays), **arguments | {keyword: value})


@pytest.mark.parametrize("keyword", ["smooth", "alpha", "beta"])
def test_compiled_by_torch(keyword: str) -> None:
    torch = pytest.importorskip("torch")
    arrays, arguments = arrays_of("tversky_loss")
    x, y = map(torch.asarray, arrays)

    def call(x: Any, y: Any, value: Any) -> Any:
        return dice_any.tversky_loss(x, y, **arguments | {keyword: value})

    compiled = torch.compile(call, backend="eager", fullgraph=True)
    with pytest.raises(Exception, match=rf"`{keyword}` must be a number; got torch\..*") as caught:
        compiled(x, y, torch.tensor(0.5))
    assert re.search(SAYS, str(caught.value))
    for value in (0.5, 0.25):
        assert torch.allclose(compiled(x, y, value), call(x, y, value))


def test_what_float_cures() -> None:
    """`float(name)` is said where it works: of one number, which can be read."""
    for value in (np.array(0.5), np.bool_(True), *tensors(0.5)):
        with pytest.raises(TypeError, match=r"`smooth` must be a number; .*`float\(smooth\)`\.$"):
            dice_any.dice_loss(*arrays_of("dice_loss")[0], class_axis=1, smooth=value)
        dice_any.dice_loss(*arrays_of("dice_loss")[0], class_axis=1, smooth=float(value))
    odd: list[Any] = [np.ones(2), np.array(1 + 1j), np.array("1"), np.datetime64(1, "s")]
    odd += [np.timedelta64(1), *tensors([1.0, 2.0]), *tensors(1j)]
    for value in odd:
        with pytest.raises(TypeError, match=r"`smooth` must be a number; got [\w.]+\.$"):
            dice_any.dice_loss(*arrays_of("dice_loss")[0], class_axis=1, smooth=value)


def tensors(value: Any) -> list[Any]:
    try:
        import torch
    except ImportError:
        return []
    return [torch.tensor(value)]
