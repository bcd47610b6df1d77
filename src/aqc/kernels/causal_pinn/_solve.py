"""Training a network on an equation's residual, earlier times first."""

import functools
import itertools
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Interval, Len
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.causal_pinn._network import read_off, start_layers, train, value_at, weight_between
from aqc.kernels.causal_pinn._reference import distance, integrate
from aqc.kernels.causal_pinn._systems import Lorenz, Polynomial, System, rate_of

_CHUNK = 500  # iterations between two looks at the weights
_BEYOND = 1.05  # times reach beyond the window, so that its last points matter


@dataclass(frozen=True)
class Solution:
    """What the network learned.

    Args:
        status: "converged" when every stage of every window ended with all weights above `delta`,
            and so were those between the training times;
            "unconverged"; or "diverged", with the last finite weights.
        t: Times of the points within the windows, shape (points,).
        u: Shape (points, d).
        residual: |u' - f(u)|^2 / d at each time.
        w_min: Least weight at the end of each stage, shape (windows run, stages): the certificate,
            which knows the residual at the training times alone.
        between: The same weight at the last eps, of 16 times as many times, for each window that
            ended: what a jump between the training times does not hide from. Of a plain run too.
        iterations: Of each stage.
        loss: Of every 500th iteration.
        reference: u by SciPy's DOP853, which for such equations is faster by orders of magnitude,
            shape (points, d); None where it does not get there within 100 000 evaluations.
        error: Relative L2 distance to it.
    """

    status: str
    t: np.ndarray
    u: np.ndarray
    residual: np.ndarray
    w_min: np.ndarray
    between: np.ndarray
    iterations: np.ndarray
    loss: np.ndarray
    reference: np.ndarray | None
    error: float | None


def solve_causally_steps(
    system: System,
    u0: np.ndarray,
    t_final: float,
    windows: int = 1,
    n_t: int = 256,
    eps: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1),
    iterations: int = 15_000,
    delta: float = 0.99,
    causal: bool = True,
    width: int = 64,
    depth: int = 3,
    gated: bool = False,
    learning_rate: float = 2e-3,
    seed: int = 0,
    state: dict[str, Any] | None = None,
) -> Steps:
    """Do what `solve_causally` does, 500 iterations at a time.

    Yields:
        (fraction, {"u0": of this window, "stage": its number, "done": iterations of it, "leaves":
        layers and moments, and so far "paths", "residuals", "w_min", "iterations", "between",
        "loss"}).

    Returns:
        `Solution`.
    """
    check_eps(eps)
    matrix, rate = rate_of(system, len(u0))
    if np.abs(u0).max() > 1e6:
        raise InputError(
            f"`u0` must be at most 1e6 in size, but reaches {np.abs(u0).max():g}.", "/u0"
        )
    stages = eps if causal else (0.0,) * len(eps)
    span = t_final / windows
    shape = (1, *(width,) * depth, len(u0))
    start = functools.partial(start_layers, shape, learning_rate, gated=gated)
    leaves, tree = start(seed)
    run = functools.partial(train, tree=tree, learning_rate=learning_rate, rate=rate)
    state = state or {
        "u0": np.asarray(u0, np.float32),
        "stage": 0,
        "done": 0,
        "leaves": leaves,
        "paths": [],
        "residuals": [],
        "w_min": [],
        "iterations": [],
        "between": [],
        "loss": [],
    }
    times = np.linspace(0, _BEYOND * span, n_t, dtype=np.float32)
    system_matrix = np.asarray(matrix, np.float32)
    status = "unconverged"
    whole = windows * len(stages) * iterations
    while len(state["paths"]) < windows:
        window, stage = len(state["paths"]), state["stage"]
        count = min(_CHUNK, iterations - state["done"])
        new, loss, w_min = run(
            state["leaves"], times, state["u0"], system_matrix, stages[stage], count
        )
        new = list(map(np.asarray, new))
        if not (np.isfinite(loss) and all(np.isfinite(x).all() for x in new)):
            status = "diverged"
            break
        state = state | {
            "leaves": new,
            "done": state["done"] + count,
            "loss": [*state["loss"], float(loss)],
        }
        # Equal weights prove nothing: a plain run uses all of its iterations.
        opened = causal and float(w_min) > delta
        if state["done"] >= iterations or opened:
            state = state | {
                "stage": stage + 1,
                "w_min": [*state["w_min"], float(w_min)],
                "iterations": [*state["iterations"], state["done"]],
                "done": 0,
            }
        if state["stage"] == len(stages):
            path, residuals = read_off(
                state["leaves"], tree, times, state["u0"], system_matrix, rate
            )
            state = state | {
                "stage": 0,
                "paths": [*state["paths"], path],
                "residuals": [*state["residuals"], residuals],
                "between": [
                    *state["between"],
                    weight_between(
                        state["leaves"],
                        tree,
                        times,
                        state["u0"],
                        system_matrix,
                        rate,
                        eps[-1],
                    ),
                ],
                "u0": value_at(state["leaves"], tree, span, times, state["u0"]),
                "leaves": start(seed + window + 1)[0],
            }
        yield min(1.0, (len(state["iterations"]) * iterations + state["done"]) / whole), state
    if status != "diverged" and causal and min(state["w_min"] + state["between"]) > delta:
        status = "converged"
    if not state["paths"]:
        path, residuals = read_off(state["leaves"], tree, times, state["u0"], system_matrix, rate)
        state = state | {"paths": [path], "residuals": [residuals]}
    return _summary(status, state, times, span, len(stages), system, np.asarray(u0))


