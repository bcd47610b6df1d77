"""The environment of every gate of a layer, between the two states around it.

With <chi| behind the layer and |phi> before it, <chi|G ... G'|phi> is linear in each gate: its
derivative is what is left when the gate is taken out. A sweep to the left and one to the right
give all of them; both divide by norms, so nothing under- or overflows at any length.
"""

import jax
import jax.numpy as jnp

from aqc.overlap.layers import Bracket


def environments(ket: Bracket, bra: Bracket, gates: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return what each layer's amplitude is and its derivative.

    Args:
        ket: Before each layer; a leading axis counts layers.
        bra: Behind each layer, not conjugated.
        gates: shape (layers, cells, 4, 4).

    Returns:
        The logarithm of the amplitude's modulus, shape (layers,), and d(log amplitude)/d(gate),
        shape (layers, cells, 4, 4).
    """
    conj = bra.pairs.conj()
    right = jnp.einsum("lxi,lyi->lxy", ket.end[..., 0], bra.end[..., 0].conj())
    left = jnp.einsum("lix,liy->lxy", ket.start[:, 0], bra.start[:, 0].conj())

    def to_left(right: jax.Array, cell: jax.Array) -> tuple[jax.Array, jax.Array]:
        behind = jnp.einsum("lbiy,lxy->lbix", conj[:, cell], right)  # bra i ket
        turned = _turned(gates[:, cell].swapaxes(1, 2), behind)
        right = jnp.einsum("lajx,lbjx->lab", ket.pairs[:, cell], turned)
        return right / _norms(right), behind

    def to_right(
        carry: tuple[jax.Array, jax.Array], inputs: tuple[jax.Array, jax.Array]
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        (left, log_norm), (cell, behind) = carry, inputs
        before = jnp.einsum("lab,lajx->lbjx", left, ket.pairs[:, cell])  # bra j ket
        derivative = jnp.einsum("lbjx,lbix->lij", before, behind)
        turned = _turned(gates[:, cell], before)
        left = jnp.einsum("lbix,lbiy->lxy", turned, conj[:, cell])
        norms = _norms(left)
        return (left / norms, log_norm + jnp.log(norms[:, 0, 0].astype(float))), derivative

    cells = jnp.arange(gates.shape[1])
    _, behind = jax.lax.scan(to_left, right, cells, reverse=True)
    start = (left, jnp.zeros(len(gates)))
    (left, log_norm), derivatives = jax.lax.scan(to_right, start, (cells, behind))
    last = jnp.einsum("lxy,lxy->l", left, right)
    values = jnp.einsum("clij,lcij->lc", derivatives, gates)
    derivatives = derivatives.swapaxes(0, 1) / values[..., None, None]
    return log_norm + jnp.log(jnp.abs(last).astype(float)), derivatives


def _turned(gates: jax.Array, pairs: jax.Array) -> jax.Array:
    """Return gates applied to the middle leg, in sums that XLA fuses: products so thin are slow."""
    rows = [
        sum(gates[:, i, j, None, None] * pairs[:, :, j] for j in range(1, 4))
        + gates[:, i, 0, None, None] * pairs[:, :, 0]
        for i in range(4)
    ]
    return jnp.stack(rows, axis=2)


def _norms(matrices: jax.Array) -> jax.Array:
    squares = matrices.real**2 + matrices.imag**2
    return jnp.sqrt(squares.sum(axis=(1, 2), keepdims=True))
