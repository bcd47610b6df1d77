"""The map together with a forward map and a contrastive term, for embeddings with labels."""

import functools
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from annotated_types import Interval
from jaxtyping import Float, Int

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.lambda_orthogonality._loss import Terms, labeled_loss
from aqc.kernels.lambda_orthogonality._pairs import (
    affine_alignment,
    moments,
    nearest_rotation,
    norm_distortion,
    truncate,
)
from aqc.kernels.lambda_orthogonality._penalty import Alpha, Lam, distance, threshold
from aqc.kernels.lambda_orthogonality._retrieval import Retrieval, order_backfill, rank_gallery

Weight = Annotated[float, Interval(ge=0, le=1e6)]

# Steps between two states from which a run can go on.
_CHUNK = 250
_SHOWN = 200
# Queries of the scores, evenly spaced among the samples.
_QUERIES = 1000


class LabeledMap(NamedTuple):
    """Affine maps between new and old embeddings.

    Args:
        weight: W of the backward map B, shape (n, n).
        bias: b of it, shape (n,).
        forward_weight: Matrix of the forward map F, shape (n, n).
        forward_bias: Its shift, shape (n,).
        distance: x = ||W W^T - I||_F.
        lam: The distance from which on the penalty acts.
        alignment: mean (B(h_new) - h_old)^2, over samples and dimensions.
        affine_alignment: The least that any affine map reaches.
        rotation_alignment: The least that any orthogonal W reaches.
        norm_distortion: Standard deviation over mean of ||W h|| / ||h||, centered embeddings h.
        new_new: New queries in a gallery of new embeddings; up to 1000 of the samples are the
            queries, all others the gallery.
        mapped_old: Queries B(h_new), gallery h_old.
        old_old: Old queries, old gallery: what the map has to beat.
        mapped_forward: Queries B(h_new), gallery F(h_old).
        losses: At most 200 values on the way, evenly spaced.
        backfill_order: Samples by falling distance of F(h_old) from its class mean.
        alone: Number of samples without another one of their class.
    """

    weight: np.ndarray
    bias: np.ndarray
    forward_weight: np.ndarray
    forward_bias: np.ndarray
    distance: float
    lam: float
    alignment: float
    affine_alignment: float
    rotation_alignment: float
    norm_distortion: float
    new_new: Retrieval
    mapped_old: Retrieval
    old_old: Retrieval
    mapped_forward: Retrieval
    losses: np.ndarray
    backfill_order: np.ndarray
    alone: int


def fit_labeled_map_steps(
    h_new: np.ndarray,
    h_old: np.ndarray,
    labels: np.ndarray,
    lam: float | None = None,
    alpha: float = 10.0,
    forward: float = 1.0,
    backward: float = 1.0,
    contrastive: float = 1.0,
    temperature: float = 0.07,
    steps: int = 3000,
    learning_rate: float = 1e-3,
    batch: int = 256,
    seed: int = 0,
    state: dict[str, Any] | None = None,
) -> Steps:
    """Do what `fit_labeled_map` does, 250 steps after others.

    Args:
        h_new: Shape (N, n).
        h_old: Shape (N, d).
        labels: Shape (N,).
        lam: Distance that is allowed.
        alpha: Steepness of the penalty's onset.
        forward: w1.
        backward: w2.
        contrastive: w3.
        temperature: tau.
        steps: Of Adam.
        learning_rate: Of Adam.
        batch: Samples in one step.
        seed: Of the batches.
        state: What an earlier run yielded.

    Yields:
        (fraction done, state).

    Returns:
        The maps.

    Source: as for `fit_labeled_map`.

    Example:
        >>> h = np.random.default_rng(0).normal(size=(20, 2))
        >>> run = fit_labeled_map_steps(h, h, np.arange(20) % 4, steps=500)
        >>> [fraction for fraction, _ in run]
        [0.5, 1.0]
    """
    if not forward + backward + contrastive:
        raise InputError(
            "One of `forward`, `backward` and `contrastive` must be positive, but all are 0.",
            "/backward",
        )
    _, members, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.max() < 2:
        raise InputError(
            "`labels` must give some class two samples, but all differ; use fit-map for pairs "
            "without classes.",
            "/labels",
        )
    refuse_huge(h_new=h_new, h_old=h_old)
    h_new, h_old = truncate(h_new, h_old)
    terms = Terms(
        forward, backward, contrastive, threshold(lam, h_new.shape[1]), alpha, temperature
    )
    if state is None:
        state = _start(h_new, h_old)
    while state["done"] < steps:
        length = min(_CHUNK, steps - state["done"])
        with jax.enable_x64(True):
            leaves, losses = _train(
                tuple(map(jnp.asarray, state["leaves"])),
                state["done"],
                (jnp.asarray(h_new), jnp.asarray(h_old), jnp.asarray(members)),
                terms,
                learning_rate,
                jax.random.key(seed),
                length=length,
                batch=min(batch, len(h_new)),
                contrasted=contrastive > 0,
            )
        state = {
            "done": state["done"] + length,
            "leaves": [np.asarray(leaf) for leaf in leaves],
            "losses": np.append(state["losses"], losses),
        }
        yield state["done"] / steps, state
    return _result(h_new, h_old, members, terms.lam, state)


