"""What an evaluation costs, known before anything is computed; no JAX needed."""

from aqc.errors import InputError

MAX_DENSE_QUBITS = 14

# Multiplications below which a third of a second less of compilation is worth more than a tenth of
# the run time.
_BRIEF_WORK = 4e10

# Bonds are padded to a multiple of this, so that targets of similar size share a compilation.
_BOND_BUCKET = 8

# The truncated overlap: its bond dimension for one of the target, measured where it may lose a
# weight of about the goal; multiplications of a gate in units of chi^3, decompositions counted as
# the products that take as long; its rate by that of the exact scan.
_TRUNCATED_BOND, _TRUNCATED_PRODUCTS, _TRUNCATED_SLOWNESS = 0.75, 80.0, 1.5


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
    """Return "exact", "truncated" or "dense", for "auto" the one with less work.

    Args:
        num_qubits: Number of qubits.
        layers: Brick layers.
        chi: The target's bond dimension.
        method: "auto", "exact", "truncated" or "dense".

    Raises:
        InputError: If "dense" is asked for more qubits than a state vector serves.

    Example:
        >>> choose_engine(50, 9, 48), choose_engine(50, 25, 48), choose_engine(10, 55, 32)
        ('exact', 'truncated', 'dense')
    """
    if method == "dense" and num_qubits > MAX_DENSE_QUBITS:
        raise InputError(
            f'`overlap` = "dense" must have at most {MAX_DENSE_QUBITS} qubits, but has '
            f'{num_qubits}; use "exact".',
            "/overlap",
        )
    if method != "auto":
        return method
    engines = ["exact", "dense"] if num_qubits <= MAX_DENSE_QUBITS else ["exact", "truncated"]
    return min(engines, key=lambda engine: work(num_qubits, layers, chi, engine))


def truncated_bond(chi: int) -> int:
    """Return the bond dimension that the truncated overlap is predicted to need.

    Example:
        >>> truncated_bond(48)
        40
    """
    return padded_bond(int(_TRUNCATED_BOND * chi) + 1)


def work(num_qubits: int, layers: int, chi: int, engine: str) -> float:
    """Return the complex multiplications of one value and gradient.

    Example:
        >>> work(100, 9, 48, "exact") == 2 * work(50, 9, 48, "exact")
        True
    """
    if engine == "dense":
        return 3.0 * 4 * 2**num_qubits * layers * num_qubits / 2
    if engine == "truncated":
        products = _TRUNCATED_PRODUCTS * float(truncated_bond(chi)) ** 3
        return _TRUNCATED_SLOWNESS * layers * num_qubits / 2 * products
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
    if engine == "truncated":
        # Of every layer the pairs of both families and, in their environments, of one more; what
        # a step and a copy of the largest segment add.
        pair = 4.0 * truncated_bond(chi) ** 2
        return itemsize * num_qubits / 2 * pair * (5 * (layers + 1) + 12)
    cells, depth = (num_qubits + 1) // 2, crossing_layers(layers)
    chi = padded_bond(chi)
    boundary = _boundary(depth) * chi
    return itemsize * (cells * ((depth + 1.5) * boundary + 20 * chi**2) + 8 * boundary)


def _boundary(depth: int) -> float:
    """Return 4**depth; beyond any machine it stops growing, where a float would overflow."""
    return 4.0 ** min(depth, 300)
