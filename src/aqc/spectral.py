"""The worst input: how far a unitary W is from a multiple of the identity, in the spectral norm.

    min over phi of ||W - exp(i phi)|| = 2 sin(a / 4),

a the shortest arc that holds all eigenphases of W.
"""

import numpy as np

from aqc.mps import MPS
from aqc.simulate import compress

# Before DMRG: of the angle that W is away from the identity; what is cut is much smaller in norm.
_TRUNCATION, _MAX_BOND = 0.05, 24


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


def spectral_estimate(operator: MPS, phase: complex, angle: float) -> float:
    """Return an estimate of the distance of an almost unitary operator from exp(i phi).

    The eigenvalues of (W - W^dagger) / 2i are the sines of the eigenphases, as long as those are
    within a quarter turn. Their extremes come from DMRG, and W is truncated before.

    Args:
        operator: W / 2^(n/2), sites (output, input), as `aqc.propagator` has it.
        phase: That of tr W, of modulus 1.
        angle: arccos |tr W| / 2^n.

    Example:
        >>> from aqc.gates import evolution, pauli
        >>> sites = np.stack([evolution(pauli("Z"), 0.01)] * 12) / 2**0.5
        >>> round(spectral_estimate(MPS.product(sites), 1.0, 0.03), 6)  # 2 sin(0.06)
        0.119928
    """
    from aqc.interop.quimb import extreme_eigenvalues

    near = compress(operator, angle=_TRUNCATION * angle, max_bond=_MAX_BOND).mps
    legs = [t.reshape(len(t), 2, 2, -1) * np.sqrt(2) for t in near.tensors]  # vL o i vR
    turned = [np.conj(phase) / 2j * legs[0], *legs[1:]]
    low, high = extreme_eigenvalues(_sum(turned, [t.conj().swapaxes(1, 2) for t in turned]))
    return _distance(float(np.arcsin(min(high, 1.0)) - np.arcsin(max(low, -1.0))))


def _sum(a: list[np.ndarray], b: list[np.ndarray]) -> list[np.ndarray]:
    """Return the sum of two matrix product operators, their bonds side by side."""
    tensors = []
    for site, (left, right) in enumerate(zip(a, b, strict=True)):
        first, last = site == 0, site == len(a) - 1
        height = 1 if first else len(left) + len(right)
        width = 1 if last else left.shape[3] + right.shape[3]
        both = np.zeros((height, 2, 2, width), dtype=complex)
        both[: len(left), ..., : left.shape[3]] += left
        both[height - len(right) :, ..., width - right.shape[3] :] += right
        tensors.append(both)
    return tensors
