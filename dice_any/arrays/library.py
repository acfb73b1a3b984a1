"""What dice_any needs to know about an array library beyond the Array API standard.

`ArrayLibrary` is both the protocol and the default answer for a library that keeps to the standard.
A built-in library or a plugin overrides what its library does differently; nothing else in the
package asks which library it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

Array = Any
if TYPE_CHECKING:
    from typing_extensions import TypeVar

    #: The type of the caller's array, where an answer is of the same; any, beside an `Overlap`.
    A = TypeVar("A", default=Any)
else:
    A = Any
Axes = tuple[int, ...]
#: (task, library, prediction, target, weight) -> sums of one block
BlockFunction = Callable[..., Array]

KINDS = {
    "bool": "bool",
    "integral": "integer",
    "real floating": "floating",
    "complex floating": "complex",
}


class Masked(NamedTuple):
    """Why a masked array is refused: the codes of its data and of what is valid of them.

    ``{name}`` stands for the argument.
    """

    data: str
    valid: str


class ArrayLibrary:
    """An array library that keeps to the Array API standard.

    Parameters
    ----------
    module : str
        Name of the library's top-level module, e.g. ``"array_api_strict"``.
    namespace : module or str, optional
        Module that holds the standard's functions, or its name; the library's own by default.
    """

    def __init__(self, module: str, namespace: Any = None) -> None:
        self.name = module
        namespace = namespace or module
        self.xp: Any = import_module(namespace) if isinstance(namespace, str) else namespace
        self._kinds: dict[Any, str] = {}
        self._names: dict[Any, str] = {}

    # -- what an array is --------------------------------------------------------------------------

    def is_array(self, value: Any) -> bool:
        """Tell whether an object of a class of this library is an array; asked once for a class."""
        return hasattr(value, "shape") and hasattr(value, "dtype")

    def refusal(self, array: Array) -> str | Masked | None:
        """Say what to pass instead of an array of a kind that cannot be used; None if it can.

        ``{name}`` stands for the argument.
        """
        return None

    @property
    def public(self) -> str:
        """Return the name of the module whose functions users call."""
        return self.name

    def array_code(self, expression: str) -> str:
        """Return the code that makes an array of NumPy's or of numbers, for a message."""
        return f"{self.public}.asarray({expression})"

    def cast_code(self, expression: str, dtype: str, *, rounded: bool = False) -> str:
        """Return the code that converts an array, for a message that says what to pass."""
        expression = self.round_code(expression) if rounded else expression
        return f"{self.public}.astype({expression}, {self.public}.{dtype})"

    def round_code(self, expression: str) -> str:
        """Return the code that rounds an array."""
        return f"{self.public}.round({expression})"

    #: what follows an index that does not name all axes
    index_rest = ", ..."

    def kind(self, dtype: Any) -> str:
        """Return ``"bool"``, ``"integer"``, ``"floating"``, ``"complex"`` or ``"other"``."""
        kind = self._kinds.get(dtype)
        if kind is None:
            if getattr(dtype, "kind", "f") not in "biufc" or self.dtype_name(dtype).startswith(
                ("float8", "float4")
            ):
                # not a NumPy dtype that NumPy has a word for: ml_dtypes' bfloat16 and float8 are
                # floating all the same
                kind = "floating" if "float" in self.dtype_name(dtype) else "other"
            else:
                kind = next(
                    (ours for theirs, ours in KINDS.items() if self.xp.isdtype(dtype, theirs)),
                    "other",
                )
            self._kinds[dtype] = kind
        return kind

    def dtype_name(self, dtype: Any) -> str:
        """Return the standard's name of a dtype, e.g. ``"float32"``."""
        name = self._names.get(dtype)
        if name is None:
            name = self._names[dtype] = (
                getattr(dtype, "name", None) or str(dtype).rpartition(".")[2]
            )
        return name

    def shape(self, array: Array) -> tuple[int, ...]:
        """Return the shape as Python integers."""
        return tuple(array.shape)

    def device(self, array: Array) -> Any:
        """Return the device, or None where the library has none or cannot tell."""
        return getattr(array, "device", None)

    def at_hand(self, array: Array) -> bool:
        """Tell whether Python may look at values without a synchronisation and without breaking a
        trace.
        """
        return False

    def has_values(self, array: Array) -> bool:
        """Tell whether there are values to look at, be it after waiting for a device."""
        return not self.traced(array)

    def same_numbers(self, x: Array, y: Array) -> bool:
        """Tell whether floating arrays hold the same numbers: NaN is NaN, and −0 is not 0."""
        xp = self.xp
        same = (x == y) & (xp.signbit(x) == xp.signbit(y))
        return bool(xp.all(same | (xp.isnan(x) & xp.isnan(y))))

    def cure_for_narrowed(self, dtype: str) -> str:
        """Say what to do about the counts of an overlap that a conversion has made `dtype`."""
        return (
            "Leave integers out of a conversion of everything, such as `.half()`, `.float()` or "
            "`set_dtype`"
        )

    def traced(self, *arrays: Array | None) -> bool:
        """Tell whether a compiler or transformation is recording the call, so that foreign code
        must stay out.
        """
        return False

    def has_float64(self, array: Array) -> bool:
        """Tell whether float64 exists on the array's device."""
        return True

    def are_memberships(self, values: Array) -> bool:
        """Tell whether Python may look and all values are in [0, 1]; False sends the caller the
        slower way.
        """
        return False

    def are_finite(self, values: Array) -> bool:
        """Tell whether Python may look and no value is infinite or NaN; False sends the caller the
        slower way.
        """
        return False

    def are_labels(self, values: Array, number: int) -> bool:
        """Tell whether Python may look and all integers are in [0, number); False sends the caller
        the slower way.
        """
        return False

    def widest(self, array: Array) -> Any:
        """Return the widest real floating dtype on the array's device."""
        return self.xp.float64 if self.has_float64(array) else self.xp.float32

    # -- how it computes ---------------------------------------------------------------------------

    def wraps(self, array: Array) -> bool:
        """Tell whether an int64 sum beyond 2⁶³ is one modulo 2⁶⁴, and arrays are small enough for
        several passes.
        """
        return False

    def sums_53_bits(self, array: Array) -> bool:
        """Tell whether int64 sums are exact below 2⁵³ only, as in ONNX runtimes, which add integers
        as float64.
        """
        return False

    def precision(self) -> AbstractContextManager[Any]:
        """Return the context in which float64 and int64 exist."""
        return nullcontext()

    def casts_back(self, array: Array) -> bool:
        """Tell whether a trace's way back may multiply in half precision, where that is not of
        float64.

        To be asked outside of `precision`, which that way does not know of.
        """
        return False

    def differentiable(self, *arrays: Array | None) -> bool:
        """Tell whether an automatic differentiation follows any of these arrays outside of a
        trace.
        """
        return False

    def with_gradient(
        self,
        forward: Callable[..., Array],
        backward: Callable[..., Array],
        operations: Callable[..., Array],
    ) -> Callable[..., Array]:
        """Return `forward` made differentiable in its first argument by
        ``backward(*arguments, cotangent)``, and once more by differentiating `operations`: the same
        function in operations of the library.
        """
        return forward

    def detach(self, array: Array) -> Array:
        """Return the array without its link to an automatic differentiation."""
        return array

    def forbid_gradient(self, array: Array, message: str, *, eager: bool = True) -> Array:
        """Return the array, from which a derivative is an error that says `message`: it would be 0
        and wrong. With ``eager=False`` only a transformation's derivative, which can ask for
        nothing else.
        """
        return array

    def stack(self, arrays: Sequence[Array], axis: int = 0) -> Array:
        """Stack small arrays of sums."""
        return self.xp.stack(arrays, axis=axis)

    def split(self, array: Array, lengths: Sequence[int]) -> list[Array]:
        """Return parts of these lengths along the first axis."""
        parts, start = [], 0
        for length in lengths:
            parts.append(array[start : start + length, ...])
            start += length
        return parts

    def halves(self, array: Array) -> tuple[Array, Array | None, Array]:
        """Return the front and the back half of the last axis, and between them what is left."""
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
        """Return the entries of the last axis that have these numbers, in their order."""
        # not axis=-1, by which cubed takes from the first axis
        return self.xp.take(
            array, self.constant(list(numbers), self.xp.int64, array), axis=array.ndim - 1
        )

    def clip(self, values: Array) -> Array:
        """Return values drawn into [0, 1]."""
        xp = self.xp
        values = xp.where(
            values >= 0, values, xp.zeros_like(values)
        )  # 0 and 1 themselves keep their slope
        return xp.where(values <= 1, values, xp.ones_like(values))

    def argmax(self, scores: Array, axis: Any) -> Array:
        """Return the number of the largest along an axis, the first of equals."""
        return self.xp.argmax(scores, axis=axis)

    def sum_integers(self, arrays: Sequence[Array], axis: Axes) -> list[Array]:
        """Sum int64 arrays of one shape."""
        return [self.xp.sum(array, axis=axis, dtype=self.xp.int64) for array in arrays]

    def count(self, mask: Array, axis: Axes) -> Array:
        """Count the true elements, as int64."""
        return self.xp.sum(self.xp.astype(mask, self.xp.int64), axis=axis, dtype=self.xp.int64)

    def sum_wide(self, terms: Array, axis: Axes) -> Array:
        """Sum floating terms to float64, at most a millionth off."""
        return self.xp.sum(terms, axis=axis, dtype=self.xp.float64)

    #: ``equal(x, y)`` is 1 where floating numbers are equal, else 0, in their dtype, where the
    #: library is faster at multiplying than at selecting by a mask; else None.
    floating_equal: Callable[[Array, Array], Array] | None = None

    #: ``sigmoid(z)``, which is NaN of +∞, ``softmax(z, axis)`` and ``log_softmax(z, axis)`` in one
    #: pass over the array; None where the library has none.
    sigmoid: Callable[[Array], Array] | None = None
    softmax: Callable[[Array, Any], Array] | None = None
    log_softmax: Callable[[Array, Any], Array] | None = None

    #: ``bincount(codes, length, weights)`` adds int64 weights (None: ones) by integer codes in [0,
    #: length) of a 1-D array; None where the library cannot.
    bincount: Callable[[Array, int, Array | None], Array] | None = None

    def pair_codes(self, prediction: Array, target: Array, stride: int) -> Array | None:
        """Return target·stride + prediction as integers if Python may look and all labels are in
        [0, stride - 1).

        None sends the caller the slower way, which needs not look.
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
        """Return what can be pickled and gives the same numbers by `unpack`."""
        return array

    def unpack(self, packed: Any) -> Array:
        """Return the array that `pack` packed."""
        return packed

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
        lead: tuple[int, ...],
        tail: tuple[int, ...],
    ) -> Array:
        """Compute the sums of whole arrays from `function`, which computes those of a block.

        Sums have the shape (*lead, *kept, *tail), where `kept` are the axes of the prediction that
        are neither summed nor the class axis. The default has one block. Host libraries walk over
        blocks that stay in cache; chunked libraries map `function` over their chunks.
        """
        return function(task, self, *arrays)

    def map(self, function: BlockFunction, task: Any, *arrays: Array | None) -> Array:
        """Compute an array like the first of `arrays` from `function`, which computes a block of
        it.

        All arrays have the axes of the first, or all but the class axis; a length of 1 is
        broadcast.
        """
        return function(task, self, *arrays)

    def map_over(self, function: BlockFunction, task: Any, *arrays: Array | None) -> Array:
        """Do as `map` does with a first array that nobody needs any more: the result may take its
        memory.
        """
        return self.map(function, task, *arrays)

    def can_keep(self, array: Array) -> bool:
        """Tell whether operations on the whole of an array are the fastest and copy nothing, so
        that a loss may keep what its way forward has computed for its way back.
        """
        return False

    def run_whole(
        self,
        function: BlockFunction,
        task: Any,
        *arrays: Array | None,
        lead: tuple[int, ...],
        tail: tuple[int, ...],
    ) -> Array:
        """Do as `run` does where `function` needs all elements of a sum at once, to sort them for
        instance.
        """
        return function(task, self, *arrays)

    def map_whole(self, function: BlockFunction, task: Any, *arrays: Array | None) -> Array:
        """Do as `map` does where `function` needs all elements of a sum at once."""
        return function(task, self, *arrays)

    def deliver(self, array: Array) -> Array:
        """Return an answer in a dtype that the caller's next line can use; called outside of
        `precision`.
        """
        return array

    def answer(self, sums: Array) -> Array:
        """Return sums in the form that the caller is answered in."""
        return sums

    def register(self, cls: type) -> None:
        """Make `cls`, which has ``tree_flatten`` and ``tree_unflatten``, known to the library's
        transformations.
        """

    # -- what `backends()` says --------------------------------------------------------------------

    @property
    def version(self) -> str:
        return str(getattr(import_module(self.name), "__version__", "unknown"))

    def default_device(self) -> str:
        """Name the device that new arrays land on."""
        return str(self.device(self.xp.zeros(1)) or "cpu")

    def __repr__(self) -> str:
        return f"<array library {self.name} {self.version}>"


class NumPyLike(ArrayLibrary):
    """A library whose arrays have NumPy's methods, and take an index that leaves out axes."""

    index_rest = ""

    def cast_code(self, expression: str, dtype: str, *, rounded: bool = False) -> str:
        expression = self.round_code(expression) if rounded else expression
        return f'{expression}.astype("{dtype}")'

    def round_code(self, expression: str) -> str:
        return f"{expression}.round()"


def _python_number(library: ArrayLibrary, scalar: Array) -> bool | int | float:
    kind = library.kind(scalar.dtype)
    return bool(scalar) if kind == "bool" else int(scalar) if kind == "integer" else float(scalar)


def elements(shape: tuple[int, ...]) -> int:
    """Return the number of elements of an array of this shape."""
    return math.prod(shape)
