"""Circuits kept on disk by the content of what was asked, and reasons why there is none."""

import hashlib
import io
import json
import logging
import os
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, cast

from aqc.qiskit_plugin.chains import Declined, Evolution
from aqc.qiskit_plugin.options import Options

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_LOG = logging.getLogger(__name__)
# Of what is kept: raised with every change of the circuits or their metadata.
_FORMAT = 1
# These do not change the circuit.
_APART = ("cache_dir", "timeout", "service")


class Cache:
    """What a directory holds for one evolution and its options.

    Args:
        directory: Where; None keeps nothing.
        evolution: What is asked for.
        options: How.
    """

    def __init__(self, directory: Path | None, evolution: Evolution, options: Options):
        asked = {k: v for k, v in asdict(options).items() if k not in _APART}
        content = [_FORMAT, version("aqc"), asdict(evolution), asked]
        key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        self._path = None if directory is None else directory / key

    def load(self) -> "QuantumCircuit | None":
        """Return the circuit, or None if it is not known.

        Raises:
            Declined: If it is known that there is none.
        """
        reason, content = self._read(".json"), self._read(".qpy")
        if reason is not None:
            raise Declined(json.loads(reason)["declined"])
        if content is None:
            return None
        from qiskit import qpy

        try:
            return cast("QuantumCircuit", qpy.load(io.BytesIO(content))[0])
        except Exception as error:  # noqa: BLE001  a damaged file is compiled again
            _LOG.warning("what is kept cannot be read (%s); compiled again", error)
            return None

    def keep(self, circuit: "QuantumCircuit") -> None:
        """Keep a circuit with its metadata."""
        from qiskit import qpy

        content = io.BytesIO()
        qpy.dump(circuit, content)
        self._write(".qpy", content.getvalue())

    def keep_reason(self, reason: str) -> None:
        """Keep why there is no circuit."""
        self._write(".json", json.dumps({"declined": reason}).encode())

    def _read(self, suffix: str) -> bytes | None:
        if self._path is None:
            return None
        try:
            return self._path.with_suffix(suffix).read_bytes()
        except OSError:
            return None

    def _write(self, suffix: str, content: bytes) -> None:
        """Write a file as a whole; a cache that cannot be written is none, and no failure."""
        if self._path is None:
            return
        directory = self._path.parent
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=directory, delete=False) as file:
                file.write(content)
            os.replace(file.name, self._path.with_suffix(suffix))
        except OSError as error:
            _LOG.warning("nothing is kept in %s: %s", directory, error.strerror)
