"""The Fubini-Study metric of an ansatz, block by block: how far a move turns the state.

For the move G exp(i sum_a x_a P_a) of one block the state turns by the angle sqrt(x^T M x), with

    M_ab = Re tr(rho P_a P_b) - tr(rho P_a) tr(rho P_b),

rho the density matrix of the two qubits that enter the block. Elements between different blocks
are left out. As an initial Hessian of L-BFGS it halves the evaluations on chains with fields.
"""

import functools

import numpy as np

from aqc.ansatz import Ansatz
from aqc.blocks import BLOCKS, paulis
from aqc.mps import MPS, Sweep
from aqc.threads import one_blas_thread

# A preconditioner may be crude: what is cut here changes the metric by less than a percent.
_ANGLE_PER_LAYER = 0.05
_MAX_BOND = 32


@one_blas_thread()
def fubini_study(ansatz: Ansatz, point: np.ndarray) -> np.ndarray:
    """Return the diagonal blocks of the metric.

    Args:
        ansatz: Where the blocks sit, of which type they are, and on which product state.
        point: The gates as a point of their manifold, shape (gates, factors, 4, 4); of all blocks
            where they share none.

    Returns:
        Symmetric positive semidefinite matrices, shape (gates, p, p) for p local coordinates. Of a
        gate that blocks share, the sum of theirs.

    Source: the metric is that of Stokes, Izaac, Killoran, Carleo, arXiv:1909.02108.

    Example:
        >>> zeros = np.tile([1.0, 0.0], (2, 1))
        >>> metric = fubini_study(Ansatz(zeros, 1, np.eye(4)[None]), np.eye(4)[None, None])
        >>> metric[0].diagonal().round(12).tolist()[:3]  # IX, IY, IZ acting on |00>
        [1.0, 1.0, 0.0]
    """
    gates = functools.reduce(np.matmul, (point[:, k] for k in range(point.shape[1])))
    rho = _densities(ansatz.with_gates(gates.astype(complex)))
    if ansatz.ties:
        rho = ansatz.ties.turned(rho)
    products = np.einsum("aij,bjk->abik", paulis(), paulis())
    means = np.einsum("gij,aji->ga", rho, paulis()).real
    moments = np.einsum("gij,abji->gab", rho, products).real
    metric = moments - means[:, :, None] * means[:, None, :]
    if ansatz.ties:
        metric = ansatz.ties.summed(metric)
    frame = BLOCKS[ansatz.block].frame(point)
    return frame @ metric @ frame.swapaxes(-1, -2)


def _densities(ansatz: Ansatz) -> np.ndarray:
    """Return the density matrix of the two qubits that enter each block, shape (blocks, 4, 4)."""
    bricks = ansatz.as_bricks()
    sweep = Sweep(MPS.product(ansatz.state), record=True)
    found, done = [], 0
    for bonds in bricks.bonds:
        if bonds:
            gates = bricks.blocks[done : done + len(bonds)]
            sweep.apply(bonds[0], gates, _ANGLE_PER_LAYER, _MAX_BOND)
            found += [sweep.densities[bond] for bond in bonds]
            done += len(bonds)
    rho = np.stack(found)
    if not ansatz.colors:
        return rho
    holds = ansatz.network.numbers >= 0
    orders = ansatz.network.inputs[holds]
    turned = rho[holds][np.arange(len(orders))[:, None, None], orders[:, :, None], orders[:, None]]
    return turned[np.argsort(ansatz.network.numbers[holds])]
