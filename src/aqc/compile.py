"""From a Hamiltonian, or another target, to a circuit: the story of one compile."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aqc.ansatz import Ansatz
from aqc.baseline import Baseline
from aqc.checkpoint import Checkpoints
from aqc.estimate import check_memory
from aqc.gates import entangling_strength
from aqc.given import GivenCircuit
from aqc.hamiltonian import Hamiltonian
from aqc.inline import as_problem, inline
from aqc.lattice_baseline import best_formula
from aqc.mps import MPS, right_canonical
from aqc.problem import Problem
from aqc.progress import Progress, Report, Stopwatch
from aqc.result import CompileResult
from aqc.settings import TargetSettings
from aqc.start import start_ansatz
from aqc.target import Target
from aqc.targets import check_target, make_target, prepare
from aqc.threads import one_blas_thread

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit.library import PauliEvolutionGate
    from qiskit.quantum_info import SparsePauliOp
    from quimb.tensor import MatrixProductState

    from aqc.depths import Depth

MakeTarget = Callable[[Callable[[float], None]], Target]

# JAX, Qiskit and quimb take seconds to import, so they are imported inside the functions, where
# that time is counted as a stage of its own; refusing a problem needs none of them.


def compile_evolution(
    hamiltonian: "Hamiltonian | SparsePauliOp | PauliEvolutionGate | dict[str, Any]",
    time: float | None = None,
    *,
    progress: Report | None = None,
    checkpoint: Path | None = None,
    **settings: Any,
) -> CompileResult:
    """Return a shallow circuit that prepares exp(-iHt)|psi_0>, or in unitary mode is exp(-iHt).

    Args:
        hamiltonian: A chain or lattice, in any of the forms that name one: a Hamiltonian, Qiskit's
            SparsePauliOp or PauliEvolutionGate, or what problem.json holds.
        time: t, in units of 1/energy; left out for a PauliEvolutionGate, which has its own.
        progress: Called with a `Progress` as the compile goes on.
        checkpoint: Directory to keep the work in, and to go on from.
        **settings: The other fields of problem.json, such as initial_state="neel",
            ansatz={"layers": 9} or goal={"infidelity": 1e-3}; mode="unitary" asks for a circuit
            that does the same to every input; target may be a `Target` that was made before.

    Returns:
        The circuit with its certificate.

    Raises:
        InputError: If the problem is refused.
        TruncationError: If the target cannot keep its tolerance.

    Example:
        >>> model = {"model": "xxz_chain", "num_qubits": 6, "delta": 0.5}
        >>> result = compile_evolution(model, 0.5, initial_state="neel", ansatz={"layers": 3})
        >>> result.certificate.infidelity <= 0.01 and result.two_qubit_depth <= 7
        True
    """
    settings, target = _saved(settings)
    problem = as_problem(hamiltonian, time, **settings)
    return compile_problem(problem, progress=progress, checkpoint=checkpoint, target=target)


def compile_circuit(
    circuit: "QuantumCircuit | Path | str",
    *,
    progress: Report | None = None,
    checkpoint: Path | None = None,
    **settings: Any,
) -> CompileResult:
    """Return a shallower circuit that prepares the same state of |0...0>.

    The circuit's state is computed as a matrix product state, within `target.tolerance`.

    Args:
        circuit: A QuantumCircuit, or the name of a file with OpenQASM 2, OpenQASM 3 or QPY. Any
            unitary gates; the fewer swaps a line of qubits needs, the better.
        progress: Called with a `Progress` as the compile goes on.
        checkpoint: Directory to keep the work in, and to go on from.
        **settings: The fields of problem.json but `time` and `initial_state`, such as
            ansatz={"layers": 7}, or ansatz={"start": an ansatz circuit with its angles}; a
            `hamiltonian` only has its energy measured.

    Returns:
        The circuit with its certificate.

    Raises:
        InputError: If the problem is refused.
        TruncationError: If the circuit's state cannot keep its tolerance.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> deep = QuantumCircuit(4)
        >>> for step in range(5):
        ...     for j in (0, 2, 1):
        ...         _ = deep.rxx(0.1, j, j + 1), deep.rz(0.2, j)
        >>> result = compile_circuit(deep, ansatz={"layers": 3}, goal={"infidelity": 1e-4})
        >>> result.certificate.infidelity <= 1e-4 and result.two_qubit_depth <= 7
        True
    """
    return _compile_given("circuit", circuit, progress, checkpoint, settings)


def compile_state(
    state: "MPS | MatrixProductState | Sequence[np.ndarray] | Path | str",
    *,
    progress: Report | None = None,
    checkpoint: Path | None = None,
    **settings: Any,
) -> CompileResult:
    """Return a shallow circuit that prepares a matrix product state of |0...0>.

    Args:
        state: A quimb MatrixProductState, a list of tensors with the legs (left bond, qubit, right
            bond), or the name of an .npz file that np.savez(file, *tensors) wrote. Its norm must
            be 1.
        progress: Called with a `Progress` as the compile goes on.
        checkpoint: Directory to keep the work in, and to go on from.
        **settings: The fields of problem.json but `time` and `initial_state`; a `hamiltonian`
            only has its energy measured.

    Returns:
        The circuit with its certificate.

    Raises:
        InputError: If the problem is refused, or the state is not normalized.
        TruncationError: If `target.max_bond` cannot hold the state.

    Example:
        >>> bell = [np.eye(2).reshape(1, 2, 2), np.eye(2).reshape(2, 2, 1) / 2**0.5]
        >>> result = compile_state(bell, ansatz={"layers": 1})
        >>> round(result.certificate.fidelity, 9), result.two_qubit_gates
        (1.0, 1)
    """
    return _compile_given("state", state, progress, checkpoint, settings)


@one_blas_thread()
def compile_problem(
    problem: Problem,
    *,
    progress: Report | None = None,
    checkpoint: Path | Checkpoints | None = None,
    target: Target | MakeTarget | None = None,
    warm: Callable[[int], Sequence[tuple[str, Ansatz]]] | None = None,
    least: int = 1,
    expected: Callable[[int], float] | None = None,
) -> CompileResult:
    """Compile a problem; `compile_evolution` says what comes out.

    Args:
        problem: What problem.json holds.
        progress: Called with a `Progress` as the compile goes on, after the work was kept.
        checkpoint: Directory to keep the work in, and to go on from.
        target: From `make_target` or `Target.load`, for the same state; or what makes it, given
            whom to tell the fraction done; `make_target` when left out.
        warm: Returns more starts of a number of layers, with names; the best of all is taken.
            None: a long chain whose middle repeats has that of a shorter one's fit.
        least: Brick layers where the search for the fewest begins.
        expected: Returns the infidelity that a number of layers is expected to reach, from
            `aqc.misses.law`: the search passes over what will miss the goal.

    Raises:
        InputError: If the problem is refused, or the target belongs to another one.
        TruncationError: If the target cannot keep its tolerance.
    """
    watch = Stopwatch()
    report = progress or (lambda event: None)
    report(Progress("import"))
    check_memory(problem)
    kept = (
        Checkpoints(checkpoint, problem.to_json()) if isinstance(checkpoint, Path) else checkpoint
    )
    with watch.stage("import"):
        from aqc.certificates import certify_for
        from aqc.certify_unitary import UnitaryCertificate
        from aqc.depths import chosen, fit_depths
        from aqc.emission import emit, survival
        from aqc.interop.synthesis import two_qubit_counts
        from aqc.unit_cell import repeated_starts

    with watch.stage("target"):
        target = _target(problem, report, kept, target)
    check_memory(problem, target.mps.max_bond)

    def start(layers: int) -> Ansatz:
        return start_ansatz(problem, target.mps, layers)

    with watch.stage("optimize"):
        judge = partial(survival, problem) if problem.goal.device else None
        warm = warm or partial(repeated_starts, problem)
        depths = fit_depths(problem, target.mps, start, report, kept, judge, warm, least, expected)
    compiling = sum(depth.compile_seconds for depth in depths)
    watch.move("compile", compiling)
    watch.move("optimize", -compiling)

    fitted = chosen(depths, problem.goal.infidelity)
    optimum = fitted.optimum
    report(Progress("certify", 0.0, optimum.evaluations, optimum.infidelity))
    with watch.stage("certify"):
        emitted = emit(problem, fitted.ansatz)
        gates, depth = two_qubit_counts(emitted.circuit)
        with ThreadPoolExecutor(1) as beside:
            trotter = beside.submit(_baseline, problem, target, emitted.cx_depth)
            certificate, observables = certify_for(problem, emitted.chain, target)
            if isinstance(certificate, UnitaryCertificate):
                emitted.circuit.global_phase += certificate.global_phase
    report(Progress("certify", 1.0, optimum.evaluations, certificate.infidelity))
    return CompileResult(
        problem=problem,
        circuit=emitted.circuit,
        layout=emitted.layout,
        two_qubit_gates=gates,
        two_qubit_depth=depth,
        certificate=certificate,
        observables=observables,
        trotter=trotter.result(),
        target=target,
        optimum=optimum,
        depths=depths,
        chosen=fitted,
        status=_status(problem, depths, fitted, certificate.infidelity),
        bricks=_bricks(fitted.ansatz),
        seconds=watch.total(),
    )


def _compile_given(
    form: str,
    value: Any,
    progress: Report | None,
    checkpoint: Path | None,
    settings: dict[str, Any],
) -> CompileResult:
    settings, saved = _saved(settings)
    target = settings.pop("target", {})
    if isinstance(target, TargetSettings):
        target = target.model_dump(exclude_unset=True)
    problem = Problem.from_dict(inline({**settings, "target": {**target, form: value}}))
    return compile_problem(problem, progress=progress, checkpoint=checkpoint, target=saved)


def _saved(settings: dict[str, Any]) -> tuple[dict[str, Any], Target | None]:
    """Return the settings without a target that was made before, and that target."""
    target = settings.get("target")
    if not isinstance(target, Target):
        return settings, None
    return {name: value for name, value in settings.items() if name != "target"}, target


def _target(
    problem: Problem,
    report: Report,
    kept: Checkpoints | None,
    given: Target | MakeTarget | None,
) -> Target:
    """Return the target that was given, the one kept from before, or a new one."""
    if isinstance(given, Target):
        check_target(given, problem)
        return given
    arrays = kept.load("target") if kept else None
    if arrays is not None:
        return Target.restored(arrays)
    make = given or partial(make_target, problem)
    target = make(lambda fraction: report(Progress("target", fraction)))
    if kept:
        kept.save("target", target.arrays())
    return target


def _baseline(problem: Problem, target: Target, cx_depth: int) -> Baseline | None:
    """Return the best product formula, where there is an evolution to compare with."""
    evolution = problem.evolution()
    if evolution is None:
        return None
    if not isinstance(problem.initial_state, GivenCircuit):
        return best_formula(problem.pieces(), problem.product_state(), target.mps, cx_depth)
    from aqc.interop.circuits import two_qubit_cost

    begun = right_canonical(prepare(problem.initial_state, problem.target)[0])
    preparation = two_qubit_cost(problem.initial_state)
    pieces = problem.pieces()
    return best_formula(pieces, begun, target.mps, cx_depth, preparation=preparation)


def _status(problem: Problem, depths: "Sequence[Depth]", fitted: "Depth", infidelity: float) -> str:
    """The certificate has the last word on whether the goal is reached."""
    if any(depth.optimum.status == "interrupted" for depth in depths):
        return "interrupted"
    if infidelity <= problem.goal.infidelity or problem.goal.device is not None:
        return "goal_reached"
    if problem.ansatz.layers == "auto":
        return "max_depth_reached"
    status = fitted.optimum.status
    return "stalled" if status == "goal_reached" else status


def _bricks(ansatz: Ansatz) -> list[list[tuple[float, ...]]]:
    """Return the blocks for drawing: (left, strength), or (left, right, strength) of a lattice."""
    strengths = iter(entangling_strength(np.asarray(ansatz.blocks)))
    return [
        [(*(pair if ansatz.colors else pair[:1]), float(next(strengths))) for pair in pairs]
        for pairs in ansatz.pairs
    ]
