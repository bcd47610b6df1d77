"""What a problem will need, told before the work is done; no JAX needed."""

import bisect
import math

from aqc.cost import MAX_DENSE_QUBITS, choose_engine, memory
from aqc.errors import InputError
from aqc.evolved import forecast_bond
from aqc.given import GivenCircuit, GivenState
from aqc.problem import Problem
from aqc.settings import MAX_LAYERS

# What JAX, XLA's code and Qiskit occupy whatever the problem.
_BASE_MEMORY = 600e6


def check_memory(problem: Problem, chi: int | None = None) -> int:
    """Return the bytes that a problem will need, and refuse what exceeds its limit.

    Args:
        problem: What problem.json holds.
        chi: The target's bond dimension; forecast from a small part of the chain if not known
            and if it decides.

    Raises:
        InputError: If more memory is needed than `limits.memory_gb`.
    """
    limit = problem.limits.memory_gb * 1e9
    if chi is None:
        decides = _is_forecast(problem) and _needed(problem, 1) <= limit < _needed(
            problem, problem.target.max_bond
        )
        chi = forecast_memory(problem)[1] if decides else 1
    predicted = _needed(problem, chi)
    if predicted > limit:
        raise InputError(
            f"`limits.memory_gb` must cover the predicted {predicted / 1e9:.3g} GB for "
            f"{most_layers(problem)} layers and bond dimension {chi}, but is "
            f"{problem.limits.memory_gb:g}; use fewer layers, a coarser `target.tolerance`, or "
            f"allow more memory.",
            "/limits/memory_gb",
        )
    return int(predicted)


def forecast_memory(problem: Problem) -> tuple[int, int]:
    """Return the bytes that a problem will need, and the bond dimension they are forecast for.

    A state that is given has its bond dimension, and what a circuit makes at most 2^(n/2); only
    product states that evolve are looked at more closely.

    Example:
        >>> problem = Problem.build({"model": "xxz_chain", "num_qubits": 20}, 0.1)
        >>> forecast_memory(problem)[0] < 1e9
        True
    """
    settings = problem.target
    evolution = problem.evolution()
    most = min(settings.max_bond, 2 ** min(problem.num_qubits // 2, 62))
    if isinstance(settings.given, GivenState):
        chi = min(most, settings.given.max_bond)
    elif evolution is None or isinstance(problem.initial_state, GivenCircuit):
        chi = most
    else:
        chi = forecast_bond(
            *evolution[:1], problem.product_state(), evolution[1], settings.tolerance, most
        )
    return int(min(_needed(problem, chi), 2.0**62)), chi


def _is_forecast(problem: Problem) -> bool:
    """Whether the bond dimension can be forecast before the target is made."""
    return problem.target.circuit is None and not isinstance(problem.initial_state, GivenCircuit)


def most_layers(problem: Problem) -> int:
    """Return the number of layers of the deepest circuit that a problem is sure to fit.

    The search for the fewest layers begins at one, and goes on as far as memory goes.
    """
    layers = problem.ansatz.layers
    if layers == "auto":
        return 1
    return max(layers) if isinstance(layers, tuple) else layers


def deepest_layers(problem: Problem, chi: int) -> int:
    """Return the most layers that the search for the fewest may try: those that fit into memory.

    A few qubits never need so many: twice the layers whose parameters (nine for each block, its
    one-qubit gates counted once) outnumber those of a state reach any state.

    Example:
        >>> problem = Problem.build({"model": "xxz_chain", "num_qubits": 50}, 1.0)
        >>> deepest_layers(problem, 48)
        15
    """
    n = problem.num_qubits
    most = MAX_LAYERS
    if n <= MAX_DENSE_QUBITS:
        most = 2 * math.ceil(2 ** (n + 1) / (4.5 * (n - 1)))
    limit = problem.limits.memory_gb * 1e9
    return bisect.bisect_right(
        range(1, most + 1), limit, key=lambda layers: _needed(problem, chi, layers)
    )


def _needed(problem: Problem, chi: int, layers: int | None = None) -> float:
    n = problem.num_qubits
    layers = layers or most_layers(problem)
    return _BASE_MEMORY + memory(n, layers, chi, choose_engine(n, layers, chi, problem.overlap))
