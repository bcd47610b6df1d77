"""One time step that is as good for eps = 0 as for any other: exponential, second order."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

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

    @cached_property
    def upper(self) -> np.ndarray:
        """Whether a coefficient is kept and in the upper third of these along some axis."""
        found = np.zeros(self.shape, bool)
        for k in self.waves:
            found |= k > 4 / 9 * k.max()
        return found & self.kept

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
            rest: tuple[Any, ...] = (slice(None),) * (-1 - axis)
            upper, lower = (..., slice(1, None), *rest), (..., slice(-1), *rest)
            slope = idst((-waves * c)[upper], n=self.shape[axis], axis=axis, norm="ortho")
            if others:
                slope = idctn(slope, axes=others, norm="ortho")
            flux = dst(cells * slope, axis=axis, norm="ortho")
            if others:
                flux = dctn(flux, axes=others, norm="ortho")
            total[upper] -= waves[upper] * flux[lower]
        return total * self.kept


class Relaxation(NamedTuple):
    """Factors of a step of eps y' = -rate y + source: of y, and of the source at either end.

    Args:
        keep: e^-z, z = rate dt / eps; 0 for eps = 0.
        before: Of the source at the beginning.
        after: Of the source at the end.
    """

    keep: np.ndarray
    before: np.ndarray
    after: np.ndarray

    def apply(self, value: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return y after the step, exact for a source that is linear in time."""
        return self.keep * value + self.before * before + self.after * after


class Factors(NamedTuple):
    """What a step multiplies with, for all runs; of many steps along a first axis.

    Args:
        decay: e^-z of the cells, z = k^2 dt.
        first: dt (1 - e^-z) / z.
        second: dt (1 - (1 - e^-z) / z) / z.
        w: Of the signal that makes the signal.
        c: Of the signal.
    """

    decay: np.ndarray
    first: np.ndarray
    second: np.ndarray
    w: Relaxation
    c: Relaxation

    def of(self, step: int) -> "Factors":
        """Return those of one of the steps."""
        *cells, w, c = self
        return Factors(
            *(x[step] for x in cells),
            *(Relaxation(*(x[step] for x in signal)) for signal in (w, c)),
        )


def factors(box: Box, dt: np.ndarray, eps: np.ndarray, tau: np.ndarray) -> Factors:
    """Return the factors of some steps at once: for few points, one by one they cost the most.

    Args:
        box: Of all runs.
        dt: Lengths of the steps, shape (steps,).
        eps: Of each run, >= 0, shaped to multiply coefficients.
        tau: The same.
    """
    dt = dt.reshape(-1, 1, *(1 for _ in box.shape))
    decay, first, second = _weights(box.squares * dt)
    w = _relaxation(1 + tau * box.squares, dt, eps)
    return Factors(decay, dt * first, dt * second, w, _relaxation(1 + box.squares, dt, eps))


def advance(box: Box, old: Fields, by: Factors) -> Fields:
    """Return all runs after a step.

    Args:
        box: Of all runs.
        old: At the step's beginning.
        by: Factors of the step.
    """
    drive = box.taxis(old.n, old.c)
    n = by.decay * old.n + by.first * drive
    n = n + by.second * (box.taxis(n, _signals(old, n, by).c) - drive)
    return _signals(old, n, by)


def on_manifold(box: Box, n: np.ndarray, tau: np.ndarray) -> Fields:
    """Return cells with the signals that they would make in no time: eps = 0."""
    w = n / (1 + tau * box.squares)
    return Fields(n, w / (1 + box.squares), w)


def _signals(old: Fields, n: np.ndarray, by: Factors) -> Fields:
    w = by.w.apply(old.w, old.n, n)
    return Fields(n, by.c.apply(old.c, old.w, w), w)


def _relaxation(rate: np.ndarray, dt: np.ndarray, eps: np.ndarray) -> Relaxation:
    """Return the factors for eps y' = -rate y + source; for eps = 0, rate y = source."""
    instant = eps == 0
    z = rate * dt / np.where(instant, 1.0, eps)
    decay, first, second = _weights(z)
    # Times z, so that nothing is divided by eps.
    later = np.where(instant, 1.0, z * second)
    total = np.where(instant, 1.0, z * first)
    return Relaxation(np.where(instant, 0.0, decay), (total - later) / rate, later / rate)


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
