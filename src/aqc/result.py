"""What a compile returns, and how it is told as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from aqc.baseline import Baseline
from aqc.markup import image, table
from aqc.problem import Problem
from aqc.target import Target
from aqc.versions import versions

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from aqc.certify import Certificate
    from aqc.depths import Depth
    from aqc.optimize import Optimum


@dataclass(frozen=True, eq=False)
class CompileResult:
    """A compiled circuit and everything known about it.

    Attributes:
        problem: What was asked.
        circuit: The circuit on |0...0>, preparation of the initial state included; in unitary
            mode the circuit that is exp(-iHt), global phase included.
        layout: Physical qubit of each site at the end, or None without a coupling map.
        two_qubit_gates: Number of two-qubit gates of the circuit.
        two_qubit_depth: Depth in two-qubit gates alone.
        certificate: How close the circuit is, measured again from the circuit.
        observables: Energy, <Z_j> and <Z_j Z_j+1> of circuit and target, as result.json holds
            them; None in unitary mode.
        trotter: Plain Trotter at the same or the next larger CX depth; None without an evolution.
        target: The state to reach.
        optimum: How the optimizer got there.
        depths: Every depth that was fitted, in ascending order; the circuit is the shallowest
            that reaches the goal, or else the best.
        chosen: That depth.
        status: Whether the goal was reached, or why not.
        bricks: For each layer pairs (left qubit, entangling strength 0..1), for drawing; of a
            lattice triples (left qubit, right qubit, strength).
        seconds: Wall time by stage.
    """

    problem: Problem
    circuit: "QuantumCircuit"
    layout: tuple[int, ...] | None
    two_qubit_gates: int
    two_qubit_depth: int
    certificate: "Certificate"
    observables: dict[str, Any] | None
    trotter: Baseline | None
    target: Target
    optimum: "Optimum"
    depths: "Sequence[Depth]"
    chosen: "Depth"
    status: str
    bricks: Sequence[Sequence[tuple[float, ...]]]
    seconds: dict[str, float]

    def _repr_html_(self) -> str:
        from aqc import figures  # takes half a second, which a compile should not

        certificate, goal = self.certificate, self.problem.goal.infidelity
        rows = {
            "circuit": f"{self.circuit.num_qubits} qubits, {len(self.bricks)} brick layers, "
            f"{self.two_qubit_gates} two-qubit gates in depth {self.two_qubit_depth}",
            "infidelity": f"{certificate.infidelity:.3g}, goal {goal:.3g}: "
            f"{self.status.replace('_', ' ')} after {self.optimum.evaluations} evaluations",
            "bound on the infidelity": f"{certificate.infidelity_bound:.3g} "
            f"({certificate.bound_kind})",
        }
        if self.trotter is not None:
            rows["best Trotter"] = (
                f"infidelity {self.trotter.infidelity:.3g}, {self.trotter.two_qubit_gates} "
                f"two-qubit gates in depth {self.trotter.two_qubit_depth}"
            )
        rows["seconds"] = f"{self.seconds['total']:.1f}"
        drawn = figures.brickwork(self.problem.num_qubits, self.bricks)
        picture = image(figures.render(drawn, "png", dpi=80), "the circuit as blocks")
        return table("Compiled circuit", rows) + picture

    def to_dict(self) -> dict[str, Any]:
        """Return the content of result.json."""
        trotter = self.trotter
        return {
            "num_qubits": self.problem.num_qubits,
            "layers": len(self.bricks),
            "basis": self.problem.circuit.basis,
            "two_qubit_gates": self.two_qubit_gates,
            "two_qubit_depth": self.two_qubit_depth,
            "infidelity": self.certificate.infidelity,
            "certificate": self.certificate.to_dict(),
            "observables": self.observables,
            "trotter": None
            if trotter is None
            else {**asdict(trotter), "infidelity": trotter.infidelity},
            "optimizer": {
                "name": self.problem.optimizer.name,
                "status": self.status,
                "evaluations": self.optimum.evaluations,
                "history": [list(entry) for entry in self.optimum.history],
            },
            "sweep": [depth.to_dict() for depth in self.depths],
            "target": {
                "evolver": self.target.evolver,
                "steps": self.target.steps,
                "max_bond": self.target.mps.max_bond,
                "discarded_weight": self.target.discarded_weight,
            },
            "layout": None if self.layout is None else list(self.layout),
            "seconds": self.seconds,
            "versions": versions(),
            "seed": self.problem.seed,
            "problem": self.problem.to_dict(),
        }
