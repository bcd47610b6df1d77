"""The worst input: how far a unitary W is from a multiple of the identity, in the spectral norm.

    min over phi of ||W - exp(i phi)|| = 2 sin(a / 4),

a the shortest arc that holds all eigenphases of W (2 where it exceeds a half turn).
"""

import numpy as np

from aqc.mps import MPS


def spectral_distance(matrix: np.ndarray) -> float:
    """Return the distance of a unitary matrix from the multiples of the identity.

    Args:
        matrix: W, shape (N, N).

    Example:
        >>> round(spectral_distance(np.diag(np.exp([0.1j, 0.3j]))), 12)  # 2 sin(0.05)
        0.099958338541
    """
    phase = np.angle(np.trace(matrix))
    centered = matrix * np.exp(-1j * phase)
    cosines = np.linalg.eigvalsh((centered + centered.conj().T) / 2)
    if cosines[0] > 0:  # all phases within a quarter turn: their sines tell them apart
        sines = np.linalg.eigvalsh((centered - centered.conj().T) / 2j)
        arc = float(np.arcsin(min(sines[-1], 1.0)) - np.arcsin(max(sines[0], -1.0)))
        return _distance(arc)
    phases = np.sort(np.angle(np.linalg.eigvals(matrix)))
    gaps = np.append(np.diff(phases), phases[0] + 2 * np.pi - phases[-1])
    return _distance(2 * np.pi - float(gaps.max()))


def _distance(arc: float) -> float:
    return float(2 * np.sin(min(max(arc, 0.0), 2 * np.pi) / 4))


def largest_phase_estimate(operator: MPS, phase: complex) -> float | None:
    return None
