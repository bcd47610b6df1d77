"""The exact contraction by sectors of the magnetization, against the one without."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

from aqc import overlap
from aqc.ansatz import Ansatz
from aqc.cost import choose_engine
from aqc.fit import fit
from aqc.gates import pauli
from aqc.mps import MPS, bell_pairs, log_overlap, normalized
from aqc.overlap import sectors
from aqc.tebd import evolve
from reference import fidelity, neel, statevector, xxz

CONSERVING = [pauli("ZI"), pauli("IZ"), pauli("ZZ"), pauli("XX") + pauli("YY")]
CONSERVING.append(pauli("XY") - pauli("YX"))


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def conserving_gates(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array(
        [expm(1j * np.tensordot(rng.normal(size=5), CONSERVING, 1)) for _ in range(count)]
    )


def conserving_case(bits: list[int], layers: int, seed: int) -> tuple[Ansatz, MPS]:
    """A circuit of conserving blocks, and what another one, deeper, makes of the same bits."""
    n = len(bits)
    empty = Ansatz(np.eye(2)[bits], layers, np.empty((0, 4, 4)), "u1")
    count = sum(map(len, empty.bonds))
    ansatz = empty.with_blocks(conserving_gates(count, seed))
    state = MPS.product(ansatz.state)
    other = Ansatz(ansatz.state, 6, np.empty((0, 4, 4)))
    gates = iter(conserving_gates(sum(map(len, other.bonds)), seed + 1))
    vector = state.to_dense()
    for bonds in other.bonds:
        for bond in bonds:
            legs = vector.reshape(2**bond, 4, -1)
            vector = np.einsum("xy,myr->mxr", next(gates), legs).reshape(-1)
    return ansatz, from_dense(vector, n)


def from_dense(vector: np.ndarray, n: int) -> MPS:
    """An MPS whose bonds are in no order: turned by random unitaries."""
    rng = np.random.default_rng(n)
    tensors, rest = [], vector.reshape(1, -1)
    for _ in range(n - 1):
        u, s, v = np.linalg.svd(rest.reshape(2 * len(rest), -1), full_matrices=False)
        keep = int((s > 1e-13).sum())
        turn = np.linalg.qr(rng.normal(size=(keep, keep)) + 1j * rng.normal(size=(keep, keep)))[0]
        tensors.append((u[:, :keep] @ turn).reshape(-1, 2, keep))
        rest = turn.conj().T @ (s[:keep, None] * v[:keep])
    return MPS((*tensors, rest.reshape(-1, 2, 1)))


def value_and_gradient(ansatz: Ansatz, target: MPS) -> tuple[float, np.ndarray, tuple]:
    data = overlap.prepare(ansatz, target, "exact", np.dtype(complex))
    run = jax.jit(jax.value_and_grad(overlap.log_fidelity))
    value, gradient = run(jnp.asarray(ansatz.blocks), data)
    return float(value), np.asarray(gradient), data.target.shape


def tangent(ansatz: Ansatz, gradient: np.ndarray) -> np.ndarray:
    """The gradient along the directions that conserve the magnetization."""
    moves = [ansatz.blocks @ (1j * generator) for generator in CONSERVING]
    return np.array([np.sum(gradient * move, axis=(1, 2)).real for move in moves])


@pytest.mark.parametrize(
    "bits", [[0, 1], [1, 0, 0], [0, 1, 0, 1, 0, 1, 0, 1], [1, 1, 0, 0, 0, 1, 0, 0, 0], [1] * 5]
)
@pytest.mark.parametrize("layers", [1, 2, 5])
def test_sectors_give_what_the_whole_boundary_gives(bits, layers):
    ansatz, target = conserving_case(bits, layers, seed=3 * len(bits) + layers)
    by_sector, slope, shape = value_and_gradient(ansatz, target)
    whole, whole_slope, whole_shape = value_and_gradient(replace(ansatz, block="su4"), target)
    truth = np.log(fidelity(target.to_dense(), statevector(ansatz.circuit())))
    assert shape[2] == 2 * max(1, layers // 2)
    assert whole_shape[2] == 1
    assert by_sector == pytest.approx(truth, abs=1e-9)
    assert by_sector == pytest.approx(whole, abs=1e-9)
    expected = tangent(ansatz, whole_slope)
    assert np.abs(tangent(ansatz, slope) - expected).max() <= 1e-9 * max(np.abs(expected).max(), 1)


def test_a_sorted_target_is_the_same_state():
    _, target = conserving_case([0, 1, 1, 0, 1, 0, 0], 1, seed=5)
    found = sectors.sort(target, np.eye(2)[[0, 1, 1, 0, 1, 0, 0]])
    assert found is not None
    log_modulus, phase = log_overlap(normalized(target), MPS(tuple(found.tensors)))
    assert abs(log_modulus) < 1e-10
    assert abs(phase - 1) < 1e-10
    for tensor, left, right, bit in zip(
        found.tensors, found.excess[:-1], found.excess[1:], found.ones, strict=True
    ):
        forbidden = left[:, None, None] + np.arange(2)[:, None] - bit != right
        assert np.abs(tensor[forbidden]).max(initial=0.0) < 1e-12


def test_a_target_in_several_sectors_is_met_whole():
    ansatz, _ = conserving_case([0, 1, 0, 1], 3, seed=1)
    rng = np.random.default_rng(2)
    vector = rng.normal(size=16) + 1j * rng.normal(size=16)
    target = from_dense(vector / np.linalg.norm(vector), 4)
    value, _, shape = value_and_gradient(ansatz, target)
    assert shape[2] == 1
    truth = np.log(fidelity(target.to_dense(), statevector(ansatz.circuit())))
    assert value == pytest.approx(truth, abs=1e-9)
    tilted = replace(ansatz, state=np.full((4, 2), 0.5**0.5))
    assert value_and_gradient(tilted, target)[2][2] == 1


def test_operators_have_all_sectors_and_are_met_whole():
    n = 4
    count = sum(map(len, Ansatz(np.eye(2)[[0] * n], 3, np.empty((0, 4, 4))).bonds))
    ansatz = Ansatz(bell_pairs(n), 3, conserving_gates(count, seed=4), "u1")
    target = MPS.product(bell_pairs(n))
    value, _, shape = value_and_gradient(ansatz, target)
    assert shape[2] == 1
    assert value == value_and_gradient(replace(ansatz, block="su4"), target)[0]


def test_a_long_chain_keeps_less_than_half_of_the_bond():
    n = 40
    chain = xxz(n)
    target = evolve(chain, neel(n), 1.0, steps=4, angle=1e-3, max_bond=64).mps
    start = Ansatz.from_trotter(chain, 1.0, neel(n), layers=5, order=2)
    ansatz = replace(start, block="u1")
    data = overlap.prepare(ansatz, target, "exact", np.dtype(complex))
    assert data.target.shape[3] < target.max_bond / 2
    whole = overlap.prepare(start, target, "exact", np.dtype(complex))
    blocks = jnp.asarray(ansatz.blocks)
    expected = float(overlap.log_fidelity(blocks, whole))
    assert float(overlap.log_fidelity(blocks, data)) == pytest.approx(expected, abs=1e-8)


def test_a_fit_by_sectors_ends_where_su4_does_and_conserves():
    n = 10
    chain = xxz(n)
    target = evolve(chain, neel(n), 0.5, steps=8, angle=1e-6, max_bond=32).mps
    start = Ansatz.from_trotter(chain, 0.5, neel(n), layers=5, order=2)
    settings = {"overlap_method": "exact", "max_evaluations": 60}
    free = fit(start, target, **settings)
    found = fit(replace(start, block="u1"), target, **settings)
    assert found.optimum.infidelity == pytest.approx(free.optimum.infidelity, rel=0.2)
    ones = np.array([bin(k).count("1") for k in range(2**n)])
    amplitudes = statevector(found.ansatz.circuit())
    assert np.linalg.norm(amplitudes[ones != n // 2]) < 1e-12


def test_flips_leave_the_sector_and_are_met_whole():
    n = 6
    chain = xxz(n)
    target = evolve(chain, neel(n), 0.5, steps=8, angle=1e-6, max_bond=8).mps
    start = replace(Ansatz.from_trotter(chain, 0.5, neel(n), layers=3, order=2), block="u1")
    settings = {"objective": "flip", "overlap_method": "exact", "max_evaluations": 30}
    found = fit(start, target, **settings)
    assert found.optimum.infidelity < 1 - fidelity(target.to_dense(), statevector(start.circuit()))


def test_sectors_make_the_exact_scan_worth_more_layers():
    assert choose_engine(50, 13, 48) == "truncated"
    assert choose_engine(50, 13, 48, sectors=True) == "exact"


@pytest.mark.parametrize("chi", [1, 2, 48])
def test_deep_circuits_are_never_worth_the_exact_scan(chi):
    assert choose_engine(50, 21, chi, sectors=True) == "truncated"
