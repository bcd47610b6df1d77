"""Starts made of a circuit that was found for another time or another depth."""

from dataclasses import replace

import numpy as np

from aqc.ansatz import Ansatz
from aqc.coloring import color_of, shares
from aqc.gates import evolution
from aqc.hamiltonian import Hamiltonian
from aqc.trotter import schedule


def continued_in_time(
    before: Ansatz, earlier: float, hamiltonian: Hamiltonian, time: float, layers: int
) -> list[tuple[str, Ansatz]]:
    """Return starts for a time from the circuit of an earlier time, with their names.

    Args:
        before: Prepares exp(-iH earlier)|psi_0>.
        earlier: Not 0.
        hamiltonian: H.
        time: The time wanted.
        layers: Brick layers.

    Returns:
        With whole steps of a product formula more, the circuit's schedule (`resampled`) that takes
        time/earlier as long ("earlier"); with two layers or more to spare, the circuit followed by
        a formula for the time that is left ("followed"); with none, the circuit as it is, which is
        right near an eigenstate ("earlier").
    """
    spare = layers - before.layers
    found: list[tuple[str, Ansatz]] = []
    if spare >= 0 and spare % whole_steps(before) == 0:
        found.append(("earlier", resampled(before, layers, time / earlier)))
    if spare >= 2 and hamiltonian.is_chain:
        later = followed(before, hamiltonian, time - earlier, layers)
        found.append(("followed", later))
    if spare == 0:
        found.append(("earlier", before))
    return found


def whole_steps(ansatz: Ansatz) -> int:
    """Return how many layers a step of a product formula of second order adds.

    Example:
        >>> whole_steps(Ansatz(np.eye(2), 1, np.eye(4)[None]))
        2
    """
    return 2 * max(len(ansatz.colors) - 1, 1)


def resampled(before: Ansatz, layers: int, factor: float = 1.0) -> Ansatz:
    """Return a circuit with more layers that follows the same schedule.

    A block exp(-iK) stands for the constant rate K / d during the share d of the whole that a
    product formula gives its layer. The new blocks integrate these rates over their own shares, so
    a product formula becomes that of the other number of layers, and a fit keeps its shape. With
    whole steps more, fits that begin there were measured to need half as many evaluations as where
    identities follow the circuit, although those begin nearer.

    Args:
        before: A circuit whose blocks stayed near those of a product formula.
        layers: Brick layers.
        factor: All rates are multiplied by this.

    Example:
        >>> zz = np.diag([1.0, -1, -1, 1])
        >>> quarter = evolution(zz[None], 0.4)
        >>> halves = resampled(Ansatz(np.eye(2), 1, quarter), 3, 2.0).blocks
        >>> np.allclose(halves, evolution(zz[None], 0.4))
        True
    """
    made = replace(before, layers=layers)
    count = len(before.colors) or 2
    old, new = shares(count, before.layers), shares(count, layers)
    generators = np.array([generator(block) for block in before.blocks]).reshape(-1, 4, 4)
    by_layer = np.split(generators, np.cumsum([len(pairs) for pairs in before.pairs])[:-1])
    blocks: list[np.ndarray] = [np.empty(0)] * layers
    for color in range(count):
        ours = [layer for layer in range(before.layers) if color_of(layer, count) == color]
        theirs = [layer for layer in range(layers) if color_of(layer, count) == color]
        ends, new_ends = (
            np.cumsum([0.0, *parts])
            for parts in ([old[layer] for layer in ours], [new[layer] for layer in theirs])
        )
        for number, layer in enumerate(theirs):
            begin, end = new_ends[number : number + 2]
            common = np.clip(np.minimum(ends[1:], end) - np.maximum(ends[:-1], begin), 0, None)
            whole = np.zeros((len(made.pairs[layer]), 4, 4), dtype=complex)
            for share, part, at in zip(common, np.diff(ends), ours, strict=True):
                whole += share / part * by_layer[at]
            blocks[layer] = evolution(whole, factor)
    return made.with_blocks(np.concatenate(blocks))


def extrapolated(before: Ansatz, last: Ansatz, ratio: float) -> Ansatz:
    """Return a circuit that goes on as two fits of a series went from one to the other.

    G = G_last (G_before^dagger G_last)^ratio for every block. Where the second fit began at the
    first, their one-qubit gates between blocks are alike, and nothing has to be fixed.

    Args:
        before: Of no more layers; identities fill it up.
        last: The fit after it.
        ratio: How far to go on, in units of the way from the first to the second.

    Example:
        >>> x = np.array([[0.0, 1], [1, 0]])
        >>> turns = [evolution(np.kron(x, x)[None], angle) for angle in (0.1, 0.3, 0.6)]
        >>> one, two, three = (Ansatz(np.eye(2), 1, turn) for turn in turns)
        >>> np.allclose(extrapolated(one, two, 1.5).blocks, three.blocks)
        True
    """
    began = before.deepened(last.layers).blocks
    ways = np.stack([generator(a.conj().T @ b) for a, b in zip(began, last.blocks, strict=True)])
    return last.with_blocks(last.blocks @ evolution(ways, ratio))


def followed(first: Ansatz, hamiltonian: Hamiltonian, time: float, layers: int) -> Ansatz:
    """Return a brickwork followed by a product formula of second order.

    Where that has one layer more than is left, its first one goes into the brickwork's last one.

    Args:
        first: The brickwork.
        hamiltonian: A chain.
        time: How long it acts.
        layers: Brick layers in all, more than the brickwork's.
    """
    left = layers - first.layers
    bonds = hamiltonian.bond_matrices() * time
    merged = left % 2 == 0
    parity = (first.layers - merged) % 2
    later = product_formula(first.state, bonds, left + merged, parity).blocks
    before = first.blocks
    if merged:
        count = len(first.bonds[-1])
        joined = later[:count] @ before[-count:]
        before, later = np.concatenate([before[:-count], joined]), later[count:]
    return Ansatz(first.state, layers, np.concatenate([before, later]))


def product_formula(states: np.ndarray, bonds: np.ndarray, layers: int, parity: int = 0) -> Ansatz:
    """Return exp(-i sum of bonds) as a formula of order 2 for odd layers, else 1."""
    steps, order = layers // 2, 2 if layers % 2 else 1
    plan = schedule(2, steps, order) if steps else [(0, 1.0)]
    parts = [evolution(bonds[(g + parity) % 2 :: 2], fraction) for g, fraction in plan]
    return Ansatz(states, layers, np.concatenate(parts))


def generator(gate: np.ndarray) -> np.ndarray:
    """Return the Hermitian K with gate = exp(-i K) up to a phase, eigenvalues within [-pi, pi]."""
    from scipy.linalg import schur  # slow to import

    centered = gate * np.exp(-1j * np.angle(np.trace(gate)))
    triangular, vectors = schur(centered, output="complex")  # diagonal, as the gate is normal
    generator: np.ndarray = (vectors * -np.angle(triangular.diagonal())) @ vectors.conj().T
    return generator
