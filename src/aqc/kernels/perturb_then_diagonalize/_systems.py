"""Linear systems: HiPPO-LegS, transfer functions, and filtering with a diagonal system."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Gt
from jaxtyping import Complex, Float
from scipy.linalg import schur
from scipy.optimize import brentq
from scipy.signal import lfilter

from aqc.errors import InputError
from aqc.kernels._signature import checked

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class TransferFunction:
    """G(i omega) of a system.

    Attributes:
        omega: Angular frequencies (rad per time), shape (frequencies,).
        values: G, shape (frequencies, outputs, inputs).
    """

    omega: Float[np.ndarray, " frequencies"]
    values: Complex[np.ndarray, "frequencies outputs inputs"]


@dataclass(frozen=True)
class Filtered:
    """A filtered signal.

    Attributes:
        times: k dt, shape (samples,).
        outputs: y at these times, shape (samples, outputs).
    """

    times: Float[np.ndarray, " samples"]
    outputs: Float[np.ndarray, "samples outputs"]


def hippo_legs(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the matrices A and B of HiPPO-LegS, and the normal part of A.

    A_ij = -sqrt(2 i + 1) sqrt(2 j + 1) below the diagonal, -(i + 1) on it; B_i = sqrt(2 i + 1);
    A = A_N - B B^T / 2.

    Args:
        size: n.

    Returns:
        A and A_N, shape (n, n), and B, shape (n, 1).

    Source:
        arXiv:2310.01698, Sec. 2.

    Example:
        >>> full, normal, inputs = hippo_legs(2)
        >>> (full + np.zeros((2, 2))).round(3).tolist()
        [[-1.0, 0.0], [-1.732, -2.0]]
    """
    root = np.sqrt(2 * np.arange(size) + 1.0)
    full = -(np.tril(np.outer(root, root), -1) + np.diag(np.arange(1.0, size + 1)))
    return full, full + np.outer(root, root) / 2, root[:, None]


def last_spike(size: int) -> float:
    """Return the frequency of the last spike of the S4D model's transfer function.

    With C = e_0 the model (A_N, B / 2) has G = 1 / [(s + 1) (1 + p(s))], p(s) = prod_k (s - k) /
    (s + k + 1); the spike is where arg p = pi, near n^2 / pi.

    Args:
        size: n, at least 2.

    Returns:
        omega, in rad per time.

    Source:
        Derived here; arXiv:2310.01698 shows that such spikes do not vanish with n.

    Example:
        >>> round(last_spike(32), 1)
        325.4
    """
    k = np.arange(size)

    def phase(omega: float) -> float:
        return float(np.sum(np.arctan(k / omega) + np.arctan((k + 1) / omega)) - np.pi)

    return float(brentq(phase, 1e-6, size**2, xtol=1e-13))


def transfer(
    matrix: np.ndarray, inputs: np.ndarray, outputs: np.ndarray, omega: np.ndarray
) -> np.ndarray:
    """Return G(i omega) = C (i omega - A)^-1 B of any system.

    Args:
        matrix: A, shape (n, n).
        inputs: B, shape (n, inputs).
        outputs: C, shape (outputs, n).
        omega: Shape (frequencies,).

    Returns:
        Shape (frequencies, outputs, inputs).

    Source:
        One Schur form, and back substitution for all frequencies at once.

    Example:
        >>> one = np.ones((1, 1))
        >>> transfer(-one, one, one, np.array([0.0])).item()
        (1+0j)
    """
    triangle, basis = schur(matrix.astype(complex))
    b, c = basis.conj().T @ inputs, outputs @ basis
    solved = np.zeros((len(omega), *b.shape), complex)
    for i in range(len(matrix) - 1, -1, -1):
        # sum over j > i of T_ij x_j: (frequencies, inputs)
        known = np.einsum("j,fjm->fm", triangle[i, i + 1 :], solved[:, i + 1 :])
        solved[:, i] = (b[i] + known) / (1j * omega - triangle[i, i])[:, None]
    return np.asarray(c @ solved)


