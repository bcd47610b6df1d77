"""Rings of phase oscillators with noise, stepped by Euler and Maruyama, many at once."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

_SAMPLE = 10  # steps between two looks for phase slips
_BLOCK = 2e7  # site-steps between two reports


class Ring(NamedTuple):
    """What is simulated.

    Attributes:
        coupling: K.
        delta: Phase shift of the coupling.
        noise: D of <eta eta> = 2 D delta(t).
        omega: Frequencies less the mean of their ring, (L, R) or (L, 1).
        realizations: R.
        dt: Time step.
    """

    coupling: float
    delta: float
    noise: float
    omega: np.ndarray
    realizations: int
    dt: float

    @property
    def dtype(self) -> type:
        """Half the bits do for noise: the mean phase is taken out again and again."""
        return np.float32 if self.noise > 0 else np.float64


class Record(NamedTuple):
    """The surface at one time, one value for each realization.

    Attributes:
        variance: W^2 = <(phi - mean)^2>.
        cube: <(phi - mean)^3>.
        slope: Largest |phi_{i+1} - phi_i|.
    """

    variance: np.ndarray
    cube: np.ndarray
    slope: np.ndarray


def start(ring: Ring, seed: int) -> dict[str, Any]:
    """Return the state at t = 0."""
    size = len(ring.omega)
    rng = np.random.Generator(np.random.SFC64(seed))
    return {
        "phi": np.zeros((size, ring.realizations), ring.dtype),
        "winding": np.zeros((size, ring.realizations), np.int32),
        "slips": np.zeros(ring.realizations, np.int64),
        "step": 0,
        "rng": rng.bit_generator.state,
    }


def advance(ring: Ring, state: dict[str, Any], ends: list[int]) -> Iterator[dict[str, Any]]:
    """Yield states on the way to some steps, one of them at each.

    Args:
        ring: What is simulated.
        state: From `start` or an earlier state; it is not changed.
        ends: Numbers of steps, increasing, behind the state's.
    """
    phi, rng = state["phi"].copy(), np.random.Generator(np.random.SFC64())
    rng.bit_generator.state = state["rng"]
    winding, slips, step = state["winding"], state["slips"], state["step"]
    forces = Forces(ring, phi)
    block = max(_SAMPLE, int(_BLOCK / phi.size))
    for until in ends:
        while step < until:
            # Blocks end at multiples of the sampling, wherever a run was taken up again.
            end = min(until, (step // _SAMPLE + 1) * _SAMPLE)
            for _ in range(step, end):
                forces.step(phi, rng)
            step = end
            if step % _SAMPLE == 0 or step == until:
                forces.differences(phi)
                now = np.rint(forces.d / (2 * math.pi)).astype(np.int32)
                slips = slips + np.abs(now - winding).sum(0)
                winding = now
                # Without it single precision would be used up by the common drift.
                phi -= phi.mean(0)
            if step == until or step // block > (step - _SAMPLE) // block:
                yield {
                    "phi": phi.copy(),
                    "winding": winding,
                    "slips": slips,
                    "step": step,
                    "rng": rng.bit_generator.state,
                }


def record(state: dict[str, Any]) -> Record:
    """Return the surface of a state."""
    phi = state["phi"].astype(np.float64)
    height = phi - phi.mean(0)
    slope = np.abs(np.roll(phi, -1, 0) - phi).max(0)
    return Record((height**2).mean(0), (height**3).mean(0), slope)


def structure_factor(phi: np.ndarray) -> np.ndarray:
    """Return S(k) = <|phi_k|^2> / L for k = 2 pi m / L, m = 1 ... L/2."""
    modes = np.abs(np.fft.rfft(phi.astype(np.float64), axis=0)) ** 2
    factor: np.ndarray = modes.mean(1)[1:] / len(phi)
    return factor


class Forces:
    """What moves the phases in a time step, in arrays that every step writes into."""

    def __init__(self, ring: Ring, phi: np.ndarray):
        k, dt = ring.coupling, ring.dt
        self.odd = phi.dtype.type(k * math.cos(ring.delta) * dt)
        self.even = phi.dtype.type(k * math.sin(ring.delta) * dt)
        self.drift = (ring.omega * dt - 2 * k * math.sin(ring.delta) * dt).astype(phi.dtype)
        self.kick = phi.dtype.type(math.sqrt(2 * ring.noise * dt))
        self.d, self.force, self.random = (np.empty_like(phi) for _ in range(3))

    def differences(self, phi: np.ndarray) -> None:
        """Put phi_{i+1} - phi_i into `d`."""
        np.subtract(phi[1:], phi[:-1], out=self.d[:-1])
        np.subtract(phi[0], phi[-1], out=self.d[-1])

    def push(self, phi: np.ndarray) -> None:
        """Add to phi, in place, what the differences of `d` make of one step without noise.

        K cos(delta) (sin d_i - sin d_{i-1}) + K sin(delta) (cos d_i + cos d_{i-1} - 2)
        """
        phi += self.drift
        np.sin(self.d, out=self.force)
        self.force *= self.odd
        phi += self.force
        phi[1:] -= self.force[:-1]
        phi[0] -= self.force[-1]
        if self.even:
            np.cos(self.d, out=self.force)
            self.force *= self.even
            phi += self.force
            phi[1:] += self.force[:-1]
            phi[0] += self.force[-1]

    def step(self, phi: np.ndarray, rng: np.random.Generator) -> None:
        """Advance phi in place."""
        self.differences(phi)
        self.push(phi)
        if self.kick:
            rng.standard_normal(dtype=phi.dtype, out=self.random)
            self.random *= self.kick
            phi += self.random
