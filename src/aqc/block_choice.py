"""Which block type goes with a Hamiltonian."""

import numpy as np

from aqc.errors import InputError
from aqc.gates import pauli
from aqc.hamiltonian import Hamiltonian

_ROUNDING = 1e-12


def chosen_block(block: str, hamiltonian: Hamiltonian | None, basis: str) -> str:
    """Return the block type, where "auto" is decided by the couplings.

    The bond's coupling sum_ab J_ab P_a x P_b has as many interactions as J has singular values.
    With three, exp(-iHt) needs 3 CX on each bond (su4); with one or two, 2 CX are enough (cx2), and
    with one a single RZZ (rzz).

    Args:
        block: A key of `aqc.blocks.BLOCKS`, or "auto".
        hamiltonian: What evolves the target, if known.
        basis: The two-qubit gate of the circuit.

    Example:
        >>> ising = Hamiltonian.from_terms(2, [("ZZ", (0, 1), 1.0), ("X", (0,), 0.5)])
        >>> chosen_block("auto", ising, "cx"), chosen_block("auto", ising, "rzz")
        ('cx2', 'rzz')
        >>> chosen_block("auto", None, "cx"), chosen_block("u1", ising, "cx")
        ('su4', 'u1')
    """
    if block != "auto":
        return block
    if hamiltonian is None:
        return "su4"
    values = np.linalg.svd(hamiltonian.pair_couplings(), compute_uv=False)
    largest = values.max(initial=0.0)
    interactions = int((values > _ROUNDING * largest).sum(axis=1).max(initial=0))
    if interactions > 2:
        return "su4"
    return "rzz" if interactions == 1 and basis == "rzz" else "cx2"


def check_block(block: str, hamiltonian: Hamiltonian | None, *, starts_elsewhere: bool) -> None:
    """Refuse a conserving block type where nothing is conserved.

    Args:
        block: A key of `aqc.blocks.BLOCKS`, or "auto".
        hamiltonian: What evolves the target, None where the target is given in another form.
        starts_elsewhere: Whether the blocks do not start at Trotter's circuit.

    Raises:
        InputError: If `block` is "u1" and the start would not conserve magnetization.

    Example:
        >>> chain = Hamiltonian.from_terms(2, [("XX", (0, 1), 1.0), ("YY", (0, 1), 1.0)])
        >>> check_block("u1", chain, starts_elsewhere=False)
    """
    if block != "u1":
        return
    if hamiltonian is None or starts_elsewhere:
        raise InputError(
            '`ansatz.block` "u1" must start at the Trotter circuit of an evolution from a product '
            "state, but the target, the initial state or `ansatz.start` is a circuit, a state or "
            'random; use "su4".',
            "/ansatz/block",
        )
    if not conserves_magnetization(hamiltonian):
        raise InputError(
            '`ansatz.block` "u1" must go with a Hamiltonian that conserves the magnetization '
            "sum_j Z_j (couplings XX + YY, XY - YX and ZZ, fields Z), but this one does not; use "
            '"su4" or "auto".',
            "/ansatz/block",
        )


def conserves_magnetization(hamiltonian: Hamiltonian) -> bool:
    """Return whether H commutes with sum_j Z_j.

    Example:
        >>> conserves_magnetization(Hamiltonian.from_terms(2, [("XX", (0, 1), 1.0)]))
        False
    """
    total = (pauli("ZI") + pauli("IZ")).diagonal().real
    apart = total[:, None] != total[None, :]
    couplings = Hamiltonian(
        hamiltonian.num_qubits, tuple(t for t in hamiltonian.terms if len(t.qubits) == 2)
    ).pair_matrices()
    fields = hamiltonian.field_matrices()
    scale = max(np.abs(couplings).max(initial=0.0), np.abs(fields).max(initial=0.0))
    turned = max(
        np.abs(couplings * apart).max(initial=0.0),
        np.abs(fields * (1 - np.eye(2))).max(initial=0.0),
    )
    return bool(turned <= _ROUNDING * scale)


def has_sectors(block: str, product: np.ndarray) -> bool:
    """Return whether every bond's states can be told apart by their magnetization.

    Args:
        block: A key of `aqc.blocks.BLOCKS`, or "auto".
        product: What the first layer meets, shape (n, 2), or (n, 2, 2) for operators.

    Example:
        >>> has_sectors("u1", np.eye(2)), has_sectors("u1", np.full((2, 2), 0.5**0.5))
        (True, False)
    """
    return block == "u1" and product.ndim == 2 and bool((product == 0).any(axis=1).all())
