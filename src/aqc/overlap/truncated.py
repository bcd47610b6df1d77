"""log |<target|V|psi_0>|^2 through truncated matrix product states: deep circuits.

With |phi_k> = G_k ... G_1 |psi_0> and <chi_k| = <target|G_L ... G_(k+1), both truncated (`layers`),
the amplitude <chi_k|G_k|phi_(k-1)> is linear in each gate of layer k, so its derivative is the
gate's environment (`environments`): nothing is differentiated through a decomposition.

    d log A / d G = E / tr(E^T G),        cost ~ layers n chi^3.

Every layer gives the amplitude once more, from other states; the mean of their logarithms is
returned. An error of |phi_k> is orthogonal to what was kept, and so, near the target, to <chi_k|
too: log F errs by far less than the weight lost in all truncations, which is returned beside it.

A pair of layers is one step of a scan. Early states have little entanglement, so the pairs come in
segments, each with its own bond dimension.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aqc.ansatz import Ansatz
from aqc.mps import MPS
from aqc.overlap.bonds import Segments, choose_segments
from aqc.overlap.environments import environments
from aqc.overlap.layers import Bracket, State, apply_layer, laid_out, product, widened


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["numbers", "state", "target", "cut"],
    meta_fields=["segments", "odd"],
)
@dataclass(frozen=True)
class TruncatedData:
    """What the contraction needs beside the blocks.

    Attributes:
        numbers: Number of each block, shape (pairs of layers, 2, cells); the identity follows the
            blocks. Each pair ends with an even layer if `odd`, else with an odd one.
        state: One-qubit states, shape (2 cells, 2).
        target: At the bond dimension of the last segment.
        cut: The weight that this took from it.
        segments: Pairs of layers and bond dimension of each segment.
        odd: Whether the number of layers is odd; a layer of identities comes first then.
    """

    numbers: jax.Array
    state: jax.Array
    target: State
    cut: jax.Array
    segments: Segments
    odd: bool


def prepare(
    ansatz: Ansatz,
    target: MPS,
    dtype: np.dtype,
    *,
    weight: float = 1e-6,
    segments: Segments | None = None,
) -> TruncatedData:
    """Lay out ansatz and target in cells, two at least; idle sites in |0> fill them up.

    Args:
        ansatz: Where the blocks sit; its own blocks tell how much entanglement to expect.
        target: The state to reach.
        dtype: complex64 or complex128.
        weight: How much all truncations together may lose.
        segments: Pairs of layers and bond dimension of each segment; None chooses them.
    """
    n, odd = ansatz.num_qubits, ansatz.layers % 2
    cells = max((n + 1) // 2, 2)
    numbers = np.full((ansatz.layers + odd, cells), len(ansatz.blocks), dtype=np.int32)
    number = 0
    for depth, bonds in enumerate(ansatz.bonds):
        for bond in bonds:
            numbers[depth + odd, bond // 2] = number
            number += 1
    if segments is None:
        segments = choose_segments(ansatz, target, weight)
    zero = np.array([1.0, 0.0])
    idle = 2 * cells - n
    sites = np.array([*ansatz.state, *[zero] * idle]).astype(dtype)
    tensors = [*target.tensors, *[zero.reshape(1, 2, 1)] * idle]
    reached, cut = laid_out(tensors, segments[-1][1], dtype)
    on_device = partial(jax.device_put, device=jax.devices()[0])
    return TruncatedData(
        on_device(numbers.reshape(-1, 2, cells)),
        on_device(sites),
        State(*map(on_device, reached)),
        on_device(np.array(cut)),
        segments=segments,
        odd=bool(odd),
    )


@jax.custom_vjp
def measure(blocks: jax.Array, data: TruncatedData) -> tuple[jax.Array, jax.Array]:
    """Return log |<target|V|psi_0>|^2 and the weight that all truncations lost, in double.

    Args:
        blocks: shape (number of blocks, 4, 4), complex64 or complex128.
        data: From `prepare`, of the same dtype.
    """
    return _with_gradient(blocks, data)[0]


def _with_gradient(
    blocks: jax.Array, data: TruncatedData
) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    """Return what `measure` does, and the derivative of log F."""
    identity = jnp.eye(4, dtype=blocks.dtype)[None]
    gates = jnp.concatenate([blocks, identity])[data.numbers]  # pair layer cell out in
    kets, lost = _forward(gates, data)
    # XLA's batched LAPACK calls wait for threads of the pool that they run in: two of them at a
    # time can wait for ever. So the second family begins only when the first is done.
    start = jax.tree.map(lambda x: jnp.where(lost < 0, 0, x), data.target)
    bras, lost_backward = _backward(gates, data, start)
    logs, derivatives, done = [], [], 0
    for (pairs, _), ket, bra in zip(data.segments, kets, bras, strict=True):
        layers = gates[done : done + pairs].reshape(2 * pairs, *gates.shape[2:])
        log, slope = environments(ket, bra, layers)
        logs.append(log)
        derivatives.append(slope)
        done += pairs
    # The layer of identities that comes first in an odd number tells nothing new.
    log_fidelity = 2 * jnp.concatenate(logs)[int(data.odd) :].mean()
    gradient = jnp.zeros((len(blocks) + 1, 4, 4), blocks.dtype)
    slopes = 2 * jnp.concatenate(derivatives).reshape(-1, 4, 4)
    gradient = gradient.at[data.numbers.reshape(-1)].set(slopes)[:-1]
    return (log_fidelity, data.cut + lost + lost_backward), gradient


def _pull_back(gradient: jax.Array, cotangents: tuple[jax.Array, jax.Array]) -> tuple[Any, None]:
    return gradient * cotangents[0].astype(gradient.dtype), None


measure.defvjp(_with_gradient, _pull_back)


def _forward(gates: jax.Array, data: TruncatedData) -> tuple[list[Bracket], jax.Array]:
    """Return the states before each layer, segment by segment, and the weight lost."""
    state, lost, done = product(data.state, data.segments[0][1]), jnp.zeros(()), 0
    kets = []
    for pairs, bond in data.segments:
        state = widened(state, bond)
        step = partial(_two_layers, order=(0, 1), odd=data.odd, bond=bond)
        (state, lost), seen = jax.lax.scan(step, (state, lost), gates[done : done + pairs])
        kets.append(_by_layers(seen))
        done += pairs
    return kets, lost


def _backward(
    gates: jax.Array, data: TruncatedData, state: State
) -> tuple[list[Bracket], jax.Array]:
    """Return the states behind each layer, segment by segment, and the weight lost."""
    undone = gates.conj().swapaxes(-1, -2)
    lost, done, last = jnp.zeros(()), len(gates), data.segments[-1][1]
    bras: list[Bracket] = []
    for pairs, bond in reversed(data.segments):
        if bond < last:
            for parity in (1, 0):
                state, _, weights = apply_layer(state, None, parity, bond)
                lost += weights.sum()
        step = partial(_two_layers, order=(1, 0), odd=data.odd, bond=bond)
        part = undone[done - pairs : done]
        (state, lost), seen = jax.lax.scan(step, (state, lost), part, reverse=True)
        bras.insert(0, _by_layers(seen))
        done, last = done - pairs, bond
    return bras, lost


def _two_layers(
    carry: tuple[State, jax.Array],
    gates: jax.Array,
    *,
    order: tuple[int, int],
    odd: bool,
    bond: int,
) -> tuple[tuple[State, jax.Array], Bracket]:
    """Apply the two layers of a pair in an order; return what both met in the order of time."""
    state, lost = carry
    seen: dict[int, Bracket] = {}
    for which in order:
        state, seen[which], weights = apply_layer(state, gates[which], which ^ odd, bond)
        lost += weights.sum()
    return (state, lost), jax.tree.map(lambda *x: jnp.stack(x), seen[0], seen[1])


def _by_layers(seen: Bracket) -> Bracket:
    flat: Callable[[jax.Array], jax.Array] = lambda x: x.reshape(-1, *x.shape[2:])  # noqa: E731
    return Bracket(*map(flat, seen))
