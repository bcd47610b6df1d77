"""Fields on a circle: a network of time and of cosines and sines of x, earlier times first."""

import functools
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from annotated_types import Interval, Len
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.causal_pinn._network import (
    Layers,
    causal_loss,
    causal_weights,
    forward,
    optimizer_of,
    start_layers,
)
from aqc.kernels.causal_pinn._reference import distance, integrate
from aqc.kernels.causal_pinn._solve import check_eps

_CHUNK = 200  # iterations between two looks at the weights


@dataclass(frozen=True)
class Equation:
    """u_t = diffusion u_xx - advection u u_x + sum_k reaction[k] u^k.

    Allen and Cahn's equation of the paper is diffusion 1e-4 and reaction (0, 5, 0, -5).

    Args:
        diffusion: Per unit of time.
        advection: 1 in Burgers' equation.
        reaction: Coefficients of u^0, u^1, ...
    """

    diffusion: Annotated[float, Interval(ge=0, le=1e3)]
    advection: Annotated[float, Interval(ge=-1e3, le=1e3)] = 0.0
    reaction: Annotated[tuple[Annotated[float, Interval(ge=-1e3, le=1e3)], ...], Len(0, 5)] = ()


@dataclass(frozen=True)
class FieldSolution:
    """What the network learned.

    Args:
        status: "converged" when every stage ended with all weights above `delta`; "unconverged";
            or "diverged", with the last finite weights.
        t: Training times, shape (n_t,).
        x: Shape (n_x,).
        u: Shape (n_t, n_x).
        residual: Mean squared residual at each time.
        initial_error: Relative L2 distance to u0 at t = 0.
        w_min: Least weight at the end of each stage.
        iterations: Of each stage.
        loss: Of every 200th iteration.
        reference: u by a Fourier method on 4 times as many points and SciPy's DOP853, which is
            faster, shape (n_t, n_x); None where it takes more than 100 000 evaluations.
        error: Relative L2 distance to it.
    """

    status: str
    t: np.ndarray
    x: np.ndarray
    u: np.ndarray
    residual: np.ndarray
    initial_error: float
    w_min: np.ndarray
    iterations: np.ndarray
    loss: np.ndarray
    reference: np.ndarray | None
    error: float | None


def features(t: jax.Array, x: jax.Array, reach: Any, length: Any, waves: int) -> jax.Array:
    """Return (2 t / reach - 1, cos k w x, sin k w x) with w = 2 pi / length, k up to `waves`."""
    phase = 2 * jnp.pi * jnp.arange(1, waves + 1) * x / length
    return jnp.concatenate([jnp.array([2 * t / reach - 1]), jnp.cos(phase), jnp.sin(phase)])


def residual_of(
    layers: Layers, t: jax.Array, x: jax.Array, scales: Any, equation: Equation, waves: int
) -> tuple[jax.Array, jax.Array]:
    """Return u and u_t - diffusion u_xx + advection u u_x - reaction(u) at one point."""

    def u_of(t: jax.Array, x: jax.Array) -> jax.Array:
        reach, length = scales
        return forward(layers, features(t, x, reach, length, waves))[0]

    one = jnp.ones_like(t)

    def in_x(x: jax.Array) -> Any:
        return jax.jvp(lambda x: u_of(t, x), (x,), (one,))

    (u, u_x), (_, u_xx) = jax.jvp(in_x, (x,), (one,))
    u_t = jax.jvp(lambda t: u_of(t, x), (t,), (one,))[1]
    reaction = sum((c * u**k for k, c in enumerate(equation.reaction)), jnp.zeros_like(u))
    return u, u_t - equation.diffusion * u_xx + equation.advection * u * u_x - reaction


def field_losses(
    layers: Layers, t: Any, x: Any, scales: Any, equation: Equation, waves: int
) -> tuple[jax.Array, jax.Array]:
    """Return u on the grid, (n_t, n_x), and L_i, the mean over x of the squared residual."""
    at = functools.partial(residual_of, layers, scales=scales, equation=equation, waves=waves)
    u, residual = jax.vmap(lambda t: jax.vmap(lambda x: at(t, x))(x))(t)
    return u, jnp.mean(residual**2, axis=1)


