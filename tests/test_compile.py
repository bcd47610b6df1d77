"""The story end to end on small chains: every option, every refusal, against dense truth."""

import json

import numpy as np
import pytest
import scipy.linalg
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp, Statevector

from aqc import compile_evolution, compile_problem
from aqc.errors import InputError, TruncationError
from aqc.problem import Problem
from reference import evolved, fidelity, neel, random_chain, random_product, xxz


def site_order(vector: np.ndarray) -> np.ndarray:
    """Return a Qiskit state vector with qubit 0 leftmost."""
    n = round(np.log2(len(vector)))
    return vector.reshape((2,) * n).transpose().ravel()


def true_infidelity(result, hamiltonian, state, time) -> float:
    vector = site_order(Statevector(result.circuit).data)
    return 1 - fidelity(vector, evolved(hamiltonian, state, time))


@pytest.mark.parametrize(("num_qubits", "layers"), [(2, 1), (2, 4), (3, 3), (4, 5), (7, 4), (8, 3)])
def test_compiled_circuit_reaches_the_evolved_state(num_qubits, layers):
    chain, state = random_chain(num_qubits, seed=0), random_product(num_qubits, seed=1)
    angles = [[2 * np.arccos(min(1.0, abs(a))), np.angle(b) - np.angle(a)] for a, b in state]
    result = compile_evolution(
        chain,
        0.5,
        initial_state={"bloch": angles},
        ansatz={"layers": layers},
        target={"tolerance": 1e-7},
        goal={"infidelity": 1e-7},
        optimizer={"max_steps": 60},
    )
    truth = true_infidelity(result, chain, state, 0.5)
    certificate = result.certificate
    assert truth <= certificate.infidelity_bound
    assert certificate.infidelity <= result.trotter.infidelity + 1e-9 or num_qubits == 2
    assert certificate.infidelity == pytest.approx(result.optimum.infidelity, abs=1e-10)
    assert abs(truth - certificate.infidelity) < 3e-4 * np.sqrt(max(truth, 1e-9)) + 1e-6
    assert result.two_qubit_depth <= 3 * layers - 2


@pytest.mark.parametrize("time", [0.0, -0.6])
def test_no_time_and_backward_time(time):
    result = compile_evolution(xxz(5), time, initial_state="neel", ansatz={"layers": 5})
    assert true_infidelity(result, xxz(5), neel(5), time) <= result.certificate.infidelity_bound
    if time == 0.0:
        assert result.certificate.infidelity == pytest.approx(0, abs=1e-12)
        assert result.certificate.bound_kind == "rigorous"


def test_bonds_without_a_term():
    chain = {"num_qubits": 6, "terms": [["XX", [0, 1], 1.0], ["ZZ", [3, 4], 0.7]]}
    result = compile_evolution(chain, 1.0, ansatz={"layers": 3}, goal={"infidelity": 1e-8})
    assert result.status == "goal_reached"
    assert result.two_qubit_gates <= 4


def test_qiskit_operators_are_taken_directly():
    """Qubit order: a chain that is not its own mirror image."""
    terms = [("XX", [0, 1], 1.0), ("ZZ", [1, 2], 0.3), ("Y", [2], 0.9), ("X", [0], 0.2)]
    operator = SparsePauliOp.from_sparse_list(terms, num_qubits=3)
    options = {"initial_state": "001", "ansatz": {"layers": 5}, "goal": {"infidelity": 1e-9}}
    evolution = scipy.linalg.expm(-0.8j * operator.to_matrix())
    expected = evolution @ Statevector.from_label("001").data
    for result in (
        compile_evolution(operator, 0.8, **options),
        compile_evolution(PauliEvolutionGate(operator, 0.8), **options),
    ):
        overlap = abs(np.vdot(expected, Statevector(result.circuit).data)) ** 2
        assert overlap > 1 - 1e-6


def test_time_is_given_once():
    operator = SparsePauliOp.from_sparse_list([("XX", [0, 1], 1.0)], num_qubits=2)
    with pytest.raises(InputError, match="must be left out for a PauliEvolutionGate"):
        compile_evolution(PauliEvolutionGate(operator, 0.8), 0.5)
    with pytest.raises(InputError, match="`time` must be given"):
        compile_evolution(operator)


