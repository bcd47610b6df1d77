"""The init stage: it compiles what it may, says what it did, and changes no circuit's action."""

import itertools
import json
import logging
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import ClassicalRegister, QuantumCircuit, transpile
from qiskit.circuit import Gate, IfElseOp
from qiskit.circuit.classical import expr
from qiskit.circuit.library import PauliEvolutionGate, RXXGate, RYYGate, RZXGate, RZZGate, XGate
from qiskit.quantum_info import SparsePauliOp, Statevector, random_unitary
from qiskit.transpiler import PassManager

from aqc.errors import InputError
from aqc.qiskit_plugin.evolved_state import TimeEvolvedState
from aqc.qiskit_plugin.init import OPTIONS, OUTCOME, CompilePrefix

# Qiskit's own matrix of a PauliEvolutionGate goes through SciPy's sparse exponential.
pytestmark = pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
BASIS = ["cx", "rz", "sx", "x"]


def chain(n, time=0.4):
    terms = [(pauli, [j, j + 1], 1.0) for j in range(n - 1) for pauli in ("XX", "YY")]
    terms += [("Z", [j], 0.3 * j) for j in range(n)]
    return PauliEvolutionGate(SparsePauliOp.from_sparse_list(terms, n), time)


def evolved(n, qubits=None):
    circuit = QuantumCircuit(n)
    circuit.x(range(1, n, 2))
    circuit.append(chain(n), qubits or range(n))
    return circuit


def fidelity(one, other):
    return abs(np.vdot(Statevector(one).data, Statevector(other).data)) ** 2


def two_qubit_gates(circuit):
    return circuit.size(lambda step: len(step.qubits) == 2)


@pytest.mark.parametrize("level", [2, 3])
def test_transpile_finds_the_stage_and_is_closer_with_no_more_gates(level):
    circuit = evolved(4, [2, 0, 3, 1])
    circuit.h([0, 3])
    arguments = {"basis_gates": BASIS, "optimization_level": level, "seed_transpiler": 5}
    plain = transpile(circuit, **arguments)
    ours = transpile(circuit, init_method="aqctensor", **arguments)
    (record,) = ours.metadata[OUTCOME]["compiled"]
    assert record["seed"] == 5
    assert sorted(record["qubits"]) == [0, 1, 2, 3]
    assert ours.metadata[OUTCOME]["left"] == []
    assert 1 - fidelity(ours, circuit) <= ours.metadata[OUTCOME]["infidelity_bound"] <= 0.01
    assert two_qubit_gates(ours) <= two_qubit_gates(plain)
    assert 1 - fidelity(plain, circuit) > 10 * (1 - fidelity(ours, circuit))
    assert json.loads(json.dumps(ours.metadata)) == ours.metadata


def test_the_property_set_holds_what_the_metadata_hold():
    manager = PassManager([CompilePrefix(tolerance=1e-4, layers=3)])
    ours = manager.run(evolved(4))
    outcome = manager.property_set[OUTCOME]
    assert outcome == ours.metadata[OUTCOME]
    (record,) = outcome["compiled"]
    assert record["layers"] == 3
    assert record["fidelity"] == pytest.approx(1 - record["infidelity"])
    assert record["infidelity_bound"] <= 1e-4


