"""The transpiler plugin: within its tolerance on every input, or left to the next method."""

import logging
import re

import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import AnnotatedOperation, ControlModifier, Parameter
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import Operator, SparseObservable, SparsePauliOp
from qiskit.transpiler import CouplingMap
from qiskit.transpiler.passes import HLSConfig
from scipy.linalg import expm

from aqc.errors import InputError
from aqc.qiskit_plugin.chains import Declined
from aqc.qiskit_plugin.evolution import AQCTensorEvolution
from aqc.qiskit_plugin.options import Options
from aqc.qiskit_plugin.synthesis import synthesize

PLUGIN = AQCTensorEvolution()
TOLERANCE = 1e-4


def random_operator(num_qubits: int, seed: int) -> SparsePauliOp:
    """A chain with some couplings and fields, some absent, in Qiskit's own order."""
    rng = np.random.default_rng(seed)
    terms = [("", [], rng.normal())]
    for qubit in range(num_qubits):
        terms += [(a, [qubit], rng.normal()) for a in "XYZ" if rng.random() < 0.5]
    for qubit in range(num_qubits - 1):
        kept = [a + b for a in "XYZ" for b in "XYZ" if rng.random() < 0.3]
        terms += [(ab, [qubit, qubit + 1], rng.normal()) for ab in kept]
    return SparsePauliOp.from_sparse_list(terms, num_qubits)


def distance(circuit: QuantumCircuit, operator: SparsePauliOp, time: float) -> tuple[float, float]:
    """Process infidelity and phase, by Qiskit's and SciPy's matrices."""
    truth = expm(-1j * time * operator.to_matrix())
    overlap = np.vdot(truth, Operator(circuit).data) / len(truth)
    return 1 - abs(overlap) ** 2, float(np.angle(overlap))


def transpiled(gate: PauliEvolutionGate, methods=None, level=2, **settings) -> QuantumCircuit:
    circuit = QuantumCircuit(gate.num_qubits)
    circuit.append(gate, range(gate.num_qubits))
    own = (PLUGIN, {"cache_dir": None, "tolerance": TOLERANCE})
    return transpile(
        circuit,
        basis_gates=["u", "cx"],
        optimization_level=level,
        hls_config=HLSConfig(PauliEvolution=methods or [own, "default"]),
        seed_transpiler=0,
        **settings,
    )


def check_random(num_qubits: int, seed: int, time: float) -> bool:
    """Check one random chain, and return whether it was compiled or left to the next method."""
    operator = random_operator(num_qubits, seed)
    try:
        circuit = synthesize(PauliEvolutionGate(operator, time), Options(timeout=120))
    except Declined:
        return False
    told = circuit.metadata["aqctensor"]
    infidelity, phase = distance(circuit, operator, time)
    assert infidelity <= told["infidelity_bound"]
    assert told["infidelity_bound"] <= TOLERANCE
    assert abs(phase) < 1e-7
    return True


def test_a_random_chain_stays_within_bound_and_tolerance():
    assert check_random(4, 0, 0.05)


@pytest.mark.slow
def test_two_hundred_random_chains_stay_within_bound_and_tolerance():
    compiled = [check_random(2 + seed % 7, seed, 0.02 + 0.28 * seed / 200) for seed in range(200)]
    assert sum(compiled) == 200


@pytest.mark.parametrize(
    ("operator", "time"),
    [
        # One-qubit terms that do not commute, an identity, and a qubit without any term.
        (SparsePauliOp(["IIX", "IIZ", "YII", "III"], [0.4, 0.3, 0.2, 5.0]), 0.7),
        # A chain in another order than the qubits', and one of its own.
        (SparsePauliOp.from_sparse_list([("XY", [2, 0], 0.4), ("ZX", [1, 3], 0.3)], 4), 1.0),
        (SparsePauliOp(["ZX"], [2.0]), -0.3),
        (SparsePauliOp(["X", "Z"], [2.0, 1.0]), 1e5),  # n = 1, a long time
        (SparsePauliOp(["III"], [1.5]), 1.0),
        (SparsePauliOp(["XXI", "IZZ"]), 0.0),
    ],
)
def test_one_and_two_qubits_are_exact(operator, time):
    circuit = synthesize(PauliEvolutionGate(operator, time), Options())
    infidelity, phase = distance(circuit, operator, time)
    assert infidelity < 1e-12
    assert abs(phase) < 1e-7
    assert infidelity <= circuit.metadata["aqctensor"]["infidelity_bound"] < 1e-12


def test_a_path_of_qubits_in_any_order_is_a_chain():
    """0 - 2 - 1, beside a pair of its own."""
    terms = [("XX", [0, 2], 0.5), ("ZY", [2, 1], 0.3), ("Z", [1], 0.2), ("XZ", [4, 3], 0.7)]
    operator = SparsePauliOp.from_sparse_list(terms, 5)
    circuit = transpiled(PauliEvolutionGate(operator, 0.5))
    infidelity, phase = distance(circuit, operator, 0.5)
    assert 0 < infidelity <= TOLERANCE
    assert abs(phase) < 1e-7


def test_a_list_of_operators_is_their_sum_also_where_they_do_not_commute():
    parts = [SparsePauliOp(["XXI", "IXX"]), SparsePauliOp(["ZII", "IZI", "IIZ"], [0.5, 0.5, 0.5])]
    gate = PauliEvolutionGate(parts, 0.3)
    circuit = transpiled(gate)
    assert distance(circuit, parts[0] + parts[1], 0.3)[0] <= TOLERANCE
    # Qiskit's own default is farther off: the plugin was used.
    assert distance(transpiled(gate, ["default"]), parts[0] + parts[1], 0.3)[0] > TOLERANCE


