"""The loss with labels: both maps, the contrast of classes, and the penalty."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from aqc.kernels.lambda_orthogonality._penalty import ROUNDING


class Terms(NamedTuple):
    """Weights and constants of the loss.

    Args:
        forward: w1, of L_F.
        backward: w2, of L_B.
        contrastive: w3, of L_C.
        lam: Distance from which on the penalty acts.
        alpha: Steepness of its onset.
        temperature: tau of L_C.
    """

    forward: float
    backward: float
    contrastive: float
    lam: float
    alpha: float
    temperature: float


def contrast(
    anchors: jax.Array,
    candidates: jax.Array,
    labels: jax.Array,
    temperature: float,
    exclude_self: bool,
) -> jax.Array:
    """Return the supervised contrastive cross-entropy.

    For each anchor a softmax of cosine / temperature over the candidates, against a target that
    is uniform over those of its class.

    Args:
        anchors: Shape (N, n).
        candidates: Shape (N, n), of the same samples.
        labels: Shape (N,).
        temperature: tau.
        exclude_self: Leave each anchor's own sample out.

    Returns:
        Mean over the anchors that have a candidate of their class.

    Source: arXiv:2509.16664, L_C.

    Example:
        >>> with jax.enable_x64(True):
        ...     apart = jnp.eye(2)
        ...     round(float(contrast(apart, apart, jnp.arange(2), 1.0, False)), 6)  # log(1 + 1/e)
        0.313262
    """
    n = len(labels)
    others = ~jnp.eye(n, dtype=bool) if exclude_self else jnp.ones((n, n), bool)
    logits = jnp.where(others, _unit(anchors) @ _unit(candidates).T / temperature, -jnp.inf)
    positive = (labels[:, None] == labels) & others
    counts = positive.sum(1)
    surprise = jnp.where(positive, -jax.nn.log_softmax(logits, axis=1), 0).sum(1)
    return jnp.sum(surprise / jnp.maximum(counts, 1)) / jnp.maximum((counts > 0).sum(), 1)


def penalty(weight: jax.Array, lam: float, alpha: float) -> jax.Array:
    """Return L_lambda as JAX differentiates it; `lambda_penalty` is the same in closed form.

    Args:
        weight: W, shape (n, n).
        lam: Distance from which on the penalty acts.
        alpha: Steepness of its onset.

    Returns:
        s x.

    Source: arXiv:2509.16664, equation 6.

    Example:
        >>> float(penalty(2 * jnp.eye(4), 6.0, 10.0))
        3.0
    """
    x = jnp.sqrt(jnp.sum((weight @ weight.T - jnp.eye(len(weight))) ** 2) + ROUNDING)
    return jax.nn.sigmoid(alpha * (x - lam)) * x


def labeled_loss(
    parameters: tuple[jax.Array, ...],
    h_new: jax.Array,
    h_old: jax.Array,
    labels: jax.Array,
    terms: Terms,
    contrasted: bool,
) -> jax.Array:
    """Return the loss of one batch.

        w1 mean (F(h_old) - B(h_new))^2 + w2 mean (B(h_new) - h_old)^2 + w3 L_C + L_lambda

    Args:
        parameters: W and b of B, matrix and shift of F.
        h_new: Shape (batch, n).
        h_old: Shape (batch, n).
        labels: Shape (batch,).
        terms: Weights and constants.
        contrasted: Whether w3 is positive.

    Returns:
        A number.

    Source: arXiv:2509.16664, section 3.

    Example:
        >>> apart, zero = jnp.eye(2), jnp.zeros(2)
        >>> terms = Terms(1.0, 1.0, 0.0, 1.0, 1.0, 0.1)
        >>> float(labeled_loss((apart, zero, apart, zero), apart, 3 * apart, zero, terms, False))
        4.0
    """
    weight, bias, forward_weight, forward_bias = parameters
    mapped = h_new @ weight.T + bias
    forward = h_old @ forward_weight.T + forward_bias
    loss = terms.forward * jnp.mean((forward - mapped) ** 2)
    loss += terms.backward * jnp.mean((mapped - h_old) ** 2)
    loss += penalty(weight, terms.lam, terms.alpha)
    # The similarities are most of the work: they are left out where they do not count.
    if contrasted:
        loss += terms.contrastive * contrast(forward, mapped, labels, terms.temperature, False)
        loss += terms.contrastive * contrast(forward, h_old, labels, terms.temperature, True)
    return loss


def _unit(vectors: jax.Array) -> jax.Array:
    return vectors / jnp.sqrt(jnp.sum(vectors**2, axis=1, keepdims=True) + ROUNDING)
