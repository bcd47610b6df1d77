"""What a problem names from outside, written into it: files, circuits, states, earlier results.

A problem stands for itself: it can be sent, hashed and run elsewhere. So the command line, the
client and the functions of Python put in place of

    target.circuit, initial_state.circuit   a file of OpenQASM or QPY, or a QuantumCircuit
    target.state                            an .npz file, a list of tensors, or a quimb MPS
    ansatz.start                            such a circuit, the directory of a result, or a result
    goal.device                             a backend of Qiskit, or its Target

the text or the bytes themselves; `Problem` takes nothing else.
"""

import base64
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aqc.checks import shown
from aqc.errors import InputError
from aqc.given import GivenCircuit, GivenState, RandomStart, read_circuit
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS
from aqc.problem import Problem
from aqc.settings import AnsatzSettings, DeviceSettings, TargetSettings

if TYPE_CHECKING:
    from qiskit.circuit.library import PauliEvolutionGate
    from qiskit.quantum_info import SparsePauliOp


def inline(problem: Mapping[str, Any], directory: Path = Path()) -> dict[str, Any]:
    """Return the fields of a problem with all that they name written into them.

    Args:
        problem: The fields of problem.json, or what Python may put in their place.
        directory: What the names of files are relative to.

    Returns:
        Fields for `Problem.from_dict`; `ansatz.layers` is that of a start, if it was left out.

    Raises:
        InputError: If a file cannot be read, or an object is none of these.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> written = inline({"target": {"circuit": QuantumCircuit(2)}})
        >>> print(written["target"]["circuit"]["qasm"], end="")
        OPENQASM 2.0;
        include "qelib1.inc";
        qreg q[2];
    """
    content = dict(problem)
    state = content.get("initial_state")
    if _is_qiskit(state):
        state = {"circuit": state}
    if isinstance(state, Mapping) and "circuit" in state:
        content["initial_state"] = state
        _replace(content, "initial_state", "circuit", lambda value: _circuit(value, directory))
    _replace(content, "target", "circuit", lambda value: _circuit(value, directory))
    _replace(content, "target", "state", lambda value: _state(value, directory))
    _replace(content, "ansatz", "start", lambda value: _start(value, directory))
    _fill_layers(content)
    _fill_device(content)
    return content


def as_problem(
    hamiltonian: "Hamiltonian | SparsePauliOp | PauliEvolutionGate | dict[str, Any]",
    time: float | None = None,
    **settings: Any,
) -> Problem:
    """Return the problem that the arguments of `compile_evolution` ask for.

    Args:
        hamiltonian: A chain or lattice, in any of the forms that name one.
        time: Left out for a PauliEvolutionGate, which has its own.
        **settings: The other fields of problem.json.

    Raises:
        InputError: If the problem is refused.

    Example:
        >>> as_problem({"model": "xxz_chain", "num_qubits": 6}, 0.5).num_qubits
        6
    """
    if not isinstance(hamiltonian, Hamiltonian | dict):
        from aqc.interop.qiskit import hamiltonian_from_qiskit

        hamiltonian, own_time = hamiltonian_from_qiskit(hamiltonian)
        if own_time is not None:
            if time is not None:
                raise InputError(
                    f"`time` must be left out for a PauliEvolutionGate, which has its own "
                    f"({own_time}), but is {time}."
                )
            time = own_time
    if time is None:
        raise InputError("`time` must be given for a Hamiltonian, but is missing.", "/time")
    return Problem.from_dict(inline({"hamiltonian": hamiltonian, "time": time, **settings}))


def _replace(content: dict[str, Any], group: str, name: str, write: Callable[[Any], Any]) -> None:
    fields = content.get(group)
    if isinstance(fields, TargetSettings | AnsatzSettings):
        return  # checked already
    if not isinstance(fields, Mapping) or fields.get(name) is None:
        return
    try:
        content[group] = {**fields, name: write(fields[name])}
    except InputError as error:
        raise type(error)(str(error), error.pointer or f"/{group}/{name}") from None


