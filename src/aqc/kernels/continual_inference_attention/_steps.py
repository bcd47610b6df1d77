"""One arrival: what changes in a window when its oldest token leaves and a new one comes."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class TokenState:
    """The window's tokens; token t is in slot t mod n, and slots not reached yet hold zeros.

    Args:
        arrived: Tokens so far.
        q: Shape (n, heads, d).
        k: Shape (n, heads, d).
        v: Shape (n, heads, d).
    """

    arrived: int
    q: Float[np.ndarray, "n H d"]
    k: Float[np.ndarray, "n H d"]
    v: Float[np.ndarray, "n H d"]


@dataclass(frozen=True)
class RetroactiveState:
    """The window's tokens and the sums of each of its rows, in the same slots.

    Args:
        arrived: Tokens so far.
        q: Shape (n, heads, d).
        k: Shape (n, heads, d).
        v: Shape (n, heads, d).
        sums: D_i = sum_j exp(s_ij - shift_i), shape (n, heads).
        weighted: sum_j exp(s_ij - shift_i) v_j, shape (n, heads, d).
        shift: Largest score of the row when it arrived, shape (n, heads).
        peak: Largest D_i since then, shape (n, heads).
    """

    arrived: int
    q: Float[np.ndarray, "n H d"]
    k: Float[np.ndarray, "n H d"]
    v: Float[np.ndarray, "n H d"]
    sums: Float[np.ndarray, "n H"]
    weighted: Float[np.ndarray, "n H d"]
    shift: Float[np.ndarray, "n H"]
    peak: Float[np.ndarray, "n H"]


@dataclass(frozen=True)
class ConvolutionState:
    """What the inputs so far give to outputs to come.

    Args:
        arrived: Inputs so far.
        partial: Of the next k - 1 outputs, in slots by their time mod k, shape (k, outputs).
    """

    arrived: int
    partial: Float[np.ndarray, "k C_out"]


for _state in (TokenState, RetroactiveState, ConvolutionState):
    jax.tree_util.register_dataclass(_state)


def empty_tokens(window: int, heads: int, width: int) -> TokenState:
    """Return the state before the first token."""
    tokens = np.zeros((window, heads, width))
    return TokenState(0, tokens, tokens, tokens)


def empty_rows(window: int, heads: int, width: int) -> RetroactiveState:
    """Return the state before the first token."""
    tokens, rows = np.zeros((window, heads, width)), np.zeros((window, heads))
    return RetroactiveState(0, tokens, tokens, tokens, rows, tokens, rows, rows)


def retroactive_step(
    state: RetroactiveState, q: jax.Array, k: jax.Array, v: jax.Array
) -> tuple[RetroactiveState, jax.Array, jax.Array]:
    """Take in one token and update the outputs of all of the window; plain JAX.

    Args:
        state: Before.
        q: Of the token, times d^(-1/2), shape (heads, d).
        k: Of the token, shape (heads, d).
        v: Of the token, shape (heads, d).

    Returns:
        The state after; the outputs by slot, shape (n, heads, d); and the factor by which
        rounding has grown in the worst row.
    """
    size = len(state.q)
    slot = state.arrived % size
    full = state.arrived >= size
    old_k, old_v = state.k[slot], state.v[slot]
    leaves = jnp.exp(jnp.einsum("nhd,hd->nh", state.q, old_k) - state.shift) * full
    comes = jnp.exp(jnp.einsum("nhd,hd->nh", state.q, k) - state.shift)
    sums = state.sums - leaves + comes
    weighted = state.weighted - leaves[..., None] * old_v + comes[..., None] * v
    keys, values = _put(state.k, slot, k), _put(state.v, slot, v)
    # The new token's own row replaces that of the token that left.
    there = jnp.arange(size) <= state.arrived
    scores = jnp.where(there[:, None], jnp.einsum("nhd,hd->nh", keys, q), -jnp.inf)
    top = scores.max(0)
    row = jnp.exp(scores - top)
    total = row.sum(0)
    sums = _put(sums, slot, total)
    weighted = _put(weighted, slot, jnp.einsum("nh,nhd->hd", row, values))
    peak = _put(jnp.maximum(state.peak, sums), slot, total)
    changes: dict[str, Any] = {
        "q": _put(state.q, slot, q),
        "k": keys,
        "v": values,
        "sums": sums,
        "weighted": weighted,
        "shift": _put(state.shift, slot, top),
        "peak": peak,
    }
    after = replace(state, arrived=state.arrived + 1, **changes)
    # A sum that is rounding alone may be 0 or negative.
    growth = jnp.where(sums > 0, peak / sums, jnp.inf)
    growth = jnp.where(there[:, None], growth, 1.0).max()
    return after, weighted / sums[..., None], growth


def token_step(
    state: TokenState, q: jax.Array, k: jax.Array, v: jax.Array, delay: int = 0
) -> tuple[TokenState, jax.Array]:
    """Take in one token and return the output of one token of the window; plain JAX.

    Args:
        state: Before.
        q: Of the token, times d^(-1/2), shape (heads, d).
        k: Of the token, shape (heads, d).
        v: Of the token, shape (heads, d).
        delay: How many tokens before the newest the output is for.

    Returns:
        The state after, and the output, shape (heads, d).
    """
    size = len(state.k)
    slot = state.arrived % size
    keys, values = _put(state.k, slot, k), _put(state.v, slot, v)
    queries = _put(state.q, slot, q)
    asking = queries[(state.arrived - delay) % size]
    there = jnp.arange(size) <= state.arrived
    scores = jnp.where(there[:, None], jnp.einsum("nhd,hd->nh", keys, asking), -jnp.inf)
    output = jnp.einsum("nh,nhd->hd", jax.nn.softmax(scores, axis=0), values)
    changes: dict[str, Any] = {"q": queries, "k": keys, "v": values}
    return replace(state, arrived=state.arrived + 1, **changes), output


def convolution_step(
    state: ConvolutionState, x: jax.Array, weights: jax.Array, bias: jax.Array
) -> tuple[ConvolutionState, jax.Array]:
    """Take in one input, give its share to the outputs to come, and return one; plain JAX.

    Args:
        state: Before.
        x: Shape (C,).
        weights: Of the newest input first, shape (k, C, C_out).
        bias: Shape (C_out,).

    Returns:
        The state after, and the output, shape (C_out,).
    """
    size = len(weights)
    slots = (state.arrived + jnp.arange(size)) % size
    partial = jnp.asarray(state.partial).at[slots].add(jnp.einsum("c,kco->ko", x, weights))
    output = partial[slots[0]] + bias
    changes: dict[str, Any] = {"partial": partial.at[slots[0]].set(0.0)}
    return replace(state, arrived=state.arrived + 1, **changes), output


def _put(array: Any, slot: Any, value: Any) -> Any:
    return jnp.asarray(array).at[slot].set(value)
