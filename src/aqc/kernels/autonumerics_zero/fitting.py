"""Constants of many programs at once: Levenberg-Marquardt, then weights towards the minimax."""

import numpy as np

from aqc.kernels.autonumerics_zero.programs import CONSTANTS, Program, evaluate

_ITERATIONS = 25
_LAWSON_ROUNDS = 6
_LAWSON_ITERATIONS = 4


def fit_constants(
    programs: list[Program],
    constants: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    scale: np.ndarray,
    rounds: int = _LAWSON_ROUNDS,
) -> tuple[np.ndarray, np.ndarray]:
    """Return constants with a small largest error, and that error.

    Least squares first; then the weights w <- w |e| / max |e| (Lawson) push the largest errors
    down.

    Args:
        programs: p of them.
        constants: Where to start, shape (p, 6).
        x: Nodes, shape (n,).
        y: Target there.
        scale: What an error is divided by, shape (n,).
        rounds: Of weights; 0 for least squares alone.
    """
    weights = np.ones((len(programs), len(x)))
    best, least = constants, largest_error(programs, constants, x, y, scale)
    damping = np.full(len(programs), 1e-3)
    for turn in range(rounds + 1):
        for _ in range(_LAWSON_ITERATIONS if turn else _ITERATIONS):
            constants, damping = _step(programs, constants, x, y, scale, weights, damping)
        errors = np.abs(_errors(programs, constants, x, y, scale))
        worst = errors.max(1)
        better = worst < least
        best, least = np.where(better[:, None], constants, best), np.where(better, worst, least)
        with np.errstate(invalid="ignore"):
            share = errors / np.maximum(worst, 1e-300)[:, None]
        weights = weights * np.where(np.isfinite(share), share, 1.0)
        weights /= np.maximum(weights.mean(1, keepdims=True), 1e-300)
    return best, least


def largest_error(
    programs: list[Program], constants: np.ndarray, x: np.ndarray, y: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Return max |f - y| / scale of every program, infinite where it is not finite."""
    worst = np.abs(_errors(programs, constants, x, y, scale)).max(1)
    return np.where(np.isfinite(worst), worst, np.inf)


def _errors(
    programs: list[Program], constants: np.ndarray, x: np.ndarray, y: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    values, _ = evaluate(programs, constants, x)
    with np.errstate(all="ignore"):
        errors = (values - y) / scale
    return np.where(np.isfinite(errors), errors, np.inf)


def _step(
    programs: list[Program],
    constants: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    scale: np.ndarray,
    weights: np.ndarray,
    damping: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the constants after one damped step where it helps, and the new damping."""
    values, slopes = evaluate(programs, constants, x, derivatives=True)
    with np.errstate(all="ignore"):
        errors = (values - y) / scale
        slopes = slopes / scale
        sound = np.isfinite(errors).all(1) & np.isfinite(slopes).all((1, 2))
        sound &= np.abs(slopes).max((1, 2)) < 1e100
        errors, slopes = (
            np.where(sound[:, None], errors, 0),
            np.where(sound[:, None, None], slopes, 0),
        )
        weighted = slopes * weights[:, None]
        normal = weighted @ slopes.swapaxes(1, 2)
        right = np.einsum("pcn,pn->pc", weighted, errors)
        diagonal = np.einsum("pcc->pc", normal)
        # Constants that do not matter get a unit pivot and stay.
        lift = damping[:, None] * diagonal + 1e-14 * diagonal.max(1, keepdims=True)
        lift = np.where(lift > 0, lift, 1.0)
        move = np.linalg.solve(normal + lift[:, :, None] * np.eye(CONSTANTS), right[:, :, None])
        trial = constants - move[:, :, 0]
        before = (weights * errors**2).sum(1)
        after = weights * np.nan_to_num(_errors(programs, trial, x, y, scale), posinf=1e150) ** 2
        better = sound & (after.sum(1) < before)
    constants = np.where(better[:, None], trial, constants)
    return constants, np.clip(np.where(better, damping / 5, damping * 4), 1e-12, 1e8)
