"""What a problem may bring along: a circuit as OpenQASM text, a state as an .npz file in base64.

Only what is quick and safe to check is checked here, whoever sent it: no program is parsed, no
array is unpacked. That is done where the compile runs.
"""

import base64
import binascii
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from aqc.checks import integer, shown
from aqc.errors import InputError

_MOST_QUBITS = 100_000
_MOST_STARTS = 64
_VERSION = re.compile(r"\s*OPENQASM\s+[23](\.\d+)?\s*;")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_REGISTER = re.compile(r"\bqreg\s+\w+\s*\[([^\]]*)\]|\bqubit\s*(?:\[([^\]]*)\])?\s*\w+\s*;")


@dataclass(frozen=True)
class GivenCircuit:
    """A circuit on |0...0>, as text.

    Attributes:
        qasm: OpenQASM 2 or 3.
        num_qubits: Number of qubits that the program declares.
    """

    qasm: str = field(repr=False)
    num_qubits: int = field(compare=False)


@dataclass(frozen=True)
class GivenState:
    """A matrix product state, as a file.

    Attributes:
        npz: What `np.savez(file, *tensors)` writes, in base64; tensors have the legs (left bond,
            qubit, right bond).
        shapes: The tensors' shapes.
    """

    npz: str = field(repr=False)
    shapes: tuple[tuple[int, ...], ...] = field(compare=False, repr=False)

    @property
    def num_qubits(self) -> int:
        """Number of sites."""
        return len(self.shapes)

    @property
    def max_bond(self) -> int:
        """Largest bond dimension."""
        return max(shape[2] for shape in self.shapes)

    @cached_property
    def tensors(self) -> list[np.ndarray]:
        """The tensors, unpacked."""
        with np.load(io.BytesIO(base64.b64decode(self.npz)), allow_pickle=False) as arrays:
            return [np.asarray(arrays[f"arr_{j}"], dtype=complex) for j in range(self.num_qubits)]


@dataclass(frozen=True)
class RandomStart:
    """Blocks drawn from the Haar measure.

    Attributes:
        random: Seed.
        starts: How many are drawn; the one that gets on best is gone on with.
    """

    random: int
    starts: int = 1


def read_circuit(value: Any, pointer: str) -> GivenCircuit:
    """Read {"qasm": text}.

    Args:
        value: The object, or a circuit that was read before.
        pointer: Where it stands in the problem.

    Raises:
        InputError: It has another form, or is no OpenQASM.

    Example:
        >>> read_circuit({"qasm": "OPENQASM 3.0; qubit[3] q;"}, "/target/circuit").num_qubits
        3
    """
    if isinstance(value, GivenCircuit):
        return value
    text = _only_field(value, "qasm", pointer)
    code = _COMMENT.sub(" ", text)
    if not _VERSION.match(code):
        raise InputError(
            f"{_name(pointer)} must begin with `OPENQASM 2.0;` or `OPENQASM 3.0;`, but begins "
            f"with {shown(text[:40])}.",
            f"{pointer}/qasm",
        )
    return GivenCircuit(text, _count_qubits(code, pointer))


def read_state(value: Any, pointer: str) -> GivenState:
    """Read {"npz": base64}.

    Args:
        value: The object, or a state that was read before.
        pointer: Where it stands in the problem.

    Raises:
        InputError: It has another form, or the file holds something else than tensors that fit.
    """
    if isinstance(value, GivenState):
        return value
    text = _only_field(value, "npz", pointer)
    at = f"{pointer}/npz"
    try:
        content = base64.b64decode(text, validate=True)
        shapes = _shapes(content)
    except _UNREADABLE as error:
        raise InputError(
            f"{_name(pointer)} must hold what np.savez(file, *tensors) writes, in base64, but "
            f"cannot be read: {error}.",
            at,
        ) from None
    check_shapes(shapes, _name(pointer), at)
    return GivenState(text, shapes)


def check_shapes(shapes: tuple[tuple[int, ...], ...], name: str, pointer: str = "") -> None:
    """Refuse shapes that are not those of a matrix product state of qubits with open ends.

    Raises:
        InputError: Fewer than two sites, not three legs, no qubit, or bonds that do not fit.
    """
    if not 2 <= len(shapes) <= _MOST_QUBITS:
        raise InputError(
            f"{name} must have 2 to {_MOST_QUBITS} tensors, one for each qubit, but has "
            f"{len(shapes)}.",
            pointer,
        )
    left = 1
    for site, shape in enumerate(shapes):
        if len(shape) != 3 or shape[:2] != (left, 2) or shape[2] < 1:
            raise InputError(
                f"{name} must have tensors of shape (left bond, 2, right bond), here ({left}, 2, "
                f"...), but that of site {site} has shape {shape}.",
                pointer,
            )
        left = shape[2]
    if left != 1:
        raise InputError(f"{name} must end with a bond of size 1, but ends with {left}.", pointer)


