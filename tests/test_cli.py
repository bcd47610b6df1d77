import importlib.metadata
import io
import json
import os
import signal
import subprocess
import sys
import types
from typing import Any, ClassVar
from unittest import mock

import pytest
from typer.testing import CliRunner

from aqc import commands, console, output, runtime
from aqc.cli import app
from aqc.errors import DivergenceError, TruncationError
from aqc.progress import Progress

PROBLEM = {
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 4},
    "time": 0.5,
    "ansatz": {"layers": 3},
}


class FakeResult:
    """What `compile_problem` returns, as far as the command line looks at it."""

    def __init__(self, status="goal_reached"):
        from qiskit import QuantumCircuit

        self.circuit = QuantumCircuit(4)
        self.circuit.u(0.1, 0.2, 0.3, 1)
        self.circuit.cx(0, 1)
        self.bricks = [[(0, 1.0), (2, 0.0)], [(1, 0.5)]]
        self.trotter = types.SimpleNamespace(infidelity=0.1)
        self.optimum = types.SimpleNamespace(history=((1, 0.1), (2, 0.008)))
        self.status = status

    def to_dict(self) -> dict[str, Any]:
        return {
            "num_qubits": 4,
            "layers": 3,
            "two_qubit_gates": 8,
            "two_qubit_depth": 7,
            "infidelity": 0.008,
            "certificate": {
                "fidelity": 0.992,
                "infidelity_bound": 0.0123,
                "bound_kind": "with estimate",
            },
            "trotter": {
                "order": 2,
                "infidelity": 0.1,
                "two_qubit_depth": 9,
                "two_qubit_gates": 12,
            },
            "optimizer": {"status": self.status, "evaluations": 2},
            "seconds": {"import": 1.0, "target": 0.5, "total": 1.5},
            "problem": {"goal": {"infidelity": 0.01}},
        }


@pytest.fixture(autouse=True)
def environment(tmp_path):
    """Commands set thread limits and the cache directory of the process; undo that."""
    # A test's process keeps no compiled code: JAX would go on using the directory of one test.
    changes = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "JAX_COMPILATION_CACHE_DIR": ""}
    with mock.patch.dict(os.environ, changes):
        yield


@pytest.fixture
def problem(tmp_path):
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(PROBLEM))
    return path


@pytest.fixture
def compiler(monkeypatch):
    """Put a function in the place of the compiler, so that a test takes no time."""

    def install(function):
        module = types.ModuleType("aqc.compile")
        module.compile_problem = function
        monkeypatch.setitem(sys.modules, "aqc.compile", module)

    def quick(settings, *, progress):
        progress(Progress("target"))
        progress(Progress("optimize", 1.0, 2, 0.008))
        return FakeResult()

    install(quick)
    return install


def call(*arguments, **settings):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], **settings)


def refused(result, *fragments):
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    for fragment in fragments:
        assert fragment in result.stderr
    return True


# --- compile: what is written ---


def test_compile_writes_all_files_and_they_can_be_read(problem, tmp_path, compiler):
    from qiskit import qasm2, qpy

    from aqc.interop.files import load_circuit

    out = tmp_path / "new" / "out"
    result = call("compile", problem, "--out", out)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == sorted(output.FILES)
    assert json.loads((out / "result.json").read_text()) == FakeResult().to_dict()
    assert json.loads((out / "problem.json").read_text())["target"]["tolerance"] == 1e-4
    with (out / "circuit.qpy").open("rb") as file:
        assert qpy.load(file) == [FakeResult().circuit]
    assert qasm2.load(out / "circuit.qasm2").num_qubits == 4
    assert load_circuit(out / "circuit.qasm").num_qubits == 4
    for name in ("circuit.png", "convergence.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")


def test_summary_names_what_matters_and_show_repeats_it(problem, tmp_path, compiler):
    printed = call("compile", problem, "--out", tmp_path / "out").stdout
    for fragment in (
        "goal reached",
        "0.008 (goal 0.01) after 2 evaluations",
        "0.0123 from the exact evolution (with estimate)",
        "8, depth 7",
        "order 2, 12 two-qubit gates, depth 9",
        "12.5 times ours",
        "1.5 (import 1.0, target 0.5)",
        "circuit.qasm2",
    ):
        assert fragment in printed
    shown = call("show", tmp_path / "out")
    assert shown.exit_code == 0
    assert printed.startswith(shown.stdout)