@functools.partial(jax.jit, static_argnames=("tree", "equation", "waves"))
def _train(
    leaves: list[Any],
    t: Any,
    x: Any,
    u0: Any,
    scales: Any,
    numbers: Any,
    count: Any,
    tree: Any,
    equation: Equation,
    waves: int,
) -> tuple[list[Any], jax.Array, jax.Array]:
    """Make `count` iterations; return the leaves, the loss and the least weight after them."""
    eps, initial_weight, learning_rate = numbers
    optimizer = optimizer_of(learning_rate)

    def both(layers: Layers) -> tuple[jax.Array, jax.Array]:
        u, losses = field_losses(layers, t, x, scales, equation, waves)
        first = jnp.mean((u[0] - u0) ** 2)
        return causal_loss(losses, eps) + initial_weight * first, losses

    def one(_: jax.Array, given: Any) -> Any:
        layers, moments = given
        step, moments = optimizer.update(jax.grad(lambda w: both(w)[0])(layers), moments, layers)
        return optax.apply_updates(layers, step), moments

    given = jax.lax.fori_loop(0, count, one, jax.tree.unflatten(tree, leaves))
    loss, losses = both(given[0])
    return jax.tree.leaves(given), loss, causal_weights(losses, eps).min()


def solve_field_steps(
    equation: Equation,
    u0: np.ndarray,
    length: float,
    t_final: float,
    n_t: int = 32,
    eps: tuple[float, ...] = (1e-2, 1e-1, 1.0, 10.0),
    iterations: int = 5000,
    delta: float = 0.99,
    causal: bool = True,
    waves: int = 5,
    width: int = 32,
    depth: int = 3,
    gated: bool = True,
    initial_weight: float = 100.0,
    learning_rate: float = 1e-3,
    seed: int = 0,
    state: dict[str, Any] | None = None,
) -> Steps:
    """Do what `solve_field_causally` does, 200 iterations at a time.

    Yields:
        (fraction, {"done": iterations of this stage, "leaves": layers and moments, and so far
        "w_min", "iterations", "loss"}).

    Returns:
        `FieldSolution`.
    """
    _check(u0, eps, waves)
    stages = eps if causal else (0.0,) * len(eps)
    shape = (1 + 2 * waves, *(width,) * depth, 1)
    leaves, tree = start_layers(shape, learning_rate, seed, gated)
    t = np.linspace(0, t_final, n_t, dtype=np.float32)
    x = (np.arange(len(u0)) * length / len(u0)).astype(np.float32)
    scales = (np.float32(t_final), np.float32(length))
    target = u0.astype(np.float32)
    state = state or {"done": 0, "leaves": leaves, "w_min": [], "iterations": [], "loss": []}
    status = "unconverged"
    while len(state["w_min"]) < len(stages):
        count = min(_CHUNK, iterations - state["done"])
        numbers = tuple(
            map(np.float32, (stages[len(state["w_min"])], initial_weight, learning_rate))
        )
        new, loss, w_min = _train(
            state["leaves"], t, x, target, scales, numbers, count, tree, equation, waves
        )
        new = list(map(np.asarray, new))
        if not (np.isfinite(loss) and all(np.isfinite(w).all() for w in new)):
            status = "diverged"
            break
        done = state["done"] + count
        state = state | {"leaves": new, "done": done, "loss": [*state["loss"], float(loss)]}
        if done >= iterations or (causal and float(w_min) > delta):
            state = state | {
                "done": 0,
                "w_min": [*state["w_min"], float(w_min)],
                "iterations": [*state["iterations"], done],
            }
        yield (len(state["w_min"]) + state["done"] / iterations) / len(stages), state
    if status != "diverged" and causal and min(state["w_min"]) > delta:
        status = "converged"
    layers, _ = jax.tree.unflatten(tree, list(map(jnp.asarray, state["leaves"])))
    u, losses = jax.jit(field_losses, static_argnums=(4, 5))(layers, t, x, scales, equation, waves)
    u = np.asarray(u, float)
    exact = _reference(equation, u0, length, t.astype(float))
    return FieldSolution(
        status=status,
        t=t.astype(float),
        x=x.astype(float),
        u=u,
        residual=np.asarray(losses, float),
        initial_error=float(np.linalg.norm(u[0] - u0) / np.linalg.norm(u0)),
        w_min=np.array(state["w_min"], float),
        iterations=np.array(state["iterations"], int),
        loss=np.array(state["loss"], float),
        reference=exact,
        error=distance(u, exact),
    )


