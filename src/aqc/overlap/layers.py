"""Layers of gates on a matrix product state, all bonds at once, truncated by QR.

A state is kept in right-canonical form with a center matrix on every bond (Vidal, Hastings). With
C the center on the left of two sites and G their gate,

    theta = C G B B',        theta ~ A C' R'  (A, R' isometries),        B <- (G B B') R'^dagger,

so that no center is ever inverted and all gates of a layer act at the same time. R' and C' come
from one power iteration and two QR decompositions in place of an SVD: rows of theta, folded to the
number wanted, times theta^dagger span the left vectors A; A^dagger theta = C' R'.

Source: Unfried, Hauschild, Pollmann, arXiv:2212.09782; they take some of theta's rows where this
adds the others to them.

The chain is a row of cells of two sites. An even gate lies within a cell, an odd one joins two.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aqc.mps import MPS, right_canonical


class State(NamedTuple):
    """A matrix product state, cell by cell.

    Attributes:
        first: Right-canonical tensors of the cells' first sites, shape (cells, vL, 2, vR).
        second: Of the second sites.
        borders: Centers on the left borders of the cells, shape (cells, vL, vL).
        inners: Centers within the cells.
    """

    first: jax.Array
    second: jax.Array
    borders: jax.Array
    inners: jax.Array


class Bracket(NamedTuple):
    """A state as the environments of one layer's gates need it.

    Attributes:
        pairs: The two sites that each gate joins, shape (cells, vL, 4, vR).
        start: The site before the first gate, shape (vL, 2, vR); e_0 e_0 e_0 where there is none.
        end: The site behind the last gate.
    """

    pairs: jax.Array
    start: jax.Array
    end: jax.Array


def apply_layer(
    state: State, gates: jax.Array | None, parity: int, bond: int
) -> tuple[State, Bracket, jax.Array]:
    """Apply one layer of gates and truncate their bonds.

    Args:
        state: Before the layer.
        gates: One for each cell, shape (cells, 4, 4), the last one unused in an odd layer; None
            only truncates.
        parity: 0 for an even layer, 1 for an odd one.
        bond: Bond dimension to keep.

    Returns:
        The state behind the layer, the one before it for the environments, and the share of the
        weight that each gate's truncation lost, shape (gates,).
    """
    if parity:
        left, right, centers = state.second[:-1], state.first[1:], state.inners[:-1]
    else:
        left, right, centers = state.first, state.second, state.borders
    pairs = jnp.einsum("cxim,cmjy->cxijy", left, right)
    pairs = pairs.reshape(*pairs.shape[:2], 4, pairs.shape[-1])
    bracket = _bracket(state, pairs, parity)
    if gates is not None:
        pairs = jnp.einsum("cij,cxjy->cxiy", gates[: len(pairs)], pairs)
    left, right, centers, lost = _split(centers, pairs, bond)
    if not parity:
        return State(left, right, state.borders, centers), bracket, lost
    first = jnp.concatenate([_fitted(state.first[:1], right.shape), right])
    second = jnp.concatenate([left, _fitted(state.second[-1:], left.shape)])
    borders = jnp.concatenate([_fitted(state.borders[:1], centers.shape), centers])
    return State(first, second, borders, state.inners), bracket, lost


def _split(
    centers: jax.Array, pairs: jax.Array, bond: int
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Return the two sites, the center between them and the share of the weight that was lost."""
    cells, vl, _, vr = pairs.shape
    theta = jnp.einsum("cwx,cxiy->cwiy", centers, pairs).reshape(cells, 2 * vl, 2 * vr)
    span, _ = jnp.linalg.qr(theta @ _folded(theta, bond).conj().swapaxes(1, 2))
    rest = span.conj().swapaxes(1, 2) @ theta  # a (j vR)
    q, r = jnp.linalg.qr(rest.swapaxes(1, 2))
    left = pairs.reshape(cells, 2 * vl, 2 * vr) @ q.conj()
    lost = jnp.maximum(1 - _weight(r) / _weight(theta), 0.0)
    right = q.swapaxes(1, 2).reshape(cells, -1, 2, vr)
    return left.reshape(cells, vl, 2, -1), right, r.swapaxes(1, 2), lost