@checked(samples=(4, 20_000), n=(1, 512), d=(1, 512))
def fit_labeled_map(
    h_new: Float[np.ndarray, "samples n"],
    h_old: Float[np.ndarray, "samples d"],
    labels: Int[np.ndarray, " samples"],
    lam: Lam = None,
    alpha: Alpha = 10.0,
    forward: Weight = 1.0,
    backward: Weight = 1.0,
    contrastive: Weight = 1.0,
    temperature: Annotated[float, Interval(ge=1e-3, le=1e3)] = 0.07,
    steps: Annotated[int, Interval(ge=1, le=20_000)] = 3000,
    learning_rate: Annotated[float, Interval(gt=0, le=1)] = 1e-3,
    batch: Annotated[int, Interval(ge=2, le=1024)] = 256,
    seed: Annotated[int, Interval(ge=0, le=2**32 - 1)] = 0,
) -> LabeledMap:
    """Return a backward and a forward map trained with labels, the backward one near orthogonality.

        L = w1 mean (F(h_old) - B(h_new))^2 + w2 mean (B(h_new) - h_old)^2 + w3 L_C + s x
        L_C = contrast(F(h_old), B(h_new)) + contrast(F(h_old), h_old)
        x = ||W W^T - I||_F,  s = sigmoid(alpha (x - lambda))

    The means are over samples and dimensions. A large w2 or w3 overruns lambda: look at `distance`.

    Args:
        h_new: Embeddings of N samples by the new model, shape (N, n).
        h_old: Embeddings of the same samples by the old model, shape (N, d).
        labels: Classes, shape (N,).
        lam: Distance x that is allowed; 0.53 sqrt(n) when not given.
        alpha: Steepness of the penalty's onset.
        forward: w1.
        backward: w2.
        contrastive: w3.
        temperature: tau of the contrastive softmax.
        steps: Of Adam.
        learning_rate: Of Adam.
        batch: Samples in one step.
        seed: Of the batches.

    Returns:
        Both maps, their scores in retrieval on these samples, and the order of backfilling.

    Raises:
        InputError: No class has two samples, or the loss has no term.

    Source: arXiv:2509.16664, sections 3.3 to 3.6; it does not tell w1 to w3, alpha and tau.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = np.arange(40) % 4
        >>> h = np.eye(4)[labels] + 0.1 * rng.normal(size=(40, 4))
        >>> fitted = fit_labeled_map(h, h[:, ::-1], labels, steps=200)
        >>> fitted.mapped_old.cmc1
        1.0
    """
    result: LabeledMap = drain(
        fit_labeled_map_steps(
            h_new,
            h_old,
            labels,
            lam,
            alpha,
            forward,
            backward,
            contrastive,
            temperature,
            steps,
            learning_rate,
            batch,
            seed,
        )
    )
    return result


