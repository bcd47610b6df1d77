"""Plans of the harvest: by the Gaussian process, and by each of the parametric models."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Gt, Interval, Lt

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels._signature import checked
from aqc.kernels.gp_dynamic_programming.gp import Draws, Priors, Process, sample_steps
from aqc.kernels.gp_dynamic_programming.models import (
    Fit,
    Pairs,
    Series,
    fit_all,
    read_pairs,
)
from aqc.kernels.gp_dynamic_programming.planning import (
    Policy,
    best_policy,
    model_transitions,
    process_transitions,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Grid = Annotated[int, Interval(ge=20, le=200)]
Share = Annotated[float, Gt(0), Lt(1)]
Iterations = Annotated[int, Interval(ge=500, le=200_000)]
Seed = Annotated[int, Interval(ge=0)]


@dataclass(frozen=True)
class Plan:
    """The policy by Gaussian-process dynamic programming.

    Args:
        policy: Harvest by stock.
        mean: Posterior mean of next year's stock by escapement, shape (n_grid,).
        deviation: Its standard deviation (of the function, without the process' noise).
        lengths: Draws of l.
        noises: Draws of s.
        acceptance: Share of accepted proposals.
        warning: What to distrust, or "".
    """

    policy: Policy
    mean: np.ndarray
    deviation: np.ndarray
    lengths: np.ndarray
    noises: np.ndarray
    acceptance: float
    warning: str


@dataclass(frozen=True)
class Rivals:
    """The policies of the parametric models.

    Args:
        fits: Ricker, Allen and Myers by maximum likelihood.
        policies: In the same order.
        choice: Number of the fit with the least AIC.
    """

    fits: tuple[Fit, ...]
    policies: tuple[Policy, ...]
    choice: int


@checked()
def plan_harvest(
    data: Series | Pairs,
    grid_max: Annotated[float, Gt(0)] | None = None,
    n_grid: Grid = 50,
    discount: Share = 0.01,
    priors: Priors | None = None,
    n_mcmc: Iterations = 10_000,
    closed: bool = True,
    include_process_noise: bool = True,
    scale: Annotated[float, Gt(0)] = 1.0,
    seed: Seed = 0,
) -> Plan:
    """Plan the harvest of a stock from a short series, without a model of its growth.

    V(x) = max_h min(x, h) + (1 - delta) E V(g(x - h) + s z), the mean over g, l and s as well.

    Args:
        data: Series or pairs.
        grid_max: Largest stock; by default 1.5 times the largest seen.
        n_grid: Stocks and escapements on the grid.
        discount: delta.
        priors: Of the process' length and noise.
        n_mcmc: Metropolis iterations.
        closed: Whether an extinct stock stays extinct, g(0) = 0.
        include_process_noise: Whether the noise s is in the transitions; without it only the
            uncertainty of g is.
        scale: Unit of the process: stock / scale should be of order 1 to 10.
        seed: Of the random numbers.

    Returns:
        Policy and posterior.

    Raises:
        InputError: The series is too short, constant or not positive, or the grid too small.

    Source: arXiv 1412.8081, equations of the posterior, the transition matrix and the Bellman
    recursion; solved here by policy iteration instead of 1000 value sweeps.

    Example:
        >>> from aqc.kernels.gp_dynamic_programming import Series
        >>> stock = [8.0, 8.4, 7.7, 8.1, 7.9, 8.3, 8.2, 7.8, 8.0, 8.1]
        >>> plan = plan_harvest(Series(stock), n_mcmc=500)
        >>> plan.policy.harvest[0], bool(0.05 < plan.acceptance < 0.95)
        (np.float64(0.0), True)
    """
    arguments = (grid_max, n_grid, discount, priors, n_mcmc, closed, include_process_noise)
    found: Plan = drain(plan_harvest_steps(data, *arguments, scale, seed))
    return found


def plan_harvest_steps(
    data: Series | Pairs,
    grid_max: float | None,
    n_grid: int,
    discount: float,
    priors: Priors | None,
    n_mcmc: int,
    closed: bool,
    include_process_noise: bool,
    scale: float,
    seed: int,
    state: Any = None,
) -> Generator[tuple[float, Any], None, Plan]:
    """Plan the harvest, reporting after every 500 iterations of the sampler.

    Args:
        data: As for `plan_harvest`, and so all others.
        grid_max: Largest stock.
        n_grid: Points of the grid.
        discount: delta.
        priors: Of the process.
        n_mcmc: Iterations.
        closed: Whether extinction is for ever.
        include_process_noise: Whether s is in the transitions.
        scale: Unit of the process.
        seed: Of the random numbers.
        state: What an earlier run yielded.

    Yields:
        (fraction, the chain so far).

    Returns:
        Plan.

    Raises:
        InputError: As for `plan_harvest`.
    """
    x, y = read_pairs(data)
    grid = _grid(x, y, grid_max, n_grid)
    process = Process(x / scale, y / scale, closed)
    draws = yield from sample_steps(process, priors or Priors(), n_mcmc, seed, state)
    matrix, mean, deviation = process_transitions(
        process, draws, grid, scale, closed, include_process_noise
    )
    policy = best_policy(matrix, grid, discount)
    return Plan(
        policy, mean, deviation, draws.length, draws.noise, draws.acceptance, _warning(draws)
    )


@checked()
def fit_rivals(
    data: Series | Pairs,
    grid_max: Annotated[float, Gt(0)] | None = None,
    n_grid: Grid = 50,
    discount: Share = 0.01,
) -> Rivals:
    """Fit three parametric models to a series and plan with each.

    AIC = 2 k - 2 log L, next stocks lognormal about f(x).

    Args:
        data: Series or pairs.
        grid_max: Largest stock; by default 1.5 times the largest seen.
        n_grid: Stocks and escapements on the grid.
        discount: delta.

    Returns:
        Fits, policies, and the choice of AIC.

    Raises:
        InputError: The series is too short, constant or not positive, or the grid too small.

    Source: arXiv 1412.8081, the Ricker, Allen and Myers models. Parameters are found by maximum
    likelihood, sigma in closed form.

    Example:
        >>> stock = [2.0, 3.9, 6.2, 7.5, 7.9, 8.1, 7.9, 8.0, 8.1]
        >>> [fit.model.name for fit in fit_rivals(Series(stock)).fits]
        ['ricker', 'allen', 'myers']
    """
    x, y = read_pairs(data)
    grid = _grid(x, y, grid_max, n_grid)
    fits = fit_all(x, y)
    policies = tuple(best_policy(model_transitions(f.model, grid), grid, discount) for f in fits)
    return Rivals(fits, policies, int(np.argmin([fit.aic for fit in fits])))


def sampler_work(data: Series | Pairs, n_mcmc: int, **_: object) -> float:
    """Return iterations x (5000 + pairs^2 + pairs^3 / 100): small matrices cost their overhead."""
    pairs = len(data.stock) if isinstance(data, Series) else len(data.x)
    return float(n_mcmc * (5000 + pairs**2 + pairs**3 / 100))


def draw(plan: Plan) -> "Figure":
    """Return a figure of the posterior and the policy."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    stock = plan.policy.stock
    left.plot(stock, plan.mean)
    left.fill_between(
        stock, plan.mean - 2 * plan.deviation, plan.mean + 2 * plan.deviation, alpha=0.3
    )
    left.plot(stock, stock, ":", color="0.5")
    left.set(xlabel="escapement (unit of the data)", ylabel="next year's stock, mean and 2 sd")
    left.set_ylim(0, 1.1 * stock[-1])
    right.plot(stock, plan.policy.escapement)
    right.plot(stock, stock, ":", color="0.5")
    right.set(xlabel="stock (unit of the data)", ylabel="escapement")
    return figure


def _grid(x: np.ndarray, y: np.ndarray, grid_max: float | None, n_grid: int) -> np.ndarray:
    largest = float(max(x.max(), y.max()))
    if grid_max is not None and grid_max < largest:
        raise InputError(
            f"`grid_max` must be at least the largest stock {largest:g}, but is {grid_max:g}.",
            "/grid_max",
        )
    return np.linspace(0, 1.5 * largest if grid_max is None else grid_max, n_grid)


def _warning(draws: Draws) -> str:
    if 0.05 <= draws.acceptance <= 0.95:
        return ""
    return f"the sampler accepted {draws.acceptance:.0%} of its proposals: distrust its draws"
