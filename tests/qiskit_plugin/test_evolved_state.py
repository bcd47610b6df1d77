"""The operation TimeEvolvedState: what it means, and how high-level synthesis makes it."""

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector
from qiskit.transpiler.passes.synthesis import HLSConfig

import aqc
from aqc.errors import InputError
from aqc.qiskit_plugin.evolved_state import TimeEvolvedState
from reference import evolved, fidelity, random_product, site_order, xxz

# Qiskit's own matrix of a PauliEvolutionGate goes through SciPy's sparse exponential.
pytestmark = pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")

N, TIME = 4, 0.4


def prepared(state, qubits=range(N), n=N):
    circuit = QuantumCircuit(n)
    circuit.append(state, qubits)
    return circuit


def neel_state():
    return aqc.TimeEvolvedState(xxz(N), TIME, "neel")


def synthesized(circuit, *methods, **arguments):
    config = HLSConfig(TimeEvolvedState=list(methods)) if methods else None
    arguments = {"optimization_level": 2, **arguments}
    return transpile(circuit, basis_gates=["cx", "u"], hls_config=config, **arguments)


def infidelity(one, other):
    return 1 - fidelity(Statevector(one).data, Statevector(other).data)


def test_its_definition_is_the_exact_state():
    states = random_product(N, seed=3)
    angles = [(2 * np.arctan2(abs(b), abs(a)), np.angle(b) - np.angle(a)) for a, b in states]
    gate = TimeEvolvedState(xxz(N), TIME, {"bloch": angles})
    exact = evolved(xxz(N), states, TIME)
    assert fidelity(site_order(prepared(gate)), exact) == pytest.approx(1, abs=1e-12)


def test_it_takes_qiskits_own_hamiltonians():
    operator = SparsePauliOp.from_sparse_list(xxz(N).to_terms(), N)
    assert TimeEvolvedState(operator, TIME, "neel") == neel_state()
    assert TimeEvolvedState(PauliEvolutionGate(operator, TIME), initial_state="neel") == (
        neel_state()
    )
    assert TimeEvolvedState(operator, -TIME, "neel") != neel_state()


def test_its_inverse_undoes_it():
    circuit = prepared(neel_state())
    circuit.append(neel_state().inverse(), range(N))
    assert abs(Statevector(circuit).data[0]) == pytest.approx(1, abs=1e-12)


def test_compiled_within_the_tolerance():
    circuit = prepared(neel_state(), [2, 0, 3, 1])
    ours = synthesized(circuit, ("aqctensor", {"tolerance": 1e-3, "layers": 3}))
    assert infidelity(ours, circuit) <= 1e-3
    one_step = synthesized(circuit, "trotter")
    assert ours.count_ops()["cx"] <= one_step.count_ops()["cx"]
    assert infidelity(one_step, circuit) > 5 * infidelity(ours, circuit)


@pytest.mark.parametrize(("reps", "order", "power"), [(4, 1, 2), (4, 2, 4)])
def test_trotter_converges_with_its_order(reps, order, power):
    circuit = prepared(neel_state())
    coarse, fine = (
        infidelity(synthesized(circuit, ("trotter", {"reps": r, "order": order})), circuit)
        for r in (reps, 2 * reps)
    )
    assert np.log2(coarse / fine) == pytest.approx(power, abs=0.3)


def test_the_default_is_compiled_where_it_can_be():
    circuit = prepared(neel_state())
    assert infidelity(synthesized(circuit), circuit) <= 0.01
    later = QuantumCircuit(N)
    later.x(0)
    later.append(neel_state(), range(N))
    assert synthesized(later) == synthesized(later, "trotter")


def test_on_qubits_that_are_not_known_to_be_zero_it_keeps_its_own_action(caplog):
    circuit = QuantumCircuit(N)
    circuit.h(2)
    circuit.append(neel_state(), range(N))
    ours = synthesized(circuit, ("aqctensor", {"layers": 3}))
    without = transpile(circuit.decompose("TimeEvolvedState"), basis_gates=["cx", "u"])
    assert Operator(ours).equiv(Operator(without))
    assert "its qubits may not be in |0>" in caplog.text
    promised = {"qubits_initially_zero": False}
    caplog.clear()
    synthesized(prepared(neel_state()), ("aqctensor", {"layers": 3}), **promised)
    assert "its qubits may not be in |0>" in caplog.text


def test_what_misses_the_tolerance_goes_to_the_next_method(caplog):
    circuit = prepared(neel_state())
    methods = (("aqctensor", {"tolerance": 1e-7, "layers": 1}), ("trotter", {"reps": 3}))
    assert synthesized(circuit, *methods) == synthesized(circuit, methods[1])
    assert "more than the tolerance 1e-07" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((xxz(3), 0.5, "neeel"), "`initial_state` must be"),
        ((xxz(3),), "`time` must be given"),
        ((xxz(3), 0.5, {"circuit": QuantumCircuit(3)}), "must be a product state"),
        ((SparsePauliOp(["XIX"]), 0.5), "qubit 1 is coupled to none"),
    ],
)
def test_what_is_no_evolved_state_is_refused(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        TimeEvolvedState(*arguments)


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        (("aqctensor", {"layer": 3}), 'one is "layer"; did you mean `layers`'),
        (("trotter", {"reps": 0}), "`reps` must be"),
        (("trotter", {"order": 4}), "`order` must be"),
    ],
)
def test_options_that_are_none_are_refused(method, sentence):
    with pytest.raises(InputError, match=sentence):
        synthesized(prepared(neel_state()), method)
