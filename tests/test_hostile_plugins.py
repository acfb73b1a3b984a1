"""Plugins that are broken in many ways: they harm only calls that name them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import array_api_compat.numpy as compat
import numpy as np
import pytest

import dice_any
from dice_any import arrays, kernels, plugins
from dice_any.arrays.library import ArrayLibrary
from dice_any.kernels import loading, reference
from dice_any.testing import recipe

X, Y = recipe.memberships(1, (4, 16)), recipe.memberships(3, (4, 16))
MASKS = recipe.masks(1, (4, 16)), recipe.masks(2, (4, 16))
MAPS = recipe.labels(1, (4, 16), 3), recipe.labels(2, (4, 16), 3)


def kernel(name: str, **parts: Any) -> SimpleNamespace:
    """Return a kernel that accepts everything and does as the reference, except for these parts."""
    usual = {
        part: getattr(reference, part) for part in ("overlap", "overlap_vjp", "confusion_matrix")
    }
    return SimpleNamespace(
        **{"name": name, "protocol": 1, "accepts": lambda task: True, **usual, **parts}
    )


def raising(error: BaseException | type[BaseException]) -> Callable[..., Any]:
    def fail(*arguments: Any) -> Any:
        raise error

    return fail


class Panic(BaseException):
    """An exception as from code in another language."""


class UnspeakableError(Exception):
    """An error that cannot be shown."""

    def __repr__(self) -> str:
        raise TypeError


class Class:
    """A class that would be a kernel if it were instantiated."""

    name, protocol = "class", 1

    def accepts(self, task):
        return True

    overlap = reference.overlap


class Touchy:
    """A kernel that raises if its attributes are read."""

    name, protocol = "touchy", 1

    @property
    def accepts(self):
        raise Panic("do not look")


def sums_as(change: Callable[[np.ndarray], Any]) -> Callable[..., Any]:
    return lambda *arguments: change(reference.overlap(*arguments))


#: kernels whose fault shows before they compute: value in this module -> the message
BEFORE = {
    "raising_accepts": "must answer `accepts`; got ValueError('no')",
    "leaving_accepts": "must answer `accepts`; got SystemExit(3)",
    "unspeakable_accepts": "must answer `accepts`; got UnspeakableError",
    "numpy_true": f"must answer `accepts` with True or a sentence; got {np.True_!r}",
    "none": "must answer `accepts` with True or a sentence; got None",
    "one": "must answer `accepts` with True or a sentence; got 1",
    "not_callable": "must answer `accepts`; got TypeError",
}
raising_accepts = kernel("raising_accepts", accepts=raising(ValueError("no")))
leaving_accepts = kernel("leaving_accepts", accepts=raising(SystemExit(3)))
unspeakable_accepts = kernel("unspeakable_accepts", accepts=raising(UnspeakableError))
numpy_true = kernel("numpy_true", accepts=lambda task: np.True_)
none = kernel("none", accepts=lambda task: None)
one = kernel("one", accepts=lambda task: 1)
not_callable = kernel("not_callable", accepts=True)

#: kernels that cannot be loaded: value -> the message
UNLOADED = {
    "Class": "is a class; the entry point must name an instance of it",
    "missing": "does not load: AttributeError",
    "touchy": "does not load: Panic('do not look')",
    "without_protocol": "must state the protocol that it keeps to, 1 in this version; got none",
    "old": "must state the protocol that it keeps to, 1 in this version; got 0",
    "true": "must state the protocol that it keeps to, 1 in this version; got True",
    "misnamed": "calls itself 'somebody else'",
    "nothing": "has no name and no accepts and no overlap",
}
touchy = Touchy()
without_protocol = kernel("without_protocol", protocol=None)
old, true = kernel("old", protocol=0), kernel("true", protocol=True)
misnamed, nothing = kernel("somebody else"), None

#: kernels whose results have the wrong form: value -> the message
ANSWERS = {
    "five_rows": "must return int64 of shape (7, 3); got int64 of shape (5, 3)",
    "flat": "must return int64 of shape (7, 3); got int64 of shape (21,)",
    "narrow": "must return int64 of shape (7, 3); got int32 of shape (7, 3)",
    "floats": "must return int64 of shape (7, 3); got float64 of shape (7, 3)",
    "a_list": "must return an array of numpy; got an object of type list",
    "nought": "must return an array of numpy; got None",
    "strict": "must return an array of numpy; got one of array_api_strict",
    "accusing": "must count as invalid what the reference finds to be so; got other numbers",
}
five_rows = kernel("five_rows", overlap=sums_as(lambda sums: sums[:5]))
flat = kernel("flat", overlap=sums_as(lambda sums: sums.reshape(-1)))
narrow = kernel("narrow", overlap=sums_as(lambda sums: sums.astype(np.int32)))
floats = kernel("floats", overlap=sums_as(lambda sums: sums.astype(np.float64)))
a_list = kernel("a_list", overlap=sums_as(lambda sums: sums.tolist()))
nought = kernel("nought", overlap=lambda *arguments: None)


def _strict(sums: np.ndarray) -> Any:
    strict = pytest.importorskip("array_api_strict")
    return strict.asarray(sums)


def _accuse(sums: np.ndarray) -> np.ndarray:
    sums[6] += 1  # weights that nobody passed
    return sums


strict = kernel("strict", overlap=sums_as(_strict))
accusing = kernel("accusing", overlap=sums_as(_accuse))

unworthy = kernel("unworthy", worthwhile=lambda task: np.True_)
raising_worth = kernel("raising_worth", worthwhile=raising(Panic))
impostor = kernel("numba", overlap=raising(AssertionError))
broken_problem = kernel("broken_problem", accepts=lambda task: "no", problem=raising(Panic))
wrong_gradient = kernel(
    "wrong_gradient", overlap_vjp=lambda task, prediction, *rest: np.ones(3, np.float32)
)
wrong_keeping = kernel(
    "wrong_keeping",
    overlap_keeping=lambda *arguments: (reference.overlap(*arguments), np.zeros(1)),
    overlap_vjp_over=lambda *arguments: np.zeros(1),
)
wrong_matrix = kernel("wrong_matrix", confusion_matrix=lambda *arguments: np.zeros((3, 3)))
wrong_pairs = kernel("wrong_pairs", pairwise=lambda *arguments: np.zeros((7, 1)))


class Shelf(ArrayLibrary):
    protocol = 1

    def __init__(self, name: str = "shelf") -> None:
        super().__init__(name, compat)


class WithoutProtocol(Shelf):
    protocol = None


def other_name() -> Shelf:
    return Shelf("another")


def no_library() -> object:
    return object()


leaving = raising(SystemExit("no"))

#: array plugins that cannot be used: value -> the message
LIBRARIES = {
    "leaving": "does not load: SystemExit('no')",
    "no_library": "must load a callable that gives an `ArrayLibrary`; got one that gives",
    "other_name": "must call its library 'shelf', as its group does; got 'another'",
    "WithoutProtocol": "must state the protocol that it keeps to, 1 in this version; got none",
    "missing_value": "does not load: AttributeError",
}


class Standard(np.ndarray):
    """An array of a library that follows the standard, and is not NumPy's."""


