"""The perturbation: found by gradient descent on the eigenvectors' condition number."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Interval
from jaxtyping import Complex, Float

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.perturb_then_diagonalize._systems import (
    hippo_legs,
    last_spike,
    transfer,
    transfer_of_diagonal,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CHUNK = 25  # steps between two reports
_LARGEST_INVERSE = 1e15  # beyond it eigenvectors of norm one are dependent to working precision
_LARGEST_ENTRY = 1e50  # squares and products stay finite


@dataclass(frozen=True)
class DiagonalSystem:
    """A diagonal system near the given one.

    Attributes:
        eigenvalues: l of A + E, shape (n,).
        inputs: V^-1 B, shape (n, inputs).
        outputs: C V, shape (outputs, n).
        condition: Of V, its columns of norm one, in the 2-norm.
        frobenius_condition: ||V||_F ||V^-1||_F.
        random_frobenius_condition: The same of the random perturbation that the search began from.
        perturbation_norm: ||E||_2.
        backward_error: ||V diag(l) V^-1 - A||_2.
        spectral_abscissa: Largest real part of l.
        is_stable: Whether it is negative.
        sup_error: Largest ||G - G_exact||_2 over the frequencies tried.
        sup_error_at: Where.
        history: ||V||_F ||V^-1||_F before each step, shape (steps,).
        omega: Frequencies tried, shape (frequencies,).
        errors: ||G - G_exact||_2 there, shape (frequencies,).
    """

    eigenvalues: Complex[np.ndarray, " n"]
    inputs: Complex[np.ndarray, "n inputs"]
    outputs: Complex[np.ndarray, "outputs n"]
    condition: float
    frobenius_condition: float
    random_frobenius_condition: float
    perturbation_norm: float
    backward_error: float
    spectral_abscissa: float
    is_stable: bool
    sup_error: float
    sup_error_at: float
    history: Float[np.ndarray, " steps"]
    omega: Float[np.ndarray, " frequencies"]
    errors: Float[np.ndarray, " frequencies"]


@dataclass(frozen=True)
class DiagonalHippo:
    """HiPPO-LegS with the output C = e_0, made diagonal.

    Attributes:
        system: By the perturbation.
        s4d_sup_error: Largest error of the S4D model, which drops the part that is not normal.
        s4d_sup_error_at: Where: at its last spike.
    """

    system: DiagonalSystem
    s4d_sup_error: float
    s4d_sup_error_at: float


@checked(n=(2, 256), inputs=(1, 16), outputs=(1, 16))
def perturb_then_diagonalize(
    matrix: Float[np.ndarray, "n n"],
    inputs: Float[np.ndarray, "n inputs"],
    outputs: Float[np.ndarray, "outputs n"],
    eps: Annotated[float, Interval(gt=0, le=1e6)] = 0.1,
    gamma: Annotated[float, Interval(ge=1e-6, le=1e12)] = 1e3,
    steps: Annotated[int, Interval(ge=0, le=2000)] = 300,
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> DiagonalSystem:
    """Find a diagonal system near one whose matrix is far from normal.

    Minimizes ||V||_F ||V^-1||_F + gamma ||E||_F over real E with ||E||_2 <= eps, where
    A + E = V diag(l) V^-1 with columns of V of norm one.

    Args:
        matrix: A, shape (n, n).
        inputs: B, shape (n, inputs).
        outputs: C, shape (outputs, n).
        eps: Largest norm of E.
        gamma: Weight of its size.
        steps: Of Adam; 0 leaves the random perturbation of norm eps.
        seed: Of the random perturbation.

    Returns:
        The system, and how far it is from the given one.

    Raises:
        InputError: The matrix is zero or enormous, or the perturbed one is still defective.

    Source:
        arXiv:2310.01698, Sec. 3, which says "gradient descent"; Adam, its rate eps / (5 n) and the
        projection are chosen here.

    Example:
        >>> jordan = np.array([[-1.0, 1.0], [0.0, -1.0]])
        >>> found = perturb_then_diagonalize(jordan, np.ones((2, 1)), np.ones((1, 2)), gamma=1e-3)
        >>> bool(found.condition < 7), bool(found.backward_error < 0.101)
        (True, True)
    """
    return drain(perturb_steps(matrix, inputs, outputs, eps, gamma, steps, seed))


def perturb_steps(
    matrix: np.ndarray,
    inputs: np.ndarray,
    outputs: np.ndarray,
    eps: float,
    gamma: float,
    steps: int,
    seed: int,
    state: dict | None = None,
) -> Steps:
    """Do what `perturb_then_diagonalize` does, step by step.

    Args:
        matrix: As in `perturb_then_diagonalize`, like all others.
        inputs: See there.
        outputs: See there.
        eps: See there.
        gamma: See there.
        steps: See there.
        seed: See there.
        state: What an earlier run yielded, to go on from there.

    Yields:
        (fraction done, state) after every 25 steps.

    Returns:
        The system.

    Source:
        See `perturb_then_diagonalize`.

    Example:
        >>> run = perturb_steps(-np.eye(2), np.ones((2, 1)), np.ones((1, 2)), 0.1, 1.0, 50, 0)
        >>> next(run)[0]
        0.5
    """
    perturbation, history, start = yield from _search(matrix, eps, gamma, steps, seed, state)
    size = np.linalg.norm(matrix, 2)
    omega = np.concatenate([[0.0], np.geomspace(1e-3 * size, 10 * size, 2000)])
    return _assess(matrix, inputs, outputs, perturbation, start, history, omega)


@checked()
def diagonalize_hippo(
    size: Annotated[int, Interval(ge=2, le=256)],
    eps: Annotated[float, Interval(gt=0, le=1e6)] = 0.1,
    gamma: Annotated[float, Interval(ge=1e-6, le=1e12)] = 1e3,
    steps: Annotated[int, Interval(ge=0, le=2000)] = 300,
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> DiagonalHippo:
    """Make HiPPO-LegS diagonal by a perturbation, and compare with the S4D model.

    Args:
        size: n.
        eps: As in `perturb_then_diagonalize`, like all others.
        gamma: See there.
        steps: See there.
        seed: See there.

    Returns:
        The system, and the largest error of S4D's.

    Raises:
        InputError: The perturbed matrix is still defective.

    Source:
        arXiv:2310.01698, Sec. 3 and 4; where S4D's error is largest is derived here, see
        `last_spike`.

    Example:
        >>> found = diagonalize_hippo(8, steps=50)
        >>> bool(found.system.sup_error < 0.125), round(found.s4d_sup_error, 2)
        (True, 0.64)
    """
    return drain(hippo_steps(size, eps, gamma, steps, seed))


def hippo_steps(
    size: int, eps: float, gamma: float, steps: int, seed: int, state: dict | None = None
) -> Steps:
    """Do what `diagonalize_hippo` does, step by step.

    Args:
        size: As in `diagonalize_hippo`, like all others.
        eps: See there.
        gamma: See there.
        steps: See there.
        seed: See there.
        state: What an earlier run yielded, to go on from there.

    Yields:
        (fraction done, state) after every 25 steps.

    Returns:
        The system and the comparison.

    Source:
        See `diagonalize_hippo`.

    Example:
        >>> next(hippo_steps(4, 0.1, 1e3, 50, 0))[0]
        0.5
    """
    full, normal, inputs = hippo_legs(size)
    outputs = np.eye(1, size)
    perturbation, history, start = yield from _search(full, eps, gamma, steps, seed, state)
    spike = last_spike(size)
    # S4D's spikes are about 1 wide, too narrow for a geometric grid: one stands on the last.
    omega = np.sort(np.concatenate([[0.0, spike], np.geomspace(1e-2, 10 * size**2, 2000)]))
    system = _assess(full, inputs, outputs, perturbation, start, history, omega)
    s4d = transfer(normal, inputs / 2, outputs, np.array([spike]))
    exact = transfer(full, inputs, outputs, np.array([spike]))
    return DiagonalHippo(system, float(np.abs(s4d - exact).max()), spike)


def condition_and_gradient(matrix: np.ndarray) -> tuple[float, np.ndarray]:
    """Return kappa = ||V||_F ||V^-1||_F of unit eigenvectors, and its gradient by the matrix.

    With W = V^-1, P = W W^H, G = V^H V: kappa^2 = n tr P and d tr P = 2 Re tr(S^T W dA V),
    S_ij = (P_jj G_ji - P_ji) / (l_j - l_i).

    Args:
        matrix: Real, with distinct eigenvalues, shape (n, n).

    Returns:
        kappa and its gradient, shape (n, n).

    Raises:
        InputError: It is defective to working precision.

    Source:
        First-order perturbation of eigenvectors kept at norm one.

    Example:
        >>> kappa, gradient = condition_and_gradient(np.diag([1.0, 2.0]))
        >>> kappa, gradient.tolist()
        (2.0..., [[0.0, 0.0], [0.0, 0.0]])
    """
    eigenvalues, v = np.linalg.eig(matrix)
    w = _inverse(v)
    gram, p = v.conj().T @ v, w @ w.conj().T
    gaps = eigenvalues[None, :] - eigenvalues[:, None]
    numerators = np.diag(p)[None, :] * gram.T - p.T
    s = np.divide(numerators, gaps, out=np.zeros_like(gram * gaps), where=gaps != 0)
    np.fill_diagonal(s, 0)
    trace = float(np.trace(p).real)
    size = len(matrix) ** 0.5
    return size * trace**0.5, size / trace**0.5 * (w.T @ s @ v.T).real


def _inverse(v: np.ndarray) -> np.ndarray:
    refusal = InputError(
        "The perturbed matrix must have a basis of eigenvectors, but it is singular to working "
        "precision; choose a larger `eps`.",
        "/eps",
    )
    try:
        w = np.linalg.inv(v)
    except np.linalg.LinAlgError:
        raise refusal from None
    if not np.linalg.norm(w) < _LARGEST_INVERSE:
        raise refusal
    return w


def _search(
    matrix: np.ndarray, eps: float, gamma: float, steps: int, seed: int, state: dict | None
) -> Steps:
    """Yield progress; return the best perturbation, the history, and kappa at the start."""
    if not matrix.any():
        raise InputError("`matrix` must not be zero, but is.", "/matrix")
    if np.abs(matrix).max() > _LARGEST_ENTRY:
        raise InputError(
            f"`matrix` must have entries up to {_LARGEST_ENTRY:.0e}, but has "
            f"{np.abs(matrix).max():.3g}.",
            "/matrix",
        )
    n = len(matrix)
    if state is None:
        e = np.random.default_rng(seed).normal(size=(n, n))
        e *= eps / np.linalg.norm(e, 2)
        state = {"done": 0, "e": e, "mean": 0 * e, "square": 0 * e, "history": np.zeros(0)}
        state |= {"best": e, "value": np.inf, "start": condition_and_gradient(matrix + e)[0]}
    done, e, mean, square = state["done"], state["e"], state["mean"], state["square"]
    best, value, history = state["best"], state["value"], list(state["history"])
    while done < steps:
        kappa, gradient = condition_and_gradient(matrix + e)
        size = np.linalg.norm(e)
        history.append(kappa)
        if kappa + gamma * size < value:
            best, value = e, kappa + gamma * size
        gradient = gradient + gamma * e / max(size, 1e-300)
        done += 1
        # Adam; eps / (5 n) is some hundredth of an entry of E.
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        move = mean / (1 - 0.9**done) / (np.sqrt(square / (1 - 0.999**done)) + 1e-8)
        e = e - eps / (5 * n) * move
        e = e * min(1.0, eps / np.linalg.norm(e, 2))
        if done % _CHUNK == 0 or done == steps:
            yield (
                done / steps,
                {"done": done, "e": e, "mean": mean, "square": square, "best": best}
                | {"value": value, "history": np.array(history), "start": state["start"]},
            )
    return best, np.array(history), state["start"]


def _assess(
    matrix: np.ndarray,
    inputs: np.ndarray,
    outputs: np.ndarray,
    perturbation: np.ndarray,
    start: float,
    history: np.ndarray,
    omega: np.ndarray,
) -> DiagonalSystem:
    eigenvalues, v = np.linalg.eig(matrix + perturbation)
    v = v.astype(complex)
    w = _inverse(v)
    new_inputs, new_outputs = w @ inputs, outputs @ v
    difference = transfer_of_diagonal(eigenvalues, new_inputs, new_outputs, omega)
    difference -= transfer(matrix, inputs, outputs, omega)
    errors = np.linalg.norm(difference, 2, axis=(1, 2))
    worst = int(np.argmax(errors))
    abscissa = float(eigenvalues.real.max())
    return DiagonalSystem(
        eigenvalues=eigenvalues.astype(complex),
        inputs=new_inputs,
        outputs=new_outputs,
        condition=float(np.linalg.cond(v)),
        frobenius_condition=float(np.linalg.norm(v) * np.linalg.norm(w)),
        random_frobenius_condition=float(start),
        perturbation_norm=float(np.linalg.norm(perturbation, 2)),
        backward_error=float(np.linalg.norm((v * eigenvalues) @ w - matrix, 2)),
        spectral_abscissa=abscissa,
        is_stable=abscissa < 0,
        sup_error=float(errors[worst]),
        sup_error_at=float(omega[worst]),
        history=history,
        omega=omega,
        errors=errors,
    )


def draw_system(result: DiagonalSystem) -> "Figure":
    """Draw the error over the frequency, and the condition number over the steps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    inner = result.omega > 0
    left.loglog(result.omega[inner], np.maximum(result.errors[inner], 1e-17))
    left.set(xlabel="angular frequency (rad per time)", ylabel="error of the transfer function")
    right.semilogy(result.history)
    right.set(xlabel="step", ylabel="condition number of eigenvectors (Frobenius)")
    return figure


def draw_hippo(result: DiagonalHippo) -> "Figure":
    """Draw as for any system."""
    return draw_system(result.system)