def test_a_circuit_brings_its_own_options():
    circuit = evolved(4)
    circuit.metadata = {OPTIONS: {"tolerance": 1e-3, "seed": 9}, "mine": 1}
    ours = transpile(circuit, basis_gates=BASIS, init_method="aqctensor", seed_transpiler=5)
    (record,) = ours.metadata[OUTCOME]["compiled"]
    assert record["seed"] == 9
    assert record["infidelity_bound"] <= 1e-3
    assert ours.metadata["mine"] == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tolerence": 0.1}, 'one is "tolerence"; did you mean'),
        ({"tolerance": 2}, "`tolerance` must be between 0 and 1, but is 2"),
        ({"tolerance": "0.1"}, "`tolerance` must be a"),
        ({"layers": "many"}, "`ansatz.layers` must be an integer"),
        ({"device": "torino"}, '`device` must be true or false, but is "torino"'),
        ({"device": True}, "needs a device with known errors"),
        ({"timeout": 0}, "`timeout` must be between 0 and 1e\\+09, but is 0"),
        ({"seed": -1}, "`seed` must be at least 0"),
        (0.1, "must be a mapping, but are 0.1"),
    ],
)
def test_options_that_are_none_are_refused(options, sentence):
    circuit = evolved(3)
    circuit.metadata = {OPTIONS: options}
    with pytest.raises(InputError, match=sentence):
        CompilePrefix()(circuit)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"optimization_level": 0}, "nothing is compiled at optimization level 0"),
        ({"optimization_level": 1}, "nothing is compiled at optimization level 1"),
        ({"qubits_initially_zero": False}, "the qubits may not start in |0>"),
    ],
)
def test_where_nothing_is_compiled_the_stage_is_qiskits_own(arguments, reason, caplog):
    circuit = evolved(3)
    arguments = {"basis_gates": BASIS, "seed_transpiler": 1, **arguments}
    plain = transpile(circuit, **arguments)
    with caplog.at_level(logging.WARNING, "aqc.qiskit_plugin.init"):
        ours = transpile(circuit, init_method="aqctensor", **arguments)
    assert ours == plain
    assert reason in caplog.text


def test_what_misses_the_tolerance_stays_and_the_reason_is_told(caplog):
    circuit = evolved(5)
    ours = CompilePrefix(tolerance=1e-6, layers=1)(circuit)
    (left,) = ours.metadata[OUTCOME]["left"]
    assert left["qubits"] == [0, 1, 2, 3, 4]
    assert "more than the tolerance 1e-06" in left["reason"]
    assert left["reason"] in caplog.text
    assert [step.operation.name for step in ours.data] == ["x", "x", "PauliEvolution"]


@pytest.mark.parametrize(
    ("labels", "time"), [(["IIZ", "IXI", "ZII"], 0.7), (["IZZ", "ZII"], 0.4), (["XXI", "IZZ"], 0.0)]
)
def test_evolutions_that_entangle_little_or_nothing(labels, time):
    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    circuit.append(PauliEvolutionGate(SparsePauliOp(labels), time), [2, 0, 1])
    ours = CompilePrefix(tolerance=1e-6)(circuit)
    (record,) = ours.metadata[OUTCOME]["compiled"]
    assert record["two_qubit_gates"] == (1 if "IZZ" in labels and time else 0)
    assert 1 - fidelity(ours, circuit) <= 1e-6


def test_what_takes_too_long_stays():
    ours = CompilePrefix(timeout=1e-6)(evolved(4))
    (left,) = ours.metadata[OUTCOME]["left"]
    assert left["reason"] == "the compile took longer than `timeout` = 1e-06 s"
    assert ours.count_ops() == evolved(4).count_ops()


def test_what_is_not_shallower_stays():
    circuit = QuantumCircuit(3)
    circuit.rxx(0.4, 0, 1), circuit.rxx(0.4, 1, 2)
    ours = CompilePrefix(tolerance=1e-6, layers=4)(circuit)
    assert ours.count_ops() == circuit.count_ops()
    assert "its own two-qubit depth is" in ours.metadata[OUTCOME]["left"][0]["reason"]


def test_rotations_written_out_are_compiled_to_fewer():
    circuit = QuantumCircuit(4)
    circuit.x([1, 3])
    for _ in range(6):
        for a, b in ((0, 1), (2, 3), (1, 2)):
            circuit.rxx(0.06, a, b), circuit.ryy(0.06, a, b), circuit.rzz(0.03, a, b)
    circuit.measure_all()
    ours = CompilePrefix(tolerance=1e-3)(circuit)
    (record,) = ours.metadata[OUTCOME]["compiled"]
    for one in (ours, circuit):
        one.remove_final_measurements()
    assert 1 - fidelity(ours, circuit) <= record["infidelity_bound"] <= 1e-3
    assert record["bound_kind"] == "rigorous"
    assert record["two_qubit_depth"] < 18


