"""Constants of many programs at once by CMA-ES, as the paper fits them."""

import numpy as np

from aqc.kernels.autonumerics_zero.fitting import largest_error
from aqc.kernels.autonumerics_zero.programs import CONSTANTS, Program

_SAMPLES = 16  # of each program and generation
_KEPT = _SAMPLES // 2
_SIGMA = 0.1
_CHUNK = 4096  # programs evaluated at once
_WORST = 1e300


def evolve_constants(
    programs: list[Program],
    constants: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    scale: np.ndarray,
    seed: list[int],
    generations: int = 100,
) -> tuple[np.ndarray, np.ndarray]:
    """Return constants with a small largest error, and that error.

    Each program has a normal law of its constants; its mean and covariance move towards the better
    half of 16 samples, with two evolution paths (Hansen's rank-one and rank-mu updates).

    Args:
        programs: p of them.
        constants: Means to start from, shape (p, 6).
        x: Nodes, shape (n,).
        y: Target there.
        scale: What an error is divided by, shape (n,).
        seed: Of the samples.
        generations: Of the laws.
    """
    rng, n, p = np.random.default_rng(seed), CONSTANTS, len(programs)
    weights = np.log(_KEPT + 0.5) - np.log(np.arange(1, _KEPT + 1))
    weights /= weights.sum()
    effective = 1 / np.sum(weights**2)
    # Learning rates and damping by the standard formulas of n and the effective samples.
    slow_sigma = (effective + 2) / (n + effective + 5)
    damping = 1 + 2 * max(0.0, np.sqrt((effective - 1) / (n + 1)) - 1) + slow_sigma
    slow_path = (4 + effective / n) / (n + 4 + 2 * effective / n)
    one = 2 / ((n + 1.3) ** 2 + effective)
    many = min(1 - one, 2 * (effective - 2 + 1 / effective) / ((n + 2) ** 2 + effective))
    expected = np.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))

    mean, sigma = constants.copy(), np.full((p, 1), _SIGMA)
    covariance = np.tile(np.eye(n), (p, 1, 1))
    sigma_path, path = np.zeros((p, n)), np.zeros((p, n))
    best, least = constants.copy(), largest_error(programs, constants, x, y, scale)
    repeated = [program for program in programs for _ in range(_SAMPLES)]
    for number in range(1, generations + 1):
        values, axes = np.linalg.eigh(covariance)
        lengths = np.sqrt(np.clip(values, 1e-20, 1e20))
        steps = np.einsum(
            "pij,pj,psj->psi", axes, lengths, rng.normal(size=(p, _SAMPLES, n)), optimize=True
        )
        samples = mean[:, None] + sigma[:, :, None] * steps
        errors = _errors(repeated, samples.reshape(-1, n), x, y, scale).reshape(p, _SAMPLES)
        order = errors.argsort(1)[:, :_KEPT]
        first = order[:, 0]
        better = errors[np.arange(p), first] < least
        best = np.where(better[:, None], samples[np.arange(p), first], best)
        least = np.where(better, errors[np.arange(p), first], least)
        kept = np.take_along_axis(steps, order[:, :, None], 1)
        move = weights @ kept
        mean = mean + sigma * move
        white = np.einsum("pij,pj,pkj,pk->pi", axes, 1 / lengths, axes, move, optimize=True)
        sigma_path = (1 - slow_sigma) * sigma_path
        sigma_path += np.sqrt(slow_sigma * (2 - slow_sigma) * effective) * white
        size = np.linalg.norm(sigma_path, axis=1, keepdims=True)
        usual = np.sqrt(1 - (1 - slow_sigma) ** (2 * number)) * (1.4 + 2 / (n + 1)) * expected
        short = (size < usual).astype(float)
        path = (1 - slow_path) * path
        path += short * np.sqrt(slow_path * (2 - slow_path) * effective) * move
        spread = np.einsum("s,psi,psj->pij", weights, kept, kept)
        lost = one * (1 - short) * slow_path * (2 - slow_path)
        covariance = (1 - one - many + lost[:, :, None]) * covariance
        covariance += one * path[:, :, None] * path[:, None] + many * spread
        sigma = sigma * np.exp(np.clip(slow_sigma / damping * (size / expected - 1), -1, 1))
        sigma = np.clip(sigma, 1e-18, 1e6)
    return best, least


def _errors(
    programs: list[Program], constants: np.ndarray, x: np.ndarray, y: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    parts = [
        largest_error(programs[i : i + _CHUNK], constants[i : i + _CHUNK], x, y, scale)
        for i in range(0, len(programs), _CHUNK)
    ]
    return np.minimum(np.concatenate(parts), _WORST)
