"""What a problem will need, told before the work is done; no JAX needed.

Memory is the largest of three phases, each with the libraries and the target in it: the target's
evolution, the optimization (compiling the contraction, then one value and gradient in double
precision), and the certificate's simulation of the circuit. Time is an estimate: a count of the
steps of each stage, priced on one machine and scaled by how fast this one multiplies matrices.
"""

import functools
import math
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from aqc.block_choice import has_sectors
from aqc.coloring import Colors, layer_pairs
from aqc.cost import MAX_DENSE_QUBITS, choose_engine, is_brief, memory, work
from aqc.errors import InputError
from aqc.forecast import LAYERS_PER_STEP, Forecast, forecast
from aqc.given import GivenCircuit, RandomStart
from aqc.network import lay_out
from aqc.pieces import averaged, colored
from aqc.problem import Problem
from aqc.threads import one_blas_thread

# Measured peaks of whole processes, in bytes: what the imported libraries occupy; what compiling
# the contraction adds, figures and files included, and for each layer of the exact scan; what it
# adds where a brief fit is compiled quickly; the compiled code that stays.
_LIBRARIES, _COMPILING, _COMPILING_PER_LAYER = 230e6, 280e6, 12e6
_COMPILING_BRIEF, _COMPILED = 275e6, 130e6
_WRITING_PER_QUBIT = 90e3
# Tensors of the simulated circuit that exist at once: qiskit-aer's, two copies, the normalized
# ones; a part of the bonds is smaller than the largest.
_CIRCUIT_COPIES = 3.0
_MAX_CIRCUIT_BOND = 1024
# Qubits times their largest distance: beyond, a layout takes a second, and hours for the largest.
_MOST_LAID_OUT = 500_000
# Most layers that the search for the fewest tries: what needs more is no shallow circuit.
_DEEPEST_SEARCHED = 65
# The truncated overlap's bond dimension by the target's, where the goal is the target's tolerance,
# and how it falls with a finer tolerance. Chosen for XXZ, Heisenberg and tilted Ising chains of 50
# and 200 qubits, goals from 1e-2 to 1e-4: 0.77 to 0.93 where the circuit is deep enough for the
# goal, 0.52 to 0.62 at a hundredth; they lost a tenth of what they may, or less.
_WORKING_BOND, _WORKING_POWER = 0.95, 0.09
# From here on qiskit-aer's matrix product states certify.
_STATEVECTOR_QUBITS = 16
# In unitary mode so many matrices at once certify up to here.
_MATRICES, _MATRIX_QUBITS = 8.0, 10

# Seconds on the machine where they were measured, whose products of matrices (complex128, one
# thread) had this rate in multiplications per second.
_REFERENCE_RATE = 5e9
_IMPORT, _COMPILE, _COMPILE_PER_LAYER = 2.2, 0.5, 0.1
_EVOLVE_PER_GATE, _EVOLVE_PER_SQUARE = 8e-5, 1e-7
_EVALUATE, _EVALUATE_PER_PRODUCT = 5e-3, 1.3e-10
_CERTIFY_PER_GATE, _CERTIFY_PER_SQUARE = 1.3e-3, 3.5e-7


