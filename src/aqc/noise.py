"""What a device's noise leaves of a circuit's state: a prediction, gate by gate.

To first order every error acts alone. One with Kraus operators K at some moment leaves

    F = sum_K |tr(rho K)|^2

of the fidelity, rho the density matrix at that moment of the qubits it acts on: all later gates are
unitary and leave the overlap as it is. For depolarizing noise with average gate error e this is

    1 - F = e (4 - 2 tr rho^2) / 2  on one qubit,      1 - F = e (16 - 4 tr rho^2) / 12  on two.

The factors are multiplied. Errors that undo each other are not counted, so that the truth is rather
better than predicted.
"""

from collections.abc import Iterator

import numpy as np

from aqc.circuit import Circuit
from aqc.mps import MPS, Sweep
from aqc.observables import bond_densities
from aqc.settings import DeviceSettings
from aqc.simulate import between_neighbors, sweeps
from aqc.threads import one_blas_thread

# A prediction within a few percent needs no finer state.
_ANGLE_PER_SWEEP, _MAX_BOND = 0.02, 48
_ZERO = np.array([1.0, 0.0], dtype=complex)


@one_blas_thread()
def noise_fidelity(circuit: Circuit, device: DeviceSettings) -> float:
    """Return the predicted fidelity of a circuit's noisy state with its state without noise.

    Args:
        circuit: In the gates that the device runs, acting on |0...0>; every one-qubit gate is one
            pulse, and every gate starts as soon as its qubits are free.
        device: Errors, coherence times and durations.

    Returns:
        The fidelity, without the errors of readout.

    Example:
        >>> from aqc.circuit import Gate
        >>> from aqc.gates import CX
        >>> bell = Circuit(2, (Gate((0,), np.array([[1, 1], [1, -1]]) / 2**0.5), Gate((0, 1), CX)))
        >>> round(noise_fidelity(bell, DeviceSettings(two_qubit_error=0.01)), 12)
        0.99
    """
    plan = _Schedule(circuit, device)
    sweep = Sweep(MPS.product(np.tile(_ZERO, (circuit.num_qubits, 1))), record=True)
    log_fidelity = 0.0
    for numbers in sweeps(circuit.num_qubits, plan.steps):
        matrices = {bond: plan.matrices[number] for bond, number in numbers.items()}
        sweep.apply_along(matrices, _ANGLE_PER_SWEEP, _MAX_BOND)
        for bond, number in numbers.items():
            density = sweep.densities[bond]
            if plan.is_noisy[number]:
                log_fidelity += np.log1p(-_two_qubit_loss(density, device.two_qubit_error))
            log_fidelity += _local(plan.locals[number], density, device)
    if circuit.num_qubits > 1:
        densities = bond_densities(sweep.state)
        for site, events in plan.trailing():
            left = min(site, circuit.num_qubits - 2)
            pair = (events, _NOTHING) if site == left else (_NOTHING, events)
            log_fidelity += _local(pair, densities[left], device)
    return float(np.exp(log_fidelity))


def readout_fidelity(num_qubits: int, device: DeviceSettings) -> float:
    """Return the probability that no qubit is read out wrongly.

    Example:
        >>> round(readout_fidelity(2, DeviceSettings(two_qubit_error=0.0, readout_error=0.1)), 12)
        0.81
    """
    return float((1 - device.readout_error) ** num_qubits)


# Of one qubit before a gate: how many one-qubit gates, and how long it waits, in seconds.
_Events = tuple[int, float]
_NOTHING: _Events = (0, 0.0)


class _Schedule:
    """The circuit as matrices on bonds, and what happens to each qubit in front of each."""

    def __init__(self, circuit: Circuit, device: DeviceSettings):
        self.steps: list[tuple[int, int]] = []  # bond and number of the matrix
        self.matrices: list[np.ndarray] = []
        self.is_noisy: list[bool] = []
        self.locals: list[tuple[_Events, _Events]] = []
        self._clock = [0.0] * circuit.num_qubits
        self._pulses = [0] * circuit.num_qubits
        self._begun = [False] * circuit.num_qubits
        turns = [np.eye(2, dtype=complex)] * circuit.num_qubits
        for gate in circuit.gates:
            if len(gate.qubits) == 1:
                (site,) = gate.qubits
                turns[site] = gate.matrix @ turns[site]
                self._pulses[site] += 1
                self._clock[site] += device.one_qubit_duration
                self._begun[site] = True
                continue
            begin = max(self._clock[site] for site in gate.qubits)
            before = {site: self._take(site, begin) for site in gate.qubits}
            # Between distant qubits a gate has ideal swaps on both sides.
            pieces = between_neighbors(gate)
            for position, ((bond, right), matrix) in enumerate(pieces):
                self.steps.append((bond, len(self.matrices)))
                self.matrices.append(matrix @ np.kron(turns[bond], turns[right]))
                turns[bond] = turns[right] = np.eye(2, dtype=complex)
                self.is_noisy.append(position == len(pieces) // 2)
                self.locals.append((before.pop(bond, _NOTHING), before.pop(right, _NOTHING)))
            for site in gate.qubits:
                self._clock[site] = begin + device.two_qubit_duration
                self._begun[site] = True

    def trailing(self) -> Iterator[tuple[int, _Events]]:
        """Yield each qubit and what happens to it after its last gate on two qubits."""
        end = max(self._clock, default=0.0)
        for site in range(len(self._clock)):
            yield site, self._take(site, end)

    def _take(self, site: int, until: float) -> _Events:
        """Return the pulses and the waiting so far; a qubit still in its first |0> waits well."""
        waited = until - self._clock[site] if self._begun[site] else 0.0
        pulses, self._pulses[site] = self._pulses[site], 0
        return pulses, waited


def _local(events: tuple[_Events, _Events], density: np.ndarray, device: DeviceSettings) -> float:
    """Return the logarithm of what one-qubit gates and waiting leave, on both qubits of a bond."""
    legs = density.reshape(2, 2, 2, 2)
    total = 0.0
    for (pulses, waited), rho in zip(
        events, (np.einsum("ikjk->ij", legs), np.einsum("kikj->ij", legs)), strict=True
    ):
        purity = float(np.vdot(rho, rho).real)
        total += pulses * np.log1p(-device.one_qubit_error * (4 - 2 * purity) / 2)
        if waited > 0 and device.t1 is not None and device.t2 is not None:
            total += np.log(_waiting_fidelity(rho, waited, device.t1, device.t2))
    return total


def _two_qubit_loss(density: np.ndarray, error: float) -> float:
    return error * (16 - 4 * float(np.vdot(density, density).real)) / 12


def _waiting_fidelity(rho: np.ndarray, seconds: float, t1: float, t2: float) -> float:
    """Return sum_K |tr(rho K)|^2 of relaxation to |0> and dephasing."""
    decay = -np.expm1(-seconds / t1)
    # exp(-t/T2) = sqrt(1 - decay) (1 - 2 p)
    flip = 0.5 * (1 - np.exp(-seconds / t2 + 0.5 * seconds / t1))
    stay = np.diag([1.0, np.sqrt(1 - decay)])
    fall = np.sqrt(decay) * np.array([[0.0, 1.0], [0.0, 0.0]])
    z = np.diag([1.0, -1.0])
    kraus = [np.sqrt(1 - flip) * k for k in (stay, fall)] + [
        np.sqrt(flip) * z @ k for k in (stay, fall)
    ]
    return float(sum(abs(np.trace(rho @ k)) ** 2 for k in kraus))
