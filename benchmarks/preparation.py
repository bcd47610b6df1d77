"""Ground states of 50 and 100 sites by six brick layers, and by staircases of gates.

The staircases are as many as come as close, at most 48. The XXZ chains are antiferromagnets; a
field on both end sites takes one of their two ordered states. More of B11 is in states.py.
"""

import json
from typing import Any

from aqc.compile import compile_state
from aqc.interop.fusion import from_zeros
from aqc.interop.quimb import ground_state
from aqc.interop.synthesis import synthesize, two_qubit_counts
from aqc.problem import Problem
from aqc.staircase import staircases


def _antiferromagnet(delta: float, field: float) -> dict[str, Any]:
    return {
        "model": "xxz_chain",
        "num_qubits": 50,
        "delta": delta,
        "field": [field, *[0.0] * 48, -field],
    }


# Name, Hamiltonian, bond dimension of the ground state, evaluations.
STATES: tuple[tuple[str, dict[str, Any], int, int], ...] = (
    ("Heisenberg", {"model": "heisenberg_chain", "num_qubits": 50}, 32, 200),
    ("Heisenberg", {"model": "heisenberg_chain", "num_qubits": 100}, 32, 200),
    ("XXZ, Delta = 1.2", _antiferromagnet(1.2, 1.0), 48, 1000),
    ("XXZ, Delta = 1.5", _antiferromagnet(1.5, 1.0), 48, 1000),
    ("XXZ, Delta = 2", _antiferromagnet(2.0, 1.0), 48, 1000),
    # The published state has a staggered magnetization of 0.40543 a site, and no field is named.
    # That is Delta = 2.5: 0.40546 with a field on both ends that is just enough to choose an order.
    ("B11, XXZ, Delta = 2.5", _antiferromagnet(2.5, 0.002), 16, 1000),
    (
        "B12, J = 1 and 1/2",
        {"model": "alternating_heisenberg_chain", "num_qubits": 100, "j_even": 1.0, "j_odd": 0.5},
        32,
        1000,
    ),
)


def preparations() -> list[dict[str, Any]]:
    """Prepare ground states with both methods; return a row for each state."""
    rows = []
    for name, model, max_bond, evaluations in STATES:
        hamiltonian = Problem.build(model, 0.0).to_hamiltonian()
        state, energy = ground_state(hamiltonian, max_bond=max_bond)
        result = compile_state(
            state,
            hamiltonian=hamiltonian,
            ansatz={"layers": 6},
            goal={"infidelity": 1e-6},
            optimizer={"max_steps": evaluations},
        )
        infidelity = result.certificate.infidelity
        found = staircases(state, infidelity=infidelity, most=48)
        gates, depth = two_qubit_counts(synthesize(from_zeros(found.circuit())).circuit)
        rows.append(
            {
                "state": name,
                "num_qubits": state.num_qubits,
                "energy": energy,
                "max_bond": state.max_bond,
                "fidelity": 1 - infidelity,
                "cx_depth": result.two_qubit_depth,
                "cx": result.two_qubit_gates,
                "staircases": len(found.layers),
                "staircase_fidelity": 1 - found.infidelities[-1],
                "staircase_depth": depth,
                "staircase_cx": gates,
                "depth_ratio": depth / result.two_qubit_depth,
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows
