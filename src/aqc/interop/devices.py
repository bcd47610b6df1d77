"""What Qiskit knows of a device's noise, in a few numbers."""

from statistics import median
from typing import Any

from qiskit.providers import BackendV2
from qiskit.transpiler import Target

from aqc.errors import InputError

# In the order in which they are taken where a device has several.
_TWO_QUBIT = ("cz", "ecr", "cx", "rzz", "iswap")
_ONE_QUBIT = ("sx", "x", "u", "u3")


def device_of(device: BackendV2 | Target) -> dict[str, Any]:
    """Return `goal.device` and `circuit` of a problem for a device of Qiskit.

    Medians over all qubits and pairs stand for the device. A one-qubit gate counts as two sx pulses
    where the device runs sx: any gate is two of them between virtual rotations.

    Args:
        device: A backend, or its Target.

    Returns:
        {"device": {...}, "circuit": {"basis": ..., "coupling_map": [...]}}.

    Raises:
        InputError: If the device has no two-qubit gate that a circuit can be written in, or does
            not say what its errors are.

    Example:
        >>> from qiskit.providers.fake_provider import GenericBackendV2
        >>> found = device_of(GenericBackendV2(3, ["cx", "sx", "rz"], seed=1))
        >>> found["circuit"]["basis"], 0 < found["device"]["two_qubit_error"] < 0.1
        ('cx', True)
    """
    target = device.target if isinstance(device, BackendV2) else device
    basis = next((name for name in _TWO_QUBIT if name in target.operation_names), None)
    if basis is None:
        raise InputError(
            f"`goal.device` must run one of {', '.join(_TWO_QUBIT)}, but runs "
            f"{', '.join(sorted(target.operation_names))}."
        )
    single = next((name for name in _ONE_QUBIT if name in target.operation_names), None)
    error = _median(target, basis, "error")
    if error is None:
        raise InputError(f"`goal.device` must know the error of its gate {basis}, but does not.")
    pulses = 2 if single in ("sx", "x") else 1
    fields = {
        "two_qubit_error": error,
        "one_qubit_error": _times(pulses, _median(target, single, "error")),
        "readout_error": _median(target, "measure", "error"),
        "two_qubit_duration": _median(target, basis, "duration"),
        "one_qubit_duration": _times(pulses, _median(target, single, "duration")),
    }
    properties = [entry for entry in target.qubit_properties or () if entry is not None]
    t1 = [entry.t1 for entry in properties if entry.t1]
    t2 = [entry.t2 for entry in properties if entry.t2]
    if t1 and t2 and fields["two_qubit_duration"]:
        fields |= {"t1": median(t1), "t2": min(median(t2), 2 * median(t1))}
    pairs = target.build_coupling_map()
    circuit: dict[str, Any] = {"basis": basis}
    if pairs is not None:
        edges = [tuple(pair) for pair in pairs.get_edges()]
        circuit["coupling_map"] = [list(pair) for pair in edges]
        known = {pair: getattr(entry, "error", None) for pair, entry in target[basis].items()}
        # What is not known is avoided.
        given = [known.get(pair, known.get(pair[::-1])) for pair in edges]
        circuit["errors"] = [1.0 if found is None else min(found, 1.0) for found in given]
    return {
        "device": {name: value for name, value in fields.items() if value is not None},
        "circuit": circuit,
    }


def _median(target: Target, gate: str | None, what: str) -> float | None:
    if gate is None or gate not in target.operation_names:
        return None
    found = [getattr(entry, what) for entry in target[gate].values() if entry is not None]
    values = [value for value in found if value is not None]
    return median(values) if values else None


def _times(count: int, value: float | None) -> float | None:
    return None if value is None else count * value
