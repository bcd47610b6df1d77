"""What a problem will need, told before the work is done; no JAX needed."""

from aqc.cost import choose_engine, memory
from aqc.errors import InputError
from aqc.evolved import forecast_bond
from aqc.problem import Problem

# What JAX, XLA's code and Qiskit occupy whatever the problem.
_BASE_MEMORY = 600e6


def check_memory(problem: Problem, chi: int | None = None) -> int:
    """Return the bytes that a problem will need, and refuse what exceeds its limit.

    Args:
        problem: What problem.json holds.
        chi: The target's bond dimension; forecast from a small part of the chain if not known.

    Raises:
        InputError: If more memory is needed than `limits.memory_gb`.
    """
    n, layers, settings = problem.num_qubits, problem.ansatz.layers, problem.target
    limit = problem.limits.memory_gb * 1e9

    def needed(bond: int) -> float:
        method = choose_engine(n, layers, bond, problem.overlap)
        return _BASE_MEMORY + memory(n, layers, bond, method)

    if chi is None:
        chi = 1
        if needed(1) <= limit < needed(settings.max_bond):
            chi = forecast_bond(
                problem.to_hamiltonian(),
                problem.product_state(),
                problem.time,
                settings.tolerance,
                settings.max_bond,
            )
    predicted = needed(chi)
    if predicted > limit:
        raise InputError(
            f"`limits.memory_gb` must cover the predicted {predicted / 1e9:.1f} GB for {layers} "
            f"layers and bond dimension {chi}, but is {problem.limits.memory_gb:g}; use fewer "
            f"layers, a coarser `target.tolerance`, or allow more memory.",
            "/limits/memory_gb",
        )
    return int(predicted)