@checked(points=(16, 256))
def solve_field_causally(
    equation: Equation,
    u0: Float[np.ndarray, " points"],
    length: Annotated[float, Interval(gt=0, le=1000)],
    t_final: Annotated[float, Interval(gt=0, le=1000)],
    n_t: Annotated[int, Interval(ge=8, le=128)] = 32,
    eps: Annotated[tuple[float, ...], Len(1, 8)] = (1e-2, 1e-1, 1.0, 10.0),
    iterations: Annotated[int, Interval(ge=1, le=300_000)] = 5000,
    delta: Annotated[float, Interval(gt=0, lt=1)] = 0.99,
    causal: bool = True,
    waves: Annotated[int, Interval(ge=1, le=16)] = 5,
    width: Annotated[int, Interval(ge=1, le=128)] = 32,
    depth: Annotated[int, Interval(ge=1, le=4)] = 3,
    gated: bool = True,
    initial_weight: Annotated[float, Interval(gt=0, le=1e6)] = 100.0,
    learning_rate: Annotated[float, Interval(gt=0, le=1)] = 1e-3,
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1)] = 0,
) -> FieldSolution:
    """Train a network to solve a partial differential equation on a circle, earlier times first.

        loss = mean_i w_i L_i + lambda mean_x |u(0, x) - u0(x)|^2,  w_i = exp(-eps sum_{k<i} L_k)

    with L_i the mean over x of the squared residual at t_i.

    Args:
        equation: Diffusion, advection and reaction; Allen and Cahn's among them.
        u0: u(0, x) at x = 0, length / n, ..., shape (points,); residuals are taken there too.
        length: Period in x.
        t_final: T.
        n_t: Times.
        eps: Causality parameters, increasing; each stage ends when all weights exceed delta.
        iterations: Of Adam, most for each stage.
        delta: Least weight that ends a stage.
        causal: Whether there are weights at all; False is the plain method.
        waves: M; x enters as cos k w x, sin k w x, k <= M.
        width: Of the layers.
        depth: Hidden layers.
        gated: The "modified MLP": each layer mixes two encodings of the input.
        initial_weight: lambda.
        learning_rate: Of Adam, times 0.9 every 2000 iterations.
        seed: Of the layers.

    Returns:
        The field at the training times, its residuals, and the least weights.

    Raises:
        InputError: eps does not increase, u0 is too large, or `waves` are more than u0 resolves.

    Source:
        arXiv:2203.07404, Allen and Cahn's equation; networks and budgets here are far smaller.

    Example:
        >>> x = 2 * np.pi * np.arange(16) / 16
        >>> small = {"iterations": 100, "eps": [1.0], "width": 8, "depth": 1, "waves": 1, "n_t": 8}
        >>> solve_field_causally({"diffusion": 0.1}, np.cos(x), 6.2832, 1.0, **small).u.shape
        (8, 16)
    """
    return drain(solve_field_steps(**locals()))


def field_work(
    u0: np.ndarray,
    n_t: int,
    eps: tuple[float, ...],
    iterations: int,
    width: int,
    depth: int,
    **_: Any,
) -> float:
    """Return iterations x points x weights, thrice for the derivatives by x."""
    weights = width * (1 + width * (depth - 1))
    return 3.0 * len(eps) * iterations * n_t * len(u0) * weights


def _check(u0: np.ndarray, eps: tuple[float, ...], waves: int) -> None:
    check_eps(eps)
    if not 0 < np.abs(u0).max() <= 1e3:
        raise InputError(
            f"`u0` must reach more than 0 and at most 1e3 in size, but reaches "
            f"{np.abs(u0).max():g}.",
            "/u0",
        )
    if 2 * waves >= len(u0):
        raise InputError(
            f"`waves` must be fewer than half of the {len(u0)} points, but are {waves}.", "/waves"
        )


def _reference(
    equation: Equation, u0: np.ndarray, length: float, t: np.ndarray
) -> np.ndarray | None:
    """Return the field by Fourier differentiation on 4 times as many points."""
    points = 4 * len(u0)
    spectrum = np.fft.rfft(u0) * 4
    if len(u0) % 2 == 0:
        spectrum[-1] = 0.0
    fine = np.fft.irfft(spectrum, points)
    k = 2 * np.pi * np.arange(points // 2 + 1) / length

    def slope(_: float, u: np.ndarray) -> np.ndarray:
        hat = np.fft.rfft(u)
        second, first = np.fft.irfft(-(k**2) * hat, points), np.fft.irfft(1j * k * hat, points)
        reaction = sum((c * u**p for p, c in enumerate(equation.reaction)), np.zeros_like(u))
        rate: np.ndarray = equation.diffusion * second - equation.advection * u * first + reaction
        return rate

    found = integrate(slope, fine, t, 1e-8)
    return None if found is None else found[:, ::4]