def _folded(theta: jax.Array, bond: int) -> jax.Array:
    """Return so many rows that span most of what all rows do.

    The rows come with roughly falling weights: the heaviest stay apart, light ones are added.
    """
    rows = theta.shape[1]
    folded = theta[:, :bond]
    for begin in range(bond, rows, bond):
        more = theta[:, begin : begin + bond]
        folded = folded.at[:, : more.shape[1]].add(more)
    return folded


def _weight(matrices: jax.Array) -> jax.Array:
    """Return the squared norm of each matrix, added up in double precision."""
    squares = matrices.real.astype(float) ** 2 + matrices.imag.astype(float) ** 2
    return squares.sum(axis=(1, 2))


def _bracket(state: State, pairs: jax.Array, parity: int) -> Bracket:
    if parity:
        # An idle pair at the end makes odd layers as long as even ones.
        idle = jnp.zeros_like(pairs[:1]).at[0, :, 0].set(jnp.eye(pairs.shape[1], dtype=pairs.dtype))
        return Bracket(jnp.concatenate([pairs, idle]), state.first[0], state.second[-1])
    none = jnp.zeros_like(state.first[0]).at[0, 0, 0].set(1.0)
    return Bracket(pairs, none, none)


def _fitted(tensor: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Return a tensor cut and padded with zeros to a shape, but for its leading axis."""
    tensor = tensor[(slice(None), *map(slice, shape[1:]))]
    missing = [(0, size - have) for size, have in zip(shape[1:], tensor.shape[1:], strict=True)]
    return jnp.pad(tensor, [(0, 0), *missing])


def product(sites: jax.Array, bond: int) -> State:
    """Return the product state of one-qubit states, shape (2 cells, 2), with padded bonds."""
    tensors = jnp.zeros((len(sites), bond, 2, bond), sites.dtype).at[:, 0, :, 0].set(sites)
    centers = jnp.zeros((len(sites), bond, bond), sites.dtype).at[:, 0, 0].set(1.0)
    return State(tensors[0::2], tensors[1::2], centers[0::2], centers[1::2])


def widened(state: State, bond: int) -> State:
    """Return a state with its bonds padded to a larger dimension."""
    sites, centers = (0, bond, 2, bond), (0, bond, bond)
    return State(
        _fitted(state.first, sites),
        _fitted(state.second, sites),
        _fitted(state.borders, centers),
        _fitted(state.inners, centers),
    )


def laid_out(
    tensors: list[np.ndarray], bond: int, dtype: np.dtype
) -> tuple[tuple[np.ndarray, ...], float]:
    """Return a matrix product state in cells, normalized, its bonds cut or padded.

    Args:
        tensors: An even number of sites (vL, i, vR), in any gauge.
        bond: Bond dimension; the heaviest Schmidt vectors come first.
        dtype: Of the arrays.

    Returns:
        The four arrays of a `State`, and the weight that was cut off.
    """
    right = right_canonical(MPS(tuple(tensors))).tensors
    n = len(right)
    sites = np.zeros((n, bond, 2, bond), dtype=dtype)
    centers = np.zeros((n, bond, bond), dtype=dtype)
    center, turned, cut = np.ones((1, 1)), np.ones((1, 1), dtype=complex), 0.0
    for site in range(n):
        kept = len(center)
        centers[site, :kept, :kept] = center
        tensor = np.tensordot(turned, right[site], 1)
        theta = np.tensordot(center, tensor, 1).reshape(2 * kept, -1)
        _, weights, rows = np.linalg.svd(theta, full_matrices=False)
        cut += float(np.sum(weights[bond:] ** 2))
        weights, turned = weights[:bond], rows[:bond]
        tensor = np.tensordot(tensor, turned.conj().T, 1)
        sites[site, :kept, :, : len(weights)] = tensor
        center = np.diag(weights / np.linalg.norm(weights))
    return (sites[0::2], sites[1::2], centers[0::2], centers[1::2]), cut
