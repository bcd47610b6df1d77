"""The command line with a quick stand-in for the compiler."""

import json
import sys
import types
from typing import Any

import pytest

from aqc import output
from aqc.errors import DivergenceError, TruncationError
from aqc.progress import Progress
from command_line import call, refused

PROBLEM = {
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 4},
    "time": 0.5,
    "ansatz": {"layers": 3},
}


class FakeResult:
    """What `compile_problem` returns, as far as the command line looks at it."""

    def __init__(self, status="goal_reached", sweep=False):
        from qiskit import QuantumCircuit

        self.circuit = QuantumCircuit(4)
        self.circuit.u(0.1, 0.2, 0.3, 1)
        self.circuit.cx(0, 1)
        self.bricks = [[(0, 1.0), (2, 0.0)], [(1, 0.5)]]
        self.trotter = types.SimpleNamespace(infidelity=0.1)
        self.optimum = types.SimpleNamespace(history=((1, 0.1), (2, 0.008)))
        self.status = status
        self.depths = (self._depth(3, 0.03, 0.4), self._depth(5, 0.008, 0.1))[: 2 if sweep else 1]

    @staticmethod
    def _depth(layers, infidelity, start_infidelity):
        return types.SimpleNamespace(
            layers=layers, infidelity=infidelity, start_infidelity=start_infidelity
        )

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
            "observables": {
                "energy": {"circuit": -1.5, "target": -1.25, "error": -0.25},
                "z": {"max_error": 0.01},
                "zz": {"max_error": 0.02},
            },
            "trotter": {
                "order": 2,
                "infidelity": 0.1,
                "two_qubit_depth": 9,
                "two_qubit_gates": 12,
            },
            "optimizer": {"status": self.status, "evaluations": 2},
            "sweep": [
                vars(depth) | {"evaluations": 2, "status": "stalled"} for depth in self.depths
            ],
            "seconds": {"import": 1.0, "target": 0.5, "total": 1.5},
            "problem": {"goal": {"infidelity": 0.01}},
        }


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

    def quick(settings, *, progress, target):
        progress(Progress("target"))
        progress(Progress("optimize", 1.0, 2, 0.008))
        return FakeResult()

    install(quick)
    return install


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


def test_no_figures_writes_what_they_are_drawn_from(problem, tmp_path, compiler):
    from aqc import figures

    out = tmp_path / "out"
    assert call("compile", problem, "--out", out, "--no-figures").exit_code == 0
    assert not [path for path in out.iterdir() if path.suffix in (".png", ".svg")]
    for name, data in json.loads((out / "figures.json").read_text()).items():
        figures.save(figures.FIGURES[name](**data), out / f"{name}.png")
    assert (out / "convergence.png").read_bytes().startswith(b"\x89PNG")


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


def test_a_sweep_is_a_table_and_a_figure(problem, tmp_path, compiler):
    compiler(lambda settings, **options: FakeResult(sweep=True))
    printed = call("compile", problem, "--out", tmp_path / "out").stdout
    rows = [line.split() for line in printed.splitlines()]
    assert ["3", "0.03", "0.4", "2", "stalled"] in rows
    assert ["5", "0.008", "0.1", "2", "stalled"] in rows
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == sorted((*output.FILES, *output.SWEEP_FILES))
    assert (tmp_path / "out/sweep.png").read_bytes().startswith(b"\x89PNG")
    assert "sweep.svg" in printed


def test_estimate_tells_and_refuses_what_cannot_fit(tmp_path):
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(PROBLEM | {"ansatz": {"layers": "auto"}}))
    told = json.loads(call("estimate", path, "--json").stdout)
    assert told["fits"] is True
    assert told["num_qubits"] == 4
    assert told["seconds"] > 0
    printed = call("estimate", path).stdout
    assert f"{told['layers']} brick layers" in printed
    assert "an estimate" in printed
    path.write_text(json.dumps(PROBLEM | {"limits": {"memory_gb": 0.01}}))
    refused = call("estimate", path)
    assert refused.exit_code == 2
    assert "0.01 GB allowed" in refused.stdout
    assert "/limits/memory_gb: `limits.memory_gb` must cover the predicted" in refused.stderr


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
    compiler(lambda settings, *, progress, target: FakeResult("stalled"))
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


# --- compile: interruption and failure ---


def test_interrupted_optimization_is_written_and_said(problem, tmp_path, compiler):
    compiler(lambda settings, *, progress, target: FakeResult("interrupted"))
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
    def truncate(settings, *, progress, target):
        raise TruncationError("The target needs more than `target.max_bond` = 4.")

    compiler(truncate)
    result = call("compile", problem, "--out", tmp_path / "out")
    assert refused_after_start(result, f"{problem}: The target needs more")

    def diverge(settings, *, progress, target):
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
        ({"hamiltonian": {**TERMS, "terms": [["XX", [0, 2], 1.0]]}}, "/hamiltonian"),
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
    compiler(lambda settings, *, progress, target: calls.append(settings) or FakeResult())

    assert refused(call("compile", problem, "--out", out), "already holds a result", "--force")
    assert (calls, (out / "circuit.qasm").read_text()) == ([], "old")

    assert call("compile", problem, "--out", out, "--force").exit_code == 0
    assert (out / "circuit.qasm").read_text().startswith("OPENQASM 3")
    assert (out / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in out.iterdir()) == sorted([*output.FILES, "notes.txt"])


def test_directory_with_other_files_is_refused(problem, tmp_path):
    assert refused(call("compile", problem, "--out", tmp_path), "must be empty", "problem.json")
    assert [path.name for path in tmp_path.iterdir()] == ["problem.json"]


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
