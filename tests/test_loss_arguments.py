"""Every loss with every argument: an argument that it accepts has its effect, another is refused
with the usual message.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any import losses
from dice_any.reading import LossArguments
from dice_any.testing import every_loss, recipe
from dice_any.testing.every_loss import CALLS, COMPOUND, loss

X = recipe.memberships(1, (2, 3, 4, 5), "float64")
X = X / X.sum(axis=1, keepdims=True)
Y = recipe.labels(3, (2, 4, 5), 3)


SHARED = set(LossArguments.__annotations__)


def own(name: str) -> set[str]:
    """Return the keywords that only this loss has."""
    parameters = inspect.signature(getattr(losses, name)).parameters.values()
    return {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} - SHARED


#: keywords of other losses, of scores, of internal code, and unknown ones
STRANGE = {name for each in CALLS for name in own(each)} | {
    *(
        "empty",
        "empty_target",
        "entropy",
        "with_gradient",
        "squared_form",
        "pooled",
        "objective",
        "arguments",
        "hinge",
    ),
    *("smoth", "axes", "loss", "library", "task", "prediction", "target"),
}


def run(name: str, **arguments: Any) -> Any:
    activation = {"activation": "softmax"} if name in COMPOUND else {}
    return loss(name, **(activation | arguments))(X, Y)


@pytest.mark.parametrize("name", CALLS)
def test_arguments_of_nobody(name: str) -> None:
    for keyword in sorted(STRANGE - own(name) - SHARED):
        message = f"`{keyword}` must be an argument of `{name}`; got "
        with pytest.raises(TypeError, match=message):
            run(name, **{keyword: 1})
        with pytest.raises(TypeError, match=message):
            dice_any.value_and_grad(loss(name, **{keyword: 1}, activation="softmax"))(X, Y)


NONSENSE: dict[str, tuple[Any, str]] = {
    "average": ("nonsense", "`average` must be"),
    "absent": ("nonsense", "`absent` must be one of 'count', 'zero', 'skip'; got 'nonsense'"),
    "reduction": ("nonsense", "`reduction` must be one of 'mean', 'sum', 'none'; got 'nonsense'"),
    "class_weight": ("nonsense", "`class_weight` must be one of 'square', 'simple', 'uniform'"),
    "classes": ("nonsense", "`classes` must be a sequence of class numbers or 'foreground'"),
    "smooth": (-1, "`smooth` must be"),
    "form": ("nonsense", "`form` must be"),
    "activation": ("nonsense", "`activation` must be"),
    "axis": ("nonsense", "`axis` must be"),
    "num_classes": (5, "`num_classes` must equal the length of the class axis"),
    "ignore_label": (0.5, "`ignore_label` must be an integer"),
    "regions": ("nonsense", "`regions` must"),
    "exact": ("nonsense", "`exact` must be"),
    "backend": ("nonsense", "`backend` must"),
    "weight": ([1], "`weight` must be an array"),
    "class_axis": (9, "`class_axis` must be in"),
}


@pytest.mark.parametrize("keyword", NONSENSE)
@pytest.mark.parametrize("name", CALLS)
def test_nonsense(name: str, keyword: str) -> None:
    """No loss overrides a given argument; it says what is wrong with it."""
    value, message = NONSENSE[keyword]
    for function in (loss, lambda *a, **k: dice_any.value_and_grad(loss(*a, **k))):
        activation = {"activation": "softmax"} if name in COMPOUND else {}
        with pytest.raises((TypeError, ValueError, LookupError), match=re.escape(message)):
            function(name, **(activation | {keyword: value}))(X, Y)


def test_every_argument_was_tried() -> None:
    assert set(NONSENSE) == SHARED


#: arguments that a loss fixes, and says so: loss, argument, refused values, its own values
FIXED: list[tuple[str, str, tuple[Any, ...], tuple[Any, ...]]] = [
    ("generalized_dice_loss", "average", ("macro", "weighted"), (None, "micro")),
    ("wasserstein_dice_loss", "average", ("micro",), (None,)),
    ("wasserstein_dice_loss", "form", ("squared", "minimum"), ("product",)),
    ("wasserstein_dice_loss", "activation", ("sigmoid",), (None,)),
    ("lovasz_loss", "smooth", (0, 1.0, (0, 1)), ()),
    ("lovasz_loss", "form", ("squared", "minimum"), ("product",)),
    ("lovasz_loss", "exact", (True,), (None, False)),
    ("lovasz_loss", "backend", ("numba",), (None, "reference")),
    ("centerline_dice_loss", "form", ("squared", "minimum"), ("product",)),
    *((name, "activation", (None,), ("softmax", "sigmoid")) for name in COMPOUND),
    *((name, "form", ("squared",), ("product", "minimum")) for name in every_loss.NOT_SQUARED),
    *((name, "activation", ("argmax",), ()) for name in CALLS),
]


@pytest.mark.parametrize(("name", "keyword", "refused", "taken"), FIXED)
def test_what_a_loss_fixes(
    name: str, keyword: str, refused: tuple[Any, ...], taken: tuple[Any, ...]
) -> None:
    for value in refused:
        with pytest.raises(ValueError, match=f"`{keyword}` must "):
            run(name, **{keyword: value})
    for value in taken:
        assert np.isfinite(run(name, **{keyword: value}))


def test_what_generalized_dice_pools() -> None:
    expected = dice_any.dice_loss(X, Y, class_axis=1, average="micro", class_weight="square")
    for options in ({}, {"average": None}, {"average": "micro"}, {"class_weight": "square"}):
        assert run("generalized_dice_loss", **options) == expected
    unweighted = dice_any.dice_loss(X, Y, class_axis=1, average="micro")
    assert run("generalized_dice_loss", class_weight=None) == unweighted
    with pytest.raises(ValueError, match=r"`average` must be one of None, 'micro'; got 'macro'"):
        run("generalized_dice_loss", average="macro")
    with pytest.raises(
        ValueError, match="`class_axis` must be given in this loss, which pools classes; got none"
    ):
        dice_any.generalized_dice_loss(X[:, 0], Y > 0)


# -- what `value_and_grad` takes -------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_bound_arguments(name: str) -> None:
    function = getattr(losses, name)
    given = {"class_axis": 1, "activation": "softmax", "reduction": "sum", **CALLS[name]}
    expected = dice_any.value_and_grad(function)(X, Y, **given)
    ways: list[Callable[..., Any]] = [
        partial(function, **given),
        partial(partial(function, **given), reduction="sum"),
        partial(partial(function, **(given | {"reduction": "mean"})), reduction="sum"),
    ]
    for way in ways:
        got = dice_any.value_and_grad(way)(X, Y)
        assert got[0] == expected[0]
        assert (got[1] == expected[1]).all()
    mean = dice_any.value_and_grad(ways[0])(X, Y, reduction="mean")
    assert mean[0] == function(X, Y, **(given | {"reduction": "mean"}))


def test_modules_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    modules = pytest.importorskip("dice_any.torch")
    weight = torch.tensor([1.0, 2.0, 0.5])
    module = modules.DiceLoss(class_axis=1, activation="softmax", class_weight=weight)
    x, y = torch.asarray(X), torch.asarray(Y)
    given = {"class_axis": 1, "activation": "softmax", "class_weight": [1.0, 2.0, 0.5]}
    expected = dice_any.value_and_grad(dice_any.dice_loss)(x, y, **given)
    for way in (module, partial(module)):
        got = dice_any.value_and_grad(way)(x, y)
        assert torch.equal(got[0], expected[0])
        assert torch.equal(got[1], expected[1])
    smoother = dice_any.value_and_grad(partial(module, smooth=3))(x, y)
    assert torch.equal(smoother[0], dice_any.dice_loss(x, y, smooth=3, **given))


@pytest.mark.parametrize(
    "other",
    [
        dice_any.dice_score,
        len,
        "dice_loss",
        None,
        [],
        lambda x, y: 0,
        partial(dice_any.dice_score),
        dice_any.dice_loss(X, Y, class_axis=1),
        np.array([0.123, 7.0]),
        [0.123, 7.0],
        partial(len, x=np.array([0.123, 7.0])),
        type("Holds", (), {"__repr__": lambda self: "0.123"})(),
    ],
)
def test_what_is_no_loss(other: Any) -> None:
    with pytest.raises(
        TypeError,
        match=r"`loss` must be a loss of this package, or a `functools\.partial` of one; got",
    ) as caught:
        dice_any.value_and_grad(other)
    assert "0.123" not in str(caught.value)


def test_classes_are_no_losses() -> None:
    modules = pytest.importorskip("dice_any.torch")
    for name in modules.modules.__all__:
        cls = getattr(modules, name)
        message = rf"`loss` must be a loss, .*; got the class {name}\. Make .*: `{name}\(\.\.\.\)`"
        for given in (cls, partial(cls, class_axis=1)):
            with pytest.raises(TypeError, match=message):
                dice_any.value_and_grad(given)
    for other in (int, modules.DeepSupervision):
        with pytest.raises(TypeError, match=f"`loss` must be .*; got `{other.__name__}`"):
            dice_any.value_and_grad(other)


# -- an overlap alone, or one array ----------------------------------------------------------------

COUNTS = dice_any.overlap(X, Y, class_axis=1)
#: losses that are functions of more than sums
NOT_OF_SUMS = {*COMPOUND, "lovasz_loss", "centerline_dice_loss", "wasserstein_dice_loss"}


@pytest.mark.parametrize("name", CALLS)
def test_an_overlap_alone(name: str) -> None:
    """A loss takes it, or says that it needs the arrays; it has no gradient."""
    activation = {"activation": "softmax"} if name in COMPOUND else {}
    function = partial(getattr(losses, name), **CALLS[name], **activation)
    with pytest.raises(TypeError, match="`prediction` must be an array to have a gradient; got an"):
        dice_any.value_and_grad(function)(COUNTS)
    if name in NOT_OF_SUMS:
        with pytest.raises(
            TypeError, match="`prediction` must be .+; got an Overlap. Pass the arr"
        ):
            function(COUNTS)
    else:
        assert np.isfinite(function(COUNTS))
    given = activation | {"class_axis": 1}
    for call in (function, dice_any.value_and_grad(function)):
        with pytest.raises(
            TypeError, match="`target` must be an array .+; got NoneType. Pass both"
        ):
            call(X, **given)


def test_an_overlap_alone_given_to_a_module() -> None:
    torch = pytest.importorskip("torch")
    modules = pytest.importorskip("dice_any.torch")
    counts = dice_any.overlap(torch.asarray(X), torch.asarray(Y), class_axis=1)
    for name in modules.modules.__all__:
        function = getattr(modules, name).function.__name__
        activation = {"activation": "softmax"} if function in COMPOUND else {}
        module = getattr(modules, name)(**CALLS[function], **activation)
        if function in NOT_OF_SUMS:
            with pytest.raises(
                TypeError, match="`prediction` must be .+; got an Overlap. Pass the"
            ):
                module(counts)
        else:
            expected = getattr(losses, function)(counts, **CALLS[function])
            assert torch.equal(module(counts), expected)
            with pytest.raises(TypeError, match="`class_axis` must be left out beside an Overlap"):
                getattr(modules, name)(class_axis=1, **CALLS[function])(counts)
        with pytest.raises((TypeError, ValueError), match="`(target|class_axis)` must .+; got N"):
            module(torch.asarray(X))
    with pytest.raises(TypeError, match="`group` must be None beside an Overlap.+all_reduce"):
        modules.DiceLoss(group="world")(counts)


def test_positional_arguments_are_not_bound() -> None:
    with pytest.raises(
        TypeError, match="`loss` must have its arguments bound by name; got 1 bound by position"
    ):
        dice_any.value_and_grad(partial(dice_any.dice_loss, X))
    with pytest.raises(
        ValueError, match="`reduction` must be 'mean' or 'sum' for a gradient; got 'none'"
    ):
        dice_any.value_and_grad(partial(dice_any.dice_loss, reduction="none"))(X, Y, class_axis=1)


# -- dtypes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_losses_in_the_dtype_of_the_prediction(name: str) -> None:
    """At least float32. A dtype wider than float64 is kept, but computed in float64."""
    given = loss(name, activation="softmax")
    wide = np.longdouble
    expected, slopes = dice_any.value_and_grad(given)(X, Y)
    for dtype, of_value in (
        (wide, wide),
        (np.float64, np.float64),
        (np.float32, np.float32),
        (np.float16, np.float32),
    ):
        value, gradient = dice_any.value_and_grad(given)(X.astype(dtype), Y)
        assert value.dtype == of_value
        assert given(X.astype(dtype), Y).dtype == of_value
        assert gradient.dtype == dtype
        if dtype in (wide, np.float64):
            assert float(value) == pytest.approx(float(expected), rel=1e-14)
            assert gradient.astype(np.float64) == pytest.approx(slopes, rel=1e-12, abs=1e-18)
    if name != "lovasz_loss":
        assert given(X.astype(wide), Y, exact=True).dtype == wide


def test_narrow_dtypes_come_back_as_float32() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for dtype in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2):
        value, gradient = dice_any.value_and_grad(dice_any.dice_loss)(
            X.astype(dtype), Y, class_axis=1
        )
        assert value.dtype == np.float32
        assert gradient.dtype == dtype
        expected = dice_any.dice_loss(X.astype(dtype).astype(np.float64), Y, class_axis=1)
        assert float(value) == pytest.approx(float(expected), rel=1e-6)
