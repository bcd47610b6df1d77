"""What plain Trotter reaches at the same depth: the best of several product formulas.

Orders 1, 2 and 4 are tried with all terms of a bond fused into one gate, and with the fields kept
apart (then an Ising bond takes 2 CX and not 3). Two-qubit gates that meet the product state first
take 1 CX, as in the compiled circuit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aqc.gates import cx_count, evolution
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS, log_overlap
from aqc.tebd import apply_layers
from aqc.threads import one_blas_thread
from aqc.trotter import Layer, brick_layers, couplings_commute, schedule

# To choose the best formula. The loss in fidelity is about a tenth of this bound, squared.
_ROUGH_ANGLE = 3e-2
# Of the root of the best one's infidelity, which is then off by a thousandth of itself.
_ANGLE_SHARE, _SMALLEST_ANGLE = 0.1, 3e-4
# A formula whose fewest steps are much deeper than the circuit is no comparison.
DEEPEST = 1.25


@dataclass(frozen=True)
class Baseline:
    """A plain product formula at the same or the next larger CX depth.

    Attributes:
        order: 1, 2 or 4.
        steps: Number of steps.
        fields_fused: Whether one-site terms are fused into the two-qubit gates.
        fidelity: |<target|formula>|^2.
        two_qubit_depth: CX depth.
        two_qubit_gates: Number of CX.
    """

    order: int
    steps: int
    fields_fused: bool
    fidelity: float
    two_qubit_depth: int
    two_qubit_gates: int

    @property
    def infidelity(self) -> float:
        """1 - F."""
        return 1.0 - self.fidelity


@one_blas_thread()
def best_trotter(
    hamiltonian: Hamiltonian,
    time: float,
    state: np.ndarray | MPS,
    target: MPS,
    depth: int,
    *,
    preparation: tuple[int, int] = (0, 0),
    max_bond: int = 256,
) -> Baseline:
    """Return the product formula of highest fidelity at CX depth `depth` or the next larger one.

    Args:
        hamiltonian: A chain.
        time: t, in units of 1/energy.
        state: One-qubit states, shape (n, 2), or an MPS with its center on site 0; for operators
            the Bell pairs of an `Ansatz`.
        target: What to compare with.
        depth: CX depth of the compiled circuit.
        preparation: CX depth and number of CX of the circuit that makes an MPS as `state`; they
            are part of the depths and numbers compared.
        max_bond: Largest bond dimension of the simulation.
    """
    operator = not isinstance(state, MPS) and state.ndim == 3
    formulas = [
        (order, build, *_shallowest(build, hamiltonian, time, order, depth, preparation, operator))
        for order in (1, 2, 4)
        for build in _builders(hamiltonian)
    ]
    shallowest = min(cost[0] for *_, cost in formulas)
    fair = max(shallowest, DEEPEST * depth)
    formulas = [formula for formula in formulas if formula[-1][0] <= fair]

    def fidelity(layers: list[Layer], angle: float) -> float:
        evolved = apply_layers(state, layers, angle=angle, max_bond=max_bond)
        return min(1.0, float(np.exp(2 * log_overlap(target, evolved.mps)[0])))

    rough = [fidelity(layers, _ROUGH_ANGLE) for *_, layers, _ in formulas]
    found = max(rough)
    order, build, steps, layers, (cx_depth, cx) = formulas[rough.index(found)]
    angle = max(_ANGLE_SHARE * (1 - found) ** 0.5, _SMALLEST_ANGLE)
    if angle < _ROUGH_ANGLE:
        found = fidelity(layers, angle)
    return Baseline(order, steps, build is brick_layers, found, cx_depth, cx)


Builder = Callable[[Hamiltonian, float, int, int], list[Layer]]


def _builders(hamiltonian: Hamiltonian) -> list[Builder]:
    has_fields = bool(np.any(hamiltonian.field_matrices()))
    return [brick_layers, fields_apart] if has_fields else [brick_layers]


def _shallowest(
    build: Builder,
    hamiltonian: Hamiltonian,
    time: float,
    order: int,
    depth: int,
    preparation: tuple[int, int],
    operator: bool,
) -> tuple[int, list[Layer], tuple[int, int]]:
    """Return steps, layers and cost of the fewest steps that are at least `depth` deep."""
    steps = 1
    while True:
        layers = build(hamiltonian, time, steps, order)
        cost = cx_cost(layers, hamiltonian.num_qubits, preparation, operator=operator)
        if cost[0] >= depth or cost[0] == preparation[0]:  # no depth at all: nothing to evolve
            return steps, layers, cost
        steps += 1


def fields_apart(hamiltonian: Hamiltonian, time: float, steps: int, order: int) -> list[Layer]:
    """Return product-formula steps with one-site terms in layers of their own.

    Couplings that commute with each other (Ising) are one group, else even and odd bonds are two.
    """
    fields, bonds = hamiltonian.field_matrices(), hamiltonian.coupling_matrices()
    groups = [(0, 1)] if couplings_commute(bonds) else [(0,), (1,)]
    layers: list[Layer] = []
    for group, fraction in schedule(1 + len(groups), steps, order):
        if group == 0:
            layers.append(Layer(None, evolution(fields, fraction * time)))
            continue
        for parity in groups[group - 1]:
            layers.append(Layer(parity, evolution(bonds[parity::2], fraction * time)))
    return layers


def cx_cost(
    layers: list[Layer],
    num_qubits: int,
    preparation: tuple[int, int] = (0, 0),
    *,
    operator: bool = False,
) -> tuple[int, int]:
    """Return (CX depth, number of CX) of layers on a product state, or behind a preparation.

    As an operator, no gate is simpler for being the first one.
    """
    depth = [preparation[0]] * num_qubits
    total = preparation[1]
    counts: dict[int, list[int]] = {}  # layers of a formula share their arrays
    for layer in layers:
        if layer.first_bond is None:
            continue
        if id(layer.gates) not in counts:
            counts[id(layer.gates)] = [cx_count(gate) for gate in layer.gates]
        for number, count in enumerate(counts[id(layer.gates)]):
            left = layer.first_bond + 2 * number
            if depth[left] == depth[left + 1] == 0 and not operator:
                count = min(count, 1)
            depth[left] = depth[left + 1] = max(depth[left], depth[left + 1]) + count
            total += count
    return max(depth), total