def test_normalized_problem_compiles_again(problem, tmp_path, compiler):
    call("compile", problem, "--out", tmp_path / "first")
    again = call("compile", tmp_path / "first" / "problem.json", "--out", tmp_path / "second")
    assert again.exit_code == 0, again.output
    first, second = ((tmp_path / d / "problem.json").read_text() for d in ("first", "second"))
    assert first == second


def test_problem_from_standard_input(tmp_path, compiler):
    out = tmp_path / "out"
    assert call("compile", "-", "--out", out, input=json.dumps(PROBLEM)).exit_code == 0
    assert (out / "result.json").exists()
    assert refused(call("compile", "-", "--out", tmp_path / "b", input="{"), "<stdin>: ", "line 1")


def test_missed_goal_is_no_failure(problem, tmp_path, compiler):
    compiler(lambda settings, *, progress: FakeResult("stalled"))
    result = call("compile", problem, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "goal missed" in result.stdout


# --- compile: progress ---


def test_json_progress_lines_parse_and_end_with_the_summary(problem, tmp_path, compiler):
    result = call("compile", problem, "--out", tmp_path / "out", "--json-progress")
    *reports, done = map(json.loads, result.stdout.splitlines())
    assert all(set(r) == {"stage", "evaluations", "infidelity", "fraction"} for r in reports)
    assert {"stage": "optimize", "evaluations": 2, "infidelity": 0.008, "fraction": 1.0} in reports
    assert done["stage"] == "done"
    assert done["infidelity"] == 0.008
    assert done["directory"] == str(tmp_path / "out")


def test_quiet_says_nothing(problem, tmp_path, compiler):
    result = call("compile", problem, "--out", tmp_path / "out", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    both = call("compile", problem, "--out", tmp_path / "b", "--quiet", "--json-progress")
    assert refused(both, "exclude each other")


def test_without_a_terminal_there_is_a_line_for_each_stage(problem, tmp_path, compiler):
    lines = call("compile", problem, "--out", tmp_path / "out").stderr.splitlines()
    assert lines[:2] == ["aqc: computing the target state", "aqc: optimizing"]


def test_bar_shows_stage_evaluations_and_infidelity(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    with mock.patch.dict(os.environ, TERM="xterm", COLUMNS="120"), console.for_people() as report:
        report(Progress("target"))
        report(Progress("optimize", 0.5, 17, 0.0345))
    shown = sys.stderr.getvalue()
    assert "optimizing" in shown
    assert "17 evaluations, infidelity 0.0345" in shown


# --- the real compile ---


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Start the script in a process of its own; compiled code is shared by this file's runs."""
    cache = tmp_path_factory.mktemp("cache")
    processes = []

    def run(*arguments):
        command = [sys.executable, "-m", "aqc.cli", *map(str, arguments)]
        environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(cache)}
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def test_compiled_circuit_is_certified_again_from_its_files(tmp_path, start):
    from qiskit import QuantumCircuit

    from aqc.interop.files import load_circuit
    from aqc.interop.qasm import to_qasm3

    path, out = tmp_path / "problem.json", tmp_path / "out"
    chain = {"model": "ising_chain", "num_qubits": 5, "g": 0.7, "h": 0.3}
    problem = {"hamiltonian": chain, "time": 1.0, "ansatz": {"layers": 4}, "initial_state": "neel"}
    path.write_text(json.dumps(problem))
    process = start("compile", path, "--out", out)
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert "goal reached" in stdout
    assert stderr.splitlines() == [
        "aqc: computing the target state",
        "aqc: compiling the contraction",
        "aqc: optimizing",
        "aqc: certifying",
    ]
    result = json.loads((out / "result.json").read_text())
    assert 0 < result["infidelity"] <= 0.01
    for name in ("circuit.qasm", "circuit.qasm2", "circuit.qpy"):
        again = json.loads(call("certify", out / name, path, "--json").stdout)
        assert again["fidelity"] == pytest.approx(result["certificate"]["fidelity"], abs=1e-12)
    assert f"{result['infidelity']:.3g}" in call("certify", out / "circuit.qasm", path).stdout

    layout = (3, 6, 0, 1, 5)
    device = QuantumCircuit(7).compose(load_circuit(out / "circuit.qpy"), layout)
    (tmp_path / "device.qasm").write_text(to_qasm3(device))
    on_device = call("certify", tmp_path / "device.qasm", path, "--json", "--layout", "3,6,0,1,5")
    again = json.loads(on_device.stdout)
    assert again["fidelity"] == pytest.approx(result["certificate"]["fidelity"], abs=1e-12)
    for layout in ("3,6,0,1,1", "3,6", "a"):
        wrong = call("certify", tmp_path / "device.qasm", path, "--layout", layout)
        assert wrong.exit_code == 2


LONG = {
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 20},
    "time": 1.0,
    "initial_state": "neel",
    "ansatz": {"layers": 7},
    "target": {"tolerance": 1e-4},
    "goal": {"infidelity": 1e-12},
    "optimizer": {"max_steps": 10**6},
}


def interrupt_when(process, ready):
    """Send what Ctrl-C sends at the first progress line that is `ready`."""
    for line in process.stdout:
        if ready(json.loads(line)):
            process.send_signal(signal.SIGINT)
            return


def test_ctrl_c_keeps_the_best_circuit_so_far(tmp_path, start):
    path, out = tmp_path / "problem.json", tmp_path / "out"
    path.write_text(json.dumps(LONG))
    process = start("compile", path, "--out", out, "--json-progress")
    interrupt_when(process, lambda report: report["evaluations"] >= 5)
    stdout, stderr = process.communicate()
    assert process.returncode == 130, stderr
    result = json.loads((out / "result.json").read_text())
    assert result["optimizer"]["status"] == "interrupted"
    assert sorted(file.name for file in out.iterdir()) == sorted(output.FILES)
    history = [infidelity for _, infidelity in result["optimizer"]["history"]]
    assert len(history) >= 3
    assert result["infidelity"] == pytest.approx(min(history), rel=1e-3)
    done = json.loads(stdout.splitlines()[-1])
    assert (done["stage"], done["infidelity"]) == ("done", result["infidelity"])


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_before_the_optimization_or_after_it_writes_nothing(tmp_path, start, times):
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(LONG))
    process = start("compile", path, "--out", tmp_path / "out", "--json-progress")
    if times == 1:
        interrupt_when(process, lambda report: (report["fraction"] or 0) > 0)
    else:
        interrupt_when(process, lambda report: report["evaluations"] >= 5)
        interrupt_when(process, lambda report: report["stage"] == "certify")
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert stderr == "aqc: interrupted; nothing was written.\n"
    assert os.listdir(tmp_path) == ["problem.json"]


