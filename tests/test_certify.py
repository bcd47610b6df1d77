"""The certificate against dense truth: it may never claim what the circuit does not have."""

import functools
import json

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from aqc.certify import certify
from aqc.errors import InputError, UnsupportedGateError
from aqc.evolved import evolve_within
from aqc.gates import bloch_state, evolution, preparation
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS
from aqc.target import Target
from aqc.tebd import apply_layers
from aqc.trotter import Layer, brick_layers

# Rounding of the dense reference itself.
DENSE = 1e-13

PAULI = {
    "I": scipy.sparse.csr_array([[1, 0], [0, 1]]),
    "X": scipy.sparse.csr_array([[0, 1], [1, 0]]),
    "Y": scipy.sparse.csr_array([[0, -1j], [1j, 0]]),
    "Z": scipy.sparse.csr_array([[1, 0], [0, -1]]),
}

Terms = list[tuple[str, tuple[int, ...], float]]


def random_chain(rng: np.random.Generator, n: int) -> Terms:
    """Return random couplings of neighbors and random fields; some bonds have no term."""
    terms: Terms = []
    for site in range(n):
        terms.append((rng.choice(list("XYZ")), (site,), rng.normal()))
        if site + 1 < n:
            for _ in range(rng.integers(0, 4)):
                terms.append(("".join(rng.choice(list("XYZ"), 2)), (site, site + 1), rng.normal()))
    return terms


def sparse(n: int, terms: Terms) -> scipy.sparse.csr_array:
    """Return the Hamiltonian's matrix, put together here from Kronecker products."""
    total = scipy.sparse.csr_array((2**n, 2**n), dtype=complex)
    for letters, qubits, coefficient in terms:
        factors = ["I"] * n
        for letter, qubit in zip(letters, qubits, strict=True):
            factors[qubit] = letter
        kron = functools.partial(scipy.sparse.kron, format="csr")
        total = total + coefficient * functools.reduce(kron, [PAULI[f] for f in factors])
    return total


