"""quimb's matrix product states: the other evolver, and conversions."""

from collections.abc import Callable

import numpy as np
import quimb.tensor as qtn

from aqc.errors import InputError, TruncationError
from aqc.gates import PAULI
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS, as_mps, normalized, right_canonical
from aqc.tebd import Evolution, refuse_beyond
from aqc.trotter import evolution_layers

_DMRG_BONDS, _DMRG_SWEEPS = [4, 8], 6


def to_quimb(state: MPS) -> qtn.MatrixProductState:
    """Return the state as a quimb MatrixProductState, site by site."""
    first, *inner, last = state.tensors
    return qtn.MatrixProductState([first[0], *inner, last[:, :, 0]], shape="lpr")


def from_quimb(state: qtn.MatrixProductState) -> MPS:
    """Return a quimb MatrixProductState as an MPS.

    Raises:
        InputError: If it is a ring, or no state of qubits.
    """
    if state.cyclic or set(map(state.phys_dim, range(state.L))) != {2}:
        raise InputError("A quimb state must have open ends and two levels on each site.")
    arrays = []
    for site in range(state.L):
        legs = [state.site_ind(site)]
        if site > 0:
            legs.insert(0, state.bond(site - 1, site))
        if site < state.L - 1:
            legs.append(state.bond(site, site + 1))
        array = np.asarray(state[site].transpose(*legs).data, dtype=complex)
        left = 1 if site == 0 else array.shape[0]
        arrays.append(array.reshape(left, 2, -1))
    return MPS(tuple(arrays))


def ground_state(
    hamiltonian: Hamiltonian,
    *,
    max_bond: int = 64,
    tolerance: float = 1e-8,
    start: np.ndarray | None = None,
) -> tuple[MPS, float]:
    """Return the ground state of a chain and its energy, by quimb's two-site DMRG.

    Args:
        hamiltonian: A chain.
        max_bond: Largest bond dimension.
        tolerance: Largest change of the energy, relative to it, in the last sweep.
        start: Product state where the search begins, shape (n, 2); random when not given. Of nearly
            degenerate states it finds the one that is nearer.

    Returns:
        The state, normalized with its center on site 0, and its energy, constant included.

    Raises:
        TruncationError: If the energy still changes after twenty sweeps.

    Example:
        >>> chain = Hamiltonian.from_terms(2, [(p, (0, 1), 1.0) for p in ("XX", "YY", "ZZ")])
        >>> round(ground_state(chain)[1], 9)
        -3.0
    """
    # vL vR i o: quimb joins the state to the third leg.
    arrays = [tensor.transpose(0, 3, 2, 1) for tensor in _operator(hamiltonian)]
    arrays[0], arrays[-1] = arrays[0][0], arrays[-1][:, 0]
    bonds = [min(chi, max_bond) for chi in (8, 16, 32, max_bond)]
    begun = None if start is None else to_quimb(MPS.product(start))
    search = qtn.DMRG2(qtn.MatrixProductOperator(arrays), bond_dims=bonds, cutoffs=1e-12, p0=begun)
    if not search.solve(tol=tolerance, max_sweeps=20, verbosity=0):
        raise TruncationError(
            f"The energy must settle within {tolerance:g} of itself in 20 sweeps, but did not; "
            f"raise the bond dimension ({max_bond}) or the tolerance."
        )
    energy = float(np.real(search.energy)) + hamiltonian.constant
    return right_canonical(from_quimb(search.state)), energy


def _operator(hamiltonian: Hamiltonian) -> list[np.ndarray]:
    """Return H without its constant as tensors (vL, output, input, vR)."""
    tensors = []
    n, couplings = hamiltonian.num_qubits, hamiltonian.bond_couplings()
    paulis = np.stack([PAULI[letter] for letter in "XYZ"])
    for site, field in enumerate(hamiltonian.field_matrices()):
        # Before all terms, within a coupling of each kind, after all terms.
        tensor = np.zeros((5, 2, 2, 5), dtype=complex)
        tensor[0, :, :, 0] = tensor[4, :, :, 4] = np.eye(2)
        tensor[0, :, :, 4] = field
        if site < n - 1:
            tensor[0, :, :, 1:4] = np.tensordot(paulis, couplings[site], (0, 0))
        tensor[1:4, :, :, 4] = paulis
        tensors.append(tensor)
    tensors[0], tensors[-1] = tensors[0][:1], tensors[-1][..., 4:]
    return tensors


