"""What is to be known of an array library before it computes: what its arrays are, what they can
hold, what Python may see of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
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


class UnknownLibraryError(LookupError):
    """The object is not an array of any known library."""


class Masked(NamedTuple):
    """Why a masked array is refused: the codes of its data and of what is valid of them.

    ``{name}`` stands for the argument.
    """

    data: str
    valid: str


class LibraryFacts:
    """What arrays of a library are; see `ArrayLibrary`."""

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

    def metadata(self, array: Array) -> Hashable | None:
        """Return all that can be told of an array without its values, if that is little and quickly
        told; else None.
        """
        return None

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

    # -- what `backends()` says --------------------------------------------------------------------

    @property
    def version(self) -> str:
        return str(getattr(import_module(self.name), "__version__", "unknown"))

    def default_device(self) -> str:
        """Name the device that new arrays land on."""
        return str(self.device(self.xp.zeros(1)) or "cpu")

    def __repr__(self) -> str:
        return f"<array library {self.name} {self.version}>"
