"""What dice_any needs to know about an array library beyond the Array API standard.

`ArrayLibrary` is both the protocol and the default for a library that follows the standard. A
built-in library or a plugin overrides whatever differs. No other part of the package asks which
library it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .facts import A, Array, Axes, BlockFunction, LibraryFacts, Masked, UnknownLibraryError

__all__ = [
    "A",
    "Array",
    "ArrayLibrary",
    "Axes",
    "BlockFunction",
    "Masked",
    "NumPyLike",
    "UnknownLibraryError",
    "can_compute",
    "elements",
]


class ArrayLibrary(LibraryFacts):
    """An array library that follows the Array API standard.

    Parameters
    ----------
    module : str
        Name of the library's top-level module, e.g. ``"array_api_strict"``.
    namespace : module or str, optional
        Module that holds the standard's functions, or its name; the library's own by default.
    """

    # -- how it computes ---------------------------------------------------------------------------

    #: whether arrays are lazy and made of chunks that are another library's arrays
    in_chunks = False

    def wraps(self, array: Array) -> bool:
        """Tell whether int64 sums wrap modulo 2⁶⁴, and arrays are small enough for several
        passes.
        """
        return False

    def sums_53_bits(self, array: Array) -> bool:
        """Tell whether int64 sums are exact only below 2⁵³. ONNX runtimes add integers as
        float64.
        """
        return False

    def precision(self) -> AbstractContextManager[Any]:
        """Return the context manager in which float64 and int64 are available."""
        return nullcontext()

    def casts_back(self, array: Array) -> bool:
        """Tell whether a traced backward pass may multiply in half precision whatever is not
        float64.

        Call it outside of `precision`, because the backward pass runs outside of that context.
        """
        return False

    def differentiable(self, *arrays: Array | None) -> bool:
        """Tell whether automatic differentiation tracks any of these arrays outside of a trace."""
        return False

    def with_gradient(
        self,
        forward: Callable[..., Array],
        backward: Callable[..., Array],
        operations: Callable[..., Array],
    ) -> Callable[..., Array]:
        """Return `forward` with ``backward(*arguments, cotangent)`` as the gradient in its first
        argument.

        The second derivative comes from differentiating `operations`, which is the same function
        written in operations of the library.
        """
        return forward

    def with_closed_form(
        self,
        forward: Callable[..., Array],
        both: Callable[..., tuple[Array, Callable[[Array], Array]]],
        message: str,
        *arrays: Array,
    ) -> Array:
        """Return ``forward(*arrays)``.

        If automatic differentiation tracks the first array, its gradient is
        ``both(*arrays)[1](cotangent)``. Any other derivative, including one of that gradient, is
        an error with the text `message`.
        """
        return forward(*arrays)

    def hand_over(self, array: Array) -> Array:
        """Return an array as one of that library, on the same memory; called only if it `lends`."""
        raise NotImplementedError(
            f"{self.name} overrides `lends`, but not `hand_over`; define both"
        )

    def take_back(self, array: Array) -> Array:
        """Return an array of that library as one of this library; called only if it `lends`."""
        raise NotImplementedError(
            f"{self.name} overrides `lends`, but not `take_back`; define both"
        )

    def as_one_operation(
        self,
        both: Callable[..., tuple[Array, Callable[[Array], Array]]],
        operations: Callable[..., Array],
        *arrays: Array | None,
    ) -> Array:
        """Return ``both(*arrays)[0]``, whose gradient in the first array is
        ``both(*arrays)[1](cotangent)``. A second derivative differentiates `operations`, which is
        the same function written in operations of the library.
        """
        return both(*arrays)[0]

    def detach(self, array: Array) -> Array:
        """Return the array detached from automatic differentiation."""
        return array

    def forbid_gradient(self, array: Array, message: str, *, eager: bool = True) -> Array:
        """Return the array; taking its derivative is an error with the text `message`.

        The derivative would be 0, which is wrong. With ``eager=False`` only the derivative of a
        transformation is an error, because it asks for nothing else.
        """
        return array

    def stack(self, arrays: Sequence[Array], axis: int = 0) -> Array:
        """Stack arrays, most of them small ones of sums, along a new axis."""
        return self.xp.stack(arrays, axis=axis)

    def split(self, array: Array, lengths: Sequence[int]) -> list[Array]:
        """Split the first axis into parts of these lengths."""
        parts, start = [], 0
        for length in lengths:
            parts.append(array[start : start + length, ...])
            start += length
        return parts

    def halves(self, array: Array) -> tuple[Array, Array | None, Array]:
        """Return the front half, the middle entry (None if the length is even) and the back half
        of the last axis.
        """
        length = array.shape[-1]
        half = length // 2
        middle = array[..., half : half + 1] if length % 2 else None
        return array[..., :half], middle, array[..., length - half :]

    def unstack(self, array: Array) -> list[Array]:
        """Return the rows of small arrays of sums."""
        return [array[row, ...] for row in range(array.shape[0])]

    def only(self, array: Array) -> Array:
        """Return the one entry of the last axis."""
        return array[..., 0]

    def take(self, array: Array, numbers: Sequence[int]) -> Array:
        """Return the entries of the last axis with these indices, in the order given."""
        # not axis=-1: cubed would then take from the first axis
        return self.xp.take(array, self.places(numbers, array), axis=array.ndim - 1)

    def places(self, numbers: Sequence[int], like: Array) -> Array:
        """Return indices as `take` accepts them, on the device of `like`."""
        return self.constant(list(numbers), self.xp.int64, like)

    def clip(self, values: Array) -> Array:
        """Clip values to [0, 1]."""
        xp = self.xp
        values = xp.where(
            values >= 0, values, xp.zeros_like(values)
        )  # 0 and 1 themselves keep their gradient
        return xp.where(values <= 1, values, xp.ones_like(values))

    def argmax(self, scores: Array, axis: Any) -> Array:
        """Return the index of the maximum along an axis; the first one if several are equal."""
        return self.xp.argmax(scores, axis=axis)

    def power(self, base: Array, exponent: float) -> Array:
        """Return a power of positive numbers."""
        return base**exponent

    def lowest(self, array: Array) -> Array:
        """Return the minimum over the last axis, which is kept."""
        return self.xp.min(array, axis=-1, keepdims=True)

    def sum_integers(self, arrays: Sequence[Array], axis: Axes) -> list[Array]:
        """Sum int64 arrays of one shape."""
        return [self.xp.sum(array, axis=axis, dtype=self.xp.int64) for array in arrays]

    def count(self, mask: Array, axis: Axes) -> Array:
        """Count the true elements, as int64."""
        return self.xp.sum(self.xp.astype(mask, self.xp.int64), axis=axis, dtype=self.xp.int64)

    def sum_wide(self, terms: Array, axis: Axes) -> Array:
        """Sum floating terms to float64, with a relative error of at most one millionth."""
        return self.xp.sum(terms, axis=axis, dtype=self.xp.float64)

    #: ``sum_together(arrays, axis)`` sums floating arrays and masks of one shape to float64 in one
    #: pass, inside of a trace. None if the library's compiler does so by itself, or has no trace.
    sum_together: Callable[[Sequence[Array], Axes], list[Array]] | None = None

    #: ``equal(x, y)`` is 1 where floating numbers are equal, else 0, in their dtype. None unless
    #: multiplying is faster in this library than selecting by a mask.
    floating_equal: Callable[[Array, Array], Array] | None = None

    #: ``sigmoid(z)`` (NaN for +∞), ``softmax(z, axis)`` and ``log_softmax(z, axis)`` in one pass
    #: over the array; None if the library has none.
    sigmoid: Callable[[Array], Array] | None = None
    softmax: Callable[[Array, Any], Array] | None = None
    log_softmax: Callable[[Array, Any], Array] | None = None

    #: ``bincount(codes, length, weights)`` sums int64 weights (None: ones) per code; `codes` is a
    #: 1-D array of integers in [0, length). None if the library has none.
    bincount: Callable[[Array, int, Array | None], Array] | None = None

    def bins_floats(self, weights: Array) -> bool:
        """Tell whether `bincount` also adds these floating weights, in float64 and always in the
        same order.
        """
        return False

    def pair_codes(self, prediction: Array, target: Array, stride: int) -> Array | None:
        """Return target·stride + prediction as integers, if values can be read and all labels are
        in [0, stride - 1).

        None makes the caller take the slower path, which does not read values.
        """
        return None

    def sqrt(self, values: Array) -> Array:
        """Return the correctly rounded square root of float64 values."""
        return self.xp.sqrt(values)

    def constant(self, values: Any, dtype: Any, like: Array) -> Array:
        """Make an array from Python numbers or another array, on the device of `like`."""
        return self.xp.asarray(values, dtype=dtype, device=self.device(like))

    def arange(self, stop: int, like: Array) -> Array:
        """Return int64 0, 1, ..., stop - 1 on the device of `like`."""
        return self.constant(list(range(stop)), self.xp.int64, like)

    def zeros(self, shape: Axes, dtype: Any, like: Array) -> Array:
        """Return zeros on the device of `like`."""
        return self.xp.zeros_like(self.xp.broadcast_to(self.constant(0, dtype, like), shape))

    def pack(self, array: Array) -> Any:
        """Return a picklable object from which `unpack` restores the same numbers."""
        return array

    def unpack(self, packed: Any) -> Array:
        """Restore the array that was given to `pack`."""
        return packed

    def compute(self, array: Array, **options: Any) -> Array:
        """Compute a lazy array; return any other array unchanged."""
        return array

    def persist(self, array: Array, **options: Any) -> Array:
        """Compute a lazy array into memory and keep it lazy; return any other array unchanged."""
        return array

    def tolist(self, array: Array) -> Any:
        """Return the values as nested Python lists; a lazy library computes them."""
        if array.ndim == 0:
            return array.item() if hasattr(array, "item") else _python_number(self, array)
        return [self.tolist(array[i, ...]) for i in range(self.shape(array)[0])]

    def run(
        self,
        function: BlockFunction,
        task: Any,
        *arrays: Array | None,
        leading: tuple[int, ...],
        trailing: tuple[int, ...],
    ) -> Array:
        """Compute the sums of whole arrays by calling `function`, which sums one block.

        Sums have the shape (*leading, *kept, *trailing), where `kept` are the axes of the
        prediction that are neither summed nor the class axis. By default the whole array is one
        block. Host libraries loop over blocks that fit in cache; chunked libraries map `function`
        over their chunks.
        """
        return function(task, self, *arrays)

    def map(self, function: BlockFunction, task: Any, *arrays: Array | None) -> Array:
        """Compute an array like the first of `arrays` by calling `function`, which computes one
        block.

        Every array has the axes of the first, or all of them but the class axis; axes of length 1
        are broadcast.
        """
        return function(task, self, *arrays)

    def map_over(self, function: BlockFunction, task: Any, *arrays: Array | None) -> Array:
        """Do the same as `map`, but the result may overwrite the first array."""
        return self.map(function, task, *arrays)

    def room_like(self, array: Array) -> Array | None:
        """Return an uninitialised array like another, in whose blocks the function that `run`
        calls may write; None if it may not.
        """
        return None

    def run_whole(
        self,
        function: BlockFunction,
        task: Any,
        *arrays: Array | None,
        leading: tuple[int, ...],
        trailing: tuple[int, ...],
    ) -> Array:
        """Do the same as `run` for a `function` that needs all elements of a sum at once, for
        example to sort them.
        """
        return function(task, self, *arrays)

    def map_whole(self, function: BlockFunction, task: Any, *arrays: Array | None) -> Array:
        """Do the same as `map` for a `function` that needs all elements of a sum at once."""
        return function(task, self, *arrays)

    def on_all_devices(self, function: Callable[..., Array], *arrays: Array | None) -> Array:
        """Return ``function(*arrays)``, whole on every device over which the arrays are spread."""
        return function(*arrays)

    def scan(
        self,
        step: Callable[[Any, Any], tuple[Any, Any]],
        state: Any,
        results: Any = None,
        *,
        length: int,
        reverse: bool = False,
    ) -> tuple[Any, Any]:
        """Return the state after some steps, and the result of each step.

        `step` takes the state and the result that another scan had at the same step, and returns
        the next state and a result. States and results are tuples of arrays of fixed shapes. A
        library whose compiler has loops compiles the step once.
        """
        found: list[Any] = [None] * length
        for i in reversed(range(length)) if reverse else range(length):
            state, found[i] = step(state, None if results is None else results[i])
        return state, found

    def deliver(self, array: Array) -> Array:
        """Return a result in a dtype that the caller can use; called outside of `precision`."""
        return array

    def answer(self, sums: Array) -> Array:
        """Convert sums to the kind of array that the caller receives."""
        return sums

    def register(self, cls: type) -> None:
        """Register `cls`, which has ``tree_flatten`` and ``tree_unflatten``, with the library's
        transformations.
        """


class NumPyLike(ArrayLibrary):
    """A library whose arrays have NumPy's methods and accept an index that omits axes."""

    index_rest = ""

    def cast_code(self, expression: str, dtype: str, *, rounded: bool = False) -> str:
        expression = self.round_code(expression) if rounded else expression
        return f'{expression}.astype("{dtype}")'

    def round_code(self, expression: str) -> str:
        return f"{expression}.round()"


def _python_number(library: ArrayLibrary, scalar: Array) -> bool | int | float:
    kind = library.kind(scalar.dtype)
    return bool(scalar) if kind == "bool" else int(scalar) if kind == "integer" else float(scalar)


def can_compute(library: ArrayLibrary, array: Array) -> bool:
    """Tell whether values exist or can be computed: not if the array is traced or has none."""
    return library.in_chunks or library.has_values(array)


def elements(shape: tuple[int, ...]) -> int:
    """Return the number of elements of an array of this shape."""
    return math.prod(shape)
