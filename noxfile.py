"""Sessions: `nox -s tests` runs the whole matrix, `nox -s demo` the main job on real data; `nox -l`
lists the rest.

Every session installs what it needs, at the versions that `pyproject.toml` states, on the
interpreter that runs nox.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["tests"]
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False  # `installed` reports the missing ones

PROJECT = nox.project.load_toml("pyproject.toml")
#: parameter of the session -> (dependency groups, backends that the suite runs on)
BACKENDS = {
    "numpy": (["oracle", "holders"], ["numpy"]),
    "torch": (["torch", "onnx"], ["torch"]),
    "jax": (["jax"], ["jax"]),
    "dask": (["dask"], ["dask"]),
    "strict": (["strict"], ["strict"]),
    "numba": (["torch", "numba"], ["numba", "numba-torch"]),
    "cuda-simulator": (["torch", "cuda"], ["cuda-numpy"]),
    "others": (["others"], ["sparse", "ndonnx", "cubed"]),
}
TOGETHER = ["numpy", "torch", "jax", "dask", "strict"]
if shutil.which("nvidia-smi"):
    BACKENDS["cupy"] = (["cupy"], ["cupy"])
#: tests run in two processes, each with one thread of PyTorch: more would wait for each other
WORKERS = ("-n", "2", "--dist", "worksteal")
#: backends on which a call takes long or waits for a compiler, and the sweeps over arguments and
#: memory that only the other backends run
SLOW = ("others", "dask", "jax", "strict", "numba")
SWEEPS = (
    "odd_arguments",
    "memory",
    "every_loss",
    "loss_ends",
    "advice",
    "nothing",
    "overlap_is_a_value",
    "overlap_storage",
    "a_label_beyond_int64",
)
#: tests that only the faster libraries run: ndonnx builds and checks a graph for every result, and
#: cubed a plan, which takes seconds for each call
DRAWN = (
    "centerline",
    "arguments_stay_as_they_are",
    "look_at_memberships",
    "look_at_soft_targets",
    "takes_no_part",
    "losses_and_gradients",
    "an_error_names_the_argument",
    "against_differences",
    "nothing_is_summed",
    "nothing_pulls",
    "rounding_error",
    "overlap_of_others",
    "overlap_of_counts",
    "several_labels_are_ignored",
    "labels_of_two_maps",
    "more_classes_than_elements",
    "averages_to_the_bit",
    "test_compound",
    "region_losses",
    "regions_of_classes",
    "(exact_entropies and not (softmax and labels-True))",
)
#: tests that JAX does not run: its arrays cannot be changed, and it compiles each shape of an
#: overlap
NOT_OF_JAX = ("arguments_stay_as_they_are", "overlap_of_others", "an_error_names_the_argument")
LIGHT = (
    "-k",
    " and ".join(
        [
            *(f"not test_{sweep}" for sweep in SWEEPS),
            f"not ((ndonnx or cubed) and ({' or '.join(DRAWN)}))",
            f"not (jax and ({' or '.join(NOT_OF_JAX)}))",
            # a kernel is held to the reference in all that it accepts
            "not (test_accepted_work and not numba)",
            # Numba compiles a loop for each combination of types
            "not (numba and test_arguments_stay_as_they_are)",
        ]
    ),
)
#: the tests of the kit that use a kernel's loops or a library's own arithmetic, for runs in a
#: simulator or for a second time
LOOPS = ("golden", "exact", "hard", "invalid", "gradients", "confusion", "compound", "sets")
OF_LOOPS = ("-k", " or ".join(f"test_{word}" for word in LOOPS))
#: the wheel is tested on those of these that are installed
PYTHONS = ("3.11", "3.12", "3.13")
#: `torch.compile` of a loss and its backward pass
COMPILED = (
    "tests/test_torch_deep_supervision.py::test_deep_supervision_compiles_and_is_differentiated"
)
#: tests of messages and arguments that differ in older versions of NumPy
MESSAGES = [f"tests/test_{name}.py" for name in ("messages", "objects", "overlap_value", "package")]
#: extra with its lowest versions -> (tests of the kit, our own tests); few, because JAX and Numba
#: compile each case
MINIMUMS = {
    "numpy": ("test_golden or test_scores or test_gradients", [*MESSAGES]),
    "torch": ("test_golden or test_scores or test_gradients", [COMPILED]),
    "jax": ("test_golden or test_finite_where_nothing_pulls", []),
    "dask": ("test_golden or test_finite_where_nothing_pulls", ["tests/test_dask.py"]),
    "numba": ("test_golden and float32-float32-product", []),
}
#: what of the kit is traced beyond NumPy, which runs all of it, and on which backends: where they
#: have code of their own
TRACED = {
    "test_golden or test_overlap_of_counts": ("torch", "dask", "strict", *BACKENDS["others"][1]),
    "test_scores or test_regions_of_classes or test_confusion": ("dask", "strict-no-float64"),
    "test_every_loss and dice_loss": ("torch", "jax", "dask"),
    "test_golden or test_exact": ("jax",),
    OF_LOOPS[1]: ("numba", "numba-torch"),
}
#: JAX compiles each operation for each shape; processes and sessions share the programs
JAX_CACHE = {
    "JAX_COMPILATION_CACHE_DIR": str(Path(".nox/.cache/jax").absolute()),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
#: library of the training example -> dependency groups
TRAINED = {"torch": ["torch"], "jax": ["jax", "optax"]}


def install(session: nox.Session, *groups: str) -> None:
    """Install the package and dependency groups; PyTorch first, so that no other package chooses
    its build.
    """
    session.env.update(JAX_CACHE)
    groups = tuple(sorted(groups, key=lambda group: group != "torch"))
    for group in groups:
        session.install(*nox.project.dependency_groups(PROJECT, group))
    session.install("-e", ".")


@nox.session
@nox.parametrize("backend", list(BACKENDS), ids=list(BACKENDS))
def tests(session: nox.Session, backend: str) -> None:
    """Run the conformance kit and our own tests on one backend."""
    groups, names = BACKENDS[backend]
    install(session, "test", *groups)
    options = [f"--backend={name}" for name in names]
    if backend == "cuda-simulator":  # Numba runs the threads of a GPU as Python threads
        env = {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": "tests"}
        plugin = ("-p", "cuda_simulator")
        session.run(
            "pytest",
            *WORKERS,
            *plugin,
            *OF_LOOPS,
            "--pyargs",
            "dice_any.testing",
            *options,
            *session.posargs,
            env=env,
        )
        session.run(
            "pytest", *WORKERS, *plugin, "tests/test_cuda_simulated.py", *session.posargs, env=env
        )
        return
    for name in names:
        # PyTorch's arrays use the same compiled loops as NumPy's
        light = OF_LOOPS if name == "numba-torch" else LIGHT if backend in SLOW else ()
        kit = ("--pyargs", "dice_any.testing", f"--backend={name}")
        session.run("pytest", *WORKERS, *light, *kit, *session.posargs)
    session.run("pytest", *WORKERS, *own_tests(backend), *options, *session.posargs)


def own_tests(backend: str) -> list[str]:
    """Return the arguments that choose our own tests for a backend: all on NumPy, else those that
    name one of its libraries; the others would only be run again.
    """
    if backend == "numpy":
        return ["tests"]
    names = ["array_api_strict"] if backend == "strict" else BACKENDS[backend][1]
    elsewhere = {Path("tests/test_cuda_simulated.py"), Path("tests/test_together.py")}
    modules = sorted(set(Path("tests").glob("test_*.py")) - elsewhere)
    naming = [str(path) for path in modules if any(name in path.read_text() for name in names)]
    return [*naming, *(f"--naming={name}" for name in names)]


@nox.session
def together(session: nox.Session) -> None:
    """Run every CPU backend in one environment: compare bits directly, and check that mixed
    libraries are refused.
    """
    install(session, "test", *TOGETHER[1:])
    session.run("pytest", *WORKERS, "tests/test_together.py", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Trace lines and branches over the kit and our tests on all CPU libraries, in one environment;
    takes many minutes. What Numba compiles for a GPU is traced in its simulator.
    """
    libraries = ("torch", "jax", "dask", "strict", "others", "numba", "cuda")
    install(session, "test", "coverage", *libraries, "oracle", "holders", "onnx", "interfaces")
    session.install("--no-deps", *nox.project.dependency_groups(PROJECT, "interfaces-alone"))
    session.run("coverage", "erase")
    pytest = ("coverage", "run", "-m", "pytest", *WORKERS)
    kit = ("--pyargs", "dice_any.testing")
    session.run(*pytest, *kit)
    for words, names in TRACED.items():
        session.run(*pytest, "-k", words, *kit, *(f"--backend={name}" for name in names))
    peers = "--ignore-glob=*/parity/test_peer_*"  # which need packages that are not here
    session.run(*pytest, "tests", peers, *(f"--backend={name}" for name in TOGETHER))
    env = {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": "tests"}
    simulated = (*pytest, "-p", "cuda_simulator")
    session.run(*simulated, *OF_LOOPS, *kit, "--backend=cuda-numpy", env=env)
    session.run(*simulated, "tests/test_cuda_simulated.py", env=env)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report", *session.posargs)


@nox.session
def mutants(session: nox.Session) -> None:
    """Change one operator at a time in the modules that compute numbers; a test has to fail."""
    install(session, "test", "torch", "jax", "dask", "oracle")
    session.run("python", "-m", "tests.mutation", *session.posargs)


@nox.session
def bare(session: nox.Session) -> None:
    """Run with array-api-compat only: the import works, loads no array library, and errors are
    clear.
    """
    session.install("pytest")
    session.install(".")
    session.run("pytest", "--confcutdir=tests/bare", "tests/bare", *session.posargs)


@nox.session
def plugin(session: nox.Session) -> None:
    """Install the example plugin package, and run the kit on its libraries and its kernel."""
    install(session, "test", "strict")
    session.install("tests/plugin_example")
    env = {"PYTHONPATH": "tests/plugin_example/stand_in"}  # the array library `lattice`
    kit = ("pytest", *WORKERS, "--pyargs", "dice_any.testing")
    # of three libraries one runs nearly all of the kit, two the tests in which libraries differ
    for backend, part in {
        "mlx": LIGHT,
        "lattice": OF_LOOPS,
        "blosc2": OF_LOOPS,
        "mask-count": LIGHT,
    }.items():
        session.run(*kit, *part, f"--backend={backend}", *session.posargs, env=env)
    kernel = ("-k", "accepted_work", "--backend=mask-count")
    session.run(*kit, *kernel, *session.posargs, env=env)
    session.run("pytest", "tests/plugin_example", *session.posargs, env=env)


@nox.session
def parity(session: nox.Session) -> None:
    """Compare the presets of `dice_any.conventions` with the packages that they are named after,
    and run the pages of docs/from.
    """
    install(session, "test", "torch", "parity")
    # without dependencies: losses and scores do not need them, and torchvision, one of them, does
    # not fit the pinned PyTorch
    session.install("--no-deps", *nox.project.dependency_groups(PROJECT, "parity-alone"))
    session.run("pytest", *WORKERS, "tests/parity", *session.posargs)


@nox.session
@nox.parametrize("extra", list(MINIMUMS), ids=list(MINIMUMS))
def minimums(session: nox.Session, extra: str) -> None:
    """Run on the lowest versions that `pyproject.toml` declares for an extra."""
    project: dict[str, Any] = PROJECT["project"]
    declared = {
        *project["dependencies"],
        *PROJECT["dependency-groups"]["test"],
        *project["optional-dependencies"][extra],
    }
    lowest = {requirement.replace(">=", "==") for requirement in declared}
    if extra == "jax":  # its lowest version needs a later NumPy than ours
        lowest.remove("numpy==1.26")
    session.install(*sorted(lowest))
    session.install("--no-deps", "-e", ".")
    kit, ours = MINIMUMS[extra]
    options = (*WORKERS, f"--backend={extra}", *session.posargs)
    session.run("pytest", "-k", kit, "--pyargs", "dice_any.testing", *options)
    if ours:
        session.run("pytest", *ours, *options)


@nox.session
def package(session: nox.Session) -> None:
    """Build wheel and sdist and check their contents; then `installed` uses the wheel on each
    installed Python.
    """
    session.install(*nox.project.dependency_groups(PROJECT, "package"))
    built = dist(session)
    shutil.rmtree(built, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(built), silent=True)
    session.run("twine", "check", "--strict", *map(str, sorted(built.iterdir())))
    here = "tests/distribution"
    session.run(
        "pytest",
        f"--confcutdir={here}",
        f"{here}/test_contents.py",
        *session.posargs,
        env={"DICE_ANY_DIST": str(built)},
    )
    for version in PYTHONS:
        session.notify(f"installed-{version}")


@nox.session(python=PYTHONS)
def installed(session: nox.Session) -> None:
    """Use the wheel that `package` built as users do: away from its sources, beside networkx."""
    wheel = next(dist(session).glob("*.whl"), None)
    if wheel is None:
        session.error("there is no wheel to install; run `nox -s package`")
    session.install(f"{wheel}[numpy]", *nox.project.dependency_groups(PROJECT, "neighbours"))
    session.install("--no-deps", "--force-reinstall", str(wheel))  # the version may be the same
    with TemporaryDirectory() as away:  # inside the clone pytest would find its settings
        for source in (
            "README.md",
            "tests/typing/consumer.py",
            "tests/distribution/test_installed.py",
        ):
            shutil.copy(source, away)
        with session.chdir(away):
            session.run("pytest", "test_installed.py", *session.posargs)


def dist(session: nox.Session) -> Path:
    """Return the folder where `package` builds."""
    return session.cache_dir.absolute() / "dist"


@nox.session
def gpu(session: nox.Session) -> None:
    """Run the conformance kit on CuPy and PyTorch-CUDA, by the reference and by the CUDA kernel;
    needs an NVIDIA GPU.
    """
    install(session, "test", "gpu")
    backends = [f"--backend={name}" for name in ("cupy", "torch-cuda", "cuda", "cuda-torch")]
    session.run("pytest", "--pyargs", "dice_any.testing", *backends, *session.posargs)


@nox.session
def compiled(session: nox.Session) -> None:
    """Compile the kernels for processors that this machine need not have, and check the machine
    code of their loops; takes minutes.
    """
    install(session, "test", "cuda-compiler", "numba")
    session.run(
        "pytest",
        "tests/test_cuda_compiled.py",
        "tests/test_numba_compiled.py",
        *session.posargs,
        env={"DICE_ANY_COMPILED": "1"},
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Check types, strictly."""
    install(session, "typing")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    install(session, "docs")
    session.run("python", "-m", "doctest", *map(str, sorted(Path("docs").glob("*.md"))))
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def site(session: nox.Session) -> None:
    """Check the built documentation in a wide and a narrow window; needs Chromium."""
    install(session, "docs")
    session.install(*nox.project.dependency_groups(PROJECT, "site"))
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")
    session.run("pytest", "--confcutdir=tests/site", "tests/site", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Segment the MNI152 brain and compare it with the atlas on every installed backend."""
    install(session, "torch", "demo")
    session.run("python", "examples/brain_tissue.py", *session.posargs)


@nox.session
@nox.parametrize("library", list(TRAINED), ids=list(TRAINED))
def train(session: nox.Session, library: str) -> None:
    """Train a small U-Net on the MNI152 brain and fail if it does not learn; `-- --quick` takes
    seconds.
    """
    install(session, "examples", *TRAINED[library])
    # PyTorch's threads wait by spinning; on a busy machine that takes the cores they wait for
    session.run(
        "python",
        f"examples/train_{library}.py",
        *session.posargs,
        env={"OMP_WAIT_POLICY": "passive"},
    )


@nox.session
def soak(session: nox.Session) -> None:
    """Test rare events for minutes: leaks, interrupts, threads, forks, random calls."""
    install(session, "test", "torch", "jax", "dask", "strict", "others", "numba")
    session.run("python", "-m", "tests.soak", *session.posargs)


@nox.session
def interfaces(session: nox.Session) -> None:
    """Run `dice_any.interfaces` with the packages whose conventions it follows, and its pages."""
    install(session, "test", "torch", "interfaces")
    session.install("--no-deps", *nox.project.dependency_groups(PROJECT, "interfaces-alone"))
    session.run("pytest", *WORKERS, "tests/interfaces", *session.posargs)
    pages = map(str, sorted(Path("docs/interfaces").glob("*.md")))
    session.run("python", "-m", "doctest", *pages, env={"KERAS_BACKEND": "torch"})


@nox.session
def bench(session: nox.Session) -> None:
    """Time this package beside NumPy and other packages; writes tables to docs/."""
    install(session, "torch", "bench", "parity")
    session.install(
        "--no-deps", *nox.project.dependency_groups(PROJECT, "parity-alone")
    )  # as in `parity`
    session.run("python", "-m", "benchmarks", *session.posargs)