@checked(d=(1, 6), terms=(1, 64))
def solve_causally(
    system: Lorenz | Polynomial,
    u0: Float[np.ndarray, "d"],
    t_final: Annotated[float, Interval(gt=0, le=1000)],
    windows: Annotated[int, Interval(ge=1, le=20)] = 1,
    n_t: Annotated[int, Interval(ge=16, le=512)] = 256,
    eps: Annotated[tuple[float, ...], Len(1, 8)] = (1e-4, 1e-3, 1e-2, 1e-1),
    iterations: Annotated[int, Interval(ge=1, le=300_000)] = 15_000,
    delta: Annotated[float, Interval(gt=0, lt=1)] = 0.99,
    causal: bool = True,
    width: Annotated[int, Interval(ge=1, le=128)] = 64,
    depth: Annotated[int, Interval(ge=1, le=4)] = 3,
    gated: bool = False,
    learning_rate: Annotated[float, Interval(gt=0, le=1)] = 2e-3,
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1)] = 0,
) -> Solution:
    """Train a network to solve an ordinary differential equation, earlier times first.

        loss = mean_i w_i L_i,   w_i = exp(-eps sum_{k<i} L_k),   L_i = |u'(t_i) - f(u(t_i))|^2 / d

    with u(t) = u0 + t N(t), and eps raised as soon as every w_i exceeds delta.

    Args:
        system: f: "lorenz" or "polynomial".
        u0: u(0), (d,).
        t_final: T.
        windows: Parts of T, each solved after the other from where it ended.
        n_t: Times of a window.
        eps: Causality parameters, increasing, in units of 1 / residual^2; a first one near 1 over
            the sum of the first residuals opens all times a little.
        iterations: Of Adam, most for each stage.
        delta: Least weight that ends a stage.
        causal: Whether there are weights at all; False is the plain method.
        width: Of the layers.
        depth: Hidden layers.
        gated: The "modified MLP": each layer mixes two encodings of the input.
        learning_rate: Of Adam, times 0.9 every 2000 iterations.
        seed: Of the layers.

    Returns:
        The solution, its residuals, and the least weights as a certificate.

    Raises:
        InputError: The system and u0 do not fit, or eps does not increase.

    Source:
        arXiv:2203.07404. The networks and budgets here are smaller than the paper's.

    Example:
        >>> decay = {"component": [0], "coefficient": [-1.0], "exponents": [[1]]}
        >>> small = {"iterations": 500, "eps": [1.0], "width": 8, "n_t": 16}
        >>> found = solve_causally(decay, [1.0], 0.5, **small)
        >>> bool(abs(found.u[-1, 0] - np.exp(-found.t[-1])) < 0.02)
        True
    """
    return drain(solve_causally_steps(**locals()))


def solving_work(
    windows: int,
    n_t: int,
    eps: tuple[float, ...],
    iterations: int,
    width: int,
    depth: int,
    **_: Any,
) -> float:
    """Return iterations x times x weights."""
    return float(windows * len(eps) * iterations * n_t * width * (1 + width * (depth - 1)))


def check_eps(eps: tuple[float, ...]) -> None:
    """Refuse parameters that do not increase."""
    rises = all(a < b for a, b in itertools.pairwise(eps))
    if not rises or eps[0] < 0 or eps[-1] > 1e12:
        raise InputError(
            f"`eps` must increase, from 0 or more to at most 1e12, but is {list(eps)}.", "/eps"
        )


def _summary(
    status: str,
    state: dict[str, Any],
    times: np.ndarray,
    span: float,
    stages: int,
    system: System,
    u0: np.ndarray,
) -> Solution:
    inside = times <= span * (1 + 1e-6)
    t = np.concatenate([k * span + times[inside] for k in range(len(state["paths"]))]).astype(float)
    u = np.concatenate([path[inside] for path in state["paths"]])
    exact = _reference(system, u0, t)
    kept = len(state["w_min"]) // stages * stages
    return Solution(
        status=status,
        t=t,
        u=u,
        residual=np.concatenate([x[inside] for x in state["residuals"]]),
        w_min=np.array(state["w_min"][:kept]).reshape(-1, stages),
        between=np.array(state["between"], float),
        iterations=np.array(state["iterations"][:kept], int).reshape(-1, stages),
        loss=np.array(state["loss"]),
        reference=exact,
        error=distance(u, exact),
    )


def _reference(system: System, u0: np.ndarray, t: np.ndarray) -> np.ndarray | None:
    matrix, rate = rate_of(system, len(u0))
    with jax.enable_x64(True):
        at = jax.jit(lambda y: rate(jnp.asarray(matrix), y[None])[0])

        def slope(_: float, y: np.ndarray) -> np.ndarray:
            return np.asarray(at(jnp.asarray(y)))

        return integrate(slope, u0, t, 1e-10)