def test_certify_refuses_what_it_cannot_measure(problem, tmp_path):
    header = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
    for text, fragment in (
        (header + "qreg q[3];\nh q[0];\n", "4 qubits"),
        (header + "qreg q[4];\ncreg c[1];\nmeasure q[0] -> c[0];\n", "measure"),
        ("h q[0];", "OPENQASM"),
    ):
        circuit = tmp_path / "circuit.qasm"
        circuit.write_text(text)
        result = call("certify", circuit, problem)
        assert result.exit_code == 2
        assert f"{circuit}: " in result.stderr
        assert fragment in result.stderr
    assert refused(call("certify", tmp_path / "none.qasm", problem), "none.qasm")


def test_problem_that_needs_too_much_memory_is_refused(tmp_path):
    path = tmp_path / "problem.json"
    path.write_text(json.dumps({**LONG, "ansatz": {"layers": 31}, "limits": {"memory_gb": 1}}))
    result = call("compile", path, "--out", tmp_path / "out", "--quiet")
    assert refused(result, f"{path}: /limits/memory_gb: ", "predicted")
    assert not (tmp_path / "out").exists()


# --- compile: interruption and failure ---


def test_interrupted_optimization_is_written_and_said(problem, tmp_path, compiler):
    compiler(lambda settings, *, progress: FakeResult("interrupted"))
    result = call("compile", problem, "--out", tmp_path / "out")
    assert result.exit_code == 130
    assert "interrupted: the best circuit so far" in result.stdout
    assert (tmp_path / "out" / "result.json").exists()


