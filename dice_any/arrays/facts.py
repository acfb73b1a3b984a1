"""Facts about an array library that are needed before computing: its arrays, their dtypes and
devices, and whether Python may read their values.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

Array = Any
if TYPE_CHECKING:
    from typing_extensions import TypeVar

    #: The type of the caller's array, where a result has the same type; Any for an `Overlap`.
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


class UnknownLibraryError(LookupError):
    """The object is not an array of any known library."""


class Masked(NamedTuple):
    """Why a masked array is refused: the code for its data, for its mask of valid elements, and for
    its data with another value in place of what is masked.

    ``{name}`` stands for the argument, ``{fill}`` for the value.
    """

    data: str
    valid: str
    filled: str


class LibraryFacts:
    """Facts about a library's arrays; see `ArrayLibrary`."""

    def __init__(self, module: str, namespace: Any = None) -> None:
        self.name = module
        namespace = namespace or module
        self.xp: Any = import_module(namespace) if isinstance(namespace, str) else namespace
        self._kinds: dict[Any, str] = {}
        self._names: dict[Any, str] = {}

    # -- what an array is --------------------------------------------------------------------------

    def is_array(self, value: Any) -> bool:
        """Tell whether an object of one of this library's classes is an array.

        Called once per class.
        """
        return hasattr(value, "shape") and hasattr(value, "dtype")

    def refusal(self, array: Array) -> str | Masked | None:
        """Say what to pass instead of an unsupported kind of array; None if it is supported.

        ``{name}`` stands for the argument.
        """
        return None

    def vetted(self, array: Array) -> Array:
        """Return the array to compute with, in a format that has all functions. What `refusal`
        cannot see, a lazy array refuses when its values are computed.
        """
        return array

    @property
    def public(self) -> str:
        """Return the name of the module whose functions users call."""
        return self.name

    def array_code(self, expression: str) -> str:
        """Return code that converts a NumPy array or numbers to an array, for a message."""
        return f"{self.public}.asarray({expression})"

    def cast_code(self, expression: str, dtype: str, *, rounded: bool = False) -> str:
        """Return code that casts an array, for a message that says what to pass."""
        expression = self.round_code(expression) if rounded else expression
        return f"{self.public}.astype({expression}, {self.public}.{dtype})"

    def round_code(self, expression: str) -> str:
        """Return code that rounds an array."""
        return f"{self.public}.round({expression})"

    #: what must be added to an index that does not cover all axes
    index_rest = ", ..."

    def kind(self, dtype: Any) -> str:
        """Return ``"bool"``, ``"integer"``, ``"floating"``, ``"complex"`` or ``"other"``."""
        kind = self._kinds.get(dtype)
        if kind is None:
            if getattr(dtype, "kind", "f") not in "biufc" or self.dtype_name(dtype).startswith(
                ("float8", "float4")
            ):
                # `isdtype` does not know the floating dtypes of ml_dtypes (bfloat16, float8)
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
        """Return the device; None if the library has none or it is unknown."""
        return getattr(array, "device", None)

    def metadata(self, array: Array) -> Hashable | None:
        """Return all facts about an array except its values, as a short key that is quick to make;
        None if that is not possible, or if `vetted` does not return the array itself: of calls with
        one key only the first is read.
        """
        return None

    def at_hand(self, array: Array) -> bool:
        """Tell whether Python can read values without synchronising and without breaking a
        trace.
        """
        return False

    def has_values(self, array: Array) -> bool:
        """Tell whether values exist, even if reading them means waiting for a device."""
        return not self.traced(array)

    def same_numbers(self, x: Array, y: Array) -> bool:
        """Tell whether floating arrays hold the same numbers; NaN equals NaN, −0 differs from 0."""
        xp = self.xp
        same = (x == y) & (xp.signbit(x) == xp.signbit(y))
        return bool(xp.all(same | (xp.isnan(x) & xp.isnan(y))))

    def cure_for_narrowed(self, dtype: str) -> str:
        """Say what to do if a conversion has changed the counts of an overlap to `dtype`."""
        return (
            "Leave integers out of a conversion of everything, such as `.half()`, `.float()` or "
            "`set_dtype`"
        )

    def traced(self, *arrays: Array | None) -> bool:
        """Tell whether a compiler or transformation traces the call, so that no kernel may run."""
        return False

    def is_tracer(self, value: Any) -> bool:
        """Tell whether a value, which may be no array, exists within a trace only, so that the rule
        for a derivative must not close over it.
        """
        return False

    def has_float64(self, array: Array) -> bool:
        """Tell whether float64 exists on the array's device."""
        return True

    def are_memberships(self, values: Array) -> bool:
        """Tell whether values can be read and all are in [0, 1].

        False makes the caller take the slower path.
        """
        return False

    def are_finite(self, values: Array) -> bool:
        """Tell whether values can be read and all are finite.

        False makes the caller take the slower path.
        """
        return False

    def are_labels(self, values: Array, number: int) -> bool:
        """Tell whether values can be read and all integers are in [0, number).

        False makes the caller take the slower path.
        """
        return False

    def widest(self, array: Array) -> Any:
        """Return the widest real floating dtype on the array's device."""
        return self.xp.float64 if self.has_float64(array) else self.xp.float32

    def lends(self, *arrays: Array | None) -> bool:
        """Tell whether another library is faster with few numbers, and arrays can be converted to
        it and back without a copy.
        """
        return False

    def are_few(self, *arrays: Array | None) -> bool:
        """Tell whether arrays that can be converted are small enough for that library."""
        return False

    def can_keep(self, array: Array) -> bool:
        """Tell whether a loss may keep results of its forward pass for its backward pass.

        This is so if operations on a whole array are the fastest and copy nothing.
        """
        return False

    # -- for `backends()` --------------------------------------------------------------------------

    @property
    def version(self) -> str:
        return str(getattr(import_module(self.name), "__version__", "unknown"))

    def default_device(self) -> str:
        """Return the name of the device where new arrays are created."""
        return str(self.device(self.xp.zeros(1)) or "cpu")

    def __repr__(self) -> str:
        return f"<array library {self.name} {self.version}>"
