"""The script in processes of its own, compiling for real."""

import json
import os
import signal
import subprocess
import sys

import pytest

from aqc import output
from command_line import call, refused

# In the background of a shell the tests are deaf to Ctrl-C, and so would be a child of theirs.
SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from aqc.cli import main
main()
"""


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Start the script in a process of its own; compiled code is shared by this file's runs."""
    cache = tmp_path_factory.mktemp("cache")
    processes = []

    def run(*arguments):
        command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
        environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(cache)}
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
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
        "aqc: loading libraries",
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


def test_certify_refuses_what_it_cannot_measure(tmp_path):
    problem = tmp_path / "problem.json"
    problem.write_text('{"hamiltonian": {"model": "xxz_chain", "num_qubits": 4}, "time": 0.5}')
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
    path.write_text(
        json.dumps(
            {**LONG, "overlap": "exact", "ansatz": {"layers": 31}, "limits": {"memory_gb": 1}}
        )
    )
    result = call("compile", path, "--out", tmp_path / "out", "--quiet")
    assert refused(result, f"{path}: /limits/memory_gb: ", "predicted")
    assert not (tmp_path / "out").exists()
