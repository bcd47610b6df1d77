"""Product formulas: exp(-i H t) as layers of two-qubit gates on even and odd bonds.

All terms of a bond, one-site terms included, are fused into one gate per bond and layer.
"""

from dataclasses import dataclass

import numpy as np

from aqc.gates import evolution
from aqc.hamiltonian import Hamiltonian

EVEN, ODD = 0, 1


@dataclass(frozen=True, eq=False)
class Layer:
    """Gates on every other bond, or on every site.

    Attributes:
        first_bond: 0 for bonds (0, 1), (2, 3), ...; 1 for bonds (1, 2), (3, 4), ...; None for a
            layer of one-qubit gates.
        gates: shape (number of such bonds, 4, 4), or (n, 2, 2).
    """

    first_bond: int | None
    gates: np.ndarray


def schedule(num_groups: int, steps: int, order: int) -> list[tuple[int, float]]:
    """Return which group of terms acts when and for which fraction of the total time.

    S_1 = e^{g_1} ... e^{g_k};  S_2(t) = e^{g_1 t/2} ... e^{g_k t} ... e^{g_1 t/2};
    S_4(t) = S_2(pt)^2 S_2((1-4p)t) S_2(pt)^2 with p = 1/(4 - 4^(1/3)).

    Args:
        num_groups: Number of groups of mutually commuting terms.
        steps: Number of steps that the time is cut into.
        order: 1, 2 or 4.

    Returns:
        Pairs (group, fraction of the time); neighbors of the same group are merged, and the
        fractions of each group sum to 1.

    Source: Suzuki, J. Math. Phys. 32, 400 (1991).

    Example:
        >>> schedule(2, 1, 2)
        [(0, 0.5), (1, 1.0), (0, 0.5)]
    """
    groups = range(num_groups)
    symmetric = [(g, 0.5) for g in groups[:-1]] + [(num_groups - 1, 1.0)]
    symmetric += [(g, 0.5) for g in reversed(groups[:-1])]
    if order == 1:
        step = [(g, 1.0) for g in groups]
    elif order == 2:
        step = symmetric
    else:
        p = 1 / (4 - 4 ** (1 / 3))
        step = [(g, w * f) for w in (p, p, 1 - 4 * p, p, p) for g, f in symmetric]
    return _repeated(step, steps)


def optimized_schedule(steps: int) -> list[tuple[int, float]]:
    """Return the fourth-order formula with the least error for its cost, for two groups.

    A step has six stages where Suzuki's has five, and an error constant seven times smaller.

    Args:
        steps: Number of steps that the time is cut into.

    Returns:
        Pairs (group, fraction of the time), as from `schedule`.

    Source: Blanes and Moan, J. Comput. Appl. Math. 142, 313 (2002), the method called S6 of
    order 4.

    Example:
        >>> len(optimized_schedule(1)), len(schedule(2, 1, 4))
        (13, 11)
    """
    a = [0.0792036964311957, 0.353172906049774, -0.0420650803577195]
    b = [0.209515106613362, -0.143851773179818]
    a.append(1 - 2 * sum(a))
    b.append(0.5 - sum(b))
    half = [stage for pair in zip(a, b, strict=False) for stage in zip((0, 1), pair, strict=True)]
    return _repeated([*half, (0, a[-1]), *reversed(half)], steps)


def _repeated(step: list[tuple[int, float]], steps: int) -> list[tuple[int, float]]:
    merged: list[tuple[int, float]] = []
    for group, fraction in step * steps:
        if merged and merged[-1][0] == group:
            merged[-1] = (group, merged[-1][1] + fraction / steps)
        else:
            merged.append((group, fraction / steps))
    return merged


def brick_layers(hamiltonian: Hamiltonian, time: float, steps: int, order: int) -> list[Layer]:
    """Return `steps` product-formula steps as fused layers, even bonds first.

    Args:
        hamiltonian: A chain.
        time: t, in units of 1/energy; any sign.
        steps: Number of steps; 0 gives one layer of the even bonds alone for the whole time.
        order: 1, 2 or 4. Even order gives 2 * steps + 1 layers for order 2.

    Returns:
        Layers in the order in which they act. For two qubits the odd layers hold no gate.

    Example:
        >>> chain = Hamiltonian.from_terms(4, [("ZZ", (j, j + 1), 1.0) for j in range(3)])
        >>> [layer.first_bond for layer in brick_layers(chain, 1.0, steps=2, order=2)]
        [0, 1, 0, 1, 0]
    """
    return _fused(hamiltonian, time, schedule(2, steps, order) if steps else [(EVEN, 1.0)])


def evolution_layers(hamiltonian: Hamiltonian, time: float, steps: int) -> list[Layer]:
    """Return steps of `optimized_schedule` as fused layers, for accurate evolution.

    Args:
        hamiltonian: A chain.
        time: t, in units of 1/energy; any sign.
        steps: Number of steps.
    """
    return _fused(hamiltonian, time, optimized_schedule(steps))


def _fused(hamiltonian: Hamiltonian, time: float, plan: list[tuple[int, float]]) -> list[Layer]:
    bonds = hamiltonian.bond_matrices()
    cache: dict[tuple[int, float], np.ndarray] = {}
    layers = []
    for parity, fraction in plan:
        key = (parity, round(fraction, 14))
        if key not in cache:
            cache[key] = evolution(bonds[parity::2], fraction * time)
        layers.append(Layer(parity, cache[key]))
    return layers


def splits_exactly(hamiltonian: Hamiltonian) -> bool:
    """Return whether terms of neighboring bonds commute, so that one step has no error."""
    return couplings_commute(hamiltonian.bond_matrices())


def couplings_commute(bonds: np.ndarray) -> bool:
    """Return whether matrices of neighboring bonds, shape (n - 1, 4, 4), commute."""
    eye = np.eye(2)
    left = np.einsum("bij,kl->bikjl", bonds[:-1], eye).reshape(-1, 8, 8)
    right = np.einsum("kl,bij->bkilj", eye, bonds[1:]).reshape(-1, 8, 8)
    commutator = left @ right - right @ left
    scale = np.abs(bonds).max(initial=0.0) ** 2
    return bool(np.abs(commutator).max(initial=0.0) <= 1e-14 * scale)
