"""What an evaluation costs, known before anything is computed; no JAX needed."""

from aqc.errors import InputError

MAX_DENSE_QUBITS = 14

# Multiplications below which a third of a second less of compilation is worth more than a tenth of
# the run time.
_BRIEF_WORK = 4e10

# Bonds are padded to a multiple of this, so that targets of similar size share a compilation.
_BOND_BUCKET = 8


def padded_bond(chi: int) -> int:
    """Return the bond dimension that the exact scan works with.

    Example:
        >>> padded_bond(47)
        48
    """
    return -(-chi // _BOND_BUCKET) * _BOND_BUCKET


def crossing_layers(layers: int) -> int:
    """Return the number m of layers that cross cell borders; one layer is padded with identities.

    Example:
        >>> crossing_layers(9)
        4
    """
    return max(1, layers // 2)


def choose_engine(num_qubits: int, layers: int, chi: int, method: str = "auto") -> str:
    """Return "exact" or "dense", for "auto" the one with less work.

    Args:
        num_qubits: Number of qubits.
        layers: Brick layers.
        chi: The target's bond dimension.
        method: "auto", "exact" or "dense".

    Raises:
        InputError: If "dense" is asked for more qubits than a state vector serves.

    Example:
        >>> choose_engine(50, 9, 48), choose_engine(10, 55, 32)
        ('exact', 'dense')
    """
    if method == "dense" and num_qubits > MAX_DENSE_QUBITS:
        raise InputError(
            f'`overlap` = "dense" must have at most {MAX_DENSE_QUBITS} qubits, but has '
            f'{num_qubits}; use "exact".',
            "/overlap",
        )
    if method != "auto":
        return method
    if num_qubits > MAX_DENSE_QUBITS:
        return "exact"
    return min(("exact", "dense"), key=lambda engine: work(num_qubits, layers, chi, engine))


def work(num_qubits: int, layers: int, chi: int, engine: str) -> float:
    """Return the complex multiplications of one value and gradient.

    Example:
        >>> work(100, 9, 48, "exact") == 2 * work(50, 9, 48, "exact")
        True
    """
    if engine == "dense":
        return 3.0 * 4 * 2**num_qubits * layers * num_qubits / 2
    cells, depth = (num_qubits + 1) // 2, crossing_layers(layers)
    chi = padded_bond(chi)
    return 3.0 * cells * _boundary(depth) * (16 * depth * chi + 2 * chi**2)


def is_brief(num_qubits: int, layers: int, chi: int, engine: str, evaluations: int) -> bool:
    """Return whether code that is compiled sooner wins over code that runs faster.

    Example:
        >>> is_brief(20, 5, 16, "exact", 200), is_brief(100, 11, 48, "exact", 200)
        (True, False)
    """
    return work(num_qubits, layers, chi, engine) * evaluations < _BRIEF_WORK


def memory(num_qubits: int, layers: int, chi: int, engine: str, itemsize: int = 16) -> float:
    """Return the bytes of one value and gradient: what the way back needs is kept on the way.

    Measured for 3 to 13 layers and bond dimensions up to 370: a cell keeps about m + 1.5
    boundaries, m the number of crossing layers, and arrays of 20 chi^2 numbers for its two target
    tensors (4 chi^2 for the tensors themselves, as much closed with the last gates, and copies).

    Example:
        >>> memory(50, 9, 48, "exact") < memory(50, 11, 48, "exact")
        True
    """
    if engine == "dense":
        return itemsize * 2.0**num_qubits * ((layers + 1) // 2) * (num_qubits + 1)
    cells, depth = (num_qubits + 1) // 2, crossing_layers(layers)
    chi = padded_bond(chi)
    boundary = _boundary(depth) * chi
    return itemsize * (cells * ((depth + 1.5) * boundary + 20 * chi**2) + 8 * boundary)


def _boundary(depth: int) -> float:
    """Return 4**depth; beyond any machine it stops growing, where a float would overflow."""
    return 4.0 ** min(depth, 300)
