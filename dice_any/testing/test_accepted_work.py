"""Compare all work that a kernel accepts with the reference, and a library with NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from ..kernels import load_kernel
from .adapters import Adapter
from .capabilities import SMALL, kernel, limit
from .comparison import Budget, Subject, never_exercised, problems
from .work import FAMILIES, FLOATS, INTEGERS

#: kind of work -> what a library must have for it
NEEDED = {
    "masks": ("hard", "weight"),
    "label maps": ("hard", "weight"),
    "memberships": ("weight",),
    "classes": ("weight",),
    "logits": ("activation", "weight"),
    "pairs": ("pairwise",),
}
#: for a library; the rest of the kit tests its other functions
FEW = Budget(
    most=12, numbers=2**13, classes=65, rows=5, least=4, seconds=4, large=False, threads=False
)


def subject_of(backend: Adapter) -> Subject:
    if backend.options:
        return Subject(backend, load_kernel(kernel(backend.name)))
    ways_back = {"overlap_vjp", "overlap_keeping"} if limit(backend.name, "closed form") else ()
    return Subject(backend, without=frozenset(ways_back), most_classes=3)


@pytest.mark.parametrize("family", FAMILIES)
def test_accepted_work(dice_backend: Adapter, family: str, capsys: pytest.CaptureFixture) -> None:
    subject = subject_of(dice_backend)
    if subject.kernel is None:
        for feature in NEEDED[family]:
            if reason := limit(dice_backend.name, feature):
                pytest.skip(f"{dice_backend.name}: {reason}")
    budget = FEW._replace(large=dice_backend.library.name not in SMALL)
    found = list(problems(subject, Budget() if subject.kernel else budget, [family]))
    with capsys.disabled():
        print(f"\n{subject.report()}")
    assert found == []
    if subject.kernel is None:
        assert subject.compared


def test_every_part_of_a_kernel_is_asked(dice_backend: Adapter) -> None:
    if not dice_backend.options:
        pytest.skip(f"{dice_backend.name} is no kernel")
    assert never_exercised(subject_of(dice_backend)) == []


@pytest.mark.parametrize("dtype", ["bool", *INTEGERS, *FLOATS[:3]])
def test_arrays_are_of_the_library_under_test(dice_backend: Adapter, dtype: str) -> None:
    if not dice_backend.has(dtype):
        pytest.skip(f"{dice_backend.name} has no {dtype}")
    array = dice_backend(np.asarray([[0, 1]], dtype=dtype))
    library = dice_backend.library
    assert library.shape(array) == (1, 2)
    assert library.dtype_name(array.dtype) == dtype
    assert dice_backend.values(array).tolist() == [[0, 1]]