def transfer_of_diagonal(
    eigenvalues: np.ndarray, inputs: np.ndarray, outputs: np.ndarray, omega: np.ndarray
) -> np.ndarray:
    """Return G(i omega) of a diagonal system.

    Args:
        eigenvalues: Shape (n,).
        inputs: Shape (n, inputs).
        outputs: Shape (outputs, n).
        omega: Shape (frequencies,).

    Returns:
        Shape (frequencies, outputs, inputs).

    Source:
        The partial fractions of C (s - L)^-1 B.

    Example:
        >>> one = np.ones((1, 1))
        >>> transfer_of_diagonal(-one[0], one, one, np.array([0.0])).item()
        (1+0j)
    """
    gains = 1 / (1j * omega[:, None] - eigenvalues)
    return np.asarray((outputs * gains[:, None, :]) @ inputs)


@checked(n=(1, 256), inputs=(1, 16), outputs=(1, 16), frequencies=(1, 20_000))
def evaluate_transfer_function(
    eigenvalues: Complex[np.ndarray, " n"],
    inputs: Complex[np.ndarray, "n inputs"],
    outputs: Complex[np.ndarray, "outputs n"],
    omega: Float[np.ndarray, " frequencies"],
) -> TransferFunction:
    """Evaluate the transfer function of a diagonal system on the imaginary axis.

    G(i omega) = sum_k C_k B_k / (i omega - l_k).

    Args:
        eigenvalues: l, shape (n,).
        inputs: Shape (n, inputs).
        outputs: Shape (outputs, n).
        omega: Angular frequencies (rad per time), shape (frequencies,).

    Returns:
        G at each frequency.

    Raises:
        InputError: A frequency is a pole.

    Source:
        arXiv:2310.01698, Sec. 2.

    Example:
        >>> evaluate_transfer_function([-1.0], [[1.0]], [[1.0]], [1.0]).values.item()
        (0.5-0.5j)
    """
    if np.isin(1j * omega, eigenvalues).any():
        raise InputError("`omega` must hold no pole of the system, but does.", "/omega")
    return TransferFunction(omega, transfer_of_diagonal(eigenvalues, inputs, outputs, omega))


@checked(n=(1, 256), inputs=(1, 16), outputs=(1, 16), samples=(1, 200_000))
def filter_signal(
    eigenvalues: Complex[np.ndarray, " n"],
    inputs: Complex[np.ndarray, "n inputs"],
    outputs: Complex[np.ndarray, "outputs n"],
    signal: Float[np.ndarray, "samples inputs"],
    dt: Annotated[float, Gt(0)],
) -> Filtered:
    """Filter a signal with a diagonal system, held constant between its samples.

    x_{k+1} = e^{l dt} x_k + (e^{l dt} - 1) / l B u_k,  y_k = Re C x_k,  x_0 = 0.

    Args:
        eigenvalues: l, real parts negative, shape (n,).
        inputs: Shape (n, inputs).
        outputs: Shape (outputs, n).
        signal: u, shape (samples, inputs).
        dt: Time between samples.

    Returns:
        The outputs at the times of the samples.

    Raises:
        InputError: The system is not stable.

    Source:
        Exact for such signals; arXiv:2310.01698 discretizes by the bilinear rule.

    Example:
        >>> steps = filter_signal([-1.0], [[1.0]], [[1.0]], np.ones((11, 1)), 0.1)
        >>> round(float(steps.outputs[-1, 0]), 6)  # 1 - exp(-1)
        0.632121
    """
    if (eigenvalues.real >= 0).any():
        raise InputError(
            "`eigenvalues` must have negative real parts, but one has "
            f"{eigenvalues.real.max():.3g}: the system is not stable.",
            "/eigenvalues",
        )
    decay = np.exp(eigenvalues * dt)
    held = np.expm1(eigenvalues * dt) / eigenvalues
    result = np.zeros((len(signal), len(outputs)))
    for k in range(len(eigenvalues)):
        driven = held[k] * (signal @ inputs[k])
        states = lfilter([0.0, 1.0], [1.0, -decay[k]], driven)
        result += np.real(states[:, None] * outputs[:, k])
    return Filtered(np.arange(len(signal)) * dt, result)


def draw_transfer_function(result: TransferFunction) -> "Figure":
    """Draw the gain of each pair of input and output over the frequency."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 3.8), layout="constrained")
    axes = figure.subplots()
    order = np.argsort(result.omega)
    gains = np.abs(result.values[order]).reshape(len(order), -1)
    axes.semilogy(result.omega[order], np.maximum(gains, 1e-300))
    axes.set(xlabel="angular frequency (rad per time)", ylabel="gain |G|")
    return figure
