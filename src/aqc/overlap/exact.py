"""log |<target|V|psi_0>|^2 of a brickwork circuit, exactly, by two scans that meet in the middle.

For operators psi_0 is made of Bell pairs, one half of each a site's input (its reference), so that
the overlap is tr(target^dagger V) / 2^n; for states the reference has dimension 1.

The chain is cut into cells (0,1), (2,3), ... . A gate of an even layer lies within a cell; a gate
of an odd layer crosses a cut, and is a leg of dimension 4 there: the pair (out, in) of its left
qubit. The boundary at a cut holds these m = L // 2 legs and the target's bond. It is divided by
its norm in every cell and the logarithms are added up, so nothing underflows at any length.

In a cell the crossing gates are met in the order of time. With a the wire of the left qubit, the
boundary is always ordered (legs already made, a, legs still to meet, bond), so that each step is
one matrix product on a middle axis and no transposition:

    k_j (a)  ->  i_j  o_(j-1)  a        o_j, i_j: out and in of the right qubit's wire at layer j

The references of a cell, made with its state and closed with its target, lead all other legs.

The right half of the chain is seen in a mirror, so that both halves are the same computation with
a leading axis of length two; the gates that cross the middle join them. Laid on two devices, the
halves run side by side.

Where the magnetization is conserved, the rows of the boundary hold one sector of the bond each
(`sectors`), and those of a group of legs are closed with its own part of the target.

No truncation and no decomposition: reverse mode gives the gradient with respect to every block.
Cost per cell ~ r 4^m (16 m chi + 4 chi^2) multiplications, r = 4 for operators, else 1; with
sectors chi is the size of the largest.
"""

from functools import partial, reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from aqc.ansatz import Ansatz
from aqc.cost import crossing_layers, padded_bond
from aqc.mps import MPS
from aqc.overlap import sectors

_IDENTITY = np.eye(4)
# Stands for the gates that cross the chain's end: |0><0| x 1.
_END = np.kron(np.diag([1.0, 0.0]), np.eye(2))


class ExactData(NamedTuple):
    """What the contraction needs beside the blocks (arrays only).

    The leading axis of the first three counts the halves: the left one, and the right one in a
    mirror.

    Attributes:
        numbers: For each cell and layer 0..2m the number of its block; odd layers: the gate that
            crosses the cell's outer cut. shape (2, cells, 2m + 1). Two constants follow the blocks:
            the identity for layers without a block, and the chain's end.
        state: Product state of each cell, shape (2, cells, 4, r): its two qubits, its references.
        target: Conjugated tensors of each cell, shape (2, cells, groups, a, chi, 4, r, chi): one
            group and one for both a where all is dense, else as `sectors.closers` has them.
        middle: Numbers of the blocks that cross the cut between the halves, shape (m,).
    """

    numbers: jax.Array
    state: jax.Array
    target: jax.Array
    middle: jax.Array


