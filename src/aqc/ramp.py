"""Starts for the ground state of a chain: a digitized adiabatic ramp, as a brickwork.

The first layer prepares the ground states of the even bonds, each for itself; then layers
exp(-i a H_odd) and exp(-i b H_even) alternate, while a grows from nothing. As shallow as this is,
it is far from adiabatic, so a few rates are tried and the best one is taken.
"""

from collections.abc import Callable

import numpy as np

from aqc.ansatz import Ansatz
from aqc.gates import evolution
from aqc.hamiltonian import Hamiltonian

# Of angles in units of the bonds' spectral width; the best was 0.6 to 0.8 for 30 sites, 11 layers.
_RATES = (0.4, 0.6, 0.8, 1.1, 1.5)
# Of the odd bonds' rate to that of the even ones.
_RATIOS = (0.75, 1.3)


def ramp(hamiltonian: Hamiltonian, layers: int, even: float, odd: float) -> Ansatz:
    """Return the brickwork of a ramp.

    Layer 2k - 1 turns by exp(-i H_odd `odd` k / (K + 1/2) / w), K = layers // 2, and layer 2k by
    exp(-i H_even `even` / w), where w is the mean spectral width of the bonds.

    Args:
        hamiltonian: A chain.
        layers: Brick layers.
        even: Angle of the even bonds in each of their layers, in units of their width.
        odd: Angle of the odd bonds at the end of the ramp.

    Example:
        >>> pair = Hamiltonian.from_terms(2, [(p, (0, 1), 1.0) for p in ("XX", "YY", "ZZ")])
        >>> singlet = ramp(pair, 1, 0.5, 0.5).blocks[0, :, 0]
        >>> abs(singlet).round(3).tolist()
        [0.0, 0.707, 0.707, 0.0]
    """
    bonds = hamiltonian.bond_matrices()
    energies, vectors = np.linalg.eigh(bonds)
    width = max(float(np.mean(energies[:, -1] - energies[:, 0])), 1e-300)
    blocks = [vectors[0::2]]  # the first column is the ground state, and what |00> becomes
    for layer in range(1, layers):
        angle = even if layer % 2 == 0 else odd * (layer + 1) / (2 * (layers // 2) + 1)
        blocks.append(evolution(bonds[layer % 2 :: 2], angle / width))
    zeros = np.tile(np.array([1.0, 0.0]), (hamiltonian.num_qubits, 1))
    return Ansatz(zeros, layers, np.concatenate(blocks).astype(complex))


def best_ramp(
    hamiltonian: Hamiltonian, layers: int, log_fidelity: Callable[[Ansatz], float]
) -> Ansatz:
    """Return the ramp of highest fidelity among some rates.

    Args:
        hamiltonian: A chain.
        layers: Brick layers.
        log_fidelity: Returns log F of an ansatz against the ground state.
    """

    def best(rates: list[tuple[float, float]]) -> tuple[float, float]:
        found = [log_fidelity(ramp(hamiltonian, layers, *rate)) for rate in rates]
        return rates[int(np.argmax(found))]

    even, odd = best([(rate, rate) for rate in _RATES])
    even, odd = best([(even, odd), *((even, odd * ratio) for ratio in _RATIOS)])
    return ramp(hamiltonian, layers, even, odd)
