"""No call keeps its arguments or the caller's frames, and memory does not grow."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import dice_any
from dice_any import kernels
from dice_any.kernels import loading

from .adapters import Adapter
from .calls import SOFT, WITHOUT_ARRAYS, Call, calls, refused
from .capabilities import limit

CALLS, REFUSED = calls(), refused()
#: libraries whose own arrays, graphs or errors are freed only by the garbage collector
CYCLIC = {"dask", "cubed", "ndonnx", "jax", "sparse"}
#: libraries fast enough to make all calls many times
QUICK = {"numpy", "torch"}
#: one function of each kind, for the other libraries
FEW = {
    "dice_score",
    "overlap",
    "Overlap",
    "confusion_matrix",
    "pairwise_overlap",
    "set_overlap",
    "dice_loss",
}


class Bystander:
    """A local variable of the caller, to see whether its frame is kept."""


@pytest.fixture(params=["as installed", "turned off", "not importable"])
def _kernels(
    request: pytest.FixtureRequest,
    dice_backend: Adapter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Set the kernels that are not named in the call to each of their possible states."""
    if request.param == "as installed":
        return
    if dice_backend.options:
        pytest.skip(f"{dice_backend.name} is a kernel that is asked for by name")
    if not kernels.registered(dice_backend.library.name):
        pytest.skip(f"there is no kernel for {dice_backend.name}")
    if request.param == "turned off":
        monkeypatch.setattr(kernels, "_switch", [True])
        return

    def fail(self: Any) -> None:
        raise ModuleNotFoundError("it is not installed")

    monkeypatch.setattr(kernels, "_chosen", {})
    monkeypatch.setattr(loading, "_loaded", {})
    monkeypatch.setattr(loading._BuiltIn, "load", fail)


@pytest.fixture
def _no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def watched(backend: Adapter, values: np.ndarray) -> tuple[Any, list[weakref.ref]]:
    """Return the backend's array of these values, and an object that is freed with its memory."""
    values = np.array(values)
    if backend.library.name == "torch" and not backend.name.endswith("cuda"):
        array = backend.library.xp.from_numpy(values)  # views outlive a tensor, and hold its memory
    else:
        array = backend(values)
    return array, [weakref.ref(array), weakref.ref(values)]


def run(backend: Adapter, call: Call, *arrays: Any, weight: Any = None) -> Any:
    """Make one call; return None for work that a kernel declines."""
    arguments = {**call.arguments, **(backend.options if call.takes_backend else {})}
    if weight is not None:
        arguments["weight"] = weight
    try:
        return call.function(*arrays, **arguments)
    except ValueError as error:
        if backend.options and str(error).startswith("`backend` must"):
            return None
        raise


def left(backend: Adapter, call: Call, raises: bool = False) -> list[str]:
    """Return which of a call's arguments and of the caller's objects are alive, with the result."""
    refs: dict[str, weakref.ref] = {}

    def caller() -> Any:
        bystander = Bystander()
        refs["a local variable"] = weakref.ref(bystander)
        arrays = []
        for i, values in enumerate((*call.arrays, call.weight)):
            array, found = (None, []) if values is None else watched(backend, values)
            refs.update({f"argument {i} ({k})": ref for k, ref in enumerate(found)})
            arrays.append(array)
        try:
            return run(backend, call, *arrays[:-1], weight=arrays[-1])
        except (TypeError, ValueError, LookupError):
            if not raises:
                raise
            return None

    answer = caller()
    if limit(backend.name, "lazy") is None:
        del answer  # a lazy result holds its arguments
    if backend.name in CYCLIC:
        gc.collect()
    return [name for name, ref in refs.items() if ref() is not None]


def possible(backend: Adapter, among: list[Call] = CALLS) -> list[Call]:
    """Return the calls that a backend supports; one call of each function if calls take long."""

    def able(call: Call) -> bool:
        return all(limit(backend.name, feature) is None for feature in call.features)

    found = [call for call in among if able(call)]
    if backend.library.name in QUICK:
        return found
    return list({call.name: call for call in found}.values())


def test_every_public_function_is_called() -> None:
    public = {name for name in dice_any.__all__ if callable(getattr(dice_any, name))}
    assert public - WITHOUT_ARRAYS == {call.name for call in CALLS} - WITHOUT_ARRAYS


