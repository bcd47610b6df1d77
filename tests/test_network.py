"""Gates on any pairs as bricks on neighbors: the same unitary, and every qubit comes home."""

import numpy as np
import pytest

from aqc.circuit import Circuit, Gate
from aqc.coloring import color, layer_pairs
from aqc.geometries import GEOMETRIES
from aqc.network import lay_out


def as_gates(network, bricks, n):
    bonds = [bond for row in range(network.rows) for bond in range(row % 2, n - 1, 2)]
    return tuple(Gate((b, b + 1), brick) for b, brick in zip(bonds, bricks, strict=True))


def check(n, layers, seed):
    rng = np.random.default_rng(seed)
    pairs = [pair for layer in layers for pair in layer]
    gates = rng.normal(size=(len(pairs), 4, 4))
    network = lay_out(n, layers)
    assert sorted(network.numbers[network.numbers >= 0]) == list(range(len(pairs)))
    vector = rng.normal(size=2**n)
    expected = vector.reshape((2,) * n)
    for (a, b), gate in zip(pairs, gates, strict=True):  # slow and obvious
        expected = np.einsum(
            gate.reshape(2, 2, 2, 2), [n, n + 1, a, b], expected, range(n),
            [{a: n, b: n + 1}.get(q, q) for q in range(n)],
        )  # fmt: skip
    found = Circuit(n, as_gates(network, network.bricks(gates), n)).act_on(vector)
    np.testing.assert_allclose(found, expected.ravel(), atol=1e-12 * np.abs(expected).max())
    direct = Circuit(n, tuple(Gate(p, g) for p, g in zip(pairs, gates, strict=True)))
    np.testing.assert_allclose(direct.act_on(vector), found, atol=1e-12 * np.abs(found).max())
    return network


@pytest.mark.parametrize("seed", range(12))
def test_random_pairs(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    layers = []
    for _ in range(3):
        order = rng.permutation(n).tolist()
        taken = range(int(rng.integers(0, n // 2 + 1)))
        layers.append([tuple(sorted(order[2 * k : 2 * k + 2])) for k in taken])
    check(n, layers, seed)


@pytest.mark.parametrize(
    ("names", "n", "rows"),
    [(["ring"], 8, 1), (["rungs", "legs"], 8, 1), (["square"], 9, 3), (["chain", "next"], 7, 1)],
)
def test_lattices(names, n, rows):
    colors = color([pair for name in names for pair in GEOMETRIES[name](n, rows)])
    check(n, layer_pairs(colors, 2 * len(colors) - 1), seed=1)


def test_a_chain_is_its_own_brickwork():
    layers = layer_pairs(color(GEOMETRIES["chain"](6, 1)), 5)
    network = check(6, layers, seed=2)
    assert network.rows == 5
    np.testing.assert_array_equal(network.outputs, np.tile(np.arange(4), (13, 1)))


def test_all_pairs_of_many_qubits_come_home():
    rng = np.random.default_rng(3)
    for n in (25, 40):
        order = rng.permutation(n).tolist()
        pairs = [tuple(sorted(order[2 * k : 2 * k + 2])) for k in range(n // 2)]
        assert lay_out(n, [pairs]).rows <= 2 * n + 3
