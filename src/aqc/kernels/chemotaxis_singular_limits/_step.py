"""One time step that is as good for eps = 0 as for any other: exponential, second order."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.fft import dctn, dst, idctn, idst

_SMALL = 0.05
_TERMS = 10


class Fields(NamedTuple):
    """Cosine coefficients of all runs, shape (runs, *grid).

    Args:
        n: Cells.
        c: Signal that they follow.
        w: Signal that makes the signal.
    """

    n: np.ndarray
    c: np.ndarray
    w: np.ndarray


@dataclass(frozen=True)
class Box:
    """A box with no-flux walls; coefficients are those of an orthonormal cosine transform.

    Args:
        lengths: Of its sides.
        shape: Points along each, at the middle of cells.
    """

    lengths: tuple[float, ...]
    shape: tuple[int, ...]

    @cached_property
    def waves(self) -> tuple[np.ndarray, ...]:
        """Wave numbers along each axis, shaped to multiply coefficients."""
        found = []
        for axis, (length, n) in enumerate(zip(self.lengths, self.shape, strict=True)):
            shape = [1] * len(self.shape)
            shape[axis] = n
            found.append((np.pi / length * np.arange(n)).reshape(shape))
        return tuple(found)

    @cached_property
    def squares(self) -> np.ndarray:
        """k^2 of every coefficient, shape (*grid)."""
        found: np.ndarray = sum((k**2 for k in self.waves), np.zeros(self.shape))
        return found

    @cached_property
    def kept(self) -> np.ndarray:
        """Whether a coefficient is free of aliases of products: the lower two thirds."""
        found = np.ones(self.shape, bool)
        for axis, n in enumerate(self.shape):
            shape = [1] * len(self.shape)
            shape[axis] = n
            found &= (3 * np.arange(n) < 2 * n).reshape(shape)
        return found

    @property
    def cell(self) -> float:
        """Volume of a cell."""
        return float(np.prod(self.lengths) / np.prod(self.shape))

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(-len(self.shape), 0))

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Return the coefficients of values on the grid."""
        found: np.ndarray = dctn(values, axes=self._axes, norm="ortho")
        return found

    def values(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the values on the grid."""
        found: np.ndarray = idctn(coefficients, axes=self._axes, norm="ortho")
        return found

    def taxis(self, n: np.ndarray, c: np.ndarray) -> np.ndarray:
        """Return the coefficients of -div(n grad c), the zeroth exactly 0."""
        cells, c = self.values(n * self.kept), c * self.kept
        total = np.zeros_like(n)
        for axis, waves in zip(self._axes, self.waves, strict=True):
            others = tuple(a for a in self._axes if a != axis)
            # The derivative of cosine j + 1 is sine j, which the sine transform numbers from 0.
            slope = np.roll(-waves * c, -1, axis)
            slope = idst(slope, axis=axis, norm="ortho")
            flux = dst(cells * idctn(slope, axes=others, norm="ortho"), axis=axis, norm="ortho")
            flux = dctn(flux, axes=others, norm="ortho")
            total -= waves * np.roll(flux, 1, axis)
        return total * self.kept


def advance(box: Box, old: Fields, dt: float, eps: np.ndarray, tau: np.ndarray) -> Fields:
    """Return all runs after a step.

    Args:
        box: Of all runs.
        old: At the step's beginning.
        dt: Its length.
        eps: Of each run, >= 0, shaped to multiply coefficients.
        tau: The same.
    """
    decay, first, second = _weights(box.squares * dt)
    drive = box.taxis(old.n, old.c)
    n = decay * old.n + dt * first * drive
    guess = Fields(n, *_signals(box, old, n, dt, eps, tau))
    n = n + dt * second * (box.taxis(n, guess.c) - drive)
    return Fields(n, *_signals(box, old, n, dt, eps, tau))


def on_manifold(box: Box, n: np.ndarray, tau: np.ndarray) -> Fields:
    """Return cells with the signals that they would make in no time: eps = 0."""
    w = n / (1 + tau * box.squares)
    return Fields(n, w / (1 + box.squares), w)


def _signals(
    box: Box, old: Fields, n: np.ndarray, dt: float, eps: np.ndarray, tau: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return c and w, each exact for a source that is linear in time."""
    w = _relax(old.w, old.n, n, 1 + tau * box.squares, dt, eps)
    return _relax(old.c, old.w, w, 1 + box.squares, dt, eps), w


def _relax(
    value: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    rate: np.ndarray,
    dt: float,
    eps: np.ndarray,
) -> np.ndarray:
    """Solve eps y' = -rate y + source over a step; for eps = 0, rate y = source at its end."""
    instant = eps == 0
    z = rate * dt / np.where(instant, 1.0, eps)
    decay, first, second = _weights(z)
    # Times z, so that nothing is divided by eps.
    later = np.where(instant, 1.0, z * second)
    total = np.where(instant, 1.0, z * first)
    found: np.ndarray = np.where(instant, 0.0, decay) * value
    return found + ((total - later) * before + later * after) / rate


def _weights(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return e^-z, (1 - e^-z) / z and (1 - (1 - e^-z) / z) / z."""
    small = z < _SMALL
    safe = np.where(small, 1.0, z)
    first, second = np.zeros_like(z), np.zeros_like(z)
    term = np.ones_like(z)
    for k in range(1, _TERMS):
        term = term / k
        first = first + term
        second = second + term / (k + 1)
        term = term * np.where(small, -z, 0.0)
    exact = -np.expm1(-safe) / safe
    return np.exp(-z), np.where(small, first, exact), np.where(small, second, (1 - exact) / safe)