@pytest.fixture(autouse=True)
def shelf_exists(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make `backends` find a module `shelf`."""
    from dice_any import registry

    known = registry._is_installed
    monkeypatch.setattr(registry, "_is_installed", lambda name: name == "shelf" or known(name))
    return


def problems(name: str) -> str:
    return " ".join(line.problem or "" for line in dice_any.backends() if line.name == name)


@pytest.mark.parametrize("value", [*BEFORE, *UNLOADED, *ANSWERS])
def test_a_broken_kernel_is_named_and_the_reference_answers(install, value: str) -> None:
    install(("dice_any.kernels.numpy", value, value))
    cause = {**BEFORE, **UNLOADED, **ANSWERS}[value]
    expected = dice_any.overlap(X, Y, backend="reference")
    assert dice_any.overlap(X, Y) == expected
    assert cause in problems(value)
    assert f"The kernel {value!r} of an unknown distribution" in problems(value)
    assert dice_any.overlap(X, Y) == expected
    with pytest.raises(LookupError) as caught:
        dice_any.overlap(X, Y, backend=value)
    assert cause in str(caught.value)
    assert str(caught.value).startswith(f"The kernel {value!r} of an unknown distribution ")


@pytest.mark.parametrize("value", ["unworthy", "raising_worth"])
def test_what_is_no_answer_to_worthwhile(install, value: str) -> None:
    install(("dice_any.kernels.numpy", value, value))
    assert dice_any.overlap(X, Y) == dice_any.overlap(X, Y, backend="reference")
    assert "must answer `worthwhile`" in problems(value)
    # `worthwhile` is not called if the call names the kernel
    assert dice_any.overlap(X, Y, backend=value) == dice_any.overlap(X, Y, backend="reference")


WRONG_PARTS = {
    "wrong_gradient": (
        "must return from `overlap_vjp` float32 of shape (4, 16); got float32 of shape (3,)",
        lambda **k: dice_any.value_and_grad(dice_any.dice_loss)(X, Y, **k)[1],
    ),
    "wrong_keeping": (
        "must return from `overlap_vjp_over` float32 of shape (4, 16); got float64 of shape (1,)",
        lambda **k: dice_any.value_and_grad(dice_any.dice_loss)(X, Y, **k)[1],
    ),
    "wrong_matrix": (
        "must return from `confusion_matrix` two arrays, the matrices and the numbers of invalid "
        "values; got an object of type ndarray",
        lambda **k: dice_any.confusion_matrix(*MAPS, num_classes=3, **k),
    ),
    "wrong_pairs": (
        "must return int64 of shape (7, 4, 4); got float64 of shape (7, 1)",
        lambda **k: dice_any.pairwise_overlap(*MASKS, **k).intersection,
    ),
}


@pytest.mark.parametrize("value", WRONG_PARTS)
def test_every_part_is_looked_at(install, value: str) -> None:
    cause, call = WRONG_PARTS[value]
    install(("dice_any.kernels.numpy", value, value))
    np.testing.assert_array_equal(call(), call(backend="reference"))
    assert cause in problems(value)
    with pytest.raises(LookupError) as caught:
        call(backend=value)
    assert cause in str(caught.value)


def test_values_that_are_invalid_are_still_the_callers(install) -> None:
    install(("dice_any.kernels.numpy", "unworthy", "unworthy"))
    with pytest.raises(ValueError, match="`prediction` must hold memberships"):
        dice_any.overlap(X + 3, Y, backend="unworthy")


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3)])
def test_an_error_inside_a_kernel_names_it(install, monkeypatch, error: BaseException) -> None:
    install(("dice_any.kernels.numpy", "one", "one"))
    monkeypatch.setattr(one, "accepts", lambda task: True)
    monkeypatch.setattr(one, "overlap", raising(error))
    for _ in range(3):
        with pytest.raises(type(error)) as caught:
            dice_any.overlap(X, Y)
        assert caught.value.__notes__ == [
            "The kernel 'one' of an unknown distribution raised this in `overlap`. "
            'Pass `backend="reference"` to compute without it.'
        ]


def test_an_interrupt_is_nobodys_fault(install, monkeypatch) -> None:
    install(("dice_any.kernels.numpy", "one", "one"))
    for part in ("accepts", "overlap"):
        monkeypatch.setattr(one, "accepts", lambda task: True)
        monkeypatch.setattr(one, part, raising(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt) as caught:
            dice_any.overlap(X, Y)
        assert not getattr(caught.value, "__notes__", ())
    assert problems("one") == ""


@pytest.mark.parametrize("name", sorted(loading.TAKEN))
def test_our_names_stay_ours(install, monkeypatch, name: str) -> None:
    monkeypatch.setattr(impostor, "name", name)
    builtin = dice_any.overlap(X, Y, backend="reference")
    install(("dice_any.kernels.numpy", name, "impostor"))
    assert dice_any.overlap(X, Y) == builtin
    assert dice_any.overlap(X, Y, backend="reference") == builtin
    assert f"has a name that is taken: {name!r} is one of this package" in problems(name)
    if name == "numba":
        pytest.importorskip("numba")
        assert dice_any.overlap(X, Y, backend="numba") == builtin
        large = np.zeros(2**20, dtype=np.float32)
        task = arrays_task(large)
        assert kernels.select(task, None) is kernels.load_kernel(loading.built_in("numpy")[0])


def arrays_task(x: np.ndarray) -> kernels.Task:
    from dice_any.reading import read

    return read(x, x)[1]


GROUPS = {
    "dice_any.array.numpy": "Did you mean `dice_any.arrays.numpy`?",
    "dice_any.kernel.torch": "Did you mean `dice_any.kernels.torch`?",
    "dice_any": "Did you mean `dice_any.arrays.<module>`?",
    "dice_any.kernels.np": "Did you mean `dice_any.kernels.numpy`?",
    "dice_any.kernels.nunpy": "Did you mean `dice_any.kernels.numpy`?",
    "dice_any.kernels.jaxlib": "Did you mean `dice_any.kernels.jax`?",
    "dice_any.kernels.numpy.linalg": "Did you mean `dice_any.kernels.numpy`?",
    "dice_any.kernels.": "is for arrays of '', a library that is not here",
}


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_that_nobody_looks_into_is_reported(install, group: str) -> None:
    install((group, "one", "one"))
    assert GROUPS[group] in problems("one")
    with pytest.raises(LookupError, match="The kernel 'one' of .* is installed for"):
        dice_any.overlap(X, Y, backend="one")


@pytest.mark.parametrize("value", LIBRARIES)
def test_a_broken_array_plugin_is_named(install, monkeypatch, value: str) -> None:
    install(("dice_any.arrays.shelf", "mine", value))
    assert LIBRARIES[value] in problems("shelf")
    assert "The array plugin 'mine' of an unknown distribution" in problems("shelf")

    class Conforming:
        __module__ = "shelf.core"

        def __array_namespace__(self, api_version=None):
            return compat

    assert type(arrays.library_of(Conforming())) is ArrayLibrary  # as without the plugin

    class Strange:
        __module__ = "shelf.core"

    with pytest.raises(LookupError, match="The array plugin 'mine' of an unknown distribution"):
        dice_any.overlap(Strange(), Strange())


@pytest.mark.parametrize("module", ["builtins", "abc", "dice_any"])
def test_no_plugin_teaches_python(install, module: str) -> None:
    install((f"dice_any.arrays.{module}", "mine", "Shelf"))
    with pytest.raises(TypeError, match="got list"):
        dice_any.overlap([1.0], [1.0])
    assert "must be for a library of arrays" in problems(module)


def test_arrays_that_do_not_lead_to_the_plugin(install, monkeypatch) -> None:
    class Sub(np.ndarray):
        __module__ = "shelf.core"

    class Elsewhere:
        __module__ = "thinglib.core"
        dtype, shape = np.dtype(float), (1,)

    install(("dice_any.arrays.shelf", "mine", "Shelf"))
    for made, said in (
        (np.zeros(1).view(Sub), "is not used: its arrays are arrays of numpy too"),
        (Elsewhere(), "Name its group `dice_any.arrays.thinglib`"),
        (np.zeros(1), ""),  # it answers in NumPy's arrays
    ):
        xp = SimpleNamespace(**{**vars(compat), "zeros": lambda *a, made=made: made})
        monkeypatch.setattr(arrays.load_library("shelf"), "xp", xp)
        monkeypatch.setattr(Shelf, "has_float64", lambda self, array: True)
        monkeypatch.setattr(Shelf, "version", "1")
        monkeypatch.setattr(Shelf, "default_device", lambda self: "cpu")
        assert said in problems("shelf") if said else problems("shelf") == ""


def test_a_library_that_raises_from_everything(install, monkeypatch) -> None:
    install(("dice_any.arrays.shelf", "mine", "Shelf"))
    for method in ("precision", "has_float64", "default_device"):
        with monkeypatch.context() as patch:
            patch.setattr(Shelf, method, raising(Panic("no")))
            assert problems("shelf").startswith("The array plugin 'mine' of an unknown dist")
    assert "The array plugin 'mine'" in problems("shelf")  # it has no version


def test_packages_that_cannot_be_looked_through(install, monkeypatch) -> None:
    install()
    monkeypatch.setattr(plugins, "entry_points", raising(UnicodeDecodeError("u", b"", 0, 1, "")))
    plugins.forget()
    assert dice_any.dice_score(X, X > 0) > 0
    assert "installed packages cannot be looked through: UnicodeDecodeError" in problems("plugins")


def test_the_switch_may_be_wrong(install, monkeypatch) -> None:
    install()
    monkeypatch.setattr(kernels, "_switch", [])
    monkeypatch.setenv("DICE_ANY_KERNEL", "abacus")
    assert "`DICE_ANY_KERNEL` must be unset or 'reference'" in problems("numba")


# -- all together ----------------------------------------------------------------------------------

TOGETHER = [
    *(("dice_any.kernels.numpy", value, value) for value in (*BEFORE, *UNLOADED, *ANSWERS)),
    *(("dice_any.kernels.numpy", value, value) for value in (*WRONG_PARTS, "broken_problem")),
    ("dice_any.kernels.numpy", "unworthy", "unworthy"),
    ("dice_any.kernels.numpy", "raising_worth", "raising_worth"),
    ("dice_any.kernels.numpy", "numba", "impostor"),
    ("dice_any.kernels.numpy", "reference", "impostor"),
    ("dice_any.kernels.torch", "cuda", "impostor"),
    ("dice_any.kernels.numpy", "double", "one"),
    ("dice_any.kernels.numpy", "double", "none"),
    ("dice_any.kernels.np", "one", "one"),
    ("dice_any.array.numpy", "mine", "Shelf"),
    ("dice_any.arrays.numpy", "mine", "Shelf"),
    ("dice_any.arrays.builtins", "mine", "Shelf"),
    ("dice_any.arrays.shelf", "mine", "leaving"),
    ("dice_any.arrays.nowhere", "mine", "no_library"),
]


def outcomes() -> list[Any]:
    """Return the results or errors of many calls that name no plugin."""
    soft = {"class_axis": 0}
    logits = X * 8 - 4
    labels = recipe.labels(5, 16, 4)
    gradient = dice_any.value_and_grad(dice_any.dice_cross_entropy_loss)
    calls: list[Callable[[], Any]] = [
        lambda: dice_any.overlap(X, Y).to_dict(),
        lambda: dice_any.overlap(X, Y, form="minimum", weight=Y).to_dict(),
        lambda: dice_any.overlap(*MASKS).to_dict(),
        lambda: dice_any.overlap(*MAPS, num_classes=3).to_dict(),
        lambda: dice_any.dice_loss(X, Y),
        lambda: dice_any.dice_score(X, Y, backend="reference"),
        lambda: gradient(logits, labels, activation="softmax", **soft)[1].tolist(),
        lambda: dice_any.value_and_grad(dice_any.jaccard_loss)(X, Y)[1].tolist(),
        lambda: dice_any.confusion_matrix(*MAPS, num_classes=3).tolist(),
        lambda: dice_any.pairwise_overlap(*MASKS).to_dict(),
        lambda: dice_any.pairwise_overlap(X, Y, exact=False).to_dict(),
        lambda: dice_any.overlap(X + 3, Y),
        lambda: dice_any.overlap(X, Y, weight=Y - 2),
        lambda: dice_any.overlap(MAPS[0] + 9, MAPS[1], num_classes=3),
        lambda: dice_any.confusion_matrix(MAPS[0] + 9, MAPS[1], num_classes=3),
        lambda: dice_any.pairwise_overlap(X + 3, Y),
        lambda: dice_any.overlap([1.0], [1.0]),
        lambda: dice_any.overlap(X, Y, backend=3),
        lambda: dice_any.overlap(np.ma.masked_array(X), Y),
        lambda: dice_any.overlap(np.zeros((2, 2)).view(Standard), Y),
    ]
    found: list[Any] = []
    for call in calls:
        try:
            found.append(call())
        except Exception as error:
            found.append((type(error), str(error), getattr(error, "__notes__", None)))
    return found


def test_a_hostile_collection_changes_neither_a_bit_nor_a_message(install) -> None:
    assert len(TOGETHER) > 20
    install()
    expected = outcomes()
    install(*TOGETHER)
    for _ in range(2):  # when they are loaded, and when their faults are known
        assert repr(outcomes()) == repr(expected)
    lines = dice_any.backends()
    assert {name for _, name, _ in TOGETHER} - {"one", "mine"} <= {line.name for line in lines}
    usable = {line.name for line in lines if line.usable and line.kind == "kernel"}
    assert usable <= {"reference", "numba", "cuda"}
    assert len(repr(lines).splitlines()) == len(lines) + 1


def test_kernels_that_decline_cost_nothing(install) -> None:
    """Twenty kernels with a slow `accepts` are asked once for each kind of work."""
    asked: list[str] = []

    def slowly(task: kernels.Task) -> str:
        asked.append(task.form)
        time.sleep(0.001)
        return "no"

    for number in range(20):
        globals()[f"declining{number}"] = kernel(f"declining{number}", accepts=slowly)
    names = [f"declining{number}" for number in range(20)]
    install(*(("dice_any.kernels.numpy", name, name) for name in names))
    for _ in range(50):
        dice_any.overlap(X, Y)
    assert len(asked) == 20
    dice_any.overlap(X, Y, form="minimum")
    assert len(asked) == 40


def test_what_is_remembered_of_tasks_is_limited(install, monkeypatch) -> None:
    install(("dice_any.kernels.numpy", "broken_problem", "broken_problem"))
    monkeypatch.setattr(kernels, "MOST_CHOICES", 3)
    for length in range(2, 9):
        dice_any.overlap(X.ravel()[:length], Y.ravel()[:length])
        assert len(kernels._chosen) <= 3


def test_who_does_not_need_plugins_does_not_read_their_metadata() -> None:
    code = (
        "import sys, numpy as np, dice_any\n"
        "before = 'importlib.metadata' in sys.modules\n"
        "from dice_any import plugins\n"
        "plugins._could_be_any = lambda: False\n"
        "dice_any.dice_score(np.array([True]), np.array([True]))\n"
        "assert before or 'importlib.metadata' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("thing-1.dist-info", "[dice_any.kernels.numpy]\nx = y", True),
        ("thing-1.dist-info", "[console_scripts]\nx = y", False),
        ("thing.egg-info", "[a]\nx = y\n[dice_any.arrays.shelf]\nx = y", True),
        ("thing", "[dice_any.kernels.numpy]\nx = y", False),
    ],
)
def test_a_look_into_the_files_finds_what_the_metadata_says(
    tmp_path, monkeypatch, name: str, content: str, found: bool
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "entry_points.txt").write_text(content)
    for metadata in ("METADATA", "PKG-INFO"):
        (tmp_path / name / metadata).write_text("Name: thing\nVersion: 1\n")
    assert plugins._mentioned(str(tmp_path)) is found
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    plugins.forget()
    installed = [*plugins.plugins(plugins.KERNELS), *plugins.plugins(plugins.ARRAYS)]
    assert ("'x' of thing" in {plugin.label for plugin in installed}) is found
    plugins.forget()


def test_an_archive_or_another_finder_is_read_as_metadata(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "meta_path", [])
    assert not plugins._could_be_any()
    archive = tmp_path / "archive.zip"
    archive.touch()
    assert plugins._mentioned(str(archive))
    assert not plugins._mentioned(str(tmp_path / "nowhere"))
    monkeypatch.setattr(sys, "meta_path", [SimpleNamespace(find_distributions=list)])
    assert plugins._could_be_any()


def test_what_comes_with_the_package_states_the_protocol() -> None:
    assert reference.protocol == plugins.PROTOCOL
    for plugin in kernels.BUILTIN:
        loaded = loading.load(plugin)
        assert loaded.problem or loaded.kernel.protocol == kernels.PROTOCOL
    for module in arrays.BUILTIN:
        try:
            library = arrays.load_library(module)
        except ImportError:
            continue
        assert library.protocol == arrays.PROTOCOL
    assert not hasattr(ArrayLibrary, "protocol")  # a plugin's own is asked for