def test_projectors_of_a_sparse_observable_are_sums_of_paulis():
    observable = SparseObservable.from_sparse_list([("0+", [0, 1], 0.5), ("XX", [1, 2], 0.4)], 3)
    gate = PauliEvolutionGate(observable, 0.4)
    operator = SparsePauliOp.from_sparse_observable(observable)
    assert distance(synthesize(gate, Options()), operator, 0.4)[0] <= TOLERANCE


def test_under_control_the_global_phase_is_right():
    operator = SparsePauliOp(["XX", "ZI", "II"], [0.6, 0.4, 0.9])
    annotated = AnnotatedOperation(PauliEvolutionGate(operator, 0.8), ControlModifier(1))
    circuit = QuantumCircuit(3)
    circuit.append(annotated, [0, 1, 2])
    config = HLSConfig(PauliEvolution=[(PLUGIN, {"cache_dir": None})])
    made = transpile(circuit, basis_gates=["u", "cx"], hls_config=config, seed_transpiler=0)
    truth = np.eye(8, dtype=complex)
    truth[1::2, 1::2] = expm(-0.8j * operator.to_matrix())
    assert 1 - abs(np.vdot(truth, Operator(made).data) / 8) < 1e-9


def test_on_a_line_no_swap_is_needed():
    operator = SparsePauliOp.from_sparse_list(
        [("ZZ", [j, j + 1], 1.0) for j in range(3)] + [("X", [j], 0.7) for j in range(4)], 4
    )
    gate = PauliEvolutionGate(operator, 0.2)
    free = transpiled(gate)
    line = transpiled(gate, coupling_map=CouplingMap([(5, 3), (3, 0), (0, 1), (1, 4), (4, 2)]))
    assert line.count_ops()["cx"] <= free.count_ops()["cx"]
    whole = Operator.from_circuit(line).data  # layouts undone
    truth = np.kron(np.eye(4), expm(-0.2j * operator.to_matrix()))
    assert 1 - abs(np.vdot(truth, whole) / 64) ** 2 <= TOLERANCE


@pytest.mark.parametrize(
    ("operator", "time", "reason"),
    [
        (SparsePauliOp(["XXX"]), 0.1, "a term acts on 3 qubits"),
        (SparsePauliOp(["XXI", "IXX", "XIX"]), 0.1, "form a ring"),
        (SparsePauliOp(["XXII", "XIXI", "XIIX"]), 0.1, "coupled to 3 others"),
        (SparsePauliOp(["XXI", "IXX"]), Parameter("t"), "assign_parameters"),
        (SparsePauliOp(["XXI", "IZZ"]), 1e300, "evolve for a shorter time"),
        (SparsePauliOp(["XX"] * 200), 0.1, "too many terms"),
        (SparsePauliOp(["X", "Z"]), 1e200, "too long to be resolved"),
    ],
)
def test_what_is_no_chain_of_numbers_is_left_to_the_next_method(operator, time, reason, caplog):
    gate = PauliEvolutionGate(operator, time)
    with caplog.at_level(logging.WARNING, "aqc"):
        assert PLUGIN.run(gate, cache_dir=None) is None
    assert reason in caplog.text
    if not isinstance(time, Parameter) and time < 1:
        made, default = transpiled(gate), transpiled(gate, ["default"])
        assert made == default


def test_what_is_out_of_reach_is_left_to_the_next_method(caplog):
    gate = PauliEvolutionGate(SparsePauliOp(["XXI", "IZZ", "XII"]), 0.9)
    with caplog.at_level(logging.WARNING, "aqc"):
        assert PLUGIN.run(gate, cache_dir=None, layers=2, tolerance=1e-9) is None
        assert PLUGIN.run(gate, cache_dir=None, timeout=1e-9) is None
        assert PLUGIN.run(gate, cache_dir=None, block="su5") is None
    assert "the tolerance 1e-09 is out of reach: 2 layers reach" in caplog.text
    assert "longer than `timeout` = 1e-09 s" in caplog.text
    assert "`ansatz.block`" in caplog.text
    free = synthesize(gate, Options(layers=2, tolerance=None))
    assert 1e-9 < distance(free, gate.operator, 0.9)[0] < 0.5


def test_low_levels_fall_through(caplog):
    gate = PauliEvolutionGate(SparsePauliOp(["XXI", "IZZ"]), 0.3)
    with caplog.at_level(logging.INFO, "aqc"):
        for level in (0, 1):
            assert PLUGIN.run(gate, optimization_level=level, cache_dir=None) is None
    assert "optimization level 1" in caplog.text
    # Qiskit 2.6 passes the level on where there is a device.
    line = CouplingMap.from_line(3)
    default = transpiled(gate, ["default"], level=1, coupling_map=line)
    assert transpiled(gate, level=1, coupling_map=line) == default


def test_options_are_refused_by_name(caplog):
    for bad, sentence in (
        ({"tolerance": 2.0}, "`tolerance` must be between 0 and 1"),
        ({"tolerance": None}, "unless `layers` is given"),
        ({"max_bond": 1}, "`max_bond` must be"),
        ({"seed": -1}, "`seed` must be"),
        ({"service": 7}, "`service` must be an address"),
    ):
        with pytest.raises(InputError, match=re.escape(sentence)):
            Options.read(bad)
    with caplog.at_level(logging.WARNING, "aqc"):
        Options.read({"tolerence": 1e-3, "qubit_tracker": None})
    assert "unknown option `tolerence` of aqctensor; did you mean `tolerance`?" in caplog.text
    assert "qubit_tracker" not in caplog.text