def _fill_device(content: dict[str, Any]) -> None:
    """Write a device's numbers in its place, and its gate and coupling map where none are given."""
    goal = content.get("goal")
    if not isinstance(goal, Mapping) or isinstance(goal.get("device"), Mapping | DeviceSettings):
        return
    if (device := goal.get("device")) is None:
        return
    from qiskit.providers import BackendV2
    from qiskit.transpiler import Target

    from aqc.interop.devices import device_of

    if not isinstance(device, BackendV2 | Target):
        raise InputError(
            f"`goal.device` must be a Qiskit backend, a Target or the fields of a device, but is "
            f"{shown(device)}.",
            "/goal/device",
        )
    found = device_of(device)
    content["goal"] = {**goal, "device": found["device"]}
    given = content.get("circuit", {})
    if isinstance(given, Mapping):
        if "coupling_map" in given:  # its pairs have no errors
            found["circuit"].pop("errors", None)
        content["circuit"] = {**found["circuit"], **given}


def _fill_layers(content: dict[str, Any]) -> None:
    ansatz = content.get("ansatz")
    if not isinstance(ansatz, Mapping) or "layers" in ansatz:
        return
    start = ansatz.get("start")
    if isinstance(start, GivenCircuit) or (isinstance(start, Mapping) and "qasm" in start):
        from aqc.interop.circuits import ansatz_of

        given = read_circuit(start, "/ansatz/start")
        layers = ansatz_of(given, "`ansatz.start`").layers
        content["ansatz"] = {**ansatz, "layers": layers}


def _circuit(value: Any, directory: Path) -> Any:
    if isinstance(value, Mapping | GivenCircuit):
        return value
    if isinstance(value, str | Path):
        from aqc.interop.circuits import read_text

        return {"qasm": read_text(directory / value)}
    if _is_qiskit(value):
        from aqc.interop.circuits import to_text

        return {"qasm": to_text(value)}
    raise InputError(
        "A circuit must be a QuantumCircuit, the name of a file with OpenQASM or QPY, or "
        f'{{"qasm": text}}, but is {shown(value)}.'
    )


def _state(value: Any, directory: Path) -> Any:
    if isinstance(value, Mapping | GivenState):
        return value
    if isinstance(value, str | Path):
        return {"npz": _base64(_read(directory / value))}
    if type(value).__module__.partition(".")[0] == "quimb":
        from aqc.interop.quimb import from_quimb

        value = from_quimb(value)
    tensors = value.tensors if isinstance(value, MPS) else value
    if not isinstance(tensors, Sequence) or not all(hasattr(t, "shape") for t in tensors):
        raise InputError(
            "A state must be a quimb MatrixProductState, a list of arrays with the legs (left "
            'bond, qubit, right bond), the name of an .npz file of such arrays, or {"npz": '
            f"base64}}, but is {shown(value)}."
        )
    packed = io.BytesIO()
    np.savez(packed, *tensors)
    return {"npz": _base64(packed.getvalue())}


def _start(value: Any, directory: Path) -> Any:
    if isinstance(value, Mapping | GivenCircuit | RandomStart):
        return value
    if isinstance(value, str | Path) and (directory / value).is_dir():
        from aqc.interop.files import load_circuit

        result = _read(directory / value / "result.json")
        circuit = load_circuit(directory / value / "circuit.qpy")
        return _on_chain(circuit, json.loads(result)["layout"], directory)
    if hasattr(value, "circuit") and hasattr(value, "layout"):  # a CompileResult
        return _on_chain(value.circuit, value.layout, directory)
    return _circuit(value, directory)


def _on_chain(circuit: Any, layout: Sequence[int] | None, directory: Path) -> Any:
    """A result's circuit with qubit i at site i."""
    if layout is not None:
        from aqc.interop.routing import chain_circuit

        circuit = chain_circuit(circuit, tuple(layout))
    return _circuit(circuit, directory)


def _is_qiskit(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "qiskit" and hasattr(value, "data")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"The file {path} cannot be read: {error.strerror}.") from error


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
