"""Soft skeletons, and their gradient: collect what opening removes, while the set is eroded step
by step.

    S_0 = x − open(x),   S_{k+1} = S_k + (1 − S_k)·(x_{k+1} − open(x_{k+1})),   x_{k+1} =
    erode(x_k),   open = dilate ∘ erode

Erosion is the minimum over the neighbours along each axis (a cross). Dilation is the maximum over
the box of all neighbours. There are no neighbours beyond the border. At a tie of two elements each
gets half of the gradient, as everywhere in this package.
"""

from __future__ import annotations

from typing import NamedTuple

from ..arrays.library import Array, ArrayLibrary, Axes
from .task import Task


def skeleton(task: Task, library: ArrayLibrary, x: Array, *, axes: Axes, iterations: int) -> Array:
    """Return the soft skeleton of memberships, along the spatial axes."""

    def step(state: State, _: None) -> tuple[State, None]:
        state, _edge = _collect(library, axes, state)
        return state, None

    start = State(x, library.xp.zeros_like(x))
    return library.scan(step, start, length=iterations + 1)[0].skeleton


def skeleton_gradient(
    task: Task, library: ArrayLibrary, x: Array, cotangent: Array, *, axes: Axes, iterations: int
) -> Array:
    """Return the gradient with respect to the memberships."""
    xp = library.xp

    def forward(state: State, _: None) -> tuple[State, tuple[State, State, Array]]:
        after, edge = _collect(library, axes, state)
        return after, (state, after, edge)

    def backward(slopes: State, kept: tuple[State, State, Array]) -> tuple[State, None]:
        before, after, edge = kept
        g_edge = xp.where(edge > 0, slopes.skeleton * (1.0 - before.skeleton), xp.zeros_like(x))
        # the eroded set is opened here, and is the set of the next step
        g_eroded = slopes.image - _dilate_gradient(library, after.image, g_edge, axes)
        g_image = g_edge + _erode_gradient(library, before.image, g_eroded, axes)
        return State(g_image, slopes.skeleton * (1.0 - edge)), None

    nothing, length = xp.zeros_like(x), iterations + 1
    _, kept = library.scan(forward, State(x, nothing), length=length)
    slopes, _ = library.scan(backward, State(nothing, cotangent), kept, length=length, reverse=True)
    return slopes.image


class State(NamedTuple):
    """A set that is eroded step by step and the skeleton so far; or the slopes in both."""

    image: Array
    skeleton: Array


def _collect(library: ArrayLibrary, axes: Axes, state: State) -> tuple[State, Array]:
    """Return the state after one more step, and what opening removed from the set."""
    xp = library.xp
    image, before = state
    eroded = _erode(library, image, axes)
    edge = image - _dilate(library, eroded, axes)
    edge = xp.where(edge > 0, edge, xp.zeros_like(edge))
    return State(eroded, before + (1.0 - before) * edge), edge


# -- minima and maxima over neighbours -------------------------------------------------------------


def _erode(library: ArrayLibrary, x: Array, axes: Axes) -> Array:
    low = _lowest(library, x, axes[0])
    for axis in axes[1:]:
        low = library.xp.minimum(low, _lowest(library, x, axis))
    return low


def _erode_gradient(library: ArrayLibrary, x: Array, g: Array, axes: Axes) -> Array:
    xp = library.xp
    low = _lowest(library, x, axes[0])
    along, lows = [low], [low]
    for axis in axes[1:]:
        along.append(_lowest(library, x, axis))
        lows.append(xp.minimum(lows[-1], along[-1]))
    total = xp.zeros_like(x)
    for i in range(len(axes) - 1, 0, -1):
        share = g * _share(library, lows[i - 1], along[i])
        total = total + _lowest_gradient(library, x, g - share, axes[i])
        g = share
    return total + _lowest_gradient(library, x, g, axes[0])


def _dilate(library: ArrayLibrary, x: Array, axes: Axes) -> Array:
    for axis in axes:
        x = -_lowest(library, -x, axis)
    return x


def _dilate_gradient(library: ArrayLibrary, x: Array, g: Array, axes: Axes) -> Array:
    inputs = []
    for axis in axes:
        inputs.append(-x)
        x = -_lowest(library, -x, axis)
    for axis, low in zip(reversed(axes), reversed(inputs), strict=True):
        g = _lowest_gradient(library, low, g, axis)
    return g


def _lowest(library: ArrayLibrary, x: Array, axis: int) -> Array:
    """Return the minimum of each element and its two neighbours along an axis."""
    before, after = _neighbours(library, x, axis)
    return library.xp.minimum(library.xp.minimum(before, x), after)


def _lowest_gradient(library: ArrayLibrary, x: Array, g: Array, axis: int) -> Array:
    xp = library.xp
    before, after = _neighbours(library, x, axis)
    pair = g * _share(library, xp.minimum(before, x), after)
    of_before = pair * _share(library, before, x)
    return (pair - of_before) + _neighbours_gradient(library, of_before, g - pair, axis)


def _share(library: ArrayLibrary, a: Array, b: Array) -> Array:
    """Return the derivative of min(a, b) in a: 1, ½ or 0."""
    xp = library.xp
    return xp.astype(a < b, a.dtype) + 0.5 * xp.astype(a == b, a.dtype)


def _neighbours(library: ArrayLibrary, x: Array, axis: int) -> tuple[Array, Array]:
    """Return the elements before and after each element; at the border, the element itself."""
    concat = library.xp.concat
    first, last = _cut(x, axis, 0, 1), _cut(x, axis, -1, None)
    return concat([first, _cut(x, axis, 0, -1)], axis=axis), concat(
        [_cut(x, axis, 1, None), last], axis=axis
    )


def _neighbours_gradient(
    library: ArrayLibrary, of_before: Array, of_after: Array, axis: int
) -> Array:
    xp = library.xp
    nothing = xp.zeros_like(_cut(of_before, axis, 0, 1))
    rest = xp.zeros_like(_cut(of_before, axis, 1, None))
    own = xp.concat([_cut(of_before, axis, 0, 1), rest], axis=axis) + xp.concat(
        [rest, _cut(of_after, axis, -1, None)], axis=axis
    )
    from_next = xp.concat([_cut(of_before, axis, 1, None), nothing], axis=axis)
    from_last = xp.concat([nothing, _cut(of_after, axis, 0, -1)], axis=axis)
    return own + (from_next + from_last)


def _cut(x: Array, axis: int, start: int, stop: int | None) -> Array:
    return x[(*(slice(None),) * axis, slice(start, stop), ...)]