def labeled_work(h_new: np.ndarray, contrastive: float, steps: int, batch: int, **_: Any) -> float:
    """Return the multiplications that `fit_labeled_map` takes, roughly.

    Args:
        h_new: Shape (N, n).
        contrastive: w3.
        steps: Of Adam.
        batch: Samples in one step.

    Returns:
        Those of the similarities and the maps, with gradients, and of the scores.

    Source: counted.

    Example:
        >>> labeled_work(np.ones((1000, 64)), 0.0, 3000, 256)
        44496192000.0
    """
    samples, n = h_new.shape
    batch = min(batch, samples)
    # An exponential costs as much as some thirty multiplications.
    similarities = 6 * batch**2 * (n + 30) if contrastive else 0
    step = similarities + 12 * batch * n**2 + 8 * n**3
    return float(steps * step + 4 * min(samples, _QUERIES) * samples * (n + 50))


def _start(h_new: np.ndarray, h_old: np.ndarray) -> dict[str, Any]:
    pairs = moments(h_new, h_old)
    rotation = nearest_rotation(pairs.cross)
    mapped = h_new @ rotation.T + pairs.bias(rotation)
    with_one = np.c_[h_old, np.ones(len(h_old))]
    forward = np.linalg.lstsq(with_one, mapped, rcond=None)[0]
    parameters = (rotation, pairs.bias(rotation), forward[:-1].T.copy(), forward[-1])
    with jax.enable_x64(True):
        leaves = jax.tree.leaves((parameters, optax.adam(1.0).init(parameters)))
        return {"done": 0, "leaves": [np.asarray(x) for x in leaves], "losses": np.zeros(0)}


@functools.partial(jax.jit, static_argnames=("length", "batch", "contrasted"))
def _train(
    leaves: tuple[jax.Array, ...],
    done: int,
    data: tuple[jax.Array, ...],
    terms: Terms,
    learning_rate: float,
    key: jax.Array,
    *,
    length: int,
    batch: int,
    contrasted: bool,
) -> tuple[list[jax.Array], jax.Array]:
    optimizer = optax.adam(learning_rate)
    start = leaves[:4]
    tree = jax.tree.structure((start, optimizer.init(start)))
    samples = len(data[0])
    per_epoch = samples // batch

    def step(carry: Any, number: jax.Array) -> tuple[Any, jax.Array]:
        parameters, moment = carry
        epoch = jax.random.permutation(jax.random.fold_in(key, number // per_epoch), samples)
        chosen = jax.lax.dynamic_slice_in_dim(epoch, number % per_epoch * batch, batch)
        loss, gradient = jax.value_and_grad(labeled_loss)(
            parameters, *(x[chosen] for x in data), terms, contrasted
        )
        update, moment = optimizer.update(gradient, moment)
        return (optax.apply_updates(parameters, update), moment), loss

    carry, losses = jax.lax.scan(step, jax.tree.unflatten(tree, leaves), done + jnp.arange(length))
    return jax.tree.leaves(carry), losses


def _result(
    h_new: np.ndarray, h_old: np.ndarray, members: np.ndarray, lam: float, state: dict[str, Any]
) -> LabeledMap:
    weight, bias, forward_weight, forward_bias = state["leaves"][:4]
    mapped, forward = h_new @ weight.T + bias, h_old @ forward_weight.T + forward_bias
    pairs = moments(h_new, h_old)
    chosen = np.unique(np.linspace(0, len(h_new) - 1, _QUERIES).astype(int))

    def score(queries: np.ndarray, gallery: np.ndarray) -> Retrieval:
        return rank_gallery(queries[chosen], gallery, members[chosen], members, chosen)

    return LabeledMap(
        weight,
        bias,
        forward_weight,
        forward_bias,
        distance(weight),
        lam,
        float(np.mean((mapped - h_old) ** 2)),
        affine_alignment(h_new, h_old),
        pairs.alignment(nearest_rotation(pairs.cross)),
        norm_distortion(weight, h_new - pairs.mean_new),
        score(h_new, h_new),
        score(mapped, h_old),
        score(h_old, h_old),
        score(mapped, forward),
        state["losses"][:: -(-len(state["losses"]) // _SHOWN)],
        order_backfill(forward, members),
        int(np.sum(np.bincount(members)[members] == 1)),
    )
