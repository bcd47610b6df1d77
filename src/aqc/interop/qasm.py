"""Circuits as OpenQASM text: written with every digit, read back from versions 2 and 3.

Qiskit's own writers turn angles near to a fraction of pi into that fraction, and its OpenQASM 2
writer uses gates that its own reader refuses.
"""

import contextlib
import io
import re

from qiskit import QuantumCircuit, qasm2, qasm3
from qiskit.circuit.library import ECRGate, iSwapGate
from qiskit.exceptions import MissingOptionalLibraryError

from aqc.errors import InputError, UnsupportedGateError

_ECR = "gate ecr a, b {{ s a; {rx_quarter} b; cx a, b; x a; }}"
_ISWAP = "gate iswap a, b { s a; s b; h a; cx a, b; cx b, a; h b; }"
_RZZ = "gate rzz(theta) a, b {{ cx a, b; {rz}(theta) b; cx a, b; }}"

# The names of gates in each language, and the definitions of those that it does not know.
_NAMES_2 = {"u": "u3", "u3": "u3", "cx": "cx", "cz": "cz", "ecr": "ecr", "rzz": "rzz"}
_NAMES_2 |= {"iswap": "iswap"}
_NAMES_3 = _NAMES_2 | {"u": "U"}
_DEFINITIONS_2 = {
    "ecr": _ECR.format(rx_quarter="u3(pi/2, -pi/2, pi/2)"),
    "iswap": _ISWAP,
    "rzz": _RZZ.format(rz="u1"),
}
_DEFINITIONS_3 = {
    "ecr": _ECR.format(rx_quarter="sx"),
    "iswap": _ISWAP,
    "rzz": _RZZ.format(rz="rz"),
}


def to_qasm2(circuit: QuantumCircuit) -> str:
    """Write a circuit of u, cx, cz, ecr, iswap and rzz gates in OpenQASM 2.

    One-qubit gates are written as u3, and gates that the standard header lacks are defined in
    the text, so that any reader of the language takes it. The global phase is left out.

    Args:
        circuit: As `synthesize` makes it.

    Returns:
        The text; angles have all the digits of a double.

    Raises:
        UnsupportedGateError: The circuit holds another instruction.

    Example:
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.u(0.1, 0.2, 0.3, 1), circuit.cx(0, 1)
        >>> print(to_qasm2(circuit), end="")
        OPENQASM 2.0;
        include "qelib1.inc";
        qreg q[2];
        u3(0.1,0.2,0.3) q[1];
        cx q[0],q[1];
    """
    head = ["OPENQASM 2.0;", 'include "qelib1.inc";']
    register = f"qreg q[{circuit.num_qubits}];"
    return _text(circuit, head, register, _NAMES_2, _DEFINITIONS_2)


def to_qasm3(circuit: QuantumCircuit) -> str:
    """Write a circuit of u, cx, cz, ecr, iswap and rzz gates in OpenQASM 3.

    Args:
        circuit: As `synthesize` makes it.

    Returns:
        The text; angles have all the digits of a double, the global phase is left out.

    Raises:
        UnsupportedGateError: The circuit holds another instruction.

    Example:
        >>> circuit = QuantumCircuit(1)
        >>> _ = circuit.u(0.1, 0.2, 0.3, 0)
        >>> print(to_qasm3(circuit), end="")
        OPENQASM 3.0;
        include "stdgates.inc";
        qubit[1] q;
        U(0.1,0.2,0.3) q[0];
    """
    head = ["OPENQASM 3.0;", 'include "stdgates.inc";']
    register = f"qubit[{circuit.num_qubits}] q;"
    return _text(circuit, head, register, _NAMES_3, _DEFINITIONS_3)


def from_qasm(text: str) -> QuantumCircuit:
    """Read OpenQASM 2 or 3; the version is the one that the text declares.

    Args:
        text: A program that begins with OPENQASM 2.0 or OPENQASM 3.0.

    Returns:
        The circuit.

    Raises:
        InputError: No version is declared, another file is included, or the program has an error.

    Example:
        >>> from_qasm("OPENQASM 3.0; qubit q; U(0.1, 0.2, 0.3) q;").count_ops()["u"]
        1
    """
    code = re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)
    version = re.match(r"\s*OPENQASM\s+([23])(\.\d+)?\s*;", code)
    if version is None:
        raise InputError("A circuit must begin with `OPENQASM 2.0;` or `OPENQASM 3.0;`.")
    # An include reads any file of this machine, and the error message shows some of it.
    for name in re.findall(r"""\binclude\s*["']([^"']*)["']""", code):
        if name not in ("qelib1.inc", "stdgates.inc"):
            raise InputError(
                "A program may include only qelib1.inc or stdgates.inc, but includes "
                f"{name!r}; write the definitions into the program itself."
            )
    return {"2": _read_2, "3": _read_3}[version[1]](text)


def _text(
    circuit: QuantumCircuit,
    head: list[str],
    register: str,
    names: dict[str, str],
    definitions: dict[str, str],
) -> str:
    index = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    body = []
    used = set()
    for instruction in circuit.data:
        name = instruction.name
        if name not in names:
            raise UnsupportedGateError(
                f"OpenQASM is written for the gates {', '.join(names)}, but the circuit holds "
                f"`{name}`; transpile it with basis_gates=['u', 'cx'] first."
            )
        used.add(name)
        angles = ",".join(map(number, instruction.params))
        qubits = ",".join(f"q[{index[qubit]}]" for qubit in instruction.qubits)
        body.append(f"{names[name]}{f'({angles})' if angles else ''} {qubits};")
    header = [definition for name, definition in definitions.items() if name in used]
    return "\n".join([*head, *header, register, *body]) + "\n"


def number(angle: float) -> str:
    """Return the shortest decimal that reads back as the same double, always with a point."""
    digits = repr(float(angle))
    # The letter of OpenQASM 2 asks for a decimal point, which Python leaves out of 1e-05.
    return digits if "." in digits else digits.replace("e", ".0e")


def _read_2(text: str) -> QuantumCircuit:
    own = (
        qasm2.CustomInstruction("ecr", 0, 2, ECRGate, builtin=True),
        qasm2.CustomInstruction("iswap", 0, 2, iSwapGate, builtin=True),
    )
    try:
        return qasm2.loads(
            text,
            include_path=qasm2.LEGACY_INCLUDE_PATH,
            custom_instructions=(*qasm2.LEGACY_CUSTOM_INSTRUCTIONS, *own),
            custom_classical=qasm2.LEGACY_CUSTOM_CLASSICAL,
        )
    except qasm2.QASM2ParseError as error:
        raise InputError(f"The OpenQASM 2 program cannot be read: {error.message}.") from error


def _read_3(text: str) -> QuantumCircuit:
    # The parser writes syntax errors to stderr and raises an exception without a message.
    complaints = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaints):
            return qasm3.loads(text)
    except MissingOptionalLibraryError:
        raise
    except Exception as error:  # a bad program makes it raise anything, ZeroDivisionError too
        reason = complaints.getvalue().strip() or getattr(error, "message", str(error))
        raise InputError(f"The OpenQASM 3 program cannot be read: {reason}.") from error
