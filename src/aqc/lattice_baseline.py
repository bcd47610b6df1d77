"""What plain Trotter reaches at the same depth on lattices, and where H changes in time."""

import numpy as np

from aqc.baseline import DEEPEST, Baseline, best_trotter
from aqc.circuit import Circuit
from aqc.gates import cx_count
from aqc.lattice import couplings_commute, formula, formula_of_pieces
from aqc.mps import MPS, as_mps, log_overlap
from aqc.pieces import Pieces
from aqc.simulate import act_on
from aqc.threads import one_blas_thread

_TRUNCATION_ANGLE = 3e-3
_MAX_BOND = 256


@one_blas_thread()
def best_formula(
    pieces: Pieces,
    state: np.ndarray | MPS,
    target: MPS,
    depth: int,
    *,
    preparation: tuple[int, int] = (0, 0),
) -> Baseline:
    """Return the product formula of highest fidelity at CX depth `depth` or the next larger one.

    Args:
        pieces: Hamiltonians on any pairs, each for its time.
        state: One-qubit states, shape (n, 2), or an MPS with its center on site 0; for operators
            the Bell pairs of an `Ansatz`.
        target: What to compare with.
        depth: CX depth of the compiled circuit.
        preparation: CX depth and number of CX of the circuit that makes an MPS as `state`.
    """
    (hamiltonian, time), *more = pieces
    if hamiltonian.is_chain and not more:
        return best_trotter(hamiltonian, time, state, target, depth, preparation=preparation)
    operator = not isinstance(state, MPS) and state.ndim == 3
    has_fields = any(len(term.qubits) == 1 for term in hamiltonian.terms)
    apart = has_fields and not more and couplings_commute(hamiltonian)
    found = [
        (order, fused, *_shallowest(pieces, order, fused, depth, operator))
        for order in (1, 2, 4)
        for fused in ((True, False) if apart else (True,))
    ]
    fair = max(min(cost[0] for *_, cost in found), DEEPEST * depth)
    begun = as_mps(state)

    def fidelity(circuit: Circuit) -> float:
        made = act_on(circuit, begun, angle=_TRUNCATION_ANGLE, max_bond=_MAX_BOND)
        return min(1.0, float(np.exp(2 * log_overlap(target, made.mps)[0])))

    compared = [
        Baseline(order, steps, fused, fidelity(circuit), *cost)
        for order, fused, steps, circuit, cost in found
        if cost[0] <= fair
    ]
    return max(compared, key=lambda baseline: baseline.fidelity)


def _shallowest(
    pieces: Pieces, order: int, fused: bool, depth: int, operator: bool
) -> tuple[int, Circuit, tuple[int, int]]:
    """Return steps, circuit and cost of the fewest steps that are at least `depth` deep."""
    steps = 1
    while True:
        if fused:
            circuit = formula_of_pieces(pieces, steps, order)
        else:
            circuit = formula(*pieces[0], steps, order, fused=False)
        cost = cx_cost(circuit, operator=operator)
        if cost[0] >= depth or cost[0] == 0:  # no depth at all: nothing to evolve
            return steps, circuit, cost
        steps += 1


def cx_cost(circuit: Circuit, *, operator: bool = False) -> tuple[int, int]:
    """Return (CX depth, number of CX) of a circuit on a product state, or as an operator."""
    depth = [0] * circuit.num_qubits
    counts: dict[bytes, int] = {}  # most gates of a formula are alike
    total = 0
    for gate in circuit.gates:
        if len(gate.qubits) == 1:
            continue
        key = gate.matrix.tobytes()
        if key not in counts:
            counts[key] = cx_count(gate.matrix)
        count, (a, b) = counts[key], gate.qubits
        if depth[a] == depth[b] == 0 and not operator:
            count = min(count, 1)
        depth[a] = depth[b] = max(depth[a], depth[b]) + count
        total += count
    return max(depth), total
