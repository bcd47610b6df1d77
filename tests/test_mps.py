import numpy as np
import pytest

from aqc.mps import MPS, Sweep, log_overlap, normalized
from reference import apply_gate, kron, random_product, random_unitaries


def random_mps(num_qubits: int, chi: int, seed: int) -> MPS:
    rng = np.random.default_rng(seed)
    bonds = [1] + [chi] * (num_qubits - 1) + [1]
    shapes = [(bonds[j], 2, bonds[j + 1]) for j in range(num_qubits)]
    return MPS(tuple(rng.normal(size=s) + 1j * rng.normal(size=s) for s in shapes))


def test_product_state_is_a_kronecker_product():
    states = random_product(5, seed=0)
    assert np.allclose(MPS.product(states).to_dense(), kron(states))


def test_log_overlap_is_the_inner_product():
    a, b = random_mps(6, 5, seed=1), random_mps(6, 3, seed=2)
    log_modulus, phase = log_overlap(a, b)
    exact = np.vdot(a.to_dense(), b.to_dense())
    assert abs(np.exp(log_modulus) * phase / exact - 1) < 1e-13


def test_log_overlap_neither_underflows_nor_divides_by_zero():
    zeros, ones = np.eye(2)
    plus = MPS.product(np.full((4000, 2), 0.5**0.5))
    assert log_overlap(MPS.product([zeros] * 4000), plus)[0] == pytest.approx(-2000 * np.log(2))
    assert log_overlap(MPS.product([zeros, zeros]), MPS.product([zeros, ones])) == (-np.inf, 0.0)


def test_normalized_has_norm_one_at_any_length():
    for n in (2, 1500):
        assert abs(log_overlap(*[normalized(random_mps(n, 3, seed=3))] * 2)[0]) < 1e-10


def test_sweep_applies_layers_exactly_when_it_may_keep_everything():
    n = 7
    states = random_product(n, seed=4)
    vector = kron(states)
    sweep = Sweep(MPS.product(states))
    for layer in range(5):
        first = layer % 2
        gates = random_unitaries(len(range(first, n - 1, 2)), 4, seed=10 + layer)
        sweep.apply(first, gates, angle=0.0, max_bond=64)
        for number, gate in enumerate(gates):
            vector = apply_gate(gate, (first + 2 * number, first + 2 * number + 1), vector)
    rotations = random_unitaries(n, 2, seed=5)
    sweep.rotate(rotations)
    for site, gate in enumerate(rotations):
        vector = apply_gate(gate, (site,), vector)
    assert np.abs(sweep.state.to_dense() - vector).max() < 1e-12
    assert sweep.angle < 1e-5  # the rounding floor, summed over layers


@pytest.mark.parametrize("max_bond", [3, 64])
def test_sweep_never_loses_more_than_it_says(max_bond):
    """The angle to the exact state is within the sum, and the sum within the budget."""
    n, budget = 8, 0.02
    states = random_product(n, seed=6)
    exact, cut = Sweep(MPS.product(states)), Sweep(MPS.product(states))
    for layer in range(6):
        first = layer % 2
        gates = random_unitaries(len(range(first, n - 1, 2)), 4, seed=20 + layer)
        # close to the identity, so that the Schmidt values decay
        gates = np.linalg.qr(np.eye(4) + 0.25 * gates)[0]
        exact.apply(first, gates, angle=0.0, max_bond=64)
        cut.apply(first, gates, angle=budget, max_bond=max_bond)
        true_angle = np.arccos(min(1.0, abs(np.vdot(exact.state.to_dense(), cut.state.to_dense()))))
        assert true_angle <= cut.angle + 1e-7
    assert cut.state.max_bond < exact.state.max_bond
    assert cut.angle > 1e-3
    if max_bond == 64:
        assert cut.angle <= 6 * budget + 1e-6
    else:
        assert cut.state.max_bond == 3