def test_interruption_elsewhere_writes_nothing(problem, tmp_path, compiler, monkeypatch):
    def interrupt(*arguments, **settings):
        raise KeyboardInterrupt

    def interrupted_with_quick_compile():
        result = call("compile", problem, "--out", tmp_path / "out")
        assert result.exit_code == 130
        assert result.stderr.splitlines()[-1] == "aqc: interrupted; nothing was written."
        assert not list(tmp_path.glob("[.o]*"))

    with monkeypatch.context() as patch:
        patch.setattr(output, "_write_figures", interrupt)
        interrupted_with_quick_compile()
    compiler(interrupt)
    interrupted_with_quick_compile()


def test_failure_while_writing_leaves_the_old_result(problem, tmp_path, compiler, monkeypatch):
    out = tmp_path / "out"
    call("compile", problem, "--out", out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def fail(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr(output, "_write_figures", fail)
    result = call("compile", problem, "--out", out, "--force")
    assert result.exit_code == 1
    assert isinstance(result.exception, OSError)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_truncation_is_refused_and_divergence_is_a_failure(problem, tmp_path, compiler):
    def truncate(settings, *, progress):
        raise TruncationError("The target needs more than `target.max_bond` = 4.")

    compiler(truncate)
    result = call("compile", problem, "--out", tmp_path / "out")
    assert refused_after_start(result, f"{problem}: The target needs more")

    def diverge(settings, *, progress):
        raise DivergenceError("The objective is not finite.")

    compiler(diverge)
    result = call("compile", problem, "--out", tmp_path / "out")
    assert (result.exit_code, type(result.exception)) == (1, DivergenceError)
    assert not (tmp_path / "out").exists()


def refused_after_start(result, fragment):
    return result.exit_code == 2 and fragment in result.stderr


# --- compile: refusals of the problem ---

TERMS = {"num_qubits": 3}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"hamiltonian": {**TERMS, "terms": [["XX", [0, 1], {"re": 1, "im": 1}]]}}, "/terms/0"),
        ({"hamiltonian": {**TERMS, "terms": [["XX", [0, 1], 1e999]]}}, ""),
        ({"hamiltonian": {**TERMS, "terms": [["XX", [2, 3], 1.0]]}}, "/terms/0"),
        ({"hamiltonian": {**TERMS, "terms": [["XX", [1, 1], 1.0]]}}, "/terms/0"),
        ({"hamiltonian": {**TERMS, "terms": [["XX", [0, 2], 1.0]]}}, "/terms/0"),
        ({"hamiltonian": {**TERMS, "terms": [["XQ", [0, 1], 1.0]]}}, "/terms/0"),
        ({"hamiltonian": {"model": "hubbard", "num_qubits": 4}}, "/hamiltonian/model"),
        ({"hamiltonian": {"model": "xxz_chain", "num_qubits": 4, "U": 1}}, "/hamiltonian/U"),
        ({"initial_state": [0, 1]}, "/initial_state"),
        ({"ansatz": {"layers": 0}}, "/ansatz/layers"),
        ({"ansatz": {"layers": 4, "order": 2}}, "/ansatz/order"),
        ({"target": {"tolerance": 0.0}}, "/target/tolerance"),
        ({"target": {"tolerance": 0.2}}, "/target/tolerance"),
        ({"time": float("nan")}, "line 1, column"),
        ({"time": float("inf")}, "line 1, column"),
        ({"tolerance": 1}, "/tolerance"),
    ],
)
def test_problem_is_refused_before_anything_is_written(tmp_path, compiler, change, pointer):
    compiler(None)
    path = tmp_path / "problem.json"
    path.write_text(json.dumps({**PROBLEM, **change}).replace("1e+999", "1e999"))
    result = call("compile", path, "--out", tmp_path / "out")
    assert refused(result, f"{path}: ", pointer)
    assert not (tmp_path / "out").exists()


