"""Soft skeletons, and their gradient: collect what opening removes, while the set is eroded step
by step.

    S_0 = x − open(x),   S_{k+1} = S_k + (1 − S_k)·(x_{k+1} − open(x_{k+1})),   x_{k+1} =
    erode(x_k),   open = dilate ∘ erode

Erosion is the minimum over the neighbours along each axis (a cross). Dilation is the maximum over
the box of all neighbours. There are no neighbours beyond the border. At a tie of two elements each
gets half of the gradient, as everywhere in this package.
"""

from __future__ import annotations

from ..arrays.library import Array, ArrayLibrary, Axes
from .task import Task


def skeleton(task: Task, library: ArrayLibrary, x: Array, *, axes: Axes, iterations: int) -> Array:
    """Return the soft skeleton of memberships, along the spatial axes."""
    return _steps(library, x, axes, iterations)[-1][-1]


def skeleton_gradient(
    task: Task, library: ArrayLibrary, x: Array, cotangent: Array, *, axes: Axes, iterations: int
) -> Array:
    """Return the gradient with respect to the memberships."""
    xp = library.xp
    steps = _steps(library, x, axes, iterations)
    g_skeleton, g_image = cotangent, xp.zeros_like(x)
    for i in range(len(steps) - 1, -1, -1):
        image, edge, _ = steps[i]
        before = steps[i - 1][-1] if i else xp.zeros_like(x)
        # S = before + (1 − before)·edge
        g_edge = xp.where(edge > 0, g_skeleton * (1.0 - before), xp.zeros_like(x))
        g_skeleton = g_skeleton * (1.0 - edge)
        g_image = g_image + g_edge - _open_gradient(library, image, g_edge, axes)
        if i:
            g_image = _erode_gradient(library, steps[i - 1][0], g_image, axes)
    return g_image


def _steps(
    library: ArrayLibrary, x: Array, axes: Axes, iterations: int
) -> list[tuple[Array, Array, Array]]:
    """Return for each erosion the eroded set, what opening removes from it, and the skeleton so
    far.
    """
    xp = library.xp
    steps: list[tuple[Array, Array, Array]] = []
    for i in range(iterations + 1):
        x = _erode(library, x, axes) if i else x
        edge = x - _dilate(library, _erode(library, x, axes), axes)
        edge = xp.where(edge > 0, edge, xp.zeros_like(edge))
        before = steps[-1][-1] if i else xp.zeros_like(x)
        steps.append((x, edge, before + (1.0 - before) * edge))
    return steps


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


def _open_gradient(library: ArrayLibrary, x: Array, g: Array, axes: Axes) -> Array:
    return _erode_gradient(
        library, x, _dilate_gradient(library, _erode(library, x, axes), g, axes), axes
    )


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