def test_parts_are_compiled_apart_and_their_bounds_multiply():
    circuit = QuantumCircuit(6)
    circuit.x(1)
    circuit.append(chain(3), [4, 2, 0])
    circuit.append(chain(3, 0.7), [1, 3, 5])
    circuit.append(chain(3), [1, 3, 0])
    ours = CompilePrefix(tolerance=0.05, layers=2)(circuit)
    outcome = ours.metadata[OUTCOME]
    assert [record["qubits"] for record in outcome["compiled"]] == [[4, 2, 0], [1, 3, 5]]
    bounds = [record["infidelity_bound"] for record in outcome["compiled"]]
    assert outcome["infidelity_bound"] == pytest.approx(1 - (1 - bounds[0]) * (1 - bounds[1]))
    assert outcome["left"] == [{"qubits": [1, 3, 0], "reason": "another evolution comes before it"}]
    assert ours.count_ops()["PauliEvolution"] == 1
    assert 1 - fidelity(ours, circuit) <= outcome["infidelity_bound"]


def test_a_circuit_with_variables_and_control_flow_keeps_them():
    circuit = QuantumCircuit(3, 2)
    flag = circuit.add_var("flag", expr.lift(False))
    circuit.append(chain(3), range(3))
    circuit.measure(0, 0)
    circuit.store(flag, circuit.clbits[0])
    with circuit.if_test(flag):
        circuit.x(1)
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.append(chain(3), range(3))
        circuit.measure(0, 0)
    ours = CompilePrefix(tolerance=0.01, layers=3)(circuit)
    names = [step.operation.name for step in ours.data if not isinstance(step.operation, Gate)]
    assert names == ["store", "measure", "store", "if_else", "while_loop"]
    assert [var.name for var in ours.iter_declared_vars()] == ["flag"]
    assert "PauliEvolution" not in ours.count_ops()
    assert len(ours.metadata[OUTCOME]["compiled"]) == 1


