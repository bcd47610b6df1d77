"""One time step of both species whose length does not depend on the mass ratio."""

import numpy as np

from aqc.kernels.disparate_mass_boltzmann_ap._operators import Grid, Moments


def advance(
    grid: Grid, light: np.ndarray, heavy: np.ndarray, eps: float, dt: float, b0: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return both distributions after a step.

    The moments go first (momentum implicit), and with them the Maxwellians to which the stiff
    collisions are drawn: an implicit BGK term with the difference to Q explicit.

    Args:
        grid: Of both, each in its species' thermal units.
        light: f_L, shape (n_v, n_v).
        heavy: f_H, same shape.
        eps: Square root of the ratio of masses.
        dt: Length of the step.
        b0: Rate of collisions.
    """
    old = grid.moments(light), grid.moments(heavy)
    new = _next_moments(*old, eps, dt, b0)
    n_light, n_heavy = old[0].n, old[1].n
    before = [grid.maxwellian(m) for m in old]
    after = [grid.maxwellian(m) for m in new]

    a, c = dt * b0 * n_light / eps**2, dt * b0 * n_heavy / eps**2
    round_ = grid.isotropic(light)
    slope = grid.gradient(round_)
    right = light + dt / eps**2 * grid.collide(light, b0, before[0])
    right += a * (after[0] - before[0] + light)
    right -= dt / eps * b0 * n_heavy * (old[1].u[0] * slope[0] + old[1].u[1] * slope[1])
    right += dt * b0 * n_heavy * grid.fokker_planck(round_, old[1].temperature)
    light = (right + c * grid.isotropic(right) / (1 + a)) / (1 + a + c)

    stiff = dt * b0 * n_heavy / eps
    slope = grid.gradient(heavy)
    right = heavy + dt / eps * grid.collide(heavy, b0, before[1])
    right += stiff * (after[1] - before[1] + heavy)
    right -= dt / eps * b0 * n_light * (new[0].u[0] * slope[0] + new[0].u[1] * slope[1])
    right += dt * b0 * n_light * grid.fokker_planck(heavy, old[0].temperature)
    heavy = right / (1 + stiff)
    return tuple(  # type: ignore[return-value]
        _with_moments(grid, f, base, m)
        for f, base, m in zip((light, heavy), after, new, strict=True)
    )


def _next_moments(
    light: Moments, heavy: Moments, eps: float, dt: float, b0: float
) -> tuple[Moments, Moments]:
    """Return the moments after a step: total momentum and energy are kept exactly."""
    total = heavy.n * heavy.u + eps * light.n * light.u
    rate = dt * b0 * heavy.n
    u_light = (light.u + rate * total / (eps * heavy.n)) / (
        1 + rate / eps**2 + rate * light.n / heavy.n
    )
    u_heavy = (total - eps * light.n * u_light) / heavy.n
    energy = light.energy - 2 * dt * b0 * heavy.n * (light.energy - heavy.temperature)
    gained = light.n * (light.energy - energy) / heavy.n
    return Moments(light.n, u_light, energy), Moments(heavy.n, u_heavy, heavy.energy + gained)


def _with_moments(grid: Grid, f: np.ndarray, base: np.ndarray, wanted: Moments) -> np.ndarray:
    found = (grid.invariants * f).sum(axis=(1, 2)) * grid.cell
    target = wanted.n * np.array([1.0, wanted.u[0], wanted.u[1], wanted.energy])
    return grid.shift(f, base, target - found)
