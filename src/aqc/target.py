"""The state to reach, as an MPS, and what was lost on the way to it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from aqc.checkpoint import load_arrays, save_arrays
from aqc.errors import InputError
from aqc.mps import MPS


@dataclass(frozen=True, eq=False)
class Target:
    """An evolved state as a normalized MPS.

    Attributes:
        mps: The state.
        truncation_angle: Bound, in radians, on the angle to the product formula's exact state.
        trotter_angle: Estimate, in radians, of the angle from there to exp(-iHt)|psi_0>.
        trotter_exact: Whether the product formula has no error, so that the bound is rigorous.
        discarded_weight: Sum of all squared weights cut off.
        steps: Number of product-formula steps (of fourth order, or 1 where any is exact).
        evolver: "native" or "quimb"; "circuit" or "state" where it was given as one.
        key: Tells which state it is: that of `aqc.problem.Problem.target_key`.
    """

    mps: MPS
    truncation_angle: float
    trotter_angle: float
    trotter_exact: bool
    discarded_weight: float = 0.0
    steps: int = 0
    evolver: str = "native"
    key: str = ""

    @property
    def infidelity_bound(self) -> float:
        """Bound on 1 - |<target|exp(-iHt) psi_0>|^2; an estimate unless `trotter_exact`."""
        return float(np.sin(min(np.pi / 2, self.truncation_angle + self.trotter_angle)) ** 2)

    def padded(self, num_qubits: int) -> "Target":
        """Return the target with idle qubits in |0> behind it, up to a number of qubits."""
        idle = np.array([1.0, 0.0], dtype=complex).reshape(1, 2, 1)
        extra = (idle,) * (num_qubits - self.mps.num_qubits)
        return replace(self, mps=MPS(self.mps.tensors + extra))

    def followed_by(self, later: "Target") -> "Target":
        """Return what was evolved from this target on, with the errors of both."""
        return replace(
            later,
            truncation_angle=self.truncation_angle + later.truncation_angle,
            trotter_angle=self.trotter_angle + later.trotter_angle,
            trotter_exact=self.trotter_exact and later.trotter_exact,
            discarded_weight=self.discarded_weight + later.discarded_weight,
            steps=self.steps + later.steps,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the target as named arrays, for a file."""
        numbers = [self.truncation_angle, self.trotter_angle, self.discarded_weight]
        return {
            "numbers": np.array(numbers),
            "steps": np.array([self.steps, int(self.trotter_exact)]),
            "evolver": np.array(self.evolver),
            "key": np.array(self.key),
        } | {f"site_{site}": tensor for site, tensor in enumerate(self.mps.tensors)}

    @classmethod
    def restored(cls, arrays: dict[str, np.ndarray]) -> "Target":
        """Return the target that gave these arrays."""
        truncation, trotter, weight = arrays["numbers"].tolist()
        steps, exact = arrays["steps"].tolist()
        sites = sum(name.startswith("site_") for name in arrays)
        mps = MPS(tuple(arrays[f"site_{site}"] for site in range(sites)))
        names = (str(arrays[name]) for name in ("evolver", "key"))
        return cls(mps, truncation, trotter, bool(exact), weight, steps, *names)

    def save(self, path: Path | str) -> None:
        """Write the target to an .npz file, to be used again with other ansaetze and goals.

        Args:
            path: Where to; replaced if it exists.
        """
        save_arrays(Path(path), self.arrays())

    @classmethod
    def load(cls, path: Path | str) -> "Target":
        """Read what `save` wrote.

        Raises:
            InputError: If the file cannot be read, or holds no target.

        Example:
            >>> import tempfile
            >>> target = Target(MPS.product(np.tile([1.0, 0.0], (3, 1))), 0.0, 0.0, True)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     target.save(Path(folder) / "target.npz")
            ...     Target.load(Path(folder) / "target.npz").mps.num_qubits
            3
        """
        arrays = load_arrays(Path(path))
        if not arrays.keys() >= {"numbers", "steps", "evolver", "key", "site_0"}:
            raise InputError(f"`{path}` must be a target written by aqc, but holds other arrays.")
        return cls.restored(arrays)