def read_start(value: Any) -> GivenCircuit | RandomStart | None:
    """Read `ansatz.start`: null, {"random": seed, "starts": number} or {"qasm": text}.

    Raises:
        InputError: It has another form.

    Example:
        >>> read_start({"random": 7})
        RandomStart(random=7, starts=1)
    """
    pointer = "/ansatz/start"
    if value is None or isinstance(value, GivenCircuit | RandomStart):
        return value
    if isinstance(value, Mapping) and "random" in value and set(value) <= {"random", "starts"}:
        seed, starts = value["random"], value.get("starts", 1)
        if type(seed) is not int or not 0 <= seed < 2**32:
            raise InputError(
                f"`ansatz.start.random` must be a seed from 0 to {2**32 - 1}, but is "
                f"{shown(seed)}.",
                f"{pointer}/random",
            )
        name, at = "`ansatz.start.starts`", f"{pointer}/starts"
        return RandomStart(seed, integer(starts, name, at, least=1, most=_MOST_STARTS))
    return read_circuit(value, pointer)


def to_json(value: GivenCircuit | GivenState | RandomStart | None) -> dict[str, Any] | None:
    """Return what was given as JSON holds it."""
    match value:
        case GivenCircuit():
            return {"qasm": value.qasm}
        case GivenState():
            return {"npz": value.npz}
        case RandomStart():
            several = {"starts": value.starts} if value.starts > 1 else {}
            return {"random": value.random, **several}
    return None


def _name(pointer: str) -> str:
    return f"`{pointer[1:].replace('/', '.')}`"


def _only_field(value: Any, name: Literal["qasm", "npz"], pointer: str) -> str:
    """Return the text in {name: text}."""
    if isinstance(value, str):
        raise InputError(
            f'{_name(pointer)} must hold the content itself, {{"{name}": ...}}, but is '
            f"{shown(value)}; files are read only by the command line and from Python.",
            pointer,
        )
    if not isinstance(value, Mapping) or set(value) != {name} or not isinstance(value[name], str):
        raise InputError(
            f'{_name(pointer)} must be {{"{name}": text}}, but is {shown(value)}.', pointer
        )
    return str(value[name])


def _count_qubits(code: str, pointer: str) -> int:
    at = f"{pointer}/qasm"
    total = 0
    for sizes in _REGISTER.findall(code):
        size = "".join(sizes).strip() or "1"
        if not re.fullmatch(r"\d{1,7}", size):
            raise InputError(
                f"{_name(pointer)} must give the size of each register as a number, but gives "
                f"{shown(size)}.",
                at,
            )
        total += int(size)
    if not 2 <= total <= _MOST_QUBITS:
        raise InputError(
            f"{_name(pointer)} must have 2 to {_MOST_QUBITS} qubits, but has {total}.", at
        )
    return total


def _shapes(content: bytes) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of arr_0, arr_1, ... from the heads of the arrays."""
    shapes = []
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for number in range(len(archive.namelist())):
            with archive.open(f"arr_{number}.npy") as file:
                version = np.lib.format.read_magic(file)
                read = _HEADERS.get(version)
                if read is None:
                    raise ValueError(f"array {number} is in another version of the format")
                shape, _, dtype = read(file)
            if dtype.kind not in "iufc":
                raise ValueError(f"array {number} does not hold numbers")
            shapes.append(tuple(shape))
    return tuple(shapes)


# What the readers of base64, zip and npy raise for damaged input.
_UNREADABLE = (
    binascii.Error,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    RuntimeError,
    ValueError,
)
_HEADERS: dict[tuple[int, int], Callable[..., Any]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

_QASM_FORM: dict[str, Any] = {
    "type": "object",
    "properties": {"qasm": {"type": "string", "description": "OpenQASM 2 or 3."}},
    "required": ["qasm"],
    "additionalProperties": False,
}
CIRCUIT_SCHEMA: dict[str, Any] = {
    **_QASM_FORM,
    "description": "A circuit on |0...0>, any gates that are unitary.",
}
STATE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"npz": {"type": "string", "contentEncoding": "base64"}},
    "required": ["npz"],
    "additionalProperties": False,
    "description": "A matrix product state: what np.savez(file, *tensors) writes, in base64; "
    "the tensors have the legs (left bond, qubit, right bond).",
}
START_SCHEMA: dict[str, Any] = {
    "oneOf": [
        {"type": "null"},
        {
            **_QASM_FORM,
            "description": "A brickwork circuit on |0...0>, whose blocks are where it starts.",
        },
        {
            "type": "object",
            "properties": {
                "random": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
                "starts": {"type": "integer", "minimum": 1, "maximum": _MOST_STARTS},
            },
            "required": ["random"],
            "additionalProperties": False,
            "description": "Random blocks (Haar measure) from this seed; of several starts the "
            "one that gets on best is gone on with.",
        },
    ]
}