def test_the_stage_is_light_to_load():
    code = """
import sys
import qiskit.transpiler.preset_passmanagers.plugin, qiskit.circuit.library
before = set(sys.modules)
import aqc.qiskit_plugin.init, aqc.qiskit_plugin.evolved_state
print(*sorted(set(sys.modules) - before))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name for name in run.stdout.split() if name.split(".")[0] != "aqc"}
    assert loaded <= sys.stdlib_module_names
    assert len(run.stdout.split()) <= 10


# --- random circuits, some of whose prefixes are not what they seem


ROTATIONS = [RXXGate, RYYGate, RZZGate, RZXGate]
TRAPS = ["cx", "swap", "barrier", "measure", "reset", "if"]


@st.composite
def circuits(draw):
    """A circuit of 4 qubits that mixes evolutions with all that may stand in their way."""
    n = 4
    circuit = QuantumCircuit(n)
    circuit.add_register(ClassicalRegister(2))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    kinds = st.sampled_from(["gate", "gate", "evolution", "evolution", "rotation", "state", "trap"])
    for kind in draw(st.lists(kinds, min_size=2, max_size=9)):
        qubits = [int(q) for q in rng.permutation(n)]
        if kind == "gate":
            circuit.unitary(random_unitary(2, seed=rng), qubits[0])
        elif kind == "rotation":
            gate = ROTATIONS[rng.integers(4)](float(rng.uniform(-1, 1)))
            circuit.append(gate, qubits[:2])
        elif kind == "state":
            size = int(rng.integers(2, n + 1))
            model = {"model": "heisenberg_chain", "num_qubits": size}
            state = TimeEvolvedState(model, float(rng.uniform(-0.4, 0.4)), "neel")
            circuit.append(state, qubits[:size])
        elif kind == "evolution":
            size = int(rng.integers(2, n + 1))
            circuit.append(random_evolution(rng, size), qubits[:size])
            if rng.random() < 0.3:
                circuit.append(circuit.data[-1].operation, qubits[:size])
        else:
            add_trap(circuit, TRAPS[rng.integers(len(TRAPS))], qubits)
    return circuit


def random_evolution(rng, size):
    """Mostly along a line of its qubits in some order; sometimes with a term that is not."""
    order = rng.permutation(size)
    terms = [
        ("".join(rng.choice(list("XYZ"), 2)), [int(a), int(b)], float(rng.uniform(-1, 1)))
        for a, b in itertools.pairwise(order)
    ]
    terms.append((str(rng.choice(list("XYZ"))), [int(order[0])], float(rng.uniform(-1, 1))))
    if size > 2 and rng.random() < 0.2:
        terms.append(("ZZ", [int(order[0]), int(order[2])], 0.5))
    operator = SparsePauliOp.from_sparse_list(terms, size)
    return PauliEvolutionGate(operator, float(rng.uniform(-0.6, 0.6)))


def add_trap(circuit, trap, qubits):
    if trap in ("cx", "swap"):
        getattr(circuit, trap)(*qubits[:2])
    elif trap == "measure":
        circuit.measure(qubits[0], qubits[1] % 2)
    elif trap == "if":
        body = QuantumCircuit(1)
        body.append(XGate(), [0])
        circuit.append(IfElseOp((circuit.clbits[qubits[1] % 2], 1), body), qubits[:1])
    elif trap == "reset":
        circuit.reset(qubits[0])
    else:
        circuit.barrier(qubits[:2])


def dilated(circuit, fresh):
    """The same circuit without measurement, reset and condition: with fresh qubits instead.

    `fresh` remembers which qubit the k-th of them on a qubit has, whatever the order of the rest.
    """
    unitary = QuantumCircuit(circuit.num_qubits + 9)
    met, outcome = Counter(), {}
    for step in circuit.data:
        qubits = [circuit.find_bit(qubit).index for qubit in step.qubits]
        name = step.operation.name
        if name in ("measure", "reset"):
            met[qubits[0]] += 1
            ancilla = fresh.setdefault((qubits[0], met[qubits[0]]), circuit.num_qubits + len(fresh))
        if name == "measure":
            unitary.cx(qubits[0], ancilla)
            outcome[step.clbits[0]] = ancilla
        elif name == "reset":
            unitary.swap(qubits[0], ancilla)
        elif name == "if_else":
            if step.operation.condition[0] in outcome:
                unitary.cx(outcome[step.operation.condition[0]], qubits[0])
        else:
            unitary.append(step.operation, qubits)
    return unitary


def check_that_the_action_stays(circuit, tolerance):
    ours = CompilePrefix(tolerance=tolerance, layers=2, max_steps=15)(circuit.copy())
    outcome = ours.metadata[OUTCOME]
    fresh = {}
    lost = 1 - fidelity(dilated(circuit, fresh), dilated(ours, fresh))
    assert lost <= outcome["infidelity_bound"] + 1e-9
    assert all(record["infidelity_bound"] <= tolerance for record in outcome["compiled"])
    if not outcome["compiled"]:
        assert ours == circuit
    return outcome["compiled"]


@settings(max_examples=25)
@given(circuit=circuits(), tolerance=st.sampled_from([0.3, 0.02]))
def test_no_circuit_acts_differently_beyond_the_bound(circuit, tolerance):
    check_that_the_action_stays(circuit, tolerance)


@pytest.mark.slow
def test_no_circuit_of_three_hundred_acts_differently_beyond_the_bound():
    compiled = []

    @settings(max_examples=300)
    @given(circuit=circuits(), tolerance=st.sampled_from([0.3, 0.1, 0.02, 1e-4]))
    def check(circuit, tolerance):
        compiled.append(bool(check_that_the_action_stays(circuit, tolerance)))

    check()
    assert len(compiled) >= 300
    assert sum(compiled) > 75  # so that the test says something
