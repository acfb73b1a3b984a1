"""The properties of overlaps that must agree between processes."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..arrays import UnknownLibraryError, library_of
from ..arrays.library import ArrayLibrary
from ..reading import FORMS, KINDS, class_name, shown
from ..sums import Overlap
from ..sums.rows import INVALID

#: the dtypes of plain sums that processes can exchange
FLOATING = ("float64", "float32", "float16", "bfloat16")


class Facts(NamedTuple):
    """The properties that must agree between processes."""

    library: str
    kind: str
    form: str
    by_class: bool
    shape: tuple[int, ...]
    dtype: str
    differentiable: bool
    #: a hard zero without axes, which has no shape of its own
    nothing: bool
    #: why tensors cannot be added; "" if they can
    problem: str = ""

    @classmethod
    def of(cls, overlap: Any) -> Facts:
        """Return the facts about an overlap.

        There is no error here: the others must be told, or they would wait.
        """
        if not isinstance(overlap, Overlap):
            return cls._of_none(type(overlap).__name__)
        try:
            return cls._of_sums(overlap)
        except UnknownLibraryError:
            return cls._of_none(class_name(overlap._held))
        except Exception as error:
            return cls.of_error(error)

    @classmethod
    def of_error(cls, error: Exception) -> Facts:
        """Return what the others are told instead of facts about an overlap."""
        return cls._of_none("torch")._replace(problem=str(error) or repr(error))

    @classmethod
    def _of_none(cls, library: str) -> Facts:
        return cls(library, "", "", False, (), "", False, False)

    @classmethod
    def _of_sums(cls, overlap: Overlap) -> Facts:
        library, sums = overlap._library, overlap.rows
        if library.name == "torch":
            _check_sums(library, sums, overlap)
        plain_zero = overlap.kind == "hard" and overlap.shape == () and library.at_hand(sums)
        return cls(
            library.name,
            overlap.kind,
            overlap.form,
            overlap.by_class,
            overlap.shape,
            library.dtype_name(sums.dtype),
            library.name == "torch" and library.differentiable(sums),
            plain_zero and not library.xp.any(sums != 0),
        )

    def overlap_of(self, sums: Any, cls: type[Overlap]) -> Overlap:
        """Return the overlap, of a class, that holds the sums of all processes."""
        library = library_of(sums)
        return cls.of_sums(library, sums, self.kind, self.form, self.by_class)  # type: ignore[arg-type]


def foreign(library: str) -> str:
    return (
        f"`overlap` must hold PyTorch tensors; got those of {library}. "
        "In JAX use `jax.lax.psum(overlap, axis_name)`; elsewhere gather the overlaps and add them."
    )


def _check_sums(library: ArrayLibrary, sums: Any, overlap: Overlap) -> None:
    """Check that tensors are sums of their kind, because an exchange of others may never end."""
    if library.traced(sums):
        raise ValueError(
            "`overlap` must hold values; got a tensor that a transformation follows. Exchange "
            "overlaps outside of it."
        )
    if sums.device.type == "meta":  # as of a model that is not yet in memory
        raise ValueError(
            "`overlap` must hold values; got a tensor on the device meta. Compute it on another."
        )
    rows = (INVALID + 1, 3) if overlap.kind == "exact" else (INVALID + 1,)
    numbers = FLOATING if overlap.kind == "plain" else ("int64",)
    name = library.dtype_name(sums.dtype)
    if (
        overlap.kind not in KINDS
        or overlap.form not in FORMS
        or tuple(sums.shape[: len(rows)]) != rows
        or name not in numbers
        or library.refusal(sums) is not None
    ):
        raise ValueError(
            f"`overlap` must hold sums in rows; got {name} of shape {tuple(sums.shape)} as sums of "
            f"the kind {shown(overlap.kind)} and the form {shown(overlap.form)}. Pass what "
            "`overlap` returned."
        )


def check_tensors(every: list[Facts]) -> None:
    """Check that every process brings tensors, or nothing; else the error is the same on all."""
    for rank, facts in enumerate(every):
        if facts.problem:
            raise ValueError(f"{facts.problem} That was in process {rank}.")
        if not facts.nothing and facts.library != "torch":
            raise ValueError(
                "overlaps to be added must hold PyTorch tensors in every process; got those of "
                f"{facts.library} in process {rank}. A process without data passes "
                "`Overlap.zero()`."
            )


def agreement(every: list[Facts]) -> Facts:
    """Return the properties of the sum, or raise the same error on every process."""
    check_tensors(every)
    bringing = {rank: facts for rank, facts in enumerate(every) if not facts.nothing}
    if not bringing:
        return every[0]
    kinds = {facts.kind for facts in bringing.values()}
    soft = {rank: facts for rank, facts in bringing.items() if facts.kind != "hard"}
    if "plain" in kinds and len(kinds) > 1:
        raise _differ(
            "kind",
            "be all plain, or all hard or exact",
            bringing,
            "Compute all with the same `exact=`.",
        )
    if len({facts.form for facts in soft.values()}) > 1:
        raise _differ("form", "have one form", soft, "Compute all with the same `form=`.")
    zero = (
        "A process without data passes `Overlap.zero()`, or `Overlap.zero(like=..., "
        "num_classes=...)` of their shape."
    )
    if len({facts.shape for facts in bringing.values()}) > 1:
        raise _differ("shape", "have one shape", bringing, zero)
    if len({facts.by_class for facts in bringing.values()}) > 1:
        raise _differ("by_class", "be all by class or none", bringing, zero)
    if len({facts.dtype for facts in bringing.values()}) > 1:
        raise _differ("dtype", "have one dtype", bringing, "Convert the predictions.")
    followed = {rank: facts.differentiable for rank, facts in enumerate(every)}
    if "plain" not in kinds and len(set(followed.values())) > 1:
        raise _differ(
            "differentiable",
            "be differentiated in all processes or in none, beside `exact=True`",
            dict(enumerate(every)),
            "Pass `exact=False`, or call `requires_grad_()` on all predictions.",
        )
    lead = next(iter((soft or bringing).values()))
    kind = "exact" if "exact" in kinds else lead.kind
    return lead._replace(kind=kind, differentiable=any(followed.values()))


def _differ(field: str, rule: str, facts: dict[int, Facts], cure: str) -> ValueError:
    found = {rank: getattr(fact, field) for rank, fact in facts.items()}
    parts = ", ".join(f"{value!r} in process {rank}" for rank, value in found.items())
    return ValueError(f"overlaps to be added must {rule}; got {parts}. {cure}")