@dataclass(frozen=True)
class Estimate:
    """What a problem will need.

    Attributes:
        num_qubits: Number of qubits.
        layers: Brick layers that it is told for: the deepest of a sweep; for "auto" the deepest
            that fits into `limits.memory_gb`.
        bond_dimension: The target's, forecast from the middle of the chain.
        memory_bytes: Peak memory of the process, in double precision; it may be less in single.
        memory_limit_bytes: What `limits.memory_gb` allows.
        seconds: Wall time if all evaluations are used.
    """

    num_qubits: int
    layers: int
    bond_dimension: int
    memory_bytes: int
    memory_limit_bytes: int
    seconds: float

    @property
    def fits(self) -> bool:
        """Whether the problem would be accepted."""
        return self.memory_bytes <= self.memory_limit_bytes

    def check(self) -> None:
        """Refuse what does not fit.

        Raises:
            InputError: If more memory is needed than `limits.memory_gb`.
        """
        if not self.fits:
            limit = self.memory_limit_bytes / 1e9
            raise _refusal(self.memory_bytes, self.layers, self.bond_dimension, limit)

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as JSON holds it."""
        return {**asdict(self), "fits": self.fits}


def estimate(problem: Problem) -> Estimate:
    """Return what a problem will need; nothing of it is computed.

    Args:
        problem: What problem.json holds.

    Raises:
        InputError: If the time is too long to be resolved.

    Example:
        >>> problem = Problem.build({"model": "xxz_chain", "num_qubits": 50}, 1.0)
        >>> told = estimate(problem)
        >>> told.fits, told.memory_bytes < 1e9
        (True, True)
    """
    seen = _forecast(problem)
    layers = most_layers(problem)
    if problem.ansatz.layers == "auto":
        layers = max(1, _deepest(problem, seen))
    return Estimate(
        problem.num_qubits,
        layers,
        seen.bond,
        int(min(_needed(problem, seen, layers), 2.0**62)),
        int(problem.limits.memory_gb * 1e9),
        round(min(_seconds(problem, seen, layers), 1e12), 1),
    )


def check_memory(problem: Problem, chi: int | None = None) -> None:
    """Refuse a problem that needs more memory than it allows.

    Nothing is forecast where it cannot matter.

    Args:
        problem: What problem.json holds.
        chi: The target's bond dimension, once it is known.

    Raises:
        InputError: If more memory is needed than `limits.memory_gb`.
    """
    layers, limit = most_layers(problem), problem.limits.memory_gb * 1e9
    least = Forecast(chi or 1, 1, 1)
    most = Forecast(chi or problem.target.max_bond, _MAX_CIRCUIT_BOND, 1)
    if _needed(problem, most, layers) <= limit:
        return
    if _needed(problem, least, layers) > limit:
        seen = least
    elif chi is None and not _is_forecast(problem):
        return  # it is known once the target is made
    else:
        seen = _forecast(problem, chi)
    predicted = _needed(problem, seen, layers)
    if predicted > limit:
        raise _refusal(predicted, layers, seen.bond, problem.limits.memory_gb)


def _refusal(predicted: float, layers: int, bond: int, limit: float) -> InputError:
    return InputError(
        f"`limits.memory_gb` must cover the predicted {predicted / 1e9:.3g} GB for {layers} layers "
        f"and bond dimension {bond}, but is {limit:g}; use fewer layers, a coarser "
        f"`target.tolerance`, or allow more memory.",
        "/limits/memory_gb",
    )


def _is_forecast(problem: Problem) -> bool:
    """Whether the bond dimension can be forecast before the target is made."""
    return problem.target.circuit is None and not isinstance(problem.initial_state, GivenCircuit)


def most_layers(problem: Problem) -> int:
    """Return the number of layers of the deepest circuit that a problem is sure to fit.

    The search for the fewest layers begins at one, and goes on as far as memory goes.
    """
    layers = problem.ansatz.layers
    if layers == "auto":
        return max(1, len(colors_of(problem)))
    return max(layers) if isinstance(layers, tuple) else layers


def deepest_layers(problem: Problem, chi: int) -> int:
    """Return the most layers that the search for the fewest may try: those that fit into memory.

    A few qubits never need so many: twice the layers whose parameters (nine for each block, its
    one-qubit gates counted once) outnumber those of a state reach any state, and so of a unitary.

    Args:
        problem: What problem.json holds.
        chi: The target's bond dimension.

    Example:
        >>> problem = Problem.build({"model": "xxz_chain", "num_qubits": 50}, 1.0)
        >>> deepest_layers(problem, 48)
        65
    """
    return _deepest(problem, _forecast(problem, chi))


def _deepest(problem: Problem, seen: Forecast) -> int:
    n, most = problem.num_qubits, _DEEPEST_SEARCHED
    if n <= MAX_DENSE_QUBITS:
        parameters = 4**n if problem.mode == "unitary" else 2 ** (n + 1)
        most = 2 * math.ceil(parameters / (4.5 * (n - 1)))
    limit = problem.limits.memory_gb * 1e9
    # Not a bisection: where another engine takes over, deeper circuits may need less.
    fitting = (layers for layers in range(1, most + 1) if _needed(problem, seen, layers) <= limit)
    return max(fitting, default=0)


def _forecast(problem: Problem, chi: int | None = None) -> Forecast:
    """Return the forecast, with the target's bond dimension once that is known.

    A state that is given has its bond dimension, and what a circuit makes at most 2^(n/2); only
    product states that evolve are looked at more closely.
    """
    settings = problem.target
    evolution = problem.evolution()
    if evolution is None or isinstance(problem.initial_state, GivenCircuit):
        most = 2 ** min(problem.num_qubits // 2, 60)
        bond = settings.state.max_bond if settings.state else most
        seen = Forecast(min(bond, settings.max_bond), most, 0)
    else:
        hamiltonian, time = averaged(problem.pieces())
        product = problem.product_state()
        seen = forecast(hamiltonian, product, time, settings.tolerance, settings.max_bond)
    return seen if chi is None else replace(seen, bond=chi)


def colors_of(problem: Problem) -> Colors:
    """Return the colors of the couplings that an ansatz follows; none where it is a brickwork."""
    return () if isinstance(problem.ansatz.start, GivenCircuit) else colored(problem.pieces())


@functools.lru_cache(maxsize=256)
def _rows(num_qubits: int, colors: Colors, layers: int) -> int:
    """Return the rows of the brickwork that carries out so many layers.

    Of what takes long to lay out, the least: the farthest qubits meet halfway and go home again.
    """
    if not colors:
        return layers
    farthest = max(b - a for pairs in colors[:layers] for a, b in pairs)
    if num_qubits * farthest > _MOST_LAID_OUT:
        return farthest + layers
    return lay_out(num_qubits, layer_pairs(colors, layers)).rows


def _circuit_bond(problem: Problem, seen: Forecast, layers: int) -> int:
    """Return the bond dimension of the simulated circuit.

    A block multiplies the rank of its cut by at most 4; the first layer, on a product, by 2.
    """
    if colors_of(problem):  # several pairs of a layer may cross a cut
        return min(seen.circuit_bond, _MAX_CIRCUIT_BOND)
    first = 4 if problem.mode == "unitary" else 2
    odd_cut, even_cut = 4.0 ** min(layers // 2, 30), first * 4.0 ** min((layers - 1) // 2, 30)
    return int(min(seen.circuit_bond, max(odd_cut, even_cut), _MAX_CIRCUIT_BOND))


def _needed(problem: Problem, seen: Forecast, layers: int) -> float:
    """Return the bytes of the largest phase."""
    n, chi, operator = problem.num_qubits, seen.bond, problem.mode == "unitary"
    target = (64.0 if operator else 32.0) * n * chi**2
    layers = _rows(n, colors_of(problem), layers)
    engine = _engine(problem, layers, chi)
    compiling = _COMPILING + (_COMPILING_PER_LAYER * layers if engine == "exact" else 0)
    kind = {"operator": operator, "sectors": _has_sectors(problem)}
    if is_brief(n, layers, chi, engine, problem.optimizer.max_steps, **kind):
        compiling = _COMPILING_BRIEF
    evaluating = _evaluating(problem, layers, chi, engine)
    optimizing = compiling + evaluating
    if engine == "truncated":  # what compiling takes is free again
        optimizing = max(compiling, _COMPILED + evaluating)
    phases = [
        3 * target,
        target + optimizing,
        2 * target + _COMPILED + _certifying(problem, seen, layers),
    ]
    return _LIBRARIES + max(phases) + _WRITING_PER_QUBIT * n


def evaluation_memory(problem: Problem, layers: int, chi: int) -> float:
    """Return the bytes that an estimate counts for one value and gradient.

    Args:
        problem: What problem.json holds.
        layers: Brick layers.
        chi: The target's bond dimension.
    """
    rows = _rows(problem.num_qubits, colors_of(problem), layers)
    return _evaluating(problem, rows, chi, _engine(problem, rows, chi))


def _evaluating(problem: Problem, rows: int, chi: int, engine: str) -> float:
    given = problem.ansatz.start
    at_once = given.starts if isinstance(given, RandomStart) else 1
    operator, bond = problem.mode == "unitary", _working_bond(problem, chi)
    return at_once * memory(problem.num_qubits, rows, chi, engine, operator=operator, bond=bond)


def _working_bond(problem: Problem, chi: int) -> int:
    """Return the bond dimension that the truncated overlap may use.

    It may lose a share of the goal, which takes the fewer of the target's bonds the smaller the
    target's own error is. A start that is given, or drawn, may be entangled more than the target.
    """
    given = isinstance(problem.ansatz.start, GivenCircuit | RandomStart)
    finer = min(problem.target.tolerance / problem.goal.infidelity, 1.0)
    share = 2.0 if given else _WORKING_BOND * finer**_WORKING_POWER
    return int(share * chi) + 4


def _engine(problem: Problem, rows: int, chi: int) -> str:
    """Return the contraction engine that a fit takes."""
    return choose_engine(
        problem.num_qubits,
        rows,
        chi,
        problem.overlap,
        operator=problem.mode == "unitary",
        sectors=_has_sectors(problem),
    )


def _has_sectors(problem: Problem) -> bool:
    """Whether the fit goes by sectors of the magnetization."""
    block = problem.ansatz.block
    return block == "u1" and problem.mode == "state" and has_sectors(block, problem.product_state())


def _certifying(problem: Problem, seen: Forecast, layers: int) -> float:
    n = problem.num_qubits
    if problem.mode == "unitary":
        matrices = 16.0 * _MATRICES * 4.0**n if n <= _MATRIX_QUBITS else 0.0
        return max(matrices, 64.0 * n * _circuit_bond(problem, seen, layers) ** 2)
    if n <= _STATEVECTOR_QUBITS:
        return 64.0 * 2**n
    return _CIRCUIT_COPIES * 32.0 * n * _circuit_bond(problem, seen, layers) ** 2


def _seconds(problem: Problem, seen: Forecast, layers: int) -> float:
    """Return the wall time of all stages."""
    n, chi, speed = problem.num_qubits, seen.bond, multiplication_rate() / _REFERENCE_RATE
    evolved = 1.5 * (LAYERS_PER_STEP * seen.steps + 1) * n / 2
    depths = problem.ansatz.layers if isinstance(problem.ansatz.layers, tuple) else (layers,)
    if problem.ansatz.layers == "auto":
        depths = tuple(range(1, layers + 1, 2))
    operator = problem.mode == "unitary"
    # Sites of four levels: as many numbers as with twice the bond dimension.
    seconds = evolved * (_EVOLVE_PER_GATE + _EVOLVE_PER_SQUARE * chi**2 * (4 if operator else 1))
    for depth in depths:
        rows = _rows(n, colors_of(problem), depth)
        engine = _engine(problem, rows, chi)
        settings = {"operator": operator, "sectors": _has_sectors(problem)}
        one = _EVALUATE_PER_PRODUCT * work(n, rows, chi, engine, **settings) + _EVALUATE
        seconds += _COMPILE + _COMPILE_PER_LAYER * min(rows, 13)
        seconds += problem.optimizer.max_steps * one
    simulated = _CERTIFY_PER_SQUARE * _circuit_bond(problem, seen, layers) ** 2
    seconds += n * layers / 2 * (_CERTIFY_PER_GATE + simulated * (n > _STATEVECTOR_QUBITS))
    return starting_seconds() + seconds / speed


def starting_seconds() -> float:
    """Return the wall time that a process takes once, whatever it compiles."""
    return _IMPORT


@functools.cache
@one_blas_thread()
def multiplication_rate() -> float:
    """Return how many complex multiplications a second this machine's matrix products do.

    The best of a few products of 256 x 256 matrices on one thread; takes some 20 ms, once.
    """
    a = np.full((256, 256), 1.0 + 1.0j)
    best = math.inf
    for _ in range(5):
        began = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - began)
    return float(256**3 / best)
