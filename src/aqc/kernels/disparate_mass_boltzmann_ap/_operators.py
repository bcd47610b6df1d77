"""Collision operators of two-dimensional Maxwell molecules on a periodic velocity grid."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import fft
from scipy.special import j0


class Moments(NamedTuple):
    """Of one species, in its own unit of velocity.

    Args:
        n: Density.
        u: Mean velocity, shape (2,).
        energy: Mean of |v|^2 / 2, which is T + |u|^2 / 2.
    """

    n: float
    u: np.ndarray
    energy: float

    @property
    def temperature(self) -> float:
        """T, per unit of own mass."""
        return float(self.energy - (self.u**2).sum() / 2)


@dataclass(frozen=True)
class Grid:
    """Velocities of a square box.

    Args:
        half_width: S; the box is [-S, S)^2.
        n_v: Points along each axis, even.
        n_angles: Directions of the spectral collision operator.
    """

    half_width: float
    n_v: int
    n_angles: int

    @cached_property
    def velocities(self) -> tuple[np.ndarray, np.ndarray]:
        """Both components, each of shape (n_v, n_v)."""
        line = -self.half_width + 2 * self.half_width / self.n_v * np.arange(self.n_v)
        x, y = np.meshgrid(line, line, indexing="ij")
        return x, y

    @cached_property
    def waves(self) -> tuple[np.ndarray, np.ndarray]:
        """Wave vectors, each of shape (n_v, n_v)."""
        line = np.pi / self.half_width * self.n_v * fft.fftfreq(self.n_v)
        x, y = np.meshgrid(line, line, indexing="ij")
        return x, y

    @property
    def cell(self) -> float:
        """Area of a cell."""
        return (2 * self.half_width / self.n_v) ** 2

    @cached_property
    def invariants(self) -> np.ndarray:
        """1, both velocities and |v|^2 / 2, shape (4, n_v, n_v)."""
        x, y = self.velocities
        return np.stack([np.ones_like(x), x, y, (x**2 + y**2) / 2])

    @cached_property
    def _kernels(self) -> tuple[np.ndarray, np.ndarray]:
        """Line integrals along n_angles directions and across them."""
        radius = 2 / (3 + np.sqrt(2)) * self.half_width * np.sqrt(2)
        angles = np.pi / self.n_angles * np.arange(self.n_angles)[:, None, None]
        x, y = self.waves
        along = x * np.cos(angles) + y * np.sin(angles)
        across = y * np.cos(angles) - x * np.sin(angles)
        first, second = (2 * radius * np.sinc(radius * k / np.pi) for k in (along, across))
        return first, second

    @cached_property
    def _circles(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Bessel matrix of distinct radii, each point's radius, and which lie within the box."""
        x, y = self.velocities
        kx, ky = self.waves
        radii, number = np.unique((x**2 + y**2).round(10), return_inverse=True)
        matrix = j0(np.sqrt(radii)[:, None] * np.hypot(kx, ky).ravel())
        matrix[np.sqrt(radii) > self.half_width * (1 + 1e-9)] = 0
        sign = (-1.0) ** np.add.outer(np.arange(self.n_v), np.arange(self.n_v))
        return matrix / x.size, number.reshape(x.shape), sign

    def moments(self, f: np.ndarray) -> Moments:
        """Return density, mean velocity and energy."""
        sums = (self.invariants * f).sum(axis=(1, 2)) * self.cell
        return Moments(float(sums[0]), sums[1:3] / sums[0], float(sums[3] / sums[0]))

    def maxwellian(self, moments: Moments) -> np.ndarray:
        """Return the Maxwellian of given moments."""
        x, y = self.velocities
        t = moments.temperature
        square = (x - moments.u[0]) ** 2 + (y - moments.u[1]) ** 2
        found: np.ndarray = moments.n / (2 * np.pi * t) * np.exp(-square / (2 * t))
        return found

    def shift(self, f: np.ndarray, base: np.ndarray, change: np.ndarray) -> np.ndarray:
        """Add a quadratic polynomial times a Maxwellian, to change the four moment sums.

        Args:
            f: What is changed.
            base: Maxwellian.
            change: Of the sums of n, n u and n energy, shape (4,).
        """
        weighted = self.invariants * base * self.cell
        matrix = np.einsum("iab,jab->ij", weighted, self.invariants)
        polynomial = np.einsum("i,iab->ab", np.linalg.solve(matrix, change), self.invariants)
        return f + base * polynomial

    def collide(self, f: np.ndarray, b0: float, base: np.ndarray) -> np.ndarray:
        """Return Q(f, f), its leak of mass, momentum and energy taken out.

        Args:
            f: Distribution.
            b0: Rate of collisions.
            base: Maxwellian for the correction.
        """
        first, second = self._kernels
        modes = fft.fft2(f)
        parts = fft.ifft2(np.stack([first * modes, second * modes])).real
        gain = (parts[0] * parts[1]).sum(axis=0)
        loss = f * fft.ifft2(modes * (first * second).sum(axis=0)).real
        found = b0 / self.n_angles * (gain - loss)
        leak = (self.invariants * found).sum(axis=(1, 2)) * self.cell
        return self.shift(found, base, -leak)

    def isotropic(self, f: np.ndarray) -> np.ndarray:
        """Return the average over circles |v| = const, 0 where they leave the box."""
        matrix, number, sign = self._circles
        values: np.ndarray = matrix @ (fft.fft2(f) * sign).real.ravel()
        return values[number]

    def gradient(self, f: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return both derivatives."""
        modes = fft.fft2(f)
        x, y = fft.ifft2(np.stack([1j * k * modes for k in self.waves])).real
        return x, y

    def fokker_planck(self, f: np.ndarray, temperature: float) -> np.ndarray:
        """Return div(v f + T grad f)."""
        (x, y), (kx, ky) = self.velocities, self.waves
        modes = 1j * kx * fft.fft2(x * f) + 1j * ky * fft.fft2(y * f)
        modes -= temperature * (kx**2 + ky**2) * fft.fft2(f)
        found: np.ndarray = fft.ifft2(modes).real
        return found
