"""The online method: averaged gradients and Frank-Wolfe steps on the spectral-norm ball."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Interval
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.online_orthogonal_dictionary._measures import (
    Sparsity,
    frank_wolfe_gap,
    polar,
    random_dictionary,
    recovery_error,
    sparsity,
    whitening,
)

Power = Annotated[float, Interval(ge=3, le=4)]

_MOST_STEPS = 50_000
_POINTS = 40
# Signals on which the gap and the sparsity are measured.
_PROBE = 2000
# Multiplications done in the time that a step takes beside them.
_OVERHEAD = 30_000


@dataclass(frozen=True)
class Stream:
    """Where a stream stands: all that the method keeps of what it has seen.

    Args:
        t: Steps done.
        dictionary: D inside the ball, shape (n, n).
        gradient: The averaged gradient G, shape (n, n).
    """

    t: Annotated[int, Interval(ge=0, le=10**12)]
    dictionary: Float[np.ndarray, "n n"]
    gradient: Float[np.ndarray, "n n"]


class Learned(NamedTuple):
    """A dictionary learned from a stream.

    Args:
        dictionary: Orthogonal, atoms in the columns, shape (n, n); of the whitened signals if
            these were.
        stream: To go on from with more signals.
        skipped: Batches of zeros, which count as no step.
        times: Steps at which the next four were taken.
        gaps: Frank-Wolfe gap on up to 2000 of the signals.
        defects: ||D^T D - I||_F of D inside the ball.
        errors: 1 - mean <d_i, d0_i>^2 against `truth` up to order and signs; empty without.
        before: Sparsity of the signals themselves.
        after: Sparsity of their codes.
        whitening: What the signals were multiplied by, (n, n); the identity if nothing.
    """

    dictionary: np.ndarray
    stream: Stream
    skipped: int
    times: np.ndarray
    gaps: np.ndarray
    defects: np.ndarray
    errors: np.ndarray
    before: Sparsity
    after: Sparsity
    whitening: np.ndarray


@partial(jax.jit, static_argnames="batch")
def _advance(
    carry: tuple[jax.Array, ...],
    signals: jax.Array,
    first: int,
    last: int,
    p: float,
    rho: float,
    gamma: float,
    *,
    batch: int,
) -> tuple[jax.Array, ...]:
    """Take the batches first..last-1; the bounds are traced, so that one compilation serves all."""
    per_epoch = signals.shape[1] // batch

    def step(number: jax.Array, carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        dictionary, average, t, skipped = carry
        y = jax.lax.dynamic_slice_in_dim(signals, number % per_epoch * batch, batch, axis=1)
        codes = dictionary.T @ y
        gradient = -p / batch * (y @ (jnp.sign(codes) * jnp.abs(codes) ** (p - 1)).T)
        empty = ~jnp.any(y)
        t = t + ~empty
        clock = jnp.maximum(t, 1).astype(y.dtype)
        weight = jnp.where(empty, 0, jnp.minimum(1, rho * clock**-0.5))
        pace = jnp.where(empty, 0, jnp.minimum(1, gamma * clock**-0.75))
        average = (1 - weight) * average + weight * gradient
        u, _, vt = jnp.linalg.svd(average)
        return dictionary + pace * (-u @ vt - dictionary), average, t, skipped + empty

    return jax.lax.fori_loop(first, last, step, carry)


def learn_dictionary_steps(
    signals: np.ndarray,
    p: float = 3.0,
    batch: int = 8,
    epochs: int = 1,
    rho: float = 1.0,
    gamma: float = 1.0,
    whiten: bool = False,
    seed: int = 0,
    resume: Stream | None = None,
    truth: np.ndarray | None = None,
    state: dict[str, Any] | None = None,
) -> Steps:
    """Do what `learn_dictionary` does, some batches after others.

    Args:
        signals: Columns, shape (n, samples).
        p: Of the norm.
        batch: Signals in one step.
        epochs: Passes.
        rho: Weight of the first gradient in the average.
        gamma: First step.
        whiten: Make the signals isotropic first.
        seed: Of the first dictionary.
        resume: Where an earlier stream stood.
        truth: The true dictionary.
        state: What an earlier run yielded.

    Yields:
        (fraction done, state).

    Returns:
        The dictionary.

    Source: as for `learn_dictionary`.

    Example:
        >>> y = np.random.default_rng(0).laplace(size=(2, 32))
        >>> [fraction for fraction, _ in learn_dictionary_steps(y)]
        [0.25, 0.5, 0.75, 1.0]
    """
    n, samples = signals.shape
    refuse_huge(signals=signals)
    _refuse(signals, batch, epochs, resume)
    _refuse_matrices(resume, truth)
    white = whitening(signals) if whiten else np.eye(n)
    signals = white @ signals
    total = epochs * (samples // batch)
    points = np.unique(np.geomspace(1, total, _POINTS).round().astype(int))
    probe = signals[:, np.unique(np.linspace(0, samples - 1, _PROBE).astype(int))]
    state = state or _start(n, seed, resume)
    while len(state["trace"]) < len(points):
        last = int(points[len(state["trace"])])
        with jax.enable_x64(True):
            carry = tuple(jnp.asarray(x) for x in state["carry"])
            carry = _advance(
                carry, jnp.asarray(signals), state["done"], last, p, rho, gamma, batch=batch
            )
        arrays = [np.asarray(x) for x in carry]
        point = _measure(arrays, probe, p, truth)
        state = {"done": last, "carry": arrays, "trace": [*state["trace"], point]}
        yield last / total, state
    dictionary, average, t, skipped = state["carry"]
    trace = np.array(state["trace"]).T
    atoms = polar(dictionary)
    return Learned(
        atoms,
        Stream(int(t), dictionary, average),
        int(skipped),
        trace[0].astype(int),
        trace[1],
        trace[2],
        trace[3] if truth is not None else np.zeros(0),
        sparsity(probe),
        sparsity(atoms.T @ probe),
        white,
    )


@checked(n=(2, 128), samples=(1, 200_000))
def learn_dictionary(
    signals: Float[np.ndarray, "n samples"],
    p: Power = 3.0,
    batch: Annotated[int, Interval(ge=1, le=10_000)] = 8,
    epochs: Annotated[int, Interval(ge=1, le=1000)] = 1,
    rho: Annotated[float, Interval(gt=0, le=100)] = 1.0,
    gamma: Annotated[float, Interval(gt=0, le=100)] = 1.0,
    whiten: bool = False,
    seed: Annotated[int, Interval(ge=0)] = 0,
    resume: Stream | None = None,
    truth: Float[np.ndarray, "n n"] | None = None,
) -> Learned:
    """Return an orthogonal dictionary in which a stream of signals is sparse.

    It maximizes E ||D^T y||_p^p, whose maxima over the ball ||D||_2 <= 1 are orthogonal matrices.
    Step t, with a batch's gradient g of f(D) = -mean ||D^T y||_p^p:

        G <- (1 - rho_t) G + rho_t g        rho_t = min(1, rho t^(-1/2))
        S  = -U V^T  of  G = U Sigma V^T    (the least <S, G> in the ball)
        D <- D + gamma_t (S - D)            gamma_t = min(1, gamma t^(-3/4))

    Only D and G are kept. Signals must be isotropic (E y y^T proportional to I) or whitened:
    otherwise their principal axes are found.

    Args:
        signals: Columns y in the order of the stream, shape (n, samples).
        p: Of the norm, above 2: at 2 nothing prefers sparse codes.
        batch: Signals in one step; what is left over at the end is not used.
        epochs: Passes over the signals.
        rho: Sets the weights of the gradients' average.
        gamma: Sets the steps.
        whiten: Multiply the signals by (Y Y^T / samples)^(-1/2) first.
        seed: Of the first dictionary, random orthogonal.
        resume: The `stream` of an earlier result; the clock t goes on.
        truth: Orthogonal matrix to measure the error against.

    Returns:
        The dictionary, where the stream stands, and the progress.

    Raises:
        InputError: There are too few signals, or too many steps.

    Source: arXiv:2103.01484. The exponents of rho_t and gamma_t are derived here from its rate
    O(ln t / t^(1/4)); their factors are ours.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> turn = np.array([[0.6, -0.8], [0.8, 0.6]])
        >>> y = turn @ (rng.normal(size=(2, 4000)) * (rng.random((2, 4000)) < 0.3))
        >>> learn_dictionary(y, truth=turn).errors[-1] < 0.01
        np.True_
    """
    result: Learned = drain(
        learn_dictionary_steps(signals, p, batch, epochs, rho, gamma, whiten, seed, resume, truth)
    )
    return result


def learning_work(signals: np.ndarray, batch: int, epochs: int, **_: Any) -> float:
    """Return the multiplications that `learn_dictionary` takes, roughly.

    Args:
        signals: Columns, shape (n, samples).
        batch: Signals in one step.
        epochs: Passes.

    Returns:
        Steps times those of a decomposition and a gradient.

    Source: counted; a decomposition is some 20 n^3.

    Example:
        >>> learning_work(np.ones((16, 24_000)), 8, 1)
        348048000.0
    """
    n, samples = signals.shape
    return float(epochs * (samples // batch) * (20 * n**3 + 2 * n**2 * batch + _OVERHEAD))


def _refuse(signals: np.ndarray, batch: int, epochs: int, resume: Stream | None) -> None:
    n, samples = signals.shape
    # A stream that goes on may come in small pieces.
    if resume is None and samples < 10 * n:
        raise InputError(
            f"`signals` must hold at least {10 * n} samples to learn {n} atoms, but holds "
            f"{samples}.",
            "/signals",
        )
    if batch > samples:
        raise InputError(
            f"`batch` must be at most the {samples} samples, but is {batch}.", "/batch"
        )
    steps = epochs * (samples // batch)
    if steps > _MOST_STEPS:
        raise InputError(
            f"`epochs` and `batch` must ask for at most {_MOST_STEPS} steps, but ask for {steps}; "
            f"take larger batches or send the stream in parts.",
            "/batch",
        )


def _refuse_matrices(resume: Stream | None, truth: np.ndarray | None) -> None:
    if resume is not None and np.linalg.norm(resume.dictionary, 2) > 1 + 1e-9:
        raise InputError(
            f"`resume.dictionary` must have a spectral norm of at most 1, but has "
            f"{np.linalg.norm(resume.dictionary, 2):.6g}; send the `stream` of a result.",
            "/resume/dictionary",
        )
    if truth is not None:
        defect = float(np.abs(truth.T @ truth - np.eye(len(truth))).max())
        if defect > 1e-6:
            raise InputError(
                f"`truth` must be orthogonal, but D^T D differs from the identity by {defect:.2g}.",
                "/truth",
            )


def _start(n: int, seed: int, resume: Stream | None) -> dict[str, Any]:
    if resume is None:
        resume = Stream(0, random_dictionary(n, seed), np.zeros((n, n)))
    carry = [resume.dictionary, resume.gradient, np.int64(resume.t), np.int64(0)]
    return {"done": 0, "carry": carry, "trace": []}


def _measure(
    carry: list[np.ndarray], probe: np.ndarray, p: float, truth: np.ndarray | None
) -> list[float]:
    dictionary, _, t, _ = carry
    return [
        float(t),
        frank_wolfe_gap(dictionary, probe, p),
        float(np.linalg.norm(dictionary.T @ dictionary - np.eye(len(dictionary)))),
        0.0 if truth is None else recovery_error(polar(dictionary), truth),
    ]