def test_every_fault_of_a_problem_has_its_line(tmp_path, compiler):
    path = tmp_path / "problem.json"
    path.write_text(json.dumps({**PROBLEM, "target": {"tolerance": 1}, "seed": -1}))
    lines = call("compile", path, "--out", tmp_path / "out").stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["/target/tolerance", "/seed"]


@pytest.mark.parametrize(
    ("text", "fragment"),
    [('{\n  "time": }', "line 2, column 11"), ("[]", "object"), ("", "line 1")],
)
def test_what_is_not_json_is_refused_with_its_place(tmp_path, text, fragment):
    path = tmp_path / "problem.json"
    path.write_text(text)
    assert refused(call("compile", path, "--out", tmp_path / "out"), fragment)


def test_missing_problem_is_refused(tmp_path):
    result = call("compile", tmp_path / "nowhere.json", "--out", tmp_path / "out")
    assert refused(result, "nowhere.json: The file cannot be read: No such file")


# --- compile: refusals of the directory ---


def test_directory_with_a_result_is_refused_unless_forced(problem, tmp_path, compiler):
    out = tmp_path / "out"
    call("compile", problem, "--out", out)
    (out / "notes.txt").write_text("mine")
    (out / "circuit.qasm").write_text("old")
    calls = []
    compiler(lambda settings, *, progress: calls.append(settings) or FakeResult())

    assert refused(call("compile", problem, "--out", out), "already holds a result", "--force")
    assert (calls, (out / "circuit.qasm").read_text()) == ([], "old")

    assert call("compile", problem, "--out", out, "--force").exit_code == 0
    assert (out / "circuit.qasm").read_text().startswith("OPENQASM 3")
    assert (out / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in out.iterdir()) == sorted([*output.FILES, "notes.txt"])


def test_directory_with_other_files_is_refused(problem, tmp_path):
    assert refused(call("compile", problem, "--out", tmp_path), "must be empty", "problem.json")
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == ["problem.json"]


def test_empty_directory_is_accepted(problem, tmp_path, compiler):
    (tmp_path / "out").mkdir()
    assert call("compile", problem, "--out", tmp_path / "out").exit_code == 0


def test_what_cannot_be_a_directory_is_refused(problem, tmp_path):
    assert refused(call("compile", problem, "--out", problem), "is a file")
    assert refused(call("compile", problem, "--out", problem / "out"), "cannot be written")
    (tmp_path / "out" / "circuit.qpy").mkdir(parents=True)
    result = call("compile", problem, "--out", tmp_path / "out", "--force")
    assert refused(result, "circuit.qpy must be a file")


def test_directory_without_permission_is_refused(problem, tmp_path, monkeypatch):
    def deny(*arguments, **settings):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(output.tempfile, "TemporaryDirectory", deny)
    result = call("compile", problem, "--out", tmp_path / "out")
    assert refused(result, "cannot be written: Permission denied.")


# --- the other commands ---


