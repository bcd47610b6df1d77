"""Reading a circuit from text or a file of any format that Qiskit knows, and keeping one as QPY."""

import io
from pathlib import Path

from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Barrier, Gate

from aqc.errors import InputError, UnsupportedGateError
from aqc.interop.qasm import from_qasm

_QPY_MAGIC = b"QISKIT"


def save_qpy(circuit: QuantumCircuit, path: Path | str) -> None:
    """Write a circuit as QPY, Qiskit's binary format, which keeps every bit.

    Args:
        circuit: Any circuit.
        path: The file to write.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_qpy(QuantumCircuit(2), Path(folder) / "circuit.qpy")
        ...     load_circuit(Path(folder) / "circuit.qpy").num_qubits
        2
    """
    with Path(path).open("wb") as file:
        qpy.dump(circuit, file)


def load_circuit(source: Path | str) -> QuantumCircuit:
    """Read a unitary circuit in OpenQASM 2, OpenQASM 3 or QPY, told apart by their first bytes.

    Args:
        source: The path of a file, or an OpenQASM program (a string that holds a semicolon).

    Returns:
        The circuit; barriers are kept.

    Raises:
        InputError: The file cannot be opened or the program cannot be read.
        UnsupportedGateError: The circuit measures, resets, branches, or has free parameters.

    Example:
        >>> load_circuit("OPENQASM 2.0; qreg q[2]; CX q[0],q[1];").count_ops()["cx"]
        1
    """
    circuit = (
        from_qasm(source) if isinstance(source, str) and ";" in source else _from_file(Path(source))
    )
    check_unitary(circuit)
    return circuit


def check_unitary(circuit: QuantumCircuit) -> None:
    """Refuse a circuit that is not a unitary matrix with numbers in it.

    Args:
        circuit: Any circuit.

    Raises:
        UnsupportedGateError: It measures, resets, branches, has free parameters, or holds a gate
            that nothing defines; the instruction is named.

    Example:
        >>> check_unitary(QuantumCircuit(2))
    """
    for number, step in enumerate(circuit.data):
        operation = step.operation
        if not isinstance(operation, Gate | Barrier):
            remedy = "; `remove_final_measurements` drops it" if step.name == "measure" else ""
            raise UnsupportedGateError(
                "A circuit must hold only unitary gates, but instruction "
                f"{number} is `{step.name}`{remedy}."
            )
        if operation.is_parameterized():
            raise UnsupportedGateError(
                "A circuit must have numbers for all its parameters, but instruction "
                f"{number}, `{step.name}`, holds {', '.join(map(str, operation.params))}; "
                "use `assign_parameters` first."
            )
        if isinstance(operation, Gate) and not _is_defined(operation):
            raise UnsupportedGateError(
                f"Every gate must have a definition, but instruction {number}, `{step.name}`, "
                "has none."
            )


def _is_defined(gate: Gate) -> bool:
    return hasattr(gate, "__array__") or gate.definition is not None


def _from_file(path: Path) -> QuantumCircuit:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"The circuit {path} cannot be opened: {error.strerror}.") from error
    if content.startswith(_QPY_MAGIC):
        return _from_qpy(content, path)
    try:
        return from_qasm(content.decode())
    except UnicodeDecodeError as error:
        raise InputError(
            f"A circuit must be OpenQASM or QPY, but {path} is neither text nor QPY."
        ) from error


def _from_qpy(content: bytes, path: Path) -> QuantumCircuit:
    try:
        circuits = qpy.load(io.BytesIO(content))
    except Exception as error:  # a damaged file makes the reader raise anything, struct.error too
        raise InputError(f"The QPY file {path} cannot be read: {error}.") from error
    if len(circuits) != 1:
        raise InputError(f"A QPY file must hold one circuit, but {path} holds {len(circuits)}.")
    return circuits[0]