def extreme_eigenvalues(tensors: list[np.ndarray]) -> tuple[float, float]:
    """Return the smallest and largest eigenvalue of a Hermitian operator, by quimb's DMRG.

    They are variational: the true ones may lie a little farther out.

    Args:
        tensors: A matrix product operator, legs (vL, output, input, vR).

    Example:
        >>> both = [np.diag([1.0, -2.0]).reshape(1, 2, 2, 1) for _ in range(2)]
        >>> [round(value, 9) for value in extreme_eigenvalues(both)]
        [-2.0, 4.0]
    """
    arrays = [tensor.transpose(0, 3, 1, 2) for tensor in tensors]  # vL vR o i
    arrays[0], arrays[-1] = arrays[0][0], arrays[-1][:, 0]
    operator = qtn.MatrixProductOperator(arrays)
    found = []
    for which in ("SA", "LA"):
        dmrg = qtn.DMRG2(operator, bond_dims=_DMRG_BONDS, cutoffs=1e-10, which=which)
        dmrg.solve(tol=1e-4, max_sweeps=_DMRG_SWEEPS)
        found.append(float(np.real(dmrg.energy)))
    return found[0], found[1]


def evolve(
    hamiltonian: Hamiltonian,
    state: np.ndarray | MPS,
    time: float,
    *,
    steps: int,
    angle: float,
    max_bond: int,
    limit: float = np.inf,
    progress: Callable[[float], None] | None = None,
) -> Evolution:
    """Return exp(-iHt) applied to a state, with quimb's gates and truncation.

    quimb's own TEBD of order 4 is only second-order accurate up to version 1.15, so the layers
    of the fourth-order formula come from `aqc.trotter`; quimb applies and truncates them.

    Args:
        hamiltonian: A chain.
        state: One-qubit states, shape (n, 2), or an MPS with its center on site 0.
        time: t, in units of 1/energy.
        steps: Number of fourth-order steps.
        angle: How far truncation may turn the state in total, in radians.
        max_bond: Largest bond dimension; where it forces more truncation, `angle` is exceeded.
        limit: The angle at which to give up.
        progress: Called with the fraction done after each layer.

    Raises:
        TruncationError: As soon as truncation exceeds `limit`.

    Returns:
        The evolved state; its `angle` sums over layers arcsin(sqrt(norm^2 lost in the layer)).
    """
    layers = evolution_layers(hamiltonian, time, steps)
    psi = to_quimb(as_mps(state))
    center = 0
    total_angle = total_weight = 0.0
    for done, layer in enumerate(layers):
        share = np.sin(min(np.pi / 2, max(angle - total_angle, 0.0) / (len(layers) - done))) ** 2
        gates = list(enumerate(layer.gates))
        to_right = done % 2 == 0
        for number, gate in gates if to_right else reversed(gates):
            bond = (layer.first_bond or 0) + 2 * number
            psi.canonicalize_((bond, bond + 1), cur_orthog=(center, center))
            psi.gate_split_(
                gate,
                (bond, bond + 1),
                cutoff=share / len(gates),
                cutoff_mode="rsum2",
                max_bond=max_bond,
                renorm=False,
                absorb="right" if to_right else "left",
            )
            center = bond + 1 if to_right else bond
        norm = float(psi[center].norm())
        psi[center].modify(data=psi[center].data / norm)
        lost = max(0.0, 1.0 - norm**2)
        total_weight += lost
        total_angle += float(np.arcsin(min(1.0, np.sqrt(lost))))
        refuse_beyond(limit, total_angle, psi.max_bond(), max_bond, done / len(layers))
        if progress:
            progress((done + 1) / len(layers))
    return Evolution(normalized(from_quimb(psi)), total_angle, total_weight)
