"""What the page offers to start from: problems that compile in seconds to a minute."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Preset:
    """A problem to start from.

    Attributes:
        key: Its name in the page's address.
        title: What the button says.
        problem: What problem.json holds.
    """

    key: str
    title: str
    problem: dict[str, Any]


def _random_fields(num_qubits: int, strength: float) -> list[float]:
    draws = np.random.default_rng(7).uniform(-strength, strength, num_qubits)
    return [round(float(value), 3) for value in draws]


def _xy_terms(num_qubits: int) -> list[list[Any]]:
    bonds = [[pair, [i, i + 1], 1.0] for i in range(num_qubits - 1) for pair in ("XX", "YY")]
    return [*bonds, *(["Z", [i], 0.3] for i in range(num_qubits))]


PRESETS: tuple[Preset, ...] = (
    Preset(
        "xxz",
        "XXZ, 50 sites",
        {
            "hamiltonian": {"model": "xxz_chain", "num_qubits": 50, "j": 1.0, "delta": 0.5},
            "time": 1.0,
            "initial_state": "neel",
            "ansatz": {"layers": 9},
            "goal": {"infidelity": 0.01},
        },
    ),
    Preset(
        "ising",
        "Ising quench, 40 sites",
        {
            "hamiltonian": {"model": "ising_chain", "num_qubits": 40, "j": 1.0, "g": 1.0},
            "time": 1.8,
            "initial_state": "zeros",
            "ansatz": {"layers": 7},
            "goal": {"infidelity": 0.002},
        },
    ),
    Preset(
        "disorder",
        "Heisenberg, random field, 24 sites",
        {
            "hamiltonian": {
                "model": "heisenberg_chain",
                "num_qubits": 24,
                "j": 1.0,
                "field": _random_fields(24, 2.0),
            },
            "time": 0.6,
            "initial_state": "neel",
            "ansatz": {"layers": 7},
            "goal": {"infidelity": 0.005},
        },
    ),
    Preset(
        "times",
        "Heisenberg, five times",
        {
            "hamiltonian": {"model": "heisenberg_chain", "num_qubits": 20, "j": 0.25},
            "times": [0.5, 1.0, 1.5, 2.0, 2.5],
            "initial_state": "neel",
            "ansatz": {"layers": "auto"},
            "goal": {"infidelity": 0.01},
        },
    ),
    Preset(
        "terms",
        "Your own terms",
        {
            "hamiltonian": {"num_qubits": 10, "terms": _xy_terms(10)},
            "time": 1.0,
            "initial_state": "neel",
            "ansatz": {"layers": 6},
            "goal": {"infidelity": 0.001},
        },
    ),
)