@pytest.mark.parametrize("command", ["version", "--help", "show", "models"])
def test_light_commands_load_no_heavy_library(command):
    heavy = {"jax", "qiskit", "quimb", "matplotlib", "scipy"} | (
        set() if command == "models" else {"numpy"}
    )
    code = (
        "import sys; from aqc.cli import app\n"
        f"try: app(['{command}'])\n"
        "finally: print(','.join(sys.modules), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    modules = set(run.stderr.splitlines()[-1].split(","))
    assert "aqc.cli" in modules
    assert not heavy & modules


def test_version_lists_what_a_result_depends_on():
    found = json.loads(call("version", "--json").stdout)
    assert found["numpy"] == importlib.metadata.version("numpy")
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    printed = call("version").stdout
    assert all(name in printed and version in printed for name, version in found.items())


def test_models_prints_every_formula_and_parameter():
    from aqc.models import MODELS

    printed = call("models").stdout
    for model in MODELS.values():
        section = printed.split(f"\n{model.name}\n")[1].split("\n\n")[0]
        assert model.formula in section
        for parameter in model.parameters:
            assert f"    {parameter.name} " in section


def test_show_refuses_what_is_no_result(tmp_path):
    assert refused(call("show", tmp_path), "result.json cannot be read")
    for text in ("{", "[]", "{}"):
        (tmp_path / "result.json").write_text(text)
        assert refused(call("show", tmp_path), "result.json is not")


# --- commands of other packages ---


class EntryPoint(importlib.metadata.EntryPoint):
    loaded: ClassVar[list[str]] = []

    def load(self):
        self.loaded.append(self.name)
        return super().load()


@pytest.fixture
def entry_points(monkeypatch):
    module = types.ModuleType("other_package")
    module.greet = greet
    monkeypatch.setitem(sys.modules, "other_package", module)
    points = [
        EntryPoint("greet", "other_package:greet", "aqc.commands"),
        EntryPoint("broken", "package_that_is_missing:app [service]", "aqc.commands"),
    ]
    monkeypatch.setattr(commands, "entry_points", lambda group: points)
    EntryPoint.loaded.clear()


def greet(name: str) -> None:
    """Say hello."""
    print(f"hello {name}")  # noqa: T201


def test_commands_of_other_packages_are_listed_without_loading(entry_points):
    printed = call("--help").stdout
    assert "greet" in printed
    assert "broken" in printed
    assert EntryPoint.loaded == []


def test_commands_of_other_packages_run(entry_points):
    assert call("greet", "Neel").stdout == "hello Neel\n"
    assert EntryPoint.loaded == ["greet"]
    assert "Say hello." in call("greet", "--help").stdout
    assert refused(call("broken"), "package_that_is_missing", "extra `service`")


# --- the process ---


def test_threads_are_limited_before_numpy_is_loaded(tmp_path):
    problem = tmp_path / "problem.json"
    problem.write_text('{"limits": {"threads": 3}}')
    code = f"""
import os, sys
class Spy:
    def find_spec(self, name, *rest):
        if name == "numpy":
            print("numpy sees", os.environ.get("OMP_NUM_THREADS"))
sys.meta_path.insert(0, Spy())
from aqc.cli import app
app(["compile", {str(problem)!r}, "--out", {str(tmp_path / "out")!r}])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout.split("\n")[0] == "numpy sees 3"
    assert (run.returncode, "/hamiltonian" in run.stderr) == (2, True)


def test_threads_given_by_the_problem_the_environment_or_the_default():
    from aqc.settings import LimitSettings

    assert LimitSettings().threads == runtime.DEFAULT_THREADS
    for given, before, after in (
        (5, None, "5"),
        (5, "7", "5"),
        (None, "7", "7"),
        (None, None, "2"),
    ):
        with mock.patch.dict(os.environ):
            os.environ.pop("OMP_NUM_THREADS", None)
            if before:
                os.environ["OMP_NUM_THREADS"] = before
            runtime.limit_threads(given)
            assert os.environ["OMP_NUM_THREADS"] == after


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"\xff", b'{"limits": {"threads": true}}', b"[" * 10**5]
)
def test_no_text_keeps_the_problem_from_being_read(text):
    assert runtime.requested_threads(text) is None


def test_compilation_cache_is_the_users_and_a_given_one_is_kept(tmp_path):
    del os.environ["JAX_COMPILATION_CACHE_DIR"]
    runtime.use_compilation_cache()
    directory = os.environ["JAX_COMPILATION_CACHE_DIR"]
    assert directory.startswith(str(tmp_path / "cache" / "aqc" / "jax-"))
    assert os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] == "0"
    os.environ["JAX_COMPILATION_CACHE_DIR"] = "elsewhere"
    runtime.use_compilation_cache()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "elsewhere"


def test_unusable_cache_directory_is_no_obstacle(tmp_path):
    (tmp_path / "cache").write_text("a file")
    del os.environ["JAX_COMPILATION_CACHE_DIR"]
    runtime.use_compilation_cache()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ
