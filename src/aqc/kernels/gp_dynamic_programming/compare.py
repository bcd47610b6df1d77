"""All policies played against a model that is known to be true."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Interval

from aqc.errors import DivergenceError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.gp_dynamic_programming.harvest import (
    Grid,
    Iterations,
    Plan,
    Rivals,
    Seed,
    Share,
    fit_rivals,
    plan_harvest_steps,
)
from aqc.kernels.gp_dynamic_programming.models import Model, Pairs, Series, growth
from aqc.kernels.gp_dynamic_programming.planning import Policy, best_policy, model_transitions


@dataclass(frozen=True)
class Play:
    """What became of a policy under the true model.

    Args:
        name: gpdp, ricker, allen, myers, aic (the model that AIC chose) or true.
        relative_profit: Mean of its harvest over that of the true model's policy.
        least_profit: The least of them.
        crash_fraction: Share of the runs that end below the threshold.
    """

    name: str
    relative_profit: float
    least_profit: float
    crash_fraction: float


@dataclass(frozen=True)
class Comparison:
    """All policies, played with the same random numbers.

    Args:
        plan: By the Gaussian process.
        rivals: By parametric models.
        plays: One for each.
    """

    plan: Plan
    rivals: Rivals
    plays: tuple[Play, ...]


@checked()
def compare_policies(
    data: Series | Pairs,
    truth: Model,
    start: Annotated[float, Gt(0)],
    years: Annotated[int, Interval(ge=1, le=1000)] = 50,
    runs: Annotated[int, Interval(ge=1, le=1000)] = 100,
    crash_below: Annotated[float, Gt(0)] | None = None,
    grid_max: Annotated[float, Gt(0)] | None = None,
    n_grid: Grid = 50,
    discount: Share = 0.01,
    n_mcmc: Iterations = 10_000,
    seed: Seed = 0,
) -> Comparison:
    """Play the policies learned from a series against the model that the series came from.

    x' = f(x - h) e^(sigma z), the same z for all policies.

    Args:
        data: Series or pairs.
        truth: The true model.
        start: Stock in the first year.
        years: Length of a run.
        runs: Number of runs.
        crash_below: Stock that counts as crashed at the end; by default C of an Allen truth, and
            a tenth of K otherwise.
        grid_max: Largest stock; by default 1.5 times the largest seen.
        n_grid: Stocks and escapements on the grid.
        discount: delta.
        n_mcmc: Metropolis iterations.
        seed: Of all random numbers.

    Returns:
        Policies and profits.

    Raises:
        InputError: The series, the grid or the truth cannot be used.
        DivergenceError: The true model's stock grows beyond all numbers.

    Source: arXiv 1412.8081, the comparison of policies by simulation.

    Example:
        >>> truth = Model("allen", (2.0, 8.0, 5.0), 0.05)
        >>> series = Series(simulate_stock(truth, 5.5, 40, seed=1))
        >>> found = compare_policies(series, truth, 10.0, grid_max=15.0, n_mcmc=1000)
        >>> [play.name for play in found.plays]
        ['true', 'gpdp', 'ricker', 'allen', 'myers', 'aic']
    """
    found: Comparison = drain(
        compare_policies_steps(
            data, truth, start, years, runs, crash_below, grid_max, n_grid, discount, n_mcmc, seed
        )
    )
    return found


def compare_policies_steps(
    data: Series | Pairs,
    truth: Model,
    start: float,
    years: int,
    runs: int,
    crash_below: float | None,
    grid_max: float | None,
    n_grid: int,
    discount: float,
    n_mcmc: int,
    seed: int,
    state: Any = None,
) -> Steps:
    """Play the policies, reporting after every 500 iterations of the sampler.

    Args:
        data: As for `compare_policies`, and so all others.
        truth: The true model.
        start: First stock.
        years: Length of a run.
        runs: Number of runs.
        crash_below: Crashed stock.
        grid_max: Largest stock.
        n_grid: Points of the grid.
        discount: delta.
        n_mcmc: Iterations.
        seed: Of all random numbers.
        state: What an earlier run yielded.

    Yields:
        (fraction, the chain so far).

    Returns:
        Comparison.

    Raises:
        InputError: As for `compare_policies`.
    """
    truth.check()
    settings = (None, n_mcmc, True, True, 1.0, seed)
    plan = yield from plan_harvest_steps(data, grid_max, n_grid, discount, *settings, state)
    rivals = fit_rivals(data, grid_max, n_grid, discount)
    grid = plan.policy.stock
    policies: dict[str, Policy] = {
        "true": best_policy(model_transitions(truth, grid), grid, discount),
        "gpdp": plan.policy,
        **{str(f.model.name): p for f, p in zip(rivals.fits, rivals.policies, strict=True)},
        "aic": rivals.policies[rivals.choice],
    }
    if crash_below is None:
        # K is the second parameter of Ricker's model, and the last of Myers'.
        last = truth.parameters[-1]
        crash_below = last if truth.name == "allen" else 0.1 * last
    noise = np.random.default_rng([seed, 1]).normal(size=(years, runs))
    played = {name: _play(policy, truth, start, noise) for name, policy in policies.items()}
    best = played["true"][0]
    plays = []
    for name, (profit, end) in played.items():
        relative = profit / best
        crashed = float((end < crash_below).mean())
        plays.append(Play(name, float(relative.mean()), float(relative.min()), crashed))
    return Comparison(plan, rivals, tuple(plays))


def simulate_stock(truth: Model, start: float, years: int, seed: int) -> np.ndarray:
    """Return a series of a stock that nobody harvests.

    Args:
        truth: The model.
        start: First stock.
        years: Length of the series.
        seed: Of the random numbers.

    Returns:
        Stock, shape (years,).

    Source: arXiv 1412.8081, x' = f(x) e^(sigma z).

    Example:
        >>> simulate_stock(Model("ricker", (1.0, 8.0), 0.01), 8.0, 3, seed=0).shape
        (3,)
    """
    noise = np.random.default_rng(seed).normal(size=years)
    stock = np.full(years, start)
    for t in range(1, years):
        mean = growth(truth.name, truth.parameters, stock[t - 1])
        stock[t] = mean * np.exp(truth.sigma * noise[t])
    return stock


def _play(
    policy: Policy, truth: Model, start: float, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the total harvest and the last stock of every run."""
    stock = np.full(noise.shape[1], start)
    profit = np.zeros_like(stock)
    step = policy.stock[1]
    for z in noise:
        # Stocks beyond the grid are harvested like its last.
        nearest = np.rint(np.minimum(stock / step, len(policy.stock) - 1)).astype(int)
        harvest = np.minimum(policy.harvest[nearest], stock)
        profit += harvest
        with np.errstate(over="ignore", invalid="ignore"):
            left = growth(truth.name, truth.parameters, stock - harvest)
            stock = left * np.exp(truth.sigma * z)
        if not np.isfinite(stock).all():
            raise DivergenceError("The true model's stock grows beyond all numbers.")
    return profit, stock