def random_product(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.array([bloch_state(*angles) for angles in rng.uniform(0, np.pi, size=(n, 2))])


def layers_circuit(state: np.ndarray, layers: list[Layer]) -> QuantumCircuit:
    """Return a circuit that prepares a product state and applies layers of gates."""
    circuit = QuantumCircuit(len(state))
    for qubit, vector in enumerate(state):
        circuit.unitary(preparation(vector), [qubit])
    for layer in layers:
        for number, gate in enumerate(layer.gates):
            left = layer.first_bond + 2 * number
            circuit.unitary(gate, [left + 1, left])  # Qiskit's first qubit is the right factor
    return circuit


def perturbed(rng: np.random.Generator, layers: list[Layer], strength: float) -> list[Layer]:
    """Return the layers with each gate turned a little in a random direction."""

    def turn(gate: np.ndarray) -> np.ndarray:
        matrix = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
        return evolution(matrix + matrix.conj().T, strength) @ gate

    return [Layer(layer.first_bond, np.array([turn(g) for g in layer.gates])) for layer in layers]


def dense(circuit: QuantumCircuit) -> np.ndarray:
    """Return the state vector by Qiskit itself, qubit 0 leftmost."""
    vector = Statevector(circuit).data
    return vector.reshape((2,) * circuit.num_qubits).transpose().ravel()


def residual(a: np.ndarray, b: np.ndarray) -> float:
    """Return 1 - |<a|b>|^2 without cancellation."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return float(np.linalg.norm(b - np.vdot(a, b) * a) ** 2)


def angle(infidelity: float) -> float:
    return float(np.arcsin(np.sqrt(min(1.0, infidelity))))


CIRCUITS = {
    "random": lambda rng, h, t: perturbed(rng, brick_layers(h, t, 1, 2), 1.0),
    "one Trotter step": lambda rng, h, t: brick_layers(h, t, 1, 1),
    "two Trotter steps": lambda rng, h, t: brick_layers(h, t, 2, 2),
    "nearly perfect": lambda rng, h, t: brick_layers(h, t, 6, 4),
    "near": lambda rng, h, t: perturbed(rng, brick_layers(h, t, 3, 4), 1e-3),
}


def test_honest_on_small_problems():
    """Also with targets that are bad in every way, as long as they say so."""
    seen = []

    @settings(max_examples=300)
    @given(
        seed=st.integers(0, 2**32 - 1),
        n=st.integers(2, 7),
        time=st.sampled_from([0.0, 0.05, 0.3, -0.7, 1.5]),
        kind=st.sampled_from(list(CIRCUITS)),
        formula=st.sampled_from([(1, 1), (1, 2), (3, 2), (6, 4)]),
        budget=st.sampled_from([0.0, 1e-6, 1e-3, 0.3]),
        max_bond=st.sampled_from([1, 2, 64]),
        method=st.sampled_from(["statevector", "mps"]),
    )
    def check(seed, n, time, kind, formula, budget, max_bond, method):
        rng = np.random.default_rng(seed)
        terms, state = random_chain(rng, n), random_product(rng, n)
        hamiltonian = Hamiltonian.from_terms(n, terms)
        start = functools.reduce(np.kron, state)
        truth = scipy.linalg.expm(-1j * time * sparse(n, terms).toarray()) @ start

        layers = brick_layers(hamiltonian, time, *formula)
        evolved = apply_layers(state, layers, angle=budget, max_bond=max_bond)
        trotter = angle(residual(truth, dense(layers_circuit(state, layers))))
        target = Target(evolved.mps, evolved.angle, trotter, trotter_exact=False)
        circuit = layers_circuit(state, CIRCUITS[kind](rng, hamiltonian, time))

        certificate = certify(circuit, target, method=method)
        vector = dense(circuit)
        fidelity = abs(np.vdot(target.mps.to_dense(), vector)) ** 2
        infidelity = residual(truth, vector)
        # |dF| <= |d angle|; nothing is truncated in a state vector.
        measured = 1e-12 + np.sqrt(certificate.circuit_truncation)
        assert certificate.fidelity == pytest.approx(fidelity, abs=measured)
        assert certificate.infidelity == pytest.approx(1 - fidelity, abs=measured)
        assert infidelity - DENSE <= certificate.infidelity_bound <= 1.0
        seen.append((infidelity, certificate.infidelity_bound - infidelity))

    check()
    infidelities, slack = np.array(seen).T
    # Both hits and misses were among them, and some bounds were tight.
    assert infidelities.min() < 1e-8
    assert infidelities.max() > 0.9
    assert min(slack[infidelities > 1e-3]) < 1e-4


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(2, 8),
    time=st.sampled_from([0.1, 0.5, 1.0]),
    tolerance=st.sampled_from([1e-2, 1e-4, 1e-6, 1e-8]),
    kind=st.sampled_from(list(CIRCUITS)),
)
def test_honest_with_the_engines_own_target(seed, n, time, tolerance, kind):
    rng = np.random.default_rng(seed)
    terms, state = random_chain(rng, n), random_product(rng, n)
    hamiltonian = Hamiltonian.from_terms(n, terms)
    start = functools.reduce(np.kron, state)
    truth = scipy.linalg.expm(-1j * time * sparse(n, terms).toarray()) @ start
    target = evolve_within(hamiltonian, state, time, tolerance=tolerance, max_bond=64)
    circuit = layers_circuit(state, CIRCUITS[kind](rng, hamiltonian, time))
    certificate = certify(circuit, target)
    assert residual(truth, dense(circuit)) - DENSE <= certificate.infidelity_bound


@pytest.mark.parametrize(("n", "kind"), [(10, "one Trotter step"), (12, "two Trotter steps")])
def test_honest_on_ten_and_twelve_qubits(n, kind):
    rng = np.random.default_rng(n)
    terms, state = random_chain(rng, n), random_product(rng, n)
    hamiltonian = Hamiltonian.from_terms(n, terms)
    start = functools.reduce(np.kron, state)
    truth = scipy.sparse.linalg.expm_multiply(-0.6j * sparse(n, terms), start, traceA=0.0)
    target = evolve_within(hamiltonian, state, 0.6, tolerance=1e-5, max_bond=64)
    circuit = layers_circuit(state, CIRCUITS[kind](rng, hamiltonian, 0.6))
    infidelity = residual(truth, dense(circuit))
    assert infidelity > 0.01
    for method in ("statevector", "mps"):
        certificate = certify(circuit, target, method=method)
        assert infidelity <= certificate.infidelity_bound
        assert certificate.infidelity_bound == pytest.approx(infidelity, rel=0.2)


def tilted(n: int, theta: float) -> QuantumCircuit:
    """Return a circuit at the angle theta from |0...0>, with entangling gates that cancel."""
    circuit = QuantumCircuit(n)
    for qubit in range(n - 1):
        circuit.cx(qubit, qubit + 1)
    circuit.ry(2 * theta, n // 2)
    return circuit


def zeros(n: int, **angles: float) -> Target:
    return Target(
        MPS.product(np.tile([1.0, 0.0], (n, 1))),
        angles.get("truncation", 0.0),
        angles.get("trotter", 0.0),
        trotter_exact="trotter" not in angles,
    )


@pytest.mark.parametrize("n", [2, 16, 17])
def test_angles_add(n):
    certificate = certify(tilted(n, 0.1), zeros(n, truncation=0.02, trotter=0.03))
    assert certificate.infidelity == pytest.approx(np.sin(0.1) ** 2, rel=1e-12)
    # The simulation may add a twentieth of the target's own angle, and says so.
    simulation = np.arcsin(np.sqrt(certificate.circuit_truncation))
    assert simulation <= 1.01 * 0.05 * 0.05
    expected = np.sin(0.15 + simulation) ** 2
    assert certificate.infidelity_bound == pytest.approx(expected, rel=1e-9)
    assert certificate.target_truncation == pytest.approx(np.sin(0.02) ** 2)
    assert certificate.target_trotter_estimate == pytest.approx(np.sin(0.03) ** 2)
    assert certificate.bound_kind == "with estimate"


def test_angles_stop_at_a_right_angle():
    certificate = certify(tilted(3, 1.0), zeros(3, truncation=1.0))
    assert certificate.infidelity_bound == 1.0
    assert certificate.bound_kind == "rigorous"


def test_method_says_what_was_done():
    assert certify(tilted(16, 0.1), zeros(16)).method.endswith("statevector")
    assert certify(tilted(17, 0.1), zeros(17)).method.endswith("threshold 1e-16, chi 1")


@pytest.mark.parametrize("method", ["statevector", "mps"])
def test_a_perfect_circuit_is_not_certified_beyond_rounding(method):
    rng = np.random.default_rng(0)
    state = random_product(rng, 8)
    certificate = certify(
        layers_circuit(state, []), Target(MPS.product(state), 0.0, 0.0, True), method=method
    )
    assert 0.0 <= certificate.infidelity < 1e-14
    assert 0.0 < certificate.infidelity_bound < 1e-12


@pytest.mark.parametrize("n", [40, 1000])
def test_fidelity_per_site_does_not_underflow(n):
    circuit = QuantumCircuit(n)
    circuit.ry(2 * 1.3, range(n))
    certificate = certify(circuit, zeros(n))
    assert certificate.log_fidelity_per_site == pytest.approx(-2 * np.log(np.cos(1.3)), rel=1e-12)
    assert certificate.fidelity == pytest.approx(np.cos(1.3) ** (2 * n), rel=1e-9)
    assert certificate.infidelity == pytest.approx(1.0)


def test_ghz_state_far_beyond_dense_vectors():
    n = 60
    circuit = QuantumCircuit(n)
    circuit.h(0)
    for qubit in range(1, n):
        circuit.cx(0, qubit)  # from qubit 0 to all others: swaps all along the chain
    certificate = certify(circuit, zeros(n))
    assert certificate.fidelity == pytest.approx(0.5, abs=1e-12)
    assert 0.5 < certificate.infidelity_bound < 0.5001


@pytest.mark.parametrize("n", [3, 20])
def test_json_knows_an_orthogonal_state(n):
    circuit = QuantumCircuit(n)
    circuit.x(1)
    certificate = certify(circuit, zeros(n))
    assert certificate.infidelity_bound == certificate.infidelity == 1.0
    assert certificate.log_fidelity_per_site == np.inf
    fields = json.loads(json.dumps(certificate.to_dict(), allow_nan=False))
    assert fields["log_fidelity_per_site"] is None
    assert fields["fidelity"] == 0.0


def test_refuses_another_number_of_qubits():
    with pytest.raises(InputError, match="must have 4 qubits, as the target has, but has 3"):
        certify(QuantumCircuit(3), zeros(4))


def test_refuses_a_measurement():
    circuit = QuantumCircuit(3)
    circuit.measure_all()
    with pytest.raises(UnsupportedGateError, match="holds 'measure'"):
        certify(circuit, zeros(3))


def test_refuses_a_method_that_it_does_not_know():
    with pytest.raises(InputError, match="must be 'auto', 'statevector' or 'mps'"):
        certify(QuantumCircuit(3), zeros(3), method="guess")


def test_refuses_a_state_vector_of_many_qubits():
    with pytest.raises(InputError, match="at most 24 qubits, but would have 25"):
        certify(QuantumCircuit(25), zeros(25), method="statevector")


@pytest.mark.slow
@pytest.mark.parametrize(("n", "steps"), [(50, 4), (100, 4)])
def test_agrees_with_quimb(n, steps):
    import quimb.tensor as qtn

    rng = np.random.default_rng(n)
    terms = [(f"{p}{p}", (j, j + 1), rng.uniform(0.5, 1.5)) for j in range(n - 1) for p in "XYZ"]
    hamiltonian = Hamiltonian.from_terms(n, terms)
    state = np.eye(2)[np.arange(n) % 2]
    target = evolve_within(hamiltonian, state, 0.5, tolerance=1e-6, max_bond=128)
    layers = brick_layers(hamiltonian, 0.5, steps, 2)
    certificate = certify(layers_circuit(state, layers), target)

    witness = qtn.MPS_computational_state("01" * (n // 2), dtype="complex128")
    center: dict[str, int] = {}
    for layer in layers:
        for number, gate in enumerate(layer.gates):
            left = layer.first_bond + 2 * number
            witness.gate_(
                gate,
                (left, left + 1),
                contract="swap+split",
                cutoff=1e-17,
                cutoff_mode="sum2",
                info=center,
            )
    tensors = [tensor.transpose(1, 0, 2) for tensor in target.mps.tensors]  # i vL vR
    tensors = [tensors[0][:, 0], *tensors[1:-1], tensors[-1][:, :, 0]]
    bra = qtn.MatrixProductState(tensors, shape="plr")
    fidelity = abs(bra.H @ witness) ** 2 / abs(witness.H @ witness)
    assert 0.5 < fidelity < 0.999
    assert certificate.fidelity == pytest.approx(fidelity, abs=1e-8)