def prepare(ansatz: Ansatz, target: MPS, dtype: np.dtype) -> ExactData:
    """Lay out ansatz and target in cells; idle sites in |0> fill up the halves."""
    n, depth = ansatz.num_qubits, crossing_layers(ansatz.layers)
    cells = (n + 3) // 4  # of a half
    identity, end = len(ansatz.blocks), len(ansatz.blocks) + 1
    # One row for each cut and the cell on its right; the last row is the chain's right end.
    crossing = np.full((2 * cells + 1, depth), identity, dtype=np.int32)
    crossing[[0, -1]] = end
    inside = np.full((2 * cells, depth + 1), identity, dtype=np.int32)
    number = 0
    for layer, bonds in enumerate(ansatz.bonds):
        for bond in bonds:
            of_parity = crossing if layer % 2 else inside
            of_parity[(bond + 1) // 2, layer // 2] = number
            number += 1
    idle = 4 * cells - n
    still = np.zeros(ansatz.state.shape[1:])
    still.flat[0] = 1.0
    product = np.array([*ansatz.state, *[still] * idle])
    tensors = [*target.tensors, *[still.reshape(1, -1, 1)] * idle]
    conserving = ansatz.block == "u1" and not ansatz.is_operator
    sorted_by = sectors.sort(MPS(tuple(tensors)), product) if conserving else None
    size = padded_bond(target.max_bond)
    if sorted_by is not None:
        tensors, size = sorted_by.tensors, sorted_by.size(depth)
    sites = [site.reshape(2, -1) for site in product]  # i w
    references = sites[0].shape[1] ** 2
    numbers = np.empty((2, cells, 2 * depth + 1), dtype=np.int32)
    states = np.empty((2, cells, 4, references), dtype=dtype)
    closers = []
    for half, cell in np.ndindex(2, cells):
        at = 2 * cells - 1 - cell if half else cell
        numbers[half, cell, 0::2] = inside[at]
        numbers[half, cell, 1::2] = crossing[at + half]
        first, second = (2 * at + 1, 2 * at) if half else (2 * at, 2 * at + 1)
        states[half, cell] = np.kron(sites[first], sites[second])
        left, right = tensors[first].conj(), tensors[second].conj()  # vL (i w) vR
        if half:
            left, right = left.T, right.T
        pair = np.einsum("liwm,mjvr->lijwvr", _legs(left), _legs(right))
        pair = pair.reshape(len(left), 4, references, -1)
        closers.append(_closers(pair, size, sorted_by, at, half, depth))
    shape = 2, cells, *closers[0].shape
    # Cast by NumPy: jnp.asarray would compile a conversion for each shape.
    padded = np.array(closers, dtype=dtype).reshape(shape)
    return _place(numbers, states, padded, crossing[cells])


def _closers(
    pair: np.ndarray, size: int, of: sectors.Sectors | None, cell: int, half: int, depth: int
) -> np.ndarray:
    """Return the target's two sites in a cell as `ExactData.target` has them."""
    if of is None:
        padded = np.zeros((1, 1, size, *pair.shape[1:3], size), dtype=complex)
        padded[0, 0, : len(pair), ..., : pair.shape[3]] = pair
        return padded
    # What is in excess on the left of a cut is missing on its right.
    cuts = of.excess[2 * cell], of.excess[2 * cell + 2]
    outer, inner = (-cuts[1], -cuts[0]) if half else cuts
    ones = int(of.ones[2 * cell : 2 * cell + 2].sum())
    found = sectors.closers(pair[:, :, 0], outer, inner, ones, depth, size)
    return found[..., None, :]


def _legs(tensor: np.ndarray) -> np.ndarray:
    """Return a site's tensor with its reference as a leg of its own."""
    return tensor.reshape(len(tensor), 2, -1, tensor.shape[2])


def _place(*arrays: np.ndarray) -> ExactData:
    """Return the data on the default device, or its halves on the first two of the CPU.

    A process has two CPU devices when JAX_NUM_CPU_DEVICES says so.
    """
    devices = jax.devices()
    if devices[0].platform != "cpu" or len(devices) < 2:
        return ExactData(*jax.device_put(arrays))
    mesh = Mesh(np.array(devices[:2]), ("half",))
    halves, both = NamedSharding(mesh, PartitionSpec("half")), NamedSharding(mesh, PartitionSpec())
    return ExactData(*jax.device_put(arrays, (halves, halves, halves, both)))


def log_fidelity(blocks: jax.Array, data: ExactData) -> jax.Array:
    """Return log |<target|V|psi_0>|^2, a real scalar in double precision.

    Args:
        blocks: shape (number of blocks, 4, 4), complex64 or complex128.
        data: From `prepare`, of the same dtype.
    """
    depth = data.numbers.shape[2] // 2
    constants = jnp.asarray(np.stack([_IDENTITY, _END]), blocks.dtype)
    mirrored = blocks.reshape(-1, 2, 2, 2, 2).transpose(0, 2, 1, 4, 3).reshape(blocks.shape)
    seen = jnp.stack([jnp.concatenate([x, constants]) for x in (blocks, mirrored)])
    gates = jax.vmap(lambda known, numbers: known[numbers])(seen, data.numbers)
    halves, log_norms = jax.vmap(_boundary)(gates, data.state, data.target)
    joined = halves[0]
    # G[o o', i i'] joins the leg (o, i) of the left half and the leg (o', i') of the right one.
    joins = seen[0, data.middle].reshape(depth, 2, 2, 2, 2).transpose(0, 2, 4, 1, 3)
    for join in joins.reshape(depth, 4, 4):
        joined = jnp.einsum("xk,kr->rx", join, joined.reshape(4, -1))
    # Each leg went from the front to the back: the bond leads now.
    joined = joined.reshape(-1, 4**depth).T
    amplitude = jnp.sum(joined * halves[1])
    return 2 * (log_norms.sum() + jnp.log(jnp.abs(amplitude).astype(float)))


def _boundary(gates: jax.Array, state: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return a half's normalized boundary at the middle, shape (4**m, chi), and its log norm."""
    chi, references, depth = target.shape[3], target.shape[5], gates.shape[1] // 2
    steps, closing = _cell_matrices(gates, state, target)

    def cell(
        carry: tuple[jax.Array, jax.Array], inputs: tuple[list[jax.Array], jax.Array]
    ) -> tuple[tuple[jax.Array, jax.Array], None]:
        boundary, log_norm = carry
        (first, *matrices), close = inputs
        boundary = first @ boundary.reshape(4, -1)
        made = 2 * references
        for matrix in matrices:
            boundary = boundary.reshape(made, 8, -1)
            boundary = jnp.einsum("xy,myr->mxr", matrix, boundary)
            made *= 4
        parts = boundary.reshape(references, -1, 2 * chi)
        boundary = reduce(jnp.add, map(_closed, parts, close))
        boundary = boundary.reshape((2,) * (2 * depth) + (chi,)).transpose(_leg_order(depth))
        norm = jnp.sqrt(jnp.sum(boundary.real**2 + boundary.imag**2))
        # The norm is divided out here and added back as a logarithm: constant for the gradient.
        norm = jax.lax.stop_gradient(norm)
        carry = boundary.reshape(4**depth, chi) / norm, log_norm + jnp.log(norm.astype(float))
        return carry, None

    start = jnp.zeros((4**depth, chi), gates.dtype).at[0, 0].set(1.0)
    return jax.lax.scan(cell, (start, jnp.zeros(())), (steps, closing))[0]


def _cell_matrices(
    gates: jax.Array, state: jax.Array, target: jax.Array
) -> tuple[list[jax.Array], jax.Array]:
    """Return the step matrices of each cell and the matrix that closes it with the target."""
    cells, groups, _, chi, _, references = target.shape[:6]
    depth = gates.shape[1] // 2
    inside = gates[:, 0::2]
    # crossing[..., k, a, b]: k = (out, in) of the left qubit, a = out and b = in of the right one
    crossing = gates[:, 1::2].reshape(cells, depth, 2, 2, 2, 2).transpose(0, 1, 2, 4, 3, 5)
    crossing = crossing.reshape(cells, depth, 4, 2, 2)
    prepared = jnp.einsum("cxy,cyw->cxw", inside[:, 0], state).reshape(cells, 2, 2, -1)
    first = jnp.einsum("ckab,cbiw->cwiak", crossing[:, 0], prepared)
    steps = [first.reshape(cells, 4 * references, 4)]
    for j in range(1, depth):
        gate = inside[:, j].reshape(cells, 2, 2, 2, 2)  # a_out i a o
        step = jnp.einsum("cbiao,ckxb->cioxak", gate, crossing[:, j])
        steps.append(step.reshape(cells, 8, 8))
    last = inside[:, depth].reshape(cells, 4, 2, 2)  # (i j) a o
    closing = jnp.einsum("cgalswr,csao->cwgalor", target, last)
    return steps, closing.reshape(cells, references, groups, 2 * chi, 2 * chi)


def _closed(rows: jax.Array, closers: jax.Array) -> jax.Array:
    """Return rows of made legs closed with the target, each with the part of its group."""
    if len(closers) == 1:
        return rows @ closers[0]
    order, ends = sectors.grouped(len(closers) // 2)
    rows = _rearranged(rows, order)
    parts = zip((0, *ends), ends, closers, strict=False)
    closed = [rows[begin:end] @ closer for begin, end, closer in parts]
    return _rearranged(jnp.concatenate(closed), tuple(np.argsort(order).tolist()))


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _rearranged(rows: jax.Array, order: tuple[int, ...]) -> jax.Array:
    """Return rows in another order; its way back gathers, where JAX's own would scatter."""
    return rows[np.array(order)]


_rearranged.defvjp(
    lambda rows, order: (_rearranged(rows, order), None),
    lambda order, _, slope: (slope[np.argsort(order)],),
)


def _leg_order(depth: int) -> list[int]:
    """Return the permutation from legs as made to (out, in) pairs in the order of time."""
    made = ["i1"] + [leg for j in range(2, depth + 1) for leg in (f"i{j}", f"o{j - 1}")]
    made.append(f"o{depth}")
    wanted = [leg for j in range(1, depth + 1) for leg in (f"o{j}", f"i{j}")]
    return [made.index(leg) for leg in wanted] + [2 * depth]