@pytest.mark.parametrize("basis", ["cx", "cz", "ecr", "rzz"])
def test_bases_give_the_same_state(basis):
    result = compile_evolution(
        xxz(5), 0.5, initial_state="neel", ansatz={"layers": 3}, circuit={"basis": basis}
    )
    assert set(result.circuit.count_ops()) <= {"u", basis}
    assert result.certificate.infidelity <= 0.01


def test_coupling_map_with_and_without_a_line():
    line = [[3, 1], [1, 0], [0, 2], [2, 4]]
    star = [[0, 1], [0, 2], [0, 3], [0, 4], [0, 5]]
    straight, routed = (
        compile_evolution(
            xxz(5),
            0.5,
            initial_state="neel",
            ansatz={"layers": 3},
            circuit={"coupling_map": pairs},
        )
        for pairs in (line, star)
    )
    assert straight.layout in [(3, 1, 0, 2, 4), (4, 2, 0, 1, 3)]
    assert straight.two_qubit_depth == 7
    assert routed.two_qubit_gates > straight.two_qubit_gates
    for result in (straight, routed):
        assert result.certificate.infidelity == pytest.approx(result.optimum.infidelity, abs=1e-10)


def test_result_holds_what_is_promised():
    result = compile_evolution(xxz(4), 0.5, ansatz={"layers": 3})
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    for name in ("num_qubits", "layers", "two_qubit_gates", "two_qubit_depth", "infidelity"):
        assert name in content
    assert {"fidelity", "infidelity_bound", "bound_kind", "method"} <= content["certificate"].keys()
    assert {"target_truncation", "target_trotter_estimate"} <= content["certificate"].keys()
    assert content["trotter"].keys() >= {
        "order",
        "fidelity",
        "two_qubit_depth",
        "two_qubit_gates",
    }
    assert content["optimizer"].keys() >= {"name", "status", "evaluations", "history"}
    assert content["seconds"].keys() == {
        "import",
        "target",
        "compile",
        "optimize",
        "certify",
        "total",
    }
    assert content["seed"] == 0
    assert Problem.from_dict(content["problem"]) == result.problem


def test_same_problem_same_circuit():
    first, second = (
        compile_evolution(xxz(6), 0.7, initial_state="neel", ansatz={"layers": 3}) for _ in range(2)
    )
    assert first.circuit == second.circuit


def test_progress_goes_through_all_stages():
    seen = []
    compile_evolution(
        xxz(4),
        0.6,
        initial_state="neel",
        ansatz={"layers": 3},
        goal={"infidelity": 1e-4},
        progress=seen.append,
    )
    stages = list(dict.fromkeys(event.stage for event in seen))
    assert stages == ["import", "target", "compile", "optimize", "certify"]
    infidelities = [event.infidelity for event in seen if event.stage == "optimize"]
    assert infidelities[-1] < infidelities[0]


def test_interrupted_and_resumed_equals_uninterrupted(tmp_path):
    """Ctrl-C while optimizing keeps the best circuit, and a checkpoint goes on exactly."""
    problem = Problem.build(
        xxz(6), 0.8, initial_state="neel", goal={"infidelity": 1e-9}, optimizer={"max_steps": 40}
    )
    whole = compile_problem(problem)

    def stop(event):
        if event.stage == "optimize" and event.evaluations >= 12:
            raise KeyboardInterrupt

    cut = compile_problem(problem, progress=stop, checkpoint=tmp_path)
    assert cut.status == "interrupted"
    assert cut.certificate.infidelity < cut.optimum.history[0][1]
    resumed = compile_problem(problem, checkpoint=tmp_path)
    assert resumed.optimum.history[-1] == whole.optimum.history[-1]
    assert resumed.circuit == whole.circuit


def test_memory_is_refused_before_any_work():
    seen = []
    with pytest.raises(InputError, match="`limits.memory_gb` must cover the predicted") as refused:
        compile_evolution(
            xxz(50), 1.0, overlap="exact", ansatz={"layers": 31}, progress=seen.append
        )
    assert refused.value.pointer == "/limits/memory_gb"
    assert [event.stage for event in seen] == ["import"]


def test_a_target_that_cannot_keep_its_tolerance_is_an_error():
    with pytest.raises(TruncationError, match=r"raise `target.max_bond`"):
        compile_evolution(xxz(14), 3.0, initial_state="neel", target={"max_bond": 8})


def test_absurd_time_is_refused():
    with pytest.raises(InputError, match="evolve for a shorter time"):
        compile_evolution(xxz(4), 1e300)
