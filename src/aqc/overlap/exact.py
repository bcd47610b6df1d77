"""log |<target|V|psi_0>|^2 of a brickwork circuit, exactly, by one scan over two-site cells.

The chain is cut into cells (0,1), (2,3), ... . A gate of an even layer lies within a cell; a gate
of an odd layer crosses a cut, and is a leg of dimension 4 there: the pair (out, in) of its left
qubit. The boundary at a cut holds these m = L // 2 legs and the target's bond. It is divided by
its norm in every cell and the logarithms are added up, so nothing underflows at any length.

In a cell the crossing gates are met in the order of time. With a the wire of the left qubit, the
boundary is always ordered (legs already made, a, legs still to meet, bond), so that each step is
one matrix product on a middle axis and no transposition:

    k_j (a)  ->  i_j  o_(j-1)  a        o_j, i_j: out and in of the right qubit's wire at layer j

No truncation and no decomposition: reverse mode gives the gradient with respect to every block.
Cost per cell ~ 4^m (16 m chi + 4 chi^2) multiplications.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aqc.ansatz import Ansatz
from aqc.cost import crossing_layers, padded_bond
from aqc.mps import MPS


class ExactData(NamedTuple):
    """What the contraction needs beside the blocks (arrays only).

    Attributes:
        numbers: For each cell and layer 0..2m the number of its block; odd layers: the gate that
            crosses the cell's left cut. shape (cells, 2m + 1). Two constants follow the blocks:
            the identity for layers without a block, and |0><0| x 1 at the chain's left end.
        state: Product state of each cell, shape (cells, 4).
        target: Conjugated tensors of each cell, shape (cells, chi, 4, chi).
    """

    numbers: jax.Array
    state: jax.Array
    target: jax.Array


def prepare(ansatz: Ansatz, target: MPS, dtype: np.dtype) -> ExactData:
    """Lay out ansatz and target in cells; an odd chain gets one idle site in |0>."""
    n, depth = ansatz.num_qubits, crossing_layers(ansatz.layers)
    cells = (n + 1) // 2
    identity, uncrossed = len(ansatz.blocks), len(ansatz.blocks) + 1
    numbers = np.full((cells, 2 * depth + 1), identity, dtype=np.int32)
    numbers[0, 1::2] = uncrossed
    number = 0
    for layer, bonds in enumerate(ansatz.bonds):
        for bond in bonds:
            numbers[(bond + 1) // 2, layer] = number
            number += 1
    zero = np.array([1.0, 0.0])
    sites = [*ansatz.state, zero][: 2 * cells]
    tensors = [*target.tensors, zero.reshape(1, 2, 1)][: 2 * cells]
    chi = padded_bond(target.max_bond)
    padded = np.zeros((cells, chi, 4, chi), dtype=dtype)
    for cell in range(cells):
        pair = np.tensordot(tensors[2 * cell], tensors[2 * cell + 1], 1)  # vL i j vR
        pair = pair.reshape(pair.shape[0], 4, -1).conj()
        padded[cell, : pair.shape[0], :, : pair.shape[2]] = pair
    state = np.stack([np.kron(sites[2 * c], sites[2 * c + 1]) for c in range(cells)])
    # Cast by NumPy: jnp.asarray would compile a conversion for each shape.
    return ExactData(*map(jax.device_put, (numbers, state.astype(dtype), padded)))


def log_fidelity(blocks: jax.Array, data: ExactData) -> jax.Array:
    """Return log |<target|V|psi_0>|^2, a real scalar in double precision.

    Args:
        blocks: shape (number of blocks, 4, 4), complex64 or complex128.
        data: From `prepare`, of the same dtype.
    """
    dtype = blocks.dtype
    chi = data.target.shape[1]
    depth = data.numbers.shape[1] // 2
    constants = np.stack([np.eye(4), np.kron(np.diag([1.0, 0.0]), np.eye(2))])
    gates = jnp.concatenate([blocks, jnp.asarray(constants, dtype)])[data.numbers]
    steps, closing = _cell_matrices(gates, data)

    def cell(
        carry: tuple[jax.Array, jax.Array], inputs: tuple[list[jax.Array], jax.Array]
    ) -> tuple[tuple[jax.Array, jax.Array], None]:
        boundary, log_norm = carry
        matrices, close = inputs
        made = 1
        for matrix in matrices:
            size = matrix.shape[0]
            boundary = boundary.reshape(made, size, -1)
            boundary = jnp.einsum("xy,myr->mxr", matrix, boundary)
            made *= size // 2
        boundary = boundary.reshape(made, 2 * chi) @ close
        boundary = boundary.reshape((2,) * (2 * depth) + (chi,)).transpose(_leg_order(depth))
        norm = jnp.sqrt(jnp.sum(boundary.real**2 + boundary.imag**2))
        # The norm is divided out here and added back as a logarithm: constant for the gradient.
        norm = jax.lax.stop_gradient(norm)
        carry = boundary.reshape(4**depth, chi) / norm, log_norm + jnp.log(norm.astype(float))
        return carry, None

    start = jnp.zeros((4**depth, chi), dtype).at[0, 0].set(1.0)
    (boundary, log_norm), _ = jax.lax.scan(cell, (start, jnp.zeros(())), (steps, closing))
    amplitude = boundary[:, 0].reshape((4,) * depth)
    uncut = jnp.array([1, 0, 0, 1], dtype)  # no gate crosses the last cut: out = in
    for _ in range(depth):
        amplitude = jnp.tensordot(uncut, amplitude, 1)
    return 2 * (log_norm + jnp.log(jnp.abs(amplitude).astype(float)))


def _cell_matrices(gates: jax.Array, data: ExactData) -> tuple[list[jax.Array], jax.Array]:
    """Return the step matrices of each cell and the matrix that closes it with the target."""
    cells, chi = data.target.shape[:2]
    depth = gates.shape[1] // 2
    inside = gates[:, 0::2]
    # crossing[..., k, a, b]: k = (out, in) of the left qubit, a = out and b = in of the right one
    crossing = gates[:, 1::2].reshape(cells, depth, 2, 2, 2, 2).transpose(0, 1, 2, 4, 3, 5)
    crossing = crossing.reshape(cells, depth, 4, 2, 2)
    prepared = jnp.einsum("cxy,cy->cx", inside[:, 0], data.state)
    steps = [
        jnp.einsum("ckab,cbi->ciak", crossing[:, 0], prepared.reshape(cells, 2, 2)).reshape(
            cells, 4, 4
        )
    ]
    for j in range(1, depth):
        gate = inside[:, j].reshape(cells, 2, 2, 2, 2)  # a_out i a o
        step = jnp.einsum("cbiao,ckxb->cioxak", gate, crossing[:, j])
        steps.append(step.reshape(cells, 8, 8))
    last = inside[:, depth].reshape(cells, 4, 2, 2)  # (i j) a o
    closing = jnp.einsum("clsr,csao->calor", data.target, last)
    return steps, closing.reshape(cells, 2 * chi, 2 * chi)


def _leg_order(depth: int) -> list[int]:
    """Return the permutation from legs as made to (out, in) pairs in the order of time."""
    made = ["i1"] + [leg for j in range(2, depth + 1) for leg in (f"i{j}", f"o{j - 1}")]
    made.append(f"o{depth}")
    wanted = [leg for j in range(1, depth + 1) for leg in (f"o{j}", f"i{j}")]
    return [made.index(leg) for leg in wanted] + [2 * depth]