@pytest.mark.usefixtures("_kernels", "_no_collection")
def test_no_argument_outlives_a_call(dice_backend: Adapter) -> None:
    kept = {}
    for call in possible(dice_backend):
        found = left(dice_backend, call)
        if found:
            kept[f"{call.name} {call.arguments}"] = found
    assert not kept


@pytest.mark.usefixtures("_kernels", "_no_collection")
def test_no_argument_outlives_an_error(dice_backend: Adapter) -> None:
    kept = {}
    for call in possible(dice_backend, REFUSED):
        found = left(dice_backend, call, raises=True)
        if found:
            kept[call.name] = found
    assert not kept


@pytest.mark.usefixtures("_kernels", "_no_collection")
def test_calls_do_not_add_up(dice_backend: Adapter) -> None:
    """Make two thousand small calls; none may leave an object each time."""
    if limit(dice_backend.name, "lazy") is None:
        pytest.skip(f"{dice_backend.name} keeps what its graphs are made of for a while")
    chosen = [*possible(dice_backend), *possible(dice_backend, REFUSED)]
    repeats = 2000 // len(chosen) + 1
    if dice_backend.library.name not in QUICK:
        chosen, repeats = [call for call in chosen if call.name in FEW], 5
    growing = [call for call in chosen if grows(dice_backend, call, repeats)]
    assert not [f"{call.name} {call.arguments}" for call in growing]


def grows(backend: Adapter, call: Call, repeats: int) -> bool:
    """Return whether a call leaves an object or more each time."""
    arrays = [backend(values) for values in (*call.arrays, call.weight)]

    def repeat(number: int) -> None:
        for _ in range(number):
            try:
                run(backend, call, *arrays[:-1], weight=arrays[-1])
            except (TypeError, ValueError, LookupError):
                assert call in REFUSED
        gc.collect()  # also empties Python's lists of free objects

    gc.freeze()  # older objects need not be collected
    try:
        repeat(repeats)
        for more in (1, 4, 16, 64):  # a cache, for example of the library, is full after some calls
            before = sys.getallocatedblocks()
            repeat(more * repeats)
            if sys.getallocatedblocks() - before < more * repeats:
                return False
        return True
    finally:
        gc.unfreeze()


@pytest.mark.dice_feature("gradient")
@pytest.mark.usefixtures("_kernels", "_no_collection")
def test_no_argument_outlives_a_training_step(dice_backend: Adapter) -> None:
    kept = {}
    quick = dice_backend.library.name in QUICK
    losses = [call for call in CALLS if "loss" in call.features]
    losses = [call for call in losses if "closed form" not in call.features]
    for call in possible(dice_backend, losses):
        for activation in (None, "softmax") if quick else (None,):
            arguments = {"activation": activation, **call.arguments}
            found = step(
                dice_backend,
                Call(call.name, call.function, SOFT, arguments, call.features, call.weight),
            )
            if found:
                kept[f"{call.name} {arguments}"] = found
    assert not kept


def step(backend: Adapter, call: Call) -> list[str]:
    """Return which arguments of a training step are alive if its loss is kept for a log."""
    refs: dict[str, weakref.ref] = {}

    def caller() -> Any:
        arrays = []
        for name, values in zip(
            ("prediction", "target", "weight"),
            (*call.arrays, call.weight),
            strict=True,
        ):
            array, found = (None, []) if values is None else watched(backend, values)
            refs.update({f"{name} ({k})": ref for k, ref in enumerate(found)})
            arrays.append(array)
        if backend.library.name == "jax":
            import jax

            return jax.value_and_grad(lambda z: run(backend, call, z, arrays[1], weight=arrays[2]))(
                arrays[0],
            )
        # of a computed tensor, as those of a network are: a leaf is held by the graph itself
        prediction = arrays[0].requires_grad_() * 1.0
        refs["what the loss was called with"] = weakref.ref(prediction)
        loss = run(backend, call, prediction, arrays[1], weight=arrays[2])
        if loss is not None:
            loss.backward()
            assert arrays[0].grad is not None
        return loss

    answer = caller()
    if backend.name in CYCLIC:
        gc.collect()
    alive = [name for name, ref in refs.items() if ref() is not None]
    del answer
    # the graph of a loss holds its leaves, as that of any loss does
    leaf = "prediction" if backend.library.name == "torch" else "nothing"
    return [name for name in alive if not name.startswith(leaf)]
