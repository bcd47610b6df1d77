"""The options of the plugin, checked before any work."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from aqc.checks import integer, nearest, real_number, shown
from aqc.errors import InputError

_LOG = logging.getLogger(__name__)
_TOLERANCE = 1e-4
QISKITS_OWN = {
    "hls_data",
    "input_qubits",
    "num_clean_ancillas",
    "num_dirty_ancillas",
    "optimization_level",
    "optimization_metric",
    "qubit_tracker",
}
"""What Qiskit 2.x adds to every call."""


@dataclass(frozen=True)
class Options:
    """What an HLSConfig may say to "aqctensor".

    Attributes:
        tolerance: Largest process infidelity, bounded by the certificate; 1e-4 where neither it nor
            `layers` is given; None takes whatever `layers` reach.
        layers: Number of brick layers, or None for the fewest within the tolerance.
        block: Kind of two-qubit block, as `ansatz.block` in problem.json.
        max_bond: Largest bond dimension of the target.
        timeout: Seconds after which the compile is given up.
        cache_dir: Where circuits are kept; None keeps none.
        seed: Seed of all that is random.
        service: Address of a running service that is to compile, such as "http://127.0.0.1:8765".
    """

    tolerance: float | None = _TOLERANCE
    layers: int | None = None
    block: str = "auto"
    max_bond: int = 256
    timeout: float = 300.0
    cache_dir: Path | None = None
    seed: int = 0
    service: str | None = None

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> "Options":
        """Return the options among all that Qiskit passes on.

        Raises:
            InputError: If a value is refused.

        Example:
            >>> Options.read({"layers": 5, "cache_dir": None}).tolerance is None
            True
        """
        known = {field.name for field in fields(cls)}
        for name in options.keys() - known - QISKITS_OWN:
            _LOG.warning("unknown option `%s` of aqctensor%s", name, nearest(name, known))
        given = {name: value for name, value in options.items() if name in known}
        layers = given.get("layers")
        tolerance = given.get("tolerance", None if layers is not None else _TOLERANCE)
        if layers is None and tolerance is None:
            raise InputError("`tolerance` must be a number unless `layers` is given, but is None.")
        cache = given.get("cache_dir", default_cache())
        service = given.get("service")
        if service is not None and not isinstance(service, str):
            raise InputError(f"`service` must be an address, but is {shown(service)}.")
        return cls(
            tolerance=None if tolerance is None else _between(tolerance, "tolerance", 0.0, 1.0),
            layers=None if layers is None else integer(layers, "`layers`", "", least=1, most=10**4),
            block=str(given.get("block", "auto")),
            max_bond=integer(given.get("max_bond", 256), "`max_bond`", "", least=2, most=65536),
            timeout=_between(given.get("timeout", 300.0), "timeout", 0.0, 1e9),
            cache_dir=Path(cache) if cache else None,
            seed=integer(given.get("seed", 0), "`seed`", "", least=0, most=2**32 - 1),
            service=service,
        )


def default_cache() -> Path:
    """Return the directory of the user's caches that circuits are kept in."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "aqc" / "evolutions"


def _between(value: Any, name: str, low: float, high: float) -> float:
    number = real_number(value, f"`{name}`")
    if not low < number < high:
        raise InputError(f"`{name}` must be between {low:g} and {high:g}, but is {number:g}.")
    return number
